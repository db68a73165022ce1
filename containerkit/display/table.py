"""Table: rows under headings, for a terminal, a notebook, a document or a program."""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from .._json import json_ready
from .escape import markdown_text, visible
from .units import UNKNOWN, human_bytes, human_number, human_seconds

__all__ = ["Cell", "Table", "Tabular", "bytes_cell", "percent_cell", "seconds_cell", "terminal_width"]

Tone = Literal["", "good", "warn", "bad", "dim"]

# Right-aligned cells: "12", "-3.5", "1,234", "12.3 MB", "98 %", "1.5×".
_NUMERIC = re.compile(r"[-+~≈<>≤≥]?\s*\d[\d,_. ]*\s*(?:[kMGTPE]?i?B|%|×|x|[nµm]?s|min|h|d)?(?: \d+ (?:s|min|h))?")
_NOTEBOOK_ROWS = 200
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


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """Rows under headings.

    A cell is any value: numbers are right-aligned, True is "yes", None is empty (an unknown size is
    ``bytes_cell(None)``), a list is joined by commas, a :class:`Cell` has its own text.

    Attributes:
        title: one line.
        columns: the headings.
        rows: as many cells each as there are columns.
        notes: lines below the table.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: Sequence[str] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        notes = (self.notes,) if isinstance(self.notes, str) else tuple(str(note) for note in self.notes)
        object.__setattr__(self, "columns", tuple(str(column) for column in self.columns))
        object.__setattr__(self, "rows", tuple(tuple(row) for row in self.rows))
        object.__setattr__(self, "notes", notes)
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} has {len(row)} cells, the table {len(self.columns)} columns")

    # ---------------------------------------------------------------- what the renderers ask
    def texts(self) -> list[list[str]]:
        """Return every cell as people read it, not yet escaped."""
        return [[cell_text(value) for value in row] for row in self.rows]

    def numeric(self) -> tuple[bool, ...]:
        """Return, for each column, whether it holds numbers and is right-aligned."""
        return tuple(_is_numeric(row[index] for row in self.rows) for index in range(len(self.columns)))

    # ---------------------------------------------------------------- faces
    def to_text(self, width: int | None = None, color: bool = False) -> str:
        """Return the table as text for a terminal.

        Args:
            width: columns to fit into, by folding long cells; None: as wide as necessary.
            color: use ANSI colours.
        """
        from .text import table_text

        return table_text(self, width=width, color=color)

    def to_html(self, *, max_rows: int | None = None) -> str:
        """Return a fragment for a page, light or dark. ``max_rows`` limits the rows, and a note says so."""
        from .page import table_html

        return table_html(self, max_rows=max_rows)

    def to_markdown(self) -> str:
        """Return a table as GitHub, GitLab and Jupyter read it."""
        cells = [[markdown_text(text) for text in row] for row in ([*self.columns], *self.texts())]
        widths = [min(80, max(3, *(len(row[index]) for row in cells))) for index in range(len(self.columns))]
        numeric = self.numeric()
        rule = ["-" * (width - 1) + ":" if right else "-" * width for width, right in zip(widths, numeric, strict=True)]
        lines = [
            "| "
            + " | ".join(
                text.rjust(width) if right else text.ljust(width)
                for text, width, right in zip(row, widths, numeric, strict=True)
            )
            + " |"
            for row in (cells[0], rule, *cells[1:])
        ]
        parts = [f"**{markdown_text(self.title.strip())}**"] if self.title else []
        parts += ["\n".join(lines)] if self.columns else []
        parts += [markdown_text(note, line=True) for note in self.notes]
        return "\n\n".join(parts) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return title, columns, rows (lists of cells, numbers as numbers) and notes as JSON-ready types."""
        return {
            "title": self.title,
            "columns": list(self.columns),
            "rows": [[json_ready(_value(cell)) for cell in row] for row in self.rows],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return self.to_text(width=terminal_width())

    def __repr__(self) -> str:
        return f"<Table {self.title!r}: {len(self.rows)} rows of {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        return self.to_html(max_rows=_NOTEBOOK_ROWS)

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        faces = {"text/plain": self.to_text, "text/html": self._repr_html_, "text/markdown": self.to_markdown}
        return {
            kind: face()
            for kind, face in faces.items()
            if (include is None or kind in include) and (exclude is None or kind not in exclude)
        }


class Tabular:
    """A value that is shown as a table: implement ``table()``, and terminals and notebooks show it."""

    __slots__ = ()

    def table(self) -> Table:
        """Return the table to show."""
        raise NotImplementedError

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        return self.table()._repr_mimebundle_(include, exclude)


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


def _value(cell: object) -> object:
    return cell.value if isinstance(cell, Cell) else cell


def _is_numeric(values: Iterable[object]) -> bool:
    some = False
    for value in values:
        text = cell_text(value)
        if text in {"", UNKNOWN, "-", "–"}:
            continue
        if isinstance(value, bool) or not _NUMERIC.fullmatch(text):
            return False
        some = True
    return some


def terminal_width() -> int | None:
    """Return the columns of the terminal behind stdout, or None if it is not a terminal."""
    import shutil

    try:
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    except (AttributeError, ValueError):  # stdout was closed, or replaced by a simpler object
        return None
