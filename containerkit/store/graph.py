"""The layers of a storage driver's store: Docker's layerdb, and the containers-storage of Podman."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..oci.digest import sha256
from .disk import disk_bytes

__all__ = ["RwDir", "Store", "StoreLayer", "docker_store", "podman_store"]


@dataclass(frozen=True)
class StoreLayer:
    """One image layer in a store.

    Attributes:
        chain_id: digest of it and all below; the name under which layers are shared.
        folder: where its files lie.
        tar_split: its record of headers, or None.
        tar_bytes: of its uncompressed tar, where the store says.
    """

    chain_id: str
    diff_id: str
    folder: Path
    tar_split: Path | None
    tar_bytes: int | None = None

    @cached_property
    def disk(self) -> int:
        """Bytes on disk: its folder, and the records beside it."""
        return disk_bytes(self.folder) + (self.tar_split.lstat().st_blocks * 512 if self.tar_split else 0)

    def record(self) -> Iterator[bytes]:
        """The bytes of its tar-split record."""
        assert self.tar_split is not None
        with self.tar_split.open("rb") as file:
            yield from iter(lambda: file.read(1 << 18), b"")


@dataclass(frozen=True)
class RwDir:
    """The read-write layer of one container in a store, and the folders that only it has."""

    container: str
    folder: Path
    beside: tuple[Path, ...] = ()

    @cached_property
    def disk(self) -> int:
        """Bytes on disk, with what lies beside it for this container only."""
        return disk_bytes(self.folder) + sum(disk_bytes(path) for path in self.beside if path.exists())


@dataclass(frozen=True)
class Store:
    """A store that can be read.

    Attributes:
        shares_layers: whether a layer that several images have lies there once (overlay), or is a full copy (vfs).
    """

    root: Path
    driver: str
    shares_layers: bool
    layers: Mapping[str, StoreLayer]
    containers: Mapping[str, RwDir]


def docker_store(root: Path, driver: str) -> Store:
    """image/DRIVER/layerdb: a folder a chain ID, with the name (cache-id) of the layer's own folder. Raises OSError."""
    database = root / "image" / driver / "layerdb"
    data = root / "vfs" / "dir" if driver == "vfs" else root / driver
    layers = {}
    for folder in (database / "sha256").iterdir():
        chain = f"sha256:{folder.name}"
        cache, split = (folder / "cache-id").read_text().strip(), folder / "tar-split.json.gz"
        layers[chain] = StoreLayer(
            chain, (folder / "diff").read_text().strip(), data / cache, split if split.is_file() else None
        )
    containers = {}
    mounts = database / "mounts"
    for folder in mounts.iterdir() if mounts.is_dir() else ():
        name = (folder / "mount-id").read_text().strip()
        beside = (data / f"{name}-init", root / "containers" / folder.name, folder)
        containers[folder.name] = RwDir(folder.name, data / name / ("diff" if driver != "vfs" else ""), beside)
    return Store(root, driver, driver != "vfs", layers, containers)


def podman_store(root: Path, driver: str) -> Store:
    """DRIVER-layers/layers.json: layers by an ID that is not the chain ID, with their parents. Raises OSError."""
    records = root / f"{driver}-layers"
    rows = {row["id"]: row for row in json.loads((records / "layers.json").read_bytes())}
    data = root / "vfs" / "dir" if driver == "vfs" else root / driver
    chains: dict[str, str] = {}

    def chain_of(identity: str) -> str:
        """Walks down to the base without recursion: an image may have more layers than the interpreter frames."""
        path = []
        while identity and identity not in chains:
            path.append(identity)
            identity = rows[identity].get("parent", "")
        for found in reversed(path):
            below, diff = chains.get(rows[found].get("parent", ""), ""), rows[found].get("diff-digest", "")
            chains[found] = (sha256(f"{below} {diff}".encode()) if below else diff) if diff else ""
        return chains[path[0]] if path else chains.get(identity, "")

    layers: dict[str, StoreLayer] = {}
    for identity, row in rows.items():
        chain = chain_of(identity)
        split = records / f"{identity}.tar-split.gz"
        if chain and row.get("diff-digest"):
            size = row.get("diff-size")
            layers.setdefault(
                chain,
                StoreLayer(chain, row["diff-digest"], data / identity, split if split.is_file() else None, size),
            )
    containers = {}
    listed = root / f"{driver}-containers" / "containers.json"
    for row in json.loads(listed.read_bytes()) if listed.is_file() else ():
        beside = (root / f"{driver}-containers" / row["id"],)
        containers[row["id"]] = RwDir(row["id"], data / row["layer"], beside)
    return Store(root, driver, driver != "vfs", layers, containers)
