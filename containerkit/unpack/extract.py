"""Extract an archive that a container or an image gave, so that nothing is written outside of the target.

The archive is unpacked into a private folder beside the target, and moved to its place when it is complete. Every
folder is opened relative to its parent without following symbolic links, so neither a link in the archive nor a link
that an earlier copy left in the target leads anywhere else.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ..errors import InvalidImage
from .staging import open_folder, staged_folder, whole_file

_CHUNK = 1 << 20


class Data(Protocol):
    """Bytes of a file, read in pieces."""

    def read(self, size: int, /) -> bytes:
        """Return the next piece, b"" at the end."""


class Archive(Protocol):
    """The members of an archive, in an order in which each folder and link target comes first, as TarFile has them."""

    def __iter__(self) -> Iterator[tarfile.TarInfo]: ...

    def extractfile(self, member: tarfile.TarInfo, /) -> Data | None:
        """Return the bytes of the member that was returned last."""


def extract(archive: Archive, parent: Path, name: str) -> None:
    """Extract an archive of one file or folder to parent/name; an existing folder is merged.

    Args:
        archive: the open archive; its first member is the root.
        parent: an existing folder; links on the way to it are the caller's own and are followed.
        name: name of the copy in it; "" merges the archive's root into `parent` itself.

    Raises:
        InvalidImage: a member that leads outside, leads through a link, or is a device.
        OSError: naming the path.
    """
    parent_fd = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with staged_folder(parent_fd, name or parent.name) as staging:
            folders = _unpack(archive, staging, parent / name)
            with _full_paths(parent):
                if name:
                    _merge(staging, "root", parent_fd, name)
                else:
                    _merge_content(staging, "root", parent_fd)
                for parts, member in reversed(folders):
                    _finish_folder(parent_fd, (name, *parts) if name else parts, member)
    finally:
        os.close(parent_fd)


@contextlib.contextmanager
def _full_paths(parent: Path) -> Iterator[None]:
    """Replace the relative path of an OSError by a full one."""
    try:
        yield
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, str(parent / str(exc.filename2 or exc.filename or ""))) from exc


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Make an OSError name the path."""
    try:
        yield
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, str(path)) from exc


def _parts(name: str, what: str) -> tuple[str, ...]:
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise InvalidImage(f"{what} leads out of the copy: {name!r}")
    return parts


def _unpack(archive: Archive, staging: int, place: Path) -> list[tuple[tuple[str, ...], tarfile.TarInfo]]:
    """Unpack every member below staging/root; return the folders, whose modes and times are set at the end.

    An OSError names the path that the member would have had below `place`.
    """
    folders: list[tuple[tuple[str, ...], tarfile.TarInfo]] = []
    root: str | None = None

    def relative(name: str, what: str) -> tuple[str, ...]:
        parts = _parts(name, what)
        return parts[1:] if parts and parts[0] == root else parts

    for member in archive:
        parts = _parts(member.name, "an entry")
        if root is None:
            root = parts[0] if parts else ""
        parts = relative(member.name, "an entry")
        with _named(place.joinpath(*parts)), _folder_of(staging, ("root", *parts), member.name) as (folder, name):
            if member.isdir():
                folders.append((parts, member))
                _make_folder(folder, name)
            elif member.isreg():
                source = archive.extractfile(member)
                assert source is not None
                with whole_file(Path(name), mode=member.mode & 0o777, dir_fd=folder) as write:
                    while piece := source.read(_CHUNK):
                        write(piece)
                os.utime(name, (member.mtime, member.mtime), dir_fd=folder, follow_symlinks=False)
            elif member.issym():
                _unlink(folder, name)
                os.symlink(member.linkname, name, dir_fd=folder)
            elif member.islnk():
                target = ("root", *relative(member.linkname, "a link"))
                with _folder_of(staging, target, member.linkname) as (other, first):
                    _unlink(folder, name)
                    os.link(first, name, src_dir_fd=other, dst_dir_fd=folder, follow_symlinks=False)
            elif member.isfifo():
                _unlink(folder, name)
                os.mkfifo(name, member.mode & 0o777, dir_fd=folder)
            else:
                raise InvalidImage(f"an entry of the copy is a device, which cannot be made here: {member.name!r}")
    return folders


@contextlib.contextmanager
def _folder_of(base: int, parts: tuple[str, ...], member: str) -> Iterator[tuple[int, str]]:
    """Yield (descriptor of the folder, name) of a path below `base`, without following links."""
    folder = os.dup(base)
    try:
        for part in parts[:-1]:
            try:
                inner = open_folder(part, dir_fd=folder)
            except OSError as exc:
                raise InvalidImage(f"an entry of the copy leads through a link or a file: {member!r}") from exc
            os.close(folder)
            folder = inner
        yield folder, parts[-1]
    finally:
        os.close(folder)


def _make_folder(folder: int, name: str) -> None:
    """Make a folder, also in the place of a link."""
    try:
        os.mkdir(name, 0o700, dir_fd=folder)
    except FileExistsError:
        if not stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.close(open_folder(name, dir_fd=folder))
            return
        os.unlink(name, dir_fd=folder)
        os.mkdir(name, 0o700, dir_fd=folder)


def _unlink(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _merge(source: int, name: str, target: int, new: str) -> None:
    """Move a file or folder to its place; a folder into an existing one entry by entry. Links are replaced."""
    moved = os.stat(name, dir_fd=source, follow_symlinks=False)
    try:
        standing = os.stat(new, dir_fd=target, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(name, new, src_dir_fd=source, dst_dir_fd=target)
        return
    if not stat.S_ISDIR(moved.st_mode):
        os.replace(name, new, src_dir_fd=source, dst_dir_fd=target)
        return
    if stat.S_ISLNK(standing.st_mode):
        os.unlink(new, dir_fd=target)
        os.rename(name, new, src_dir_fd=source, dst_dir_fd=target)
        return
    inner = open_folder(new, dir_fd=target)
    try:
        _merge_content(source, name, inner)
    finally:
        os.close(inner)


def _merge_content(source: int, name: str, target: int) -> None:
    """Move everything in a folder into another folder."""
    folder = open_folder(name, dir_fd=source)
    try:
        for entry in sorted(os.listdir(folder)):
            _merge(folder, entry, target, entry)
    finally:
        os.close(folder)


def _finish_folder(parent: int, parts: tuple[str, ...], member: tarfile.TarInfo) -> None:
    with _folder_of(parent, (*parts, ""), member.name) as (folder, _):
        os.fchmod(folder, member.mode & 0o777)
        os.utime(folder, (member.mtime, member.mtime))
