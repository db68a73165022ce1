"""Parse the JSON of images, of their builders and of registries into records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._json import Raw, integer, labels, mapping, number, objects, present, required, sequence, text, texts
from ._parse import image_id, timestamp
from .base import EngineDiskUsage, FoundImage, HistoryEntry, ImageRecord, Progress


def image(raw: Raw, refs: Iterable[str]) -> ImageRecord:
    """Parse the inspect of an image.

    Args:
        refs: its names, in familiar form.
    """
    config = mapping(raw.get("Config"))
    return ImageRecord(
        id=image_id(required(raw, "Id", str)),
        refs=tuple(refs),
        digests=texts(raw.get("RepoDigests")),
        size=number(raw.get("Size")),
        created=timestamp(raw.get("Created")),
        labels=labels(config.get("Labels")),
        parent=image_id(raw.get("Parent")),
        os=text(raw.get("Os")),
        arch=text(raw.get("Architecture")),
        author=text(raw.get("Author")),
        diff_ids=texts(mapping(raw.get("RootFS")).get("Layers")),
        config=config,
        raw=raw,
    )


def image_summary(raw: Raw, refs: Iterable[str]) -> ImageRecord:
    """Parse a row of the list of images."""
    return ImageRecord(
        id=image_id(required(raw, "Id", str)),
        refs=tuple(refs),
        digests=tuple(d for d in map(text, sequence(raw.get("RepoDigests"))) if not d.startswith("<none>")),
        size=number(raw.get("Size")),
        created=timestamp(raw.get("Created")),
        labels=labels(raw.get("Labels")),
        parent=image_id(raw.get("ParentId")),
        containers=_size(raw.get("Containers")),
        shared_size=_size(raw.get("SharedSize")),
        complete=False,
        raw=raw,
    )


def history(rows: Any) -> tuple[HistoryEntry, ...]:
    """Parse an image's history, newest first, into entries, oldest first."""
    return tuple(
        HistoryEntry(
            created_by=present(row, "CreatedBy", str),
            created=timestamp(present(row, "Created", int)) or None,
            size=present(row, "Size", int),
            comment=present(row, "Comment", str),
            image_id="" if required(row, "Id", str) == "<missing>" else image_id(row["Id"]),
        )
        for row in reversed(objects(rows))
    )


def found_image(row: Raw) -> FoundImage:
    """Parse a result of a search."""
    name = text(row.get("name") or row.get("Name"))
    return FoundImage(name, text(row.get("description")), number(row.get("star_count")), bool(row.get("is_official")))


def progress(row: Raw) -> Progress:
    """Parse a line of a pull, push, load or build."""
    detail = mapping(row.get("progressDetail"))
    aux = mapping(row.get("aux"))
    current, total = detail.get("current"), detail.get("total")
    return Progress(
        status=text(row.get("status")),
        id=text(row.get("id")),
        current=integer(current),
        total=integer(total) or None,
        stream=text(row.get("stream")),
        image_id=image_id(aux.get("ID")),
    )


def disk_usage(raw: Raw) -> EngineDiskUsage:
    """Parse the engine's figures of disk usage."""
    images = [mapping(row) for row in sequence(raw.get("Images"))]
    containers = [mapping(row) for row in sequence(raw.get("Containers"))]
    sizes = [_size(row.get("Size")) for row in images]
    total = _size(raw.get("LayersSize")) or (None if None in sizes else sum(filter(None, sizes)))
    cache = [mapping(row) for row in sequence(raw.get("BuildCache"))]
    used = [row for row in images if (_size(row.get("Containers")) or 0) > 0]
    unique = sum((_size(row.get("Size")) or 0) - (_size(row.get("SharedSize")) or 0) for row in used)
    return EngineDiskUsage(
        images=total,
        containers=sum(_size(row.get("SizeRw")) or 0 for row in containers),  # Docker omits 0
        reclaimable=None if total is None else total - unique,
        volumes=_volume_bytes(raw),
        build_cache=sum(_size(row.get("Size")) or 0 for row in cache if not row.get("Shared")),
        raw=raw,
    )


def _volume_bytes(raw: Raw) -> int | None:
    """Return the size of all volumes: Docker has it in UsageData, libpod in Size. None if one is not known."""
    rows = [mapping(row) for row in sequence(raw.get("Volumes"))]
    sizes = [_size(row.get("Size", mapping(row.get("UsageData")).get("Size"))) for row in rows]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _size(value: Any) -> int | None:
    found = integer(value)
    return found if found is not None and found >= 0 else None
