"""Typed access to JSON from an engine.

Engines leave fields out, send null for empty, and rename fields between versions. So a reader of an optional field gets
a default, and `required` raises where the response would be useless without the field.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from ..errors import EngineError

Raw = Mapping[str, Any]
T = TypeVar("T")

#: The longest line of a JSON stream, in bytes. A line of a build's output has a few KiB.
_MAX_LINE = 16 << 20
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def decode(body: bytes) -> Any:
    """Return the JSON value of a response.

    Raises:
        ValueError: it is not JSON in UTF-8, is nested too deeply, or holds half of a surrogate pair.
    """
    try:
        value = _DECODER.decode(body.decode())
        if _SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as exc:
        raise ValueError("JSON nested too deeply") from exc
    return value


def mapping(value: Any) -> dict[str, Any]:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """Return the value as text; null is empty."""
    return value if isinstance(value, str) else "" if value is None else str(value)


def texts(value: Any) -> tuple[str, ...]:
    """Return the items of a list as text."""
    return tuple(map(text, sequence(value)))


def number(value: Any) -> int:
    """Return the value as a whole number, or 0 if it is not a finite number."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else 0
    return value if isinstance(value, int) else 0


def integer(value: Any) -> int | None:
    """Return the value if it is a whole number, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def labels(value: Any) -> dict[str, str]:
    """Return labels or options: text to text."""
    return {text(key): text(item) for key, item in mapping(value).items()}


def object_(value: Any) -> dict[str, Any]:
    """Return the value. Raise ValueError if it is not a JSON object."""
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, got {_shown(value)}")
    return value


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the value. Raise ValueError if it is not a list of JSON objects."""
    if not isinstance(value, list):
        raise ValueError(f"expected a list, got {_shown(value)}")
    return [object_(item) for item in value]


def required(raw: Any, key: str, kind: type[T]) -> T:
    """Return a field that the response must have.

    Raises:
        ValueError: the field is missing, is an empty string, or has another type.
    """
    value = raw.get(key)
    if value.__class__ is kind and value != "":  # not isinstance: True is no number
        return value
    raise ValueError(f"expected {key} ({kind.__name__}), got {_shown(value)}")


def present(raw: Any, key: str, kind: type[T]) -> T:
    """Return a field that the response must have, and that may be an empty string.

    Raises:
        ValueError: the field is missing or has another type.
    """
    value = raw.get(key)
    if value.__class__ is kind:
        return value
    raise ValueError(f"expected {key} ({kind.__name__}), got {_shown(value)}")


def _shown(value: Any) -> str:
    return "null" if value is None else f"{value!r:.80}"


def json_lines(chunks: Iterable[bytes], doing: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON stream, with or without line ends between them.

    Raises:
        EngineError: the stream holds something else, or ends inside an object.
    """
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        end = buffer.rfind(b"\n")
        if end >= 0:
            lines = bytes(buffer[: end + 1])
            del buffer[: end + 1]
            for line in lines.split(b"\n"):
                yield from _values(line, doing)
        elif len(buffer) > _MAX_LINE:
            raise EngineError(f"{doing}: the engine sent a line of more than {_MAX_LINE >> 20} MiB")
    yield from _values(bytes(buffer), doing)


def _values(line: bytes, doing: str) -> Iterator[dict[str, Any]]:
    rest = line.decode("utf-8", "replace").strip()
    while rest:
        try:
            value, end = _DECODER.raw_decode(rest)
            row = object_(value)
        except (ValueError, RecursionError) as exc:
            raise EngineError(f"{doing}: the engine sent something that is not JSON: {line[:200]!r}") from exc
        yield row
        rest = rest[end:].strip()
