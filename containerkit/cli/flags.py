"""Values of flags: `--rm=true` and `--sig-proxy=false`, as docker and podman take them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

__all__ = ["accept_values", "without_values"]

_WORDS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


def accept_values(command: click.Command) -> None:
    """Let the flags of a command, and of those in it, take a value."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            accept_values(each)
        return
    parse = command.parse_args

    def parse_args(ctx: click.Context, args: list[str]) -> list[str]:
        return parse(ctx, list(without_values(command, args)))

    if not hasattr(command, "accepts_values"):
        command.parse_args = parse_args  # type: ignore[method-assign]
        command.accepts_values = True  # type: ignore[attr-defined]


def without_values(command: click.Command, args: Sequence[str]) -> Iterator[str]:
    """Yield the arguments: `--rm` for `--rm=true`, nothing or `--no-rm` for `--rm=false`."""
    options = {
        name: each for each in command.params if isinstance(each, click.Option)
        for name in (*each.opts, *each.secondary_opts)
    }  # fmt: skip
    rest = iter(args)
    for arg in rest:
        name, equals, value = arg.partition("=")
        option = options.get(name) or options.get(f"-{name[-1:]}" if name[:2] != "--" and name[:1] == "-" else "")
        if arg == "--" or (
            not arg.startswith("-") and not command.context_settings.get("allow_interspersed_args", True)
        ):
            yield arg
            yield from rest
        elif option and option.is_flag and equals and name.startswith("--") and value.lower() in _WORDS:
            if _WORDS[value.lower()]:
                yield name
            elif option.secondary_opts:
                yield option.secondary_opts[0]
        else:
            yield arg
            if option and not option.is_flag and not equals and _ends_open(name, options):
                yield from (each for _, each in zip(range(1), rest, strict=False))


def _ends_open(arg: str, options: dict[str, click.Option]) -> bool:
    """Return whether the value of an option is the next argument: `-e A=1` and `-ite A=1`, but not `-eA=1`."""
    if arg.startswith("--"):
        return True
    for place, letter in enumerate(arg[1:], 1):
        option = options.get(f"-{letter}")
        if option is None or not option.is_flag:
            return place == len(arg) - 1
    return False
