"""Cells of a table: values with a text and a tone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from .escape import visible
from .units import UNKNOWN, human_bytes, human_number, human_seconds

Tone = Literal["", "good", "warn", "bad", "dim"]

# Right-aligned cells: "12", "-3.5", "1,234", "12.3 MB", "98 %", "1.5×".
_NUMERIC = re.compile(r"[-+~≈<>≤≥]?\s*\d[\d,_. ]*\s*(?:[kMGTPE]?i?B|%|×|x|[nµm]?s|min|h|d)?(?: \d+ (?:s|min|h))?")
_STATUS: dict[str, Tone] = {"pass": "good", "warn": "warn", "fail": "bad", "unknown": "dim", "na": "dim"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with a text other than its value's.

    Attributes:
        value: for programs (JSON-ready).
        text: for people.
        tone: "good", "warn" or "bad" colours it, "dim" makes it less visible.
    """

    value: object
    text: str
    tone: Tone = ""

    def __str__(self) -> str:
        return self.text


def bytes_cell(n: int | None, tone: Tone = "") -> Cell:
    """Return a cell of bytes: a number for programs, "1.23 GB" for people, "unknown" for None."""
    return Cell(n, human_bytes(n), tone or ("dim" if n is None else ""))


def seconds_cell(s: float | None, tone: Tone = "") -> Cell:
    """Return a cell of seconds: a number for programs, "1.50 s" for people."""
    return Cell(s, human_seconds(s), tone or ("dim" if s is None else ""))


def percent_cell(fraction: float | None, tone: Tone = "") -> Cell:
    """Return a cell of a fraction: 0.66 for programs, "66.0 %" for people."""
    text = UNKNOWN if fraction is None else f"{fraction:.1%}".replace("%", " %")
    return Cell(fraction, text, tone or ("dim" if fraction is None else ""))


def cell_text(value: object) -> str:
    """Return one cell as people read it, on one line, without control characters."""
    return visible(_plain(value))


def cell_tone(value: object, column: str = "") -> Tone:
    """Return the tone of a cell: its own, or that of a check's status in a column called "status"."""
    if isinstance(value, Cell):
        return value.tone
    text = _plain(value) if isinstance(value, (str, Enum)) else ""
    if column.casefold() == "status":
        return _STATUS.get(text, "")
    return "dim" if text == UNKNOWN else ""


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Enum):  # before str: many are strings too, and their str() differs between versions of Python
        return _plain(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return human_number(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return ", ".join(f"{_plain(key)}={_plain(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple, AbstractSet)):
        items = sorted(value, key=str) if isinstance(value, AbstractSet) else value
        return ", ".join(_plain(item) for item in items)
    return str(value)


def cell_value(cell: object) -> object:
    """Return the value of a cell for programs."""
    return cell.value if isinstance(cell, Cell) else cell


def is_numeric(values: Iterable[object]) -> bool:
    """Return whether a column of these values holds numbers."""
    some = False
    for value in values:
        text = cell_text(value)
        if text in {"", UNKNOWN, "-", "–"}:
            continue
        if isinstance(value, bool) or not _NUMERIC.fullmatch(text):
            return False
        some = True
    return some


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with every cell as people read it, not yet escaped: what the renderers draw.

    Attributes:
        numeric: for each column, whether it holds numbers and is right-aligned.
        rows: pairs of text and tone.
    """

    title: str
    columns: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[tuple[str, Tone]]]
    notes: Sequence[str]
