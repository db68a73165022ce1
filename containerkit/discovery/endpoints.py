"""Endpoint, an address where an engine may answer; EngineUrl, a parsed address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

from ..backends.tls import TLS
from ..errors import InvalidOption
from ..values import Shown

__all__ = ["EMBEDDED", "TLS", "Endpoint", "EngineUrl", "Kind", "Unreachable", "named_endpoint", "parse_url"]

Kind = Literal["docker", "podman"]

EMBEDDED = "embedded"  # scheme of a `podman system service` that we start: embedded:///usr/bin/podman
_EXPECTED = "unix:///path, tcp://host:port, http(s)://host:port or ssh://[user@]host[:port][/path]"

# ssh(1) puts these into a command line of its own (ProxyCommand %h, %r), so shell characters are not allowed.
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@\\+-]*")
_HOST_PORT = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])?:[0-9]+")


class Unreachable(Exception):
    """No engine answers at an address; the message is a reason that fits one line of a list."""


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint(Shown):
    """An address where an engine may answer.

    Attributes:
        url: the address; "" if a broken configuration gives none.
        source: what names the address: "DOCKER_HOST", "docker context 'lab'", "well-known socket", …
        kind: "docker" or "podman", as the server reports; None if no engine answered.
        rootless: True if the engine runs without root; None if unknown.
        reachable: True if an engine answered; for the embedded Podman, True if it can be started.
        reason: why the endpoint is not reachable; "" if it is.
        note: a remark on a reachable endpoint, such as an unexpected kind.
        version: the engine's version.
        tls: certificates for tcp:// and https://.
        identity: the path of an ssh key.
    """

    url: str
    source: str
    kind: Kind | None = None
    rootless: bool | None = None
    reachable: bool = False
    reason: str = ""
    tls: TLS | None = None
    identity: str | None = None
    version: str = ""
    note: str = ""

    def __repr__(self) -> str:
        if not self.reachable:
            return f"<Endpoint {self.url or '?'} ({self.source}): {self.reason or 'not probed'}>"
        mode = {True: " rootless", False: " rootful", None: ""}[self.rootless]
        return f"<Endpoint {self.url} ({self.source}): {self.kind} {self.version}{mode}>"

    @property
    def label(self) -> str:
        """The URL and its source, for messages."""
        return f"{self.url} ({self.source})" if self.url else self.source

    def to_dict(self) -> dict[str, Any]:
        """Return the endpoint as JSON-ready values with stable keys."""
        return {
            "url": self.url,
            "source": self.source,
            "kind": self.kind,
            "version": self.version,
            "rootless": self.rootless,
            "reachable": self.reachable,
            "reason": self.reason,
            "note": self.note,
            "tls": self.tls.to_dict() if self.tls else None,
            "identity": self.identity,
        }


@dataclass(frozen=True, slots=True)
class EngineUrl:
    """A parsed address. `path` is a socket (unix, ssh), a program (embedded) or a URL prefix (tcp, http)."""

    scheme: str
    host: str = ""
    port: int | None = None
    user: str = ""
    path: str = ""

    @property
    def url(self) -> str:
        """The address as text; parse_url() of it returns the same value."""
        if self.scheme in ("unix", EMBEDDED):
            return f"{self.scheme}://{self.path}"
        user = f"{quote(self.user)}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        path = quote(self.path) if self.scheme == "ssh" else self.path
        return f"{self.scheme}://{user}{self._bracketed}{port}{path}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def is_local(self) -> bool:
        """True for a host name or address of this machine's loopback interface."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def tcp(self, *, tls: bool) -> str:
        """Return the address as tcp://host:port; Docker's default port is 2375, with TLS 2376."""
        return f"tcp://{self._bracketed}:{self.port or (2376 if tls else 2375)}{self.path.rstrip('/')}"


def parse_url(text: str, *, name: str = "target") -> EngineUrl:
    """Parse a URL, the bare path of a socket, or host:port, which means tcp.

    Args:
        text: the address.
        name: the option or variable that holds it, for the error.

    Raises:
        InvalidOption: no engine can have this address.
    """
    if not text or text != text.strip() or any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise InvalidOption(name, text, _EXPECTED)
    if text.startswith("/"):
        text = f"unix://{text}"
    elif _HOST_PORT.fullmatch(text):
        text = f"tcp://{text}"
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator:
        raise InvalidOption(name, text, _EXPECTED)
    if scheme in ("unix", EMBEDDED):
        # docker-py's own default, "unix://var/run/docker.sock", means an absolute path.
        if not rest.strip("/"):
            raise InvalidOption(name, text, f"a path after {scheme}://")
        return EngineUrl(scheme, path="/" + rest.lstrip("/"))
    if scheme not in ("tcp", "http", "https", "ssh"):
        raise InvalidOption(name, text, _EXPECTED)
    return _parse_network_url(text, scheme, name)


def _parse_network_url(text: str, scheme: str, name: str) -> EngineUrl:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as exc:
        raise InvalidOption(name, text, f"{_EXPECTED} ({exc})") from exc
    if scheme == "tcp" and not host and port:
        host = "localhost"  # as the docker command line reads tcp://:2375
    if not _HOST.fullmatch(host):
        raise InvalidOption(name, text, f"{_EXPECTED}, with a host name")
    if parts.query or parts.fragment:
        raise InvalidOption(name, text, f"{_EXPECTED}, without ? and #")
    user = unquote(parts.username or "")
    if parts.password is not None:
        raise InvalidOption(name, f"{scheme}://{user}:…@{host}", "no password: an ssh key, or TLS certificates")
    if user and (scheme != "ssh" or not _USER.fullmatch(user)):
        raise InvalidOption(name, text, _EXPECTED)
    path = unquote(parts.path) if scheme == "ssh" else parts.path
    if path == "/":
        path = ""
    if scheme == "ssh" and re.search(r"[\s:\x00-\x1f]", path):  # ssh -L splits its argument at colons
        raise InvalidOption(name, text, "the path of a socket without blanks and colons")
    return EngineUrl(scheme, host=host, port=port, user=user, path=path)


def named_endpoint(url: str, source: str, file: Path, *, tls: TLS | None = None, identity: str = "") -> Endpoint:
    """Return the endpoint of a docker context or podman connection; an invalid address becomes a reason."""
    if not url:
        return Endpoint("", source, reason=f"{file} gives no address for it")
    try:
        address = parse_url(url, name=source)
    except InvalidOption as exc:
        return Endpoint("" if "@" in url else url, source, reason=f"{exc} (in {file})")
    secure = tls if address.scheme in ("tcp", "https") else None
    if address.scheme == "https" and secure is None:
        secure = TLS()
    return Endpoint(address.url, source, tls=secure, identity=identity or None)
