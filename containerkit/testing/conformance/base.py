"""Common parts of the scenarios: fixtures, names, small images, skips by capability."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import tempfile
import time
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

SLEEP = ["sleep", "600"]
#: Prints "ready"; on TERM prints "bye" and ends with 7.
POLITE = ["sh", "-c", "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.1; done"]
#: Prints "ready" and ignores signals.
STUBBORN = ["sh", "-c", "trap '' TERM INT HUP; echo ready; while :; do sleep 0.1; done"]
#: Serves "hello" at port 8080.
SERVER = ["sh", "-c", "mkdir -p /tmp/www; echo hello >/tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"]

F = TypeVar("F", bound=Callable[..., Any])


def needs(*capabilities: Capability) -> Callable[[F], F]:
    """Mark a scenario that needs capabilities; it is skipped on an engine that does not declare them."""

    def mark(function: F) -> F:
        function.needs = capabilities  # type: ignore[attr-defined]
        return function

    return mark


def require(engine: Engine, *capabilities: Capability) -> None:
    """Skip the rest of a test on an engine that does not declare these capabilities."""
    missing = [capability.value for capability in capabilities if capability not in engine.capabilities]
    if missing:
        who = "the engine in memory" if engine.url.startswith("memory:") else "this engine"
        pytest.skip(f"{who} declares no {', '.join(missing)}")


def kind_of(source: str) -> str:
    """Return the kind of a mount by its source."""
    return "bind" if source.startswith("/") else "volume"


def fresh_name(word: str = "t") -> str:
    """Return a name that nothing has."""
    return f"ck-{word}-{uuid.uuid4().hex[:12]}"


def free_port() -> int:
    """Return a port of this machine where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports() -> tuple[int, int]:
    """Return two ports in a row where nothing listens."""
    while True:
        first = free_port()
        with socket.socket() as probe, contextlib.suppress(OSError, OverflowError):
            probe.bind(("127.0.0.1", first + 1))
            return first, first + 1


def lists_sleep(container: Container, timeout: float = 10.0) -> bool:
    """Return whether top() lists the process of SLEEP; for a moment after start() it is the runtime's own init."""
    deadline = time.monotonic() + timeout
    while not any("sleep" in " ".join(row) for row in container.top().rows):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def http_get(url: str) -> str:
    """Return what a URL serves, without a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return str(answer.read().decode())


def tiny_image() -> ImageBuilder:
    """Return a unique image without a program."""
    return ImageBuilder().layer(files={"id.txt": uuid.uuid4().hex}).run_config(Cmd=["/none"])


class Untouchable:
    """A backend that has its attributes, and fails on every call."""

    def __init__(self, backend: Any) -> None:
        self.kind, self.url, self.capabilities = backend.kind, backend.url, backend.capabilities

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise AssertionError(f"{name}() was about to be sent")

        return refuse


@contextlib.contextmanager
def image_name(engine: Engine, ref: str | None = None) -> Iterator[str]:
    """Yield a name that no image has; remove the image of that name afterwards."""
    ref = ref or f"docker.io/containerkit/{fresh_name()}:1"
    try:
        yield ref
    finally:
        with contextlib.suppress(ImageNotFound):
            engine.images.remove(ref, force=True)


def shell(container: Container, line: str) -> str:
    return container.exec(["sh", "-c", line], check=True).stdout.strip()


def finds(name: str, address: str) -> str:
    """Return a shell line that succeeds if a name resolves to an address.

    A static busybox resolves nothing by itself.
    """
    if name == address:
        return "true"
    return f"nslookup {name} 2>/dev/null | grep -q -w {address}"


def fetches(address: str) -> str:
    """Return a shell line that prints what the server at an address serves."""
    return f"printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 10 {address} 8080 | tail -n1"


@functools.cache
def shares_files(engine: Engine, shell_image: str) -> bool:
    """Return whether a directory of this machine can be bind-mounted; an engine on another machine cannot.

    An engine whose files are visible from here must be able to.
    """
    with tempfile.TemporaryDirectory(prefix="ck-bind-") as path:
        os.chmod(path, 0o755)  # a rootless engine runs as another user
        Path(path, "here").touch()
        with contextlib.suppress(EngineError):
            if engine.run(shell_image, ["ls", "/m/here"], volumes=f"{path}:/m").exit_code == 0:
                return True
    here, _ = engine_root(engine.url)
    assert here is None, f"the engine at {engine.url} is of this machine, and shows no folder of it"
    return False


class Scenarios:
    """The fixtures that scenarios share; the test class provides `engine` and `shell_image`."""

    @pytest.fixture(autouse=True)
    def _as_declared(self, request: pytest.FixtureRequest, engine: Engine) -> None:
        """Skip a scenario that needs an undeclared capability."""
        require(engine, *getattr(request.function, "needs", ()))

    @pytest.fixture
    def box(self, engine: Engine, shell_image: str) -> Iterator[Container]:
        """Yield a container that sleeps."""
        with engine.start(shell_image, SLEEP) as container:
            yield container

    @pytest.fixture
    def folder(self, engine: Engine, shell_image: str) -> Iterator[Path]:
        """Yield a directory that the engine's host has too, writable by everybody."""
        if not shares_files(engine, shell_image):
            pytest.skip("this engine runs on another machine: a bind mount shows that one's files")
        path = Path(tempfile.mkdtemp(prefix="ck-bind-"))
        path.chmod(0o777)
        yield path
        shutil.rmtree(path, ignore_errors=True)

    @pytest.fixture
    def volume(self, engine: Engine) -> Iterator[str]:
        """Yield the name of a new volume."""
        with engine.volumes.create(fresh_name("vol")) as made:
            yield made.name

    @pytest.fixture
    def net(self, engine: Engine) -> Iterator[Any]:
        """Yield a new network."""
        with engine.networks.create(fresh_name("net")) as made:
            yield made
