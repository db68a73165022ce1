"""The transport over a vendor's session, against a server that answers with scripted bytes."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from docker import APIClient as DockerClient
from podman.api.client import APIClient as PodmanClient

import containerkit as ck
from containerkit.backends import transport as seam
from containerkit.backends._requests import RequestsTransport
from containerkit.backends._retry import is_transient
from containerkit.backends.transport import Request, Response, UpgradeResponse
from containerkit.streams import Deadline
from tests.scripted_server import OK, Server, after, chunked, sized, slowly

NEVER = Deadline(None, None)


def open_docker(url: str) -> RequestsTransport:
    def session() -> tuple[requests.Session, str]:
        client = DockerClient(url, version="1.41", timeout=5)
        return client, client.base_url

    return RequestsTransport(session, url)


def open_podman(url: str) -> RequestsTransport:
    def session() -> tuple[requests.Session, str]:
        client = PodmanClient(base_url=url, timeout=5)
        return client, f"http://{client.base_url.netloc}"

    return RequestsTransport(session, url)


@pytest.fixture(params=[open_docker, open_podman], ids=["docker", "podman"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[[Server], RequestsTransport]]:
    opened: list[RequestsTransport] = []

    def open_transport(server: Server) -> RequestsTransport:
        opened.append(request.param(server.url))
        return opened[-1]

    yield open_transport
    for transport in opened:
        transport.close()


Connect = Callable[[Server], RequestsTransport]


def get(**options: Any) -> Request:
    options = {"silence": 2.0, "body_silence": 2.0, **options}
    return Request("GET", "/v1/things?all=true", "listing things", **options)


# ---------------------------------------------------------------- whole responses
@pytest.mark.parametrize("answer", [sized(b'{"a": 1}'), chunked(b'{"a"', b": 1}")], ids=["sized", "chunked"])
def test_a_whole_response(connect: Connect, answer: bytes) -> None:
    """A complete response is returned with status, lower-case headers and body; the connection is used again."""
    with Server(answer, keep=True) as server:
        transport = connect(server)
        for _ in range(2):
            response = transport.send(get(headers={"X-A": "b"}), NEVER)
            assert (response.status, response.body) == (200, b'{"a": 1}')
        assert len(server._open) == 1
        assert server.requests[0].startswith(b"GET /v1/things?all=true HTTP/1.1\r\n")
        assert b"X-A: b\r\n" in server.requests[0]
        assert b"Accept-Encoding: identity\r\n" in server.requests[0]


def test_headers_in_lower_case(connect: Connect) -> None:
    """The names of headers are in lower case."""
    with Server(sized(b"x")) as server:
        assert connect(server).send(get(), NEVER).headers == {"content-length": "1"}


@pytest.mark.parametrize(
    ("method", "answer", "status"),
    [
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("GET", b"HTTP/1.1 304 Not Modified\r\n\r\n", 304),
        ("HEAD", b"HTTP/1.1 200 OK\r\nX-Stat: e30=\r\n\r\n", 200),
        ("GET", sized(b"", status="301 Moved"), 301),
        ("GET", sized(b"no", status="404 Not Found"), 404),
        ("GET", sized(b"no", status="500 Internal Server Error"), 500),
    ],
)
def test_any_status_is_returned(connect: Connect, method: str, answer: bytes, status: int) -> None:
    """The transport raises for no status and follows no redirection; HEAD, 204 and 304 have no body."""
    with Server(answer, keep=True) as server:
        transport = connect(server)
        for _ in range(2):
            response = transport.send(Request(method, "/x", "x", silence=2.0, body_silence=2.0), NEVER)
            assert response.status == status
            assert response.body == (b"no" if status >= 400 else b"")
        assert len(server.requests) == 2


def test_a_body_is_sent(connect: Connect) -> None:
    """Bytes are sent with a length, an iterator in chunks."""
    with Server(sized(b""), keep=True) as server:
        transport = connect(server)
        for body in (b"abc", iter([b"ab", b"c"])):
            transport.send(Request("POST", "/x", "x", {}, body, silence=2.0, body_silence=2.0), NEVER)
    assert server.requests[0].endswith(b"\r\n\r\nabc")
    assert b"Content-Length: 3\r\n" in server.requests[0]
    assert server.requests[1].endswith(b"\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")


# ---------------------------------------------------------------- cut responses
HEADER = OK + b"Content-Length: 8\r\n\r\n"


@pytest.mark.parametrize("length", range(len(HEADER)))
def test_a_header_cut_at_any_byte(connect: Connect, length: int) -> None:
    """A header that ends early raises EngineUnavailable, which is transient, wherever it is cut."""
    with Server(HEADER[:length]) as server, pytest.raises(ck.EngineUnavailable, match="listing things") as caught:
        connect(server).send(get(), NEVER)
    assert is_transient(caught.value)
    assert caught.value.tried[0][0] == server.url


CUT_BODIES = {
    "short": sized(b"123456", length=8),
    "empty": sized(b"", length=8),
    "no length": OK + b"\r\n",
    "no length, body": OK + b'\r\n{"a": 1}',
    "bad length": OK + b"Content-Length: many\r\n\r\n12345678",
    "no last chunk": chunked(b"12345678", end=b""),
    "no chunk": chunked(end=b""),
    "cut chunk": chunked(b"12345678", end=b"8\r\n123"),
    "cut size": chunked(b"12345678", end=b"8"),
    "bad size": chunked(b"12345678", end=b"zz\r\n"),
}


@pytest.mark.parametrize("what", CUT_BODIES)
def test_a_cut_body(connect: Connect, what: str) -> None:
    """A body that ends early raises EngineUnavailable, read at once or as a stream."""
    with Server(CUT_BODIES[what]) as server:
        transport = connect(server)
        with pytest.raises(ck.EngineUnavailable, match="listing things"):
            transport.send(get(), NEVER)
        with pytest.raises(ck.EngineUnavailable, match="listing things"):
            list(transport.stream(get(), NEVER).chunks)


# podman-py does not close the socket of a connection that is refused.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_refused_connection_is_not_transient(connect: Connect) -> None:
    """A socket on which nobody listens raises EngineUnavailable at once, and the error is not transient."""
    with Server(sized(b"")) as server:
        transport = connect(server)
    with pytest.raises(ck.EngineUnavailable, match="ENOENT") as caught:
        transport.send(get(), NEVER)
    assert not is_transient(caught.value)


def test_a_body_without_end(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body larger than the limit raises EngineUnavailable; a body of the limit is read."""
    monkeypatch.setattr("containerkit.backends._requests.MAX_BODY", 3 << 20)
    assert seam.MAX_BODY == 256 << 20

    def endless(near: socket.socket, _request: bytes) -> None:
        near.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                near.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    with Server(endless, sized(b"x" * (3 << 20))) as server:
        transport = connect(server)
        with pytest.raises(ck.EngineUnavailable, match=r"listing things: .* is larger than 3 MiB"):
            transport.send(get(body_silence=30.0), NEVER)
        assert len(transport.send(get(body_silence=30.0), NEVER).body) == 3 << 20


