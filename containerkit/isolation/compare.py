"""Compare reports side by side, and check common statements about containers against their evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..values import Shown, ValueTuple
from .language import translator
from .report import TONES, IsolationReport
from .values import CheckResult, Status

if TYPE_CHECKING:
    from ..display import Table

__all__ = ["Statement", "compare_reports", "statements"]

#: Statement -> the check that decides it, and the answer for each status. A missing status means "unknown".
_SAID: tuple[tuple[str, str, Mapping[Status, str]], ...] = (
    ("containers share the host's kernel", "shared-kernel", {Status.WARN: "true", Status.PASS: "false"}),
    ("root in a container is root on the host", "container-root-uid", {Status.FAIL: "true", Status.PASS: "false"}),
    ("the engine runs as root", "engine-rootless", {Status.FAIL: "true", Status.PASS: "false"}),
    ("containers need a daemon", "daemonless", {Status.FAIL: "true", Status.PASS: "false"}),
    (
        "others than root and the engine's own account can command it",
        "socket-permissions",
        {Status.FAIL: "true", Status.WARN: "true", Status.PASS: "false"},
    ),
    (
        "the accounts in the socket's group are root",
        "docker-group",
        {Status.WARN: "true", Status.PASS: "true, and there are none", Status.NA: "false"},
    ),
    ("who commands the engine can read root's files", "root-equivalence", {Status.FAIL: "true", Status.PASS: "false"}),
    (
        "containers are separate from each other by user",
        "userns-shared",
        {Status.WARN: "false", Status.INFO: "in part"},
    ),
    ("limits hold", "limits-enforced", {Status.PASS: "true", Status.WARN: "in part", Status.FAIL: "false"}),
    (
        "one container cannot starve the host",
        "default-limits",
        {Status.PASS: "true", Status.WARN: "false", Status.FAIL: "false"},
    ),
    ("what inspect says of limits is so", "limits-honest", {Status.PASS: "true", Status.FAIL: "false"}),
    ("a fork bomb is stopped by default", "default-pids-limit", {Status.PASS: "true", Status.WARN: "false"}),
    ("a container can load a module into the kernel", "module-loading", {Status.FAIL: "true", Status.PASS: "false"}),
    ("a container can set the host's clock", "clock", {Status.FAIL: "true", Status.PASS: "false"}),
    ("a container can reach the keys of the host's root", "keyring", {Status.FAIL: "true", Status.PASS: "false"}),
    ("system calls are filtered", "seccomp", {Status.PASS: "true", Status.FAIL: "false"}),
)


@dataclass(frozen=True, slots=True)
class Statement(Shown):
    """A common statement about containers, and what one engine's evidence says about it.

    Attributes:
        text: the statement.
        answer: "true", "false", "in part", … or "unknown".
        because: the fact behind the answer.
        check: the check that found it.
    """

    text: str
    answer: str
    because: str
    check: str

    def __str__(self) -> str:
        return f"{self.text}: {self.answer} ({self.because})"

    def to_dict(self) -> dict[str, Any]:
        return {"text": self.text, "answer": self.answer, "because": self.because, "check": self.check}


def statements(report: IsolationReport) -> ValueTuple[Statement]:
    """Return what one report's evidence says about each common statement."""
    found = {result.id: result for result in report.results}
    said = []
    for text, check, answers in _SAID:
        result = found.get(check)
        if result is None:
            said.append(Statement(text, "unknown", f"{check} was not asked", check))
        else:
            answer = "unknown" if result.conflicts else answers.get(result.status, "unknown")
            said.append(Statement(text, answer, result.summary, check))
    return ValueTuple(said)


def compare_reports(*reports: IsolationReport, detail: bool = False, lang: str = "en") -> Table:
    """Return a table with one row per statement, then one row per check, and one column per report.

    Args:
        reports: of the engines to compare.
        detail: also show what was found, not the status alone; such a table is wide.
        lang: "en" or "es".

    Raises:
        InvalidOption: there is no such language.
    """
    from ..display import Cell, Table

    tr = translator(lang)
    stated = [statements(report) for report in reports]
    rows: list[tuple[object, ...]] = [
        (f"“{tr(said[0].text)}”", *(Cell(one.answer, tr(one.answer)) for one in said))
        for said in zip(*stated, strict=True)
        if any(one.answer != "unknown" for one in said)
    ]

    def cell(result: CheckResult | None) -> object:
        if result is None:
            return ""
        text = tr(result.status) + (f": {tr(result.summary)}" if detail else "")
        return Cell(f"{result.status}: {result.summary}", text, TONES.get(result.status, ""))

    ids = dict.fromkeys(result.id for report in reports for result in report.results)
    found = [{result.id: result for result in report.results} for report in reports]
    rows += [(check, *(cell(results.get(check)) for results in found)) for check in ids]
    return Table(tr("Isolation compared"), ("", *map(tr, _names(reports))), rows)


def _names(reports: tuple[IsolationReport, ...]) -> tuple[str, ...]:
    """Return a distinct heading for each report."""
    names = []
    for report in reports:
        rootless = next((r.status is Status.PASS for r in report.results if r.id == "engine-rootless"), False)
        names.append(f"{report.engine}, rootless" if rootless else report.engine)
    for tell_apart in ("endpoint", "number"):
        repeated = Counter(names)
        for index, name in enumerate(names):
            if repeated[name] > 1:
                names[index] = (
                    f"{name} at {reports[index].endpoint}" if tell_apart == "endpoint" else f"{name} ({index + 1})"
                )
    return tuple(names)
