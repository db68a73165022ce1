"""Measure what a folder takes on disk: blocks, each inode once, within one file system."""

from __future__ import annotations

import os
import stat

__all__ = ["disk_bytes"]

_BLOCK = 512  # the unit of st_blocks on every file system (stat(2))


def disk_bytes(folder: str | os.PathLike[str]) -> int:
    """Return Σ st_blocks × 512 of a file, or of a folder and everything below it, without following links or mounts.

    Raises:
        OSError: a part cannot be read, so the sum would be wrong.
    """
    root = os.lstat(folder)
    device, total = root.st_dev, root.st_blocks
    seen: set[int] = set()
    todo = [os.fspath(folder)] if stat.S_ISDIR(root.st_mode) else []
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                found = entry.stat(follow_symlinks=False)
                if found.st_dev != device:
                    continue
                if found.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                    if found.st_ino in seen:
                        continue
                    seen.add(found.st_ino)
                total += found.st_blocks
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
    return total * _BLOCK
