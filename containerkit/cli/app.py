"""The program: global options, opening an engine, and exit codes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from containerkit import Engine

__all__ = [
    "CommandError",
    "Settings",
    "app",
    "check_failed",
    "docker_exit_codes",
    "engine_option",
    "open_engine",
    "say_error",
]

F = TypeVar("F", bound=Callable[..., Any])

_TARGET = (
    "Which engine: docker, podman, a URL, a docker context or a podman connection. Default: the first that answers."
)


@dataclass
class Settings:
    """Values of the global options."""

    engine: str | None = None
    timeout: float = 60.0
    platform: str | None = None
    tls_verify: bool = True


class CommandError(click.ClickException):
    """An error of the library that ends the command with an exit code other than 1."""

    def __init__(self, exc: Exception, exit_code: int) -> None:
        super().__init__(_in_one_line(exc))
        self.__dict__["exit_code"] = exit_code  # click types it as a class variable


class App(click.Group):
    """A group of commands that reports errors in one line on stderr; with --debug as a traceback.

    Its commands are imported when one is needed.

    Attributes:
        load: adds one command, or all for None.
        alone: names of commands that need no others.
    """

    debug = False
    load: Callable[[str | None], None]
    alone: frozenset[str] = frozenset()
    _whole = False

    @property  # type: ignore[override]
    def commands(self) -> dict[str, click.Command]:
        if not self._whole and hasattr(self, "load"):
            self._whole = True  # load() comes here, too
            self.load(None)
        return self._commands

    @commands.setter
    def commands(self, commands: dict[str, click.Command]) -> None:
        self._commands = commands

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command without importing the others."""
        self._commands[str(name or cmd.name)] = cmd

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; while a shell completes, with the names that its arguments take."""
        if cmd_name in self.alone and not self._whole and not ctx.resilient_parsing:
            self.load(cmd_name)
            return self._commands[cmd_name]
        return super().get_command(ctx, cmd_name)

    def main(self, args: Sequence[str] | None = None, *given: Any, **extra: Any) -> NoReturn:
        """Run, and exit with 0, 1 for an error, 125 for a wrong option, or 130 after Ctrl-C."""
        extra["standalone_mode"] = False
        extra.setdefault("prog_name", "containerkit")
        sys.exit(_ending(self, lambda: super(App, self).main(args, *given, **extra)))


def _ending(group: App, body: Callable[[], Any]) -> int:
    """Return the exit code for any ending of the command."""
    _prepare()
    try:
        result = body()
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        return 130
    except click.ClickException as exc:
        if group.debug and exc.__cause__ is not None:
            raise
        if not exc.format_message().strip() or isinstance(exc, getattr(click.exceptions, "NoArgsIsHelpError", ())):
            exc.show()  # no command: the help, as usual
            return 0
        if isinstance(exc, click.UsageError):
            say_error(f"{exc.format_message()} (see `{exc.ctx.command_path if exc.ctx else 'containerkit'} --help`)")
        else:
            say_error(exc.format_message())
        return _usage_code(exc) if isinstance(exc, click.UsageError) else exc.exit_code
    except BrokenPipeError:
        # The reader of our output closed it. Python would complain again when it flushes at exit.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1  # as click ends if a write fails
    except Exception as exc:
        if group.debug:
            raise
        say_error(_in_one_line(exc))
        return 1
    return result if isinstance(result, int) else 0


def _usage_code(exc: click.UsageError) -> int:
    """Return docker's exit code for wrong usage: 125 for an option, 1 for arguments and unknown verbs."""
    option = isinstance(exc, (click.NoSuchOption, click.BadOptionUsage, click.BadParameter))
    return 125 if option and not isinstance(exc, click.MissingParameter) else 1


def _prepare() -> None:
    """Print characters that the terminal lacks as codes; let SIGTERM and SIGHUP end it through every `finally`."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            with contextlib.suppress(ValueError):  # not in the main thread
                signal.signal(number, _terminated)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _in_one_line(exc: Exception) -> str:
    import containerkit as ck

    if isinstance(exc, ck.EngineUnavailable) and len(exc.tried) > 1:
        tried = "; ".join(f"{address}: {reason}" for address, reason in exc.tried)
        return f"no engine answers. Tried: {tried}. `containerkit engines` shows them one by one"
    if isinstance(exc, ck.ContainerKitError):
        return str(exc) or type(exc).__name__
    if isinstance(exc, OSError):
        return str(exc)
    return f"{type(exc).__name__}: {exc} (`containerkit --debug` shows where)"


def say_error(message: str) -> None:
    """Print one line on stderr without control characters."""
    words = " ".join(message.split())
    line = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in words)
    click.echo(f"containerkit: {line}", err=True)


def check_failed(exc: Exception) -> None:
    """Print why something could not be examined; the command continues."""
    say_error(_in_one_line(exc))


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        import containerkit as ck

        click.echo(f"containerkit {ck.__version__}")
        ctx.exit()


@click.group(
    "containerkit", cls=App, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option("--engine", metavar="TARGET", help=_TARGET)
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True, metavar="SECONDS",
    help="How long each call to the engine may take to answer.",
)  # fmt: skip
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version", "-v", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version."
)
@click.pass_context
def app(ctx: click.Context, engine: str | None, timeout: float, debug: bool) -> None:
    """Run containers, inspect image layers and check isolation, with Docker and Podman alike."""
    App.debug = debug
    ctx.obj = Settings(engine, timeout)


def _set_engine(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Settings).engine = value


def engine_option(command: F) -> F:
    """Accept --engine also after the command's name."""
    return click.option("--engine", metavar="TARGET", expose_value=False, callback=_set_engine, help=_TARGET)(command)


@contextlib.contextmanager
def docker_exit_codes(other: int) -> Iterator[None]:
    """Exit as docker does: 127 command not found, 126 not executable, 125 a wrong option, ``other`` for the rest."""
    import containerkit as ck

    try:
        yield
    except (ck.ContainerKitError, OSError) as exc:
        code = exc.exit_code if isinstance(exc, ck.StartFailed) else 125 if isinstance(exc, ck.InvalidOption) else None
        raise CommandError(exc, code or other) from exc


@contextlib.contextmanager
def open_engine() -> Iterator[Engine]:
    """Open the requested engine for the duration of the command."""
    import containerkit as ck

    settings = click.get_current_context().ensure_object(Settings)
    with ck.connect(settings.engine, timeout=settings.timeout) as engine:
        yield engine
