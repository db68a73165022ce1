"""The engine under test: the one that CK_HOST names, or the one of this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.testing.archives import ImageBuilder
from tests.registry.fixtures import registries

__all__ = ["engine", "registries", "shell_image"]

SHELL = "docker.io/containerkit/shell:1"


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C counts, also where a shell started the tests in the background, and so with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def engine() -> Iterator[ck.Engine]:
    """An open Engine. No engine is a failure in CI, and a skip with its reason elsewhere."""
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
    """A small local image with busybox, its applets linked."""
    for name in ("docker.io/lab/busybox:1", SHELL):
        if engine.images.exists(name):
            return name
    busybox = Path(shutil.which("busybox") or "/bin/busybox")
    if not busybox.exists():
        pytest.skip("no image with a shell here, and no busybox to make one of (apt install busybox-static)")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    links = {f"bin/{name}": "busybox" for name in applets if name != "busybox"}
    users = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n"}
    builder = ImageBuilder().layer(
        files={"bin/busybox": busybox, **users}, symlinks=links, dirs=["tmp", "root", "proc", "sys", "dev", "var"]
    )
    engine.images.load(builder.run_config(Env=["PATH=/bin"], Cmd=["sh"]).tag(SHELL).to_docker_archive())
    return SHELL
