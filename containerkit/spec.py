"""Requests as frozen values: the form in which options reach a backend.

:mod:`containerkit.options` parses options into these values; a backend renders them as requests of its engine. Sizes
are bytes, times are seconds, None means the engine's default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .values import Value

__all__ = [
    "REQUEST_LABEL",
    "BuildSpec",
    "ContainerSpec",
    "DeviceSpec",
    "ExecSpec",
    "HealthCheck",
    "Mount",
    "NetworkAttachment",
    "NetworkSpec",
    "PortBinding",
    "RegistryAuth",
    "ResourceLimits",
    "RestartPolicy",
    "Ulimit",
    "VolumeSpec",
]

#: A label that is different for every create: by it a resource is found whose create request was interrupted.
REQUEST_LABEL = "containerkit.request"


@dataclass(frozen=True, slots=True)
class Mount(Value):
    """A host path, a volume or memory, mounted into a container.

    Attributes:
        kind: "bind" (a host path), "volume" (a named or, with an empty source, anonymous volume) or "tmpfs".
        source: host path or volume name; empty for tmpfs and anonymous volumes.
        target: absolute path in the container.
        read_only: make it read-only in the container. Verified after create.
        propagation: mount propagation of a bind ("rprivate", "rshared", …), or None.
        relabel: "z" (shared) or "Z" (private) SELinux relabelling of a bind, or None.
        no_copy: leave a new volume empty instead of copying the image's files at the target into it.
        tmpfs_size: bytes, or None for the kernel's default, half of the memory.
        tmpfs_mode: permission bits, or None for 0o1777.
        tmpfs_options: further mount options of the kernel ("noexec", …).
    """

    kind: str
    source: str
    target: str
    read_only: bool = False
    propagation: str | None = None
    relabel: str | None = None
    no_copy: bool = False
    tmpfs_size: int | None = None
    tmpfs_mode: int | None = None
    tmpfs_options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PortBinding(Value):
    """A port of a container, published on the host.

    Attributes:
        container_port: 1 to 65535.
        protocol: "tcp", "udp" or "sctp".
        host_ip: address on the host, or "" for all addresses.
        host_port: 1 to 65535, or None: the engine chooses a free port.
        host_port_last: last port of a range that starts at host_port, from which the engine chooses a free port.
    """

    container_port: int
    protocol: str = "tcp"
    host_ip: str = ""
    host_port: int | None = None
    host_port_last: int | None = None


@dataclass(frozen=True, slots=True)
class NetworkAttachment(Value):
    """The place of a container in a network: its further names and its addresses."""

    name: str
    aliases: tuple[str, ...] = ()
    ipv4_address: str | None = None
    ipv6_address: str | None = None
    mac_address: str | None = None


@dataclass(frozen=True, slots=True)
class Ulimit(Value):
    """A resource limit of the process (setrlimit): soft and hard, -1 for unlimited."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class RestartPolicy(Value):
    """The policy by which the engine restarts a container: "no", "on-failure", "always" or "unless-stopped"."""

    name: str
    max_retries: int = 0


@dataclass(frozen=True, slots=True)
class HealthCheck(Value):
    """A health check of a container. Times are seconds.

    Attributes:
        test: ("CMD", argv…), ("CMD-SHELL", line) or ("NONE",) to switch off the check of the image.
    """

    test: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 30.0
    retries: int = 3
    start_period: float = 0.0


@dataclass(frozen=True, slots=True)
class DeviceSpec(Value):
    """A device node of the host in a container, with permissions from "rwm"."""

    host_path: str
    container_path: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True)
class ResourceLimits(Value):
    """The resources that a container may use. Unenforced limits are refused before a request is sent.

    Attributes:
        memory: bytes.
        memory_swap: bytes of memory and swap together; -1 for unlimited swap.
        memory_reservation: bytes, a soft limit.
        cpus: processor time, as a number of processors (0.5).
        cpu_shares: weight against other containers (the kernel's default is 1024).
        cpuset_cpus: allowed processors, in the kernel's list format ("0-1,3").
        pids_limit: number of processes and threads; -1 for unlimited.
        cpuset_mems: allowed memory nodes, in the format of cpuset_cpus.
        cpu_period, cpu_quota: microseconds: so much processor time in each period.
    """

    memory: int | None = None
    memory_swap: int | None = None
    memory_reservation: int | None = None
    cpus: float | None = None
    cpu_shares: int | None = None
    cpuset_cpus: str | None = None
    pids_limit: int | None = None
    cpuset_mems: str | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None

    def requested(self) -> tuple[str, ...]:
        """Return the names of the limits that are set."""
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)


@dataclass(frozen=True, slots=True)
class RegistryAuth(Value):
    """Credentials for one registry.

    Attributes:
        registry: its address ("docker.io", "localhost:5000").
        username, password: of an account, or of a robot account.
        identity_token: replaces user name and password, where a registry issued one.
    """

    registry: str
    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ContainerSpec(Value):
    """A container to create."""

    image: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    name: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    workdir: str | None = None
    hostname: str | None = None
    domainname: str | None = None
    tty: bool = False
    stdin: bool = False
    init: bool | None = None
    stop_signal: str | None = None
    stop_timeout: int | None = None
    auto_remove: bool = False
    platform: str | None = None
    restart: RestartPolicy | None = None
    health: HealthCheck | None = None

    mounts: tuple[Mount, ...] = ()
    volumes_from: tuple[str, ...] = ()
    read_only: bool = False
    shm_size: int | None = None
    storage_opt: Mapping[str, str] = field(default_factory=dict)

    publish: tuple[PortBinding, ...] = ()
    publish_all: bool = False
    expose: tuple[PortBinding, ...] = ()
    #: "bridge", "host", "none", "container:ID"; None with networks, or for the default of the engine
    network_mode: str | None = None
    networks: tuple[NetworkAttachment, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_option: tuple[str, ...] = ()
    #: (name, address); the address "host-gateway" means the host
    add_host: tuple[tuple[str, str], ...] = ()

    limits: ResourceLimits = ResourceLimits()
    ulimits: tuple[Ulimit, ...] = ()
    oom_kill_disable: bool = False
    oom_score_adj: int | None = None

    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()
    gpus: str | None = None
    sysctls: Mapping[str, str] = field(default_factory=dict)
    userns: str | None = None
    pid: str | None = None
    ipc: str | None = None
    uts: str | None = None
    cgroupns: str | None = None
    cgroup_parent: str | None = None
    runtime: str | None = None

    log_driver: str | None = None
    log_opt: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExecSpec(Value):
    """A command to run in a running container."""

    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    workdir: str | None = None
    tty: bool = False
    privileged: bool = False
    stdin: bool = False


@dataclass(frozen=True, slots=True)
class BuildSpec(Value):
    """An image to build from a context that is sent as a tar stream."""

    tags: tuple[str, ...] = ()
    dockerfile: str = "Dockerfile"
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str | None = None
    no_cache: bool = False
    pull: bool = False
    network: str | None = None
    add_host: tuple[tuple[str, str], ...] = ()
    shm_size: int | None = None
    #: paths of the context that the builder reads and COPY does not see
    hidden: tuple[str, ...] = ()
    #: for the registries of base images
    credentials: tuple[RegistryAuth, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class VolumeSpec(Value):
    """A volume to create. The engine chooses the name if it is empty."""

    name: str = ""
    driver: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NetworkSpec(Value):
    """A network to create, with name resolution between its containers."""

    name: str
    driver: str = "bridge"
    subnet: str | None = None
    gateway: str | None = None
    ip_range: str | None = None
    ipv6: bool = False
    internal: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
