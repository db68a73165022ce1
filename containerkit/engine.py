"""Engine: what users hold, one Docker or Podman."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .backends.base import Backend, Capability, EngineInfo, Event
from .errors import InvalidOption
from .options import filters as read_filters
from .options import moment
from .resources.containers import Container, Containers, start_container
from .resources.core import Core
from .resources.images import Images, auth_of
from .resources.networks import Networks
from .resources.process import RunResult
from .resources.run import run
from .resources.volumes import Volumes
from .streams import Stream

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 12):
        from typing import Unpack
    else:
        from typing_extensions import Unpack

    from .isolation import IsolationReport
    from .layers import DiskUsage, Duplicates, LayerStack, Reclaim, Savings, Sharing, Waste
    from .options import RunOptions, StartOptions

__all__ = ["Engine"]

#: Capability -> the controller whose limits it says are held.
CONTROLLERS = {
    Capability.MEMORY_LIMIT: "memory",
    Capability.CPU_LIMIT: "cpu",
    Capability.CPUSET_LIMIT: "cpuset",
    Capability.PIDS_LIMIT: "pids",
}
_EVENT_FILTERS = {"container", "event", "image", "label", "network", "type", "volume"}


class Engine:
    """One engine, open. Thread-safe. Close it, or use it in `with`: it removes what it created and was not kept.

    Attributes:
        kind: "docker" or "podman", as the server says.
        url: where it answers.
        containers, images, volumes, networks: what it has; each with get, list, create and prune.
    """

    def __init__(self, backend: Backend) -> None:
        self._core = Core(backend)
        self._lock = threading.Lock()
        self._closed = False
        self.containers = Containers(self._core)
        self.images = Images(self._core)
        self.volumes = Volumes(self._core)
        self.networks = Networks(self._core)

    @property
    def kind(self) -> str:
        """ "docker" or "podman", as the server says."""
        return self._core.backend.kind

    @property
    def url(self) -> str:
        """Where it answers: "unix:///run/podman/podman.sock"."""
        return self._core.backend.url

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can, of the things that not every engine can; without the limits that check() saw not to hold."""
        return self._core.capabilities

    def __repr__(self) -> str:
        return f"<Engine {self.kind} at {self.url}{' (closed)' if self._closed else ''}>"

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what this Engine created, last made first, but for what was kept; then disconnect."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        try:
            self._core.session.close()
        finally:
            self._core.backend.close()

    # ---------------------------------------------------------------- the engine itself
    def info(self) -> EngineInfo:
        """What the engine says of itself, asked now."""
        return self._core.backend.info()

    def login(self, username: str, password: str, registry: str = "docker.io") -> None:
        """Log in to a registry, for the pulls, pushes and builds of this Engine; nothing is written to disk.

        Raises:
            AuthenticationFailed: the registry refuses these credentials.
        """
        self._core.require(Capability.REGISTRY, "logging in")
        self._core.backend.login(auth_of((username, password), registry))

    def events(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> Stream[Event]:
        """What happens on the engine, as it happens; endless unless `until` is given. Close it from any thread.

        Args:
            since, until: seconds since the epoch.
            filters: as `docker events --filter` takes them: {"type": "container", "label": ["a=b"]}.

        Raises:
            InvalidOption: also a filter that not every engine heeds.
        """
        asked = read_filters(filters)
        if unknown := set(asked) - _EVENT_FILTERS:
            raise InvalidOption("filters", unknown.pop(), f"one of {', '.join(sorted(_EVENT_FILTERS))}")
        return self._core.backend.events(since=moment("since", since), until=moment("until", until), filters=asked)

    # ---------------------------------------------------------------- run
    def run(self, image: str, command: Any = None, **options: Unpack[RunOptions]) -> RunResult:
        """Run a command in a new container to its end, and remove the container; like subprocess.run.

        Args:
            image: a name; it is pulled as `pull` says ("missing", "always", "never").
            command: a list, or a line that is split as a shell does; None for the image's own.
            check: raise CommandFailed unless the exit code is 0.
            timeout: seconds for the whole; then the container is killed and removed, and EngineTimeout raised.
            input: text or bytes for stdin.
            on_output: called with each Output(stream, data) as it comes.
            limits: "enforce" raises LimitNotEnforced if the engine would not hold a limit; "best-effort" warns.
            options: the command line's long flags, in snake_case.

        Raises:
            InvalidOption, InvalidReference: before anything is sent.
            ImageNotFound, PullFailed, StartFailed, NameInUse, LimitNotEnforced, Unsupported, CommandFailed,
            EngineTimeout, EngineUnavailable.
        """
        return run(self._core, image, command, options)

    def start(
        self, image: str, command: Any = None, *, keep: bool = False, **options: Unpack[StartOptions]
    ) -> Container:
        """Start a container and leave it running; `with` removes it at the end.

        Args:
            keep: it outlives this Engine, and no cleanup touches it.
            options: as in :meth:`run`, without what concerns its end.

        Raises:
            as :meth:`run`; a container that could not start is removed.
        """
        return start_container(self._core, image, command, {**options, "keep": keep})

    # ---------------------------------------------------------------- layers
    def layers(self, ref: str) -> LayerStack:
        """What an image is made of, base first. Cheap: the image is not exported for it. Raises ImageNotFound."""
        from .layers import image_layers

        return image_layers(self._core.backend, ref)

    def sharing(self, refs: Any = None) -> Sharing:
        """Which images and containers share which layers; all of them, or those named."""
        from .layers import image_sharing

        return image_sharing(self._core.backend, refs)

    def savings(self, refs: Any = None, *, containers: bool = True) -> Savings:
        """What the images cost because they share layers, and what they would cost if they did not."""
        from .layers import image_savings

        return image_savings(self._core.backend, refs, containers=containers)

    def waste(self, ref: str) -> Waste:
        """The bytes in an image's layers that a container cannot see, each with its cause. Raises ImageNotFound."""
        return self.layers(ref).waste()

    def reclaimable(self, refs: Any = None) -> Reclaim:
        """What removing these images would really free; None: every image that no container uses."""
        from .layers import image_reclaim

        return image_reclaim(self._core.backend, refs)

    def duplicates(self, refs: Any = None, *, verify: bool = False) -> Duplicates:
        """The same file content in layers that are not shared; of all images, or those named.

        Args:
            verify: compare by SHA-256 of the bytes, not by the size and CRC-64 that the store recorded.

        Raises:
            ImageNotFound, InvalidOption.
        """
        from .layers import image_duplicates

        if not isinstance(verify, bool):
            raise InvalidOption("verify", verify, "True or False")
        return image_duplicates(self._core.backend, refs, verify=verify)

    def disk_usage(self) -> DiskUsage:
        """What the engine says its images and containers take, beside what they take, and why these differ."""
        from .layers import engine_usage

        return engine_usage(self._core.backend)

    # ---------------------------------------------------------------- isolation
    def check(self, *, probe: bool = True, only: Any = None) -> IsolationReport:
        """Who is root here, what is shared, which limits hold: by evidence. Two short containers, removed again.

        Args:
            probe: without, no container is started, and what needs one is "unknown".
            only: an id, or several, of checks.

        What the kernel says of limits outweighs what the engine says: one that does not hold is refused by run() from
        here on.

        Raises:
            InvalidOption: no such check.
        """
        from .isolation import check_engine

        report = check_engine(self._core.backend, self._core.session.labels(), probe=probe, only=only)
        self._core.unenforced = frozenset(c for c, name in CONTROLLERS.items() if report.limits.get(name) is False)
        return report
