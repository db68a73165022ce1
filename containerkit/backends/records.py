"""The values that a Backend takes and returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from ..spec import REQUEST_LABEL
from ..values import PrintedValue, Value

__all__ = [
    "REQUEST_LABEL",
    "Address",
    "Capability",
    "Change",
    "ContainerRecord",
    "ContainerRef",
    "Created",
    "EngineInfo",
    "Event",
    "ExecState",
    "Filters",
    "MountRecord",
    "NetworkEndpoint",
    "NetworkRecord",
    "PathStat",
    "Processes",
    "Raw",
    "Stats",
    "VolumeRecord",
]


Filters = Mapping[str, Sequence[str]]
Raw = Mapping[str, Any]


class Capability(str, Enum):
    """An optional feature of an engine. Using an undeclared one raises Unsupported before anything is sent."""

    PROCESSES = "processes"  # containers run real processes (an engine in memory has none)
    BUILD = "build"
    REGISTRY = "registry"  # pull, push, login
    PAUSE = "pause"
    STATS = "stats"
    TOP = "top"
    UPDATE = "update"  # change limits of a container that exists
    MEMORY_LIMIT = "memory-limit"
    CPU_LIMIT = "cpu-limit"
    CPUSET_LIMIT = "cpuset-limit"
    PIDS_LIMIT = "pids-limit"
    BUILD_MOUNTS = "build-mounts"  # RUN --mount=… in a build
    HOST_GATEWAY = "host-gateway"  # add_host={"name": "host-gateway"}
    KEEP_ID = "keep-id"  # userns="keep-id"
    MAC_ADDRESS = "mac-address"
    ULIMITS = "ulimits"

    @property
    def controller(self) -> str | None:
        """Cgroup controller that enforces this limit; None for a capability that is not a limit."""
        name, _, kind = self.value.rpartition("-")
        return name if kind == "limit" else None

    @classmethod
    def limits(cls) -> frozenset[Capability]:
        """Return the capabilities that are limits of a cgroup controller."""
        return frozenset(capability for capability in cls if capability.controller)

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class EngineInfo(PrintedValue):
    """Facts about an engine, in one vocabulary for all engines.

    Attributes:
        kind: "docker", "podman", or the name that another backend gives itself.
        cgroup_version: 1 or 2.
        cgroup_driver: "systemd", "cgroupfs" or "none".
        image_store: "graphdriver" (layers unpacked by a storage driver) or "containerd" (content blobs and snapshots).
        root_dir: the directory of the engine's store, as the engine sees it.
        memory: bytes of the engine's machine.
        security_options: the engine's own list, such as "name=seccomp,profile=default".
        raw: the engine's own responses by name: "version", "info", and "libpod_info" from Podman.
    """

    kind: str
    version: str
    api_version: str
    rootless: bool
    cgroup_version: int | None
    cgroup_driver: str
    storage_driver: str
    image_store: Literal["graphdriver", "containerd"]
    root_dir: str
    os: str
    arch: str
    kernel: str
    cpus: int
    memory: int
    name: str = ""
    warnings: tuple[str, ...] = ()
    security_options: tuple[str, ...] = ()
    raw: Raw = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Address(Value):
    """The address of a published port on the engine's host."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class MountRecord(Value):
    """A mount of a container."""

    kind: str
    source: str
    target: str
    name: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class NetworkEndpoint(Value):
    """A container's addresses on one network."""

    network: str
    ipv4_address: str = ""
    ipv6_address: str = ""
    mac_address: str = ""
    gateway: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerRecord(Value):
    """One container.

    A record from :meth:`Backend.list_containers` is sparse: ``complete`` is False and ``networks``, ``mounts``,
    ``exit_code``, ``health`` may be empty although the container has them.

    Attributes:
        status: "created", "running", "paused", "restarting", "removing", "exited" or "dead".
        exit_code: of the last run; None while it runs or if it never ran.
        health: "starting", "healthy", "unhealthy", or None without a health check.
        ports: (container port, protocol) -> addresses on the host; an empty tuple if exposed and not published.
        created: seconds since the epoch.
        started, finished: start of the last run and end of the last finished run, in seconds since the epoch; 0.0 if
            there was none.
        restart: name of the restart policy ("no", "on-failure", "always", "unless-stopped").
        network_mode: "bridge", "host", "none", … as the engine names it.
        pid: of its first process on the engine's host; 0 if it does not run.
    """

    id: str
    name: str
    image: str
    image_id: str
    status: str
    labels: Mapping[str, str]
    command: tuple[str, ...] = ()
    ports: Mapping[tuple[int, str], tuple[Address, ...]] = field(default_factory=dict)
    exit_code: int | None = None
    error: str = ""
    oom_killed: bool = False
    started: float = 0.0
    finished: float = 0.0
    restart: str = "no"
    network_mode: str = ""
    health: str | None = None
    has_health_check: bool = False
    pid: int = 0
    created: float = 0.0
    tty: bool = False
    networks: Mapping[str, NetworkEndpoint] = field(default_factory=dict)
    mounts: tuple[MountRecord, ...] = ()
    size_rw: int | None = None
    size_root_fs: int | None = None
    complete: bool = True
    raw: Raw = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Created(Value):
    """A new container's ID, and the engine's warnings."""

    id: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecState(Value):
    """The state of an exec'd command.

    Attributes:
        exit_code: None while it runs.
        started: whether the process was ever started; None if the engine does not say.
    """

    running: bool
    exit_code: int | None
    started: bool | None = None


