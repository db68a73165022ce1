"""Look at running containers from this host: their processes, what their mounts are, who else can reach them.

It needs an engine whose process this host shows. The engine's files and process numbers are read through its own root
folder, so that an engine in namespaces of its own is seen as it sees itself.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from .._text import split_lines
from .audited import ContainerFacts, DeviceFacts, KernelView, MountFacts
from .facts import PeerFacts
from .host import engine_root, read
from .procfs import host_id, parse_id_map, parse_mountinfo, parse_status

__all__ = ["Outside", "group_folder", "steady_thread"]

_NAMESPACES = ("pid", "net", "ipc", "uts", "user")
_READ_ONLY = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus")
_MASKED = ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware")
_OF_THE_ENGINE = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")  # files that every container gets
_LINKS = 40  # links in one path, as the kernel allows


class Outside:
    """This host's view of one engine's containers.

    Attributes:
        root: folder where the engine's files are; None if this host does not show them.
    """

    def __init__(self, peer: PeerFacts | None) -> None:
        self.peer = peer
        self.root = engine_root(peer.pid, nested=peer.nested) if peer is not None and peer.pid > 0 else None
        self._own: dict[str, str] = {}  # the engine's own namespaces
        self._seen: dict[str, tuple[str, str | None, bool | None]] = {}
        self._process = steady_thread(Path(f"/proc/{peer.pid}")) if peer is not None else None
        self._mountinfo = _text(f"{self._process}/mountinfo") if peer is not None else ""
        self._guarded: tuple[str, ...] = ()  # paths of this kernel that a default container cannot write, or see
        if peer is not None and self.root is not None:
            for name in _NAMESPACES:
                with contextlib.suppress(OSError):
                    self._own[name] = os.readlink(f"{self._process}/ns/{name}")
            self._guarded = tuple(p for p in (*_READ_ONLY, *_MASKED) if os.path.exists(f"{self.root}{p}"))

    def sockets(self) -> tuple[str, ...]:
        """Return paths of engines' sockets that processes in the engine's network listen on."""
        content = read(self._process / "net/unix") if self._process else None
        rows = [line.split(maxsplit=7) for line in split_lines(content or "")[1:]]
        paths = {row[7] for row in rows if len(row) > 7 and row[7].startswith("/") and row[3] == "00010000"}
        names = ("docker", "podman", "containerd", "crio", "cri-dockerd", "buildkitd")
        return tuple(sorted(p for p in paths if p.endswith(".sock") and p.rsplit("/", 1)[1].startswith(names)))

    def present(self, paths: Iterable[str]) -> frozenset[str] | None:
        """Return those paths that exist on the engine's host ("*" stands for one component); None if unknown."""
        if self.root is None:
            return None
        root, found = self.root, set()
        for path in paths:
            with contextlib.suppress(OSError, ValueError):
                if next(root.glob(path.lstrip("/")), None) if "*" in path else os.path.lexists(root / path.lstrip("/")):
                    found.add(path)
        return frozenset(found)

    def look(self, container: ContainerFacts) -> ContainerFacts:
        """Return a container's facts with everything that this host shows of it."""
        if self.root is None or container.problem:
            return container
        return replace(
            container,
            mounts=tuple(self._mount(mount) for mount in container.mounts),
            devices=tuple(DeviceFacts(d.path, self._node(self._resolve(d.path))) for d in container.devices),
            seccomp_profile=container.seccomp_profile or self._profile(container),
            kernel=self._kernel(container),
        )

    def _resolve(self, path: str) -> str:
        """Return a path with its links resolved inside the engine's root folder."""
        assert self.root is not None
        rest, done, links = path.split("/"), [""], 0
        while rest:
            part = rest.pop(0)
            if part == "..":
                done = done[:-1] or [""]
            elif part not in ("", "."):
                target = None
                with contextlib.suppress(OSError, ValueError):
                    target = os.readlink(self.root / "/".join([*done[1:], part]))
                if target is None or links >= _LINKS:
                    done.append(part)
                    continue
                links += 1
                rest = target.split("/") + rest
                done = [""] if target.startswith("/") else done
        return "/".join(done) or "/"

    def _node(self, path: str) -> str | None:
        assert self.root is not None
        try:
            mode = os.stat(self.root / path.lstrip("/")).st_mode
        except (OSError, ValueError):
            return None
        kinds = ((stat.S_ISSOCK, "socket"), (stat.S_ISBLK, "block"), (stat.S_ISCHR, "char"), (stat.S_ISDIR, "folder"))
        return next((name for test, name in kinds if test(mode)), "file")

    def _mount(self, mount: MountFacts) -> MountFacts:
        given = mount.real or mount.source
        if given not in self._seen:
            path = self._resolve(given)
            self._seen[given] = path, self._node(path), self._users_reach(path)
        real, node, users_reach = self._seen[given]
        return replace(mount, real=real, node=node, users_reach=users_reach)

    def _users_reach(self, path: str) -> bool | None:
        """Return whether every folder on the way is open to all accounts and programs may gain privileges there."""
        assert self.root is not None
        here = self.root
        try:
            for part in path.strip("/").split("/"):
                here = here / part
                found = here.stat()
                if not found.st_mode & 0o001 and stat.S_ISDIR(found.st_mode):
                    return False
            return not os.statvfs(here).f_flag & os.ST_NOSUID
        except (OSError, ValueError):
            return None

    def _profile(self, container: ContainerFacts) -> str | None:
        assert self.root is not None
        for option in container.security:
            name, _, value = option.partition("=")
            if name == "seccomp" and value.startswith("/"):
                return read(self.root / value.lstrip("/"))
        return None

    def _kernel(self, container: ContainerFacts) -> KernelView | None:
        """Return the kernel's view of the first process, if it is certain that the process is this container's."""
        proc = f"{self.root}/proc/{container.pid}"
        mountinfo, groups = _text(f"{proc}/mountinfo"), _text(f"{proc}/cgroup")
        if not container.pid or not (container.id in mountinfo or container.id in groups):
            return None
        status = parse_status(_text(f"{proc}/status"))
        uids = parse_id_map(_text(f"{proc}/uid_map"))
        mode = status.get("Seccomp", "")
        guarding = "\n".join(line for line in split_lines(mountinfo) if " /proc" in line or " /sys" in line)
        own = {mount.target: mount for mount in parse_mountinfo(guarding)}
        top = {path: own.get(path) or own.get(path.rpartition("/")[0]) for path in self._guarded}
        return KernelView(
            root_uid=host_id(0, uids) if uids else None,
            shared=tuple(name for name in _NAMESPACES if self._shares(proc, name)),
            seccomp=int(mode) if mode.isdecimal() else None,
            writable=tuple(p for p in _READ_ONLY if (m := top.get(p)) is not None and "rw" in m.options),
            exposed=tuple(p for p in _MASKED if (m := top.get(p)) is not None and m.target != p),
            device_rules=self._device_rules(groups),
            submounts=writable_below(container.mounts, mountinfo),
        )

    def _shares(self, proc: str, name: str) -> bool:
        try:
            return os.readlink(f"{proc}/ns/{name}") == self._own.get(name)
        except OSError:
            return False

    def _device_rules(self, groups: str) -> tuple[str, ...] | None:
        for line in split_lines(groups):
            _, names, path = [*line.split(":", 2), "", ""][:3]
            if "devices" in names.split(",") and (folder := group_folder(self._mountinfo, "devices", path)):
                content = _text(f"{self.root}{folder}/devices.list")
                return tuple(split_lines(content)) if content else None
        return None


