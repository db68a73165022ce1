"""Group E: whether limits are enforced, as the kernel has them, whatever the engine reports."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from ..advice import SEPARATE_DISK, give_limit, make_limits_hold
from ..check import (
    Check,
    Finding,
    answers_of,
    engine_of,
    engine_says,
    failed,
    host_says,
    informed,
    passed,
    probe_says,
    unknown,
    warned,
)
from ..facts import Facts, LimitFacts
from ..gates import reported_rootless
from ..procfs import parse_mountinfo, parse_status, text
from ..program import CGROUP_FILES, FORKS, Answers
from ..values import Evidence, Json, Remediation, Severity

__all__ = ["CHECKS", "held_limits", "kernel_limit", "limits_known"]

_PAGE = 65536  # the kernel rounds memory limits to its pages


def _number(value: str | None) -> float | None:
    """Return a limit file's number; None for "max", for the huge number that means it in v1, and for other text."""
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if 0 <= number < 1 << 62 else None


def kernel_limit(answers: Answers, controller: str) -> float | str | None:
    """Return the limit that the kernel has for a probe; None if it has none."""

    def read(name: str, version: int) -> str | None:
        return text(answers.files.get(CGROUP_FILES[name, version]))

    if controller == "cpuset":
        return parse_status(text(answers.files.get("/proc/self/status"))).get("Cpus_allowed_list")
    if controller != "cpu":
        return _number(read(controller, 2) or read(controller, 1))
    quota, period = [*(read("cpu", 2) or "").split(), "", ""][:2]
    for version in (1, 11):
        quota, period = quota or read("cpu", version) or "", period or read("cpu-period", version) or ""
    share, whole = _number(quota), _number(period)
    return share / whole if share is not None and whole else None


def held_limits(limits: LimitFacts, *, cpus: int | None) -> Mapping[str, bool | None]:
    """Return controller -> whether the kernel enforces the requested limit; None if unknown."""
    held: dict[str, bool | None] = {}
    if limits.answers is None:
        return held
    for controller, wanted in limits.requested.items():
        found = kernel_limit(limits.answers, controller)
        if controller == "cpuset":
            held[controller] = None if cpus is None or cpus < 2 else found == wanted
        elif controller == "memory":
            held[controller] = isinstance(found, float) and abs(found - float(wanted)) <= _PAGE
        elif controller == "pids":
            held[controller] = found == wanted and limits.answers.forks < float(wanted)
        else:
            held[controller] = isinstance(found, float) and abs(found - float(wanted)) < 0.01
    return held


def limits_known(facts: Facts) -> Mapping[str, bool | None]:
    """Return held_limits(), counting limits that the engine refuses as not enforced; {} without a probe."""
    if facts.limits is None:
        return {}
    if facts.limits.refused is not None:
        return dict.fromkeys(facts.limits.requested, False)
    held = held_limits(facts.limits, cpus=facts.engine.cpus if facts.engine else None)
    return {**held, **dict.fromkeys(facts.limits.withheld, False)}


def _seen(facts: LimitFacts) -> list[Evidence]:
    evidence = [engine_says("limits asked for", dict(facts.requested))]
    if facts.withheld:
        evidence.append(engine_says("not asked for", dict(facts.withheld)))
    if facts.answers is not None:
        kernel = {name: kernel_limit(facts.answers, name) for name in ("memory", "pids", "cpu", "cpuset")}
        evidence.append(probe_says("limits of the control group", kernel))
        evidence.append(probe_says(f"children out of {FORKS}", facts.answers.forks))
    return evidence


def _limits_of(facts: Facts) -> LimitFacts:
    if facts.limits is None:
        raise LookupError("no limits probe")
    return facts.limits


def _setup(facts: Facts) -> Finding:
    engine = engine_of(facts)
    evidence = [
        engine_says("cgroup version", engine.cgroup_version),
        engine_says("cgroup driver", engine.cgroup_driver),
        engine_says(
            "GET /libpod/info host.cgroupControllers",
            list(engine.controllers) if engine.controllers is not None else None,
        ),
    ]
    summary = f"cgroup version {engine.cgroup_version or 'unknown'}, driver {engine.cgroup_driver or 'unknown'}"
    if reported_rootless(facts) and (engine.cgroup_version == 1 or engine.cgroup_driver in ("none", "cgroupfs")):
        return informed(f"{summary}: expect no limits from a rootless engine", *evidence)
    return informed(summary, *evidence)


def _enforced(facts: Facts) -> Finding:
    limits = _limits_of(facts)
    evidence = _seen(limits)
    if limits.refused is not None:
        return failed(
            f"the engine makes no container with limits: {limits.refused}", *evidence, fix=make_limits_hold(facts)
        )
    if limits.answers is None:
        return unknown(limits.problem or "the probe did not answer", *evidence)
    held = held_limits(limits, cpus=engine_of(facts).cpus)
    wanting = [name for name, holds in held.items() if holds is False] + list(limits.withheld)
    holding = [name for name, holds in held.items() if holds]
    untold = [name for name, holds in held.items() if holds is None]
    aside = f" ({', '.join(untold)}: one processor, nothing to tell)" if untold else ""
    pids = kernel_limit(limits.answers, "pids")
    conflicts = []
    if isinstance(pids, float) and pids == limits.requested.get("pids") and limits.answers.forks >= pids:
        conflicts.append(f"pids.max is {pids:g}, {limits.answers.forks} children could be had")
    if not wanting and holding:
        return passed(f"the kernel holds {', '.join(holding)}{aside}", *evidence, conflicts=conflicts)
    if holding:
        return warned(
            f"held: {', '.join(holding)}; not held: {', '.join(wanting)}{aside}",
            *evidence,
            conflicts=conflicts,
            fix=make_limits_hold(facts),
        )
    if not wanting:
        return unknown("nothing that was asked for can be told apart from no limit", *evidence)
    return failed(
        f"no limit holds: {', '.join(wanting)}{aside}", *evidence, conflicts=conflicts, fix=make_limits_hold(facts)
    )


