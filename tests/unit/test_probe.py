"""The probe reports which engine answers, or one line that says why none does; a Route leads to its backend."""

from __future__ import annotations

import errno
import json
import logging
import shutil
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from containerkit.discovery import probe as room
from containerkit.discovery import routes
from containerkit.discovery.candidates import Candidate
from containerkit.discovery.endpoints import TLS, Endpoint, Unreachable
from containerkit.discovery.probe import probe, probe_rootless
from containerkit.discovery.routes import Route, open_route
from containerkit.errors import EngineUnavailable, InvalidOption
from tests.tls import Authority, Front

DOCKER = {"Version": "27.0.1", "ApiVersion": "1.46", "Components": [{"Name": "Engine"}]}
Answer = Callable[..., str]


def response(body: Any = DOCKER, *, status: int = 200, length: int | None = None) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    size = len(data) if length is None else length
    return f"HTTP/1.1 {status} X\r\nContent-Length: {size}\r\n\r\n".encode() + data


@pytest.fixture
def answer() -> Iterator[Answer]:
    """Serve the given pieces, with a pause before each, on a unix socket or on a port; gives the URL."""
    folder = Path(tempfile.mkdtemp(prefix="ck-"))
    servers: list[socket.socket] = []
    requests: list[bytes] = []

    def start(*pieces: bytes, pause: float = 0.0, tcp: bool = False, seen: list[bytes] = requests) -> str:
        if tcp:
            server = socket.create_server(("127.0.0.1", 0))
        else:
            server = socket.socket(socket.AF_UNIX)
            server.bind(str(folder / f"{len(servers)}.sock"))
            server.listen()
        servers.append(server)

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    try:
                        seen.append(peer.recv(65536))
                        for piece in pieces:
                            time.sleep(pause)
                            peer.sendall(piece)
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()
        return f"tcp://127.0.0.1:{server.getsockname()[1]}" if tcp else f"unix://{folder}/{len(servers) - 1}.sock"

    yield start
    for server in servers:
        server.close()
    shutil.rmtree(folder)


def reason(url: str, tls: TLS | None = None, *, timeout: float = 2.0) -> str:
    with pytest.raises(Unreachable) as caught:
        probe(url, tls, timeout=timeout)
    return str(caught.value)


# ---------------------------------------------------------------- responses
def test_the_identity_of_an_engine(answer: Answer) -> None:
    """Kind, version and API version, and the whole response."""
    found = probe(answer(response()), timeout=2)
    assert (found.kind, found.version, found.api_version, found.raw) == ("docker", "27.0.1", "1.46", DOCKER)
    old = probe(answer(response({"Version": "1.12", "ApiVersion": "1.24"})), timeout=2)
    assert (old.kind, old.version) == ("docker", "1.12")


def test_the_path_of_a_url_is_a_prefix(answer: Answer) -> None:
    """An engine behind a proxy is asked below the proxy's path; special characters are quoted."""
    seen: list[bytes] = []
    url = answer(response(), tcp=True, seen=seen)
    probe(f"{url}/pre fix/", timeout=2)
    assert seen[0].startswith(b"GET /pre%20fix/version HTTP/1.1\r\n")
    assert b"Connection: close" in seen[0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (response(b"{}"), "neither Docker nor Podman (no component)"),
        (response({"ApiVersion": "1", "Components": [{"Name": "Balena"}]}), "neither Docker nor Podman (Balena)"),
        (response({"Components": [{"Name": "Engine"}]}), "neither Docker nor Podman (Engine)"),
        (response(b"[]"), "not an engine's API (HTTP 200 to GET /version)"),
        (response(b"{}", status=404), "not an engine's API (HTTP 404 to GET /version)"),
        (response(b"{"), "not an engine's API (no JSON)"),
        (response(b"[" * 100_000), "not an engine's API (no JSON)"),
        (response(b"", length=0), "not an engine's API (no JSON)"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "not an engine's API (no JSON)"),
        (response(b"{}", length=10), "closed 8 bytes before the end"),
        (b"SSH-2.0-OpenSSH\r\n", "SSH-2.0"),
        (b"", "Remote end closed connection"),
    ],
)
def test_what_is_no_engine(answer: Answer, body: bytes, message: str) -> None:
    """A reason of one line, whatever answers."""
    assert message in reason(answer(body))


