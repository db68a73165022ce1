"""Draw pictures: SVG elements, colours, and the estimated width of text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from .escape import html_text, visible
from .page import WRAPPER
from .units import UNKNOWN, human_bytes, human_number, human_seconds

# White text on each of them has a contrast of 4.5 or more; each has 3 or more on white and on near-black.
COLOURS = ("#2f74c0", "#b8560f", "#1b7f4f", "#8057b8", "#b83a7c", "#0e7a86", "#7a7412", "#6b7280")
SIZE = 13.0  # of text, in pixels
SMALL = 11.5
_SHRINK = 0.8  # smaller text is hard to read
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

NARROW = 360.0  # width of a picture on the screen of a telephone
_CHOICE = ".ck-narrow{display:none}@media(max-width:600px){.ck-narrow{display:block}.ck-wide{display:none}}"

_NARROW, _WIDE = frozenset("fijlrtI.,:;'!|()[]{}/\\ -"), frozenset("mwMW@%—")


def width_of(text: str, size: float = SIZE, *, bold: bool = False) -> float:
    """Estimate the width of a text, rather too large than too small, since the page's font is unknown."""
    ems = 0.0
    for char in text:
        if char in _NARROW:
            ems += 0.40
        elif char in _WIDE or unicodedata.east_asian_width(char) in "WF":
            ems += 1.0
        else:
            ems += 0.71 if char.isupper() else 0.64
    return ems * size * (1.12 if bold else 1.0)


def cut(text: str, width: float, size: float = SIZE, *, middle: bool = False, bold: bool = False) -> str:
    """Return the part of the text that fits the width, with an ellipsis; "" if fewer than three characters fit."""
    text = visible(text)
    width /= 1.12 if bold else 1.0
    if width_of(text, size) <= width:
        return text
    for kept in range(_fitting(text, width - width_of("…", size), size), 2, -1):
        if not middle or kept <= 8:
            return text[:kept].rstrip() + "…"
        ends = f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"
        if width_of(ends, size) <= width:  # the ellipsis may be wider than what was measured
            return ends
    return ""


def _fitting(text: str, width: float, size: float) -> int:
    """Return how many characters fit."""
    for count, char in enumerate(text):
        width -= width_of(char, size)
        if width < 0:
            return count
    return len(text)


def amount(value: float | None, unit: str) -> str:
    """Return a value with its unit; "bytes" and "seconds" choose their own scale."""
    if unit == "bytes":
        return human_bytes(value)
    if unit == "seconds":
        return human_seconds(value)
    if value is None:
        return UNKNOWN
    return f"{human_number(value)}{unit}" if unit in ("×", "%") else f"{human_number(value)} {unit}".rstrip()


def tick_text(value: float, unit: str) -> str:
    """Return a round value as an axis shows it, without decimals that are zero."""
    return re.sub(r"\.0+(?!\d)|(\.\d*?[1-9])0+(?!\d)", r"\1", amount(value, unit)) if value else "0"


def element(name: str, *content: str, **attributes: str | float | None) -> str:
    """Return one element around finished markup; attributes are escaped here, ``_`` becomes ``-``."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(content)
    return f"<{name}{given}>{inner}</{name}>" if inner else f"<{name}{given}/>"


def _attribute(value: str | float) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, (int, float)) else html_text(value)


def label(text: str, x: float, y: float, *, size: float = SIZE, **attributes: str | float | None) -> str:
    """Return text at a position, in the page's colour unless ``fill`` is given."""
    attributes.setdefault("fill", "currentColor")
    return element("text", html_text(text), x=x, y=y, font_size=size, **attributes)


def headline(text: str, x: float, y: float, width: float) -> tuple[list[str], float]:
    """Return a title below y, on two lines if one is too narrow for it, and the position below it."""
    size, first, rest = SIZE + 2, visible(text), ""
    if width_of(first, size, bold=True) > width:
        words = first.split(" ")
        fits = [n for n in range(1, len(words)) if width_of(" ".join(words[:n]), size, bold=True) <= width]
        first, rest = (" ".join(words[: fits[-1]]), " ".join(words[fits[-1] :])) if fits else (first, "")
    lines = [cut(line, width, size, bold=True) for line in (first, rest) if line]
    out = [label(line, x, y + size * (1 + 1.25 * n), size=size, font_weight=600) for n, line in enumerate(lines)]
    return out, y + size * (1.25 * len(lines) - 0.25)


def tooltip(text: str) -> str:
    """Return the tooltip of a shape, to be placed inside the shape."""
    return element("title", html_text(text))


def document(title: str, description: str, width: float, height: float, parts: Iterable[str]) -> str:
    """Return a complete picture with its title and a text alternative."""
    return element(
        "svg",
        element("title", html_text(title)) if title else "",
        element("desc", html_text(description)),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=width,
        height=height,
        role="img",
        aria_label=f"{title}. {description}" if title else description,
        font_family=_FONT,
        style=f"max-width:100%;min-width:{width * _SHRINK:.0f}px;height:auto;color:inherit",  # then the page scrolls it
    )


def fragment(picture: str, notes: Iterable[str], narrow: str = "") -> str:
    """Return a picture for a notebook with its notes below; on a narrow screen another form of it, if there is one."""
    if narrow:
        picture = f'<style>{_CHOICE}</style><div class="ck-wide">{picture}</div><div class="ck-narrow">{narrow}</div>'
    lines = "".join(
        f'<p style="margin:.2em 0;font-size:.86em;opacity:.85;max-width:60em">{html_text(note)}</p>' for note in notes
    )
    return f"<div {WRAPPER}>{picture}{lines}</div>"