# ---------------------------------------------------------------- streams
def test_a_stream_comes_as_it_is_sent(connect: Connect) -> None:
    """Each chunk is yielded before the next one is sent."""
    told = threading.Event()

    def answer(near: socket.socket, _request: bytes) -> None:
        near.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        assert told.wait(5)
        near.sendall(b"3\r\ntwo\r\n0\r\n\r\n")

    with Server(answer) as server:
        response = connect(server).stream(get(), NEVER)
        assert response.status == 200
        assert response.headers["transfer-encoding"] == "chunked"
        assert next(response.chunks) == b"one"
        told.set()
        assert list(response.chunks) == [b"two"]


def test_close_wakes_a_reader(connect: Connect) -> None:
    """Closing a stream from another thread ends a read that waits."""

    def answer(near: socket.socket, _request: bytes) -> None:
        near.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        time.sleep(5)

    with Server(answer) as server:
        response = connect(server).stream(get(body_silence=30.0), NEVER)
        assert next(response.chunks) == b"one"
        threading.Timer(0.1, response.close).start()
        begun = time.monotonic()
        with pytest.raises(ck.EngineUnavailable):
            next(response.chunks)
        assert time.monotonic() - begun < 2
        response.close()


def test_an_abandoned_stream_is_closed(connect: Connect) -> None:
    """A stream that is not read to its end does not give its connection to the next request."""
    with Server(chunked(b"one", b"two"), sized(b"next"), keep=True) as server:
        transport = connect(server)
        response = transport.stream(get(), NEVER)
        assert next(response.chunks) == b"one"
        response.chunks.close()  # type: ignore[attr-defined]
        assert transport.send(get(), NEVER).body == b"next"