def test_a_response_without_end(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is longer than an engine's is not read to its end."""
    monkeypatch.setattr(room, "_MAX_BODY", 1 << 20)
    assert "longer than 1 MiB" in reason(answer(response(b"x" * ((1 << 20) + 1))))
    assert "no JSON" in reason(answer(response(b"x" * (1 << 20))))


@pytest.mark.parametrize("part", ["header", "body"])
def test_a_slow_drip_has_a_deadline(answer: Answer, part: str) -> None:
    """The timeout is for the whole response, not for each byte."""
    whole = response()
    pieces = [whole[i : i + 1] for i in range(len(whole))]
    if part == "body":
        start = whole.index(b"\r\n\r\n") + 4
        pieces = [whole[:start], *(whole[i : i + 1] for i in range(start, len(whole)))]
    started = time.monotonic()
    assert "no complete response within 0.5 s" in reason(answer(*pieces, pause=0.1), timeout=0.5)
    assert time.monotonic() - started < 2.0


def test_nothing_comes(answer: Answer) -> None:
    """A service that accepts and is silent."""
    assert "no complete response within 0.3 s" in reason(answer(b"", pause=3), timeout=0.3)


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        ({"SecurityOptions": ["name=rootless"]}, "docker", True),
        ({"SecurityOptions": ["name=userns"]}, "docker", False),
        ({"SecurityOptions": None}, "docker", None),
        ({}, "docker", None),
        ({"host": {"security": {"rootless": True}}}, "podman", True),
        ({"host": {"security": {"rootless": False}}}, "podman", False),
        ({"host": {"security": {"rootless": "yes"}}}, "podman", None),
        ({"host": None}, "podman", None),
    ],
)
def test_rootless(answer: Answer, body: object, kind: Any, expected: bool | None) -> None:
    """True and False as the engine reports, None if it does not."""
    assert probe_rootless(answer(response(body)), kind, timeout=2) is expected


def test_rootless_of_an_engine_that_is_gone() -> None:
    """None, no error."""
    assert probe_rootless("unix:///nonexistent.sock", "docker", timeout=1) is None


# ---------------------------------------------------------------- connections
def test_an_address_of_another_scheme() -> None:
    """ssh is not for the probe."""
    with pytest.raises(InvalidOption, match="unix, tcp or http"):
        probe("ssh://h/x", timeout=1)


def test_a_port_that_nobody_serves() -> None:
    """The system's own words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "refused" in reason(f"tcp://127.0.0.1:{port}")
    assert "not known" in reason("tcp://no-such.invalid:1") or "resolution" in reason("tcp://no-such.invalid:1")


def test_no_route_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that drops packets."""

    def wait(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", wait)
    assert reason("tcp://h:1", timeout=0.5) == "no connection within 0.5 s"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOENT, ""), "no such socket"),
        (OSError(errno.ENOTDIR, ""), "no such socket"),
        (OSError(errno.ECONNREFUSED, ""), "stale socket"),
        (OSError(errno.ENAMETOOLONG, ""), "107 bytes"),
        (OSError("AF_UNIX path too long"), "107 bytes"),
        (OSError(errno.EAGAIN, ""), "does not accept connections"),
        (TimeoutError(), "does not accept connections"),
        (OSError(errno.EIO, "I/O error"), "I/O error"),
    ],
)
def test_why_a_socket_fails(error: OSError, message: str) -> None:
    """One reason for each error."""
    assert message in room._socket_reason(error, "/x")


# ---------------------------------------------------------------- TLS
@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl program to make certificates")
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def front(answer: Answer, authority: Authority) -> Iterator[Front]:
    with Front(answer(response()).removeprefix("unix://"), authority) as front:
        yield front


def test_tls_with_a_client_certificate(front: Front, authority: Authority) -> None:
    """Verified against the authority, and unverified."""
    cert, key = authority.issue("client")
    for tls in (TLS(authority.ca, cert, key), TLS(None, cert, key, verify=False)):
        assert probe(f"tcp://127.0.0.1:{front.port}", tls, timeout=5).kind == "docker"
        assert probe(f"https://127.0.0.1:{front.port}", tls, timeout=5).kind == "docker"


