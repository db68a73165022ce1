"""Processes at a terminal: detach keys, raw mode, stdin, on the engine in memory and on pseudo-terminals."""

from __future__ import annotations

import os
import pty
import sys
import termios
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

import containerkit as ck
from containerkit.cli import app
from containerkit.resources.detach_keys import DetachKeys, parse_detach_keys
from containerkit.resources.terminal import Console
from containerkit.testing import FakeBackend
from tests.open_engine import Open


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[ck.Engine]:
    backend = FakeBackend(images=["app:1"]).on("greet", stdout="hello\n", exit_code=3)
    backend.on("cat", lambda argv, data: data)
    with ck.connect(backend) as opened:
        monkeypatch.setattr(ck, "connect", lambda target=None, *, timeout: Open(opened))
        yield opened


def call(*args: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(args), input=stdin)


def test_run_without_rm_keeps_the_container(engine: ck.Engine) -> None:
    """As docker does; --rm removes it."""
    result = call("run", "--name", "web", "app:1", "greet")
    assert (result.exit_code, result.stdout) == (3, "hello\n")
    assert engine.containers.get("web").exit_code == 3
    call("run", "--rm", "--name", "gone", "app:1", "greet")
    assert not engine.containers.exists("gone")


def test_run_interactive_sends_stdin_to_the_byte(engine: ck.Engine) -> None:
    """stdin ends where ours does."""
    result = call("run", "-i", "--rm", "--name", "gone", "app:1", "cat", stdin=b"\x00\xff\n")
    assert (result.exit_code, result.stdout_bytes) == (0, b"\x00\xff\n")
    assert not engine.containers.exists("gone")


def test_create_then_start_attached(engine: ck.Engine) -> None:
    """start -a prints the output and exits with the exit code."""
    assert len(call("create", "--name", "web", "app:1", "greet").stdout.strip()) == 64
    assert engine.containers.get("web").status == "created"
    result = call("start", "-a", "web")
    assert (result.exit_code, result.stdout) == (3, "hello\n")


def test_attach_needs_a_running_container(engine: ck.Engine) -> None:
    """The message says what to type."""
    engine.containers.create("app:1", "greet", name="web")
    result = call("attach", "web")
    assert result.exit_code == 1
    assert "start -a" in result.stderr


def test_a_terminal_needs_a_terminal(engine: ck.Engine) -> None:
    """run -it with a pipe for stdin is refused before anything is created."""
    result = call("run", "-it", "--name", "web", "app:1", "greet")
    assert result.exit_code == 1
    assert "--tty" in result.stderr
    assert not engine.containers.exists("web")


@pytest.mark.parametrize(
    ("text", "keys"), [("ctrl-p,ctrl-q", b"\x10\x11"), ("ctrl-@,a", b"\x00a"), ("", b""), ("ctrl-[", b"\x1b")]
)
def test_detach_keys(text: str, keys: bytes) -> None:
    """Each key is one byte."""
    assert parse_detach_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl", "ctrl-", "ab", "ctrl-1", ",", None, "ä"])
def test_other_detach_keys_are_refused(text: Any) -> None:
    """InvalidOption."""
    with pytest.raises(ck.InvalidOption):
        parse_detach_keys(text)


def test_the_start_of_the_keys_is_held_back() -> None:
    """What turns out to be no detach is sent in order."""
    keys = DetachKeys(b"\x10\x11")
    assert keys.feed(b"a\x10") == (b"a", False)
    assert keys.feed(b"b") == (b"\x10b", False)
    assert keys.feed(b"\x10\x10\x11rest") == (b"\x10", True)


class Stub:
    """A terminal whose process ends when told."""

    def __init__(self) -> None:
        self.tty, self._stdin, self._kill, self.closed, self.detached = True, True, None, False, False
        self.typed: list[bytes] = []
        self.size: tuple[int, int] | None = None
        self.end = threading.Event()

    def __iter__(self) -> Iterator[ck.Output]:
        self.end.wait(10)
        yield ck.Output("stdout", b"bye")

    def write(self, data: bytes) -> None:
        self.typed.append(data)
        self.end.set()

    def resize(self, rows: int, columns: int) -> None:
        self.size = (rows, columns)

    def close(self) -> None:
        self.closed = True
        self.end.set()

    close_stdin = close


@pytest.mark.parametrize("typed", [b"\x03", b"\x10\x11"], ids=["ctrl-c", "detach"])
def test_the_terminal_is_raw_meanwhile_and_restored(typed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is a byte for the process; the detach keys end the connection; the mode is as before."""
    ours, theirs = pty.openpty()
    if sys.version_info >= (3, 11):
        termios.tcsetwinsize(theirs, (31, 91))
    before = termios.tcgetattr(theirs)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: theirs))
    stub = Stub()
    with Console(stub, b"\x10\x11", sig_proxy=True) as console:  # type: ignore[arg-type]
        assert not termios.tcgetattr(theirs)[3] & (termios.ICANON | termios.ISIG | termios.ECHO)
        os.write(ours, typed)
        console.copy()
    assert termios.tcgetattr(theirs) == before
    assert stub.detached == (typed == b"\x10\x11")
    assert stub.typed == ([] if stub.detached else [typed])
    if sys.version_info >= (3, 11):
        assert stub.size == (31, 91)
    os.close(ours)
    os.close(theirs)