def _honest(facts: Facts) -> Finding:
    limits, engine = _limits_of(facts), engine_of(facts)
    evidence = [
        *_seen(limits),
        engine_says("GET /info", dict(engine.limit_claims)),
        engine_says("warnings while creating", list(limits.warnings)),
        engine_says("GET /containers/{id}/json HostConfig", dict(limits.claims)),
    ]
    if limits.answers is None and limits.refused is None:
        return unknown(limits.problem or "the probe did not answer", *evidence)
    held: Mapping[str, bool | None] = held_limits(limits, cpus=engine.cpus)
    if limits.refused is not None:
        held = dict.fromkeys(limits.requested, False)
    lies = []
    for name in [name for name, holds in held.items() if holds is False]:
        if limits.claims.get(name) is not None:
            lies.append(f"inspect claims {name}={limits.claims[name]}")
        if engine.limit_claims.get(name):
            lies.append(f"/info claims that {name} can be limited")
    lies += [f"/info claims that {name} can be limited" for name in limits.withheld if engine.limit_claims.get(name)]
    if lies:
        fix = Remediation("Believe the control group, not the engine: read the limit from inside the container.")
        return failed(f"claimed and not enforced: {'; '.join(lies)}", *evidence, fix=fix)
    if limits.refused is not None:
        return passed("limits that it cannot hold are refused", *evidence)
    return passed("what the engine says of limits is what the kernel does", *evidence)


def _unreadable(answers: Answers, controller: str) -> str | None:
    """Return why a controller's limit cannot be read; None if it can, or if the container surely has none.

    Without its file, a group is the root of the hierarchy, which has no limit, or its controller is off.
    """
    values = [answers.files.get(CGROUP_FILES[controller, version]) for version in (2, 1)]
    if any(isinstance(value, bytes) for value in values):
        return None
    codes = [value for value in values if isinstance(value, int) and value != errno.ENOENT]
    if codes:
        return f"its control group cannot be read ({errno.errorcode.get(codes[0], codes[0])})"
    mounts = parse_mountinfo(text(answers.files.get("/proc/self/mountinfo")))
    shown = any(mount.kind.startswith("cgroup") for mount in mounts)
    return None if shown else "the container shows no control groups"


def _default_pids(facts: Facts) -> Finding:
    answers = answers_of(facts)
    evidence = probe_says("pids.max", _raw(answers, "pids"))
    if reason := _unreadable(answers, "pids"):
        return unknown(f"whether there is a limit is not known: {reason}", evidence)
    found = kernel_limit(answers, "pids")
    if isinstance(found, float):
        return passed(f"a container may have {found:g} processes", evidence)
    return warned(
        "a container may have as many processes as the host can bear",
        evidence,
        fix=give_limit(facts, "--pids-limit 2048", _unheld(facts, "pids")),
    )


def _raw(answers: Answers, controller: str) -> Json:
    paths = [CGROUP_FILES[controller, version] for version in (2, 1)]
    return {path: text(value) if isinstance(value := answers.files.get(path), bytes) else value for path in paths}


def _unheld(facts: Facts, *controllers: str) -> list[str]:
    known = limits_known(facts)
    return [name for name in controllers if known.get(name) is False]


def _default_limits(facts: Facts) -> Finding:
    answers, probe = answers_of(facts), facts.probe
    evidence = [probe_says(f"{name} of a default container", _raw(answers, name)) for name in ("memory", "pids")]
    unknowns = [name for name in ("memory", "pids") if _unreadable(answers, name)]
    unlimited = [n for n in ("memory", "pids") if n not in unknowns and not isinstance(kernel_limit(answers, n), float)]
    store = probe.store_disk if probe else None
    evidence += [
        probe_says("bytes of the container's disk", answers.disk),
        host_says("bytes of the store's disk", store),
    ]
    if not answers.disk or not store:
        unknowns.append("disk")
    elif answers.disk >= store:
        unlimited.append("disk")
    if unlimited:
        flags = {"memory": "--memory 512m", "pids": "--pids-limit 2048"}
        flag = " ".join(flags[name] for name in unlimited if name in flags)
        named = ", ".join(_RESOURCES[name] for name in unlimited)
        fix = give_limit(facts, flag, _unheld(facts, *unlimited)) if flag else SEPARATE_DISK
        return warned(f"a default container can use all of the host's {named}", *evidence, fix=fix)
    if unknowns:
        return unknown(f"limits that are not known: {', '.join(_RESOURCES[n] for n in unknowns)}", *evidence)
    return passed("a default container has a limit on memory, processes and disk", *evidence)


_RESOURCES = {"memory": "memory", "pids": "processes", "disk": "disk"}


CHECKS: tuple[Check, ...] = (
    Check("cgroup-setup", "Which control groups the engine uses", "E", Severity.LOW, "E", _setup),
    Check("limits-enforced", "Does the kernel hold limits", "E", Severity.HIGH, "EL", _enforced),
    Check("limits-honest", "Does the engine tell the truth about limits", "E", Severity.MEDIUM, "EL", _honest),
    Check("default-limits", "Can a default container starve the host", "E", Severity.MEDIUM, "EP", _default_limits),
    Check("default-pids-limit", "Is there a limit on processes by default", "E", Severity.MEDIUM, "EP", _default_pids),
)
