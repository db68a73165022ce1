"""The command `doctor`: which engine answers, why it is the one, and what is missing for rootless containers."""

from __future__ import annotations

import shutil
from typing import Any

import click

from .app import Settings, open_engine
from .output import form_options, show, table, working

__all__ = ["COMMANDS"]


@click.command()
@form_options
@click.pass_context
def doctor(ctx: click.Context, form: str) -> None:
    """Show which engines run here, which one containerkit takes and why, and how to fix what is missing.

    Exit code: 0 if an engine answers, else 1. `engines` lists every address, `check-host` all checks of this host.

    \b
    containerkit doctor
    containerkit --engine podman doctor
    """
    import containerkit as ck

    with working("asking every place where an engine may answer"):
        endpoints, host = ck.discover(), ck.check_host()
    taken, problem = "", ""
    try:
        with open_engine() as engine:
            taken = engine.url
    except ck.EngineUnavailable as exc:
        problem = str(exc).partition("\n")[0]
    answering = [each for each in endpoints if each.reachable]
    silent = [each for each in endpoints if not each.reachable]
    lacking = [result for result in host if str(result.status) in ("fail", "warn")]
    advice = [] if taken else [_start(endpoints)]
    found = {
        "taken": taken, "why": _why(ctx, endpoints, taken), "problem": problem, "engines": answering,
        "silent": silent, "start": advice, "rootless": lacking,
    }  # fmt: skip
    show(found, form, tables=[_engines(found), _rootless(lacking)] if form != "json" else None)
    ctx.exit(0 if taken else 1)


def _why(ctx: click.Context, endpoints: Any, taken: str) -> str:
    """Return the reason for the engine that is taken."""
    target = ctx.ensure_object(Settings).engine
    if not taken:
        return ""
    if target is not None:
        return f"--engine {target}"
    place = next((at for at, each in enumerate(endpoints) if each.url == taken), 0)
    before = sum(1 for each in endpoints[:place] if not each.reachable)
    source = endpoints[place].source if endpoints else ""
    return f"{source}; {before} places before it do not answer" if before else f"{source}, the first place asked"


def _engines(found: dict[str, Any]) -> Any:
    rows: list[tuple[object, ...]] = [
        ("->" if each.url == found["taken"] else "", f"{each.kind or '?'} {each.version}",
         {True: "rootless", False: "rootful", None: "?"}[each.rootless], each.url, each.note)
        for each in found["engines"]
    ]  # fmt: skip
    if found["taken"] and not any(row[0] for row in rows):
        rows.insert(0, ("->", "", "", found["taken"], ""))
    notes = [f"-> is taken: {found['why']}."] if found["taken"] else [f"No engine: {found['problem']}"]
    notes += found["start"]
    configured = [each for each in found["silent"] if each.source != "well-known socket"]
    notes += [f"{each.source}: {each.url or 'no address'}: {each.reason}" for each in configured]
    rest = len(found["silent"]) - len(configured)
    notes += [f"{rest} known sockets without an engine; `containerkit engines` lists them."] if rest else []
    return table("Engines", ("", "engine", "mode", "address", "remark"), rows, notes)


def _start(endpoints: Any) -> str:
    """Return what starts an engine here."""
    refused = next((each for each in endpoints if "ermission" in each.reason), None)
    if refused is not None:
        return (
            f"{refused.url} belongs to another account. An engine of your own needs no rights there: "
            "systemctl --user enable --now podman.socket"
        )
    if shutil.which("podman"):
        return "Podman is installed: systemctl --user enable --now podman.socket"
    if shutil.which("dockerd"):
        return "Docker is installed: as root: systemctl enable --now docker"
    return "Neither is installed: as root: apt-get install podman uidmap slirp4netns (or dnf install podman)"


def _rootless(results: list[Any]) -> Any:
    """Return the table of what is missing, each with the commands that fix it."""
    rows = []
    for result in results:
        fix = result.remediation
        rows.append((str(result.status), result.id, result.summary))
        if fix is not None:
            who = "as root: " if fix.needs_root else ""
            rows += [("", "", f"{who}{line}") for line in fix.commands or (fix.text,)]
    title = "What is missing for rootless containers" if rows else "Nothing is missing for rootless containers"
    return table(title, ("", "check", "what was found, and what fixes it") if rows else (), rows)


COMMANDS = (doctor,)
