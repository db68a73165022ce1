"""Turn facts into a report, for an engine or for this host alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..errors import InvalidOption
from .check import Check, run_check
from .checks import CATALOGUE
from .checks.identity import kind_by_answers
from .checks.limits import limits_known
from .collect import collect, collect_for_host
from .facts import Facts
from .gates import host_view, same_kernel
from .report import IsolationReport
from .values import CheckResult, Status

if TYPE_CHECKING:
    from ..backends.base import Backend

__all__ = ["check_engine", "check_host", "evaluate"]

#: Checks of a host that need no engine.
_HOST_CHECKS = frozenset(
    (
        *("docker-command", "subid-ranges", "subid-overlap", "idmap-helpers", "userns-allowed", "userns-sysctls"),
        *("runtime-dir", "linger", "network-helper", "unprivileged-ports", "ping-range", "cgroup-delegation"),
        *("rootless-overlay", "rootless-devices", "firewall-tools", "user-session", "home-folder"),
    )
)
#: Checks that need no container.
_NEEDS_NO_PROBE = frozenset(
    (
        *("endpoint", "engine-reachable", "engine-kind", "docker-command", "tcp-exposed", "client-transport"),
        *("socket-in-containers", "storage-driver", "cgroup-setup", "containers-audit"),
        *("engine-version", "live-restore", "experimental", "authorization-plugins", "insecure-registries"),
        *("unqualified-registries", "container-traffic", "runtime-version"),
        *("container-user", "container-read-only", "container-health", "container-restart"),
    )
)

#: Checks of the containers that run.
_AUDITED = frozenset(check.id for check in CATALOGUE if check.group == "H") | {"socket-in-containers"}


def select(only: str | Iterable[str] | None, *, option: str = "only") -> tuple[Check, ...]:
    """Return the checks with these ids, in the catalogue's order. Raises InvalidOption for an unknown id."""
    if only is None:
        return CATALOGUE
    if not isinstance(only, Iterable):
        raise InvalidOption(option, only, "an id of a check, or several")
    wanted = {only} if isinstance(only, str) else set(only)
    unknown_ids = wanted - {check.id for check in CATALOGUE}
    if unknown_ids:
        raise InvalidOption(
            option, ", ".join(sorted(map(str, unknown_ids))), "ids of checks: " + ", ".join(c.id for c in CATALOGUE)
        )
    return tuple(check for check in CATALOGUE if check.id in wanted)


def evaluate(facts: Facts, only: str | Iterable[str] | None = None, *, started: float = 0.0) -> IsolationReport:
    """Evaluate facts. The same facts always give the same results."""
    results = tuple(run_check(check, facts) for check in select(only))
    engine, name = facts.engine, "host"
    if engine is not None:
        name = f"{kind_by_answers(engine) or engine.asked_as} {engine.version}".strip()
    elif facts.unreached is not None:
        name = "engine that does not answer"
    gates = {
        "same-kernel": same_kernel(facts).reason,
        "same-host-view": host_view(facts).reason,
        "probe": _unprobed(facts, results),
    }
    duration = time.time() - started if started else 0.0
    about = _about(facts, started)
    return IsolationReport(name, facts.client.url, results, gates, started, duration, limits_known(facts), about)


def _about(facts: Facts, started: float) -> dict[str, str]:
    """Return where, when and by whom a report is made, as far as known."""
    engine, host, client = facts.engine, facts.host, facts.client
    about = {
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(started)) if started else None,
        "machine": client.machine,
        "user": client.user,
        "account": host.account.name if engine is None and host is not None else None,
        "kernel": engine.kernel if engine is not None else host.kernel if host is not None else None,
        "storage": engine.storage_driver if engine is not None else None,
        "cgroups": f"version {engine.cgroup_version}" if engine is not None and engine.cgroup_version else None,
    }
    return {name: value for name, value in about.items() if value}


def _unprobed(facts: Facts, results: Iterable[CheckResult]) -> str | None:
    """Return why there is no probe, if a check is unknown for that."""
    probed = {check.id for check in CATALOGUE if set(check.needs) & set("PL")}
    if facts.engine is None or (facts.probe is not None and facts.probe.answers is not None):
        return None
    lost = any(result.status is Status.UNKNOWN and result.id in probed for result in results)
    return ((facts.probe.problem if facts.probe else None) or "the probe was switched off") if lost else None


def check_engine(
    backend: Backend,
    labels: Mapping[str, str] | None = None,
    *,
    probe: bool = True,
    only: str | Iterable[str] | None = None,
    skip: str | Iterable[str] = (),
) -> IsolationReport:
    """Check one engine.

    Args:
        backend: the engine.
        labels: for two short containers and their image, which are removed before this returns.
        probe: False creates nothing; checks that need it are "unknown".
        only: an id, or several.
        skip: ids of checks to leave out.
    """
    started, left_out = time.time(), {check.id for check in select(skip, option="skip")}
    ids = {check.id for check in select(only)} - left_out
    probe = probe and bool(ids - _NEEDS_NO_PROBE)
    facts = collect(backend, labels or {}, probe=probe, audit=bool(ids & _AUDITED))
    return evaluate(facts, ids, started=started)


def check_host(user: str | None = None) -> IsolationReport:
    """Check whether an account could run rootless engines here. Creates nothing.

    Args:
        user: name or number of the account; None: the one that runs this process. Only root can try
            whether another account can make a user namespace.

    Returns:
        The checks that need no engine. `report.to_script()` has the commands that would mend what is missing.

    Raises:
        InvalidOption: there is no such account.

    Example:
        >>> check_host().engine
        'host'
    """
    started = time.time()
    return evaluate(collect_for_host(user), _HOST_CHECKS, started=started)
