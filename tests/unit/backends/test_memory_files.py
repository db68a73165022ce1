"""Which paths of a container are in memory, and what happens to files there on Docker."""

from __future__ import annotations

from typing import Any

import pytest

import containerkit as ck
from containerkit.backends._memory_files import MemoryFiles, memory_mount
from containerkit.backends.base import ContainerRecord, ExecState, MountRecord
from containerkit.errors import StartFailed
from containerkit.streams import Output


def record(status: str = "running", mounts: tuple[MountRecord, ...] = (), **host: Any) -> ContainerRecord:
    return ContainerRecord("id", "web", "x", "x", status, {}, mounts=mounts, raw={"HostConfig": host})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/m", "/m"),
        ("/m/a/b", "/m"),
        ("m/a", "/m"),
        ("/mm", ""),
        ("/", ""),
        ("/data", ""),
        ("/t/x", "/t"),
        ("/m/volume/x", ""),
        ("/dev/shm/x", "/dev"),
        ("/proc/1/status", "/proc"),
        ("/sys", "/sys"),
        ("/listed/x", "/listed"),
    ],
)
def test_memory_mount(path: str, expected: str) -> None:
    """The nearest mount around a path decides."""
    mounts = (MountRecord("volume", "", "/m/volume", "v", False), MountRecord("tmpfs", "", "/listed", "", False))
    tmpfs = [{"Type": "tmpfs", "Target": "/t"}, {"Type": "bind", "Target": "/data"}]
    assert memory_mount(record("running", mounts, Tmpfs={"/m": ""}, Mounts=tmpfs), path) == expected


class Attached:
    def __init__(self, outputs: list[Output]) -> None:
        self.outputs = outputs
        self.sent: Any = None

    def exchange(self, data: Any) -> Any:
        self.sent = data
        yield from self.outputs

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


class Engine:
    """Executes tar with one scripted end."""

    def __init__(self, state: ExecState | None, *outputs: Output) -> None:
        self.state = state
        self.commands: list[Any] = []
        self.attached = Attached(list(outputs))

    def exec_container(self, _ref: str, spec: Any) -> Any:
        self.commands.append((spec.command, spec.user, spec.stdin))
        if self.state is None:
            raise StartFailed("no tar")
        return "id", self.attached

    def inspect_exec(self, _identity: str) -> Any:
        return self.state


def files(engine: Engine, status: str = "running") -> MemoryFiles:
    backend: Any = engine
    return MemoryFiles(backend, record(status), "/m")


def test_put() -> None:
    """Files are unpacked by root's tar, after a try that tar is there."""
    engine = Engine(ExecState(False, 0))
    files(engine).put("/m/d", b"data", "copying")
    assert engine.commands == [
        (("tar", "-cf", "/dev/null", "/dev/null"), "0", False),
        (("tar", "-xf", "-", "-C", "/m/d"), "0", True),
    ]
    assert engine.attached.sent == (b"data",)


@pytest.mark.parametrize(
    "state", [None, ExecState(False, 126), ExecState(False, 127), ExecState(False, None, started=False)]
)
def test_without_tar(state: ExecState | None) -> None:
    """A container without tar raises Unsupported before the files are sent."""
    engine = Engine(state)
    with pytest.raises(ck.Unsupported, match="copying: /m is in memory, which needs tar in the container"):
        files(engine).put("/m", b"data", "copying")
    assert len(engine.commands) == 1


def test_not_running() -> None:
    """A container that does not run has no files in memory."""
    engine = Engine(ExecState(False, 0))
    with pytest.raises(ck.Unsupported, match="exists only while the container runs"):
        files(engine, "exited").put("/m", b"data", "copying")
    assert engine.commands == []


def test_missing() -> None:
    """A failure of tar is NotFound with the words of tar, and None for stat."""
    engine = Engine(ExecState(False, 1), Output("stderr", b"tar: /m/x: no such file\n"))
    with pytest.raises(ck.NotFound, match="copying: tar: /m/x: no such file") as caught:
        files(engine).put("/m", b"data", "copying")
    assert (caught.value.status, caught.value.explanation) == (404, "tar: /m/x: no such file")
    assert files(engine).stat("/m/x", "looking") is None
    with pytest.raises(ck.NotFound, match="copying: no /m/x in the container"):
        files(engine).get("/m/x", "copying")


def test_a_lost_end() -> None:
    """An exec whose output ends before it does raises EngineUnavailable."""
    with pytest.raises(ck.EngineUnavailable, match="ended before tar did"):
        files(Engine(ExecState(True, None))).put("/m", b"data", "copying")
    with pytest.raises(ck.EngineUnavailable, match="tar sent no header"):
        files(Engine(ExecState(False, 0))).stat("/m/x", "looking")
