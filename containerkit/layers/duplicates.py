"""Find equal file contents in layers that are not shared: what a common base, or another order, would save."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..oci.digest import sha256_of
from ..oci.layer import FileEntry
from ..values import Value
from .index import Index, steady

if TYPE_CHECKING:
    from ..backends.base import Backend, ImageRecord
    from ..display import Table

__all__ = ["Duplicate", "Duplicates", "image_duplicates"]

_ROWS = 50


@dataclass(frozen=True, slots=True)
class Duplicate(Value):
    """One content that is stored in several layers.

    Attributes:
        content_id: "crc64:…" as the store recorded it, or "sha256:…" if the bytes were compared.
        size: bytes of one copy.
        files: (chain ID of the layer, path) of each copy.
        bytes: what one copy for all layers would save: size × (layers − 1).
    """

    content_id: str
    size: int
    files: tuple[tuple[str, str], ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Duplicates(Value):
    """Equal contents in layers that are not shared.

    Attributes:
        groups: largest first.
        bytes: what one copy of each content would save.
        total_bytes: Σ file content of all distinct layers looked at.
        verified: whether contents were compared by SHA-256. CRC-64 finds equal content among honest files; it is no
            proof against somebody who wants two files to look alike.
        unknown: images that could not be read, with the reason; they are not compared.
    """

    groups: tuple[Duplicate, ...] = field(repr=False)
    bytes: int
    total_bytes: int
    verified: bool
    unknown: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Fraction of duplicate bytes: bytes / total_bytes, 0.0 if total_bytes is 0."""
        return self.bytes / self.total_bytes if self.total_bytes else 0.0

    def table(self) -> Table:
        """Return the largest groups as a table."""
        from ..display import Table, bytes_cell, human_bytes

        rows = [
            (bytes_cell(group.bytes), bytes_cell(group.size), len(group.files), group.files[0][1])
            for group in self.groups[:_ROWS]
        ]
        notes = [f"{human_bytes(self.bytes)} of {human_bytes(self.total_bytes)} ({self.share:.1%}) could be shared"]
        if len(self.groups) > _ROWS:
            notes.append(f"{len(self.groups) - _ROWS} more groups")
        if not self.verified:
            notes.append("compared by size and checksum; verify=True compares by SHA-256")
        notes += self.unknown
        columns = ("could save", "size", "copies", "one of them")
        return Table("Same content, stored more than once", columns, rows, notes=notes)

    def __str__(self) -> str:
        return self.table().to_text()

    def _repr_html_(self) -> str:
        return self.table().to_html()


def image_duplicates(backend: Backend, refs: Any = None, *, verify: bool = False) -> Duplicates:
    """Find duplicates; reads each distinct layer once, linear in files. See Engine.duplicates."""
    return steady(backend, refs, lambda index: _duplicates(index, refs, verify=verify))


def _duplicates(index: Index, refs: Any, *, verify: bool) -> Duplicates:
    records = index.readable(index.records(refs), strict=refs is not None)
    owner: dict[str, tuple[ImageRecord, int]] = {}
    for record in records:
        for number, chain in enumerate(index.chains(record)):
            owner.setdefault(chain, (record, number))
    by_size: dict[int, list[tuple[str, FileEntry]]] = defaultdict(list)
    total = 0
    for chain, (record, number) in owner.items():
        contents = index.layer(record, number)
        total += contents.content_bytes
        last = {entry.path: entry for entry in contents.entries if entry.type == "file" and entry.stored}
        for entry in last.values():
            by_size[entry.size].append((chain, entry))
    candidates = {size: files for size, files in by_size.items() if len({chain for chain, _ in files}) > 1}
    names = _Names(index, owner, verify=verify)
    names.learn(candidates)
    found: dict[tuple[int, str], list[tuple[str, str]]] = defaultdict(list)
    for size, files in candidates.items():
        for chain, entry in files:
            identity = names.of(chain, entry)
            if identity is not None:
                found[size, identity].append((chain, entry.path))
    groups = []
    for (size, identity), copies in found.items():
        layers = len({chain for chain, _ in copies})
        if layers > 1:
            groups.append(Duplicate(identity, size, tuple(copies), size * (layers - 1)))
    groups.sort(key=lambda group: (-group.bytes, group.content_id))
    return Duplicates(tuple(groups), sum(group.bytes for group in groups), total, names.verified, tuple(index.unknown))


class _Names:
    """IDs of contents: the record's checksum, or the SHA-256 of the bytes if requested or without a record."""

    def __init__(self, index: Index, owner: dict[str, tuple[ImageRecord, int]], *, verify: bool) -> None:
        self._index = index
        self._owner = owner
        self._verify = verify
        self._hashed: dict[tuple[str, str], str] = {}
        self.verified = True

    def learn(self, candidates: dict[int, list[tuple[str, FileEntry]]]) -> None:
        """Hash the files that need it: those for which another layer has one of the same size (and checksum)."""
        files = [item for items in candidates.values() for item in items]
        if self._verify:
            seen: dict[tuple[int, str], set[str]] = defaultdict(set)
            for chain, entry in files:
                if entry.content_id:
                    seen[entry.size, entry.content_id].add(chain)
            wanted = [
                (chain, entry)
                for chain, entry in files
                if not entry.content_id or len(seen[entry.size, entry.content_id]) > 1
            ]
        else:
            wanted = [(chain, entry) for chain, entry in files if not entry.content_id]
        by_layer: dict[str, list[FileEntry]] = defaultdict(list)
        for chain, entry in wanted:
            by_layer[chain].append(entry)
        for chain, entries in by_layer.items():
            for path, identity in self._hash(chain, entries):
                self._hashed[chain, path] = identity

    def _hash(self, chain: str, entries: Iterable[FileEntry]) -> Iterable[tuple[str, str]]:
        layer = self._index.store.layers.get(chain) if self._index.store else None
        entries = list(entries)
        if layer is not None:
            try:
                return [(entry.path, sha256_of(layer.read(entry.path, entry.size))[0]) for entry in entries]
            except OSError:
                pass  # files of a rootless store belong to other uids; the engine can read them too
        record, number = self._owner[chain]
        return self._index.stream(record).content_ids(number, entries).items()

    def of(self, chain: str, entry: FileEntry) -> str | None:
        """Return the content ID of one file; None if it cannot be determined."""
        identity = self._hashed.get((chain, entry.path))
        if identity is None and not self._verify:
            identity = entry.content_id
        if identity is not None and not identity.startswith("sha256:"):
            self.verified = False
        return identity
