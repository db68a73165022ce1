"""Look up registry credentials where `docker login` and `podman login` keep them; :mod:`.storing` writes them."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import AuthenticationFailed
from ..spec import RegistryAuth
from .environment import Environment
from .files import BrokenFile, read_json, string_at, table_at
from .helpers import helper_credentials

_log = logging.getLogger("containerkit")

_DOCKER_HUB = "docker.io"
#: The keys under which `docker login` and `podman login` file Docker Hub.
_DOCKER_HUB_KEYS = ("https://index.docker.io/v1/", "docker.io", "index.docker.io")


@dataclass(frozen=True)
class _Store:
    """One configuration file with credentials. `chosen`: a variable names it, so a broken file is an error."""

    path: Path
    chosen: bool = False

    def read(self) -> dict[str, Any]:
        try:
            return read_json(self.path)
        except BrokenFile as exc:
            if self.chosen:
                raise AuthenticationFailed(f"reading registry credentials: {exc} (from REGISTRY_AUTH_FILE)") from exc
            _log.warning("registry credentials are ignored: %s", exc)
            return {}


def find_credentials(environment: Environment, registry: str, repository: str, *, kind: str) -> RegistryAuth | None:
    """Return the credentials for an image's registry, None if there are none.

    For Docker, the file of `docker login` comes first; for Podman, those of `podman login`. Either falls back to the
    other's, so that a login by one command line serves both engines.

    Args:
        environment: where the files are.
        registry: a host, with its port ("ghcr.io", "localhost:5000").
        repository: the image's path there; podman files credentials per path as well.
        kind: "docker" or "podman".

    Raises:
        AuthenticationFailed: a credential helper is missing, fails or hangs, or an entry is broken.
    """
    for store in _stores(environment, kind):
        data = store.read()
        keys = list(_keys(registry, repository))
        helpers = table_at(data, "credHelpers")
        for key in keys:
            if helper := string_at(helpers, key):
                return helper_credentials(environment, helper, registry, _servers(registry, key), store.path)
        if helper := string_at(data, "credsStore"):
            found = helper_credentials(environment, helper, registry, _servers(registry, registry), store.path)
        else:
            found = _from_entries(table_at(data, "auths"), keys, registry, store.path)
        if found:
            return found
    return None


def credentials_file(environment: Environment, kind: str) -> Path:
    """Return the file to which the engine's command line writes."""
    if kind == "docker":
        return environment.docker_config / "config.json"
    if given := environment.get("REGISTRY_AUTH_FILE"):
        return Path(given)
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime.startswith("/"):
        return Path(runtime, "containers/auth.json")
    return environment.root / f"run/containers/{environment.uid}/auth.json"


def keys_of(registry: str) -> tuple[str, ...]:
    """Return the keys of a registry without a path; docker's for Docker Hub comes first, then podman's."""
    return _DOCKER_HUB_KEYS if registry == _DOCKER_HUB else (registry,)


def _stores(environment: Environment, kind: str) -> Iterator[_Store]:
    """Yield the files in the order of containers-auth.json(5); for Docker, its own file first."""
    docker = _Store(credentials_file(environment, "docker"))
    if kind == "docker":
        yield docker
    chosen = bool(environment.get("REGISTRY_AUTH_FILE"))
    yield _Store(credentials_file(environment, "podman"), chosen=chosen)
    if not chosen:
        yield _Store(environment.config_home / "containers/auth.json")
    if kind != "docker":
        yield docker


def _keys(registry: str, repository: str) -> Iterator[str]:
    """Yield the keys that an entry may have: the path and its parents, then the registry."""
    parts = repository.split("/")
    for end in range(len(parts), 0, -1):
        yield "/".join([registry, *parts[:end]])
    yield from keys_of(registry)


def _servers(registry: str, key: str) -> tuple[str, ...]:
    """Return the server names to ask a helper for; docker and podman name Docker Hub differently."""
    return _DOCKER_HUB_KEYS[:2] if registry == _DOCKER_HUB else (key,)


def _hostname(key: str) -> str:
    """Return the host of a key that was written as a URL, as docker did in its early versions."""
    return key.partition("://")[2].partition("/")[0] if "://" in key else key


def _from_entries(auths: Mapping[str, Any], keys: list[str], registry: str, file: Path) -> RegistryAuth | None:
    by_host = {_hostname(key): entry for key, entry in auths.items()}
    entry = next((found for key in keys if (found := table_at(auths, key) or table_at(by_host, key))), {})
    username, password = string_at(entry, "username"), string_at(entry, "password")
    token = string_at(entry, "identitytoken")
    if encoded := string_at(entry, "auth"):
        try:
            username, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            colon = ""
        if not colon:
            raise AuthenticationFailed(
                f"reading the credentials for {registry}: the entry in {file} is not base64 of user:password; "
                "log in again, or pass auth=(user, password)"
            ) from None
        password = password.rstrip("\0")
    if not token and not (username and password):
        return None
    return RegistryAuth(registry, username, password, token)
