"""The reaper removes what a session owned after its process has ended; a Watcher starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit import reaper
from containerkit.discovery import connect as room
from containerkit.discovery.endpoints import TLS, Endpoint
from containerkit.discovery.reaper import start_reaper
from containerkit.discovery.watcher import Watcher
from containerkit.resources.sweep import SESSION_LABEL
from containerkit.spec import VolumeSpec
from containerkit.testing import FakeBackend

ENDPOINT = Endpoint("tcp://h:2376", "test", kind="docker", tls=TLS("ca", verify=False))


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def script(code: str) -> subprocess.Popen[str]:
    prelude = "import os, sys, time\nfrom containerkit.discovery.watcher import Watcher\n"
    return subprocess.Popen(
        [sys.executable, "-c", prelude + textwrap.dedent(code)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


# ---------------------------------------------------------------- watcher
def test_a_dismissed_watcher_runs_nothing(tmp_path: Path) -> None:
    """dismiss() ends the shell and waits for it; a second call, and a release, do nothing."""
    watcher = Watcher(["touch", str(tmp_path / "ran")])
    watcher.dismiss()
    watcher.dismiss()
    assert watcher._process.returncode == 0
    assert not (tmp_path / "ran").exists()


def test_a_released_watcher_runs_its_command(tmp_path: Path) -> None:
    """With the environment that was given, in the root folder, in a session of its own."""
    file = tmp_path / "ran"
    code = f'echo "$WORD $PWD $(cut -d" " -f6 /proc/$$/stat) $$" > {file}.new; mv {file}.new {file}'
    watcher = Watcher(["/bin/sh", "-c", code], env={**os.environ, "WORD": "hello"})
    pid = watcher._process.pid
    watcher.release()
    assert until(file.exists)
    assert file.read_text().split() == ["hello", "/", str(pid), str(pid)]
    assert watcher._process.wait(10) == 0


def test_a_watcher_that_cannot_start_leaves_no_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends are closed."""

    def fail(*_: object, **__: object) -> None:
        raise OSError("no shell")

    monkeypatch.setattr(subprocess, "Popen", fail)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="no shell"):
        Watcher(["true"])
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("how", ["end", signal.SIGKILL, signal.SIGTERM, "Ctrl-C"], ids=str)
def test_the_command_runs_however_the_process_ends(tmp_path: Path, how: Any) -> None:
    """At its end, after kill -9, and after a Ctrl-C of the whole process group."""
    file = tmp_path / "ran"
    with script(f"w = Watcher(['touch', {str(file)!r}]); print('up', flush=True); sys.stdin.read()") as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        if isinstance(how, signal.Signals):
            process.send_signal(how)
        elif how == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        assert not file.exists() or how != "end"
        process.communicate("")
    assert until(file.exists)


def test_a_forked_child_does_not_delay_it(tmp_path: Path) -> None:
    """A child that lives on closed its copy of the pipe; its dismiss() does not stop the command."""
    file = tmp_path / "ran"
    code = f"""
        w = Watcher(["touch", {str(file)!r}])
        if os.fork() == 0:
            w.dismiss(); os.close(1); time.sleep(30); os._exit(0)
        print("up", flush=True); sys.stdin.read()
    """
    with script(code) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "up\n"
            time.sleep(0.2)
            assert not file.exists()
            process.kill()
            process.wait()
            assert until(file.exists)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


# ---------------------------------------------------------------- reaper
@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    """An engine at which connect() of the reaper arrives; it fails as often as `failures` says."""
    backend = FakeBackend()
    monkeypatch.setattr(reaper, "connect", lambda endpoint: ck.Engine(backend))
    monkeypatch.setattr(reaper, "_PAUSES", (0.01,) * 4)
    return backend


def test_the_reaper_removes_one_session(backend: FakeBackend) -> None:
    """What belongs to another session stays."""
    backend.create_volume(VolumeSpec("mine", labels={SESSION_LABEL: "s1"}))
    backend.create_volume(VolumeSpec("theirs", labels={SESSION_LABEL: "s2"}))
    assert reaper.main([json.dumps(ENDPOINT.to_dict()), "s1"]) == 0
    assert [volume.name for volume in backend.list_volumes(filters={})] == ["theirs"]


