"""Layers stacked into the one tree a container sees, at any height.

image-spec, layer.md, "Applying changesets": a layer's whiteouts work on the layers below it only, so they are applied
before its own entries, wherever in the tar they stand. Paths are compared as written; a symlink in a parent is not
followed, as on an overlay file system a folder above a symlink replaces it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from containerkit.oci.layer import FileEntry

__all__ = ["Cause", "Diff", "FileChange", "Node", "Stack", "Tree", "compare", "stack", "walk"]

Cause = Literal["deleted", "opaque", "overwritten", "type change"]


class Inode:
    """What hardlinks share: the entry that brought the bytes, the layer it lies in, how many names it has."""

    __slots__ = ("entry", "layer", "links")

    def __init__(self, entry: FileEntry | None, layer: int) -> None:
        self.entry = entry
        self.layer = layer
        self.links = 0


class Node:
    """A name in the tree. ``children`` is None for what is not a folder; a folder nobody described has no entry."""

    __slots__ = ("children", "inode", "layer")

    def __init__(self, inode: Inode, layer: int, children: dict[str, Node] | None) -> None:
        self.inode = inode
        self.layer = layer
        self.children = children
        inode.links += 1


Dropped = Callable[[str, Node, Cause, int, "FileEntry | None"], None]


class Stack:
    """A tree that layers are put upon, base first. Every name comes once and goes at most once: linear in all of them.

    Args:
        dropped: called for each name that is not a folder when it leaves the tree, with its path, its node, the cause,
            the layer that did it, and the entry that took its place, if any.
    """

    def __init__(self, dropped: Dropped | None = None) -> None:
        self._dropped = dropped
        self.root = Node(Inode(None, 0), 0, {})

    def apply(self, entries: Iterable[FileEntry], layer: int) -> None:
        """Puts one layer on top."""
        own: list[FileEntry] = []
        opaque: list[str] = []
        for entry in entries:
            if entry.type == "whiteout":
                self._remove(entry.path, "deleted", layer)
            elif entry.type == "opaque":
                opaque.append(entry.path)
            elif entry.type != "aufs":
                own.append(entry)
        for path in opaque:
            node = self.find(path)
            if node is not None and node.children:
                self._drop_children(path.rstrip("/"), node, "opaque", layer)
        for entry in own:
            self._put(entry, layer)

    def find(self, path: str) -> Node | None:
        """The node of a path, or None."""
        node = self.root
        for name in path.split("/"):
            if name:
                child = node.children.get(name) if node.children is not None else None
                if child is None:
                    return None
                node = child
        return node

    def _remove(self, path: str, cause: Cause, layer: int) -> None:
        folder, _, name = path.rpartition("/")
        parent = self.find(folder)
        if parent is not None and parent.children is not None:
            node = parent.children.pop(name, None)
            if node is not None:
                self._drop(path, node, cause, layer, None)

    def _drop(self, path: str, node: Node, cause: Cause, layer: int, by: FileEntry | None) -> None:
        """Counts a node out, with all that is below it; on a list and not by recursion, as paths can be deep."""
        pending = [(path, node)]
        while pending:
            at, gone = pending.pop()
            gone.inode.links -= 1
            if gone.children is not None:
                pending += ((f"{at}/{name}", child) for name, child in gone.children.items())
            elif self._dropped is not None:
                self._dropped(at, gone, cause, layer, by if gone is node else None)

    def _drop_children(self, path: str, node: Node, cause: Cause, layer: int) -> None:
        children, node.children = node.children or {}, {}
        for name, child in children.items():
            self._drop(f"{path}/{name}", child, cause, layer, None)

    def _folder(self, path: str, layer: int) -> dict[str, Node]:
        """The children of a folder, made on the way where it is missing, as engines do when they unpack."""
        children = self.root.children
        assert children is not None
        at = ""
        for name in path.split("/"):
            if not name:
                continue
            at = f"{at}/{name}"
            node = children.get(name)
            if node is None or node.children is None:
                if node is not None:
                    self._drop(at, node, "type change", layer, None)
                node = children[name] = Node(Inode(None, layer), layer, {})
            children = node.children
            assert children is not None
        return children

    def _put(self, entry: FileEntry, layer: int) -> None:
        path = entry.path
        if path == "/":
            if entry.type == "dir":
                self.root.inode, self.root.layer = Inode(entry, layer), layer
            return
        folder, _, name = path.rpartition("/")
        siblings = self._folder(folder, layer)
        old = siblings.get(name)
        if entry.type == "dir":
            if old is not None and old.children is not None:
                old.inode, old.layer = Inode(entry, layer), layer
                return
            new = Node(Inode(entry, layer), layer, {})
        else:
            inode = Inode(entry, layer)
            if entry.type == "hardlink":
                target = self.find(entry.link_target)
                if target is not None and target.children is None:
                    inode = target.inode
            new = Node(inode, layer, None)
        siblings[name] = new
        if old is not None:
            self._drop(path, old, _replacement(old, new), layer, entry)


def _replacement(old: Node, new: Node) -> Cause:
    """Overwritten if both are of one type, else a change of type; hardlinks are of their file's type."""
    before, after = old.inode.entry, new.inode.entry
    same = before is not None and after is not None and before.type == after.type
    return "overwritten" if same else "type change"


