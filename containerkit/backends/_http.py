"""Send requests to an engine: retries, refusals, and strict reading of the response."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote, urlencode

from ..errors import ContainerKitError, EngineError, EngineUnavailable, Unsupported
from ..spec import RegistryAuth
from ..streams import Attachment, ByteStream, Deadline
from . import _json
from ._retry import is_transient, retry_transient
from .base import REQUEST_LABEL, Backend, Capability, EngineInfo, Raw
from .tls import TLS
from .transport import Request, Response, StreamResponse, Transport, UpgradeResponse

__all__ = ["REQUEST_LABEL", "HttpBackend", "path", "recast", "short"]

log = logging.getLogger("containerkit")

T = TypeVar("T")
_E = TypeVar("_E", bound=EngineError)
_WHOLE_ID = re.compile(r"[0-9a-f]{64}")
_JSON = {"Content-Type": "application/json"}
_NOT_MODIFIED = 304
#: A tar archive ends with this many zero bytes.
_TAR_END = 1024


def path(template: str, *parts: str) -> str:
    """Return the path with each part quoted, except for the slash and colon of image names."""
    return template.format(*(quote(part, safe="/:@") for part in parts))


def short(ref: str) -> str:
    """Return what messages call a container or image: its name, or 12 digits of its ID."""
    return ref[:12] if _WHOLE_ID.fullmatch(ref) else ref


def recast(exc: EngineError, kind: type[_E], message: str) -> _E:
    """Return the same refusal as a more exact error. Raise it from None: it holds all of the first."""
    return kind(message, status=exc.status, explanation=exc.explanation)


def _refusal(response: Response, doing: str) -> EngineError:
    """Return a response of status 300 or above as an EngineError with the engine's own explanation."""
    words = ""
    try:
        body = _json.decode(response.body)
    except ValueError:
        body = None
    if isinstance(body, Mapping):
        message = body.get("message") or body.get("cause")
        words = message.strip() if isinstance(message, str) else ""
    words = words or response.body[:2000].decode("utf-8", "replace").strip()
    words = words or f"status {response.status} without an explanation"
    return EngineError(f"{doing}: {words}", status=response.status, explanation=words)


