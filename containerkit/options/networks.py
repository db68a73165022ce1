"""Parsers of the networks that a container joins, and of the hosts that it knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..spec import NetworkAttachment
from .groups import parse_each, parse_items, parse_keys
from .names import parse_hostname, parse_ip, parse_mac, parse_name
from .primitives import fail, parse_text, plain_path

#: Names that mean a mode of the engine, never a network of the user.
MODES = ("bridge", "host", "none", "default", "private", "slirp4netns", "pasta")
_MODE_PREFIXES = ("container", "slirp4netns", "pasta", "ns")
#: accepted word for a setting of an attachment -> the field of NetworkAttachment
_KEYS = {
    "aliases": "aliases", "alias": "aliases", "network_alias": "aliases",
    "ip": "ipv4_address", "ipv4_address": "ipv4_address",
    "ip6": "ipv6_address", "ipv6_address": "ipv6_address",
    "mac_address": "mac_address", "mac": "mac_address", "mac-address": "mac_address",
}  # fmt: skip


def parse_ip4(name: str, value: object) -> str:
    """Return an IPv4 address."""
    return parse_ip(name, value, version=4)


def parse_ip6(name: str, value: object) -> str:
    """Return an IPv6 address."""
    return parse_ip(name, value, version=6)


parse_aliases = parse_each(parse_hostname)
_PARSERS: dict[str, Any] = {
    "aliases": parse_aliases,
    "ipv4_address": parse_ip4,
    "ipv6_address": parse_ip6,
    "mac_address": parse_mac,
}


def parse_attachment(name: str, **settings: object) -> NetworkAttachment:
    """Return the place of a container in a network: aliases (alias), ip, ip6, mac_address.

    Raises:
        InvalidOption: an unknown word, a name that no engine allows, an invalid address.
    """
    return _attachment("network", name, settings)


def parse_networks(name: str, value: object) -> tuple[str | None, tuple[NetworkAttachment, ...]]:
    """Return the network mode and the networks of `network=`: "lab", ["a", "b"], {"lab": {"ip": …}}, or values."""
    settings: dict[object, object] = {}
    if isinstance(value, Mapping):
        settings = dict(value)
    else:
        expected = "a network's name, a list of names, or a mapping of names to settings"
        for item in (value,) if isinstance(value, NetworkAttachment) else parse_items(name, value, expected):
            key, inline = (
                (item.name, item)
                if isinstance(item, NetworkAttachment)
                else _network_line(name, parse_text(name, item, "a network's name"))
            )
            if key in settings:
                fail(name, value, f"network {key!r} only once")
            settings[key] = inline
    if not settings:
        fail(name, value, "a network's name ('none' for no network)")
    modes = [key for key in settings if _is_mode(key)]
    if not modes:
        return None, tuple(_attachment(name, key, setting) for key, setting in settings.items())
    if len(settings) > 1 or settings[modes[0]]:
        fail(name, value, f"{modes[0]!r} alone, without further networks and settings")
    mode = parse_text(name, modes[0])
    if mode.startswith("container:"):
        parse_name(name, mode.removeprefix("container:"))
    return (None if mode == "default" else mode), ()


def _is_mode(key: object) -> bool:
    if not isinstance(key, str):
        return False
    prefix, colon, _ = key.partition(":")
    return key in MODES or (bool(colon) and prefix in _MODE_PREFIXES)


def _network_line(name: str, line: str) -> tuple[str, dict[str, object] | None]:
    """Split "net", Podman's "net:ip=…,alias=…" or Docker's "name=net,ip=…,alias=…"."""
    if _is_mode(line):
        return line, None
    docker = line.startswith("name=")
    key, _, rest = line.removeprefix("name=").partition("," if docker else ":")
    found: dict[str, Any] = {}
    for item in filter(None, rest.split(",")):
        word, equals, setting = item.partition("=")
        field = _KEYS.get(word)
        if not equals or field is None or (field in found and field != "aliases"):
            fail(name, line, "settings of alias, ip, ip6 and mac-address")
        found[field] = [*found.get(field, []), setting] if field == "aliases" else setting
    return key, found or None


def _attachment(name: str, network: object, setting: object) -> NetworkAttachment:
    given: Mapping[Any, Any]
    if isinstance(setting, NetworkAttachment):
        given = {field: getattr(setting, field) or None for field in _PARSERS}
    elif setting is None or isinstance(setting, Mapping):
        given = setting or {}
    else:
        fail(name, setting, "settings of a network as a mapping of aliases, ip, ip6 and mac_address, or None")
    fields = parse_keys(name, given, _KEYS)
    return NetworkAttachment(
        parse_name(name, network), **{field: _PARSERS[field](name, item) for field, item in fields.items()}
    )


def parse_dns_search(name: str, value: object) -> str:
    """Return a search domain; "." means none."""
    return "." if value == "." else parse_hostname(name, value)


def parse_hosts(name: str, value: object) -> tuple[tuple[str, str], ...]:
    """Return the lines of `add_host=`: {"name": "1.2.3.4"} or "name:1.2.3.4"; "host-gateway" means the host."""
    expected = "'name:address', or a mapping of names to addresses"
    found: list[tuple[object, object]] = []
    if isinstance(value, Mapping):
        for key, addresses in value.items():
            several = addresses if isinstance(addresses, (list, tuple)) else (addresses,)
            found += [(key, address) for address in several]
    else:
        for item in parse_items(name, value, expected):
            host, *rest = re.split("[:=]", parse_text(name, plain_path(item), expected), maxsplit=1)
            found.append((host, rest[0]) if rest else fail(name, item, expected))
    return tuple((parse_hostname(name, host), _parse_host_address(name, address)) for host, address in found)


def _parse_host_address(name: str, value: object) -> str:
    if value == "host-gateway":
        return "host-gateway"
    return parse_ip(name, value.removeprefix("[").removesuffix("]") if isinstance(value, str) else value)