@dataclass(frozen=True, slots=True, eq=False)
class Tree(Mapping[str, FileEntry]):
    """A merged tree: absolute path -> entry, in path order. Lookups take the leading slash or not.

    Attributes:
        height: how many layers lie under it.
        visible_bytes: Σ size of the regular files in it, hardlinks once.
    """

    height: int
    visible_bytes: int
    _entries: Mapping[str, FileEntry] = field(repr=False)
    _layers: Mapping[str, int] = field(repr=False)

    def __getitem__(self, path: str) -> FileEntry:
        return self._entries[_absolute(path)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def layer_of(self, path: str) -> int:
        """The index of the layer that a path comes from. Raises KeyError."""
        return self._layers[_absolute(path)]

    def files(self) -> tuple[FileEntry, ...]:
        """All entries, folders too, in path order."""
        return tuple(self._entries.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: height, visible_bytes, and the entries, each with its ``layer``."""
        return {
            "height": self.height,
            "visible_bytes": self.visible_bytes,
            "entries": [{**entry.to_dict(), "layer": self._layers[path]} for path, entry in self._entries.items()],
        }


def _absolute(path: str) -> str:
    return "/" + path.strip("/")


def freeze(built: Stack, height: int) -> Tree:
    """The tree as it stands now. A hardlink shows as the file it is; a folder nobody described as 0755, root's."""
    entries: dict[str, FileEntry] = {}
    layers: dict[str, int] = {}
    seen: set[int] = set()
    visible = 0
    for path, node in walk(built):
        entry = node.inode.entry
        if entry is None:
            entry = FileEntry(path, "dir", mode=0o755)
        elif entry.path != path:
            entry = msgspec.structs.replace(entry, path=path)
        entries[path] = entry
        layers[path] = node.layer
        if node.children is None and entry.type == "file" and id(node.inode) not in seen:
            seen.add(id(node.inode))
            visible += entry.size
    return Tree(height, visible, entries, layers)


def walk(built: Stack) -> Iterator[tuple[str, Node]]:
    """Every name in a stack with its node, in path order, without the root."""
    pending: list[tuple[str, Node]] = [("", built.root)]
    while pending:
        path, node = pending.pop()
        if node is not built.root:
            yield path, node
        if node.children is not None:
            pending += ((f"{path}/{name}", node.children[name]) for name in sorted(node.children, reverse=True))


def stack(layers: Sequence[Iterable[FileEntry]]) -> Tree:
    """The tree that these layers make, base first."""
    built = Stack()
    for index, entries in enumerate(layers):
        built.apply(entries, index)
    return freeze(built, len(layers))


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path that differs between two heights; ``before`` or ``after`` is None where it is not there."""

    path: str
    kind: Literal["added", "modified", "removed"]
    before: FileEntry | None = field(repr=False)
    after: FileEntry | None = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; keys as the attributes."""
        return {
            "path": self.path,
            "kind": self.kind,
            "before": self.before.to_dict() if self.before else None,
            "after": self.after.to_dict() if self.after else None,
        }


@dataclass(frozen=True, slots=True)
class Diff:
    """What a layer changes for whoever looks at the tree, in path order; a removed folder with all below it."""

    added: tuple[FileChange, ...]
    modified: tuple[FileChange, ...]
    removed: tuple[FileChange, ...]

    def __iter__(self) -> Iterator[FileChange]:
        return iter(sorted((*self.added, *self.modified, *self.removed), key=lambda change: change.path))

    def __len__(self) -> int:
        return len(self.added) + len(self.modified) + len(self.removed)

    def __repr__(self) -> str:
        return f"<Diff {len(self.added)} added, {len(self.modified)} modified, {len(self.removed)} removed>"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: a list for each of added, modified, removed."""
        return {
            "added": [change.to_dict() for change in self.added],
            "modified": [change.to_dict() for change in self.modified],
            "removed": [change.to_dict() for change in self.removed],
        }


def compare(before: Tree, after: Tree) -> Diff:
    """The differences between two trees.

    A file that a layer brings anew counts as modified even if only its time differs, and also when nothing does but its
    bytes are not known to be the same. A folder counts only for its mode, owner and attributes: layers repeat the
    parents of all they touch.
    """
    added = [FileChange(path, "added", None, after[path]) for path in after if path not in before]
    removed = [FileChange(path, "removed", before[path], None) for path in before if path not in after]
    modified = [
        FileChange(path, "modified", before[path], entry)
        for path, entry in after.items()
        if path in before and _differs(before[path], entry, before.layer_of(path) != after.layer_of(path))
    ]
    return Diff(tuple(added), tuple(modified), tuple(removed))


def _differs(old: FileEntry, new: FileEntry, replaced: bool) -> bool:
    if old is new or (not replaced and old == new):
        return False
    if (old.type, old.mode, old.uid, old.gid, old.xattrs) != (new.type, new.mode, new.uid, new.gid, new.xattrs):
        return True
    if new.type == "dir":
        return False
    if (old.size, old.mtime, old.link_target, old.device) != (new.size, new.mtime, new.link_target, new.device):
        return True
    return new.type == "file" and new.size > 0 and (old.content_id is None or old.content_id != new.content_id)
