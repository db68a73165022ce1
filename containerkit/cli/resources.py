"""Commands on networks and volumes, with the names, options and output of the docker command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .app import engine_option, open_engine
from .container import each_name
from .groups import prune_command
from .inspecting import inspect_command
from .listing import list_options, print_rows

__all__ = ["COMMANDS"]


# ---------------------------------------------------------------- networks and volumes
def _labels(each: Any) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(each.labels.items()))


def _network_row(each: Any, no_trunc: bool) -> dict[str, str]:
    return {
        "ID": each.id if no_trunc else each.id[:12],
        "Name": each.name,
        "Driver": each.driver,
        "Scope": str(each.record.raw.get("Scope") or "local"),
        "Internal": str(each.internal).lower(),
        "Labels": _labels(each),
    }


def _volume_row(each: Any, no_trunc: bool) -> dict[str, str]:
    return {
        "Driver": each.driver,
        "Name": each.name,
        "Mountpoint": each.mountpoint,
        "Scope": str(each.record.raw.get("Scope") or "local"),
        "Labels": _labels(each),
    }


def _option(name: str, target: str, metavar: str, text: str, *short: str) -> Callable[..., Any]:
    return click.option(name, *short, target, metavar=metavar, multiple=True, help=text)


def _group(
    kind: str,
    row: Callable[[Any, bool], dict[str, str]],
    columns: dict[str, str],
    identity: str,
    create_options: tuple[Callable[..., Any], ...],
) -> click.Group:
    """Return the group of commands on networks or volumes."""
    what = f"{kind}s"

    @click.command("ls", help=f"List {what}.")
    @list_options
    @engine_option
    def ls(quiet: bool, no_trunc: bool, noheading: bool, filters: dict[str, list[str]], template: str | None) -> None:
        with open_engine() as engine:
            found = sorted(getattr(engine, what).list(filters=filters), key=lambda each: str(each.name))
            rows = [row(each, no_trunc) for each in found]
        if quiet:
            for each in rows:
                click.echo(each[identity])
            return
        print_rows(rows, columns, template, heading=not noheading)

    @click.command("create", help=f"Create a {kind}, and print its {'ID' if kind == 'network' else 'name'}.")
    @click.option("--driver", "-d", metavar="NAME", help="Driver.")
    @_option("--label", "labels", "NAME=VALUE", f"Label the {kind}.", *(["-l"] if kind == "volume" else []))
    @_option("--opt", "options", "NAME=VALUE", "Option of the driver.", "-o")
    @engine_option
    @click.argument("ref", metavar="NAME", required=kind == "network")
    def create(ref: str | None, **given: Any) -> None:
        import containerkit as ck

        options = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if value}
        with open_engine() as engine:
            try:
                made = getattr(engine, what).create(ref, keep=True, **options)
            except ck.NameInUse:
                if kind == "network":
                    raise
                made = engine.volumes.get(str(ref))  # as docker does
            click.echo(made.id if kind == "network" else made.name)

    for option in reversed(create_options):
        create = option(create)

    @click.command("rm", help=f"Remove {what}.")
    @click.option("--force", "-f", is_flag=True, help="A missing one is no error.")
    @engine_option
    @click.argument("refs", nargs=-1, required=True, metavar="NAME...")
    def rm(refs: tuple[str, ...], force: bool) -> None:
        printed = force and kind == "volume"  # as docker does
        each_name(refs, lambda engine, ref: getattr(engine, what).remove(ref), missing_ok=force, print_missing=printed)

    commands = [ls, create, rm, inspect_command(kind), prune_command(kind)]
    group = click.Group(kind, commands=commands, help=f"Commands on {what}.")
    group.add_command(ls, "list")
    group.add_command(rm, "remove")
    return group


network = _group(
    "network",
    _network_row,
    {"ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE"},
    "ID",
    (
        click.option("--subnet", metavar="CIDR", help="Addresses of the network."),
        click.option("--gateway", metavar="ADDRESS", help="Address of the gateway."),
        click.option("--ip-range", metavar="CIDR", help="Addresses that containers get."),
        click.option("--ipv6", is_flag=True, help="Give containers IPv6 addresses too."),
        click.option("--internal", is_flag=True, help="No way out of the network."),
    ),
)
volume = _group("volume", _volume_row, {"Driver": "DRIVER", "Name": "VOLUME NAME"}, "Name", ())


@network.command("connect")
@_option("--alias", "aliases", "NAME", "One more name of the container there.")
@click.option("--ip", metavar="ADDRESS", help="IPv4 address of the container there.")
@click.option("--ip6", metavar="ADDRESS", help="IPv6 address of the container there.")
@engine_option
@click.argument("ref", metavar="NETWORK")
@click.argument("container")
def connect(ref: str, container: str, aliases: tuple[str, ...], **given: Any) -> None:
    """Connect a container to a network."""
    with open_engine() as engine:
        engine.networks.get(ref).connect(container, aliases=list(aliases), **given)


@network.command("disconnect")
@click.option("--force", "-f", is_flag=True, help="Disconnect it in any state.")
@engine_option
@click.argument("ref", metavar="NETWORK")
@click.argument("container")
def disconnect(ref: str, container: str, force: bool) -> None:
    """Disconnect a container from a network."""
    with open_engine() as engine:
        engine.networks.get(ref).disconnect(container, force=force)


COMMANDS = (inspect_command(None), network, volume)
