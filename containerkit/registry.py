"""Read from a registry by the protocol of the distribution-spec: manifests, blobs and tags. Writes nothing there.

A registry that answers 401 says how it wants to be asked: with the user's name and password, or with a token that
another server gives out. The vendor clients reach registries only through an engine, which would pull. oras-py returns
manifests without their bytes, so that digests cannot be checked, and knows no logins of podman.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import ssl
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import parse_dict_header
from urllib3.exceptions import InsecureRequestWarning

from ._text import split_lines
from .errors import AuthenticationFailed, ContainerKitError, ImageNotFound, PullFailed
from .oci.problems import invalid
from .oci.sources import StreamSource
from .reference import DEFAULT_REGISTRY, Reference
from .spec import RegistryAuth
from .userconfig.registries import Certificates

__all__ = ["MANIFEST_TYPES", "RegistryClient", "RemoteBlob"]

#: Media types of the manifests and indexes that can be read.
MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CHUNK = 256 << 10
_PAGE = 1000  # tags in one answer; a registry may send fewer
_PAGES = 1000
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_DOCKER_HUB_API = "registry-1.docker.io"


class RegistryClient:
    """Requests about one repository of a registry, over one connection.

    Args:
        name: the image; its tag and digest are not used.
        auth: credentials, or None.
        tls_verify: False accepts any certificate, and plain http where https does not answer. Plain http is accepted
            from this machine (127.0.0.1, localhost) in any case, as docker does.
        timeout: seconds without an answer, or without another piece of it, after which a request fails; None: no limit.
        certificates: those of this registry, beside the system's.

    Raises:
        PullFailed: a certificate or key cannot be read.
    """

    def __init__(
        self,
        name: Reference,
        *,
        auth: RegistryAuth | None,
        tls_verify: bool = True,
        timeout: float | None = 60.0,
        certificates: Certificates = Certificates(),  # noqa: B008 - it is frozen
    ) -> None:
        self._name = name
        self._auth = auth
        self._timeout = timeout
        host = _DOCKER_HUB_API if name.registry == DEFAULT_REGISTRY else name.registry
        local = host.rpartition(":")[0] or host
        plain_too = not tls_verify or local == "localhost" or local.startswith("127.") or local == "[::1]"
        self._bases = [f"https://{host}/v2", *([f"http://{host}/v2"] if plain_too else [])]
        self._session = requests.Session()
        self._verify = tls_verify
        if tls_verify and (certificates.authorities or certificates.client):
            try:
                self._session.mount("https://", _Trusting(certificates))  # a server for tokens included
            except (OSError, ValueError) as exc:  # an SSLError is an OSError
                raise PullFailed(f"{self._action}: the certificates in certs.d cannot be used: {exc}") from exc
        self._session.auth = _as_it_is  # else requests replaces our header by an entry of ~/.netrc
        self._session.headers["Accept-Encoding"] = "identity"
        self._authorization = ""

    # ---------------------------------------------------------------- what a registry has
    def manifest(self, reference: str, limit: int) -> tuple[bytes, str]:
        """Return the bytes of a manifest or index, and its digest, which is checked.

        Args:
            reference: a tag or a digest.
            limit: the size in bytes up to which it is accepted.

        Raises:
            ImageNotFound: the repository has no such tag or digest.
            AuthenticationFailed: the registry requires credentials, or rejected them.
            PullFailed: the registry does not answer, or refused; with its reason.
            InvalidImage: it is too large, or its bytes are not those of the digest.
        """
        with self._get(f"manifests/{reference}", {"Accept": ", ".join(MANIFEST_TYPES)}) as response:
            raw = self._document(response, f"manifest of {self._name.name}", limit)
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        stated = reference if ":" in reference else response.headers.get("Docker-Content-Digest", digest)
        if stated != digest:
            raise invalid(self._name.name, [f"the registry sent manifest {digest} for {stated}"])
        return raw, digest

    def document(self, digest: str, limit: int) -> bytes:
        """Return the bytes of a small blob, such as a config. They are not checked. Raises as `manifest` does."""
        with self._get(f"blobs/{digest}") as response:
            return self._document(response, f"blob {digest}", limit)

    def tags(self) -> tuple[str, ...]:
        """Return the tags of the repository, as the registry sorts them. Raises as `manifest` does."""
        found: list[str] = []
        path = f"tags/list?n={_PAGE}"
        for _ in range(_PAGES):
            with self._get(path) as response:
                page = _json(self._document(response, f"tags of {self._name.name}", 64 << 20)).get("tags")
            found += [tag for tag in page or () if isinstance(tag, str)]
            following = response.links.get("next", {}).get("url", "").partition("/tags/list")[2]
            if not following:
                break
            path = f"tags/list{following}"
        return tuple(dict.fromkeys(found))

    @contextlib.contextmanager
    def stream(self, digest: str) -> Iterator[Iterator[bytes]]:
        """Open a blob, and yield its bytes in chunks as they arrive. Raises as `manifest` does."""
        with self._get(f"blobs/{digest}") as response:
            yield self._chunks(response)

    # ---------------------------------------------------------------- requests
    @contextlib.contextmanager
    def _get(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[requests.Response]:
        """Send a request, with credentials if the registry asks for them. Yields a response of status 200."""
        response = self._send(path, headers)
        if response.status_code == 401:
            challenge = response.headers.get("WWW-Authenticate", "")
            response.close()
            self._authorization = self._answer(challenge)
            response = self._send(path, headers)
        with response:
            if response.status_code != 200:
                raise self._refusal(response)
            yield response

    def _send(self, path: str, headers: Mapping[str, str] | None) -> requests.Response:
        """Send a request over https, or over http where that is accepted and https does not answer."""
        own = {"Authorization": self._authorization} if self._authorization else {}
        while True:
            url = f"{self._bases[0]}/{self._name.repository}/{path}"
            try:
                response = self._request("GET", url, headers={**own, **(headers or {})}, stream=True)
                del self._bases[1:]
                return response
            except (requests.exceptions.SSLError, requests.exceptions.ConnectionError) as exc:
                if len(self._bases) == 1 or _UNTRUSTED in str(exc):
                    raise self._silence(exc) from exc
                del self._bases[0]
            except requests.RequestException as exc:
                raise self._silence(exc) from exc

    def _request(self, method: str, url: str, **more: Any) -> requests.Response:
        """Send one request. Certificates are what the caller wants, whatever REQUESTS_CA_BUNDLE says."""
        with warnings.catch_warnings():
            if not self._verify:  # as the caller wants it
                warnings.simplefilter("ignore", InsecureRequestWarning)
            return self._session.request(method, url, timeout=self._timeout, verify=self._verify, **more)

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_content(_CHUNK)
        except requests.RequestException as exc:
            raise self._silence(exc) from exc

    def _document(self, response: requests.Response, what: str, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        for chunk in self._chunks(response):
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                raise invalid(what, [f"the registry sends more than {limit} bytes"])
        return b"".join(parts)

    # ---------------------------------------------------------------- credentials
    def _answer(self, challenge: str) -> str:
        """Return the Authorization header that a registry asks for."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            if self._auth is None or not self._auth.username:
                raise AuthenticationFailed(
                    f"{self._action}: the registry requires credentials; log in with docker or podman, or pass auth=",
                    status=401,
                )
            pair = f"{self._auth.username}:{self._auth.password}"
            return f"Basic {base64.b64encode(pair.encode()).decode()}"
        if scheme.lower() != "bearer":
            raise AuthenticationFailed(f"{self._action}: the registry asks for {scheme or 'nothing'!r}", status=401)
        fields: Mapping[str, str] = parse_dict_header(rest)  # type: ignore[no-untyped-call]
        return f"Bearer {self._token(fields)}"

    def _token(self, challenge: Mapping[str, str]) -> str:
        """Return a token of the server that the registry names, for reading this repository."""
        realm = challenge.get("realm", "")
        if not realm.startswith("https://") and not (
            realm.startswith("http://") and self._bases[0].startswith("http:")
        ):
            raise AuthenticationFailed(f"{self._action}: the registry names no safe server for tokens: {realm!r}")
        fields = {key: challenge[key] for key in ("service", "scope") if challenge.get(key)}
        fields.setdefault("scope", f"repository:{self._name.repository}:pull")
        auth = self._auth
        try:
            if auth is not None and auth.identity_token:
                given = {
                    "grant_type": "refresh_token",
                    "refresh_token": auth.identity_token,
                    "client_id": "containerkit",
                }
                response = self._request("POST", realm, data={**fields, **given})
            else:
                login = (auth.username, auth.password) if auth is not None and auth.username else _as_it_is
                response = self._request("GET", realm, params=fields, auth=login)
        except requests.RequestException as exc:
            raise self._silence(exc) from exc
        if response.status_code != 200:
            raise self._refusal(response)
        answer = _json(response.content)
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise AuthenticationFailed(f"{self._action}: the server for tokens sent none")
        return token

    # ---------------------------------------------------------------- errors
    @property
    def _action(self) -> str:
        return f"reading {self._name.name} from its registry"

    def _silence(self, exc: Exception) -> PullFailed:
        if _UNTRUSTED in str(exc):
            text = "no certificate authority known here vouches for it; put the file of its own into certs.d"
            return PullFailed(f"{self._action}: {self._name.registry} or its server for tokens is not trusted: {text}")
        return PullFailed(f"{self._action}: no answer from {self._name.registry} ({_first_line(exc)})")

    def _refusal(self, response: requests.Response) -> ContainerKitError:
        """Return the exception for a refusal, with the registry's reason."""
        status, reason = response.status_code, ""
        with contextlib.suppress(requests.RequestException):
            reason = _reason(next(response.iter_content(64 << 10), b""))
        reason = reason or response.reason or ""
        text = f"{self._action}: {reason or f'status {status}'}"
        if status in (401, 403):
            given = "with these credentials" if self._auth else "without credentials"
            return AuthenticationFailed(f"{text} ({given})", status=status, explanation=reason)
        kind = ImageNotFound if status == 404 else PullFailed
        return kind(text, status=status, explanation=reason)


