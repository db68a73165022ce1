"""The process behind an engine's socket, as the kernel names it: the way to see a path as the engine sees it."""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path, PurePosixPath

__all__ = ["engine_is_local", "engine_process", "engine_root", "surely_missing"]

#: Programs that answer for an engine of this very machine; systemd holds the socket until one is needed. Others (ssh,
#: a machine's proxy) pass it on to another machine, whose files are not ours to see.
_LOCAL = {"dockerd", "podman", "systemd"}


def engine_process(url: str) -> int | None:
    """PID of the process that made the socket; None where there is none to be seen from here."""
    if not url.startswith("unix://"):
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(5.0)
            peer.connect(url.removeprefix("unix://"))
            pid, _, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    except (OSError, AttributeError):  # no SO_PEERCRED outside Linux
        return None
    return pid if pid > 0 else None  # 0: in a PID namespace that cannot be seen from here


def _names(process: Path) -> set[str]:
    """What a process is called; a rootless Podman starts itself again as /proc/self/exe, and is "exe" to the kernel."""
    first = (process / "cmdline").read_bytes().partition(b"\0")[0]
    return {(process / "comm").read_text().strip(), os.path.basename(os.fsdecode(first))}


def engine_is_local(url: str) -> bool:
    """Return True if the engine at a URL surely runs on this machine, and not behind a tunnel or a virtual machine."""
    if url.startswith("embedded://"):  # a service that this process has started
        return True
    pid = engine_process(url)
    try:
        return pid is not None and bool(_names(Path("/proc", str(pid))) & _LOCAL)
    except OSError:
        return False


def engine_root(url: str) -> tuple[Path | None, str]:
    """(the root folder as the engine's process sees it, reached from here; or None, and why not)."""
    if not url.startswith("unix://"):
        return None, "the engine is not reached through a socket of this machine"
    pid = engine_process(url)
    if pid is None:
        return None, "the engine's process cannot be seen from here"
    process = Path("/proc", str(pid))
    try:
        if not _names(process) & _LOCAL:
            return None, "what answers at the socket is no engine of this machine, but passes on to one"
        os.stat(process / "root" / ".")
    except OSError as exc:
        if process.exists() and process.stat().st_uid == os.getuid() != 0:
            return Path("/"), ""  # one's own engine, whose root is hidden: its files are at the same place
        return None, f"the engine's files cannot be seen by this user: {exc.strerror or exc}"
    return process / "root", ""


def surely_missing(url: str, path: str) -> bool:
    """Whether an absolute path does not exist where the engine is; False also where that cannot be known.

    A link on the way is not followed: /proc/PID/root would follow an absolute one into our own root.
    """
    pid = engine_process(url)
    if pid is None:
        return False
    process = Path("/proc", str(pid))
    try:
        if not _names(process) & _LOCAL:
            return False
        place = process / "root"
        for part in PurePosixPath(path).parts[1:]:
            place /= part
            if stat.S_ISLNK(os.lstat(place).st_mode):
                return False
    except FileNotFoundError:
        return process.exists()
    except OSError:
        return False
    return False
