"""Commands on registries: log in, log out, search."""

from __future__ import annotations

import sys

import click

from .app import engine_option, open_engine, say_error
from .listing import filters_option, format_option, print_rows

__all__ = ["COMMANDS"]

_SERVER = click.argument("server", default="docker.io", metavar="[SERVER]")


def _registry(server: str) -> str:
    """Return the address without what old instructions have around it."""
    return server.partition("://")[2].partition("/")[0] if "://" in server else server.rstrip("/")


@click.command()
@click.option("--username", "-u", metavar="NAME", help="Name of the account.")
@click.option("--password", "-p", metavar="WORD", help="Password or token. Other users see it in the process list.")
@click.option("--password-stdin", is_flag=True, help="Read the password or token from stdin.")
@engine_option
@_SERVER
def login(server: str, username: str | None, password: str | None, password_stdin: bool) -> None:
    """Log in to a registry, and store the credentials where the engine's own command line does.

    \b
    echo "$TOKEN" | containerkit login -u me --password-stdin ghcr.io
    """
    if password is not None:
        if password_stdin:
            raise click.ClickException("--password and --password-stdin: one of them")
        say_error("other users can see --password in the process list; --password-stdin hides it")
    elif password_stdin:
        if username is None:
            raise click.ClickException("--password-stdin needs --username")
        password = sys.stdin.read().rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise click.ClickException("the input is no terminal: use --username and --password-stdin")
    username = username or click.prompt("Username", err=True)
    if password is None:
        password = click.prompt("Password", hide_input=True, err=True)
    if not username or not password:
        raise click.ClickException("the name and the password must not be empty")
    with open_engine() as engine:
        engine.login(username, password, _registry(server), store=True)
    click.echo("Login Succeeded")


@click.command()
@engine_option
@_SERVER
def logout(server: str) -> None:
    """Remove the stored credentials of a registry."""
    with open_engine() as engine:
        engine.logout(_registry(server))
    click.echo(f"Removing login credentials for {_registry(server)}")  # also without any, as docker does


_SEARCH = {"Name": "NAME", "Description": "DESCRIPTION", "StarCount": "STARS", "IsOfficial": "OFFICIAL"}


@click.command()
@click.option("--limit", type=click.IntRange(1, 100), metavar="NUMBER", help="Most results.")
@click.option("--no-trunc", is_flag=True, help="Print long values in full.")
@filters_option
@format_option
@engine_option
@click.argument("term")
def search(term: str, limit: int | None, no_trunc: bool, filters: dict[str, list[str]], template: str | None) -> None:
    """Search for images in the registry that the engine searches: Docker Hub, or those of Podman's registries.conf.

    \b
    containerkit search --filter is-official=true debian
    """
    with open_engine() as engine:
        found = engine.images.search(term, limit=limit, filters=filters)
    rows = [
        {
            "Name": each.name,
            "Description": each.description if no_trunc or len(each.description) <= 45 else f"{each.description[:44]}…",
            "StarCount": str(each.stars),
            "IsOfficial": "[OK]" if each.official else "",
        }
        for each in found
    ]
    print_rows(rows, _SEARCH, template)


COMMANDS = (login, logout, search)
