"""Docker's store with a storage driver: image/DRIVER/layerdb and imagedb."""

from __future__ import annotations

from pathlib import Path

from .buildkit import docker_cache
from .graph import RwDir, Store, StoreLayer

__all__ = ["docker_store"]


def docker_store(root: Path, driver: str) -> Store:
    """Read image/DRIVER/layerdb: a folder per chain ID, with the name (cache-id) of the layer's folder.

    Raises OSError.
    """
    database = root / "image" / driver / "layerdb"
    vfs = driver == "vfs"
    data = root / "vfs" / "dir" if vfs else root / driver
    layers = {}
    database.lstat()  # raises if this is no such store; a store that never held a layer lacks the inner folder
    found = database / "sha256"
    for folder in found.iterdir() if found.is_dir() else ():
        chain = f"sha256:{folder.name}"
        cache, diff = _word(folder / "cache-id"), _word(folder / "diff")
        if not cache or not diff:  # it is being made or removed
            continue
        place, split = data / cache, folder / "tar-split.json.gz"
        layers[chain] = StoreLayer(
            chain,
            diff,
            place,
            place if vfs else place / "diff",
            split if split.is_file() else None,
            beside=(folder,),
            parent=_word(folder / "parent"),
        )
    containers = {}
    mounts = database / "mounts"
    for folder in mounts.iterdir() if mounts.is_dir() else ():
        mounted = _word(folder / "mount-id")
        if not mounted:
            continue
        place, own = data / mounted, root / "containers" / folder.name
        logs = tuple(own.glob(f"{folder.name}-json.log*")) if own.is_dir() else ()
        beside = (data / f"{place.name}-init", own, folder)
        containers[folder.name] = RwDir(
            folder.name, place, place if vfs else place / "diff", logs, beside, parent=_word(folder / "parent")
        )
    images, configs = {}, {}
    content = root / "image" / driver / "imagedb" / "content" / "sha256"
    for file in content.iterdir() if content.is_dir() else ():
        configs[f"sha256:{file.name}"] = file
        images[f"sha256:{file.name}"] = (file, content.parents[1] / "metadata" / "sha256" / file.name)
    kept = docker_cache(root, data, [layer.folder for layer in layers.values()])
    return Store(root, driver, not vfs, layers, containers, images, configs, cache=kept)


def _word(path: Path) -> str:
    """Return the content of a small file; "" if it does not exist."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