@dataclass(frozen=True, slots=True)
class VolumeRecord(Value):
    """One volume.

    Attributes:
        mountpoint: its directory on the engine's host.
    """

    name: str
    driver: str
    mountpoint: str
    labels: Mapping[str, str]
    options: Mapping[str, str]
    created: float = 0.0
    raw: Raw = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ContainerRef(Value):
    """A container attached to a network, and its addresses there."""

    id: str
    name: str
    ipv4_address: str = ""
    ipv6_address: str = ""
    mac_address: str = ""


@dataclass(frozen=True, slots=True)
class NetworkRecord(Value):
    """One network.

    Attributes:
        subnets: (subnet in CIDR notation, address of the gateway); "" if missing.
        containers: the running ones attached; () in a record from the list.
    """

    id: str
    name: str
    driver: str
    internal: bool
    ipv6: bool
    labels: Mapping[str, str]
    options: Mapping[str, str]
    subnets: tuple[tuple[str, str], ...] = ()
    containers: tuple[ContainerRef, ...] = ()
    created: float = 0.0
    raw: Raw = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Change(Value):
    """One path that a container's read-write layer changes."""

    path: str
    kind: Literal["added", "modified", "deleted"]


@dataclass(frozen=True, slots=True)
class PathStat(Value):
    """A file, directory or link in a container.

    Attributes:
        mode: permission bits.
        modified: seconds since the epoch.
    """

    name: str
    size: int
    mode: int
    modified: float
    is_dir: bool
    link_target: str = ""


@dataclass(frozen=True, slots=True)
class Stats(PrintedValue):
    """Resource usage of a container at one moment.

    Attributes:
        cpu_percent: of one processor, since the previous sample; None in a first sample.
        cpu_total: seconds of processor time since the start.
        memory: bytes, without the page cache that can be dropped (as the command line counts).
        memory_limit: bytes; the machine's memory where no limit is set.
        pids: processes and threads.
        network_rx, network_tx, block_read, block_write: bytes since the start.
    """

    cpu_percent: float | None
    cpu_total: float
    memory: int
    memory_limit: int
    pids: int
    network_rx: int
    network_tx: int
    block_read: int
    block_write: int
    time: float


@dataclass(frozen=True, slots=True)
class Processes(PrintedValue):
    """The processes of a container: the column titles of ps, and one row for each process."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Event(Value):
    """A change reported by the engine.

    Attributes:
        type: "container", "image", "volume", "network", "pod", "system" or another type of the engine.
        action: in the words of `docker events` ("create", "start", "die", "destroy", "pull", …).
        exit_code: of a container's "die".
        time: seconds since the epoch.
    """

    type: str
    action: str
    id: str
    name: str
    time: float
    attributes: Mapping[str, str]
    exit_code: int | None = None
    raw: Raw = field(default_factory=dict, repr=False)
