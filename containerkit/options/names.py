"""Parsers of names: containers, images, users, hosts, paths and addresses."""

from __future__ import annotations

import ipaddress
import os
import re

from ..errors import InvalidOption, InvalidReference
from ..reference import looks_like_id, parse
from ..spec import RegistryAuth
from .primitives import fail, parse_integer, parse_text, plain_path

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)
_PLATFORM = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+){0,2}", re.ASCII)
_HOST_LABEL = r"[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,62}[a-zA-Z0-9_])?"
_HOSTNAME = re.compile(rf"{_HOST_LABEL}(?:\.{_HOST_LABEL})*\.?")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_name(name: str, value: object, *, shortest: int = 1) -> str:
    """Return the name of a new object, as both engines accept it. Docker requires two characters for containers."""
    expected = "a name of letters, digits, '_', '.' and '-' that starts with a letter or digit"
    if shortest > 1:
        expected += f", {shortest} characters or more"
    found = parse_text(name, value, expected)
    if not shortest <= len(found) <= 255 or not _NAME.fullmatch(found):
        fail(name, value, expected)
    return found


def parse_object(name: str, value: object, what: str = "a name or an ID", *, slash: bool = False) -> str:
    """Return the name, the ID or the start of the ID of an existing object.

    Args:
        slash: remove one leading slash, which `inspect` of a container shows in front of its name.

    Raises:
        InvalidOption: the value is not text, or is a path: "a/b", "." and ".." are no names of any object.
    """
    found = parse_text(name, value, what)
    if slash:
        found = found.removeprefix("/")
    if not found.strip() or len(found) > 255 or "/" in found or found in (".", "..") or not found.isprintable():
        fail(name, value, f"{what}, not a path" if "/" in found or found in (".", "..") else what)
    return found


def parse_image(value: object, name: str = "ref") -> str:
    """Return an image's name or ID as given. Raises InvalidOption (not text) or InvalidReference (not a name)."""
    if not isinstance(value, str):
        fail(name, value, "an image's name or ID")
    if not looks_like_id(value):
        parse(value)
    return value


def parse_tag(name: str, value: object) -> str:
    """Return an image name that a build can give to its image: a digest is refused."""
    tag = parse_text(name, value, "an image name")
    try:
        found = parse(tag)
    except InvalidReference as exc:
        raise InvalidOption(name, value, f"an image name ({exc})") from exc
    if found.digest:
        fail(name, value, "an image name without a digest: an image gets its digest from its content")
    return tag


def parse_platform(name: str, value: object) -> str:
    """Return a platform: "linux/arm64" or "linux/arm/v7"."""
    expected = "a platform like 'linux/arm64' or 'linux/arm/v7'"
    found = parse_text(name, value, expected)
    return found if _PLATFORM.fullmatch(found) else fail(name, value, expected)


def parse_user(name: str, value: object) -> str:
    """Return a user or group: a number of 0 or more, a name, or "user:group"."""
    expected = "a user (name, or number of 0 or more), or 'user:group'"
    if not isinstance(value, str):
        value = str(parse_integer(name, value, low=0, high=2**32 - 2, expected=expected))
    found = parse_text(name, value, expected)
    parts = found.split(":")
    if len(parts) > 2 or not all(parts) or not re.fullmatch(r"[^\s/]+", found) or found.startswith("-"):
        fail(name, value, expected)
    return found


# ---------------------------------------------------------------- paths
def parse_container_path(name: str, value: object, *, root: bool = False) -> str:
    """Return an absolute path in a container without "..", "//" and trailing "/". `root` allows "/"."""
    expected = "an absolute path in the container, without '..'" + ("" if root else ", and not '/' itself")
    found = parse_text(name, plain_path(value), expected)
    parts = [part for part in found.split("/") if part not in ("", ".")]
    if not found.startswith("/") or ".." in parts or not (parts or root):
        fail(name, value, expected)
    return "/" + "/".join(parts)


