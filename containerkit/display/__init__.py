"""Show values as text, HTML, Markdown and SVG. The only room that escapes. Imports errors. Start at table.py."""

from __future__ import annotations

from .._json import json_ready
from .bars import Bar, BarChart
from .cells import Cell, bytes_cell, percent_cell, seconds_cell
from .explorer import explorer_page
from .layer_drawing import LayerDrawing, Sheet
from .network_graph import GraphBox, NetworkGraph
from .output import output_html
from .page import page_html
from .plot import Plot
from .progress_bars import ProgressBars
from .sharing_graph import ChainLayer, SharingGraph
from .table import Table, Tabular
from .treemap import Treemap
from .units import human_bytes, human_seconds, spark_line
from .user_map import UserMap
from .values import html_of, tables_of, text_of

__all__ = [
    "Bar",
    "BarChart",
    "Cell",
    "ChainLayer",
    "GraphBox",
    "LayerDrawing",
    "NetworkGraph",
    "Plot",
    "ProgressBars",
    "SharingGraph",
    "Sheet",
    "Table",
    "Tabular",
    "Treemap",
    "UserMap",
    "bytes_cell",
    "explorer_page",
    "html_of",
    "human_bytes",
    "human_seconds",
    "json_ready",
    "output_html",
    "page_html",
    "percent_cell",
    "seconds_cell",
    "spark_line",
    "tables_of",
    "text_of",
]
