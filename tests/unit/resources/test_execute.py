"""exec(): time limits, missing exit codes, and the error for a program that is not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends.base import ExecState
from containerkit.resources import execute as room
from containerkit.testing import FakeBackend, Reply


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend(images=["app:1"]).on("greet", (3, b"hello\n", b"err"))


@pytest.fixture
def box(backend: FakeBackend) -> Iterator[ck.Container]:
    with ck.connect(backend) as engine:
        yield engine.start("app:1", name="box")


@pytest.mark.parametrize(("shell", "words"), [(True, "it was killed"), (False, "it could not be killed")])
def test_a_time_limit_kills_through_the_containers_shell(
    box: ck.Container, backend: FakeBackend, shell: bool, words: str
) -> None:
    """The message says whether the command still runs."""
    killed: list[str] = []
    ended = threading.Event()

    def slow(argv: tuple[str, ...], stdin: bytes) -> Reply:
        ended.wait(60)
        return Reply()

    def kill(argv: tuple[str, ...], stdin: bytes) -> Reply:
        killed.append(argv[-1])
        ended.set()
        return Reply()

    backend.on("slow", slow)
    if shell:
        backend.on(["sh", ...], kill)
    try:
        with pytest.raises(
            ck.EngineTimeout, match=rf"executing slow in .*: not finished after 0\.5 s; {words}"
        ) as caught:
            box.exec("slow", timeout=0.5)
    finally:
        ended.set()
    assert caught.value.timeout == 0.5
    assert [mark.partition("=")[0] for mark in killed] == (["CONTAINERKIT_EXEC"] if shell else [])


def test_check_raises_with_the_output(box: ck.Container) -> None:
    """Without it the exit code is a result."""
    assert box.exec("greet").exit_code == 3
    with pytest.raises(ck.CommandFailed) as caught:
        box.exec("greet", check=True)
    assert (caught.value.exit_code, caught.value.stdout, caught.value.stderr) == (3, "hello\n", "err")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (ExecState(running=False, exit_code=None), "the engine gives no exit code"),
        (ExecState(running=True, exit_code=None), "the output ended and the command still runs"),
    ],
)
def test_an_exit_code_that_never_comes(
    box: ck.Container, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch, state: ExecState, words: str
) -> None:
    """A cut connection is an error, and never exit code 0."""
    monkeypatch.setattr(room, "GRACE", 0.05)
    monkeypatch.setattr(backend, "inspect_exec", lambda exec_id: state)
    with pytest.raises(ck.EngineUnavailable, match=words):
        box.exec("greet")


@pytest.mark.parametrize(("code", "started", "error"), [(127, False, True), (127, True, False), (126, True, False)])
def test_a_program_that_did_not_start(
    box: ck.Container,
    backend: FakeBackend,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    started: bool,
    error: bool,
) -> None:
    """127 of a command that started is its own exit code; of one that did not, it is an error with the reason."""
    state: Any = ExecState(running=False, exit_code=code, started=started)
    monkeypatch.setattr(backend, "inspect_exec", lambda exec_id: state)
    if not error:
        assert box.exec("greet").exit_code == code
        return
    with pytest.raises(ck.StartFailed, match="err") as caught:
        box.exec("greet")
    assert caught.value.exit_code == code


def test_streams_of_an_exec(box: ck.Container, backend: FakeBackend) -> None:
    """open_exec sends stdin and returns the exit code."""
    backend.on("cat", lambda argv, stdin: (4, stdin))
    with box.open_exec("cat", interactive=True) as terminal:
        terminal.write("typed")
        terminal.close_stdin()
        assert b"".join(output.data for output in terminal) == b"typed"
        assert terminal.wait() == 4
    with box.open_exec("greet") as terminal:
        with pytest.raises(ck.InvalidOption, match="no stdin"):
            terminal.write("x")
        for rows, columns in ((0, 80), (24, True), (24, "80")):
            with pytest.raises(ck.InvalidOption):
                terminal.resize(rows, columns)  # type: ignore[arg-type]
        with pytest.raises(ck.InvalidOption, match="a process with a terminal"):
            terminal.resize(24, 80)


@pytest.mark.parametrize(("size", "shell", "wrapped"), [(40_000, True, True), (40_000, False, False), (9, True, False)])
def test_an_engine_that_needs_its_input_read(
    box: ck.Container, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch, size: int, shell: bool, wrapped: bool
) -> None:
    """The container's shell reads what a command leaves of much input; without a shell the command runs as it is."""
    ran: list[tuple[str, ...]] = []

    def note(argv: tuple[str, ...], stdin: bytes) -> Reply:
        ran.append(argv)
        return Reply(stdout=str(len(stdin)).encode())

    backend.on(["greet", ...], note).on(["/bin/sh", ...], note)
    monkeypatch.setattr(backend, "needs_read_input", True, raising=False)
    stat = backend.stat_path
    monkeypatch.setattr(backend, "stat_path", lambda ref, path: stat(ref, "/") if shell else None)
    result = box.exec(["greet", "a b"], input=b"x" * size)
    assert result.stdout == str(size)
    assert result.command == ("greet", "a b")
    assert ran == [(*room._READING_ALL, "greet", "a b") if wrapped else ("greet", "a b")]
