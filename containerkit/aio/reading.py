"""The streams of the async face, and logs that are awaited whole or read line by line."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator
from typing import Any

from .. import streams
from ..errors import InvalidOption
from ..resources import terminal
from ..resources.logs import Logs
from .face import Face, Opening

_END = object()


class Readable(Face):
    """Something that is read by `async for`, once."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the items as they arrive; the stream is closed at its end, and when the loop is left."""
        sync, workers = self._sync, self._workers
        items = iter(sync)
        try:
            while True:
                item = await workers.run(lambda _: next(items, _END), stop=sync.close)
                if item is _END:
                    return
                yield item
        finally:
            await workers.close(sync.close)


class Stream(Readable, of=streams.Stream):
    closed = property(lambda self: self._sync.closed, doc="True once the stream has been closed.")


class ByteStream(Stream, of=streams.ByteStream):
    pass


class Terminal(Readable, of=terminal.Terminal):
    closed = property(lambda self: self._sync.closed, doc="True once the streams have been closed.")
    tty = property(lambda self: self._sync.tty, doc="True if the process has a terminal.")


class Lines(Opening[Logs]):
    """A log: await it for what was written so far, or read its lines by `async for`.

    Args:
        container: the async container.
        options: of `Container.logs`, and `follow`.
    """

    def __init__(self, container: Face, options: dict[str, Any]) -> None:
        self._container = container
        self._follow = options.pop("follow")
        self._options = options
        super().__init__(self._whole)

    async def _whole(self) -> Logs:
        if self._follow:
            raise InvalidOption("follow", True, "`async for line in container.logs(follow=True)`, or no follow")
        result: Logs = await self._container._run("logs", (), self._options)
        return result

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield the lines of both streams without their ends; a line comes once it is complete."""
        decoders: dict[str, codecs.IncrementalDecoder] = {}
        rest: dict[str, str] = {}
        stream: Readable = await self._container._run("stream_logs", (), {**self._options, "follow": self._follow})
        async with stream:
            async for output in stream:
                name = output.stream
                decoder = decoders.setdefault(name, codecs.getincrementaldecoder("utf-8")("replace"))
                *lines, rest[name] = (rest.get(name, "") + decoder.decode(output.data)).split("\n")
                for line in lines:
                    yield line.removesuffix("\r")
        for line in rest.values():
            if line:
                yield line


__all__ = ["ByteStream", "Lines", "Readable", "Stream", "Terminal"]
