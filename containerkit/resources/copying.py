"""Files into and out of a container by path, placed as `docker cp` places them, on every engine."""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import stat
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from ..backends.base import Backend, PathStat
from ..errors import InvalidImage, InvalidOption, NotFound
from ..options import parse_bytes as payload
from ..options import parse_container_path as container_path
from ..options import parse_local_path as local_path

__all__ = [
    "Reader",
    "copy_from_container",
    "copy_to_container",
    "read_file",
    "tar_stream",
    "tree_entries",
    "whole_file",
    "write_file",
]

_CHUNK = 1 << 20
_HOPS = 40  # as the kernel
Entry = tuple[tarfile.TarInfo, "IO[bytes] | None"]


class Reader(io.RawIOBase):
    """A file to read, over pieces of bytes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._rest:
            piece = next(self._chunks, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def tar_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """A tar of the entries, in constant memory. A file that became shorter meanwhile is an OSError."""
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
    """One file of this machine as a tar member, the second name of an inode as a link to the first; no sockets."""
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


def tree_entries(root: Path, name: str, keep: Iterable[str] | None = None) -> Iterator[Entry]:
    """A file or folder and all below it, sorted, under a new name; with `keep`, only these paths below it."""
    links: dict[tuple[int, int], str] = {}
    first = _member(root, name, links)
    if first and name:
        yield first
    if not root.is_dir() or (root.is_symlink() and name):
        return
    if keep is not None:
        for relative in keep:
            entry = _member(root / relative, posixpath.join(name, relative), links)
            if entry:
                yield entry
        return
    for folder, folders, files in os.walk(root):
        folders.sort()
        for item in sorted([*files, *folders]):
            path = Path(folder, item)
            entry = _member(path, posixpath.join(name, path.relative_to(root).as_posix()), links)
            if entry:
                yield entry


# ---------------------------------------------------------------- into a container
def _identity(name: str, value: object, highest: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
        raise InvalidOption(name, value, f"a number from 0 to {highest}")
    return value


def copy_to_container(
    backend: Backend,
    container: str,
    src: str | os.PathLike[str],
    dst: str,
    *,
    uid: int | None,
    gid: int | None,
    mode: int | None,
) -> None:
    """Into an existing folder under its own name; else as a new name in one that exists; "folder/." its content."""
    target = container_path("dst", dst, root=True)
    uid, gid = _identity("uid", uid, 2**32 - 2), _identity("gid", gid, 2**32 - 2)
    bits = _identity("mode", mode, 0o7777)
    text = local_path("src", src)
    source = Path(text)
    if not os.path.lexists(source):
        raise FileNotFoundError(f"copying into container {container}: no {source} here")
    content_only = source.is_dir() and (text.endswith("/.") or text == ".")
    target, found = _followed(backend, container, target)
    if found is not None and found.is_dir:
        folder, name = target, "" if content_only else source.resolve().name if text == ".." else source.name
    elif found is not None and source.is_dir():
        raise InvalidOption("dst", dst, f"a folder, since {source} is one; it is a file in the container")
    elif found is None and dst.endswith("/") and not source.is_dir():
        raise NotFound(f"copying into container {container}: no folder {dst} there", status=404)
    else:
        folder, name = posixpath.split(target)
    if name == "" and not content_only:
        name = source.resolve().name

    def entries() -> Iterator[Entry]:
        for info, data in tree_entries(source, name):
            info.uid = info.uid if uid is None else uid
            info.gid = info.gid if gid is None else gid
            if bits is not None and not info.issym():
                # A folder that cannot be entered would be of no use: it gets x where it gets r.
                info.mode = bits | (bits & 0o444) >> 2 if info.isdir() else bits
            yield info, data

    backend.put_archive(container, folder, tar_stream(entries()))


def _followed(backend: Backend, container: str, path: str) -> tuple[str, PathStat | None]:
    """Where a path leads in a container, links followed as `docker cp` does, and what stands there.

    Raises:
        NotFound: links that lead in a circle.
    """
    for _ in range(_HOPS):
        found = backend.stat_path(container, path)
        if found is None or not found.link_target:
            return path, found
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), found.link_target))
    raise NotFound(f"copying into container {container}: {path} is a link that leads in a circle", status=404)


def write_file(
    backend: Backend, container: str, path: str, data: str | bytes, *, mode: int, uid: int, gid: int
) -> None:
    """One file from memory."""
    target = container_path("path", path)
    if path.endswith("/"):
        raise InvalidOption("path", path, "the path of a file")
    content = payload("data", data)
    for option, value in (("mode", mode), ("uid", uid), ("gid", gid)):
        if value is None:
            raise InvalidOption(option, value, "a number")
    folder, name = posixpath.split(target)
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(content), int(time.time())
    info.mode = _identity("mode", mode, 0o7777) or 0
    info.uid, info.gid = _identity("uid", uid, 2**32 - 2) or 0, _identity("gid", gid, 2**32 - 2) or 0
    found = backend.stat_path(container, target)
    if found is not None and found.is_dir:
        raise InvalidOption("path", path, "the path of a file; there is a folder")
    backend.put_archive(container, folder, b"".join(tar_stream([(info, io.BytesIO(content))])))


# ---------------------------------------------------------------- out of a container
def read_file(backend: Backend, container: str, path: str) -> bytes:
    """One file into memory; a link is followed."""
    target = container_path("path", path)
    for _ in range(16):
        found, stream = backend.get_archive(container, target)
        with stream, tarfile.open(fileobj=io.BufferedReader(Reader(stream)), mode="r|") as archive:
            for member in archive:
                if member.issym():
                    break
                source = archive.extractfile(member) if member.isreg() else None
                if source is None:
                    raise InvalidOption("path", path, "the path of a file")
                return source.read()
            else:
                raise NotFound(f"no file at {path} in container {container}", status=404)
        target = posixpath.normpath(posixpath.join(posixpath.dirname(target), found.link_target or member.linkname))
    raise NotFound(f"{path} in container {container}: too many links", status=404)


def copy_from_container(backend: Backend, container: str, src: str, dst: str | os.PathLike[str]) -> Path:
    """Into an existing folder under its own name, else as a new name; "folder/." its content."""
    source = container_path("src", src, root=True)
    text = local_path("dst", dst)
    target = Path(text)
    content_only = src.endswith("/.")
    found, stream = backend.get_archive(container, source)
    with stream:
        if target.is_dir():
            place = target if content_only or not found.name.strip("/") else target / posixpath.basename(source)
        elif target.parent.is_dir():
            if target.exists() and found.is_dir:
                raise InvalidOption("dst", dst, f"a folder, since {src} is one; it is a file here")
            if text.endswith("/") and not found.is_dir:
                raise FileNotFoundError(f"copying {src} from container {container}: no folder {dst} here")
            place = target
        else:
            raise FileNotFoundError(f"copying {src} from container {container}: no folder {target.parent} here")
        with tarfile.open(fileobj=io.BufferedReader(Reader(stream)), mode="r|") as archive:
            _extract(archive, place)
    return place


def _extract(archive: tarfile.TarFile, place: Path) -> None:
    """Unpack so that nothing lands outside `place`, whatever the archive says.

    Links are made last: while files are written, no link of the archive's is there to be followed.
    """
    links: list[tuple[Path, tarfile.TarInfo]] = []
    folders: list[tuple[Path, tarfile.TarInfo]] = []
    root: str | None = None
    for member in archive:
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise InvalidImage(f"an entry of the copy leads out of it: {member.name!r}")
        if root is None:
            root = parts[0] if parts else ""
        path = place.joinpath(*(parts[1:] if parts and parts[0] == root else parts))
        if member.isdir():
            path.mkdir(exist_ok=True)
            folders.append((path, member))
        elif member.isreg():
            source = archive.extractfile(member)
            assert source is not None
            with whole_file(path, mode=member.mode & 0o777) as write:
                while piece := source.read(_CHUNK):
                    write(piece)
            os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)
        elif member.issym() or member.islnk():
            links.append((path, member))
        elif member.isfifo():
            os.mkfifo(path, member.mode & 0o777)
        else:
            raise InvalidImage(f"an entry of the copy is a device, which cannot be made here: {member.name!r}")
    for path, member in links:
        path.unlink(missing_ok=True)
        if member.issym():
            os.symlink(member.linkname, path)
        else:
            parts = [part for part in member.linkname.split("/") if part not in ("", ".")]
            if ".." in parts:
                raise InvalidImage(f"a link of the copy leads out of it: {member.linkname!r}")
            first = place.joinpath(*(parts[1:] if parts and parts[0] == root else parts))
            os.link(first, path, follow_symlinks=False)
    for path, member in reversed(folders):
        os.chmod(path, member.mode & 0o777)
        os.utime(path, (member.mtime, member.mtime))


@contextlib.contextmanager
def whole_file(path: Path, *, mode: int) -> Iterator[Callable[[bytes], object]]:
    """Write a file that stands at `path` when all of it is there; else what stood there still does.

    A link there is replaced, not followed. Errors of the disk name the path.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:200]}.", dir=path.parent)

    def write(data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(handle, left) :]
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror, str(path)) from exc

    try:
        try:
            yield write
        finally:
            os.close(handle)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
