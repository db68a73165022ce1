"""The command that browses an image in the terminal, or writes a page on which one can."""

from __future__ import annotations

import sys
from typing import TextIO

import click

from .app import engine_option
from .output import working
from .sources import image_stack, source_options

__all__ = ["explore"]


@click.command(short_help="Browse the layers and files of an image.")
@click.option("--html", type=click.File("w", encoding="utf-8", lazy=True), metavar="FILE",
              help="Write a page instead, which needs no network: layers, files, sizes, waste.")  # fmt: skip
@source_options
@engine_option
@click.argument("ref")
def explore(ref: str, html: TextIO | None) -> None:
    """Browse the layers and files of image REF in the terminal. REF may be an archive or docker://NAME.

    Tab changes the side, the arrows move, Enter opens a folder, c shows only what the layer changes, s sorts by size or
    name, / filters, q quits. Needs the extra: pip install 'containerkit[explore]'.
    """
    with image_stack(ref) as stack:
        if html is not None:
            with working(f"reading {ref}"):
                html.write(stack.to_page())
            return
        try:
            from .explorer import Explorer
        except ImportError as exc:
            raise click.ClickException("this needs textual: pip install 'containerkit[explore]', or --html") from exc
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise click.ClickException("this needs a terminal; --html writes a page")
        with working(f"reading {ref}"):
            program = Explorer(stack)
        program.run()
