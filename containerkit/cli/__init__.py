"""The command line: parse, call a public function, print the result. Imports public names only."""

from __future__ import annotations

from . import (
    completion,
    container,
    doctor,
    engine,
    flags,
    groups,
    image,
    isolation,
    lab,
    layers,
    processes,
    registry,
    resources,
    watch,
)
from .app import app

__all__ = ["app", "main"]

for _room in (
    completion,
    doctor,
    processes,
    engine,
    container,
    image,
    resources,
    registry,
    watch,
    layers,
    isolation,
    lab,
):
    for _command in _room.COMMANDS:
        app.add_command(_command)

for _group in groups.groups(app):
    app.add_command(_group)
completion.complete_names(app)
flags.accept_values(app)


def main() -> None:
    """Run the program `containerkit`."""
    app()
