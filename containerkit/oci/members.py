"""The files inside an image archive, by name: a tar or a folder, never unpacked.

Names and links come from strangers. A name that is absolute or climbs, and a link that leaves the archive or runs in a
circle, is a breach; nothing is ever written, and nothing outside the archive is ever opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .problems import Limits
from .sources import FileSource
from .tar import scan

__all__ = ["Extent", "FolderMembers", "Members", "TarMembers", "safe_name"]

_HOPS = 40  # what the kernel allows for symlinks


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of bytes in a file. Opened anew for each reading, so nothing has to be closed and nothing keeps a file open.

    Attributes:
        stamp: (device, inode, size, mtime in ns) of the file when it was indexed; another file in its place is noticed.
        keeper: what keeps a temporary file alive.
    """

    path: str
    offset: int
    size: int
    stamp: tuple[int, int, int, int]
    keeper: object = field(default=None, repr=False, compare=False)

    @contextmanager
    def open(self) -> Iterator[FileSource]:
        """A source over the bytes.

        Raises:
            ValueError: the file has changed since it was indexed.
            OSError: it cannot be opened.
        """
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _stamp(os.fstat(fd)) != self.stamp:
                raise ValueError(f"{self.path} has changed since it was opened")
            yield FileSource(fd, self.offset, self.size)
        finally:
            os.close(fd)

    def read(self) -> bytes:
        """All of it."""
        with self.open() as source:
            return b"".join(source.chunks())


class Members(Protocol):
    """What an archive holds. ``problems`` lists the breaches found so far."""

    problems: list[str]

    def __contains__(self, name: str) -> bool: ...
    def find(self, name: str) -> Extent | str: ...


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def safe_name(name: str) -> str | None:
    """``name`` without ``.`` and doubled slashes; None if it is absolute, empty or climbs."""
    parts = [part for part in name.split("/") if part and part != "."]
    if name.startswith("/") or ".." in parts or "\0" in name or not parts:
        return None
    return "/".join(parts)


def _join(folder: str, target: str) -> str | None:
    """Where a relative link leads; None if it is absolute or climbs out."""
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


class TarMembers:
    """The members of a tar file, indexed once by their headers."""

    def __init__(self, path: str, *, limits: Limits, keeper: object = None) -> None:
        self.problems: list[str] = []
        self._files: dict[str, Extent] = {}
        self._links: dict[str, str | None] = {}
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(fd)
            stamp = _stamp(status)
            if status.st_size == 0:
                self.problems.append("the file is empty")
            source = FileSource(fd, 0, status.st_size)
            count = 0
            for member in scan(source, self.problems):
                count += 1
                if count >= limits.entries:
                    self.problems.append(f"{limits.entries} members or more")
                    break
                name = safe_name(member.name)
                if name is None:
                    if member.kind != "dir" or member.name.strip("./"):
                        self.problems.append(f"member {member.name!r} lies outside the archive")
                    continue
                self._files.pop(name, None)
                self._links.pop(name, None)
                if member.kind == "file":
                    self._files[name] = Extent(path, member.offset, member.stored, stamp, keeper)
                elif member.kind == "symlink":
                    self._link(name, _join(name.rpartition("/")[0], member.link), member.link)
                elif member.kind == "hardlink":
                    self._link(name, safe_name(member.link), member.link)
        finally:
            os.close(fd)

    def _link(self, name: str, target: str | None, written: str) -> None:
        if target is None:
            self.problems.append(f"link {name!r} -> {written!r} leaves the archive")
        self._links[name] = target

    def __contains__(self, name: str) -> bool:
        return name in self._files or name in self._links

    def find(self, name: str) -> Extent | str:
        """The bytes of a member, links followed; or in words why there are none."""
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


class FolderMembers:
    """The files of a folder: an unpacked archive, or an OCI layout as tools keep it on disk."""

    def __init__(self, path: str) -> None:
        self.problems: list[str] = []
        self._root = Path(path).resolve()

    def __contains__(self, name: str) -> bool:
        return isinstance(self.find(name), Extent)

    def find(self, name: str) -> Extent | str:
        """The file of that name, links followed inside the folder; or in words why there is none."""
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
