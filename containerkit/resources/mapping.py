"""Run many commands of one image, a few at a time, and report every one: its result, or what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ContainerKitError, InvalidOption
from ..options import parse_integer
from ..values import Value, ValueTuple
from .process import RunResult
from .run import run

if TYPE_CHECKING:
    from .core import Core

__all__ = ["Mapped", "map_runs"]


@dataclass(frozen=True, slots=True)
class Mapped(Value):
    """One run of :meth:`Engine.map`.

    Attributes:
        command: as it was given.
        result: its output and exit code; None if the run has no result.
        error: the reason of a missing result (no image, no time left, a lost node); else None.
    """

    command: Any
    result: RunResult | None
    error: ContainerKitError | None


def map_runs(
    core: Core, image: str, commands: Iterable[Any], options: Mapping[str, Any], *, max_concurrent: int
) -> ValueTuple[Mapped]:
    """Run each command at most once. See :meth:`Engine.map`."""
    workers = parse_integer("max_concurrent", max_concurrent, low=1, high=1000)
    if isinstance(commands, (str, bytes)):
        raise InvalidOption("commands", commands, "an iterable of commands")
    for name in ("name", "on_output"):
        if options.get(name) is not None:
            raise InvalidOption(name, options[name], "nothing: map() runs many containers")

    def one(command: Any) -> Mapped:
        try:
            return Mapped(command, run(core, image, command, options), None)
        except InvalidOption:
            raise
        except ContainerKitError as exc:
            return Mapped(command, None, exc)

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(one, command) for command in commands]
        try:
            return ValueTuple(future.result() for future in futures)
        finally:
            for future in futures:
                future.cancel()
