"""Commands for an engine, its containers and its images."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import click

from .app import Settings, docker_exit_codes, engine_option, open_engine
from .output import cell, form_options, pass_on, show, table, working

__all__ = ["COMMANDS"]


@click.command()
@engine_option
@form_options
@click.pass_context
def info(ctx: click.Context, form: str) -> None:
    """Show the engine's version, host and configuration."""
    with open_engine(ctx) as engine:
        show(engine.info(), form, title=f"{engine.kind} at {engine.url}")


@click.command()
@form_options
def engines(form: str) -> None:
    """List every address where an engine may answer, and which do."""
    import containerkit as ck

    with working("asking every place where an engine may answer"):
        found = ck.discover()
    rows = [
        (each.kind, each.version, each.url, each.reachable, each.rootless, each.source, each.reason or each.note)
        for each in found
    ]
    columns = ("kind", "version", "address", "answers", "rootless", "named by", "remark")
    show(found, form, tables=[table("Engines", columns, rows)])


_RUN_MANY = (
    ("--env", "-e", "NAME=VALUE", "Set an environment variable."),
    ("--volume", "-v", "SOURCE:TARGET[:ro]", "Mount a folder of the host or a volume."),
    ("--mount", None, "SPEC", "Mount, in the words of --mount."),
    ("--tmpfs", None, "TARGET[:OPTIONS]", "Mount memory."),
    ("--publish", "-p", "[IP:]HOST:PORT", "Publish a port."),
    ("--label", "-l", "NAME=VALUE", "Label the container."),
    ("--cap-add", None, "CAPABILITY", "Add a capability."),
    ("--cap-drop", None, "CAPABILITY", "Drop a capability (or all)."),
    ("--security-opt", None, "OPTION", "A security option (no-new-privileges, …)."),
    ("--network", None, "NAME", "Join a network, or none, host, bridge."),
    ("--add-host", None, "NAME:ADDRESS", "One more line in /etc/hosts."),
    ("--ulimit", None, "NAME=SOFT:HARD", "A limit of the process."),
    ("--device", None, "PATH", "Give it a device."),
)
_RUN_ONE = (
    ("--name", None, "NAME", "Name the container."),
    ("--workdir", "-w", "FOLDER", "Where the command starts."),
    ("--user", "-u", "USER[:GROUP]", "Who runs the command."),
    ("--hostname", None, "NAME", "Its host name."),
    ("--entrypoint", None, "COMMAND", "Instead of the image's own."),
    ("--memory", "-m", "SIZE", "Most memory it may use (64m)."),
    ("--cpus", None, "NUMBER", "Most processor time it may use (0.5)."),
    ("--userns", None, "MODE", "User namespace (keep-id, host)."),
    ("--platform", None, "OS/ARCH", "Which of the image's platforms."),
)
_RUN_FLAGS = (
    ("--read-only", "The container cannot write to its image."),
    ("--init", "An init process reaps its children."),
    ("--privileged", "No confinement: root in it is root on the engine's host."),
)


def _run_options(command: Any) -> Any:
    for name, help_text in reversed(_RUN_FLAGS):
        command = click.option(name, is_flag=True, help=help_text)(command)
    for name, short, metavar, help_text in reversed(_RUN_ONE):
        command = click.option(name, *([short] if short else []), metavar=metavar, help=help_text)(command)
    for name, short, metavar, help_text in reversed(_RUN_MANY):
        names = (name, *([short] if short else []))
        command = click.option(*names, metavar=metavar, multiple=True, help=help_text)(command)
    return command


@click.command(short_help="Run a command in a new container.", context_settings={"allow_interspersed_args": False})
@_run_options
@click.option("--pids-limit", type=int, metavar="NUMBER", help="Most processes it may have.")
@click.option("--pull", type=click.Choice(["missing", "always", "never"]), default="missing", show_default=True)
@click.option("--limits", type=click.Choice(["enforce", "best-effort"]), default="enforce", show_default=True,
              help="Refuse, or run without, a limit that the engine would not hold.")  # fmt: skip
@click.option("--timeout", metavar="TIME", help="End and remove it after so long (90, 5m).")
@click.option("--interactive", "-i", is_flag=True, help="Feed it what comes on stdin.")
@click.option("--detach", "-d", is_flag=True, help="Leave it running, and print its ID.")
@click.option("--rm", is_flag=True, help="Accepted for habit's sake: it is always removed, unless --detach.")
@engine_option
@click.argument("image")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(
    ctx: click.Context,
    /,
    image: str,
    command: tuple[str, ...],
    interactive: bool,
    detach: bool,
    rm: bool,
    timeout: str | None,
    **given: Any,
) -> None:
    """Run COMMAND in a new container of IMAGE, and exit with its exit code. Options as in docker and podman.

    Exit code: that of the command; 125 for an error of the engine or of containerkit, 126 if the command cannot be
    executed, 127 if it is not found.
    """
    options: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if value
    }
    if detach and (interactive or timeout or rm):
        raise click.UsageError("--detach leaves the container running: no --interactive, --timeout or --rm with it")
    with docker_exit_codes(125), open_engine(ctx) as engine:
        if detach:
            click.echo(engine.start(image, list(command) or None, keep=True, **options).id)
            return
        if timeout:
            options["timeout"] = timeout
        if interactive:
            options["input"] = sys.stdin.buffer.read()
        result = engine.run(image, list(command) or None, check=False, on_output=pass_on, **options)
    for warning in result.warnings:
        click.echo(f"containerkit: {warning}", err=True)
    ctx.exit(result.exit_code)


