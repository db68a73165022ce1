"""Remove what dead sessions left behind on an engine."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from typing import Any

from .backends._peer import engine_is_local
from .backends.base import Backend
from .engine import Engine
from .errors import ContainerKitError, InvalidOption
from .options import parse_timeout
from .resources.liveness import Creator, Liveness
from .resources.session import judge_session
from .resources.sweep import Labelled, find_labelled, remove_labelled
from .values import PrintedValue


@dataclass(frozen=True, slots=True)
class Cleaned(PrintedValue):
    """Result of a cleanup: what it removed, and what it kept.

    Its length is the number of removed things.

    Attributes:
        containers, networks, volumes, images: names of what was removed.
        failed: (name, reason) of what could not be removed.
        unknown: (name, reason) of what was kept because its session may still be open.
    """

    containers: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: Cleaned) -> Cleaned:
        return Cleaned(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def __len__(self) -> int:
        return len(self.containers) + len(self.networks) + len(self.volumes) + len(self.images)

    def __bool__(self) -> bool:
        return len(self) > 0


def cleanup(engine: Engine | Backend | None = None, *, older_than: Any = None) -> Cleaned:
    """Remove what dead sessions left behind: containers, networks, volumes, and images of the isolation probe.

    A session is dead if its process has ended. Resources that may belong to a live session are kept and reported in
    `unknown`: a process on another machine, in a container, or of another user cannot always be judged from here.
    Things made with ``keep=True``, and images that were built, committed, loaded or pulled, are never removed.

    Args:
        engine: the engine to clean; None for every engine that answers on this machine.
        older_than: seconds, or text like "1h"; remove only what is at least that old. With it, what cannot be judged
            is removed as well, so choose an age that no session reaches.

    Returns:
        What was removed, what could not be removed, and what was kept.

    Raises:
        EngineUnavailable: no engine answers.
        InvalidOption: `engine` or `older_than` is invalid.

    Example:
        >>> from containerkit.testing import FakeBackend
        >>> cleanup(FakeBackend())
        Cleaned(containers=(), networks=(), volumes=(), images=(), failed=(), unknown=())
    """
    age = parse_timeout("older_than", older_than, zero=True)
    if isinstance(engine, Engine):
        return _clean(engine._core.backend, age)
    if isinstance(engine, Backend):
        return _clean(engine, age)
    if engine is not None:
        raise InvalidOption("engine", engine, "an Engine, a Backend, or None for all that answer")
    from .discovery.connect import connect, discover

    found = [endpoint for endpoint in discover() if endpoint.reachable]
    if not found:
        connect().close()  # its error lists every address, and why each failed
    cleaned = Cleaned()
    for endpoint in found:
        try:
            with connect(endpoint) as opened:
                cleaned += _clean(opened._core.backend, age)
        except ContainerKitError as exc:  # noqa: PERF203  one engine must not stop the others
            cleaned += Cleaned(failed=((endpoint.label, str(exc)),))
    return cleaned


def _clean(backend: Backend, older_than: float | None) -> Cleaned:
    now, here = time.time(), Creator.current(local=engine_is_local(backend.url))
    cleaned = Cleaned()
    for item in find_labelled(backend):
        if older_than is not None and now - item.created < older_than:
            continue
        liveness, reason = judge_session(item.labels, here)
        if liveness is Liveness.DEAD or (liveness is Liveness.UNKNOWN and older_than is not None):
            cleaned += _removed(item)
        elif liveness is Liveness.UNKNOWN:
            cleaned += Cleaned(unknown=((item.name, reason),))
    return cleaned


def _removed(item: Labelled) -> Cleaned:
    error = remove_labelled(item)
    if error is not None:
        return Cleaned(failed=((item.name, error),)) if error else Cleaned()
    removed: dict[str, Any] = {item.kind: (item.name,)}
    return replace(Cleaned(), **removed)