class HttpBackend(Backend):
    """A backend that sends HTTP requests through a Transport.

    Args:
        url: the address of the engine as users write it.
        timeout: seconds of silence after which a request fails; see `_request` for requests that may take longer.
        address: where the client connects, if that is another place (the near end of a tunnel, a private socket).
        tls: certificates for a tcp address.
        version: the response to GET /version, if it is known already.
        on_close: called once when the backend is closed.
        transport: sends the requests; default: the vendor client's.

    Raises:
        EngineUnavailable, EngineTimeout: no engine answers.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        address: str | None = None,
        tls: TLS | None = None,
        version: Raw | None = None,
        on_close: Callable[[], None] | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.url = url
        self._timeout = timeout
        self._transport = transport or self._open_transport(url, address or url, timeout, tls)
        self._on_close = on_close
        self._logins: dict[str, RegistryAuth] = {}
        self._first = self._read_info(version or self._get_version())
        self.capabilities = self._read_capabilities(self._first)

    @staticmethod
    @abstractmethod
    def _open_transport(url: str, address: str, timeout: float, tls: TLS | None) -> Transport:
        """Return a transport over the vendor's client."""

    @abstractmethod
    def _read_info(self, version: Raw) -> EngineInfo:
        """Request the engine's state; `version` is the response to GET /version."""

    @abstractmethod
    def _read_capabilities(self, info: EngineInfo) -> frozenset[Capability]:
        """Return the capabilities that follow from the engine's info."""

    def _get_version(self) -> Raw:
        return self._object("GET", "/version", "requesting the version")

    def info(self) -> EngineInfo:
        return self._read_info(self._get_version())

    def first_info(self) -> EngineInfo:
        return self._first

    def close(self) -> None:
        self._transport.close()
        done, self._on_close = self._on_close, None
        if done:
            done()

    @abstractmethod
    def _prefix(self, path: str, *, native: bool) -> str:
        """Return the API version to put before a path; `native` is the engine's own API where it has two."""

    # ---------------------------------------------------------------- sending
    def _request(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        native: bool = False,
        silence: float | None = None,
        body_silence: float | None = None,
        slow: bool = False,
        quiet: bool = False,
    ) -> Request:
        """Return a request.

        Args:
            params: the query; None values are left out.
            body: sent as JSON. data: sent as it is, bytes or an iterator.
            native: use the engine's own API where it has two.
            silence, body_silence: seconds of silence before and after the response header, after which the request
                fails; default: the backend's timeout.
            slow: the engine may take longer to answer, as long as it answers a ping meanwhile.
            quiet: the body may pause for longer, as long as the engine answers a ping meanwhile.
        """
        sent = dict(headers or {})
        if body is not None:
            data = json.dumps(body).encode()
            sent |= _JSON
        query = {key: _plain(value) for key, value in (params or {}).items() if value is not None}
        target = self._prefix(path, native=native) + path + (f"?{urlencode(query, doseq=True)}" if query else "")
        return Request(
            method,
            target,
            doing,
            sent,
            data,
            silence=self._timeout if silence is None else silence,
            body_silence=self._timeout if body_silence is None else body_silence,
            slow_answer=slow,
            quiet_body=quiet,
        )

    def _send(self, request: Request, deliver: Callable[[Request, Deadline], T]) -> T:
        """Send a request by one of the transport's methods; repeat it if that is safe and the connection failed."""
        deadline = Deadline.current()
        if request.method == "DELETE":  # a cancelled call still removes what it began to remove
            deadline = deadline.cancelled_by(None)
        if isinstance(request.body, Iterator):
            return _deliver_generated(request, deadline, deliver)
        if request.method in ("GET", "HEAD"):
            return retry_transient(lambda: deliver(request, deadline))
        return deliver(request, deadline)

    def _call(self, method: str, path: str, doing: str, *, accept: tuple[int, ...] = (), **how: Any) -> Response:
        """Send a request and return the response.

        Args:
            accept: statuses of failures that are returned rather than raised.

        Raises:
            EngineError: the status reports a failure.
        """
        response = self._send(self._request(method, path, doing, **how), self._transport.send)
        log.debug("%s %s: %s", method, path, response.status)
        if response.status >= 300 and response.status != _NOT_MODIFIED and response.status not in accept:
            raise _refusal(response, doing)
        return response

    def _made(self, send: Callable[[], T], look: Callable[[], T | None]) -> T:
        """Send a create. If the connection fails, `look` for what it may have made before it is sent once more.

        A cancelled call completes it first: what it makes is known then, and can be removed.
        """
        with Deadline.current().cancelled_by(None):
            try:
                return send()
            except EngineUnavailable as exc:
                if not is_transient(exc):
                    raise
                log.debug("looking for what a lost request may have created: %s", exc)
            found = look()
            return send() if found is None else found

    # ---------------------------------------------------------------- reading
    def _invalid(self, doing: str, why: object) -> EngineUnavailable:
        return EngineUnavailable(f"{doing}: invalid response from {self.url}: {why}")

    def _read(self, doing: str, parse: Callable[[Any], T], value: Any) -> T:
        """Parse a value of a response. Raise EngineUnavailable if it is not what the engine's API defines."""
        try:
            return parse(value)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as exc:
            raise self._invalid(doing, exc) from exc

    def _json(self, method: str, path: str, doing: str, **how: Any) -> Any:
        """Send a request and return the JSON value of its response, which must have one."""
        response = self._call(method, path, doing, **how)
        if not response.body:
            raise self._invalid(doing, f"status {response.status} without a body")
        return self._read(doing, _json.decode, response.body)

    def _object(self, method: str, path: str, doing: str, **how: Any) -> dict[str, Any]:
        """Send a request and return the JSON object of its response."""
        return self._read(doing, _json.object_, self._json(method, path, doing, **how))

    def _rows(self, method: str, path: str, doing: str, **how: Any) -> list[dict[str, Any]]:
        """Send a request and return the JSON objects of the list in its response."""
        return self._read(doing, _json.objects, self._json(method, path, doing, **how))

    def _open(self, method: str, path: str, doing: str, **how: Any) -> StreamResponse:
        """Send a request and return its response, whose status is 200, before the body has been read."""
        response = self._send(self._request(method, path, doing, **how), self._transport.stream)
        log.debug("%s %s: %s", method, path, response.status)
        if response.status == 200:
            return response
        whole = Response(response.status, response.headers, b"".join(response.chunks))
        if response.status >= 300:
            raise _refusal(whole, doing)
        raise self._invalid(doing, f"status {response.status} without a body")

    def _tar(self, response: StreamResponse, doing: str) -> ByteStream:
        """Return the body of a response as a tar stream that raises EngineUnavailable if its end is missing."""

        def read() -> Iterator[bytes]:
            last = b""
            for chunk in response.chunks:
                last = (chunk if len(chunk) >= _TAR_END else last + chunk)[-_TAR_END:]
                yield chunk
            if last != bytes(_TAR_END):
                raise self._invalid(doing, "the archive ends early")

        return ByteStream(read(), on_close=response.close)

    def _upgrade(self, path: str, doing: str, *, framed: bool, **how: Any) -> Attachment:
        """Send a POST that turns the connection into the standard streams of a process."""
        request = self._request("POST", path, doing, **how)
        response = self._send(request, self._transport.upgrade)
        if isinstance(response, UpgradeResponse):
            return Attachment(response.sock, response.early, framed=framed, on_close=response.close)
        raise _refusal(response, doing)

    def _unsupported(self, capability: Capability, what: str) -> NoReturn:
        raise Unsupported(f"{what}: unsupported by this {self.kind} engine at {self.url}", capability=capability.value)


def _deliver_generated(request: Request, deadline: Deadline, deliver: Callable[[Request, Deadline], T]) -> T:
    """Send a body that is generated meanwhile. An error of its generator is raised as it is: it is the caller's."""
    failed: list[Exception] = []

    def watched(pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from pieces
        except Exception as exc:
            failed.append(exc)
            raise

    assert isinstance(request.body, Iterator)
    sent = dataclasses.replace(request, body=watched(request.body))
    try:
        return deliver(sent, deadline)
    except ContainerKitError:
        if failed:
            raise failed[0] from None
        raise


def _plain(value: Any) -> Any:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value
