"""Measure merged trees of images, and a full copy of each on disk, as a virtual machine would need."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from ..oci.layer import FileEntry
from ..oci.tree import Node, Stack

__all__ = ["Copies"]

_BLOCK = 4096
#: A longer link target takes a block of its own on ext4 (Linux, fs/ext4/ext4.h: fast symlinks).
_FAST_LINK = 60
#: A name in a folder: 8 bytes and the name, rounded up to 4; "." and ".." are 12 each (the same, ext4_dir_rec_len).
_NAME, _OWN_NAMES = 8, 24


class Copies:
    """The merged trees of many images, one after the other: layers that two images share below are stacked once.

    A copy is counted in blocks of 4 KiB on a file system like ext4: file sizes rounded up, holes left out, folders by
    the names in them. It is computed from headers; nothing is copied. Images sorted by chain IDs are fastest.
    """

    def __init__(self) -> None:
        self._stack = Stack(watch=self._watch)
        self._frames: list[_Frame] = []
        self._sums = _weight(self._stack.root)

    def measure(self, chains: Sequence[str], entries: Callable[[int], Iterable[FileEntry]]) -> tuple[int, int]:
        """Return (Σ size of the files that a container sees, hard links once; bytes of a full copy on disk).

        Args:
            chains: the chain IDs of the image's layers, base first.
            entries: function that returns the entries of one of them.
        """
        same = 0
        for frame, chain in zip(self._frames, chains, strict=False):
            if frame.chain != chain:
                break
            same += 1
        while len(self._frames) > same:
            self._sums = self._frames.pop().undo()
        for number in range(same, len(chains)):
            frame = _Frame(chains[number], self._sums)
            self._frames.append(frame)
            self._stack.apply(entries(number), number)
            self._sums = frame.sums()
        return self._sums

    def _watch(self, node: Node, new: bool) -> None:
        self._frames[-1].watch(node, new)


class _Frame:
    """The change that one layer made: every node that it touched, as it was before."""

    def __init__(self, chain: str, before: tuple[int, int]) -> None:
        self.chain = chain
        self._before = before
        self._new: list[Node] = []
        self._old: list[tuple[Node, FileEntry | None, int, dict[str, Node] | None, int, tuple[int, int]]] = []
        self._seen: set[int] = set()

    def watch(self, node: Node, new: bool) -> None:
        """Remember a node before its first change."""
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if new:
            self._new.append(node)
            return
        children = None if node.children is None else dict(node.children)
        self._old.append((node, node.entry, node.layer, children, node.links, _weight(node)))

    def sums(self) -> tuple[int, int]:
        """Return the sums of the tree with this layer."""
        visible, copied = self._before
        for *_, (size, blocks) in self._old:
            visible, copied = visible - size, copied - blocks
        for node in itertools.chain(self._new, (old[0] for old in self._old)):
            size, blocks = _weight(node)
            visible, copied = visible + size, copied + blocks
        return visible, copied

    def undo(self) -> tuple[int, int]:
        """Put every node back, and return the sums of the tree without this layer."""
        for node, entry, layer, children, links, _ in self._old:
            node.entry, node.layer, node.children, node.links = entry, layer, children, links
        return self._before


def _weight(node: Node) -> tuple[int, int]:
    """Return a node's part of the sums: (size of the file, bytes of a copy); 0 for a node that left the tree."""
    if node.links <= 0 or node.source is not None:
        return 0, 0
    if node.children is not None:
        return 0, _folder(node.children)
    entry = node.entry
    if entry is None:
        return 0, 0
    if entry.type == "file":
        return entry.size, _blocks(entry.stored)
    return 0, _BLOCK if entry.type == "symlink" and len(entry.link_target) >= _FAST_LINK else 0


def _folder(paths: Iterable[str]) -> int:
    names = (path.rpartition("/")[2].encode("utf-8", "surrogateescape") for path in paths)
    return _blocks(_OWN_NAMES + sum(_NAME + len(name) + 3 & ~3 for name in names))


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
