"""Retry requests that failed on the connection. All retries of the backends are here."""

from __future__ import annotations

import errno
import http.client
import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

from ..errors import EngineError, EngineUnavailable

__all__ = ["cause_chain", "is_transient", "repeat", "retry_ending", "retry_stable", "retry_transient"]

log = logging.getLogger("containerkit")

T = TypeVar("T")
_CUT = (http.client.BadStatusLine, http.client.IncompleteRead)
_TRANSIENT = {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.EAGAIN}


def cause_chain(exc: BaseException | None) -> Iterator[BaseException]:
    """Yield the exception and all its causes; requests and urllib3 also keep causes in their arguments."""
    seen: set[int] = set()
    todo = [exc]
    while todo:
        found = todo.pop(0)
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        todo += [found.__cause__, found.__context__, getattr(found, "reason", None)]
        todo += [arg for arg in found.args if isinstance(arg, BaseException)]
        todo = [item for item in todo if isinstance(item, BaseException)]


def is_transient(exc: BaseException) -> bool:
    """Return whether the error is a transient connection failure. A refused connection is not."""
    if not isinstance(exc, EngineUnavailable):
        return False
    return any(
        isinstance(cause, _CUT) or (isinstance(cause, OSError) and cause.errno in _TRANSIENT)
        for cause in cause_chain(exc)
    )


def repeat(call: Callable[[], T], when: Callable[[BaseException], bool], *, tries: int, pause: float) -> T:
    """Call again while it raises an error for which `when` is true.

    The first call does not import tenacity, which imports asyncio (70 ms, 6 MiB).

    Args:
        tries: calls in all.
        pause: seconds before the third call; the second follows at once, and each later pause is doubled up to 1 s.

    Raises:
        The error of the last call.
    """
    try:
        return call()
    except Exception as exc:
        if not when(exc):
            raise
        log.debug("trying again after: %s", exc)
    import tenacity

    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception(when),
        stop=tenacity.stop_after_attempt(tries - 1),
        wait=tenacity.wait_exponential(multiplier=pause, max=1.0),
        before_sleep=tenacity.before_sleep_log(log, logging.DEBUG),
        reraise=True,
    )
    return again(call)


def retry_transient(call: Callable[[], T]) -> T:
    """Call a request that changes nothing; try three times in all if the connection fails."""
    return repeat(call, is_transient, tries=3, pause=0.05)


def retry_stable(call: Callable[[], T]) -> T:
    """Call a request about all images or containers; repeat it if one of them is removed meanwhile.

    Podman, and Docker's containerd store, fail the whole request then (status 404 or 500).
    """
    return repeat(call, _item_vanished, tries=6, pause=0.05)


def retry_ending(call: Callable[[], T]) -> T:
    """Call a request about one container; repeat it if the container goes meanwhile: Podman answers 500 then."""
    return repeat(call, _vanished, tries=6, pause=0.05)


def _vanished(exc: BaseException) -> bool:
    """Return whether the process (Podman 4.3) or the container (5.8) vanished while the engine read about it."""
    texts = ("no such process", "no such container")
    return isinstance(exc, EngineError) and exc.status == 500 and any(text in exc.explanation for text in texts)


def _item_vanished(exc: BaseException) -> bool:
    return isinstance(exc, EngineError) and exc.status in (404, 500)
