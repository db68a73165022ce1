"""The primitive readers of options: text, numbers, sizes, durations, signals, paths, addresses, collections.

Each takes the option's name for its error, and the value as the user gave it. Each raises InvalidOption, nothing else.
"""

from __future__ import annotations

import math
import operator
import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import NoReturn, TypeVar

from ..errors import InvalidOption

T = TypeVar("T")


def words(line: str) -> tuple[str, ...]:
    """The words of a line."""
    return tuple(line.split())


MAX_SECONDS = 2_147_483  # poll(2) counts milliseconds in an int: 24 days
_INT64 = 2**63 - 1
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_SIZE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) ?(?:([kmgtp])(?:i?b)?|b)?", re.IGNORECASE | re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(h|ms|us|µs|ns|m|s)", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)
# of Linux, on every architecture that containers are common on; signal.Signals would know the caller's own system only
_SIGNALS = words(
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG "
    "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_SAME_SIGNAL = {"IOT": "ABRT", "CLD": "CHLD", "POLL": "IO"}
_RTMIN, _RTMAX = 34, 64


def fail(name: str, value: object, expected: str) -> NoReturn:
    """Raise InvalidOption."""
    try:
        repr(value)
    except Exception:  # noqa: BLE001  # an int of 5000 digits has no repr, nor need a user's class
        value = f"<{type(value).__name__}>"
    raise InvalidOption(name, value, expected)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?", or nothing."""
    close = get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def text(name: str, value: object, expected: str = "a non-empty string", *, empty: bool = False) -> str:
    """A string that reaches the engine as it is: no NUL byte, and UTF-8 can hold it."""
    if not isinstance(value, str) or not (value or empty):
        fail(name, value, expected)
    if "\0" in value:
        fail(name, value, f"{expected}, without NUL bytes")
    try:
        value.encode()
    except UnicodeEncodeError:
        fail(name, value, f"{expected}, in characters that UTF-8 can hold")
    return value


def word(name: str, value: object, expected: str = "a word without spaces") -> str:
    """A string without whitespace and control characters."""
    found = text(name, value, expected)
    if any(char.isspace() or not char.isprintable() for char in found):
        fail(name, value, expected)
    return found


def object_name(name: str, value: object, *, shortest: int = 1) -> str:
    """A name as both engines allow it. Docker wants two characters for containers and volumes."""
    expected = "a name of letters, digits, '_', '.' and '-' that starts with a letter or digit"
    if shortest > 1:
        expected += f", {shortest} characters or more"
    found = text(name, value, expected)
    if len(found) < shortest or len(found) > 255 or not _NAME.fullmatch(found):
        fail(name, value, expected)
    return found


def flag(name: str, value: object) -> bool:
    """True or False, and nothing that only looks like them."""
    if not isinstance(value, bool):
        fail(name, value, "True or False")
    return value


def integer(name: str, value: object, *, low: int = -_INT64, high: int = _INT64, expected: str = "") -> int:
    """A whole number (also in digits, as on the command line); never a bool or a float."""
    expected = expected or (
        f"a whole number from {low} to {high}" if high != _INT64 else f"a whole number, {low} or more"
    )
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, (bool, str)):
        fail(name, value, expected)
    try:
        found = operator.index(value)  # type: ignore[arg-type]  # numpy's integers are welcome too
    except TypeError:
        fail(name, value, expected)
    if not low <= found <= high:
        fail(name, value, expected)
    return found


