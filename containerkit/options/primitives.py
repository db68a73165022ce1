"""Parsers of single values: text, numbers, sizes, durations, times, signals.

A parser takes the option's name, for its error, and the user's value. It returns the parsed value or raises
InvalidOption, and no other error.
"""

from __future__ import annotations

import math
import operator
import os
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, NoReturn

from ..errors import InvalidOption

Parser = Callable[[str, Any], Any]


def split_words(line: str) -> tuple[str, ...]:
    """Return the words of a line."""
    return tuple(line.split())


MAX_SECONDS = 2_147_483  # poll(2) counts milliseconds in an int: 24 days
INT64 = 2**63 - 1
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_SIZE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) ?(?:([kmgtp])(?:i?b)?|b)?", re.IGNORECASE | re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(h|ms|us|µs|ns|m|s)", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
# Linux signals 1 to 31; signal.Signals knows the signals of the caller's system, which may not be Linux
_SIGNALS = split_words(
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG "
    "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_SAME_SIGNAL = {"IOT": "ABRT", "CLD": "CHLD", "POLL": "IO"}
_RTMIN, _RTMAX = 34, 64
_REALTIME = re.compile(r"RT(?:MIN(?:\+(?P<above>[0-9]{1,2}))?|MAX(?:-(?P<below>[0-9]{1,2}))?)", re.ASCII)


def fail(name: str, value: object, expected: str) -> NoReturn:
    """Raise InvalidOption."""
    try:
        repr(value)
    except Exception:  # noqa: BLE001  # an int of 5000 digits has no repr; a user's class may raise anything
        value = f"<{type(value).__name__}>"
    raise InvalidOption(name, value, expected)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the closest known word, or "" if no word is close."""
    close = get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def plain_path(value: object) -> object:
    """Return a pathlib path as a string, and any other value unchanged."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def parse_text(name: str, value: object, expected: str = "a non-empty string", *, empty: bool = False) -> str:
    """Return a string without NUL bytes that UTF-8 can encode. `empty` allows ""."""
    if not isinstance(value, str) or not (value or empty):
        fail(name, value, expected)
    if "\0" in value:
        fail(name, value, f"{expected}, without NUL bytes")
    try:
        value.encode()
    except UnicodeEncodeError:
        fail(name, value, f"{expected}, in characters that UTF-8 can encode")
    return value


def parse_word(name: str, value: object, expected: str = "a word without spaces") -> str:
    """Return a string without whitespace and control characters."""
    found = parse_text(name, value, expected)
    if any(char.isspace() or not char.isprintable() for char in found):
        fail(name, value, expected)
    return found


def parse_choice(name: str, value: object, *words: str) -> str:
    """Return one of a few words."""
    if not isinstance(value, str) or value not in words:
        fail(name, value, "one of " + ", ".join(map(repr, words)))
    return value


def parse_flag(name: str, value: object) -> bool:
    """Return True or False; no other value is accepted as either."""
    if not isinstance(value, bool):
        fail(name, value, "True or False")
    return value


def parse_integer(name: str, value: object, *, low: int = -INT64, high: int = INT64, expected: str = "") -> int:
    """Return an integer from an int or from digits; a bool or a float is refused."""
    expected = expected or (
        f"a whole number from {low} to {high}" if high != INT64 else f"a whole number, {low} or more"
    )
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, (bool, str)):
        fail(name, value, expected)
    try:
        found = operator.index(value)  # type: ignore[arg-type]  # accepts numpy's integers
    except TypeError:
        fail(name, value, expected)
    return found if low <= found <= high else fail(name, value, expected)


def parse_number(name: str, value: object, expected: str) -> float:
    """Return a finite float from a number or from digits; a bool is refused."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        fail(name, value, expected)
    if not -INT64 <= value <= INT64 or not math.isfinite(value):
        fail(name, value, expected)
    return float(value)


def parse_size(name: str, value: object, *, low: int = 1, expected: str = "") -> int:
    """Return bytes from a number or from "64m", "0.5g", "1.5GiB". Units are powers of 1024, as on the command line."""
    expected = expected or "bytes as a whole number, or a size like '64m' or '1.5g'"
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip(" "))
        if match is None:
            fail(name, value, expected)
        whole, _, fraction = match[1].partition(".")
        unit = _UNITS[(match[2] or "").lower()]
        found = int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        return found if low <= found <= INT64 else fail(name, value, expected)
    return parse_integer(name, value, low=low, high=INT64, expected=expected)


def parse_seconds(
    name: str, value: object, *, low: float = 0.0, high: float = MAX_SECONDS, expected: str = ""
) -> float:
    """Return seconds from a number, a timedelta, or "1m30s" and "500ms" as on the command line."""
    expected = expected or f"seconds from {low:g} to {high:g}, as a number or like '1m30s'"
    if isinstance(value, timedelta):
        found = value.total_seconds()
    elif isinstance(value, str) and not _DECIMAL.fullmatch(value):
        parts = _DURATION.findall(value)
        if not parts or "".join(count + unit for count, unit in parts) != value:
            fail(name, value, expected)
        found = math.fsum(float(count) * _SECONDS[unit] for count, unit in parts)
    else:
        found = parse_number(name, value, expected)
    return found if low <= found <= high else fail(name, value, expected)


def parse_timeout(name: str, value: object, *, zero: bool = False) -> float | None:
    """Return a time limit in seconds, or None for no limit. `zero` allows 0: stop at once.

    Raises:
        InvalidOption: the value is negative, zero without `zero`, above 24 days, or not a duration.
    """
    if value is None:
        return None
    found = parse_seconds(name, value)
    if not found and not zero:
        fail(name, value, "seconds above 0, as a number or like '1m30s', or None for no limit")
    return found


def parse_time(name: str, value: object) -> float | None:
    """Return seconds since the epoch from a number or a datetime; None stays None."""
    expected = "seconds since the epoch, or a datetime"
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, str):
        fail(name, value, expected)
    return parse_number(name, value, expected)


def parse_signal(name: str, value: object) -> str:
    """Return "SIGTERM" from any spelling of a signal: "TERM", "sigterm", 15, signal.SIGTERM."""
    expected = "a signal like 'SIGTERM', 'TERM' or 15"
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        short = parse_text(name, value, expected).upper().removeprefix("SIG")
        short = _SAME_SIGNAL.get(short, short)
        if short in _SIGNALS:
            return f"SIG{short}"
        realtime = _REALTIME.fullmatch(short)
        if realtime is None:
            fail(name, value, expected + did_you_mean(short, _SIGNALS))
        start = _RTMAX if short.startswith("RTMAX") else _RTMIN
        value = start + int(realtime["above"] or 0) - int(realtime["below"] or 0)
    found = parse_integer(name, value, low=1, high=_RTMAX, expected=expected)
    if found <= len(_SIGNALS):
        return f"SIG{_SIGNALS[found - 1]}"
    if found < _RTMIN:
        fail(name, value, expected)
    return "SIGRTMIN" + (f"+{found - _RTMIN}" if found > _RTMIN else "")


def parse_bytes(name: str, value: object) -> bytes:
    """Return bytes from bytes or from text, which is encoded as UTF-8."""
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            fail(name, value, "text that UTF-8 can encode, or bytes")
    if not isinstance(value, (bytes, bytearray, memoryview)):
        fail(name, value, "text or bytes")
    return bytes(value)
