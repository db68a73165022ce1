"""Session: the labels on everything an Engine creates, and the list of what it still owns."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from .._version import __version__
from ..errors import ContainerKitError, EngineUnavailable, NotFound

__all__ = ["LABEL", "REQUEST", "SESSION", "Session", "creator_lives"]

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
        self.id = uuid.uuid4().hex
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
        labels = {LABEL: __version__, REQUEST: uuid.uuid4().hex}
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
