"""Commands that run processes: how they end, and what is left, on the engine in memory."""

from __future__ import annotations

import importlib
import os
import pty
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

import containerkit as ck
from containerkit.backends.base import Created
from containerkit.cli import app
from containerkit.spec import ContainerSpec, ExecSpec
from containerkit.streams import Attachment, Stream
from containerkit.testing import FakeBackend, Reply
from containerkit.testing.archives import ImageBuilder
from tests.open_engine import Open

processes = importlib.import_module("containerkit.cli.processes")


class Odd(FakeBackend):
    """An engine in memory that warns, ends what is attached to, or removes a container before it tells its end."""

    def __init__(self) -> None:
        super().__init__(images=["app:1"])
        self.on("greet", (3, b"hello\n")).on("cat", lambda argv, stdin: stdin)
        self.on("serve", stdout="up\n", until_stopped=True)
        self.warnings: tuple[str, ...] = ()
        self.removes = False
        self.ends = False
        self.attached: list[bool] = []
        self.executed: list[ExecSpec] = []

    def create_container(self, spec: ContainerSpec) -> Created:
        return replace(super().create_container(spec), warnings=self.warnings)

    def wait_container(self, ref: str, *, timeout: float | None) -> int:
        code = super().wait_container(ref, timeout=timeout)
        if self.removes:
            self.remove_container(ref, force=True, volumes=True)
            raise ck.ContainerNotFound("gone")
        return code

    def attach_container(self, ref: str, *, stdin: bool, tty: bool) -> Attachment:
        near = super().attach_container(ref, stdin=stdin, tty=tty)
        self.attached.append(stdin)
        if self.ends:
            self._container(ref, "a test").attached[-1].write(Reply(stdout=b"more\n"))
            self.kill_container(ref, signal="SIGKILL")
        return near

    def start_exec(self, ref: str, spec: ExecSpec) -> str:
        self.executed.append(spec)
        return "e" * 64


@pytest.fixture
def backend() -> Odd:
    return Odd()


@pytest.fixture
def engine(backend: Odd, monkeypatch: pytest.MonkeyPatch) -> Iterator[ck.Engine]:
    with ck.connect(backend) as opened:
        monkeypatch.setattr(ck, "connect", lambda target=None, *, timeout: Open(opened))
        yield opened


def call(*args: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(args), input=stdin)


# ---------------------------------------------------------------- a time limit
def test_a_run_that_takes_too_long_is_killed_and_removed(engine: ck.Engine) -> None:
    """The exit code is that of an error of ours, and nothing is left."""
    result = call("run", "--timeout", "0.2", "--name", "web", "app:1", "serve")
    assert result.exit_code == 125
    assert "did not end within 0.2 seconds, and was removed" in result.stderr
    assert not engine.containers.exists("web")


def test_a_run_that_ends_in_time_is_removed_too(engine: ck.Engine) -> None:
    """With its own exit code."""
    result = call("run", "--timeout", "5m", "--name", "web", "app:1", "greet")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "hello\n", "")
    assert not engine.containers.exists("web")


def test_a_container_that_ends_just_before_it_is_killed_is_no_timeout() -> None:
    """The engine refuses the signal; the block ends as if there was no limit."""
    asked = threading.Event()

    def kill(signal: str) -> None:
        asked.set()
        raise ck.WrongState("it is exited", actual="exited")

    with processes._limited(SimpleNamespace(kill=kill, short_id="c" * 12), 0.01):
        assert asked.wait(60)


def test_a_time_limit_is_for_a_run_to_its_end(engine: ck.Engine) -> None:
    """Nothing would keep it for a container that runs on."""
    result = call("run", "--timeout", "5", "-d", "app:1", "serve")
    assert (result.exit_code, result.stdout) == (125, "")
    assert "no --detach with it" in result.stderr
    assert engine.containers.list(all=True) == []


# ---------------------------------------------------------------- a container that is gone at once
def test_the_exit_code_of_a_removed_container_is_in_the_events(engine: ck.Engine, backend: Odd) -> None:
    """With --rm the engine may remove it before the answer; without, that is an error."""
    call("run", "app:1", "cat")  # another container's end is not taken for it
    backend.removes = True
    result = call("run", "--rm", "app:1", "greet")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "hello\n", "")
    lost = call("run", "app:1", "greet")
    assert (lost.exit_code, lost.stdout) == (125, "hello\n")
    assert lost.stderr == "containerkit: gone\n"


