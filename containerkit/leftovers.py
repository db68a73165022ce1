"""Remove what dead sessions left behind on an engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from .backends.base import Backend, ContainerRecord
from .engine import Engine
from .errors import ContainerKitError, InvalidOption, NotFound
from .options import timeout_seconds
from .resources.session import REQUEST, SESSION, creator_lives

__all__ = ["Cleaned", "cleanup"]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a cleanup removed, by name, and what it could not: (name, why)."""

    containers: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: Cleaned) -> Cleaned:
        return Cleaned(
            self.containers + other.containers,
            self.networks + other.networks,
            self.volumes + other.volumes,
            self.images + other.images,
            self.failed + other.failed,
        )

    def __len__(self) -> int:
        return len(self.containers) + len(self.networks) + len(self.volumes) + len(self.images)

    def __bool__(self) -> bool:
        return len(self) > 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def _clean(backend: Backend, *, older_than: float | None) -> Cleaned:
    """Remove what dead sessions left on one engine, and nothing of a live one.

    Args:
        older_than: seconds; only what is at least that old. What was made on another machine, whose sessions cannot be
            looked at from here, goes only if an age is given.
    """
    now = time.time()
    filters = {"label": [SESSION]}

    def ours(labels: Mapping[str, str], created: float) -> bool:
        if not labels.get(SESSION):  # an engine whose filter failed must not cost anybody a container
            return False
        if older_than is not None and now - created < older_than:
            return False
        lives = creator_lives(labels)
        return lives is False or (lives is None and older_than is not None)

    gone: dict[str, list[str]] = {"containers": [], "networks": [], "volumes": [], "images": []}
    failed: list[tuple[str, str]] = []

    def remove(kind: str, name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except NotFound:
            return
        except ContainerKitError as exc:
            failed.append((name, str(exc)))
            return
        gone[kind].append(name)

    for container in backend.list_containers(all=True, filters=filters):
        if ours(container.labels, container.created) and not _inherited(backend, container):
            removal = partial(backend.remove_container, container.id, force=True, volumes=True)
            remove("containers", container.name, removal)
    for network in backend.list_networks(filters=filters):
        if ours(network.labels, network.created):
            remove("networks", network.name, partial(backend.remove_network, network.name))
    for volume in backend.list_volumes(filters=filters):
        if ours(volume.labels, volume.created):
            remove("volumes", volume.name, partial(backend.remove_volume, volume.name, force=False))
    for image in backend.list_images(all=False, filters=filters):
        if ours(image.labels, image.created):
            for name in image.refs or (image.id,):  # not by force, which on Podman takes containers with it
                remove("images", name, partial(backend.remove_image, name, force=False, prune=True))
    return Cleaned(**{kind: tuple(names) for kind, names in gone.items()}, failed=tuple(failed))


def _inherited(backend: Backend, container: ContainerRecord) -> bool:
    """Whether a container has its labels from its image: then it is somebody's own, made from an image of ours."""
    try:
        image = backend.inspect_image(container.image_id)
    except ContainerKitError:
        return False
    return image.labels.get(REQUEST) == container.labels.get(REQUEST)


def cleanup(engine: Engine | Backend | None = None, *, older_than: Any = None) -> Cleaned:
    """Remove what dead sessions left behind: containers, networks, volumes, and the isolation probe's images.

    Nothing of a live session is touched. A session is dead when its process is; that is known on the machine it ran on.
    Things made with ``keep=True``, and images that were built, committed, loaded or pulled, are nobody's leftovers.

    Args:
        engine: the one to clean; None for every engine that answers here.
        older_than: seconds, or text like "1h"; only what is at least that old, and then also what was made from another
            machine, whose processes cannot be seen from here.

    Raises:
        EngineUnavailable: no engine answers. InvalidOption.
    """
    age = timeout_seconds("older_than", older_than, zero=True)
    backend = engine if isinstance(engine, Backend) else engine._core.backend if isinstance(engine, Engine) else None
    if engine is not None and not isinstance(backend, Backend):
        raise InvalidOption("engine", engine, "an Engine, a Backend, or None for all that answer")
    if backend is not None:
        return _clean(backend, older_than=age)
    from .discovery.connect import connect, discover

    found = [endpoint for endpoint in discover() if endpoint.reachable]
    if not found:
        connect().close()  # says who was asked, and why none answered
    cleaned = Cleaned()
    for endpoint in found:
        with connect(endpoint) as opened:
            cleaned += _clean(opened._core.backend, older_than=age)
    return cleaned
