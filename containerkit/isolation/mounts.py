"""Judge a mount by what can be reached through it. Pure: paths in, places out."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from .values import Severity

__all__ = ["Place", "Reach", "is_disk", "known_paths", "reached", "sockets_in"]

_NONE, _LOW, _MEDIUM, _HIGH, _CRITICAL = None, Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL
RANK = {severity: number for number, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Place:
    """A path of the host that matters, with everything below it. A "*" stands for one component.

    Attributes:
        read, write: severity of being able to read it, to write it; None for harmless.
        account: True if an engine without root has it in its hands as well.
        kind: "socket", "store" or "files".
    """

    path: str
    what: str
    read: Severity | None
    write: Severity | None
    account: bool = False
    kind: str = "files"


@dataclass(frozen=True, slots=True)
class Reach:
    """A place that a mount reaches, with the severity for this mount."""

    path: str
    what: str
    severity: Severity
    kind: str


_SOCKETS = (
    *("/run/docker.sock", "/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock"),
    *("/run/podman/podman.sock", "/run/crio/crio.sock", "/run/cri-dockerd.sock", "/run/buildkit/buildkitd.sock"),
    *("/run/user/*/docker.sock", "/run/user/*/podman/podman.sock"),
)
_STORES = ("/var/lib/docker", "/var/lib/containers", "/var/lib/containerd", "/home/*/.local/share/containers")
_STATE = ("/run/docker", "/run/containerd", "/run/containers", "/run/runc", "/run/crun", "/run/libpod")
_PROGRAMS = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/snap", "/nix/store"),
    *("/var/lib/dpkg", "/var/lib/rpm", "/var/lib/snapd"),
)
_DATA = ("/usr/share", "/usr/src", "/usr/include", "/usr/local/share", "/usr/local/src")
_NAMES = (
    *("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/localtime", "/etc/timezone", "/etc/machine-id"),
    "/etc/ssl/certs",
)
_SECRETS = (
    *("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/ssh", "/etc/ssl/private"),
    *("/etc/kubernetes", "/etc/docker", "/etc/NetworkManager/system-connections", "/etc/krb5.keytab", "/etc/wireguard"),
)
_RUNS = ("/var/spool/cron", "/var/spool/anacron", "/var/spool/at", "/var/lib/systemd", "/var/lib/cloud")
_OF_AN_ACCOUNT = (".ssh", ".gnupg", ".aws", ".docker", ".kube", ".config")
_AT_LOGIN = (".profile", ".bashrc", ".bash_profile", ".bash_login", ".zshrc", ".zshenv", ".local/bin", "bin")
_HARMLESS_NODES = (
    *("null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "log", "mqueue", "fuse"),
    *("net/tun", "kvm", "dri", "snd"),
)

_PLACES: tuple[Place, ...] = (
    *(Place(p, "an engine's socket", _CRITICAL, _CRITICAL, account=True, kind="socket") for p in _SOCKETS),
    *(Place(p, "an engine's store", _HIGH, _CRITICAL, account=True, kind="store") for p in _STORES),
    *(Place(p, "an engine's state", _MEDIUM, _CRITICAL, kind="store") for p in _STATE),
    Place("/run/systemd/private", "systemd's socket", _CRITICAL, _CRITICAL),
    Place("/run/dbus/system_bus_socket", "the system bus, which starts services of root", _CRITICAL, _CRITICAL),
    Place("/run/user/*/bus", "an account's bus, which starts its services", _HIGH, _HIGH, account=True),
    Place("/run", "state of the host's services", _NONE, _HIGH),
    Place("/run/udev", "the host's list of devices", _NONE, _HIGH),
    Place("/etc", "settings that root's programs obey", _NONE, _CRITICAL),
    *(Place(p, "names and certificates of the host", _NONE, _MEDIUM) for p in _NAMES),
    *(Place(p, "secrets of the host", _HIGH, _CRITICAL) for p in _SECRETS),
    *(Place(p, "commands that root runs", _LOW, _CRITICAL) for p in _RUNS),
    Place("/var/lib/kubelet", "secrets of a cluster's pods", _HIGH, _CRITICAL),
    Place("/var/log", "the host's logs", _LOW, _MEDIUM),
    Place("/root", "root's keys and login scripts", _HIGH, _CRITICAL),
    *(Place(f"/home/*/{name}", "keys of an account", _HIGH, _HIGH, account=True) for name in _OF_AN_ACCOUNT),
    *(Place(f"/home/*/{name}", "programs that an account runs", _NONE, _HIGH, account=True) for name in _AT_LOGIN),
    *(Place(p, "programs that root runs", _NONE, _CRITICAL) for p in _PROGRAMS),
    *(Place(p, "data of the host's programs", _NONE, _MEDIUM) for p in _DATA),
    Place("/boot", "the kernel of the next boot", _NONE, _CRITICAL),
    Place("/proc", "processes of the host", _MEDIUM, _MEDIUM),
    Place("/proc/sys", "settings of the kernel, such as the program for core dumps", _NONE, _CRITICAL),
    Place("/proc/sys/net", "network settings of the host", _NONE, _MEDIUM),
    Place("/proc/sysrq-trigger", "the kernel's emergency keys", _NONE, _HIGH),
    Place("/proc/kcore", "the memory of the host", _CRITICAL, _CRITICAL),
    Place("/sys", "settings of the kernel and its devices", _LOW, _CRITICAL),
    Place("/sys/fs/cgroup", "control groups of the host", _LOW, _CRITICAL),
    Place("/dev", "device nodes, which a read-only mount does not protect", _HIGH, _HIGH),
    Place("/dev/shm", "memory shared between the host's programs", _MEDIUM, _MEDIUM),
    *(Place(f"/dev/{name}", "a device that guards itself", _NONE, _NONE) for name in _HARMLESS_NODES),
    *(Place(f"/dev/{name}", "the memory of the host", _CRITICAL, _CRITICAL) for name in ("mem", "kmem", "port")),
)


def reached(
    path: str,
    *,
    writable: bool,
    root: bool = True,
    sockets: Iterable[str] = (),
    store: str | None = None,
    present: Container[str] | None = None,
) -> tuple[Reach, ...]:
    """Return what a mount of a path reaches, worst first.

    A place counts if the path is that place, contains it, or is inside it. Of the places around a path only the nearest
    counts: /etc/hosts is less than /etc.

    Args:
        path: absolute path on the host, with its links resolved if that was possible.
        writable: False for a read-only mount. It does not protect sockets and devices.
        root: root in the container is root on the host. Otherwise only what belongs to an account counts in full.
        sockets: paths of engines' sockets beside the usual ones.
        store: folder of the engine's store.
        present: paths of the places that exist on the host; None if unknown.
    """
    parts = _parts(path)
    if parts[:1] == ("dev",) and is_disk(path):
        disk = Reach(_text(parts), "a disk of the host", _CRITICAL if root else _LOW, "files")
        return (disk,)
    places = [
        *_PLACES,
        *(Place(p, "an engine's socket", _CRITICAL, _CRITICAL, account=True, kind="socket") for p in sockets),
    ]
    if store:
        places.append(Place(store, "the engine's store", _HIGH, _CRITICAL, account=True, kind="store"))
    around = [p for p in places if len(_parts(p.path)) <= len(parts) and _matches(_parts(p.path), parts)]
    deepest = max((len(_parts(p.path)) for p in around), default=0)
    counted = [p for p in around if len(_parts(p.path)) == deepest]
    inside = [p for p in places if len(_parts(p.path)) > len(parts) and _matches(_parts(p.path), parts)]
    counted += [p for p in inside if present is None or p.path in present]
    found: dict[str, Reach] = {}
    for place in counted:
        severity = place.write if writable else place.read
        if severity is None:
            continue
        if not root:
            severity = min(severity, _HIGH, key=RANK.__getitem__) if place.account else _LOW
        where = _text(parts) if len(_parts(place.path)) <= len(parts) else place.path
        if where not in found or RANK[severity] > RANK[found[where].severity] or place.kind == "socket":
            found[where] = Reach(where, place.what, severity, place.kind)
    return tuple(sorted(found.values(), key=lambda r: (-RANK[r.severity], r.kind != "socket", r.path)))


def known_paths() -> tuple[str, ...]:
    """Return the paths of all places; a "*" stands for one component."""
    return tuple(place.path for place in _PLACES)


def sockets_in(path: str, sockets: Iterable[str] = (), present: Container[str] | None = None) -> tuple[str, ...]:
    """Return the engines' sockets that a mount of a path is or contains."""
    found = reached(path, writable=False, sockets=sockets, present=present)
    return tuple(r.path for r in found if r.kind == "socket")


def is_disk(path: str) -> bool:
    """Return whether a path in /dev is a disk by its name."""
    name = "/".join(_parts(path)[1:])
    starts = ("sd", "hd", "vd", "xvd", "nvme", "mmcblk", "dm-", "mapper/", "md", "loop", "zram", "nbd", "disk/", "zd")
    return name.startswith(starts) and name not in ("loop-control", "mapper/control")


def _parts(path: str) -> tuple[str, ...]:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    if parts[:2] in (["var", "run"], ["var", "lock"]):  # links of every distribution
        parts = (["run"] if parts[1] == "run" else ["run", "lock"]) + parts[2:]
    return tuple(parts)


def _text(parts: Sequence[str]) -> str:
    return "/" + "/".join(parts)


def _matches(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether the shorter of two paths leads to the longer one."""
    return all(a == b or a == "*" for a, b in zip(one, other, strict=False))
