"""Engine.map on the engine in memory."""

from __future__ import annotations

import pytest

import containerkit as ck
from containerkit.testing import FakeBackend


def test_every_command_is_reported_in_order() -> None:
    """Results and errors, in the order of the commands; nothing is left."""
    backend = FakeBackend(images=["app:1"]).on("one", stdout="1").on("two", exit_code=2)
    with ck.connect(backend) as engine:
        found = engine.map("app:1", ["one", "two", "one"], max_concurrent=2, check=True)
        assert [each.command for each in found] == ["one", "two", "one"]
        assert [each.result.stdout if each.result else type(each.error) for each in found] == [
            "1",
            ck.CommandFailed,
            "1",
        ]
        assert engine.containers.list(all=True) == []
        assert [type(each.error) for each in engine.map("missing:1", ["one"])] == [ck.ImageNotFound]
        assert engine.map("app:1", []) == ()


@pytest.mark.parametrize(
    "wrong", [{"max_concurrent": 0}, {"name": "x"}, {"memory": "lots"}, {"commands": "one two"}, {"on_output": print}]
)
def test_bad_arguments_raise(wrong: dict[str, object]) -> None:
    """Before anything runs, or with the first run."""
    with ck.connect(FakeBackend(images=["app:1"]).on("one")) as engine, pytest.raises(ck.InvalidOption):
        given: dict[str, object] = {"commands": ["one"], **wrong}
        engine.map("app:1", **given)  # type: ignore[arg-type]
