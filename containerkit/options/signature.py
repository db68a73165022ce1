"""Show the options of a table in the signature and the help of a function that takes **options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from .table import Table

F = TypeVar("F", bound=Callable[..., Any])


def with_options(table: Table, **defaults: Any) -> Callable[[F], F]:
    """Return a decorator that names every option of a table as a keyword-only parameter, with its documentation.

    The function keeps its **options; only `inspect.signature` and `help` change.

    Args:
        defaults: options whose default differs from the table's for this function.

    Example:
        @with_options(RUN)
        def run(self, image, command=None, **options: Unpack[RunOptions]) -> RunResult: ...
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        taken = {each.name for each in own}
        rows = [row for row in table.values() if row.name not in taken]
        kind = inspect.Parameter.KEYWORD_ONLY
        named = [
            inspect.Parameter(row.name, kind, default=defaults.get(row.name, row.default), annotation=row.annotation)
            for row in rows
        ]
        function.__signature__ = signature.replace(parameters=[*own, *named])  # type: ignore[attr-defined]
        function.option_names = frozenset(row.name for row in rows)  # type: ignore[attr-defined]
        lines = "\n".join(f"    {row.name}: {row.doc}" for row in rows)
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nOptions:\n{lines}\n"
        return function

    return decorate
