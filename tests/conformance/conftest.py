"""The engine under test: the one that CK_HOST names, or this machine's."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

import containerkit as ck
from tests.registry.fixtures import registries
from tests.shell_image import NoBusybox
from tests.shell_image import shell_image as shell_image_of

__all__ = ["engine", "registries", "shell_image"]


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Restore Ctrl-C: a shell starts background tests with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def engine() -> Iterator[ck.Engine]:
    """Open the engine. No engine is a failure in CI, and a skip elsewhere."""
    try:
        opened = ck.connect(os.environ.get("CK_HOST"))
    except ck.EngineUnavailable as exc:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            raise
        pytest.skip(str(exc))
    with opened:
        yield opened
        labelled = {"label": [f"containerkit.session={opened._core.session.id}"]}
        left = opened.containers.list(all=True, filters=labelled)
        assert left == [], "the tests left containers behind"


@pytest.fixture(scope="session")
def shell_image(engine: ck.Engine) -> str:
    """Return the name of a small image with busybox and links to its programs."""
    try:
        return shell_image_of(engine)
    except NoBusybox as exc:
        pytest.skip(str(exc))
