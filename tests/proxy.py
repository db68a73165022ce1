"""A proxy between a client and an engine or a registry that cuts connections at a byte chosen by the test."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Literal

Way = Literal["up", "down"]
#: Returns how many bytes of a piece may pass; fewer than all cut the connection after them. Arguments: the direction
#: ("down" is from the server), the piece, the bytes that went in that direction before, the number of the connection.
Rule = Callable[[Way, bytes, int, int], int]


def everything(_way: Way, data: bytes, _before: int, _line: int) -> int:
    """No cut."""
    return len(data)


class Proxy:
    """Listens beside a target ("unix:///path" or "host:port") and forwards bytes both ways; `with` ends it.

    Args:
        tcp: listen on 127.0.0.1, for a unix socket too.

    Attributes:
        rule: may be changed at any time.
        cuts: how many connections were cut.
        reset: cut TCP connections with RST, as a machine that died, not with FIN.
    """

    def __init__(self, target: str, *, rule: Rule = everything, tcp: bool = False, reset: bool = False) -> None:
        self._target = target
        self.rule = rule
        self.reset = reset
        self.cuts = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if target.startswith("unix://") and not tcp:
            self._folder = tempfile.TemporaryDirectory(prefix="ckp", dir="/tmp")
            os.chmod(self._folder.name, 0o755)
            path = f"{self._folder.name}/s"
            self._server = socket.socket(socket.AF_UNIX)
            self._server.bind(path)
            self._server.listen(64)
            self.url = self.address = f"unix://{path}"
        else:
            self._server = socket.create_server(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
            self.url = f"tcp://{self.address}"
        self._server.settimeout(0.1)  # closing a socket does not wake its accept()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _dial(self) -> socket.socket:
        if self._target.startswith("unix://"):
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target.removeprefix("unix://"))
            return far
        host, _, port = self._target.rpartition(":")
        return socket.create_connection((host, int(port)))

    def _accept(self) -> None:
        line = 0
        while not self._stopped.is_set():
            try:
                near, _ = self._server.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            near.settimeout(None)
            try:
                far = self._dial()
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            line += 1
            for source, sink, way in ((near, far, "up"), (far, near, "down")):
                threading.Thread(target=self._pump, args=(source, sink, way, line), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, way: Way, line: int) -> None:
        before = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                passing = self.rule(way, data, before, line)
                before += passing
                if passing:
                    sink.sendall(data[:passing])
                if passing < len(data):
                    self.cuts += 1
                    self._cut(source, sink)
                    return
            sink.shutdown(socket.SHUT_WR)

    def _cut(self, *sockets: socket.socket) -> None:
        for item in sockets:
            if self.reset and item.family != socket.AF_UNIX:
                with contextlib.suppress(OSError):
                    item.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()

    def cut(self) -> None:
        """Cut all open connections; accept new ones."""
        with self._lock:
            sockets, self._open = self._open, set()
        self.cuts += len(sockets) // 2
        self._cut(*sockets)

    def stop(self) -> None:
        """Cut all connections and accept no new ones."""
        self._stopped.set()
        self._server.close()
        self.cut()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join()
        if self._folder:
            self._folder.cleanup()


def budget(way: Way, limit: int) -> Rule:
    """Return a rule by which all connections together forward `limit` bytes in one direction, then nothing."""
    left = limit
    lock = threading.Lock()

    def rule(going: Way, data: bytes, _before: int, _line: int) -> int:
        nonlocal left
        if going != way:
            return len(data) if left > 0 else 0
        with lock:
            passing = min(left, len(data))
            left -= passing
        return passing

    return rule
