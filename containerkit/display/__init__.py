"""Show values as text, HTML, Markdown and SVG. The only room that escapes. Imports errors and values."""

from __future__ import annotations

from ..values import json_ready
from .bars import Bar, BarChart
from .plot import Plot
from .sharing_graph import ChainLayer, SharingGraph
from .table import Cell, Table, Tabular, bytes_cell, percent_cell, seconds_cell
from .treemap import Treemap
from .units import human_bytes, human_seconds
from .values import tables_of

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
    "bytes_cell",
    "human_bytes",
    "human_seconds",
    "json_ready",
    "percent_cell",
    "seconds_cell",
    "tables_of",
]
