"""cleanup() removes what dead sessions left, keeps what may be live, and touches nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends._peer import engine_is_local
from containerkit.resources import liveness
from containerkit.resources.liveness import Creator, Liveness, judge
from containerkit.resources.session import Session
from containerkit.resources.sweep import SESSION_LABEL, find_labelled
from containerkit.spec import REQUEST_LABEL, ContainerSpec, NetworkSpec, VolumeSpec
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder

LIVE, DEAD, UNKNOWN = Liveness.LIVE, Liveness.DEAD, Liveness.UNKNOWN


def a_dead_pid() -> str:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return str(process.pid)


HERE = Creator.current(local=True)
GONE = replace(HERE, pid=a_dead_pid())


@pytest.fixture
def backend() -> FakeBackend:
    backend = FakeBackend()
    backend.add_image("busybox:1")
    return backend


def labels(creator: Creator = GONE, session: str = "s1", request: str = "r1") -> dict[str, str]:
    return {SESSION_LABEL: session, REQUEST_LABEL: request, **creator.labels()}


# ---------------------------------------------------------------- liveness
def test_labels_describe_a_process() -> None:
    """A process survives the way through labels."""
    assert Creator.from_labels(HERE.labels()) == HERE
    assert Creator.from_labels(replace(HERE, local=False).labels()).local is False
    assert Creator.from_labels({}) == Creator("", "", "", "", "", "", local=False)
    assert all((HERE.pid, HERE.started, HERE.boot_id, HERE.pid_namespace, HERE.host))


def test_a_running_process_is_live() -> None:
    """Its ID exists, and it started when the labels say."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            started = liveness._process_start(process.pid) or ""
            other = replace(HERE, pid=str(process.pid), started=started)
            assert judge(other, HERE)[0] is LIVE
            assert judge(replace(other, started="1"), HERE)[0] is DEAD  # the kernel reused the number
            shifted = replace(other, started="1", time_namespace="time:[1]")
            assert judge(shifted, HERE)[0] is UNKNOWN
            assert judge(replace(shifted, started=started), HERE)[0] is LIVE
        finally:
            process.kill()
        while not process.poll() and liveness._process_start(process.pid):
            time.sleep(0.01)
        assert judge(other, HERE)[0] is DEAD


def test_a_zombie_is_dead() -> None:
    """A process that has ended and was not waited for is dead."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    try:
        assert judge(replace(HERE, pid=str(child)), HERE)[0] is DEAD
    finally:
        os.waitpid(child, 0)


def test_a_process_that_has_ended_is_dead() -> None:
    """Its ID does not exist; also in another time namespace."""
    assert judge(GONE, HERE) == (DEAD, "")
    assert judge(replace(GONE, time_namespace="time:[1]"), HERE) == (DEAD, "")


def test_a_closed_session_of_this_process_is_dead() -> None:
    """Open sessions of this process are known by their ID."""
    assert judge(HERE, HERE) == (DEAD, "")


def test_before_a_restart_of_the_engines_machine_is_dead() -> None:
    """Another boot ID is a restart only if both processes ran on the engine's machine."""
    before = replace(GONE, boot_id="another")
    assert judge(before, HERE) == (DEAD, "")
    assert judge(replace(before, local=False), HERE)[0] is UNKNOWN
    assert judge(before, replace(HERE, local=False))[0] is UNKNOWN
    assert judge(replace(GONE, local=False), replace(HERE, local=False))[0] is DEAD


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"boot_id": ""}, "no /proc"),
        ({"boot_id": "x", "local": False}, f"another machine, {HERE.host}"),
        ({"pid_namespace": "pid:[1]"}, "another PID namespace"),
        ({"pid_namespace": ""}, "another PID namespace"),
        ({"pid": ""}, "do not identify a process"),
        ({"pid": "x"}, "do not identify a process"),
        ({"pid": "9" * 30}, "do not identify a process"),
        ({"started": ""}, "do not identify a process"),
    ],
)
def test_what_cannot_be_judged_is_unknown(changes: Mapping[str, Any], reason: str) -> None:
    """The reason says why."""
    found, why = judge(replace(GONE, **changes), HERE)
    assert found is UNKNOWN
    assert reason in why


def test_without_proc_here_everything_is_unknown() -> None:
    """A machine without /proc judges nothing."""
    assert judge(GONE, replace(HERE, boot_id=""))[0] is UNKNOWN
    assert judge(replace(GONE, pid_namespace=""), replace(HERE, pid_namespace=""))[0] is UNKNOWN


