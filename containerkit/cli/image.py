"""Commands on images, with the names, options and output of the docker command line."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .app import engine_option, open_engine
from .container import each_name
from .listing import ago, format_option, print_rows, size_text
from .output import write_stream
from .progress import layer_bars

if TYPE_CHECKING:
    from containerkit import RemovedImage

__all__ = ["COMMANDS"]

_QUIET = click.option("--quiet", "-q", is_flag=True, help="Print only the names or IDs.")


@click.command()
@_QUIET
@click.option("--platform", metavar="OS/ARCH", help="Platform of the image.")
@engine_option
@click.argument("ref")
def pull(ref: str, quiet: bool, platform: str | None) -> None:
    """Pull an image from its registry, and print its name. A terminal shows the progress of each layer.

    \b
    containerkit pull --platform linux/arm64 debian:12
    """
    with open_engine() as engine:
        engine.images.pull(ref, platform=platform, on_progress=layer_bars(quiet))
    click.echo(ref)


@click.command()
@_QUIET
@engine_option
@click.argument("ref")
def push(ref: str, quiet: bool) -> None:
    """Push an image to the registry in its name. Credentials are those that `login`, docker or podman stored."""
    with open_engine() as engine:
        engine.images.push(ref, on_progress=layer_bars(quiet))
    click.echo(ref)


@click.command()
@click.option("--tag", "-t", metavar="NAME", multiple=True, help="Name of the image.")
@click.option("--file", "-f", "dockerfile", metavar="PATH", help="Dockerfile; - reads it from stdin.")
@click.option("--build-arg", "build_args", metavar="NAME=VALUE", multiple=True, help="Set a build argument.")
@click.option("--target", metavar="STAGE", help="Stage to build.")
@click.option("--platform", metavar="OS/ARCH", help="Platform of the image.")
@click.option("--label", metavar="NAME=VALUE", multiple=True, help="Label the image.")
@click.option("--network", metavar="MODE", help="Network of the RUN instructions.")
@click.option("--add-host", metavar="NAME:ADDRESS", multiple=True, help="One more line in /etc/hosts of RUN.")
@click.option("--shm-size", metavar="SIZE", help="Set the size of /dev/shm of RUN.")
@click.option("--iidfile", type=click.Path(dir_okay=False), help="File for the image's ID.")
@click.option("--progress", type=click.Choice(["auto", "plain", "tty"]), expose_value=False, help="Without effect.")
@click.option("--rm/--no-rm", default=True, expose_value=False, help="Without effect: containers of RUN are removed.")
@click.option("--force-rm", is_flag=True, expose_value=False, help="Without effect: they are always removed.")
@click.option("--compress", is_flag=True, expose_value=False, help="Without effect.")
@click.option("--disable-content-trust/--no-disable-content-trust", expose_value=False, help="Without effect.")
@click.option("--no-cache", is_flag=True, help="Build every step again.")
@click.option("--pull", is_flag=True, help="Pull the base images again.")
@_QUIET
@engine_option
@click.argument("context", metavar="FOLDER|-")
def build(context: str, quiet: bool, tag: tuple[str, ...], iidfile: str | None, **given: Any) -> None:
    """Build an image from a folder, or with - from a Dockerfile or a tar archive on stdin.

    `-f -` reads the Dockerfile of a folder from stdin.

    The builder's log goes to stderr; --quiet prints the ID.

    \b
    containerkit build -t app:1 .
    containerkit build -t app:1 -f deploy/Dockerfile --build-arg VERSION=2 .
    """
    options: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if value
    }

    def log(step: Any) -> None:
        click.echo(step.stream, nl=False, err=True)

    with contextlib.ExitStack() as stack:
        source: Any = context
        if context == "-":
            source = _stdin_context(stack)
        elif not os.path.isdir(context):
            raise click.ClickException(f"no folder {context} here")
        elif options.get("dockerfile") == "-":
            file = stack.enter_context(tempfile.NamedTemporaryFile(prefix="Dockerfile."))
            file.write(sys.stdin.buffer.read())
            file.flush()
            options["dockerfile"] = file.name
        elif os.path.isfile(options.get("dockerfile", "")):  # as docker, before the same path in the context
            options["dockerfile"] = os.path.abspath(options["dockerfile"])
        engine = stack.enter_context(open_engine())
        if tag:
            options["tag"] = tag[0]
        image = engine.images.build(source, on_progress=None if quiet else log, **options)
        for name in tag[1:]:
            image.tag(name)
    if iidfile:
        Path(iidfile).write_text(image.id)
    if quiet:
        click.echo(image.id)


def _stdin_context(stack: contextlib.ExitStack) -> Any:
    """Return the context on stdin: the folder of a tar archive, which may be compressed, or one Dockerfile."""
    data = sys.stdin.buffer.read()
    try:
        archive = tarfile.open(fileobj=io.BytesIO(data))  # noqa: SIM115  closed below
    except tarfile.ReadError:
        return {"Dockerfile": data}
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="context."))
    with archive:
        archive.extractall(folder, filter="data")
    return folder


@click.command()
@engine_option
@click.argument("source")
@click.argument("target")
def tag(source: str, target: str) -> None:
    """Give image SOURCE the name TARGET."""
    with open_engine() as engine:
        engine.images.get(source).tag(target)


@click.command()
@click.option("--force", "-f", is_flag=True, help="Remove the image even if a stopped container uses it.")
@engine_option
@click.argument("refs", nargs=-1, required=True, metavar="IMAGE...")
def rmi(refs: tuple[str, ...], force: bool) -> None:
    """Remove images, and print the names and IDs that were removed."""
    each_name(refs, lambda engine, ref: _removed(engine.images.remove(ref, force=force)), missing_ok=force)


def _removed(image: RemovedImage) -> str:
    """Return what was removed, as docker prints it."""
    return "\n".join([*(f"Untagged: {name}" for name in image.untagged), *(f"Deleted: {ID}" for ID in image.deleted)])


_HISTORY = {"ID": "IMAGE", "CreatedSince": "CREATED", "CreatedBy": "CREATED BY", "Size": "SIZE", "Comment": "COMMENT"}


@click.command()
@click.option("--no-trunc", is_flag=True, help="Print long values in full.")
@_QUIET
@format_option
@engine_option
@click.argument("ref")
def history(ref: str, quiet: bool, no_trunc: bool, template: str | None) -> None:
    """List the steps that made an image, newest first."""
    with open_engine() as engine:
        image = engine.images.get(ref)
        entries = list(reversed(image.history()))
    rows = []
    for place, entry in enumerate(entries):
        identity = entry.image_id or (image.id if place == 0 else "<missing>")
        rows.append({
            "ID": identity if no_trunc else identity.removeprefix("sha256:")[: 12 if identity != "<missing>" else None],
            "CreatedSince": ago(entry.created),
            "CreatedBy": entry.created_by if no_trunc or len(entry.created_by) <= 45 else f"{entry.created_by[:44]}…",
            "Size": size_text(entry.size),
            "Comment": entry.comment,
        })  # fmt: skip
    if quiet:
        click.echo("\n".join(row["ID"] for row in rows))
    else:
        print_rows(rows, _HISTORY, template)


@click.command()
@click.option("--output", "-o", metavar="PATH", help="Archive to write. Default: stdout.")
@engine_option
@click.argument("refs", nargs=-1, required=True, metavar="IMAGE...")
def save(refs: tuple[str, ...], output: str | None) -> None:
    """Save images to an archive.

    \b
    containerkit save -o app.tar app:1
    containerkit save app:1 | gzip > app.tar.gz
    """
    with open_engine() as engine:
        if output is not None:
            engine.images.save(list(refs), output)
            return
        with engine.images.stream_save(list(refs)) as stream:
            write_stream(stream, None)


@click.command()
@click.option("--input", "-i", "path", metavar="PATH", help="Archive to read. Default: stdin.")
@_QUIET
@engine_option
def load(path: str | None, quiet: bool) -> None:
    """Load images from an archive."""
    with open_engine() as engine:
        for image in engine.images.load(path if path is not None else sys.stdin.buffer):
            click.echo(f"Loaded image: {', '.join(image.refs) or image.id}")


@click.command("import")
@click.option("--change", "-c", "changes", multiple=True, metavar="TEXT", help="Instruction of a Dockerfile to apply.")
@click.option("--message", "-m", default="", metavar="TEXT", help="Comment for the image's history.")
@engine_option
@click.argument("path", metavar="PATH|-")
@click.argument("ref", required=False, default="", metavar="[IMAGE]")
def import_(path: str, ref: str, message: str, changes: tuple[str, ...]) -> None:
    """Make an image of one layer from the tar archive of a file system."""
    with open_engine() as engine:
        source = sys.stdin.buffer if path == "-" else path
        click.echo(engine.images.import_archive(source, ref, message=message, changes=changes).id)


COMMANDS = (pull, push, build, tag, rmi, history, save, load, import_)
