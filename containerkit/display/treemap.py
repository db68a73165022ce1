"""Treemap: the bytes of a file tree, each folder as an area as large as its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .cells import Cell
from .escape import visible
from .plot import Plot
from .svg import COLOURS, NARROW, SIZE, SMALL, amount, cut, document, element, label, tooltip, width_of
from .table import Table

_WIDTH, _HEIGHT, _MARGIN = 720.0, 440.0, 12.0
_HEAD = 18.0  # a folder's own line above its content
_LEAST = 150.0  # square pixels; smaller files are drawn together
_DEPTH = 5


@dataclass(frozen=True, slots=True, repr=False)
class Treemap(Plot):
    """Nested areas.

    Attributes:
        title: one line.
        sizes: path -> amount. Folders follow from the paths; a folder may have a size of its own.
        unit: "bytes", or as in BarChart.
        notes: lines below.
    """

    title: str
    sizes: Mapping[str, float]
    unit: str = "bytes"
    notes: Sequence[str] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", dict(self.sizes))
        object.__setattr__(self, "notes", tuple(self.notes))
        for path, size in self.sizes.items():
            if not 0 <= size < float("inf"):
                raise ValueError(f"{path!r}: {size!r} is not an area")

    def __repr__(self) -> str:
        return f"<Treemap {self.title!r}: {len(self.sizes)} paths>"

    def to_dict(self) -> dict[str, Any]:
        """Return title, unit, sizes by path and notes as JSON-ready types."""
        return {"title": self.title, "unit": self.unit, "sizes": dict(self.sizes), "notes": list(self.notes)}

    def to_text(self, width: int | None = None) -> str:
        """Return the largest folders, two levels deep."""
        root = _tree(self.sizes)
        rows: list[tuple[object, ...]] = []
        for node in root.largest():
            rows.append((node.path, self._cell(node), _share(node, root)))
            below = node.largest()
            if len(below) > 1:
                rows += [("  " + each.path, self._cell(each), _share(each, root)) for each in below[:5]]
        if len(rows) > 30:
            rows = [*rows[:30], (f"… {len(rows) - 30} more", "", "")]
        rows.append(("all", self._cell(root), _share(root, root)))
        return Table(self.title, ("Path", "Size", "Share"), rows, notes=self.notes).to_text(width or 80)

    def _cell(self, node: _Node) -> Cell:
        return Cell(node.total, amount(node.total, self.unit))

    # ---------------------------------------------------------------- a page
    def to_svg(self) -> str:
        """Return a complete SVG document."""
        return self._drawing(_WIDTH)

    def _narrow(self) -> str:
        return self._drawing(NARROW)

    def _drawing(self, width: float) -> str:
        root = _tree(self.sizes)
        out: list[str] = []
        top = _MARGIN
        if self.title:
            title = cut(self.title, width - 110 - 2 * _MARGIN, SIZE + 2, bold=True)
            out.append(label(title, _MARGIN, top + SIZE + 2, size=SIZE + 2, font_weight=600))
        total = amount(root.total, self.unit)
        out.append(label(total, width - _MARGIN, top + SIZE + 2, text_anchor="end"))
        top += 26
        box = _Box(_MARGIN, top, width - 2 * _MARGIN, _HEIGHT)
        if root.total <= 0:
            out.append(label("nothing that takes space", box.x, box.y + 20, fill_opacity=0.72))
            return document(self.title, self._words(root), width, top + 40, out)
        root.join()
        for index, (node, inner) in enumerate(_fit(root.largest() or [root], box)):
            out += self._area(node, inner, COLOURS[index % len(COLOURS)], 0)
        return document(self.title, self._words(root), width, top + _HEIGHT + _MARGIN, out)

    def _area(self, node: _Node, box: _Box, colour: str, depth: int) -> Iterator[str]:
        size = amount(node.total, self.unit)
        yield element(
            "rect",
            tooltip(f"{node.path}: {size}"),
            x=box.x,
            y=box.y,
            width=box.width,
            height=box.height,
            fill=colour,
            stroke="#fff",
            stroke_opacity=0.75 if depth < 2 else 0.45,
            stroke_width=1.4 if depth == 0 else 0.8,
        )
        inner = _Box(box.x + 2.5, box.y + _HEAD, box.width - 5, box.height - _HEAD - 2.5)
        places = _fit(node.largest(), inner) if node.children and depth < _DEPTH and _holds_words(inner) else []
        # areas without a word say nothing
        deeper = any(_holds_words(place) for child, place in places if not child.count)
        text = SIZE if depth == 0 else SMALL
        room = box.width - 10
        bold = bool(node.children)
        name = self._name(node, room, text) if box.height >= text + 5 else ""
        if name:
            many = f", {node.files()} files" if node.children and not deeper else ""
            both = f"{name if node.count else visible(node.name)}{many}  {size}"
            line = both if width_of(both, text, bold=bold) <= room else name
            yield _inside(line, box.x + 5, box.y + text + 1, text, bold=bold)
            if line == name and not deeper and box.height >= 2 * text + 8 and width_of(size, SMALL) <= room:
                yield _inside(size, box.x + 5, box.y + 2 * text + 4, SMALL, bold=False)
        if deeper:
            for child, place in places:
                yield from self._area(child, place, colour, depth + 1)

    def _name(self, node: _Node, room: float, size: float) -> str:
        """Return as much of the name as fits; the number of merged files completely or not at all."""
        name = cut(node.name, room, size, middle=True, bold=bool(node.children))
        if not node.count or name == node.name:
            return name
        short = f"+{node.count}"
        return short if width_of(short, size) <= room else ""

    def _words(self, root: _Node) -> str:
        largest = root.largest()[:8]
        parts = "; ".join(f"{node.path}: {amount(node.total, self.unit)}" for node in largest)
        return f"Treemap of {amount(root.total, self.unit)}. Largest: {parts}" if parts else "Treemap of nothing"


def _holds_words(box: _Box) -> bool:
    return box.width > 40 and box.height > 16


def _inside(text: str, x: float, y: float, size: float, *, bold: bool) -> str:
    return label(text, x, y, size=size, fill="#fff", font_weight=600 if bold else None, pointer_events="none")


def _share(node: _Node, root: _Node) -> Cell:
    share = node.total / root.total if root.total else 0.0
    return Cell(share, f"{share:.1%}".replace("%", " %"))


class _Node:
    __slots__ = ("children", "count", "name", "own", "path", "total")

    def __init__(self, name: str, path: str, total: float = 0.0) -> None:
        self.name = name
        self.path = path
        self.own = total
        self.total = total
        self.count = 0  # number of merged files, where they are too small to be drawn
        self.children: dict[str, _Node] = {}

    def files(self) -> int:
        """Return how many paths with a size are below."""
        return sum(child.files() if child.children else 1 for child in self.children.values())

    def join(self) -> None:
        """Join a folder with its only entry, repeatedly: a folder with one entry says nothing by itself."""
        pending = [self]
        for node in pending:
            while len(node.children) == 1 and not node.own:
                (only,) = node.children.values()
                node.name = f"{node.name}/{only.name}".lstrip("/")
                node.path, node.own, node.children = only.path, only.own, only.children
            pending += node.children.values()

    def largest(self) -> list[_Node]:
        """Return the entries, largest first, without those of size 0; the folder's own size counts as an entry."""
        found = list(self.children.values())
        if self.children and self.own:
            found.append(_Node(".", self.path, self.own))
        return sorted((node for node in found if node.total > 0), key=lambda node: (-node.total, node.name))


