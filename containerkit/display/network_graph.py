"""NetworkGraph: hosts as boxes with a line for each interface, and the networks that connect them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from .escape import visible
from .plot import Plot
from .svg import COLOURS, SIZE, SMALL, cut, document, element, label, tooltip, width_of

_MARGIN, _ACROSS, _DOWN, _LINE, _HEAD = 14.0, 56.0, 16.0, 17.0, 26.0
_HOST, _NETWORK, _STOPPED = COLOURS[0], COLOURS[2], COLOURS[-1]
_WIDEST, _BETWEEN, _TURN = 1160.0, 34.0, 22.0  # a row of columns, the gap below it, the room for lines to the next
_ROOTS = 60  # nodes that are tried as the leftmost one


@dataclass(frozen=True, slots=True)
class GraphBox:
    """A host.

    Attributes:
        name: unique.
        links: (network, text of the interface) for each interface.
        state: "running", another status, or "" if unknown.
        broken: numbers of the links that are down, from 0.
    """

    name: str
    links: Sequence[tuple[str, str]]
    state: str = ""
    broken: Collection[int] = ()


_Node = tuple[bool, str]  # (it is a network, its name)


@dataclass(frozen=True, slots=True, repr=False)
class NetworkGraph(Plot):
    """A drawing of hosts and networks. Hosts and networks alternate from left to right.

    Attributes:
        title: one line.
        boxes: the hosts.
        notes: lines below.
    """

    title: str
    boxes: Sequence[GraphBox]
    notes: Sequence[str] = field(default=(), kw_only=True)

    def __repr__(self) -> str:
        return f"<NetworkGraph {self.title!r}: {len(self.boxes)} hosts>"

    def to_dict(self) -> dict[str, Any]:
        """Return title, hosts with their links, and notes as JSON-ready types."""
        hosts = [
            {"name": box.name, "state": box.state, "links": [{"network": to, "text": text} for to, text in box.links]}
            for box in self.boxes
        ]
        return {"title": self.title, "hosts": hosts, "notes": list(self.notes)}

    def to_text(self, width: int | None = None) -> str:
        """Return a line for each network, with the interfaces in it."""
        ends: dict[str, list[str]] = {}
        for box in self.boxes:
            for network, text in box.links:
                ends.setdefault(network, []).append(f"{box.name} ({text})")
        lines = [self.title, *(f"{network}: {', '.join(found)}" for network, found in ends.items())]
        lines += [f"{box.name}: no interface" for box in self.boxes if not box.links]
        return "\n".join(visible(line)[:width] for line in [*lines, *self.notes]) + "\n"

    def to_mermaid(self) -> str:
        """Return the graph in the language of Mermaid."""
        ids = {node: f"n{number}" for number, node in enumerate(self._nodes())}
        lines = ["graph LR"]
        for (network, name), key in ids.items():
            lines.append(f'  {key}{"([" if network else "["}"{_word(name)}"{"])" if network else "]"}')
        for box in self.boxes:
            lines += [f'  {ids[False, box.name]} ---|"{_word(text)}"| {ids[True, to]}' for to, text in box.links]
        return "\n".join(lines) + "\n"

    def to_graphviz(self) -> str:
        """Return the graph in the language of Graphviz."""
        ids = {node: f"n{number}" for number, node in enumerate(self._nodes())}
        lines = ["graph lab {", "  rankdir=LR;"]
        for (network, name), key in ids.items():
            lines.append(f'  {key} [label="{_word(name)}", shape={"ellipse" if network else "box"}];')
        for box in self.boxes:
            lines += [f'  {ids[False, box.name]} -- {ids[True, to]} [label="{_word(text)}"];' for to, text in box.links]
        return "\n".join([*lines, "}"]) + "\n"

    # ---------------------------------------------------------------- layout
    def _nodes(self) -> list[_Node]:
        networks = dict.fromkeys(network for box in self.boxes for network, _ in box.links)
        return [*((False, box.name) for box in self.boxes), *((True, name) for name in networks)]

    def _columns(self) -> list[list[_Node]]:
        """Return the nodes in columns. Links join neighbouring columns only, since hosts and networks alternate."""
        near: dict[_Node, list[_Node]] = {node: [] for node in self._nodes()}
        for box in self.boxes:
            for network in dict.fromkeys(network for network, _ in box.links):
                near[False, box.name].append((True, network))
                near[True, network].append((False, box.name))
        columns: list[list[_Node]] = []
        seen: set[_Node] = set()
        for node in near:
            if node in seen:
                continue
            part = [each for level in _levels(node, near) for each in level]
            seen.update(part)
            best = min((_levels(root, near) for root in part[:_ROOTS]), key=self._area)
            for _ in range(4):
                _untangle(best, near)
                best.reverse()
            for number, level in enumerate(best):
                columns += [[]] * (number + 1 - len(columns))
                columns[number] = columns[number] + level
        return columns

    def _area(self, levels: list[list[_Node]]) -> float:
        """Return how bad a page is: its area, and much worse if it is far wider than high."""
        high = max(sum(self._height(node) + _DOWN for node in level) for level in levels)
        wide = len(levels) * 150.0
        return high * wide * max(1.0, wide / 1300.0) * max(1.0, high / 900.0)

    def _height(self, node: _Node) -> float:
        return _HEAD if node[0] else _HEAD + _LINE * len(self._box(node).links)

    def _box(self, node: _Node) -> GraphBox:
        return next(box for box in self.boxes if box.name == node[1])

    def _width(self, node: _Node) -> float:
        found = width_of(visible(node[1]), bold=True) + 20
        if not node[0]:
            box = self._box(node)
            found = max(found, *(width_of(visible(text), SMALL) + 20 for _, text in box.links), 70)
        return min(found, 260.0)

    # ---------------------------------------------------------------- a page
    def to_svg(self) -> str:
        """Return a complete SVG document: hosts are boxes, networks are pills, hosts that do not run are dashed."""
        top = _MARGIN + 30
        places: dict[_Node, tuple[float, float, float, float]] = {}
        rows: dict[_Node, int] = {}
        bands = self._bands()
        left = _MARGIN + (_TURN if len(bands) > 2 else 0)
        right = max((self._wide(band) for band in bands), default=0.0) + left
        for row, band in enumerate(bands):
            tall = max(map(self._high, band))
            x = right - self._wide(band) if row % 2 else left  # as a snake: the next row begins below the end
            for column in reversed(band) if row % 2 else band:
                wide = max(map(self._width, column))
                y = top + (tall - self._high(column)) / 2
                for node in column:
                    rows[node], places[node] = row, (x, y, wide, self._height(node))
                    y += self._height(node) + _DOWN
                x += wide + _ACROSS
            top += tall + (_BETWEEN if row + 1 < len(bands) else 0)
        lines: list[str] = []
        shapes: list[str] = []
        for node, place in places.items():
            shapes.append(_pill(node[1], *place) if node[0] else self._draw_box(self._box(node), *place))
        for box in self.boxes:
            for number, (network, text) in enumerate(box.links):
                one, other = (False, box.name), (True, network)
                turn = None if rows[one] == rows[other] else min(rows[one], rows[other]) % 2 == 0
                down = number in box.broken
                said = f"{box.name} {text}{': down' if down else ''}"
                lines.append(_link(places[one], number, places[other], said, turn, down))
        width = max(right + _MARGIN + (_TURN if len(bands) > 1 else 0), 260.0)
        title = cut(self.title, width - 2 * _MARGIN, SIZE + 2, bold=True)
        parts = [label(title, _MARGIN, _MARGIN + SIZE, size=SIZE + 2, font_weight=600), *lines, *shapes]
        networks = sum(node[0] for node in places)
        said = f"{len(self.boxes)} hosts and {networks} networks."
        return document(self.title, said, width, top + _MARGIN, parts)

    def _bands(self) -> list[list[list[_Node]]]:
        """Return the columns in rows that are not wider than a page."""
        bands: list[list[list[_Node]]] = []
        for column in self._columns():
            if bands and self._wide([*bands[-1], column]) <= _WIDEST:
                bands[-1].append(column)
            else:
                bands.append([column])
        return bands

    def _wide(self, band: list[list[_Node]]) -> float:
        return sum(max(map(self._width, column)) + _ACROSS for column in band) - _ACROSS

    def _high(self, column: list[_Node]) -> float:
        return sum(self._height(node) + _DOWN for node in column)

    def _draw_box(self, box: GraphBox, x: float, y: float, wide: float, high: float) -> str:
        stopped = box.state not in ("", "running")
        colour = _STOPPED if stopped else _HOST
        frame = element("rect", x=x, y=y, width=wide, height=high, rx=5, fill=colour, fill_opacity=0.12, stroke=colour,
                        stroke_width=1.6, stroke_dasharray="5 4" if stopped else None)  # fmt: skip
        parts = [
            tooltip(f"{box.name}: {box.state}" if box.state else box.name),
            frame,
            label(cut(box.name, wide - 16, bold=True), x + wide / 2, y + 18, font_weight=600, text_anchor="middle"),
        ]
        for number, (_, text) in enumerate(box.links):
            parts.append(label(cut(text, wide - 14, SMALL), x + 8, y + _HEAD + _LINE * number + 11, size=SMALL))
        return element("g", *parts, data_host=box.name)


def _levels(root: _Node, near: dict[_Node, list[_Node]]) -> list[list[_Node]]:
    """Return the nodes that are reached from a node, by their distance from it."""
    levels, seen = [[root]], {root}
    while True:
        following = list(dict.fromkeys(other for node in levels[-1] for other in near[node] if other not in seen))
        if not following:
            return levels
        seen.update(following)
        levels.append(following)


def _untangle(columns: list[list[_Node]], near: dict[_Node, list[_Node]]) -> None:
    """Sort each column by the mean place of its neighbours in the column before."""
    for before, column in itertools.pairwise(columns):
        place = {node: number for number, node in enumerate(before)}

        def mean(node: _Node, place: dict[_Node, int] = place) -> float:
            found = [place[other] for other in near[node] if other in place]
            return sum(found) / len(found) if found else 0.0

        column.sort(key=mean)


def _link(
    host: tuple[float, float, float, float],
    number: int,
    network: tuple[float, float, float, float],
    text: str,
    turn: bool | None,
    down: bool,
) -> str:
    """Return the line from an interface's row to its network.

    Args:
        host, network: their places.
        number: of the interface.
        text: the tooltip.
        turn: None for nodes in one row; else the line leaves and enters on the right side (True) or the left (False).
        down: the link is broken.
    """
    right = network[0] > host[0] if turn is None else turn
    x1 = host[0] + host[2] if right else host[0]
    x2 = network[0] if right == (turn is None) else network[0] + network[2]
    y1, y2 = host[1] + _HEAD + _LINE * number + 7, network[1] + network[3] / 2
    if turn is not None:
        out = max(x1, x2) + 2 * _TURN if turn else min(x1, x2) - 2 * _TURN
        path = f"M{x1:.1f} {y1:.1f}C{out:.1f} {y1:.1f} {out:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        return _line(path, text, down)
    bend = (x2 - x1) / 2
    path = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    return _line(path, text, down)


def _line(path: str, text: str, down: bool) -> str:
    dash = "3 6" if down else None
    return element("path", tooltip(text), d=path, fill="none", stroke="currentColor", stroke_opacity=0.55,
                   stroke_width=1.4, stroke_dasharray=dash)  # fmt: skip


def _pill(name: str, x: float, y: float, wide: float, high: float) -> str:
    shape = element("rect", x=x, y=y, width=wide, height=high, rx=high / 2, fill=_NETWORK, fill_opacity=0.16,
                    stroke=_NETWORK, stroke_width=1.4)  # fmt: skip
    return element("g", tooltip(name), shape, label(cut(name, wide - 16), x + wide / 2, y + 18, text_anchor="middle"))


def _word(text: str) -> str:
    """Return a text for a quoted label of Mermaid or Graphviz."""
    return visible(text).replace("\\", "/").replace('"', "'")
