"""One check: a question about an engine or a host, answered from facts alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from .facts import EngineFacts, Facts, HostFacts, SocketFacts
from .gates import host_files, host_view
from .program import Answers
from .values import CheckResult, Evidence, Json, Remediation, Severity, Source, Status

__all__ = [
    "Check",
    "Finding",
    "answers_of",
    "engine_of",
    "engine_says",
    "failed",
    "host_of",
    "host_says",
    "inapplicable",
    "informed",
    "kernel_says",
    "passed",
    "probe_says",
    "run_check",
    "socket_of",
    "this_process",
    "unknown",
    "warned",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a check without its ID and title. `severity` overrides the check's own."""

    status: Status
    summary: str
    evidence: tuple[Evidence, ...] = ()
    conflicts: tuple[str, ...] = ()
    remediation: Remediation | None = None
    reason: str | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A question, the facts that it needs, and the pure function that answers it.

    Attributes:
        needs: letters. E: an engine that responds. P: the isolation probe's answers. L: the limits probe's answers.
            H: this host's ids and processes are the engine's. F: this host's files are the engine's. S: its socket.
    """

    id: str
    title: str
    group: str
    severity: Severity
    needs: str
    evaluate: Callable[[Facts], Finding]


def _missing(need: str, facts: Facts) -> str | None:
    """Return the reason why a need is not met; None if it is met."""
    if need == "E" and facts.engine is None:
        return facts.unreached or "there is no engine in this report"
    if need == "P" and (facts.probe is None or facts.probe.answers is None):
        return (facts.probe.problem if facts.probe else None) or "the probe was switched off"
    if need == "L" and facts.limits is None:
        return "the probe was switched off"
    if need == "S" and facts.socket is None:
        return "the engine is not reached through a socket of this host"
    if need in "HS":
        return host_view(facts).reason
    return host_files(facts).reason if need == "F" else None


def run_check(check: Check, facts: Facts) -> CheckResult:
    """Evaluate one check. Unexpected facts give "unknown" instead of a traceback; a conflict turns pass into warn."""
    missing = next((reason for need in check.needs if (reason := _missing(need, facts))), None)
    if missing:
        finding = unknown(missing)
    else:
        try:
            finding = check.evaluate(facts)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
            finding = unknown(f"the evidence is in a form that cannot be judged ({type(exc).__name__}: {exc})")
    if finding.conflicts and finding.status is Status.PASS:
        finding = replace(finding, status=Status.WARN)
    return CheckResult(
        id=check.id,
        title=check.title,
        group=check.group,
        status=finding.status,
        severity=finding.severity or check.severity,
        summary=finding.summary,
        evidence=finding.evidence,
        conflicts=finding.conflicts,
        remediation=finding.remediation if finding.status in (Status.WARN, Status.FAIL, Status.UNKNOWN) else None,
        reason=finding.reason,
    )


def engine_of(facts: Facts) -> EngineFacts:
    """Return the engine's facts, for a check that needs E."""
    if facts.engine is None:
        raise LookupError("no engine")
    return facts.engine


def answers_of(facts: Facts) -> Answers:
    """Return the isolation probe's answers, for a check that needs P."""
    if facts.probe is None or facts.probe.answers is None:
        raise LookupError("no probe")
    return facts.probe.answers


def socket_of(facts: Facts) -> SocketFacts:
    """Return the engine's socket, for a check that needs S."""
    if facts.socket is None:
        raise LookupError("no socket")
    return facts.socket


def host_of(facts: Facts) -> HostFacts:
    """Return this host's facts, for a check that needs H or F."""
    if facts.host is None:
        raise LookupError("no host facts")
    return facts.host


def passed(summary: str, *evidence: Evidence, conflicts: Iterable[str] = (), fix: Remediation | None = None) -> Finding:
    return Finding(Status.PASS, summary, evidence, tuple(conflicts), fix)


def warned(
    summary: str,
    *evidence: Evidence,
    conflicts: Iterable[str] = (),
    fix: Remediation | None = None,
    severity: Severity | None = None,
) -> Finding:
    return Finding(Status.WARN, summary, evidence, tuple(conflicts), fix, severity=severity)


def failed(
    summary: str,
    *evidence: Evidence,
    conflicts: Iterable[str] = (),
    fix: Remediation | None = None,
    severity: Severity | None = None,
) -> Finding:
    return Finding(Status.FAIL, summary, evidence, tuple(conflicts), fix, severity=severity)


def informed(summary: str, *evidence: Evidence) -> Finding:
    return Finding(Status.INFO, summary, evidence)


def unknown(reason: str, *evidence: Evidence, fix: Remediation | None = None) -> Finding:
    return Finding(Status.UNKNOWN, reason, evidence, (), fix, reason)


def inapplicable(reason: str, *evidence: Evidence) -> Finding:
    return Finding(Status.NA, reason, evidence, (), None, reason)


def kernel_says(what: str, value: Json) -> Evidence:
    return Evidence(Source.KERNEL, what, value)


def probe_says(what: str, value: Json) -> Evidence:
    return Evidence(Source.PROBE, what, value)


def engine_says(what: str, value: Json) -> Evidence:
    return Evidence(Source.ENGINE, what, value)


def host_says(what: str, value: Json) -> Evidence:
    return Evidence(Source.HOST, what, value)


def this_process(what: str, value: Json) -> Evidence:
    return Evidence(Source.CLIENT, what, value)