def parse_workdir(name: str, value: object) -> str:
    """Return a working directory: an absolute path in the container, "/" included."""
    return parse_container_path(name, value, root=True)


def parse_host_path(name: str, value: object) -> str:
    """Return an absolute path on the host; "~" is the user's home, a relative path starts at the working directory."""
    expected = "a path on the host"
    found = parse_text(name, plain_path(value), expected)
    if found == "~" or found.startswith("~/"):
        found = os.path.expanduser(found)
    if found.startswith("/"):
        return found.rstrip("/") or "/"
    try:
        return os.path.abspath(found)
    except OSError as exc:  # the working directory was removed
        raise InvalidOption(name, value, f"an absolute path ({exc})") from exc


def parse_local_path(name: str, value: object, what: str = "the path of a file or folder") -> str:
    """Return a path of this machine, with ~ expanded. Refuses a path longer than Linux allows."""
    found = os.path.expanduser(parse_text(name, plain_path(value), what))
    if any(len(os.fsencode(part)) > 255 for part in found.split("/")) or len(os.fsencode(found)) > 4095:
        fail(name, value, f"{what}, no longer than one can be")
    return found


def parse_dockerfile(name: str, value: object) -> str:
    """Return the path of a Dockerfile: in the build context, or a local path elsewhere."""
    found = parse_local_path(name, value, "the path of a Dockerfile")
    return os.path.normpath(found)


# ---------------------------------------------------------------- hosts and addresses
def parse_hostname(name: str, value: object) -> str:
    """Return a host name: letters, digits and '-', labels of at most 64 characters joined by dots."""
    expected = "a host name of letters, digits, '-' and '.'"
    found = parse_text(name, value, expected)
    if len(found) > 253 or not _HOSTNAME.fullmatch(found):
        fail(name, value, expected)
    return found


def parse_ip(name: str, value: object, *, version: int | None = None) -> str:
    """Return an IPv4 or IPv6 address in its shortest form."""
    expected = "an IP address" if version is None else f"an IPv{version} address"
    if isinstance(value, (bool, int, bytes)):
        fail(name, value, expected)
    try:
        found = ipaddress.ip_address(str(value))
    except ValueError as exc:
        raise InvalidOption(name, value, expected) from exc
    if version not in (None, found.version):
        fail(name, value, expected)
    return str(found)


def parse_subnet(name: str, value: object) -> Network:
    """Return a network in CIDR notation; an address with host bits is refused."""
    expected = "a network in CIDR notation like '10.89.0.0/24'"
    given = isinstance(value, (ipaddress.IPv4Network, ipaddress.IPv6Network))
    found = str(value) if given else parse_text(name, value, expected)
    if "/" not in found:
        fail(name, value, expected)
    try:
        return ipaddress.ip_network(found)
    except ValueError as exc:
        raise InvalidOption(name, value, f"{expected} ({exc})") from exc


def parse_mac(name: str, value: object) -> str:
    """Return a MAC address as "02:42:ac:11:00:02"."""
    expected = "a MAC address like '02:42:ac:11:00:02'"
    found = parse_text(name, value, expected).lower().replace("-", ":")
    if not _MAC.fullmatch(found) or int(found[:2], 16) & 1:
        fail(name, value, expected + ", not a multicast address")
    return found


# ---------------------------------------------------------------- credentials
def parse_auth(given: object, registry: object) -> RegistryAuth:
    """Return credentials for one registry. Raises InvalidOption."""
    if isinstance(given, RegistryAuth):
        return given
    if (
        not isinstance(given, tuple)
        or len(given) != 2
        or not all(isinstance(word, str) and word and "\0" not in word for word in given)
    ):
        raise InvalidOption("auth", type(given).__name__, "a pair of strings, (user, password)")
    if not isinstance(registry, str) or not registry or not re.fullmatch(r"[\w.\[\]:-]+", registry, re.ASCII):
        raise InvalidOption("registry", registry, 'a registry\'s address, like "docker.io" or "localhost:5000"')
    return RegistryAuth({"index.docker.io": "docker.io"}.get(registry, registry), *given)
