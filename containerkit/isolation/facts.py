"""Facts that a report is based on, as frozen values: the collector fills them in, the checks only read them.

None always means "unknown", never "no". The checks are tested with recorded facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .audited import ContainerFacts
from .program import Answers

__all__ = [
    "AccountFacts",
    "ClientFacts",
    "EngineFacts",
    "Facts",
    "FolderFacts",
    "HelperFacts",
    "HomeFacts",
    "HostFacts",
    "IdRange",
    "LimitFacts",
    "OutsideFacts",
    "PeerFacts",
    "PodmanFacts",
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
    """The engine's report about itself, every field checked for its type; None: not reported, or not valid.

    Attributes:
        asked_as: the kind of engine that the caller's backend expects.
        libpod: True if it also answers libpod's own requests.
        components: names of /version's Components.
        labels: the daemon's labels, free text that proves nothing.
        limit_claims: "memory", "pids", "cpu", "cpuset" -> what /info reports.
        controllers: cgroup controllers that libpod reports.
        mount_program: mount program of the storage driver (fuse-overlayfs), "" for none.
        network_helper: network helper of a rootless engine, as the engine names it.
        authorization: plugins that decide who may send which request.
        insecure_registries: names and networks of registries that are used without TLS.
        search_registries: where libpod looks for an image with a short name.
        runtimes: "runc", "crun", "containerd" -> version of the program that the engine uses.
        malformed: fields with a wrong type.
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
    authorization: tuple[str, ...] = ()
    live_restore: bool | None = None
    experimental: bool | None = None
    insecure_registries: tuple[str, ...] | None = None
    search_registries: tuple[str, ...] | None = None
    apparmor: bool | None = None
    selinux: bool | None = None
    runtimes: Mapping[str, str] = field(default_factory=dict)
    malformed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """Process that created the engine's socket, as the kernel reports it (SO_PEERCRED).

    Attributes:
        pid: as this process sees it; 0 if it cannot.
        nested: True if that process is in a pid namespace of its own; None if unknown.
        network: network helper of a rootless engine, from the command line of the process around it.
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
    """The engine's socket in the file system, and every folder that leads to it, root first.

    Attributes:
        group_members: accounts of the group, those included that have it as their primary group; None if unknown.
        primary_members: those of them that have it as their primary group.
        unlisted: name services beside this host's files whose accounts may be missing in the list ("sss", "ldap").
    """

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
    primary_members: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutsideFacts:
    """A probe's first process as this host's kernel shows it.

    Attributes:
        uid: uid of the process in this host's numbers.
        uid_map: composed down to this host by the kernel; None if it cannot be read.
        parent: command of its parent ("conmon", "containerd-shim").
        namespaces: "user", "time", … -> the kernel's name for it; only those that can be read.
    """

    pid: int
    uid: int
    uid_map: tuple[IdRange, ...] | None = None
    parent: str | None = None
    namespaces: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProbeFacts:
    """Result of the isolation probe. `problem` says why it is missing or incomplete."""

    answers: Answers | None = None
    outside: OutsideFacts | None = None
    problem: str | None = None
    root_file: bool = False  # whether the root-only file could be mounted
    apparmor_profile: str | None = None
    process_label: str | None = None
    log: tuple[str, Mapping[str, str]] | None = None  # driver and options of a container's log by default
    store_disk: int | None = None  # bytes of the file system that holds the engine's store, as this host sees it


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """Result of a container with requested limits.

    Attributes:
        requested: "memory", "pids", "cpu" (in CPUs), "cpuset" -> the requested limit.
        withheld: controllers that were not requested, and why.
        refused: the engine's message if it refused to create such a container.
        warnings: the engine's warnings at creation.
        claims: the limits that the engine reports afterwards.
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
class HelperFacts:
    """A program that a rootless engine needs.

    Attributes:
        setuid_root, capable: the two ways in which it may be allowed to write id maps.
        nosuid: True if its file system forbids both.
    """

    name: str
    path: str | None = None
    setuid_root: bool = False
    capable: bool = False
    nosuid: bool = False


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """The account that would run a rootless engine; by default the one that runs this process."""

    name: str
    uid: int
    home: str | None = None


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """The account's home folder, where a rootless engine keeps its images.

    Attributes:
        flags: those of "ro", "nosuid", "nodev" and "noexec" that its file system is mounted with.
        kind: type of its file system ("ext4", "nfs4"); None if unknown.
    """

    path: str
    mode: int
    uid: int
    flags: tuple[str, ...] = ()
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class PodmanFacts:
    """Settings in the files of the Podman that an account runs.

    Attributes:
        defaults: settings of the table [containers] of containers.conf.
        short_names: short-name-mode of registries.conf; None for the default, enforcing.
        policy: what policy.json demands of an image that no other rule names; None without the file.
        problems: files that could not be read, and why.
    """

    defaults: Mapping[str, str | bool | int | list[Any]] = field(default_factory=dict)
    short_names: str | None = None
    policy: str | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Facts of this host and of one account. None means missing or unreadable, and must not be taken for "no".

    Attributes:
        initial_userns, initial_pidns: True if this process sees host uids, and every process.
        subuid, subgid: every range of the host.
        missing: those of /etc/subuid and /etc/subgid that do not exist.
        from_getsubids: the source that answered for the account, if the program `getsubids` did.
        userns: 0 if a child could create a user namespace with a map, else the errno.
        controllers_delegated: controllers of the account's session (cgroup v2); None without such a session.
        kernel: its release ("6.1.0-13-amd64").
        overlay: whether the kernel has or can load the overlay file system; None if unknown.
        device_modes: "/dev/fuse", "/dev/net/tun" -> permission bits; None for a device that is missing.
        firewall: those of "iptables" and "nft" that are installed.
        rootlesskit: its path, if it is installed.
        apparmor_profiles: names of the files in /etc/apparmor.d; None if unknown.
        settings: files and folders with settings of engines.
        podman: what Podman's settings files say; None if they cannot be read.
        session: whether the account's own service manager runs; None if unknown.
        listeners: (address, port) of TCP sockets that engines hold, as far as visible.
    """

    account: AccountFacts
    boot_id: str | None = None
    initial_userns: bool = False
    unified_cgroups: bool | None = None
    users: Mapping[int, str] = field(default_factory=dict)
    subuid: tuple[SubordinateRange, ...] | None = None
    subgid: tuple[SubordinateRange, ...] | None = None
    missing: tuple[str, ...] = ()
    helpers: tuple[HelperFacts, ...] = ()
    network_helpers: tuple[str, ...] = ()
    fuse_overlayfs: str | None = None
    kernel: str | None = None
    overlay: bool | None = None
    device_modes: Mapping[str, int | None] = field(default_factory=dict)
    firewall: tuple[str, ...] | None = None
    rootlesskit: str | None = None
    apparmor_profiles: tuple[str, ...] | None = None
    session: bool | None = None
    settings: tuple[FolderFacts, ...] = ()
    podman: PodmanFacts | None = None
    home: HomeFacts | None = None
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
    """Facts of this process: how it reached the engine, and what the `docker` command is.

    Attributes:
        transport: "unix", "ssh", "tls", "tcp" (plain), "unclear"; "none" without an engine.
        sockets: well-known sockets that exist -> whether this process can connect.
        docker_path, docker_is: path of the `docker` program, and what it is ("docker", "podman", None).
        docker_how: evidence for docker_is ("symlink", "script", "version").
        uid, user: account of this process, by number and name.
        groups: numbers of the groups that this process has now.
        machine: name of the host that this process runs on.
        content_trust: whether DOCKER_CONTENT_TRUST is set, so that the command `docker` demands signatures.
    """

    url: str | None
    transport: str
    chosen_by: str | None = None
    sockets: Mapping[str, bool] = field(default_factory=dict)
    docker_path: str | None = None
    docker_is: str | None = None
    docker_how: str | None = None
    uid: int = -1
    user: str | None = None
    groups: tuple[int, ...] = ()
    machine: str | None = None
    content_trust: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts for one report. `unreached`: why there is no engine."""

    client: ClientFacts
    engine: EngineFacts | None = None
    unreached: str | None = None
    host: HostFacts | None = None
    peer: PeerFacts | None = None
    socket: SocketFacts | None = None
    probe: ProbeFacts | None = None
    limits: LimitFacts | None = None
    containers: tuple[ContainerFacts, ...] | None = None
    containers_problem: str | None = None
    bridge: Mapping[str, str] | None = None  # options of Docker's default network
    listening: tuple[str, ...] = ()  # engines' sockets that this host shows
    present: frozenset[str] | None = None  # paths that exist on the engine's host, out of those that matter in mounts
