"""The functions behind `containers`, `module_containers` and `session_containers`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from containerkit import Container, Engine, Network

__all__ = ["ContainerFactory", "logs_of", "unique_name"]

_MOST_LOG = 200  # lines of each container's log in a report


def unique_name(prefix: str) -> str:
    """Return a name that no other test, worker or run uses."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return "-".join(part for part in (prefix, worker, uuid.uuid4().hex[:12]) if part)


class ContainerFactory:
    """Start containers, and remove them at the end of a test, a module or the run.

    Args:
        engine: the engine.
        note: called with the image of each started container.

    Attributes:
        started: the started containers, in order.
        networks: the created networks, in order.
    """

    def __init__(self, engine: Engine, note: Callable[[str], object]) -> None:
        self._engine = engine
        self._note = note
        self.started: list[Container] = []
        self.networks: list[Network] = []

    def __call__(
        self, image: str, command: Any = None, *, wait: Any = None, wait_timeout: float = 60.0, **options: Any
    ) -> Container:
        """Start a container and return it.

        Args:
            image, command, options: as for Engine.start.
            wait: a strategy of `containerkit.wait`; the call returns once it is satisfied.
            wait_timeout: seconds that the strategy may take.
        """
        __tracebackhide__ = True
        container = self._engine.start(image, command, **options)
        self.started.append(container)
        self._note(image)
        if wait is not None:
            container.wait_until(wait, timeout=wait_timeout)
        return container

    @staticmethod
    def unique_name(prefix: str) -> str:
        """Return a container name that no other test, worker or run uses."""
        return unique_name(prefix)

    def network(self) -> Network:
        """Create a network; it is removed after the containers."""
        network = self._engine.networks.create(unique_name("ck-test"))
        self.networks.append(network)
        return network

    def logs(self) -> Iterator[tuple[str, str]]:
        """Return (name, end of its log) of each container that wrote something."""
        return logs_of(self.started)

    def close(self) -> list[str]:
        """Remove containers, last started first, then networks; report what could not be removed."""
        failed: list[str] = []

        def attempt(what: str, remove: Callable[[], None]) -> None:
            import containerkit as ck

            try:
                remove()
            except ck.NotFound:
                pass
            except ck.ContainerKitError as exc:
                failed.append(f"could not remove {what}: {exc}")

        while self.started:
            container = self.started.pop()
            attempt(f"container {container.short_id}", partial(container.remove, force=True, volumes=True))
        while self.networks:
            network = self.networks.pop()
            attempt(f"network {network.name}", network.remove)
        return failed


def logs_of(containers: list[Container]) -> Iterator[tuple[str, str]]:
    """Yield (name, end of its log) of each container that wrote something."""
    import containerkit as ck

    for container in containers:
        name = container.short_id
        try:
            name = container.name
            log = str(container.logs(tail=_MOST_LOG))
        except ck.ContainerKitError as exc:
            log = f"(no log: {exc})"
        if log.strip():
            yield name, log.encode("utf-8", "backslashreplace").decode()
