"""BarChart: a few quantities side by side, such as the size of images alone and together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .escape import visible
from .plot import Plot
from .svg import (
    COLOURS,
    NARROW,
    SIZE,
    SMALL,
    amount,
    cut,
    document,
    element,
    headline,
    label,
    tick_text,
    tooltip,
    width_of,
)
from .units import UNKNOWN

_WIDTH, _BAR, _GAP, _MARGIN = 720.0, 22.0, 10.0, 12.0
_BLOCKS = " ▏▎▍▌▋▊▉"
_SHADES = "█▓▒░"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        label: name of the bar.
        value: its length; None is "unknown" and draws no bar. A mapping makes a bar of several parts.
        group: bars of one group stand together under its name.
    """

    label: str
    value: float | Mapping[str, float | None] | None
    group: str = ""

    @property
    def parts(self) -> Mapping[str, float | None]:
        """The parts by name; one nameless part for a simple bar."""
        return self.value if isinstance(self.value, Mapping) else {"": self.value}

    @property
    def total(self) -> float | None:
        """Sum of all known parts; None if none is known."""
        known = [value for value in self.parts.values() if value is not None]
        return math.fsum(known) if known else None

    @property
    def complete(self) -> bool:
        """True if every part is known."""
        return None not in self.parts.values()


