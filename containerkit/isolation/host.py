"""Collect facts about this host: its files, its settings, one account's set-up. Read-only, without root.

Everything in `/etc`, `/proc` and `/sys` is read below a folder that the caller can choose, such as a recorded tree.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .._text import split_lines
from .accounts import Accounts, parse_passwd
from .configured import collect_podman
from .elf import Address, Call, Child, Data, Slot, assemble, machine_of
from .facts import AccountFacts, FolderFacts, HelperFacts, HomeFacts, HostFacts, SubordinateRange
from .procfs import WHOLE, parse_id_map, parse_mountinfo

__all__ = [
    "account_named",
    "account_of",
    "collect_host",
    "engine_root",
    "parse_subordinate",
    "try_userns",
]

_SYSCTLS = (
    "user.max_user_namespaces",
    "kernel.unprivileged_userns_clone",
    "kernel.apparmor_restrict_unprivileged_userns",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
)
_PROGRAMS = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_SETTINGS = (
    *("/etc/docker", "/etc/docker/daemon.json", "/etc/docker/certs.d", "/etc/default/docker", "/etc/sysconfig/docker"),
    *("/lib/systemd/system/docker.service", "/lib/systemd/system/docker.socket", "/etc/containers"),
    *("/etc/containers/containers.conf", "/etc/containers/registries.conf", "/etc/containers/storage.conf"),
    *("/etc/containers/policy.json", "/etc/containers/registries.conf.d", "/lib/systemd/system/podman.socket"),
)
_DEVICES = ("/dev/fuse", "/dev/net/tun")
_CAP_SETGID, _CAP_SETUID = 6, 7


def read(path: Path) -> str | None:
    """Return a file's text, or None if it is missing or unreadable."""
    try:
        return path.read_text("utf-8", "replace").strip("\n")
    except (OSError, ValueError):
        return None


def parse_subordinate(content: str | None) -> tuple[SubordinateRange, ...] | None:
    """Return the ranges of /etc/subuid or /etc/subgid without malformed lines; None if the file is missing."""
    if content is None:
        return None
    rows = (line.split(":") for line in split_lines(content))
    return tuple(
        SubordinateRange(r[0], int(r[1]), int(r[2]))
        for r in rows
        if len(r) == 3 and r[1].isdecimal() and r[2].strip().isdecimal()
    )


def account_of(uid: int, root: Path = Path("/")) -> AccountFacts:
    """Return an account by number; without a name, its name is the number."""
    accounts = Accounts(root)
    return AccountFacts(accounts.user(uid) or str(uid), uid, accounts.home(uid))


def account_named(name: str, root: Path = Path("/")) -> AccountFacts | None:
    """Return an account by name or number; None if there is none of that name."""
    accounts = Accounts(root)
    uid = accounts.uid(name)
    if uid is None and name.isdecimal() and accounts.user(int(name)) is not None:
        uid = int(name)
    return None if uid is None else account_of(uid, root)


def engine_root(pid: int, *, nested: bool | None) -> Path | None:
    """Return the folder where the engine's files are visible; None if it has other files than this host."""
    own = Path(f"/proc/{pid}/root")
    if pid > 0 and os.access(own / "etc", os.R_OK | os.X_OK):
        return own
    return None if nested else Path("/")


