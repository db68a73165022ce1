"""The embedded Podman on a real machine: connect() starts a service that runs while the Engine is open."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import containerkit as ck
from tests.registry.fixtures import ENGINES

SCRIPT = """
import sys, containerkit as ck
engine = ck.connect(sys.argv[1])
print(engine.run(sys.argv[2], ["echo", "hello"]).stdout.strip(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def program(engine: ck.Engine, tmp_path: Path) -> str:
    """A `podman` that runs every command where the engine under test runs."""
    name, info = os.environ.get("CK_ENGINE", ""), engine.info()
    if info.kind != "podman" or info.rootless or "CK_ENGINE_ROOT" not in os.environ:
        pytest.skip("it takes the podman of an engine of engines.sh that shares this machine's /tmp as root")
    path = tmp_path / "podman"
    path.write_text(f'#!/bin/sh\nexec {ENGINES} in {name} -- podman "$@"\n')
    path.chmod(0o755)
    return str(path)


def services() -> set[str]:
    """Return the command lines of services on private sockets."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if words[0].endswith("podman") and "service" in words and any("/containerkit-" in word for word in words):
            found.add(" ".join(words))
    return found


def until(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.1)
    return True


def test_it_runs_while_the_engine_is_open(program: str, shell_image: str) -> None:
    """connect() starts the service, and close() leaves neither process nor folder."""
    before, folders = services(), set(Path("/tmp").glob("containerkit-*"))
    with ck.connect(f"embedded://{program}") as engine:
        assert (engine.kind, engine.url) == ("podman", f"embedded://{program}")
        assert engine.run(shell_image, ["echo", "hello"]).stdout == "hello\n"
        assert len(services() - before) == 1
    assert until(lambda: services() <= before)
    assert set(Path("/tmp").glob("containerkit-*")) <= folders


@pytest.mark.parametrize("how", ["end of the script", signal.SIGTERM, signal.SIGKILL], ids=str)
def test_it_does_not_outlive_its_program(program: str, shell_image: str, how: object) -> None:
    """The service ends with its program, also after kill -9."""
    before, folders = services(), set(Path("/tmp").glob("containerkit-*"))
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, f"embedded://{program}", shell_image],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as script:  # fmt: skip
        assert script.stdin is not None
        assert script.stdout is not None
        assert script.stdout.readline() == "hello\n"
        assert services() > before
        if isinstance(how, signal.Signals):
            script.send_signal(how)
        script.stdin.close()
        script.wait(30)
    assert until(lambda: services() <= before)
    assert until(lambda: set(Path("/tmp").glob("containerkit-*")) <= folders)
