"""Containers that all workers of a run use together, found by a label and guarded by file locks.

Each worker that uses a container holds a shared lock on its file. The worker that started it waits at its end until
all others have let go, then removes it. The kernel lets go for a worker that dies. The starter also writes down what
it knows of the container, so that another worker connects to the engine only when a test asks for more.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from .factory import logs_of
from .recorded import Recorded, facts_of, is_running

if TYPE_CHECKING:
    from containerkit import Container, Engine

__all__ = ["KEPT", "SHARED", "SharedContainers", "lock", "path_of"]

SHARED = "containerkit.pytest.shared"  # label; its value is run and key
KEPT = "containerkit.pytest.kept"  # label of containers that --containers-keep leaves running

_PAUSE = 0.01  # seconds between two looks at a lock


class SharedContainers:
    """Start each container once per run, whichever worker asks first.

    Args:
        engine: returns the open engine.
        run: an ID that the workers of a run have in common, other for each engine.
        keep: find containers of earlier runs, and leave them running.
        note: called with "started" or "reused", and the image.

    Attributes:
        started: the containers that this worker has asked for.
    """

    def __init__(
        self, engine: Callable[[], Engine], run: str, *, keep: bool, note: Callable[[str, str], object]
    ) -> None:
        self._engine = engine
        self._run = run
        self._keep = keep
        self._note = note
        self._known: dict[str, Container] = {}
        self._mine: dict[str, Container] = {}
        self._used: dict[str, IO[bytes]] = {}
        self._waited: dict[str, str] = {}

    @property
    def started(self) -> list[Container]:
        return list(self._known.values())

    def __call__(
        self, image: str, command: Any = None, *, wait: Any = None, wait_timeout: float = 60.0, **options: Any
    ) -> Container:
        """Return the run's container with these arguments; start it if no worker has done so.

        Args:
            image, command, options: as for Engine.start; the same values mean the same container.
            wait: a strategy of `containerkit.wait`; the call returns once it is satisfied.
            wait_timeout: seconds that the strategy may take.
        """
        __tracebackhide__ = True
        key = self._key(image, command, options)
        if key not in self._known:
            with self._locked(key):  # while the first worker starts it, the others wait, and open no engine
                facts = self._written_down(key)
                if facts is None:
                    self._find_or_start(key, image, command, options, wait, wait_timeout)
                elif is_running(facts):
                    self._use(key, cast("Container", Recorded(facts, self._engine)))
                    self._note("reused", image)
            if key not in self._known:
                self._engine()
                with self._locked(key):
                    self._find_or_start(key, image, command, options, wait, wait_timeout)
        container = self._known[key]
        if wait is not None and not self._has_waited(key, wait):
            container.wait_until(wait, timeout=wait_timeout)
        return container

    def logs(self) -> Iterator[tuple[str, str]]:
        """Return (name, end of its log) of each container that wrote something."""
        return logs_of(self.started)

    def close(self) -> None:
        """Let go of all containers; remove those that this worker started once no other worker uses them."""
        for used in self._used.values():
            used.close()
        for key, container in self._mine.items():
            while not self._removed(key, container):
                time.sleep(_PAUSE)

    def _key(self, image: str, command: Any, options: dict[str, Any]) -> str:
        if self._keep:  # an image that was built anew is another image
            images = self._engine().images
            if not images.exists(image):
                images.pull(image)
            image = f"{images.get(image).id} {self._engine().url}"
        text = json.dumps([image, command, options], sort_keys=True, default=repr)
        return f"{'kept' if self._keep else self._run}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def _written_down(self, key: str) -> dict[str, Any] | None:
        """Return what the worker that started the container wrote down."""
        try:
            facts: dict[str, Any] = json.loads(path_of(key, "record").read_text())
        except FileNotFoundError:
            return None
        self._waited[key] = facts["waited"]
        return facts

    def _use(self, key: str, container: Container) -> None:
        self._known[key] = container
        self._used.setdefault(key, lock(path_of(key, "users"), fcntl.LOCK_SH))

    def _find_or_start(
        self, key: str, image: str, command: Any, options: dict[str, Any], wait: Any, wait_timeout: float
    ) -> None:
        __tracebackhide__ = True
        if (found := self._find(key, image)) is not None:
            self._use(key, found)
            return
        self._waited.pop(key, None)
        container = self._start(key, image, command, options)
        self._use(key, container)
        if self._keep:
            return
        if wait is not None:
            container.wait_until(wait, timeout=wait_timeout)
        self._waited[key] = repr(wait)
        facts = {**facts_of(container, self._engine().url), "waited": repr(wait)}
        path_of(key, "record").write_text(json.dumps(facts))

    def _has_waited(self, key: str, wait: Any) -> bool:
        """Return whether the same strategy is satisfied already. One that shows an address in memory is no other's."""
        return self._waited.get(key) == repr(wait) and " at 0x" not in repr(wait)

    def _find(self, key: str, image: str) -> Container | None:
        """Return the running container of a key; remove one that has stopped."""
        for container in self._engine().containers.list(all=True, filters={"label": [f"{SHARED}={key}"]}):
            if container.status == "running":
                self._note("reused", image)
                return container
            container.remove(force=True, volumes=True, missing_ok=True)
        return None

    def _start(self, key: str, image: str, command: Any, options: dict[str, Any]) -> Container:
        labels = {SHARED: key, **({KEPT: "true"} if self._keep else {})}
        given = options.get("labels") or {}
        options = {**options, "labels": [*given, *(f"{name}={value}" for name, value in labels.items())]}
        if isinstance(given, dict):
            options["labels"] = {**given, **labels}
        container = self._engine().start(image, command, keep=self._keep, **options)
        self._note("started", image)
        if not self._keep:
            self._mine[key] = container
        return container

    def _removed(self, key: str, container: Container) -> bool:
        """Remove a container if no worker uses it. Return False if one does."""
        import containerkit as ck

        with self._locked(key):
            try:
                alone = lock(path_of(key, "users"), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            with alone, contextlib.suppress(ck.ContainerKitError):  # closing the engine tries again, and tells
                container.remove(force=True, volumes=True, missing_ok=True)
            for kind in ("record", "users", "lock"):  # whoever waits for the removed file opens a new one
                path_of(key, kind).unlink(missing_ok=True)
        return True

    def _locked(self, key: str) -> IO[bytes]:
        """Return a context in which no other worker starts or removes the container of a key."""
        return lock(path_of(key, "lock"), fcntl.LOCK_EX)


def path_of(key: str, kind: str) -> Path:
    """Return the path of a file by which the workers of a run agree."""
    folder = Path(tempfile.gettempdir()) / f"containerkit-pytest-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user; set TMPDIR to a directory of your own")
    return folder / f"{key}.{kind}"


def lock(path: Path, how: int) -> IO[bytes]:
    """Open a file and lock it. Closing it unlocks it."""
    while True:
        file = path.open("ab")
        try:
            fcntl.flock(file, how)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # its owner removed it meanwhile
