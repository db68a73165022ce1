"""A followed log that ends when its container does, and misses nothing, whatever the engine's own does."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from ..errors import ContainerKitError, NotFound
from ..streams import Output, OutputStream

_LOOK = 1.0  # seconds of silence before the container is looked at


class Followed:
    """A stream with somebody beside it who looks whether the container still runs.

    Args:
        stream: the engine's own followed log.
        rest: opens the whole log once more, unfollowed; None where parts of it were asked for only.
        runs: whether the container runs.
    """

    def __init__(self, stream: OutputStream, rest: Callable[[], OutputStream] | None, runs: Callable[[], bool]) -> None:
        self._stream = stream
        self._rest = rest
        self._runs = runs
        self._last = time.monotonic()
        self._ended = threading.Event()
        self._closed = False

    def __iter__(self) -> Iterator[Output]:
        seen = {"stdout": 0, "stderr": 0}
        threading.Thread(target=self._watch, daemon=True, name="containerkit-follow").start()
        try:
            for output in self._stream:
                self._last = time.monotonic()
                seen[output.stream] += len(output.data)
                yield output
        finally:
            self._ended.set()
        if self._rest and not self._closed:
            with contextlib.suppress(NotFound), self._rest() as whole:
                for output in whole:
                    known = min(seen[output.stream], len(output.data))
                    seen[output.stream] -= known
                    if output.data[known:]:
                        yield Output(output.stream, output.data[known:])

    def _watch(self) -> None:
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
                self._stream.close()
                return

    def close(self) -> None:
        """End it from any thread."""
        self._closed = True
        self._ended.set()
        self._stream.close()
