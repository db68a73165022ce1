"""A file of a folder that strangers filled: opened without following any link of theirs."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_beneath"]

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not be waited for


@contextmanager
def open_beneath(folder: Path, name: str) -> Iterator[BinaryIO]:
    """A regular file, by its name below the folder.

    Raises:
        FileNotFoundError: there is none.
        OSError: it is no regular file, lies behind a link, or may not be read.
    """
    *parents, last = [part for part in name.split("/") if part not in ("", ".")] or ["."]
    if ".." in (*parents, last):
        raise OSError(errno.EINVAL, "leaves its folder", name)
    at = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for parent in parents:
            below = os.open(parent, _FOLDER, dir_fd=at)
            os.close(at)
            at = below
        file = os.open(last, _FILE, dir_fd=at)
    finally:
        os.close(at)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "no regular file", name)
        yield opened
