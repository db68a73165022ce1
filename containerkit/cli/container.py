"""Commands on containers, with the names, options and output of the docker command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .app import check_failed, engine_option, open_engine, say_error
from .output import columns_text, moment, pass_on, write_stream

if TYPE_CHECKING:
    from containerkit import Container, Engine

__all__ = ["COMMANDS", "each_name"]

_CHANGES = {"added": "A", "modified": "C", "deleted": "D"}


def each_name(
    names: tuple[str, ...],
    act: Callable[[Engine, str], object],
    *,
    missing_ok: bool = False,
    print_missing: bool = False,
) -> None:
    """Act on each name and print the name or the result. The exit code is 1 if any failed.

    Args:
        missing_ok: a missing name is reported and does not count as a failure.
        print_missing: a missing name is printed like the others, and not reported.
    """
    import containerkit as ck

    failed = False
    with open_engine() as engine:
        for name in names:
            try:
                result = act(engine, name)
            except ck.ContainerKitError as exc:  # noqa: PERF203  one name must not stop the others
                if print_missing and isinstance(exc, ck.NotFound):
                    click.echo(name)
                    continue
                check_failed(exc)
                failed = failed or not (missing_ok and isinstance(exc, ck.NotFound))
            else:
                click.echo(name if result is None else result)
    click.get_current_context().exit(1 if failed else 0)


def _act(name: str, text: str, act: Callable[..., object], *options: Any) -> click.Command:
    """Return a command that calls one method on each container named."""

    def body(names: tuple[str, ...], **given: Any) -> None:
        each_name(
            names,
            lambda engine, ref: act(engine.containers.get(ref), **given),
            missing_ok=given.get("force", False),
        )

    decorators = [engine_option, click.argument("names", nargs=-1, required=True, metavar="CONTAINER..."), *options]
    for decorate in decorators:
        body = decorate(body)
    return click.command(name, help=text)(body)


_TIME = click.option("--timeout", "--time", "-t", "time", type=int, metavar="SECONDS",
                     help="Time before the container is killed.")  # fmt: skip


def _stop(container: Container, time: int | None) -> None:
    container.stop(timeout=time)


def _restart(container: Container, time: int | None) -> None:
    container.restart(timeout=time)


def _kill(container: Container, signal: str) -> None:
    container.kill(int(signal) if signal.isdecimal() else signal)


def _remove(container: Container, force: bool, volumes: bool, time: int | None) -> None:
    if force and time and container.status == "running":
        container.stop(timeout=time)
    container.remove(force=force, volumes=volumes)


_ACTS = (
    _act("stop", "Stop containers.", _stop, _TIME),
    _act("restart", "Restart containers.", _restart, _TIME),
    _act(
        "kill",
        "Send a signal to containers.",
        _kill,
        click.option("--signal", "-s", default="SIGKILL", show_default=True, metavar="SIGNAL", help="Signal to send."),
    ),
    _act("pause", "Pause containers.", lambda container: container.pause()),
    _act("unpause", "Resume paused containers.", lambda container: container.unpause()),
    _act("wait", "Wait until containers exit, and print their exit codes.", lambda container: container.wait()),
    _act(
        "rm",
        "Remove containers.",
        _remove,
        click.option("--force", "-f", is_flag=True, help="Remove running containers."),
        click.option("--volumes", "-v", is_flag=True, help="Remove their anonymous volumes."),
        click.option("--time", "-t", type=int, metavar="SECONDS", help="With --force: stop it, and wait so long."),
    ),
)


@click.command()
@engine_option
@click.argument("container")
@click.argument("name")
def rename(container: str, name: str) -> None:
    """Rename a container."""
    with open_engine() as engine:
        engine.containers.get(container).rename(name)


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Print new output until the container exits.")
@click.option("--tail", "-n", metavar="NUMBER", default="all", show_default=True, help="Lines from the end.")
@click.option("--timestamps", "-t", is_flag=True, help="Prefix each line with its time.")
@click.option("--since", metavar="TIME", help="Only output after a time: 10m, 1700000000, 2024-01-31T12:00:00Z.")
@click.option("--until", metavar="TIME", help="Only output before a time.")
@engine_option
@click.argument("container")
def logs(
    container: str,
    follow: bool,
    tail: str,
    timestamps: bool,
    since: str | None,
    until: str | None,
) -> None:
    """Print the output of a container.

    \b
    containerkit logs -f --tail 20 web
    containerkit logs --since 10m -t web
    """
    if tail != "all" and not tail.isdecimal():
        raise click.BadParameter(f"{tail!r} is not a number of lines or all", param_hint="--tail")
    lines = None if tail == "all" else int(tail)
    span: dict[str, Any] = {"since": moment("--since", since), "until": moment("--until", until)}
    with open_engine() as engine:
        found = engine.containers.get(container)
        with found.stream_logs(follow=follow, tail=lines, timestamps=timestamps, **span) as outputs:
            for output in outputs:
                pass_on(output)


@click.command()
@click.option("--follow-link", "-L", is_flag=True, help="Copy what PATH points to, if it is a link.")
@click.option("--quiet", "-q", is_flag=True, expose_value=False, help="Without effect: there is no progress.")
@engine_option
@click.argument("source")
@click.argument("target")
def cp(source: str, target: str, follow_link: bool) -> None:
    """Copy files out of a container (CONTAINER:PATH PATH) or into it (PATH CONTAINER:PATH).

    A - instead of PATH is a tar archive on stdout or stdin.

    \b
    containerkit cp web:/etc/nginx/nginx.conf .
    tar -c site | containerkit cp - web:/srv
    """
    outside, inside = _split(source), _split(target)
    if (outside is None) == (inside is None):
        raise click.UsageError("exactly one of SOURCE and TARGET is CONTAINER:PATH")
    with open_engine() as engine:
        if outside is not None and target == "-":
            with engine.containers.get(outside[0]).stream_archive(outside[1]) as stream:
                write_stream(stream, None)
        elif inside is not None and source == "-":
            engine.containers.get(inside[0]).put_archive(inside[1], sys.stdin.buffer)
        elif outside is not None:
            engine.containers.get(outside[0]).copy_from(outside[1], target)
        elif inside is not None:
            engine.containers.get(inside[0]).copy_to(os.path.realpath(source) if follow_link else source, inside[1])


def _split(path: str) -> tuple[str, str] | None:
    """Return (container, path) of CONTAINER:PATH; None for a path of this machine."""
    name, colon, inside = path.partition(":")
    return (name, inside) if colon and name and not name.startswith((".", "/")) else None


@click.command()
@engine_option
@click.argument("container")
def diff(container: str) -> None:
    """List the paths that a container changed: A added, C changed, D deleted."""
    with open_engine() as engine:
        for change in engine.containers.get(container).diff():
            click.echo(f"{_CHANGES[change.kind]} {change.path}")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@engine_option
@click.argument("container")
@click.argument("ps_args", nargs=-1, type=click.UNPROCESSED)
def top(container: str, ps_args: tuple[str, ...]) -> None:
    """List the processes of a container. PS_ARGS are options of ps."""
    with open_engine() as engine:
        found = engine.containers.get(container).top(" ".join(ps_args) or None)
    click.echo(columns_text(found.titles, found.rows))


@click.command()
@engine_option
@click.argument("container")
@click.argument("port", required=False)
def port(container: str, port: str | None) -> None:
    """List the published ports of a container, or the addresses of one (80, 53/udp)."""
    with open_engine() as engine:
        found = engine.containers.get(container)
        if port is None:
            for key, addresses in found.ports.items():
                for address in addresses:
                    click.echo(f"{key} -> {address}")
            return
        key = port if "/" in port else f"{port}/tcp"
        if not found.ports.get(key):
            raise click.ClickException(f"container {found.name} publishes no port {key}")
        for address in found.ports[key]:
            click.echo(str(address))


@click.command()
@click.option("--message", "-m", default="", metavar="TEXT", help="Message in the image's history.")
@click.option("--author", "-a", default="", metavar="TEXT", help="Author of the image.")
@click.option("--change", "-c", "changes", multiple=True, metavar="INSTRUCTION", help="Dockerfile instruction.")
@click.option("--no-pause", is_flag=True, help="Do not pause the container while it is read.")
@engine_option
@click.argument("container")
@click.argument("ref", required=False)
def commit(container: str, ref: str | None, no_pause: bool, **given: Any) -> None:
    """Create an image from a container, and print its ID."""
    with open_engine() as engine:
        click.echo(engine.containers.get(container).commit(ref, pause=not no_pause, **given).id)


@click.command()
@click.option("--output", "-o", metavar="PATH", help="File to write. Default: stdout.")
@engine_option
@click.argument("container")
def export(container: str, output: str | None) -> None:
    """Write the file system of a container as a tar archive."""
    with open_engine() as engine, engine.containers.get(container).export() as stream:
        write_stream(stream, output)


_LIMITS = ("--memory", "--memory-swap", "--memory-reservation", "--cpus", "--cpu-shares", "--cpuset-cpus",
           "--pids-limit")  # fmt: skip


def _update(container: Container, **limits: str | None) -> None:
    numbers = ("cpu_shares", "pids_limit")
    given: dict[str, Any] = {
        key: int(value) if key in numbers and value.lstrip("-").isdecimal() else value
        for key, value in limits.items()
        if value is not None
    }
    for warning in container.update(**given):
        say_error(warning)


_UPDATE = _act(
    "update",
    "Change the limits or the restart policy of containers.",
    _update,
    click.option("--restart", metavar="POLICY", help="Restart policy (no, on-failure:3, always, unless-stopped)."),
    *(
        click.option(name, *(["-m"] if name == "--memory" else []), metavar="VALUE", help="As the option of run.")
        for name in _LIMITS
    ),
)
COMMANDS = (*_ACTS, _UPDATE, rename, logs, cp, diff, top, port, commit, export)
