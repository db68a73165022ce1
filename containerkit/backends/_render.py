"""From a spec to a request of the Docker Engine API, which Podman's compat endpoints accept too.

Every option of a spec is rendered at the place that the option table gives, or refused by the backend.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from ..options.table import BUILD, CREATE, EXEC, LIMITS, NETWORK, VOLUME, Option
from ..spec import (
    BuildSpec,
    ContainerSpec,
    ExecSpec,
    NetworkAttachment,
    NetworkSpec,
    RegistryAuth,
    ResourceLimits,
    VolumeSpec,
)

#: The largest number that the kernel's page counter holds: unlimited swap, for an engine that does not accept -1.
ALL_SWAP = (1 << 63) - 4096
#: The key of Docker Hub in credentials; Docker finds them under no other.
_DOCKER_HUB = "https://index.docker.io/v1/"
_ENDPOINT = "NetworkingConfig.EndpointsConfig.*."


def query_filters(filters: Mapping[str, Any]) -> str | None:
    """Return filters as the API takes them: JSON, each value a list of strings."""
    return json.dumps({key: list(values) for key, values in filters.items()}) if filters else None


def auth_header(auth: RegistryAuth) -> str:
    """Return the X-Registry-Auth header: base64url of JSON."""
    return _base64({**_account(auth), "serveraddress": auth.registry})


def config_header(credentials: Iterable[RegistryAuth]) -> str:
    """Return the X-Registry-Config header of a build: credentials by registry."""
    names = {"docker.io": _DOCKER_HUB}
    return _base64({names.get(auth.registry, auth.registry): _account(auth) for auth in credentials})


def _account(auth: RegistryAuth) -> dict[str, str]:
    if auth.identity_token:
        return {"identitytoken": auth.identity_token}
    return {"username": auth.username, "password": auth.password}


def _base64(body: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(body).encode()).decode("ascii")


def _rendered(spec: Any, rows: Iterable[Option]) -> Iterator[tuple[str, Any]]:
    """Yield the place and the JSON of every option of these rows that the spec sets.

    A field that is None, has its default, or renders to nothing is left out: the engine's default applies.
    """
    defaults = {
        each.name: each.default_factory() if callable(each.default_factory) else each.default for each in fields(spec)
    }
    for row in rows:
        field = row.field or row.name
        value = functools.reduce(lambda found, name: getattr(found, name, None), field.split("."), spec)
        if value is None or value == defaults.get(field):
            continue
        for place, render in row.places().items():
            rendered = render(value)
            if rendered is not None and rendered != [] and rendered != {}:
                yield place, rendered


def _put(body: dict[str, Any], place: str, value: Any) -> None:
    """Put a value at a place like "HostConfig.CapAdd"; mappings at one place are joined."""
    *outer, last = place.split(".")
    for name in outer:
        body = body.setdefault(name, {})
    body[last] = {**body[last], **value} if isinstance(value, dict) and last in body else value


def container_body(spec: ContainerSpec, image: str, *, unlimited_swap: int = -1) -> dict[str, Any]:
    """Return the body of a create without NetworkingConfig, which each backend puts in its own way."""
    body: dict[str, Any] = {"Image": image, "AttachStdout": True, "AttachStderr": True, "HostConfig": {}}
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    for place, value in _rendered(spec, CREATE.values()):
        if not place.startswith("?"):
            _put(body, place, value)
    body["HostConfig"] |= limits_body(spec.limits, unlimited_swap=unlimited_swap)
    return body


def container_query(spec: ContainerSpec) -> dict[str, Any]:
    """Return the query parameters of a create."""
    rendered = _rendered(spec, CREATE.values())
    return {place.removeprefix("?"): value for place, value in rendered if place.startswith("?")}


def limits_body(limits: ResourceLimits, *, unlimited_swap: int = -1) -> dict[str, Any]:
    """Return the limits that are set; `unlimited_swap` is the engine's number for unlimited swap."""
    rendered = _rendered(ContainerSpec("", limits=limits), LIMITS.values())
    body = {place.removeprefix("HostConfig."): value for place, value in rendered}
    if limits.memory_swap == -1:
        body["MemorySwap"] = unlimited_swap
    return body


def endpoint_body(attachment: NetworkAttachment) -> dict[str, Any]:
    """Return the place of a container in a network: a value of EndpointsConfig, and the body of a connect."""
    body: dict[str, Any] = {}
    for row in CREATE.values():
        outer, _, inner = row.field.partition(".")
        if outer == "networks" and (value := getattr(attachment, inner)):
            for place, render in row.places().items():
                _put(body, place.removeprefix(_ENDPOINT), render(value))
    return body


def exec_body(spec: ExecSpec) -> dict[str, Any]:
    """Return the body of the create of an exec."""
    body = {"Cmd": list(spec.command), "AttachStdout": True, "AttachStderr": True}
    return body | dict(_rendered(spec, EXEC.values()))


def network_body(spec: NetworkSpec) -> dict[str, Any]:
    """Return the body of the create of a network."""
    body: dict[str, Any] = {"Name": spec.name, "CheckDuplicate": True, "Driver": spec.driver}
    for place, value in _rendered(spec, NETWORK.values()):
        _put(body, place, value)
    if pool := body.pop("IPAM", {}).get("Config"):
        body["IPAM"] = {"Driver": "default", "Config": [pool]}
    return body


def volume_body(spec: VolumeSpec) -> dict[str, Any]:
    """Return the body of the create of a volume."""
    return {"Name": spec.name, "Driver": spec.driver} | dict(_rendered(spec, VOLUME.values()))


def build_query(spec: BuildSpec) -> dict[str, Any]:
    """Return the query parameters of a build; mappings are JSON."""
    query: dict[str, Any] = {"dockerfile": spec.dockerfile, "rm": True, "forcerm": True}
    for place, value in _rendered(spec, BUILD.values()):
        query[place.removeprefix("?")] = json.dumps(value) if isinstance(value, dict) else value
    return query
