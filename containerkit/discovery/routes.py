"""Open one candidate: start what it takes (ssh, podman), probe it, and make the backend of the kind that answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .._text import split_lines
from ..errors import EngineUnavailable, InvalidOption
from .candidates import Candidate
from .endpoints import EMBEDDED, Endpoint, EngineUrl, Kind, Unreachable, parse_url
from .probe import probe

if TYPE_CHECKING:
    from ..backends.base import Backend
    from .helper import Helper

_log = logging.getLogger("containerkit")

_START = 30.0  # seconds for ssh, or our own podman, to get ready
_warned: set[str] = set()  # URLs whose weak transport was logged


@dataclass(frozen=True)
class Route:
    """An endpoint that answered, and the way to it.

    Attributes:
        endpoint: what answered.
        address: the URL to connect to: the endpoint's, or that of a tunnel's near end.
        kind: the kind that answered.
        version: the response to GET /version.
        on_close: ends the helper process that carries the connection, if there is one.
    """

    endpoint: Endpoint
    address: str
    kind: Kind
    version: Mapping[str, Any]
    on_close: Callable[[], None] | None = None

    def close(self) -> None:
        """End the helper process, if there is one."""
        if self.on_close:
            self.on_close()

    def backend(self, timeout: float, swarm: Mapping[str, Any] | None = None) -> Backend:
        """Return the backend of the kind that answered; on failure the route is closed.

        Args:
            timeout: seconds for the response to each request.
            swarm: nodes and constraints of SwarmBackend, to use the swarm that the engine manages.
        """
        url = self.endpoint.url
        if self.endpoint.note:
            _log.info("%s: %s", url, self.endpoint.note)
        address = self.address if self.address != url else None
        tls = self.endpoint.tls if self.address.startswith("tcp:") else None
        version, close = self.version, self.on_close
        try:
            if swarm is not None:
                from ..backends.swarm import SwarmBackend

                return SwarmBackend(
                    url, timeout=timeout, address=address, tls=tls, version=version, on_close=close, **swarm
                )
            if self.kind == "podman":
                from ..backends.podman import PodmanBackend

                return PodmanBackend(url, timeout=timeout, address=address, tls=tls, version=version, on_close=close)
            from ..backends.docker import DockerBackend

            return DockerBackend(url, timeout=timeout, address=address, tls=tls, version=version, on_close=close)
        except BaseException:
            self.close()
            raise


def open_route(candidate: Candidate, *, runtime: str, timeout: float) -> Route:
    """Probe one candidate, through ssh or our own podman if needed.

    Args:
        candidate: where to look.
        runtime: the user's runtime folder, or "".
        timeout: seconds for the engine's response.

    Raises:
        EngineUnavailable: no engine answers; `tried` holds the reason.
    """
    endpoint = candidate.endpoint
    helper: Helper | None = None
    try:
        if not endpoint.url:
            raise Unreachable(endpoint.reason or "it has no address")
        try:
            address = parse_url(endpoint.url, name=endpoint.source)
        except InvalidOption as exc:
            raise Unreachable(endpoint.reason or str(exc)) from exc
        patience = min(max(timeout, 5.0), _START)
        helper = _helper(candidate, address, runtime, patience)
        if helper:
            url, tls, limit = f"unix://{helper.socket}", None, max(timeout, patience)
        else:
            tls, limit = endpoint.tls, timeout
            url = endpoint.url if address.scheme == "unix" else address.tcp(tls=tls is not None)
            _warn_of_weak_transport(endpoint, address)
        try:
            answer = probe(url, tls, timeout=limit)
        except Unreachable as exc:
            if helper and (output := helper.output()):
                raise Unreachable(f"{exc}; output of {helper.name}: {output}") from exc
            raise
    except Unreachable as exc:
        if helper:
            helper.close()
        reason = "; ".join(line.strip() for line in split_lines(str(exc)) if line.strip())
        message = f"no engine answers at {endpoint.label}: {reason}{_advice(endpoint)}"
        raise EngineUnavailable(message, tried=((endpoint.label, reason),)) from exc
    except BaseException:
        if helper:
            helper.close()
        raise
    found = replace(endpoint, kind=answer.kind, version=answer.version, reachable=True, reason="")
    expected = candidate.expected or ("docker" if "docker" in endpoint.url.rpartition("/")[2] else None)
    if expected and expected != answer.kind:
        found = replace(
            found, note=f"{expected} was expected there, {answer.kind} answers and is used as {answer.kind}"
        )
    return Route(found, url, answer.kind, answer.raw, helper.close if helper else None)


def _helper(candidate: Candidate, address: EngineUrl, runtime: str, timeout: float) -> Helper | None:
    """Return the process that makes the engine reachable at a private socket, or None if it needs none."""
    if address.scheme == EMBEDDED:
        from .embedded import start_service

        return start_service(address.path, runtime=runtime, timeout=_START)
    if address.scheme == "ssh":
        from .tunnel import find_remote_socket, open_tunnel

        key = candidate.endpoint.identity
        path = address.path or find_remote_socket(address, identity=key, prefer=candidate.expected, timeout=timeout)
        return open_tunnel(address, path, identity=key, timeout=timeout, runtime=runtime)
    return None


def _warn_of_weak_transport(endpoint: Endpoint, address: EngineUrl) -> None:
    """Log once per URL that the connection is not encrypted, or that the server's certificate is not verified."""
    if address.scheme == "unix" or address.is_local or endpoint.url in _warned:
        return
    if endpoint.tls is None:
        _log.warning("%s: not encrypted; anyone on the network path controls the engine: use TLS or ssh", endpoint.url)
    elif not endpoint.tls.verify:
        _log.warning(
            "%s: the server's certificate is not verified; set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH", endpoint.url
        )
    else:
        return
    _warned.add(endpoint.url)


def _advice(endpoint: Endpoint) -> str:
    if endpoint.url.startswith("unix://"):
        return "\nOther engines on this machine: containerkit.discover()"
    if endpoint.url.startswith(("tcp://", "http://")) and endpoint.tls is None:
        return "\nIf it speaks TLS: DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH=folder with ca.pem, cert.pem and key.pem"
    return ""
