"""Bytes that every pull and every disk carries and no container sees: exactly, each with its cause.

The model: a regular file in a layer is one extent of bytes, however many hardlinks name it. An extent is visible if,
with all layers stacked, a name of it is left. So ``total = visible + wasted``, and the layer that took the last name
away is the one to blame. Linear in files and whiteouts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from containerkit.layers.dive import dive_numbers
from containerkit.oci.layer import FileEntry, printable
from containerkit.oci.tree import Cause, ContentIds, Node, Stack, visible_bytes

if TYPE_CHECKING:
    from ..display import Table

__all__ = ["Waste", "WasteCause", "WasteItem", "find_waste"]

WasteCause = Literal["deleted", "opaque", "overwritten", "copied unchanged", "type change"]

_ROWS = 20


@dataclass(frozen=True, slots=True)
class WasteItem:
    """One file's bytes that no container sees.

    Attributes:
        path: absolute.
        bytes: the file's size.
        cause: ``deleted`` by a whiteout, hidden by an ``opaque`` folder, ``overwritten`` by other bytes, ``copied
            unchanged`` (the same bytes again: chmod, chown, touch), or a ``type change`` (say, a folder in its place).
        layer: index of the layer that hid it.
        instruction: what made that layer, or None if the image does not say.
        stored_in: index of the layer that still carries the bytes.
    """

    path: str
    bytes: int
    cause: WasteCause
    layer: int
    instruction: str | None
    stored_in: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; keys as the attributes."""
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
    """What an image carries and does not show.

    Attributes:
        total_bytes: Σ size of regular files over all layers, hardlinks once.
        visible_bytes: of these, what a container of the image sees.
        items: every wasted file, largest first; their bytes add up to ``wasted_bytes``.
        dive_efficiency, dive_wasted_bytes: what dive 0.13.1 prints, for comparison; see ``layers.dive`` for what it
            does not see.
        unchanged_known: whether file contents could be compared. If not, a copy that changed nothing is reported as
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
        """total - visible."""
        return self.total_bytes - self.visible_bytes

    @property
    def efficiency(self) -> float:
        """visible / total; 1.0 for an image without bytes."""
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
        """Wasted bytes by the layer that is to blame."""
        sums: dict[int, int] = {}
        for item in self.items:
            sums[item.layer] = sums.get(item.layer, 0) + item.bytes
        return sums

    def table(self) -> Table:
        """The largest files, each with its cause; the sums below."""
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

    def _repr_html_(self) -> str:
        return self.table().to_html()

    def __repr__(self) -> str:
        return (
            f"<Waste {self.wasted_bytes} of {self.total_bytes} bytes in {len(self.items)} files; "
            f"{self.efficiency:.1%} efficient>"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the attributes, ``wasted_bytes``, ``efficiency`` and ``by_cause``."""
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
    """The waste of a stack of layers.

    Args:
        layers: the entries of each, base first.
        instructions: what made each layer, where known.
        content_ids: given a layer and paths in it, the IDs of their contents. Asked only for overwritten files of equal
            size whose entries carry no ``content_id``.
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
    """Books each extent when its last name goes."""

    def __init__(self) -> None:
        self.lost: list[_Lost] = []

    def dropped(self, path: str, node: Node, cause: Cause, layer: int, by: Node | None) -> None:
        inode = node.inode
        entry = inode.entry
        # A file that its own layer replaces never reaches a disk: neither total nor waste.
        if inode.links == 0 and entry is not None and entry.type == "file" and inode.layer != layer:
            self.lost.append(_Lost(entry, cause, layer, inode.layer, by.inode if by else None))


def _unchanged(lost: Sequence[_Lost], content_ids: ContentIds | None) -> tuple[set[int], bool]:
    """Which of the lost were replaced by the same bytes, and whether that could be told for all."""
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
