"""Parsers of several values: lists, mappings, "key=value" lines, commands, environments, labels, filters."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from .._text import split_lines
from ..errors import InvalidOption
from .primitives import INT64, did_you_mean, fail, parse_text, plain_path

T = TypeVar("T")

#: docker-py's key -> ours, where it is not the same word in snake_case
_DOCKER_PY_KEYS = {
    "MaximumRetryCount": "max_retries",
    "PathOnHost": "host_path",
    "PathInContainer": "container_path",
    "CgroupPermissions": "permissions",
}


def parse_items(name: str, value: object, expected: str) -> tuple[object, ...]:
    """Return the elements of an iterable; a single string, path or number counts as a list of one."""
    if isinstance(value, (str, int, os.PathLike)) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, (set, frozenset)):
        return tuple(sorted(value, key=str))
    if isinstance(value, (bytes, bytearray, memoryview, Mapping)) or not isinstance(value, Iterable):
        fail(name, value, expected)
    return tuple(value)


def parse_each(parse: Callable[[str, Any], T]) -> Callable[[str, object], tuple[T, ...]]:
    """Return a parser that applies `parse` to every element of a list and drops duplicates."""

    def parse_list(name: str, value: object) -> tuple[T, ...]:
        return tuple(dict.fromkeys(parse(name, item) for item in parse_items(name, value, "a string or a list")))

    return parse_list


def parse_values(
    name: str,
    value: object,
    kind: type[T],
    expected: str,
    line: Callable[[str, str], T],
    mapping: Callable[[str, Mapping[Any, Any]], T],
    copy: Callable[[str, T], T],
) -> tuple[T, ...]:
    """Return values from the three spellings: lines of the command line, mappings, and objects of `kind`."""

    def parse(item: object) -> T:
        if isinstance(item, kind):
            return copy(name, item)
        if isinstance(item, Mapping):
            return mapping(name, item)
        return line(name, parse_text(name, plain_path(item), expected))

    single = isinstance(value, (Mapping, kind))
    return tuple(parse(item) for item in ((value,) if single else parse_items(name, value, expected)))


def parse_keys(name: str, given: Mapping[Any, Any], words: Mapping[str, str]) -> dict[str, Any]:
    """Return a mapping with its keys replaced by the field names of a value; None values are left out.

    Args:
        words: accepted key -> field name.

    Raises:
        InvalidOption: an unknown key, or a second spelling of the same field. docker-py's TitleCase keys are unknown;
            the error names the right key.
    """
    found: dict[str, Any] = {}
    for key, item in given.items():
        field = words.get(key) if isinstance(key, str) else None
        if field is None:
            shown = ", ".join(dict.fromkeys(words.values()))
            fail(name, given, f"keys from {shown}, not {key!r}{_nearest_key(key, words)}")
        if field in found:
            fail(name, given, f"{field} only once")
        if item is not None:
            found[field] = item
    return found


def _nearest_key(key: object, words: Mapping[str, str]) -> str:
    if not isinstance(key, str):
        return ""
    snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in key).lstrip("_")
    for word in (_DOCKER_PY_KEYS.get(key, ""), snake, key.lower(), snake.replace("-_", "_")):
        if word in words:
            return f"; did you mean {words[word]!r}?"
    return did_you_mean(snake, words.values())


def parse_scalar(name: str, value: object, what: str = "a string, number, bool or path") -> str:
    """Return a string, number, bool or path as text; True is "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value)) if abs(value) <= INT64 else fail(name, value, f"{what}; numbers of at most 64 bits")
    if isinstance(value, float):
        return str(float(value))
    return parse_text(name, plain_path(value), what, empty=True)


def parse_pairs(
    name: str,
    value: object,
    *,
    bare: Callable[[str], str | None] | None = None,
    scalar: Callable[..., str] = parse_scalar,
) -> dict[str, str]:
    """Return keys and values from a mapping or from "key=value" strings.

    Args:
        bare: returns the value of a key without one, or None to leave the key out. Default: refuse such a key.
        scalar: turns a value of a mapping into text.
    """
    expected = "a mapping, or strings like 'key=value'"
    found: dict[str, str | None] = {}
    missing = bare or (lambda key: fail(name, key, "'key=value'"))
    if isinstance(value, Mapping):
        for key, item in value.items():
            parse_text(name, key, "keys that are non-empty strings")
            if "=" in key:
                fail(name, key, "keys without '='")
            words = f"for {key} a string, number, bool or path"
            found[key] = missing(key) if item is None else scalar(name, item, words)
    else:
        for item in parse_items(name, value, expected):
            key, equals, rest = parse_text(name, item, expected).partition("=")
            if not key:
                fail(name, item, expected)
            found[key] = rest if equals else missing(key)
    return {key: item for key, item in found.items() if item is not None}


