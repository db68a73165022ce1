"""Topology: the hosts of a lab and the collision domains that connect them, as plain values that are validated."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..display import GraphBox, NetworkGraph
from ..errors import ContainerKitError, InvalidLab
from ..options import container_spec
from ..values import Value

#: Image of hosts that name none: busybox has `ip`, `ping`, `httpd`, `nc` and `udhcpc`.
DEFAULT_IMAGE = "docker.io/library/busybox:1"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,62}")
_INTERFACE = re.compile(r"(?!lo$|veth\d|ck)[A-Za-z][A-Za-z0-9_.-]{0,14}")
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}", re.IGNORECASE)
#: Options of start() that a lab sets itself.
_OURS = frozenset({"network", "name", "labels", "entrypoint", "keep", "rm", "publish", "hostname"})
_LONGEST = 100_000  # bytes of a startup script: the kernel takes 128 KiB as one argument


@dataclass(frozen=True, slots=True)
class Interface(Value):
    """An interface of a host, plugged into a collision domain.

    Attributes:
        name: "eth0", …
        domain: the collision domain.
        addresses: with prefix lengths, such as "10.0.1.2/24".
        mac: MAC address; None derives one from the names of lab, host and interface.
    """

    name: str
    domain: str
    addresses: tuple[str, ...] = ()
    mac: str | None = None


@dataclass(frozen=True, slots=True)
class Host(Value):
    """A host, router or switch of a lab.

    Attributes:
        name: also its host name.
        interfaces: in the order of their names.
        image: None takes the lab's image.
        command: runs as the host's main process; None keeps the host alive without one.
        own_command: without `command`, the main process is that of the image.
        routes: destination ("default", "10.0.2.0/24") -> gateway.
        startup: shell commands that run when the interfaces are up.
        strict: a startup command that fails is an error of the lab.
        files: path in the host -> content.
        folder: local folder whose content is copied to /.
        after: names of hosts whose startup commands end before this host's begin.
        options: options of :meth:`Engine.start`, such as {"memory": "64m", "sysctls": {...}}.
    """

    name: str
    interfaces: tuple[Interface, ...] = ()
    image: str | None = None
    command: Any = None
    routes: Mapping[str, str] = field(default_factory=dict)
    startup: str = ""
    strict: bool = True
    files: Mapping[str, str | bytes] = field(default_factory=dict, repr=False)
    folder: Path | None = None
    after: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    own_command: bool = False


@dataclass(frozen=True, slots=True)
class Topology(Value):
    """The hosts of a lab. Needs no engine.

    Attributes:
        name: part of the names of the containers.
        hosts: in the order of their addition.
        image: of hosts that name none.
    """

    name: str
    hosts: tuple[Host, ...] = ()
    image: str = DEFAULT_IMAGE

    @property
    def domains(self) -> dict[str, tuple[tuple[Host, Interface], ...]]:
        """The collision domains in order of appearance, each with the interfaces in it."""
        found: dict[str, list[tuple[Host, Interface]]] = {}
        for host in self.hosts:
            for interface in host.interfaces:
                found.setdefault(interface.domain, []).append((host, interface))
        return {domain: tuple(ends) for domain, ends in found.items()}

    def host(self, name: str) -> Host:
        """Return a host by name. Raises InvalidLab if the lab has no such host."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise InvalidLab(
            f"lab {self.name} has no host {name!r}; it has {', '.join(h.name for h in self.hosts) or 'no host'}"
        )

    def with_host(self, host: Host) -> Topology:
        """Return the topology with one more host. Raises InvalidLab if the name is taken."""
        if any(each.name == host.name for each in self.hosts):
            raise InvalidLab(f"host {host.name}: the lab has a host of that name already")
        return replace(self, hosts=(*self.hosts, host))

    def validate(self) -> Topology:
        """Check everything that can be checked without an engine.

        Returns:
            The topology itself.

        Raises:
            InvalidLab: the first mistake, with the host's name.
        """
        _match(_NAME, self.name, "name of the lab", "letters, digits, '_', '.', '-'")
        names = [host.name for host in self.hosts]
        if twice := {name for name in names if names.count(name) > 1}:
            raise InvalidLab(f"host {min(twice)}: the lab has two hosts of that name")
        for host in self.hosts:
            _validate_host(host, self.image)
            if unknown := set(host.after) - set(names):
                raise InvalidLab(f"host {host.name}: starts after {min(unknown)}, which is not in the lab")
        self.waves()
        return self

    def waves(self) -> list[list[Host]]:
        """Return the hosts in groups: each starts when the groups before it are up. Raises InvalidLab for a circle."""
        waves: list[list[Host]] = []
        done: set[str] = set()
        left = list(self.hosts)
        while left:
            ready = [host for host in left if done.issuperset(host.after)]
            if not ready:
                raise InvalidLab(f"these hosts wait for one another: {', '.join(host.name for host in left)}")
            waves.append(ready)
            done |= {host.name for host in ready}
            left = [host for host in left if host.name not in done]
        return waves

    def draw(self, states: Mapping[str, str] | None = None, broken: Iterable[tuple[str, str]] = ()) -> NetworkGraph:
        """Return a drawing of hosts and collision domains: SVG, text, Mermaid and Graphviz.

        Args:
            states: host -> status of its container; hosts that do not run are dashed.
            broken: (host, interface) of links that are down; they are dashed.
        """
        down = set(broken)
        boxes = (
            GraphBox(
                host.name,
                tuple((each.domain, " ".join((each.name, *each.addresses))) for each in host.interfaces),
                (states or {}).get(host.name, ""),
                tuple(number for number, each in enumerate(host.interfaces) if (host.name, each.name) in down),
            )
            for host in self.hosts
        )
        return NetworkGraph(f"Lab {self.name}", tuple(boxes))


