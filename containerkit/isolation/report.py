"""IsolationReport: the results of all checks of one engine or host."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checks import GROUPS
from .meanings import MEANINGS
from .values import CheckResult, Status

if TYPE_CHECKING:
    from ..display import Table

__all__ = ["SCHEMA", "IsolationReport", "report_schema"]

SCHEMA = "containerkit.isolation/1"
_COLUMNS = ("", "check", "status", "severity", "what was found")
_WRONG = (Status.FAIL, Status.WARN)
#: Checks whose remedies come first in a script: programs, then the kernel, then the account.
_ORDER = (
    *("idmap-helpers", "firewall-tools", "network-helper", "rootless-overlay", "rootless-devices", "userns-sysctls"),
    *("userns-allowed", "subid-overlap", "subid-ranges", "cgroup-delegation", "home-folder", "user-session", "linger"),
)


def report_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of `IsolationReport.to_dict()`."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "report.schema.json").read_text("utf-8"))
    return found


@dataclass(frozen=True, slots=True, repr=False)
class IsolationReport:
    """Results of the checks of one engine, or of a host where rootless engines are to run.

    Attributes:
        engine: its kind and version ("docker 28.5.2"); "host" for a report without an engine.
        endpoint: address of the engine; None without an engine.
        results: in the order of the catalogue.
        gates: "same-kernel", "same-host-view" -> why this host's facts do not count for the engine; "probe" -> why no
            container was examined; None if open.
        duration: seconds.
        started: seconds since the epoch.
        limits: controller ("memory", "cpu", "cpuset", "pids") -> whether the kernel enforces such a limit; None if
            unknown; empty without a probe.
        about: "date", "machine", "user", "kernel" -> where, when and by whom the report was made.
    """

    engine: str
    endpoint: str | None
    results: tuple[CheckResult, ...]
    gates: Mapping[str, str | None] = field(default_factory=dict)
    started: float = 0.0
    duration: float = 0.0
    limits: Mapping[str, bool | None] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of results of each status."""
        return {str(status): sum(result.status is status for result in self.results) for status in Status}

    def get(self, check_id: str) -> CheckResult:
        """Return the result of one check. Raises KeyError with the ids of all checks."""
        for result in self.results:
            if result.id == check_id:
                return result
        raise KeyError(f"no check {check_id!r} in this report; there are: {', '.join(r.id for r in self.results)}")

    def __iter__(self) -> Iterator[CheckResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __repr__(self) -> str:
        counts = ", ".join(f"{number} {status}" for status, number in self.counts.items() if number)
        return f"<IsolationReport of {self.engine}{f' at {self.endpoint}' if self.endpoint else ''}: {counts}>"

    def table(self) -> Table:
        """Return one row per check."""
        from ..display import Table

        rows = [(r.group, r.id, str(r.status), str(r.severity), r.summary) for r in self.results]
        return Table(self.title, _COLUMNS, rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready types with stable keys; `schema` names the format and its version."""
        return {
            "schema": SCHEMA,
            "engine": self.engine,
            "endpoint": self.endpoint,
            "about": dict(self.about),
            "started": self.started,
            "duration": self.duration,
            "gates": dict(self.gates),
            "limits": dict(self.limits),
            "counts": dict(self.counts),
            "results": [result.to_dict() for result in self.results],
        }

    def to_markdown(self) -> str:
        """Return the report as Markdown: a table for each group, then what is wrong, explained."""
        lines = [f"# {_cell(self.title)}", "", *self._preface()]
        for group, title in GROUPS.items():
            rows = [r for r in self.results if r.group == group]
            if rows:
                lines += [
                    "",
                    f"## {group}. {title}",
                    "",
                    "| check | status | severity | what was found |",
                    "|---|---|---|---|",
                ]
                lines += [f"| {_cell(r.id)} | {r.status} | {r.severity} | {_cell(_in_full(r))} |" for r in rows]
        wrong = [r for r in self.results if r.status in _WRONG]
        if wrong:
            lines += ["", "## What it means, and what could be done", ""]
        for result in wrong:
            lines += _advice(result)
        return "\n".join(lines) + "\n"

    def to_text(self) -> str:
        """Return the report as text for a terminal."""
        width = max((len(r.id) for r in self.results), default=0)
        lines = [self.title, *self._preface()]
        for group, title in GROUPS.items():
            rows = [r for r in self.results if r.group == group]
            if rows:
                lines += ["", f"{group}. {title}"]
            for r in rows:
                lines.append(f"  {r.status!s:8}{r.id:{width}}  {_in_full(r)}")
                if r.status in _WRONG:
                    lines += [f"          {word:9} {_line(text)}" for word, text in _explained(r)]
        return "\n".join(lines) + "\n"

    def to_script(self) -> str:
        """Return a shell script of the commands that would mend what fails, in order. It is to be read, then run.

        containerkit never runs any of it. Commands that do not need root are comments: they are for another session.
        """
        lines = ["#!/bin/sh", f"# {self.title}: commands for root, to be read before they are run.", "set -eu", ""]
        written: set[str] = set()
        for result in sorted(self._to_mend(), key=lambda r: _ORDER.index(r.id) if r.id in _ORDER else len(_ORDER)):
            fix = result.remediation
            new = [c for c in fix.commands if c not in written] if fix else []
            if fix is None or (fix.commands and not new):
                continue
            lines += [f"# {result.id}: {_line(result.summary)}", f"# {_line(fix.text)}"]
            lines += [*(c if fix.needs_root else f"# not as root: {c}" for c in new), ""]
            written |= set(new)
        return "\n".join(lines)

    def _to_mend(self) -> list[CheckResult]:
        return [r for r in self.results if r.remediation and r.status in _WRONG]

    def to_html(self) -> str:
        """Return a complete page, light or dark as the reader's system is; it loads nothing from anywhere."""
        from ..display import page_html

        return page_html(self.title, [self._repr_html_()])

    def _repr_html_(self) -> str:
        from .page import report_html

        return report_html(self.title, self._preface(), self.results)

    @property
    def title(self) -> str:
        """Title of the report: what was examined, and its address."""
        return f"Isolation: {self.engine}" + (f" at {self.endpoint}" if self.endpoint else "")

    def _preface(self) -> list[str]:
        counts = ", ".join(f"{number} {status}" for status, number in self.counts.items() if number)
        closed = sorted({reason for gate, reason in self.gates.items() if reason and gate != "probe"})
        about = [f"{name} {value}" for name, value in self.about.items()]
        return [*([", ".join(about)] if about else []), f"{counts or 'nothing asked'}; {self.duration:.1f} s"] + [
            f"Facts of this host do not count: {r}." for r in closed
        ]


def _explained(result: CheckResult) -> Iterator[tuple[str, str]]:
    """Yield (word, text) for what a result means, what was seen by whom, and what mends it."""
    if result.id in MEANINGS:
        yield "means", MEANINGS[result.id]
    for item in result.evidence:
        yield "evidence", str(item)
    fix = result.remediation
    if fix is not None:
        yield "fix", fix.text + (" (as root)" if fix.needs_root else "")
        for command in fix.commands:
            yield "command", command


def _advice(result: CheckResult) -> list[str]:
    lines = [f"- **{_cell(result.id)}** ({result.status})"]
    for word, text in _explained(result):
        code = word in ("evidence", "command")
        shown = f"`{_line(text.replace('`', chr(39)))}`" if code else _cell(text)
        lines.append(f"  - {shown}" if code else f"  - {word}: {shown}")
    return lines


def _line(text: str) -> str:
    return " ".join(text.split())


def _in_full(result: CheckResult) -> str:
    return result.summary + "".join(f" [conflict: {conflict}]" for conflict in result.conflicts)


def _cell(value: str) -> str:
    """Return text that stays in its cell."""
    return " ".join(value.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
