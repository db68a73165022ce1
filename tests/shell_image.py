"""A small image with a shell, for tests on engines."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import containerkit as ck
from containerkit.testing.archives import ImageBuilder

__all__ = ["NoBusybox", "shell_image"]

_NAMES = ("docker.io/lab/busybox:1", "docker.io/containerkit/shell:1")


class NoBusybox(Exception):
    """There is no busybox on this machine to make an image of."""


def shell_image(engine: ck.Engine) -> str:
    """Return the name of an image with busybox and links to its programs; make and load it if it is missing.

    Raises:
        NoBusybox: the image is missing, and this machine has no busybox.
    """
    for name in _NAMES:
        if engine.images.exists(name):
            return name
    busybox = Path(shutil.which("busybox") or "/bin/busybox")
    if not busybox.exists():
        raise NoBusybox("no image with a shell here, and no busybox to make one of (apt install busybox-static)")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    links = {f"bin/{name}": "busybox" for name in applets if name != "busybox"}
    users = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n"}
    builder = ImageBuilder().layer(
        files={"bin/busybox": busybox, **users}, symlinks=links, dirs=["tmp", "root", "proc", "sys", "dev", "var"]
    )
    built = builder.run_config(Env=["PATH=/bin"], Cmd=["sh"]).tag(_NAMES[-1])
    engine.images.load(built.to_docker_archive())
    return _NAMES[-1]
