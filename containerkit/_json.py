"""JSON form of any value of the package."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from enum import Enum
from os import PathLike, fspath
from typing import Any


def json_ready(value: object) -> Any:
    """Return the value in JSON's own types. NaN and infinities, which JSON cannot hold, become None."""
    if isinstance(value, Enum):
        return json_ready(value.value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()  # file names may hold any bytes
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PathLike):
        return json_ready(fspath(value))
    if isinstance(value, Mapping):
        return {str(json_ready(key)): json_ready(item) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return [json_ready(item) for item in sorted(value, key=str)]
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    to_dict = getattr(value, "to_dict", None)
    if callable(to_dict):
        return json_ready(to_dict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return fields_json(value)
    return str(value)


def fields_json(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as JSON-ready types, without those that the repr omits."""
    return {field.name: json_ready(getattr(value, field.name)) for field in dataclasses.fields(value) if field.repr}
