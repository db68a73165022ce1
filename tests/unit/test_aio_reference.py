"""The types of the async face follow the synchronous classes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from docs.make_aio import COMMAND, PAGE, stub


def statements(source: str) -> Iterator[str]:
    """Yield each statement in a form that does not depend on the format, and each imported name on its own."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names)
        else:
            yield ast.unparse(node)


def test_the_types_are_those_of_the_synchronous_classes() -> None:
    """`__init__.pyi` is what `python docs/make_aio.py` writes."""
    assert sorted(statements(PAGE.read_text())) == sorted(statements(stub())), f"run `{COMMAND}`"
