"""The command line as a process of its own: signals, a real terminal, and what stays behind."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import containerkit as ck

_PATIENCE = 60.0
_TRAP = "trap 'exit 7' TERM INT; echo ready; while :; do sleep 0.1; done"


@pytest.fixture
def name(engine: ck.Engine) -> Iterator[str]:
    """A name for a container, which is removed if it is still there."""
    chosen = f"ck-line-{uuid.uuid4().hex[:8]}"
    yield chosen
    with contextlib.suppress(ck.ContainerNotFound):
        engine.containers.remove(chosen, force=True)


def words(engine: ck.Engine, *args: str) -> list[str]:
    return [sys.executable, "-m", "containerkit", "--engine", engine.url, *args]


def wait_gone(engine: ck.Engine, name: str) -> None:
    """Wait until the engine has removed a container."""
    deadline = time.monotonic() + _PATIENCE
    while engine.containers.exists(name):
        assert time.monotonic() < deadline, f"{name} is still there"
        time.sleep(0.1)


def read_until(fd: int, word: bytes) -> bytes:
    """Return what a terminal shows, up to a word."""
    shown, deadline = b"", time.monotonic() + _PATIENCE
    while word not in shown:
        assert select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0], f"no {word!r} in {shown!r}"
        shown += os.read(fd, 4096)
    return shown


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("option", ["--rm", "--timeout=1h"])
def test_signals_reach_the_container_without_a_terminal(
    number: signal.Signals, option: str, engine: ck.Engine, shell_image: str, name: str
) -> None:
    """The exit code is the one that the process chose; --rm and --timeout remove the container."""
    line = words(engine, "run", option, "--name", name, shell_image, "sh", "-c", _TRAP)
    with subprocess.Popen(line, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        program.send_signal(number)
        assert program.wait(_PATIENCE) == 7
    wait_gone(engine, name)


def test_a_timeout_kills_and_removes_the_container(engine: ck.Engine, shell_image: str, name: str) -> None:
    """Its output until then is printed; the exit code is 125."""
    line = words(engine, "run", "--timeout", "3", "--name", name, shell_image, "sh", "-c", "echo first; sleep 3600")
    done = subprocess.run(line, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (125, "first\n")
    assert "within 3 seconds" in done.stderr
    wait_gone(engine, name)


def test_the_engine_removes_the_container_of_a_killed_program(engine: ck.Engine, shell_image: str, name: str) -> None:
    """With --rm the engine removes it when it ends, whatever became of the program."""
    line = words(engine, "run", "--rm", "-i", "--name", name, shell_image, "sh", "-c", _TRAP)
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        program.kill()
    engine.containers.get(name).kill("SIGKILL")
    wait_gone(engine, name)


def test_a_terminal_types_resizes_and_detaches(engine: ck.Engine, shell_image: str, name: str) -> None:
    """`run -it --rm` in a real pseudo-terminal; detached, the container runs on, and goes when it ends."""
    line = words(engine, "run", "--rm", "-it", "--name", name, shell_image, "sh")
    master, slave = pty.openpty()
    with subprocess.Popen(line, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as program:
        os.close(slave)
        try:
            os.write(master, b"echo $((40+2))-typed\n")
            read_until(master, b"42-typed")
            os.write(master, b"\x10\x11")
            read_until(master, b"left running")
            assert program.wait(_PATIENCE) == 0
        finally:
            program.kill()
            os.close(master)
    found = engine.containers.get(name)
    assert found.status == "running"
    found.kill("SIGKILL")
    wait_gone(engine, name)


@pytest.mark.parametrize("dockerfile", ["-", "My.Dockerfile", "context/In.Dockerfile"])
def test_build_takes_the_dockerfile_from_stdin_and_from_the_working_directory(
    engine: ck.Engine, shell_image: str, tmp_path: Path, dockerfile: str
) -> None:
    """`build -f -` reads it from stdin; `build -f PATH` starts at the working directory, as docker does."""
    if ck.Capability.BUILD not in engine.capabilities:
        pytest.skip("the engine declares no build")
    text = f"FROM {shell_image}\nENV FROM_FILE={dockerfile}\n"
    (tmp_path / "context").mkdir()
    if dockerfile != "-":
        (tmp_path / dockerfile).write_text(text)
    line = words(engine, "build", "-q", "-f", dockerfile, "context")
    done = subprocess.run(line, input=text, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    image = engine.images.get(done.stdout.strip())
    assert engine.run(image.id, ["sh", "-c", "echo $FROM_FILE"]).stdout.strip() == dockerfile
    image.remove(force=True)
