"""Group H: running containers, and what they were given beyond the default."""

from __future__ import annotations

from ..check import Check, Finding, engine_says, failed, inapplicable, passed, unknown, warned
from ..facts import AuditedContainer, Facts
from ..gates import owner_uid, reported_rootless
from ..values import Evidence, Severity
from .access import engine_sockets

__all__ = ["CHECKS", "concerns"]

_FOLDERS = ("/etc", "/proc", "/sys", "/dev", "/boot", "/root", "/usr", "/var/lib")


def concerns(container: AuditedContainer) -> tuple[str, ...]:
    """Return what weakens a container's isolation; () for a default container with limits."""
    found = []
    if container.privileged:
        found.append("privileged")
    if container.host_namespaces:
        found.append(f"the host's {', '.join(container.host_namespaces)} namespace")
    if container.cap_add:
        found.append(f"capabilities added: {', '.join(container.cap_add)}")
    found += [f"security option {option}" for option in container.unconfined]
    sockets = engine_sockets(container.sources)
    folders = [p for p in container.sources if p == "/" or p.rstrip("/") in _FOLDERS]
    found += [f"mounts {path}" for path in dict.fromkeys((*sockets, *folders))]
    if container.devices:
        found.append(f"devices {', '.join(container.devices)}")
    if container.open_ports:
        ports = ", ".join(str(port or "of the engine's choice") for port in container.open_ports)
        found.append(f"ports open on every address: {ports}")
    missing = [
        name for name, value in (("memory", container.memory), ("processes", container.pids)) if not value or value < 0
    ]
    if missing:
        found.append(f"no limit on {' or '.join(missing)}")
    return tuple(found)


def _audit(facts: Facts) -> Finding:
    if facts.containers is None:
        return unknown(facts.containers_problem or "the containers were not listed")
    if not facts.containers:
        return inapplicable("no container runs")
    unseen = [c.name or c.id[:12] for c in facts.containers if c.problem]
    found = {c.name or c.id[:12]: concerns(c) for c in facts.containers if not c.problem}
    evidence: list[Evidence] = [
        engine_says("GET /containers/{id}/json", {name: list(what) for name, what in found.items()})
    ]
    if unseen:
        evidence.append(
            engine_says(
                "could not be looked into", {c.name or c.id[:12]: c.problem for c in facts.containers if c.problem}
            )
        )
    privileged = [c.name or c.id[:12] for c in facts.containers if c.privileged]
    if privileged and (reported_rootless(facts) is not True or owner_uid(facts) == 0):
        return failed(f"privileged on an engine of root: {', '.join(privileged)}", *evidence)
    loose = [name for name, what in found.items() if what]
    if loose:
        return warned(
            f"{len(loose)} of {len(facts.containers)} running containers are looser than they could be", *evidence
        )
    if unseen:
        return unknown(f"could not be looked into: {', '.join(unseen)}", *evidence)
    return passed(f"{len(found)} running containers, none looser than the default, all with limits", *evidence)


CHECKS: tuple[Check, ...] = (
    Check("containers-audit", "What running containers were given", "H", Severity.MEDIUM, "E", _audit),
)