def test_a_stream_closed_after_its_end(connect: Connect) -> None:
    """Closing a stream that was read to its end does not end the connection, which may serve another request."""
    told = threading.Event()

    def answer(near: socket.socket, _request: bytes) -> None:
        assert told.wait(5)
        near.sendall(sized(b"next"))

    with Server(chunked(b"one"), answer, keep=True) as server:
        transport = connect(server)
        response = transport.stream(get(), NEVER)
        assert list(response.chunks) == [b"one"]

        def close() -> None:
            response.close()
            told.set()

        threading.Timer(0.2, close).start()
        assert transport.send(get(), NEVER).body == b"next"


# ---------------------------------------------------------------- raw streams
UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


def test_upgrade(connect: Connect) -> None:
    """An upgraded connection carries bytes both ways, with those that came with the header."""

    def answer(near: socket.socket, _request: bytes) -> None:
        near.sendall(UPGRADED + b"early")
        near.sendall(near.recv(10).upper())

    with Server(answer) as server:
        found = connect(server).upgrade(get(), NEVER)
        assert isinstance(found, UpgradeResponse)
        assert b"Upgrade: tcp\r\n" in server.requests[0]
        found.sock.setblocking(True)
        found.sock.sendall(b"late")
        data = found.early
        while piece := found.sock.recv(100):
            data += piece
        assert data == b"earlyLATE"
        found.close()
        found.sock.close()


@pytest.mark.parametrize("line", [b"204 No Content", b"200 OK\r\nContent-Length: 0"])
def test_an_upgrade_answered_without_a_stream(connect: Connect, line: bytes) -> None:
    """A response without a body is no stream: its end is not the end of a process."""
    with Server(lambda near, _request: near.sendall(b"HTTP/1.1 " + line + b"\r\n\r\n")) as server:
        found = connect(server).upgrade(get(), NEVER)
    assert isinstance(found, Response)
    assert not found.body


def test_a_refused_upgrade(connect: Connect) -> None:
    """A refusal is returned as a response with its body."""
    with Server(sized(b"no", status="409 Conflict")) as server:
        assert connect(server).upgrade(get(), NEVER) == Response(409, {"content-length": "2"}, b"no")


def test_a_cut_upgrade(connect: Connect) -> None:
    """An upgrade whose header is cut raises EngineUnavailable."""
    with Server(UPGRADED[:-2]) as server, pytest.raises(ck.EngineUnavailable):
        connect(server).upgrade(get(), NEVER)


# ---------------------------------------------------------------- time
def timed(call: Callable[[], Any]) -> tuple[ck.EngineTimeout, float]:
    begun = time.monotonic()
    with pytest.raises(ck.EngineTimeout, match="listing things: no answer from") as caught:
        call()
    return caught.value, time.monotonic() - begun


SILENT = {
    "silent": after(9, b""),
    "header": after(0, OK),
    "body": after(0, HEADER + b"123"),
}


@pytest.mark.parametrize("what", SILENT)
def test_silence(connect: Connect, what: str) -> None:
    """An engine that is silent for too long raises EngineTimeout, wherever it stops."""
    with Server(SILENT[what], keep=True) as server:
        transport = connect(server)
        error, took = timed(lambda: transport.send(get(silence=0.3, body_silence=0.3), NEVER))
        assert error.timeout == 0.3
        assert "within 0.3 s" in str(error)
        assert 0.2 < took < 5


@pytest.mark.parametrize("data", [sized(b"x" * 100), chunked(b"x" * 100)], ids=["sized", "chunked"])
def test_a_slow_drip(connect: Connect, data: bytes) -> None:
    """A response that comes byte by byte ends at the deadline, header and body."""
    with Server(slowly(data, 0.02)) as server:
        error, took = timed(lambda: connect(server).send(get(), Deadline.after(0.5)))
        assert error.timeout == 0.5
        assert 0.4 < took < 2.5