def collect_host(
    account: AccountFacts,
    *,
    root: Path = Path("/"),
    files: Path | None = None,
    environ: Mapping[str, str] | None = None,
    arch: str = "",
) -> HostFacts:
    """Return everything about this host and one account that a report can use.

    Args:
        root: folder of /proc, /sys and /etc.
        files: folder of the engine's /etc, programs and /run, if different.
        environ: environment of the account's session; None if it is not this process's.
        arch: architecture for the one thing that is tried instead of read; "" does not try it.
    """
    files = files or root
    proc, cgroup = root / "proc", root / "sys/fs/cgroup"
    unified = (cgroup / "cgroup.controllers").exists() if cgroup.is_dir() else None
    subuid, subgid = (parse_subordinate(read(files / f"etc/{name}")) for name in ("subuid", "subgid"))
    if files == Path("/"):
        subuid, subgid = _getsubids(account, subuid), _getsubids(account, subgid, "-g")
    runtime = environ.get("XDG_RUNTIME_DIR") if environ is not None else f"/run/user/{account.uid}"
    mode, owner = _folder(files, runtime)
    search = environ.get("PATH", _PROGRAMS) if environ is not None else _PROGRAMS
    systemd = (files / "run/systemd/system").is_dir()
    delegated = read(cgroup / f"user.slice/user-{account.uid}.slice/user@{account.uid}.service/cgroup.controllers")
    return HostFacts(
        account=account,
        boot_id=read(proc / "sys/kernel/random/boot_id"),
        initial_userns=parse_id_map(read(proc / "self/uid_map")) == WHOLE,
        unified_cgroups=unified,
        users={uid: name for name, (uid, _) in parse_passwd(read(files / "etc/passwd")).items()},
        subuid=subuid,
        subgid=subgid,
        missing=tuple(f"/etc/{name}" for name in ("subuid", "subgid") if _is_missing(files / "etc" / name)),
        helpers=(_helper("newuidmap", files, search, _CAP_SETUID), _helper("newgidmap", files, search, _CAP_SETGID)),
        network_helpers=tuple(name for name in ("pasta", "slirp4netns") if _find(name, files, search)),
        fuse_overlayfs=_shown(_find("fuse-overlayfs", files, search), files),
        kernel=read(proc / "sys/kernel/osrelease"),
        overlay=_has_overlay(proc, files),
        device_modes={path: _folder(files, path)[0] for path in _DEVICES} if (files / "dev").is_dir() else {},
        firewall=tuple(name for name in ("iptables", "nft") if _find(name, files, f"{search}:{_PROGRAMS}")),
        rootlesskit=_shown(_find("rootlesskit", files, f"{search}:{account.home}/bin"), files),
        apparmor_profiles=_names(files / "etc/apparmor.d"),
        session=_session(files, account.uid) if systemd else None,
        settings=_settings(files),
        podman=collect_podman(account, files),
        home=_home(account.home, files, read(proc / "self/mountinfo") if files == root else None),
        userns=try_userns(account.uid, arch=arch) if arch else None,
        sysctls={name: read(proc / "sys" / name.replace(".", "/")) for name in _SYSCTLS},
        runtime_dir=runtime,
        runtime_dir_mode=mode,
        runtime_dir_uid=owner,
        systemd=systemd,
        linger=(files / "var/lib/systemd/linger" / account.name).exists() if systemd else None,
        controllers_delegated=tuple(delegated.split()) if delegated is not None else None,
        time_namespace=_link(proc / "self/ns/time"),
        user_namespace=_link(proc / "self/ns/user"),
    )


def _is_missing(path: Path) -> bool:
    """Return whether a file does not exist in a folder that can be searched."""
    try:
        path.stat()
    except FileNotFoundError:
        return path.parent.is_dir()
    except OSError:
        return False
    return False


def _link(path: Path) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def _folder(root: Path, path: str | None) -> tuple[int | None, int | None]:
    """Return (permission bits, uid) of a folder, or (None, None)."""
    if path:
        with contextlib.suppress(OSError, ValueError):
            found = (root / path.lstrip("/")).stat()
            return found.st_mode & 0o7777, found.st_uid
    return None, None


def _names(folder: Path) -> tuple[str, ...] | None:
    try:
        return tuple(sorted(entry.name for entry in folder.iterdir()))
    except OSError:
        return None


def _shown(path: Path | None, root: Path) -> str | None:
    return None if path is None else "/" + str(path.relative_to(root))


def _has_overlay(proc: Path, files: Path) -> bool | None:
    """Return whether the kernel has the overlay file system, or its module to load."""
    known = read(proc / "filesystems")
    if known is None:
        return None
    if "overlay" in known.split():
        return True
    folder = files / "lib/modules" / (read(proc / "sys/kernel/osrelease") or "-")
    return "/overlay.ko" in (read(folder / "modules.dep") or "") or "/overlay.ko" in (
        read(folder / "modules.builtin") or ""
    )


def _settings(files: Path) -> tuple[FolderFacts, ...]:
    """Return owner and mode of the files with settings of engines, links followed."""
    found = []
    for path in _SETTINGS:
        with contextlib.suppress(OSError):
            seen = (files / path.lstrip("/")).stat()
            found.append(FolderFacts(path, seen.st_mode & 0o7777, seen.st_uid, seen.st_gid))
    return tuple(found)


def _session(files: Path, uid: int) -> bool | None:
    """Return whether an account's own service manager listens; None if its folder is closed to this process."""
    try:
        (files / f"run/user/{uid}/systemd/private").lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    return True


