"""Streams that any thread can close, and that raise when the connection is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from .frames import Output

__all__ = ["ByteStream", "Closeable", "OutputStream", "Stream"]

T = TypeVar("T")
S = TypeVar("S", bound="Stream[Any]")


class Closeable:
    """A context manager whose `close` may be called from any thread, any number of times."""

    def __init__(self, on_close: Callable[[], None] | None) -> None:
        self._on_close = on_close
        self._lock = threading.Lock()
        self.closed = False

    def close(self) -> None:
        """End the stream. An iteration that waits in another thread ends too."""
        with self._lock:
            if self.closed:
                return
            self.closed = True  # first: a reader that wakes up then knows why
            self._disconnect()
        if self._on_close:
            self._on_close()

    def _disconnect(self) -> None:
        """Close the connection, if the stream owns one."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Stream(Closeable, Generic[T]):
    """Items from an engine as they arrive, in constant memory. It can be read once.

    Iterating raises errors of containerkit only. A lost connection raises EngineUnavailable; it never ends the stream.

    Example:
        >>> with Stream(iter("ab")) as stream:
        ...     list(stream)
        ['a', 'b']
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
            if not self.closed:  # closing the connection under a reader raises any kind of error in it
                raise
        finally:
            self.close()

    def __enter__(self: S) -> S:
        return self


class ByteStream(Stream[bytes]):
    """Bytes, in pieces of any length."""

    def read(self) -> bytes:
        """Return all remaining bytes."""
        return b"".join(self)


class OutputStream(Stream[Output]):
    """Output of processes, in pieces of any length."""
