"""Disk usage as the engine reports it beside the measured one, and the disk usage of one container."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..backends.base import EngineDiskUsage
from ..values import Value
from .index import Index, steady
from .savings import savings_of
from .sharing import reclaim_of

if TYPE_CHECKING:
    from ..backends.base import Backend
    from ..display import Table

__all__ = ["DiskClaim", "DiskUsage", "RwLayer", "container_usage", "engine_usage"]

_BLOCKS = "the engine counts what is on disk: blocks, folders, and blobs beside what is unpacked"
_NEAR = 0.1  # smaller differences are not explained: units (file or tar bytes) differ by about as much


@dataclass(frozen=True, slots=True)
class DiskClaim(Value):
    """Disk usage of one kind of resource, as reported and as measured; in bytes, None if unknown.

    Attributes:
        what: "images", "containers", "reclaimable images", "build cache" or "volumes".
        engine_bytes: the engine's report.
        content_bytes: file content, each distinct layer once.
        disk_bytes: blocks in the store.
        explanation: why the figures differ; "" if they do not.
    """

    what: str
    engine_bytes: int | None
    content_bytes: int | None
    disk_bytes: int | None
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class DiskUsage(Value):
    """The engine's disk usage beside the measured one.

    Attributes:
        claims: one each for images, containers, what removing unused images would free, build cache and volumes.
        unknown: what is unknown, and why.
    """

    claims: tuple[DiskClaim, ...]
    unknown: tuple[str, ...] = ()

    def get(self, what: str) -> DiskClaim:
        """Return one claim by its name. Raises KeyError."""
        for claim in self.claims:
            if claim.what == what:
                return claim
        raise KeyError(f"no claim about {what!r}; there are: {', '.join(claim.what for claim in self.claims)}")

    def table(self) -> Table:
        """Return one row per claim."""
        from ..display import Table, bytes_cell

        rows = [
            (c.what, bytes_cell(c.engine_bytes), bytes_cell(c.content_bytes), bytes_cell(c.disk_bytes), c.explanation)
            for c in self.claims
        ]
        columns = ("", "the engine says", "file content", "on disk", "why they differ")
        return Table("Disk usage", columns, rows, notes=self.unknown)

    def __str__(self) -> str:
        return self.table().to_text()

    def _repr_html_(self) -> str:
        return self.table().to_html()


@dataclass(frozen=True, slots=True)
class RwLayer(Value):
    """Disk usage of one container beyond its image, in bytes; None if unknown.

    Attributes:
        content_bytes: Σ size of the regular files in its read-write layer, including holes.
        disk_bytes: blocks of that layer.
        engine_reported: the engine's SizeRw.
        log_bytes: blocks of its logs, if the engine keeps them.
        overhead_bytes: blocks of the engine's records of it, and of Docker's init layer.
        copied_bytes: blocks of a full copy of its image, made for its user namespace (rootless keep-id).
        files: number of regular files in the layer.
        reason: why a figure is unknown.
    """

    content_bytes: int | None
    disk_bytes: int | None
    engine_reported: int | None
    log_bytes: int | None
    overhead_bytes: int | None
    copied_bytes: int | None = None
    files: int | None = None
    reason: str = ""

    def table(self) -> Table:
        """Return one row per figure."""
        from ..display import Table, bytes_cell

        rows = [
            ("file content", bytes_cell(self.content_bytes)),
            ("on disk", bytes_cell(self.disk_bytes)),
            ("the engine says", bytes_cell(self.engine_reported)),
            ("logs", bytes_cell(self.log_bytes)),
            ("the engine's records", bytes_cell(self.overhead_bytes)),
            ("copies for its user namespace", bytes_cell(self.copied_bytes)),
        ]
        return Table("Read-write layer", ("what", "bytes"), rows, notes=[self.reason] if self.reason else [])

    def _repr_html_(self) -> str:
        return self.table().to_html()


def container_usage(backend: Backend, container_id: str) -> RwLayer:
    """Measure one container. See Container.layer_usage."""
    reported = backend.inspect_container(container_id, size=True).size_rw
    index = Index(backend)
    own = index.store.containers.get(container_id) if index.store else None
    if own is None:
        reason = index.reason or "its read-write layer is not in the store that can be read"
        return RwLayer(None, None, reported, None, None, reason=reason)
    try:
        content, files = _content(own.files)
        return RwLayer(content, own.disk, reported, own.log_bytes, own.overhead, own.copied, files)
    except OSError as exc:
        reason = f"this user may not read the layer: {exc.strerror or exc}"
        return RwLayer(None, None, reported, None, None, reason=reason)


def _content(folder: Path) -> tuple[int, int]:
    """Return (Σ size, number) of the regular files below a folder, hard links once. Raises OSError."""
    seen: dict[int, int] = {}
    todo = [os.fspath(folder)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    seen[found.st_ino] = found.st_size
                elif stat.S_ISDIR(found.st_mode):
                    todo.append(entry.path)
    return sum(seen.values()), len(seen)


def engine_usage(backend: Backend, *, reported: bool = True) -> DiskUsage:
    """Compare reported and measured disk usage. See Engine.disk_usage."""
    said = EngineDiskUsage(None, None, None)
    with ThreadPoolExecutor(1) as other:  # the engine measures for itself, which takes it seconds
        asked = other.submit(backend.engine_disk_usage) if reported else None
        saved, free = steady(backend, None, lambda index: (savings_of(index), reclaim_of(index)))
        if asked is not None:
            said = asked.result()
    sizes = [cost.disk_bytes for cost in saved.containers]
    in_containers = None if None in sizes else sum(size for size in sizes if size is not None)
    on_disk = None if saved.disk_bytes is None or in_containers is None else saved.disk_bytes - in_containers
    cache, volumes = saved.build_cache_bytes, saved.volume_bytes
    claimed, written, reclaimable = said.images, said.containers, said.reclaimable
    reason = _images_differ(claimed, saved.unique_bytes, saved.logical_bytes, on_disk)
    why_free = _free(reclaimable, free.bytes, free.disk_bytes, used=bool(saved.containers))
    return DiskUsage(
        (
            DiskClaim("images", claimed, saved.unique_bytes, on_disk, reason),
            DiskClaim("containers", written, None, in_containers, _containers_differ(written, in_containers)),
            DiskClaim("reclaimable images", reclaimable, free.bytes, free.disk_bytes, why_free),
            DiskClaim("build cache", said.build_cache, None, cache, _cache_differs(said.build_cache, cache)),
            DiskClaim("volumes", said.volumes, None, volumes, _volumes_differ(said.volumes, volumes)),
        ),
        tuple(dict.fromkeys((*saved.unknown, *free.unknown))),
    )


def _near(one: int, other: int) -> bool:
    return abs(one - other) <= _NEAR * max(one, other)


def _images_differ(claimed: int | None, unique: int, each: int, disk: int | None) -> str:
    if claimed is None:
        return ""
    if not _near(claimed, unique) and disk is not None and _near(claimed, disk):
        return _BLOCKS
    if _near(claimed, unique):
        return "" if claimed == unique else "the engine counts in another unit: tar bytes, or links and folders too"
    if not _near(each, unique) and 0.9 * each < claimed < 1.3 * each:
        return "the engine adds up whole images, and counts a shared layer once for each of them"
    if claimed > unique:
        return "the engine also counts what only a build left, or content beside what is unpacked"
    return "the engine does not count layers that it has"


def _containers_differ(claimed: int | None, disk: int | None) -> str:
    if claimed is None or disk is None or _near(claimed, disk):
        return ""
    if claimed > disk:
        return "the engine counts the length of sparse files, the disk only what is written"
    return "the engine leaves out logs, its own records, init layers and copies for user namespaces"


def _cache_differs(claimed: int | None, disk: int | None) -> str:
    if claimed is None or disk is None or _near(claimed, disk):
        return ""
    return "the engine counts file content, the disk also blocks, folders and the records of the cache"


def _volumes_differ(claimed: int | None, disk: int | None) -> str:
    if claimed is None or disk is None or _near(claimed, disk):
        return ""
    if claimed > disk:
        return "the engine counts the length of sparse files, or volumes outside of its own folder"
    return "the engine counts file content, the disk also blocks, folders and records"


def _free(claimed: int | None, free: int, disk: int | None, *, used: bool) -> str:
    if claimed is None or _near(claimed, free):
        return ""
    if disk is not None and _near(claimed, disk):
        return _BLOCKS
    if claimed > free and not used:
        return "the engine also counts blocks, folders and records, or a shared layer once for each image"
    if claimed > free:
        return "the engine subtracts only what images in use have for themselves: layers they share stay all the same"
    return "the engine takes layers for used that no container needs"
