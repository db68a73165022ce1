"""Render tables for a terminal with rich, which is imported on first use."""

from __future__ import annotations

import io

from .._text import split_lines
from .cells import Grid
from .escape import visible

_STYLES = {"good": "green", "warn": "yellow", "bad": "bold red", "dim": "dim", "": ""}
_UNBOUNDED = 100_000


def grid_text(grid: Grid, *, width: int | None, color: bool) -> str:
    """Return title, table and notes, each line without trailing blanks."""
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
