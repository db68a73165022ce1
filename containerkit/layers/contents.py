"""What lies behind a layer stack: a reader, chosen when it is first needed, and what it has read so far."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from containerkit.errors import InvalidImage
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
        still_there: raises if the image is gone meanwhile; asked when a reading fails.
        others: chain ID -> the other images that have it, by name.
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
        """The reader in use; chosen now if none is yet."""
        with self._lock:
            if self._reader is None:
                self._reader = self._choose()
            return self._reader

    @contextmanager
    def _reading(self) -> Iterator[Reader]:
        """The reader, for one look at it; of an image that is gone it is said that it is."""
        with self._lock:
            try:
                yield self.reader
            except (OSError, InvalidImage):
                if self._still_there is not None:
                    self._still_there()
                raise

    def entries(self, index: int) -> tuple[FileEntry, ...]:
        """A layer's entries. Raises InvalidImage with every breach found in it."""
        if index not in self._read:
            with self._reading() as reader:
                contents = reader.read(index)
                if contents.problems:
                    raise invalid(f"layer {index}", (f"layer {index}: {breach}" for breach in contents.problems))
                self._read[index] = contents.entries
        return self._read[index]

    def sizes(self, index: int) -> Sizes:
        """What a layer weighs."""
        with self._reading() as reader:
            return reader.sizes(index)

    def content_ids(self, index: int, paths: Collection[str]) -> Mapping[str, str]:
        """The IDs of the contents of some files of a layer, as far as the reader can tell."""
        wanted = set(paths)
        last = {entry.path: entry for entry in self.entries(index) if entry.path in wanted}
        with self._reading() as reader:
            return reader.content_ids(index, last.values())

    def verify(self) -> Verification:
        """Checks every byte; raises InvalidImage with all violations."""
        with self._reading() as reader:
            return reader.verify()

    def others(self, chain_id: str) -> tuple[str, ...]:
        """The other images that have a layer, by name."""
        with self._lock:
            if self._shared is None:
                self._shared = self._others() if self._others else {}
            return self._shared.get(chain_id, ())
