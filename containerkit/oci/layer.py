"""The entries of one layer: what its tar states about every path, with whiteouts recognised.

A layer's tar is a change and not a tree: a path may come twice, parents may be missing, and ``.wh.`` names remove.
``tree`` applies a layer to the layers below it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from .digest import sha256_of
from .problems import Limits
from .sources import Source
from .tar import Member, scan
from .whiteout import classify

__all__ = [
    "Entries",
    "FileEntry",
    "FileType",
    "LayerContents",
    "clean_path",
    "climbs",
    "content_bytes",
    "file_bytes",
    "files_data",
    "hash_files",
    "printable",
    "read_layer",
]

FileType = Literal[
    "file", "hardlink", "symlink", "char", "block", "dir", "fifo", "unknown", "whiteout", "opaque", "aufs"
]


class FileEntry(msgspec.Struct, frozen=True, gc=False):
    """One path in a layer.

    Attributes:
        path: absolute, as inside a container. For a whiteout the hidden path; for an opaque whiteout its folder.
        type: ``whiteout`` and ``opaque`` remove; ``aufs`` is metadata that engines skip; the others create or replace.
        size: bytes as stated by the header; for a sparse file including its holes. 0 for most types but files.
        mode: permission bits with setuid, setgid and sticky.
        mtime: seconds since 1970.
        link_target: target of a symlink as written; absolute path of a hard link's first name; else empty.
        device: (major, minor) of a device.
        content_id: identifies the content: equal IDs mean equal bytes. None if the reader saw no content.
        stored: bytes in the tar; less than ``size`` for a sparse file, 0 for links.
        xattrs: (name, value) of extended attributes.
    """

    path: str
    type: FileType
    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    link_target: str = ""
    device: tuple[int, int] | None = None
    content_id: str | None = None
    stored: int = 0
    xattrs: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; ``mode`` is octal, bytes that are no UTF-8 are ``\\udcXX``."""
        return {
            "path": printable(self.path),
            "type": self.type,
            "size": self.size,
            "mode": f"{self.mode:04o}",
            "uid": self.uid,
            "gid": self.gid,
            "mtime": self.mtime,
            "link_target": printable(self.link_target),
            "device": list(self.device) if self.device else None,
            "content_id": self.content_id,
            "xattrs": dict(self.xattrs),
        }

    def __repr__(self) -> str:
        arrow = f" -> {self.link_target}" if self.link_target else ""
        name = printable(self.path + arrow)
        return f"<FileEntry {name} {self.type} {self.mode:04o} {self.uid}:{self.gid} {self.size} bytes>"


def printable(path: str) -> str:
    """Return a name of any bytes with the lone surrogates, which stand for bytes that are no UTF-8, escaped."""
    return path.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class LayerContents:
    """The contents of one layer.

    Attributes:
        entries: in the order of the tar.
        tar_bytes: length of the uncompressed tar, its padding included.
        problems: violations that make the contents unsafe or incomplete; the caller raises them.
        remarks: violations that an engine accepts; only ``verify`` reports them.
        diff_id: digest of the tar, when it was computed on the way.
    """

    entries: tuple[FileEntry, ...] = field(repr=False)
    tar_bytes: int
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    diff_id: str | None = None

    @property
    def content_bytes(self) -> int:
        """Return the bytes of the regular files that this layer leaves on disk: see ``content_bytes``."""
        return content_bytes(self.entries)


def content_bytes(entries: Iterable[FileEntry]) -> int:
    """Return Σ size of regular files: hardlinks count once, symlinks 0, a path that comes twice as it came last."""
    sizes: dict[str, int] = {}
    total = 0
    linked: set[str] = set()
    for entry in entries:
        kind = entry.type
        if kind == "whiteout" or kind == "opaque" or kind == "aufs":
            continue
        path = entry.path
        if path in sizes and path not in linked:
            total -= sizes[path]
        if kind == "file":
            sizes[path] = entry.size
            total += entry.size
        elif path in sizes:
            sizes[path] = 0
        if kind == "hardlink":
            linked.add(entry.link_target)
    return total


def clean_path(name: str) -> str:
    """Return ``name`` as an absolute path, as engines join it to the root; ``..`` at the root stays there."""
    parts = [part for part in name.split("/") if part and part != "."]
    if ".." in parts:
        kept: list[str] = []
        for part in parts:
            if part != "..":
                kept.append(part)
            elif kept:
                kept.pop()
        parts = kept
    return "/" + "/".join(parts)


def climbs(name: str) -> bool:
    """Return whether a path leads out of the root that it is joined to."""
    depth = 0
    for part in name.split("/"):
        if part == "..":
            depth -= 1
            if depth < 0:
                return True
        elif part and part != ".":
            depth += 1
    return False


