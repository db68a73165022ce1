"""The process behind an engine's socket, and the files of the machine as that process sees them."""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path, PurePosixPath
from typing import NamedTuple

#: Programs that serve an engine of this machine; systemd holds the socket until the engine is needed. Other programs
#: (ssh, a virtual machine's proxy) forward to another machine, whose files cannot be seen here.
_LOCAL = {"dockerd", "podman", "systemd"}
_TIMEOUT = 5.0


class Peer(NamedTuple):
    """The process that created a socket, as the kernel reports it (SO_PEERCRED); pid 0 is invisible from here."""

    pid: int
    uid: int
    gid: int


def engine_peer(url: str) -> Peer | None:
    """Return the process behind a unix socket; None for other addresses, or if the kernel does not report it."""
    if not url.startswith("unix://"):
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(_TIMEOUT)
            sock.connect(url.removeprefix("unix://"))
            return Peer(*struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)))
    except (OSError, AttributeError):  # AttributeError: SO_PEERCRED exists on Linux only
        return None


def engine_process(url: str) -> int | None:
    """Return the PID of the process that created the socket, or None if it is not visible from here."""
    peer = engine_peer(url)
    return peer.pid if peer and peer.pid > 0 else None


def _is_local(process: Path) -> bool:
    """Return whether a process serves an engine of this machine.

    A rootless Podman starts itself again as /proc/self/exe, so the kernel names it "exe".
    """
    first = (process / "cmdline").read_bytes().partition(b"\0")[0]
    name = (process / "comm").read_text("utf-8", "replace").strip()
    return bool({name, os.path.basename(os.fsdecode(first))} & _LOCAL)


def engine_is_local(url: str) -> bool:
    """Return True if the engine at a URL surely runs on this machine, and not behind a tunnel or a virtual machine."""
    if url.startswith("embedded://"):  # a service that this process has started
        return True
    pid = engine_process(url)
    try:
        return pid is not None and _is_local(Path("/proc", str(pid)))
    except OSError:
        return False


def engine_root(url: str) -> tuple[Path | None, str]:
    """Return the engine's root directory as a path of this process, or None and the reason."""
    if not url.startswith("unix://"):
        return None, "the engine is not reached through a socket of this machine"
    pid = engine_process(url)
    if pid is None:
        return None, "the engine's process is not visible from here"
    process = Path("/proc", str(pid))
    try:
        if not _is_local(process):
            return None, "the program at the socket forwards to an engine on another machine"
        os.stat(process / "root" / ".")
    except OSError as exc:
        if process.exists() and process.stat().st_uid == os.getuid() != 0:
            return Path("/"), ""  # the user's own engine: its root is hidden, and its files are at the same place
        return None, f"this user may not see the engine's files: {exc.strerror or exc}"
    return process / "root", ""


def surely_missing(url: str, path: str) -> bool:
    """Return True if an absolute path is known to be missing on the engine's machine.

    A link on the way gives False: /proc/PID/root follows an absolute link into the root of this process.
    """
    pid = engine_process(url)
    if pid is None:
        return False
    process = Path("/proc", str(pid))
    try:
        if not _is_local(process):
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
