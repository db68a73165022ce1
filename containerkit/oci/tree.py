"""Stack layers into the one tree that a container sees, at any height.

image-spec, layer.md, "Applying changesets": a layer's whiteouts apply to the layers below it only, so they are applied
before its own entries, wherever they are in the tar. Paths are compared as written. A symlink in a parent is not
followed: on an overlay file system a folder above a symlink replaces it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from .layer import FileEntry, printable

__all__ = [
    "Cause",
    "ContentIds",
    "Diff",
    "FileChange",
    "Node",
    "Stack",
    "Tree",
    "compare",
    "stack",
    "visible_bytes",
    "walk",
]

_HOPS = 40  # the kernel's limit for symlinks
ContentIds = Callable[[int, Collection[str]], Mapping[str, str]]
Cause = Literal["deleted", "opaque", "overwritten", "type change"]


class Node(msgspec.Struct, gc=False, eq=False):
    """A name in the tree.

    Attributes:
        entry: the layer's entry; None for a folder without an entry of its own.
        layer: index of the layer that added the node.
        children: children of a folder by their paths from the root; None for other types.
        links: number of names of its bytes; counted at the node that brought them.
        source: for a hard link the node that brought the bytes, which may have lost its own name since.
    """

    entry: FileEntry | None
    layer: int
    children: dict[str, Node] | None = None
    links: int = 1
    source: Node | None = None

    @property
    def inode(self) -> Node:
        """Node that hard links share: the one that brought the bytes; mostly the node itself."""
        return self if self.source is None else self.source


Dropped = Callable[[str, Node, Cause, int, "Node | None"], None]


class Stack:
    """A tree that layers are applied to, base first. Every name is added and dropped at most once, so time is linear.

    Args:
        dropped: called for each name that leaves the tree and is no folder, with its path, its node, the cause, the
            layer that dropped it, and the node that replaced it, if any.
        watch: called with a node before it changes, and with a new node; the second argument is True for a new node.
    """

    def __init__(self, dropped: Dropped | None = None, watch: Callable[[Node, bool], None] | None = None) -> None:
        self._dropped = dropped
        self._watch = watch
        self.root = Node(None, 0, {})

    def apply(self, entries: Iterable[FileEntry], layer: int) -> None:
        """Apply one layer on top."""
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
                self._drop_children(node, "opaque", layer)
        for entry in own:
            self._put(entry, layer)

    def find(self, path: str) -> Node | None:
        """Return the node of a path, or None."""
        return _find(self.root, path)

    def _remove(self, path: str, cause: Cause, layer: int) -> None:
        parent = self.find(path.rpartition("/")[0])
        if parent is not None and parent.children is not None and path in parent.children:
            self._changing(parent)
            node = parent.children.pop(path)
            self._drop(path, node, cause, layer, None)

    def _drop(self, path: str, node: Node, cause: Cause, layer: int, by: Node | None) -> None:
        """Drop a node and everything below it; iterative, since paths can be deep."""
        pending = [(path, node)]
        while pending:
            at, gone = pending.pop()
            self._changing(gone.inode)
            gone.inode.links -= 1
            if gone.children is not None:
                pending += gone.children.items()
            elif self._dropped is not None:
                self._dropped(at, gone, cause, layer, by if gone is node else None)

    def _drop_children(self, node: Node, cause: Cause, layer: int) -> None:
        self._changing(node)
        children, node.children = node.children or {}, {}
        for path, child in children.items():
            self._drop(path, child, cause, layer, None)

    def _changing(self, node: Node, new: bool = False) -> None:
        if self._watch is not None:
            self._watch(node, new)

    def _folder(self, path: str, layer: int) -> Node:
        """Return a folder; missing folders are created, as engines do when they unpack."""
        folder = self.root
        for at in _prefixes(path):
            children = folder.children
            assert children is not None
            node = children.get(at)
            if node is None or node.children is None:
                self._changing(folder)
                if node is not None:
                    self._drop(at, node, "type change", layer, None)
                node = children[at] = Node(None, layer, {})
                self._changing(node, True)
            folder = node
        return folder

    def _put(self, entry: FileEntry, layer: int) -> None:
        path = entry.path
        if path == "/":
            if entry.type == "dir":
                self._changing(self.root)
                self.root.entry, self.root.layer = entry, layer
            return
        parent = self._folder(path.rpartition("/")[0], layer)
        siblings = parent.children
        assert siblings is not None
        old = siblings.get(path)
        if entry.type == "dir":
            if old is not None and old.children is not None:
                self._changing(old)
                old.entry, old.layer = entry, layer
                return
            new = Node(entry, layer, {})
        else:
            new = Node(entry, layer)
            if entry.type == "hardlink":
                target = self.find(entry.link_target)
                if target is not None and target.children is None:
                    self._changing(target.inode)
                    new.source = target.inode
                    new.source.links += 1
        self._changing(parent)
        siblings[path] = new
        self._changing(new, True)
        if old is not None:
            self._drop(path, old, _replacement(old, new), layer, new)


def _prefixes(path: str) -> Iterator[str]:
    """Yield ``/a``, ``/a/b``, ``/a/b/c`` for the last of these."""
    end = 0
    while end < len(path):
        end = path.find("/", end + 1)
        if end < 0:
            end = len(path)
        yield path[:end]


def _find(root: Node, path: str) -> Node | None:
    node = root
    for at in _prefixes(path if path != "/" else ""):
        child = node.children.get(at) if node.children is not None else None
        if child is None:
            return None
        node = child
    return node


def _replacement(old: Node, new: Node) -> Cause:
    """Return "overwritten" if both have one type, else a change of type; hard links have their file's type."""
    before, after = old.inode.entry, new.inode.entry
    same = before is not None and after is not None and before.type == after.type
    return "overwritten" if same else "type change"


