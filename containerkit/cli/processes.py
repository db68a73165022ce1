"""Commands that run processes: in a new container, in a running one, at this terminal."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .app import docker_exit_codes, engine_option, open_engine, say_error
from .create_options import create_options
from .output import duration

if TYPE_CHECKING:
    from containerkit import Container, Engine, Terminal

__all__ = ["COMMANDS"]

_LATE = 5.0  # seconds that an event may come late

#: `-h` is the host name, as in docker.
_CREATING = {"allow_interspersed_args": False, "help_option_names": ["--help"]}
_INTERACTIVE = click.option("--interactive", "-i", is_flag=True, help="Send stdin to the process.")
_CIDFILE = click.option("--cidfile", type=click.Path(dir_okay=False), help="New file for the container's ID.")
_TTY = click.option("--tty", "-t", is_flag=True, help="Give the process a terminal.")
_DETACH = click.option("--detach", "-d", is_flag=True, help="Leave it running, and print its ID.")
_KEYS = click.option("--detach-keys", metavar="KEYS", default="ctrl-p,ctrl-q", show_default=True,
                     help="Keys that leave the process running and end this program.")  # fmt: skip
_PROXY = click.option("--sig-proxy/--no-sig-proxy", default=True, help="Send received signals to the process.")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were used, in the form that the library takes."""
    used = {name: value for name, value in options.items() if value not in (None, False, ())}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in used.items()}


def _need_terminal(interactive: bool, tty: bool) -> None:
    """Refuse a terminal for input that is none, as docker does."""
    if interactive and tty and not os.isatty(0):
        raise click.ClickException("the input is no terminal: leave out --tty (-t)")


def _ending(terminal: Terminal, **how: Any) -> int:
    """Connect the process to this terminal and return the exit code."""
    code = terminal.interact(**how)
    if code is None:
        click.echo("\nleft running; `containerkit attach` connects again", err=True)
    return code or 0


@click.command(short_help="Run a command in a new container.", context_settings=_CREATING)
@create_options
@click.option("--timeout", callback=duration, metavar="TIME", help="Kill and remove it after so long (90, 5m).")
@_INTERACTIVE
@_TTY
@_DETACH
@_KEYS
@_PROXY
@click.option("--rm", is_flag=True, help="Remove the container when it has ended.")
@_CIDFILE
@click.option(
    "--attach",
    "-a",
    "streams",
    multiple=True,
    type=click.Choice(["stdin", "stdout", "stderr"], False),
    help="Stream to connect. Default: stdout and stderr, and with -i stdin.",
)
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
    tty: bool,
    detach: bool,
    rm: bool,
    cidfile: str | None,
    streams: tuple[str, ...],
    timeout: float | None,
    detach_keys: str,
    sig_proxy: bool,
    **given: Any,
) -> None:
    """Run COMMAND in a new container of IMAGE, and exit with its exit code. Options as in docker and podman.

    Exit code: that of the command; 125 for an error of the engine or of containerkit, 126 if the command cannot be
    executed, 127 if it is not found.

    \b
    containerkit run --rm -it debian:12 bash
    containerkit run -d --name web -p 8080:80 --memory 256m nginx
    containerkit run --rm -v "$PWD":/work -w /work python:3 python app.py
    """
    if timeout and detach:
        raise click.BadOptionUsage("--timeout", "--timeout runs a command to its end: no --detach with it")
    if not detach:
        _need_terminal(interactive, tty)
    rm = rm or timeout is not None
    replace = given.pop("replace")
    options, arguments = _given(given), list(command) or None
    modes: dict[str, Any] = {
        name: True for name, used in (("interactive", interactive), ("tty", tty), ("rm", rm)) if used
    }
    with docker_exit_codes(125), open_engine() as engine:
        _check_cidfile(cidfile)
        _replace(engine, replace, given["name"])
        if detach:
            container = engine.start(image, arguments, keep=True, **modes, **options)
            _write_id(cidfile, container)
            click.echo(container.id)
            code = 0
        else:
            how: dict[str, Any] = {"detach_keys": detach_keys, "sig_proxy": sig_proxy}
            if streams:
                how["streams"] = streams
            with _created(engine, image, arguments, rm=rm, options={**modes, **options}) as container:
                _write_id(cidfile, container)
                code = _attached(engine, container, interactive, rm, timeout, how)
    ctx.exit(code)


def _attached(
    engine: Engine, container: Container, stdin: bool, rm: bool, timeout: float | None, how: dict[str, Any]
) -> int:
    """Start a container at this terminal, and return its exit code. With `rm`, it is gone afterwards."""
    import containerkit as ck

    with container.attach(stdin=stdin) as terminal:
        container.start()
        try:
            with _limited(container, timeout):
                code = _ending(terminal, **how)
        except ck.ContainerNotFound:  # with --rm, the engine can remove it before it tells the exit code
            if not rm:
                raise
            code = _exit_code(engine, container)
        if rm and not terminal.detached:
            with suppress(ck.Conflict, ck.WrongState):  # the engine is removing it
                container.remove(force=True, volumes=True, missing_ok=True)
    return code


def _exit_code(engine: Engine, container: Container) -> int:
    """Return the exit code of a removed container, from the event of its end."""
    import containerkit as ck

    filters = {"container": container.id, "event": "die"}
    with engine.events(since=time.time() - 3600, until=time.time() + _LATE, filters=filters) as events:
        for event in events:
            if event.id == container.id and event.exit_code is not None:
                return event.exit_code
    raise ck.ContainerNotFound(f"container {container.short_id} was removed before its exit code was read")


