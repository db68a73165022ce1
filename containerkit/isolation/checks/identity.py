"""Group A: which engine this is, and how this process reaches it."""

from __future__ import annotations

from ..check import (
    Check,
    Finding,
    engine_of,
    engine_says,
    failed,
    inapplicable,
    informed,
    passed,
    this_process,
    unknown,
    warned,
)
from ..facts import EngineFacts, Facts
from ..values import Remediation, Severity

__all__ = ["CHECKS", "kind_by_answers"]

#: Name of an engine among its components, and in the Server header.
_COMPONENTS = {"Podman Engine": "podman", "Engine": "docker"}
_HEADERS = {"libpod": "podman", "docker": "docker"}


def kind_by_answers(engine: EngineFacts) -> str | None:
    """Return the engine's kind from its list of components; further entries do not matter."""
    names = engine.components or ()
    return next((kind for name, kind in _COMPONENTS.items() if name in names), None)


def _endpoint(facts: Facts) -> Finding:
    client = facts.client
    if client.url is None:
        return inapplicable("this report is about the host, not about an engine")
    evidence = [this_process("endpoint", client.url), this_process("well-known sockets", dict(client.sockets))]
    chosen = f", {client.chosen_by}" if client.chosen_by else ""
    open_ones = [path for path, connectable in client.sockets.items() if connectable]
    for name in ("docker", "podman"):
        same = [path for path in open_ones if name in path.rsplit("/", 1)[-1]]
        if len(same) > 1:
            return warned(
                f"{client.url}{chosen}; but {len(same)} {name} sockets answer here: {', '.join(same)}",
                *evidence,
                fix=Remediation("Name the engine you mean, so that a change of defaults does not change it."),
                severity=Severity.LOW,
            )
    return informed(f"{client.url}{chosen}", *evidence)


def _reachable(facts: Facts) -> Finding:
    if facts.engine is not None:
        return passed(f"{facts.engine.url} answers", engine_says("GET /info", "an answer"))
    if facts.unreached is None:
        return inapplicable("this report is about the host, not about an engine")
    return failed(
        f"the engine does not answer: {facts.unreached}",
        this_process("connect", facts.unreached),
        fix=Remediation(
            "If the socket exists and this user may not write to it: whoever may, commands the engine. Joining the "
            "group of a root engine's socket is becoming root; a rootless engine of one's own needs no such group."
        ),
    )


def _kind(facts: Facts) -> Finding:
    engine = engine_of(facts)
    evidence = [
        engine_says(
            "GET /version Components[].Name", list(engine.components) if engine.components is not None else None
        ),
        engine_says("header Server", engine.server_header),
    ]
    kind = kind_by_answers(engine)
    header = next((k for word, k in _HEADERS.items() if (engine.server_header or "").lower().startswith(word)), None)
    if kind is None:
        return unknown("the engine's list of components names none that is known", *evidence)
    conflicts = []
    if header and header != kind:
        conflicts.append(f"the components say {kind}, the Server header says {engine.server_header!r}")
    if engine.libpod and kind != "podman":
        conflicts.append("the components say docker, but libpod's own questions are answered")
    if engine.malformed:
        conflicts.append(f"answers in a form they must not have: {', '.join(engine.malformed)}")
    summary = f"{kind} {engine.version}".strip()
    if engine.asked_as != kind:
        return warned(f"{summary} answers, {engine.asked_as} was asked for", *evidence, conflicts=conflicts)
    return passed(summary, *evidence, conflicts=conflicts)


def _docker_command(facts: Facts) -> Finding:
    client = facts.client
    shells = "aliases of a shell are not visible from here"
    if client.docker_path is None:
        return inapplicable(f"there is no program of that name on PATH; {shells}")
    evidence = [this_process("which docker", client.docker_path), this_process("recognised by", client.docker_how)]
    if client.docker_is is None:
        return unknown(f"{client.docker_path} does not say what it is; {shells}", *evidence)
    kind = kind_by_answers(facts.engine) if facts.engine else None
    summary = f"{client.docker_path} is {client.docker_is} (by its {client.docker_how})"
    if kind and kind != client.docker_is:
        return warned(
            f"{summary}, while this engine is {kind}",
            *evidence,
            fix=Remediation(f"In instructions for this engine, write `{kind}`, not `docker`.", (f"{kind} version",)),
        )
    return informed(f"{summary}; {shells}", *evidence)


CHECKS: tuple[Check, ...] = (
    Check("endpoint", "Which address is asked, and why this one", "A", Severity.LOW, "", _endpoint),
    Check("engine-reachable", "Does the engine answer", "A", Severity.HIGH, "", _reachable),
    Check("engine-kind", "Which engine answers", "A", Severity.MEDIUM, "E", _kind),
    Check("docker-command", "What typing `docker` runs", "A", Severity.LOW, "", _docker_command),
)
