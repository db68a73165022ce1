"""Ask an address which engine it is, with the standard library's HTTP client: no vendor is imported yet."""

from __future__ import annotations

import errno
import io
import json
import os
import socket
import ssl
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

from ..errors import InvalidOption
from .endpoints import TLS, EngineUrl, Kind, Unreachable, parse_url

_MAX_BODY = 4 << 20  # bytes; Podman's /libpod/info is about 4 KiB


@dataclass(frozen=True, slots=True)
class Identity:
    """The engine that answered, from its response to GET /version. `raw` is the whole response."""

    kind: Kind
    version: str
    api_version: str
    raw: Mapping[str, Any]


def probe(url: str, tls: TLS | None = None, *, timeout: float) -> Identity:
    """Return which engine answers at a unix, tcp or http address within `timeout` seconds. Raises Unreachable."""
    return _identify(_get(parse_url(url), tls, "/version", timeout))


def probe_rootless(url: str, kind: Kind, tls: TLS | None = None, *, timeout: float) -> bool | None:
    """Return True if the engine runs without root, None if it does not report it."""
    try:
        if kind == "podman":
            info = _get(parse_url(url), tls, "/v4.0.0/libpod/info", timeout)
            value = info["host"]["security"]["rootless"]
            return value if isinstance(value, bool) else None
        options = _get(parse_url(url), tls, "/info", timeout)["SecurityOptions"]
        return "name=rootless" in options  # the whole element: "name=userns" means something else
    except (Unreachable, KeyError, TypeError):
        return None


def _identify(raw: dict[str, Any]) -> Identity:
    components = raw.get("Components") or []
    names = [c.get("Name") for c in components if isinstance(c, dict)] if isinstance(components, list) else []
    version, api_version = str(raw.get("Version", "")), str(raw.get("ApiVersion", ""))
    if "Podman Engine" in names:
        return Identity("podman", version, api_version, raw)
    if api_version and ("Engine" in names or not names):  # Docker before 17.06 lists no components
        return Identity("docker", version, api_version, raw)
    what = ", ".join(str(n) for n in names) or "no component"
    raise Unreachable(f"something answers that is neither Docker nor Podman ({what})")


def _unix_socket(path: str, timeout: float) -> socket.socket:
    try:
        mode = os.stat(path)
    except OSError as exc:
        raise Unreachable(_socket_reason(exc, path)) from exc
    if not stat.S_ISSOCK(mode.st_mode):
        raise Unreachable("the file is not a socket")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(path)
    except (OSError, ValueError) as exc:
        sock.close()
        raise Unreachable(_socket_reason(exc, path)) from exc
    return sock


def _tcp_socket(address: EngineUrl, tls: TLS | None, timeout: float) -> socket.socket:
    context = _ssl_context(tls) if tls else None
    place = urlsplit(address.tcp(tls=tls is not None))
    try:
        sock = socket.create_connection((place.hostname, place.port), timeout)
    except TimeoutError as exc:
        raise Unreachable(f"no connection within {timeout:g} s") from exc
    except (OSError, ValueError) as exc:
        raise Unreachable(_message(exc)) from exc
    if context is None:
        return sock
    try:
        return context.wrap_socket(sock, server_hostname=place.hostname)
    except TimeoutError as exc:
        sock.close()
        raise Unreachable(_no_response(timeout)) from exc
    except ssl.SSLError as exc:
        sock.close()
        raise Unreachable(_tls_reason(exc, tls)) from exc
    except (OSError, ValueError) as exc:
        sock.close()
        raise Unreachable(_message(exc)) from exc


def _ssl_context(tls: TLS) -> ssl.SSLContext:
    _check_files(tls)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if tls.verify:
            context.load_verify_locations(tls.ca or _default_authorities())
        if tls.cert and tls.key:
            if b"ENCRYPTED" in Path(tls.key).read_bytes():
                raise Unreachable(
                    f"TLS: the key is encrypted, and containerkit does not prompt for its passphrase ({tls.key})"
                )
            context.load_cert_chain(tls.cert, tls.key, password="")  # without it, OpenSSL prompts on the terminal
    except (ssl.SSLError, OSError) as exc:
        files = ", ".join(path for path in (tls.cert, tls.key, tls.ca) if path)
        raise Unreachable(f"TLS: the files are not a certificate and its key: {_message(exc)} ({files})") from exc
    return context


def _socket_reason(exc: Exception, path: str) -> str:
    code = exc.errno if isinstance(exc, OSError) else None
    if code in (errno.ENOENT, errno.ENOTDIR):
        return "no such socket"
    if code == errno.ECONNREFUSED:
        return "stale socket: the file exists, and no process listens on it"
    if code in (errno.EACCES, errno.EPERM):
        return _permission_denied(path)
    if code == errno.ENAMETOOLONG or "too long" in str(exc):
        return "the path is longer than the 107 bytes of a unix socket"
    if isinstance(exc, TimeoutError) or code == errno.EAGAIN:
        return "the socket does not accept connections: the service hangs or is too busy"
    return str(exc)


