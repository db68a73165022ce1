"""Scenarios: limits and measurements."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    ContainerKitError,
    InvalidOption,
    LimitNotEnforced,
    Unsupported,
)
from ...resources.container import Container
from .base import (
    Scenarios,
    lists_sleep,
    needs,
    shell,
)


class LimitScenarios(Scenarios):
    """Limits and measurements."""

    def test_stats_as_declared(self, engine: Engine, box: Container) -> None:
        """stats() returns one schema if declared, and raises Unsupported otherwise."""
        if Capability.STATS in engine.capabilities:
            found = box.stats()
            assert found.memory > 0
            assert found.memory_limit >= found.memory
            assert found.pids >= 1
            assert abs(found.time - time.time()) < 60
            return
        with pytest.raises(Unsupported):
            box.stats()
        with (
            contextlib.suppress(ContainerKitError),
            engine._core.backend.stats_container(box.id, stream=False) as samples,
        ):
            assert next(iter(samples)).pids != 1, "it counts this container's one process: it can, and says it cannot"

    def test_stats_stream_as_declared(self, engine: Engine, box: Container) -> None:
        """stream_stats() yields samples until it is closed, or raises Unsupported."""
        if Capability.STATS not in engine.capabilities:
            with pytest.raises(Unsupported):
                box.stream_stats()
            return
        with box.stream_stats() as samples:
            each = iter(samples)
            first, second = next(each), next(each)
        assert second.time > first.time
        assert second.cpu_percent is not None

    def test_top_as_declared(self, engine: Engine, box: Container) -> None:
        """top() lists the processes, or raises Unsupported."""
        if Capability.TOP not in engine.capabilities:
            with pytest.raises(Unsupported):
                box.top()
            return
        assert "PID" in box.top().titles
        assert lists_sleep(box)

    @needs(Capability.PROCESSES)
    def test_update_as_declared(self, engine: Engine, box: Container) -> None:
        """update() changes a limit if declared, and raises Unsupported otherwise."""
        if Capability.UPDATE not in engine.capabilities:
            with pytest.raises(Unsupported):
                box.update(memory="64m")
            return
        box.update(memory="64m", memory_swap="64m")
        shown = shell(
            box, "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true"
        )
        assert str(64 << 20) in shown.split()

    @needs(Capability.PROCESSES, Capability.UPDATE, Capability.MEMORY_LIMIT)
    @pytest.mark.parametrize(
        ("first", "then", "memory", "swap"),
        [
            ({}, {"memory": "80m"}, 80, None),
            ({"memory": "64m"}, {"memory": "80m"}, 80, 48),
            ({"memory": "64m", "memory_swap": -1}, {"memory": "200m"}, 200, None),
            ({"memory": "64m"}, {"memory": "200m", "memory_swap": "300m"}, 200, 100),
            ({"memory": "64m"}, {"memory": "200m", "memory_swap": -1}, 200, None),
            ({}, {"memory": "64m", "memory_swap": "64m"}, 64, 0),
        ],
        ids=["of none", "within swap", "swap unlimited", "both", "swap set free", "no swap"],
    )
    def test_memory_and_swap(
        self, engine: Engine, shell_image: str, first: Any, then: Any, memory: int, swap: int | None
    ) -> None:
        """update() of memory and swap means the same on every engine: unlimited swap stays unlimited."""
        with engine.start(shell_image, ["sleep", "600"], **first) as container:
            container.update(**then)
            line = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.swap.max 2>/dev/null; true"
            shown = shell(container, line).split()
        if len(shown) == 2:  # cgroup v2, with swap accounting
            most = 1 << 60  # "max", or a number above any machine's memory
            found = [most if word == "max" else min(int(word), most) for word in shown]
            assert found == [memory << 20, most if swap is None else swap << 20]

    @needs(Capability.PROCESSES, Capability.UPDATE, Capability.MEMORY_LIMIT)
    def test_more_memory_than_memory_and_swap(self, engine: Engine, shell_image: str) -> None:
        """Memory above the limit of memory and swap together raises InvalidOption with that limit."""
        with engine.start(shell_image, ["sleep", "600"], memory="64m", memory_swap="100m") as container:
            with pytest.raises(InvalidOption, match=str(100 << 20)) as caught:
                container.update(memory="200m")
            assert caught.value.name == "memory"
            assert container.inspect()["HostConfig"]["Memory"] == 64 << 20

    @pytest.mark.parametrize(
        ("option", "value", "capability", "files", "expected"),
        [
            ("memory", "64m", Capability.MEMORY_LIMIT, "memory.max memory/memory.limit_in_bytes", str(64 << 20)),
            ("memory", 64 << 20, Capability.MEMORY_LIMIT, "memory.max memory/memory.limit_in_bytes", str(64 << 20)),
            ("pids_limit", 77, Capability.PIDS_LIMIT, "pids.max pids/pids.max", "77"),
            ("cpus", 0.5, Capability.CPU_LIMIT, "cpu.max cpu/cpu.cfs_quota_us", "50000"),
            ("cpu_quota", 50000, Capability.CPU_LIMIT, "cpu.max cpu/cpu.cfs_quota_us", "50000"),
            ("cpuset_cpus", "0", Capability.CPUSET_LIMIT, "cpuset.cpus cpuset/cpuset.cpus", "0"),
            ("cpuset_mems", "0", Capability.CPUSET_LIMIT, "cpuset.mems cpuset/cpuset.mems", "0"),
        ],
        ids=["memory", "memory-int", "pids", "cpus", "quota", "cpuset", "mems"],
    )
    def test_limit_holds_or_is_refused(
        self,
        engine: Engine,
        shell_image: str,
        option: str,
        value: Any,
        capability: Capability,
        files: str,
        expected: str,
    ) -> None:
        """A limit is in the container's cgroup, or raises LimitNotEnforced; best-effort warns."""
        options: Any = {option: value}
        line = f"cd /sys/fs/cgroup; cat {files} 2>/dev/null; true"
        if capability in engine.capabilities:
            result = engine.run(shell_image, ["sh", "-c", line], **options)
            assert expected in result.stdout.split()
            assert result.warnings == ()
            return
        with pytest.raises(LimitNotEnforced) as caught:
            engine.run(shell_image, ["true"], **options)
        assert caught.value.limits == (option,)
        result = engine.run(shell_image, ["true"], limits="best-effort", **options)
        assert option in " ".join(result.warnings)

    @pytest.mark.parametrize(
        ("options", "capability"),
        [
            ({"add_host": {"x": "host-gateway"}}, Capability.HOST_GATEWAY),
            ({"userns": "keep-id"}, Capability.KEEP_ID),
        ],
        ids=["host-gateway", "keep-id"],
    )
    def test_option_by_capability(
        self, engine: Engine, shell_image: str, options: dict[str, Any], capability: Capability
    ) -> None:
        """An option works if its capability is declared, and raises Unsupported otherwise."""
        if capability in engine.capabilities:
            assert engine.run(shell_image, ["true"], **options).exit_code == 0
            return
        with pytest.raises(Unsupported) as caught:
            engine.run(shell_image, ["true"], **options)
        assert caught.value.capability == capability.value