def parse_labels(name: str, value: object) -> dict[str, str]:
    """Return labels or driver options from a mapping or from "key=value" strings; a key alone has an empty value."""
    return parse_pairs(name, value, bare=lambda _: "")


def parse_env(name: str, value: object) -> dict[str, str]:
    """Return environment variables from a mapping or from "KEY=value" strings.

    Numbers become text, True becomes "true". A key alone (None in a mapping) takes the caller's own value, and is left
    out if the caller has none, as on the command line.
    """

    def inherited(key: str) -> str | None:
        own = os.environ.get(key)
        return own if own is None else parse_text(name, own, f"a value of {key} that UTF-8 can encode", empty=True)

    return parse_pairs(name, value, bare=inherited)


def parse_env_file(name: str, value: object) -> dict[str, str]:
    """Return environment variables from files of KEY=value lines; a later file wins."""
    return _parse_files(name, value, parse_env)


def parse_label_file(name: str, value: object) -> dict[str, str]:
    """Return labels from files of KEY=value lines; a later file wins."""
    return _parse_files(name, value, parse_labels)


def _parse_files(name: str, value: object, parse_lines: Callable[[str, object], dict[str, str]]) -> dict[str, str]:
    expected = "the path of a file of KEY=value lines"
    found: dict[str, str] = {}
    for item in parse_items(name, value, expected):
        path = parse_text(name, plain_path(item), expected)
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:
                lines = [line.lstrip() for line in split_lines(file.read())]
        except (OSError, UnicodeDecodeError) as exc:
            fail(name, path, f"a readable text file of KEY=value lines ({exc})")
        lines = [line for line in lines if line and not line.startswith("#")]
        for line in lines:
            key = line.partition("=")[0]
            if not key or any(char.isspace() for char in key):
                fail(name, line, f"KEY=value lines in {path}, without spaces in a key")
        found |= parse_lines(name, lines)
    return found


def parse_command(name: str, value: object) -> tuple[str, ...] | None:
    """Return a command: a string is split as a shell splits it, a list is taken as it is, None stays None.

    Raises:
        InvalidOption: the command is empty, has an open quote, a NUL byte, or an element that is not text or a path.
    """
    if value is None:
        return None
    expected = "a command line, or a list of strings"
    if isinstance(value, str):
        try:
            argv = tuple(shlex.split(parse_text(name, value, expected)))
        except ValueError as exc:
            if isinstance(exc, InvalidOption):
                raise
            raise InvalidOption(name, value, f"{expected} ({str(exc).lower()})") from exc
    else:
        argv = tuple(
            parse_text(name, plain_path(item), expected, empty=True) for item in parse_items(name, value, expected)
        )
    return argv or fail(name, value, f"{expected}, not empty")


def parse_entrypoint(name: str, value: object) -> tuple[str, ...]:
    """Return an entrypoint; "" and [] remove the entrypoint of the image."""
    return () if value in ("", [], (), [""], ("",)) else parse_command(name, value) or ()


def parse_filters(name: str, value: object) -> dict[str, tuple[str, ...]]:
    """Return filters as a backend takes them.

    Accepts {"label": ["a=1", "b"]}, {"label": {"a": 1, "b": None}} and {"dangling": True}; None is no filter.

    Raises:
        InvalidOption: not a mapping, an empty word, a value that is not a string, number, bool or a collection of them.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        fail(name, value, "a mapping like {'label': ['a=1'], 'status': 'running'}")
    found: dict[str, tuple[str, ...]] = {}
    for key, item in value.items():
        parse_text(name, key, "the names of filters as non-empty strings")
        if isinstance(item, Mapping):
            words = "keys that are non-empty strings"
            found[key] = tuple(
                parse_text(name, word, words) + ("" if part is None else f"={parse_scalar(name, part)}")
                for word, part in item.items()
            )
        elif isinstance(item, (bool, float)):
            found[key] = (parse_scalar(name, item),)
        else:
            parts = parse_items(name, item, f"{key} as a string or a list of them")
            found[key] = tuple(parse_scalar(name, part) for part in parts)
        if not found[key] or not all(found[key]):
            fail(name, {key: item}, f"a value for {key}, not an empty one")
    return found