@dataclass(frozen=True, slots=True, eq=False)
class Tree(Mapping[str, FileEntry]):
    """A merged tree: absolute path -> entry, in path order. Lookups accept paths with or without the leading slash.

    Attributes:
        height: number of layers below it.
        visible_bytes: Σ size of the regular files in it, hard links once.
    """

    height: int
    visible_bytes: int
    _root: Node = field(repr=False)
    _count: int = field(repr=False)

    def _node(self, path: str) -> Node:
        node = _find(self._root, _absolute(path))
        if node is None or node is self._root:
            raise KeyError(path)
        return node

    def __getitem__(self, path: str) -> FileEntry:
        return _shown(_absolute(path), self._node(path))

    def __iter__(self) -> Iterator[str]:
        return (path for path, _ in walk(self._root))

    def __len__(self) -> int:
        return self._count

    def layer_of(self, path: str) -> int:
        """Return the index of the layer that a path comes from. Raises KeyError."""
        return self._node(path).layer

    def origin(self, path: str) -> tuple[int, FileEntry]:
        """Return the layer and its own entry that a path leads to, as a container would open it.

        Symlinks are followed inside the tree, and a hard link is the file that it names.

        Raises:
            KeyError: the path, or the target of a link on the way, does not exist, or the links run in a circle.
        """
        at, node = self.locate(path)
        found = node.inode
        return found.layer, found.entry or FileEntry(at or "/", "dir", mode=0o755)

    def locate(self, path: str, *, follow: bool = True) -> tuple[str, Node]:
        """Return the final path, "" for the root, and the node that a path leads to. Raises KeyError as `origin` does.

        Args:
            path: symlinks on the way are followed inside the tree.
            follow: whether the last part is followed, too.
        """
        left = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        at, node, hops = "", self._root, 0
        while left:
            part = left.pop()
            if part == "..":
                at = at.rpartition("/")[0]
                node = _find(self._root, at) or self._root
                continue
            child = (node.children or {}).get(f"{at}/{part}")
            if child is None:
                raise KeyError(path)
            entry = child.entry
            if entry is None or entry.type != "symlink" or not (left or follow):
                at, node = f"{at}/{part}", child
                continue
            hops += 1
            if hops > _HOPS:
                raise KeyError(path)
            left += [part for part in reversed(entry.link_target.split("/")) if part not in ("", ".")]
            if entry.link_target.startswith("/"):
                at, node = "", self._root
        return at, node

    def files(self) -> tuple[FileEntry, ...]:
        """Return all entries, folders included, in path order."""
        return tuple(_shown(path, node) for path, node in walk(self._root))

    def to_dict(self) -> dict[str, Any]:
        """Return height, visible_bytes, and the entries, each with its ``layer``, as JSON-ready types."""
        return {
            "height": self.height,
            "visible_bytes": self.visible_bytes,
            "entries": [{**_shown(path, node).to_dict(), "layer": node.layer} for path, node in walk(self._root)],
        }


