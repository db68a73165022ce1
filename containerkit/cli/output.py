"""Print tables as text, JSON or Markdown, and a progress message if a command takes long."""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, TypeVar

import click

__all__ = [
    "cell",
    "columns_text",
    "duration",
    "form_options",
    "moment",
    "page",
    "pass_on",
    "show",
    "table",
    "working",
    "write_stream",
]

F = TypeVar("F", bound=Callable[..., Any])


def _display() -> Any:
    # Imported when something is printed, so that `--help` is faster.
    return importlib.import_module("containerkit.display")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], notes: Iterable[str] = ()) -> Any:
    """Return a Table."""
    return _display().Table(title, columns, list(rows), notes=tuple(notes))


def cell(kind: str, value: object) -> Any:
    """Return a cell of "bytes", "percent" or "seconds"."""
    return getattr(_display(), f"{kind}_cell")(value)


def page(title: str, tables: Sequence[Any]) -> str:
    """Return a complete HTML page of tables."""
    return str(_display().page_html(title, [each.to_html() for each in tables]))


def form_options(command: F) -> F:
    """Add --json and --markdown; the command receives ``form``: "text", "json" or "markdown"."""

    @functools.wraps(command)
    def chosen(*args: Any, as_json: bool, as_markdown: bool, **rest: Any) -> Any:
        if as_json and as_markdown:
            raise click.BadOptionUsage("--json", "--json and --markdown: one of them")
        return command(*args, form="json" if as_json else "markdown" if as_markdown else "text", **rest)

    options = (
        click.option("--json", "as_json", is_flag=True, help="As JSON, for programs."),
        click.option("--markdown", "as_markdown", is_flag=True, help="As Markdown, for a hand-in."),
    )
    for option in reversed(options):
        chosen = option(chosen)
    return chosen  # type: ignore[return-value]


def show(value: object, form: str, *, title: str = "", tables: Sequence[Any] | None = None) -> None:
    """Print a value: as JSON completely, else its tables, or those given."""
    display = _display()
    if form == "json":
        click.echo(json.dumps(display.json_ready(value), indent=2))
        return
    shown = display.tables_of(value, title) if tables is None else tables
    if form == "markdown":
        click.echo("\n".join(each.to_markdown() for each in shown), nl=False)
        return
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    color = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    click.echo("\n".join(each.to_text(width=width, color=color) for each in shown), nl=False, color=color)


def columns_text(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return plain columns as the docker command line prints them: a title line; columns are 10 or more wide."""
    lines = [[_one_line(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(10, 3 + max(map(len, column))) for column in zip(*lines, strict=True)]
    return "\n".join("".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def moment(option: str, text: str | None) -> float | None:
    """Return seconds since the epoch from a time before now (1h30m, 10s), seconds, or a date and time."""
    import re
    import time
    from datetime import datetime

    if text is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if (span := _seconds(text)) is not None:
        return time.time() - span
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        expected = "not like 10m, 1700000000 or 2024-01-31T12:00:00Z"
        raise click.BadParameter(f"{text!r} is {expected}", param_hint=option) from None


def _seconds(text: str) -> float | None:
    """Return the seconds of 1h30m or 10s, or None."""
    import re

    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    found = re.findall(r"(\d+(?:\.\d+)?)([hms])", text)
    whole = found and "".join(map("".join, found)) == text
    return sum(float(number) * units[unit] for number, unit in found) if whole else None


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Return the seconds of 90 or 1h30m."""
    if value is None:
        return None
    try:
        found = _seconds(value) or float(value)
    except ValueError:
        found = 0.0
    if not 0 < found <= 2_000_000:
        raise click.BadParameter(f"{value!r} is not like 90 or 1h30m")
    return found


def pass_on(output: Any) -> None:
    """Write a piece of a container's output to the same stream of this process, to the byte and at once."""
    stream: BinaryIO = getattr(sys, output.stream).buffer
    stream.write(output.data)
    stream.flush()


def write_stream(stream: Iterable[bytes], path: str | None) -> None:
    """Write a stream of bytes to a file, or to stdout if that is no terminal."""
    if path is None and sys.stdout.isatty():
        raise click.ClickException("stdout is a terminal: use --output, or redirect it")
    with contextlib.ExitStack() as stack:
        target = sys.stdout.buffer if path is None else stack.enter_context(open(path, "wb"))
        for chunk in stream:
            target.write(chunk)
        target.flush()


@contextlib.contextmanager
def working(what: str, *, after: float = 1.5) -> Iterator[None]:
    """Print a message on a terminal if the block takes longer than a moment, and erase it at the end."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()

    def tell() -> None:
        seconds = after
        while not done.wait(after if seconds == after else 1.0):
            click.echo(f"\r{what} … {seconds:.0f} s\x1b[K", err=True, nl=False)
            seconds += 1.0
        if seconds > after:
            click.echo("\r\x1b[K", err=True, nl=False)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
