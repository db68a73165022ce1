"""Session: the labels on everything an Engine creates, and the list of what it still owns."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from .._version import __version__
from ..backends._peer import engine_is_local
from ..backends.base import Backend
from ..errors import ContainerKitError, EngineTimeout, EngineUnavailable, NotFound
from ..spec import REQUEST_LABEL
from ..streams import Deadline
from .liveness import Creator, Liveness, judge
from .sweep import SESSION_LABEL, find_labelled, remove_labelled

__all__ = ["LABEL", "Session", "judge_session"]

log = logging.getLogger("containerkit")

#: On everything that containerkit creates; its value is the version of containerkit.
LABEL = "containerkit"

_EXIT_SECONDS = 15.0  # for all removals at the interpreter's exit
_LATE_SECONDS = 2.0  # in which an engine finishes a create whose request was interrupted

_live: set[str] = set()  # IDs of the open sessions of this process
_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


class Reaper(Protocol):
    """A process that removes what a session owns if this process ends before the session is closed."""

    def dismiss(self) -> None:
        """End it; nothing is left to remove."""

    def release(self) -> None:
        """Let it remove what is left now."""


def judge_session(labels: Mapping[str, str], here: Creator) -> tuple[Liveness, str]:
    """Judge from the labels of a resource whether the session that created it is still open.

    Args:
        labels: of the resource.
        here: this process.

    Returns:
        The judgement; for UNKNOWN, the reason.
    """
    if labels.get(SESSION_LABEL) in _live:
        return Liveness.LIVE, ""
    return judge(Creator.from_labels(labels), here)


class Session:
    """Everything that one Engine has created and still owns. Thread-safe.

    close() removes everything that is owned, newest first; it runs at the interpreter's exit as well. In a forked
    child the session starts anew: it owns nothing of the parent's, and what the child creates belongs to the child.

    Args:
        backend: the engine.

    Attributes:
        id: the value of the session label.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._local: bool | None = None
        self._closing = False
        self._begin()
        _sessions.add(self)
        atexit.register(self._close_at_exit)

    def _begin(self) -> None:
        self.id = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._owned: dict[str, Callable[[], None]] = {}
        self._interrupted: set[str] = set()  # request labels of creates whose outcome is unknown
        self._reaper: Reaper | None = None
        if not self._closing:
            _live.add(self.id)

    def check_open(self) -> None:
        """Raise EngineUnavailable if the session is closed, so that nothing would remove what is created."""
        if self._closing:
            raise _closed()

    def labels(self, *, keep: bool = False) -> dict[str, str]:
        """Return labels for one resource that is about to be created.

        Args:
            keep: the resource outlives the session, and no cleanup removes it.

        Raises:
            EngineUnavailable: the session is closed, so nothing would remove the resource.
        """
        self.check_open()
        labels = {LABEL: __version__, REQUEST_LABEL: uuid.uuid4().hex}
        if self._local is None:
            self._local = engine_is_local(self._backend.url)
        if keep:  # the empty value hides a session label that the image may have
            return {**labels, SESSION_LABEL: ""}
        return {**labels, SESSION_LABEL: self.id, **Creator.current(local=self._local).labels()}

    @contextlib.contextmanager
    def creating(self, *, keep: bool = False) -> Iterator[dict[str, str]]:
        """Yield labels for one create; if it is interrupted, close() looks for what the engine made of it.

        Own the resource inside the block. Args and Raises are those of labels().
        """
        labels = self.labels(keep=keep)
        try:
            yield labels
        except BaseException as exc:
            if Deadline.current().cancelled:  # a create is completed all the same
                raise
            unknown = not isinstance(exc, ContainerKitError) or isinstance(exc, (EngineUnavailable, EngineTimeout))
            if unknown and not keep:
                self._interrupted.add(labels[REQUEST_LABEL])
            raise

    def own(self, name: str, remove: Callable[[], None]) -> None:
        """Remember how to remove a resource.

        Raises:
            EngineUnavailable: the session was closed meanwhile; the resource has been removed.
        """
        with self._lock:
            if not self._closing:
                self._owned[name] = remove
                return
        with contextlib.suppress(NotFound):
            remove()
        raise _closed()

    def disown(self, name: str) -> None:
        """Forget a resource that is removed, or belongs to someone else now."""
        with self._lock:
            self._owned.pop(name, None)

    def watch(self, reaper: Reaper) -> None:
        """Hand over the reaper that stands by until the session is closed."""
        self._reaper = reaper

    def close(self) -> None:
        """Remove everything that is owned; a failure is logged, and the rest is removed.

        If it is interrupted, another call, or the interpreter's exit, removes what is left.
        """
        with self._lock:
            self._closing = True
        complete = self._remove_owned()
        if self._interrupted:
            complete = self._remove_interrupted() and complete
        _live.discard(self.id)
        atexit.unregister(self._close_at_exit)
        reaper, self._reaper = self._reaper, None
        if reaper:
            reaper.dismiss() if complete else reaper.release()

    def _remove_owned(self) -> bool:
        """Remove what is owned, newest first. Return False if something is left, or the engine stopped responding."""
        complete, silent = True, 0
        while True:
            with self._lock:
                if not self._owned:
                    return complete
                name, remove = next(reversed(self._owned.items()))
            try:
                remove()
                silent = 0
            except NotFound:
                silent = 0
            except ContainerKitError as exc:
                log.warning("could not remove %s: %s", name, exc)
                complete = False
                silent = silent + 1 if isinstance(exc, (EngineUnavailable, EngineTimeout)) else 0
            self.disown(name)  # only now: an interrupt in between leaves it owned
            if silent > 1 and self._owned:
                log.warning("the engine does not respond; left for cleanup(): %s", ", ".join(self._owned))
                self._owned.clear()

    def _remove_interrupted(self) -> bool:
        """Remove what interrupted creates have made, also what the engine finishes a moment later."""
        complete, pause, deadline = True, 0.05, time.monotonic() + _LATE_SECONDS
        while self._interrupted and time.monotonic() < deadline:
            try:
                for item in find_labelled(self._backend, self.id):
                    if (request := item.labels.get(REQUEST_LABEL, "")) in self._interrupted:
                        self._interrupted.discard(request)
                        complete = not remove_labelled(item) and complete
            except ContainerKitError as exc:
                log.warning("could not look for what an interrupted call created: %s", exc)
                return False
            if self._interrupted:
                time.sleep(pause)
                pause *= 2
        self._interrupted.clear()
        return complete

    def _close_at_exit(self) -> None:
        with Deadline.after(_EXIT_SECONDS, shield=True):
            self.close()


def _closed() -> EngineUnavailable:
    return EngineUnavailable("this Engine is closed, so it creates nothing; connect() opens another one")


def _begin_in_child() -> None:
    """Give every session of a forked child an ID of its own: the parent's sessions are the parent's to close."""
    _live.clear()
    for session in list(_sessions):
        session._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
