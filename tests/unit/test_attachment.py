"""Attachment: both ways over a pair of sockets."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from containerkit.errors import EngineTimeout, EngineUnavailable
from containerkit.streams import Attachment, Deadline
from tests.tls import Authority


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    far.settimeout(30)
    with near, far:
        yield near, far


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxI", stream, len(data)) + data


def read_all(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(1 << 16), b""))


def test_input_larger_than_the_socket_holds_and_output_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    """The input is sent in pieces while output is read; its end ends the other side's reading."""
    near, far = pair
    data = bytes(range(256)) * 8000
    received: list[bytes] = []

    def serve() -> None:
        far.sendall(frame(1, b"first"))
        received.append(read_all(far))
        far.sendall(frame(2, b"last"))
        far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    with Attachment(near, frame(1, b"early"), framed=True) as stream:
        outputs = [(out.stream, out.data) for out in stream.exchange([data, b"end"])]
    thread.join(30)
    assert received == [data + b"end"]
    assert outputs == [("stdout", b"early"), ("stdout", b"first"), ("stderr", b"last")]


def test_a_process_that_reads_nothing_ends_the_input_not_the_output(pair: tuple[socket.socket, socket.socket]) -> None:
    """The rest of the input is dropped; the output that was written is read."""
    near, far = pair
    far.sendall(b"bye")
    far.close()
    assert b"".join(out.data for out in Attachment(near, framed=False).exchange([b"x" * 100] * 50)) == b"bye"


def test_a_deadline_ends_an_exchange(pair: tuple[socket.socket, socket.socket]) -> None:
    """The one given and the one that is in force."""
    near, _ = pair
    with pytest.raises(EngineTimeout, match="still runs"):
        list(Attachment(near, framed=False).exchange(timeout=0.05))
    with pytest.raises(EngineTimeout), Deadline.after(0.05):
        list(Attachment(near, framed=False).exchange())


def test_a_quiet_stream_is_asked_about(pair: tuple[socket.socket, socket.socket]) -> None:
    """The question is repeated until it says that the process has ended."""
    near, _ = pair
    answers = iter([False, False, True])
    assert list(Attachment(near, framed=False).exchange(on_idle=lambda: next(answers), idle=0.01)) == []
    assert list(answers) == []


def test_closing_from_another_thread_ends_the_exchange(pair: tuple[socket.socket, socket.socket]) -> None:
    """Without an error, also in the middle of a frame."""
    near, far = pair
    stream = Attachment(near, framed=True)
    far.sendall(frame(1, b"one") + b"\1\0")
    outputs = stream.exchange()
    assert next(outputs).data == b"one"
    closer = threading.Timer(0.05, stream.close)
    closer.start()
    assert list(outputs) == []
    closer.join()
    stream.end_input()  # of a closed stream: nothing to do


@pytest.mark.parametrize("framed", [True, False])
def test_closing_before_the_exchange_begins_ends_it_too(
    framed: bool, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Detach keys that were typed ahead close the streams before the first read; sending then is an error of ours."""
    near, _ = pair
    stream = Attachment(near, framed=framed)
    outputs = stream.exchange()
    stream.close()
    assert list(outputs) == []
    with pytest.raises(EngineUnavailable, match="no longer reads"):
        stream.send(b"late")


def test_a_reset_without_input_is_an_error_and_with_input_is_podmans_end() -> None:
    """Podman resets a connection whose input was left unread, after all output."""
    for data in (None, b"unread"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            near = socket.create_connection(server.getsockname())
            far, _ = server.accept()
            far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream = Attachment(near, framed=False)
            outputs = stream.exchange(data)
            far.sendall(b"out")
            assert next(outputs).data == b"out"
            far.close()
            if data is None:
                with pytest.raises(EngineUnavailable, match="lost"):
                    list(outputs)
            else:
                assert list(outputs) == []
            assert stream.reset == (data is not None)
            stream.close()


def test_sending_to_a_process_that_is_gone(pair: tuple[socket.socket, socket.socket]) -> None:
    """From another thread than the one that reads; much input waits for the other side."""
    near, far = pair
    stream = Attachment(near, framed=False)
    data, received = b"y" * 3_000_000, []
    thread = threading.Thread(target=lambda: received.append(read_all(far)))
    thread.start()
    stream.send(data)
    stream.end_input()
    thread.join(30)
    assert received == [data]
    far.close()
    with pytest.raises(EngineUnavailable, match="no longer reads"):
        stream.send(b"more")


def test_the_input_of_a_tls_stream_ends_alone(tmp_path: Path) -> None:
    """The other side sees the end and still answers, and its answer is read to the end."""
    authority = Authority(tmp_path / "ca")
    cert, key = authority.issue("engine", "localhost")
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=authority.ca)
    server.load_cert_chain(cert, key)
    near, far = socket.socketpair()
    received: list[bytes] = []

    def serve() -> None:
        with server.wrap_socket(far, server_side=True) as sock:
            received.append(read_all(sock))
            sock.sendall(b"z" * 200_000)
            sock.unwrap()

    thread = threading.Thread(target=serve)
    thread.start()
    sock = client.wrap_socket(near, server_hostname="localhost")
    assert isinstance(sock, ssl.SSLSocket)
    with Attachment(sock, framed=False) as stream:
        output = b"".join(out.data for out in stream.exchange(b"x" * 300_000, timeout=30))
    thread.join(30)
    assert received == [b"x" * 300_000]
    assert output == b"z" * 200_000
