"""Reports for other programs: SARIF 2.1.0 for code scanning, JUnit XML for CI, a page for the browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as Xml

from .._text import split_lines
from .audit import AuditReport
from .report import IsolationReport
from .values import Remediation, Severity, Status

__all__ = ["to_junit", "to_page", "to_sarif"]

_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One result of either kind of report. `place` is a container's name, or "" for the engine."""

    id: str
    title: str
    status: Status
    severity: Severity
    text: str
    place: str = ""


def to_sarif(*reports: IsolationReport | AuditReport) -> dict[str, Any]:
    """Return reports as one SARIF 2.1.0 log: a run for each report, a result for each fail, warn and unknown.

    Args:
        reports: from check(), check_host() or audit().

    Returns:
        JSON-ready types.
    """
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(report) for report in reports]}


def to_junit(*reports: IsolationReport | AuditReport) -> str:
    """Return reports as JUnit XML: a suite for each report, a case for each result; unknown and na are skipped.

    Args:
        reports: from check(), check_host() or audit().

    Returns:
        The XML document.
    """
    root = Xml.Element("testsuites")
    for report in reports:
        entries = list(_entries(report))
        suite = Xml.SubElement(root, "testsuite", name=_clean(f"containerkit {report.engine}"), tests=str(len(entries)))
        failures = skipped = 0
        for entry in entries:
            name = f"{entry.place}: {entry.title}" if entry.place else entry.title
            case = Xml.SubElement(suite, "testcase", classname=_clean(entry.place or report.engine), name=_clean(name))
            if entry.status in (Status.FAIL, Status.WARN):
                failures += 1
                failure = Xml.SubElement(case, "failure", type=f"{entry.status} ({entry.severity})")
                failure.set("message", _clean(split_lines(entry.text)[0]))
                failure.text = _clean(entry.text)
            elif entry.status in (Status.UNKNOWN, Status.NA):
                skipped += 1
                Xml.SubElement(case, "skipped", message=_clean(entry.text))
        suite.set("failures", str(failures))
        suite.set("skipped", str(skipped))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def to_page(*reports: IsolationReport | AuditReport, lang: str = "en") -> str:
    """Return reports as one page for the browser, light or dark as the reader's system is; it loads nothing.

    Args:
        reports: from check(), check_host() or audit().
        lang: "en" or "es".

    Returns:
        The HTML document.

    Raises:
        InvalidOption: there is no such language.
    """
    from ..display import page_html

    return page_html("containerkit", [report.to_fragment(lang=lang) for report in reports], lang=lang)


def _run(report: IsolationReport | AuditReport) -> dict[str, Any]:
    entries = [e for e in _entries(report) if e.status in (Status.FAIL, Status.WARN, Status.UNKNOWN)]
    rules = {entry.id: entry for entry in sorted(entries, key=lambda e: list(Severity).index(e.severity))}
    return {
        "tool": {
            "driver": {
                "name": "containerkit",
                "rules": [
                    {
                        "id": name,
                        "shortDescription": {"text": entry.title},
                        "properties": {"security-severity": _SCORES[entry.severity]},
                    }
                    for name, entry in sorted(rules.items())
                ],
            }
        },
        "results": [
            {
                "ruleId": entry.id,
                "level": "note" if entry.status is Status.UNKNOWN else _LEVELS[entry.severity],
                "kind": "review" if entry.status is Status.UNKNOWN else "fail",
                "message": {"text": entry.text},
                "locations": [
                    {"logicalLocations": [{"fullyQualifiedName": "/".join(filter(None, (report.engine, entry.place)))}]}
                ],
            }
            for entry in entries
        ],
    }


def _entries(report: IsolationReport | AuditReport) -> Iterator[_Entry]:
    if isinstance(report, IsolationReport):
        for result in report:
            text = _told(result.summary, result.remediation)
            yield _Entry(result.id, result.title, result.status, result.severity, text)
        return
    for audit in report:
        place = audit.name or audit.id[:12]
        for found in audit.findings:
            text = _told(found.summary, found.remediation)
            yield _Entry(found.id, f"Running container: {found.id}", Status.FAIL, found.severity, text, place)
        for reason in audit.unknown:
            yield _Entry("unknown", "Running container: not known", Status.UNKNOWN, Severity.LOW, reason, place)
        if not audit.findings and not audit.unknown:
            yield _Entry("default", "Running container", Status.PASS, Severity.LOW, "nothing beyond the default", place)


def _told(summary: str, fix: Remediation | None) -> str:
    return "\n".join((summary, *((fix.text, *fix.commands) if fix else ())))


def _clean(text: str) -> str:
    """Return text without characters that XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff" and c < "\ufffe"))
