"""Scenarios: volumes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    InUse,
    InvalidOption,
    NameInUse,
)
from .base import (
    SLEEP,
    Scenarios,
    Untouchable,
    fresh_name,
    needs,
)


class VolumeScenarios(Scenarios):
    """Volumes."""

    @needs(Capability.PROCESSES)
    def test_volume_keeps_data(self, engine: Engine, shell_image: str, volume: str) -> None:
        """A second container reads what the first one wrote."""
        engine.run(shell_image, ["sh", "-c", "echo data >/v/f"], volumes={volume: "/v"}, check=True)
        assert engine.run(shell_image, ["cat", "/v/f"], volumes={volume: "/v"}).stdout == "data\n"

    def test_volume_tells_of_itself(self, engine: Engine) -> None:
        """Name, driver, labels and mountpoint are known."""
        with engine.volumes.create(fresh_name("vol"), labels={"a": "1"}) as made:
            found = engine.volumes.get(made.name)
            assert found == made
            assert found.driver == "local"
            assert found.labels["a"] == "1"
            assert found.mountpoint.startswith("/")
            assert abs(found.created - time.time()) < 60

    def test_volume_without_name(self, engine: Engine) -> None:
        """A volume without a name gets one."""
        with engine.volumes.create() as made:
            assert len(made.name) > 8
            assert engine.volumes.exists(made.name)

    def test_volume_name_in_use(self, engine: Engine, volume: str) -> None:
        """A taken name raises NameInUse."""
        with pytest.raises(NameInUse):
            engine.volumes.create(volume)
        assert engine.volumes.exists(volume)

    @pytest.mark.parametrize("running", [True, False], ids=["running", "created"])
    def test_volume_in_use(self, engine: Engine, shell_image: str, volume: str, running: bool) -> None:
        """Removing a volume that a container uses raises InUse."""
        with engine.containers.create(shell_image, SLEEP, volumes={volume: "/v"}) as container:
            if running:
                container.start()
            with pytest.raises(InUse):
                engine.volumes.remove(volume)
        assert engine.volumes.exists(volume)

    @pytest.mark.parametrize("how", ["label", "name"])
    def test_volume_list_filter(self, engine: Engine, volume: str, how: str) -> None:
        """A filter finds one volume and not the other."""
        mark = fresh_name()
        with engine.volumes.create(mark, labels={"mark": mark}) as made:
            filters: Mapping[str, Any] = {"label": [f"mark={mark}"]} if how == "label" else {"name": mark}
            assert engine.volumes.list(filters=filters) == [made]
            assert {volume, mark} <= {item.name for item in engine.volumes.list()}

    def test_volume_prune(self, engine: Engine, shell_image: str) -> None:
        """prune(all=True) removes every unused volume that matches; without `all`, named volumes stay."""
        mark = fresh_name()
        filters = {"label": [f"mark={mark}"]}
        with (
            engine.volumes.create(fresh_name("vol"), labels={"mark": mark}) as unused,
            engine.volumes.create(fresh_name("vol"), labels={"mark": mark}) as used,
            engine.containers.create(shell_image, volumes={used.name: "/v"}),
        ):
            assert engine.volumes.prune(filters=filters).removed == ()
            assert engine.volumes.prune(all=True, filters=filters).removed == (unused.name,)
            assert engine.volumes.exists(used.name)

    @pytest.mark.parametrize(
        ("name", "options"),
        [("", {}), ("a/b", {}), ("a\0b", {}), (5, {}), ("ok-name", {"labels": 5}), ("ok-name", {"size": 1})], ids=repr,
    )  # fmt: skip
    def test_volume_bad_input(self, engine: Engine, name: Any, options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """An invalid name or option raises InvalidOption before anything is sent."""
        monkeypatch.setattr(engine._core, "_backend", Untouchable(engine._core.backend))
        with pytest.raises(InvalidOption):
            engine.volumes.create(name, **options)
