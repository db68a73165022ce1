"""Commands for an engine, its containers and its images."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from .app import Settings, engine_option, open_engine
from .output import cell, form_options, show, table, working

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


COMMANDS = (info, engines, ps, images, cleanup)