def test_tls_without_a_client_certificate(front: Front, authority: Authority) -> None:
    """The message says that none was sent, and where it is configured."""
    assert "none was sent (DOCKER_CERT_PATH" in reason(f"tcp://127.0.0.1:{front.port}", TLS(authority.ca), timeout=5)


def test_tls_with_a_strangers_certificate(front: Front, authority: Authority, tmp_path: Path) -> None:
    """The message names the certificate that was sent."""
    cert, key = Authority(tmp_path).issue("stranger")
    assert f"sent: {cert}" in reason(f"tcp://127.0.0.1:{front.port}", TLS(authority.ca, cert, key), timeout=5)


def test_tls_of_a_server_that_is_not_trusted(front: Front, authority: Authority, tmp_path: Path) -> None:
    """The message names the authority; the default ones do not know the server."""
    other = Authority(tmp_path)
    url = f"tcp://127.0.0.1:{front.port}"
    assert f"not accepted: self-signed certificate in certificate chain (verified against {other.ca})" in reason(
        url, TLS(other.ca), timeout=5
    ) or "not accepted" in reason(url, TLS(other.ca), timeout=5)
    assert "verified against the default authorities" in reason(url, TLS(), timeout=5)


def test_tls_for_another_name(answer: Answer, authority: Authority) -> None:
    """A certificate of another host is refused, unless nothing is verified."""
    cert, key = authority.issue("client2")
    with Front(answer(response()).removeprefix("unix://"), authority, host="engine.lab") as front:
        url = f"tcp://127.0.0.1:{front.port}"
        assert "not accepted" in reason(url, TLS(authority.ca, cert, key), timeout=5)
        assert probe(url, TLS(None, cert, key, verify=False), timeout=5).kind == "docker"


def test_tls_where_none_is_spoken(answer: Answer, authority: Authority) -> None:
    """The message says which variable to unset."""
    url = answer(b"HTTP/1.1 400 Bad Request\r\n\r\n", tcp=True)
    assert "the server does not speak it (unset DOCKER_TLS_VERIFY" in reason(url, TLS(authority.ca))


def test_tls_where_nothing_comes(answer: Answer, authority: Authority) -> None:
    """A silent server has a deadline in the handshake as well."""
    url = answer(b"", pause=5, tcp=True)
    assert "no complete response within 0.3 s" in reason(url, TLS(authority.ca), timeout=0.3)


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (TLS("/nonexistent"), "its ca file is missing: /nonexistent"),
        (TLS(None, "/nonexistent", "/k"), "its cert file is missing"),
        (TLS(None, None, __file__), "a certificate or a key alone"),
        (TLS(None, __file__), "a certificate or a key alone"),
        (TLS(None, __file__, __file__, verify=False), "not a certificate and its key"),
        (TLS(__file__), "not a certificate and its key"),
    ],
)
def test_tls_files_that_cannot_be_used(tls: TLS, message: str) -> None:
    """Found before anything is sent."""
    assert message in reason("tcp://127.0.0.1:9", tls)


def test_other_errors_of_tls() -> None:
    """The library's own text."""
    error = ssl.SSLError(1, "some reason")
    error.reason = "OTHER"
    assert "some reason" in room._tls_reason(error, None)


# ---------------------------------------------------------------- routes
def route(url: str, **place: Any) -> Route:
    return open_route(Candidate(Endpoint(url, "test"), **place), runtime="", timeout=2)


def test_a_route_reports_what_answers(answer: Answer) -> None:
    """The endpoint has kind and version, and no reason any more."""
    url = answer(response())
    found = open_route(Candidate(Endpoint(url, "test", reason="old")), runtime="", timeout=2)
    assert (found.kind, found.address, found.version, found.on_close) == ("docker", url, DOCKER, None)
    assert (found.endpoint.reachable, found.endpoint.reason, found.endpoint.note) == (True, "", "")
    found.close()


def test_an_unexpected_kind_is_noted(answer: Answer) -> None:
    """Expected by the variable, or by the name of the socket."""
    podman = {"Version": "5", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]}
    url = answer(response(podman))
    assert "docker was expected there, podman answers" in route(url, expected="docker").endpoint.note
    assert route(url, expected="podman").endpoint.note == ""
    assert route(url).endpoint.note == ""


