"""Who made what: the labels on everything created, and the removal of what dead sessions left behind."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .backends.base import Backend, ContainerRecord
from .errors import ContainerKitError, EngineUnavailable, InvalidOption, NotFound
from .options import timeout_seconds

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["LABEL", "Cleaned", "Session", "cleanup"]

log = logging.getLogger("containerkit")

#: On everything that containerkit creates; its value is the version that did.
LABEL = "containerkit"
SESSION = "containerkit.session"
REQUEST = "containerkit.request"
_PID, _STARTED, _BOOT, _NAMESPACE, _MACHINE = (
    f"containerkit.{word}" for word in ("pid", "pid-started", "boot-id", "pid-namespace", "machine")
)

_live: set[str] = set()  # sessions of this process that are open


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _process_start(pid: int) -> str:
    """When a process began, in clock ticks since boot (field 22 of /proc/PID/stat); "" if there is none.

    A pid alone is no identity: the kernel gives it out again.
    """
    stat = _read(f"/proc/{pid}/stat")
    # The second field is the command in parentheses, and may hold anything.
    fields = stat.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in ("Z", "X") else ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _machine() -> str:
    identity = _read("/etc/machine-id") + platform.node()
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _identity() -> dict[str, str]:
    """This process, so that another can tell whether it still lives. Asked anew each time: a fork changes it."""
    return {
        _PID: str(os.getpid()),
        _STARTED: _process_start(os.getpid()),
        _BOOT: _read("/proc/sys/kernel/random/boot_id"),
        _NAMESPACE: _namespace(),
        _MACHINE: _machine(),
    }


def creator_lives(labels: Mapping[str, str]) -> bool | None:
    """Whether the session that made something is still open; None when that cannot be known from here.

    It can be known of processes on this machine, in this PID namespace, and of those before its last boot.
    """
    if labels.get(SESSION) in _live:
        return True
    here = _identity()
    if labels.get(_MACHINE) != here[_MACHINE]:
        return None
    if labels.get(_BOOT) != here[_BOOT]:
        return False
    if labels.get(_NAMESPACE) != here[_NAMESPACE] or not labels.get(_PID, "").isdigit():
        return None
    if labels[_PID] == here[_PID] and labels.get(_STARTED) == here[_STARTED]:
        return False  # this very process, and the session is closed
    return _process_start(int(labels[_PID])) == labels.get(_STARTED)


class Session:
    """What one Engine created and still owns.

    What it owns is removed when it is closed, last made first removed; a failure is logged and the rest goes on.
    """

    def __init__(self) -> None:
        from . import __version__

        self.id = uuid.uuid4().hex
        self._version = __version__
        self._lock = threading.Lock()
        self._owned: dict[str, Callable[[], None]] = {}
        _live.add(self.id)

    def labels(self, *, keep: bool = False) -> dict[str, str]:
        """For something about to be created. `keep`: it outlives the session, and no cleanup touches it.

        Raises:
            EngineUnavailable: the session is closed; nobody would remove it.
        """
        if self.id not in _live:
            raise EngineUnavailable("this Engine is closed: nothing is created with it; connect() gives another")
        labels = {LABEL: self._version, REQUEST: uuid.uuid4().hex}
        # A container inherits the labels of its image, which may be a session's: so "nobody's" is said, too.
        return {**labels, SESSION: ""} if keep else {**labels, SESSION: self.id, **_identity()}

    def own(self, what: str, remove: Callable[[], None]) -> None:
        """Remember how to remove what was created."""
        with self._lock:
            self._owned[what] = remove

    def disown(self, what: str) -> None:
        """It is gone, or somebody else's now."""
        with self._lock:
            self._owned.pop(what, None)

    def close(self) -> None:
        """Remove everything that is still owned."""
        while True:
            with self._lock:
                if not self._owned:
                    break
                what, remove = self._owned.popitem()
            try:
                remove()
            except NotFound:
                pass
            except ContainerKitError as exc:
                log.warning("could not remove %s: %s", what, exc)
        _live.discard(self.id)


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
    backend = engine if isinstance(engine, Backend) else getattr(engine, "backend", None)
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
            cleaned += _clean(opened.backend, older_than=age)
    return cleaned
