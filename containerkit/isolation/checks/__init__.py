"""The catalogue of checks, group by group, in the order of a report."""

from __future__ import annotations

from collections.abc import Mapping

from ..check import Check
from . import access, account, confinement, containers, daemon, host, identity, kernel, limits, podman, users, versions

__all__ = ["CATALOGUE", "GROUPS"]

GROUPS: Mapping[str, str] = {
    "A": "Which engine is this",
    "B": "Who can command it",
    "C": "Whose uid is root in a container",
    "D": "What rootless engines need here",
    "E": "Will a limit hold",
    "F": "What a container is confined to",
    "G": "What is shared with the host",
    "H": "Containers that run",
}

_ALL: tuple[Check, ...] = (
    *identity.CHECKS,
    *access.CHECKS,
    *versions.CHECKS,
    *daemon.CHECKS,
    *podman.CHECKS,
    *users.CHECKS,
    *host.CHECKS,
    *account.CHECKS,
    *limits.CHECKS,
    *confinement.CHECKS,
    *kernel.CHECKS,
    *containers.CHECKS,
)
CATALOGUE: tuple[Check, ...] = tuple(sorted(_ALL, key=lambda check: check.group))