def test_an_exit_code_that_nothing_tells_is_an_error(
    engine: ck.Engine, backend: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """125: an exit code 1 would look like the command's own."""
    backend.removes = True
    other = ck.Event("container", "die", "d" * 64, "other", 0.0, {}, 9)
    monkeypatch.setattr(backend, "events", lambda **span: Stream(iter([other])))
    result = call("run", "--rm", "app:1", "greet")
    assert result.exit_code == 125
    assert "was removed before its exit code was read" in result.stderr


# ---------------------------------------------------------------- creating
@pytest.mark.parametrize("verb", ["run", "create"])
def test_warnings_of_the_engine_are_shown(verb: str, engine: ck.Engine, backend: Odd) -> None:
    """On stderr; the output is as without."""
    backend.warnings = ("no swap limit\x1b[2J", "second")
    result = call(verb, "--name", "web", "app:1", "greet")
    assert result.stderr == "containerkit: no swap limit\\x1b[2J\ncontainerkit: second\n"
    assert result.stdout == {"run": "hello\n", "create": engine.containers.get("web").id + "\n"}[verb]


@pytest.mark.parametrize("flags", [("--rm",), ()])
def test_a_program_that_is_missing(flags: tuple[str, ...], engine: ck.Engine, backend: Odd) -> None:
    """127; --rm leaves nothing, and without it the container stays, as with docker."""
    backend.add_image("small:1", ImageBuilder().layer(files={"a": 1}).tag("small:1"))
    result = call("run", *flags, "--name", "web", "small:1", "/bin/none")
    assert (result.exit_code, result.stdout) == (127, "")
    assert engine.containers.exists("web") == (not flags)


@pytest.mark.parametrize("flags", [("-d",), ()])
def test_the_id_goes_into_a_file(flags: tuple[str, ...], engine: ck.Engine, tmp_path: Path) -> None:
    """Without a line end."""
    path = tmp_path / "id"
    call("run", *flags, "--cidfile", str(path), "--name", "web", "app:1", "greet")
    assert path.read_text() == engine.containers.get("web").id


# ---------------------------------------------------------------- starting and attaching
def test_start_prints_the_names_and_goes_on(engine: ck.Engine) -> None:
    """A missing one is an error, and the others start."""
    for name in ("one", "two"):
        engine.containers.create("app:1", "serve", name=name)
    result = call("start", "one", "missing", "two")
    assert (result.exit_code, result.stdout) == (1, "one\ntwo\n")
    assert "missing" in result.stderr
    assert {each.status for each in engine.containers.list()} == {"running"}


def test_start_interactive_sends_stdin(engine: ck.Engine) -> None:
    """To a container that was created with it."""
    assert call("create", "-i", "--name", "web", "app:1", "cat").exit_code == 0
    result = call("start", "-i", "web", stdin=b"typed\n")
    assert (result.exit_code, result.stdout) == (0, "typed\n")


@pytest.mark.parametrize(("flags", "stdin"), [((), True), (("--no-stdin",), False)])
def test_attach_to_a_running_container(flags: tuple[str, ...], stdin: bool, engine: ck.Engine, backend: Odd) -> None:
    """What it writes from now on, and its exit code."""
    engine.start("app:1", "serve", name="web")
    backend.ends = True
    result = call("attach", *flags, "web")
    assert (result.exit_code, result.stdout, result.stderr) == (137, "more\n", "")
    assert backend.attached == [stdin]


# ---------------------------------------------------------------- a terminal
Typed = Callable[..., int]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Typed]:
    """A function that calls the program at a terminal at which keys were typed, and returns its exit code."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)  # else the line discipline takes Ctrl-Q before the program reads it
    isatty = os.isatty
    monkeypatch.setattr(os, "isatty", lambda fd: fd == 0 or isatty(fd))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: theirs, isatty=lambda: True))

    def main(keys: bytes, *args: str) -> int:
        os.write(ours, keys)
        with pytest.raises(SystemExit) as ended:
            app.main(list(args))
        assert isinstance(ended.value.code, int)
        return ended.value.code

    yield main
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(("flags", "keys"), [((), b"\x10\x11"), (("--detach-keys", "ctrl-a"), b"\x01")])
def test_detach_keys_leave_the_container_running(
    flags: tuple[str, ...], keys: bytes, engine: ck.Engine, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also one that is removed at its end; the exit code is 0, and the message says how to come back."""
    assert typed(keys, "run", "-it", "--rm", *flags, "--name", "web", "app:1", "serve") == 0
    assert "left running; `containerkit attach` connects again" in capsys.readouterr().err
    assert engine.containers.get("web").status == "running"
    assert typed(keys, "attach", *flags, "web") == 0
    assert "left running" in capsys.readouterr().err
    assert engine.containers.get("web").status == "running"


@pytest.mark.parametrize("verb", ["run", "exec"])
def test_a_terminal_for_input_that_is_none(verb: str, engine: ck.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before anything happens; --tty alone, or a process left to itself, needs none."""
    engine.start("app:1", "serve", name="web")
    monkeypatch.setattr(os, "isatty", lambda fd: False)
    target = "app:1" if verb == "run" else "web"
    refused = call(verb, "-it", target, "greet")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "containerkit: the input is no terminal: leave out --tty (-t)\n"
    assert len(engine.containers.list(all=True)) == 1
    assert call(verb, "-t", target, "greet").exit_code == 3
    assert call(verb, "-itd", target, "greet").exit_code == 0


# ---------------------------------------------------------------- exec
def test_exec_detached_leaves_it_running(engine: ck.Engine, backend: Odd) -> None:
    """The options reach the engine; nothing is printed."""
    engine.start("app:1", "serve", name="web")
    result = call("exec", "-d", "-e", "A=1", "-u", "1:2", "-w", "/srv", "--privileged", "web", "sleep", "--", "-9")
    assert (result.exit_code, result.output) == (0, "")
    (spec,) = backend.executed
    assert (spec.command, dict(spec.env), spec.user, spec.workdir) == (("sleep", "--", "-9"), {"A": "1"}, "1:2", "/srv")
    assert spec.privileged


def test_exit_codes_of_exec_that_are_not_the_commands(engine: ck.Engine, backend: Odd) -> None:
    """127 for a missing program, 1 for a container that is missing or does not run."""
    backend.add_image("small:1", ImageBuilder().layer(files={"a": 1}).tag("small:1"))
    engine.start("small:1", "serve", name="web")
    assert call("exec", "web", "/bin/none").exit_code == 127
    assert call("exec", "missing", "greet").exit_code == 1
    engine.containers.get("web").kill()
    stopped = call("exec", "web", "greet")
    assert (stopped.exit_code, stopped.stdout) == (1, "")
    assert "exited" in stopped.stderr
