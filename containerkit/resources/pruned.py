"""Pruned and RemovedImage: what was removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..values import Value


@dataclass(frozen=True, slots=True)
class Pruned(Value):
    """Result of every prune(). Iterates over what was removed.

    Attributes:
        removed: names of networks and volumes, IDs of containers and images.
        bytes: disk space freed as the engine counts it; None if the engine does not report it.
    """

    removed: tuple[str, ...] = ()
    bytes: int | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(self.removed)

    def __len__(self) -> int:
        return len(self.removed)

    def __contains__(self, name: object) -> bool:
        return name in self.removed

    def __str__(self) -> str:
        freed = "" if self.bytes is None else f", {self.bytes:,} bytes freed"
        return f"{len(self.removed)} removed{freed}" + "".join(f"\n  {name}" for name in self.removed)


@dataclass(frozen=True, slots=True)
class RemovedImage(Value):
    """Result of images.remove().

    Attributes:
        untagged: names that were removed.
        deleted: IDs of what was deleted: the image, and images below it that nothing else needed. On Docker with the
            graph driver store, also its layers.
    """

    untagged: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
