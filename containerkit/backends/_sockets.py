"""The transport to a unix socket, over the standard library: importing a vendor's client takes longer than a run."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, IncompleteRead
from typing import Any

from ._exchange import CHUNK, PatientTransport
from ._wire import StrictResponse, send_within
from .transport import Request, UpgradeResponse

__all__ = ["SocketTransport"]

_IDLE = 64  # connections that are kept for later requests
_LINE = 1 << 16  # bytes of the longest line in a chunked body
_SIZE = re.compile(rb"[0-9a-fA-F]{1,16}\s*(?:;.*)?\r?\n", re.DOTALL)


class SocketTransport(PatientTransport):
    """Sends requests through a unix socket. A process that was forked opens connections of its own.

    Args:
        path: of the socket.
        url: the address of the engine, for error messages.
    """

    def __init__(self, path: str, url: str) -> None:
        super().__init__(url)
        self._path = path
        self.lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._pid = os.getpid()

    def close(self) -> None:
        with self.lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _open(self, request: Request, headers: Mapping[str, str], silence: float | None) -> _SocketAnswer:
        connection = self._connection(silence)
        try:
            connection.reusable = True
            try:
                connection.request(request.method, request.target, request.body, dict(headers))
            except BrokenPipeError:  # the engine refused the body before its end, and says why
                connection.reusable = False
            sock = connection.sock
            response = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        assert isinstance(response, StrictResponse)
        return _SocketAnswer(self, connection, sock, response)

    def _connection(self, silence: float | None) -> _Connection:
        """Return an idle connection that the engine has not ended, else a new one."""
        with self.lock:
            if self._pid != os.getpid():
                self._pid, self._idle = os.getpid(), []
            while self._idle:
                connection = self._idle.pop()
                if connection.is_quiet():
                    return connection
                connection.close()
        return _Connection(self._path, silence)

    def keep(self, connection: _Connection) -> None:
        """Keep a connection for later requests."""
        with self.lock:
            if self._pid == os.getpid() and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()


class _Connection(HTTPConnection):
    response_class = StrictResponse
    reusable = True

    def __init__(self, path: str, silence: float | None) -> None:
        super().__init__("localhost")
        self._path = path
        self._silence = silence

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self._silence)
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        self.sock = sock

    def send(self, data: Any) -> None:
        send_within(self, super().send, data)

    def is_quiet(self) -> bool:
        """Return False if the engine has ended the connection, or sent something nobody asked for."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)


class _SocketAnswer:
    """A response of http.client."""

    def __init__(
        self, transport: SocketTransport, connection: _Connection, sock: socket.socket, response: StrictResponse
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        self._transport = transport
        self._connection = connection
        self._sock = sock
        self._response = response
        self._over = False

    def chunks(self) -> Iterator[bytes]:
        response: Any = self._response
        if response.bodiless:
            return
        try:
            yield from _chunked(response.fp) if response.chunked else _sized(response.fp, response.length)
        except ValueError as exc:  # closed by another thread
            raise HTTPException(f"the response was closed: {exc}") from exc

    def release(self) -> None:
        self._response.close()
        if self._ended():
            return
        if self._connection.reusable and not self._response.will_close:
            self._transport.keep(self._connection)
        else:
            self._connection.close()

    def close(self) -> None:
        if not self._ended():
            self._response.close()
            self._connection.close()

    def abort(self) -> None:
        if self._ended():
            return
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, ValueError):
            self._response.close()
            self._connection.close()

    def _ended(self) -> bool:
        """Return whether the connection is no longer this response's, and make it so."""
        with self._transport.lock:
            ended, self._over = self._over, True
        return ended

    def take(self) -> UpgradeResponse:
        reader: Any = self._response.fp
        reader.raw.limits = None
        self._sock.setblocking(False)
        early = reader.peek() or b""
        sock = socket.socket(fileno=os.dup(self._sock.fileno()))
        self.close()
        return UpgradeResponse(sock, early, lambda: None)


def _sized(reader: Any, length: int) -> Iterator[bytes]:
    while length:
        piece = reader.read1(min(length, CHUNK))
        if not piece:
            raise IncompleteRead(b"", length)
        length -= len(piece)
        yield piece


def _chunked(reader: Any) -> Iterator[bytes]:
    while True:
        line = reader.readline(_LINE)
        if not _SIZE.fullmatch(line):
            if not line.endswith(b"\n"):
                raise IncompleteRead(line)
            raise HTTPException(f"invalid response body: {line[:40]!r} is no size of a chunk")
        size = int(line.partition(b";")[0], 16)
        if not size:
            break
        yield from _sized(reader, size)
        if reader.readline(_LINE) not in (b"\r\n", b"\n"):
            raise IncompleteRead(b"")
    while (line := reader.readline(_LINE)) not in (b"\r\n", b"\n"):  # trailers
        if not line.endswith(b"\n"):
            raise IncompleteRead(line)
