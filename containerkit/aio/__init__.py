"""The async face of containerkit: the same values and names, with `await`.

Each call runs in a worker thread. Cancelling a task that awaits a call ends the call's requests, and removes what the
call made. `__init__.pyi` holds the types; `docs/make_aio.py` generates it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

from .. import engine
from ..discovery import connect as connecting
from ..leftovers import cleanup as _cleanup
from ..resources import container, containers, image, images, networks, volumes
from .face import Face, Opening, face_of, plain_call
from .reading import ByteStream, Lines, Stream, Terminal
from .workers import THREADS, Workers

__all__ = [
    "ByteStream",
    "Container",
    "Containers",
    "Engine",
    "Image",
    "Images",
    "Network",
    "Networks",
    "Stream",
    "Terminal",
    "Volume",
    "Volumes",
    "call",
    "cleanup",
    "connect",
    "discover",
]


class Container(Face, of=container.Container):
    def logs(
        self,
        stream: Literal["stdout", "stderr"] | None = None,
        *,
        follow: bool = False,
        since: float | None = None,
        until: float | None = None,
        tail: int | None = None,
        timestamps: bool = False,
    ) -> Lines:
        """Return what the container has written: await it, or read its lines by `async for`.

        Args:
            stream: "stdout" or "stderr"; None for both.
            follow: for `async for`: continue until the container exits.
            since, until: seconds since the epoch, or a datetime.
            tail: return only this many lines from the end.
            timestamps: prefix each line with its time.
        """
        options = {"since": since, "until": until, "tail": tail, "timestamps": timestamps}
        return Lines(self, {"stream": stream, "follow": follow, **options})

    warnings = property(lambda self: self._sync.warnings, doc="Warnings from the container's creation.")


class Containers(Face, of=containers.Containers):
    pass


class Image(Face, of=image.Image):
    pass


class Images(Face, of=images.Images):
    pass


class Network(Face, of=networks.Network):
    pass


class Networks(Face, of=networks.Networks):
    pass


class Volume(Face, of=volumes.Volume):
    pass


class Volumes(Face, of=volumes.Volumes):
    pass


class Engine(Face, of=engine.Engine):
    def __init__(self, sync: engine.Engine, workers: Workers) -> None:
        super().__init__(sync, workers)
        self.containers = Containers(sync.containers, workers)
        self.images = Images(sync.images, workers)
        self.volumes = Volumes(sync.volumes, workers)
        self.networks = Networks(sync.networks, workers)


def connect(target: Any = None, *, timeout: float = 60.0, reaper: bool = False, threads: int = THREADS) -> Opening[Any]:
    """Open an Engine: `async with connect() as engine`, or `engine = await connect()`.

    Args:
        target, timeout, reaper: as in :func:`containerkit.connect`.
        threads: calls of this Engine that run at the same time; more of them wait. Closing never waits for them.

    Raises:
        EngineUnavailable, InvalidOption: as :func:`containerkit.connect`.
    """
    workers = Workers(threads)

    async def opened() -> Any:
        sync = await workers.run(
            lambda _: connecting.connect(target, timeout=timeout, reaper=reaper), undo=lambda made: made.close()
        )
        return face_of(sync, workers)

    return Opening(opened)


async def call(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function of containerkit in a worker thread, such as a method of LayerStack, and return its result.

    Args:
        function: any function that would block the event loop.
        args, options: its arguments; async objects stand for their synchronous ones.
    """
    return await _shared().run(lambda in_loop: plain_call(function, args, options, in_loop))


async def discover() -> Any:
    """Return every endpoint where an engine may answer. See :func:`containerkit.discover`."""
    return await call(connecting.discover)


async def cleanup(engine: Any = None, *, older_than: Any = None) -> Any:
    """Remove what dead sessions left behind. See :func:`containerkit.cleanup`."""
    return await call(_cleanup, engine, older_than=older_than)


@functools.cache
def _shared() -> Workers:
    return Workers()