@contextmanager
def _limited(container: Container, seconds: float | None) -> Iterator[None]:
    """Kill a container after so many seconds, and raise EngineTimeout when the block ends."""
    import containerkit as ck

    if seconds is None:
        yield
        return
    killed = threading.Event()

    def kill() -> None:
        with suppress(ck.ContainerKitError):  # it has just ended
            container.kill("SIGKILL")
            killed.set()

    timer = threading.Timer(seconds, kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if killed.is_set():
            text = f"running container {container.short_id}: it did not end within {seconds:g} seconds, and was removed"
            raise ck.EngineTimeout(text, timeout=seconds)


@contextmanager
def _created(
    engine: Engine, image: str, command: list[str] | None, *, rm: bool, options: dict[str, Any]
) -> Iterator[Container]:
    """Create a container; with `rm`, an error removes it."""
    container = engine.containers.create(image, command, keep=True, **options)
    for warning in container.warnings:
        say_error(warning)
    try:
        yield container
    except BaseException:
        if rm:
            container.remove(force=True, volumes=True, missing_ok=True)
        raise


def _replace(engine: Engine, replace: bool, name: str | None) -> None:
    """Remove the container of this name, if it is to be replaced."""
    import containerkit as ck

    if replace and name:
        with suppress(ck.ContainerNotFound):
            engine.containers.remove(name, force=True, volumes=True)


def _check_cidfile(path: str | None) -> None:
    if path and os.path.exists(path):
        raise FileExistsError(f"{path} exists: name a new file for the container's ID")


def _write_id(path: str | None, container: Container) -> None:
    if path:
        Path(path).write_text(container.id)


@click.command(context_settings=_CREATING)
@create_options
@_INTERACTIVE
@_TTY
@_CIDFILE
@click.option("--rm", is_flag=True, help="The engine removes the container when it has ended.")
@engine_option
@click.argument("image")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def create(image: str, command: tuple[str, ...], cidfile: str | None, **given: Any) -> None:
    """Create a container without starting it, and print its ID."""
    with docker_exit_codes(1), open_engine() as engine:
        _check_cidfile(cidfile)
        _replace(engine, given.pop("replace"), given["name"])
        container = engine.containers.create(image, list(command) or None, keep=True, **_given(given))
    for warning in container.warnings:
        say_error(warning)
    _write_id(cidfile, container)
    click.echo(container.id)


def _start(container: Container) -> None:
    container.start()


@click.command()
@click.option("--attach", "-a", is_flag=True, help="Print the output of the container, and exit with its exit code.")
@_INTERACTIVE
@_KEYS
@_PROXY
@engine_option
@click.argument("names", nargs=-1, required=True, metavar="CONTAINER...")
@click.pass_context
def start(
    ctx: click.Context, names: tuple[str, ...], attach: bool, interactive: bool, detach_keys: str, sig_proxy: bool
) -> None:
    """Start stopped containers."""
    from .container import each_name

    if not attach and not interactive:
        each_name(names, lambda engine, ref: _start(engine.containers.get(ref)))
    if len(names) > 1:
        raise click.UsageError("--attach and --interactive take one container")
    with docker_exit_codes(1), open_engine() as engine:
        container = engine.containers.get(names[0])
        with container.attach(stdin=interactive) as terminal:
            container.start()
            code = _ending(terminal, detach_keys=detach_keys, sig_proxy=sig_proxy)
    ctx.exit(code)


@click.command()
@click.option("--no-stdin", is_flag=True, help="Do not send stdin.")
@_KEYS
@_PROXY
@engine_option
@click.argument("container")
@click.pass_context
def attach(ctx: click.Context, container: str, no_stdin: bool, detach_keys: str, sig_proxy: bool) -> None:
    """Connect this terminal to a running container, and exit with its exit code."""
    with docker_exit_codes(1), open_engine() as engine:
        found = engine.containers.get(container)
        if found.status != "running":
            raise click.ClickException(f"container {found.name} is {found.status}, not running; `start -a` starts it")
        with found.attach(stdin=not no_stdin) as terminal:
            code = _ending(terminal, detach_keys=detach_keys, sig_proxy=sig_proxy)
    ctx.exit(code)


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("--env", "-e", metavar="NAME=VALUE", multiple=True, help="Set an environment variable.")
@click.option("--user", "-u", metavar="USER[:GROUP]", help="User that runs the command.")
@click.option("--workdir", "-w", metavar="FOLDER", help="Folder in which the command starts.")
@click.option("--env-file", metavar="PATH", multiple=True, help="Set the environment variables of a file.")
@click.option("--privileged", is_flag=True, help="Give the command every capability of the engine.")
@_INTERACTIVE
@_TTY
@click.option("--detach", "-d", is_flag=True, help="Leave the command running.")
@_KEYS
@engine_option
@click.argument("container")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def exec_(
    ctx: click.Context, /, container: str, command: tuple[str, ...], detach: bool, detach_keys: str, **given: Any
) -> None:
    """Run COMMAND in a running container. Its exit code is the exit code of this command.

    \b
    containerkit exec -it web sh
    containerkit exec -e DEBUG=1 -w /srv web ./reload
    """
    options = _given(given)
    if not detach:
        _need_terminal(given["interactive"], given["tty"])
    with docker_exit_codes(1), open_engine() as engine:
        found = engine.containers.get(container)
        if detach:
            found.start_exec(list(command), **options)
            return
        with found.open_exec(list(command), **options) as terminal:
            code = _ending(terminal, detach_keys=detach_keys)
    ctx.exit(code)


COMMANDS = (run, create, start, attach, exec_)
