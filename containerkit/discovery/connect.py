"""From a name, a URL, a context or the environment to an Engine: discover(), connect()."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import EngineUnavailable, InvalidOption
from .endpoints import EMBEDDED, TLS, Address, Endpoint, Kind, Unreachable, parse_url
from .places import Host, Place, find, find_named, from_url, wanted

if TYPE_CHECKING:
    from ..backends.base import Backend
    from ..engine import Engine
    from .helper import Helper

__all__ = ["TLS", "Endpoint", "connect", "discover", "open_backend"]

_log = logging.getLogger("containerkit")

_LOOK = 2.0  # seconds that discover() gives one question
_TURN = 5.0  # seconds that connect() gives a well-known socket before it goes on to the next
_START = 30.0  # seconds for our own podman, or ssh, to get ready
_LONGEST = 2_147_483.0  # seconds; poll(2) counts milliseconds in an int
_EXPECTED = (
    "None, 'docker', 'podman', a URL (unix:///path, tcp://host:port, http(s)://host:port, ssh://user@host), "
    "the name of a docker context or podman connection, an Endpoint or a Backend"
)


# ---------------------------------------------------------------- discover
def discover() -> tuple[Endpoint, ...]:
    """Every place where an engine may answer, in the order in which connect() looks, and what was found there.

    All are asked at once, two seconds a question. Never raises: what does not answer, or is named by a broken
    configuration, has ``reachable=False`` and a ``reason``. An ssh address is asked only if connect() would use it by
    itself (the environment or the current context names it); podman is not started.
    """
    return _discover(Host.here())


def _discover(host: Host) -> tuple[Endpoint, ...]:
    places = find(host)
    found = [place.endpoint for place in places]

    def look(index: int) -> None:
        try:
            found[index] = _look(places[index], host)
        except Exception as exc:  # noqa: BLE001  discover() never raises
            found[index] = replace(places[index].endpoint, reason=f"{type(exc).__name__}: {exc}")

    open_ones = [i for i, place in enumerate(places) if not place.endpoint.reason]
    # Daemon threads: a thread that hangs in the kernel must hold up neither the caller nor the interpreter's exit.
    threads = [threading.Thread(target=look, args=(i,), daemon=True, name="containerkit-discover") for i in open_ones]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + 8 * _LOOK
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    answer = tuple(found)
    late = {i for i, thread in zip(open_ones, threads, strict=True) if thread.is_alive()}
    return tuple(
        replace(e, reason=f"no answer within {8 * _LOOK:g} s") if i in late and not e.reachable else e
        for i, e in enumerate(answer)
    )


def _look(place: Place, host: Host) -> Endpoint:
    from .probe import ask_rootless

    endpoint = place.endpoint
    address = parse_url(endpoint.url)
    if address.scheme == EMBEDDED:
        from .embedded import program_version

        try:
            version = program_version(address.path, timeout=_LOOK)
        except Unreachable as exc:
            return replace(endpoint, reason=str(exc))
        note = "not running; connect() starts it if nothing else answers"
        return replace(endpoint, kind="podman", version=version, rootless=host.uid != 0, reachable=True, note=note)
    if address.scheme == "ssh" and not (place.chosen and place.automatic):
        return replace(endpoint, reason="not asked: ssh is opened only for an address that was chosen; connect() to it")
    try:
        route = _open(place, host, timeout=_LOOK)
    except EngineUnavailable as exc:
        return replace(endpoint, reason=exc.tried[-1][1] if exc.tried else str(exc))
    try:
        found = route.endpoint
        return replace(found, rootless=ask_rootless(route.address, route.kind, endpoint.tls, timeout=_LOOK))
    finally:
        route.close()


# ---------------------------------------------------------------- connect
def connect(target: str | Endpoint | Backend | None = None, *, timeout: float = 60.0) -> Engine:
    """Open an Engine.

    Without a target: CONTAINERKIT_ENGINE, CONTAINER_HOST, DOCKER_HOST, DOCKER_CONTEXT, the current docker context,
    the well-known sockets (the user's own first), our own podman service, the default podman connection. What someone
    chose (a variable, a context) is used or fails: no other engine stands in for it. A target of "docker" or "podman"
    is the first engine of that kind in the same order.

    The server decides the kind: at a URL that looks like Docker's, Podman is Podman.

    Args:
        target: None, "docker", "podman", a URL, the path of a socket, the name of a docker context or of a podman
            connection, an Endpoint from discover(), or a Backend.
        timeout: seconds that each call to the engine may take to answer.

    Raises:
        EngineUnavailable: nobody answers; every address tried, why each failed, and what to type.
        InvalidOption: a target or timeout that could not work on any machine.
    """
    from ..backends.base import Backend

    _check_timeout(timeout)
    if isinstance(target, Backend):
        backend = target
    elif isinstance(target, Endpoint):
        backend = open_backend(target, timeout)
    else:
        backend = _connect(Host.here(), _checked_target(target), timeout)
    try:
        from ..engine import Engine

        return Engine(backend)
    except BaseException:
        if backend is not target:  # opened here, and nobody else could close it
            backend.close()
        raise


def open_backend(endpoint: Endpoint, timeout: float) -> Backend:
    """The backend for what answers at an endpoint, found reachable or not. Raises EngineUnavailable."""
    host = Host.here()
    return _backend(_open(Place(endpoint, chosen=True), host, timeout=timeout), timeout)


def _check_timeout(timeout: object) -> None:
    if isinstance(timeout, (int, float)) and not isinstance(timeout, bool) and 0 < timeout <= _LONGEST:
        return
    raise InvalidOption("timeout", timeout, "seconds, more than 0, at most 24 days")


def _checked_target(target: object) -> str | None:
    if target is None or (isinstance(target, str) and target.strip() and target.isprintable()):
        return target
    raise InvalidOption("target", target, _EXPECTED)


def _connect(host: Host, target: str | None, timeout: float) -> Backend:
    if target is None and wanted(host) in ("docker", "podman"):
        target = wanted(host)
    if target is None or target in ("docker", "podman"):
        return _backend(_search(host, target, timeout), timeout)
    if "://" in target or target.startswith("/"):
        endpoint = from_url(host, parse_url(target).url, "target")
        place = Place(endpoint, chosen=True)
    else:
        try:
            place = find_named(host, target)
        except LookupError as exc:
            raise EngineUnavailable(f"{exc}. A target is {_EXPECTED}", tried=((target, str(exc)),)) from None
    return _backend(_open(place, host, timeout=timeout), timeout)


def _search(host: Host, kind: str | None, timeout: float) -> Route:
    """The first place that answers, of that kind if one is asked for."""
    tried: list[tuple[str, str]] = []
    for place in find(host):
        endpoint = place.endpoint
        if not place.automatic:
            continue
        name = _name(endpoint)
        if kind and endpoint.url.startswith(f"{EMBEDDED}:") and kind != "podman":
            continue
        try:
            route = _open(place, host, timeout=timeout if place.chosen else min(timeout, _TURN))
        except EngineUnavailable as exc:
            reason = exc.tried[-1][1] if exc.tried else str(exc)
            if place.chosen and (kind is None or place.says in (None, kind)):
                message = (
                    f"no engine answers at {name}: {reason}\n"
                    f"It was chosen by {endpoint.source}, so no other engine was tried. Start it, or choose another: "
                    "unset the variable or `docker context use default`, or name a target, as connect('podman')"
                )
                raise EngineUnavailable(message, tried=(*tried, (name, reason))) from exc
            tried.append((name, reason))
            continue
        if kind is None or route.kind == kind:
            return route
        tried.append((name, f"what answers there is {route.endpoint.kind} {route.endpoint.version}, not {kind}"))
        route.close()
    raise EngineUnavailable(_nothing(host, kind, tried), tried=tuple(tried))


def _name(endpoint: Endpoint) -> str:
    return f"{endpoint.url} ({endpoint.source})" if endpoint.url else endpoint.source


def _nothing(host: Host, kind: str | None, tried: list[tuple[str, str]]) -> str:
    what = {"docker": "Docker", "podman": "Podman"}.get(kind or "", "engine")
    lines = [f"no {what} answers. Tried:"]
    lines += [f"  {name}: {reason}" for name, reason in tried]
    lines.append("What to type:")
    lines += [f"  {command:<37} # {why}" for command, why in _commands(host, kind)]
    lines.append("or name one: connect('unix:///path'), connect('ssh://user@host'), CONTAINERKIT_ENGINE=…")
    return "\n".join(lines)


def _commands(host: Host, kind: str | None) -> Iterator[tuple[str, str]]:
    user, sudo = ("", "") if host.uid == 0 else ("--user ", "sudo ")
    if kind != "docker":
        if host.which("podman") is None:
            yield f"{sudo}apt install podman", "Podman needs no daemon: connect() starts it by itself"
        else:
            if host.uid != 0 and host.which("newuidmap") is None:
                yield f"{sudo}apt install uidmap", "a podman is here, and cannot run rootless without it"
            yield f"systemctl {user}start podman.socket", "Podman as a service, by systemd"
            yield "podman system service --time=0 &", "the same, without systemd"
    if kind != "podman":
        if host.uid != 0:
            yield "systemctl --user start docker", "rootless Docker, once it is set up"
        also = "; its socket is for root, and whoever may use it can become root"
        if host.which("dockerd") is None:
            yield f"{sudo}apt install docker.io", "Docker" + also
        else:
            yield f"{sudo}systemctl start docker", "Docker" + also


# ---------------------------------------------------------------- one endpoint
@dataclass(frozen=True)
class Route:
    """An endpoint that answered: where to speak to it, and what to end afterwards."""

    endpoint: Endpoint
    address: str  # the URL really used: the endpoint's, or that of a private socket
    kind: Kind
    version: Mapping[str, Any]  # the response to GET /version
    on_close: Callable[[], None] | None = None

    def close(self) -> None:
        if self.on_close:
            self.on_close()


def _open(place: Place, host: Host, *, timeout: float) -> Route:
    """Ask one place, through ssh or our own podman if that is what it takes. Raises EngineUnavailable."""
    from .probe import ask

    endpoint = place.endpoint
    helper: Helper | None = None
    try:
        if not endpoint.url:
            raise Unreachable(endpoint.reason or "it has no address")
        try:
            address: Address = parse_url(endpoint.url, name=endpoint.source)
        except InvalidOption as exc:
            raise Unreachable(endpoint.reason or str(exc)) from exc
        runtime, start, real = host.get("XDG_RUNTIME_DIR"), min(max(timeout, 5.0), _START), endpoint.url
        if address.scheme == EMBEDDED:
            from .embedded import start_service

            helper = start_service(address.path, runtime=runtime, timeout=_START)
        elif address.scheme == "ssh":
            from .tunnel import find_remote_socket, open_tunnel

            key = endpoint.identity
            remote = address.path or find_remote_socket(address, identity=key, prefer=place.says, timeout=start)
            helper = open_tunnel(address, remote, identity=key, timeout=start, runtime=runtime)
        if helper:
            real = f"unix://{helper.socket}"
        elif address.scheme != "unix":
            real = address.tcp(tls=endpoint.tls is not None)
        try:
            answer = ask(real, endpoint.tls if not helper else None, timeout=max(timeout, start) if helper else timeout)
        except Unreachable as exc:
            if helper and (said := helper.words()):
                raise Unreachable(f"{exc}; {helper.name} says: {said}") from exc
            raise
    except Unreachable as exc:
        if helper:
            helper.close()
        reason = "; ".join(line.strip() for line in str(exc).splitlines() if line.strip())
        name = _name(endpoint)
        message = f"no engine answers at {name}: {reason}{_advice(endpoint)}"
        raise EngineUnavailable(message, tried=((name, reason),)) from exc
    except BaseException:
        if helper:
            helper.close()
        raise
    found = replace(endpoint, kind=answer.kind, version=answer.version, reachable=True, reason="")
    says = place.says or ("docker" if "docker" in endpoint.url.rpartition("/")[2] else None)
    if says and says != answer.kind:
        found = replace(found, note=f"{says} was expected there; {answer.kind} answers, and is treated as what it is")
    return Route(found, real, answer.kind, answer.raw, helper.close if helper else None)


def _advice(endpoint: Endpoint) -> str:
    if endpoint.url.startswith("unix://"):
        return "\nWhat else is there: containerkit.discover()"
    if endpoint.url.startswith(("tcp://", "http://")) and endpoint.tls is None:
        return "\nIf it speaks TLS: DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH=folder with ca.pem, cert.pem and key.pem"
    return ""


def _backend(route: Route, timeout: float) -> Backend:
    """The backend of the kind that answered."""
    endpoint = route.endpoint
    if endpoint.note:
        _log.info("%s: %s", endpoint.url, endpoint.note)
    address = route.address if route.address != endpoint.url else None
    try:
        tls = endpoint.tls if route.address.startswith("tcp:") else None
        url, version, close = endpoint.url, route.version, route.on_close
        if route.kind == "podman":
            from ..backends.podman import PodmanBackend

            return PodmanBackend(url, timeout=timeout, address=address, tls=tls, version=version, on_close=close)
        from ..backends.docker import DockerBackend

        return DockerBackend(url, timeout=timeout, address=address, tls=tls, version=version, on_close=close)
    except BaseException:
        route.close()
        raise
