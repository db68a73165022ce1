"""How values are shown: text, HTML, Markdown and SVG. Values say what; this room decides how, and alone escapes."""

from __future__ import annotations

from .bars import Bar, BarChart
from .plot import Plot
from .sharing_graph import ChainLayer, SharingGraph
from .table import Cell, Table, Tabular, bytes_cell, percent_cell, seconds_cell
from .treemap import Treemap
from .units import human_bytes, human_seconds
from .values import as_dict, tables_of

__all__ = [
    "Bar",
    "BarChart",
    "Cell",
    "ChainLayer",
    "Plot",
    "SharingGraph",
    "Table",
    "Tabular",
    "Treemap",
    "as_dict",
    "bytes_cell",
    "human_bytes",
    "human_seconds",
    "percent_cell",
    "seconds_cell",
    "tables_of",
]