def _tree(sizes: Mapping[str, float]) -> _Node:
    root = _Node("", "/")
    order = [root]
    for path, size in sizes.items():
        node = root
        for name in path.split("/"):
            if name:
                child = node.children.get(name)
                if child is None:
                    child = node.children[name] = _Node(name, f"{node.path.rstrip('/')}/{name}")
                    order.append(child)
                node = child
        node.own += size
    for node in reversed(order):  # children come after their parents
        node.total = node.own + sum(child.total for child in node.children.values())
    return root


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    width: float
    height: float


def _fit(nodes: Sequence[_Node], box: _Box) -> list[tuple[_Node, _Box]]:
    """Place entries in a box as areas; those too small to see become one."""
    total = sum(node.total for node in nodes)
    if total <= 0 or box.width < 2 or box.height < 2:
        return []
    scale = box.width * box.height / total
    seen = [node for node in nodes if node.total * scale >= _LEAST]
    rest = nodes[len(seen) :]  # they are sorted
    if sum(node.total for node in rest) * scale >= 1:
        together = _Node(f"{len(rest)} more", f"{len(rest)} more", sum(node.total for node in rest))
        together.count = len(rest)
        seen.append(together)
        seen.sort(key=lambda node: -node.total)
    return list(zip(seen, _squarify([node.total * scale for node in seen], box), strict=True))


def _squarify(areas: Sequence[float], box: _Box) -> Iterable[_Box]:
    """Return rectangles of these areas that fill the box, as close to squares as rows allow (Bruls et al., 2000)."""
    places: list[_Box] = []
    start = 0
    while start < len(areas):
        side = min(box.width, box.height)
        end, worst = start + 1, _worst(areas[start : start + 1], side)
        while end < len(areas) and (then := _worst(areas[start : end + 1], side)) <= worst:
            end, worst = end + 1, then
        row = areas[start:end]
        thick = sum(row) / side if side else 0.0
        along = 0.0
        for area in row:
            length = area / thick if thick else 0.0
            if box.width >= box.height:
                places.append(_Box(box.x, box.y + along, thick, length))
            else:
                places.append(_Box(box.x + along, box.y, length, thick))
            along += length
        if box.width >= box.height:
            box = _Box(box.x + thick, box.y, max(box.width - thick, 0.0), box.height)
        else:
            box = _Box(box.x, box.y + thick, box.width, max(box.height - thick, 0.0))
        start = end
    return places


def _worst(row: Sequence[float], side: float) -> float:
    total = sum(row)
    if not total or not side:
        return float("inf")
    return max(side * side * max(row) / (total * total), total * total / (side * side * min(row)))
