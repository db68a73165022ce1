"""How a container is reached: published ports, networks, names and addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..spec import NetworkAttachment, PortBinding
from .values import fail, integer, ip_address, items, mac_address, object_name, plain_path, text, texts, word

_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_PROTOCOLS = ("tcp", "udp", "sctp")
_FORMS = "'[[address:]host-port:]container-port[/protocol]' with ports from 1 to 65535, or {container-port: host-port}"
_HOSTNAME = re.compile(
    r"[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,62}[a-zA-Z0-9_])?(?:\.[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,62}[a-zA-Z0-9_])?)*\.?"
)
_MODES = ("bridge", "host", "none", "private", "slirp4netns", "pasta")
_KEYS = {
    "alias": "aliases", "aliases": "aliases", "network_alias": "aliases",
    "ip": "ip", "ipv4_address": "ip", "ipv4": "ip",
    "ip6": "ip6", "ipv6_address": "ip6", "ipv6": "ip6",
    "mac": "mac", "mac_address": "mac", "mac-address": "mac",
}  # fmt: skip


# ---------------------------------------------------------------- ports
def publish(name: str, value: object) -> tuple[PortBinding, ...]:
    """The value of `publish=`: {80: 8080} is container to host; ["127.0.0.1:8080:80/tcp"] is the CLI's order."""
    found: list[PortBinding] = []
    if isinstance(value, Mapping):
        for key, hosts in value.items():
            for host in hosts if isinstance(hosts, (list, set, frozenset)) else (hosts,):
                found += _published(name, key, host)
    else:
        for item in items(name, value, _FORMS):
            found += [_again(name, item)] if isinstance(item, PortBinding) else _published_line(name, item)
    taken: dict[tuple[str, int, str], PortBinding] = {}
    for binding in found:
        if binding.host_port is not None:
            same = taken.setdefault((binding.host_ip, binding.host_port, binding.protocol), binding)
            if same != binding:
                fail(name, value, f"host port {binding.host_port} for one container port, not two")
    return tuple(dict.fromkeys(found))


def expose(name: str, value: object) -> tuple[PortBinding, ...]:
    """The value of `expose=`: ports that are named but not published, "80", 80, "80/udp" or "8000-8002"."""
    return tuple(
        dict.fromkeys(
            PortBinding(port, protocol)
            for item in items(name, value, "ports like 80 or '80/udp'")
            for ports, protocol in (_container_ports(name, item),)
            for port in ports
        )
    )


def _again(name: str, binding: PortBinding) -> PortBinding:
    return PortBinding(
        _port(name, binding.container_port),
        binding.protocol if binding.protocol in _PROTOCOLS else fail(name, binding, "protocol tcp, udp or sctp"),
        binding.host_ip and ip_address(name, binding.host_ip),
        None if binding.host_port is None else _port(name, binding.host_port),
    )


def _port(name: str, value: object) -> int:
    return integer(name, value, low=1, high=65535, expected="a port from 1 to 65535")


def _ports(name: str, value: object) -> range:
    """One port, or a range "8000-8002"."""
    if not isinstance(value, str):
        port = _port(name, value)
        return range(port, port + 1)
    match = _PORT.fullmatch(value)
    if match is None:
        fail(name, value, "a port from 1 to 65535, or a range like '8000-8002'")
    first, last = _port(name, match[1]), _port(name, match[2] or match[1])
    if last < first:
        fail(name, value, "a range of ports that goes up")
    return range(first, last + 1)


def _container_ports(name: str, value: object) -> tuple[range, str]:
    port, slash, protocol = value.partition("/") if isinstance(value, str) else (value, "", "tcp")
    protocol = (protocol if slash else "tcp").lower()
    if protocol not in _PROTOCOLS:
        fail(name, value, "protocol tcp, udp or sctp")
    return _ports(name, port), protocol


