"""Scenarios: each capability is declared if, and only if, the engine really has it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ...backends.base import Capability
from ...engine import Engine
from ...errors import ContainerKitError, EngineError
from ...spec import ResourceLimits
from .base import SLEEP, Scenarios, fresh_name, image_name, lists_sleep, shell

__all__ = ["PROBES", "CapabilityScenarios", "declaring", "hiding"]


@contextlib.contextmanager
def _declared(engine: Engine, capabilities: frozenset[Capability]) -> Iterator[None]:
    backend = engine._core.backend
    before = backend.capabilities
    backend.capabilities = capabilities
    try:
        yield
    finally:
        backend.capabilities = before


def declaring(engine: Engine, capability: Capability) -> contextlib.AbstractContextManager[None]:
    """Bypass the refusal of containerkit: act as if the engine had declared a capability."""
    return _declared(engine, engine.capabilities | {capability})


def hiding(engine: Engine, capability: Capability) -> contextlib.AbstractContextManager[None]:
    """Act as if the engine had not declared a capability."""
    return _declared(engine, engine.capabilities - {capability})


def _processes(engine: Engine, image: str) -> bool:
    return engine.run(image, ["cat", "/proc/self/comm"]).stdout == "cat\n"


def _build(engine: Engine, image: str) -> bool:
    label = fresh_name()
    with image_name(engine) as ref:
        built = engine.images.build({"Dockerfile": f"FROM {image}\nLABEL made={label}\n"}, tag=ref)
        return built.labels.get("made") == label


def _build_mounts(engine: Engine, image: str) -> bool:
    with image_name(engine) as ref:
        line = "RUN --mount=type=tmpfs,target=/mounted grep -q ' /mounted ' /proc/mounts"
        return bool(engine.images.build({"Dockerfile": f"FROM {image}\n{line}\n"}, tag=ref, no_cache=True).id)


def _registry(engine: Engine, _image: str) -> bool:
    """Nobody serves port 9: an engine that can pull tries, and fails."""
    try:
        engine.images.pull("127.0.0.1:9/containerkit/none:1")
    except EngineError:
        return True
    return False


def _pause(engine: Engine, image: str) -> bool:
    with engine.start(image, SLEEP) as box:
        box.pause()
        paused = box.refresh().status == "paused"
        box.unpause()
        return paused


def _stats(engine: Engine, image: str) -> bool:
    with engine.start(image, SLEEP) as box:
        found = box.stats()
        return found.pids == 1 and found.memory > 0


def _top(engine: Engine, image: str) -> bool:
    with engine.start(image, SLEEP) as box:
        return "PID" in box.top().titles and lists_sleep(box)


def _update(engine: Engine, image: str) -> bool:
    """Change two limits, and look for one of them: in the cgroup, or in what the engine shows without processes."""
    with engine.start(image, SLEEP) as box:
        limits = ResourceLimits(memory=64 << 20, pids_limit=77)
        engine._core.backend.update_container(box.id, limits, None)
        if Capability.PROCESSES not in engine.capabilities:
            return bool(box.inspect()["HostConfig"]["Memory"] == 64 << 20)
        shown = shell(box, f"cd /sys/fs/cgroup; cat {_MEMORY} {_PIDS} 2>/dev/null; true").split()
        return str(64 << 20) in shown or "77" in shown


_MEMORY = "memory.max memory/memory.limit_in_bytes"
_PIDS = "pids.max pids/pids.max"


def _limit(option: str, value: Any, files: str, expected: str) -> Callable[[Engine, str], bool]:
    """Return a probe that looks for a limit in the container's own cgroup."""

    def probe(engine: Engine, image: str) -> bool:
        options: Any = {option: value}
        line = f"cd /sys/fs/cgroup; cat {files} 2>/dev/null; true"
        return expected in engine.run(image, ["sh", "-c", line], **options).stdout.split()

    return probe


def _shows(line: str, expected: str, **options: Any) -> Callable[[Engine, str], bool]:
    """Return a probe that runs a shell line and compares what it prints."""

    def probe(engine: Engine, image: str) -> bool:
        return engine.run(image, ["sh", "-c", line], **options).stdout.strip() == expected

    return probe


