"""The layers of a storage driver's store: Docker's layerdb, and Podman's containers-storage."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ..oci.digest import sha256
from .beneath import open_beneath
from .buildkit import BuildCache, docker_cache
from .disk import disk_bytes

__all__ = ["Listed", "RwDir", "Store", "StoreLayer", "docker_store", "podman_store"]


def _disk(paths: Iterable[Path]) -> int:
    return sum(disk_bytes(path) for path in paths if path.exists())


@dataclass(frozen=True)
class StoreLayer:
    """One image layer in a store.

    Attributes:
        chain_id: digest of the layer with everything below it; layers are shared by it.
        folder: the driver's folder of the layer.
        files: the folder of its files inside that.
        tar_split: its tar-split record, or None.
        beside: the engine's own records of it.
        blob: the blob that it was unpacked from, if the store keeps it.
        tar_bytes: length of its uncompressed tar, if the store states it.
        parent: chain ID of the layer below; "" for a base.
        compressed_bytes: length of the blob that it was pulled as, where the store records it.
    """

    chain_id: str
    diff_id: str
    folder: Path
    files: Path
    tar_split: Path | None
    beside: tuple[Path, ...] = ()
    tar_bytes: int | None = None
    blob: Path | None = None
    parent: str = ""
    compressed_bytes: int | None = None

    @cached_property
    def disk(self) -> int:
        """Bytes on disk of its folder and the records beside it."""
        return disk_bytes(self.folder) + _disk(self.beside)

    def rebuilt(self) -> str:
        """Rebuild the tar from the record and the files, and return its diff_id. Raises OSError, ValueError."""
        from ..oci.tarsplit import rebuilt_digest

        return rebuilt_digest(self.record(), self.read)

    def read(self, name: str, size: int) -> Iterator[bytes]:
        """Return at most ``size`` bytes of one of its files. Raises OSError.

        Names are untrusted: no link is followed, in the name or on the way to it, and only a regular file is read.
        """
        with open_beneath(self.files, name) as file:
            left = size
            while left and (data := file.read(min(left, 1 << 20))):
                left -= len(data)
                yield data

    def record(self) -> Iterator[bytes]:
        """Yield the bytes of its tar-split record."""
        assert self.tar_split is not None
        with self.tar_split.open("rb") as file:
            yield from iter(lambda: file.read(1 << 18), b"")


@dataclass(frozen=True)
class RwDir:
    """The read-write layer of one container in a store, with the files that belong to that container alone.

    Attributes:
        folder: the driver's folder of the layer.
        files: the folder of its files inside that.
        logs: log files of the container.
        beside: the engine's own records, and Docker's init layer.
        copies: full copies of the image that were made for the container's user namespace.
        parent: chain ID of the layer below, which the store keeps as long as the container exists.
    """

    container: str
    folder: Path
    files: Path
    logs: tuple[Path, ...] = ()
    beside: tuple[Path, ...] = ()
    copies: tuple[Path, ...] = ()
    parent: str = ""

    @cached_property
    def disk(self) -> int:
        """Bytes on disk of the layer itself."""
        return disk_bytes(self.folder)

    @cached_property
    def log_bytes(self) -> int:
        """Bytes on disk of its logs."""
        return _disk(self.logs)

    @cached_property
    def overhead(self) -> int:
        """Bytes on disk of the records beside it, without the logs."""
        return _disk(self.beside) - self.log_bytes

    @cached_property
    def copied(self) -> int:
        """Bytes on disk of the full copies made for it.

        They belong to the image and stay when the container is removed.
        """
        return _disk(self.copies)


class Listed(NamedTuple):
    """An image as the store lists it: its full names, and the ID of the image that it was built from."""

    names: tuple[str, ...] = ()
    parent: str = ""


@dataclass(frozen=True)
class Store:
    """A store that can be read.

    Attributes:
        shares_layers: True if a layer of several images is stored once (overlay), False if copied in full (vfs).
        images: image ID -> the engine's own records of it, and the full copies made of it for user namespaces.
        configs: image ID -> its config document, where the store has it as a file.
        chains: image ID -> chain IDs of the layers of all its platforms, where an image may have several.
        cache: what the cache of a builder keeps.
        listed: image ID -> names and parent of every image, where the engine would need long to list them; else None.
    """

    root: Path
    driver: str
    shares_layers: bool
    layers: Mapping[str, StoreLayer]
    containers: Mapping[str, RwDir]
    images: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    configs: Mapping[str, Path] = field(default_factory=dict)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cache: BuildCache = field(default_factory=BuildCache)
    listed: Mapping[str, Listed] | None = None

    def under(self, container: str) -> Iterator[str]:
        """Return the chain IDs of the layers below a container, the top one first."""
        at = self.containers[container].parent if container in self.containers else ""
        while at:
            yield at
            at = self.layers[at].parent if at in self.layers else ""

    @cached_property
    def cached(self) -> frozenset[str]:
        """Return the chain IDs of the layers that the build cache keeps, with the layers below them."""
        found: set[str] = set()
        for chain in self.cache.chains:
            while chain and chain not in found:
                found.add(chain)
                chain = self.layers[chain].parent if chain in self.layers else ""
        return frozenset(found)

    def removable_disk(self, chain: str) -> int:
        """Return bytes on disk of a layer without the blob, if the build cache keeps the blob. Raises OSError."""
        layer = self.layers[chain]
        blob = layer.blob
        kept = blob is not None and f"sha256:{blob.name}" in self.cache.blobs and blob.exists()
        return layer.disk - (disk_bytes(blob) if kept and blob is not None else 0)

    @cached_property
    def volumes_disk(self) -> int:
        """Return bytes on disk of the volumes that the engine keeps in its own folder. Raises OSError."""
        return _disk((self.root / "volumes",))

    def image_disk(self, image_id: str) -> int:
        """Return bytes on disk of an image's own records and mapped copies, without its layers."""
        return _disk(self.images.get(image_id, ()))


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
        place, split = data / (folder / "cache-id").read_text().strip(), folder / "tar-split.json.gz"
        layers[chain] = StoreLayer(
            chain,
            (folder / "diff").read_text().strip(),
            place,
            place if vfs else place / "diff",
            split if split.is_file() else None,
            beside=(folder,),
            parent=_word(folder / "parent"),
        )
    containers = {}
    mounts = database / "mounts"
    for folder in mounts.iterdir() if mounts.is_dir() else ():
        place = data / (folder / "mount-id").read_text().strip()
        own = root / "containers" / folder.name
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
    cache = docker_cache(root, data, [layer.folder for layer in layers.values()])
    return Store(root, driver, not vfs, layers, containers, images, configs, cache=cache)


