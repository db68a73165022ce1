"""A container that another worker started: what is written down of it, and the rest from the engine."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from containerkit import Address, Container, Engine

__all__ = ["Recorded", "facts_of", "is_running"]

_SECONDS = 5.0  # that an engine may take to say that a container runs
_FACTS = ("id", "short_id", "name", "image", "labels")


def facts_of(container: Container, url: str) -> dict[str, Any]:
    """Return what other workers need to know of a running container of the engine at a URL, in JSON types."""
    container.refresh()
    ports = {}
    for port, addresses in container.ports.items():
        if addresses:
            number, _, protocol = port.partition("/")
            address = container.port(int(number), protocol)
            ports[port] = [address.host, address.port]
    facts = {name: getattr(container, name) for name in _FACTS}
    return {**facts, "labels": dict(container.labels), "ports": ports, "url": url}


def is_running(facts: dict[str, Any]) -> bool:
    """Return whether the engine says that the container runs; False also if its socket is not one of this machine.

    One bare request, because loading a client takes longer than everything else that a worker does here.
    """
    scheme, _, path = facts["url"].partition("://")
    if scheme != "unix":
        return False
    with contextlib.suppress(OSError, ValueError, LookupError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(path)
        connection.sendall(f"GET /containers/{facts['id']}/json HTTP/1.0\r\nHost: engine\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            _, _, body = answer.read().partition(b"\r\n\r\n")
        return bool(json.loads(body)["State"]["Status"] == "running")
    return False


class Recorded:
    """Stand in for a Container; the engine is opened when more is asked for than the facts.

    Args:
        facts: as facts_of() returns them.
        engine: returns the open engine.
    """

    def __init__(self, facts: dict[str, Any], engine: Callable[[], Engine]) -> None:
        self._facts = facts
        self._engine = engine
        self._found: Container | None = None

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        import containerkit as ck

        return ck.Container

    def port(self, container_port: int, protocol: str = "tcp") -> Address:
        """Return the address of a published port, as Container.port does."""
        import containerkit as ck

        found = self._facts["ports"].get(f"{container_port}/{protocol}")
        return ck.Address(*found) if found else self._container().port(container_port, protocol)

    def _container(self) -> Container:
        if self._found is None:
            self._found = self._engine().containers.get(self._facts["id"])
        return self._found

    def __getattr__(self, name: str) -> Any:
        return self._facts[name] if name in _FACTS else getattr(self._container(), name)

    def __enter__(self) -> Container:
        return self._container().__enter__()

    def __exit__(self, *exc: object) -> None:
        self._container().__exit__(*exc)

    def __repr__(self) -> str:
        return f"<Container {self.short_id} {self.name} (shared, {self.image})>"

    def __eq__(self, other: object) -> bool:
        return bool(getattr(other, "id", None) == self.id)

    def __hash__(self) -> int:
        return hash(self.id)