@click.command()
@click.option("--all", "-a", "everything", is_flag=True, help="Those that do not run, too.")
@click.option("--quiet", "-q", is_flag=True, help="Print only the IDs.")
@click.option("--filter", "-f", "filters", metavar="KEY=VALUE", multiple=True, help="As docker ps --filter.")
@engine_option
@form_options
@click.pass_context
def ps(ctx: click.Context, everything: bool, quiet: bool, filters: tuple[str, ...], form: str) -> None:
    """List containers."""
    import containerkit as ck

    with open_engine(ctx) as engine:
        if quiet:
            for container in engine.containers.list(all=everything, filters=_filters(filters)):
                click.echo(container.short_id)
            return
        found: list[dict[str, Any]] = []
        for container in engine.containers.list(all=everything, filters=_filters(filters)):
            with contextlib.suppress(ck.NotFound):  # removed since the list was made
                found.append(container.to_dict())
        rows = [
            (each["id"][:12], each["name"], each["image"], each["status"], each["exit_code"], each["health"],
             [f"{where}->{port}" for port, places in each["ports"].items() for where in places])
            for each in found
        ]  # fmt: skip
        columns = ("id", "name", "image", "status", "exit code", "health", "ports")
        show(found, form, tables=[table(f"Containers of {engine.kind}", columns, rows)])


@click.command(short_help="List images.")
@click.option("--all", "-a", "everything", is_flag=True, help="Those in between, too.")
@click.option("--quiet", "-q", is_flag=True, help="Print only the IDs.")
@click.option("--filter", "-f", "filters", metavar="KEY=VALUE", multiple=True, help="As docker images --filter.")
@engine_option
@form_options
@click.pass_context
def images(ctx: click.Context, everything: bool, quiet: bool, filters: tuple[str, ...], form: str) -> None:
    """List images. Sizes are the engine's own; see `layers` and `savings` for measured ones."""
    with open_engine(ctx) as engine:
        found = engine.images.list(all=everything, filters=_filters(filters))
        if quiet:
            for image in found:
                click.echo(image.short_id)
            return
        if form == "json":
            show(found, form)
            return
        rows = [(list(each.refs) or "(no name)", each.short_id, _moment(each.created), cell("bytes", each.size))
                for each in found]  # fmt: skip
        notes = (
            "The sizes are the engine's own, shared layers counted in each: `containerkit savings` has true ones.",
        )
        show(found, form, tables=[table(f"Images of {engine.kind}", ("names", "id", "created", "size"), rows, notes)])


@click.command(short_help="Remove what dead sessions left behind.")
@click.option("--older-than", metavar="TIME", help="Only what is at least that old (90, 15m, 1h).")
@engine_option
@form_options
@click.pass_context
def cleanup(ctx: click.Context, older_than: str | None, form: str) -> None:
    """Remove what dead containerkit sessions left behind, on this engine or on all; never of a live session."""
    import containerkit as ck

    if ctx.ensure_object(Settings).engine is None:
        cleaned = ck.cleanup(older_than=older_than)
    else:
        with open_engine(ctx) as engine:
            cleaned = ck.cleanup(engine, older_than=older_than)
    rows: list[tuple[object, ...]] = [
        (kind, name, "removed")
        for kind in ("containers", "networks", "volumes", "images")
        for name in getattr(cleaned, kind)
    ]
    rows += [("", name, f"stays: {reason}") for name, reason in cleaned.failed]
    rows += [("", name, f"stays: {reason} (--older-than removes it)") for name, reason in cleaned.unknown]
    title = "Left behind by dead sessions" if rows else "Nothing was left behind by dead sessions"
    show(cleaned, form, tables=[table(title, ("kind", "name", "what happened") if rows else (), rows)])
    ctx.exit(1 if cleaned.failed else 0)


def _filters(given: tuple[str, ...]) -> dict[str, list[str]]:
    """Parse KEY=VALUE filters; several values of one key are collected."""
    filters: dict[str, list[str]] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{each!r} is not KEY=VALUE", param_hint="--filter")
        filters.setdefault(key, []).append(value)
    return filters


def _moment(seconds: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(seconds, timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M")


COMMANDS = (info, engines, run, ps, images, cleanup)