def test_a_process_of_another_user_that_is_hidden_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hidepid=2, kill() shows that it exists, and /proc shows nothing."""

    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    monkeypatch.setattr(liveness, "_read", lambda path: "")
    found, reason = judge(replace(HERE, pid="1"), HERE)
    assert (found, reason) == (UNKNOWN, "process 1 exists and cannot be inspected by this user")


def test_a_command_name_may_hold_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start time is field 22, counted from the last parenthesis."""
    fields = " ".join(["S", *map(str, range(4, 53))])
    monkeypatch.setattr(liveness, "_read", lambda path: f"7 (a) b ( c)) {fields}")
    assert liveness._process_start(7) == "22"


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:2375", "ssh://h/x", "unix:///nonexistent.sock", "fake://"])
def test_an_engine_that_is_not_surely_local(url: str) -> None:
    """Only a socket whose process is an engine of this machine counts; so does a service of our own."""
    assert engine_is_local(url) is False
    assert engine_is_local("embedded:///usr/bin/podman") is True


# ---------------------------------------------------------------- cleanup
def test_cleanup_removes_what_a_dead_session_left(backend: FakeBackend) -> None:
    """Containers, networks and volumes go, with their names in the result; everything else stays."""
    backend.create_network(NetworkSpec("net", labels=labels()))
    backend.create_volume(VolumeSpec("vol", labels=labels()))
    backend.create_volume(VolumeSpec("foreign", labels={"containerkit": "1"}))
    backend.create_volume(VolumeSpec("kept", labels={SESSION_LABEL: "", REQUEST_LABEL: "k"}))
    backend.create_container(ContainerSpec("busybox:1", ("true",), name="box", labels=labels()))
    backend.create_container(ContainerSpec("busybox:1", ("true",), name="own"))
    cleaned = ck.cleanup(backend)
    assert cleaned == ck.Cleaned(("box",), ("net",), ("vol",))
    assert len(cleaned) == 3
    assert cleaned
    assert sorted(v.name for v in backend.list_volumes(filters={})) == ["foreign", "kept"]
    assert [c.name for c in backend.list_containers(all=True, filters={})] == ["own"]
    assert not ck.cleanup(backend)


def test_an_open_session_of_this_process_is_live(backend: FakeBackend) -> None:
    """Also where its labels look dead."""
    session = Session(backend)
    backend.create_volume(VolumeSpec("vol", labels=labels(session=session.id)))
    assert ck.cleanup(backend, older_than=0) == ck.Cleaned()
    session.close()
    assert ck.cleanup(backend).volumes == ("vol",)


def test_what_may_be_live_is_kept_and_reported(backend: FakeBackend) -> None:
    """`unknown` has the name and the reason; with an age it is removed."""
    backend.create_volume(VolumeSpec("vol", labels=labels(replace(GONE, boot_id="x"))))
    cleaned = ck.cleanup(backend)
    assert [name for name, _ in cleaned.unknown] == ["vol"]
    assert "another machine" in cleaned.unknown[0][1]
    assert not cleaned
    assert ck.cleanup(backend, older_than="1h") == ck.Cleaned()
    assert ck.cleanup(backend, older_than=0).volumes == ("vol",)


