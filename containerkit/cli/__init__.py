"""The command line: it parses, calls, and prints. Whatever it knows, the public names told it."""

from __future__ import annotations

from . import about_engine, about_isolation, about_layers
from .app import app

__all__ = ["app", "main"]

for _room in (about_engine, about_layers, about_isolation):
    for _command in _room.COMMANDS:
        app.add_command(_command)


def main() -> None:
    """The program `containerkit`."""
    app()
