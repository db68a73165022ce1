"""Networks of an engine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..backends.base import ContainerRef, NetworkRecord
from ..errors import Conflict, NetworkNotFound
from ..options import network_spec, parse_attachment, parse_filters, parse_flag, parse_object, with_options
from ..options.table import NETWORK
from ..values import Shown, ValueList
from .addresses import check_addresses
from .container import Container
from .pruned import Pruned

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options import NetworkOptions
    from .core import Core

#: Networks that every engine comes with; they cannot be removed.
_BUILT_IN = frozenset({"bridge", "host", "none", "podman"})


class Network(Shown):
    """One network. Properties show the state as of the last refresh(). Leaving its `with` block removes it."""

    def __init__(self, core: Core, record: NetworkRecord) -> None:
        self._core = core
        self.record = record

    @property
    def id(self) -> str:
        """Full ID: 64 hexadecimal digits."""
        return self.record.id

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.record.name

    @property
    def driver(self) -> str:
        """Driver of the network, "bridge" by default."""
        return self.record.driver

    @property
    def internal(self) -> bool:
        """True if the network has no route to the outside."""
        return self.record.internal

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the network, including those of the containerkit session."""
        return self.record.labels

    @property
    def subnet(self) -> str:
        """First subnet in CIDR notation; "" without one."""
        return self.record.subnets[0][0] if self.record.subnets else ""

    @property
    def gateway(self) -> str:
        """Gateway of the first subnet; "" without one."""
        return self.record.subnets[0][1] if self.record.subnets else ""

    @property
    def containers(self) -> tuple[ContainerRef, ...]:
        """Running containers on the network with their addresses, requested now."""
        return self.refresh().record.containers

    def refresh(self) -> Network:
        """Request the network's state from the engine. Raises NetworkNotFound."""
        self.record = self._core.backend.inspect_network(self.name)
        return self

    def __repr__(self) -> str:
        return f"<Network {self.name} ({self.driver}{', ' + self.subnet if self.subnet else ''})>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and other.id == self.id and other._core is self._core

    def __hash__(self) -> int:
        return hash(self.id)

    def to_dict(self) -> dict[str, Any]:
        """Return the network's state as JSON-ready types."""
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

    def summary(self) -> dict[str, Any]:
        """Return the columns of a list as JSON-ready types, without a request."""
        return {"id": self.id, "name": self.name, "driver": self.driver, "subnet": self.subnet}

    def inspect(self) -> Mapping[str, Any]:
        """Return the engine's own inspect response, requested now."""
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
        """Connect a container, running or not, to the network.

        Args:
            container: a Container, its name or its ID.
            aliases: further names under which the others on the network find it.
            ip, ip6, mac_address: fixed addresses; None lets the engine choose.

        Raises:
            InUse: the container is already on the network.
            ContainerNotFound, NetworkNotFound, InvalidOption.
        """
        given = {"aliases": aliases or None, "ip": ip, "ip6": ip6, "mac_address": mac_address}
        attachment = parse_attachment(self.name, **{key: value for key, value in given.items() if value is not None})
        check_addresses(self._core.backend, attachment)
        self._core.backend.connect_network(self.name, _container_ref(container), attachment)

    def disconnect(self, container: Container | str, *, force: bool = False) -> None:
        """Disconnect a container from the network. Raises NotFound if it is not on it."""
        self._core.backend.disconnect_network(self.name, _container_ref(container), force=parse_flag("force", force))

    def remove(self) -> None:
        """Remove the network. Raises InUse while a container is on it, NetworkNotFound."""
        Networks(self._core).remove(self.name)

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(NetworkNotFound):
            self.remove()


class Networks:
    """The networks of an engine."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @with_options(NETWORK)
    def create(self, name: str, *, keep: bool = False, **options: Unpack[NetworkOptions]) -> Network:
        """Create a network on which containers find each other by name.

        Args:
            name: name of the network.
            keep: the network outlives this Engine, and cleanup() never removes it.
            options: driver, subnet, gateway, ip_range, ipv6, internal, options, labels.

        Raises:
            NameInUse: a network of that name exists.
        """
        parse_flag("keep", keep)
        spec = network_spec(name, **options)
        session, backend = self._core.session, self._core.backend
        with session.creating(keep=keep) as labels:
            record = backend.create_network(replace(spec, labels={**spec.labels, **labels}))
            if not keep:
                session.own(f"network {record.name}", lambda: backend.remove_network(record.name))
        return Network(self._core, record)

    def get(self, ref: str) -> Network:
        """Return a network by name or ID. Raises NetworkNotFound."""
        parse_object("ref", ref, "a network's name or ID")
        return Network(self._core, self._core.backend.inspect_network(ref))

    def exists(self, ref: str) -> bool:
        """Return whether a network of that name or ID exists."""
        try:
            self.get(ref)
        except NetworkNotFound:
            return False
        return True

    def list(self, *, filters: Mapping[str, Any] | None = None) -> list[Network]:
        """Return all networks, in one request. Filters are those of `docker network ls --filter`."""
        records = self._core.backend.list_networks(filters=parse_filters("filters", filters))
        return ValueList(Network(self._core, record) for record in records)

    def remove(self, ref: str) -> None:
        """Remove a network by name or ID. Raises InUse while a container is on it, NetworkNotFound."""
        record = self.get(ref).record
        self._core.backend.remove_network(record.name)
        self._core.session.disown(f"network {record.name}")

    def prune(self, *, filters: Mapping[str, Any] | None = None) -> Pruned:
        """Remove the networks without a container, except those that the engine comes with. Returns their names."""
        removed = []
        for network in self.list(filters=filters):
            if network.name in _BUILT_IN:
                continue
            with contextlib.suppress(Conflict, NetworkNotFound):
                network.remove()
                removed.append(network.name)
        return Pruned(tuple(removed))


def _container_ref(container: Container | str) -> str:
    if isinstance(container, Container):
        return container.id
    return parse_object("container", container, "a Container, or a name or ID", slash=True)
