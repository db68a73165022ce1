"""Byte streams from an engine: demultiplexed, closeable from another thread, and never cut short in silence."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar

from .errors import ContainerKitError, EngineTimeout, EngineUnavailable
from .values import Value

__all__ = ["Attachment", "ByteStream", "Output", "OutputStream", "Stream", "demultiplex"]

T = TypeVar("T")
S = TypeVar("S", bound="Stream[Any]")

_CHUNK = 1 << 16
#: Frame header of the engines' raw stream: 1 byte stream, 3 bytes zero, 4 bytes length (big-endian).
_HEADER = 8
_NAMES: dict[int, Literal["stdout", "stderr"]] = {0: "stdout", 1: "stdout", 2: "stderr"}


@dataclass(frozen=True, slots=True)
class Output(Value):
    """A piece of what a process wrote. The order between the two streams is not promised; within one it is."""

    stream: Literal["stdout", "stderr"]
    data: bytes

    @property
    def text(self) -> str:
        """The piece as UTF-8; bytes that are not become U+FFFD."""
        return self.data.decode("utf-8", "replace")


def demultiplex(chunks: Iterable[bytes]) -> Iterator[Output]:
    """Take the frames apart, whatever pieces they come in.

    Raises:
        EngineUnavailable: the stream ends inside a frame, or what comes is no frame.
    """
    buffer = bytearray()
    left = 0  # payload of the current frame still to come
    name: Literal["stdout", "stderr"] = "stdout"
    for chunk in chunks:
        buffer += chunk
        while buffer:
            if not left:
                if len(buffer) < _HEADER:
                    break
                if buffer[0] == 3 and buffer[1:4] == b"\0\0\0":  # an error of the engine's own, in the stream
                    raise EngineUnavailable(
                        f"the engine broke off: {bytes(buffer[_HEADER:]).decode('utf-8', 'replace')}"
                    )
                if buffer[0] not in _NAMES or buffer[1:4] != b"\0\0\0":
                    raise EngineUnavailable(f"not a frame of an engine's stream: {bytes(buffer[:_HEADER])!r}")
                name = _NAMES[buffer[0]]
                left = int.from_bytes(buffer[4:_HEADER], "big")
                del buffer[:_HEADER]
                continue
            piece = bytes(buffer[:left])
            del buffer[: len(piece)]
            left -= len(piece)
            yield Output(name, piece)
    if buffer or left:
        raise EngineUnavailable("the connection was cut in the middle of an output frame")


class _Closeable:
    """`with`, and a close that may come from any thread and any number of times."""

    def __init__(self, on_close: Callable[[], None] | None) -> None:
        self._on_close = on_close
        self._lock = threading.Lock()
        self.closed = False

    def close(self) -> None:
        """End the stream; an iteration that waits in another thread ends too."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
        if self._on_close:
            self._on_close()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Stream(_Closeable, Generic[T]):
    """Things from an engine as they come, in constant memory; read it once.

    Errors while reading are containerkit's own. A connection that is cut raises, it does not end the stream.
    """

    def __init__(self, items: Iterator[T], *, on_close: Callable[[], None] | None = None) -> None:
        super().__init__(on_close)
        self._items = items

    def __iter__(self) -> Iterator[T]:
        try:
            for item in self._items:
                if self.closed:
                    return
                yield item
        except Exception:
            if not self.closed:  # a reader that meets a stream closed under it may meet anything
                raise
        finally:
            self.close()

    def __enter__(self: S) -> S:
        return self


class ByteStream(Stream[bytes]):
    """Bytes, in pieces of any length."""

    def read(self) -> bytes:
        """Everything that is left, in memory."""
        return b"".join(self)


class OutputStream(Stream[Output]):
    """What processes write, in pieces of any length."""


