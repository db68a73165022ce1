"""Candidates: where an engine may answer, from variables, contexts, connections and well-known sockets, in order.

Nothing here contacts an engine or raises for a broken configuration: that is a candidate with a reason.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..errors import InvalidOption
from ..userconfig.environment import Environment
from .connections import default_connection, podman_connections
from .contexts import current_context, docker_contexts
from .endpoints import EMBEDDED, TLS, Endpoint, EngineUrl, Kind, parse_url
from .sockets import well_known_sockets

_OWN_VARIABLE = "CONTAINERKIT_ENGINE"


@dataclass(frozen=True)
class Candidate:
    """An endpoint that has not been contacted.

    Attributes:
        endpoint: the address, or the reason why the configuration gives none.
        chosen: a variable or `docker context use` chose it; if it fails, connect() tries no other engine.
        automatic: connect() without a target tries it.
        expected: the kind that its name suggests; the server decides.
    """

    endpoint: Endpoint
    chosen: bool = False
    automatic: bool = True
    expected: Kind | None = None


def own_variable(environment: Environment) -> str:
    """Return the value of CONTAINERKIT_ENGINE, or ""."""
    return environment.get(_OWN_VARIABLE)


def find_candidates(environment: Environment) -> tuple[Candidate, ...]:
    """Return every candidate in the order in which connect() tries them; each socket appears once. It never raises."""
    unique: dict[str, Candidate] = {}
    for candidate in _all_candidates(environment):
        unique.setdefault(_identity(candidate.endpoint), candidate)
    return tuple(unique.values())


def candidate_named(environment: Environment, name: str) -> Candidate:
    """Return the docker context or podman connection of a name.

    Raises:
        LookupError: the name is unknown, or names both; the message lists the known names.
    """
    contexts, connections = docker_contexts(environment), podman_connections(environment)
    if name in contexts and name in connections and contexts[name].url != connections[name].url:
        raise LookupError(
            f"{name!r} names both a docker context ({contexts[name].url}) and a podman connection "
            f"({connections[name].url}): use the URL instead"
        )
    if name in contexts:
        return Candidate(contexts[name], chosen=True, expected="docker")
    if name in connections:
        return Candidate(connections[name], chosen=True, expected="podman")
    if name == "default":
        endpoint = Endpoint(f"unix://{environment.root / 'var/run/docker.sock'}", "docker context 'default'")
        return Candidate(endpoint, chosen=True, expected="docker")
    raise LookupError(
        f"no docker context and no podman connection is named {name!r} (docker contexts: "
        f"{', '.join(sorted(contexts)) or 'none'}; podman connections: {', '.join(sorted(connections)) or 'none'})"
    )


def endpoint_of_url(environment: Environment, text: str, source: str, *, identity: str | None = None) -> Endpoint:
    """Return the endpoint of a URL, with TLS if the environment configures it; an invalid URL becomes a reason."""
    try:
        address = parse_url(text, name=source)
    except InvalidOption as exc:
        shown = "" if "@" in text else text  # it may hold a password
        return Endpoint(shown, source, reason=str(exc))
    key = identity or (environment.get("CONTAINER_SSHKEY") or None if address.scheme == "ssh" else None)
    return Endpoint(address.url, source, tls=_tls(environment, address), identity=key)


def _tls(environment: Environment, address: EngineUrl) -> TLS | None:
    """Return the TLS settings of DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH.

    DOCKER_TLS without DOCKER_TLS_VERIFY accepts any server, as the docker command line does. A folder of certificates
    alone is read by docker-py as TLS without verification, and by docker not at all; here it means verified TLS.
    """
    if address.scheme not in ("tcp", "https"):
        return None
    verify, unverified = bool(environment.get("DOCKER_TLS_VERIFY")), bool(environment.get("DOCKER_TLS"))
    given = environment.get("DOCKER_CERT_PATH")
    if not (verify or unverified or given):
        return TLS() if address.scheme == "https" else None
    folder = given or str(environment.docker_config)
    ca, cert, key = (os.path.join(folder, name) for name in ("ca.pem", "cert.pem", "key.pem"))
    client = os.path.exists(cert) or os.path.exists(key)  # a server may not require a client certificate
    own_authority = verify or (not unverified and os.path.exists(ca))
    return TLS(
        ca if own_authority else None,
        cert if client else None,
        key if client else None,
        verify=verify or not unverified,
    )


def _identity(endpoint: Endpoint) -> str:
    if endpoint.reason or not endpoint.url.startswith("unix://"):
        return f"{endpoint.url} {endpoint.tls} {endpoint.identity} {endpoint.reason}"
    try:
        return os.path.realpath(endpoint.url.removeprefix("unix://"))
    except (OSError, ValueError):
        return endpoint.url


def _all_candidates(environment: Environment) -> Iterator[Candidate]:
    yield from _of_own_variable(environment)
    yield from _of_podman_variables(environment)
    yield from _of_docker_variables(environment)
    for path, kind in well_known_sockets(environment):
        yield Candidate(Endpoint(f"unix://{path}", "well-known socket"), expected=kind)
    yield Candidate(_embedded(environment), expected="podman")
    connections, default = podman_connections(environment), default_connection(environment)
    if default in connections:
        yield Candidate(connections.pop(default), expected="podman")
    for _, endpoint in sorted(docker_contexts(environment).items()):
        yield Candidate(endpoint, expected="docker", automatic=False)
    for _, endpoint in sorted(connections.items()):
        yield Candidate(endpoint, expected="podman", automatic=False)


def _of_own_variable(environment: Environment) -> Iterator[Candidate]:
    value = own_variable(environment)
    if not value or value in ("docker", "podman"):
        return
    if any(mark in value for mark in ":/"):  # no context and no connection has these in its name
        yield Candidate(endpoint_of_url(environment, value, _OWN_VARIABLE), chosen=True)
        return
    try:
        candidate = candidate_named(environment, value)
    except LookupError as exc:
        yield Candidate(Endpoint("", _OWN_VARIABLE, reason=str(exc)), chosen=True)
    else:
        yield replace(candidate, endpoint=_with_source(candidate.endpoint, _OWN_VARIABLE))


def _of_podman_variables(environment: Environment) -> Iterator[Candidate]:
    if value := environment.get("CONTAINER_HOST"):
        identity = environment.get("CONTAINER_SSHKEY") or None
        endpoint = endpoint_of_url(environment, value, "CONTAINER_HOST", identity=identity)
        yield Candidate(endpoint, chosen=True, expected="podman")
    elif name := environment.get("CONTAINER_CONNECTION"):
        found = podman_connections(environment)
        yield _chosen(found, name, "CONTAINER_CONNECTION", "podman connection", "podman")


def _of_docker_variables(environment: Environment) -> Iterator[Candidate]:
    if value := environment.get("DOCKER_HOST"):
        if "://" not in value and not value.startswith("/"):
            value = f"tcp://{value}"  # as the docker command line reads it
        yield Candidate(endpoint_of_url(environment, value, "DOCKER_HOST"), chosen=True, expected="docker")
        return
    name, source = environment.get("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
    if not name:
        name, broken = current_context(environment)
        source = "current docker context"
        if broken:
            yield Candidate(Endpoint("", source, reason=broken), expected="docker", automatic=False)
    if name and name != "default":  # "default" means DOCKER_HOST or the well-known socket
        yield _chosen(docker_contexts(environment), name, source, "docker context", "docker")


def _chosen(found: dict[str, Endpoint], name: str, source: str, what: str, expected: Kind) -> Candidate:
    if endpoint := found.get(name):
        return Candidate(_with_source(endpoint, source), chosen=True, expected=expected)
    known = ", ".join(sorted(found)) or "none"
    reason = f"there is no {what} {name!r} (known: {known})"
    return Candidate(Endpoint("", f"{source} {name!r}", reason=reason), chosen=True, expected=expected)


def _with_source(endpoint: Endpoint, source: str) -> Endpoint:
    text = endpoint.source if source.startswith("current") else f"{source}: {endpoint.source}"
    return replace(endpoint, source=text)


def _embedded(environment: Environment) -> Endpoint:
    program = environment.which("podman")
    if sys.platform != "linux":  # elsewhere podman is a client of a virtual machine
        return Endpoint("", "embedded podman", reason="podman can serve by itself on Linux only")
    if program is None:
        return Endpoint("", "embedded podman", reason="there is no podman program on PATH")
    return Endpoint(f"{EMBEDDED}://{program}", "embedded podman")
