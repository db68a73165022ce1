"""The connection to the standard streams of a process in a container."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import ContainerKitError, EngineTimeout, EngineUnavailable
from .deadline import Deadline
from .frames import Output, demultiplex, whole_characters
from .stream import Closeable

_CHUNK = 1 << 16


class Attachment(Closeable):
    """A connection both ways to the standard streams of a process.

    Args:
        sock: the socket of the upgraded HTTP connection.
        early: bytes of the stream that arrived with the response header.
        framed: stdout and stderr come in frames, as without a terminal; else everything is stdout.

    Attributes:
        reset: the engine reset the connection because input was left unread; all output has been read.
    """

    def __init__(
        self, sock: socket.socket, early: bytes = b"", *, framed: bool, on_close: Callable[[], None] | None = None
    ) -> None:
        super().__init__(on_close)
        self.reset = False
        self._sock = sock
        self._early = early
        self._framed = framed
        self._io = threading.Lock()  # a TLS connection must not be read and written at once

    def exchange(
        self,
        data: bytes | Iterable[bytes] | None = None,
        *,
        timeout: float | None = None,
        on_idle: Callable[[], bool] | None = None,
        idle: float = 1.0,
    ) -> Iterator[Output]:
        """Send `data` to stdin, close stdin, and yield the output until the other side ends.

        Args:
            data: for stdin; None leaves stdin open, b"" closes it at once.
            timeout: seconds for the whole exchange; the current `Deadline` holds too.
            on_idle: called whenever `idle` seconds passed without output; returning True ends the exchange.

        Raises:
            EngineTimeout: the time ran out.
            EngineUnavailable: the connection was lost.
        """
        chunks = self._pump(data, Deadline.after(timeout), on_idle, idle)
        outputs = demultiplex(chunks) if self._framed else (Output("stdout", chunk) for chunk in chunks)
        try:
            yield from whole_characters(outputs)
        except ContainerKitError:
            if not self.closed:
                raise
        finally:
            chunks.close()

    def _pump(
        self,
        data: bytes | Iterable[bytes] | None,
        deadline: Deadline,
        on_idle: Callable[[], bool] | None,
        idle: float,
    ) -> Any:
        """Yield the bytes that arrive, while the input is sent."""
        sock = self._sock
        source = None if data is None else iter((data,) if isinstance(data, (bytes, bytearray, memoryview)) else data)
        pending: memoryview | None = None
        sent = False
        if self._early:
            early, self._early = self._early, b""
            yield early
        poll = select.poll()
        with contextlib.suppress(OSError):  # closed from another thread
            sock.setblocking(False)
        quiet_since = time.monotonic()
        while not self.closed:
            if source is not None and pending is None:
                piece = next(source, None)
                if piece is None:
                    source = None
                    self._half_close()
                else:
                    pending = memoryview(piece)
            try:
                poll.register(sock, select.POLLIN | (select.POLLOUT if pending is not None else 0))
                wait = idle if on_idle else 3600.0
                left = deadline.remaining()
                if left is not None:
                    wait = min(wait, left)
                with deadline.waking(sock):
                    ready = poll.poll(wait * 1000)
            except TimeoutError:  # cancelled
                ready = []
            except (OSError, ValueError):
                return  # closed from another thread
            if deadline.expired:
                limit = deadline.timeout or 0.0
                raise EngineTimeout(f"the process still runs after {limit:g} s", timeout=limit)
            if not ready:
                if on_idle and time.monotonic() - quiet_since >= idle:
                    if on_idle():
                        return
                    quiet_since = time.monotonic()
                continue
            flags = ready[0][1]
            if flags & select.POLLOUT and pending is not None:
                try:
                    pending = pending[sock.send(pending[:_CHUNK]) :]
                    sent = True
                    if not pending:
                        pending = None
                except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    pass
                except (BrokenPipeError, ConnectionResetError):
                    # The process closed its stdin or ended. Its output is still read; the rest of the input is dropped.
                    pending = source = None
            if flags & (select.POLLIN | select.POLLHUP | select.POLLERR):
                while True:  # a TLS socket may hold more than poll sees
                    try:
                        with self._io:
                            chunk = sock.recv(_CHUNK)
                    except (BlockingIOError, ssl.SSLWantReadError):
                        break
                    except ssl.SSLZeroReturnError:
                        return  # the other side's close_notify after ours: a proper end
                    except OSError as exc:
                        # After all output, Podman resets a connection whose input was left unread.
                        if sent and isinstance(exc, ConnectionResetError):
                            self.reset = True
                            return
                        if self.closed:
                            return
                        raise EngineUnavailable(f"the connection to the process was lost: {exc}") from exc
                    if not chunk:
                        return
                    quiet_since = time.monotonic()
                    yield chunk
                    if len(chunk) < _CHUNK:
                        break

    def send(self, data: bytes) -> None:
        """Send bytes to stdin, from any thread, while another iterates `exchange`.

        Raises:
            EngineUnavailable: the process no longer reads, or the streams are closed.
        """
        pending = memoryview(data)
        while pending:
            try:
                self._sock.setblocking(False)
                with self._io:
                    pending = pending[self._sock.send(pending[:_CHUNK]) :]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):  # noqa: PERF203
                poll = select.poll()
                poll.register(self._sock, select.POLLOUT)
                poll.poll(1000)
            except (OSError, ValueError) as exc:
                raise EngineUnavailable(f"the process no longer reads its stdin: {exc}") from exc

    def end_input(self) -> None:
        """End stdin, from any thread; the output continues."""
        self._half_close()

    def _half_close(self) -> None:
        """End the input; the output continues."""
        with self._lock, contextlib.suppress(OSError):
            if self._sock.fileno() < 0:
                return  # closed from another thread
            if isinstance(self._sock, ssl.SSLSocket):
                _send_close_notify(self._sock)
            else:
                self._sock.shutdown(socket.SHUT_WR)

    def _disconnect(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits in poll
        with contextlib.suppress(OSError):
            self._sock.close()

    def __enter__(self) -> Attachment:
        return self


def _send_close_notify(sock: ssl.SSLSocket) -> None:
    """End the sending direction of a TLS connection, and leave the other direction open.

    Python can only end both: unwrap() also reads until the other side ends, and loses output. So unwrap() gets a socket
    with nothing to read, and what it writes there is sent on.
    """
    number = sock.fileno()
    kept = os.dup(number)
    try:
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            os.dup2(near.fileno(), number, inheritable=False)
            try:
                with contextlib.suppress(ssl.SSLError):  # it wants to read
                    sock.unwrap()
            finally:
                os.dup2(kept, number, inheritable=False)
            far.setblocking(False)
            record = far.recv(_CHUNK)
        poll = select.poll()
        poll.register(number, select.POLLOUT)
        while record:
            poll.poll(1000)
            with contextlib.suppress(BlockingIOError):
                record = record[os.write(number, record) :]
    finally:
        os.close(kept)
