"""Group C: whose uid is root in a container, down to the host."""

from __future__ import annotations

from ..advice import separate_users
from ..check import (
    Check,
    Finding,
    answers_of,
    engine_of,
    engine_says,
    failed,
    inapplicable,
    informed,
    kernel_says,
    passed,
    probe_says,
    unknown,
    warned,
)
from ..facts import Facts, IdRange
from ..gates import composed_map, host_view, owner_uid, probe_map, reported_rootless
from ..procfs import WHOLE, host_id
from ..values import Evidence, Json, Severity

__all__ = ["CHECKS", "container_root_uid"]


def _rows(ranges: tuple[IdRange, ...] | None) -> Json:
    return None if ranges is None else [f"{r.inside} {r.outside} {r.size}" for r in ranges]


def container_root_uid(facts: Facts) -> int | None:
    """Return the uid on the engine's host of root in a container, from the best evidence available."""
    outside = facts.probe.outside if facts.probe else None
    if outside is not None and host_view(facts).open:
        return outside.uid
    composed = composed_map(facts)
    return host_id(0, composed) if composed else None


def _root_uid(facts: Facts) -> Finding:
    engine = engine_of(facts)
    inside, outside = probe_map(facts), facts.probe.outside if facts.probe else None
    evidence: list[Evidence] = [probe_says("/proc/self/uid_map", _rows(inside))]
    if engine.uid_mappings is not None:
        evidence.append(engine_says("GET /libpod/info host.idMappings.uidmap", _rows(engine.uid_mappings)))
    seen = outside.uid if outside is not None and host_view(facts).open else None
    composed = composed_map(facts)
    said = host_id(0, composed) if composed else None
    conflicts = []
    where = "on the engine's host"
    if seen is not None and outside is not None:
        evidence.append(kernel_says(f"/proc/{outside.pid}/status Uid", seen))
        where = "on this host, seen from outside"
        if said is not None and said != seen:
            conflicts.append(f"the maps lead to uid {said}, the kernel shows uid {seen}")
        if (
            inside is not None
            and (inside == WHOLE) != (seen == 0)
            and (inside == WHOLE or host_id(0, inside) == 0 == seen)
        ):
            conflicts.append(f"the probe says {_rows(inside)!r} is its map, the kernel shows uid {seen}")
    uid = seen if seen is not None else said
    if uid is None:
        return unknown(
            "the probe's map is missing, or leads into a namespace that the engine does not describe", *evidence
        )
    if uid == 0:
        return failed(
            f"root in a container is uid 0 {where}", *evidence, conflicts=conflicts, fix=separate_users(facts)
        )
    owner = owner_uid(facts)
    note = ", the account that runs the engine: an escape has that account's files" if uid == owner else ""
    return passed(f"root in a container is uid {uid} {where}{note}", *evidence, conflicts=conflicts)


def _userns_active(facts: Facts) -> Finding:
    inside, outside = probe_map(facts), facts.probe.outside if facts.probe else None
    evidence = [probe_says("/proc/self/uid_map", _rows(inside))]
    if inside is None:
        return unknown("the probe's map cannot be read", *evidence)
    conflicts = []
    if outside is not None and host_view(facts).open:
        evidence.append(kernel_says(f"/proc/{outside.pid}/uid_map", _rows(outside.uid_map)))
        if outside.uid_map is not None and (outside.uid_map == WHOLE) != (inside == WHOLE):
            conflicts.append("the map told by the probe and the map told by the kernel differ")
            inside = outside.uid_map
    if inside == WHOLE:
        return failed(
            "containers share the user namespace of the host", *evidence, conflicts=conflicts, fix=separate_users(facts)
        )
    return passed("containers have a user namespace of their own or of their engine", *evidence, conflicts=conflicts)


def _userns_remap(facts: Facts) -> Finding:
    engine, rootless = engine_of(facts), reported_rootless(facts)
    if engine.libpod:
        return inapplicable("this engine maps users for each container (--userns=auto), not for the whole engine")
    if rootless:
        return inapplicable("a rootless engine maps its users already")
    options = engine.security_options
    evidence = [engine_says("GET /info SecurityOptions", list(options) if options is not None else None)]
    if options is None:
        return unknown("the engine does not give its security options", *evidence)
    inside = probe_map(facts)
    if inside is not None:
        evidence.append(probe_says("/proc/self/uid_map", _rows(inside)))
    if any(option.split(",")[0] == "name=userns" for option in options):
        conflicts = ["the engine says userns, its container has the host's map"] if inside == WHOLE else []
        return passed("containers' users are mapped away from the host's", *evidence, conflicts=conflicts)
    return warned("containers' users are the host's users", *evidence, fix=separate_users(facts))


def _userns_shared(facts: Facts) -> Finding:
    first = answers_of(facts).links.get("/proc/self/ns/user")
    second = facts.limits.user_namespace if facts.limits else None
    evidence = [probe_says("/proc/self/ns/user of two containers", [first, second])]
    if not isinstance(first, str) or not second:
        why = (facts.limits.problem or facts.limits.refused) if facts.limits else None
        return unknown(f"there is no second container to compare with{f': {why}' if why else ''}", *evidence)
    if first == second:
        return warned("two containers have one user namespace: by uid they are not separate from each other", *evidence)
    return informed("two containers have a user namespace each; its ranges may still be the same", *evidence)


CHECKS: tuple[Check, ...] = (
    Check("container-root-uid", "Who is root of a container on the host", "C", Severity.HIGH, "EP", _root_uid),
    Check("userns-active", "Is there a user namespace around a container", "C", Severity.HIGH, "EP", _userns_active),
    Check("userns-remap", "Does the engine map users away", "C", Severity.MEDIUM, "E", _userns_remap),
    Check("userns-shared", "Are containers separate from each other by uid", "C", Severity.LOW, "EP", _userns_shared),
)
