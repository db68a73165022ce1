"""Size of an image's merged tree, and of a full copy of it on disk, as a virtual machine would need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..oci.layer import FileEntry
from ..oci.tree import Stack, visible_bytes, walk

__all__ = ["merged_bytes"]

_BLOCK = 4096
#: A longer link target takes a block of its own on ext4 (Linux, fs/ext4/ext4.h: fast symlinks).
_FAST_LINK = 60
#: A name in a folder: 8 bytes and the name, rounded up to 4; "." and ".." are 12 each (the same, ext4_dir_rec_len).
_NAME, _OWN_NAMES = 8, 24


def merged_bytes(layers: Sequence[Iterable[FileEntry]]) -> tuple[int, int]:
    """Return (Σ size of the files that a container sees, hard links once; bytes of a full copy on disk).

    A copy is counted in blocks of 4 KiB on a file system like ext4: file sizes rounded up, holes left out, folders by
    the names in them. It is computed from headers; nothing is copied.
    """
    built = Stack()
    for number, entries in enumerate(layers):
        built.apply(entries, number)
    copied = _folder(built.root.children or {})
    linked: set[int] = set()
    for _, node in walk(built.root):
        entry = node.inode.entry
        if node.children is not None:
            copied += _folder(node.children)
        elif entry is None or id(node.inode) in linked:
            continue
        elif entry.type == "file":
            linked.add(id(node.inode))
            copied += _blocks(entry.stored)
        elif entry.type == "symlink" and len(entry.link_target) >= _FAST_LINK:
            copied += _BLOCK
    return visible_bytes(built.root), copied


def _folder(paths: Iterable[str]) -> int:
    names = (path.rpartition("/")[2].encode("utf-8", "surrogateescape") for path in paths)
    return _blocks(_OWN_NAMES + sum(_NAME + len(name) + 3 & ~3 for name in names))


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
