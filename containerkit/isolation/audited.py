"""Facts of a running container: what the engine reports of it, and what this host's kernel shows of its process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ContainerFacts", "DeviceFacts", "KernelView", "MountFacts"]


@dataclass(frozen=True, slots=True)
class MountFacts:
    """A folder or file of the host that a container was given.

    Attributes:
        source, target: path on the host, path in the container.
        volume: name of the volume; "" for a bind mount.
        real: the source with its symbolic links resolved, or the device behind a volume; None if unknown.
        node: "socket", "block", "char", "file" or "folder"; None if unknown.
        users_reach: True if other accounts of the host can run a setuid program from there; None if unknown.
    """

    source: str
    target: str
    volume: str = ""
    writable: bool = True
    propagation: str = ""
    real: str | None = None
    node: str | None = None
    users_reach: bool | None = None


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """A device of the host. `node` is "block", "char", or None if unknown."""

    path: str
    node: str | None = None


@dataclass(frozen=True, slots=True)
class KernelView:
    """A container's first process, as this host's kernel shows it.

    Attributes:
        root_uid: uid on this host of the container's uid 0; None if it has none.
        shared: namespaces ("pid", "net", …) that are the engine's own.
        seccomp: mode of the filter: 0 none, 2 filtered.
        writable: files below /proc and /sys that a default container cannot write, and this one can.
        exposed: files below /proc and /sys that a default container cannot see, and this one can.
        device_rules: lines of the control group's list of devices (cgroup v1); None if unknown.
        submounts: paths in the container of writable mounts below a mount that is read-only.
    """

    root_uid: int | None = None
    shared: tuple[str, ...] = ()
    seccomp: int | None = None
    writable: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    device_rules: tuple[str, ...] | None = None
    submounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """A running container with what it was given beyond the default. `problem`: why it could not be inspected.

    Attributes:
        modes: namespace ("pid", "ipc", "network", "uts", "userns") -> "host", "container:ID", …
        security: security options as given.
        masked: whether paths of /proc are masked; None if the engine does not report it.
        seccomp_profile: text of the profile, if one was given and can be read.
        pid: of its first process, in the engine's numbers.
        user: what the image or the command line names; "" is root.
        read_only: whether its root is read-only.
        restart, restarts: policy after an exit ("no", "always", …), and how often at most; 0 without a bound.
        health: whether it has a health check.
    """

    id: str
    name: str
    image: str = ""
    pid: int = 0
    user: str = ""
    privileged: bool = False
    modes: Mapping[str, str] = field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    masked: bool | None = None
    seccomp_profile: str | None = None
    mounts: tuple[MountFacts, ...] = ()
    devices: tuple[DeviceFacts, ...] = ()
    device_rules: tuple[str, ...] = ()
    open_ports: tuple[int, ...] = ()
    read_only: bool | None = None
    restart: str | None = None
    restarts: int = 0
    health: bool = False
    memory: int | None = None
    pids: int | None = None
    kernel: KernelView | None = None
    problem: str | None = None

    @property
    def label(self) -> str:
        """Name, or the first 12 digits of the ID."""
        return self.name or self.id[:12]
