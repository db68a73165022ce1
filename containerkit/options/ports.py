"""Parsers of published and exposed ports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..spec import PortBinding
from .groups import parse_items
from .names import parse_ip
from .primitives import fail, parse_choice, parse_integer, parse_text

_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_FORMS = "'[[address:]host-port:]container-port[/protocol]' with ports from 1 to 65535, or {container-port: host-port}"


def parse_publish(name: str, value: object) -> tuple[PortBinding, ...]:
    """Return the bindings of `publish=`: {80: 8080} maps container to host, "127.0.0.1:8080:80/tcp" is the CLI's."""
    found: list[PortBinding] = []
    if isinstance(value, Mapping):
        for key, hosts in value.items():
            for host in hosts if isinstance(hosts, (list, set, frozenset)) else (hosts,):
                found += _bindings(name, key, host)
    else:
        for item in (value,) if isinstance(value, PortBinding) else parse_items(name, value, _FORMS):
            found += [_copy_binding(name, item)] if isinstance(item, PortBinding) else _bindings_of_line(name, item)
    taken: dict[tuple[str, int, str], PortBinding] = {}
    for binding in found:
        if binding.host_port is not None:
            same = taken.setdefault((binding.host_ip, binding.host_port, binding.protocol), binding)
            if same != binding:
                fail(name, value, f"host port {binding.host_port} for one container port, not two")
    return tuple(dict.fromkeys(found))


def parse_expose(name: str, value: object) -> tuple[PortBinding, ...]:
    """Return ports that are documented but not published: "80", 80, "80/udp" or "8000-8002"."""
    found: dict[PortBinding, None] = {}
    for item in parse_items(name, value, "ports like 80 or '80/udp'"):
        ports, protocol = _container_ports(name, item)
        found |= dict.fromkeys(PortBinding(port, protocol) for port in ports)
    return tuple(found)


def _copy_binding(name: str, binding: PortBinding) -> PortBinding:
    host_port, last = binding.host_port, binding.host_port_last
    if last is not None and (host_port is None or _parse_port(name, last) <= _parse_port(name, host_port)):
        fail(name, binding, "a range of host ports that goes up")
    return PortBinding(
        _parse_port(name, binding.container_port),
        parse_choice(name, binding.protocol, "tcp", "udp", "sctp"),
        binding.host_ip and parse_ip(name, binding.host_ip),
        None if host_port is None else _parse_port(name, host_port),
        last,
    )


def _parse_port(name: str, value: object) -> int:
    return parse_integer(name, value, low=1, high=65535, expected="a port from 1 to 65535")


def _parse_ports(name: str, value: object) -> range:
    """Return one port, or the ports of a range like "8000-8002"."""
    first = last = value
    if isinstance(value, str):
        match = _RANGE.fullmatch(value)
        if match is None:
            fail(name, value, "a port from 1 to 65535, or a range like '8000-8002'")
        first, last = match[1], match[2] or match[1]
    found = range(_parse_port(name, first), _parse_port(name, last) + 1)
    return found or fail(name, value, "a range of ports that goes up")


def _container_ports(name: str, value: object) -> tuple[range, str]:
    port, slash, protocol = value.partition("/") if isinstance(value, str) else (value, "", "")
    return _parse_ports(name, port), parse_choice(name, protocol.lower(), "tcp", "udp", "sctp") if slash else "tcp"


def _bindings(name: str, container: object, host: Any) -> Iterator[PortBinding]:
    """Yield the bindings of a container port (or a range of them) to a host's address and port."""
    if isinstance(host, tuple):
        if not 1 <= len(host) <= 2:
            fail(name, host, "(address, host port) with None for a free port")
        address, host_port = host[0], host[1] if len(host) == 2 else None
    elif isinstance(host, str) and not _RANGE.fullmatch(host):
        address, host_port = _split_address(name, host)
    else:
        address, host_port = "", host
    ports, protocol = _container_ports(name, container)
    address = parse_ip(name, address.strip("[]") if isinstance(address, str) else address) if address else ""
    if host_port in (None, ""):
        yield from (PortBinding(port, protocol, address) for port in ports)
        return
    host_ports = _parse_ports(name, host_port)
    if len(ports) == 1 < len(host_ports):  # the engine chooses a free port of the range
        yield PortBinding(ports[0], protocol, address, host_ports[0], host_ports[-1])
    elif len(host_ports) == len(ports):
        yield from (PortBinding(port, protocol, address, mine) for port, mine in zip(ports, host_ports, strict=True))
    else:
        fail(name, {container: host}, "as many host ports as container ports, or one container port")


def _bindings_of_line(name: str, item: object) -> Iterator[PortBinding]:
    if not isinstance(item, str):
        return _bindings(name, item, None)
    host, colon, container = parse_text(name, item, _FORMS).rpartition(":")
    if colon and not (host and container):
        fail(name, item, _FORMS)
    if not colon or _RANGE.fullmatch(host):
        return _bindings(name, container, host if colon else None)
    if host.endswith("]") or ":" not in host:  # "address:port" could mean either port; both command lines refuse it
        fail(name, item, f"{_FORMS}; 'address::port' for a free host port")
    return _bindings(name, container, _split_address(name, host))


def _split_address(name: str, host: str) -> tuple[str, str | None]:
    """Split "127.0.0.1:8080", "[::1]:8080", "127.0.0.1:" (a free port), or an address alone."""
    parse_text(name, host, _FORMS)
    if host.endswith("]") or ":" not in host:
        return parse_ip(name, host.strip("[]")), None
    address, _, port = host.rpartition(":")
    if ":" in address and not (address.startswith("[") and address.endswith("]")):
        fail(name, host, _FORMS + "; an IPv6 address stands in brackets")
    if port and not _RANGE.fullmatch(port):
        fail(name, host, _FORMS)
    return parse_ip(name, address.strip("[]")), port or None
