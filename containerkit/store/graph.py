"""Values for what a store holds, whoever keeps it: layers, containers' own layers, images, a build cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from .beneath import open_beneath
from .buildkit import BuildCache
from .disk import disk_bytes

__all__ = ["Listed", "RwDir", "Store", "StoreLayer"]


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
    """An image as the store lists it.

    Attributes:
        names: its full names.
        parent: ID of the image that it was built from; "" if there is none.
        intermediate: whether it has no name, and another image was built from it.
    """

    names: tuple[str, ...] = ()
    parent: str = ""
    intermediate: bool = False


def _unlisted() -> None:
    return None


@dataclass(frozen=True)
class Store:
    """A store that can be read.

    Attributes:
        shares_layers: True if a layer of several images is stored once (overlay), False if copied in full (vfs).
        images: image ID -> the engine's own records of it, and the full copies made of it for user namespaces.
        configs: image ID -> its config document, where the store has it as a file.
        chains: image ID -> chain IDs of the layers of all its platforms, where an image may have several.
        cache: what the cache of a builder keeps.
        lister: function that lists every image by its ID, where the engine would need long for that; else of None.
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
    lister: Callable[[], Mapping[str, Listed] | None] = _unlisted

    @cached_property
    def listed(self) -> Mapping[str, Listed] | None:
        """Image ID -> names and parent of every image; None where the engine is to be asked. Raises OSError."""
        return self.lister()

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
