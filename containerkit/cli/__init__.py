"""The command line: parse, call a public function, print the result. Imports public names only."""

from __future__ import annotations

from . import about_engine, about_isolation, about_layers, container, image
from .app import app

__all__ = ["app", "main"]

for _room in (about_engine, container, image, about_layers, about_isolation):
    for _command in _room.COMMANDS:
        app.add_command(_command)


def main() -> None:
    """Run the program `containerkit`."""
    app()
