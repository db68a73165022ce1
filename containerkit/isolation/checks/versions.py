"""Check the versions of the engine and of the programs below it against dated tables of releases and known holes."""

from __future__ import annotations

from collections.abc import Mapping

from ..advice import numbers, version_of
from ..check import Check, Finding, engine_of, engine_says, passed, unknown, warned
from ..facts import Facts
from ..values import Remediation, Severity

__all__ = ["CHECKS", "TABLE_OF"]

#: Day of the tables below; what came later is not known to them.
TABLE_OF = "2026-01-15"
#: Kind -> (first version of a major release, the day of that release); the engine before it gets few fixes since then.
_RELEASES: Mapping[str, tuple[tuple[int, str], ...]] = {
    "docker": (
        (23, "2023-02-01"),
        (24, "2023-05-16"),
        (25, "2024-01-19"),
        (26, "2024-03-20"),
        (27, "2024-06-24"),
        (28, "2025-02-19"),
        (29, "2025-11-10"),
    ),
    "podman": ((4, "2022-02-17"), (5, "2024-03-19")),
}
#: Program -> (first version of a minor release, the day of that release).
_RUNTIMES: Mapping[str, tuple[tuple[tuple[int, int], str], ...]] = {
    "runc": (((1, 1), "2022-01-14"), ((1, 2), "2024-10-22"), ((1, 3), "2025-04-29"), ((1, 4), "2025-11-27")),
    "containerd": (
        *(((1, 6), "2022-02-15"), ((1, 7), "2023-03-10"), ((2, 0), "2024-11-05"), ((2, 1), "2025-05-07")),
        ((2, 2), "2025-11-05"),
    ),
}
#: Program -> (releases from, up to but without the release that mends it, what it is).
_HOLES: tuple[tuple[str, tuple[int, ...], tuple[int, ...], str], ...] = (
    ("runc", (0,), (1, 1, 12), "CVE-2024-21626: a container reaches the host's files"),
    ("runc", (1, 2), (1, 2, 8), "CVE-2025-31133: a container writes to the host's /proc"),
    ("runc", (1, 3), (1, 3, 3), "CVE-2025-31133: a container writes to the host's /proc"),
    ("crun", (0,), (1, 4, 4), "CVE-2022-27650: capabilities beyond those asked for"),
)
_KEPT = "; a distribution may add fixes to it"


def _version(facts: Facts) -> Finding:
    engine = engine_of(facts)
    kind, version = "podman" if engine.libpod else "docker", version_of(engine)
    evidence = engine_says("GET /version Version", engine.version)
    if not version:
        return unknown("the engine does not tell its version", evidence)
    newer = [(major, day) for major, day in _RELEASES[kind] if major > version[0]]
    if not newer:
        return passed(f"no later major release than {version[0]} is known on {TABLE_OF}", evidence)
    major, day = newer[0]
    kept = _KEPT if _packaged(engine.version) else ""
    fix = Remediation("Update the engine, by its distribution's packages or by its makers'.")
    return warned(f"{engine.version} was followed by {major} on {day}{kept}", evidence, fix=fix)


def _runtime_version(facts: Facts) -> Finding:
    runtimes = engine_of(facts).runtimes
    evidence = engine_says("GET /version Components[].Version", dict(runtimes))
    known = {name: version for name, version in runtimes.items() if name in ("runc", "crun", "containerd")}
    if not known:
        return unknown("the engine tells no version of a runtime that is known here", evidence)
    fix = Remediation("Update the runtime, by the packages of the distribution or of its makers.")
    for name, version in known.items():
        for program, low, high, what in _HOLES:
            if name == program and low <= numbers(version) < high:
                kept = _KEPT if _packaged(version) else ""
                return warned(
                    f"{name} {version} has a known hole ({what}){kept}", evidence, fix=fix, severity=Severity.HIGH
                )
    followed = []
    for name, version in known.items():
        later = [
            f"{major}.{minor}" for (major, minor), _ in _RUNTIMES.get(name, ()) if (major, minor) > numbers(version)[:2]
        ]
        if len(later) > 1:  # each keeps two releases alive, the newest and the one before
            followed.append(f"{name} {version} by {' and '.join(later)}")
    if followed:
        kept = _KEPT if any(_packaged(version) for version in known.values()) else ""
        return warned(f"runtimes that two later releases followed: {'; '.join(followed)}{kept}", evidence, fix=fix)
    listed = ", ".join(f"{name} {version}" for name, version in known.items())
    return passed(f"{listed}: no hole and no two later releases are known on {TABLE_OF}", evidence)


def _packaged(version: str) -> bool:
    return "+" in version or "~" in version or "-" in version


CHECKS: tuple[Check, ...] = (
    Check("engine-version", "Is there a later major release", "A", Severity.MEDIUM, "E", _version),
    Check(
        "runtime-version",
        "Is the program that starts containers up to date",
        "A",
        Severity.MEDIUM,
        "E",
        _runtime_version,
    ),
)
