"""Reading responses from a socket: complete ones only, and within the limits of the request.

`http.client` accepts a header that ends early, and has a timeout for each read but none for the whole. The classes here
are put into the connections of a vendor's session, so that the vendor's client stays the HTTP implementation.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import requests.adapters

from ..streams import Deadline

__all__ = ["CutResponse", "Limits", "current_limits", "guard_session"]

#: Statuses without a body: informational ones, No Content, Not Modified.
_BODILESS = (*range(100, 200), 204, 304)


class CutResponse(http.client.RemoteDisconnected):
    """The connection ended, or the header lacks the length of the body."""


class Limits:
    """Time limits of one request: how long its socket may be silent, and when it must have ended.

    Attributes:
        silence: seconds for each read or write; None for no limit.
        probe: called after that silence; it returns to continue waiting, and raises to give up. None gives up.
    """

    def __init__(self, silence: float | None, deadline: Deadline, probe: Callable[[], None] | None = None) -> None:
        self.silence = silence
        self.deadline = deadline
        self.probe = probe

    def seconds(self) -> float | None:
        """Return the timeout for the next read or write. Raise TimeoutError if the deadline has passed."""
        if self.deadline.expired:
            raise TimeoutError("the deadline has passed")
        left = self.deadline.cap(self.silence)
        return None if left is None else max(left, 0.001)  # 0 would make the socket non-blocking

    def wait_longer(self) -> None:
        """Return if silence may continue; raise TimeoutError, or the error of the probe, if not."""
        if self.probe is None or self.deadline.expired:
            raise TimeoutError("the engine is silent")
        self.probe()


class _Current(threading.local):
    limits: Limits | None = None


_current = _Current()


def current_limits(limits: Limits | None) -> Limits | None:
    """Set the limits of this thread's next request; return the former ones."""
    former, _current.limits = _current.limits, limits
    return former


class GuardedReader(socket.SocketIO):
    """Reads a socket within limits, and remembers whether the other side has ended it."""

    def __init__(self, sock: Any, limits: Limits | None) -> None:
        super().__init__(sock, "rb")
        self.sock = sock
        self.limits = limits
        self.ended = False

    def readinto(self, buffer: Any) -> int | None:
        if self.limits is None:  # non-blocking, for the rest of a header's buffer
            try:
                return self.sock.recv_into(buffer)  # type: ignore[no-any-return]
            except (BlockingIOError, ssl.SSLWantReadError):
                return None
        while True:
            self.sock.settimeout(self.limits.seconds())
            try:
                with self.limits.deadline.waking(self.sock):
                    count: int = self.sock.recv_into(buffer)
            except TimeoutError:
                self.limits.wait_longer()
            else:
                self.ended = count == 0
                return count


class _ReaderFactory:
    """Gives http.client a guarded reader where it calls makefile() of a socket."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        raw = GuardedReader(self._sock, _current.limits)
        self._sock._io_refs += 1  # as socket.makefile does; closing the reader subtracts it
        return io.BufferedReader(raw)


class StrictResponse(http.client.HTTPResponse):
    """A response whose header is complete and says where the body ends."""

    def __init__(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        super().__init__(_ReaderFactory(sock), debuglevel, method, url)  # type: ignore[arg-type]
        self._is_head = method == "HEAD"

    def begin(self) -> None:
        super().begin()
        reader: Any = self.fp.raw
        if reader.ended:  # http.client accepts the end of the connection as the end of the header
            raise CutResponse("the connection ended inside the response header")
        sized = self.length is not None or self.chunked
        if not sized and not self._is_head and self.status not in _BODILESS:
            raise CutResponse("the response header lacks the length of the body")


def guard_session(session: requests.Session) -> None:
    """Make every connection of a session use StrictResponse, and respect the limits while sending."""
    for adapter in session.adapters.values():
        if isinstance(adapter, requests.adapters.HTTPAdapter):
            _guard_adapter(adapter)


def _guard_adapter(adapter: requests.adapters.HTTPAdapter) -> None:
    find_pool = adapter.get_connection_with_tls_context

    def guarded_pool(*args: Any, **options: Any) -> Any:
        pool: Any = find_pool(*args, **options)
        if "_new_conn" not in vars(pool):
            pool._new_conn = _guarded_factory(pool._new_conn)
        return pool

    adapter.get_connection_with_tls_context = guarded_pool  # type: ignore[method-assign]


def _guarded_factory(new_connection: Callable[[], Any]) -> Callable[[], Any]:
    def create() -> Any:
        connection = new_connection()
        connection.response_class = StrictResponse
        send = connection.send

        def guarded_send(data: Any) -> None:
            limits = _current.limits
            if limits is not None:
                if connection.sock is None:
                    connection.connect()
                connection.sock.settimeout(limits.seconds())
                with limits.deadline.waking(connection.sock):
                    send(data)
            else:
                send(data)

        connection.send = guarded_send
        return connection

    return create
