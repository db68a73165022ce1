"""UserMap: which user of the machine a user in a container is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .plot import Plot
from .svg import COLOURS, NARROW, SIZE, SMALL, cut, document, element, headline, label, tooltip
from .table import Table

_WIDTH, _MARGIN, _HIGH, _DOWN = 720.0, 14.0, 40.0, 12.0
_ROOT, _USER = COLOURS[1], COLOURS[0]  # orange and blue: told apart by everybody, and every box says what it is
_ALL = 4_294_967_295


@dataclass(frozen=True, slots=True, repr=False)
class UserMap(Plot):
    """Users inside a container, each joined to the user of the machine that it is.

    Attributes:
        title: one line.
        text: the content of /proc/self/uid_map, as read in the container.
        names: uid of the machine -> a name, to be written beside it.
        notes: lines below.
    """

    title: str
    text: str
    names: dict[int, str] = field(default_factory=dict)
    notes: Sequence[str] = field(default=(), kw_only=True)

    def __repr__(self) -> str:
        return f"<UserMap {self.title!r}: {len(self.ranges)} ranges>"

    @property
    def ranges(self) -> tuple[tuple[int, int, int], ...]:
        """(first uid inside, first uid outside, how many) for each line.

        Raises:
            ValueError: a line is no three numbers.
        """
        found = []
        for line in self.text.split("\n"):
            if line.strip():
                inside, outside, count = map(int, line.split())
                found.append((inside, outside, count))
        return tuple(found)

    @property
    def root(self) -> int | None:
        """The uid that root of the container has on the machine; None if no line says."""
        return next((outside - inside for inside, outside, count in self.ranges if inside <= 0 < inside + count), None)

    def rows(self) -> list[tuple[str, str, bool]]:
        """Return (users inside, users of the machine, whether these include root) for each range, root first."""
        rows = []
        for inside, outside, count in self.ranges:
            if inside == 0 and count > 1:
                rows.append(("root (uid 0)", self._user(outside), outside == 0))
                inside, outside, count = 1, outside + 1, count - 1
            if inside == outside and inside + count >= _ALL:
                rows.append(("every other uid", "the same uid", outside == 0))
            elif count == 1:
                rows.append(("root (uid 0)" if inside == 0 else f"uid {inside}", self._user(outside), outside == 0))
            else:
                there = f"uids {outside}–{outside + count - 1}"
                rows.append((f"uids {inside}–{inside + count - 1}", there, outside == 0))
        return rows

    def _user(self, uid: int) -> str:
        name = self.names.get(uid, "root" if uid == 0 else "")
        return f"{name} (uid {uid})" if name else f"uid {uid}"

    def to_dict(self) -> dict[str, Any]:
        """Return title, ranges, root's uid on the machine and notes as JSON-ready types."""
        ranges = [{"inside": inside, "outside": outside, "count": count} for inside, outside, count in self.ranges]
        return {"title": self.title, "ranges": ranges, "root": self.root, "notes": list(self.notes)}

    def to_text(self, width: int | None = None) -> str:
        """Return a table of the ranges."""
        rows = [(inside, "→", outside) for inside, outside, _ in self.rows()]
        return Table(self.title, ("in the container", "is", "on the machine"), rows, notes=self.notes).to_text(
            width or 80
        )

    def to_svg(self) -> str:
        """Return a complete SVG document."""
        return self._drawing(_WIDTH)

    def _narrow(self) -> str:
        return self._drawing(NARROW)

    def _drawing(self, width: float) -> str:
        rows = self.rows()
        wide = (width - 2 * _MARGIN) * (0.4 if width > NARROW else 0.44)
        right = width - _MARGIN - wide
        out: list[str] = []
        y = _MARGIN
        if self.title:
            out, y = headline(self.title, _MARGIN, y, width - 2 * _MARGIN)
            y += 13
        for x, head in ((_MARGIN, "in the container"), (right, "on the machine")):
            out.append(label(head, x, y + SIZE, size=SMALL, fill_opacity=0.85))
        y += 22
        for inside, outside, is_root in rows:
            out += self._row(inside, outside, is_root, (_MARGIN, right, wide, y))
            y += _HIGH + _DOWN
        words = "; ".join(f"{inside} in the container is {outside} on the machine" for inside, outside, _ in rows)
        return document(self.title, f"Users: {words or 'no map'}", width, y + _MARGIN - _DOWN, out)

    @staticmethod
    def _row(inside: str, outside: str, is_root: bool, place: tuple[float, float, float, float]) -> Iterable[str]:
        left, right, wide, y = place
        middle = y + _HIGH / 2
        colour = _ROOT if is_root else _USER
        yield element("path", d=f"M{left + wide:.1f} {middle:.1f}H{right - 7:.1f}", stroke="currentColor",
                      stroke_opacity=0.6, stroke_width=1.6, fill="none")  # fmt: skip
        yield element("path", d=f"M{right - 9:.1f} {middle - 5:.1f}L{right:.1f} {middle:.1f}L{right - 9:.1f} "
                      f"{middle + 5:.1f}Z", fill="currentColor", fill_opacity=0.6)  # fmt: skip
        for x, text, fill in ((left, inside, "none"), (right, outside, colour)):
            yield element("rect", tooltip(f"{inside} is {outside}"), x=x, y=y, width=wide, height=_HIGH, rx=6,
                          fill=fill, stroke=colour, stroke_width=1.6)  # fmt: skip
            ink = "currentColor" if fill == "none" else "#fff"
            yield label(cut(text, wide - 14, bold=True), x + 9, middle + 5, fill=ink, font_weight=600)