def number(name: str, value: object, expected: str) -> float:
    """A finite number (also in digits); never a bool."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        fail(name, value, expected)
    if not -_INT64 <= value <= _INT64 or not math.isfinite(value):
        fail(name, value, expected)
    return float(value)


def size(name: str, value: object, *, low: int = 1, expected: str = "") -> int:
    """Bytes: a number of them, or "64m", "0.5g", "1.5GiB". Units are powers of 1024, as on the command line."""
    expected = expected or "bytes as a whole number, or a size like '64m' or '1.5g'"
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip(" "))
        if match is None:
            fail(name, value, expected)
        whole, _, fraction = match[1].partition(".")
        unit = _UNITS[(match[2] or "").lower()]
        found = int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        if not low <= found <= _INT64:
            fail(name, value, expected)
        return found
    return integer(name, value, low=low, high=_INT64, expected=expected)


def seconds(name: str, value: object, *, low: float = 0.0, high: float = MAX_SECONDS, expected: str = "") -> float:
    """Seconds: a number of them, a timedelta, or "1m30s", "500ms" as on the command line."""
    expected = expected or f"seconds from {low:g} to {high:g}, as a number or like '1m30s'"
    if isinstance(value, timedelta):
        found = value.total_seconds()
    elif isinstance(value, str) and not _DECIMAL.fullmatch(value):
        parts = _DURATION.findall(value)
        if not parts or "".join(count + unit for count, unit in parts) != value:
            fail(name, value, expected)
        found = math.fsum(float(count) * _SECONDS[unit] for count, unit in parts)
    else:
        found = number(name, value, expected)
    if not low <= found <= high:
        fail(name, value, expected)
    return found


def timeout_seconds(name: str, value: object, *, zero: bool = False) -> float | None:
    """A time limit in seconds, or None for no limit. `zero`: 0 is allowed (stop at once).

    Raises:
        InvalidOption: negative, zero without `zero`, above 24 days, not a number and not like "1m30s".
    """
    if value is None:
        return None
    found = seconds(name, value)
    if not found and not zero:
        fail(name, value, "seconds above 0, as a number or like '1m30s', or None for no limit")
    return found


def signal_name(name: str, value: object) -> str:
    """A signal, in any spelling ("TERM", "sigterm", 15, signal.SIGTERM), as "SIGTERM"."""
    expected = "a signal like 'SIGTERM', 'TERM' or 15"
    if not isinstance(value, str) or _INTEGER.fullmatch(value):
        found = integer(name, value, low=1, high=_RTMAX, expected=expected)
        if found <= len(_SIGNALS):
            return f"SIG{_SIGNALS[found - 1]}"
        if found < _RTMIN:
            fail(name, value, expected)
        return "SIGRTMIN" + (f"+{found - _RTMIN}" if found > _RTMIN else "")
    short = text(name, value, expected).upper().removeprefix("SIG")
    short = _SAME_SIGNAL.get(short, short)
    realtime = re.fullmatch(r"RT(MIN(?:\+([0-9]{1,2}))?|MAX(?:-([0-9]{1,2}))?)", short, re.ASCII)
    if realtime:
        number_ = _RTMIN + int(realtime[2] or 0) if realtime[1].startswith("MIN") else _RTMAX - int(realtime[3] or 0)
        if not _RTMIN <= number_ <= _RTMAX:
            fail(name, value, expected)
        return signal_name(name, number_)
    if short not in _SIGNALS:
        fail(name, value, expected + did_you_mean(short, _SIGNALS))
    return f"SIG{short}"


def container_path(name: str, value: object, *, root: bool = False) -> str:
    """An absolute path in a container, without ".."; "//" and a trailing "/" are cleaned. `root`: "/" is allowed."""
    expected = "an absolute path in the container, without '..'" + ("" if root else ", and not '/' itself")
    found = text(name, plain_path(value), expected)
    parts = [part for part in found.split("/") if part not in ("", ".")]
    if not found.startswith("/") or ".." in parts or not (parts or root):
        fail(name, value, expected)
    return "/" + "/".join(parts)


def host_path(name: str, value: object) -> str:
    """A path on the host; a relative one is taken from the working directory, "~" is the user's home."""
    expected = "a path on the host"
    found = text(name, plain_path(value), expected)
    if found == "~" or found.startswith("~/"):
        found = os.path.expanduser(found)
    if found.startswith("/"):
        return found.rstrip("/") or "/"
    try:
        return os.path.abspath(found)
    except OSError as exc:  # the working directory is gone
        raise InvalidOption(name, value, f"an absolute path ({exc})") from exc


def plain_path(value: object) -> object:
    """The string of a pathlib path; anything else as it is."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def ip_address(name: str, value: object, *, version: int | None = None) -> str:
    """An IPv4 or IPv6 address, in its shortest form."""
    import ipaddress

    expected = "an IP address" if version is None else f"an IPv{version} address"
    try:
        if isinstance(value, (bool, int, bytes)):
            fail(name, value, expected)
        found = ipaddress.ip_address(str(value))
    except ValueError as exc:
        raise InvalidOption(name, value, expected) from exc
    if version not in (None, found.version):
        fail(name, value, expected)
    return str(found)


def mac_address(name: str, value: object) -> str:
    """A MAC address as "02:42:ac:11:00:02"."""
    expected = "a MAC address like '02:42:ac:11:00:02'"
    found = text(name, value, expected).lower().replace("-", ":")
    if not re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", found, re.ASCII) or int(found[:2], 16) & 1:
        fail(name, value, expected + ", not a multicast one")
    return found


def one_of(name: str, value: object, *words: str) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in words:
        fail(name, value, "one of " + ", ".join(repr(word) for word in words))
    return value


def items(name: str, value: object, expected: str) -> tuple[object, ...]:
    """The elements of a list, tuple, set or other iterable; one string, path or number stands for itself."""
    if isinstance(value, (str, int, os.PathLike)) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, (set, frozenset)):
        return tuple(sorted(value, key=str))
    if isinstance(value, (bytes, bytearray, memoryview, Mapping)) or not isinstance(value, Iterable):
        fail(name, value, expected)
    return tuple(value)


def texts(name: str, value: object, read: Callable[[str, object], T]) -> tuple[T, ...]:
    """Every element read by `read`; the same one twice counts once."""
    return tuple(dict.fromkeys(read(name, item) for item in items(name, value, "a string or a list of them")))


def scalar(name: str, value: object, what: str = "a string, number, bool or path") -> str:
    """What a number, a bool or a string is in the environment, in a label, in a sysctl: True is "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)) and not isinstance(value, str):
        if isinstance(value, int) and abs(value) > _INT64:
            fail(name, value, f"{what}; numbers of at most 64 bits")
        return (
            format(value)
            if type(value) in (int, float)
            else str(int(value) if isinstance(value, int) else float(value))
        )
    return text(name, plain_path(value), what, empty=True)


