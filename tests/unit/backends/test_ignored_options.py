"""Options that an engine accepts and does not apply: refused, or translated, before a request is sent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from containerkit import options
from containerkit.backends.docker import DockerBackend
from containerkit.backends.podman import PodmanBackend
from containerkit.backends.records import Address, Capability, EngineInfo, NetworkRecord
from containerkit.errors import StartFailed

NETWORKS = {name: NetworkRecord(name, name, "bridge", False, name == "six", {}, {}) for name in ("four", "six")}


def backend(
    kind: Any,
    *,
    rootless: bool = False,
    cgroup: int = 1,
    version: tuple[int, ...] = (5, 8, 6),
    store: Any = "graphdriver",
) -> Any:
    """A backend that knows its engine and has no connection."""
    found = kind.__new__(kind)
    found._version = version
    found.capabilities = frozenset(Capability)
    info = EngineInfo(
        kind="podman", version="", api_version="", rootless=rootless, cgroup_version=cgroup, cgroup_driver="",
        storage_driver="", image_store=store, root_dir="", os="", arch="", kernel="", cpus=1, memory=1,
    )  # fmt: skip
    found.first_info = lambda: info
    found.inspect_network = NETWORKS.__getitem__
    return found


def ignored(engine: Any, **given: Any) -> list[str]:
    spec = options.container_spec("busybox", None, given)
    return [words.partition(" (")[0] for words in engine._ignored_options(spec)]


PODMAN: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({}, {"memory": "64m", "publish": "8080:80", "log_opt": "max-size=1m", "gpus": "all"}, []),
    ({}, {"domainname": "lab"}, ["domainname"]),
    ({}, {"log_opt": {"max-size": "1m", "labels": "x"}}, ["log_opt labels"]),
    ({"version": (5, 3, 9)}, {"gpus": "all"}, ["gpus=all"]),
    ({"version": (5, 4)}, {"gpus": "device=0"}, []),
    ({}, {"gpus": 2}, ["gpus=2"]),
    ({}, {"publish": "8000-8005:80"}, []),
    ({}, {"publish": ["[::1]:8080:80", "127.0.0.1:8081:80"]}, ["publish on [::1]"]),
    ({"rootless": True}, {"publish": "[::1]:8080:80"}, []),
    ({}, {"publish": "[::]:8080:80"}, ["publish on [::]"]),
    ({}, {"publish": "[::]:8080:80", "network": "four"}, ["publish on [::]"]),
    ({}, {"publish": "[::]:8080:80", "network": ["four", "six"]}, []),
    ({}, {"publish": "[::1]:8080:80", "network": "six"}, ["publish on [::1]"]),
]


@pytest.mark.parametrize(("engine", "given", "expected"), PODMAN)
def test_podman_refuses_what_it_would_ignore(
    engine: dict[str, Any], given: dict[str, Any], expected: list[str]
) -> None:
    """Podman's API accepts each of these and does not apply it."""
    assert ignored(backend(PodmanBackend, **engine), **given) == expected


@pytest.mark.parametrize("kind", [DockerBackend, PodmanBackend])
@pytest.mark.parametrize(
    ("engine", "given", "expected"),
    [
        ({"cgroup": 1}, {"oom_kill_disable": True}, []),
        ({"cgroup": 2}, {"oom_kill_disable": True}, ["oom_kill_disable"]),
        ({"rootless": True}, {"devices": ["/dev/null:r", "/dev/full"]}, ["permissions 'r' of /dev/null"]),
        ({"rootless": False}, {"devices": "/dev/null:r"}, []),
    ],
)
def test_every_engine_refuses_what_its_host_cannot_do(
    kind: Any, engine: dict[str, Any], given: dict[str, Any], expected: list[str]
) -> None:
    """oom_kill_disable needs cgroup v1; a rootless engine cannot limit the permissions of a device."""
    assert ignored(backend(kind, **engine), **given) == expected


@pytest.mark.parametrize(
    ("kind", "rootless", "expected"),
    [(DockerBackend, True, ["the name /dev/b for /dev/a"]), (DockerBackend, False, []), (PodmanBackend, True, [])],
)
def test_a_device_under_another_name(kind: Any, rootless: bool, expected: list[str]) -> None:
    """A rootless Docker looks for the new name on the host, and does not start the container."""
    assert ignored(backend(kind, rootless=rootless), devices=["/dev/a:/dev/b", "/dev/c"]) == expected


def test_dockers_containerd_store_has_no_quotas() -> None:
    """Docker refuses storage_opt itself where a graph driver cannot apply it; containerd's store ignores it."""
    assert ignored(backend(DockerBackend, store="containerd"), storage_opt="size=1g") == ["storage_opt"]
    assert ignored(backend(DockerBackend), storage_opt="size=1g") == []


def test_docker_applies_a_range_of_host_ports() -> None:
    """Docker chooses a free port of the range."""
    assert ignored(backend(DockerBackend), publish=["8000-8005:80", "[::1]:8080:80"], gpus=2) == []


@pytest.mark.parametrize(
    ("given", "devices"),
    [("all", ["nvidia.com/gpu=all"]), ("device=0,1", ["nvidia.com/gpu=0", "nvidia.com/gpu=1"])],
)
def test_podman_takes_gpus_as_cdi_devices(given: str, devices: list[str]) -> None:
    """Podman's API ignores a device request of any other driver."""
    body: dict[str, Any] = {"HostConfig": {}}
    backend(PodmanBackend)._adapt(options.container_spec("busybox", None, {"gpus": given}), body)
    assert body["HostConfig"]["DeviceRequests"] == [{"Driver": "cdi", "DeviceIDs": devices}]


def test_podman_gets_one_port_of_a_range() -> None:
    """One that no container has, of the same protocol; two ranges of one container do not meet."""
    podman = backend(PodmanBackend)
    row = SimpleNamespace(ports={(80, "tcp"): (Address("", 8000),), (81, "udp"): (Address("", 8001),), (82, "tcp"): ()})
    podman.list_containers = lambda **_: (row,)
    given = {"publish": ["8000-8002:80", "8001-8002:81", "8001-8002:80/udp", "9:9", "90"]}
    found = list(podman._single_ports(options.container_spec("busybox", None, given)))
    ports = [(binding.host_port, binding.host_port_last, binding.protocol) for binding in found]
    assert {ports[0], ports[1]} == {(8001, None, "tcp"), (8002, None, "tcp")}
    assert ports[2:] == [(8002, None, "udp"), (9, None, "tcp"), (None, None, "tcp")]
    full = {"publish": ["8000-8002:80", "8001-8002:81"]}
    row.ports[90, "tcp"] = (Address("", 8001),)
    with pytest.raises(StartFailed, match="8001-8002"):
        list(podman._single_ports(options.container_spec("busybox", None, full)))
