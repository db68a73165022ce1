"""A small threaded server at a unix socket and at a TCP port of this machine."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

S = TypeVar("S", bound="Server")


class Server(ABC):
    """Serve each connection in a thread of its own, until the `with` block ends."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ckf", dir="/tmp")
        os.chmod(self._folder.name, 0o755)
        path = f"{self._folder.name}/s"
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(path)
        unix.listen(64)
        tcp = socket.create_server(("127.0.0.1", 0))
        self.url = f"unix://{path}"
        self.tcp_url = f"tcp://127.0.0.1:{tcp.getsockname()[1]}"
        self._listeners = (unix, tcp)
        self._connections: set[socket.socket] = set()
        self._stopping = False
        for listener in self._listeners:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    @abstractmethod
    def serve(self, near: socket.socket) -> None:
        """Serve one connection to its end."""

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self._connections.add(near)
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError, ValueError):  # the client hung up
                self.serve(near)
        finally:
            self._connections.discard(near)
            with contextlib.suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)
            near.close()

    def hang_up(self) -> None:
        """End every connection that is open."""
        for near in list(self._connections):
            with contextlib.suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Take no more connections, and end those that are open."""
        self._stopping = True
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()
        self.hang_up()
        self._folder.cleanup()

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
