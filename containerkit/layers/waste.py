"""Find the bytes that every pull and every disk carries and no container sees, each with its cause.

The model: a regular file in a layer is one extent of bytes, however many hard links name it. An extent is visible if,
with all layers stacked, one of its names is left. So ``total = visible + wasted``, and the layer that removed the last
name is the cause. Linear in files and whiteouts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import translate
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InvalidOption
from ..oci.layer import FileEntry, printable
from ..oci.tree import Cause, ContentIds, Node, Stack, visible_bytes
from ..values import Shown
from .dive import dive_numbers

if TYPE_CHECKING:
    from ..display import Table, Treemap

__all__ = ["Waste", "WasteCause", "WasteItem", "find_waste"]

WasteCause = Literal["deleted", "opaque", "overwritten", "copied unchanged", "type change"]

_ROWS = 20


@dataclass(frozen=True, slots=True)
class WasteItem(Shown):
    """One file's bytes that no container sees.

    Attributes:
        path: absolute.
        bytes: size of the file.
        cause: ``deleted`` by a whiteout, hidden by an ``opaque`` folder, ``overwritten`` by other bytes, ``copied
            unchanged`` (the same bytes again: chmod, chown, touch), or a ``type change`` (such as a folder instead).
        layer: index of the layer that hid it.
        instruction: the instruction that made that layer; None if the image does not say.
        stored_in: index of the layer that carries the bytes.
    """

    path: str
    bytes: int
    cause: WasteCause
    layer: int
    instruction: str | None
    stored_in: int

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON-ready types."""
        return {
            "path": printable(self.path),
            "bytes": self.bytes,
            "cause": self.cause,
            "layer": self.layer,
            "instruction": self.instruction,
            "stored_in": self.stored_in,
        }


