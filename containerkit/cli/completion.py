"""Completion for shells: verbs and options, and the names of containers, images, networks and volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from .app import Settings

__all__ = ["COMMANDS", "complete_names"]

_VARIABLE = "_CONTAINERKIT_COMPLETE"
_PATIENCE = 3.0  # seconds; a shell that completes must not hang


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes verbs, options and names in a shell.

    \b
    containerkit completion bash > ~/.local/share/bash-completion/completions/containerkit
    containerkit completion zsh  > ~/.zfunc/_containerkit
    containerkit completion fish > ~/.config/fish/completions/containerkit.fish
    """
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(ctx.find_root().command, {}, "containerkit", _VARIABLE).source())


def complete_names(group: click.Group, kind: str = "") -> None:
    """Let the arguments of all commands complete names: the metavar or the group says of what."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            complete_names(command, {"network": "networks", "volume": "volumes"}.get(name, kind))
            continue
        if name in ("create", "pull", "search") and kind:
            continue  # the name is a new one
        for parameter in command.params:
            if isinstance(parameter, click.Argument) and (found := _kinds(parameter, kind)):
                parameter._custom_shell_complete = _completer(found)


def _kinds(parameter: click.Argument, kind: str) -> tuple[str, ...]:
    """Return the collections whose names an argument takes."""
    if parameter.name in ("container", "containers"):
        return ("containers",)
    if parameter.name in ("ref", "refs", "name", "names", "image"):
        if "CONTAINER" in (parameter.metavar or ""):
            return ("containers",)
        if parameter.metavar == "NAME..." and not kind:
            return ("containers", "images", "networks", "volumes")
        return (kind or "images",)
    return ()


def _completer(kinds: tuple[str, ...]) -> Callable[..., Any]:
    def complete(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[Any]:
        try:
            return [CompletionItem(name) for name in sorted(_names(ctx, kinds)) if name.startswith(typed)]
        except Exception:  # noqa: BLE001  without an engine there is nothing to complete
            return []

    return complete


def _names(ctx: click.Context, kinds: tuple[str, ...]) -> Iterator[str]:
    import containerkit as ck

    root = ctx.find_root()
    engine_name = root.params.get("engine") or ctx.params.get("engine") or ctx.ensure_object(Settings).engine
    with ck.connect(engine_name, timeout=_PATIENCE) as engine:
        for kind in kinds:
            options = {"all": True} if kind == "containers" else {}
            for each in getattr(engine, kind).list(**options):
                yield from each.last_record.refs if kind == "images" else (each.name,)


COMMANDS = (completion,)