def _published(name: str, container: object, host: object) -> Iterator[PortBinding]:
    if isinstance(host, tuple):
        if not 1 <= len(host) <= 2:
            fail(name, host, "(address, host port) with None for a free port")
        address, host_port = host[0], host[1] if len(host) == 2 else None
    elif isinstance(host, str) and not _PORT.fullmatch(host):
        address, host_port = _split_address(name, host)
    else:
        address, host_port = "", host
    ports, protocol = _container_ports(name, container)
    address = ip_address(name, address.strip("[]") if isinstance(address, str) else address) if address else ""
    if host_port in (None, ""):
        yield from (PortBinding(port, protocol, address, None) for port in ports)
        return
    host_ports = _ports(name, host_port)
    if len(host_ports) != len(ports):
        fail(name, {container: host}, "as many host ports as container ports")
    yield from (PortBinding(port, protocol, address, mine) for port, mine in zip(ports, host_ports, strict=True))


def _published_line(name: str, item: object) -> Iterator[PortBinding]:
    if not isinstance(item, str):
        return _published(name, item, None)
    host, colon, container = text(name, item, _FORMS).rpartition(":")
    if colon and not (host and container):
        fail(name, item, _FORMS)
    if not colon or _PORT.fullmatch(host):
        return _published(name, container, host if colon else None)
    if host.endswith("]") or ":" not in host:  # an address and one port: which port is it? the CLIs refuse it too
        fail(name, item, f"{_FORMS}; 'address::port' for a free host port")
    return _published(name, container, _split_address(name, host))


def _split_address(name: str, host: str) -> tuple[str, str | None]:
    """ "127.0.0.1:8080", "[::1]:8080", "127.0.0.1:" (a free port) and a bare address."""
    text(name, host, _FORMS)
    if host.endswith("]") or ":" not in host:
        return ip_address(name, host.strip("[]")), None
    address, _, port = host.rpartition(":")
    bracketed = address.startswith("[") and address.endswith("]")
    if ":" in address and not bracketed:
        fail(name, host, _FORMS + "; an IPv6 address stands in brackets")
    if port and not _PORT.fullmatch(port):
        fail(name, host, _FORMS)
    return ip_address(name, address.strip("[]")), port or None


# ---------------------------------------------------------------- networks
def network_attachment(name: str, **settings: object) -> NetworkAttachment:
    """One user network: aliases (alias), ip (ipv4_address), ip6 (ipv6_address), mac_address.

    Raises:
        InvalidOption: an unknown word, a name no engine allows, an address that is none.
    """
    return _attachment("network", name, settings)


def networks(name: str, value: object, own: Mapping[str, Any]) -> tuple[str | None, tuple[NetworkAttachment, ...]]:
    """(network mode, user networks) from network=, and from network_alias=, ip=, ip6=, mac_address= in `own`."""
    settings: dict[object, object] = {}
    if isinstance(value, Mapping):
        settings = dict(value)
    elif value is not None:
        for item in items(name, value, "a network's name, a list of names, or a mapping of names to settings"):
            if isinstance(item, NetworkAttachment):
                settings[item.name] = item
                continue
            key, inline = _network_line(name, text(name, item, "a network's name"))
            if key in settings:
                fail(name, value, f"network {key!r} only once")
            settings[key] = inline
    modes = [key for key in settings if _is_mode(key)]
    if modes and (len(settings) > 1 or settings[modes[0]]):
        fail(name, value, f"{modes[0]!r} alone, without further networks and settings")
    if own and (modes or len(settings) != 1):
        option = next(iter(own))
        fail(
            option, own[option], "exactly one user network in network= (with several, give each its own settings there)"
        )
    if value is not None and not settings:
        fail(name, value, "a network's name ('none' for no network)")
    if modes:
        mode = text(name, modes[0])
        if mode.startswith("container:"):
            object_name(name, mode.removeprefix("container:"))
        return (None if mode == "default" else mode), ()
    return None, tuple(_attachment(name, key, setting, own) for key, setting in settings.items())


def _is_mode(key: object) -> bool:
    if not isinstance(key, str):
        return False
    first, colon, _ = key.partition(":")
    return key in (*_MODES, "default") or (bool(colon) and first in ("container", "slirp4netns", "pasta", "ns"))


