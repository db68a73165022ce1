"""An engine's store on disk, read-only: where each layer lies, what it takes there, and its tar-split record.

A store is found through the process behind the engine's socket (its root may be another than ours), and read only if
this user may. Nothing here writes, mounts or executes.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from .disk import disk_bytes
from .graph import RwDir, Store, StoreLayer, docker_store, podman_store

if TYPE_CHECKING:
    from ..backends.base import Backend, EngineInfo

__all__ = ["RwDir", "Store", "StoreLayer", "disk_bytes", "open_store"]


def open_store(backend: Backend, info: EngineInfo | None = None) -> tuple[Store | None, str]:
    """(the store of an engine on this machine, or None; and why not).

    The containerd image store is not read: it has no layer folders of the engine's own.
    """
    info = info or backend.info()
    if info.image_store != "graphdriver":
        return None, f"the {info.image_store} image store keeps no layer folders of the engine's own"
    root, why = _host_root(backend.url)
    if root is None:
        return None, why
    folder = root / info.root_dir.lstrip("/")
    try:
        if info.kind == "docker":
            return docker_store(folder, info.storage_driver), ""
        return podman_store(folder, info.storage_driver), ""
    except OSError as exc:
        return None, f"this user may not read the store: {exc.strerror or exc} ({info.root_dir})"
    except (ValueError, KeyError, TypeError) as exc:
        return None, f"the store at {info.root_dir} is laid out in a way not known here: {exc!r}"


def _host_root(url: str) -> tuple[Path | None, str]:
    """The root folder as the engine's process sees it, reached from here."""
    if not url.startswith("unix://"):
        return None, "the engine is not reached through a socket of this machine"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(5.0)
            peer.connect(url.removeprefix("unix://"))
            pid, _, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    except OSError as exc:
        return None, f"the engine's process is not known: {exc}"
    if pid <= 0:
        return None, "the engine's process is in a PID namespace that cannot be seen from here"
    root = Path(f"/proc/{pid}/root")
    try:
        os.stat(root / ".")
    except OSError:
        root = Path("/")  # another user's process may hide its root; a store of one's own is often at the same path
    return root, ""
