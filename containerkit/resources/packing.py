"""Pack local files into a tar stream, in constant memory."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

_CHUNK = 1 << 20
#: A tar member, and its content if it is a regular file.
Entry = tuple[tarfile.TarInfo, "IO[bytes] | None"]


def tar_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a tar of the entries. Raises OSError if a file becomes shorter while it is read."""
    for info, source in entries:
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if source is None:
            continue
        with source:
            left = info.size
            while left:
                piece = source.read(min(_CHUNK, left))
                if not piece:
                    raise OSError(f"{info.name} became shorter while it was read")
                left -= len(piece)
                yield piece
        yield b"\0" * (-info.size % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _member(path: Path, name: str, links: dict[tuple[int, int], str]) -> Entry | None:
    """Return one local file as a tar member; a second name of an inode as a hard link; None for a socket."""
    found = path.lstat()
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid, info.mtime = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_mtime
    if stat.S_ISLNK(found.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISDIR(found.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISFIFO(found.st_mode):
        info.type = tarfile.FIFOTYPE
    elif stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        info.type = tarfile.CHRTYPE if stat.S_ISCHR(found.st_mode) else tarfile.BLKTYPE
        info.devmajor, info.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
    elif stat.S_ISREG(found.st_mode):
        inode = (found.st_dev, found.st_ino)
        if found.st_nlink > 1 and inode in links:
            info.type, info.linkname = tarfile.LNKTYPE, links[inode]
        else:
            links[inode] = name
            info.size = found.st_size
            return info, path.open("rb")
    else:
        return None
    return info, None


def _raise(error: OSError) -> None:
    raise error


def _below(root: Path, keep: Iterable[str] | None) -> Iterator[Path]:
    """Yield every path below a folder, sorted by folder; with `keep`, only those paths. Raises OSError."""
    if keep is not None:
        yield from (root / relative for relative in keep)
        return
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders.sort()
        yield from (Path(folder, item) for item in sorted([*files, *folders]))


def tree_entries(root: Path, name: str, keep: Iterable[str] | None = None) -> Iterator[Entry]:
    """Yield a file, or a folder and everything below it, as tar members.

    Args:
        root: the file or folder.
        name: its name in the tar; "" leaves the folder itself out.
        keep: paths relative to `root`; only these are packed.
    """
    links: dict[tuple[int, int], str] = {}
    first = _member(root, name, links)
    if first and name:
        yield first
    if not root.is_dir() or (root.is_symlink() and name):
        return
    for path in _below(root, keep):
        entry = _member(path, posixpath.join(name, path.relative_to(root).as_posix()), links)
        if entry:
            yield entry


def check_readable(root: Path, keep: Iterable[str] | None = None) -> None:
    """Raise PermissionError, naming the path, if a file or folder that tree_entries() would pack cannot be read."""
    paths = [root] if not root.is_dir() else [root, *_below(root, keep)]
    for path in paths:
        if path.is_symlink() and path != root:
            continue
        mode = path.stat().st_mode
        needed = os.R_OK | os.X_OK if stat.S_ISDIR(mode) else os.R_OK if stat.S_ISREG(mode) else 0
        if needed and not os.access(path, needed, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
