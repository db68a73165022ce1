"""Read the entries of one layer: what its tar says about every path, with whiteouts resolved.

A layer's tar is a change, not a tree: a path may occur twice, parents may be missing, and ``.wh.`` names remove. Its
effect on top of other layers is in :mod:`containerkit.oci.tree`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from containerkit.oci.digest import sha256_of
from containerkit.oci.problems import Limits
from containerkit.oci.sources import Source
from containerkit.oci.tar import Member, scan
from containerkit.oci.whiteout import classify

__all__ = [
    "FileEntry",
    "FileType",
    "LayerContents",
    "clean_path",
    "content_bytes",
    "entry_of",
    "hash_files",
    "printable",
    "read_layer",
]

FileType = Literal[
    "file", "hardlink", "symlink", "char", "block", "dir", "fifo", "unknown", "whiteout", "opaque", "aufs"
]


class FileEntry(msgspec.Struct, frozen=True, gc=False):
    """What a layer says about one path.

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
        """Last component of the path."""
        return self.path.rpartition("/")[2]

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON-ready types: ``mode`` in octal, bytes that are not UTF-8 as ``\\udcXX``."""
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
    """Return a file name with every byte that is not UTF-8 escaped instead of held in a lone surrogate."""
    return path.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class LayerContents:
    """The contents of one layer.

    Attributes:
        entries: in the order of the tar.
        tar_bytes: length of the uncompressed tar with its padding.
        problems: every violation that makes the contents unsafe or incomplete; the caller raises them.
        remarks: oddities that an engine accepts; violations only for ``verify``.
        diff_id: digest of the tar, if it was computed while reading.
    """

    entries: tuple[FileEntry, ...] = field(repr=False)
    tar_bytes: int
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    diff_id: str | None = None

    @property
    def content_bytes(self) -> int:
        """Bytes of regular files that this layer leaves on disk (see ``content_bytes``)."""
        return content_bytes(self.entries)


def content_bytes(entries: Iterable[FileEntry]) -> int:
    """Return Σ size of regular files in bytes: hard links once, symlinks 0, a repeated path as it occurs last."""
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


def clean_path(name: str) -> str | None:
    """Return a name as an absolute path, joined to the root as engines do; None if it leads out of the root."""
    parts = [part for part in name.split("/") if part and part != "."]
    if ".." in parts:
        kept: list[str] = []
        for part in parts:
            if part != "..":
                kept.append(part)
            elif kept:
                kept.pop()
            else:
                return None
        parts = kept
    return "/" + "/".join(parts)


def entry_of(member: Member, problems: list[str], content_id: str | None = None) -> FileEntry | None:
    """Return the entry for a tar member; None, with a problem noted, if it has no place in a tree."""
    path = clean_path(member.name)
    if path is None or "\0" in path:
        problems.append(f"entry {member.name!r} climbs out of the root")
        return None
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
        target = clean_path(link)
        if target is None:
            problems.append(f"hardlink {member.name!r} -> {link!r} climbs out of the root")
            return None
        link = target
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

    For a sparse file the digest is that of its data as stored; for a repeated path, of its last content.

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


def read_layer(source: Source, *, limits: Limits | None = None, content_ids: bool = False) -> LayerContents:
    """Read all headers of a layer's uncompressed tar, to its very end.

    With ``content_ids`` the payload is read too, and each file's ``content_id`` is the SHA-256 of its bytes.

    Violations are collected in ``problems`` and not raised. Errors of reading the source are raised.
    """
    limits = limits or Limits()
    problems: list[str] = []
    remarks: list[str] = []
    entries: list[FileEntry] = []
    links: dict[str, str] = {}
    for member in scan(source, problems):
        if len(entries) + 1 >= limits.entries:
            problems.append(f"{limits.entries} entries or more")
            return LayerContents((), source.position, tuple(problems), tuple(remarks))
        content_id = sha256_of(source.chunks(member.stored))[0] if content_ids and member.stored else None
        entry = entry_of(member, problems, content_id)
        if entry is None:
            continue
        entries.append(entry)
        if member.name.startswith("/"):
            remarks.append(f"entry {member.name!r} is absolute")
        if entry.type == "symlink":
            links[entry.path] = entry.link_target
        if links:
            _note_crossing(entry.path, links, remarks)
    _drain(source, limits, problems)
    return LayerContents(tuple(entries), source.position, tuple(problems), tuple(remarks))


def _note_crossing(path: str, links: dict[str, str], remarks: list[str]) -> None:
    """Note an entry behind a symlink of its own layer that leads out of the tree."""
    folder = path.rpartition("/")[0]
    while folder:
        target = links.get(folder)
        if target is not None and (
            target.startswith("/") or clean_path(f"{folder.rpartition('/')[0]}/{target}") is None
        ):
            remarks.append(f"entry {path!r} lies behind the symlink {folder!r} -> {target!r}")
            return
        folder = folder.rpartition("/")[0]


def _drain(source: Source, limits: Limits, problems: list[str]) -> None:
    """Read the source to its end, so that its length is known and a digest on the way is complete."""
    if problems:  # from here on unreadable, so what follows is not padding
        while source.skip(1 << 30):
            pass
        return
    before = source.position
    while source.skip(1 << 30):
        pass
    if source.position - before > limits.padding_bytes:
        problems.append(f"{source.position - before} bytes after the end of the tar")
