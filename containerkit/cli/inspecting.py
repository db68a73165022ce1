"""The command `inspect`, for objects of one kind or of any."""

from __future__ import annotations

import json

import click

from .app import engine_option, open_engine, say_error

__all__ = ["inspect_command"]

_BROKEN = 64  # docker's exit code for a broken template
_COLLECTIONS = {"container": "containers", "image": "images", "network": "networks", "volume": "volumes"}


def inspect_command(kind: str | None) -> click.Command:
    """Return the command that prints what the engine knows about objects of one kind, or of any."""

    @click.command("inspect")
    @click.option(
        "--format", "-f", "template", metavar="TEMPLATE", help="json, or a Go template like {{.State.Status}}."
    )
    @engine_option
    @click.argument("names", nargs=-1, required=True, metavar="NAME...")
    @click.pass_context
    def inspect(ctx: click.Context, names: tuple[str, ...], template: str | None, type_: str | None = None) -> None:
        import containerkit as ck

        kinds = [type_ or kind] if type_ or kind else list(_COLLECTIONS)
        found, missing = [], False
        with open_engine() as engine:
            for name in names:
                for each in kinds:
                    try:
                        found.append(getattr(engine, _COLLECTIONS[str(each)]).get(name).inspect())
                        break
                    except (ck.NotFound, ck.InvalidOption, ck.InvalidReference):
                        continue
                else:
                    missing = True
                    say_error(f"no {kind or type_ or 'object'} {name}")
        if template in (None, "json"):
            click.echo(json.dumps(found, indent=4, default=str) if found else "[]")
        else:
            from .templates import TemplateError, fill

            try:
                for value in found:
                    click.echo(fill(str(template), value))
            except TemplateError as exc:
                exc.__dict__["exit_code"] = _BROKEN if exc.broken else 1  # click types it as a class variable
                raise
        ctx.exit(1 if missing else 0)

    inspect.help = f"Print what the engine knows about {f'{kind}s' if kind else 'objects'}, as JSON in its own form."
    if kind is None:
        types = click.Choice(list(_COLLECTIONS))
        inspect.params.append(click.Option(["--type", "type_"], type=types, help="Only objects of this kind."))
    return inspect