def make_host(
    name: str,
    links: Mapping[str, str | Sequence[str] | None] | Iterable[str] = (),
    *,
    image: str | None = None,
    command: Any = None,
    routes: Mapping[str, str] | None = None,
    gateway: str | None = None,
    router: bool = False,
    startup: str = "",
    files: Mapping[str, str | bytes] | None = None,
    after: Iterable[str] = (),
    **options: Any,
) -> Host:
    """Return a host. See :meth:`Lab.add`."""
    if isinstance(links, str):
        raise InvalidLab(f"host {name}: links={links!r}: expected a mapping from collision domain to address")
    given = links if isinstance(links, Mapping) else dict.fromkeys(links)
    interfaces = tuple(
        Interface(f"eth{number}", domain, (at,) if isinstance(at, str) else tuple(at or ()))
        for number, (domain, at) in enumerate(given.items())
    )
    if router:
        sysctls = {"net.ipv4.ip_forward": "1"}
        if _speaks_ipv6(interfaces):
            sysctls["net.ipv6.conf.all.forwarding"] = "1"
        options["sysctls"] = {**sysctls, **dict(options.get("sysctls") or {})}
    return Host(
        name,
        interfaces,
        image,
        command,
        {**(routes or {}), **({"default": gateway} if gateway else {})},
        startup,
        files=dict(files or {}),
        after=tuple(after),
        options=options,
    )


def _speaks_ipv6(interfaces: Iterable[Interface]) -> bool:
    return any(":" in address for interface in interfaces for address in interface.addresses)


def _match(pattern: re.Pattern[str], value: object, what: str, expected: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidLab(f"{what} {value!r}: expected {expected}")


def _validate_host(host: Host, image: str) -> None:
    where = f"host {host.name}"
    _match(_NAME, host.name, "host", "a name of letters, digits, '_', '.', '-'")
    names = [interface.name for interface in host.interfaces]
    for interface in host.interfaces:
        _match(_INTERFACE, interface.name, f"{where}: interface", "at most 15 letters and digits, as in 'eth0'")
        if names.count(interface.name) > 1:
            raise InvalidLab(f"{where}: two interfaces {interface.name}")
        _match(_DOMAIN, interface.domain, f"{where}: collision domain", "letters, digits, '_', '.', '-', '/', ':'")
        if interface.mac is not None:
            _match(_MAC, interface.mac, f"{where}: MAC address", "a unicast one, as in '02:00:00:00:00:01'")
        for address in interface.addresses:
            _parse(where, "address", address, ipaddress.ip_interface, "an address with its prefix, as in '10.0.1.2/24'")
            if "/" not in address:
                raise InvalidLab(f"{where}: address {address!r}: expected a prefix length, as in '{address}/24'")
    for destination, gateway in host.routes.items():
        if destination != "default":
            _parse(where, "route to", destination, ipaddress.ip_network, "'default' or a network, as in '10.0.2.0/24'")
        _parse(where, "gateway", gateway, ipaddress.ip_address, "an address, as in '10.0.1.1'")
    if len(host.startup.encode()) > _LONGEST:
        raise InvalidLab(f"{where}: startup commands of more than {_LONGEST} bytes; put them into a file of the host")
    for path in host.files:
        if not isinstance(path, str) or not path.startswith("/") or ".." in path.split("/") or path.endswith("/"):
            raise InvalidLab(f"{where}: file {path!r}: expected an absolute path")
    if ours := sorted(_OURS & set(host.options)):
        raise InvalidLab(f"{where}: {ours[0]}= is set by the lab")
    try:
        container_spec(host.image or image, host.command, host.options)
    except ContainerKitError as exc:
        raise InvalidLab(f"{where}: {exc}") from exc


def _parse(where: str, what: str, value: object, parse: Any, expected: str) -> None:
    try:
        if not isinstance(value, str):
            raise ValueError
        parse(value)
    except ValueError:
        raise InvalidLab(f"{where}: {what} {value!r}: expected {expected}") from None
