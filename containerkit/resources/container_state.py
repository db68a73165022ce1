"""State of a container: its identity, its record, and what derives from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..backends.base import Address, ContainerRecord
from ..errors import NotFound
from ..options import parse_choice, parse_flag, parse_integer
from ..values import Shown

if TYPE_CHECKING:
    from typing_extensions import Self

    from .core import Core


class ContainerState(Shown):
    """A container as the modules below :class:`Container` need it: to copy, execute, read logs and wait."""

    def __init__(
        self,
        core: Core,
        id: str,
        *,
        record: ContainerRecord | None = None,
        warnings: tuple[str, ...] = (),
        tty: bool | None = None,
    ) -> None:
        self._core = core
        self._id = id
        self._record = record
        self.warnings = warnings
        self._tty = tty

    # ---------------------------------------------------------------- properties
    @property
    def id(self) -> str:
        """Full ID: 64 hexadecimal digits."""
        return self._id

    @property
    def short_id(self) -> str:
        """First 12 digits of the ID, as the command line shows it."""
        return self._id[:12]

    @property
    def label(self) -> str:
        """Name and short ID for messages: "container web (0123456789ab)"."""
        known = self._record
        return f"container {known.name} ({self.short_id})" if known else f"container {self.short_id}"

    @property
    def record(self) -> ContainerRecord:
        """Full record of the container, requested from the engine if it is not known yet."""
        if self._record is None or not self._record.complete:
            self.refresh()
        assert self._record is not None
        return self._record

    def refresh(self) -> Self:
        """Request the container's state from the engine. Raises ContainerNotFound."""
        self._record = self._core.backend.inspect_container(self._id)
        return self

    @property
    def last_record(self) -> ContainerRecord:
        """Record of the last list or refresh. One from a list holds less; it costs no further request."""
        return self._record or self.record

    @property
    def name(self) -> str:
        """Name of the container, given by the user or by the engine."""
        return self.last_record.name

    @property
    def image(self) -> str:
        """Name of the image in familiar form ("busybox:1"), or its ID if the container was created from an ID."""
        return self.last_record.image

    @property
    def status(self) -> str:
        """Status: "created", "running", "paused", "restarting", "removing", "exited" or "dead"."""
        return self.last_record.status

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the container, including its image's and those of the containerkit session."""
        return self.last_record.labels

    @property
    def ports(self) -> dict[str, tuple[Address, ...]]:
        """Published addresses on the engine's host by port ("80/tcp"); () for an exposed, unpublished port."""
        return {f"{port}/{protocol}": found for (port, protocol), found in self.record.ports.items()}

    @property
    def health(self) -> str | None:
        """Health: "starting", "healthy" or "unhealthy"; None without a health check."""
        return self.record.health

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last run; None while the container runs or if it never ran."""
        return self.record.exit_code

    def __repr__(self) -> str:
        known = self._record
        details = f" {known.name} ({known.status}, {known.image})" if known else ""
        return f"<Container {self.short_id}{details}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContainerState) and other._id == self._id and other._core is self._core

    def __hash__(self) -> int:
        return hash(self._id)

    def to_dict(self) -> dict[str, Any]:
        """Return the container's state as JSON-ready types."""
        record = self.record
        return {
            "id": record.id,
            "name": record.name,
            "image": record.image,
            "image_id": record.image_id,
            "status": record.status,
            "exit_code": record.exit_code,
            "health": record.health,
            "labels": dict(record.labels),
            "ports": {key: [str(address) for address in found] for key, found in self.ports.items()},
            "networks": {name: asdict(endpoint) for name, endpoint in record.networks.items()},
            "mounts": [asdict(mount) for mount in record.mounts],
        }

    def summary(self) -> dict[str, Any]:
        """Return the columns of a list as JSON-ready types, without a request if the object comes from a list."""
        record = self.record
        return {
            "id": record.id,
            "name": record.name,
            "image": record.image,
            "status": record.status,
        }

    def inspect(self, *, size: bool = False) -> Mapping[str, Any]:
        """Return the engine's own inspect response, requested now. Its form differs between engines and versions.

        Args:
            size: let the engine count the bytes that the container wrote (SizeRw) and those with its image
                (SizeRootFs), which may take long.
        """
        if parse_flag("size", size):
            return self._core.backend.inspect_container(self._id, size=True).raw
        return self.refresh().record.raw

    def port(self, container_port: int, protocol: str = "tcp") -> Address:
        """Return the address at which a program on the engine's host reaches a port of the container.

        Raises:
            NotFound: the port is not published.
        """
        parse_integer("container_port", container_port, low=1, high=65535)
        parse_choice("protocol", protocol, "tcp", "udp", "sctp")
        for _ in range(2):
            found = self.record.ports.get((container_port, protocol), ())
            if found:
                break
            self.refresh()
        if not found:
            published = ", ".join(sorted(self.ports)) or "none"
            raise NotFound(
                f"port {container_port}/{protocol} of {self.label} is not published (published ports: {published})"
            )
        address = found[0]
        return Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host), address.port)

    def _wait(self, timeout: float | None) -> int:
        """Wait for a container that was started."""
        code = self._core.backend.wait_container(self._id, timeout=timeout)
        self._record = None
        return code
