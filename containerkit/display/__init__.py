"""How values are shown: text, HTML, Markdown and SVG. Values say what; this room decides how, and alone escapes."""

from __future__ import annotations

from .table import Cell, Table, Tabular, bytes_cell, percent_cell, seconds_cell
from .units import human_bytes, human_seconds

__all__ = [
    "Cell",
    "Table",
    "Tabular",
    "bytes_cell",
    "human_bytes",
    "human_seconds",
    "percent_cell",
    "seconds_cell",
]
