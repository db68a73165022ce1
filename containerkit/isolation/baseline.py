"""Baseline: findings that are known and accepted, each with a reason and a last day."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidOption
from ..values import Shown

if TYPE_CHECKING:
    import os

__all__ = ["Baseline", "Known", "load_baseline"]

_FORM = '[{"id": "mount", "container": "web", "reason": "…", "expires": "2027-01-31"}]'


@dataclass(frozen=True, slots=True)
class Known(Shown):
    """A finding that is accepted until a day.

    Attributes:
        id: of the check or finding.
        reason: why it is accepted.
        expires: last day on which it is.
        container: name of the container, in which "*" stands for any text; "" for the engine's own results.
    """

    id: str
    reason: str
    expires: date
    container: str = ""


@dataclass(frozen=True, slots=True)
class Baseline(Shown):
    """Accepted findings."""

    known: tuple[Known, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the entries as JSON-ready types, in the form of the file."""
        return {
            "known": [
                {"id": k.id, "container": k.container, "reason": k.reason, "expires": str(k.expires)}
                for k in self.known
            ]
        }

    def covers(self, id: str, container: str = "", *, today: date | None = None) -> bool:
        """Return whether a finding is accepted today.

        Args:
            id: of the check or finding.
            container: name of the container; "" for the engine's own results.
            today: another day than this one.
        """
        day = today or _today()
        return any(k.id == id and fnmatchcase(container, k.container) and day <= k.expires for k in self.known)

    def expired(self, today: date | None = None) -> tuple[Known, ...]:
        """Return the entries whose last day is over."""
        day = today or _today()
        return tuple(k for k in self.known if day > k.expires)


def load_baseline(path: str | os.PathLike[str]) -> Baseline:
    """Return the baseline in a JSON file: a list of objects with id, reason, expires and, for containers, container.

    Args:
        path: the file.

    Raises:
        InvalidOption: the file cannot be read, or an entry is not complete.
    """
    try:
        rows = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise InvalidOption("baseline", str(path), f"a JSON file like {_FORM}: {exc}") from None
    if not isinstance(rows, list):
        raise InvalidOption("baseline", str(path), f"a list like {_FORM}")
    return Baseline(tuple(_entry(row) for row in rows))


def _today() -> date:
    return datetime.now().astimezone().date()


def _entry(row: object) -> Known:
    texts = {k: v for k, v in row.items() if isinstance(v, str)} if isinstance(row, Mapping) else {}
    complete = isinstance(row, Mapping) and texts.keys() == row.keys() and texts.get("id") and texts.get("reason")
    try:
        if not complete or texts.keys() - {"id", "reason", "expires", "container"}:
            raise ValueError
        return Known(texts["id"], texts["reason"], date.fromisoformat(texts["expires"]), texts.get("container", ""))
    except (KeyError, ValueError):
        raise InvalidOption("baseline", row, f"an entry like {_FORM[1:-1]}") from None
