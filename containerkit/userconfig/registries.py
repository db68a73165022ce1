"""Read how podman and skopeo are told to reach registries: mirrors of registries.conf, certificates of certs.d."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import PullFailed
from ..reference import Reference, parse
from .environment import Environment
from .files import BrokenFile, read_toml

__all__ = ["Certificates", "Place", "certificates", "places"]

_log = logging.getLogger("containerkit")


@dataclass(frozen=True)
class Certificates:
    """Certificates for one registry.

    Attributes:
        authorities: files of certificate authorities that it may be signed by, beside the system's.
        client: (certificate, key) of this client, or None.
    """

    authorities: tuple[Path, ...] = ()
    client: tuple[Path, Path] | None = None


@dataclass(frozen=True)
class Place:
    """A name under which an image can be read; `insecure` accepts any certificate, and plain http."""

    name: Reference
    insecure: bool = False


def certificates(environment: Environment, registry: str) -> Certificates:
    """Return the certificates that the folders certs.d of podman and docker hold for a registry.

    Args:
        environment: where the files are.
        registry: a host, with its port.
    """
    root = environment.root
    folders = (environment.config_home / "containers", root / "etc/containers", root / "etc/docker")
    for folder in (place / "certs.d" / registry for place in folders):
        try:
            files = sorted(folder.iterdir())
        except OSError:
            continue
        pairs = [(file, file.with_suffix(".key")) for file in files if file.suffix == ".cert"]
        client = next((pair for pair in pairs if pair[1] in files), None)
        return Certificates(tuple(file for file in files if file.suffix == ".crt"), client)
    return Certificates()


def places(environment: Environment, name: Reference) -> tuple[Place, ...]:
    """Return where an image is read from, in this order: the mirrors that registries.conf has for it, and itself.

    Args:
        environment: where the files are.
        name: the image.

    Raises:
        PullFailed: registries.conf blocks the registry.
    """
    rule = max(_matching(environment, name), key=lambda found: len(found[0]), default=None)
    if rule is None:
        return (Place(name),)
    prefix, table = rule
    if table.get("blocked") is True:
        raise PullFailed(f"reading {name.name}: registries.conf blocks {prefix}")
    found = []
    for mirror in _tables(table.get("mirror")):
        wanted = "digest-only" if table.get("mirror-by-digest-only") is True else mirror.get("pull-from-mirror", "all")
        if wanted == "all" or (wanted == "digest-only") == (name.digest is not None):
            found += _place(name, prefix, mirror)
    return (*found, *_place(name, prefix, table))


def _place(name: Reference, prefix: str, table: dict[str, Any]) -> list[Place]:
    location = table.get("location")
    insecure = table.get("insecure") is True
    if not isinstance(location, str) or not location or prefix.startswith("*."):
        return [Place(name, insecure)] if "location" not in table or prefix.startswith("*.") else []
    moved = parse(location.rstrip("/") + name.name[len(prefix) :])
    return [Place(replace(moved, tag=name.tag, digest=name.digest), insecure)]


def _matching(environment: Environment, name: Reference) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (prefix, table) of the entries for an image, the last one of a prefix alone."""
    found: dict[str, dict[str, Any]] = {}
    for path in _files(environment):
        try:
            document = read_toml(path)
        except BrokenFile as exc:
            _log.warning("mirrors are ignored: %s", exc)
            continue
        for table in _tables(document.get("registry")):
            prefix = table.get("prefix") or table.get("location")
            if isinstance(prefix, str):
                found[prefix.rstrip("/")] = table
    for prefix, table in found.items():
        if _matches(prefix, name):
            yield prefix, table


def _matches(prefix: str, name: Reference) -> bool:
    if prefix.startswith("*."):
        return name.registry.partition(":")[0].endswith(prefix[1:])
    return name.name == prefix or name.name.startswith((f"{prefix}/", f"{prefix}:"))


def _files(environment: Environment) -> list[Path]:
    """Return the files that count, a later one before an earlier: as containers-registries.conf(5) says."""
    if given := environment.get("CONTAINERS_REGISTRIES_CONF"):
        return [Path(given)]
    own, system = environment.config_home / "containers", environment.root / "etc/containers"
    main = own / "registries.conf"
    files = [main if main.is_file() else system / "registries.conf"]
    for folder in (system, own):
        files += sorted((folder / "registries.conf.d").glob("*.conf"))
    return files


def _tables(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
