"""Build tables for any value without a table of its own: its fields, and a table for each list in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from .._json import json_ready
from .cells import Cell, bytes_cell, percent_cell, seconds_cell
from .table import Table, terminal_width

_MOMENTS = frozenset({"created", "started", "modified", "time"})
_SECONDS = frozenset({"duration", "timeout", "cpu_total"})
_SHARES = frozenset({"efficiency", "dive_efficiency"})
_BYTES = frozenset(
    {"size", "memory", "memory_limit", "bytes", "content", "tar", "compressed", "disk"}
    | {"network_rx", "network_tx", "block_read", "block_write"}
)
_IDS = frozenset({"id", "image_id", "chain_id", "diff_id"})
_FULL_ID = re.compile(r"(?:sha256:)?([0-9a-f]{12})[0-9a-f]{52}")


def tables_of(value: object, title: str = "") -> tuple[Table, ...]:
    """Return the value's own table; or a table of its plain fields, and one for each list in it."""
    own = getattr(value, "table", None)
    if callable(own):
        return (own(),)
    if isinstance(value, (list, tuple)):
        value = [each.summary() if hasattr(each, "summary") else each for each in value]
    data = json_ready(value)
    if not isinstance(data, Mapping):
        return _of_list(title, data if isinstance(data, Sequence) and not isinstance(data, str) else [data])
    if data.keys() == {"titles", "rows"}:
        return (Table(title, data["titles"], data["rows"]),)
    facts: list[tuple[object, object]] = []
    lists: list[Table] = []
    for key, item in data.items():
        if isinstance(item, Mapping) and item:
            facts += [(f"{_words(key)}: {name}", _cell(str(name), each)) for name, each in item.items()]
        elif isinstance(item, list) and item and isinstance(item[0], (Mapping, list)):
            lists += _of_list(_words(key), item)
        else:
            facts.append((_words(key), _cell(key, item)))
    head = [Table(title, ("field", "value"), facts)] if facts else []
    return (*head, *lists)


def html_of(value: object) -> str:
    """Return the value's tables as HTML."""
    return "".join(table._repr_html_() for table in tables_of(value, _title(value)))


def text_of(value: object) -> str:
    """Return the value's tables as text, as wide as the terminal."""
    return "\n".join(table.to_text(terminal_width()) for table in tables_of(value, _title(value))).rstrip("\n")


def _title(value: object) -> str:
    if not isinstance(value, (list, tuple)):
        words = _class_words(value)
        return words[:1] + words[1:].lower()
    if not value:
        return "empty list"
    word = _class_words(value[0]).lower()
    plural = f"{word[:-1]}ies" if re.search(r"[^aeiou]y$", word) else f"{word}{'es' if word.endswith('s') else 's'}"
    return f"{len(value)} {word if len(value) == 1 else plural}"


def _class_words(value: object) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(value).__name__)


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
    """Return the cell of a value, with the unit that its name implies."""
    if key in _IDS and isinstance(value, str) and (full := _FULL_ID.fullmatch(value)):
        return Cell(value, full[1])
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
