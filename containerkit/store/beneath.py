"""Open a file of an untrusted folder without following any symbolic link."""

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
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # do not wait for a writer of a named pipe


@contextmanager
def open_beneath(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Open a regular file by its name below the folder.

    Raises:
        FileNotFoundError: the file does not exist.
        OSError: it is not a regular file, is behind a link, or cannot be read.
    """
    *parents, last = [part for part in name.split("/") if part not in ("", ".")] or ["."]
    if ".." in (*parents, last):
        raise OSError(errno.EINVAL, "leads out of its folder", name)
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
            raise OSError(errno.EINVAL, "not a regular file", name)
        yield opened
