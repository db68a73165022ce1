"""discover() and connect(): from a name, a URL, a context or the environment to an Engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import EngineUnavailable, InvalidOption
from ..userconfig.environment import Environment
from ..values import ValueTuple
from .candidates import Candidate, candidate_named, endpoint_of_url, find_candidates, own_variable
from .endpoints import EMBEDDED, TLS, Endpoint, Unreachable, parse_url
from .routes import Route, open_route

if TYPE_CHECKING:
    from ..backends.base import Backend
    from ..engine import Engine

__all__ = ["TLS", "Endpoint", "connect", "discover", "open_backend"]

_PROBE = 2.0  # seconds that discover() gives one request
_SOCKET = 5.0  # seconds that connect() gives a well-known socket before it tries the next
_LONGEST = 2_147_483.0  # seconds; poll(2) counts milliseconds in an int
_OWN_KINDS = ("docker", "podman", "unix", "tcp", "ssh", "http", "https")
_EXPECTED = (
    "None, 'docker', 'podman', a URL (unix:///path, tcp://host:port, http(s)://host:port, ssh://user@host), "
    "the name of a docker context or podman connection, an Endpoint or a Backend"
)


# ---------------------------------------------------------------- discover
def discover() -> tuple[Endpoint, ...]:
    """Return every endpoint where an engine may answer, in the order in which connect() tries them.

    All are probed at once, with two seconds per request. An ssh address is probed only if connect() without a target
    would use it. Podman is not started. discover() raises nothing: an endpoint that does not answer, or whose
    configuration is broken, has ``reachable=False`` and a ``reason``.

    Returns:
        The endpoints, with kind, version and rootless of those that answer.

    Example:
        >>> all(endpoint.reachable or endpoint.reason for endpoint in discover())
        True
    """
    return ValueTuple(_discover(Environment.current()))


def _discover(environment: Environment) -> tuple[Endpoint, ...]:
    candidates = find_candidates(environment)
    found = [candidate.endpoint for candidate in candidates]

    def look(index: int) -> None:
        try:
            found[index] = _probed(candidates[index], environment)
        except Exception as exc:  # noqa: BLE001  discover() never raises
            found[index] = replace(candidates[index].endpoint, reason=f"{type(exc).__name__}: {exc}")

    indexes = [i for i, candidate in enumerate(candidates) if not candidate.endpoint.reason]
    # Daemon threads: a thread that hangs in the kernel must delay neither the caller nor the interpreter's exit.
    threads = [threading.Thread(target=look, args=(i,), daemon=True, name="containerkit-discover") for i in indexes]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 8 * _PROBE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    snapshot = tuple(found)
    late = {i for i, thread in zip(indexes, threads, strict=True) if thread.is_alive()}
    return tuple(
        replace(endpoint, reason=f"no response within {8 * _PROBE:g} s")
        if i in late and not endpoint.reachable
        else endpoint
        for i, endpoint in enumerate(snapshot)
    )


def _probed(candidate: Candidate, environment: Environment) -> Endpoint:
    from .probe import probe_rootless

    endpoint = candidate.endpoint
    address = parse_url(endpoint.url)
    if address.scheme == EMBEDDED:
        from .embedded import program_version

        try:
            version = program_version(address.path, timeout=_PROBE)
        except Unreachable as exc:
            return replace(endpoint, reason=str(exc))
        note = "not running; connect() starts it if nothing else answers"
        rootless = environment.uid != 0
        return replace(endpoint, kind="podman", version=version, rootless=rootless, reachable=True, note=note)
    if address.scheme == "ssh" and not (candidate.chosen and candidate.automatic):
        return replace(endpoint, reason="not probed: discover() opens ssh only to a chosen address; use connect()")
    try:
        route = _open(candidate, environment, _PROBE)
    except EngineUnavailable as exc:
        return replace(endpoint, reason=_reason(exc))
    try:
        rootless_reported = probe_rootless(route.address, route.kind, endpoint.tls, timeout=_PROBE)
        return replace(route.endpoint, rootless=rootless_reported)
    finally:
        route.close()


def _reason(exc: EngineUnavailable) -> str:
    return exc.tried[-1][1] if exc.tried else str(exc)


# ---------------------------------------------------------------- connect
def connect(
    target: str | Endpoint | Backend | None = None,
    *,
    timeout: float = 60.0,
    reaper: bool = False,
    swarm: bool = False,
    nodes: Mapping[str, str | Endpoint | Backend] | None = None,
    constraints: Iterable[str] = (),
) -> Engine:
    """Open an Engine.

    Without a target, connect() tries, in this order: CONTAINERKIT_ENGINE, CONTAINER_HOST, DOCKER_HOST,
    DOCKER_CONTEXT, the current docker context, the well-known sockets (the user's own first), a Podman service that it
    starts itself, the default podman connection. An engine that a variable or context chose is used or the call fails;
    connect() never falls back to another one. A target of "docker" or "podman" means the first engine of that kind in
    the same order.

    The server decides the kind: Podman at Docker's socket is used as Podman.

    Args:
        target: None, "docker", "podman", a URL, the path of a socket, the name of a docker context or of a podman
            connection, an Endpoint from discover(), a Backend, or the kind of a backend that another package registers.
        timeout: seconds that the engine may take to respond to each request.
        reaper: start a small process that removes what this Engine created if this process ends without closing it,
            even by kill -9.
        swarm: use the Docker Swarm that the engine manages: a container is a service of one replica. A target
            "swarm://HOST:PORT" or "swarm:///PATH" means the same.
        nodes: host name of a node -> the target of its engine, for exec and copying files on a swarm.
        constraints: placement constraints of every service on a swarm, such as "node.labels.room==a".

    Returns:
        An open Engine; close it, or use it in ``with``.

    Raises:
        EngineUnavailable: no engine answers; the message lists every address tried, why each failed, and what to type.
        InvalidOption: the target or timeout is invalid on every machine.

    Example:
        >>> from containerkit.testing import FakeBackend
        >>> with connect(FakeBackend()) as engine:
        ...     engine.kind
        'docker'
    """
    from ..backends.base import Backend

    _check_timeout(timeout)
    if not isinstance(reaper, bool):
        raise InvalidOption("reaper", reaper, "True or False")
    from ..engine import Engine

    if isinstance(target, str) and target.startswith("swarm://"):
        target, swarm = _manager(target), True
    if swarm:
        if reaper:
            raise InvalidOption("reaper", reaper, "False with a swarm; close() removes its services")
        return _connect_swarm(target, timeout, nodes or {}, tuple(constraints))
    if nodes or tuple(constraints):
        raise InvalidOption("nodes" if nodes else "constraints", nodes or constraints, "nothing without swarm=True")
    if isinstance(target, Backend):
        if reaper:
            raise InvalidOption("reaper", reaper, "False for a Backend, which another process cannot open")
        return Engine(target)
    if isinstance(target, str) and (added := _added_backend(target, timeout)) is not None:
        return Engine(added)
    environment = Environment.current()
    if isinstance(target, Endpoint):
        route = _open(Candidate(target, chosen=True), environment, timeout)
    else:
        route = _connect(environment, _checked_target(target), timeout)
    backend = route.backend(timeout)
    try:
        engine = Engine(backend)
        if reaper:
            from .reaper import start_reaper

            engine._core.session.watch(start_reaper(route.endpoint, engine._core.session.id))
        return engine
    except BaseException:
        backend.close()
        raise


def _manager(target: str) -> str:
    """Return the target of the manager that a "swarm://" URL means."""
    rest = target.removeprefix("swarm://")
    return f"unix://{rest}" if rest.startswith("/") else f"tcp://{rest}" if rest else "docker"


def _connect_swarm(
    target: object, timeout: float, nodes: Mapping[str, str | Endpoint | Backend], constraints: tuple[str, ...]
) -> Engine:
    from ..backends.base import Backend
    from ..engine import Engine

    environment = Environment.current()

    def route_to(given: object) -> Route:
        if isinstance(given, Endpoint):
            return _open(Candidate(given, chosen=True), environment, timeout)
        return _connect(environment, _checked_target(given), timeout)

    if isinstance(target, Backend):
        raise InvalidOption("target", target, "the address of a manager, not a Backend")
    opened: dict[str, Backend] = {}
    try:
        for name, node in nodes.items():
            opened[name] = node if isinstance(node, Backend) else route_to(node).backend(timeout)
        return Engine(route_to(target).backend(timeout, {"nodes": opened, "constraints": constraints}))
    except BaseException:
        for node in opened.values():
            node.close()
        raise


def _added_backend(target: str, timeout: float) -> Backend | None:
    """Return a backend that another package registers for the scheme of a URL, or for a bare name."""
    kind = target.partition("://")[0]
    if kind in _OWN_KINDS or not kind.isidentifier():
        return None
    from ..backends import find_backend

    found = find_backend(kind)
    return None if found is None else found(target, timeout=timeout)


def open_backend(endpoint: Endpoint, timeout: float) -> Backend:
    """Return the backend of the engine at an endpoint. Raises EngineUnavailable."""
    return _open(Candidate(endpoint, chosen=True), Environment.current(), timeout).backend(timeout)


def _open(candidate: Candidate, environment: Environment, timeout: float) -> Route:
    return open_route(candidate, runtime=environment.get("XDG_RUNTIME_DIR"), timeout=timeout)


def _check_timeout(timeout: object) -> None:
    if isinstance(timeout, (int, float)) and not isinstance(timeout, bool) and 0 < timeout <= _LONGEST:
        return
    raise InvalidOption("timeout", timeout, "seconds, more than 0, at most 24 days")


def _checked_target(target: object) -> str | None:
    if target is None or (isinstance(target, str) and target.strip() and target.isprintable()):
        return target
    raise InvalidOption("target", target, _EXPECTED)


def _connect(environment: Environment, target: str | None, timeout: float) -> Route:
    if target is None and own_variable(environment) in ("docker", "podman"):
        target = own_variable(environment)
    if target is None or target in ("docker", "podman"):
        return _search(environment, target, timeout)
    if any(mark in target for mark in ":/"):  # no context and no connection has these in its name
        candidate = Candidate(endpoint_of_url(environment, parse_url(target).url, "target"), chosen=True)
    else:
        try:
            candidate = candidate_named(environment, target)
        except LookupError as exc:
            raise EngineUnavailable(f"{exc}. A target is {_EXPECTED}", tried=((target, str(exc)),)) from None
    return _open(candidate, environment, timeout)


def _search(environment: Environment, kind: str | None, timeout: float) -> Route:
    """Return a route to the first engine that answers, of a kind if one is given."""
    tried: list[tuple[str, str]] = []
    for candidate in find_candidates(environment):
        endpoint = candidate.endpoint
        if not candidate.automatic or (kind == "docker" and endpoint.url.startswith(f"{EMBEDDED}:")):
            continue
        limit = timeout if candidate.chosen else min(timeout, _SOCKET)
        try:
            route = _open(candidate, environment, limit)
        except EngineUnavailable as exc:
            tried.append((endpoint.label, _reason(exc)))
            if candidate.chosen and (kind is None or candidate.expected in (None, kind)):
                raise EngineUnavailable(_chosen_failed(endpoint, _reason(exc)), tried=tuple(tried)) from exc
            continue
        if kind is None or route.kind == kind:
            return route
        answered = f"{route.endpoint.kind} {route.endpoint.version} answers there, not {kind}"
        tried.append((endpoint.label, answered))
        route.close()
    raise EngineUnavailable(_none_found(environment, kind, tried), tried=tuple(tried))


def _chosen_failed(endpoint: Endpoint, reason: str) -> str:
    return (
        f"no engine answers at {endpoint.label}: {reason}\n"
        f"It was chosen by {endpoint.source}, so no other engine was tried. Start it, or choose another: "
        "unset the variable or `docker context use default`, or name a target, as connect('podman')"
    )


def _none_found(environment: Environment, kind: str | None, tried: list[tuple[str, str]]) -> str:
    what = {"docker": "Docker", "podman": "Podman"}.get(kind or "", "engine")
    lines = [f"no {what} answers. Tried:"]
    lines += [f"  {label}: {reason}" for label, reason in tried]
    lines.append("What to type:")
    lines += [f"  {command:<37} # {comment}" for command, comment in _commands(environment, kind)]
    lines.append("or name an engine: connect('unix:///path'), connect('ssh://user@host'), CONTAINERKIT_ENGINE=…")
    return "\n".join(lines)


def _commands(environment: Environment, kind: str | None) -> Iterator[tuple[str, str]]:
    """Yield (command, what it is for) that would make an engine answer."""
    user, sudo = ("", "") if environment.uid == 0 else ("--user ", "sudo ")
    if kind != "docker":
        if environment.which("podman") is None:
            yield f"{sudo}apt install podman", "Podman needs no daemon: connect() starts it by itself"
        else:
            if environment.uid != 0 and environment.which("newuidmap") is None:
                yield f"{sudo}apt install uidmap", "podman is installed, and cannot run rootless without it"
            yield f"systemctl {user}start podman.socket", "Podman as a service of systemd"
            yield "podman system service --time=0 &", "the same without systemd"
    if kind != "podman":
        if environment.uid != 0:
            yield "systemctl --user start docker", "rootless Docker, once it is set up"
        warning = "; its socket is for root, and whoever may use it can become root"
        if environment.which("dockerd") is None:
            yield f"{sudo}apt install docker.io", "Docker" + warning
        else:
            yield f"{sudo}systemctl start docker", "Docker" + warning
