"""Fixtures of the examples: the engine under test, and the image that pages and notebooks name."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.labs import BASE_IMAGE
from containerkit.testing.archives import ImageBuilder
from tests.examples.tcpdump_image import TCPDUMP

SHELL = "busybox:1"
IN_FULL = f"docker.io/library/{SHELL}"  # as a pull names it; Podman loads a short name as localhost/…


@pytest.fixture(scope="module")
def engine() -> Iterator[ck.Engine]:
    """Open the engine under test. No engine is a failure in CI, and a skip elsewhere."""
    try:
        opened = ck.connect()
    except ck.EngineUnavailable as exc:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            raise
        pytest.skip(str(exc))
    with opened:
        yield opened


def busybox(engine: ck.Engine) -> tuple[bytes, list[str]] | None:
    """Return the program and its applet names: from the image of engines.sh, else from this machine."""
    if engine.images.exists("lab/busybox:1"):
        with engine.containers.create("lab/busybox:1") as container:
            program = container.read_file("/bin/busybox")
        return program, engine.run("lab/busybox:1", "busybox --list", check=True).stdout.split()
    path = Path(shutil.which("busybox") or "/bin/busybox")
    if not path.exists():
        return None
    applets = subprocess.run([path, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return path.read_bytes(), applets


def make_shell(engine: ck.Engine) -> bool:
    """Load busybox:1; return False if there is no busybox to make it from."""
    found = busybox(engine)
    if found is None:
        return False
    program, applets = found
    users = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n"}
    builder = ImageBuilder().layer(
        files={"bin/busybox": program, **users},
        modes={"bin/busybox": 0o755},
        symlinks={f"bin/{name}": "busybox" for name in applets if name != "busybox"},
        dirs=["tmp", "root", "proc", "sys", "dev", "var"],
        created_by="COPY busybox /bin/",
    )
    engine.images.load(builder.run_config(Env=["PATH=/bin"], Cmd=["sh"]).tag(IN_FULL).to_docker_archive())
    return True


@pytest.fixture(scope="module")
def shell(engine: ck.Engine) -> Iterator[None]:
    """Provide the image that the pages name; remove it if this fixture loaded it."""
    if engine.images.exists(SHELL):
        yield
        return
    if not make_shell(engine):
        pytest.skip("no busybox:1 here, and no busybox to make one of (apt install busybox-static)")
    yield
    engine.images.remove(SHELL, force=True)


@pytest.fixture(scope="session")
def tcpdump_archive(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Return the archive with tcpdump that noxfile.py made, or None where there is none."""
    given = os.environ.get("CK_TCPDUMP_IMAGE")
    return Path(given) if given and Path(given).exists() else None


@pytest.fixture(scope="module")
def tcpdump(engine: ck.Engine, tcpdump_archive: Path | None) -> Iterator[None]:
    """Provide the image with tcpdump under the name of the labs' own, where its archive is; remove it at the end."""
    if tcpdump_archive is None or engine.images.exists(BASE_IMAGE):
        yield
        return
    loaded = engine.images.load(tcpdump_archive)
    install = f'FROM {TCPDUMP}\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
    engine.images.build({"Dockerfile": install}, tag=BASE_IMAGE)
    yield
    for name in (BASE_IMAGE, *(image.id for image in loaded)):
        engine.images.remove(name, force=True)


def everything(engine: ck.Engine) -> set[str]:
    """Return all objects on the engine, by kind and ID or name."""
    return {
        *(f"container {each.id}" for each in engine.containers.list(all=True)),
        *(f"image {name}" for each in engine.images.list() for name in each.refs or (each.id,)),
        *(f"network {each.name}" for each in engine.networks.list()),
        *(f"volume {each.name}" for each in engine.volumes.list()),
    }
