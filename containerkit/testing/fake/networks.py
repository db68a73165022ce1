"""Networks of the engine in memory: subnets and addresses; no packet is sent."""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import Any

from ...backends import _parse
from ...backends.base import NetworkRecord
from ...errors import EngineError, InUse, NameInUse, NetworkNotFound, NotFound, StartFailed, WrongState
from ...spec import NetworkAttachment, NetworkSpec
from .state import FakeContainer, FakeNetwork, Filters, Place, World, fits, labelled, matches, new_id, truth

_OWN = ("bridge", "host", "none")


class NetworkVerbs(World):
    """The methods of networks."""

    def _make_own_networks(self) -> None:
        for name, subnet, gateway in (("bridge", "172.17.0.0/16", "172.17.0.1"), ("host", "", ""), ("none", "", "")):
            driver = "null" if name == "none" else name
            made = FakeNetwork(new_id(), name, driver, subnet, gateway)
            self._networks[made.id] = made

    def _network(self, ref: str, doing: str) -> FakeNetwork:
        found = [n for n in self._networks.values() if ref in (n.id, n.name)]
        found = found or [n for n in self._networks.values() if ref and n.id.startswith(ref)]
        if len(found) != 1:
            raise NetworkNotFound(f"{doing}: no network {ref}", status=404, explanation=f"network {ref} not found")
        return found[0]

    def _on(self, network: FakeNetwork) -> list[FakeContainer]:
        return [c for c in self._containers.values() if network.name in c.places]

    def _network_record(self, network: FakeNetwork, *, complete: bool = True) -> NetworkRecord:
        width = network.subnet.rpartition("/")[2]
        on = [c for c in self._on(network) if c.alive] if complete else []
        raw = {
            "Name": network.name,
            "Id": network.id,
            "Created": dt.datetime.fromtimestamp(network.created, dt.timezone.utc).isoformat(),
            "Scope": "local",
            "Driver": network.driver,
            "EnableIPv6": network.ipv6,
            "Internal": network.internal,
            "IPAM": {
                "Driver": "default",
                "Config": [{"Subnet": network.subnet, "Gateway": network.gateway}] if network.subnet else [],
            },
            "Containers": {
                c.id: {
                    "Name": c.name,
                    "MacAddress": c.places[network.name].mac,
                    "IPv4Address": f"{c.places[network.name].address}/{width}",
                }
                for c in on
            },
            "Options": dict(network.options),
            "Labels": dict(network.labels),
        }
        return _parse.network(raw)

    def create_network(self, spec: NetworkSpec) -> NetworkRecord:
        doing = f"creating network {spec.name}"
        with self._changed:
            if any(n.name == spec.name for n in self._networks.values()):
                raise NameInUse(f"{doing}: there is a network of that name", status=409)
            subnet = self._subnet(spec, doing)
            made = FakeNetwork(
                new_id(),
                spec.name,
                spec.driver,
                str(subnet),
                spec.gateway or str(subnet[1]),
                spec.ip_range or "",
                spec.internal,
                spec.ipv6,
                dict(spec.labels),
                dict(spec.options),
            )
            self._networks[made.id] = made
            self._told("network", "create", made.id, made.name, {}, type=made.driver)
            return self._network_record(made)

    def _subnet(self, spec: NetworkSpec, doing: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """Return the requested subnet, or a free one. Raise if it overlaps with another network's."""
        taken = [ipaddress.ip_network(network.subnet) for network in self._networks.values() if network.subnet]

        def free(net: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
            return not any(net.version == other.version and net.overlaps(other) for other in taken)

        if spec.subnet is None:
            return next(net for net in ipaddress.IPv4Network("10.200.0.0/13").subnets(new_prefix=24) if free(net))
        asked = ipaddress.ip_network(spec.subnet)
        if not free(asked):
            raise EngineError(f"{doing}: {asked} overlaps with another network's", status=403)
        return asked

    def inspect_network(self, ref: str) -> NetworkRecord:
        with self._changed:
            return self._network_record(self._network(ref, f"inspecting network {ref}"))

    def list_networks(self, *, filters: Filters) -> tuple[NetworkRecord, ...]:
        known: dict[str, Any] = {
            "name": lambda network, value: matches(value, network.name),
            "id": lambda network, value: network.id.startswith(value),
            "label": lambda network, value: labelled(network.labels, value),
            "driver": lambda network, value: network.driver == value,
            "type": lambda network, value: value == ("builtin" if network.name in _OWN else "custom"),
            "dangling": lambda network, value: truth(value) == (not self._on(network) and network.name not in _OWN),
        }
        with self._changed:
            found = [network for network in self._networks.values() if fits(network, filters, known, "networks")]
            return tuple(self._network_record(network, complete=False) for network in found)

    def remove_network(self, ref: str) -> None:
        doing = f"removing network {ref}"
        with self._changed:
            network = self._network(ref, doing)
            if network.name in _OWN:
                raise EngineError(f"{doing}: it is the engine's own", status=403)
            users = self._on(network)
            if users:
                raise InUse(f"{doing}: {', '.join(c.name for c in users)} still attached", status=403)
            del self._networks[network.id]
            self._told("network", "destroy", network.id, network.name, {}, type=network.driver)

    # ---------------------------------------------------------------- who is on them
    def _give_address(self, container: FakeContainer, network: FakeNetwork) -> None:
        """Give the requested address, or a free one. Raise StartFailed if it is taken or outside the subnet."""
        place = container.places[network.name]
        if not network.subnet:
            return
        subnet = ipaddress.ip_network(network.subnet)
        taken = {c.places[network.name].address for c in self._on(network) if c is not container}
        asked = place.asked.ipv4_address if subnet.version == 4 else place.asked.ipv6_address
        doing = f"starting container {container.name}"
        if asked:
            if ipaddress.ip_address(asked) not in subnet:
                raise StartFailed(f"{doing}: {asked} is not in {subnet} of network {network.name}", status=400)
            if asked in taken | {network.gateway}:
                raise StartFailed(f"{doing}: address {asked} of network {network.name} is taken", status=403)
        pool = ipaddress.ip_network(network.ip_range) if network.ip_range else subnet
        free = (str(host) for host in pool.hosts() if str(host) not in taken | {network.gateway, str(subnet[0])})
        place.address = asked or next(free, "")
        if not place.address:
            raise StartFailed(f"{doing}: no free address in {pool} of network {network.name}", status=403)
        digits = f"0242{int(ipaddress.ip_address(place.address)) & 0xFFFFFFFF:08x}"
        made = ":".join(digits[at : at + 2] for at in range(0, 12, 2))
        place.mac = place.asked.mac_address or made

    def connect_network(self, ref: str, container: str, attachment: NetworkAttachment) -> None:
        doing = f"connecting container {container} to network {ref}"
        with self._changed:
            network = self._network(ref, doing)
            found = self._container(container, doing)
            if network.name in found.places:
                raise InUse(f"{doing}: it is on that network already", status=403)
            if network.name in ("host", "none"):
                raise WrongState(f"{doing}: a container is on {network.name} from its making, or not", status=403)
            found.places[network.name] = Place(attachment)
            if found.alive:
                try:
                    self._give_address(found, network)
                except StartFailed as exc:
                    del found.places[network.name]
                    raise EngineError(f"{doing}: {exc}", status=exc.status) from exc
            self._told("network", "connect", network.id, network.name, {}, container=found.id)

    def disconnect_network(self, ref: str, container: str, *, force: bool) -> None:
        doing = f"disconnecting container {container} from network {ref}"
        with self._changed:
            network = self._network(ref, doing)
            found = self._container(container, doing)
            if network.name not in found.places:
                raise NotFound(f"{doing}: it is not on that network", status=404)
            del found.places[network.name]
            self._told("network", "disconnect", network.id, network.name, {}, container=found.id)