def test_older_than_keeps_what_is_younger(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is at least that old is removed, dead or not."""
    record = backend.create_volume(VolumeSpec("vol", labels=labels()))
    now = record.created + 100.0
    monkeypatch.setattr("containerkit.leftovers.time.time", lambda: now)
    assert ck.cleanup(backend, older_than=101).volumes == ()
    assert ck.cleanup(backend, older_than=100).volumes == ("vol",)


def test_a_live_session_is_kept_at_any_age(backend: FakeBackend) -> None:
    """An age removes nothing of a process that runs."""
    started = liveness._process_start(os.getppid()) or ""
    live = replace(HERE, pid=str(os.getppid()), started=started)
    backend.create_volume(VolumeSpec("vol", labels=labels(live)))
    assert ck.cleanup(backend, older_than=0) == ck.Cleaned()


def test_what_cannot_be_removed_is_reported(backend: FakeBackend) -> None:
    """The rest is removed."""
    backend.create_volume(VolumeSpec("busy", labels=labels()))
    backend.create_volume(VolumeSpec("free", labels=labels()))
    backend.create_container(ContainerSpec("busybox:1", name="user", volumes_from=()))
    spec = ContainerSpec("busybox:1", name="holder", mounts=(ck.Mount("volume", "busy", "/v"),))
    backend.create_container(spec)
    cleaned = ck.cleanup(backend)
    assert cleaned.volumes == ("free",)
    assert [name for name, _ in cleaned.failed] == ["busy"]


def test_what_is_gone_meanwhile_is_neither_removed_nor_failed(
    backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two cleanups at once share the work."""
    backend.create_volume(VolumeSpec("vol", labels=labels()))

    def gone(*_: object, **__: object) -> None:
        raise ck.VolumeNotFound("gone")

    monkeypatch.setattr(backend, "remove_volume", gone)
    assert ck.cleanup(backend) == ck.Cleaned()


def test_a_container_with_inherited_labels_is_a_users_own(backend: FakeBackend) -> None:
    """Labels of an image reach its containers; a create of ours has a request label of its own."""
    image = ImageBuilder().layer(files={"a": "b"}).run_config(Labels=labels(request="image"), Cmd=["/a"]).tag("ours:1")
    backend.load_images(iter((image.to_docker_archive(),)))
    backend.create_container(ContainerSpec("ours:1", name="inherited"))
    backend.create_container(ContainerSpec("ours:1", name="created", labels=labels(request="container")))
    cleaned = ck.cleanup(backend)
    assert cleaned.containers == ("created",)
    assert [name for name, _ in cleaned.failed] == ["ours:1"]
    backend.remove_container("inherited", force=True, volumes=True)
    assert ck.cleanup(backend).images == ("ours:1",)


def test_a_container_whose_image_is_gone_is_removed(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its image, the labels are taken for the container's own."""

    def gone(ref: str) -> None:
        raise ck.ImageNotFound("gone")

    backend.create_container(ContainerSpec("busybox:1", ("true",), name="box", labels=labels()))
    monkeypatch.setattr(backend, "inspect_image", gone)
    assert ck.cleanup(backend).containers == ("box",)


def test_an_ignored_filter_costs_no_container(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The labels are checked again after the engine has filtered."""
    backend.create_volume(VolumeSpec("own"))
    backend.create_volume(VolumeSpec("one", labels=labels(session="one")))
    backend.create_volume(VolumeSpec("two", labels=labels(session="two")))
    everything = backend.list_volumes(filters={})
    monkeypatch.setattr(backend, "list_volumes", lambda **_: everything)
    assert {item.name for item in find_labelled(backend)} == {"one", "two"}
    assert {item.name for item in find_labelled(backend, "two")} == {"two"}


@pytest.mark.parametrize("engine", ["docker", 3, object()])
def test_cleanup_of_no_engine(engine: Any) -> None:
    """An Engine, a Backend or None."""
    with pytest.raises(ck.InvalidOption, match="engine"):
        ck.cleanup(engine)


def test_one_engine_does_not_stop_the_others(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every engine that answers is cleaned; one that fails meanwhile is reported."""
    from containerkit.discovery import connect as room

    endpoints = tuple(
        ck.Endpoint(url, "test", reachable=url != "unix:///off") for url in ("unix:///a", "unix:///off", "unix:///b")
    )
    backend.create_volume(VolumeSpec("vol", labels=labels()))

    def connect(target: ck.Endpoint) -> ck.Engine:
        if target.url == "unix:///a":
            raise ck.EngineUnavailable("down")
        return ck.Engine(backend)

    monkeypatch.setattr(room, "discover", lambda: endpoints)
    monkeypatch.setattr(room, "connect", connect)
    assert ck.cleanup() == ck.Cleaned(volumes=("vol",), failed=(("unix:///a (test)", "down"),))


def test_cleanup_without_any_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """connect() says which addresses were tried."""
    from containerkit.discovery import connect as room

    def connect() -> ck.Engine:
        raise ck.EngineUnavailable("nothing answers")

    monkeypatch.setattr(room, "discover", lambda: ())
    monkeypatch.setattr(room, "connect", connect)
    with pytest.raises(ck.EngineUnavailable, match="nothing answers"):
        ck.cleanup()


def test_the_result_is_json_ready() -> None:
    """Stable keys, lists of names."""
    cleaned = ck.Cleaned(containers=("a",)) + ck.Cleaned(containers=("b",), unknown=(("c", "why"),))
    told = json.loads(json.dumps(cleaned.to_dict()))
    assert told["containers"] == ["a", "b"]
    assert told["unknown"] == [["c", "why"]]
    assert list(told) == ["containers", "networks", "volumes", "images", "failed", "unknown"]
