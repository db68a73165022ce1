"""Management forms of the docker command line: `container ls` is `ps`, `image rm` is `rmi`; and `prune`."""

from __future__ import annotations

import click

from .app import engine_option, open_engine

__all__ = ["groups"]

#: Group -> {its word: the command of the short form}.
_FORMS = {
    "container": {
        "ls": "ps", "list": "ps", "ps": "ps",
        **{name: name for name in (
            "attach", "commit", "cp", "create", "diff", "exec", "inspect", "kill", "logs", "pause", "port", "rename",
            "restart", "rm", "run", "start", "stop", "top", "unpause", "wait",
        )},
    },
    "image": {
        "ls": "images", "list": "images", "rm": "rmi",
        **{name: name for name in ("build", "history", "inspect", "load", "pull", "save", "tag")},
    },
}  # fmt: skip


def groups(app: click.Group) -> list[click.Group]:
    """Return the groups `container` and `image`, whose commands are those of the program."""
    return [
        click.Group(
            group,
            commands={**{word: app.commands[name] for word, name in forms.items()}, "prune": _prune(group)},
            help=f"Commands on {group}s, also available without the word {group}.",
        )
        for group, forms in _FORMS.items()
    ]


def _prune(group: str) -> click.Command:
    """Return the command that removes what is unused."""

    @click.command("prune", help=f"Remove {'stopped containers' if group == 'container' else 'images without a name'}.")
    @click.option("--force", "-f", is_flag=True, help="Do not ask.")
    @engine_option
    @click.pass_context
    def prune(ctx: click.Context, force: bool) -> None:
        if not force:
            click.confirm(f"Remove all unused {group}s?", abort=True)
        with open_engine(ctx) as engine:
            found = engine.containers.prune() if group == "container" else engine.images.prune()
        for name in found.removed:
            click.echo(name)

    return prune