def _permission_denied(path: str) -> str:
    text = f"permission denied: uid {os.geteuid()} may not write to it"
    try:
        import grp
        import pwd

        mode = os.stat(path)
        try:
            owner = pwd.getpwuid(mode.st_uid).pw_name
        except KeyError:
            owner = str(mode.st_uid)
        try:
            group = grp.getgrgid(mode.st_gid).gr_name
        except KeyError:
            group = str(mode.st_gid)
    except (ImportError, OSError):  # a parent folder is not accessible
        return text
    text += f" (it is {owner}:{group}, mode {stat.S_IMODE(mode.st_mode):04o})"
    if mode.st_uid == 0 and mode.st_mode & stat.S_IWGRP and group != "root":
        text += (
            f"; members of the group {group!r} can become root on this machine; a rootless engine needs no such group"
        )
    return text


def _default_authorities() -> str:
    """Return the bundle that the backends use: the one of requests."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return DEFAULT_CA_BUNDLE_PATH


def _check_files(tls: TLS) -> None:
    for what, path in (("ca", tls.ca), ("cert", tls.cert), ("key", tls.key)):
        if path is not None and not os.path.isfile(path):
            raise Unreachable(f"TLS is configured, and its {what} file is missing: {path}")
    if (tls.cert is None) != (tls.key is None):
        raise Unreachable("TLS is configured with a certificate or a key alone: it takes both, or neither")


class _DeadlineSocket(io.RawIOBase):
    """A socket for http.client whose reads share one deadline, so that a slow drip of bytes ends as well."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._sock.settimeout(remaining)
        return self._sock.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data)

    def close(self) -> None:
        """Leave the socket open: http.client closes it before it reads the body."""


def _get(address: EngineUrl, tls: TLS | None, path: str, timeout: float) -> dict[str, Any]:
    if address.scheme not in ("unix", "tcp", "http", "https"):
        raise InvalidOption("url", address.url, "unix, tcp or http(s)")
    deadline = time.monotonic() + timeout
    unix = address.scheme == "unix"
    place = urlsplit("tcp://localhost:80" if unix else address.tcp(tls=tls is not None))
    connection = HTTPConnection(place.hostname or "", place.port)
    sock = _unix_socket(address.path, timeout) if unix else _tcp_socket(address, tls, timeout)
    connection.sock = cast("socket.socket", _DeadlineSocket(sock, deadline))  # it has what http.client uses
    try:
        prefix = "" if unix else quote(address.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
        connection.request("GET", prefix + path, headers={"Connection": "close"})
        with connection.getresponse() as response:
            body = response.read(_MAX_BODY + 1)
            if len(body) > _MAX_BODY:
                raise Unreachable(f"the response is longer than {_MAX_BODY >> 20} MiB, so the server is no engine")
            if response.length:
                raise Unreachable(f"the connection was closed {response.length} bytes before the end of the response")
        answer = json.loads(body) if response.status == 200 else None
    except TimeoutError as exc:
        raise Unreachable(_no_response(timeout)) from exc
    except ssl.SSLError as exc:
        raise Unreachable(_tls_reason(exc, tls)) from exc
    except (HTTPException, OSError) as exc:
        raise Unreachable(_message(exc)) from exc
    except (ValueError, RecursionError) as exc:  # invalid JSON, or JSON that no engine sends
        raise Unreachable("something answers that is not an engine's API (no JSON)") from exc
    finally:
        sock.close()
    if not isinstance(answer, dict):
        raise Unreachable(f"something answers that is not an engine's API (HTTP {response.status} to GET {path})")
    return answer


def _tls_reason(exc: ssl.SSLError, tls: TLS | None) -> str:
    """Return what failed in the TLS handshake, and which setting to check."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        against = (tls and tls.ca) or "the default authorities"
        return f"TLS: the engine's certificate is not accepted: {exc.verify_message} (verified against {against})"
    if exc.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return "TLS is configured, and the server does not speak it (unset DOCKER_TLS_VERIFY; tcp:, not https:)"
    sent = f"sent: {tls.cert}" if tls and tls.cert else "none was sent (DOCKER_CERT_PATH: cert.pem and key.pem)"
    return f"TLS: the engine closed the connection; it may require a client certificate, {sent}: {_message(exc)}"


def _no_response(timeout: float) -> str:
    return f"it accepts the connection and sends no complete response within {timeout:g} s"


def _message(exc: Exception) -> str:
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc) or type(exc).__name__
