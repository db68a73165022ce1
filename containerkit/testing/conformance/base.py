"""What the scenarios have in common: fixtures, names, small images, and what an engine has to declare."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import tempfile
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ...backends._peer import engine_root
from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    EngineError,
    ImageNotFound,
)
from ...resources.container import Container
from ..archives import ImageBuilder

__all__ = [
    "POLITE",
    "SERVER",
    "SLEEP",
    "STUBBORN",
    "Scenarios",
    "Untouchable",
    "fetches",
    "finds",
    "free_port",
    "fresh_name",
    "http_get",
    "image_name",
    "kind_of",
    "needs",
    "require",
    "shares_files",
    "shell",
    "tiny_image",
]

SLEEP = ["sleep", "600"]
#: Says "ready", and on TERM "bye" and ends with 7.
POLITE = ["sh", "-c", "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.1; done"]
#: Says "ready", and never ends.
STUBBORN = ["sh", "-c", "trap '' TERM INT HUP; echo ready; while :; do sleep 0.1; done"]
#: Serves "hello" at port 8080.
SERVER = ["sh", "-c", "mkdir -p /tmp/www; echo hello >/tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"]

F = TypeVar("F", bound=Callable[..., Any])


def needs(*capabilities: Capability) -> Callable[[F], F]:
    """Marks a scenario that an engine without these capabilities cannot be asked; there it is skipped, and says so."""

    def mark(function: F) -> F:
        function.needs = capabilities  # type: ignore[attr-defined]
        return function

    return mark


def require(engine: Engine, *capabilities: Capability) -> None:
    """Skip the rest where the engine does not declare these."""
    missing = [capability.value for capability in capabilities if capability not in engine.capabilities]
    if missing:
        pytest.skip(f"this engine declares no {', '.join(missing)}")


def kind_of(source: str) -> str:
    """Of a mount, by its source."""
    return "bind" if source.startswith("/") else "volume"


def fresh_name(word: str = "t") -> str:
    """A name that nothing has."""
    return f"ck-{word}-{uuid.uuid4().hex[:12]}"


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def http_get(url: str) -> str:
    """What is served there, asked without a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return str(answer.read().decode())


def tiny_image() -> ImageBuilder:
    """An image like no other, without a program."""
    return ImageBuilder().layer(files={"id.txt": uuid.uuid4().hex}).run_config(Cmd=["/none"])


class Untouchable:
    """A backend that may be asked what it is, and nothing more."""

    def __init__(self, backend: Any) -> None:
        self.kind, self.url, self.capabilities = backend.kind, backend.url, backend.capabilities

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise AssertionError(f"{name}() was about to be sent")

        return refuse


@contextlib.contextmanager
def image_name(engine: Engine, ref: str | None = None) -> Iterator[str]:
    """A name that is no image's before and after."""
    ref = ref or f"docker.io/containerkit/{fresh_name()}:1"
    try:
        yield ref
    finally:
        with contextlib.suppress(ImageNotFound):
            engine.images.remove(ref, force=True)


def shell(container: Container, line: str) -> str:
    return container.exec(["sh", "-c", line], check=True).stdout.strip()


def finds(name: str, address: str) -> str:
    """A shell line that succeeds if the name leads to the address; a static busybox resolves nothing by itself."""
    if name == address:
        return "true"
    return f"nslookup {name} 2>/dev/null | grep -q -w {address}"


def fetches(address: str) -> str:
    """A shell line that prints what the server at that address says; a static busybox's wget looks up too much."""
    return f"printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 10 {address} 8080 | tail -n1"


@functools.cache
def shares_files(engine: Engine, shell_image: str) -> bool:
    """Whether a folder of this machine can be bound: not on an engine in a machine of its own.

    On an engine whose own files can be seen from here it has to be, and is not passed over where it is not.
    """
    with tempfile.TemporaryDirectory(prefix="ck-bind-") as path:
        os.chmod(path, 0o755)  # a rootless engine is another user
        Path(path, "here").touch()
        with contextlib.suppress(EngineError):
            if engine.run(shell_image, ["ls", "/m/here"], volumes=f"{path}:/m").exit_code == 0:
                return True
    here, _ = engine_root(engine.url)
    assert here is None, f"the engine at {engine.url} is of this machine, and shows no folder of it"
    return False


class Scenarios:
    """Fixtures that the scenarios share; `engine` and `shell_image` come from who runs them."""

    @pytest.fixture(autouse=True)
    def _as_declared(self, request: pytest.FixtureRequest, engine: Engine) -> None:
        """Skip what needs a capability that the engine does not declare."""
        require(engine, *getattr(request.function, "needs", ()))

    @pytest.fixture
    def box(self, engine: Engine, shell_image: str) -> Iterator[Container]:
        """A container that sleeps."""
        with engine.start(shell_image, SLEEP) as container:
            yield container

    @pytest.fixture
    def folder(self, engine: Engine, shell_image: str) -> Iterator[Path]:
        """A folder that the engine's host has too, and everybody may write to."""
        if not shares_files(engine, shell_image):
            pytest.skip("this engine runs on another machine: a bind mount shows that one's files")
        path = Path(tempfile.mkdtemp(prefix="ck-bind-"))
        path.chmod(0o777)
        yield path
        shutil.rmtree(path, ignore_errors=True)

    @pytest.fixture
    def volume(self, engine: Engine) -> Iterator[str]:
        """The name of a new volume."""
        with engine.volumes.create(fresh_name("vol")) as made:
            yield made.name

    @pytest.fixture
    def net(self, engine: Engine) -> Iterator[Any]:
        """A new network."""
        with engine.networks.create(fresh_name("net")) as made:
            yield made
