"""A followed log that ends when its container does, and has every line, where the engine's own may not."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from ..errors import ContainerKitError, EngineTimeout, NotFound
from ..streams import Output, OutputStream

_SILENCE = 1.0  # seconds without output after which the state of the container is read


class Followed:
    """Reads a followed log, while a thread watches whether the container still runs.

    Args:
        follow: open the engine's followed log. EngineTimeout means that nothing has been written yet.
        read: open the same log without following it.
        runs: return whether the container runs.
        whole: the log is read from its beginning, so lines missing at its end can be found.
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
        if stream is None:  # the container ended before its log could be followed
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
        """Return the followed log once it answers, or None if the container ended or the reader closed before."""
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
        """Yield the part of the log that the followed one did not have."""
        with contextlib.suppress(NotFound), self._read() as whole:
            for output in whole:
                known = min(seen[output.stream], len(output.data))
                seen[output.stream] -= known
                if output.data[known:]:
                    yield Output(output.stream, output.data[known:])

    def _watch(self, stream: OutputStream) -> None:
        """Close the log when the container has not run for two looks, each after a second of silence."""
        stopped = 0
        while not self._ended.wait(_SILENCE):
            if time.monotonic() - self._last < _SILENCE:
                stopped = 0
                continue
            try:
                stopped = 0 if self._runs() else stopped + 1
            except NotFound:
                stopped += 1
            except ContainerKitError:
                continue  # the reader gets the same error and raises it
            if stopped >= 2:
                stream.close()
                return

    def close(self) -> None:
        """End the log, from any thread."""
        self._closed = True
        self._ended.set()
        if self._stream is not None:
            self._stream.close()
