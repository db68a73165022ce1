"""What a backend guards: options read back after the create, every network of a container, figures of a sample."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends import _parse, _parse_images
from containerkit.backends.base import ContainerRecord, MountRecord, NetworkRecord
from containerkit.backends.docker import DockerBackend
from containerkit.spec import ContainerSpec, Mount, NetworkAttachment

RECORD = ContainerRecord("c" * 64, "box", "app:1", "sha256:" + "0" * 64, "created", {})


def docker(raw: dict[str, Any], mounts: tuple[MountRecord, ...] = ()) -> DockerBackend:
    """Return a backend without a connection, whose one container is as given."""
    backend = DockerBackend.__new__(DockerBackend)
    backend._api = "1.41"
    backend.inspect_container = lambda ref, *, size=False: replace(RECORD, raw=raw, mounts=mounts)  # type: ignore[method-assign]
    return backend


READ_ONLY = Mount("bind", "/src", "/dst", read_only=True)


@pytest.mark.parametrize(
    ("spec", "host", "config", "ignored"),
    [
        ({"read_only": True}, {}, {}, "read_only"),
        ({"read_only": True}, {"ReadonlyRootfs": False}, {}, "read_only"),
        ({"user": "1000"}, {}, {"User": ""}, "user=1000"),
        ({"cap_drop": ("NET_RAW",)}, {"CapDrop": []}, {}, "NET_RAW"),
        ({"security_opt": ("no-new-privileges",)}, {"SecurityOpt": []}, {}, "no-new-privileges"),
        ({"mounts": (READ_ONLY,)}, {}, {}, "read-only /dst"),
    ],
)
def test_an_ignored_guard_raises_unsupported(
    spec: dict[str, Any], host: dict[str, Any], config: dict[str, Any], ignored: str
) -> None:
    """An option that guards security and is missing from the created container raises Unsupported that names it."""
    backend = docker({"HostConfig": host, "Config": config}, (MountRecord("bind", "/src", "/dst", "", False),))
    with pytest.raises(ck.Unsupported, match=ignored):
        backend._verify("c" * 64, ContainerSpec("app:1", **spec), "creating")


@pytest.mark.parametrize(
    ("spec", "host", "config"),
    [
        ({}, {}, {}),
        ({"read_only": True}, {"ReadonlyRootfs": True}, {}),
        ({"user": "1000"}, {}, {"User": "1000"}),
        ({"cap_drop": ("NET_RAW",)}, {"CapDrop": ["CAP_NET_RAW"]}, {}),
        ({"mounts": (READ_ONLY,)}, {}, {}),
    ],
)
def test_a_guard_that_is_there_passes(spec: dict[str, Any], host: dict[str, Any], config: dict[str, Any]) -> None:
    """Options that the created container has raise nothing."""
    backend = docker({"HostConfig": host, "Config": config}, (MountRecord("bind", "/src", "/dst", "", True),))
    backend._verify("c" * 64, ContainerSpec("app:1", **spec), "creating")


def test_every_network_is_looked_up_and_connected() -> None:
    """The create takes the first network, and the others are connected afterwards; a missing one is found before."""
    backend, looked_up = docker({}), []

    def inspect(ref: str) -> NetworkRecord:
        looked_up.append(ref)
        if ref == "missing":
            raise ck.NetworkNotFound("no network missing")
        return NetworkRecord("n" * 64, ref, "bridge", False, False, {}, {})

    backend.inspect_network = inspect  # type: ignore[method-assign]
    attachments = tuple(NetworkAttachment(name) for name in ("one", "two", "three"))
    body: dict[str, Any] = {"HostConfig": {}}
    later = backend._adapt(ContainerSpec("app:1", networks=attachments), body)
    assert looked_up == ["one", "two", "three"]
    assert (body["HostConfig"]["NetworkMode"], list(body["NetworkingConfig"]["EndpointsConfig"])) == ("one", ["one"])
    assert [attachment.name for attachment in later] == ["two", "three"]
    with pytest.raises(ck.NetworkNotFound):
        backend._adapt(ContainerSpec("app:1", networks=(*attachments, NetworkAttachment("missing"))), body)


def sample(**cpu: Any) -> dict[str, Any]:
    before = {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 1000}
    usage = {"total_usage": 300, **cpu.pop("usage", {})}
    return {
        "read": "2026-01-01T00:00:02Z",
        "preread": "2026-01-01T00:00:01Z",
        "cpu_stats": {"cpu_usage": usage, "system_cpu_usage": 2000, **cpu},
        "precpu_stats": before,
        "memory_stats": {"usage": 500, "limit": 1000, "stats": {"inactive_file": 200}},
        "pids_stats": {"current": 3},
        "networks": {"eth0": {"rx_bytes": 1, "tx_bytes": 2}, "eth1": {"rx_bytes": 10, "tx_bytes": 20}},
        "blkio_stats": {"io_service_bytes_recursive": [{"op": "Read", "value": 5}, {"op": "Write", "value": 7}]},
    }


@pytest.mark.parametrize(
    ("cpu", "percent"),
    [({"online_cpus": 4}, 80.0), ({"online_cpus": 1}, 20.0), ({"usage": {"percpu_usage": [1, 1]}}, 40.0), ({}, 20.0)],
)
def test_processor_time_is_a_percentage_of_one_processor(cpu: dict[str, Any], percent: float) -> None:
    """Two of ten ticks on four processors are 80 %, as `docker stats` shows it."""
    found = _parse.stats(sample(**cpu))
    assert found.cpu_percent == pytest.approx(percent)
    assert (found.memory, found.memory_limit, found.pids) == (300, 1000, 3)
    assert (found.network_rx, found.network_tx, found.block_read, found.block_write) == (11, 22, 5, 7)


ROW = {"Id": "<missing>", "Created": 1, "CreatedBy": "", "Size": 5, "Comment": "", "Tags": None}


@pytest.mark.parametrize("key", ["Id", "Created", "CreatedBy", "Size", "Comment"])
def test_a_null_in_the_history_is_no_default(key: str) -> None:
    """Each field of a history entry has to be there; empty strings are values."""
    assert _parse_images.history([ROW])[0].size == 5
    with pytest.raises(ValueError, match=key):
        _parse_images.history([{**ROW, key: None}])
