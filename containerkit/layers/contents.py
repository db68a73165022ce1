"""Contents of a layer stack: a reader, chosen on first use, and everything it has read so far."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import InvalidImage
from ..oci.layer import FileEntry, LayerContents
from ..oci.problems import invalid
from ..values import Shown

__all__ = ["Contents", "Reader", "Sizes", "Verification"]


@dataclass(frozen=True, slots=True)
class Sizes(Shown):
    """Size of a layer or image in bytes, by four different meanings. None means unknown, never 0.

    Attributes:
        content: Σ size of regular files; hard links once, symlinks 0, sparse files including their holes.
        tar: length of the uncompressed tar, including headers and padding.
        compressed: length of the compressed blob, as a registry transfers it.
        disk: blocks in an engine's store.
        source: where each known figure comes from, by the names above.
    """

    content: int | None = None
    tar: int | None = None
    compressed: int | None = None
    disk: int | None = None
    source: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def total(cls, sizes: Iterable[Sizes]) -> Sizes:
        """Return the sum for each meaning; one unknown part makes that sum unknown."""
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
        """Return the attributes as JSON-ready types."""
        return {
            "content": self.content,
            "tar": self.tar,
            "compressed": self.compressed,
            "disk": self.disk,
            "source": dict(self.source),
        }


@dataclass(frozen=True, slots=True)
class Verification(Shown):
    """Result of a successful verification: what was checked, and what could not be checked with this reader."""

    checked: tuple[str, ...]
    unchecked: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON-ready types."""
        return {"checked": list(self.checked), "unchecked": list(self.unchecked)}


class Reader(Protocol):
    """One way to read the layers of one image. Layers are numbered from the base, from 0."""

    @property
    def name(self) -> str:
        """Source of the reader, for users: "archive", "tar-split", "content store" or "save stream"."""

    def read(self, index: int, /) -> LayerContents:
        """Return a layer's entries; violations are in its ``problems``."""

    def sizes(self, index: int, /) -> Sizes:
        """Return a layer's sizes, as far as this reader knows them."""

    def content_ids(self, index: int, entries: Iterable[FileEntry], /) -> Mapping[str, str]:
        """Return path -> content ID of files of a layer, without those that this reader cannot determine."""

    def file_bytes(self, index: int, entry: FileEntry, /) -> bytes:
        """Return the content of a regular file of a layer. Raises InvalidImage if it cannot be read."""

    def files_data(self, index: int, entries: Collection[FileEntry], /) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield (path, chunks) of regular files of a layer; each is read before the next. Raises InvalidImage."""

    def verify(self) -> Verification:
        """Check every byte that this reader has. Raises InvalidImage with all violations."""


class Contents:
    """A reader and its results, each read once. Safe to share between threads.

    Args:
        choose: function that returns the reader; called on first use.
        still_there: function that raises if the image was removed; called when reading fails.
        others: function that returns chain ID -> names of the other images that have the layer.
    """

    __slots__ = ("_choose", "_lock", "_others", "_read", "_reader", "_shared", "_still_there")

    def __init__(
        self,
        choose: Callable[[], Reader],
        *,
        still_there: Callable[[], object] | None = None,
        others: Callable[[], Mapping[str, tuple[str, ...]]] | None = None,
    ) -> None:
        self._choose = choose
        self._still_there = still_there
        self._others = others
        self._lock = threading.RLock()
        self._reader: Reader | None = None
        self._read: dict[int, tuple[FileEntry, ...]] = {}
        self._shared: Mapping[str, tuple[str, ...]] | None = None

    @property
    def reader(self) -> Reader:
        """The reader in use, chosen on first access."""
        with self._lock:
            if self._reader is None:
                self._reader = self._choose()
            return self._reader

    @contextmanager
    def _reading(self) -> Iterator[Reader]:
        """Yield the reader for one use; if reading fails and the image was removed, raise ImageNotFound."""
        with self._lock:
            try:
                yield self.reader
            except (OSError, InvalidImage):
                if self._still_there is not None:
                    self._still_there()
                raise

    def entries(self, index: int) -> tuple[FileEntry, ...]:
        """Return a layer's entries. Raises InvalidImage with every violation found in it."""
        if index not in self._read:
            with self._reading() as reader:
                contents = reader.read(index)
                if contents.problems:
                    raise invalid("unreadable image", (f"layer {index}: {problem}" for problem in contents.problems))
                self._read[index] = contents.entries
        return self._read[index]

    def sizes(self, index: int) -> Sizes:
        """Return a layer's sizes."""
        with self._reading() as reader:
            return reader.sizes(index)

    def content_ids(self, index: int, paths: Collection[str]) -> Mapping[str, str]:
        """Return the content IDs of some files of a layer, as far as the reader can determine them."""
        wanted = set(paths)
        last = {entry.path: entry for entry in self.entries(index) if entry.path in wanted}
        with self._reading() as reader:
            return reader.content_ids(index, last.values())

    def file_bytes(self, index: int, entry: FileEntry) -> bytes:
        """Return the content of a regular file of a layer. Raises InvalidImage if it cannot be read."""
        with self._reading() as reader:
            return reader.file_bytes(index, entry)

    def files_data(self, index: int, entries: Collection[FileEntry]) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield (path, chunks) of regular files of a layer; each is read before the next. Raises InvalidImage."""
        with self._reading() as reader:
            yield from reader.files_data(index, entries)

    def verify(self) -> Verification:
        """Check every byte. Raises InvalidImage with all violations."""
        with self._reading() as reader:
            return reader.verify()

    def others(self, chain_id: str) -> tuple[str, ...]:
        """Return the names of the other images that have a layer."""
        with self._lock:
            if self._shared is None:
                self._shared = self._others() if self._others else {}
            return self._shared.get(chain_id, ())
