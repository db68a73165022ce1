"""Scenarios: the engine's info, capabilities, events, and many threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    EngineError,
    Unsupported,
)
from .base import (
    SLEEP,
    Scenarios,
    fresh_name,
    needs,
)


class EngineScenarios(Scenarios):
    """The engine's info, capabilities, events, and many threads."""

    def test_info_is_complete(self, engine: Engine) -> None:
        """info() returns version, store, cgroups and machine in one vocabulary."""
        info = engine.info()
        assert info.kind == engine.kind
        assert info.version[0].isdecimal()
        assert info.cgroup_version in (1, 2)
        assert info.image_store in ("graphdriver", "containerd")
        assert info.root_dir.startswith("/")
        assert info.cpus >= 1
        assert info.memory > 1 << 20

    def test_capabilities_are_of_one_vocabulary(self, engine: Engine) -> None:
        """Declared capabilities are Capability values."""
        assert engine.capabilities <= frozenset(Capability)

    def test_processes_as_declared(self, engine: Engine, shell_image: str) -> None:
        """An engine with processes shows the kernel's view of one; another raises Unsupported."""
        command = ["cat", "/proc/self/comm"]
        if Capability.PROCESSES in engine.capabilities:
            assert engine.run(shell_image, command).stdout == "cat\n"
            return
        name = fresh_name()
        with pytest.raises(Unsupported) as caught:
            engine.run(shell_image, command, name=name)
        assert caught.value.capability == "processes"
        assert not engine.containers.exists(name)

    @pytest.mark.parametrize("what", ["build", "pull", "push", "login"])
    def test_builds_and_registries_as_declared(self, engine: Engine, shell_image: str, what: str) -> None:
        """Without a builder or registry access, the calls that need one raise Unsupported with the capability."""
        calls: dict[str, Callable[[], object]] = {
            "build": lambda: engine.images.build({"Dockerfile": f"FROM {shell_image}\n"}),
            "pull": lambda: engine.images.pull("127.0.0.1:9/containerkit/none:1"),
            "push": lambda: engine.images.push("127.0.0.1:9/containerkit/none:1"),
            "login": lambda: engine.login("lab", "lab", "127.0.0.1:9"),
        }
        capability = Capability.BUILD if what == "build" else Capability.REGISTRY
        if capability not in engine.capabilities:
            with pytest.raises(Unsupported) as caught:
                calls[what]()
            assert caught.value.capability == capability.value
        elif what == "build":
            assert engine.images.build({"Dockerfile": f"FROM {shell_image}\n"}).id
        else:
            with pytest.raises(EngineError):
                calls[what]()

    def test_events_of_the_past(self, engine: Engine, shell_image: str) -> None:
        """Events between since and until are returned, in Docker's words."""
        mark = fresh_name()
        began = time.time()
        engine.run(shell_image, ["false"], name=mark)
        time.sleep(0.2)
        with engine.events(since=began - 1, until=time.time(), filters={"type": "container"}) as stream:
            mine = [event for event in stream if event.name == mark]
        actions = [event.action for event in mine]
        assert [word for word in actions if word in ("create", "start", "die", "destroy")] == [
            "create",
            "start",
            "die",
            "destroy",
        ]
        assert [event.exit_code for event in mine if event.action == "die"] == [1]

    def test_events_closed_from_another_thread(self, engine: Engine) -> None:
        """Another thread can close an endless stream of events."""
        stream = engine.events(filters={"label": [f"none={fresh_name()}"]})
        reader = threading.Thread(target=lambda: list(stream))
        reader.start()
        time.sleep(0.3)
        stream.close()
        reader.join(5)
        assert not reader.is_alive()

    @needs(Capability.PROCESSES)
    def test_forty_containers_from_eight_threads(self, engine: Engine, shell_image: str) -> None:
        """Eight threads start, use and remove 40 containers through one Engine."""
        mark = fresh_name()

        def one(number: int) -> str:
            with engine.start(shell_image, SLEEP, labels={"mark": mark}, env={"N": number}) as container:
                return container.exec(["sh", "-c", "echo $N"], check=True).stdout.strip()

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(one, range(40))) == [str(number) for number in range(40)]
        assert engine.containers.list(all=True, filters={"label": [f"mark={mark}"]}) == []
