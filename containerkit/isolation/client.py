"""Facts about this process: how it reaches the engine, the socket it uses, and what the `docker` command is."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from .._text import split_lines
from ..backends._peer import engine_peer
from .accounts import Accounts
from .facts import ClientFacts, FolderFacts, PeerFacts, SocketFacts
from .host import read
from .procfs import parse_status

__all__ = ["collect_client", "collect_peer", "collect_socket", "docker_command", "socket_path"]

_VARIABLES = ("CONTAINERKIT_ENGINE", "CONTAINER_HOST", "DOCKER_HOST")


def socket_path(url: str | None) -> str | None:
    """Return the path of a unix socket's URL; None for every other address."""
    return url.removeprefix("unix://") if url and url.startswith("unix://") else None


def collect_client(url: str | None, *, environ: Mapping[str, str] | None = None, sockets: bool = True) -> ClientFacts:
    """Return how this process reached the engine at a URL."""
    environ = os.environ if environ is None else environ
    path, kind, how = docker_command(environ.get("PATH", os.defpath))
    return ClientFacts(
        url=url,
        transport=_transport(url),
        chosen_by=next((f"named by {name}" for name in _VARIABLES if url and environ.get(name) == url), None),
        sockets=_well_known(environ) if sockets else {},
        docker_path=path,
        docker_is=kind,
        docker_how=how,
        uid=os.getuid(),
        user=Accounts().user(os.getuid()),
        groups=tuple(sorted({os.getegid(), *os.getgroups()})),
        machine=os.uname().nodename,
        content_trust=environ.get("DOCKER_CONTENT_TRUST", "").lower() in ("1", "t", "true"),
    )


def _transport(url: str | None) -> str:
    """Return the kind of connection. A tcp address does not say whether it uses TLS; one plain request tells."""
    parts = urlsplit(url or "none:")
    if parts.scheme in ("tcp", "http"):
        clear = _answers_in_the_clear(parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 2375))
        return "unclear" if clear is None else "tcp" if clear else "tls"
    return {"https": "tls", "": "unix"}.get(parts.scheme, parts.scheme)


def _answers_in_the_clear(host: str, port: int) -> bool | None:
    """Return whether an engine there answers without TLS; None if nothing answers."""
    try:
        with socket.create_connection((host, port), timeout=2) as sock:
            sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            answer = sock.recv(64)
    except OSError:
        return None
    return answer.startswith(b"HTTP/") and b" 200" in answer[:16]


def _well_known(environ: Mapping[str, str]) -> Mapping[str, bool]:
    run = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    paths = ("/run/docker.sock", f"{run}/docker.sock", "/run/podman/podman.sock", f"{run}/podman/podman.sock")
    return {path: _connects(path) for path in paths if os.path.exists(path)}


def _connects(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(0.2)
        try:
            sock.connect(path)
        except OSError:
            return False
    return True


def docker_command(search: str) -> tuple[str | None, str | None, str | None]:
    """Return (path, "docker" or "podman" or None, evidence) of the program that `docker` runs.

    `--version` does not tell: a symbolic link answers under the name it was called by.
    """
    path = shutil.which("docker", path=search)
    if path is None:
        return None, None, None
    real = os.path.realpath(path)
    if os.path.basename(real).startswith("podman"):
        return path, "podman", "symbolic link"
    with contextlib.suppress(OSError):
        with open(real, "rb") as file:
            head = file.read(4096)
        if not head.startswith(b"\x7fELF") and _runs_podman(head.decode("utf-8", "replace")):
            return path, "podman", "script"
    try:  # with an address where nothing listens, it answers at once, and about itself only
        env = {"PATH": search, "DOCKER_HOST": "unix:///nonexistent/docker.sock", "HOME": "/nonexistent"}
        answer = subprocess.run(
            [path, "version"], capture_output=True, text=True, timeout=2, check=False, env=env, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return path, None, None
    first = split_lines(answer.stdout.lstrip())[:1]
    if first and first[0].startswith("Client"):
        return path, "podman" if "Podman" in first[0] else "docker", "version"
    return path, None, None


def _runs_podman(script: str) -> bool:
    words = (line.strip().split() for line in split_lines(script) if not line.lstrip().startswith("#"))
    return any(os.path.basename(word.strip("\"'")) == "podman" for line in words for word in line)


def collect_peer(url: str | None) -> PeerFacts | None:
    """Return who created the socket at a URL, as the kernel tells every client; None if unknown."""
    peer = engine_peer(url or "")
    if peer is None:
        return None
    pid = peer.pid
    status = parse_status(read(Path(f"/proc/{pid}/status"))) if pid else {}
    levels = status.get("NSpid", "").split()
    own = parse_status(read(Path("/proc/self/status"))).get("NSpid", "").split()
    nested = len(levels) > len(own) if levels and own else None
    return PeerFacts(*peer, read(Path(f"/proc/{pid}/comm")) if pid else None, nested, _network(pid))


def _network(pid: int) -> str | None:
    """Return the network helper in the command line of a process around the engine (rootlesskit --net=…)."""
    for _ in range(4):
        arguments = (read(Path(f"/proc/{pid}/cmdline")) or "").split("\0") if pid > 1 else []
        for argument in arguments:
            if argument.startswith("--net=") and "rootlesskit" in arguments[0]:
                return argument.removeprefix("--net=")
        parent = parse_status(read(Path(f"/proc/{pid}/status"))).get("PPid", "0")
        pid = int(parent) if parent.isdecimal() else 0
    return None


def collect_socket(path: str | None, *, root: Path = Path("/")) -> SocketFacts | None:
    """Return who can write to the socket and pass the folders before it; None without a local socket."""
    if path is None:
        return None
    try:
        real = os.path.realpath(path)
        found = os.stat(real)
        folders = tuple(
            FolderFacts(str(folder), stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid)
            for folder in reversed(Path(real).parents)
            for seen in (folder.stat(),)
        )
    except OSError:
        return None
    accounts = Accounts(root)
    name, listed = accounts.group(found.st_gid)
    primary = accounts.with_primary_group(found.st_gid)
    return SocketFacts(
        path=path,
        real_path=real,
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        owner=accounts.user(found.st_uid),
        group=name,
        group_members=tuple(sorted({*listed, *primary})) if accounts.known else None,
        primary_members=primary,
        unlisted=accounts.unlisted,
        folders=folders,
        acl=_access_list(real, accounts),
    )


def _access_list(path: str, accounts: Accounts) -> tuple[str, ...]:
    """Return the named users and groups that an ACL lets write (posix_acl_xattr: a version, then tag, bits, id)."""
    try:
        data = os.getxattr(path, "system.posix_acl_access")
    except (OSError, AttributeError):
        return ()
    entries = list(struct.iter_unpack("<HHI", data[4 : 4 + (len(data) - 4) // 8 * 8]))
    mask = next((bits for tag, bits, _ in entries if tag == 0x10), 7)
    named = []
    for tag, bits, number in entries:
        if bits & mask & 2 and tag == 0x02:
            named.append(f"user {accounts.user(number) or number}")
        elif bits & mask & 2 and tag == 0x08:
            named.append(f"group {accounts.group(number)[0] or number}")
    return tuple(named)
