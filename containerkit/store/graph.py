"""The layers of a storage driver's store: Docker's layerdb, and the containers-storage of Podman."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..oci.digest import sha256
from .beneath import open_beneath
from .disk import disk_bytes

__all__ = ["RwDir", "Store", "StoreLayer", "docker_store", "podman_store"]


def _disk(paths: Iterable[Path]) -> int:
    return sum(disk_bytes(path) for path in paths if path.exists())


@dataclass(frozen=True)
class StoreLayer:
    """One image layer in a store.

    Attributes:
        chain_id: digest of it and all below; the name under which layers are shared.
        folder: what the driver keeps of it.
        files: where its files lie in that.
        tar_split: its record of headers, or None.
        beside: the engine's own records of it.
        blob: the content that it was unpacked from, where the store keeps that.
        tar_bytes: of its uncompressed tar, where the store says.
        parent: chain ID of the layer below; "" for a base.
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

    @cached_property
    def disk(self) -> int:
        """Bytes on disk: its folder, and the records beside it."""
        return disk_bytes(self.folder) + _disk(self.beside)

    def rebuilt(self) -> str:
        """The diff_id of the tar that its record and its files make. Raises OSError, ValueError."""
        from ..oci.tarsplit import rebuilt_digest

        return rebuilt_digest(self.record(), self.read)

    def read(self, name: str, size: int) -> Iterator[bytes]:
        """The bytes of one of its files, and no more of them than ``size``. Raises OSError.

        Names come from strangers: no link is followed, in the name or on the way to it, and only a regular file read.
        """
        with open_beneath(self.files, name) as file:
            left = size
            while left and (data := file.read(min(left, 1 << 20))):
                left -= len(data)
                yield data

    def record(self) -> Iterator[bytes]:
        """The bytes of its tar-split record."""
        assert self.tar_split is not None
        with self.tar_split.open("rb") as file:
            yield from iter(lambda: file.read(1 << 18), b"")


@dataclass(frozen=True)
class RwDir:
    """The read-write layer of one container in a store, and what only it has beside it.

    Attributes:
        folder: what the driver keeps of it.  files: where its files lie in that.
        logs: files of what it wrote to its standard streams.
        beside: the engine's own records, and Docker's init layer.
        copies: full copies of the image that were made for its user namespace.
        parent: chain ID of the layer that it stands on, which the store keeps as long as the container is there.
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
        """Bytes on disk of what lies beside it, without the logs."""
        return _disk(self.beside) - self.log_bytes

    @cached_property
    def copied(self) -> int:
        """Bytes on disk of the full copies made for it. They are the image's, and stay when the container goes."""
        return _disk(self.copies)


@dataclass(frozen=True)
class Store:
    """A store that can be read.

    Attributes:
        shares_layers: whether a layer that several images have lies there once (overlay), or is a full copy (vfs).
        images: image ID -> the engine's own records of it, and the full copies made of it for user namespaces.
        configs: image ID -> its config document, where the store has it as a file.
    """

    root: Path
    driver: str
    shares_layers: bool
    layers: Mapping[str, StoreLayer]
    containers: Mapping[str, RwDir]
    images: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    configs: Mapping[str, Path] = field(default_factory=dict)

    def under(self, container: str) -> Iterator[str]:
        """The chain IDs of the layers that a container stands on, the top one first."""
        at = self.containers[container].parent if container in self.containers else ""
        while at:
            yield at
            at = self.layers[at].parent if at in self.layers else ""

    def image_disk(self, image_id: str) -> int:
        """Bytes on disk of an image's own records and mapped copies, without its layers."""
        return _disk(self.images.get(image_id, ()))


def docker_store(root: Path, driver: str) -> Store:
    """image/DRIVER/layerdb: a folder a chain ID, with the name (cache-id) of the layer's own folder. Raises OSError."""
    database = root / "image" / driver / "layerdb"
    vfs = driver == "vfs"
    data = root / "vfs" / "dir" if vfs else root / driver
    layers = {}
    database.lstat()  # raises where this is no such store; one that never held a layer has no folder in it
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
    return Store(root, driver, not vfs, layers, containers, images, configs)


def _word(path: Path) -> str:
    return path.read_text().strip() if path.is_file() else ""


def _rows(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_bytes()) if path.is_file() else []


def podman_store(root: Path, driver: str) -> Store:
    """DRIVER-layers/layers.json: layers by an ID that is not the chain ID, with their parents. Raises OSError."""
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
    """How containers-storage calls the file of an item whose key has more than letters, digits, "." and "-"."""
    return "=" + base64.standard_b64encode(key.encode()).decode()


def _chains(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Layer ID -> chain ID; without recursion: an image may have more layers than the interpreter frames."""
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
