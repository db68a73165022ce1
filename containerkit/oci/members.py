"""Look up the files inside an image archive by name: in a tar or a folder, never unpacked.

Names and links are untrusted. A name that is absolute or leads upwards, and a link that leaves the archive or runs in a
circle, is a violation. Nothing is ever written, and nothing outside the archive is ever opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .problems import Limits
from .sources import FileSource, Source
from .tar import Member, scan

__all__ = ["Absent", "Blob", "Catalog", "Extent", "FolderMembers", "Members", "index_tar", "safe_name"]

_HOPS = 40  # the kernel's limit for symlinks


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of bytes in a file. The file is opened for each reading, so no descriptor stays open.

    Attributes:
        stamp: (device, inode, size, mtime in ns) of the file when it was indexed; detects a replaced file.
        keeper: object that keeps a temporary file alive.
    """

    path: str
    offset: int
    size: int
    stamp: tuple[int, int, int, int]
    keeper: object = field(default=None, repr=False, compare=False)

    @classmethod
    def whole(cls, path: str | os.PathLike[str]) -> Extent:
        """Return the extent of a whole file. Raises OSError."""
        status = os.stat(path)
        return cls(os.fspath(path), 0, status.st_size, _stamp(status))

    @contextmanager
    def open(self) -> Iterator[FileSource]:
        """Open a source over the bytes.

        Raises:
            ValueError: the file has changed since it was indexed.
            OSError: the file cannot be opened.
        """
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _stamp(os.fstat(fd)) != self.stamp:
                raise ValueError(f"{self.path} has changed since it was opened")
            yield FileSource(fd, self.offset, self.size)
        finally:
            os.close(fd)

    def read(self) -> bytes:
        """Read all of the bytes."""
        with self.open() as source:
            return b"".join(source.chunks())


@dataclass(frozen=True, slots=True)
class Absent:
    """Bytes that the archive does not hold, though it states their size: those of a foreign layer.

    Attributes:
        reason: text of the error of whoever reads them.
    """

    size: int
    reason: str

    def open(self) -> AbstractContextManager[Source]:
        """Raise ValueError with the reason."""
        raise ValueError(self.reason)

    def read(self) -> bytes:
        """Raise ValueError with the reason."""
        raise ValueError(self.reason)


class Blob(Protocol):
    """Bytes that can be read again: a run of a file, or a document held in memory."""

    @property
    def size(self) -> int: ...
    def open(self) -> AbstractContextManager[Source]: ...
    def read(self) -> bytes: ...


class Members(Protocol):
    """The contents of an archive. ``problems`` lists the violations found so far."""

    problems: list[str]

    def __contains__(self, name: str) -> bool: ...
    def find(self, name: str) -> Blob | str: ...


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def safe_name(name: str) -> str | None:
    """Return a name without ``.`` and doubled slashes; None if it is absolute, empty, or leads upwards."""
    parts = [part for part in name.split("/") if part and part != "."]
    if name.startswith("/") or ".." in parts or "\0" in name or not parts:
        return None
    return "/".join(parts)


def _join(folder: str, target: str) -> str | None:
    """Return the target of a relative link; None if it is absolute or leads out of the archive."""
    if target.startswith("/"):
        return None
    parts: list[str] = [part for part in folder.split("/") if part]
    for part in target.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part and part != ".":
            parts.append(part)
    return "/".join(parts) or None


class Catalog:
    """The members of a tar by name, with their links.

    Attributes:
        whole: the tar itself, if it is a file.
    """

    def __init__(self, limits: Limits, whole: Extent | None = None) -> None:
        self.whole = whole
        self.problems: list[str] = []
        self._limit = limits.entries
        self._count = 0
        self._files: dict[str, Blob] = {}
        self._links: dict[str, str | None] = {}

    def name_of(self, member: Member) -> str | None:
        """Count a member and return its name; None, with a problem noted, if the name has no place in an archive."""
        self._count += 1
        if self._count == self._limit:
            self.problems.append(f"{self._limit} members or more")
        name = safe_name(member.name)
        if name is None and (member.kind != "dir" or member.name.strip("./")):
            self.problems.append(f"member {member.name!r} lies outside the archive")
        return name

    @property
    def full(self) -> bool:
        """True once the limit of members is reached."""
        return self._count >= self._limit

    def add(self, name: str, blob: Blob) -> None:
        """Add a file. Of two files with one name the later one counts, as when unpacked."""
        self._links.pop(name, None)
        self._files[name] = blob

    def add_link(self, name: str, member: Member) -> None:
        """Add a symlink or hard link; note one that leads out of the archive."""
        soft = member.kind == "symlink"
        target = _join(name.rpartition("/")[0], member.link) if soft else safe_name(member.link)
        if target is None:
            self.problems.append(f"link {name!r} -> {member.link!r} leaves the archive")
        self._files.pop(name, None)
        self._links[name] = target

    def __contains__(self, name: str) -> bool:
        return name in self._files or name in self._links

    def folders(self) -> set[str]:
        """Return the names of the folders at the top."""
        return {name.partition("/")[0] for name in (*self._files, *self._links) if "/" in name}

    def find(self, name: str) -> Blob | str:
        """Return the bytes of a member, with links followed, or the reason why there are none."""
        at: str | None = safe_name(name)
        if at is None:
            return f"{name!r} lies outside the archive"
        for _ in range(_HOPS):
            if at in self._files:
                return self._files[at]
            if at not in self._links:
                return f"{name!r} is missing" + (f" (it leads to {at!r})" if at != name else "")
            at = self._links[at]
            if at is None:
                return f"{name!r} leads out of the archive"
        return f"{name!r} is a link that runs in a circle"


def index_tar(path: str, *, limits: Limits, keeper: object = None) -> Catalog:
    """Index the members of a tar file by its headers alone."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        stamp = _stamp(status)
        catalog = Catalog(limits, Extent(path, 0, status.st_size, stamp, keeper))
        if status.st_size == 0:
            catalog.problems.append("the file is empty")
        for member in scan(FileSource(fd, 0, status.st_size), catalog.problems):
            name = catalog.name_of(member)
            if catalog.full:
                break
            if name is not None and member.kind == "file":
                catalog.add(name, Extent(path, member.offset, member.stored, stamp, keeper))
            elif name is not None and member.kind in ("symlink", "hardlink"):
                catalog.add_link(name, member)
    finally:
        os.close(fd)
    return catalog


class FolderMembers:
    """The files of a folder: an unpacked archive, or an OCI layout on disk."""

    def __init__(self, path: str) -> None:
        self.problems: list[str] = []
        self._root = Path(path).resolve()

    def __contains__(self, name: str) -> bool:
        return not isinstance(self.find(name), str)

    def find(self, name: str) -> Blob | str:
        """Return the file of that name, with links followed inside the folder, or the reason why there is none."""
        clean = safe_name(name)
        if clean is None:
            return f"{name!r} lies outside the archive"
        try:
            path = (self._root / clean).resolve(strict=True)
            if not path.is_relative_to(self._root):
                return f"{name!r} leads out of the archive"
            status = path.stat()
        except FileNotFoundError:
            return f"{name!r} is missing"
        except (OSError, RuntimeError) as exc:  # RuntimeError: a circle of links, before Python 3.13
            return f"{name!r} is a link that runs in a circle, or unreadable ({exc})"
        if not stat.S_ISREG(status.st_mode):
            return f"{name!r} is not a file"
        return Extent(str(path), 0, status.st_size, _stamp(status))
