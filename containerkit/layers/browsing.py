"""Facts for browsing an image: the changes of each layer to the tree below it, and the waste."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..oci.layer import FileEntry, printable
from ..oci.tree import Diff
from .waste import Waste

if TYPE_CHECKING:
    from .contents import Sizes

__all__ = ["browsing_data"]


def browsing_data(
    ref: str, instructions: Sequence[str], sizes: Sequence[Sizes], changes: Sequence[Diff], waste: Waste
) -> dict[str, Any]:
    """Return what `display.explorer_page` takes."""
    layers = [
        {
            "instruction": instruction,
            "size": size.content,
            "changes": [_change(change.path, change.kind, change.after or change.before) for change in diff],
        }
        for instruction, size, diff in zip(instructions, sizes, changes, strict=True)
    ]
    hidden = [[printable(one.path), one.bytes, one.cause, one.layer] for one in waste.items]
    facts = {"ref": ref, "total": waste.total_bytes, "visible": waste.visible_bytes}
    return {**facts, "layers": layers, "waste": hidden}


def _change(path: str, kind: str, entry: FileEntry | None) -> list[object]:
    assert entry is not None
    size = entry.size if entry.type == "file" else 0
    owner = f"{entry.uid}:{entry.gid}"
    return [printable(path), kind, size, entry.type, f"{entry.mode:04o}", owner, printable(entry.link_target)]
