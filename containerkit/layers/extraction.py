"""Write a file or folder of a tree of layers to this machine."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import InvalidOption
from ..oci.layer import FileEntry
from ..oci.problems import invalid
from ..oci.tree import Node, Tree, walk
from ..options import parse_local_path
from ..unpack.placing import place_copy, put
from .contents import Contents

__all__ = ["extract_path"]

_KINDS = {"dir": tarfile.DIRTYPE, "file": tarfile.REGTYPE, "symlink": tarfile.SYMTYPE, "fifo": tarfile.FIFOTYPE}


def extract_path(tree: Tree, contents: Contents | None, path: str, dst: str | os.PathLike[str], label: str) -> Path:
    """Write a file or folder of a tree. See LayerStack.extract.

    Args:
        label: name of the image or layer, for messages.
    """
    if not isinstance(path, str):
        raise InvalidOption("path", path, "a path in the image")
    target = parse_local_path("dst", dst)
    try:
        at, node = tree.locate(path, follow=path.endswith(("/", "/.")))
    except KeyError:
        raise InvalidOption("path", path, f"a path that exists in {label}") from None
    is_dir = node.children is not None
    if path.endswith(("/", "/.")) and not is_dir:
        raise InvalidOption("path", path, f"a folder of {label}")
    name = at.rpartition("/")[2]
    place = place_copy(
        target,
        name,
        source=path,
        is_dir=is_dir,
        content_only=path.endswith("/."),
        action=f"extracting {path} of {label}",
    )
    return put(_Members(at, node, contents), place, target)


class _Members:
    """A part of a tree as the members of an archive: folders first, then files layer by layer, then links.

    Args:
        at: path of the part, "" for the root.
        node: the part.
    """

    def __init__(self, at: str, node: Node, contents: Contents | None) -> None:
        self._contents = contents
        self._folders: list[tarfile.TarInfo] = []
        self._files: dict[int, dict[str, tuple[FileEntry, str]]] = {}
        self._links: list[tarfile.TarInfo] = []
        self._chunks: Iterator[bytes] = iter(())
        self._empty: list[tarfile.TarInfo] = []
        names: dict[int, str] = {}
        problems: list[str] = []
        for path, one in ((at, node), *walk(node)):
            name = "root" + path[len(at) :]
            entry = one.inode.entry or FileEntry(path or "/", "dir", mode=0o755)
            if id(one.inode) in names and one.children is None:
                self._links.append(_info(name, entry, tarfile.LNKTYPE, names[id(one.inode)]))
                continue
            names[id(one.inode)] = name
            if entry.type == "hardlink":
                problems.append(f"{path}: a hard link to {entry.link_target}, which is not there")
            elif entry.type not in _KINDS:
                problems.append(f"{path}: a {entry.type} device, which cannot be made here")
            elif entry.type == "dir":
                self._folders.append(_info(name, entry))
            elif entry.type == "file" and entry.size:
                self._files.setdefault(one.inode.layer, {})[entry.path] = (entry, name)
            else:
                # A hard link may lead to a symlink, so these come first.
                self._empty.append(_info(name, entry, target=entry.link_target if entry.type == "symlink" else ""))
        if problems:
            raise invalid("cannot be extracted", problems)

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        yield from self._folders
        for layer, files in self._files.items():
            missing = dict(files)
            assert self._contents is not None
            for path, chunks in self._contents.files_data(layer, [entry for entry, _ in files.values()]):
                entry, name = files[path]
                self._chunks = chunks
                missing.pop(path, None)
                yield _info(name, entry)
            if missing:
                raise invalid(
                    "unreadable file", [f"layer {layer}: {path} is not in its tar any more" for path in missing]
                )
        self._chunks = iter(())
        yield from self._empty
        yield from self._links

    def extractfile(self, member: tarfile.TarInfo, /) -> _Members:
        """Return the reader of the current member's bytes."""
        return self

    def read(self, size: int, /) -> bytes:
        """Return the next piece of the current file, of any size."""
        return next((chunk for chunk in self._chunks if chunk), b"")


def _info(name: str, entry: FileEntry, kind: bytes = b"", target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind or _KINDS[entry.type]
    info.size, info.mode, info.mtime, info.linkname = entry.size, entry.mode, entry.mtime, target
    return info
