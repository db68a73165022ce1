"""The one interface to an engine: what a backend answers, and what it promises.

A method is here only if its answer cannot be derived from the others. Arguments and answers are plain frozen values;
errors are those of :mod:`containerkit.errors`; what a method may refuse is in its docstring. ``ref`` is a name, an ID
or an unambiguous prefix of one. Times are seconds, sizes bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from ..values import Value

if TYPE_CHECKING:
    from ..spec import (
        BuildSpec,
        ContainerSpec,
        ExecSpec,
        NetworkAttachment,
        NetworkSpec,
        RegistryAuth,
        ResourceLimits,
        VolumeSpec,
    )
    from ..streams import Attachment, ByteStream, OutputStream, Stream

__all__ = [
    "Address",
    "Backend",
    "Capability",
    "Change",
    "ContainerRecord",
    "ContainerRef",
    "Created",
    "EngineInfo",
    "Event",
    "ExecState",
    "HistoryEntry",
    "ImageRecord",
    "MountRecord",
    "NetworkEndpoint",
    "NetworkRecord",
    "PathStat",
    "Processes",
    "Progress",
    "Stats",
    "VolumeRecord",
]

Raw = Mapping[str, Any]


class Capability(str, Enum):
    """What not every engine can do. Undeclared means :class:`Unsupported` before anything is sent."""

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

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class EngineInfo(Value):
    """What an engine says of itself, in one vocabulary.

    Attributes:
        cgroup_version: 1 or 2.  cgroup_driver: "systemd", "cgroupfs" or "none".
        image_store: "graphdriver" (layers unpacked by a storage driver) or "containerd" (content blobs and snapshots).
        root_dir: the folder of the engine's store, as the engine sees it.
        memory: bytes of the engine's machine.
        security_options: the engine's own list, one entry an element ("name=seccomp,profile=default").
        raw: the engine's own answers, by the question: "version", "info", and "libpod_info" where there is one.
    """

    kind: Literal["docker", "podman"]
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
    """Where a published port answers on the engine's host."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class MountRecord(Value):
    """A mount as the engine made it."""

    kind: str
    source: str
    target: str
    name: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class NetworkEndpoint(Value):
    """A container's place on one network."""

    network: str
    ipv4_address: str = ""
    ipv6_address: str = ""
    mac_address: str = ""
    gateway: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerRecord(Value):
    """One container, as the engine tells it.

    A record from :meth:`Backend.list_containers` is sparse: ``complete`` is False and ``networks``, ``mounts``,
    ``exit_code``, ``health`` may be empty though the container has them.

    Attributes:
        status: "created", "running", "paused", "restarting", "removing", "exited" or "dead".
        exit_code: of the last run; None while it runs or if it never did.
        health: "starting", "healthy", "unhealthy", or None without a health check.
        ports: (container port, protocol) -> where it answers; an empty tuple for exposed but unpublished ones.
        created: seconds since the epoch.
        pid: of its first process on the engine's host; 0 when it does not run.
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
    """A container that now exists, and what the engine warned of while creating it."""

    id: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecState(Value):
    """Where an exec'd command stands; exit_code is None while it runs.

    Attributes:
        started: whether there ever was a process; None when the engine does not say.
    """

    running: bool
    exit_code: int | None
    started: bool | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry(Value):
    """One line of an image's history, oldest first.

    Attributes:
        empty_layer: True for an instruction that made no layer; None when the engine does not say.
        size: bytes, in the engine's own unit of meaning; None when it does not say.
    """

    created_by: str
    created: float | None = None
    empty_layer: bool | None = None
    size: int | None = None
    comment: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class ImageRecord(Value):
    """One image, as the engine tells it.

    Attributes:
        id: "sha256:" + 64 hex digits on every engine. The digest of the config, except in Docker's containerd image
            store, where it is the digest of the manifest.
        refs: names and tags in familiar form ("busybox:1", "localhost:5000/a:1").
        digests: "name@sha256:…", as a registry knows it.
        size: bytes in the engine's own unit of meaning: never compare it across engines.
        diff_ids: base first; empty in a sparse record of :meth:`Backend.list_images`.
        config: the "config" object of the image's configuration (Env, Cmd, …).
    """

    id: str
    refs: tuple[str, ...]
    digests: tuple[str, ...]
    size: int
    created: float
    labels: Mapping[str, str]
    parent: str = ""
    os: str = ""
    arch: str = ""
    author: str = ""
    diff_ids: tuple[str, ...] = ()
    config: Raw = field(default_factory=dict)
    containers: int | None = None
    shared_size: int | None = None
    complete: bool = True
    raw: Raw = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class VolumeRecord(Value):
    """One volume. mountpoint: where it lies on the engine's host."""

    name: str
    driver: str
    mountpoint: str
    labels: Mapping[str, str]
    options: Mapping[str, str]
    created: float = 0.0
    raw: Raw = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ContainerRef(Value):
    """A container, and where it is on a network."""

    id: str
    name: str
    ipv4_address: str = ""
    ipv6_address: str = ""
    mac_address: str = ""


