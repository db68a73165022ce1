"""Where an engine may answer: the environment, docker contexts, podman connections, the well-known sockets.

The only module that reads the environment. Nothing here asks an engine; a broken one is a place with a reason.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import InvalidOption
from . import configs
from .endpoints import EMBEDDED, TLS, Address, Endpoint, Kind, parse_url

__all__ = ["Host", "Place", "find", "find_named", "named", "wanted"]

OWN_VARIABLE = "CONTAINERKIT_ENGINE"


@dataclass(frozen=True)
class Host:
    """What decides the search: the environment, the user, the file system. Another `root` and `home` make a test."""

    env: Mapping[str, str]
    home: Path
    uid: int
    root: Path = Path("/")
    temporary: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))

    @classmethod
    def here(cls) -> Host:
        home = os.path.expanduser("~")
        return cls(dict(os.environ), Path(home if home != "~" else "/nonexistent"), os.geteuid())

    def get(self, name: str) -> str:
        """A variable; unset and empty are the same, as the command lines have it."""
        return self.env.get(name, "")

    def which(self, program: str) -> str | None:
        import shutil

        return shutil.which(program, path=self.env.get("PATH", os.defpath))

    @property
    def config_home(self) -> Path:
        given = self.get("XDG_CONFIG_HOME")
        return Path(given) if given.startswith("/") else self.home / ".config"

    @property
    def docker_config(self) -> Path:
        given = self.get("DOCKER_CONFIG")
        return Path(given) if given else self.home / ".docker"


@dataclass(frozen=True)
class Place:
    """An endpoint not asked yet.

    Attributes:
        chosen: someone chose it (a variable, `docker context use`): when it fails, nothing else is tried in its stead.
        automatic: connect() without a name looks here.
        says: the kind that its place leads one to expect; the server decides.
    """

    endpoint: Endpoint
    chosen: bool = False
    automatic: bool = True
    says: Kind | None = None


def wanted(host: Host) -> str:
    """What CONTAINERKIT_ENGINE asks for, or ""."""
    return host.get(OWN_VARIABLE)


def find(host: Host) -> tuple[Place, ...]:
    """Every place, in the order in which connect() looks. Never raises; the same socket appears once."""
    places: list[Place] = []
    seen: set[str] = set()
    for place in _all(host):
        key = _identity(place.endpoint)
        if key not in seen:
            seen.add(key)
            places.append(place)
    return tuple(places)


def _identity(endpoint: Endpoint) -> str:
    if endpoint.reason or not endpoint.url.startswith("unix://"):
        return f"{endpoint.url} {endpoint.tls} {endpoint.identity} {endpoint.reason}"
    try:
        return os.path.realpath(endpoint.url[len("unix://") :])
    except (OSError, ValueError):
        return endpoint.url


def _all(host: Host) -> Iterator[Place]:
    own = wanted(host)
    if own and own not in ("docker", "podman"):
        if "://" in own or own.startswith("/"):
            yield Place(from_url(host, own, OWN_VARIABLE), chosen=True)
        else:
            try:
                place = find_named(host, own)
                yield replace(place, chosen=True, endpoint=_sourced(place.endpoint, OWN_VARIABLE))
            except LookupError as exc:
                yield Place(Endpoint("", OWN_VARIABLE, reason=str(exc)), chosen=True)
    yield from _environment(host)
    yield from _sockets(host)
    yield _embedded(host)
    contexts, connections = named(host)
    yield from (p for p in connections if p.automatic)
    yield from (p for p in (*contexts, *connections) if not p.automatic)


def _environment(host: Host) -> Iterator[Place]:
    if value := host.get("CONTAINER_HOST"):
        endpoint = from_url(host, value, "CONTAINER_HOST", identity=host.get("CONTAINER_SSHKEY") or None)
        yield Place(endpoint, chosen=True, says="podman")
    elif name := host.get("CONTAINER_CONNECTION"):
        yield _chosen(configs.podman_connections(host), name, "CONTAINER_CONNECTION", "podman connection", "podman")
    if value := host.get("DOCKER_HOST"):
        yield Place(from_url(host, value, "DOCKER_HOST"), chosen=True, says="docker")
        return
    current, source = host.get("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
    if not current:
        current, broken = configs.current_context(host)
        source = "current docker context"
        if broken:
            yield Place(Endpoint("", source, reason=broken), says="docker", automatic=False)
    if current and current != "default":  # "default" is DOCKER_HOST or the well-known socket
        yield _chosen(configs.docker_contexts(host), current, source, "docker context", "docker")


def _chosen(found: dict[str, Endpoint], name: str, source: str, what: str, says: Kind) -> Place:
    if endpoint := found.get(name):
        return Place(_sourced(endpoint, source), chosen=True, says=says)
    there = ", ".join(sorted(found)) or "none"
    reason = f"there is no {what} {name!r} (there is: {there})"
    return Place(Endpoint("", f"{source} {name!r}", reason=reason), chosen=True, says=says)


def _sourced(endpoint: Endpoint, source: str) -> Endpoint:
    words = endpoint.source if source.startswith("current") else f"{source}: {endpoint.source}"
    return replace(endpoint, source=words)


def named(host: Host) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """(docker contexts, podman connections); connect() without a name looks at the default connection only."""
    contexts = tuple(Place(e, says="docker", automatic=False) for _, e in sorted(configs.docker_contexts(host).items()))
    found = configs.podman_connections(host)
    default = configs.default_connection(host)
    order = sorted(found, key=lambda name: (name != default, name))
    return contexts, tuple(Place(found[n], says="podman", automatic=n == default) for n in order)


def find_named(host: Host, name: str) -> Place:
    """The docker context or podman connection of that name. Raises LookupError, whose message says what there is."""
    contexts, connections = configs.docker_contexts(host), configs.podman_connections(host)
    if name in contexts and name in connections and contexts[name].url != connections[name].url:
        raise LookupError(
            f"{name!r} names both a docker context ({contexts[name].url}) and a podman connection "
            f"({connections[name].url}): give the URL of the one you mean"
        )
    if name in contexts:
        return Place(contexts[name], chosen=True, says="docker")
    if name in connections:
        return Place(connections[name], chosen=True, says="podman")
    if name == "default":
        return Place(_socket("/var/run/docker.sock", host, "docker context 'default'"), chosen=True, says="docker")
    raise LookupError(
        f"no docker context and no podman connection is named {name!r} (docker contexts: "
        f"{', '.join(sorted(contexts)) or 'none'}; podman connections: {', '.join(sorted(connections)) or 'none'})"
    )


def from_url(host: Host, text: str, source: str, *, identity: str | None = None) -> Endpoint:
    """An endpoint from a URL, with TLS where the environment asks for it. What is no address becomes a reason."""
    try:
        address = parse_url(text, name=source)
    except InvalidOption as exc:
        shown = "" if "@" in text else text  # it may hold a password
        return Endpoint(shown, source, reason=str(exc))
    key = identity or (host.get("CONTAINER_SSHKEY") or None if address.scheme == "ssh" else None)
    return Endpoint(address.url, source, tls=environment_tls(host, address), identity=key)


def environment_tls(host: Host, address: Address) -> TLS | None:
    """DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, as docker's command line and docker-py read them."""
    if address.scheme not in ("tcp", "https"):
        return None
    verify, folder = bool(host.get("DOCKER_TLS_VERIFY")), host.get("DOCKER_CERT_PATH")
    if not verify and not folder:
        return TLS() if address.scheme == "https" else None
    ca, cert, key = (
        os.path.join(folder or str(host.docker_config), name) for name in ("ca.pem", "cert.pem", "key.pem")
    )
    client = os.path.exists(cert) or os.path.exists(key)  # a server may want none
    return TLS(ca if verify else None, cert if client else None, key if client else None, verify=verify)


