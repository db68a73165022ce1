"""Sources of tar bytes: a part of a file, or a stream. A scanner reads headers and skips payload on either.

A source counts its own ``position`` in bytes from its start. ``take(n)`` returns up to n bytes (fewer only at the end),
and ``skip(n)`` skips up to n bytes and returns how many.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Protocol

__all__ = ["FileSource", "Source", "StreamSource"]

# Most headers are a payload apart, so a large window would copy unused bytes; small files and folders come in
# clusters, so single blocks would cost a system call each. 4 to 16 KiB measured alike.
_WINDOW = 8 << 10
_CHUNK = 1 << 20


class Source(Protocol):
    """A tar that is read from front to back."""

    position: int

    def take(self, count: int, /) -> bytes: ...
    def skip(self, count: int, /) -> int: ...
    def chunks(self, count: int | None = None, /) -> Iterator[bytes]: ...


class FileSource:
    """``size`` bytes of an open file from ``start``; payload is skipped by arithmetic, never read.

    Uses ``pread`` and not ``mmap``: mapped pages count as resident memory (132 MiB for a 220 MB archive), and a file
    that shrinks while it is mapped ends the process with SIGBUS.
    """

    __slots__ = ("_at", "_fd", "_size", "_start", "_window", "position")

    def __init__(self, fd: int, start: int, size: int) -> None:
        self._fd = fd
        self._start = start
        self._size = size
        self._window = b""
        self._at = 0
        self.position = 0

    def take(self, count: int, /) -> bytes:
        at = self.position - self._at
        data = self._window[at : at + count] if at >= 0 else b""
        if len(data) < count:
            want = min(max(count, _WINDOW), self._size - self.position)
            self._window = os.pread(self._fd, want, self._start + self.position) if want > 0 else b""
            self._at = self.position
            data = self._window[:count]
        self.position += len(data)
        return data

    def skip(self, count: int, /) -> int:
        step = min(count, self._size - self.position)
        self.position += step
        return step

    def chunks(self, count: int | None = None, /) -> Iterator[bytes]:
        left = self._size - self.position
        if count is not None:
            left = min(left, count)
        while left > 0:
            data = os.pread(self._fd, min(left, _CHUNK), self._start + self.position)
            if not data:
                return
            self.position += len(data)
            left -= len(data)
            yield data


class StreamSource:
    """Chunks of bytes as they arrive; holds one chunk at a time."""

    __slots__ = ("_chunk", "_chunks", "_used", "position")

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = b""
        self._used = 0
        self.position = 0

    def take(self, count: int, /) -> bytes:
        used = self._used
        data = self._chunk[used : used + count]
        if len(data) == count:
            self._used = used + count
            self.position += count
            return data
        parts = [data]
        missing = count - len(data)
        while missing and self._refill():
            parts.append(self._chunk[:missing])
            self._used = len(parts[-1])
            missing -= self._used
        data = b"".join(parts)
        self.position += len(data)
        return data

    def skip(self, count: int, /) -> int:
        left = count
        while left > 0:
            here = len(self._chunk) - self._used
            if here >= left:
                self._used += left
                left = 0
            else:
                left -= here
                if not self._refill():
                    break
        self.position += count - left
        return count - left

    def chunks(self, count: int | None = None, /) -> Iterator[bytes]:
        left = count
        while left is None or left > 0:
            if self._used >= len(self._chunk) and not self._refill():
                return
            used = self._used
            end = len(self._chunk) if left is None else min(len(self._chunk), used + left)
            data = self._chunk if used == 0 and end == len(self._chunk) else self._chunk[used:end]
            self._used = end
            self.position += len(data)
            if left is not None:
                left -= len(data)
            yield data

    def _refill(self) -> bool:
        """Release the current chunk and fetch the next non-empty one."""
        self._chunk = b""
        self._used = 0
        for chunk in self._chunks:
            if chunk:
                self._chunk = chunk
                return True
        return False
