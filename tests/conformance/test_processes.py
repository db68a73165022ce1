"""Forks, ends of processes, and a small sample of kills, on a real engine."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import containerkit as ck
from tests.kill.cases import Foreign, play, sample, tidied, usual_duration


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that a test starts find the package and the tests as this one does."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path or os.getcwd() for path in sys.path))


def name_of(url: str, ref: str) -> str:
    """For a process of a pool: look up a container with a connection of its own."""
    with ck.connect(url) as engine:
        return engine.containers.get(ref).name


def in_child(action: Callable[[], None]) -> int:
    """Run an action in a forked child; return its exit code."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:  # noqa: BLE001  a child must not return into the tests
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_removes_nothing(engine: ck.Engine, shell_image: str) -> None:
    """A child that closes the Engine it inherited leaves the parent's containers alone."""
    with ck.connect(engine.url) as mine:
        box = mine.start(shell_image, ["sleep", "600"])
        assert in_child(mine.close) == 0
        assert box.refresh().status == "running"


def test_a_forked_child_removes_what_it_created(engine: ck.Engine, shell_image: str) -> None:
    """A child can use the Engine it inherited; closing it there removes the child's container."""
    name = f"ckchild{os.getpid()}"
    with ck.connect(engine.url) as mine:
        box = mine.start(shell_image, ["sleep", "600"])

        def create_and_close() -> None:
            mine.start(shell_image, ["sleep", "600"], name=name)
            mine.close()

        assert in_child(create_and_close) == 0
        assert not engine.containers.exists(name)
        assert box.refresh().status == "running"


def test_connections_are_not_shared_over_a_fork(engine: ck.Engine, shell_image: str) -> None:
    """Parent and children that use one Engine at the same time never get each other's responses."""
    with ck.connect(engine.url) as mine:
        boxes = [mine.containers.create(shell_image, ["true"]) for _ in range(4)]
        expected = {box.id: box.name for box in boxes}

        def ask() -> None:
            for _ in range(20):
                ref = random.choice(list(expected))
                assert mine.containers.get(ref).name == expected[ref]

        with ThreadPoolExecutor(4) as pool:  # fill the pool of connections
            list(pool.map(lambda _: ask(), range(4)))
        children = []
        for _ in range(4):
            child = os.fork()
            if child == 0:
                try:
                    ask()
                except BaseException:  # noqa: BLE001
                    os._exit(1)
                os._exit(0)
            children.append(child)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: ask(), range(4)))
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(engine: ck.Engine, shell_image: str, method: str) -> None:
    """Processes of every start method open engines of their own."""
    with engine.containers.create(shell_image, ["true"]) as box:
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            assert pool.starmap(name_of, [(engine.url, box.id)] * 4) == [box.name] * 4


SCRIPT = """
import os, sys, time
import containerkit as ck
engine = ck.connect(sys.argv[1], reaper=sys.argv[4] == "reaper")
engine.networks.create(sys.argv[3] + "-net")
engine.volumes.create(sys.argv[3] + "-vol")
engine.start(sys.argv[2], ["sleep", "600"], name=sys.argv[3], network=sys.argv[3] + "-net")
engine.volumes.create(sys.argv[3] + "-kept", keep=True)
print("ready", flush=True)
if sys.argv[5] == "end":
    sys.exit(7)
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("reaper", "how"),
    [
        ("", "end"),
        ("", signal.SIGINT),
        ("reaper", "end"),
        ("reaper", signal.SIGINT),
        ("reaper", signal.SIGTERM),
        ("reaper", signal.SIGKILL),
    ],
    ids=str,
)
def test_nothing_is_left(engine: ck.Engine, shell_image: str, reaper: str, how: str | int) -> None:
    """sys.exit and Ctrl-C close the Engine; with a reaper, SIGTERM and kill -9 leave nothing either."""
    name = f"ckend{os.getpid()}"
    command = [sys.executable, "-c", SCRIPT, engine.url, shell_image, name, reaper, str(how)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as script:
        assert script.stdout
        assert script.stdout.readline() == "ready\n"
        if isinstance(how, int):
            script.send_signal(how)
        assert script.wait(30) == (7 if how == "end" else -int(how))
    try:
        ends = time.monotonic() + (20.0 if reaper else 0.0)
        while (left := _named(engine, name)) and time.monotonic() < ends:
            time.sleep(0.1)
        assert left == []
    finally:
        engine.volumes.remove(f"{name}-kept")


def _named(engine: ck.Engine, name: str) -> list[str]:
    found = [item.name for item in engine.containers.list(all=True)]
    found += [item.name for item in engine.networks.list()] + [item.name for item in engine.volumes.list()]
    return [item for item in found if item.startswith(name) and not item.endswith("-kept")]


def test_a_killed_check_is_cleaned(engine: ck.Engine) -> None:
    """The probe's container and its image go with one cleanup()."""
    code = "import sys, containerkit as ck\nengine = ck.connect(sys.argv[1])\nengine.check()"
    with subprocess.Popen([sys.executable, "-c", code, engine.url]) as script:
        ends = time.monotonic() + 30
        while not (seen := _probes(engine)) and time.monotonic() < ends:
            time.sleep(0.01)
        script.kill()
    assert seen
    time.sleep(2.0)  # the engine finishes what the last request began
    assert len(ck.cleanup(engine)) >= 2
    assert _probes(engine) == []
    assert [ref for image in engine.images.list() for ref in image.refs if "containerkit-probe" in ref] == []


def _probes(engine: ck.Engine) -> list[str]:
    return [item.name for item in engine.containers.list(all=True) if "containerkit-probe" in item.name]


def test_a_sample_of_kills(engine: ck.Engine, shell_image: str) -> None:
    """Six cases of `python -m tests.kill`: one cleanup() leaves nothing, removes nothing foreign, and none hangs."""
    prefix = f"ckkill{os.getpid()}"
    cases = sample(6, 4)
    usual = {name: usual_duration(engine.url, shell_image, name, prefix) for name in {c.operation for c in cases}}
    with tidied(engine, prefix), Foreign(engine, shell_image):
        outcomes = [play(engine, shell_image, case, prefix, usual[case.operation]) for case in cases]
    assert [outcome for outcome in outcomes if not outcome.good] == []


def test_a_reaper_leaks_nothing(engine: ck.Engine) -> None:
    """Neither descriptors, nor threads, nor processes stay after close()."""
    ck.connect(engine.url, reaper=True).close()
    gc.collect()  # the vendors' sessions are cycles
    before = len(os.listdir("/proc/self/fd")), threading.active_count(), _children()
    for _ in range(3):
        ck.connect(engine.url, reaper=True).close()
    gc.collect()
    assert (len(os.listdir("/proc/self/fd")), threading.active_count(), _children()) == before


def _children() -> list[str]:
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
