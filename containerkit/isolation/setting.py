"""Values of an audit: what weakens a container, and the facts of its engine that decide how much. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..values import Shown
from .advice import command
from .facts import Facts
from .gates import reported_rootless
from .values import Evidence, Json, Remediation, Severity

__all__ = ["Exposure", "Setting", "advise", "setting_of"]


@dataclass(frozen=True, slots=True)
class Exposure(Shown):
    """One thing that weakens a container's isolation.

    Attributes:
        id: stable name ("mount", "privileged", "host-pid").
        severity: "critical" is a way to root of the host.
        summary: one sentence with the fact in it.
        evidence: what was seen, and by whom.
        remediation: the option or command that avoids it.
    """

    id: str
    severity: Severity
    summary: str
    evidence: tuple[Evidence, ...] = ()
    remediation: Remediation | None = None

    def to_dict(self) -> dict[str, Json]:
        """Return the finding as JSON-ready types."""
        return {
            "id": self.id,
            "severity": str(self.severity),
            "summary": self.summary,
            "evidence": [item.to_dict() for item in self.evidence],
            "remediation": self.remediation.to_dict() if self.remediation else None,
        }


@dataclass(frozen=True, slots=True)
class Setting:
    """Facts of an engine that decide how bad an option of its containers is.

    Attributes:
        command: "docker" or "podman".
        root: False if the engine runs without root.
        remapped: True if its containers have uids of their own by default.
        sockets, store: paths on the engine's host.
        present: those of all known places that exist on the engine's host; None if unknown.
        labels, profiles: whether it uses SELinux, AppArmor; None if unknown.
    """

    command: str = "docker"
    root: bool = True
    remapped: bool = False
    sockets: tuple[str, ...] = ()
    store: str | None = None
    present: frozenset[str] | None = None
    labels: bool | None = None
    profiles: bool | None = None


def setting_of(facts: Facts) -> Setting:
    """Return what the facts of an engine mean for its containers."""
    engine, options = facts.engine, (facts.engine.security_options if facts.engine else None) or ()
    own = (facts.socket.path, facts.socket.real_path) if facts.socket else ()
    return Setting(
        command=command(engine),
        root=reported_rootless(facts) is not True,
        remapped="name=userns" in options,
        sockets=tuple(dict.fromkeys((*own, *facts.listening))),
        store=engine.root_dir if engine else None,
        present=facts.present,
        labels="name=selinux" in options or bool(engine and engine.selinux),
        profiles="name=apparmor" in options or bool(engine and engine.apparmor),
    )


def advise(setting: Setting, text: str, options: str = "") -> Remediation:
    """Return a remediation in the words of the engine's command line."""
    return Remediation(text, (f"{setting.command} run {options} IMAGE",) if options else ())
