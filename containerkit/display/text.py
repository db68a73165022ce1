"""Render tables for a terminal. A table that has to be folded in several columns is drawn by rich.

Rich needs 0.6 ms for a row, which is too much for a list of files; a table that fits needs no layout.
"""

from __future__ import annotations

import io
from collections.abc import Iterable

from .._text import split_lines
from .cells import Grid
from .escape import visible

_STYLES = {"good": "green", "warn": "yellow", "bad": "bold red", "dim": "dim", "": ""}
_UNBOUNDED = 100_000
_ANSI = {"good": "32", "warn": "33", "bad": "1;31", "dim": "2", "bold": "1", "": ""}
_GAP = "   "
_LONG = 200  # rows; a longer table is folded in its last column alone
_LEAST = 20  # columns for that


def grid_text(grid: Grid, *, width: int | None, color: bool) -> str:
    """Return title, table and notes, each line without trailing blanks."""
    fitted = _fitted(grid, max(width, 20) if width else _UNBOUNDED, color)
    return fitted if fitted is not None else _laid_out(grid, width, color)


def _fitted(grid: Grid, width: int, color: bool) -> str | None:
    """Return the text of a table of which no column but the last has to be folded; else None."""
    heads = [visible(name) for name in grid.columns]
    lines = [visible(text).rstrip() for text in (grid.title, *grid.notes)]
    if any(_cells(line) > width for line in lines):
        return None
    widths = [max(_cells(head), *(_cells(row[index][0]) for row in grid.rows)) if grid.rows else _cells(head)
              for index, head in enumerate(heads)]  # fmt: skip
    if sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        left = width - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
        if len(grid.rows) < _LONG or left < max(_LEAST, _cells(heads[-1])) or grid.numeric[-1]:
            return None
        widths[-1] = left

    def styled(text: str, tone: str) -> str:
        return f"\x1b[{_ANSI[tone]}m{text}\x1b[0m" if color and tone and text else text

    def line(cells: Iterable[tuple[str, str]]) -> str:
        parts = []
        for (text, tone), size, right in zip(cells, widths, grid.numeric, strict=True):
            blanks = " " * (size - _cells(text))
            shown = styled(text, tone)
            parts.append(blanks + shown if right else shown + blanks)
        return _GAP.join(parts).rstrip()

    out = [styled(lines[0], "bold")] if grid.title else []
    if heads:
        out.append(line((head, "bold") for head in heads))
        out.append("─" * (sum(widths) + len(_GAP) * (len(widths) - 1)))
    for row in grid.rows if heads else ():
        last, tone = row[-1]
        if _cells(last) <= widths[-1]:
            out.append(line(row))
            continue
        first, *more = _chopped(last, widths[-1])
        out.append(line([*row[:-1], (first, tone)]))
        indent = " " * (sum(widths[:-1]) + len(_GAP) * (len(widths) - 1))
        out += [indent + styled(part, tone) for part in more]
    out += [styled(note, "dim") for note in lines[1:]]
    return "\n".join(out) + "\n"


def _cells(text: str) -> int:
    """Return the columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _chopped(text: str, width: int) -> list[str]:
    if text.isascii():
        return [text[at : at + width] for at in range(0, len(text), width)]
    from rich.cells import chop_cells

    return chop_cells(text, width)


def _laid_out(grid: Grid, width: int | None, color: bool) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    out = io.StringIO()
    # All settings are explicit, so that the environment cannot change the text of a value.
    console = Console(
        file=out,
        width=max(width, 20) if width else _UNBOUNDED,
        height=100,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        force_jupyter=False,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
        _environ={},
    )
    if grid.title:
        console.print(Text(visible(grid.title), style="bold"))
    if grid.columns:
        drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
        for name, right in zip(grid.columns, grid.numeric, strict=True):
            drawn.add_column(Text(visible(name)), justify="right" if right else "left", no_wrap=right, overflow="fold")
        for row in grid.rows:
            drawn.add_row(*(Text(text, style=_STYLES[tone]) for text, tone in row))
        console.print(drawn)
    for note in grid.notes:
        console.print(Text(visible(note), style="dim"))
    return "\n".join(line.rstrip() for line in split_lines(out.getvalue())) + "\n"
