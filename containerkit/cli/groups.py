"""Management forms of the docker command line: `container ls` is `ps`, `image rm` is `rmi`; and `prune`."""

from __future__ import annotations

from typing import Any

import click

from .app import engine_option, open_engine
from .inspecting import inspect_command
from .listing import long_filters_option, size_text

__all__ = ["groups", "prune_command"]

#: Group -> {its word: the command of the short form}.
_FORMS = {
    "container": {
        "ls": "ps", "list": "ps", "ps": "ps",
        **{name: name for name in (
            "attach", "commit", "cp", "create", "diff", "exec", "export", "kill", "logs", "pause", "port", "rename",
            "restart", "rm", "run", "start", "stats", "stop", "top", "unpause", "update", "wait",
        )},
    },
    "image": {
        "ls": "images", "list": "images", "rm": "rmi", "remove": "rmi",
        **{name: name for name in ("build", "history", "import", "load", "pull", "push", "save", "tag")},
    },
    "system": {"df": "df", "events": "events", "info": "info"},
}  # fmt: skip
_PRUNED = {
    "container": "stopped containers",
    "image": "images without a name",
    "network": "networks without a container",
    "volume": "anonymous volumes that no container uses",
}


def groups(app: click.Group) -> list[click.Group]:
    """Return the groups `container`, `image` and `system`, whose commands are those of the program."""
    found = []
    for kind, forms in _FORMS.items():
        commands: dict[str, click.Command] = {word: app.commands[name] for word, name in forms.items()}
        if kind == "system":
            commands["prune"] = system_prune
        else:
            commands |= {"prune": prune_command(kind), "inspect": inspect_command(kind)}
        what = "the engine" if kind == "system" else f"{kind}s, also available without the word {kind}"
        found.append(click.Group(kind, commands=commands, help=f"Commands on {what}."))
    found.append(click.Group("builder", commands={"prune": builder_prune}, help="Commands on the build cache."))
    return found


@click.command("prune")
@click.option("--force", "-f", is_flag=True, help="Do not ask.")
@click.option("--all", "-a", "everything", is_flag=True, help="Also what a later build could use.")
@engine_option
def builder_prune(force: bool, everything: bool) -> None:
    """Remove the build cache."""
    if not force:
        click.confirm("Remove the build cache that no build uses?", abort=True)
    with open_engine() as engine:
        pruned = engine.images.prune_build_cache(all=everything)
    for identity in pruned:
        click.echo(identity)
    click.echo(f"Total reclaimed space: {size_text(pruned.bytes or 0)}")


def prune_command(kind: str) -> click.Command:
    """Return the command that removes what is unused."""

    @click.command("prune", help=f"Remove {_PRUNED[kind]}.")
    @click.option("--force", "-f", is_flag=True, help="Do not ask.")
    @long_filters_option
    @engine_option
    def prune(force: bool, filters: dict[str, list[str]], everything: bool = False) -> None:
        if not force:
            click.confirm(f"Remove all {_PRUNED[kind]}?", abort=True)
        options: dict[str, Any] = {"all": True} if everything else {}
        with open_engine() as engine:
            _report([(kind, getattr(engine, f"{kind}s").prune(filters=filters, **options))])

    if kind in ("image", "volume"):
        text = "All that no container uses, not only those without a name."
        prune.params.append(click.Option(["--all", "-a", "everything"], is_flag=True, help=text))
    return prune


def _report(pruned: list[tuple[str, Any]]) -> None:
    """Print what was removed, as docker does."""
    for kind, found in pruned:
        if found.removed:
            click.echo(f"Deleted {kind.capitalize()}s:")
            click.echo("\n".join(found.removed) + "\n")
    freed = [found.bytes for _, found in pruned if found.bytes is not None]
    nothing = not any(found.removed for _, found in pruned)
    if (freed or nothing) and pruned[0][0] != "network":
        click.echo(f"Total reclaimed space: {size_text(sum(freed))}")


@click.command("prune")
@click.option("--force", "-f", is_flag=True, help="Do not ask.")
@click.option("--all", "-a", "everything", is_flag=True, help="All images that no container uses.")
@click.option("--volumes", is_flag=True, help="Anonymous volumes that no container uses, too.")
@long_filters_option
@engine_option
def system_prune(force: bool, everything: bool, volumes: bool, filters: dict[str, list[str]]) -> None:
    """Remove stopped containers, unused networks, and images without a name. The build cache stays."""
    if not force:
        click.confirm("Remove all stopped containers, unused networks and unnamed images?", abort=True)
    with open_engine() as engine:
        pruned = [
            ("container", engine.containers.prune(filters=filters)),
            ("network", engine.networks.prune(filters=filters)),
            *([("volume", engine.volumes.prune(filters=filters))] if volumes else []),
            ("image", engine.images.prune(all=everything, filters=filters)),
        ]
    _report(pruned)
