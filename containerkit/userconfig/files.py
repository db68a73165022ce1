"""Read JSON and TOML configuration files that may be missing, broken, unreadable or no files at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MAX_BYTES = 8 << 20


class BrokenFile(Exception):
    """A configuration file that exists and cannot be used; the message fits one line."""


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, {} if the file is missing or empty. Raises BrokenFile."""
    text = _read(path)
    if not text.strip():
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BrokenFile(f"{path} is not valid JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise BrokenFile(f"{path} holds a {type(data).__name__}, expected an object")
    return data


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file, {} if the file is missing. Raises BrokenFile."""
    try:
        return tomllib.loads(_read(path))
    except (ValueError, RecursionError) as exc:
        raise BrokenFile(f"{path} is not valid TOML: {exc}") from exc


def _read(path: Path) -> str:
    try:
        if not path.is_file():  # opening a FIFO or a device would block
            if path.exists():
                raise BrokenFile(f"{path} is not a regular file")
            return ""
        if path.stat().st_size > _MAX_BYTES:
            raise BrokenFile(f"{path} is larger than {_MAX_BYTES >> 20} MiB")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise BrokenFile(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except ValueError as exc:
        raise BrokenFile(f"{path} is not UTF-8 text: {exc}") from exc


def table_at(data: Any, *keys: str) -> Mapping[str, Any]:
    """Return the mapping at a path of keys, {} if there is no mapping there."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def string_at(table: Mapping[str, Any], key: str) -> str:
    """Return the string under a key, "" if there is no string there."""
    value = table.get(key)
    return value if isinstance(value, str) else ""
