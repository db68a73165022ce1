"""Two transports: one that records what an engine answers, and one that replays it."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import socket
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containerkit.backends.transport import Request, Response, StreamResponse, Transport, UpgradeResponse
from containerkit.streams import Deadline

__all__ = ["Exchange", "Recorder", "Recording", "Replay"]

#: Values of a query that differ at each run.
_VOLATILE = re.compile(r"(since|until)=[0-9.]+|login-[0-9a-f]+")
_HEADERS = ("x-docker-container-path-stat", "content-type", "libpod-api-version", "ostype")


@dataclass(frozen=True)
class Exchange:
    """One request and its response.

    Attributes:
        key: method and target.
        sent: the JSON that was sent, or the length of another body.
        body: the whole body of the response, or what a raw stream carried.
        upgraded: the response was a raw stream.
        pieces: lengths in which the body of a log came; () for others.
    """

    key: str
    sent: Any
    status: int
    headers: Mapping[str, str]
    body: bytes
    upgraded: bool = False
    pieces: tuple[int, ...] = ()


def key_of(request: Request) -> str:
    return f"{request.method} {_VOLATILE.sub('', request.target)}"


def sent_of(request: Request) -> Any:
    """Return the JSON in the body of a request; other bodies are not compared."""
    if request.headers.get("Content-Type") != "application/json" or not isinstance(request.body, bytes):
        return None
    return json.loads(request.body)


class Recorder(Transport):
    """Passes requests on to another transport and keeps the exchanges."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.exchanges: list[Exchange] = []

    def close(self) -> None:
        self._inner.close()

    def _keep(
        self, request: Request, response: Response, *, upgraded: bool = False, pieces: tuple[int, ...] = ()
    ) -> None:
        headers = {name: value for name, value in response.headers.items() if name in _HEADERS}
        self.exchanges.append(
            Exchange(key_of(request), sent_of(request), response.status, headers, response.body, upgraded, pieces)
        )

    def send(self, request: Request, deadline: Deadline) -> Response:
        response = self._inner.send(request, deadline)
        self._keep(request, response)
        return response

    def stream(self, request: Request, deadline: Deadline) -> StreamResponse:
        response = self._inner.stream(request, deadline)
        seen: list[bytes] = []

        def read() -> Iterator[bytes]:
            try:
                for chunk in response.chunks:
                    seen.append(chunk)
                    yield chunk
            finally:
                pieces = tuple(map(len, seen)) if "/logs" in request.target else ()
                self._keep(request, Response(response.status, response.headers, b"".join(seen)), pieces=pieces)

        return StreamResponse(response.status, response.headers, read(), response.close)

    def upgrade(self, request: Request, deadline: Deadline) -> UpgradeResponse | Response:
        response = self._inner.upgrade(request, deadline)
        if isinstance(response, Response):
            self._keep(request, response)
            return response
        near, far = socket.socketpair()
        seen = [response.early]
        real = response.sock
        real.setblocking(True)

        def down() -> None:
            far.sendall(response.early)
            with contextlib.suppress(OSError):
                while data := real.recv(1 << 16):
                    seen.append(data)
                    far.sendall(data)
            self._keep(request, Response(101, {}, b"".join(seen)), upgraded=True)
            far.shutdown(socket.SHUT_WR)

        def up() -> None:
            with contextlib.suppress(OSError):
                while data := far.recv(1 << 16):
                    real.sendall(data)
                real.shutdown(socket.SHUT_WR)

        for pump in (down, up):
            threading.Thread(target=pump, daemon=True).start()
        return UpgradeResponse(near, b"", response.close)


_LONG = 1500  # bytes; a longer body is compressed