@dataclass(frozen=True, slots=True)
class Waste:
    """Bytes that an image carries and no container sees.

    Attributes:
        total_bytes: Σ size of regular files over all layers, hard links once.
        visible_bytes: the part of them that a container sees.
        items: every wasted file, largest first; their bytes add up to ``wasted_bytes``.
        dive_efficiency, dive_wasted_bytes: what dive 0.13.1 prints, for comparison; see ``layers.dive`` for what dive
            does not see.
        unchanged_known: True if file contents could be compared. If not, a copy that changed nothing is reported as
            ``overwritten``.
    """

    total_bytes: int
    visible_bytes: int
    items: tuple[WasteItem, ...] = field(repr=False)
    dive_efficiency: float
    dive_wasted_bytes: int
    unchanged_known: bool = True

    @property
    def wasted_bytes(self) -> int:
        """Wasted bytes: total - visible."""
        return self.total_bytes - self.visible_bytes

    @property
    def efficiency(self) -> float:
        """Efficiency: visible / total; 1.0 for an image without bytes."""
        return self.visible_bytes / self.total_bytes if self.total_bytes else 1.0

    @property
    def by_cause(self) -> Mapping[WasteCause, int]:
        """Wasted bytes for each cause that occurs."""
        sums: dict[WasteCause, int] = {}
        for item in self.items:
            sums[item.cause] = sums.get(item.cause, 0) + item.bytes
        return sums

    @property
    def by_layer(self) -> Mapping[int, int]:
        """Wasted bytes by the layer that caused the waste."""
        sums: dict[int, int] = {}
        for item in self.items:
            sums[item.layer] = sums.get(item.layer, 0) + item.bytes
        return sums

    def ignoring(self, patterns: Iterable[str]) -> Waste:
        """Return the waste without the files of some paths, which then do not count in any of our figures.

        Args:
            patterns: paths such as "/var/cache/apt" with everything below; `*`, `?` and `[…]` as in a shell, where `*`
                matches slashes, too.

        Raises:
            InvalidOption: a pattern does not begin with a slash.
        """
        given = [patterns] if isinstance(patterns, str) else list(patterns)
        for pattern in given:
            if not isinstance(pattern, str) or not pattern.startswith(("/", "*")):
                raise InvalidOption("ignore", pattern, "a path that begins with / or *")
        bare = [pattern.rstrip("/") for pattern in given]
        wanted = [re.compile(translate(pattern + end)) for pattern in bare for end in ("", "/*")]
        kept = tuple(item for item in self.items if not any(one.match(item.path) for one in wanted))
        total = self.visible_bytes + sum(item.bytes for item in kept)
        return replace(self, items=kept, total_bytes=total)

    def table(self) -> Table:
        """Return the largest files, each with its cause, and the sums."""
        from ..display import Table, bytes_cell, human_bytes

        rows = [(bytes_cell(item.bytes), str(item.cause), item.layer, item.path) for item in self.items[:_ROWS]]
        wasted, total = human_bytes(self.wasted_bytes), human_bytes(self.total_bytes)
        notes = [
            f"{wasted} of {total} wasted: {self.efficiency:.1%} efficient",
            *(f"{cause}: {human_bytes(size)}" for cause, size in self.by_cause.items()),
            f"dive says {self.dive_efficiency:.1%} and {human_bytes(self.dive_wasted_bytes)}",
        ]
        if len(self.items) > _ROWS:
            notes.insert(0, f"{len(self.items) - _ROWS} smaller files not shown")
        return Table("Waste", ("wasted", "cause", "by layer", "path"), rows, notes=notes)

    def __str__(self) -> str:
        return self.table().to_text()

    def picture(self) -> Treemap:
        """Return the wasted files as areas, by folder."""
        from ..display import Treemap

        sizes: dict[str, float] = {}
        for item in self.items:
            sizes[item.path] = sizes.get(item.path, 0) + item.bytes
        return Treemap("Wasted bytes by folder", sizes)

    def _repr_html_(self) -> str:
        return (self.picture().to_html() if len(self.items) > 1 else "") + self.table().to_html()

    def __repr__(self) -> str:
        return (
            f"<Waste {self.wasted_bytes} of {self.total_bytes} bytes in {len(self.items)} files; "
            f"{self.efficiency:.1%} efficient>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, ``wasted_bytes``, ``efficiency`` and ``by_cause`` as JSON-ready types."""
        return {
            "total_bytes": self.total_bytes,
            "visible_bytes": self.visible_bytes,
            "wasted_bytes": self.wasted_bytes,
            "efficiency": self.efficiency,
            "by_cause": dict(self.by_cause),
            "items": [item.to_dict() for item in self.items],
            "dive_efficiency": self.dive_efficiency,
            "dive_wasted_bytes": self.dive_wasted_bytes,
            "unchanged_known": self.unchanged_known,
        }


def find_waste(
    layers: Sequence[Sequence[FileEntry]],
    instructions: Sequence[str | None] = (),
    content_ids: ContentIds | None = None,
) -> Waste:
    """Find the waste of a stack of layers.

    Args:
        layers: the entries of each, base first.
        instructions: the instruction of each layer, if known.
        content_ids: function that returns the content IDs of paths of a layer. Called only for overwritten files of
            equal size whose entries have no ``content_id``.
    """
    ledger = _Ledger()
    stack = Stack(ledger.dropped)
    for index, entries in enumerate(layers):
        stack.apply(entries, index)
    lost = ledger.lost
    unchanged, known = _unchanged(lost, content_ids)
    items = [
        WasteItem(
            path=one.entry.path,
            bytes=one.entry.size,
            cause="copied unchanged" if number in unchanged else one.cause,
            layer=one.layer,
            instruction=instructions[one.layer] if one.layer < len(instructions) else None,
            stored_in=one.stored_in,
        )
        for number, one in enumerate(lost)
        if one.entry.size
    ]
    items.sort(key=lambda item: (-item.bytes, item.path, item.stored_in))
    visible = visible_bytes(stack.root)
    efficiency, wasted = dive_numbers(layers)
    return Waste(visible + sum(item.bytes for item in items), visible, tuple(items), efficiency, wasted, known)


@dataclass(frozen=True, slots=True)
class _Lost:
    """An extent that has lost its last name."""

    entry: FileEntry
    cause: Cause
    layer: int
    stored_in: int
    by: Node | None  # the file in its place


class _Ledger:
    """Record each extent when its last name is dropped."""

    def __init__(self) -> None:
        self.lost: list[_Lost] = []

    def dropped(self, path: str, node: Node, cause: Cause, layer: int, by: Node | None) -> None:
        inode = node.inode
        entry = inode.entry
        # A file that its own layer replaces never reaches a disk: it is neither total nor waste.
        if inode.links == 0 and entry is not None and entry.type == "file" and inode.layer != layer:
            self.lost.append(_Lost(entry, cause, layer, inode.layer, by.inode if by else None))


def _unchanged(lost: Sequence[_Lost], content_ids: ContentIds | None) -> tuple[set[int], bool]:
    """Return which lost files were replaced by the same bytes, and whether that is known for all."""
    pairs = {
        number: (one, one.by.entry, one.by.layer)
        for number, one in enumerate(lost)
        if one.cause == "overwritten" and one.by is not None and one.by.entry is not None
        if one.by.entry.type == "file" and one.entry.size == one.by.entry.size > 0
    }
    wanted: dict[int, set[str]] = defaultdict(set)
    for one, by, layer in pairs.values():
        if one.entry.content_id is None or by.content_id is None:
            wanted[one.stored_in].add(one.entry.path)
            wanted[layer].add(by.path)
    fetched = {layer: content_ids(layer, paths) for layer, paths in wanted.items()} if content_ids else {}

    def id_of(layer: int, entry: FileEntry) -> str | None:
        return fetched.get(layer, {}).get(entry.path) or entry.content_id

    unchanged: set[int] = set()
    known = True
    for number, (one, by, layer) in pairs.items():
        old, new = id_of(one.stored_in, one.entry), id_of(layer, by)
        if old is None or new is None:
            known = False
        elif old == new:
            unchanged.add(number)
    return unchanged, known
