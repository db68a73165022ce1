"""Value: base of the frozen dataclasses that users receive, and how they show themselves in a notebook."""

from __future__ import annotations

from typing import Any, TypeVar

from ._json import fields_json, json_ready

__all__ = ["PrintedValue", "Shown", "Value", "ValueList", "ValueTuple", "json_ready"]

T = TypeVar("T")


class Shown:
    """Mixin of what a notebook shows as tables."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from .display import html_of

        return html_of(self)


class Value(Shown):
    """Base of the frozen dataclasses that users receive."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready types, without those that the repr omits (raw responses, secrets)."""
        return fields_json(self)


class _Printed:
    __slots__ = ()

    def __str__(self) -> str:
        from .display import text_of

        return text_of(self)


class PrintedValue(_Printed, Value):
    """A Value that print() shows as tables."""

    __slots__ = ()


class ValueList(_Printed, list[T], Shown):
    """A list that print() and a notebook show as a table."""

    __slots__ = ()


class ValueTuple(_Printed, tuple[T, ...], Shown):
    """A tuple that print() and a notebook show as a table."""

    __slots__ = ()
