"""What a full copy of an image's merged tree takes on disk: the virtual machine way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..oci.layer import FileEntry
from ..oci.tree import Stack, walk

__all__ = ["copy_bytes"]

_BLOCK = 4096
#: A longer link target takes a block of its own on ext4 (Linux, fs/ext4/ext4.h: fast symlinks).
_FAST_LINK = 60
#: A name in a folder: 8 bytes and the name, rounded up to 4; "." and ".." are 12 each (the same, ext4_dir_rec_len).
_NAME, _OWN_NAMES = 8, 24


def copy_bytes(layers: Sequence[Iterable[FileEntry]]) -> int:
    """Bytes in blocks of 4 KiB on a file system like ext4: files rounded up, holes left out, hardlinks once, folders by
    the names in them. Computed from the headers: nothing is copied for it."""
    built = Stack()
    for number, entries in enumerate(layers):
        built.apply(entries, number)
    total = _folder(built.root.children or {})
    seen: set[int] = set()
    for _, node in walk(built):
        entry = node.inode.entry
        if node.children is not None:
            total += _folder(node.children)
        elif entry is None or id(node.inode) in seen:
            continue
        elif entry.type == "file":
            seen.add(id(node.inode))
            total += _blocks(entry.stored)
        elif entry.type == "symlink" and len(entry.link_target) >= _FAST_LINK:
            total += _BLOCK
    return total


def _folder(names: Iterable[str]) -> int:
    return _blocks(_OWN_NAMES + sum(_NAME + len(name.encode("utf-8", "surrogateescape")) + 3 & ~3 for name in names))


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