def steady_thread(process: Path) -> Path:
    """Return the folder of a thread that has the network of most threads of a process.

    Podman's threads enter the networks of containers to set them up, and its first thread may stay in one: what
    /proc/PID/ns/net shows is then a container's network.
    """
    networks: dict[Path, str] = {}
    with contextlib.suppress(OSError):
        for thread in sorted((process / "task").iterdir()):
            with contextlib.suppress(OSError):
                networks[thread] = os.readlink(thread / "ns/net")
    seen = Counter(networks.values()).most_common(1)
    return next((thread for thread, network in networks.items() if network == seen[0][0]), process)


def writable_below(given: Iterable[MountFacts], mountinfo: str) -> tuple[str, ...]:
    """Return the writable mounts below read-only ones: what was mounted there on the host came with the folder."""
    given = tuple(given)
    above = tuple(f"{mount.target.rstrip('/')}/" for mount in given if not mount.writable and not mount.volume)
    if not above:
        return ()
    own = {mount.target for mount in given} | set(_OF_THE_ENGINE)
    lines = parse_mountinfo("\n".join(line for line in split_lines(mountinfo) if any(path in line for path in above)))
    top = {line.target: line for line in lines if line.target.startswith(above) and line.target not in own}
    return tuple(target for target, line in top.items() if {"rw"} <= line.options & line.super_options)


def group_folder(mountinfo: str, controller: str, path: str) -> str | None:
    """Return a control group's folder (version 1) as a process with this mountinfo sees it; None if it does not."""
    for mount in parse_mountinfo(mountinfo):
        if mount.kind == "cgroup" and controller in mount.super_options:
            root = mount.root.rstrip("/")
            if path == root or path.startswith(f"{root}/"):
                return mount.target + path[len(root) :]
    return None


def _text(path: str) -> str:
    """Return a file of /proc or /sys; "" if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (OSError, ValueError):
        return ""
