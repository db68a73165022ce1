"""Measure what images cost with shared layers, and what they would cost as full copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..oci.layer import FileEntry
from ..values import Value
from .copies import Copies
from .index import Index, steady

if TYPE_CHECKING:
    from ..backends.base import Backend, ImageRecord
    from ..display import BarChart, Table

__all__ = ["ContainerCost", "ImageCost", "Savings", "image_savings", "savings_of"]


@dataclass(frozen=True, slots=True)
class ImageCost(Value):
    """Cost of one image, in bytes of file content. shared: in layers that another of the images has too.

    Attributes:
        visible_bytes: size of its merged tree, which a container sees.
        full_copy_bytes: blocks that a full copy of that tree would take.
    """

    ref: str
    image_id: str
    logical_bytes: int
    shared_bytes: int
    unique_bytes: int
    visible_bytes: int = 0
    full_copy_bytes: int = 0

    @property
    def squash_saves(self) -> int:
        """Bytes that flattening the image into one layer would save; negative if it would cost more."""
        return self.unique_bytes - self.visible_bytes

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON-ready types."""
        return {**Value.to_dict(self), "squash_saves": self.squash_saves}


@dataclass(frozen=True, slots=True)
class ContainerCost(Value):
    """Disk usage of one container beyond its image, in bytes of blocks; None if the store cannot be read.

    Attributes:
        disk_bytes: all of it.
        layer_bytes: its read-write layer.
        log_bytes: its logs, if the engine keeps them.
        overhead_bytes: the engine's records of it, and Docker's init layer.
        copied_bytes: a full copy of the image, made because its user namespace maps other ids (rootless keep-id). It
            belongs to the image, with which it is counted; not in disk_bytes.
    """

    name: str
    image_id: str
    disk_bytes: int | None
    layer_bytes: int | None = None
    log_bytes: int | None = None
    overhead_bytes: int | None = None
    copied_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Savings(Value):
    """Cost of a set of images.

    Attributes:
        logical_bytes: Σ file content of each image as if it were alone.
        unique_bytes: Σ file content of each distinct layer, once.
        disk_bytes: blocks of these layers, the engine's records of them, and the containers in its store; None if that
            cannot be read.
        full_copies_bytes: blocks that full copies would take, as with virtual machines: one of each image's merged
            tree, and one more for each container with its read-write layer.
        shares_layers: True if the storage driver stores a shared layer once; False for vfs, where each is a full copy.
        unknown: what is unknown, and why.
        build_cache_bytes: disk bytes of what only the build cache has; None if unknown or if `refs` were given.
        volume_bytes: disk bytes of the volumes in the engine's own folder; None if unknown or if `refs` were given.
    """

    images: tuple[ImageCost, ...]
    containers: tuple[ContainerCost, ...]
    logical_bytes: int
    unique_bytes: int
    disk_bytes: int | None
    full_copies_bytes: int
    shares_layers: bool | None = None
    unknown: tuple[str, ...] = ()
    build_cache_bytes: int | None = None
    volume_bytes: int | None = None

    @property
    def ratio(self) -> float:
        """Sharing ratio: logical / unique.

        N·(B+d) / (B+N·d) for N images that add d to a base of B; 1.0 without images.
        """
        return self.logical_bytes / self.unique_bytes if self.unique_bytes else 1.0

    @property
    def disk_ratio(self) -> float | None:
        """Disk ratio: full copies / disk; None if the disk usage is unknown."""
        return self.full_copies_bytes / self.disk_bytes if self.disk_bytes else None

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes and ratios as JSON-ready types."""
        return {**Value.to_dict(self), "ratio": self.ratio, "disk_ratio": self.disk_ratio}

    def table(self) -> Table:
        """Return one row per image, and the sums."""
        from ..display import Table, human_bytes

        rows = [
            (
                image.ref,
                human_bytes(image.logical_bytes),
                human_bytes(image.shared_bytes),
                human_bytes(image.unique_bytes),
            )
            for image in self.images
        ]
        disk = (
            "unknown"
            if self.disk_ratio is None
            else f"{human_bytes(self.disk_bytes)}, {self.disk_ratio:.2f} times less"
        )
        distinct = f"{human_bytes(self.unique_bytes)} ({self.ratio:.2f} times less)"
        notes = [
            f"sum of the images {human_bytes(self.logical_bytes)}; distinct layers {distinct}",
            f"full copies {human_bytes(self.full_copies_bytes)}; on disk {disk}",
        ]
        for what, size in (("build cache", self.build_cache_bytes), ("volumes", self.volume_bytes)):
            notes += [f"{what} on disk: {human_bytes(size)}"] if size else []
        worth = [image for image in self.images if image.squash_saves > 0.1 * image.logical_bytes]
        notes += [f"flattening {image.ref} would save {human_bytes(image.squash_saves)}" for image in worth]
        if self.shares_layers is False:
            notes.append("this storage driver shares nothing: on disk every layer is a full copy of all below it")
        return Table(
            "Savings by shared layers", ("image", "size", "shared", "unique"), rows, notes=(*notes, *self.unknown)
        )

    def __str__(self) -> str:
        return self.table().to_text()

    def picture(self) -> BarChart:
        """Return the four sums as bars on one scale."""
        from ..display import BarChart

        bars = [
            ("sum of the images", self.logical_bytes),
            ("distinct layers", self.unique_bytes),
            ("on disk", self.disk_bytes),
            ("full copies", self.full_copies_bytes),
        ]
        return BarChart("Savings by shared layers", bars)

    def _repr_html_(self) -> str:
        return self.picture().to_html() + self.table().to_html()


def image_savings(backend: Backend, refs: Any = None, *, containers: bool = True) -> Savings:
    """Measure savings. See Engine.savings."""
    return steady(backend, refs, lambda index: savings_of(index, refs, containers=containers))


def savings_of(index: Index, refs: Any = None, *, containers: bool = True) -> Savings:
    """Return the same from an index."""
    meant = index.records(refs)
    records = index.readable(meant, strict=refs is not None)
    content = index.content(records)
    disk = index.disk(meant)
    count: dict[str, int] = {}
    for record in records:
        for chain in index.chains(record):
            count[chain] = count.get(chain, 0) + 1
    merged = _merged(index, records)
    images = tuple(_cost(record, index, count, content, merged[record.id]) for record in records)
    copies = {cost.image_id: cost.full_copy_bytes for cost in images}
    records_disk = index.image_disk(meant)
    total = None if disk is None or records_disk is None else sum(disk.values()) + records_disk
    unknown = list(index.unknown)
    unknown += [] if total is not None else [f"bytes on disk: {index.reason}"]
    costs: tuple[ContainerCost, ...] = ()
    if containers:
        costs, reason = _containers(index, copies)
        parts = [cost.disk_bytes for cost in costs]
        if None in parts:
            unknown += [reason] if total is not None else []
            unknown.append("full copies are counted without what the containers wrote")
            total = None
        elif total is not None:
            total += sum(part for part in parts if part is not None)
    cache, volumes = (None, None) if refs is not None else _beside(index, unknown)
    return Savings(
        images=images,
        containers=costs,
        logical_bytes=sum(image.logical_bytes for image in images),
        unique_bytes=sum(content[chain] for chain in count),
        disk_bytes=total,
        full_copies_bytes=sum(copies.values()) + sum(copies[cost.image_id] + (cost.layer_bytes or 0) for cost in costs),
        shares_layers=index.store.shares_layers if index.store else None,
        unknown=tuple(unknown),
        build_cache_bytes=cache,
        volume_bytes=volumes,
    )


def _beside(index: Index, unknown: list[str]) -> tuple[int | None, int | None]:
    """Return the disk bytes of the build cache and of the volumes; None, with a note, if they cannot be read."""
    if index.store is None:
        return None, None
    cache = volumes = None
    try:
        cache = index.store.cache.disk
        volumes = index.store.volumes_disk
    except OSError as exc:
        unknown.append(f"bytes on disk of {'volumes' if cache is not None else 'the build cache'}: {exc}")
    return cache, volumes


def _merged(index: Index, records: Sequence[ImageRecord]) -> Mapping[str, tuple[int, int]]:
    """Return image ID -> (visible bytes, bytes of a full copy)."""
    trees = Copies()
    found = {}
    for record in sorted(records, key=index.chains):  # so that images with common layers follow one another
        found[record.id] = trees.measure(index.chains(record), partial(_entries, index, record))
    return found


def _entries(index: Index, record: ImageRecord, number: int) -> Sequence[FileEntry]:
    return index.layer(record, number).entries


def _cost(
    record: ImageRecord,
    index: Index,
    count: Mapping[str, int],
    content: Mapping[str, int],
    merged: tuple[int, int],
) -> ImageCost:
    chains = index.chains(record)
    logical = sum(content[chain] for chain in chains)
    shared = sum(content[chain] for chain in chains if count[chain] > 1)
    return ImageCost(index.name(record), record.id, logical, shared, logical - shared, *merged)


def _containers(index: Index, images: Mapping[str, int]) -> tuple[tuple[ContainerCost, ...], str]:
    """Return the containers of these images, and the reason if the size of one is unknown."""
    costs, reason = [], ""
    for record in index.backend.list_containers(all=True, filters={}):
        if record.image_id not in images:
            continue
        own = index.store.containers.get(record.id) if index.store else None
        try:
            if own is None:
                raise FileNotFoundError("its read-write layer is not in the store that can be read")
            parts = (own.disk, own.log_bytes, own.overhead)
            costs.append(ContainerCost(record.name, record.image_id, sum(parts), *parts, own.copied))
        except OSError as exc:
            reason = f"bytes on disk of container {record.name}: {exc.strerror or exc}"
            costs.append(ContainerCost(record.name, record.image_id, None))
    return tuple(costs), reason