class Attachment(_Closeable):
    """A connection both ways to the standard streams of a process.

    Args:
        sock: the socket that was taken over from HTTP.
        early: bytes of the stream that had been read with the answer's header.
        framed: stdout and stderr come in frames (they do without a terminal); else all is stdout.
    """

    def __init__(
        self, sock: socket.socket, early: bytes = b"", *, framed: bool, on_close: Callable[[], None] | None = None
    ) -> None:
        super().__init__(on_close)
        self.reset = False  # it ended so while there was input that nobody read; all output had been given
        self._sock = sock
        self._early = early
        self._framed = framed

    def exchange(
        self,
        data: bytes | Iterable[bytes] | None = None,
        *,
        timeout: float | None = None,
        on_idle: Callable[[], bool] | None = None,
        idle: float = 1.0,
    ) -> Iterator[Output]:
        """Feed `data` to stdin, close it, and give out what is written until the other side ends.

        Args:
            data: for stdin; None leaves it alone, b"" closes it at once.
            timeout: seconds for the whole exchange.
            on_idle: asked whenever `idle` seconds passed without output; True ends the exchange.

        Raises:
            EngineTimeout: the time ran out. EngineUnavailable: the connection was cut.
        """
        chunks = self._pump(data, timeout, on_idle, idle)
        outputs = demultiplex(chunks) if self._framed else (Output("stdout", chunk) for chunk in chunks)
        try:
            yield from outputs
        except ContainerKitError:
            if not self.closed:
                raise
        finally:
            chunks.close()

    def _pump(
        self,
        data: bytes | Iterable[bytes] | None,
        timeout: float | None,
        on_idle: Callable[[], bool] | None,
        idle: float,
    ) -> Any:
        sock, deadline = self._sock, None if timeout is None else time.monotonic() + timeout
        source = None if data is None else iter((data,) if isinstance(data, (bytes, bytearray, memoryview)) else data)
        pending: memoryview | None = None
        sent = False
        if self._early:
            early, self._early = self._early, b""
            yield early
        poll = select.poll()
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
                now = time.monotonic()
                wait = idle if on_idle else 3600.0
                if deadline is not None:
                    wait = min(wait, max(0.0, deadline - now))
                ready = poll.poll(wait * 1000)
            except (OSError, ValueError):
                return  # closed from another thread
            if deadline is not None and time.monotonic() >= deadline:
                raise EngineTimeout(f"no end after {timeout:g} s", timeout=timeout or 0.0)
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
                    # The process closed its stdin or ended: what it wrote still counts, the rest of ours is moot.
                    pending = source = None
            if flags & (select.POLLIN | select.POLLHUP | select.POLLERR):
                while True:  # a TLS socket may hold more than poll sees
                    try:
                        chunk = sock.recv(_CHUNK)
                    except (BlockingIOError, ssl.SSLWantReadError):
                        break
                    except ssl.SSLZeroReturnError:
                        return  # the other side's close_notify after ours: its proper end
                    except OSError as exc:
                        # Podman resets a connection of which input is left unread, when all output has been given.
                        if sent and isinstance(exc, ConnectionResetError):
                            self.reset = True
                            return
                        if self.closed:
                            return
                        raise EngineUnavailable(f"the connection to the process was cut: {exc}") from exc
                    if not chunk:
                        return
                    quiet_since = time.monotonic()
                    yield chunk
                    if len(chunk) < _CHUNK:
                        break

    def _half_close(self) -> None:
        """Tell the other side that no more input comes, while its output still may."""
        with self._lock, contextlib.suppress(OSError):
            if self._sock.fileno() < 0:
                return  # closed from another thread
            if isinstance(self._sock, ssl.SSLSocket):
                _send_close_notify(self._sock)
            else:
                self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with self._lock:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits in poll
            with contextlib.suppress(OSError):
                self._sock.close()
        super().close()

    def __enter__(self) -> Attachment:
        return self


def _send_close_notify(sock: ssl.SSLSocket) -> None:
    """End our way of a TLS connection, and leave the other open.

    Python can only do both: unwrap() goes on to read the other side's end, and loses what output it meets instead. So
    it is given a socket on which there is nothing to read, and what it wrote there is sent on.
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
