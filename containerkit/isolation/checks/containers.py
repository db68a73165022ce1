"""Group H: the containers that run now, in one result. `containerkit audit` shows each finding."""

from __future__ import annotations

from ..check import Check, Finding, engine_says, failed, inapplicable, passed, unknown, warned
from ..exposure import exposures
from ..facts import Facts
from ..setting import setting_of
from ..values import Evidence, Remediation, Severity

__all__ = ["CHECKS"]

_FIX = Remediation("Look at each finding and how to avoid it.", ("containerkit audit",))


def _audit(facts: Facts) -> Finding:
    if facts.containers is None:
        return unknown(facts.containers_problem or "the containers were not listed")
    if not facts.containers:
        return inapplicable("no container runs")
    setting = setting_of(facts)
    unseen = {c.label: c.problem for c in facts.containers if c.problem}
    found = {c.label: exposures(c, setting, facts.containers) for c in facts.containers if not c.problem}
    reported = {name: [f"{e.severity}: {e.summary}" for e in what] for name, what in found.items()}
    evidence: list[Evidence] = [engine_says("GET /containers/{id}/json", reported)]
    if unseen:
        evidence.append(engine_says("could not be inspected", unseen))
    for severity, finding in ((Severity.CRITICAL, failed), (Severity.HIGH, warned)):
        names = [name for name, what in found.items() if what and what[0].severity is severity]
        if names:
            what = "a way to root of the host" if severity is Severity.CRITICAL else "much of the host in reach"
            return finding(f"{what}: {', '.join(names)}", *evidence, fix=_FIX, severity=severity)
    loose = [name for name, what in found.items() if what]
    if loose:
        return warned(
            f"{len(loose)} of {len(facts.containers)} running containers are looser than they could be",
            *evidence,
            fix=_FIX,
        )
    if unseen:
        return unknown(f"could not be inspected: {', '.join(unseen)}", *evidence)
    return passed(f"{len(found)} running containers, none looser than the default, all with limits", *evidence)


CHECKS: tuple[Check, ...] = (
    Check("containers-audit", "What running containers were given", "H", Severity.MEDIUM, "E", _audit),
)
