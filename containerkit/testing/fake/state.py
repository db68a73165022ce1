"""The state of the engine in memory, and how objects are found in it."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...backends.base import Backend, Capability, Event
from ...errors import ContainerNotFound, EngineError, Unsupported
from ...spec import ContainerSpec, Mount, NetworkAttachment
from .files import Files
from .scripts import Reply, Scripts

Filters = Mapping[str, Sequence[str]]
T = TypeVar("T")


@dataclass(slots=True)
class FakeImage:
    """An image: its configuration document, and the tar of each layer, base first."""

    id: str
    raw_config: bytes
    config: dict[str, Any]
    layers: tuple[bytes, ...]
    created: float
    parent: str = ""

    @property
    def run_config(self) -> dict[str, Any]:
        """Return the execution parameters by their image-spec names: Env, Cmd, …"""
        found = self.config.get("config")
        return found if isinstance(found, dict) else {}

    def files(self) -> Files:
        """Return the files that a container of this image sees at its start."""
        found = Files()
        for tar in self.layers:
            found.unpack(tar, layer=True)
        return found


@dataclass(slots=True)
class FakeVolume:
    """A volume and its files."""

    name: str
    driver: str
    options: dict[str, str]
    labels: dict[str, str]
    anonymous: bool = False
    created: float = field(default_factory=time.time)
    files: Files = field(default_factory=Files)


@dataclass(slots=True)
class Place:
    """A container's place on a network. It has an address while the container runs."""

    asked: NetworkAttachment
    address: str = ""
    mac: str = ""


@dataclass(slots=True)
class FakeNetwork:
    """A network. subnet and gateway are "" for host and none."""

    id: str
    name: str
    driver: str
    subnet: str
    gateway: str
    ip_range: str = ""
    internal: bool = False
    ipv6: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    created: float = field(default_factory=time.time)


@dataclass(slots=True)
class FakeContainer:
    """A container and its state.

    Attributes:
        log: (time, stream, bytes) of each write.
    """

    id: str
    name: str
    spec: ContainerSpec
    image: FakeImage
    argv: tuple[str, ...]
    config: dict[str, Any]
    mounts: tuple[Mount, ...]
    files: Files
    base: Files
    created: float = field(default_factory=time.time)
    status: str = "created"
    exit_code: int = 0
    runs: int = 0
    pid: int = 0
    health: str = ""
    failures: int = 0
    places: dict[str, Place] = field(default_factory=dict)
    ports: dict[tuple[int, str], list[tuple[str, int]]] = field(default_factory=dict)
    log: list[tuple[float, str, bytes]] = field(default_factory=list)
    attached: list[Any] = field(default_factory=list)

    @property
    def labels(self) -> dict[str, str]:
        """Return the image's labels and the container's own."""
        return {**(self.image.run_config.get("Labels") or {}), **self.spec.labels}

    @property
    def alive(self) -> bool:
        """Return whether the container runs, paused or not."""
        return self.status in ("running", "paused")


class World(Backend):
    """The state, the lock around it, and the events."""

    def __init__(self, commands: Mapping[Any, Any]) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._scripts = Scripts(commands)
        self._images: dict[str, FakeImage] = {}
        self._names: dict[str, str] = {}
        self._containers: dict[str, FakeContainer] = {}
        self._volumes: dict[str, FakeVolume] = {}
        self._networks: dict[str, FakeNetwork] = {}
        self._execs: dict[str, Reply | None] = {}
        self._events: list[Event] = []
        self._counter = 0

    def _number(self) -> int:
        """Return a number that was not returned before."""
        self._counter += 1
        return self._counter

    def _cannot(self, capability: Capability, what: str) -> Unsupported:
        return Unsupported(f"{what}: an engine in memory cannot ({capability.value})", capability=capability.value)

    def _told(
        self,
        kind: str,
        action: str,
        identity: str,
        name: str,
        labels: Mapping[str, str],
        *,
        exit_code: int | None = None,
        **more: str,
    ) -> None:
        """Record an event, and wake those who wait for one."""
        attributes = {**labels, **more, "name": name}
        if exit_code is not None:
            attributes["exitCode"] = str(exit_code)
        now = time.time()
        raw = {"Type": kind, "Action": action, "Actor": {"ID": identity, "Attributes": attributes}, "time": int(now)}
        self._events.append(Event(kind, action, identity, name, now, attributes, exit_code, raw))
        self._changed.notify_all()

    def _container(self, ref: str, doing: str) -> FakeContainer:
        """Return a container by name, ID or unambiguous prefix of an ID. Raise ContainerNotFound."""
        found = [c for c in self._containers.values() if ref in (c.id, c.name)]
        found = found or [c for c in self._containers.values() if ref and c.id.startswith(ref)]
        if len(found) != 1:
            raise ContainerNotFound(f"{doing}: no container {ref}", status=404, explanation=f"no such container: {ref}")
        return found[0]


def new_id() -> str:
    """Return a random ID of 64 hexadecimal digits."""
    return uuid.uuid4().hex + uuid.uuid4().hex


def labelled(labels: Mapping[str, str], wanted: str) -> bool:
    """Return whether a label exists ("a"), or has a value ("a=1")."""
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def fits(thing: T, filters: Filters, known: Mapping[str, Callable[[T, str], bool]], kind: str) -> bool:
    """Return whether a thing passes all filters: any value of each, but all labels.

    Raises:
        EngineError: an unknown filter.
    """
    for key, values in filters.items():
        test = known.get(key)
        if test is None:
            raise EngineError(
                f"listing {kind}: invalid filter {key!r}", status=400, explanation=f"invalid filter {key}"
            )
        every: Callable[[Iterable[object]], bool] = all if key in ("label", "label!") else any
        if not every(test(thing, value) for value in values):
            return False
    return True


def matches(pattern: str, name: str) -> bool:
    """Return whether a name matches, as engines filter by name: a substring or a regular expression."""
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return pattern in name


def truth(value: str) -> bool:
    """Return whether a filter's value means yes."""
    return value.lower() in ("true", "1")
