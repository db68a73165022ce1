"""The lines of the terminal summary: what was started, reused, kept and cleaned up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Summary"]


@dataclass
class Summary:
    """Record what happened in one process of a run; `add` adds up several.

    Attributes:
        started, reused: images of containers, one entry per container.
        kept: names of containers that are left running.
        cleaned: names of what an earlier, killed run had left.
        missing: why an engine could not be opened.
    """

    started: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    cleaned: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def add(self, other: dict[str, Any]) -> None:
        """Add what another process of the run sent."""
        for name, values in other.items():
            getattr(self, name).extend(values)

    def to_dict(self) -> dict[str, Any]:
        """Return the values that one process sends to another."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield the lines of the summary."""
        if self.started or self.reused:
            yield f"containers started: {_counted(self.started)}" + (
                f"; shared or reused: {_counted(self.reused)}" if self.reused else ""
            )
        if self.kept:
            names = " ".join(sorted(set(self.kept)))
            yield f"left running (--containers-keep): {names}"
        if self.cleaned:
            yield f"removed, left by a run that was killed: {', '.join(sorted(set(self.cleaned)))}"
        yield from dict.fromkeys(self.missing)


def _counted(images: list[str]) -> str:
    """Return "3 (busybox:1 ×2, redis:7)"."""
    counts = Counter(images)
    each = ", ".join(f"{image} ×{count}" if count > 1 else image for image, count in sorted(counts.items()))
    return f"{len(images)} ({each})" if images else "0"
