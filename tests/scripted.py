"""A backend over a transport that answers by a function, for tests of requests that were never recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from containerkit.backends.transport import Request, Response, StreamResponse, Transport, UpgradeResponse
from containerkit.streams import Deadline

__all__ = ["DOCKER_INFO", "PODMAN_INFO", "VERSION", "Answer", "Scripted", "engine", "info"]

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41"}
DOCKER_INFO = {"Driver": "overlay2", "CgroupVersion": "2", "CgroupDriver": "systemd", "MemoryLimit": True}
PODMAN_INFO = {
    "host": {"cgroupVersion": "v2", "cgroupManager": "systemd"},
    "store": {},
    "version": {"Version": "4.3.1"},
}
Answer = Callable[[Request], Response]


class Scripted(Transport):
    """Answers each request by a function; keeps the requests."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.deadlines: list[Deadline] = []
        self.closed = 0

    def send(self, request: Request, deadline: Deadline) -> Response:
        self.requests.append(request)
        self.deadlines.append(deadline)
        if isinstance(request.body, Iterator):
            list(request.body)
        return self.answer(request)

    def stream(self, request: Request, deadline: Deadline) -> StreamResponse:
        found = self.send(request, deadline)
        return StreamResponse(found.status, found.headers, iter([found.body] if found.body else []), lambda: None)

    def upgrade(self, request: Request, deadline: Deadline) -> UpgradeResponse | Response:
        return self.send(request, deadline)

    def close(self) -> None:
        self.closed += 1


def info(request: Request) -> Response:
    native = "/libpod/" in request.target
    return Response(200, {}, json.dumps(PODMAN_INFO if native else DOCKER_INFO).encode())


def engine(kind: Any, answer: Answer, **options: Any) -> tuple[Any, Scripted]:
    """Return a backend that has connected, and its transport, which answers by `answer` from now on."""
    transport = Scripted(info)
    backend = kind("unix:///x", timeout=7.0, version=VERSION, transport=transport, **options)
    transport.answer = answer
    transport.requests.clear()
    return backend, transport
