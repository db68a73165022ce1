"""Compute dive's own two numbers, bit for bit, for comparison: its efficiency score and its wasted bytes.

Follows github.com/wagoodman/dive, dive/filetree/efficiency.go and file_tree.go (0.13.1), including its errors, since
the result must equal dive's:

- only the leaves of each layer's own tree count, and a whiteout is a leaf under the path it hides;
- a whiteout's size is 0, or, if it hides a folder of the stack below, the sizes of everything below that folder;
- efficiency = Σ smallest size of each path / Σ all its sizes; wasted = Σ all sizes of the paths that occur twice or
  more, including the copy in use;
- opaque whiteouts are ignored;
- the first whiteout of a path that does not exist ends the visit of its layer.

dive rebuilds the stack of all lower layers for every whiteout (71.5 s for 4,146 of them); here the stack is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..oci.layer import FileEntry

__all__ = ["dive_numbers"]

_WHITEOUT = ".wh."


class _Node:
    __slots__ = ("children", "folder", "size")

    def __init__(self) -> None:
        self.size = 0
        self.folder = False
        self.children: dict[str, _Node] = {}


def dive_numbers(layers: Sequence[Iterable[FileEntry]]) -> tuple[float, int]:
    """Return (efficiency, wasted bytes) of layers, base first."""
    trees = [_tree(entries) for entries in layers]
    sizes: dict[str, list[int]] = {}
    smallest: dict[str, int] = {}
    below = _Below(trees[0]) if trees else None
    for index, tree in enumerate(trees):
        if index and below is not None:
            below.stack(trees[index - 1])
        for path, node, hides in _visit(tree, leaves=True):
            known = sizes.setdefault(path, [])
            smallest.setdefault(path, -1)
            size: int | None = node.size
            if hides:
                size = below.whiteout_size(path) if below is not None else None
            if size is None:
                break
            known.append(size)
            if smallest[path] < 0 or size < smallest[path]:
                smallest[path] = size
    least, total = sum(smallest.values()), sum(map(sum, sizes.values()))
    wasted = sum(sum(known) for known in sizes.values() if len(known) >= 2)
    return (1.0 if total == 0 else float(least) / float(total)), wasted


def _raw_path(entry: FileEntry) -> str:
    """Return the path as the tar has it, with the whiteout prefix."""
    if entry.type == "whiteout":
        folder, _, name = entry.path.rpartition("/")
        return f"{folder}/{_WHITEOUT}{name}"
    if entry.type == "opaque":
        return f"{entry.path.rstrip('/')}/.wh..wh..opq"
    return entry.path


def _tree(entries: Iterable[FileEntry]) -> _Node:
    root = _Node()
    for entry in entries:
        path = _raw_path(entry)
        if path != "/":
            _add(root, path, entry.size, entry.type == "dir")
    return root


def _add(root: _Node, path: str, size: int, folder: bool) -> None:
    """Add or replace the node at a path. Missing parents get size 0, and dive takes them for files."""
    node = root
    for name in path.split("/"):
        if name:
            child = node.children.get(name)
            if child is None:
                if name.startswith(".wh..wh.."):
                    return
                child = node.children[name] = _Node()
            node = child
    node.size = size
    node.folder = folder


def _order(name: str) -> bytes:
    """Return the sort key of a path: Go sorts strings by their bytes."""
    return name.encode("utf-8", "surrogateescape")


def _visit(root: _Node, *, leaves: bool) -> list[tuple[str, _Node, bool]]:
    """Yield (path, node, is a whiteout), children before parents, by name; a whiteout under the path it hides."""
    found: list[tuple[str, _Node, bool]] = []
    pending: list[tuple[str, str, _Node]] = [("", "", root)]
    while pending:  # parents first, then reversed: no recursion
        above, name, node = pending.pop()
        path = f"{above}/{name}" if name else ""
        if name and not (leaves and node.children):
            hides = name.startswith(_WHITEOUT)
            found.append((f"{above}/{name[len(_WHITEOUT) :]}" if hides else path, node, hides))
        pending += ((path, child, node.children[child]) for child in sorted(node.children, key=_order))
    found.reverse()
    return found


class _Below:
    """The stack below the layer being visited, as dive has it: the lowest layer's tree with every layer grafted on.

    The lowest layer is grafted onto its own copy, so its whiteouts stay in the tree as names.
    """

    def __init__(self, lowest: _Node) -> None:
        self._root = _copy(lowest)
        self._sums: dict[int, int] = {}

    def stack(self, tree: _Node) -> None:
        """Add the next layer on top."""
        self._sums.clear()
        for path, node, hides in _visit(tree, leaves=False):
            if hides:
                self._remove(path)
            else:
                _add(self._root, path, node.size, node.folder)

    def whiteout_size(self, path: str) -> int | None:
        """Return the size that dive counts for a whiteout of ``path``; None if dive skips the layer there."""
        node = self._find(path)
        if node is None:
            return None
        return self._sum(node) if node.folder else 0

    def _find(self, path: str) -> _Node | None:
        node: _Node | None = self._root
        for name in path.split("/"):
            if name and node is not None:
                node = node.children.get(name)
        return node

    def _remove(self, path: str) -> None:
        folder, _, name = path.rstrip("/").rpartition("/")
        parent = self._find(folder)
        if parent is not None:
            parent.children.pop(name, None)

    def _sum(self, node: _Node) -> int:
        """Return all sizes at and below a node; each node is summed once per height, however many whiteouts ask."""
        order = [node]
        for each in order:
            if id(each) not in self._sums:
                order += each.children.values()
        for each in reversed(order):
            if id(each) not in self._sums:
                self._sums[id(each)] = each.size + sum(self._sums[id(child)] for child in each.children.values())
        return self._sums[id(node)]


def _copy(node: _Node) -> _Node:
    twin = _Node()
    pending = [(node, twin)]
    while pending:
        old, new = pending.pop()
        new.size, new.folder = old.size, old.folder
        for name, child in old.children.items():
            new.children[name] = _Node()
            pending.append((child, new.children[name]))
    return twin
