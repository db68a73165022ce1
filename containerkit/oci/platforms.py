"""Platforms: (os, architecture, variant), written "linux/arm/v7"."""

from __future__ import annotations

import platform

__all__ = ["matches", "of_machine", "of_this_machine"]

_MACHINES = {
    "x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "armv6l": "arm/v6", "i686": "386", "ppc64le": "ppc64le"
}  # fmt: skip
#: The variant that an architecture has if none is stated (containerd's normalisation).
_USUAL = {"arm64": "v8", "arm": "v7", "amd64": "v1"}


def of_this_machine() -> str:
    """Return the platform of the images that run on this machine."""
    return of_machine(platform.machine())


def of_machine(machine: str) -> str:
    """Return the platform of the images that run on a machine, which `uname -m` or an engine names."""
    machine = machine.lower()
    return f"linux/{_MACHINES.get(machine, machine)}"


def matches(found: tuple[str, str, str], wanted: str) -> bool:
    """Return whether a platform is the wanted one. "linux/arm" and "linux/arm/v7" are one; "arm64" means Linux."""
    parts = wanted.split("/")
    system, machine, variant = ("linux", *parts, "")[:3] if len(parts) == 1 else (*parts, "")[:3]
    usual = _USUAL.get(machine, "")
    return found[:2] == (system, machine) and (found[2] or usual) == (variant or usual)
