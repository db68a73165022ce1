"""Commands for labs: networks of hosts, from a folder with lab.conf."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .app import engine_option, open_engine
from .output import form_options, pass_on, show, working

if TYPE_CHECKING:
    from containerkit.labs import Lab, Topology

__all__ = ["COMMANDS"]

F = TypeVar("F", bound=Callable[..., Any])


def _pairs(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    import containerkit as ck

    found = dict(ck.labs.KATHARA_IMAGES) if "debian" in given else {}
    pairs = [pair for pair in given if pair != "debian"]
    if wrong := [pair for pair in pairs if not pair.partition("=")[2]]:
        raise click.BadParameter(f"{wrong[0]!r}: expected NAME=IMAGE or 'debian'")
    return found | dict(pair.split("=", 1) for pair in pairs)


def _files(command: F) -> F:
    images = click.option(
        "--map", "images", multiple=True, metavar="NAME=IMAGE", callback=_pairs,
        help="Use IMAGE where the files say NAME; `debian`: the images that `lab images` builds. Repeatable.",
    )  # fmt: skip
    lenient = click.option(
        "--lenient",
        is_flag=True,
        help="Go on after a startup command that fails, as Kathará does; leave out `bridged` and `port`.",
    )
    return click.argument("folder")(images(lenient(command)))


def _topology(folder: str, images: dict[str, str], lenient: bool) -> Topology:
    import containerkit as ck

    return ck.labs.load(folder, images=images, strict=not lenient)


@contextlib.contextmanager
def _lab(ctx: click.Context, topology: Topology, image: str | None = None) -> Iterator[Lab]:
    import containerkit as ck

    with open_engine() as engine:
        yield ck.labs.Lab(engine, topology, helper_image=image, keep=True)


@click.group(short_help="Run networks of hosts and routers.")
def lab() -> None:
    """Bring up networks of hosts from a FOLDER with lab.conf (Kathará, Netkit) or a YAML file (Containerlab)."""


@lab.command()
@click.option("--helper-image", metavar="IMAGE", help="Of the container with the cables. Default: that of the hosts.")
@engine_option
@_files
@click.pass_context
def up(ctx: click.Context, folder: str, images: dict[str, str], lenient: bool, helper_image: str | None) -> None:
    """Bring the lab up. It stays until `containerkit lab down`."""
    topology = _topology(folder, images, lenient)
    helper = helper_image or next((host.image for host in topology.hosts if host.image), None)
    with _lab(ctx, topology, helper) as made:
        with working(f"bringing up {topology.name}"):
            made.up()
        click.echo(f"{topology.name}: {len(topology.hosts)} hosts are up")


@lab.command()
@engine_option
@_files
@click.pass_context
def down(ctx: click.Context, folder: str, images: dict[str, str], lenient: bool) -> None:
    """Remove the lab's containers."""
    with _lab(ctx, _topology(folder, images, lenient)) as made, working(f"taking down {folder}"):
        made.down()


@lab.command()
@engine_option
@form_options
@_files
@click.pass_context
def status(ctx: click.Context, folder: str, images: dict[str, str], lenient: bool, form: str) -> None:
    """Show the state of each host."""
    with _lab(ctx, _topology(folder, images, lenient)) as made:
        show(made.status(), form, title=f"Lab {made.name}")


@lab.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@engine_option
@_files
@click.argument("host")
@click.argument("command", nargs=-1, required=True)
@click.pass_context
def execute(
    ctx: click.Context, folder: str, images: dict[str, str], lenient: bool, host: str, command: tuple[str, ...]
) -> int:
    """Run COMMAND in HOST; the exit code is the command's."""
    with _lab(ctx, _topology(folder, images, lenient)) as made:
        return made[host].exec(list(command), on_output=pass_on).exit_code


@lab.command()
@engine_option
@_files
@click.argument("host")
@click.pass_context
def shell(ctx: click.Context, folder: str, images: dict[str, str], lenient: bool, host: str) -> int:
    """Open a shell in HOST at this terminal; the exit code is the shell's."""
    with _lab(ctx, _topology(folder, images, lenient)) as made:
        code = made.shell(host)
        return code or 0


@lab.command()
@engine_option
@_files
@click.option("--host", metavar="HOST", help="Only at the cable of this host.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of stdout.")
@click.argument("domain")
@click.pass_context
def capture(
    ctx: click.Context,
    folder: str,
    images: dict[str, str],
    lenient: bool,
    host: str | None,
    output: Path | None,
    domain: str,
) -> None:
    """Write the packets of a collision DOMAIN as pcap until Ctrl-C, for a file or `| wireshark -k -i -`."""
    if output is None and sys.stdout.isatty():
        raise click.UsageError("pcap is no text: give --output FILE, or a pipe to another program")
    with (
        _lab(ctx, _topology(folder, images, lenient)) as made,
        output.open("wb") if output else contextlib.nullcontext(sys.stdout.buffer) as file,
        contextlib.closing(made.stream_capture(domain, host)) as packets,
        contextlib.suppress(KeyboardInterrupt),
    ):
        for data in packets:
            file.write(data)
            file.flush()


@lab.command()
@click.option("--form", "language", type=click.Choice(["text", "svg", "mermaid", "graphviz"]), default="text",
              show_default=True)  # fmt: skip
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of the terminal.")
@_files
def draw(folder: str, images: dict[str, str], lenient: bool, language: str, output: Path | None) -> None:
    """Draw the lab. Needs no engine."""
    picture = _topology(folder, images, lenient).draw()
    text: str = getattr(picture, f"to_{language}")()
    if output is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    else:
        output.write_text(text, encoding="utf-8")


@lab.command()
@engine_option
@_files
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="On 127.0.0.1. Default: a free one.")
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.")
@click.pass_context
def view(ctx: click.Context, folder: str, images: dict[str, str], lenient: bool, port: int, browser: bool) -> None:
    """Serve a web page with the running lab, its links and terminals on its hosts, until Ctrl-C.

    The page is on 127.0.0.1. Its address holds a token: whoever has it can run commands in the hosts.
    """
    import webbrowser

    import containerkit as ck

    with _lab(ctx, _topology(folder, images, lenient)) as made, ck.labs.View(made, port=port) as page:
        click.echo(page.url)
        if browser:
            webbrowser.open(page.url)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


@lab.command()
@click.option("--base", metavar="IMAGE", help="Begin with it. Default: packages that this machine's apt fetches.")
@engine_option
def images(base: str | None) -> None:
    """Build the images of hosts and routers; `--map debian` uses them in place of Kathará's."""
    import containerkit as ck

    with open_engine() as engine, working("building the images of labs"):
        ck.labs.build_images(engine, base=base)
    click.echo(f"{ck.labs.BASE_IMAGE}\n{ck.labs.ROUTER_IMAGE}")


@lab.command()
@_files
def check(folder: str, images: dict[str, str], lenient: bool) -> None:
    """Read the lab's files and report the first mistake with file and line. Needs no engine."""
    topology = _topology(folder, images, lenient)
    click.echo(f"{topology.name}: {len(topology.hosts)} hosts, {len(topology.domains)} collision domains")


COMMANDS = (lab,)