def _packed(body: bytes, scrubbed: Mapping[str, str]) -> str:
    """Return a body as text for a recording."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" not in text:
        for word, other in scrubbed.items():
            text = text.replace(word, other)
        body = text.encode()
        if len(text) <= _LONG:
            return text
    return "zlib:" + base64.b64encode(zlib.compress(body, 9)).decode()


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text[5:])) if text.startswith("zlib:") else text.encode()


@dataclass
class Recording:
    """What one engine answered, and the results that the backend returned."""

    engine: str
    exchanges: list[Exchange]
    results: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path, scrubbed: Mapping[str, str]) -> None:
        """Write the recording as JSON, each distinct body once."""
        bodies: list[str] = []

        def number(body: bytes) -> int:
            text = _packed(body, scrubbed)
            if text not in bodies:
                bodies.append(text)
            return bodies.index(text)

        rows = [
            [e.key, e.sent, e.status, dict(e.headers), number(e.body), e.upgraded, e.pieces] for e in self.exchanges
        ]
        whole = {"results": self.results, "exchanges": rows}
        text = json.dumps(whole, separators=(",", ":"), sort_keys=True)
        for word, other in scrubbed.items():
            text = text.replace(word, other)
        whole = json.loads(text) | {"bodies": bodies}
        path.write_text(json.dumps(whole, separators=(",", ":"), sort_keys=True) + "\n")

    @classmethod
    def read(cls, path: Path) -> Recording:
        whole = json.loads(path.read_text())
        bodies = list(map(_unpacked, whole["bodies"]))
        exchanges = [
            Exchange(key, sent, status, headers, bodies[body], upgraded, tuple(pieces))
            for key, sent, status, headers, body, upgraded, pieces in whole["exchanges"]
        ]
        return cls(path.stem, exchanges, whole["results"])


class Replay(Transport):
    """Answers each request with the recorded response to the same method, target and JSON.

    A request that was recorded several times gets the responses in order, and the last one from then on.

    Attributes:
        requests: what was sent, in order.
        served: indexes of the exchanges that were used.
        piece: the length of the pieces in which a streamed body comes.
    """

    def __init__(self, recording: Recording, *, piece: int = 1000) -> None:
        self._left: dict[str, list[int]] = {}
        self._exchanges = recording.exchanges
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        self.served: set[int] = set()
        self.piece = piece
        for number, exchange in enumerate(recording.exchanges):
            self._left.setdefault(self._name(exchange.key, exchange.sent), []).append(number)

    @staticmethod
    def _name(key: str, sent: Any) -> str:
        return f"{key} {json.dumps(sent, sort_keys=True)}"

    def _find(self, request: Request) -> Exchange:
        name = self._name(key_of(request), sent_of(request))
        with self._lock:
            self.requests.append(request)
            queue = self._left.get(name)
            if not queue:
                raise AssertionError(f"no recorded response to {name}")
            number = queue.pop(0) if len(queue) > 1 else queue[0]
            self.served.add(number)
        if isinstance(request.body, Iterator):
            for _ in request.body:
                pass
        return self._exchanges[number]

    def send(self, request: Request, deadline: Deadline) -> Response:
        deadline.check(request.doing)
        found = self._find(request)
        return Response(found.status, found.headers, found.body)

    def stream(self, request: Request, deadline: Deadline) -> StreamResponse:
        deadline.check(request.doing)
        found = self._find(request)
        sizes = found.pieces or [self.piece] * (len(found.body) // self.piece + 1)
        body = io.BytesIO(found.body)
        pieces = (piece for size in sizes if (piece := body.read(size)))
        return StreamResponse(found.status, found.headers, pieces, lambda: None)

    def upgrade(self, request: Request, deadline: Deadline) -> UpgradeResponse | Response:
        deadline.check(request.doing)
        found = self._find(request)
        if not found.upgraded:
            return Response(found.status, found.headers, found.body)
        near, far = socket.socketpair()

        def serve() -> None:
            with contextlib.suppress(OSError), far:
                far.sendall(found.body[4:])
                far.shutdown(socket.SHUT_WR)
                while far.recv(1 << 16):
                    pass

        threading.Thread(target=serve, daemon=True).start()
        return UpgradeResponse(near, found.body[:4], lambda: None)

    def close(self) -> None:
        """Hold nothing."""
