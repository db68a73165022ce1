"""A server that answers as an engine did when it was recorded, with a fault in one of its answers."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .exchange import Exchange, Request, Response, read_request
from .server import Server

#: A body without end is given up after as many bytes: a client that took them all is not bounded.
ENOUGH = 200_000_000
MISSING = b'{"message": "no such thing", "cause": "no such thing", "response": 404}'


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one response.

    Attributes:
        name: its kind, as the table of results groups it.
        response: sent instead of the recorded one; None leaves it.
        cut: the bytes after which the connection ends; None sends all.
        reset: the end is a reset, not an orderly one. TCP only.
        stall: the seconds of silence before the response; -1 for ever.
        drip: the seconds between two bytes.
        endless: repeated after the response until the client hangs up.
        once: only the first such request meets it.
        stops: the whole engine answers nothing from here on, as if it were stopped.
    """

    name: str
    response: Response | None = None
    cut: int | None = None
    reset: bool = False
    stall: float = 0.0
    drip: float = 0.0
    endless: bytes = b""
    once: bool = False
    stops: bool = False


class Replay(Server):
    """Answer requests from recordings.

    Args:
        exchanges: of one operation.
        others: of all operations: the answers to what the operation asks only after a fault.
        spoiled: the exchange that the fault is for.
    """

    def __init__(
        self,
        exchanges: Sequence[Exchange],
        others: Iterable[Exchange] = (),
        spoiled: Exchange | None = None,
        fault: Fault | None = None,
    ) -> None:
        self._answers: dict[str, list[Exchange]] = defaultdict(list)
        for exchange in exchanges:
            self._answers[exchange.key].append(exchange)
        self._labels: dict[bytes, bytes] = {}  # recorded -> of this client
        self._others = {exchange.key: exchange.response for exchange in others}
        self._turns: Counter[str] = Counter()
        self._spoiled, self._fault = spoiled, fault
        self._lock = threading.Lock()
        self._stopped = False
        self.met = 0  # times the fault was met
        self.swallowed = 0  # bytes of an endless body that the client took
        self._ended = threading.Event()
        super().__init__()

    def stop(self) -> None:
        self._ended.set()
        super().stop()

    def serve(self, near: socket.socket) -> None:
        with near.makefile("rb") as above:
            while request := read_request(above):
                if self._stopped:
                    self._ended.wait(600)
                response, fault = self._choose(request)
                if fault is not None:
                    if not self._spoil(near, response, fault):
                        return
                    response = fault.response or response
                else:
                    near.sendall(self._relabelled(response.head + response.body))
                if response.framing in ("close", "raw"):
                    with contextlib.suppress(OSError):
                        near.shutdown(socket.SHUT_WR)
                    self._drain(near)
                    return
                if not response.complete:
                    self._drain(near)  # it was the client who hung up
                    return

    def _choose(self, request: Request) -> tuple[Response, Fault | None]:
        key = request.key
        with self._lock:
            answers = self._answers.get(key)
            if key.endswith("/_ping"):
                return _json(b"200 OK", b"OK"), None
            if "containerkit.request" in request.query and "filters" in request.query:
                empty = b'{"Volumes": []}' if key.endswith("/volumes") else b"[]"
                return _json(b"200 OK", empty), None
            if not answers:
                known = self._others.get(key) if request.method in ("GET", "HEAD") else None
                return known or _json(b"404 Not Found", MISSING), None
            turn = self._turns[key]
            exchange = answers[min(turn, len(answers) - 1)]
            response = exchange.response
            self._labels.update(zip(exchange.labels, request.labels, strict=False))
            if self._met_again(key, turn):
                self.met += 1
                assert self._fault is not None
                if self._fault.cut is None and not self._fault.stops:
                    self._turns[key] += 1  # the client gets the answer; without it, it may ask again
                return response, self._fault
            self._turns[key] += 1
            return self._while_cut(key, response), None

    def _met_again(self, key: str, turn: int) -> bool:
        if self._spoiled is None or self._fault is None or key != self._spoiled.key or turn < self._spoiled.turn:
            return False
        return not (self._fault.once and self.met)

    def _relabelled(self, data: bytes) -> bytes:
        for recorded, current in self._labels.items():
            data = data.replace(recorded, current)
        return data

    def _while_cut(self, key: str, response: Response) -> Response:
        """Return the state of a process whose raw stream was cut: it runs on."""
        if self._spoiled is None or not self.met or self._spoiled.response.framing != "raw":
            return response
        if key.endswith("/wait"):
            self._ended.wait(30)
        if "/exec/" in key and key.endswith("/json"):
            running = response.content.replace(b'"Running":false', b'"Running":true')
            return response.with_content(running.replace(b'"ExitCode":7', b'"ExitCode":null'))
        return response

    def _spoil(self, near: socket.socket, response: Response, fault: Fault) -> bool:
        """Send a response with its fault; return whether the connection may go on."""
        self._stopped = fault.stops
        if fault.stall:
            self._ended.wait(fault.stall if fault.stall > 0 else 600)
        sent = fault.response or response
        data = self._relabelled(sent.head + sent.body)
        if fault.drip:
            for at in range(len(data)):
                near.sendall(data[at : at + 1])
                if self._ended.wait(fault.drip):
                    return False
            return True
        near.sendall(data if fault.cut is None else data[: fault.cut])
        if fault.endless:
            piece = fault.endless * (1 + (1 << 16) // len(fault.endless))
            while self.swallowed < ENOUGH and not self._ended.is_set():
                near.sendall(piece)
                self.swallowed += len(piece)
            return False
        if fault.cut is None:
            return True
        if fault.reset:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        near.close() if fault.reset else near.shutdown(socket.SHUT_RDWR)
        return False

    def _drain(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            ends = time.monotonic() + 60
            while time.monotonic() < ends and near.recv(1 << 16):
                pass


def _json(status: bytes, body: bytes) -> Response:
    head = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n\r\n"
    return Response(head, b"", "none").with_content(body)
