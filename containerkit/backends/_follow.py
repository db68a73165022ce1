"""A followed log that ends when its container does, and misses nothing, whatever the engine's own does."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from ..errors import ContainerKitError, EngineTimeout, NotFound
from ..streams import Output, OutputStream

_LOOK = 1.0  # seconds of silence before the container is looked at


class Followed:
    """A stream with somebody beside it who looks whether the container still runs.

    Args:
        follow: opens the engine's own followed log; EngineTimeout says that nothing has been written yet.
        read: opens the same log, unfollowed.
        runs: whether the container runs.
        whole: the log is asked for from its beginning, so that what is missing at the end can be told.
    """

    def __init__(
        self,
        follow: Callable[[], OutputStream],
        read: Callable[[], OutputStream],
        runs: Callable[[], bool],
        *,
        whole: bool,
    ) -> None:
        self._follow = follow
        self._read = read
        self._runs = runs
        self._whole = whole
        self._stream: OutputStream | None = None
        self._last = time.monotonic()
        self._ended = threading.Event()
        self._closed = False

    def __iter__(self) -> Iterator[Output]:
        stream = self._open()
        if self._closed:
            return
        if stream is None:  # it ended without a word that could be followed
            with self._read() as written:
                yield from written
            return
        seen = {"stdout": 0, "stderr": 0}
        threading.Thread(target=self._watch, args=(stream,), daemon=True, name="containerkit-follow").start()
        try:
            for output in stream:
                self._last = time.monotonic()
                seen[output.stream] += len(output.data)
                yield output
        finally:
            self._ended.set()
        if self._whole and not self._closed:
            yield from self._rest(seen)

    def _open(self) -> OutputStream | None:
        """The followed log, once it answers; None if the container ended, or the reader left, before it did."""
        while not self._closed:
            try:
                self._stream = self._follow()
            except EngineTimeout:
                if not self._runs():
                    return None
                continue
            if self._closed:
                self._stream.close()
            return self._stream
        return None

    def _rest(self, seen: dict[str, int]) -> Iterator[Output]:
        """What the log holds beyond what came."""
        with contextlib.suppress(NotFound), self._read() as whole:
            for output in whole:
                known = min(seen[output.stream], len(output.data))
                seen[output.stream] -= known
                if output.data[known:]:
                    yield Output(output.stream, output.data[known:])

    def _watch(self, stream: OutputStream) -> None:
        quiet = 0
        while not self._ended.wait(_LOOK):
            if time.monotonic() - self._last < _LOOK:
                quiet = 0
                continue
            try:
                quiet = 0 if self._runs() else quiet + 1
            except NotFound:
                quiet += 1
            except ContainerKitError:
                continue  # the reader meets the same and tells it
            if quiet >= 2:
                stream.close()
                return

    def close(self) -> None:
        """End it from any thread."""
        self._closed = True
        self._ended.set()
        if self._stream is not None:
            self._stream.close()
