"""The configuration files of docker and podman that name engines, read whatever state they are in.

What is broken comes back as an endpoint with a reason, or is left out where it names nothing; nothing here raises.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidOption
from .endpoints import TLS, Endpoint, parse_url

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from .places import Host

__all__ = ["current_context", "default_connection", "docker_contexts", "podman_connections"]

_MAX_FILE = 8 << 20


class _Broken(Exception):
    """A file that is there and cannot be used; the message is for one line."""


def _read(path: Path) -> str | None:
    """The text of a file; None if there is none. Raises _Broken."""
    try:
        if not path.is_file():  # a FIFO or a device would block us
            if path.exists():
                raise _Broken(f"{path} is not a regular file")
            return None
        if path.stat().st_size > _MAX_FILE:
            raise _Broken(f"{path} is larger than a configuration can be")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _Broken(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except ValueError as exc:
        raise _Broken(f"{path} is not UTF-8 text: {exc}") from exc


def _json(path: Path) -> dict[str, Any]:
    text = _read(path)
    if text is None or not text.strip():
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _Broken(f"{path} is not valid JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise _Broken(f"{path} holds a {type(data).__name__} where an object is expected")
    return data


def _toml(path: Path) -> dict[str, Any]:
    text = _read(path)
    if text is None:
        return {}
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _Broken(f"{path} is not valid TOML: {exc}") from exc


def _table(of: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        of = of.get(key) if isinstance(of, Mapping) else None
    return of if isinstance(of, Mapping) else {}


def _text(of: Mapping[str, Any], key: str) -> str:
    value = of.get(key)
    return value if isinstance(value, str) else ""


def _endpoint(url: str, source: str, where: Path, *, tls: TLS | None = None, identity: str = "") -> Endpoint:
    if not url:
        return Endpoint("", source, reason=f"{where} gives no address for it")
    try:
        address = parse_url(url, name=source)
    except InvalidOption as exc:
        return Endpoint("" if "@" in url else url, source, reason=f"{exc} (in {where})")
    secure = tls if address.scheme in ("tcp", "https") else None
    if address.scheme == "https" and secure is None:
        secure = TLS()
    return Endpoint(address.url, source, tls=secure, identity=identity or None)


# ---------------------------------------------------------------- docker
def current_context(host: Host) -> tuple[str, str]:
    """(the name that `docker context use` left, why the file cannot be used); each "" if there is none."""
    try:
        return _text(_json(host.docker_config / "config.json"), "currentContext"), ""
    except _Broken as exc:
        return "", str(exc)


def docker_contexts(host: Host) -> dict[str, Endpoint]:
    """Every docker context by name; not "default", which has no file."""
    found: dict[str, Endpoint] = {}
    folder = host.docker_config / "contexts"
    try:
        files = sorted((folder / "meta").glob("*/meta.json"))
    except OSError:
        return found
    for path in files:
        try:
            meta = _json(path)
        except _Broken as exc:
            found[path.parent.name] = Endpoint("", f"docker context in {path.parent.name[:12]}", reason=str(exc))
            continue
        name = _text(meta, "Name")
        digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()
        if not name or digest != path.parent.name:
            continue  # docker looks for a name in the folder of its digest: this one answers to none
        docker = _table(meta, "Endpoints", "docker")
        tls = _context_tls(folder / "tls" / digest / "docker", verify=docker.get("SkipTLSVerify") is not True)
        found[name] = _endpoint(_text(docker, "Host"), f"docker context {name!r}", path, tls=tls)
    return found


def _context_tls(folder: Path, *, verify: bool) -> TLS | None:
    paths = [folder / name for name in ("ca.pem", "cert.pem", "key.pem")]
    try:
        ca, cert, key = (str(path) if path.is_file() else None for path in paths)
    except OSError:
        return None
    if ca is None and cert is None and key is None and verify:
        return None
    return TLS(ca, cert, key, verify=verify)


# ---------------------------------------------------------------- podman
def podman_connections(host: Host) -> dict[str, Endpoint]:
    """Every podman connection by name, from containers.conf and, over it, podman-connections.json."""
    found: dict[str, Endpoint] = {}
    for path, conf, broken in _containers_conf(host):
        if broken:
            found[str(path)] = Endpoint("", f"podman connections of {path}", reason=broken)
        for name, entry in _table(conf, "engine", "service_destinations").items():
            table = _table(entry)
            tls = _tls(_text(table, "tls_ca"), _text(table, "tls_cert"), _text(table, "tls_key"))
            source = f"podman connection {name!r}"
            found[name] = _endpoint(_text(table, "uri"), source, path, tls=tls, identity=_text(table, "identity"))
    path = _connections_file(host)
    try:
        connections = _table(_json(path), "Connection", "Connections")
    except _Broken as exc:
        found[str(path)] = Endpoint("", f"podman connections of {path}", reason=str(exc))
        return found
    for name, entry in connections.items():
        table = _table(entry)
        tls = _tls(_text(table, "TLSCA"), _text(table, "TLSCert"), _text(table, "TLSKey"))
        source = f"podman connection {name!r}"
        found[name] = _endpoint(_text(table, "URI"), source, path, tls=tls, identity=_text(table, "Identity"))
    return found


def default_connection(host: Host) -> str:
    """The name of the default podman connection, or ""."""
    try:
        if default := _text(_table(_json(_connections_file(host)), "Connection"), "Default"):
            return default
    except _Broken:
        pass
    default = ""
    for _, conf, _ in _containers_conf(host):
        default = _text(_table(conf, "engine"), "active_service") or default
    return default


def _tls(ca: str, cert: str, key: str) -> TLS | None:
    return TLS(ca or None, cert or None, key or None) if ca or cert or key else None


def _connections_file(host: Host) -> Path:
    given = host.get("PODMAN_CONNECTIONS_CONF")
    return Path(given) if given else host.config_home / "containers/podman-connections.json"


def _containers_conf(host: Host) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """(file, what it says, why it cannot be used), the later over the earlier; see containers.conf(5)."""
    if given := host.get("CONTAINERS_CONF"):  # instead of all others
        paths = [Path(given)]
    else:
        paths = [host.root / "usr/share/containers/containers.conf"]
        for folder in (host.root / "etc/containers", host.config_home / "containers"):
            try:
                modules = sorted((folder / "containers.conf.d").glob("*.conf"))
            except OSError:
                modules = []
            paths += [folder / "containers.conf", *modules]
    if override := host.get("CONTAINERS_CONF_OVERRIDE"):
        paths.append(Path(override))
    for path in paths:
        try:
            yield path, _toml(path), ""
        except _Broken as exc:  # noqa: PERF203  each file stands for itself
            yield path, {}, str(exc)
