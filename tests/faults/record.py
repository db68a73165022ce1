"""A proxy before a real engine that writes down every exchange."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections import Counter

from .exchange import Exchange, Request, Response, framing_of, header, read_chunk, read_head, read_request
from .server import Server

Reader = io.BufferedReader


class Recorder(Server):
    """Forward each connection to an engine's unix socket, and keep what it answers.

    Attributes:
        exchanges: in the order in which their requests came.
    """

    def __init__(self, target: str) -> None:
        self._target = target.removeprefix("unix://")
        self._kept: list[tuple[Request, Response | None]] = []
        self._lock = threading.Lock()
        super().__init__()

    @property
    def exchanges(self) -> list[Exchange]:
        ends = time.monotonic() + 2
        while any(response is None for _, response in self._kept) and time.monotonic() < ends:
            time.sleep(0.01)  # the client has the last response a moment before it is kept
        turns: Counter[str] = Counter()
        found = []
        for request, response in self._kept:
            if response is not None:
                found.append(Exchange(request.key, turns[request.key], response, request.labels))
                turns[request.key] += 1
        return found

    def forget(self) -> None:
        """Drop the exchanges so far."""
        self._kept = []

    def serve(self, near: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as far, near.makefile("rb") as above:
            far.connect(self._target)
            with far.makefile("rb") as below:
                while request := read_request(above):
                    kept = self._kept
                    with self._lock:
                        kept.append((request, None))
                        place = len(kept) - 1
                    far.sendall(request.raw)
                    response = self._answer(request, near, far, below, above)
                    kept[place] = (request, response)
                    if response.framing in ("close", "raw") or not response.complete:
                        return

    def _answer(
        self, request: Request, near: socket.socket, far: socket.socket, below: Reader, above: Reader
    ) -> Response:
        head = read_head(below)
        framing = framing_of(request, head) if head else "close"
        body, complete = bytearray(), True
        near.sendall(head)
        if framing == "raw":
            threading.Thread(target=self._pump, args=(above, far), daemon=True).start()
        length = len(head)
        if framing == "length":
            length = int(header(head, b"content-length"))
        while framing != "none":
            if framing == "length":
                piece = below.read1(min(1 << 16, length - len(body))) if len(body) < length else b""
            elif framing == "chunked":
                piece = read_chunk(below)
            else:
                piece = below.read1(1 << 16)
            if not piece:
                break
            body += piece
            try:
                near.sendall(piece)
            except OSError:
                complete = False
                break
            if framing == "chunked" and piece.startswith(b"0\r\n"):
                break
        return Response(head, bytes(body), framing, complete)

    def _pump(self, above: Reader, far: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := above.read1(1 << 16):
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)
