"""The grammar of whiteouts: which file names in a layer are not files.

image-spec, layer.md, "Whiteouts": ``.wh.NAME`` hides NAME of the layers below, ``.wh..wh..opq`` hides everything
below in its folder. Other names that begin with ``.wh..wh.`` are leftovers of AUFS, which engines skip.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["AUFS_PREFIX", "OPAQUE", "PREFIX", "WhiteoutKind", "classify"]

PREFIX = ".wh."
OPAQUE = ".wh..wh..opq"
AUFS_PREFIX = ".wh..wh."

WhiteoutKind = Literal["whiteout", "opaque", "aufs", "invalid"]


def classify(name: str) -> tuple[WhiteoutKind, str] | None:
    """Return the meaning of a path's last component, and the name that it hides; None for an ordinary file.

    ``invalid`` is a whiteout of "", "." or "..", which would remove its own folder or the one above.
    """
    if not name.startswith(PREFIX):
        return None
    if name == OPAQUE:
        return "opaque", ""
    if name.startswith(AUFS_PREFIX):
        return "aufs", ""
    hidden = name[len(PREFIX) :]
    if hidden in ("", ".", ".."):
        return "invalid", hidden
    return "whiteout", hidden
