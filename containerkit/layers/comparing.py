"""Compare two images: their files as tables, and their layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from ..oci.tree import Diff
from ..values import PrintedValue
from .contents import Sizes

if TYPE_CHECKING:
    from ..display import Table

__all__ = ["FileDiff", "LayerChange", "compare_layers"]


class Layer(Protocol):
    """The facts of a layer that are compared."""

    @property
    def index(self) -> int: ...
    @property
    def diff_id(self) -> str: ...
    @property
    def chain_id(self) -> str: ...
    @property
    def created_by(self) -> str | None: ...
    @property
    def sizes(self) -> Sizes: ...


@dataclass(frozen=True, slots=True, repr=False)
class FileDiff(Diff, PrintedValue):
    """A Diff that print() and a notebook show as a table."""

    def table(self) -> Table:
        """Return one row per path."""
        from ..display import Table, bytes_cell

        rows = [
            (
                change.kind,
                bytes_cell(change.before.size) if change.before else "",
                bytes_cell(change.after.size) if change.after else "",
                change.path,
            )
            for change in self
        ]
        title = f"{len(self.added)} added, {len(self.modified)} modified, {len(self.removed)} removed"
        return Table(title, ("change", "size before", "size after", "path"), rows)


@dataclass(frozen=True, slots=True)
class LayerChange(PrintedValue):
    """One layer of two images that are compared.

    Attributes:
        kind: "shared" on top of the same layers; "same content" on top of others, so that it is stored twice; else
            "removed" or "added".
        before: index in the first image, or None.
        after: index in the second image, or None.
        diff_id: digest of its tar.
        created_by: the instruction of the second image, else of the first.
        content: bytes of its files; None if unknown.
    """

    kind: Literal["shared", "same content", "removed", "added"]
    before: int | None
    after: int | None
    diff_id: str
    created_by: str | None
    content: int | None


def compare_layers(before: Sequence[Layer], after: Sequence[Layer]) -> list[LayerChange]:
    """Return the layers of two images. See LayerStack.compare_layers."""
    shared = 0
    for one, other in zip(before, after, strict=False):
        if one.chain_id != other.chain_id:
            break
        shared += 1
    left: dict[str, list[Layer]] = {}
    for layer in before[shared:]:
        left.setdefault(layer.diff_id, []).append(layer)
    found: list[LayerChange] = []
    upper: list[LayerChange] = []
    for layer in after[shared:]:
        twin = left[layer.diff_id].pop(0) if left.get(layer.diff_id) else None
        upper.append(_change("same content" if twin else "added", twin, layer))
    for below, above in zip(before[:shared], after[:shared], strict=True):
        found.append(_change("shared", below, above))
    gone = {layer.index for layers in left.values() for layer in layers}
    found += [_change("removed", layer, None) for layer in before[shared:] if layer.index in gone]
    return found + upper


def _change(
    kind: Literal["shared", "same content", "removed", "added"], before: Layer | None, after: Layer | None
) -> LayerChange:
    layer = after or before
    assert layer is not None
    return LayerChange(
        kind,
        before.index if before else None,
        after.index if after else None,
        layer.diff_id,
        layer.created_by or (before.created_by if before else None),
        layer.sizes.content,
    )