def test_a_network_address_has_a_port(answer: Answer) -> None:
    """What is connected to is tcp://host:port, whatever the URL's scheme."""
    url = answer(response(), tcp=True)
    assert route(url.replace("tcp", "http")).address == url


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        (Endpoint("", "x", reason="broken file"), "no engine answers at x: broken file"),
        (Endpoint("", "x"), "it has no address"),
        (Endpoint("ftp://h", "x"), "ftp://h (x): x='ftp://h': expected unix"),
        (Endpoint("ftp://h", "x", reason="bad scheme"), "bad scheme"),
        (Endpoint("unix:///nonexistent.sock", "x"), "containerkit.discover()"),
        (Endpoint("tcp://127.0.0.1:9", "x"), "If it speaks TLS: DOCKER_TLS_VERIFY=1"),
    ],
)
def test_a_route_that_fails(endpoint: Endpoint, message: str) -> None:
    """The message has the reason, and what to do; `tried` has the address and the reason."""
    with pytest.raises(EngineUnavailable) as caught:
        open_route(Candidate(endpoint), runtime="", timeout=2)
    assert message in str(caught.value)
    ((label, why),) = caught.value.tried
    assert label == endpoint.label
    assert why in str(caught.value)


def test_no_advice_about_tls_where_it_is_used() -> None:
    """Nor for other schemes."""
    assert routes._advice(Endpoint("tcp://h", "x", tls=TLS())) == ""
    assert routes._advice(Endpoint("ssh://h", "x")) == ""


@pytest.mark.parametrize(
    ("url", "tls", "warning"),
    [
        ("tcp://engine.lab:2375", None, "not encrypted"),
        ("http://10.0.0.1:2375", None, "not encrypted"),
        ("tcp://engine.lab:2376", TLS(verify=False), "certificate is not verified"),
        ("tcp://engine.lab:2376", TLS(), ""),
        ("tcp://127.0.0.1:2375", None, ""),
        ("tcp://localhost:2375", None, ""),
        ("tcp://[::1]:2375", None, ""),
    ],
)
def test_a_weak_connection_to_another_machine_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str, tls: TLS | None, warning: str
) -> None:
    """Not encrypted, or not verified; not on the loopback interface."""
    monkeypatch.setattr(routes, "_warned", set())
    monkeypatch.setattr(routes, "probe", lambda *_, **__: room.Identity("docker", "1", "1", {}))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            open_route(Candidate(Endpoint(url, "test", tls=tls)), runtime="", timeout=1)
    assert [warning in record.getMessage() for record in caplog.records] == [True] * bool(warning)


@pytest.mark.parametrize("kind", ["docker", "podman"])
@pytest.mark.parametrize(
    ("url", "address", "tls"), [("unix:///x", "unix:///x", None), ("https://h", "tcp://h:2376", TLS())]
)
def test_a_route_makes_the_backend_of_its_kind(
    monkeypatch: pytest.MonkeyPatch, kind: Any, url: str, address: str, tls: TLS | None
) -> None:
    """With the address, the certificates and the version that are known."""
    made: list[tuple[str, dict[str, Any]]] = []
    for name in ("docker.DockerBackend", "podman.PodmanBackend"):

        def make(url: str, name: str = name, **options: Any) -> None:
            made.append((name, {"url": url, **options}))

        monkeypatch.setattr(f"containerkit.backends.{name}", make)
    Route(Endpoint(url, "x", tls=tls), address, kind, DOCKER).backend(7.0)
    ((name, options),) = made
    assert name.startswith(kind)
    assert options == {
        "url": url,
        "timeout": 7.0,
        "address": None if address == url else address,
        "tls": tls,
        "version": DOCKER,
        "on_close": None,
    }


def test_a_backend_that_cannot_be_made_closes_the_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tunnel does not stay."""
    closed: list[bool] = []

    def fail(*_: object, **__: object) -> None:
        raise EngineUnavailable("gone")

    monkeypatch.setattr("containerkit.backends.docker.DockerBackend", fail)
    found = Route(Endpoint("ssh://h", "x"), "unix:///t", "docker", DOCKER, lambda: closed.append(True))
    with pytest.raises(EngineUnavailable, match="gone"):
        found.backend(1.0)
    assert closed == [True]
