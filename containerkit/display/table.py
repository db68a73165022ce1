"""Table: rows under headings, for a terminal, a notebook, a document or a program."""

from __future__ import annotations

import sys
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._json import json_ready
from .cells import Grid, cell_text, cell_tone, cell_value, is_numeric
from .escape import markdown_text
from .page import grid_html
from .text import grid_text

_NOTEBOOK_ROWS = 200


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

    def texts(self) -> list[list[str]]:
        """Return every cell as people read it, not yet escaped."""
        return [[cell_text(value) for value in row] for row in self.rows]

    def numeric(self) -> tuple[bool, ...]:
        """Return, for each column, whether it holds numbers and is right-aligned."""
        return tuple(is_numeric(row[index] for row in self.rows) for index in range(len(self.columns)))

    def _grid(self, max_rows: int | None = None) -> Grid:
        rows = [
            [(text, cell_tone(value, name)) for value, text, name in zip(row, texts, self.columns, strict=True)]
            for row, texts in zip(self.rows, self.texts(), strict=True)
        ]
        left_out = 0 if max_rows is None else max(0, len(rows) - max_rows)
        notes = [f"{left_out:,} more rows are not shown."] if left_out else []
        return Grid(self.title, self.columns, self.numeric(), rows[:max_rows], (*notes, *self.notes))

    # ---------------------------------------------------------------- faces
    def to_text(self, width: int | None = None, color: bool = False) -> str:
        """Return the table as text for a terminal.

        Args:
            width: columns to fit into, by folding long cells; None: as wide as necessary.
            color: use ANSI colours.
        """
        return grid_text(self._grid(), width=width, color=color)

    def to_html(self, *, max_rows: int | None = None) -> str:
        """Return a fragment for a page, light or dark. ``max_rows`` limits the rows, and a note says so."""
        return grid_html(self._grid(max_rows))

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
            "rows": [[json_ready(cell_value(cell)) for cell in row] for row in self.rows],
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


def terminal_width() -> int | None:
    """Return the columns of the terminal behind stdout, or None if it is not a terminal."""
    import shutil

    try:
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    except (AttributeError, ValueError):  # stdout was closed, or replaced by a simpler object
        return None
