"""Values of a report: status, severity, evidence and remediation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..values import Shown

if TYPE_CHECKING:
    from ..display import Table

__all__ = ["CheckResult", "Evidence", "Json", "Remediation", "Severity", "Source", "Status"]

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


class Status(str, Enum):
    """Status of a check: whether the protection holds. How much it matters is the :class:`Severity`."""

    PASS = "pass"
    WARN = "warn"  # holds in part, under a condition, or the evidence conflicts
    FAIL = "fail"
    INFO = "info"  # a fact that is neither good nor bad
    UNKNOWN = "unknown"  # could not be found out; the reason says why
    NA = "na"  # does not apply here; the reason says why

    def __str__(self) -> str:
        return self.value


class Severity(str, Enum):
    """Importance of a check that does not pass."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    def __str__(self) -> str:
        return self.value


class Source(str, Enum):
    """Source of evidence, strongest first: the kernel cannot be misconfigured, a configuration file can."""

    KERNEL = "kernel"  # read on this host, from outside the container
    PROBE = "probe"  # the kernel's answer to a program in a container of this engine
    ENGINE = "engine"  # the engine's report about itself
    HOST = "host"  # files and settings of this host
    CLIENT = "client"  # this process and its environment

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Evidence(Shown):
    """One observation, as it was made.

    Attributes:
        source: where it comes from.
        what: the exact question ("GET /info SecurityOptions", "/proc/self/uid_map").
        value: the raw answer, JSON-ready.
    """

    source: Source
    what: str
    value: Json

    def __str__(self) -> str:
        return f"{self.source}: {self.what} = {self.value!r}"

    def to_dict(self) -> dict[str, Any]:
        return {"source": str(self.source), "what": self.what, "value": self.value}


@dataclass(frozen=True, slots=True)
class Remediation(Shown):
    """Remedy for a result, for a person to apply. containerkit never runs any of it.

    Attributes:
        text: one sentence.
        commands: shell lines to copy.
        needs_root: True if the commands need root on the engine's host.
    """

    text: str
    commands: tuple[str, ...] = ()
    needs_root: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {"text": self.text, "commands": list(self.commands), "needs_root": self.needs_root}


@dataclass(frozen=True, slots=True, repr=False)
class CheckResult(Shown):
    """Result of one check.

    Attributes:
        id: stable name ("container-root-uid").
        title: the question.
        group: a letter, A to H.
        status, severity: see their classes; they are independent.
        summary: one sentence with the fact in it.
        evidence: every observation used.
        conflicts: observations that disagree; a result with conflicts is at best "warn".
        remediation: what can be done, or None.
        reason: why the result is unknown or does not apply; None for every other status.
    """

    id: str
    title: str
    group: str
    status: Status
    severity: Severity
    summary: str
    evidence: tuple[Evidence, ...] = ()
    conflicts: tuple[str, ...] = ()
    remediation: Remediation | None = None
    reason: str | None = None

    def table(self) -> Table:
        """Return the question, the finding, every observation and the remedy, one a row."""
        from ..display import Cell, Table

        tone: Any = {"pass": "good", "warn": "warn", "fail": "bad"}.get(str(self.status), "dim")
        rows: list[tuple[object, object]] = [
            ("status", Cell(str(self.status), str(self.status), tone)),
            ("question", self.title),
            ("found", self.summary),
            ("severity", str(self.severity)),
            *(("evidence", str(item)) for item in self.evidence),
            *(("conflict", conflict) for conflict in self.conflicts),
        ]
        if self.remediation:
            rows.append(("remedy", self.remediation.text))
            rows += [("command", command) for command in self.remediation.commands]
        return Table(self.id, ("", ""), rows)

    def __repr__(self) -> str:
        return f"<{self.id}: {self.status} ({self.severity}), {self.summary}>"

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "group": self.group,
            "status": str(self.status),
            "severity": str(self.severity),
            "summary": self.summary,
            "reason": self.reason,
            "evidence": [item.to_dict() for item in self.evidence],
            "conflicts": list(self.conflicts),
            "remediation": self.remediation.to_dict() if self.remediation else None,
        }
