"""Build tables for any value without a table of its own: its fields, and a table for each list in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ..values import json_ready
from .table import Cell, Table, bytes_cell, percent_cell, seconds_cell

__all__ = ["tables_of"]

_MOMENTS = frozenset({"created", "started", "modified", "time"})
_SECONDS = frozenset({"duration", "timeout"})
_SHARES = frozenset({"efficiency", "dive_efficiency"})
_BYTES = frozenset({"size", "memory", "bytes", "content", "tar", "compressed", "disk"})


def tables_of(value: object, title: str = "") -> tuple[Table, ...]:
    """Return the value's own table; or one of its plain fields, and one for each list in it."""
    own = getattr(value, "table", None)
    if callable(own):
        return (own(),)
    told = json_ready(value)
    if not isinstance(told, Mapping):
        return _of_list(title, told if isinstance(told, Sequence) and not isinstance(told, str) else [told])
    facts: list[tuple[object, object]] = []
    lists: list[Table] = []
    for key, item in told.items():
        if isinstance(item, Mapping) and item:
            facts += [(f"{_words(key)}: {name}", _cell(str(name), each)) for name, each in item.items()]
        elif isinstance(item, list) and item and isinstance(item[0], (Mapping, list)):
            lists += _of_list(_words(key), item)
        else:
            facts.append((_words(key), _cell(key, item)))
    head = [Table(title, ("fact", "value"), facts)] if facts else []
    return (*head, *lists)


def _of_list(title: str, items: Sequence[Any]) -> tuple[Table, ...]:
    if not all(isinstance(item, Mapping) for item in items):
        wide = max(map(len, items)) if all(isinstance(item, list) for item in items) else 0
        rows = [[*item, *[""] * (wide - len(item))] if wide else [item] for item in items]
        return (Table(title, ("",) * (wide or 1), rows),)
    keys = list(dict.fromkeys(key for item in items for key in item))
    cells = [[_cell(key, item.get(key)) for key in keys] for item in items]
    return (Table(title, [_words(key) for key in keys], cells),)


def _words(key: str) -> str:
    return str(key).removesuffix("_bytes").replace("_", " ")


def _cell(key: str, value: object) -> object:
    """Return a value as a cell that suits the field's name."""
    number = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    if number and (key in _BYTES or key.endswith("_bytes")):
        return bytes_cell(value)  # type: ignore[arg-type]
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return value
    if key in _SHARES:
        return percent_cell(value)
    if key in _SECONDS:
        return seconds_cell(value)
    if key.endswith("ratio"):
        return Cell(value, f"{value:.2f}×")
    if key in _MOMENTS and value > 0:
        return Cell(value, datetime.fromtimestamp(value, timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M:%S"))
    return value
