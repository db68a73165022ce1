"""LayerDrawing: the layers of one image as a stack of sheets, read-only, with a container's read-write layer on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .plot import Plot
from .svg import NARROW, SIZE, SMALL, amount, cut, document, element, headline, label, tooltip
from .table import Table

_WIDTH, _MARGIN, _SKEW, _THICK, _STEP = 720.0, 16.0, 34.0, 16.0, 52.0
#: Fill of the upper and of the front side; each has a contrast of 3 or more on white and on near-black.
_READ_ONLY, _READ_WRITE = ("#2f74c0", "#1f5590"), ("#b8560f", "#8a3f09")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One layer of a drawing.

    Attributes:
        text: the instruction.
        size: bytes; None if unknown.
        writable: whether it is a container's own layer.
    """

    text: str
    size: float | None = None
    writable: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class LayerDrawing(Plot):
    """A stack of sheets, the base at the bottom.

    Attributes:
        title: one line.
        sheets: base first.
        notes: lines below.
    """

    title: str
    sheets: Sequence[Sheet]
    notes: Sequence[str] = field(default=(), kw_only=True)

    def __repr__(self) -> str:
        return f"<LayerDrawing {self.title!r}: {len(self.sheets)} layers>"

    def to_dict(self) -> dict[str, Any]:
        """Return title, layers and notes as JSON-ready types."""
        layers = [{"text": one.text, "size": one.size, "writable": one.writable} for one in self.sheets]
        return {"title": self.title, "layers": layers, "notes": list(self.notes)}

    def to_text(self, width: int | None = None) -> str:
        """Return the layers as a table, the base at the bottom, as they are drawn."""
        rows = [("read-write" if one.writable else "read-only", self._size(one), one.text) for one in self.sheets[::-1]]
        return Table(self.title, ("", "Size", "Instruction"), rows, notes=self.notes).to_text(width or 80)

    @staticmethod
    def _size(sheet: Sheet) -> str:
        return "" if sheet.writable and sheet.size is None else amount(sheet.size, "bytes")

    def to_svg(self) -> str:
        """Return a complete SVG document."""
        return self._drawing(_WIDTH)

    def _narrow(self) -> str:
        return self._drawing(NARROW)

    def _drawing(self, width: float) -> str:
        out: list[str] = []
        top = _MARGIN
        if self.title:
            out, top = headline(self.title, _MARGIN, top, width - 2 * _MARGIN)
        bottom = top + 20 + _STEP * len(self.sheets)
        for number, sheet in enumerate(self.sheets):  # the lower ones first, so that the upper cover them
            out += self._sheet(sheet, bottom - _STEP * number, width)
        words = "; ".join(f"{one.text} ({self._size(one) or 'read-write'})" for one in self.sheets)
        return document(self.title, f"Layers, base first: {words}", width, bottom + _THICK + _MARGIN, out)

    def _sheet(self, sheet: Sheet, y: float, width: float) -> list[str]:
        upper, front = _READ_WRITE if sheet.writable else _READ_ONLY
        x, depth, wide = _MARGIN, _STEP * 0.62, width * 0.35 - 2
        corners = [(x, y), (x + _SKEW, y - depth), (x + _SKEW + wide, y - depth), (x + wide, y)]
        side = [(x + wide, y), (x + _SKEW + wide, y - depth), (x + _SKEW + wide, y - depth + _THICK)]
        side.append((x + wide, y + _THICK))
        style: dict[str, Any] = {"stroke": "#fff", "stroke_width": 1.2}
        if sheet.writable:
            style["stroke_dasharray"] = "5 3"
        kind = "read-write" if sheet.writable else "read-only"
        size = self._size(sheet)
        left = x + wide + _SKEW + 18
        text = cut(sheet.text, width - left - _MARGIN)
        below = ", ".join(part for part in (kind, size) if part)
        return [
            element("polygon", tooltip(f"{sheet.text}: {below}"), points=_points(corners), fill=upper, **style),
            element("polygon", points=_points(side), fill=front, **style),
            element("rect", x=x, y=y, width=wide, height=_THICK, fill=front, **style),
            label(text, left, y - depth / 2 + 2),
            label(below, left, y - depth / 2 + 2 + SIZE + 3, size=SMALL, fill_opacity=0.75),
        ]


def _points(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
