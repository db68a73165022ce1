"""Values without a table of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from containerkit.display import Table, json_ready, tables_of


@dataclass(frozen=True)
class Part:
    name: str
    disk_bytes: int | None


@dataclass(frozen=True)
class Whole:
    ratio: float
    total_bytes: int
    efficiency: float
    duration: float
    parts: tuple[Part, ...]
    labels: dict[str, str]
    raw: dict[str, Any] = field(default_factory=lambda: {"Engine": "words"}, repr=False)


WHOLE = Whole(9.2, 1000, 0.66, 0.2, (Part("a", 5), Part("b", None)), {"x": "1"})


def test_a_value_is_told_by_its_facts_and_a_table_for_each_list() -> None:
    """Names say what a number is: bytes, a ratio, a share, seconds."""
    facts, parts = tables_of(WHOLE, "Whole")
    assert facts.texts() == [
        ["ratio", "9.20×"],
        ["total", "1.00 kB"],
        ["efficiency", "66.0 %"],
        ["duration", "200 ms"],
        ["labels: x", "1"],
    ]
    assert (parts.title, parts.columns, parts.texts()) == ("parts", ("name", "disk"), [["a", "5 B"], ["b", "unknown"]])


def test_json_has_the_fields_but_not_the_engines_raw_answers() -> None:
    """A value's own to_dict() goes first."""
    assert json_ready(WHOLE)["parts"] == [{"name": "a", "disk_bytes": 5}, {"name": "b", "disk_bytes": None}]
    assert "raw" not in json_ready(WHOLE)
    assert json_ready([Table("t", ["a"], [[1]])])[0]["title"] == "t"


def test_a_value_with_a_table_shows_that() -> None:
    """Its own table() goes first."""
    own = Table("own", ["a"], [])

    class Value:
        def table(self) -> Table:
            return own

    assert tables_of(Value(), "other") == (own,)


def test_lists_of_anything_become_a_table() -> None:
    """Of mappings, of lists of different lengths, of plain values."""
    assert tables_of([{"a": 1}, {"b": 2}])[0].texts() == [["1", ""], ["", "2"]]
    assert tables_of([["a", "b"], ["c"]])[0].texts() == [["a", "b"], ["c", ""]]
    assert tables_of(["a", ["b", "c"]])[0].texts() == [["a"], ["b, c"]]
    assert tables_of(3)[0].texts() == [["3"]]
