"""Lists as the docker command line prints them: columns, --format, --quiet, --no-trunc, --filter."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from .output import columns_text

__all__ = [
    "ago",
    "filters_of",
    "filters_option",
    "format_option",
    "list_options",
    "long_filters_option",
    "print_rows",
    "print_value",
    "size_text",
]

F = TypeVar("F", bound=Callable[..., Any])

format_option = click.option(
    "--format", "template", metavar="TEMPLATE", help='"json", a Go template like {{.ID}}, or "table TEMPLATE".'
)


def _filters(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, list[str]]:
    return filters_of(given)


def filters_of(given: Sequence[str]) -> dict[str, list[str]]:
    """Return KEY=VALUE filters; several values of one key are collected."""
    filters: dict[str, list[str]] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{each!r} is not KEY=VALUE", param_hint="--filter")
        filters.setdefault(key, []).append(value)
    return filters


filters_option = click.option(
    "--filter", "-f", "filters", metavar="KEY=VALUE", multiple=True, callback=_filters, help="As docker's --filter."
)
long_filters_option = click.option(
    "--filter", "filters", metavar="KEY=VALUE", multiple=True, callback=_filters, help="As docker's --filter."
)


def list_options(command: F) -> F:
    """Add --quiet, --no-trunc, --filter and --format."""
    for option in (
        format_option,
        filters_option,
        click.option("--noheading", is_flag=True, help="Print no titles."),
        click.option("--no-trunc", is_flag=True, help="Print long values in full."),
        click.option("--quiet", "-q", is_flag=True, help="Print only the IDs or names."),
    ):
        command = option(command)
    return command


def print_rows(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    template: str | None = None,
    *,
    heading: bool = True,
) -> None:
    """Print rows by a template, or as a table.

    Args:
        rows: values by the names of fields in templates.
        columns: field -> title.
        heading: print the line of titles of a table.
    """
    if template in (None, "", "table"):
        text = columns_text(list(columns.values()), [[str(row[field]) for field in columns] for row in rows])
        if heading or rows:
            click.echo(text if heading else text.partition("\n")[2])
        return
    from .templates import fill, titles

    if template == "json":
        template = "{{json .}}"
    elif template.startswith("table "):
        form = template.removeprefix("table ")
        heads = titles(form, columns).split("\t")
        click.echo(columns_text(heads, [fill(form, row).split("\t") for row in rows]))
        return
    for row in rows:
        click.echo(fill(template, row))


def print_value(value: Any, template: str) -> None:
    """Print one value by --format."""
    from .templates import fill

    click.echo(json.dumps(value, default=str) if template == "json" else fill(template, value))


def size_text(size: float | None, *, digits: int = 3, binary: bool = False) -> str:
    """Return bytes as docker prints them: "1.98MB"; binary "324KiB"."""
    if size is None:
        return "N/A"
    base, units = (1024.0, ("B", "KiB", "MiB", "GiB", "TiB")) if binary else (1000.0, ("B", "kB", "MB", "GB", "TB"))
    value, place = float(size), 0
    while value >= base and place < len(units) - 1:
        value, place = value / base, place + 1
    return f"{value:.{digits}g}{units[place]}" if value < 1000 else f"{value:.0f}{units[place]}"


_SPANS = ((365 * 86400 * 2, 365 * 86400, "year"), (60 * 86400, 30 * 86400, "month"), (14 * 86400, 7 * 86400, "week"),
          (48 * 3600, 86400, "day"), (90 * 60, 3600, "hour"))  # fmt: skip


def ago(seconds: float | None) -> str:
    """Return how long ago a time was, in docker's words; "N/A" without a time."""
    if not seconds:
        return "N/A"
    gone = max(0, int(time.time() - seconds))
    for least, unit, word in _SPANS:
        if gone >= least:
            return f"{gone // unit if unit > 3600 else round(gone / unit)} {word}s ago"
    if gone >= 46 * 60:
        return "About an hour ago"
    if gone >= 120:
        return f"{gone // 60} minutes ago"
    if gone >= 60:
        return "About a minute ago"
    return f"{gone} second{'' if gone == 1 else 's'} ago" if gone else "Less than a second ago"