class _Trusting(HTTPAdapter):
    """Connections that trust certificate authorities of certs.d beside the system's, and show a client certificate."""

    def __init__(self, certificates: Certificates) -> None:
        self._context = ssl.create_default_context()
        for file in certificates.authorities:
            self._context.load_verify_locations(file)
        if certificates.client is not None:
            self._context.load_cert_chain(*certificates.client)
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """Make the pool with that context."""
        super().init_poolmanager(*args, **{**more, "ssl_context": self._context})


@dataclass(frozen=True, slots=True)
class RemoteBlob:
    """A blob of a registry, downloaded each time it is opened. A blob read to its end is checked against its digest."""

    client: RegistryClient
    digest: str
    size: int

    @contextlib.contextmanager
    def open(self) -> Iterator[StreamSource]:
        """Open the blob. Raises ValueError at its end if the bytes are not those of the digest."""
        with self.client.stream(self.digest) as chunks:
            yield StreamSource(self._checked(chunks))

    def read(self) -> bytes:
        """Return all of its bytes."""
        with self.open() as source:
            return b"".join(source.chunks())

    def _checked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        hasher, count = hashlib.sha256(), 0
        for chunk in chunks:
            hasher.update(chunk)
            count += len(chunk)
            if count > self.size:
                raise ValueError(f"the registry sends more than the {self.size} bytes of {self.digest}")
            yield chunk
        found = "sha256:" + hasher.hexdigest()
        if found != self.digest:
            raise ValueError(f"the registry sent {count} bytes of digest {found} for {self.digest}")


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _json(raw: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _reason(raw: bytes) -> str:
    """Return the message in a registry's answer, or in one of a server for tokens."""
    document = _json(raw)
    errors = document.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else document
    message = first.get("message") or first.get("details") or first.get("error") or first.get("code") or ""
    return str(message)[:500]


def _first_line(exc: Exception) -> str:
    return (split_lines(str(exc)) or [type(exc).__name__])[0][:300]
