"""The time limit of one public call, shared by everything the call does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import NamedTuple

from ..errors import EngineTimeout


class Cancellation:
    """Ends a call from another thread.

    The call's requests end at once with EngineTimeout, and it sends no more of them. Requests that create or remove
    something are completed first, so that it is known what to remove.

    Attributes:
        cancelled: True once cancel() was called.
    """

    def __init__(self) -> None:
        self.cancelled = False
        self._lock = threading.Lock()
        self._ends: dict[object, Callable[[], object]] = {}

    def cancel(self) -> None:
        """End the call. Safe to call twice."""
        with self._lock:
            self.cancelled = True
            for end in self._ends.values():
                end()

    @contextlib.contextmanager
    def ending(self, end: Callable[[], object]) -> Iterator[None]:
        """Call `end`, which must not block, if the call is cancelled while the block waits.

        Raises:
            TimeoutError: the call is cancelled.
        """
        key = object()
        with self._lock:
            if self.cancelled:
                raise TimeoutError("the call was cancelled")
            self._ends[key] = end
        try:
            yield
        except OSError as exc:
            if self.cancelled:
                raise TimeoutError("the call was cancelled") from exc
            raise
        finally:
            with self._lock:
                del self._ends[key]
        if self.cancelled:
            raise TimeoutError("the call was cancelled")


class Deadline:
    """A moment by which a call must have ended.

    Create it once, in the public call that takes ``timeout=``, and enter it. While it is entered, every request that
    this thread sends to an engine ends by then, whether the engine is silent, slow or sends byte by byte; the request
    then raises EngineTimeout. A deadline inside another one never ends later than the outer one, except with
    ``shield=True``, which is for removing what a timed-out call has created.

    Threads do not inherit a deadline: enter the same object in each thread. Do not enter one in a generator that
    yields inside: the caller would inherit it.

    Example:
        >>> with Deadline.after(5.0) as deadline:
        ...     Deadline.current() is deadline
        True
        >>> Deadline.after(None).remaining() is None
        True

    Attributes:
        timeout: the seconds given by the caller, for messages; None for no limit.
    """

    __slots__ = ("_at", "_cancellation", "timeout")

    def __init__(self, timeout: float | None, at: float | None, cancellation: Cancellation | None = None) -> None:
        self.timeout = timeout
        self._at = at
        self._cancellation = cancellation

    @classmethod
    def after(cls, seconds: float | None, *, shield: bool = False) -> Deadline:
        """Return the deadline `seconds` from now, or the current one if that is earlier.

        Args:
            seconds: None for no limit of its own.
            shield: ignore the current deadline.
        """
        return (_NEVER if shield else cls.current()).sooner(seconds)

    def sooner(self, seconds: float | None) -> Deadline:
        """Return the deadline `seconds` from now, or this one if that is earlier; a cancellation ends both."""
        at = None if seconds is None else time.monotonic() + max(0.0, seconds)
        if self._at is not None and (at is None or self._at < at):
            return Deadline(self.timeout, self._at, self._cancellation)
        return Deadline(seconds, at, self._cancellation)

    def cancelled_by(self, cancellation: Cancellation | None) -> Deadline:
        """Return the same moment, which the cancellation brings about at once; None for no cancellation."""
        return Deadline(self.timeout, self._at, cancellation)

    @staticmethod
    def current() -> Deadline:
        """Return the deadline that this thread has entered last, or one without a limit."""
        return _CURRENT.get().deadline

    def remaining(self) -> float | None:
        """Return the seconds left, never below 0; None for no limit."""
        if self.cancelled:
            return 0.0
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    @property
    def expired(self) -> bool:
        """True once the moment has passed, or the call was cancelled."""
        return self.cancelled or (self._at is not None and time.monotonic() >= self._at)

    @property
    def cancellable(self) -> bool:
        """True if another thread may cancel the call."""
        return self._cancellation is not None

    @property
    def cancelled(self) -> bool:
        """True once another thread has cancelled the call."""
        return self._cancellation is not None and self._cancellation.cancelled

    def waking(self, sock: socket.socket) -> AbstractContextManager[None]:
        """Return a context for a block that waits for a socket; a cancellation wakes it with TimeoutError."""
        if self._cancellation is None:
            return _NOTHING
        return self._cancellation.ending(lambda: _shut_down(sock))

    def cap(self, seconds: float | None) -> float | None:
        """Return `seconds`, or the seconds left if those are fewer; None only if both have no limit."""
        left = self.remaining()
        return left if seconds is None else seconds if left is None else min(seconds, left)

    def check(self, doing: str) -> None:
        """Raise EngineTimeout if the moment has passed.

        Args:
            doing: what the caller was doing, as the start of the message ("starting container web").
        """
        if self.expired:
            raise EngineTimeout(f"{doing}: not done within {self.timeout or 0.0:g} s", timeout=self.timeout or 0.0)

    def __enter__(self) -> Deadline:
        _CURRENT.set(_Entered(self, _CURRENT.get()))
        return self

    def __exit__(self, *exc: object) -> None:
        outer = _CURRENT.get().outer
        if outer is not None:
            _CURRENT.set(outer)

    def __repr__(self) -> str:
        left = self.remaining()
        return "Deadline(none)" if left is None else f"Deadline({left:.3f} s left of {self.timeout:g} s)"


class _Entered(NamedTuple):
    deadline: Deadline
    outer: _Entered | None


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError, TypeError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not the TLS socket's own, which changes what the reader uses


_NOTHING: AbstractContextManager[None] = nullcontext()
_NEVER = Deadline(None, None)
_OUTERMOST = _Entered(_NEVER, None)
_CURRENT: ContextVar[_Entered] = ContextVar("containerkit_deadline", default=_OUTERMOST)