@dataclass(frozen=True, slots=True)
class NetworkRecord(Value):
    """One network.

    Attributes:
        subnets: (subnet, gateway) in CIDR notation and as an address, "" where there is none.
        containers: those attached and running; () in a sparse record.
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
    """One path that a container's read-write layer changes. kind: "added", "modified" or "deleted"."""

    path: str
    kind: Literal["added", "modified", "deleted"]


@dataclass(frozen=True, slots=True)
class PathStat(Value):
    """What stands at a path in a container: permission bits, bytes, seconds since the epoch, and a link's target."""

    name: str
    size: int
    mode: int
    modified: float
    is_dir: bool
    link_target: str = ""


@dataclass(frozen=True, slots=True)
class Stats(Value):
    """What a container uses at one moment.

    Attributes:
        cpu_percent: of one processor, since the sample before; None in a first sample that has none before it.
        cpu_total: seconds of processor time since the start.
        memory: bytes, without the page cache that can be dropped (as the CLI counts).
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
class Processes(Value):
    """The processes of a container: titles in the words of ps, one row a process."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Progress(Value):
    """One step of a pull, push, load or build.

    Attributes:
        status: what is done, in the engine's words.  id: of what ("" for the whole).
        current, total: bytes, or None.
        stream: a piece of the builder's log ("" otherwise).
        image_id: of the image that now exists, in the line that says so.
    """

    status: str = ""
    id: str = ""
    current: int | None = None
    total: int | None = None
    stream: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class Event(Value):
    """Something that happened on the engine.

    Attributes:
        type: "container", "image", "volume", "network", "pod", "system" or another word of the engine's.
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


Filters = Mapping[str, Sequence[str]]


class Backend(ABC):
    """An adapter to one engine. Thread-safe; keeps no state a call leaves behind, but registry logins.

    Every method may raise EngineUnavailable (nobody answers, or the connection was cut) and EngineTimeout.
    """

    kind: Literal["docker", "podman"]
    url: str
    capabilities: frozenset[Capability]

    # ---------------------------------------------------------------- the engine
    @abstractmethod
    def info(self) -> EngineInfo: ...

    def first_info(self) -> EngineInfo:
        """An answer of `info` that may be as old as the connection: for what cannot change while an engine runs, such
        as where its store lies. Podman 4 takes 80 ms for a new one."""
        return self.info()

    @abstractmethod
    def close(self) -> None:
        """Give back connections and helpers. Safe to call twice."""

    @abstractmethod
    def events(self, *, since: float | None, until: float | None, filters: Filters) -> Stream[Event]:
        """What happened from `since` up to `until` (both seconds since the epoch); endless without `until`."""

    @abstractmethod
    def engine_disk_usage(self) -> Raw:
        """The engine's own figures, in its own words."""

    @abstractmethod
    def login(self, auth: RegistryAuth) -> None:
        """Check credentials and keep them for this backend. Raises AuthenticationFailed."""

    # ---------------------------------------------------------------- containers
    @abstractmethod
    def create_container(self, spec: ContainerSpec) -> Created:
        """Create, and read back what guards security. Raises ImageNotFound, NameInUse, NetworkNotFound, Unsupported."""

    @abstractmethod
    def inspect_container(self, ref: str, *, size: bool = False) -> ContainerRecord:
        """Raises ContainerNotFound."""

    @abstractmethod
    def list_containers(self, *, all: bool, filters: Filters) -> tuple[ContainerRecord, ...]:
        """In one call; newest first; without `all`, only those that run. Filters as the CLI's, every one applied."""

    @abstractmethod
    def start_container(self, ref: str) -> None:
        """Returns when the first process runs. Started already: nothing happens. Raises StartFailed, InUse (port)."""

    @abstractmethod
    def stop_container(self, ref: str, *, timeout: int | None) -> None:
        """The stop signal, then KILL after `timeout` seconds (None: the container's own, else 10); fine if stopped."""

    @abstractmethod
    def kill_container(self, ref: str, *, signal: str) -> None:
        """Raises WrongState if it does not run."""

    @abstractmethod
    def restart_container(self, ref: str, *, timeout: int | None) -> None: ...

    @abstractmethod
    def pause_container(self, ref: str) -> None: ...

    @abstractmethod
    def unpause_container(self, ref: str) -> None: ...

    @abstractmethod
    def rename_container(self, ref: str, name: str) -> None:
        """Raises NameInUse."""

    @abstractmethod
    def update_container(self, ref: str, limits: ResourceLimits, restart: str | None) -> tuple[str, ...]:
        """Apply new limits; gives the engine's warnings. Raises Unsupported."""

    @abstractmethod
    def wait_container(self, ref: str, *, timeout: float | None) -> int:
        """The exit code, when it does not run (any more). Raises EngineTimeout."""

    @abstractmethod
    def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        """`force` kills at once. `volumes` removes its anonymous volumes. Raises WrongState if it runs."""

    @abstractmethod
    def attach_container(self, ref: str, *, stdin: bool, tty: bool) -> Attachment:
        """A connection to its standard streams; open it before start, and nothing is lost."""

    @abstractmethod
    def exec_container(self, ref: str, spec: ExecSpec) -> tuple[str, Attachment]:
        """Start a command; gives the exec's ID and its streams. Raises WrongState if the container does not run."""

    @abstractmethod
    def inspect_exec(self, exec_id: str) -> ExecState: ...

    @abstractmethod
    def logs_container(
        self,
        ref: str,
        *,
        stdout: bool,
        stderr: bool,
        follow: bool,
        since: float | None,
        until: float | None,
        tail: int | None,
        timestamps: bool,
        tty: bool,
    ) -> OutputStream: ...

    @abstractmethod
    def stats_container(self, ref: str, *, stream: bool) -> Stream[Stats]:
        """One sample, or one a second. Raises WrongState if it does not run."""

    @abstractmethod
    def top_container(self, ref: str, *, ps_args: str | None) -> Processes: ...

    @abstractmethod
    def diff_container(self, ref: str) -> tuple[Change, ...]: ...

    @abstractmethod
    def export_container(self, ref: str) -> ByteStream:
        """The merged file system as a tar stream."""

    @abstractmethod
    def put_archive(self, ref: str, path: str, data: bytes | Iterable[bytes]) -> None:
        """Unpack a tar into an existing folder of the container. Raises NotFound if the folder is missing."""

    @abstractmethod
    def get_archive(self, ref: str, path: str) -> tuple[PathStat, ByteStream]:
        """A file or folder as a tar stream. Raises NotFound if nothing is there."""

    @abstractmethod
    def stat_path(self, ref: str, path: str) -> PathStat | None:
        """What is at a path, or None if nothing is."""

    @abstractmethod
    def commit_container(
        self, ref: str, *, image: str, message: str, author: str, pause: bool, changes: Sequence[str]
    ) -> str:
        """The read-write layer becomes an image; gives its ID."""

    @abstractmethod
    def check_health(self, ref: str) -> str | None:
        """The health status; where the engine has no timer of its own, the check is run now. None without a check."""

    # ---------------------------------------------------------------- images
    @abstractmethod
    def inspect_image(self, ref: str) -> ImageRecord:
        """Raises ImageNotFound."""

    @abstractmethod
    def list_images(self, *, all: bool, filters: Filters) -> tuple[ImageRecord, ...]: ...

    @abstractmethod
    def image_history(self, ref: str) -> tuple[HistoryEntry, ...]:
        """Oldest first."""

    @abstractmethod
    def pull_image(self, ref: str, *, platform: str | None, auth: RegistryAuth | None) -> Iterator[Progress]:
        """Raises PullFailed, ImageNotFound (the registry has none), AuthenticationFailed, while iterating."""

    @abstractmethod
    def push_image(self, ref: str, *, auth: RegistryAuth | None) -> Iterator[Progress]:
        """Raises PushFailed, AuthenticationFailed, while iterating."""

    @abstractmethod
    def build_image(self, context: Iterable[bytes], spec: BuildSpec) -> Iterator[Progress]:
        """The last Progress carries the image's ID. Raises BuildFailed while iterating."""

    @abstractmethod
    def load_images(self, data: Iterable[bytes]) -> tuple[str, ...]:
        """Names, or IDs of those without one, of what the archive held. Raises InvalidImage."""

    @abstractmethod
    def save_images(self, refs: Sequence[str]) -> ByteStream:
        """A docker-archive."""

    @abstractmethod
    def tag_image(self, ref: str, target: str) -> None: ...

    @abstractmethod
    def remove_image(self, ref: str, *, force: bool, prune: bool) -> None:
        """A name: that name, and the image with its last one. An ID: the image. Raises InUse, ImageNotFound."""

    @abstractmethod
    def prune_images(self, *, all: bool, filters: Filters) -> tuple[tuple[str, ...], int]:
        """(what was deleted, bytes the engine says it freed)."""

    # ---------------------------------------------------------------- volumes
    @abstractmethod
    def create_volume(self, spec: VolumeSpec) -> VolumeRecord:
        """Raises NameInUse if there is one of that name."""

    @abstractmethod
    def inspect_volume(self, name: str) -> VolumeRecord: ...

    @abstractmethod
    def list_volumes(self, *, filters: Filters) -> tuple[VolumeRecord, ...]: ...

    @abstractmethod
    def remove_volume(self, name: str, *, force: bool) -> None:
        """Raises InUse while a container, running or not, has it. `force`: a missing one is no error."""

    # ---------------------------------------------------------------- networks
    @abstractmethod
    def create_network(self, spec: NetworkSpec) -> NetworkRecord:
        """Raises NameInUse if there is one of that name."""

    @abstractmethod
    def inspect_network(self, ref: str) -> NetworkRecord: ...

    @abstractmethod
    def list_networks(self, *, filters: Filters) -> tuple[NetworkRecord, ...]: ...

    @abstractmethod
    def remove_network(self, ref: str) -> None:
        """Raises InUse while a container is attached."""

    @abstractmethod
    def connect_network(self, ref: str, container: str, attachment: NetworkAttachment) -> None:
        """Raises Conflict if it is attached already."""

    @abstractmethod
    def disconnect_network(self, ref: str, container: str, *, force: bool) -> None: ...