def _socket(path: str, host: Host, source: str = "well-known socket") -> Endpoint:
    return Endpoint(f"unix://{host.root / path.lstrip('/')}", source)


def _sockets(host: Host) -> Iterator[Place]:
    """The well-known sockets, the user's own before those of the machine."""
    machine = host.home / ".local/share/containers/podman/machine"
    runtime = [Path(p) for p in (host.get("XDG_RUNTIME_DIR"),) if p.startswith("/")]
    runtime.append(host.root / f"run/user/{host.uid}")
    own: list[tuple[Path, Kind]] = []
    for folder in runtime:
        own += [(folder / "podman/podman.sock", "podman"), (folder / "docker.sock", "docker")]
    own += [(host.home / ".docker/run/docker.sock", "docker"), (host.home / ".docker/desktop/docker.sock", "docker")]
    for folder in runtime:
        own += [(path, "podman") for path in _glob(folder, "podman/*-api.sock")]
    own += [(path, "podman") for pattern in ("podman.sock", "*/podman.sock") for path in _glob(machine, pattern)]
    # Anyone may put a socket into a shared folder for temporary files: only our own, or root's, is an engine of ours.
    own += [(p, "podman") for p in _glob(host.temporary, "podman/*-api.sock") if _owner(p) in (0, host.uid)]
    for path, kind in own:
        yield Place(Endpoint(f"unix://{path}", "well-known socket"), says=kind)
    yield Place(_socket("/run/podman/podman.sock", host), says="podman")
    yield Place(_socket("/run/docker.sock", host), says="docker")
    yield Place(_socket("/var/run/docker.sock", host), says="docker")


def _glob(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))[:20]
    except OSError:
        return []


def _owner(path: Path) -> int | None:
    try:
        return path.lstat().st_uid
    except OSError:
        return None


def _embedded(host: Host) -> Place:
    program = host.which("podman")
    if sys.platform != "linux":  # elsewhere podman is a client of its machine
        endpoint = Endpoint("", "embedded podman", reason="podman can serve by itself on Linux only")
    elif program is None:
        endpoint = Endpoint("", "embedded podman", reason="there is no podman program on PATH")
    else:
        endpoint = Endpoint(f"{EMBEDDED}://{program}", "embedded podman")
    return Place(endpoint, says="podman")