def _absolute(path: str) -> str:
    return "/" + path.strip("/")


def _shown(path: str, node: Node) -> FileEntry:
    """Return the entry to show: a hard link as the file it is; a folder without an entry as 0755, owned by root."""
    entry = node.inode.entry
    if entry is None:
        return FileEntry(path, "dir", mode=0o755)
    return entry if entry.path == path else msgspec.structs.replace(entry, path=path)


def walk(root: Node) -> Iterator[tuple[str, Node]]:
    """Yield every name below a folder with its node, in path order."""
    pending: list[tuple[str, Node]] = [("", root)]
    while pending:
        path, node = pending.pop()
        if node is not root:
            yield path, node
        if node.children:
            pending += sorted(node.children.items(), reverse=True)


def visible_bytes(root: Node) -> int:
    """Return Σ size of the regular files below a folder, hard links once."""
    total = 0
    linked: set[int] = set()
    for _, node in walk(root):
        inode = node.inode
        if node.children is None and inode.entry is not None and inode.entry.type == "file":
            if inode.links > 1:
                if id(inode) in linked:
                    continue
                linked.add(id(inode))
            total += inode.entry.size
    return total


def stack(layers: Sequence[Iterable[FileEntry]], numbers: Sequence[int] | None = None) -> Tree:
    """Return the tree of these layers, base first; `numbers` are their indexes if not 0, 1, 2, …"""
    built = Stack()
    for index, entries in zip(numbers or range(len(layers)), layers, strict=True):
        built.apply(entries, index)
    return Tree(len(layers), visible_bytes(built.root), built.root, sum(1 for _ in walk(built.root)))


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path that differs between two heights; ``before`` or ``after`` is None if the path is missing there."""

    path: str
    kind: Literal["added", "modified", "removed"]
    before: FileEntry | None = field(repr=False)
    after: FileEntry | None = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON-ready types."""
        return {
            "path": printable(self.path),
            "kind": self.kind,
            "before": self.before.to_dict() if self.before else None,
            "after": self.after.to_dict() if self.after else None,
        }


@dataclass(frozen=True, slots=True)
class Diff:
    """Changes of a layer to the visible tree, in path order; a removed folder with everything below it."""

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
        """Return a JSON-ready list for each of added, modified and removed."""
        return {
            "added": [change.to_dict() for change in self.added],
            "modified": [change.to_dict() for change in self.modified],
            "removed": [change.to_dict() for change in self.removed],
        }


