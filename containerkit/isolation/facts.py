"""Everything a report is judged by, as frozen values: the collector fills them in, the checks only read them.

None means "not known" wherever it stands, never "no". Recorded facts are the checks' tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .program import Answers

__all__ = [
    "AccountFacts",
    "AuditedContainer",
    "ClientFacts",
    "EngineFacts",
    "Facts",
    "FolderFacts",
    "HelperFacts",
    "HostFacts",
    "IdRange",
    "LimitFacts",
    "OutsideFacts",
    "PeerFacts",
    "ProbeFacts",
    "SocketFacts",
    "SubordinateRange",
]


@dataclass(frozen=True, slots=True)
class IdRange:
    """One line of a uid map: `size` ids from `inside` on are those from `outside` on, one level further out."""

    inside: int
    outside: int
    size: int


@dataclass(frozen=True, slots=True)
class SubordinateRange:
    """One line of /etc/subuid or /etc/subgid."""

    owner: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What the engine says of itself, every field checked for its type; None: not said, or not in a form to trust.

    Attributes:
        asked_as: the kind of engine the caller's backend speaks for.
        libpod: whether it answers libpod's own questions too.
        components: names of /version's Components.
        labels: the daemon's own, free text that anyone may set: evidence for nothing.
        limit_claims: "memory", "pids", "cpu", "cpuset" -> what /info says.
        controllers: cgroup controllers libpod says it has.
        mount_program: of the storage driver (fuse-overlayfs), "" for none.
        network_helper: of a rootless engine, in its own words.
        malformed: fields with a type they must not have.
    """

    url: str
    asked_as: str
    version: str = ""
    arch: str = ""
    kernel: str | None = None
    cpus: int | None = None
    libpod: bool = False
    components: tuple[str, ...] | None = None
    server_header: str | None = None
    security_options: tuple[str, ...] | None = None
    libpod_rootless: bool | None = None
    compat_rootless: bool | None = None
    labels: tuple[str, ...] | None = None
    warnings: tuple[str, ...] | None = None
    cgroup_version: int | None = None
    cgroup_driver: str | None = None
    controllers: tuple[str, ...] | None = None
    limit_claims: Mapping[str, bool | None] = field(default_factory=dict)
    uid_mappings: tuple[IdRange, ...] | None = None
    remote_socket: str | None = None
    root_dir: str | None = None
    storage_driver: str | None = None
    mount_program: str = ""
    network_helper: str | None = None
    seccomp_profile: str | None = None
    apparmor: bool | None = None
    selinux: bool | None = None
    malformed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """Who made the engine's socket, by the kernel (SO_PEERCRED).

    Attributes:
        pid: as this process sees it; 0 when it cannot.
        nested: True when that process lives in a pid namespace of its own; None when it cannot be told.
        network: the network helper of a rootless engine, from the command line of the process around it.
    """

    pid: int
    uid: int
    gid: int
    command: str | None = None
    nested: bool | None = None
    network: str | None = None


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """A folder on the way to the socket."""

    path: str
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class SocketFacts:
    """The engine's socket in the file system, and every folder that leads to it, root first."""

    path: str
    real_path: str
    mode: int
    uid: int
    gid: int
    owner: str | None = None
    group: str | None = None
    group_members: tuple[str, ...] | None = None
    folders: tuple[FolderFacts, ...] = ()
    acl: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutsideFacts:
    """A probe's first process as this host's kernel shows it.

    Attributes:
        uid: of the process, in this host's numbers.
        uid_map: composed down to this host by the kernel; None when it may not be read.
        parent: the command of its parent ("conmon", "containerd-shim").
        namespaces: "user", "time", … -> the kernel's name for it; only those that may be read.
    """

    pid: int
    uid: int
    uid_map: tuple[IdRange, ...] | None = None
    parent: str | None = None
    namespaces: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProbeFacts:
    """What the isolation probe found. `problem` says why there is nothing, or not everything."""

    answers: Answers | None = None
    outside: OutsideFacts | None = None
    problem: str | None = None
    root_file: bool = False  # whether the root-only file could be mounted
    apparmor_profile: str | None = None
    process_label: str | None = None


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """What became of a container that was asked to be held to limits.

    Attributes:
        requested: "memory", "pids", "cpu" (in CPUs), "cpuset" -> what was asked for.
        withheld: controllers that were not asked for, and why.
        refused: the engine's words, when it would not make such a container at all.
        warnings: of the engine while it made it.  claims: what it says afterwards that it set.
    """

    requested: Mapping[str, float | str] = field(default_factory=dict)
    withheld: Mapping[str, str] = field(default_factory=dict)
    refused: str | None = None
    warnings: tuple[str, ...] = ()
    claims: Mapping[str, float | str | None] = field(default_factory=dict)
    answers: Answers | None = None
    user_namespace: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class AuditedContainer:
    """A container that runs, with what it was given beyond the default. `problem`: why it could not be looked at."""

    id: str
    name: str
    privileged: bool = False
    host_namespaces: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    unconfined: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    open_ports: tuple[int, ...] = ()
    memory: int | None = None
    pids: int | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class HelperFacts:
    """A program that a rootless engine needs.

    Attributes:
        setuid_root, capable: the two ways it may be allowed to write id maps. nosuid: its file system forbids both.
    """

    name: str
    path: str | None = None
    setuid_root: bool = False
    capable: bool = False
    nosuid: bool = False


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """The account that would run a rootless engine: by default, who runs this process."""

    name: str
    uid: int


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What this host says of itself and of one account. None: absent or unreadable; a check must not take it for "no".

    Attributes:
        initial_userns, initial_pidns: whether this process sees host uids and every process.
        subuid, subgid: every range of the host. from_getsubids: who answered for the account, if that program did.
        userns: 0 when a child could make a user namespace with a map, else the errno.
        controllers_delegated: to the account's session (cgroup v2), None where there is no such session.
        listeners: (address, port) of TCP sockets that engines hold, as far as they can be seen.
    """

    account: AccountFacts
    boot_id: str | None = None
    initial_userns: bool = False
    unified_cgroups: bool | None = None
    users: Mapping[int, str] = field(default_factory=dict)
    subuid: tuple[SubordinateRange, ...] | None = None
    subgid: tuple[SubordinateRange, ...] | None = None
    helpers: tuple[HelperFacts, ...] = ()
    network_helpers: tuple[str, ...] = ()
    fuse_overlayfs: str | None = None
    userns: int | None = None
    sysctls: Mapping[str, str | None] = field(default_factory=dict)
    runtime_dir: str | None = None
    runtime_dir_mode: int | None = None
    runtime_dir_uid: int | None = None
    systemd: bool | None = None
    linger: bool | None = None
    controllers_delegated: tuple[str, ...] | None = None
    listeners: tuple[tuple[str, int], ...] | None = None
    lsm: str | None = None
    time_namespace: str | None = None
    user_namespace: str | None = None


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """This process: how it came to the engine, and what `docker` would run.

    Attributes:
        transport: "unix", "ssh", "tls", "tcp" (in the clear), "unclear"; "none" without an engine.
        sockets: well-known sockets that exist -> whether this process may connect.
        docker_path, docker_is: the `docker` program, and what it is by evidence ("docker", "podman", None).
        docker_how: the evidence for it ("symlink", "script", "version").
        groups: names or numbers of the groups this process has right now.
    """

    url: str | None
    transport: str
    chosen_by: str | None = None
    sockets: Mapping[str, bool] = field(default_factory=dict)
    docker_path: str | None = None
    docker_is: str | None = None
    docker_how: str | None = None
    uid: int = -1
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was collected for one report. `unreached`: why there is no engine behind it."""

    client: ClientFacts
    engine: EngineFacts | None = None
    unreached: str | None = None
    host: HostFacts | None = None
    peer: PeerFacts | None = None
    socket: SocketFacts | None = None
    probe: ProbeFacts | None = None
    limits: LimitFacts | None = None
    containers: tuple[AuditedContainer, ...] | None = None
    containers_problem: str | None = None
