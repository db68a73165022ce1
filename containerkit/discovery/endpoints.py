"""An endpoint: an address where an engine may answer, and what is known of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

from ..backends.tls import TLS
from ..errors import InvalidOption

__all__ = ["TLS", "Address", "Endpoint", "Unreachable", "parse_url"]

Kind = Literal["docker", "podman"]

EXPECTED = "unix:///path, tcp://host:port, http(s)://host:port or ssh://[user@]host[:port][/path]"
EMBEDDED = "embedded"  # the scheme of our own `podman system service`: embedded:///usr/bin/podman

# ssh(1) puts these into a command line of its own (ProxyCommand %h, %r): nothing that a shell would read.
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@\\+-]*")


class Unreachable(Exception):
    """No engine answers at an address; the message says why, for one line of a list."""


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """An address where an engine may answer.

    Attributes:
        url: the address; "" where a broken configuration gives none.
        source: who named it, in words: "DOCKER_HOST", "docker context 'lab'", "well-known socket", …
        kind: what answers there, by its own word; None when nothing did.
        rootless: whether the engine runs without root; None when not known.
        reachable: whether an engine answered. For the embedded Podman: whether it could be started.
        reason: why not; "" when reachable.
        note: what a reader should know of an endpoint that works ("asked for as Docker, …").
        version: of the engine.
        tls: for tcp:// and https://.  identity: the path of an ssh key.
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
            return f"<Endpoint {self.url or '?'} ({self.source}): {self.reason or 'not asked'}>"
        mode = {True: " rootless", False: " rootful", None: ""}[self.rootless]
        return f"<Endpoint {self.url} ({self.source}): {self.kind} {self.version}{mode}>"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with stable keys."""
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
class Address:
    """A URL taken apart. path: of the socket (unix, ssh), of the program (embedded), or a prefix (tcp, http)."""

    scheme: str
    host: str = ""
    port: int | None = None
    user: str = ""
    path: str = ""

    @property
    def url(self) -> str:
        if self.scheme in ("unix", EMBEDDED):
            return f"{self.scheme}://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{quote(self.user)}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        path = quote(self.path) if self.scheme == "ssh" else self.path
        return f"{self.scheme}://{user}{host}{port}{path}"

    def tcp(self, *, tls: bool) -> str:
        """A tcp or http address with its port, which by Docker's custom is 2375, and 2376 with TLS."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port or (2376 if tls else 2375)}{self.path.rstrip('/')}"


def parse_url(text: str, *, name: str = "target") -> Address:
    """Take a URL, or the bare path of a socket, apart.

    Raises InvalidOption, naming `name`, for what no engine could have as an address.
    """
    if not text or text != text.strip() or any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise InvalidOption(name, text, EXPECTED)
    if text.startswith("/"):
        text = f"unix://{text}"
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator:
        raise InvalidOption(name, text, EXPECTED)
    if scheme in ("unix", EMBEDDED):
        # The path as it stands. Docker-py's own default, "unix://var/run/docker.sock", means an absolute one.
        if not rest.strip("/"):
            raise InvalidOption(name, text, f"a path after {scheme}://")
        return Address(scheme, path="/" + rest.lstrip("/"))
    if scheme not in ("tcp", "http", "https", "ssh"):
        raise InvalidOption(name, text, EXPECTED)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as exc:
        raise InvalidOption(name, text, f"{EXPECTED} ({exc})") from exc
    if not _HOST.fullmatch(host):
        raise InvalidOption(name, text, f"{EXPECTED}, with a host name")
    if parts.query or parts.fragment:
        raise InvalidOption(name, text, f"{EXPECTED}, without ? and #")
    user = unquote(parts.username or "")
    if parts.password is not None:
        raise InvalidOption(name, f"{scheme}://{user}:…@{host}", "no password: an ssh key, or TLS certificates")
    if user and (scheme != "ssh" or not _USER.fullmatch(user)):
        raise InvalidOption(name, text, EXPECTED)
    path = unquote(parts.path) if scheme == "ssh" else parts.path
    if path == "/":
        path = ""
    if scheme == "ssh" and re.search(r"[\s:\x00-\x1f]", path):  # ssh -L parts its argument at colons
        raise InvalidOption(name, text, "the path of a socket without blanks and colons")
    return Address(scheme, host=host, port=port, user=user, path=path)
