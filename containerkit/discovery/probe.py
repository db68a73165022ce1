"""One question to an address: which engine are you? In plain HTTP, so that no vendor is imported before it is known."""

from __future__ import annotations

import errno
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
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import InvalidOption
from .endpoints import TLS, Address, Kind, Unreachable, parse_url

__all__ = ["Answer", "ask", "ask_rootless"]

_MAX_ANSWER = 4 << 20  # bytes; Podman's /libpod/info is about 4 KiB


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine says of itself in /version."""

    kind: Kind
    version: str
    api_version: str
    raw: Mapping[str, Any]


def ask(url: str, tls: TLS | None = None, *, timeout: float) -> Answer:
    """Which engine answers at a unix, tcp or http address, within `timeout` seconds. Raises Unreachable."""
    return _identify(_get(parse_url(url), tls, "/version", timeout))


def ask_rootless(url: str, kind: Kind, tls: TLS | None = None, *, timeout: float) -> bool | None:
    """Whether the engine runs without root; None when it does not say."""
    try:
        if kind == "podman":
            info = _get(parse_url(url), tls, "/v4.0.0/libpod/info", timeout)
            value = info["host"]["security"]["rootless"]
            return value if isinstance(value, bool) else None
        options = _get(parse_url(url), tls, "/info", timeout)["SecurityOptions"]
        return "name=rootless" in options  # the exact element: "name=userns" is another thing
    except (Unreachable, KeyError, TypeError):
        return None


def _identify(said: dict[str, Any]) -> Answer:
    components = said.get("Components") or []
    names = [c.get("Name") for c in components if isinstance(c, dict)] if isinstance(components, list) else []
    version, api_version = str(said.get("Version", "")), str(said.get("ApiVersion", ""))
    if "Podman Engine" in names:
        return Answer("podman", version, api_version, said)
    if api_version and ("Engine" in names or not names):  # Docker before 17.06 names no components
        return Answer("docker", version, api_version, said)
    what = ", ".join(str(n) for n in names) or "no component"
    raise Unreachable(f"something answers that is neither Docker nor Podman ({what})")


def _unix_socket(path: str, timeout: float) -> socket.socket:
    try:
        mode = os.stat(path)
    except OSError as exc:
        raise Unreachable(_why(exc, path)) from exc
    if not stat.S_ISSOCK(mode.st_mode):
        raise Unreachable("a file is there that is not a socket")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(path)
    except (OSError, ValueError) as exc:
        sock.close()
        raise Unreachable(_why(exc, path)) from exc
    return sock


def _tcp_socket(address: Address, tls: TLS | None, timeout: float) -> socket.socket:
    context = _context(tls) if tls else None
    place = urlsplit(address.tcp(tls=tls is not None))
    try:
        sock = socket.create_connection((place.hostname, place.port), timeout)
    except TimeoutError as exc:
        raise Unreachable(f"no connection within {timeout:g} s") from exc
    except (OSError, ValueError) as exc:
        raise Unreachable(_words(exc)) from exc
    if context is None:
        return sock
    try:
        return context.wrap_socket(sock, server_hostname=place.hostname)
    except TimeoutError as exc:
        sock.close()
        raise Unreachable(_silent(timeout)) from exc
    except ssl.SSLError as exc:
        sock.close()
        raise Unreachable(_tls_failed(exc, tls)) from exc
    except (OSError, ValueError) as exc:
        sock.close()
        raise Unreachable(_words(exc)) from exc


def _context(tls: TLS) -> ssl.SSLContext:
    _check_files(tls)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if tls.verify:
            context.load_verify_locations(tls.ca or _usual_authorities())
        if tls.cert and tls.key:
            if b"ENCRYPTED" in Path(tls.key).read_bytes():
                raise Unreachable(f"TLS: the key is encrypted, and nobody is asked for its passphrase ({tls.key})")
            context.load_cert_chain(tls.cert, tls.key, password="")  # without one, OpenSSL would ask the terminal
    except (ssl.SSLError, OSError) as exc:
        files = ", ".join(path for path in (tls.cert, tls.key, tls.ca) if path)
        raise Unreachable(f"TLS: the files do not hold a certificate and its key: {_words(exc)} ({files})") from exc
    return context


def _why(exc: Exception, path: str) -> str:
    code = exc.errno if isinstance(exc, OSError) else None
    if code in (errno.ENOENT, errno.ENOTDIR):
        return "no such socket"
    if code == errno.ECONNREFUSED:
        return "stale socket: the file is there, and nobody listens on it any more"
    if code in (errno.EACCES, errno.EPERM):
        return _denied(path)
    if code == errno.ENAMETOOLONG or "too long" in str(exc):
        return "the path is longer than the 107 bytes a unix socket can have"
    if isinstance(exc, TimeoutError) or code == errno.EAGAIN:
        return "it does not accept connections: the service hangs, or is too busy"
    return str(exc)


def _denied(path: str) -> str:
    said = f"permission denied: uid {os.geteuid()} may not write to it"
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
    except (ImportError, OSError):  # a folder above it is closed to us
        return said
    said += f" (it is {owner}:{group}, mode {stat.S_IMODE(mode.st_mode):04o})"
    if mode.st_uid == 0 and mode.st_mode & stat.S_IWGRP and group != "root":
        said += (
            f"; to join the group {group!r} means becoming root on this machine, for everything its members run; "
            "a rootless engine needs no such right"
        )
    return said


def _usual_authorities() -> str:
    """Those of the backends: requests' own."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return DEFAULT_CA_BUNDLE_PATH