def test_a_deadline_in_a_stream(connect: Connect) -> None:
    """The deadline holds while the body of a stream is read."""
    with Server(slowly(chunked(b"x" * 100, b"y" * 100), 0.005)) as server:
        response = connect(server).stream(get(), Deadline.after(0.9))
        error, _ = timed(lambda: list(response.chunks))
        assert error.timeout == 0.9


def test_an_expired_deadline_sends_nothing(connect: Connect) -> None:
    """A deadline that has passed raises EngineTimeout before anything is sent."""
    with Server(sized(b"")) as server:
        with pytest.raises(ck.EngineTimeout, match="listing things: not done within 0 s"):
            connect(server).send(get(), Deadline.after(0.0))
        assert server.requests == []


def test_a_server_that_reads_nothing(connect: Connect) -> None:
    """Sending ends with EngineTimeout if the engine stops reading."""

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    folder_server = socket.socket(socket.AF_UNIX)
    with Server(sized(b"")) as server, folder_server:
        address = server.url.removeprefix("unix://") + "2"
        folder_server.bind(address)
        folder_server.listen(1)
        server.url += "2"
        request = Request("PUT", "/x", "listing things", {}, endless(), silence=0.3, body_silence=0.3)
        transport = connect(server)
        error, took = timed(lambda: transport.send(request, NEVER))
        assert error.timeout == 0.3
        assert took < 5


def test_patience(connect: Connect) -> None:
    """A slow answer and a quiet body are waited for as long as the engine answers pings."""

    def answer(near: socket.socket, _request: bytes) -> None:
        time.sleep(0.5)
        near.sendall(HEADER + b"1234")
        time.sleep(0.5)
        near.sendall(b"5678")

    with Server(answer, keep=True) as server:
        transport = connect(server)
        request = get(silence=0.2, body_silence=0.2, slow_answer=True, quiet_body=True)
        assert transport.send(request, NEVER).body == b"12345678"
        assert sum(b"GET /_ping " in request for request in server.requests) >= 3
        timed(lambda: transport.send(get(silence=0.2, body_silence=0.2, slow_answer=True), NEVER))
        timed(lambda: transport.send(get(silence=0.2, body_silence=0.2, quiet_body=True), NEVER))


def test_patience_with_a_dead_engine(connect: Connect) -> None:
    """An engine that answers no pings raises EngineTimeout."""
    with Server(after(9, b""), keep=True, pings=False) as server:
        request = get(silence=0.2, body_silence=0.2, slow_answer=True)
        _, took = timed(lambda: connect(server).send(request, NEVER))
        assert 1.0 < took < 6  # the silence, and one second for the ping


def test_patience_ends_at_the_deadline(connect: Connect) -> None:
    """Pings do not extend a deadline."""
    with Server(after(9, b""), keep=True) as server:
        request = get(silence=0.1, body_silence=0.1, slow_answer=True)
        error, took = timed(lambda: connect(server).send(request, Deadline.after(0.6)))
        assert error.timeout == 0.6
        assert 0.5 < took < 5


# ---------------------------------------------------------------- others
def test_errors_of_the_caller_pass(connect: Connect) -> None:
    """An error of the caller's own while it reads a stream is raised as it is."""
    with Server(chunked(b"one", b"two")) as server:
        response = connect(server).stream(get(), NEVER)
        with pytest.raises(ZeroDivisionError):
            for _ in response.chunks:
                assert 1 / 0


def test_a_forked_child_has_connections_of_its_own(connect: Connect) -> None:
    """A child does not use the connection that its parent left in the pool."""
    with Server(sized(b"x"), keep=True) as server:
        transport = connect(server)
        transport.send(get(), NEVER)
        child = os.fork()
        if not child:
            try:
                transport.send(get(), NEVER)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        transport.send(get(), NEVER)
        assert len(server._open) == 2


def test_no_secrets_in_logs(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """Debug logs hold neither headers nor bodies."""
    caplog.set_level("DEBUG")
    with Server(sized(b"secret-answer")) as server:
        request = Request(
            "POST", "/x", "x", {"X-Registry-Auth": "secret-header"}, b"secret-body", silence=2.0, body_silence=2.0
        )
        connect(server).send(request, NEVER)
    assert "secret" not in caplog.text