def _keep_id(engine: Engine, image: str) -> bool:
    """Return whether the process is an ordinary user inside, as its owner is outside."""
    return engine.run(image, ["sh", "-c", "id -u"], userns="keep-id").stdout.strip() not in ("", "0")


def _mac_address(engine: Engine, image: str) -> bool:
    address = "02:42:ac:11:00:07"
    with (
        engine.networks.create(fresh_name("net")) as net,
        engine.start(image, SLEEP, network=net.name, mac_address=address) as box,
    ):
        if Capability.PROCESSES in engine.capabilities:
            return shell(box, "cat /sys/class/net/eth0/address") == address
        return any(place.mac_address == address for place in box.record.networks.values())


#: Counts the lines of /etc/hosts that give the name "far" an IPv4 address.
_FAR = "grep -c -E '^[0-9.]+[[:space:]]+far( |$)' /etc/hosts"
#: How each capability is tried: True if the engine has it. An engine without it raises, or does something else.
PROBES: dict[Capability, Callable[[Engine, str], bool]] = {
    Capability.PROCESSES: _processes,
    Capability.BUILD: _build,
    Capability.BUILD_MOUNTS: _build_mounts,
    Capability.REGISTRY: _registry,
    Capability.PAUSE: _pause,
    Capability.STATS: _stats,
    Capability.TOP: _top,
    Capability.UPDATE: _update,
    Capability.MEMORY_LIMIT: _limit("memory", "64m", _MEMORY, str(64 << 20)),
    Capability.CPU_LIMIT: _limit("cpus", 0.5, "cpu.max cpu/cpu.cfs_quota_us", "50000"),
    Capability.CPUSET_LIMIT: _limit("cpuset_cpus", "0", "cpuset.cpus cpuset/cpuset.cpus", "0"),
    Capability.PIDS_LIMIT: _limit("pids_limit", 77, _PIDS, "77"),
    Capability.HOST_GATEWAY: _shows(_FAR, "1", add_host={"far": "host-gateway"}),
    Capability.KEEP_ID: _keep_id,
    Capability.MAC_ADDRESS: _mac_address,
    # Podman 4.3 needs both limits
    Capability.ULIMITS: _shows("ulimit -n", "99", ulimits={"nofile": 99, "nproc": 4096}),
}


def has(engine: Engine, image: str, capability: Capability) -> bool:
    """Return whether the engine has a capability, whatever it declares."""
    with declaring(engine, capability):
        try:
            return PROBES[capability](engine, image)
        except (ContainerKitError, AssertionError):
            return False


def check(engine: Engine, image: str, capability: Capability) -> None:
    """Fail unless the engine has a declared capability, and lacks one that it does not declare."""
    declared = capability in engine.capabilities
    if declared:
        assert PROBES[capability](engine, image), f"the engine declares {capability} and does not have it"
    else:
        assert not has(engine, image, capability), f"the engine has {capability} and does not declare it"


class CapabilityScenarios(Scenarios):
    """Each capability is declared if, and only if, the engine has it."""

    def test_every_capability_has_a_probe(self) -> None:
        """No capability is left out of these scenarios."""
        assert set(PROBES) == set(Capability)

    @pytest.mark.parametrize("capability", list(Capability), ids=str)
    def test_capability_as_declared(self, engine: Engine, shell_image: str, capability: Capability) -> None:
        """A declared capability works; an undeclared one does not, even if containerkit's own refusal is bypassed."""
        check(engine, shell_image, capability)

    @pytest.mark.parametrize("capability", list(Capability), ids=str)
    def test_a_hidden_capability_is_found(self, engine: Engine, shell_image: str, capability: Capability) -> None:
        """An engine that hides one of its capabilities fails this suite."""
        if capability not in engine.capabilities:
            pytest.skip(f"the engine declares no {capability}")
        with hiding(engine, capability), pytest.raises(AssertionError, match="does not declare"):
            check(engine, shell_image, capability)
