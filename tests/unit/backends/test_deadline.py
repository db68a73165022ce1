"""Deadline: how much time is left, and which deadline is the current one."""

from __future__ import annotations

import threading
import time

import pytest

import containerkit as ck
from containerkit.streams import Deadline


def test_no_limit() -> None:
    """A deadline after None has no limit and never expires."""
    deadline = Deadline.after(None)
    assert deadline.remaining() is None
    assert deadline.timeout is None
    assert not deadline.expired
    assert deadline.cap(None) is None
    assert deadline.cap(3.0) == 3.0
    deadline.check("waiting")
    assert repr(deadline) == "Deadline(none)"


def test_time_left() -> None:
    """The remaining seconds count down from the timeout."""
    deadline = Deadline.after(5.0)
    left = deadline.remaining()
    assert left is not None
    assert 4.5 < left <= 5.0
    assert deadline.timeout == 5.0
    assert not deadline.expired
    assert deadline.cap(1.0) == 1.0
    for longer in (None, 60.0):
        capped = deadline.cap(longer)
        assert capped is not None
        assert 4.5 < capped <= 5.0
    assert repr(deadline).endswith("s left of 5 s)")


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_expired(seconds: float) -> None:
    """A deadline without time left is expired; check() raises EngineTimeout with the timeout of the caller."""
    deadline = Deadline.after(seconds)
    assert deadline.expired
    assert deadline.remaining() == 0.0
    assert deadline.cap(None) == 0.0
    with pytest.raises(ck.EngineTimeout, match=f"starting container web: not done within {seconds:g} s") as caught:
        deadline.check("starting container web")
    assert caught.value.timeout == seconds


def test_current() -> None:
    """Entering makes a deadline the current one; leaving restores the outer one, also after an error."""
    assert Deadline.current().remaining() is None
    with Deadline.after(60.0) as outer:
        assert Deadline.current() is outer
        with pytest.raises(ZeroDivisionError), Deadline.after(1.0) as inner:
            assert Deadline.current() is inner
            assert 1 / 0
        assert Deadline.current() is outer
        with outer:
            assert Deadline.current() is outer
        assert Deadline.current() is outer
    assert Deadline.current().remaining() is None


def test_inner_never_ends_later() -> None:
    """An inner deadline is capped by the outer one and reports the timeout of the outer one."""
    with Deadline.after(1.0):
        for seconds in (None, 60.0):
            inner = Deadline.after(seconds)
            left = inner.remaining()
            assert left is not None
            assert left <= 1.0
            assert inner.timeout == 1.0
        assert Deadline.after(0.5).timeout == 0.5


def test_shield() -> None:
    """A shielded deadline ignores the current one."""
    with Deadline.after(0.0):
        left = Deadline.after(5.0, shield=True).remaining()
        assert left is not None
        assert left > 4.0
        assert Deadline.after(None, shield=True).remaining() is None


def test_threads_do_not_inherit() -> None:
    """A new thread starts without a deadline, and can enter the one of another thread."""
    found: list[float | None] = []
    with Deadline.after(9.0) as deadline:

        def look() -> None:
            found.append(Deadline.current().remaining())
            with deadline:
                found.append(Deadline.current().timeout)

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert found == [None, 9.0]


def test_passes() -> None:
    """A deadline expires when its time has passed."""
    deadline = Deadline.after(0.02)
    time.sleep(0.03)
    assert deadline.expired
