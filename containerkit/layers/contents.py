"""What lies behind a layer stack: a reader, chosen when it is first needed, and what it has read so far."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from containerkit.oci.layer import FileEntry, LayerContents
from containerkit.oci.problems import invalid

__all__ = ["Contents", "Reader", "Sizes", "Verification"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What something weighs, in bytes, by four meanings that never agree. None: unknown, never 0.

    Attributes:
        content: Σ size of regular files; hardlinks once, symlinks 0, sparse files with their holes.
        tar: length of the uncompressed tar, headers and padding included.
        compressed: length of the compressed blob, as a registry moves it.
        disk: blocks taken in an engine's store.
        source: where each known figure comes from, by the names above.
    """

    content: int | None = None
    tar: int | None = None
    compressed: int | None = None
    disk: int | None = None
    source: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def total(cls, sizes: Iterable[Sizes]) -> Sizes:
        """The sum by each meaning; one unknown part makes that sum unknown."""
        parts = list(sizes)
        sums: dict[str, int | None] = {}
        source: dict[str, str] = {}
        for name in ("content", "tar", "compressed", "disk"):
            values = [getattr(part, name) for part in parts]
            sums[name] = None if None in values else sum(values)
            origins = dict.fromkeys(part.source[name] for part in parts if name in part.source)
            if sums[name] is not None and origins:
                source[name] = ", ".join(origins)
        return cls(**sums, source=source)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; keys as the attributes."""
        return {
            "content": self.content,
            "tar": self.tar,
            "compressed": self.compressed,
            "disk": self.disk,
            "source": dict(self.source),
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """An image that holds: what was checked, and what could not be where it was read from."""

    checked: tuple[str, ...]
    unchecked: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; keys as the attributes."""
        return {"checked": list(self.checked), "unchecked": list(self.unchecked)}


class Reader(Protocol):
    """One way to look into the layers of one image. Layers are numbered from the base, from 0."""

    @property
    def name(self) -> str:
        """What is read, for the user: "archive", "tar-split", "content store", "save stream"."""

    def read(self, index: int, /) -> LayerContents:
        """A layer's entries; breaches are in its ``problems``."""

    def sizes(self, index: int, /) -> Sizes:
        """What a layer weighs, as far as this reader can tell."""

    def content_ids(self, index: int, entries: Iterable[FileEntry], /) -> Mapping[str, str]:
        """Path -> ID of the content of files of a layer; those it cannot tell are left out."""

    def verify(self) -> Verification:
        """Checks every byte it has; raises InvalidImage with all violations."""


class Contents:
    """A reader and its results, each read once; safe to share between threads.

    Args:
        choose: gives the reader; called when something is first looked at, never if nothing is.
        sizes: what is known of each layer's sizes without reading it, if anything.
    """

    __slots__ = ("_choose", "_known", "_lock", "_read", "_reader")

    def __init__(self, choose: Callable[[], Reader], sizes: Sequence[Sizes | None] = ()) -> None:
        self._choose = choose
        self._known = tuple(sizes)
        self._lock = threading.RLock()
        self._reader: Reader | None = None
        self._read: dict[int, tuple[FileEntry, ...]] = {}

    @property
    def reader(self) -> Reader:
        """The reader in use; chosen now if none is yet."""
        with self._lock:
            if self._reader is None:
                self._reader = self._choose()
            return self._reader

    def entries(self, index: int) -> tuple[FileEntry, ...]:
        """A layer's entries. Raises InvalidImage with every breach found in it."""
        with self._lock:
            if index not in self._read:
                contents = self.reader.read(index)
                if contents.problems:
                    raise invalid(f"layer {index}", (f"layer {index}: {breach}" for breach in contents.problems))
                self._read[index] = contents.entries
            return self._read[index]

    def sizes(self, index: int) -> Sizes:
        """What a layer weighs: as known beforehand, else as its reader finds."""
        known = self._known[index] if index < len(self._known) else None
        if known is not None:
            return known
        with self._lock:
            return self.reader.sizes(index)

    def content_ids(self, index: int, paths: Collection[str]) -> Mapping[str, str]:
        """The IDs of the contents of some files of a layer, as far as the reader can tell."""
        wanted = set(paths)
        last = {entry.path: entry for entry in self.entries(index) if entry.path in wanted}
        with self._lock:
            return self.reader.content_ids(index, last.values())
