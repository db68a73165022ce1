"""An engine's store on disk, read-only: the location of each layer, its size on disk, and its tar-split record.

The store is found through the process behind the engine's socket, since its root folder may differ from ours. It is
read only if this user may read it. Nothing here writes, mounts or executes. Imports backends, errors and oci.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import loading
from ..backends._peer import engine_root

if TYPE_CHECKING:
    from ..backends.base import Backend, EngineInfo
    from .disk import disk_bytes
    from .graph import RwDir, Store, StoreLayer

__all__ = ["RwDir", "Store", "StoreLayer", "disk_bytes", "open_store"]

__getattr__, __dir__ = loading(__name__, {"disk": ("disk_bytes",), "graph": ("RwDir", "Store", "StoreLayer")})


def open_store(backend: Backend) -> tuple[Store | None, str]:
    """Return the store of an engine on this machine, or None, and the reason why it cannot be read."""
    info = backend.first_info()
    root, reason = engine_root(backend.url)
    if root is None:
        return None, reason
    folder = root / info.root_dir.lstrip("/")
    try:
        if info.image_store == "containerd":
            from .containerd import containerd_store

            return containerd_store(root, folder, info.storage_driver), ""
        if info.kind == "docker":
            from .docker import docker_store

            return docker_store(folder, info.storage_driver), ""
        from .podman import podman_store

        return podman_store(folder, info.storage_driver, lists=not _other_image_stores(info)), ""
    except OSError as exc:
        return None, f"this user may not read the store: {exc.strerror or exc} ({info.root_dir})"
    except (ValueError, KeyError, TypeError) as exc:
        return None, f"the store at {info.root_dir} is laid out in a way not known here: {exc!r}"


def _other_image_stores(info: EngineInfo) -> bool:
    """Return whether Podman also shows images of other folders: those of `additionalimagestores` or `imagestore`."""
    told: object = info.raw.get("libpod_info")
    for key in ("store", "graphOptions"):
        told = told.get(key) if isinstance(told, dict) else None
    return not isinstance(told, dict) or any("imagestore" in str(name).lower() for name in told)