def pairs(name: str, value: object, *, bare: Callable[[str], str | None]) -> dict[str, str]:
    """Key and value, from a mapping or from "key=value" strings.

    `bare` says what a key without a value (None in a mapping) means; None from it leaves the key out.
    """
    expected = "a mapping, or strings like 'key=value'"
    found: dict[str, str | None] = {}
    if isinstance(value, Mapping):
        for key, item in value.items():
            key = text(name, key, "keys that are non-empty strings")
            if "=" in key:
                fail(name, key, "keys without '='")
            found[key] = bare(key) if item is None else scalar(name, item, f"for {key} a string, number, bool or path")
    else:
        for item in items(name, value, expected):
            key, equals, rest = text(name, item, expected).partition("=")
            if not key:
                fail(name, item, expected)
            found[key] = rest if equals else bare(key)
    return {key: item for key, item in found.items() if item is not None}


def labels(value: object, name: str = "labels") -> dict[str, str]:
    """Labels from a mapping or a list of "key=value"; a key alone has an empty value.

    Raises:
        InvalidOption: an empty key, a NUL byte, a value that is not a string, number or bool.
    """
    return {} if value is None else pairs(name, value, bare=lambda _: "")


def env(value: object, name: str = "env") -> dict[str, str]:
    """Environment variables from a mapping or a list of "KEY=value".

    Numbers are written out, True is "true". A key alone (or None in a mapping) takes the caller's own value and is left
    out where the caller has none, as on the command line.

    Raises:
        InvalidOption: an empty key, a NUL byte, a value that is not a string, number or bool.
    """

    def own(key: str) -> str | None:
        mine = os.environ.get(key)
        return mine if mine is None else text(name, mine, f"a value of {key} that UTF-8 can hold", empty=True)

    return {} if value is None else pairs(name, value, bare=own)


def command(value: object, name: str = "command") -> tuple[str, ...] | None:
    """A command: a string is split as a shell would, a list is taken as it is, None is None.

    Raises:
        InvalidOption: nothing in it, an open quote, a NUL byte, an element that is not a string or a path.
    """
    if value is None:
        return None
    expected = "a command line, or a list of strings"
    found = text(name, value, expected) if isinstance(value, str) else None
    if found is not None:
        try:
            argv = tuple(shlex.split(found))
        except ValueError as exc:
            raise InvalidOption(name, value, f"{expected} ({str(exc).lower()})") from exc
    elif isinstance(value, os.PathLike):
        argv = (text(name, plain_path(value), expected),)
    else:
        argv = tuple(text(name, plain_path(item), expected, empty=True) for item in items(name, value, expected))
    if not argv or isinstance(value, int):
        fail(name, value, f"{expected}, not empty")
    return argv


# ---------------------------------------------------------------- what verbs take beside options
def object_ref(name: str, value: object, what: str = "a name or an ID") -> str:
    """What may name something that exists: a name, an ID or the start of one. As it is; the engine knows the rest."""
    found = text(name, value, what)
    if not found.strip() or len(found) > 255 or "/" in found.strip("/") or not found.isprintable():
        fail(name, value, what)
    return found


def moment(name: str, value: object) -> float | None:
    """Seconds since the epoch, from a number or a datetime; None is None."""
    expected = "seconds since the epoch, or a datetime"
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, str):
        fail(name, value, expected)
    return number(name, value, expected)


def local_path(name: str, value: object, what: str = "the path of a file or folder") -> str:
    """A path of this machine, as it is given."""
    found = text(name, plain_path(value), what)
    if any(len(os.fsencode(part)) > 255 for part in found.split("/")) or len(os.fsencode(found)) > 4095:
        fail(name, value, f"{what}, no longer than one can be")
    return found


def payload(name: str, value: object) -> bytes:
    """Text, as UTF-8, or bytes."""
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            fail(name, value, "text that UTF-8 can hold, or bytes")
    if not isinstance(value, (bytes, bytearray, memoryview)):
        fail(name, value, "text or bytes")
    return bytes(value)