def _check_files(tls: TLS) -> None:
    for what, path in (("ca", tls.ca), ("cert", tls.cert), ("key", tls.key)):
        if path is not None and not os.path.isfile(path):
            raise Unreachable(f"TLS is asked for, and its {what} file is missing: {path}")
    if (tls.cert is None) != (tls.key is None):
        raise Unreachable("TLS is asked for with a certificate or a key alone: it takes both, or neither")


def _get(address: Address, tls: TLS | None, path: str, timeout: float) -> dict[str, Any]:
    if address.scheme not in ("unix", "tcp", "http", "https"):
        raise InvalidOption("url", address.url, "unix, tcp or http(s)")
    ends = time.monotonic() + timeout
    unix = address.scheme == "unix"
    place = urlsplit("tcp://localhost:80" if unix else address.tcp(tls=tls is not None))
    connection = HTTPConnection(place.hostname or "", place.port)
    connection.sock = _unix_socket(address.path, timeout) if unix else _tcp_socket(address, tls, timeout)
    try:
        prefix = "" if unix else quote(address.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
        connection.request("GET", prefix + path, headers={"Connection": "close"})
        with connection.getresponse() as response:
            body = b""
            while piece := response.read1(1 << 16):
                body += piece
                if len(body) > _MAX_ANSWER:
                    raise Unreachable("something answers, at a length no engine does")
                if time.monotonic() > ends:
                    raise Unreachable(f"no full answer within {timeout:g} s")
            if response.length:
                raise Unreachable(f"the answer broke off, {response.length} bytes before its end")
        said = json.loads(body) if response.status == 200 else None
    except TimeoutError as exc:
        raise Unreachable(_silent(timeout)) from exc
    except ssl.SSLError as exc:
        raise Unreachable(_tls_failed(exc, tls)) from exc
    except (HTTPException, OSError) as exc:
        raise Unreachable(_words(exc)) from exc
    except (ValueError, RecursionError) as exc:  # not JSON, or none that an engine would send
        raise Unreachable("something answers that is not an engine's API (no JSON)") from exc
    finally:
        connection.close()
    if not isinstance(said, dict):
        raise Unreachable(f"something answers that is not an engine's API (HTTP {response.status} to GET {path})")
    return said


def _tls_failed(exc: ssl.SSLError, tls: TLS | None) -> str:
    """What of TLS did not fit, and where to look."""
    words = _words(exc)
    if isinstance(exc, ssl.SSLCertVerificationError):
        against = (tls and tls.ca) or "the usual authorities"
        return f"TLS: the engine's certificate is not accepted: {exc.verify_message} (checked against {against})"
    if exc.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return "TLS is asked for, and what answers there does not speak it (unset DOCKER_TLS_VERIFY; tcp:, not https:)"
    who = f"the one in {tls.cert}" if tls and tls.cert else "none was given (DOCKER_CERT_PATH: cert.pem and key.pem)"
    return f"TLS: the engine broke off, as one does that wants a client certificate it trusts; {who}: {words}"


def _silent(timeout: float) -> str:
    return f"it accepts a connection, and gives no answer within {timeout:g} s"


def _words(exc: Exception) -> str:
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc) or type(exc).__name__
