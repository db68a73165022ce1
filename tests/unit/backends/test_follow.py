"""A followed log ends with its container and has every line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

import containerkit as ck
from containerkit.backends import _follow
from containerkit.backends._follow import Followed
from containerkit.streams import Output, OutputStream


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_follow, "_SILENCE", 0.05)


def stream(*texts: str, name: str = "stdout") -> OutputStream:
    return OutputStream(iter([Output(name, text.encode()) for text in texts]))  # type: ignore[arg-type]


def text(outputs: Iterator[Output] | Followed) -> str:
    return b"".join(output.data for output in outputs).decode()


class Endless:
    """A followed log that sends one line and stays open until it is closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def open(self) -> OutputStream:
        def read() -> Iterator[Output]:
            yield Output("stdout", b"one\n")
            assert self.closed.wait(5)

        return OutputStream(read(), on_close=self.closed.set)


@pytest.mark.parametrize(("whole", "expected"), [(True, "a\nb\nc\n"), (False, "a\nb")])
def test_lines_that_the_stream_lost(whole: bool, expected: str) -> None:
    """What the followed log lacks at its end is read from the log, if it was followed from its beginning."""
    followed = Followed(lambda: stream("a\n", "b"), lambda: stream("a\nb\n", "c\n"), lambda: False, whole=whole)
    assert text(followed) == expected


def test_streams_are_counted_apart() -> None:
    """Lines of stdout do not hide missing lines of stderr."""

    def both() -> OutputStream:
        return OutputStream(iter([Output("stdout", b"out\n"), Output("stderr", b"err\n")]))

    followed = Followed(lambda: stream("out\n"), both, lambda: False, whole=True)
    assert [(output.stream, output.data) for output in followed] == [("stdout", b"out\n"), ("stderr", b"err\n")]


def test_a_stream_that_does_not_end() -> None:
    """A log that stays open after its container ended is closed after two looks."""
    endless = Endless()
    looks: list[int] = []

    def runs() -> bool:
        looks.append(1)
        return len(looks) < 3

    assert text(Followed(endless.open, lambda: stream("one\ntwo\n"), runs, whole=True)) == "one\ntwo\n"
    assert len(looks) >= 4  # more if the first line was read late


def test_a_removed_container() -> None:
    """A log whose container is removed ends."""

    looks: list[int] = []

    def runs() -> bool:
        looks.append(1)
        raise ck.ContainerNotFound("gone")

    def read() -> OutputStream:
        raise ck.ContainerNotFound("gone")

    assert text(Followed(Endless().open, read, runs, whole=True)) == "one\n"
    assert len(looks) >= 2  # more if the first line was read late


def test_the_looks_are_a_daemons() -> None:
    """A program that ends while it follows a log is not held back by the thread."""
    threads: list[threading.Thread] = []

    def runs() -> bool:
        threads.append(threading.current_thread())
        return False

    assert text(Followed(Endless().open, lambda: stream("one\n"), runs, whole=True)) == "one\n"
    assert {(thread.name, thread.daemon) for thread in threads} == {("containerkit-follow", True)}


@pytest.mark.parametrize(
    ("moments", "runs", "looks"),
    [
        ([9.0, 9.0, 9.0], [False, False], 2),  # two looks in silence
        ([9.0, 9.0, 9.0, 9.0], [False, True, False, False], 4),  # it runs again: count anew
        ([9.0, 0.5, 9.0, 9.0], [False, False, False], 3),  # output between two looks: count anew
        ([0.5, 0.5, 1.0, 9.0], [False, False], 2),  # a second of silence is enough
    ],
)
def test_when_the_log_is_closed(
    monkeypatch: pytest.MonkeyPatch, moments: list[float], runs: list[bool], looks: int
) -> None:
    """After two looks without a running container, each after a second of silence; `moments` are its lengths."""
    answers, seen = iter(runs), []

    def look() -> bool:
        seen.append(1)
        return next(answers)

    log = stream()
    followed = Followed(lambda: log, lambda: log, look, whole=True)
    lengths = iter([*moments, 9.0])
    monkeypatch.setattr(_follow, "_SILENCE", 1.0)
    monkeypatch.setattr(_follow, "time", SimpleNamespace(monotonic=lambda: followed._last + next(lengths)))
    monkeypatch.setattr(followed._ended, "wait", lambda seconds: log.closed)
    followed._watch(log)
    assert log.closed
    assert len(seen) == looks


def test_an_engine_that_does_not_answer_looks() -> None:
    """Errors of a look do not end the log."""
    endless = Endless()
    looks: list[int] = []

    def runs() -> bool:
        looks.append(1)
        if len(looks) < 5:
            raise ck.EngineUnavailable("busy")
        return False

    assert text(Followed(endless.open, lambda: stream("one\n"), runs, whole=True)) == "one\n"
    assert len(looks) >= 6  # more if the first line was read late


def test_nothing_written_yet() -> None:
    """A log that does not answer is requested again while the container runs."""
    tries: list[int] = []

    def follow() -> OutputStream:
        tries.append(1)
        if len(tries) < 3:
            raise ck.EngineTimeout("silent", timeout=1.0)
        return stream("late\n")

    assert text(Followed(follow, lambda: stream("late\n"), lambda: True, whole=True)) == "late\n"
    assert len(tries) == 3


def test_ended_before_it_was_followed() -> None:
    """A container that ended without an answer has its log read."""

    def follow() -> OutputStream:
        raise ck.EngineTimeout("silent", timeout=1.0)

    assert text(Followed(follow, lambda: stream("all\n"), lambda: False, whole=False)) == "all\n"


def test_close() -> None:
    """Closing from another thread ends the log and reads nothing more."""
    endless = Endless()

    def read() -> OutputStream:
        raise AssertionError("read after close")

    followed = Followed(endless.open, read, lambda: True, whole=True)
    threading.Timer(0.2, followed.close).start()
    assert text(followed) == "one\n"
    assert text(followed) == ""
