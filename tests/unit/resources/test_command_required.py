"""A container without any command is StartFailed, whatever the engine calls it; other failures stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import containerkit as ck
from containerkit.errors import EngineError
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(
    ("config", "options", "kind"),
    [
        ({}, {}, ck.StartFailed),
        ({}, {"entrypoint": ""}, ck.StartFailed),
        ({"Cmd": ["/a"]}, {"entrypoint": ""}, ck.StartFailed),
        ({"Cmd": ["/a"]}, {}, EngineError),
        ({"Entrypoint": ["/a"]}, {}, EngineError),
        ({}, {"command": "/a"}, EngineError),
        ({}, {"entrypoint": "/a"}, EngineError),
    ],
)
def test_a_create_that_the_engine_refuses(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, list[str]], options: dict[str, Any], kind: type, status: int
) -> None:
    """It is StartFailed with code 127 only if neither the image nor the call names a command."""
    backend = FakeBackend()
    backend.add_image("a:1", ImageBuilder().layer(files={"a": "b"}).run_config(**config))
    monkeypatch.setattr(backend, "create_container", _fail(EngineError("refused", status=status)))
    with ck.connect(backend) as engine, pytest.raises(kind) as caught:
        engine.start("a:1", **options)
    assert type(caught.value) is kind
    assert getattr(caught.value, "exit_code", 127) == 127


def test_a_pull_that_fails_is_no_missing_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is raised, also with a status of the engine."""
    backend = FakeBackend()
    monkeypatch.setattr(backend, "create_container", _fail(ck.PullFailed("no route", status=500)))
    with ck.connect(backend) as engine, pytest.raises(ck.PullFailed, match="no route"):
        engine.start("missing:1")


def _fail(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail
