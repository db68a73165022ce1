"""Show the texts of a report in another language, by the gettext catalogues in `locale`.

The code has its texts in English, where they are made. A catalogue has each of them as it stands in the source, with
its placeholders; a finished text is recognised by what stands between them, and what they hold is translated in turn.
Words of engines and programs stay as they are. `docs/make_catalogues.py` writes the catalogues.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from ..errors import InvalidOption

__all__ = ["LABELS", "LANGUAGES", "Translate", "read_catalogue", "translator"]

#: Returns a text in a language; a text that is not known, as it is.
Translate = Callable[[str], str]

LANGUAGES = ("en", "es")
#: Words that stand alone in a report.
LABELS = (
    *("pass", "warn", "fail", "info", "unknown", "na", "low", "medium", "high", "critical", "true", "false"),
    *("check", "status", "severity", "container", "finding", "means", "evidence", "fix", "command", "nowhere"),
    *("Host", "Engine", "Container", "Evidence", "Fix", "Severity", "date", "machine", "user", "account", "kernel"),
    *("storage", "cgroups", "memory", "processes", "disk", "can", "cannot", "missing", "writable", "read-only"),
    *(
        "What it means, and what could be done",
        "Isolation: host",
        "uids",
        "gids",
        "symbolic link",
        "script",
        "conflict",
    ),
)
_LOCALE = Path(__file__).parent / "locale"
_MARK = re.compile(r"[,;:]? ")
_PLACE = re.compile(r"\{[^{}]*\}")


def translator(lang: str) -> Translate:
    """Return the function that shows texts in a language.

    Raises:
        InvalidOption: there is no catalogue of this language.
    """
    if lang not in LANGUAGES:
        raise InvalidOption("lang", lang, f"one of {', '.join(LANGUAGES)}")
    return str if lang == "en" else _Catalogue(_loaded(lang))


@cache
def _loaded(lang: str) -> Mapping[str, str]:
    return read_catalogue((_LOCALE / lang / "LC_MESSAGES/isolation.mo").read_bytes())


def read_catalogue(data: bytes) -> Mapping[str, str]:
    """Return message -> translation of a compiled catalogue (GNU gettext's .mo, little-endian)."""
    magic, _, count, ids, texts = struct.unpack_from("<5I", data)
    if magic != 0x950412DE:
        raise ValueError("not a catalogue of gettext")

    def text(table: int, index: int) -> str:
        length, start = struct.unpack_from("<2I", data, table + 8 * index)
        return data[start : start + length].decode("utf-8")

    return {key: text(texts, n) for n in range(count) if (key := text(ids, n))}


_Patterns = tuple[tuple[re.Pattern[str], tuple[str, ...], str], ...]


class _Catalogue:
    """The texts of one language: whole ones, and those with places for values, the longest first.

    Attributes:
        sentences: texts that stand alone.
        tails: texts that follow another: they begin with a mark.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.sentences = _patterns({k: v for k, v in texts.items() if not _MARK.match(k)})
        self.tails = _patterns({k: v for k, v in texts.items() if _MARK.match(k)})

    def __call__(self, text: str) -> str:
        found = self._known(text, self.sentences)
        return found if found is not None else self._part(text, whole=False)

    def _known(self, text: str, patterns: _Patterns) -> str | None:
        """Return the translation of a text that the catalogue has; None if it has none."""
        if text in self.texts:
            return self.texts[text]
        for pattern, names, translation in patterns:
            if found := pattern.fullmatch(text):
                return self._filled(translation, dict(zip(names, found.groups(), strict=True)))
        return None

    def _filled(self, translation: str, values: Mapping[str, str]) -> str:
        return _PLACE.sub(lambda place: self._part(values.get(place.group(), "")), translation)

    def _part(self, value: str, *, whole: bool = True) -> str:
        """Return what stood in one place: a text, a text with a tail, a list of them, or a name."""
        if not value.strip() or value in self.texts:
            return self.texts.get(value, value)
        for start in (mark.start() for mark in _MARK.finditer(value)):
            tail = self._known(value[start:], self.tails)
            if tail is not None:
                return self._part(value[:start]) + tail
        if "; " in value:
            return "; ".join(map(self._part, value.split("; ")))
        known = self._known(value, self.sentences) if whole else None
        if known is not None:
            return known
        if inside := re.fullmatch(r"(.*?) \((.+)\)", value, re.DOTALL):
            return f"{self._part(inside[1])} ({self._part(inside[2])})"
        for mark, other in ((", ", ", "), (" and ", " y "), (": ", ": ")):
            if mark in value:
                return other.join(map(self._part, value.split(mark)))
        return value


def _patterns(texts: Mapping[str, str]) -> _Patterns:
    found = []
    for key, translation in texts.items():
        names, fixed = _PLACE.findall(key), _PLACE.split(key)
        if names and any(map(str.isalpha, "".join(fixed))):
            pattern = "(.*?)".join(map(re.escape, fixed))
            found.append((len("".join(fixed)), re.compile(pattern, re.DOTALL), tuple(names), translation))
    found.sort(key=lambda each: -each[0])
    return tuple(each[1:] for each in found)
