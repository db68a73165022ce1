"""Registries for the tests: the fixture `registries`, started through pytest-docker from compose.yaml.

Compose is docker compose or podman-compose, whichever belongs to the engine under test. Where neither reaches the
engine, engines/engines.sh starts the registries as processes. Where that fails too, the test is skipped with the
reason; in CI it fails.
"""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
from pytest_docker.plugin import get_docker_services

import containerkit as ck
from engines.base_image import BuildError

from .image import PASSWORD, USER, build_registry_image

HERE = Path(__file__).resolve().parent
ENGINES = HERE.parents[1] / "engines" / "engines.sh"
CI = os.environ.get("CI", "").lower() in {"1", "true"}


@dataclass(frozen=True)
class Registries:
    """Two registries on the engine's 127.0.0.1: `open`, and `auth` for `user` with `password`."""

    open: str
    auth: str
    user: str = USER
    password: str = PASSWORD


def ours() -> str | None:
    """Return the name that engines.sh gave the engine under test, or None."""
    name = os.environ.get("CK_ENGINE")
    return name if name and "CK_ENGINE_ROOT" in os.environ else None


@functools.lru_cache(maxsize=1)
def kind() -> str:
    with ck.connect() as engine:
        return str(engine.kind)


def compose() -> str | None:
    """Return the command line of the engine's compose, or None."""
    if name := ours():
        if name.startswith("vm") or (kind() == "podman" and shutil.which("podman-compose") is None):
            return None
        return f'"{ENGINES}" compose {name}'
    if kind() == "podman":
        return "podman-compose" if shutil.which("podman-compose") and shutil.which("podman") else None
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return "docker compose"
    return None


def registry_image(folder: Path) -> Path:
    """Return the registry's image: from CK_REGISTRY_IMAGE, else built now, which needs a Debian mirror."""
    if given := os.environ.get("CK_REGISTRY_IMAGE"):
        return Path(given)
    try:
        return build_registry_image(folder / "registry.tar")
    except (BuildError, OSError) as exc:
        give_up(f"the registry's image cannot be built here: {exc}")


def give_up(reason: str) -> NoReturn:
    """Fail in CI, skip elsewhere."""
    if CI:
        pytest.fail(reason)
    pytest.skip(reason)


def accepts_http(engine: ck.Engine, registry: str) -> None:
    """Return whether the engine uses plain http: Docker does for 127.0.0.1, Podman if registries.conf allows it."""
    try:
        engine.images.pull(f"{registry}/containerkit/none:1")
    except ck.ImageNotFound:
        return
    except ck.PullFailed as exc:
        give_up(f"this engine takes no image from a registry without TLS: {exc}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def registries() -> Iterator[Registries]:
    """Yield the registries, started and answering."""
    if command := compose():
        ports = {"REGISTRY_OPEN_PORT": free_port(), "REGISTRY_AUTH_PORT": free_port()}
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
            for variable, port in ports.items():
                patch.setenv(variable, str(port))
            archive = registry_image(Path(folder))
            with ck.connect() as engine:
                engine.images.load(archive)
            project = f"ck-registry-{os.getpid()}"
            with get_docker_services(command, str(HERE / "compose.yaml"), project, ["up -d"], ["down -v"]):
                found = Registries(*(f"127.0.0.1:{port}" for port in ports.values()))
                wait_for(found)
                with ck.connect() as engine:
                    accepts_http(engine, found.open)
                yield found
        return
    name = ours()
    if name is None or name.startswith("vm"):  # the 127.0.0.1 of a virtual machine is another one
        give_up(f"no compose for this {kind()} here, and the engine is not one of engines.sh")
    beside = Registries("127.0.0.1:5001", "127.0.0.1:5002")
    subprocess.run([ENGINES, "registry", name, "5001", "noauth"], check=True)
    subprocess.run([ENGINES, "registry", name, "5002"], check=True)
    wait_for(beside)
    yield beside


def wait_for(registries: Registries, timeout: float = 20) -> None:
    """Wait until both answer HTTP; 401 is an answer."""
    for address in (registries.open, registries.auth):
        host, _, port = address.partition(":")
        deadline = time.monotonic() + timeout
        while not speaks_http(host, int(port)):
            if time.monotonic() > deadline:
                give_up(f"no registry answers on {address} after {timeout:.0f} s")
            time.sleep(0.1)


def speaks_http(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(b"GET /v2/ HTTP/1.0\r\nHost: registry\r\n\r\n")
            return connection.recv(5) == b"HTTP/"
    except OSError:
        return False
