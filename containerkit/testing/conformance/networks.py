"""Scenarios: networks."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from ... import wait
from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    ContainerNotFound,
    InUse,
    InvalidOption,
    NameInUse,
    NetworkNotFound,
    NotFound,
    Unsupported,
)
from .base import (
    SERVER,
    SLEEP,
    Scenarios,
    Untouchable,
    fetches,
    finds,
    fresh_name,
    http_get,
    needs,
    shell,
)


class NetworkScenarios(Scenarios):
    """Networks."""

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("how", ["name", "alias", "second-alias", "address"])
    def test_containers_find_each_other(self, engine: Engine, shell_image: str, how: str) -> None:
        """On a user network a container is reached by name, alias and static address."""
        number = random.randrange(1, 250)
        subnet = f"10.{random.randrange(100, 250)}.{number}.0/24"
        address = subnet.replace(".0/24", ".77")
        name = fresh_name("peer")
        target = {"name": name, "alias": "web", "second-alias": "www", "address": address}[how]
        with (
            engine.networks.create(fresh_name("net"), subnet=subnet) as network,
            engine.start(
                shell_image, SERVER, name=name, network={network.name: {"aliases": ["web", "www"], "ip": address}}
            ) as peer,
        ):
            peer.wait_until(wait.port_open(8080), timeout=20)
            assert peer.record.networks[network.name].ipv4_address == address
            line = f"{finds(target, address)} && {fetches(address)}"
            result = engine.run(shell_image, ["sh", "-c", line], network=network.name, timeout=60)
            assert result.stdout == "hello\n", result

    @needs(Capability.PROCESSES)
    def test_network_alias_option(self, engine: Engine, shell_image: str, net: Any) -> None:
        """network_alias= is the short form for one network."""
        with engine.start(shell_image, SERVER, network=net.name, network_alias="short") as peer:
            peer.wait_until(wait.port_open(8080), timeout=20)
            line = finds("short", peer.record.networks[net.name].ipv4_address)
            assert engine.run(shell_image, ["sh", "-c", line], network=net.name, timeout=60).exit_code == 0

    def test_an_address_of_another_network(self, engine: Engine, shell_image: str) -> None:
        """An address outside the subnet raises InvalidOption before anything is sent."""
        with (
            engine.networks.create(fresh_name(), subnet="10.231.94.0/24") as net,
            engine.containers.create(shell_image, ["true"]) as container,
        ):
            with pytest.raises(InvalidOption, match=r"10\.231\.94"):
                net.connect(container, ip="192.0.2.1")
            with pytest.raises(InvalidOption, match=r"10\.231\.94"):
                engine.containers.create(shell_image, ["true"], network=net.name, ip="192.0.2.1")
            assert container.id in {each.id for each in engine.containers.list(all=True)}

    def test_network_tells_of_itself(self, engine: Engine) -> None:
        """Subnet, gateway, labels and driver are as requested."""
        subnet = f"10.{random.randrange(100, 250)}.{random.randrange(250)}.0/24"
        gateway = subnet.replace(".0/24", ".9")
        with engine.networks.create(fresh_name("net"), subnet=subnet, gateway=gateway, labels={"a": "1"}) as made:
            found = engine.networks.get(made.name)
            assert (found.subnet, found.gateway, found.driver) == (subnet, gateway, "bridge")
            assert found.labels["a"] == "1"
            assert not found.internal
            assert engine.networks.get(made.id) == made

    def test_network_internal(self, engine: Engine) -> None:
        """internal=True is reported."""
        with engine.networks.create(fresh_name("net"), internal=True) as made:
            assert engine.networks.get(made.name).internal

    def test_network_name_in_use(self, engine: Engine, net: Any) -> None:
        """A taken name raises NameInUse."""
        with pytest.raises(NameInUse):
            engine.networks.create(net.name)

    @pytest.mark.parametrize("running", [True, False], ids=["running", "created"])
    def test_network_in_use(self, engine: Engine, shell_image: str, net: Any, running: bool) -> None:
        """Removing a network with a container raises InUse."""
        with engine.containers.create(shell_image, SLEEP, network=net.name) as container:
            if running:
                container.start()
                with pytest.raises(InUse):
                    net.remove()
                assert engine.networks.exists(net.name)

    def test_network_connect_and_disconnect(self, engine: Engine, shell_image: str, net: Any) -> None:
        """A running container joins a second network with an alias, and leaves it."""
        with (
            engine.networks.create(fresh_name("net")) as second,
            engine.start(shell_image, SERVER, network=net.name) as peer,
        ):
            second.connect(peer, aliases=["there"])
            assert second.name in peer.refresh().record.networks
            line = ["sh", "-c", finds("there", peer.record.networks[second.name].ipv4_address)]
            if Capability.PROCESSES in engine.capabilities:
                assert engine.run(shell_image, line, network=second.name, timeout=60).exit_code == 0
            second.disconnect(peer)
            assert second.name not in peer.refresh().record.networks

    def test_network_connect_twice(self, engine: Engine, shell_image: str, net: Any) -> None:
        """Connecting a connected container raises InUse."""
        with engine.start(shell_image, SLEEP, network=net.name) as peer, pytest.raises(InUse):
            net.connect(peer)

    def test_network_disconnect_stranger(self, engine: Engine, shell_image: str, net: Any) -> None:
        """Disconnecting a container that is not connected raises NotFound."""
        with (
            engine.networks.create(fresh_name("net")) as second,
            engine.start(shell_image, SLEEP, network=second.name) as peer,
            pytest.raises(NotFound),
        ):
            net.disconnect(peer)

    @pytest.mark.parametrize("what", ["container", "network"])
    def test_network_connect_missing(self, engine: Engine, shell_image: str, net: Any, what: str) -> None:
        """Connecting a missing resource raises the NotFound of its kind."""
        if what == "container":
            with pytest.raises(ContainerNotFound):
                net.connect(fresh_name("none"))
            return
        with (
            engine.networks.create(fresh_name("net")) as gone,
            engine.start(shell_image, SLEEP, network=net.name) as peer,
        ):
            gone.remove()
            with pytest.raises(NetworkNotFound):
                gone.connect(peer)

    def test_several_networks_at_create(self, engine: Engine, shell_image: str, net: Any) -> None:
        """A container can join several networks at create."""
        with (
            engine.networks.create(fresh_name("net")) as second,
            engine.start(shell_image, SLEEP, network=[net.name, second.name]) as peer,
        ):
            assert set(peer.record.networks) == {net.name, second.name}
            if Capability.PROCESSES in engine.capabilities:
                assert len(shell(peer, "ls /sys/class/net").split()) == 3

    def test_network_lists_its_containers(self, engine: Engine, shell_image: str, net: Any) -> None:
        """A network lists its containers with their addresses."""
        with engine.start(shell_image, SLEEP, network=net.name) as peer:
            (found,) = net.containers
            assert (found.id, found.name) == (peer.id, peer.name)
            assert found.ipv4_address == peer.record.networks[net.name].ipv4_address

    @needs(Capability.PROCESSES)
    def test_mac_address_as_declared(self, engine: Engine, shell_image: str, net: Any) -> None:
        """A MAC address is applied if declared."""
        mac = "02:42:0a:00:00:63"
        if Capability.MAC_ADDRESS not in engine.capabilities:
            with pytest.raises(Unsupported):
                engine.run(shell_image, ["true"], network=net.name, mac_address=mac)
            return
        line = "cat /sys/class/net/eth0/address"
        assert engine.run(shell_image, ["sh", "-c", line], network=net.name, mac_address=mac).stdout.strip() == mac

    @needs(Capability.PROCESSES)
    def test_network_of_another_container(self, engine: Engine, shell_image: str) -> None:
        """network="container:…" shares another container's network."""
        with engine.start(shell_image, SERVER) as peer:
            peer.wait_until(wait.port_open(8080), timeout=20)
            line = fetches("127.0.0.1")
            mode = f"container:{peer.name}"
            assert engine.run(shell_image, ["sh", "-c", line], network=mode).stdout == "hello\n"

    @needs(Capability.PROCESSES)
    def test_network_publish(self, engine: Engine, shell_image: str, net: Any) -> None:
        """A port is published from a user network too."""
        with engine.start(shell_image, SERVER, network=net.name, publish=["127.0.0.1::8080"]) as peer:
            peer.wait_until(wait.http("/index.html", 8080), timeout=20)
            assert http_get(f"http://{peer.port(8080)}/index.html") == "hello\n"

    @pytest.mark.parametrize("how", ["label", "name"])
    def test_network_list_filter(self, engine: Engine, net: Any, how: str) -> None:
        """A filter finds one network and not the other."""
        mark = fresh_name()
        with engine.networks.create(mark, labels={"mark": mark}) as made:
            filters: Mapping[str, Any] = {"label": [f"mark={mark}"]} if how == "label" else {"name": mark}
            assert engine.networks.list(filters=filters) == [made]
            assert {net.name, mark} <= {item.name for item in engine.networks.list()}

    def test_network_prune(self, engine: Engine, shell_image: str) -> None:
        """prune() removes unused networks that match."""
        mark = fresh_name()
        with (
            engine.networks.create(fresh_name("net"), labels={"mark": mark}) as unused,
            engine.networks.create(fresh_name("net"), labels={"mark": mark}) as used,
            engine.start(shell_image, SLEEP, network=used.name),
        ):
            assert engine.networks.prune(filters={"label": [f"mark={mark}"]}).removed == (unused.name,)
            assert engine.networks.exists(used.name)

    @pytest.mark.parametrize(
        ("name", "options"),
        [("", {}), ("host", {}), ("a b", {}), ("ok", {"subnet": "10.0.0.1/24"}), ("ok", {"gateway": "10.0.0.1"}),
         ("ok", {"subnet": "10.9.9.0/24", "gateway": "10.8.8.1"}), ("ok", {"internal": "yes"}), ("ok", {"colour": 1})],
        ids=repr,
    )  # fmt: skip
    def test_network_bad_input(self, engine: Engine, name: Any, options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """An invalid name or option raises InvalidOption before anything is sent."""
        monkeypatch.setattr(engine._core, "_backend", Untouchable(engine._core.backend))
        with pytest.raises(InvalidOption):
            engine.networks.create(name, **options)