def test_the_reaper_looks_again(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine may finish a create after the process has ended."""
    passes: list[int] = []

    def connect(endpoint: Endpoint) -> ck.Engine:
        passes.append(len(passes))
        if len(passes) in (2, 6):
            backend.create_volume(VolumeSpec(f"late{len(passes)}", labels={SESSION_LABEL: "s1"}))
        return ck.Engine(backend)

    monkeypatch.setattr(reaper, "connect", connect)
    assert reaper.reap(ENDPOINT, "s1")
    assert backend.list_volumes(filters={}) == ()
    assert len(passes) == 11


def test_the_reaper_waits_for_the_engine(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not respond is tried again, for a limited time."""
    answers: list[ck.Engine | None] = [None, None, *(ck.Engine(backend) for _ in range(5))]

    def connect(endpoint: Endpoint) -> ck.Engine:
        answer = answers.pop(0)
        if answer is None:
            raise ck.EngineUnavailable("restarting")
        return answer

    monkeypatch.setattr(reaper, "connect", connect)
    assert reaper.reap(ENDPOINT, "s1")
    answers[:] = [None] * 50
    monkeypatch.setattr(reaper, "_PATIENCE", 0.1)
    assert reaper.main([json.dumps(ENDPOINT.to_dict()), "s1"]) == 1


def test_the_reaper_gets_the_whole_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, certificates and identity reach the other process, and the package is found there."""
    commands: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr("containerkit.discovery.reaper.Watcher", lambda command, env: commands.append((command, env)))
    start_reaper(ENDPOINT, "s1")
    ((command, env),) = commands
    assert command[:3] == [sys.executable, "-m", "containerkit.reaper"]
    assert reaper._endpoint(json.loads(command[3])) == ENDPOINT
    assert command[4] == "s1"
    found = subprocess.run(
        [sys.executable, "-c", "import containerkit.reaper as r; print(r.__file__)"],
        env=env, cwd="/", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == reaper.__file__


def test_a_reaper_needs_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedded Python has no program to run again."""
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(ck.InvalidOption, match="reaper"):
        start_reaper(ENDPOINT, "s1")


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_reaper_is_true_or_false(value: Any) -> None:
    """Nothing else is accepted."""
    with pytest.raises(ck.InvalidOption, match="reaper"):
        ck.connect(FakeBackend(), reaper=value)


def test_a_backend_has_no_reaper() -> None:
    """Another process cannot open a Backend object."""
    with pytest.raises(ck.InvalidOption, match="reaper"):
        ck.connect(FakeBackend(), reaper=True)


def test_connect_starts_the_reaper_of_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint that answered, and the Engine's session; closing the Engine dismisses it."""
    calls: list[Any] = []

    class Fake:
        def dismiss(self) -> None:
            calls.append("dismiss")

    class Route:
        endpoint = ENDPOINT

        def backend(self, timeout: float) -> FakeBackend:
            return FakeBackend()

    def start(endpoint: Endpoint, session: str) -> Fake:
        calls.append((endpoint, session))
        return Fake()

    monkeypatch.setattr(room, "_connect", lambda *_: Route())
    monkeypatch.setattr("containerkit.discovery.reaper.start_reaper", start)
    with room.connect("docker", reaper=True) as engine:
        assert calls == [(ENDPOINT, engine._core.session.id)]
    assert calls[1:] == ["dismiss"]
    with room.connect("docker"):
        assert len(calls) == 2


def test_a_reaper_that_cannot_start_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """connect() leaves nothing open."""
    closed: list[bool] = []
    backend = FakeBackend()
    monkeypatch.setattr(backend, "close", lambda: closed.append(True))

    class Route:
        endpoint = ENDPOINT

        def backend(self, timeout: float) -> FakeBackend:
            return backend

    monkeypatch.setattr(room, "_connect", lambda *_: Route())
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(ck.InvalidOption, match="reaper"):
        room.connect("docker", reaper=True)
    assert closed == [True]