def _network_line(name: str, line: str) -> tuple[str, dict[str, object] | None]:
    """ "net", Podman's "net:ip=…,alias=…" or Docker's "name=net,ip=…,alias=…"."""
    if _is_mode(line):
        return line, None
    if line.startswith("name="):
        key, _, rest = line.removeprefix("name=").partition(",")
    else:
        key, _, rest = line.partition(":")
    found: dict[str, object] = {}
    for field in filter(None, rest.split(",")):
        word_, equals, setting = field.partition("=")
        ours = _KEYS.get(word_)
        if not equals or ours is None or (ours in found and ours != "aliases"):
            fail(name, line, "settings of alias, ip, ip6 and mac-address")
        found[ours] = [*found.get(ours, []), setting] if ours == "aliases" else setting  # type: ignore[misc]
    return key, found or None


def _attachment(name: str, network: object, setting: object, own: Mapping[str, Any] | None = None) -> NetworkAttachment:
    if isinstance(setting, NetworkAttachment):
        given: dict[object, object] = {
            "aliases": setting.aliases or None, "ip": setting.ipv4_address, "ip6": setting.ipv6_address,
            "mac": setting.mac_address,
        }  # fmt: skip
    elif setting is None or isinstance(setting, Mapping):
        given = dict(setting or {})
    else:
        fail(name, setting, "settings of a network as a mapping of aliases, ip, ip6 and mac_address, or None")
    found: dict[str, tuple[str, object]] = {}
    for source in (given, own or {}):
        for key, item in source.items():
            ours = _KEYS.get(key) if isinstance(key, str) else None
            if ours is None:
                fail(name, {network: setting}, f"aliases, ip, ip6 and mac_address, not {key!r}")
            if item is None:
                continue
            if ours in found:
                fail(str(key), item, f"{ours} given once")
            found[ours] = (str(key) if source is own else name, item)
    get = found.get
    return NetworkAttachment(
        object_name(name, network),
        aliases=texts(*found["aliases"], hostname) if "aliases" in found else (),
        ipv4_address=ip_address(*get("ip", ("", "")), version=4) if "ip" in found else None,
        ipv6_address=ip_address(*get("ip6", ("", "")), version=6) if "ip6" in found else None,
        mac_address=mac_address(*get("mac", ("", ""))) if "mac" in found else None,
    )


# ---------------------------------------------------------------- names
def hostname(name: str, value: object) -> str:
    """A host name: letters, digits and '-', parts of at most 64 characters joined by dots."""
    expected = "a host name of letters, digits, '-' and '.'"
    found = text(name, value, expected)
    if len(found) > 253 or not _HOSTNAME.fullmatch(found):
        fail(name, value, expected)
    return found


def dns_search(name: str, value: object) -> str:
    """A search domain; "." for none."""
    return "." if value == "." else hostname(name, value)


def dns_option(name: str, value: object) -> str:
    """A word of resolv.conf(5) like "ndots:2"."""
    return word(name, value)


def add_host(name: str, value: object) -> tuple[tuple[str, str], ...]:
    """The value of `add_host=`: {"name": "1.2.3.4"} or ["name:1.2.3.4"]; "host-gateway" means the host."""
    expected = "'name:address', or a mapping of names to addresses"
    found: list[tuple[object, object]] = []
    if isinstance(value, Mapping):
        for key, addresses in value.items():
            found += [
                (key, address) for address in (addresses if isinstance(addresses, (list, tuple)) else (addresses,))
            ]
    else:
        for item in items(name, value, expected):
            key, separator, address = re.match(
                r"([^:=]*)([:=]?)(.*)", text(name, plain_path(item), expected), re.DOTALL
            ).groups()  # type: ignore[union-attr]
            found.append((key, address) if separator else fail(name, item, expected))
    return tuple(
        (
            hostname(name, key),
            "host-gateway"
            if address == "host-gateway"
            else ip_address(name, str(address).removeprefix("[").removesuffix("]")),
        )
        for key, address in found
    )
