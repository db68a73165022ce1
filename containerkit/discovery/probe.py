"""One question to an address: which engine are you? Through the transports of docker-py, which every engine answers."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import ssl
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..errors import InvalidOption
from .endpoints import TLS, Address, Kind, parse_url

if TYPE_CHECKING:
    from docker.tls import TLSConfig
    from requests import Session

__all__ = ["Answer", "Unreachable", "ask", "ask_rootless", "vendor_tls"]

_MAX_ANSWER = 4 << 20  # bytes; Podman's /libpod/info is about 4 KiB


class Unreachable(Exception):
    """No engine answers at an address; the message says why, for one line of a list."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine says of itself in /version."""

    kind: Kind
    version: str
    api_version: str


def ask(url: str, tls: TLS | None = None, *, timeout: float) -> Answer:
    """Which engine answers at a unix, tcp or http address, within `timeout` seconds. Raises Unreachable."""
    address = parse_url(url)
    if address.scheme == "unix":
        _connect(address.path, timeout)  # first by hand: errno says why, and no vendor is imported for a dead socket
    elif tls:
        _check_files(tls)
    return _identify(_get(address, tls, "/version", timeout))


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


def vendor_tls(tls: TLS) -> TLSConfig:
    """The same in docker-py's words, which both backends take."""
    from docker.tls import TLSConfig

    cert = (tls.cert, tls.key) if tls.cert and tls.key else None
    return TLSConfig(client_cert=cert, ca_cert=tls.ca, verify=tls.verify)


def _identify(said: dict[str, Any]) -> Answer:
    components = said.get("Components") or []
    names = [c.get("Name") for c in components if isinstance(c, dict)] if isinstance(components, list) else []
    version, api_version = str(said.get("Version", "")), str(said.get("ApiVersion", ""))
    if "Podman Engine" in names:
        return Answer("podman", version, api_version)
    if api_version and ("Engine" in names or not names):  # Docker before 17.06 names no components
        return Answer("docker", version, api_version)
    what = ", ".join(str(n) for n in names) or "no component"
    raise Unreachable(f"something answers that is neither Docker nor Podman ({what})")


def _connect(path: str, timeout: float) -> None:
    try:
        mode = os.stat(path)
    except OSError as exc:
        raise Unreachable(_why(exc, path)) from exc
    if not stat.S_ISSOCK(mode.st_mode):
        raise Unreachable("a file is there that is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(path)
        except (OSError, ValueError) as exc:
            raise Unreachable(_why(exc, path)) from exc


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


def _check_files(tls: TLS) -> None:
    for what, path in (("ca", tls.ca), ("cert", tls.cert), ("key", tls.key)):
        if path is not None and not os.path.isfile(path):
            raise Unreachable(f"TLS is asked for, and its {what} file is missing: {path}")
    if (tls.cert is None) != (tls.key is None):
        raise Unreachable("TLS is asked for with a certificate or a key alone: it takes both, or neither")


def _session(address: Address, tls: TLS | None, timeout: float) -> tuple[Session, str]:
    import requests

    session = requests.Session()
    # No proxy and no ~/.netrc, as the backends; and REQUESTS_CA_BUNDLE would win over session.verify (requests#3829).
    session.trust_env = False
    if address.scheme == "unix":
        from docker.transport import UnixHTTPAdapter

        session.mount("http+docker://", UnixHTTPAdapter(f"http+unix://{address.path}", timeout=cast(int, timeout)))
        return session, "http+docker://localhost"
    if tls:
        session.verify = (tls.ca or True) if tls.verify else False
        if tls.cert and tls.key:
            session.cert = (tls.cert, tls.key)
    return session, ("https" if tls else "http") + address.tcp(tls=tls is not None)[len("tcp") :]


def _get(address: Address, tls: TLS | None, path: str, timeout: float) -> dict[str, Any]:
    from requests.exceptions import ReadTimeout, RequestException, SSLError, Timeout
    from urllib3.exceptions import HTTPError

    if address.scheme not in ("unix", "tcp", "http", "https"):
        raise InvalidOption("url", address.url, "unix, tcp or http(s)")
    ends = time.monotonic() + timeout
    session, base = _session(address, tls, timeout)
    try:
        with session, session.get(base + path, timeout=timeout, stream=True, allow_redirects=False) as response:
            body = b""
            for piece in response.iter_content(1 << 16):
                body += piece
                if len(body) > _MAX_ANSWER:
                    raise Unreachable("something answers, at a length no engine does")
                if time.monotonic() > ends:
                    raise Unreachable(f"no full answer within {timeout:g} s")
            status = response.status_code
        said = json.loads(body) if status == 200 else None
    except ReadTimeout as exc:
        raise Unreachable(f"it accepts a connection, and gives no answer within {timeout:g} s") from exc
    except Timeout as exc:
        raise Unreachable(f"no connection within {timeout:g} s") from exc
    except SSLError as exc:
        raise Unreachable(_tls_failed(exc, tls)) from exc
    except (RequestException, HTTPError, OSError) as exc:
        raise Unreachable(_last(exc)) from exc
    except ValueError as exc:  # not JSON
        raise Unreachable("something answers that is not an engine's API (no JSON)") from exc
    if not isinstance(said, dict):
        raise Unreachable(f"something answers that is not an engine's API (HTTP {status} to GET {path})")
    return said


def _tls_failed(exc: BaseException, tls: TLS | None) -> str:
    """What of TLS did not fit, and where to look."""
    found: BaseException = exc
    while not isinstance(found, ssl.SSLError):
        inner = getattr(found, "reason", None) or next((a for a in found.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            return f"TLS: {_last(exc)}"
        found = inner
    words = found.strerror or str(found)
    if isinstance(found, ssl.SSLCertVerificationError):
        against = (tls and tls.ca) or "the system's authorities"
        return f"TLS: the engine's certificate is not accepted: {found.verify_message} (checked against {against})"
    if found.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return "TLS is asked for, and what answers there does not speak it (unset DOCKER_TLS_VERIFY; tcp:, not https:)"
    if found.library != "SSL" and found.reason and found.reason != "UNEXPECTED_EOF_WHILE_READING":
        files = ", ".join(path for path in ((tls.cert, tls.key, tls.ca) if tls else ()) if path)
        return f"TLS: the files do not hold a certificate and its key: {words} ({files})"
    who = f"the one in {tls.cert}" if tls and tls.cert else "none was given (DOCKER_CERT_PATH: cert.pem and key.pem)"
    return f"TLS: the engine broke off, as one does that wants a client certificate it trusts; {who}: {words}"


def _last(exc: BaseException) -> str:
    """The words at the bottom of requests' and urllib3's wrappings."""
    seen = exc
    while True:
        inner = getattr(seen, "reason", None) or next((a for a in seen.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        seen = inner
    words = next((str(a) for a in reversed(seen.args) if isinstance(a, str)), str(seen)) or type(seen).__name__
    # "HTTPConnection(host='…', port=1): Failed to …"; before urllib3 2.4 "<…HTTPConnection object at 0x…>: Failed to …"
    return re.sub(r"^(<[^>]*>|HTTPS?Connection(Pool)?\([^)]*\)): ", "", words)