def _home(path: str | None, files: Path, mountinfo: str | None) -> HomeFacts | None:
    """Return an account's home folder and how its file system is mounted; None without such a folder."""
    mode, uid = _folder(files, path)
    if path is None or mode is None or uid is None:
        return None
    flags = os.statvfs(files / path.lstrip("/")).f_flag
    bits = (("ro", os.ST_RDONLY), ("nosuid", os.ST_NOSUID), ("nodev", os.ST_NODEV), ("noexec", os.ST_NOEXEC))
    real = os.path.realpath(path) if files == Path("/") else path
    around = [m for m in parse_mountinfo(mountinfo) if f"{real}/".startswith(f"{m.target.rstrip('/')}/")]
    kind = max(around, key=lambda m: len(m.target)).kind if around else None
    return HomeFacts(path, mode, uid, tuple(name for name, bit in bits if flags & bit), kind)


def _find(name: str, root: Path, search: str) -> Path | None:
    for folder in search.split(":"):
        path = root / folder.lstrip("/") / name
        with contextlib.suppress(OSError):
            if folder and path.is_file() and os.access(path, os.X_OK):
                return path
    return None


def _helper(name: str, root: Path, search: str, capability: int) -> HelperFacts:
    path = _find(name, root, search)
    if path is None:
        return HelperFacts(name)
    try:
        found, flags = path.stat(), os.statvfs(path).f_flag
    except OSError:
        return HelperFacts(name)
    setuid = bool(found.st_mode & 0o4000) and found.st_uid == 0
    return HelperFacts(name, _shown(path, root), setuid, _file_capability(path, capability), bool(flags & os.ST_NOSUID))


def _file_capability(path: Path, capability: int) -> bool:
    """Return whether a program's file grants a capability (struct vfs_cap_data: a version, then the permitted set)."""
    try:
        data = os.getxattr(path, "security.capability")
        permitted = struct.unpack_from("<I", data, 4)[0]
    except (OSError, AttributeError, struct.error):
        return False
    return bool(permitted >> capability & 1)


def _getsubids(
    account: AccountFacts, ranges: tuple[SubordinateRange, ...] | None, *flags: str
) -> tuple[SubordinateRange, ...] | None:
    """Return the ranges that the name service, not the file, has for an account, if `getsubids` is installed."""
    program = shutil.which("getsubids", path=_PROGRAMS)
    if program is None:
        return ranges
    try:
        answer = subprocess.run(
            [program, *flags, account.name],
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return ranges
    rows = [line.split() for line in split_lines(answer.stdout)] if answer.returncode == 0 else []
    listed = tuple(SubordinateRange(r[1], int(r[2]), int(r[3])) for r in rows if len(r) == 4 and r[2].isdecimal())
    others = tuple(r for r in ranges or () if r.owner not in (account.name, str(account.uid)))
    return (
        others + (listed or tuple(r for r in ranges or () if r not in others)) if listed or ranges is not None else None
    )


def try_userns(uid: int, *, arch: str) -> int | None:
    """Try to create a user namespace with a map as `uid`; return 0, the errno, or None if it could not be tried.

    A child process of a few system calls does it, and ends.
    """
    machine = machine_of(arch)
    if machine is None or not hasattr(os, "memfd_create"):
        return None
    mine = os.geteuid()
    if mine not in (uid, 0):
        return None
    row = f"0 {uid} 1".encode()
    become: tuple[Call | Child, ...] = ()
    if uid != mine:  # afterwards /proc/self is root's until the process counts as dumpable again
        become = (
            Call("setgroups", (0, 0), 1),
            Call("setresgid", (uid, uid, uid), 1),
            Call("setresuid", (uid, uid, uid), 1),
            Call("prctl", (4, 1, 0, 0, 0), 2),  # PR_SET_DUMPABLE
        )
    program: tuple[Call | Child, ...] = (
        *become,
        Call("unshare", (0x10000000,), 2),  # CLONE_NEWUSER
        Call("openat", (-100, Data(b"/proc/self/uid_map\0"), 1), 3),  # O_WRONLY
        Call("write", (Slot(3), Data(row), len(row)), 3),
        Call("write", (1, Address(1), 24), 0),
        Call("exit_group", (0,)),
    )
    try:
        handle = os.memfd_create("containerkit-userns")
        with os.fdopen(handle, "wb", buffering=0) as file:
            file.write(assemble(program, arch=machine, slots=4))
            answer = subprocess.run(
                [f"/proc/self/fd/{handle}"], pass_fds=(handle,), capture_output=True, timeout=2, check=False, env={}
            ).stdout
        became, unshared, mapped = struct.unpack("<qqq", answer)
    except (OSError, subprocess.SubprocessError, struct.error):
        return None
    if became < 0:
        return None
    return -min(0, int(unshared)) or -min(0, int(mapped))  # the first failure; the second may follow from it