def compare(
    before: Tree, after: Tree, content_ids: ContentIds | None = None, digests: ContentIds | None = None
) -> Diff:
    """Return the differences between two trees.

    A file that a layer adds again counts as modified if only its time differs, and also if nothing differs but its
    bytes are not known to be equal. A folder counts only if its mode, owner or attributes differ, since layers repeat
    the parents of every path they touch.

    Args:
        content_ids: function that returns the content IDs of paths of a layer. Called only for files that may differ in
            nothing but content, and whose entries have no ``content_id``.
        digests: function that returns the SHA-256 of the content of paths of a layer. Called only for files whose
            content IDs are of different algorithms.
    """
    added: list[FileChange] = []
    modified: list[FileChange] = []
    doubtful: list[tuple[FileChange, Node, Node]] = []
    left = dict(walk(before._root))
    for path, node in walk(after._root):
        old = left.pop(path, None)
        new = _shown(path, node)
        if old is None:
            added.append(FileChange(path, "added", None, new))
            continue
        change = FileChange(path, "modified", _shown(path, old), new)
        differs = _differs(_shown(path, old), new, old.layer != node.layer)
        if differs is None:
            doubtful.append((change, old.inode, node.inode))
        elif differs:
            modified.append(change)
    if doubtful:
        modified += _other_bytes(doubtful, content_ids, digests)
        modified.sort(key=lambda change: change.path.split("/"))
    removed = [FileChange(path, "removed", _shown(path, node), None) for path, node in left.items()]
    return Diff(tuple(added), tuple(modified), tuple(removed))


def _other_bytes(
    doubtful: Sequence[tuple[FileChange, Node, Node]], content_ids: ContentIds | None, digests: ContentIds | None
) -> Iterator[FileChange]:
    """Return the changes whose bytes differ, or are not known."""
    wanted: dict[int, set[str]] = {}
    for _, *nodes in doubtful:
        for node in nodes:
            if node.entry is not None and node.entry.content_id is None:
                wanted.setdefault(node.layer, set()).add(node.entry.path)
    found = {layer: content_ids(layer, paths) for layer, paths in wanted.items()} if content_ids else {}

    def name(node: Node) -> str | None:
        assert node.entry is not None
        return node.entry.content_id or found.get(node.layer, {}).get(node.entry.path)

    unlike: dict[int, set[str]] = {}
    for _, old, new in doubtful:
        pair = (name(old), name(new))
        if None not in pair and _unlike(*pair):
            for node, known in zip((old, new), pair, strict=True):
                if node.entry is not None and not str(known).startswith("sha256:"):
                    unlike.setdefault(node.layer, set()).add(node.entry.path)
    hashed = {layer: digests(layer, paths) for layer, paths in unlike.items()} if digests else {}

    def compared(node: Node) -> str | None:
        assert node.entry is not None
        return hashed.get(node.layer, {}).get(node.entry.path) or name(node)

    for change, old, new in doubtful:
        if name(old) is None or (name(old) != name(new) and compared(old) != compared(new)):
            yield change


def _differs(old: FileEntry, new: FileEntry, replaced: bool) -> bool | None:
    """Return whether two entries differ; None if only their bytes can differ and are not known."""
    if old is new or (not replaced and (old == new or _same_but_unnamed(old, new))):
        return False
    if (old.type, old.mode, old.uid, old.gid, old.xattrs) != (new.type, new.mode, new.uid, new.gid, new.xattrs):
        return True
    if new.type == "dir":
        return False
    if (old.size, old.mtime, old.link_target, old.device) != (new.size, new.mtime, new.link_target, new.device):
        return True
    if new.type != "file" or new.size == 0:
        return False
    return None if _unlike(old.content_id, new.content_id) else old.content_id != new.content_id


def _same_but_unnamed(old: FileEntry, new: FileEntry) -> bool:
    """Return whether entries of one layer, read in two ways, differ only in how their content is named."""
    return _unlike(old.content_id, new.content_id) and msgspec.structs.replace(old, content_id=new.content_id) == new


def _unlike(one: str | None, other: str | None) -> bool:
    """Return whether two content IDs cannot be compared: one is unknown, or they are of different algorithms."""
    return one is None or other is None or one.partition(":")[0] != other.partition(":")[0]
