"""Commands for an engine, its containers and its images."""

from __future__ import annotations

import contextlib
import fnmatch
import json
from typing import Any

import click

from .app import Settings, engine_option, open_engine
from .listing import ago, format_option, list_options, print_rows, print_value, size_text
from .output import form_options, show, table, working

__all__ = ["COMMANDS"]


@click.command()
@format_option
@engine_option
@form_options
def info(template: str | None, form: str) -> None:
    """Show the engine's version, host and configuration. --format takes docker's names of fields."""
    with open_engine() as engine:
        if template is not None:
            print_value(engine.info().raw["info"], template)
            return
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
@click.option("--latest", "-l", is_flag=True, help="Only the container created last, whatever its state.")
@click.option("--last", "-n", type=int, default=-1, metavar="NUMBER", help="Only so many, created last.")
@click.option("--size", "-s", is_flag=True, help="What each container wrote, and that with its image.")
@list_options
@engine_option
@form_options
def ps(
    everything: bool,
    latest: bool,
    last: int,
    size: bool,
    quiet: bool,
    no_trunc: bool,
    noheading: bool,
    filters: dict[str, list[str]],
    template: str | None,
    form: str,
) -> None:
    """List containers.

    \b
    containerkit ps -a --filter status=exited
    containerkit ps --format '{{.Names}}: {{.Status}}'
    """
    import containerkit as ck

    number = 1 if latest else max(last, 0)
    with open_engine() as engine:
        listed = engine.containers.list(all=everything or number > 0, filters=filters)
        if number:
            listed = sorted(listed, key=lambda each: -each.last_record.created)[:number]
        if form == "json":
            found = []
            for container in listed:
                with contextlib.suppress(ck.NotFound):  # removed since the list was made
                    found.append(container.to_dict())
            show(found, form)
            return
        rows = [_container_row(container, no_trunc) for container in listed]
        if size or "{{.Size}}" in (template or ""):
            for row, container in zip(rows, listed, strict=True):
                row["Size"] = _written(container)
    _print(rows, {**_PS, "Size": "SIZE"} if size else _PS, "ID", quiet, template, form, not noheading)


def _written(container: Any) -> str:
    """Return what a container wrote, and that with its image, as docker prints it."""
    import containerkit as ck

    try:
        found = container.inspect(size=True)
    except ck.NotFound:  # removed since the list was made
        return "N/A"
    written, virtual = found.get("SizeRw") or 0, found.get("SizeRootFs") or 0
    return f"{size_text(written)} (virtual {size_text(virtual)})"


_PS = {
    "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "RunningFor": "CREATED", "Status": "STATUS",
    "Ports": "PORTS", "Names": "NAMES",
}  # fmt: skip
_IMAGES = {
    "Repository": "REPOSITORY", "Tag": "TAG", "ID": "IMAGE ID", "CreatedSince": "CREATED", "Size": "SIZE",
}  # fmt: skip


def _print(
    rows: list[dict[str, Any]],
    columns: dict[str, str],
    identity: str,
    quiet: bool,
    template: str | None,
    form: str,
    heading: bool,
) -> None:
    """Print rows in the form that the options ask for."""
    if quiet:
        for name in dict.fromkeys(row[identity] for row in rows):
            click.echo(name)
    elif form == "markdown":
        show(
            rows, form, tables=[table("", list(columns.values()), [[row[field] for field in columns] for row in rows])]
        )
    else:
        print_rows(rows, columns, template, heading=heading)


def _mounted(mount: dict[str, Any]) -> str:
    """Return the name or the path of a mount, as docker shortens it."""
    name = str(mount.get("Name") or mount.get("Source") or "")
    return name if len(name) <= 15 else f"{name[:14]}…"


def _container_row(container: Any, no_trunc: bool) -> dict[str, Any]:
    """Return a container's values by docker's names of fields."""
    record = container.last_record
    command = " ".join(record.command)
    if not no_trunc and len(command) > 20:
        command = f"{command[:19]}…"
    ports = [
        f"{where}->{port}/{protocol}" if where else f"{port}/{protocol}"
        for (port, protocol), places in sorted(record.ports.items())
        for where in places or (None,)
    ]
    reported = record.raw.get("Status")
    mounts = [each for each in record.raw.get("Mounts") or () if isinstance(each, dict)]
    return {
        "ID": record.id if no_trunc else record.id[:12],
        "Image": record.image,
        "Command": json.dumps(command, ensure_ascii=False),
        "CreatedAt": _moment(record.created),
        "RunningFor": ago(record.created),
        "Status": reported if isinstance(reported, str) else record.status.capitalize(),
        "State": record.status,
        "Ports": ", ".join(ports),
        "Names": record.name,
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(record.labels.items())),
        "Label": lambda name: record.labels.get(name, ""),
        "Mounts": ",".join(_mounted(each) for each in mounts),
        "LocalVolumes": str(sum(each.get("Type") == "volume" for each in mounts)),
        "Networks": ",".join(record.networks),
    }


@click.command(short_help="List images.")
@click.option("--all", "-a", "everything", is_flag=True, help="Those in between, too.")
@click.option("--digests", is_flag=True, help="Also the digest in the registry.")
@list_options
@engine_option
@form_options
@click.argument("name", required=False, metavar="[REPOSITORY[:TAG]]")
def images(
    everything: bool,
    digests: bool,
    quiet: bool,
    no_trunc: bool,
    noheading: bool,
    filters: dict[str, list[str]],
    template: str | None,
    form: str,
    name: str | None,
) -> None:
    """List images. Sizes are the engine's own; see `layers` and `savings` for measured ones."""
    wanted = {**filters, "reference": [name]} if name else filters
    with open_engine() as engine:
        found = engine.images.list(all=everything, filters=wanted)
        if form == "json":
            show(found, form)
            return
        rows = [row for image in found for row in _image_rows(image, no_trunc, name)]
    columns = {"Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", **_IMAGES} if digests else _IMAGES
    _print(rows, columns, "ID", quiet, template, form, not noheading)


def _image_rows(image: Any, no_trunc: bool, name: str | None) -> list[dict[str, str]]:
    """Return a row for each name of an image, by docker's names of fields."""
    record = image.last_record
    rows = []
    for ref in record.refs or ("<none>:<none>",):
        repository, _, tag = ref.rpartition(":")
        if name and not any(fnmatch.fnmatchcase(each, name) for each in (ref, repository)):
            continue
        rows.append({
            "Repository": repository,
            "Tag": tag,
            "Digest": next((each.partition("@")[2] for each in record.raw.get("RepoDigests") or ()), "<none>"),
            "ID": record.id if no_trunc else record.id.removeprefix("sha256:")[:12],
            "CreatedSince": ago(record.created),
            "CreatedAt": _moment(record.created),
            "Size": size_text(record.size),
        })  # fmt: skip
    return rows


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
        with open_engine() as engine:
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


def _moment(seconds: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(seconds, timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M")


@click.command("help", hidden=True)
@click.argument("verbs", nargs=-1)
@click.pass_context
def help_(ctx: click.Context, verbs: tuple[str, ...]) -> None:
    """Show the help of a verb."""
    found = ctx.find_root()
    for verb in verbs:
        command = found.command.get_command(found, verb) if isinstance(found.command, click.Group) else None
        if command is None:
            raise click.UsageError(f"No such command {verb!r}.", found)
        found = click.Context(command, found, verb)
    click.echo(found.get_help())


COMMANDS = (info, engines, ps, images, cleanup, help_)
