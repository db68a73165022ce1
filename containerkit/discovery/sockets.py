"""The well-known sockets of Docker and Podman, the user's own before those of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..userconfig.environment import Environment
from .endpoints import Kind

_MAX_MATCHES = 20  # per folder


def well_known_sockets(environment: Environment) -> Iterator[tuple[Path, Kind]]:
    """Yield (path, the kind expected there), in the order in which connect() looks."""
    machine = environment.home / ".local/share/containers/podman/machine"
    runtime = [Path(p) for p in (environment.get("XDG_RUNTIME_DIR"),) if p.startswith("/")]
    runtime.append(environment.root / f"run/user/{environment.uid}")
    for folder in runtime:
        yield folder / "podman/podman.sock", "podman"
        yield folder / "docker.sock", "docker"
    yield environment.home / ".docker/run/docker.sock", "docker"
    yield environment.home / ".docker/desktop/docker.sock", "docker"
    for folder in runtime:
        yield from ((path, "podman") for path in _glob(folder, "podman/*-api.sock"))
    for pattern in ("podman.sock", "*/podman.sock"):
        yield from ((path, "podman") for path in _glob(machine, pattern))
    # Anyone may put a socket into a shared folder for temporary files, so it must belong to this user or root.
    for path in _glob(environment.temporary, "podman/*-api.sock"):
        if _owner(path) in (0, environment.uid):
            yield path, "podman"
    yield environment.root / "run/podman/podman.sock", "podman"
    yield environment.root / "run/docker.sock", "docker"
    yield environment.root / "var/run/docker.sock", "docker"


def _glob(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))[:_MAX_MATCHES]
    except OSError:
        return []


def _owner(path: Path) -> int | None:
    try:
        return path.lstat().st_uid
    except OSError:
        return None
