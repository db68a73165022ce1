"""Choose the image that a command reads: of an engine, an archive or a registry."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .app import Settings, open_engine

if TYPE_CHECKING:
    from containerkit import LayerStack

__all__ = ["image_stack", "source_options"]

F = TypeVar("F", bound=Callable[..., Any])

_ARCHIVE = re.compile(r"\.(tar(\.(gz|zst|xz|bz2))?|tgz|tzst|txz|tbz2?)$")


@contextlib.contextmanager
def image_stack(ref: str) -> Iterator[LayerStack]:
    """Return the layers of an image; without an engine of an archive, if REF is a path or `-`, or of a registry."""
    import containerkit as ck

    settings = click.get_current_context().ensure_object(Settings)
    if ref.startswith("docker://"):
        yield ck.open_registry(
            ref, platform=settings.platform, tls_verify=settings.tls_verify, timeout=settings.timeout
        )
        return
    if ref == "-":
        yield ck.open_archive(sys.stdin.buffer, platform=settings.platform)
        return
    if ref.startswith(("/", "./", "../", "~")) or (_ARCHIVE.search(ref) and os.path.isfile(ref)):
        yield ck.open_archive(ref, platform=settings.platform)
        return
    with open_engine() as engine:
        yield engine.layers(ref, platform=settings.platform)


def _set(ctx: click.Context, param: click.Parameter, value: object) -> None:
    setattr(ctx.ensure_object(Settings), str(param.name), value)


def source_options(command: F) -> F:
    """Add the options of commands that read an image of an archive or of a registry."""
    for option in (
        click.option("--platform", metavar="OS/ARCH", expose_value=False, callback=_set,
                     help="Of an archive, a registry or an engine that has the image for several."),
        click.option("--tls-verify/--no-tls-verify", default=True, expose_value=False, callback=_set,
                     help="Whether a registry needs a good certificate; without, plain http will do, too."),
    ):  # fmt: skip
        command = option(command)
    return command
