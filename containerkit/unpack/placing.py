"""Choose where a copy goes, as `docker cp` places it."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InvalidOption
from .extract import Archive, extract

__all__ = ["place_copy", "put"]


def place_copy(dst: str, name: str, *, source: str, is_dir: bool, content_only: bool, action: str) -> Path:
    """Return the path of a copy.

    Args:
        dst: local path; an existing folder receives the copy under `name`.
        name: last part of the path that is copied; "" for the root.
        source: the path that is copied, for messages.
        is_dir: whether it is a folder.
        content_only: whether the content of a folder is meant, and not the folder.
        action: start of messages.

    Raises:
        FileNotFoundError: the folder to copy into does not exist.
        InvalidOption: a folder would replace a file.
    """
    target = Path(dst)
    if target.is_dir():
        target = target.resolve()
        return target if content_only or not name else target / name
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{action}: no folder {target.parent} here")
    if target.exists() and is_dir:
        raise InvalidOption("dst", dst, f"a folder, since {source} is one; it is a file here")
    if dst.endswith("/") and not is_dir:
        raise FileNotFoundError(f"{action}: no folder {dst} here")
    return target


def put(archive: Archive, place: Path, dst: str | os.PathLike[str]) -> Path:
    """Extract an archive to the path that `place_copy` returned for `dst`, and return the path."""
    merged = place.is_dir() and place == Path(dst).resolve()
    extract(archive, *((place, "") if merged else (place.parent, place.name)))
    return place
