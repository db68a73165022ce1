"""Threads that make the calls of an async engine, and what happens when the task that awaits one is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ..errors import ContainerKitError, InvalidOption
from ..streams import Cancellation, Deadline

__all__ = ["THREADS", "Workers"]

T = TypeVar("T")
#: Calls that one async engine makes at the same time, unless connect() is given another number.
THREADS = 32
_CLOSING = 4  # threads that close and remove: they never wait for a free thread of the calls
log = logging.getLogger("containerkit")


class Workers:
    """A bounded number of threads that make calls for an event loop.

    A task that is cancelled while it awaits a call ends the call's requests, waits until the call has killed, closed
    and removed what it made, and is cancelled then.

    Args:
        threads: calls at the same time; more of them wait.
    """

    def __init__(self, threads: int = THREADS) -> None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise InvalidOption("threads", threads, "a whole number, 1 or more")
        self._calls = ThreadPoolExecutor(threads, "containerkit-aio")
        self._closing = ThreadPoolExecutor(_CLOSING, "containerkit-aio-close")

    async def run(
        self,
        call: Callable[[Callable[[Any], Any]], T],
        *,
        stop: Callable[[], object] | None = None,
        undo: Callable[[T], object] | None = None,
    ) -> T:
        """Make a call in a thread and return its result.

        Args:
            call: receives a function that makes a callback run in the event loop.
            stop: called once the task is cancelled; it must not block.
            undo: called with the result if the task was cancelled and the call succeeded all the same.
        """
        loop = asyncio.get_running_loop()
        cancellation = Cancellation()

        def work() -> T:
            with Deadline.current().cancelled_by(cancellation):
                return call(lambda callback: _in_loop(callback, loop, cancellation))

        future = self._calls.submit(contextvars.copy_context().run, work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if not future.cancelled():  # it began
                cancellation.cancel()
                if stop:
                    stop()
                await _finished(future)
                if undo and not future.cancelled() and future.exception() is None:
                    undoing = self._closing.submit(_undo, undo, future.result())
                    await _finished(undoing)
            raise

    async def close(self, call: Callable[[], T]) -> T:
        """Make a call that closes or removes something; it is completed even if the task is cancelled."""
        future = self._closing.submit(contextvars.copy_context().run, call)
        cancelled = await _finished(future)
        if cancelled is not None:
            raise cancelled
        return future.result()


async def _finished(future: Future[Any]) -> asyncio.CancelledError | None:
    """Wait until a call has ended, also if the task is cancelled meanwhile; return the cancellation."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    cancelled = None

    def done(_: Future[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(ended.set_result, None)

    future.add_done_callback(done)
    while not ended.done():
        try:
            await asyncio.wait({ended})
        except asyncio.CancelledError as exc:  # noqa: PERF203
            cancelled = exc
    return cancelled


def _undo(undo: Callable[[T], object], value: T) -> None:
    try:
        undo(value)
    except ContainerKitError as exc:
        log.warning("could not remove what a cancelled call had made: %s", exc)


def _in_loop(
    callback: Callable[[Any], Any], loop: asyncio.AbstractEventLoop, cancellation: Cancellation
) -> Callable[[Any], Any]:
    """Return a function for another thread that runs a callback, also an async one, in the event loop."""

    async def serve(item: Any) -> Any:
        result = callback(item)
        return await result if inspect.isawaitable(result) else result

    def called(item: Any) -> Any:
        future = asyncio.run_coroutine_threadsafe(serve(item), loop)
        with cancellation.ending(future.cancel):
            return future.result()

    return called
