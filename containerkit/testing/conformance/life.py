"""Scenarios: the life of a container, from create to remove."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ... import wait
from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    ContainerKitError,
    ContainerNotFound,
    EngineTimeout,
    InvalidOption,
    Unsupported,
    WrongState,
)
from ...resources.container import Container
from .base import (
    POLITE,
    SLEEP,
    STUBBORN,
    Scenarios,
    fresh_name,
    needs,
)


class LifeScenarios(Scenarios):
    """The life of a container, from create to remove."""

    def test_waiting_for_what_was_never_started(self, engine: Engine, shell_image: str) -> None:
        """Waiting for a container that never started raises WrongState; engines return 0."""
        with engine.containers.create(shell_image, ["true"]) as container, pytest.raises(WrongState) as caught:
            container.wait(timeout=5)
        assert caught.value.actual == "created"

    @needs(Capability.PROCESSES)
    def test_waiting_for_what_removes_itself(self, engine: Engine, shell_image: str) -> None:
        """wait() returns the exit code of a container that removes itself."""
        for code in (0, 3):
            with engine.start(shell_image, ["sh", "-c", f"sleep 1; exit {code}"], auto_remove=True) as container:
                assert container.wait(timeout=30) == code

    def test_create_does_not_start(self, engine: Engine, shell_image: str) -> None:
        """A container is "created" after create and "running" after start."""
        with engine.containers.create(shell_image, SLEEP) as container:
            assert container.status == "created"
            assert container.exit_code is None
            assert container.start().status == "running"

    def test_start_twice_is_no_error(self, box: Container) -> None:
        """Starting a running container changes nothing."""
        box.start()
        assert box.status == "running"

    def test_with_removes(self, engine: Engine, shell_image: str) -> None:
        """Leaving `with` removes the container."""
        with engine.start(shell_image, SLEEP) as container:
            pass
        with pytest.raises(ContainerNotFound):
            container.refresh()

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("timeout", [None, 8, 8.4])
    def test_stop_is_graceful(self, engine: Engine, shell_image: str, timeout: float | None) -> None:
        """stop() runs the container's TERM handler, also by default."""
        with engine.start(shell_image, POLITE) as container:
            container.wait_until(wait.log_line("ready"), timeout=20)
            container.stop(timeout=timeout)
            assert (container.status, container.exit_code) == ("exited", 7)
            assert "bye" in container.logs().stdout

    @needs(Capability.PROCESSES)
    def test_stop_kills_at_its_timeout(self, engine: Engine, shell_image: str) -> None:
        """stop() kills a process that ignores the signal after the timeout."""
        with engine.start(shell_image, STUBBORN) as container:
            container.wait_until(wait.log_line("ready"), timeout=20)
            began = time.monotonic()
            container.stop(timeout=1)
            assert 0.8 < time.monotonic() - began < 6
            assert container.exit_code == 137

    def test_stop_twice_is_no_error(self, box: Container) -> None:
        """Stopping a stopped container changes nothing."""
        box.stop(timeout=0)
        box.stop(timeout=0)
        assert box.status == "exited"

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(("signal", "code"), [("SIGKILL", 137), ("KILL", 137), (9, 137), ("SIGUSR1", 11)])
    def test_kill(self, engine: Engine, shell_image: str, signal: Any, code: int) -> None:
        """kill() sends a signal by any of its names."""
        line = "trap 'exit 11' USR1; echo ready; while :; do sleep 0.1; done"
        with engine.start(shell_image, ["sh", "-c", line]) as container:
            container.wait_until(wait.log_line("ready"), timeout=20)
            container.kill(signal)
            assert container.wait(timeout=20) == code

    def test_restart(self, engine: Engine, shell_image: str) -> None:
        """restart() starts a new first process."""
        with engine.start(shell_image, SLEEP) as container:
            before = container.record.pid
            container.restart(timeout=0)
            assert container.status == "running"
            assert container.record.pid != before

    def test_pause_as_declared(self, engine: Engine, box: Container) -> None:
        """An engine pauses if it declares that, and raises Unsupported otherwise."""
        if Capability.PAUSE in engine.capabilities:
            box.pause()
            assert box.refresh().status == "paused"
            box.unpause()
            assert box.refresh().status == "running"
            return
        for verb in (box.pause, box.unpause):
            with pytest.raises(Unsupported) as caught:
                verb()
            assert caught.value.capability == "pause"
        with pytest.raises(ContainerKitError):
            engine._core.backend.pause_container(box.id)

    def test_rename(self, engine: Engine, box: Container) -> None:
        """A renamed container is found by its new name."""
        name = fresh_name("new")
        box.rename(name)
        assert box.name == name
        assert engine.containers.get(name) == box

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("command", [SLEEP, STUBBORN], ids=["sleeping", "stubborn"])
    def test_forced_removal_is_quick(self, engine: Engine, shell_image: str, command: list[str]) -> None:
        """remove(force=True) of a running container takes less than a second."""
        with engine.start(shell_image, command) as container:
            began = time.monotonic()
            container.remove(force=True)
            assert time.monotonic() - began < 1.0

    def test_remove_missing_ok(self, box: Container) -> None:
        """remove() of a removed container raises, unless missing_ok=True."""
        box.remove(force=True)
        with pytest.raises(ContainerNotFound):
            box.remove()
        box.remove(missing_ok=True)

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("code", [0, 3])
    def test_wait_gives_the_code(self, engine: Engine, shell_image: str, code: int) -> None:
        """wait() returns the exit code, also the second time."""
        with engine.start(shell_image, ["sh", "-c", f"sleep 0.3; exit {code}"]) as container:
            assert container.wait(timeout=30) == code
            assert container.wait() == code
            assert container.exit_code == code

    def test_wait_timeout_leaves_it_running(self, box: Container) -> None:
        """wait(timeout=) raises EngineTimeout, and the container keeps running."""
        with pytest.raises(EngineTimeout):
            box.wait(timeout=0.5)
        assert box.refresh().status == "running"

    @pytest.mark.parametrize("how", ["id", "short", "name"])
    def test_get(self, engine: Engine, box: Container, how: str) -> None:
        """A container is found by ID, prefix of the ID, and name."""
        ref = {"id": box.id, "short": box.short_id, "name": box.name}[how]
        assert engine.containers.get(ref) == box
        assert engine.containers.exists(ref)

    @pytest.mark.parametrize("ref", ["", " ", "a\0", None, "a/b"], ids=repr)
    def test_get_bad_ref(self, engine: Engine, ref: Any) -> None:
        """An invalid name raises InvalidOption."""
        with pytest.raises(InvalidOption):
            engine.containers.get(ref)

    @pytest.mark.parametrize("how", ["label", "label-mapping", "name", "status", "id"])
    def test_list_filters(self, engine: Engine, shell_image: str, how: str) -> None:
        """A filter finds one container and not the other."""
        mark = fresh_name()
        with (
            engine.start(shell_image, SLEEP, labels={"mark": mark}, name=mark) as wanted,
            engine.containers.create(shell_image, SLEEP, labels={"mark": f"{mark}x"}) as other,
        ):
            filters: dict[str, Any] = {
                "label": {"label": [f"mark={mark}"]},
                "label-mapping": {"label": {"mark": mark}},
                "name": {"name": mark},
                "status": {"status": "running"},
                "id": {"id": wanted.id},
            }
            found = engine.containers.list(all=True, filters=filters[how])
            assert wanted in found
            assert other not in found

    def test_list_shows_what_runs(self, engine: Engine, shell_image: str, box: Container) -> None:
        """list() returns running containers, list(all=True) all of them."""
        with engine.containers.create(shell_image, SLEEP) as idle:
            running, everything = engine.containers.list(), engine.containers.list(all=True)
            assert box in running
            assert idle not in running
            assert {box, idle} <= set(everything)
            (entry,) = (item for item in everything if item == idle)
            assert (entry.name, entry.status) == (idle.name, "created")

    def test_container_prune_with_label(self, engine: Engine, shell_image: str) -> None:
        """prune() removes matching containers that do not run, and nothing else."""
        mark = fresh_name()
        with (
            engine.start(shell_image, SLEEP, labels={"mark": mark}) as running,
            engine.containers.create(shell_image, SLEEP, labels={"mark": mark}) as idle,
            engine.containers.create(shell_image, SLEEP) as other,
        ):
            assert engine.containers.prune(filters={"label": [f"mark={mark}"]}).removed == (idle.id,)
            assert running.refresh().status == "running"
            assert other.refresh().status == "created"

    def test_container_tells_of_itself(self, engine: Engine, box: Container, shell_image: str) -> None:
        """Name, image, ID and dict are correct."""
        assert len(box.id) == 64
        assert box.image.removeprefix("docker.io/") == shell_image.removeprefix("docker.io/")
        assert box.to_dict()["status"] == "running"
        assert box.inspect()["Id"] == box.id
        assert box.health is None

    def test_status_exited(self, engine: Engine, shell_image: str) -> None:
        """An ended container is "exited", with its exit code."""
        with engine.start(shell_image, ["false"]) as container:
            container.wait(timeout=30)
            assert (container.refresh().status, container.exit_code) == ("exited", 1)
