"""IsolationReport: the results of all checks of one engine or host."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checks import GROUPS
from .language import Translate, translator
from .meanings import MEANINGS
from .values import CheckResult, Status

if TYPE_CHECKING:
    from ..display import Table

__all__ = ["SCHEMA", "TONES", "IsolationReport", "report_schema", "translated"]

SCHEMA = "containerkit.isolation/1"
_COLUMNS = ("", "check", "status", "severity", "what was found")
_WRONG = (Status.FAIL, Status.WARN)
TONES: Mapping[Status, Any] = {Status.FAIL: "bad", Status.WARN: "warn", Status.PASS: "good"}
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

    def table(self, *, lang: str = "en") -> Table:
        """Return one row per check, in English or in the language "es"."""
        from ..display import Cell, Table

        tr = translator(lang)
        rows = [
            (r.group, r.id, Cell(str(r.status), tr(r.status), TONES.get(r.status, "")), tr(r.severity), tr(r.summary))
            for r in self.results
        ]
        return Table(tr(self.title), [tr(column) for column in _COLUMNS], rows)

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

    def to_markdown(self, *, lang: str = "en") -> str:
        """Return the report as Markdown: a table for each group, then what is wrong, explained.

        Args:
            lang: "en" or "es".
        """
        tr = translator(lang)
        head = " | ".join(tr(word) for word in _COLUMNS[1:])
        lines = [f"# {_cell(tr(self.title))}", "", *self._preface(tr)]
        for group, title in GROUPS.items():
            rows = [translated(r, tr) for r in self.results if r.group == group]
            if rows:
                lines += ["", f"## {group}. {tr(title)}", "", f"| {head} |", "|---|---|---|---|"]
                lines += [
                    f"| {_cell(r.id)} | {tr(r.status)} | {tr(r.severity)} | {_cell(_in_full(r, tr))} |" for r in rows
                ]
        wrong = [r for r in self.results if r.status in _WRONG]
        if wrong:
            lines += ["", f"## {tr('What it means, and what could be done')}", ""]
        for result in wrong:
            lines += _advice(translated(result, tr), tr)
        return "\n".join(lines) + "\n"

    def to_text(self, *, lang: str = "en") -> str:
        """Return the report as text for a terminal.

        Args:
            lang: "en" or "es".
        """
        tr = translator(lang)
        width = max((len(r.id) for r in self.results), default=0)
        room = max(len(tr(status)) for status in Status) + 1
        lines = [tr(self.title), *self._preface(tr)]
        for group, title in GROUPS.items():
            rows = [translated(r, tr) for r in self.results if r.group == group]
            if rows:
                lines += ["", f"{group}. {tr(title)}"]
            for r in rows:
                lines.append(f"  {tr(r.status):{room}}{r.id:{width}}  {_in_full(r, tr)}")
                if r.status in _WRONG:
                    lines += [f"          {word:9} {_line(text)}" for word, text in _explained(r, tr)]
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

    def to_html(self, *, lang: str = "en") -> str:
        """Return a complete page, light or dark as the reader's system is; it loads nothing from anywhere.

        Args:
            lang: "en" or "es".
        """
        from ..display import page_html

        return page_html(translator(lang)(self.title), [self.to_fragment(lang=lang)], lang=lang)

    def to_fragment(self, *, lang: str = "en") -> str:
        """Return the report as a part of a page, in English or in the language "es"."""
        from .page import report_html

        tr = translator(lang)
        return report_html(tr(self.title), self._preface(tr), [translated(r, tr) for r in self.results], tr)

    def _repr_html_(self) -> str:
        return self.to_fragment()

    @property
    def title(self) -> str:
        """Title of the report: what was examined, and its address."""
        return f"Isolation: {self.engine}" + (f" at {self.endpoint}" if self.endpoint else "")

    def header(self, *, lang: str = "en") -> list[str]:
        """Return the lines below the title: date, machine, user and versions; counts; what does not count, and why."""
        return self._preface(translator(lang))

    def _preface(self, tr: Translate) -> list[str]:
        counts = ", ".join(f"{number} {tr(status)}" for status, number in self.counts.items() if number)
        closed = sorted({reason for gate, reason in self.gates.items() if reason and gate != "probe"})
        about = [f"{tr(name)} {tr(value)}" for name, value in self.about.items()]
        return [
            *([", ".join(about)] if about else []),
            f"{counts or tr('nothing asked')}; {self.duration:.1f} s",
            *(tr(f"Facts of this host do not count: {reason}.") for reason in closed),
        ]


def translated(result: CheckResult, tr: Translate) -> CheckResult:
    """Return a result with its texts in another language; the evidence stays as it was seen."""
    fix = result.remediation
    return replace(
        result,
        title=tr(result.title),
        summary=tr(result.summary),
        conflicts=tuple(map(tr, result.conflicts)),
        reason=tr(result.reason) if result.reason else None,
        remediation=replace(fix, text=tr(fix.text)) if fix else None,
    )


def _explained(result: CheckResult, tr: Translate) -> Iterator[tuple[str, str]]:
    """Yield (word, text) for what a result means, what was seen by whom, and what mends it."""
    if result.id in MEANINGS:
        yield tr("means"), tr(MEANINGS[result.id])
    for item in result.evidence:
        yield tr("evidence"), str(item)
    fix = result.remediation
    if fix is not None:
        yield tr("fix"), fix.text + (tr(" (as root)") if fix.needs_root else "")
        for command in fix.commands:
            yield tr("command"), command


def _advice(result: CheckResult, tr: Translate) -> list[str]:
    lines = [f"- **{_cell(result.id)}** ({tr(result.status)})"]
    for word, text in _explained(result, tr):
        code = word in (tr("evidence"), tr("command"))
        shown = f"`{_line(text.replace('`', chr(39)))}`" if code else _cell(text)
        lines.append(f"  - {shown}" if code else f"  - {word}: {shown}")
    return lines


def _line(text: str) -> str:
    return " ".join(text.split())


def _in_full(result: CheckResult, tr: Translate) -> str:
    return result.summary + "".join(f" [{tr('conflict')}: {conflict}]" for conflict in result.conflicts)


def _cell(value: str) -> str:
    """Return text that stays in its cell."""
    return " ".join(value.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
