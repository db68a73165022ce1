"""Read podman connections. A broken file becomes an endpoint with a reason; nothing here raises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..userconfig.environment import Environment
from ..userconfig.files import BrokenFile, read_json, read_toml, string_at, table_at
from .endpoints import TLS, Endpoint, named_endpoint


def podman_connections(environment: Environment) -> dict[str, Endpoint]:
    """Return every podman connection by name; podman-connections.json overrides containers.conf."""
    found: dict[str, Endpoint] = {}
    for path, conf, broken in _containers_conf(environment):
        if broken:
            found[str(path)] = Endpoint("", f"podman connections of {path}", reason=broken)
        for name, entry in table_at(conf, "engine", "service_destinations").items():
            keys = ("uri", "identity", "tls_ca", "tls_cert", "tls_key")
            found[name] = _endpoint(name, path, *(string_at(table_at(entry), key) for key in keys))
    path = _connections_file(environment)
    try:
        connections = table_at(read_json(path), "Connection", "Connections")
    except BrokenFile as exc:
        found[str(path)] = Endpoint("", f"podman connections of {path}", reason=str(exc))
        return found
    for name, entry in connections.items():
        keys = ("URI", "Identity", "TLSCA", "TLSCert", "TLSKey")
        found[name] = _endpoint(name, path, *(string_at(table_at(entry), key) for key in keys))
    return found


def default_connection(environment: Environment) -> str:
    """Return the name of the default podman connection, or ""."""
    try:
        if default := string_at(table_at(read_json(_connections_file(environment)), "Connection"), "Default"):
            return default
    except BrokenFile:
        pass
    default = ""
    for _, conf, _ in _containers_conf(environment):
        default = string_at(table_at(conf, "engine"), "active_service") or default
    return default


def _endpoint(name: str, path: Path, url: str, identity: str, ca: str, cert: str, key: str) -> Endpoint:
    tls = TLS(ca or None, cert or None, key or None) if ca or cert or key else None
    return named_endpoint(url, f"podman connection {name!r}", path, tls=tls, identity=identity)


def _connections_file(environment: Environment) -> Path:
    given = environment.get("PODMAN_CONNECTIONS_CONF")
    return Path(given) if given else environment.config_home / "containers/podman-connections.json"


def _containers_conf(environment: Environment) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """Yield (file, content, why it cannot be used) in the order of containers.conf(5): later files override."""
    if given := environment.get("CONTAINERS_CONF"):  # replaces all other files
        paths = [Path(given)]
    else:
        paths = [environment.root / "usr/share/containers/containers.conf"]
        for folder in (environment.root / "etc/containers", environment.config_home / "containers"):
            try:
                modules = sorted((folder / "containers.conf.d").glob("*.conf"))
            except OSError:
                modules = []
            paths += [folder / "containers.conf", *modules]
    if override := environment.get("CONTAINERS_CONF_OVERRIDE"):
        paths.append(Path(override))
    for path in paths:
        try:
            yield path, read_toml(path), ""
        except BrokenFile as exc:  # noqa: PERF203  one broken file must not hide the others
            yield path, {}, str(exc)
