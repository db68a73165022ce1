"""Commands on images, volumes and networks, with the names, options and output of the docker command line."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from .app import engine_option, open_engine
from .container import each_name
from .output import columns_text

__all__ = ["COMMANDS", "GROUPS"]

_QUIET = click.option("--quiet", "-q", is_flag=True, help="Print only the names or IDs.")


@click.command()
@_QUIET
@click.option("--platform", metavar="OS/ARCH", help="Platform of the image.")
@engine_option
@click.argument("ref")
@click.pass_context
def pull(ctx: click.Context, ref: str, quiet: bool, platform: str | None) -> None:
    """Pull an image from its registry, and print its name. Progress goes to stderr on a terminal."""

    def show(step: Any) -> None:
        click.echo(f"{step.id + ': ' if step.id else ''}{step.status}", err=True)

    progress = show if sys.stderr.isatty() and not quiet else None
    with open_engine(ctx) as engine:
        engine.images.pull(ref, platform=platform, on_progress=progress)
    click.echo(ref)


@click.command()
@click.option("--tag", "-t", metavar="NAME", multiple=True, help="Name of the image.")
@click.option("--file", "-f", "dockerfile", metavar="PATH", help="Dockerfile, relative to the context.")
@click.option("--build-arg", "build_args", metavar="NAME=VALUE", multiple=True, help="Set a build argument.")
@click.option("--target", metavar="STAGE", help="Stage to build.")
@click.option("--platform", metavar="OS/ARCH", help="Platform of the image.")
@click.option("--no-cache", is_flag=True, help="Build every step again.")
@click.option("--pull", is_flag=True, help="Pull the base images again.")
@_QUIET
@engine_option
@click.argument("context", type=click.Path(exists=True, file_okay=False))
@click.pass_context
def build(ctx: click.Context, /, context: str, quiet: bool, tag: tuple[str, ...], **given: Any) -> None:
    """Build an image from a Dockerfile. The builder's log goes to stderr; --quiet prints the ID."""
    options: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if value
    }

    def log(step: Any) -> None:
        click.echo(step.stream, nl=False, err=True)

    with open_engine(ctx) as engine:
        if tag:
            options["tag"] = tag[0]
        image = engine.images.build(context, on_progress=None if quiet else log, **options)
        for name in tag[1:]:
            image.tag(name)
    if quiet:
        click.echo(image.id)


@click.command()
@engine_option
@click.argument("source")
@click.argument("target")
@click.pass_context
def tag(ctx: click.Context, source: str, target: str) -> None:
    """Give image SOURCE the name TARGET."""
    with open_engine(ctx) as engine:
        engine.images.get(source).tag(target)


@click.command()
@click.option("--force", "-f", is_flag=True, help="Remove the image even if a stopped container uses it.")
@engine_option
@click.argument("refs", nargs=-1, required=True, metavar="IMAGE...")
@click.pass_context
def rmi(ctx: click.Context, refs: tuple[str, ...], force: bool) -> None:
    """Remove images."""
    each_name(ctx, refs, lambda engine, ref: engine.images.remove(ref, force=force))


@click.command()
@_QUIET
@engine_option
@click.argument("ref")
@click.pass_context
def history(ctx: click.Context, ref: str, quiet: bool) -> None:
    """List the steps that made an image, newest first."""
    with open_engine(ctx) as engine:
        entries = engine.images.get(ref).history()
    rows = [(each.image_id or "<missing>", each.created_by, str(each.size or 0), each.comment) for each in entries]
    if quiet:
        click.echo("\n".join(row[0] for row in rows))
    else:
        click.echo(columns_text(("IMAGE", "CREATED BY", "SIZE", "COMMENT"), rows))


@click.command()
@click.option("--output", "-o", required=True, metavar="PATH", help="Archive to write.")
@engine_option
@click.argument("refs", nargs=-1, required=True, metavar="IMAGE...")
@click.pass_context
def save(ctx: click.Context, refs: tuple[str, ...], output: str) -> None:
    """Save images to an archive."""
    with open_engine(ctx) as engine:
        engine.images.save(list(refs), output)


@click.command()
@click.option("--input", "-i", "path", metavar="PATH", help="Archive to read. Default: stdin.")
@engine_option
@click.pass_context
def load(ctx: click.Context, path: str | None) -> None:
    """Load images from an archive."""
    with open_engine(ctx) as engine:
        for image in engine.images.load(path if path is not None else sys.stdin.buffer):
            click.echo(f"Loaded image: {', '.join(image.refs) or image.id}")


def _group(name: str, what: str, columns: dict[str, str]) -> click.Group:
    """Return the group of commands on networks or volumes."""

    @click.command("ls")
    @_QUIET
    @engine_option
    @click.pass_context
    def ls(ctx: click.Context, quiet: bool) -> None:
        with open_engine(ctx) as engine:
            rows = [
                tuple(str(getattr(each, field))[: 12 if field == "id" else None] for field in columns.values())
                for each in getattr(engine, what).list()
            ]
        identity = "id" if "id" in columns.values() else "name"
        place = list(columns.values()).index(identity)
        click.echo("\n".join(row[place] for row in rows) if quiet else columns_text(tuple(columns), rows))

    @click.command("create")
    @click.option("--driver", "-d", metavar="NAME", help="Driver.")
    @click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help=f"Label the {name}.")
    @engine_option
    @click.argument("ref", metavar="NAME")
    @click.pass_context
    def create(ctx: click.Context, ref: str, driver: str | None, labels: tuple[str, ...]) -> None:
        options: dict[str, Any] = {"driver": driver} if driver else {}
        with open_engine(ctx) as engine:
            made = getattr(engine, what).create(ref, keep=True, labels=list(labels), **options)
            click.echo(made.id if name == "network" else made.name)

    @click.command("rm")
    @engine_option
    @click.argument("refs", nargs=-1, required=True, metavar="NAME...")
    @click.pass_context
    def rm(ctx: click.Context, refs: tuple[str, ...]) -> None:
        each_name(ctx, refs, lambda engine, ref: getattr(engine, what).remove(ref))

    @click.command("inspect")
    @engine_option
    @click.argument("refs", nargs=-1, required=True, metavar="NAME...")
    @click.pass_context
    def inspect(ctx: click.Context, refs: tuple[str, ...]) -> None:
        with open_engine(ctx) as engine:
            found = [getattr(engine, what).get(ref).inspect() for ref in refs]
        click.echo(json.dumps(found, indent=4, default=str))

    ls.help, create.help = f"List {what}.", f"Create a {name}, and print its name or ID."
    rm.help, inspect.help = f"Remove {what}.", f"Print what the engine knows about {what}, as JSON."
    return click.Group(name, commands=[ls, create, rm, inspect], help=f"Commands on {what}.")


GROUPS = (
    _group("network", "networks", {"NETWORK ID": "id", "NAME": "name", "DRIVER": "driver"}),
    _group("volume", "volumes", {"DRIVER": "driver", "VOLUME NAME": "name"}),
)
COMMANDS = (pull, build, tag, rmi, history, save, load, *GROUPS)
