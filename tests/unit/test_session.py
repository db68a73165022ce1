"""A session owns what its Engine creates, and removes it when it is closed, however that happens."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest

import containerkit as ck
from containerkit.resources import session as room
from containerkit.resources.liveness import Creator, Liveness
from containerkit.resources.session import Session, judge_session
from containerkit.resources.sweep import SESSION_LABEL, find_labelled
from containerkit.spec import REQUEST_LABEL, NetworkSpec, VolumeSpec
from containerkit.testing import FakeBackend


class Reaper:
    """Records what a session tells it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def dismiss(self) -> None:
        self.calls.append("dismiss")

    def release(self) -> None:
        self.calls.append("release")


@pytest.fixture
def backend() -> FakeBackend:
    backend = FakeBackend()
    backend.add_image("busybox:1")
    return backend


@pytest.fixture
def session(backend: FakeBackend) -> Iterator[Session]:
    session = Session(backend)
    yield session
    session.close()


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter of its own."""
    prelude = "import os, sys, containerkit as ck\nfrom containerkit.resources.session import Session\n"
    prelude += "from containerkit.testing import FakeBackend\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )


def test_what_is_owned_is_removed_newest_first(session: Session) -> None:
    """close() removes in reverse order, and each thing once."""
    removed: list[str] = []
    for name in ("a", "b", "c"):
        session.own(name, lambda name=name: removed.append(name))  # type: ignore[misc]
    session.disown("b")
    session.disown("never owned")
    session.close()
    session.close()
    assert removed == ["c", "a"]


def test_a_failure_does_not_stop_the_rest(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    """A removal that fails is logged; what is already gone is not."""
    removed: list[str] = []

    def fail(error: Exception) -> None:
        raise error

    session.own("a", lambda: removed.append("a"))
    session.own("gone", lambda: fail(ck.NotFound("gone")))
    session.own("busy", lambda: fail(ck.InUse("busy")))
    session.close()
    assert removed == ["a"]
    assert "could not remove busy: busy" in caplog.text
    assert "gone" not in caplog.text


@pytest.mark.parametrize("error", [ck.EngineTimeout("slow", timeout=1.0), ck.EngineUnavailable("down")])
def test_a_silent_engine_is_given_up(session: Session, caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    """After two removals without a response, the rest is left for cleanup()."""
    tried: list[str] = []

    def fail(name: str) -> None:
        tried.append(name)
        if name != "d":
            raise error

    for name in "abcde":
        session.own(name, lambda name=name: fail(name))  # type: ignore[misc]
    session.close()
    assert tried == ["e", "d", "c", "b"]
    assert "left for cleanup(): a" in caplog.text


def test_an_interrupted_close_can_be_resumed(session: Session) -> None:
    """What Ctrl-C interrupted is still owned, and removed by the next close()."""
    interrupts = [KeyboardInterrupt()]
    removed: list[str] = []

    def remove() -> None:
        if interrupts:
            raise interrupts.pop()
        removed.append("a")

    session.own("a", remove)
    with pytest.raises(KeyboardInterrupt):
        session.close()
    session.close()
    assert removed == ["a"]


def test_a_closed_session_creates_nothing(session: Session) -> None:
    """labels() raises; what another thread created meanwhile is removed at once."""
    session.close()
    with pytest.raises(ck.EngineUnavailable, match="closed"):
        session.labels()
    with pytest.raises(ck.EngineUnavailable, match="closed"):
        session.check_open()
    removed: list[str] = []
    with pytest.raises(ck.EngineUnavailable, match="closed"):
        session.own("late", lambda: removed.append("late"))
    assert removed == ["late"]


def test_labels_name_session_and_process(session: Session) -> None:
    """Each create has a request label of its own; a kept resource names no session."""
    labels, others = session.labels(), session.labels()
    assert labels[SESSION_LABEL] == others[SESSION_LABEL] == session.id
    assert labels["containerkit.pid"] == str(os.getpid())
    assert labels[REQUEST_LABEL] != others[REQUEST_LABEL]
    kept = session.labels(keep=True)
    assert kept[SESSION_LABEL] == ""
    assert "containerkit.pid" not in kept


@pytest.mark.parametrize(
    ("error", "looked_for"),
    [
        (KeyboardInterrupt(), True),
        (ck.EngineUnavailable("cut"), True),
        (ck.EngineTimeout("slow", timeout=1.0), True),
        (ck.NameInUse("taken"), False),
    ],
)
def test_an_interrupted_create_is_looked_for(
    backend: FakeBackend, session: Session, error: BaseException, looked_for: bool
) -> None:
    """close() removes what the engine made of a create whose outcome is unknown."""
    with pytest.raises(type(error)), session.creating() as labels:
        backend.create_network(NetworkSpec("half", labels=labels))
        raise error
    backend.create_network(NetworkSpec("owned-by-someone", labels=session.labels()))
    started = time.monotonic()
    session.close()
    assert time.monotonic() - started < room._LATE_SECONDS  # it ends when everything is found
    assert {item.name for item in find_labelled(backend, session.id)} == {"owned-by-someone"} | (
        set() if looked_for else {"half"}
    )


def test_a_late_create_is_waited_for(backend: FakeBackend, session: Session) -> None:
    """An engine may finish a create after its request was interrupted."""
    with pytest.raises(KeyboardInterrupt), session.creating() as labels:
        timer = threading.Timer(0.3, lambda: backend.create_volume(VolumeSpec("late", labels=labels)))
        timer.start()
        raise KeyboardInterrupt
    session.close()
    timer.join()
    assert list(find_labelled(backend)) == []


def test_an_interrupted_create_that_made_nothing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """close() stops looking after a moment."""
    monkeypatch.setattr(room, "_LATE_SECONDS", 0.2)
    with pytest.raises(KeyboardInterrupt), session.creating():
        raise KeyboardInterrupt
    reaper = Reaper()
    session.watch(reaper)
    session.close()
    assert reaper.calls == ["dismiss"]


def test_looking_for_an_interrupted_create_may_fail(
    session: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The failure is logged, and the reaper takes over."""

    def fail(*_: object) -> Iterator[object]:
        raise ck.EngineUnavailable("down")

    monkeypatch.setattr(room, "find_labelled", fail)
    reaper = Reaper()
    session.watch(reaper)
    with pytest.raises(KeyboardInterrupt), session.creating():
        raise KeyboardInterrupt
    session.close()
    assert "could not look for" in caplog.text
    assert reaper.calls == ["release"]


