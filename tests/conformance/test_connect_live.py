"""connect() and discover() on a real engine, whose unix URL is in CK_HOST."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from containerkit.backends.base import Backend
from containerkit.discovery import connect as room
from containerkit.discovery.endpoints import Endpoint
from containerkit.errors import EngineUnavailable
from containerkit.userconfig.environment import Environment

URL = os.environ.get("CK_HOST", "")
pytestmark = pytest.mark.skipif(not URL.startswith("unix://"), reason="CK_HOST names no engine")

VARIABLES = ("CONTAINERKIT_ENGINE", "CONTAINER_HOST", "CONTAINER_CONNECTION", "DOCKER_HOST", "DOCKER_CONTEXT")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    monkeypatch.setenv("CONTAINERKIT_ENGINE", URL)
    return room.discover()[0]


@pytest.fixture
def tcp() -> Iterator[str]:
    """The same engine at a tcp address."""
    opened: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.socket(socket.AF_UNIX)
                opened.extend((near, far))
                far.connect(URL.removeprefix("unix://"))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    server.close()
    for sock in opened:
        sock.close()


def test_discover_reports_kind_version_and_rootless(endpoint: Endpoint) -> None:
    """discover() agrees with the engine's own info()."""
    backend = room.open_backend(endpoint, 30)
    try:
        info = backend.info()
    finally:
        backend.close()
    assert endpoint.reachable
    assert (endpoint.kind, endpoint.version, endpoint.rootless) == (info.kind, info.version, info.rootless)
    assert endpoint.kind == backend.kind


@pytest.mark.parametrize("variable", ["CONTAINERKIT_ENGINE", "CONTAINER_HOST", "DOCKER_HOST"])
def test_every_variable_leads_to_the_engine(variable: str, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server decides the kind, whatever the variable is called."""
    monkeypatch.delenv("CONTAINERKIT_ENGINE")
    monkeypatch.setenv(variable, URL)
    found = room.discover()[0]
    assert (found.source, found.kind, found.url) == (variable, endpoint.kind, URL)


def test_the_other_kind_is_not_taken(endpoint: Endpoint) -> None:
    """connect() to the other kind does not use this engine."""
    other = "docker" if endpoint.kind == "podman" else "podman"
    try:
        route = room._search(Environment.current(), other, 30)
    except EngineUnavailable as exc:
        assert f"{endpoint.kind} {endpoint.version} answers there, not {other}" in str(exc)  # noqa: PT017  either outcome is right
    else:
        route.close()
        assert route.kind == other


def test_tcp_is_the_same_engine(endpoint: Endpoint, tcp: str) -> None:
    """tcp:// and http:// lead to the same engine."""
    for url in (tcp, tcp.replace("tcp", "http")):
        backend = room.open_backend(Endpoint(url, "test"), 30)
        try:
            assert (backend.kind, backend.url, backend.info().version) == (endpoint.kind, url, endpoint.version)
        finally:
            backend.close()


@pytest.mark.parametrize("form", ["url", "path", "endpoint", "backend", "variable"])
def test_every_form_of_target(form: str, endpoint: Endpoint) -> None:
    """connect() accepts a URL, a bare path, an Endpoint, a Backend, or nothing with a variable set."""
    targets: dict[str, str | Endpoint | Backend | None] = {
        "url": URL,
        "path": URL[len("unix://") :],
        "endpoint": endpoint,
        "variable": None,
    }
    target = room.open_backend(endpoint, 30) if form == "backend" else targets[form]
    with room.connect(target) as engine:
        assert engine.kind == endpoint.kind
