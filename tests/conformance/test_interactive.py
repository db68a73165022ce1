"""Programs at a terminal: `containerkit` in a pseudo-terminal that it controls, and that terminal afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

import containerkit as ck
from tests.proxy import Proxy

_PATIENCE = 90.0


class Screen:
    """A program at a terminal of its own.

    Attributes:
        shown: everything that the terminal showed.
    """

    def __init__(self, url: str, *args: str) -> None:
        self._master, self._slave = pty.openpty()
        self.resize(30, 100)
        self.before = termios.tcgetattr(self._slave)
        line = [sys.executable, "-m", "containerkit", "--engine", url, *args]
        self.program = subprocess.Popen(
            line, stdin=self._slave, stdout=self._slave, stderr=self._slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self.shown = b""

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *exc: object) -> None:
        self.program.kill()
        self.program.wait()
        os.close(self._master)
        os.close(self._slave)

    def resize(self, rows: int, columns: int) -> None:
        """Set the size; the kernel tells the program by SIGWINCH."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def read(self, seconds: float) -> None:
        """Read what is shown, for a moment at most."""
        if select.select([self._master], [], [], seconds)[0]:
            self.shown += os.read(self._master, 4096)

    def wait_for(self, word: str) -> None:
        """Read up to a word that comes after what was waited for last."""
        deadline = time.monotonic() + _PATIENCE
        while word.encode() not in self.shown:
            assert time.monotonic() < deadline, f"no {word!r} in {self.shown!r}"
            self.read(1.0)
        self.shown = self.shown.partition(word.encode())[2]

    def ask(self, line: str, word: str) -> None:
        """Type a line again and again until it is answered with a word: some of it may come too early."""
        deadline = time.monotonic() + _PATIENCE
        while word.encode() not in self.shown:
            assert time.monotonic() < deadline, f"no {word!r} in {self.shown!r}"
            self.type(f"{line}\n")
            until = time.monotonic() + 3
            while word.encode() not in self.shown and time.monotonic() < until:
                self.read(0.5)
        self.shown = self.shown.partition(word.encode())[2]

    def end(self) -> int:
        """Return the exit code, once the program has ended and left the terminal as it was."""
        deadline = time.monotonic() + _PATIENCE
        while self.program.poll() is None:
            assert time.monotonic() < deadline, f"the program runs on; shown: {self.shown!r}"
            self.read(0.1)
        while select.select([self._master], [], [], 0)[0]:
            self.read(0)
        assert termios.tcgetattr(self._slave) == self.before, "the terminal is not restored"
        return self.program.returncode


@pytest.fixture
def name(engine: ck.Engine) -> Iterator[str]:
    """A name for a container, which is removed if it is still there."""
    chosen = f"ck-screen-{uuid.uuid4().hex[:8]}"
    yield chosen
    with contextlib.suppress(ck.ContainerNotFound):
        engine.containers.remove(chosen, force=True)


def shell(engine: ck.Engine, image: str, name: str) -> Any:
    """Start a container whose first process is a shell at a terminal."""
    return engine.start(image, "sh", name=name, interactive=True, tty=True, stop_timeout=0)


def test_a_shell_follows_the_size_and_gets_ctrl_c(engine: ck.Engine, shell_image: str, name: str) -> None:
    """`run -it`: the size at the start and after a change, Ctrl-C for the command inside, its exit code."""
    with Screen(engine.url, "run", "--rm", "-it", "--name", name, shell_image, "sh") as screen:
        screen.ask("stty size", "30 100")
        screen.resize(41, 121)
        screen.ask("stty size", "41 121")
        screen.type("echo be''gun; sleep 3600\n")
        screen.wait_for("begun")
        screen.ask("\x03", "^C")
        screen.ask("echo code=$((0+7))", "code=7")
        assert screen.program.poll() is None
        screen.type("exit 5\n")
        assert screen.end() == 5


def test_exec_at_a_terminal(engine: ck.Engine, shell_image: str, name: str) -> None:
    """`exec -it`: a terminal of its own, and the exit code of the command."""
    with shell(engine, shell_image, name), Screen(engine.url, "exec", "-it", name, "sh") as screen:
        screen.ask("stty size", "30 100")
        screen.resize(41, 121)
        screen.ask("stty size", "41 121")
        screen.type("exit 6\n")
        assert screen.end() == 6


def test_attach_detach_and_start_again(engine: ck.Engine, shell_image: str, name: str) -> None:
    """`attach` and Ctrl-P Ctrl-Q leave the container running; `start -ai` begins its shell once more."""
    with shell(engine, shell_image, name) as container:
        with Screen(engine.url, "attach", name) as screen:
            screen.ask("echo $((40+2))-typed", "42-typed")
            screen.type("\x10\x11")
            screen.wait_for("left running")
            assert screen.end() == 0
        assert container.refresh().status == "running"
        with Screen(engine.url, "attach", name) as screen:
            screen.ask("echo $((40+3))-typed", "43-typed")
            screen.type("exit 4\n")
            assert screen.end() == 4
        with Screen(engine.url, "start", "-ai", name) as screen:
            screen.ask("stty size", "30 100")
            screen.type("exit 3\n")
            assert screen.end() == 3


@pytest.mark.parametrize("verb", ["run", "exec"])
@pytest.mark.parametrize("stop", [False, True], ids=["connection", "engine"])
def test_a_cut_connection_and_a_dead_engine(
    verb: str, stop: bool, engine: ck.Engine, shell_image: str, name: str
) -> None:
    """The program ends with an error that says so."""
    if not engine.url.startswith("unix://"):
        pytest.skip("the proxy stands before a unix socket")
    with Proxy(engine.url) as proxy, contextlib.ExitStack() as stack:
        args = ["run", "-it", "--name", name, shell_image, "sh"]
        if verb == "exec":
            stack.enter_context(shell(engine, shell_image, name))
            args = ["exec", "-it", name, "sh"]
        with Screen(proxy.url, *args) as screen:
            screen.ask("echo $((40+2))-typed", "42-typed")
            proxy.stop() if stop else proxy.cut()
            assert screen.end() == (125 if verb == "run" else 1)
            assert b"containerkit: " in screen.shown
            assert b"Traceback" not in screen.shown


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_killed_program(number: signal.Signals, engine: ck.Engine, shell_image: str, name: str) -> None:
    """A signal for the program ends it; the terminal is as before, and with --rm the container goes."""
    with Screen(engine.url, "run", "--rm", "-it", "--name", name, shell_image, "sh") as screen:
        screen.ask("echo $((40+2))-typed", "42-typed")
        screen.program.send_signal(number)
        assert screen.end() == 128 + number
    assert not engine.containers.exists(name)
