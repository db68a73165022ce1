"""A server on a unix socket that answers with scripted bytes."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from types import TracebackType

__all__ = ["OK", "Server", "chunked", "sized"]

#: What one connection does with a request: takes the connection and the bytes of the request.
Answer = Callable[[socket.socket, bytes], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def sized(body: bytes, *, length: int | None = None, status: str = "200 OK") -> bytes:
    """Return a response with a Content-Length."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Return a response in chunks."""
    body = b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks)
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + body + end


class Server:
    """Answers request after request with the scripted answers; `with` ends it.

    Args:
        answers: bytes, after which the connection is closed if `keep` is False; or a function.
        keep: leave the connection open after an answer.

    Attributes:
        url: its address.
        requests: the requests received, pings included.
    """

    def __init__(self, *answers: bytes | Answer, keep: bool = False, pings: bool = True) -> None:
        self._answers = list(answers)
        self._keep = keep
        self._pings = pings
        self._folder = tempfile.TemporaryDirectory(prefix="ck")
        self.url = f"unix://{self._folder.name}/s"
        self.requests: list[bytes] = []
        self._open: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(f"{self._folder.name}/s")
        self._server.listen(16)
        self._stopped = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            self._open.append(near)
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), near:
            while request := self._read(near):
                self.requests.append(request)
                if b" /_ping" in request:
                    if not self._pings:
                        self._stopped.wait(30)
                    near.sendall(sized(b"OK"))
                    continue
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                if callable(answer):
                    answer(near, request)
                else:
                    near.sendall(answer)
                if not self._keep:
                    return

    @staticmethod
    def _read(near: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = near.recv(1 << 16)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                while len(body) < int(line.split(b":")[1]):
                    body += near.recv(1 << 16)
            if line == b"transfer-encoding: chunked":
                while not body.endswith(b"0\r\n\r\n"):
                    body += near.recv(1 << 16)
        return head + b"\r\n\r\n" + body

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for near in self._open:
            with contextlib.suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)
        self._folder.cleanup()


def slowly(data: bytes, pause: float) -> Answer:
    """Return an answer that sends byte by byte."""

    def answer(near: socket.socket, _request: bytes) -> None:
        for at in range(len(data)):
            near.sendall(data[at : at + 1])
            time.sleep(pause)

    return answer


def after(seconds: float, data: bytes) -> Answer:
    """Return an answer that comes late."""

    def answer(near: socket.socket, _request: bytes) -> None:
        time.sleep(seconds)
        near.sendall(data)

    return answer
