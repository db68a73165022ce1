"""Gates decide which evidence counts: this host's facts describe the engine only if they share the kernel."""

from __future__ import annotations

from dataclasses import dataclass

from .facts import Facts, IdRange
from .procfs import WHOLE, compose, parse_id_map, text

__all__ = [
    "Gate",
    "composed_map",
    "host_files",
    "host_view",
    "owner_uid",
    "probe_map",
    "reported_rootless",
    "same_kernel",
]


@dataclass(frozen=True, slots=True)
class Gate:
    """An open gate, or a closed one with the reason."""

    open: bool
    reason: str | None = None


def same_kernel(facts: Facts) -> Gate:
    """Open if the engine's containers run on this process's kernel, by its boot id and never by the URL."""
    if facts.engine is None:
        return Gate(True)
    answers = facts.probe.answers if facts.probe else None
    if answers is None:
        why = facts.probe.problem if facts.probe and facts.probe.problem else "there was no probe"
        return Gate(False, f"it is not shown that the engine runs on this host's kernel: {why}")
    theirs = text(answers.files.get("/proc/sys/kernel/random/boot_id"))
    ours = facts.host.boot_id if facts.host else None
    if not theirs or not ours:
        return Gate(False, "it is not shown that the engine runs on this host's kernel: a boot id cannot be read")
    return (
        Gate(True)
        if theirs == ours
        else Gate(False, "the engine runs on another kernel: this host's facts are not its own")
    )


def host_view(facts: Facts) -> Gate:
    """Open if this process sees the host's ids: it is in no user or pid namespace of its own."""
    kernel = same_kernel(facts)
    if not kernel.open:
        return kernel
    if facts.host is None or not facts.host.initial_userns:
        return Gate(False, "containerkit itself runs in a user namespace: ids it sees are not the host's")
    if facts.peer is not None and facts.peer.pid == 0:
        return Gate(False, "containerkit itself runs in a pid namespace that does not show the engine")
    return Gate(True)


def host_files(facts: Facts) -> Gate:
    """Open if the files read for the account's set-up are those that the engine uses."""
    kernel = same_kernel(facts)
    if kernel.open and facts.host is None:
        return Gate(False, "the files of the engine's host cannot be read from here")
    return kernel


def owner_uid(facts: Facts) -> int | None:
    """Return the uid that created the engine's socket, if the gates let it count."""
    return facts.peer.uid if facts.peer is not None and host_view(facts).open else None


def reported_rootless(facts: Facts) -> bool | None:
    """Return whether the engine reports that it is rootless. A label of the same spelling does not count."""
    engine = facts.engine
    if engine is None:
        return None
    if engine.libpod_rootless is not None:
        return engine.libpod_rootless
    if engine.security_options is not None and "name=rootless" in engine.security_options:
        return True
    if engine.compat_rootless is not None:
        return engine.compat_rootless
    return None if engine.security_options is None or engine.libpod else False


def probe_map(facts: Facts) -> tuple[IdRange, ...] | None:
    """Return the probe's own uid map, relative to the user namespace around it, which may not be the host's."""
    answers = facts.probe.answers if facts.probe else None
    return parse_id_map(text(answers.files.get("/proc/self/uid_map"))) if answers else None


def composed_map(facts: Facts) -> tuple[IdRange, ...] | None:
    """Return the probe's uid map down to the engine's host; None if unknown.

    The kernel composes it where this host can read it. Otherwise a rootless engine's containers are in the engine's own
    namespace (then both show one map) or in one inside it (then the engine's map is applied to the result).
    """
    outside = facts.probe.outside if facts.probe else None
    if outside is not None and outside.uid_map is not None and host_view(facts).open:
        return outside.uid_map
    inner = probe_map(facts)
    if inner is None or facts.engine is None:
        return None
    engine_map = facts.engine.uid_mappings
    if inner in (engine_map, WHOLE) or not reported_rootless(facts):
        return inner
    if engine_map:
        return compose(inner, engine_map)
    return None if facts.engine.libpod else inner