class Entries:
    """The entries of one layer, collected from tar members by every reader in the same way.

    Attributes:
        entries: in the order of the tar.
        problems: violations that make the contents unsafe or incomplete.
        remarks: violations that an engine accepts.
    """

    def __init__(self, limits: Limits) -> None:
        self.entries: list[FileEntry] = []
        self.problems: list[str] = []
        self.remarks: list[str] = []
        self._limit = limits.entries
        self._links: dict[str, str] = {}

    def add(self, member: Member, content_id: str | None = None) -> bool:
        """Add the entry that a member stands for. Return False if there are more entries than the limit allows."""
        if len(self.entries) + 1 >= self._limit:
            self.problems.append(f"{self._limit} entries or more")
            self.entries.clear()
            return False
        entry = _entry_of(member, self.problems, self.remarks, content_id)
        if entry is not None:
            self.entries.append(entry)
            if entry.type == "symlink":
                self._links[entry.path] = entry.link_target
            if self._links:
                _note_crossing(entry.path, self._links, self.remarks)
        return True

    def contents(self, tar_bytes: int) -> LayerContents:
        """Return what was collected."""
        return LayerContents(tuple(self.entries), tar_bytes, tuple(self.problems), tuple(self.remarks))


def _entry_of(member: Member, problems: list[str], remarks: list[str], content_id: str | None) -> FileEntry | None:
    """Return the entry that a tar member stands for; None if it has no place in a tree."""
    if member.kind == "global":
        return None
    path = clean_path(member.name)
    if "\0" in path:
        problems.append(f"entry {member.name!r} has a NUL in its name")
        return None
    if ".." in member.name and climbs(member.name):
        remarks.append(f"entry {member.name!r} climbs out of the root")
    if member.name.startswith("/"):
        remarks.append(f"entry {member.name!r} is absolute")
    kind: FileType = member.kind
    if "/.wh." in path:
        folder, _, name = path.rpartition("/")
        found = classify(name)
        if found is not None:
            meaning, hidden = found
            if meaning == "invalid":
                problems.append(f"entry {member.name!r} is a whiteout of {hidden or 'nothing'!r}")
                return None
            kind = meaning
            if meaning == "whiteout":
                path = f"{folder}/{hidden}"
            elif meaning == "opaque":
                path = folder or "/"
    link = member.link
    if kind == "hardlink":
        if ".." in link and climbs(link):
            remarks.append(f"hardlink {member.name!r} -> {link!r} climbs out of the root")
        link = clean_path(link)
    elif kind != "symlink":
        link = ""
    return FileEntry(
        path,
        kind,
        member.size,
        member.mode & 0o7777,
        member.uid,
        member.gid,
        member.mtime,
        link,
        member.device,
        content_id,
        member.stored,
        member.xattrs,
    )


def hash_files(source: Source, entries: Iterable[FileEntry]) -> dict[str, str]:
    """Return path -> ``sha256:`` digest of the content of these files of one layer.

    A sparse file is hashed as stored, without its holes. A path that comes twice has the digest of its last content.

    Args:
        source: the layer's uncompressed tar, at its start.
    """
    wanted = {entry.path for entry in entries if entry.type == "file"}
    found: dict[str, str] = {}
    for member in scan(source, []):
        path = clean_path(member.name) if member.kind == "file" else None
        if path in wanted:
            found[path] = sha256_of(source.chunks(member.stored))[0]
    return found


def file_bytes(source: Source, path: str) -> bytes | None:
    """Return the content of a file of one layer as its tar stores it; None if there is no such file.

    Args:
        source: the layer's uncompressed tar, at its start.
    """
    found: bytes | None = None
    for member in scan(source, []):
        if clean_path(member.name) == path:
            found = b"".join(source.chunks(member.stored)) if member.kind == "file" else None
    return found


def files_data(source: Source, paths: Collection[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield (path, chunks of the content as stored) of files of one layer, in the order of its tar.

    Each must be read before the next. A path that comes twice is yielded twice; the last counts.

    Args:
        source: the layer's uncompressed tar, at its start.
    """
    for member in scan(source, []):
        path = clean_path(member.name) if member.kind == "file" else None
        if path is not None and path in paths:
            yield path, source.chunks(member.stored)


def read_layer(source: Source, *, limits: Limits | None = None, content_ids: bool = False) -> LayerContents:
    """Read all headers of a layer's uncompressed tar, to its very end.

    With ``content_ids`` the payload is read too, and each file's ``content_id`` is the SHA-256 of its bytes.

    Violations are in the result's ``problems`` and ``remarks``. Only reading errors of the source are raised.
    """
    limits = limits or Limits()
    found = Entries(limits)
    for member in scan(source, found.problems, found.remarks):
        content_id = sha256_of(source.chunks(member.stored))[0] if content_ids and member.stored else None
        if not found.add(member, content_id):
            return found.contents(source.position)
    _drain(source, limits, found.problems)
    return found.contents(source.position)


def _note_crossing(path: str, links: dict[str, str], remarks: list[str]) -> None:
    """Note an entry behind a symlink of its own layer that leaves the tree."""
    folder = path.rpartition("/")[0]
    while folder:
        target = links.get(folder)
        if target is not None and (target.startswith("/") or climbs(f"{folder.rpartition('/')[0]}/{target}")):
            remarks.append(f"entry {path!r} lies behind the symlink {folder!r} -> {target!r}")
            return
        folder = folder.rpartition("/")[0]


def _drain(source: Source, limits: Limits, problems: list[str]) -> None:
    """Read to the end of the source, so that its length is known and a digest is complete."""
    if problems:  # unreadable from here on: what follows is not padding
        while source.skip(1 << 30):
            pass
        return
    before = source.position
    while source.skip(1 << 30):
        pass
    if source.position - before > limits.padding_bytes:
        problems.append(f"{source.position - before} bytes after the end of the tar")