def test_an_interrupted_kept_create_is_not_looked_for(backend: FakeBackend, session: Session) -> None:
    """What is kept is nobody's to remove."""
    with pytest.raises(KeyboardInterrupt), session.creating(keep=True) as labels:
        backend.create_volume(VolumeSpec("kept", labels=labels))
        raise KeyboardInterrupt
    session.close()
    assert backend.inspect_volume("kept").name == "kept"


@pytest.mark.parametrize(("error", "call"), [(None, "dismiss"), (ck.InUse("busy"), "release")])
def test_the_reaper_takes_what_is_left(session: Session, error: Exception | None, call: str) -> None:
    """It is dismissed after a complete close, and released after a failure; once."""

    def remove() -> None:
        if error:
            raise error

    reaper = Reaper()
    session.watch(reaper)
    session.own("a", remove)
    session.close()
    session.close()
    assert reaper.calls == [call]


@pytest.mark.parametrize("ending", ["", "sys.exit(3)", "raise RuntimeError"])
def test_the_end_of_the_interpreter_closes(ending: str) -> None:
    """Without close(), what is owned is removed at the end of the script, sys.exit or an exception."""
    done = run(f"session = Session(FakeBackend()); session.own('a', lambda: print('removed'))\n{ending}")
    assert done.stdout == "removed\n"