@dataclass(frozen=True, slots=True, repr=False)
class BarChart(Plot):
    """Horizontal bars on one scale, each with its value.

    Attributes:
        title: one line.
        bars: Bar, or (label, value).
        unit: "bytes", "seconds", or another word to print behind numbers.
        notes: lines below.
    """

    title: str
    bars: Sequence[Bar | tuple[str, float | None]]
    unit: str = "bytes"
    notes: Sequence[str] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bars", self._all)
        object.__setattr__(self, "notes", tuple(self.notes))
        for bar in self._all:
            for value in bar.parts.values():
                if value is not None and not (math.isfinite(value) and value >= 0):
                    raise ValueError(f"bar {bar.label!r}: {value!r} is not a length")

    def __repr__(self) -> str:
        return f"<BarChart {self.title!r}: {len(self.bars)} bars>"

    def to_dict(self) -> dict[str, Any]:
        """Return title, unit, bars with label, group and value, and notes as JSON-ready types."""
        bars = [
            {"label": bar.label, "group": bar.group, "value": dict(value) if isinstance(value, Mapping) else value}
            for bar in self._all
            for value in (bar.value,)
        ]
        return {"title": self.title, "unit": self.unit, "bars": bars, "notes": list(self.notes)}

    # ---------------------------------------------------------------- a page
    def to_svg(self) -> str:
        """Return a complete SVG document."""
        return self._drawing(_WIDTH)

    def _narrow(self) -> str:
        return self._drawing(NARROW)

    def _drawing(self, width: float) -> str:
        names = max((width_of(visible(bar.label)) for bar in self._all), default=0)
        above = names + 10 > width * 0.39 and width <= NARROW  # no room beside the bars
        left = 4 + _MARGIN if above else min(width * 0.39, names + 10) + _MARGIN
        step = _BAR + _GAP + (SIZE + 5 if above else 0)
        right = max((width_of(self._says(bar)) for bar in self._all), default=0) + 10 + _MARGIN
        top, scale = self._top, (width - left - right)
        out: list[str] = []
        y = _MARGIN
        if self.title:
            out, y = headline(self.title, _MARGIN, y, width - 2 * _MARGIN)
            y += 12
        if self._part_names:
            y = self._legend(out, y, width)
        spans: list[tuple[float, float]] = []
        rows: list[str] = []
        for group, bars in self._groups():
            if group:
                y += SIZE + 8
                rows.append(label(cut(group, width - 2 * _MARGIN, bold=True), _MARGIN, y, font_weight=600))
                y += 8
            spans.append((y - 4, y + len(bars) * step - _GAP + 4))
            for bar in bars:
                if above:
                    rows.append(label(cut(bar.label, width - left - _MARGIN), left, y + SIZE))
                rows += self._row(bar, left, y + step - _BAR - _GAP, scale / top, named=not above)
                y += step
        out += self._axis(left, spans, y, scale)
        out += rows
        return document(self.title, self._words(), width, y + 12 + _MARGIN, out)

    def _row(self, bar: Bar, left: float, y: float, factor: float, *, named: bool) -> Iterator[str]:
        base = y + _BAR / 2 + SIZE * 0.36
        if named:
            yield label(cut(bar.label, left - _MARGIN - 8, middle=True), left - 8, base, text_anchor="end")
        x = left
        for name, value in bar.parts.items():
            wide = (value or 0) * factor
            if wide > 0:
                tip = f"{bar.label}{', ' + name if name else ''}: {amount(value, self.unit)}"
                yield element(
                    "rect",
                    tooltip(tip),
                    x=x,
                    y=y,
                    width=max(wide, 1.5),
                    height=_BAR,
                    rx=2,
                    fill=self._colour(bar, name),
                )
                x += wide
        dim = None if bar.total is not None else 0.72
        yield label(self._says(bar), x + 8, base, fill_opacity=dim, style="font-variant-numeric:tabular-nums")

    def _axis(self, left: float, spans: Sequence[tuple[float, float]], end: float, scale: float) -> Iterator[str]:
        room = 0.0
        for tick in _ticks(self._top) if self._known else ():
            x = left + scale * tick / self._top
            strong = 0.16 if tick else 0.6
            for start, stop in spans:
                yield element("line", x1=x, y1=start, x2=x, y2=stop, stroke="currentColor", stroke_opacity=strong)
            text = tick_text(tick, self.unit)
            half = width_of(text, SMALL) / 2
            if x - half >= room:
                yield label(text, x, end + 10, size=SMALL, text_anchor="middle", fill_opacity=0.85)
                room = x + half + 6

    def _legend(self, out: list[str], y: float, width: float) -> float:
        x = _MARGIN
        for index, name in enumerate(self._part_names):
            text = cut(name, 200, SMALL)
            wide = 18 + width_of(text, SMALL) + 14
            if x + wide > width - _MARGIN and x > _MARGIN:
                x, y = _MARGIN, y + 18
            out.append(element("rect", x=x, y=y, width=12, height=12, rx=2, fill=COLOURS[index % len(COLOURS)]))
            out.append(label(text, x + 18, y + 10, size=SMALL))
            x += wide
        return y + 24

    # ---------------------------------------------------------------- a terminal
    def to_text(self, width: int | None = None) -> str:
        """Return bars of block characters."""
        from rich.cells import cell_len, set_cell_size

        columns = max(width or 80, 40)
        names = min(max((cell_len(visible(bar.label)) for bar in self._all), default=0), columns // 3)
        says = max((len(self._says(bar)) for bar in self._all), default=0)
        room = columns - names - says - 4
        lines = [visible(self.title)] if self.title else []
        if self._part_names:
            shades = (f"{_SHADES[i % len(_SHADES)]} {visible(name)}" for i, name in enumerate(self._part_names))
            lines.append("  ".join(shades))
        for group, bars in self._groups():
            lines += [visible(group)] if group else []
            for bar in bars:
                drawn = self._drawn(bar, room)
                lines.append(f"{set_cell_size(visible(bar.label), names)} ▕{drawn} {self._says(bar)}".rstrip())
        lines += [visible(note) for note in self.notes]
        return "\n".join(lines) + "\n"

    def _drawn(self, bar: Bar, room: int) -> str:
        if not self._part_names:
            eighths = round((bar.total or 0) / self._top * room * 8)
            return "█" * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")
        drawn, so_far = "", 0.0
        for name, value in bar.parts.items():
            so_far += value or 0
            shade = _SHADES[self._part_names.index(name) % len(_SHADES)] if name else "█"
            drawn += shade * (round(so_far / self._top * room) - len(drawn))
        return drawn

    # ---------------------------------------------------------------- what both need
    @property
    def _all(self) -> tuple[Bar, ...]:
        return tuple(bar if isinstance(bar, Bar) else Bar(*bar) for bar in self.bars)

    @property
    def _known(self) -> list[float]:
        return [bar.total for bar in self._all if bar.total is not None]

    @property
    def _top(self) -> float:
        top = max(self._known, default=0.0)
        return top if top > 1e-12 else 1.0  # smaller sums count as zero, since no scale fits them

    @property
    def _part_names(self) -> list[str]:
        return list(dict.fromkeys(name for bar in self._all for name in bar.parts if name))

    def _groups(self) -> Iterator[tuple[str, list[Bar]]]:
        for group in dict.fromkeys(bar.group for bar in self._all):
            yield group, [bar for bar in self._all if bar.group == group]

    def _colour(self, bar: Bar, part: str) -> str:
        """Choose the colour: by part; in groups by label, one colour for each; else one for all."""
        if not part and len(list(self._groups())) < 2:
            return COLOURS[0]
        names = self._part_names if part else list(dict.fromkeys(each.label for each in self._all))
        return COLOURS[names.index(part or bar.label) % len(COLOURS)]

    def _says(self, bar: Bar) -> str:
        if bar.total is None:
            return UNKNOWN
        return ("" if bar.complete else "≥ ") + amount(bar.total, self.unit)

    def _words(self) -> str:
        says = (f"{bar.group + ' ' if bar.group else ''}{bar.label}: {self._says(bar)}" for bar in self._all)
        return "Bar chart. " + "; ".join(says)


def _ticks(top: float) -> list[float]:
    """Return four to eight round values from 0 to the top."""
    power = 10.0 ** math.floor(math.log10(top))
    step = next(power * part for part in (1, 0.5, 0.25, 0.2) if top / (power * part) >= 3)
    return [step * index for index in range(math.floor(top / step + 1e-9) + 1)]
