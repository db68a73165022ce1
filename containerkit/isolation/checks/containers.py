"""Group H: the containers that run now. `containerkit audit` shows each finding of them."""

from __future__ import annotations

from collections.abc import Callable

from ..audited import ContainerFacts
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


#: Check -> its question, whether a container lacks it, and what is said of those that do, of all others, and as advice.
_HABITS: tuple[tuple[str, str, Callable[[ContainerFacts], bool], str, str, Remediation], ...] = (
    (
        "container-user",
        "Do running containers have an ordinary user",
        lambda c: c.user.split(":")[0] in ("", "0", "root"),
        "start as root inside",
        "all start as an ordinary user",
        Remediation("Name a user in the image (USER in its Dockerfile), or give one to the container (--user 1000)."),
    ),
    (
        "container-read-only",
        "Do running containers have a read-only root",
        lambda c: c.read_only is not True,
        "can write to their own programs",
        "all have a read-only root",
        Remediation("Start with --read-only, and with --tmpfs or a volume for what has to be written."),
    ),
    (
        "container-health",
        "Do running containers have a health check",
        lambda c: not c.health,
        "have no health check: the engine cannot tell whether they work",
        "all have a health check",
        Remediation("Write HEALTHCHECK into the Dockerfile, or start with --health-cmd."),
    ),
    (
        "container-restart",
        "Do failing containers stop at some time",
        lambda c: c.restart in ("always", "unless-stopped") or (c.restart == "on-failure" and not c.restarts),
        "are started again without end, also when they fail at once",
        "none is started again without end",
        Remediation("Start with --restart on-failure:5."),
    ),
)


def _habit(
    lacks: Callable[[ContainerFacts], bool], loose: str, fine: str, fix: Remediation
) -> Callable[[Facts], Finding]:
    def evaluate(facts: Facts) -> Finding:
        if facts.containers is None:
            return unknown(facts.containers_problem or "the containers were not listed")
        seen = [c for c in facts.containers if not c.problem]
        if not seen:
            return inapplicable("no container runs" if not facts.containers else "no container could be inspected")
        names = [c.label for c in seen if lacks(c)]
        shown = {c.label: [c.user, c.read_only, c.health, c.restart] for c in seen}
        evidence = engine_says("user, read-only root, health check, restart policy", shown)
        if not names:
            return passed(f"{len(seen)} running containers: {fine}", evidence)
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")
        return warned(f"{listed}: {loose}", evidence, fix=fix)

    return evaluate


CHECKS: tuple[Check, ...] = (
    Check("containers-audit", "What running containers were given", "H", Severity.MEDIUM, "E", _audit),
    *(
        Check(name, title, "H", Severity.LOW, "E", _habit(lacks, loose, fine, fix))
        for name, title, lacks, loose, fine, fix in _HABITS
    ),
)