def test_the_end_of_the_interpreter_has_a_time_limit() -> None:
    """Removals at exit share a deadline."""
    done = run(
        """
        from containerkit.streams import Deadline
        session = Session(FakeBackend())
        session.own("a", lambda: print(Deadline.current().remaining()))
        """
    )
    assert 10 < float(done.stdout) <= room._EXIT_SECONDS


def test_a_closed_session_is_not_closed_again_at_exit() -> None:
    """The exit hook is gone after close()."""
    done = run("session = Session(FakeBackend()); session.close(); session.close = lambda: print('again')")
    assert done.stdout == ""


@pytest.mark.parametrize("ending", ["session.close(); os._exit(0)", "sys.exit()"])
def test_a_forked_child_removes_nothing_of_its_parent(ending: str) -> None:
    """Neither close() nor the end of the child removes what the parent owns."""
    done = run(
        f"""
        session = Session(FakeBackend())
        session.own("parents", lambda: print("parents removed in", os.getpid() == parent, flush=True))
        before, parent = session.id, os.getpid()
        if os.fork() == 0:
            session.own("childs", lambda: print("childs removed", flush=True))
            assert session.id != before
            {ending}
        os.wait()
        assert session.id == before
        """
    )
    assert done.stdout == "childs removed\nparents removed in True\n", done.stderr


def test_a_forked_child_is_not_blocked_by_a_lock() -> None:
    """A lock that another thread held at the fork is new in the child."""
    done = run(
        """
        session = Session(FakeBackend())
        session._lock.acquire()
        if os.fork() == 0:
            session.own("a", lambda: None); session.close(); print("closed", flush=True); os._exit(0)
        os.wait(); session._lock.release()
        """
    )
    assert done.stdout == "closed\n", done.stderr


def test_a_session_that_was_closed_stays_closed_in_a_child() -> None:
    """A fork does not open it again."""
    done = run(
        """
        session = Session(FakeBackend()); session.close()
        if os.fork() == 0:
            try:
                session.labels()
            except ck.EngineUnavailable:
                print("closed", flush=True)
            os._exit(0)
        os.wait()
        """
    )
    assert done.stdout == "closed\n", done.stderr


def test_an_engine_owns_what_it_creates(backend: FakeBackend, caplog: pytest.LogCaptureFixture) -> None:
    """Containers, networks and volumes go with the Engine; kept ones stay."""
    with caplog.at_level(logging.WARNING), ck.connect(backend) as engine:
        engine.networks.create("net")
        engine.volumes.create("vol")
        engine.containers.create("busybox:1", ["true"], name="box", network="net", volumes={"vol": "/v"})
        engine.volumes.create("kept", keep=True)
        assert {item.name for item in find_labelled(backend)} == {"net", "vol", "box"}
    assert list(find_labelled(backend)) == []
    assert [volume.name for volume in backend.list_volumes(filters={})] == ["kept"]
    assert caplog.text == ""


def test_an_interrupted_close_of_an_engine_keeps_the_connection(
    backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next close() removes the rest, and disconnects then."""
    closed: list[bool] = []
    monkeypatch.setattr(backend, "close", lambda: closed.append(True))
    engine = ck.connect(backend)
    engine.volumes.create("vol")
    remove = backend.remove_volume

    def interrupt(name: str, *, force: bool) -> None:
        monkeypatch.setattr(backend, "remove_volume", remove)
        raise KeyboardInterrupt

    monkeypatch.setattr(backend, "remove_volume", interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.close()
    assert closed == []
    engine.close()
    assert closed == [True]
    assert list(find_labelled(backend)) == []


def test_a_session_is_live_until_it_is_closed(backend: FakeBackend) -> None:
    """The process runs on; the session's own ID decides."""
    session, here = Session(backend), Creator.current(local=True)
    labels = session.labels()
    assert judge_session(labels, here) == (Liveness.LIVE, "")
    session.close()
    assert judge_session({**labels, **here.labels()}, here) == (Liveness.DEAD, "")
