"""The command line: parse, call a public function, print the result. Imports public names only."""

from __future__ import annotations

from importlib import import_module

from . import flags
from .app import app

__all__ = ["app", "main"]

_ROOMS = (
    "completion",
    "doctor",
    "processes",
    "engine",
    "container",
    "image",
    "resources",
    "registry",
    "watch",
    "layers",
    "isolation",
    "lab",
)
#: The verbs that are imported without the others, as importing those takes longer than a run.
_ALONE = dict.fromkeys(("run", "create", "start", "attach", "exec"), "processes")


def _load(verb: str | None) -> None:
    """Add one of the verbs of `_ALONE` to the program, or without a verb all commands."""
    for room in _ROOMS if verb is None else (_ALONE[verb],):
        for command in import_module(f".{room}", __name__).COMMANDS:
            app.add_command(command)
    if verb is not None:
        flags.accept_values(app._commands[verb])
        return
    from . import completion, groups

    for group in groups.groups(app):
        app.add_command(group)
    completion.complete_names(app)
    flags.accept_values(app)


app.load, app.alone = _load, frozenset(_ALONE)


def main() -> None:
    """Run the program `containerkit`."""
    app()