def _word(path: Path) -> str:
    return path.read_text().strip() if path.is_file() else ""


def _rows(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_bytes()) if path.is_file() else []


def podman_store(root: Path, driver: str) -> Store:
    """Read DRIVER-layers/layers.json: layers by an ID other than the chain ID, with their parents. Raises OSError."""
    records = root / f"{driver}-layers"
    records.lstat()  # as above
    rows = {row["id"]: row for row in _rows(records / "layers.json")}
    vfs = driver == "vfs"
    data = root / "vfs" / "dir" if vfs else root / driver
    mapped = {
        top: image["id"] for image in _rows(root / f"{driver}-images" / "images.json")
        for top in image.get("mapped-layers") or ()
    }  # fmt: skip
    chains = _chains(rows)
    layers: dict[str, StoreLayer] = {}
    for identity, row in rows.items():
        chain = chains[identity]
        if identity in mapped or not chain or not row.get("diff-digest"):
            continue
        place, split = data / identity, records / f"{identity}.tar-split.gz"
        found = StoreLayer(
            chain,
            row["diff-digest"],
            place,
            place if vfs else place / "diff",
            split if split.is_file() else None,
            beside=(split,),
            tar_bytes=row.get("diff-size"),
            compressed_bytes=row.get("compressed-size") or None,
            parent=chains.get(row.get("parent", ""), ""),
        )
        layers.setdefault(chain, found)
    containers = {}
    for row in _rows(root / f"{driver}-containers" / "containers.json"):
        place, own = data / row["layer"], root / f"{driver}-containers" / row["id"]
        parent = rows.get(row["layer"], {}).get("parent", "")
        copies = (data / parent,) if parent in mapped else ()
        logs = tuple((own / "userdata").glob("ctr.log*")) if (own / "userdata").is_dir() else ()
        containers[row["id"]] = RwDir(
            row["id"], place, place if vfs else place / "diff", logs, (own,), copies, chains.get(parent, "")
        )
    folder = root / f"{driver}-images"
    images = {
        f"sha256:{row['id']}": (folder / row["id"], *(data / top for top in row.get("mapped-layers") or ()))
        for row in _rows(folder / "images.json")
    }
    configs = {image: folder / image.removeprefix("sha256:") / _data_name(image) for image in images}
    return Store(root, driver, not vfs, layers, containers, images, configs)


def _data_name(key: str) -> str:
    """Return the file name that containers-storage uses for a key with more than letters, digits, "." and "-"."""
    return "=" + base64.standard_b64encode(key.encode()).decode()


def _chains(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return layer ID -> chain ID; iterative, since an image may have more layers than Python's recursion limit."""
    chains: dict[str, str] = {}
    for start in rows:
        path = []
        identity = start
        while identity and identity not in chains:
            path.append(identity)
            identity = rows.get(identity, {}).get("parent", "")
        for found in reversed(path):
            row = rows.get(found, {})
            below, diff = chains.get(row.get("parent", ""), ""), row.get("diff-digest", "")
            chains[found] = (sha256(f"{below} {diff}".encode()) if below else diff) if diff else ""
    return chains
