"""Networks: what an Engine has of them, and one of them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..backends.base import ContainerRef, NetworkRecord
from ..errors import Conflict, NetworkNotFound
from ..options import filters as read_filters
from ..options import flag, network_attachment, network_spec, object_ref
from .addresses import check_addresses
from .containers import Container

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 12):
        from typing import Unpack
    else:
        from typing_extensions import Unpack

    from ..options import NetworkOptions
    from .core import Core

__all__ = ["Network", "Networks"]

#: Every engine's own; they cannot be removed, and prune does not try.
_BUILT_IN = frozenset({"bridge", "host", "none", "podman"})


class Network:
    """One network; in `with` it is removed at the end. What it tells of itself is as of the last refresh()."""

    def __init__(self, core: Core, record: NetworkRecord) -> None:
        self._core = core
        self.record = record

    @property
    def id(self) -> str:
        """64 hexadecimal digits."""
        return self.record.id

    @property
    def name(self) -> str:
        """As it was given."""
        return self.record.name

    @property
    def driver(self) -> str:
        """ "bridge", unless another was asked for."""
        return self.record.driver

    @property
    def internal(self) -> bool:
        """Whether it leads nowhere outside."""
        return self.record.internal

    @property
    def labels(self) -> Mapping[str, str]:
        """Its own, and those by which containerkit knows its session."""
        return self.record.labels

    @property
    def subnet(self) -> str:
        """The first one, in CIDR notation, "" if there is none."""
        return self.record.subnets[0][0] if self.record.subnets else ""

    @property
    def gateway(self) -> str:
        """Of the first subnet, "" if there is none."""
        return self.record.subnets[0][1] if self.record.subnets else ""

    @property
    def containers(self) -> tuple[ContainerRef, ...]:
        """The containers on it that run, and their addresses, asked now."""
        return self.refresh().record.containers

    def refresh(self) -> Network:
        """Ask again. Raises NetworkNotFound."""
        self.record = self._core.backend.inspect_network(self.name)
        return self

    def __repr__(self) -> str:
        return f"<Network {self.name} ({self.driver}{', ' + self.subnet if self.subnet else ''})>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and other.id == self.id and other._core is self._core

    def __hash__(self) -> int:
        return hash(self.id)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        record = self.record
        return {
            "id": record.id,
            "name": record.name,
            "driver": record.driver,
            "internal": record.internal,
            "subnets": [{"subnet": subnet, "gateway": gateway} for subnet, gateway in record.subnets],
            "labels": dict(record.labels),
            "options": dict(record.options),
        }

    def inspect(self) -> Mapping[str, Any]:
        """The engine's own words, asked now."""
        return self.refresh().record.raw

    def connect(
        self,
        container: Container | str,
        *,
        aliases: Any = (),
        ip: str | None = None,
        ip6: str | None = None,
        mac_address: str | None = None,
    ) -> None:
        """Put a container on it, running or not.

        Raises:
            InUse: it is on it already. ContainerNotFound, NetworkNotFound, InvalidOption.
        """
        given = {"aliases": aliases or None, "ip": ip, "ip6": ip6, "mac_address": mac_address}
        attachment = network_attachment(self.name, **{key: value for key, value in given.items() if value is not None})
        check_addresses(self._core.backend, attachment)
        self._core.backend.connect_network(self.name, _container(container), attachment)

    def disconnect(self, container: Container | str, *, force: bool = False) -> None:
        """Take a container off it. Raises NotFound if it is not on it."""
        self._core.backend.disconnect_network(self.name, _container(container), force=flag("force", force))

    def remove(self) -> None:
        """Remove it. Raises InUse while a container is on it, NetworkNotFound."""
        Networks(self._core).remove(self.name)

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(NetworkNotFound):
            self.remove()


class Networks:
    """The networks of an engine."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def create(self, name: str, *, keep: bool = False, **options: Unpack[NetworkOptions]) -> Network:
        """Create a network on which containers find each other by name.

        Args:
            keep: it outlives this Engine, and no cleanup touches it.
            options: driver, subnet, gateway, ip_range, ipv6, internal, options, labels.

        Raises:
            NameInUse: there is one of that name, on every engine.
        """
        flag("keep", keep)
        spec = network_spec(name, **options)
        session, backend = self._core.session, self._core.backend
        with session.creating(keep=keep) as labels:
            record = backend.create_network(replace(spec, labels={**spec.labels, **labels}))
            if not keep:
                session.own(f"network {record.name}", lambda: backend.remove_network(record.name))
        return Network(self._core, record)

    def get(self, ref: str) -> Network:
        """By name or ID. Raises NetworkNotFound."""
        object_ref("ref", ref, "a network's name or ID")
        return Network(self._core, self._core.backend.inspect_network(ref))

    def exists(self, ref: str) -> bool:
        """Whether there is one of that name or ID."""
        try:
            self.get(ref)
        except NetworkNotFound:
            return False
        return True

    def list(self, *, filters: Mapping[str, Any] | None = None) -> list[Network]:
        """All of them, in one call. Filters as `docker network ls --filter` takes them."""
        records = self._core.backend.list_networks(filters=read_filters(filters))
        return [Network(self._core, record) for record in records]

    def remove(self, ref: str) -> None:
        """Remove one, by name or ID. Raises InUse while a container is on it, NetworkNotFound."""
        record = self.get(ref).record
        self._core.backend.remove_network(record.name)
        self._core.session.disown(f"network {record.name}")

    def prune(self, *, filters: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Remove those that no container is on, but for the engine's own; gives their names."""
        gone = []
        for network in self.list(filters=filters):
            if network.name in _BUILT_IN:
                continue
            with contextlib.suppress(Conflict, NetworkNotFound):
                network.remove()
                gone.append(network.name)
        return tuple(gone)


def _container(container: Container | str) -> str:
    if isinstance(container, Container):
        return container.id
    return object_ref("container", container, "a Container, or a name or ID")
