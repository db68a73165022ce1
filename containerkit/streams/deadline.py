"""The time limit of one public call, shared by everything the call does."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import NamedTuple

from ..errors import EngineTimeout


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

    __slots__ = ("_at", "timeout")

    def __init__(self, timeout: float | None, at: float | None) -> None:
        self.timeout = timeout
        self._at = at

    @classmethod
    def after(cls, seconds: float | None, *, shield: bool = False) -> Deadline:
        """Return the deadline `seconds` from now, or the current one if that is earlier.

        Args:
            seconds: None for no limit of its own.
            shield: ignore the current deadline.
        """
        own = cls(seconds, None if seconds is None else time.monotonic() + max(0.0, seconds))
        outer = _NEVER if shield else cls.current()
        if outer._at is not None and (own._at is None or outer._at < own._at):
            return cls(outer.timeout, outer._at)
        return own

    @staticmethod
    def current() -> Deadline:
        """Return the deadline that this thread has entered last, or one without a limit."""
        return _CURRENT.get().deadline

    def remaining(self) -> float | None:
        """Return the seconds left, never below 0; None for no limit."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    @property
    def expired(self) -> bool:
        """True once the moment has passed."""
        return self._at is not None and time.monotonic() >= self._at

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


_NEVER = Deadline(None, None)
_OUTERMOST = _Entered(_NEVER, None)
_CURRENT: ContextVar[_Entered] = ContextVar("containerkit_deadline", default=_OUTERMOST)
