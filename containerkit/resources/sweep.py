"""Find and remove what carries a session's label on an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from ..backends.base import Backend, ContainerRecord
from ..errors import ContainerKitError, NotFound
from ..spec import REQUEST_LABEL

SESSION_LABEL = "containerkit.session"


@dataclass(frozen=True, slots=True)
class Labelled:
    """One container, network, volume or image name that carries a session's label.

    Attributes:
        kind: "containers", "networks", "volumes" or "images".
        name: the name, or the ID of an image without one.
        labels: its labels.
        created: seconds since the epoch.
        remove: removes it.
    """

    kind: str
    name: str
    labels: Mapping[str, str]
    created: float
    remove: Callable[[], object]


def find_labelled(backend: Backend, session: str | None = None) -> Iterator[Labelled]:
    """Yield what carries the label of a session, or of any session, in an order in which it can be removed.

    Each kind is listed when it is reached, so remove what is found while iterating: a network is free only after its
    containers are removed. A container that inherited its labels from an image is left out, since it is a user's own.
    """
    wanted = SESSION_LABEL if session is None else f"{SESSION_LABEL}={session}"
    filters = {"label": [wanted]}

    def matches(labels: Mapping[str, str]) -> bool:
        found = labels.get(SESSION_LABEL)  # checked again: an ignored filter must not cost a user's container
        return bool(found) and session in (None, found)

    for container in backend.list_containers(all=True, filters=filters):
        if matches(container.labels) and not _is_inherited(backend, container):
            remove: Callable[[], object] = partial(backend.remove_container, container.id, force=True, volumes=True)
            yield Labelled("containers", container.name, container.labels, container.created, remove)
    for network in backend.list_networks(filters=filters):
        if matches(network.labels):
            remove = partial(backend.remove_network, network.name)
            yield Labelled("networks", network.name, network.labels, network.created, remove)
    for volume in backend.list_volumes(filters=filters):
        if matches(volume.labels):
            remove = partial(backend.remove_volume, volume.name, force=False)
            yield Labelled("volumes", volume.name, volume.labels, volume.created, remove)
    for image in backend.list_images(all=False, filters=filters):
        if matches(image.labels):
            for name in image.refs or (image.id,):
                # Without force, which on Podman removes the image's containers as well.
                remove = partial(backend.remove_image, name, force=False, prune=True)
                yield Labelled("images", name, image.labels, image.created, remove)


def remove_labelled(item: Labelled) -> str | None:
    """Remove one item. Return None on success, "" if it is already gone, else why it could not be removed."""
    try:
        item.remove()
    except NotFound:
        return ""
    except ContainerKitError as exc:
        return str(exc)
    return None


def _is_inherited(backend: Backend, container: ContainerRecord) -> bool:
    """Return True if a container has its labels from its image: every create has a request label of its own."""
    try:
        image = backend.inspect_image(container.image_id)
    except ContainerKitError:
        return False
    return image.labels.get(REQUEST_LABEL) == container.labels.get(REQUEST_LABEL)
