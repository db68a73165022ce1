"""One case: run an operation in a process, send it a signal at some moment, clean up, and compare with before."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import containerkit as ck
from containerkit.spec import ContainerSpec, NetworkSpec, VolumeSpec

from .operations import OPERATIONS

__all__ = [
    "HOW",
    "Case",
    "Foreign",
    "Outcome",
    "difference",
    "everything",
    "play",
    "running",
    "sample",
    "tidied",
    "usual_duration",
]

#: How the process ends -> the signals, a moment apart.
HOW: dict[str, tuple[int, ...]] = {
    "kill -9": (signal.SIGKILL,),
    "Ctrl-C": (signal.SIGINT,),
    "Ctrl-C twice": (signal.SIGINT, signal.SIGINT),
    "SIGTERM": (signal.SIGTERM,),
    "kill -9 with reaper": (signal.SIGKILL,),
}
_LONGEST = 60.0  # seconds; a process that lives longer after its signal hangs
_REAPED = 20.0  # seconds within which a reaper has removed everything
_SETTLE = 1.0  # seconds in which an engine finishes what a request that ended has begun


@dataclass(frozen=True, slots=True)
class Case:
    """An operation, how its process ends, and when, as a part of the operation's usual duration."""

    operation: str
    how: str
    moment: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case left behind after one cleanup(), what of others it removed, and whether it hung."""

    case: Case
    left: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    hung: bool = False
    removed: int = 0

    @property
    def good(self) -> bool:
        return not (self.left or self.foreign or self.hung)


def sample(count: int, seed: int, how: tuple[str, ...] = tuple(HOW)) -> list[Case]:
    """Return cases in which every operation and every end occur; the same seed gives the same cases."""
    chance = random.Random(seed)
    names = [name for name in OPERATIONS if name != "pull" or "CK_KILL_REGISTRY" in os.environ]
    pairs = [(name, end) for end in how for name in names]
    chance.shuffle(pairs)
    chosen = (pairs * (count // len(pairs) + 1))[:count]
    return [Case(name, end, chance.uniform(0.0, 1.1)) for name, end in chosen]


def everything(engine: ck.Engine) -> dict[str, str]:
    """Return all containers, networks, volumes and images of an engine: a key for each, and its name."""
    images = engine.images.list()
    return {
        **{f"container {item.id}": item.name for item in engine.containers.list(all=True)},
        **{f"network {item.name}": item.name for item in engine.networks.list()},
        **{f"volume {item.name}": item.name for item in engine.volumes.list()},
        **{f"image {ref}": ref for item in images for ref in item.refs},
    }


@dataclass
class Foreign:
    """Things that no case may remove: of another program, of a live session, and kept ones."""

    engine: ck.Engine
    image: str
    keys: set[str] = field(default_factory=set)

    def __enter__(self) -> Foreign:
        backend, name = self.engine._core.backend, f"ck-foreign-{os.getpid()}"
        before = set(everything(self.engine))
        backend.create_volume(VolumeSpec(name))
        backend.create_network(NetworkSpec(name))
        backend.create_container(ContainerSpec(self.image, ("true",), name=name))
        self.engine.start(self.image, ["sleep", "3600"], name=f"{name}-live")
        self.engine.volumes.create(f"{name}-live")
        self.engine.containers.create(self.image, ["true"], name=f"{name}-kept", keep=True)
        self.keys = set(everything(self.engine)) - before
        assert len(self.keys) == 6
        return self

    def __exit__(self, *_: object) -> None:
        backend, name = self.engine._core.backend, f"ck-foreign-{os.getpid()}"
        for container in (name, f"{name}-live", f"{name}-kept"):
            with contextlib.suppress(ck.ContainerKitError):
                backend.remove_container(container, force=True, volumes=True)
        with contextlib.suppress(ck.ContainerKitError):
            backend.remove_volume(name, force=True)
        with contextlib.suppress(ck.ContainerKitError):
            backend.remove_network(name)


@contextlib.contextmanager
def tidied(engine: ck.Engine, prefix: str) -> Iterator[None]:
    """Remove the images of the cases at the end: what is built, loaded or pulled is the user's."""
    try:
        yield
    finally:
        for key, ref in everything(engine).items():
            if key.startswith("image ") and prefix in ref:
                with contextlib.suppress(ck.ContainerKitError):
                    engine.images.remove(ref, force=True)


def play(engine: ck.Engine, image: str, case: Case, prefix: str, duration: float) -> Outcome:
    """Play one case, and return what one cleanup() made of it."""
    before = everything(engine)
    hung = not _run(engine.url, image, case, prefix, duration)
    started = time.monotonic()
    if case.how.endswith("reaper"):
        cleaned = ck.Cleaned()
        while any(difference(before, everything(engine), prefix)) and time.monotonic() - started < _REAPED:
            time.sleep(0.2)
        time.sleep(_SETTLE)
    else:
        time.sleep(_SETTLE)
        cleaned = ck.cleanup(engine)
    hung = hung or time.monotonic() - started > _LONGEST
    after = everything(engine)
    return Outcome(case, *difference(before, after, prefix), hung, len(cleaned))


def difference(
    before: Mapping[str, str], after: Mapping[str, str], prefix: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (names of what is left, names of what is missing); images of a case are the user's, and may stay."""
    left = {key: name for key, name in after.items() if key not in before}
    users = {key for key in left if key.startswith("image ") and prefix in key}
    return (
        tuple(name for key, name in left.items() if key not in users),
        tuple(name for key, name in before.items() if key not in after),
    )


@contextlib.contextmanager
def running(
    url: str, image: str, case: Case, prefix: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start the program of a case, and wait until the operation begins."""
    command = [sys.executable, "-m", "tests.kill.operations", url, image, case.operation, prefix]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env) as process:
        assert process.stdout
        process.stdout.readline()
        yield process


def usual_duration(url: str, image: str, operation: str, prefix: str) -> float:
    """Return the seconds that an operation takes undisturbed: the shorter of two tries."""
    found = []
    for _ in range(2):
        with running(url, image, Case(operation, "", 0.0), prefix) as process:
            started = time.monotonic()
            if process.stdout is None or process.stdout.readline() != "end\n":
                raise RuntimeError(f"{operation} fails on this engine")
            found.append(time.monotonic() - started)
    return min(found)


def _run(url: str, image: str, case: Case, prefix: str, duration: float) -> bool:
    """Run the operation and send the signals. Return False if the process does not end in time."""
    env = {**os.environ, "CK_KILL_REAPER": "1" if case.how.endswith("reaper") else ""}
    with running(url, image, case, prefix, env) as process:
        time.sleep(case.moment * duration)
        for number in HOW[case.how]:
            process.send_signal(number)
            time.sleep(0.05)
        try:
            process.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            return False
    return True
