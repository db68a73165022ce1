"""Write a file or a folder completely before it appears under its name.

The unfinished copy has a fixed name beside its target. A lock tells a copy in progress from the remains of a killed
process, which the next copy to the same target takes over.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTEMPTS = 64


def open_folder(name: str | Path, *, dir_fd: int | None = None) -> int:
    """Open a folder that is not a symbolic link, and return its descriptor. Raises OSError."""
    return os.open(name, _FOLDER, dir_fd=dir_fd)


def _candidates(name: str) -> Iterator[str]:
    yield f".{name[:200]}.partial"
    yield from (f".{name[:200]}.partial-{number}" for number in range(2, _ATTEMPTS))


def _ours(descriptor: int, name: str, parent: int) -> bool:
    """Lock an unfinished copy; return False if it is another user's, in use, or was replaced before the lock."""
    opened = os.fstat(descriptor)
    usable = stat.S_ISDIR(opened.st_mode) or (stat.S_ISREG(opened.st_mode) and opened.st_nlink == 1)
    if opened.st_uid != os.geteuid() or not usable:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        standing = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return False
    return (standing.st_dev, standing.st_ino) == (opened.st_dev, opened.st_ino)


def _claim(name: str, parent: int, open_one: Callable[[str], int]) -> tuple[str, int]:
    """Return the name and descriptor of an unfinished copy that this call alone uses."""
    for candidate in _candidates(name):
        try:
            descriptor = open_one(candidate)
        except OSError as exc:
            if exc.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ENXIO):
                continue  # something else stands there
            raise
        if _ours(descriptor, candidate, parent):
            return candidate, descriptor
        os.close(descriptor)
    raise FileExistsError(errno.EEXIST, "too many unfinished copies; remove the .partial files", name)


@contextlib.contextmanager
def whole_file(path: Path, *, mode: int, dir_fd: int | None = None) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes the new content of a file; the file appears when the block ends.

    On an error the old file stays. A symbolic link at `path` is replaced, not followed.

    Args:
        path: the file.
        mode: its permission bits.
        dir_fd: descriptor of the folder that `path` is relative to.

    Raises:
        OSError: naming the path.
    """
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        partial, handle = _claim(path.name, parent, lambda name: os.open(name, flags, 0o600, dir_fd=parent))

        def write(data: bytes) -> None:
            left = memoryview(data)
            try:
                while left:
                    left = left[os.write(handle, left) :]
            except OSError as exc:
                raise OSError(exc.errno, exc.strerror, str(path)) from exc

        try:
            os.ftruncate(handle, 0)
            yield write
            os.fchmod(handle, mode)
            os.replace(partial, path.name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=parent)
            raise
        finally:
            os.close(handle)
    finally:
        os.close(parent)


@contextlib.contextmanager
def staged_folder(parent: int, name: str) -> Iterator[int]:
    """Yield the descriptor of an empty private folder, and remove what is left of it when the block ends.

    Args:
        parent: descriptor of the folder that it is made in.
        name: name of the copy's target.
    """

    def open_one(candidate: str) -> int:
        with contextlib.suppress(FileExistsError):
            os.mkdir(candidate, 0o700, dir_fd=parent)
        return open_folder(candidate, dir_fd=parent)

    partial, descriptor = _claim(name, parent, open_one)
    where = f"/proc/self/fd/{parent}/{partial}"
    try:
        os.fchmod(descriptor, 0o700)
        for entry in os.scandir(descriptor):
            _remove(f"{where}/{entry.name}", entry.is_dir(follow_symlinks=False))
        yield descriptor
    finally:
        os.close(descriptor)
        shutil.rmtree(where, ignore_errors=True)


def _remove(path: str, folder: bool) -> None:
    if folder:
        shutil.rmtree(path)
    else:
        os.unlink(path)
