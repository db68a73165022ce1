"""From keyword options to the specs of builds, volumes, networks; from filters to what a backend takes."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import InvalidOption, InvalidReference
from ..reference import parse
from ..spec import BuildSpec, NetworkSpec, VolumeSpec
from . import network as net
from .container import collect, platform
from .values import (
    env,
    fail,
    flag,
    ip_address,
    items,
    labels,
    object_name,
    pairs,
    plain_path,
    scalar,
    size,
    text,
    texts,
    word,
)

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 12):
        from typing import Unpack
    else:
        from typing_extensions import Unpack

    from .typed import BuildOptions, NetworkOptions, VolumeOptions

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_BUILD = frozenset(BuildSpec.__slots__)
_VOLUME = frozenset(VolumeSpec.__slots__) - {"name"}
_NETWORK = frozenset(NetworkSpec.__slots__) - {"name"}
_OPT = {"opt": "options", "label": "labels"}
_RESERVED = ("bridge", "host", "none", "default", "private", "slirp4netns", "pasta")


def build_spec(**options: Unpack[BuildOptions]) -> BuildSpec:
    """One build: tag(s), dockerfile (file), build_args (build_arg), target, labels, platform, no_cache, pull, …

    Raises:
        InvalidOption: an option that is unknown or that no engine would accept; also a tag that is no image name.
    """
    aliases = {"tag": "tags", "file": "dockerfile", "build_arg": "build_args", "label": "labels"}
    given, spelled = collect(options, _BUILD, aliases, "build")
    readers: dict[str, Any] = {
        "tags": lambda name, value: texts(name, value, _tag),
        "dockerfile": _dockerfile,
        "build_args": lambda name, value: env(value, name),
        "target": word,
        "labels": lambda name, value: labels(value, name),
        "platform": platform,
        "no_cache": flag,
        "pull": flag,
        "network": word,
        "add_host": net.add_host,
        "shm_size": lambda name, value: size(name, value),
    }
    return BuildSpec(**{option: readers[option](spelled[option], value) for option, value in given.items()})


def _tag(name: str, value: object) -> str:
    tag = text(name, value, "an image name")
    try:
        found = parse(tag)
    except InvalidReference as exc:
        raise InvalidOption(name, value, f"an image name ({exc})") from exc
    if found.digest:
        fail(name, value, "an image name without a digest: an image gets its digest from its content")
    return tag


def _dockerfile(name: str, value: object) -> str:
    expected = "the path of a Dockerfile inside the context"
    found = text(name, plain_path(value), expected)
    parts = [part for part in found.split("/") if part not in ("", ".")]
    if found.startswith("/") or ".." in parts or not parts:
        fail(name, value, expected)
    return "/".join(parts)


def _option(name: str, value: object) -> dict[str, str]:
    return pairs(name, value, bare=lambda _: "")


def volume_spec(name: str | None = None, **options: Unpack[VolumeOptions]) -> VolumeSpec:
    """One volume; without a name the engine chooses one. driver, options (opt), labels (label).

    Raises:
        InvalidOption: a name that no engine would accept, an unknown or broken option.
    """
    given, spelled = collect(options, _VOLUME, _OPT, "a volume")
    return VolumeSpec(
        "" if name is None else object_name("name", name, shortest=2),
        driver=word("driver", given.get("driver", "local")),
        options=_option(spelled.get("options", "options"), given.get("options", {})),
        labels=labels(given.get("labels"), spelled.get("labels", "labels")),
    )


def network_spec(name: str, **options: Unpack[NetworkOptions]) -> NetworkSpec:
    """One network: driver, subnet, gateway, ip_range, ipv6, internal, options (opt), labels (label).

    An IPv6 subnet switches ipv6 on.

    Raises:
        InvalidOption: a name no engine would accept; a subnet with host bits; a gateway or range outside it.
    """
    given, spelled = collect(options, _NETWORK, _OPT, "a network")
    object_name("name", name)
    if name in _RESERVED:
        fail("name", name, f"a name that is not a network mode ({', '.join(_RESERVED)})")
    subnet = _subnet("subnet", given["subnet"]) if "subnet" in given else None
    gateway = ip_address("gateway", given["gateway"]) if "gateway" in given else None
    ip_range = _subnet("ip_range", given["ip_range"]) if "ip_range" in given else None
    for option, value in (("gateway", gateway), ("ip_range", ip_range)):
        if value is not None and subnet is None:
            fail(option, given[option], "subnet= beside it")
    if subnet and gateway and ipaddress.ip_address(gateway) not in subnet:
        fail("gateway", given["gateway"], f"an address in subnet {subnet}")
    if subnet and ip_range and (ip_range.version != subnet.version or not ip_range.subnet_of(subnet)):  # type: ignore[arg-type]
        fail("ip_range", given["ip_range"], f"a part of subnet {subnet}")
    return NetworkSpec(
        name,
        driver=word("driver", given.get("driver", "bridge")),
        subnet=None if subnet is None else str(subnet),
        gateway=gateway,
        ip_range=None if ip_range is None else str(ip_range),
        ipv6=flag("ipv6", given.get("ipv6", False)) or (subnet is not None and subnet.version == 6),
        internal=flag("internal", given.get("internal", False)),
        options=_option(spelled.get("options", "options"), given.get("options", {})),
        labels=labels(given.get("labels"), spelled.get("labels", "labels")),
    )


def _subnet(name: str, value: object) -> _Network:
    expected = "a network in CIDR notation like '10.89.0.0/24'"
    found = (
        str(value) if isinstance(value, (ipaddress.IPv4Network, ipaddress.IPv6Network)) else text(name, value, expected)
    )
    if "/" not in found:
        fail(name, value, expected)
    try:
        return ipaddress.ip_network(found)
    except ValueError as exc:
        raise InvalidOption(name, value, f"{expected} ({exc})") from exc


def filters(value: Mapping[str, Any] | None, name: str = "filters") -> dict[str, tuple[str, ...]]:
    """Filters as a backend takes them: {"label": ["a=1", "b"]}, {"label": {"a": 1, "b": None}}, {"dangling": True}.

    Raises:
        InvalidOption: not a mapping, an empty word, a value that is not a string, number, bool or a collection of them.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        fail(name, value, "a mapping like {'label': ['a=1'], 'status': 'running'}")
    found: dict[str, tuple[str, ...]] = {}
    for key, item in value.items():
        text(name, key, "the names of filters as non-empty strings")
        if isinstance(item, Mapping):
            text_pairs = ((word_, part) for word_, part in item.items())
            found[key] = tuple(
                text(name, word_, "keys that are non-empty strings")
                + ("" if part is None else f"={scalar(name, part)}")
                for word_, part in text_pairs
            )
        elif isinstance(item, (bool, float)):
            found[key] = (scalar(name, item),)
        else:
            found[key] = tuple(scalar(name, part) for part in items(name, item, f"{key} as a string or a list of them"))
        if not found[key] or not all(found[key]):
            fail(name, {key: item}, f"a value for {key}, not an empty one")
    return found
