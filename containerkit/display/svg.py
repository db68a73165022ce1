"""What every picture is drawn with: SVG elements, colours, and the width a text will take."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from .escape import html_text, visible
from .page import WRAPPER
from .units import UNKNOWN, human_bytes, human_number, human_seconds

__all__ = [
    "COLOURS",
    "SIZE",
    "SMALL",
    "amount",
    "cut",
    "document",
    "element",
    "fragment",
    "label",
    "tooltip",
    "width_of",
]

# White text on each of them has a contrast of 4.5 or more; each has 3 or more on white and on near-black.
COLOURS = ("#2f74c0", "#b8560f", "#1b7f4f", "#8057b8", "#b83a7c", "#0e7a86", "#7a7412", "#6b7280")
SIZE = 13.0  # of text, in pixels
SMALL = 11.5
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

_NARROW, _WIDE = frozenset("fijlrtI.,:;'!|()[]{}/\\ -"), frozenset("mwMW@%—")


def width_of(text: str, size: float = SIZE, *, bold: bool = False) -> float:
    """About how wide a text is, rather too wide than too narrow: the page's font is not known."""
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
    """The text, or what of it fits the width, with an ellipsis; "" where not even three characters would."""
    text = visible(text)
    width /= 1.12 if bold else 1.0
    if width_of(text, size) <= width:
        return text
    for kept in range(_fitting(text, width - width_of("…", size), size), 2, -1):
        if not middle or kept <= 8:
            return text[:kept].rstrip() + "…"
        ends = f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"
        if width_of(ends, size) <= width:  # its end may be wider than what was measured
            return ends
    return ""


def _fitting(text: str, width: float, size: float) -> int:
    """How many characters fit."""
    for count, char in enumerate(text):
        width -= width_of(char, size)
        if width < 0:
            return count
    return len(text)


def amount(value: float | None, unit: str) -> str:
    """A value with its unit: "bytes" and "seconds" choose their own scale."""
    if unit == "bytes":
        return human_bytes(value)
    if unit == "seconds":
        return human_seconds(value)
    return UNKNOWN if value is None else f"{human_number(value)} {unit}".rstrip()


def element(name: str, *content: str, **attributes: str | float | None) -> str:
    """One element around markup that is finished already; attributes are escaped here, ``_`` is ``-``."""
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
    """Text at a place; in the page's own colour unless ``fill`` is given."""
    attributes.setdefault("fill", "currentColor")
    return element("text", html_text(text), x=x, y=y, font_size=size, **attributes)


def tooltip(text: str) -> str:
    """What a shape says when it is pointed at; stands inside the shape."""
    return element("title", html_text(text))


def document(title: str, description: str, width: float, height: float, parts: Iterable[str]) -> str:
    """A whole picture, with its title and what it says in words for those who do not see it."""
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
        style="max-width:100%;height:auto;color:inherit",
    )


def fragment(picture: str, notes: Iterable[str]) -> str:
    """A picture for a notebook, its notes below."""
    lines = "".join(
        f'<p style="margin:.2em 0;font-size:.86em;opacity:.85;max-width:60em">{html_text(note)}</p>' for note in notes
    )
    return f"<div {WRAPPER}>{picture}{lines}</div>"
