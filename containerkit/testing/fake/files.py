"""A file tree in memory: unpack layers, change, compare, pack."""

from __future__ import annotations

import io
import posixpath
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ...backends.base import Change, PathStat
from ...errors import InvalidImage
from ...oci.whiteout import classify

_MOST_LINKS = 40  # the kernel's limit


@dataclass(frozen=True, slots=True)
class File:
    """One entry of a tree.

    Attributes:
        kind: the type of the tar member.
        link: the target of a symlink.
    """

    kind: bytes = tarfile.DIRTYPE
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    data: bytes = b""
    link: str = ""

    @property
    def is_dir(self) -> bool:
        """Return whether this is a directory."""
        return self.kind == tarfile.DIRTYPE

    def member(self, name: str) -> tarfile.TarInfo:
        """Return the entry as a tar member."""
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid = self.kind, self.mode, self.uid, self.gid
        info.mtime, info.linkname, info.size = self.mtime, self.link, len(self.data)
        return info


class Files:
    """A tree: absolute path -> File, with "/" among them."""

    def __init__(self, entries: Mapping[str, File] | None = None) -> None:
        self.entries: dict[str, File] = dict(entries or {"/": File()})

    def copy(self) -> Files:
        """Return an independent copy."""
        return Files(self.entries)

    # ---------------------------------------------------------------- looking
    def resolve(self, path: str, *, last: bool = True) -> str | None:
        """Return the path with its links resolved, the last part's only with `last`; None for a loop."""
        todo = [part for part in path.split("/") if part not in ("", ".")]
        here, links = "/", 0
        while todo:
            part = todo.pop(0)
            if part == "..":
                here = posixpath.dirname(here)
                continue
            there = posixpath.join(here, part)
            found = self.entries.get(there)
            if found is not None and found.kind == tarfile.SYMTYPE and (todo or last):
                links += 1
                if links > _MOST_LINKS:
                    return None
                here = "/" if found.link.startswith("/") else here
                todo = [part for part in found.link.split("/") if part not in ("", ".")] + todo
                continue
            here = there
        return here

    def find(self, path: str, *, last: bool = True) -> tuple[str, File] | None:
        """Return where a path leads and what is there, or None."""
        where = self.resolve(path, last=last or path.endswith(("/", "/.")))
        found = self.entries.get(where) if where else None
        return (where, found) if where and found else None

    def stat(self, path: str) -> PathStat | None:
        """Return the facts of a path as the archive endpoint of engines does: a link is not followed."""
        found = self.find(path, last=False)
        if found is None:
            return None
        where, file = found
        name = posixpath.basename(where) or "/"
        return PathStat(name, len(file.data), file.mode, float(file.mtime), file.is_dir, file.link)

    def below(self, path: str) -> Iterator[str]:
        """Yield what is below a directory, in path order."""
        prefix = path.rstrip("/") + "/"
        return iter(sorted(name for name in self.entries if name.startswith(prefix) and name != "/"))

    # ---------------------------------------------------------------- changing
    def remove(self, path: str) -> None:
        """Remove a path and everything below it."""
        for name in [path, *self.below(path)]:
            self.entries.pop(name, None)

    def put(self, path: str, file: File) -> None:
        """Put an entry at a path; create missing parents."""
        parent = posixpath.dirname(path)
        if parent not in self.entries:
            self.put(parent, File(mtime=int(time.time())))
        before = self.entries.get(path)
        if before is not None and before.is_dir and not file.is_dir:
            self.remove(path)
        self.entries[path] = file

    def unpack(self, data: bytes, folder: str = "/", *, layer: bool = False) -> None:
        """Unpack a tar.

        Args:
            layer: apply whiteouts.

        Raises:
            InvalidImage: the data is no tar.
        """
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                lower = set(self.entries)
                for member in tar:
                    self._take(tar, member, folder, lower if layer else None)
        except (tarfile.TarError, EOFError) as exc:
            if data.strip(b"\0"):
                raise InvalidImage(f"not a tar: {exc}") from exc

    def _take(self, tar: tarfile.TarFile, member: tarfile.TarInfo, folder: str, lower: set[str] | None) -> None:
        name = posixpath.normpath(posixpath.join("/", member.name))
        asked = posixpath.join(folder, name.lstrip("/")).rstrip("/") or "/"
        parent = self.resolve(posixpath.dirname(asked)) or posixpath.dirname(asked)
        path = posixpath.join(parent, posixpath.basename(asked)) if asked != "/" else "/"
        hidden = classify(posixpath.basename(path)) if lower is not None else None
        if hidden is not None and lower is not None:
            kind, word = hidden
            if kind == "whiteout":
                self.remove(posixpath.join(parent, word))
            elif kind == "opaque":
                for below in [name for name in self.below(parent) if name in lower]:
                    self.entries.pop(below, None)
            return
        if lower is not None:
            lower.discard(path)
        if member.islnk():
            first = self.find(posixpath.join(folder, posixpath.normpath(member.linkname).lstrip("/")), last=False)
            if first is None:
                raise InvalidImage(f"{member.name!r} is a link to {member.linkname!r}, which is not there")
            self.put(path, first[1])
            return
        source = tar.extractfile(member) if member.isreg() else None
        self.put(
            path,
            File(
                tarfile.REGTYPE if member.isreg() else member.type,
                member.mode & 0o7777,
                member.uid,
                member.gid,
                int(member.mtime),
                source.read() if source else b"",
                member.linkname if member.issym() else "",
            ),
        )

    # ---------------------------------------------------------------- giving
    def pack(self, path: str = "/", name: str = "") -> bytes:
        """Return a file, or a directory with its content, as a tar under that name."""
        entries = [(path, name)] if name else []
        entries += [(below, posixpath.join(name, below[len(path.rstrip("/")) + 1 :])) for below in self.below(path)]
        return _tar((self.entries[where].member(called), self.entries[where].data) for where, called in entries)

    def changes(self, base: Files) -> tuple[Change, ...]:
        """Return the changes against an earlier tree.

        A directory with a change in it is modified, as engines report it.
        """
        kinds: dict[str, Change] = {}
        for path in sorted(base.entries.keys() | self.entries.keys()):
            before, after = base.entries.get(path), self.entries.get(path)
            if before == after:
                continue
            if after is None and posixpath.dirname(path) not in self.entries:
                continue  # removed with its directory
            kinds[path] = Change(path, "added" if before is None else "deleted" if after is None else "modified")
            parent = posixpath.dirname(path)
            while parent != "/" and parent in self.entries:
                kinds.setdefault(parent, Change(parent, "modified"))
                parent = posixpath.dirname(parent)
        return tuple(kinds[path] for path in sorted(kinds))

    def layer(self, base: Files) -> bytes:
        """Return the changes as the tar of a layer, with whiteouts."""
        members: list[tuple[tarfile.TarInfo, bytes]] = []
        for change in self.changes(base):
            folder, name = posixpath.split(change.path)
            if change.kind == "deleted":
                white = replace(File(), kind=tarfile.REGTYPE, mode=0o644)
                members.append((white.member(posixpath.join(folder, f".wh.{name}").lstrip("/")), b""))
            else:
                file = self.entries[change.path]
                members.append((file.member(change.path.lstrip("/")), file.data))
        return _tar(members)


def _tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
