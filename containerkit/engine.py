"""Engine: what users hold, one Docker or Podman."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .backends.base import Backend, Capability, EngineInfo, Event
from .containers import Container, Containers
from .errors import ImageNotFound, InvalidOption, LimitNotEnforced, Unsupported
from .images import Images, auth_of, is_for
from .networks import Networks, check_addresses
from .options import container_spec, moment
from .options import filters as read_filters
from .run import RunResult, run
from .session import Session
from .spec import ContainerSpec, ResourceLimits
from .streams import Stream
from .volumes import Volumes

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 12):
        from typing import Unpack
    else:
        from typing_extensions import Unpack

    from .isolation import IsolationReport
    from .layers import DiskUsage, Duplicates, LayerStack, Reclaim, Savings, Sharing, Waste
    from .options import RunOptions, StartOptions

__all__ = ["Engine", "Policy"]

#: Capability -> the controller whose limits it says are held.
CONTROLLERS = {
    Capability.MEMORY_LIMIT: "memory",
    Capability.CPU_LIMIT: "cpu",
    Capability.CPUSET_LIMIT: "cpuset",
    Capability.PIDS_LIMIT: "pids",
}
_EVENT_FILTERS = {"container", "event", "image", "label", "network", "type", "volume"}
_LIMITS = {
    "memory": Capability.MEMORY_LIMIT,
    "memory_swap": Capability.MEMORY_LIMIT,
    "memory_reservation": Capability.MEMORY_LIMIT,
    "cpus": Capability.CPU_LIMIT,
    "cpu_shares": Capability.CPU_LIMIT,
    "cpuset_cpus": Capability.CPUSET_LIMIT,
    "pids_limit": Capability.PIDS_LIMIT,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """How a container is created, beside what it is.

    Attributes:
        pull: "missing", "always" or "never".
        best_effort: run without a limit that the engine will not enforce, and say so, instead of refusing.
        keep: it outlives the session.
    """

    pull: str = "missing"
    best_effort: bool = False
    keep: bool = False


class Engine:
    """One engine, open. Thread-safe. Close it, or use it in `with`: it removes what it created and was not kept.

    Attributes:
        kind: "docker" or "podman", as the server says.
        url: where it answers.
        containers, images, volumes, networks: what it has; each with get, list, create and prune.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.session = Session()
        self.containers = Containers(self)
        self.images = Images(self)
        self.volumes = Volumes(self)
        self.networks = Networks(self)
        self._lock = threading.Lock()
        self._closed = False
        self._void: frozenset[Capability] = frozenset()

    @property
    def kind(self) -> str:
        """ "docker" or "podman", as the server says."""
        return self.backend.kind

    @property
    def url(self) -> str:
        """Where it answers: "unix:///run/podman/podman.sock"."""
        return self.backend.url

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can, of the things that not every engine can; without the limits that check() saw not to hold."""
        return self.backend.capabilities - self._void

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
            self.session.close()
        finally:
            self.backend.close()

    def require(self, capability: Capability, what: str) -> None:
        """Raises Unsupported, before anything is sent, if the engine cannot."""
        if capability not in self.capabilities:
            raise Unsupported(
                f"{what}: this {self.kind} engine at {self.url} cannot ({capability.value})",
                capability=capability.value,
            )

    # ---------------------------------------------------------------- the engine itself
    def info(self) -> EngineInfo:
        """What the engine says of itself, asked now."""
        return self.backend.info()

    def login(self, username: str, password: str, registry: str = "docker.io") -> None:
        """Log in to a registry, for the pulls, pushes and builds of this Engine; nothing is written to disk.

        Raises:
            AuthenticationFailed: the registry refuses these credentials.
        """
        self.require(Capability.REGISTRY, "logging in")
        self.backend.login(auth_of((username, password), registry))

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
        return self.backend.events(since=moment("since", since), until=moment("until", until), filters=asked)

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
        return run(self, image, command, options)

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
        given: dict[str, Any] = {**options, "keep": keep}
        policy = self.take_policy(given, pull="missing")
        container = self.create(container_spec(image, command, given), policy)
        try:
            container.start()
        except BaseException:
            container.remove(force=True, volumes=True, missing_ok=True)
            raise
        return container

    # ---------------------------------------------------------------- how containers come to be
    def take_policy(self, options: dict[str, Any], *, pull: str) -> Policy:
        """Take out of the options what concerns the making. Raises InvalidOption."""
        given = {"pull": options.pop("pull", None) or pull, "limits": options.pop("limits", None) or "enforce"}
        keep = options.pop("keep", False)
        if given["pull"] not in ("missing", "always", "never"):
            raise InvalidOption("pull", given["pull"], '"missing", "always" or "never"')
        if given["limits"] not in ("enforce", "best-effort"):
            raise InvalidOption("limits", given["limits"], '"enforce" or "best-effort"')
        if not isinstance(keep, bool):
            raise InvalidOption("keep", keep, "True or False")
        return Policy(given["pull"], given["limits"] == "best-effort", keep)

    def create(self, spec: ContainerSpec, policy: Policy) -> Container:
        """Create a container from a spec that is checked; the one place where all containers come from."""
        spec, warnings = self._held_to_limits(spec, policy)
        self._check_capabilities(spec)
        labels = {**spec.labels, **self.session.labels(keep=policy.keep)}
        spec = replace(spec, labels=labels)
        if policy.pull == "always":
            self.images.pull(spec.image, platform=spec.platform)
        for attachment in spec.networks:
            check_addresses(self.backend, attachment)
        try:
            self._check_platform(spec)
            created = self.backend.create_container(spec)
        except ImageNotFound:
            if policy.pull != "missing" or Capability.REGISTRY not in self.capabilities:
                raise
            self.images.pull(spec.image, platform=spec.platform)
            created = self.backend.create_container(spec)
        container = Container(self, created.id, warnings=(*warnings, *created.warnings))
        if not policy.keep:
            remove = self.backend.remove_container
            self.session.own(created.id, lambda: remove(created.id, force=True, volumes=True))
        return container

    def _check_platform(self, spec: ContainerSpec) -> None:
        """An image for another platform is none of that name: some engines would take it all the same.

        In containerd's image store one name may have several platforms, and there the engine looks by itself.
        """
        if spec.platform and self.backend.first_info().image_store == "graphdriver":
            record = self.images.get(spec.image).record
            if not is_for(record, spec.platform):
                has = f"{record.os}/{record.arch}"
                raise ImageNotFound(f"no image {spec.image} for {spec.platform} here, only for {has}", status=404)

    def _held_to_limits(self, spec: ContainerSpec, policy: Policy) -> tuple[ContainerSpec, tuple[str, ...]]:
        """Refuse limits that would silently not hold, or take them out with a warning."""
        asked = spec.limits.requested()
        void = tuple(name for name in asked if _LIMITS[name] not in self.capabilities)
        if not void:
            return spec, ()
        words = f"{', '.join(void)}: this engine would accept and not enforce it (no such cgroup controller for it)"
        if not policy.best_effort:
            raise LimitNotEnforced(f'{words}; limits="best-effort" runs without', limits=void)
        held = ResourceLimits(**{name: getattr(spec.limits, name) for name in asked if name not in void})
        return replace(spec, limits=held), (words,)

    def refuse_void(self, limits: ResourceLimits) -> None:
        """Raises LimitNotEnforced if one of these limits would not hold."""
        self._held_to_limits(ContainerSpec("", limits=limits), Policy())

    def _check_capabilities(self, spec: ContainerSpec) -> None:
        if any(address == "host-gateway" for _, address in spec.add_host):
            self.require(Capability.HOST_GATEWAY, 'add_host "host-gateway"')
        if spec.userns and spec.userns.startswith("keep-id"):
            self.require(Capability.KEEP_ID, f"userns={spec.userns}")
        if spec.ulimits:
            self.require(Capability.ULIMITS, "ulimits")
        if any(attachment.mac_address for attachment in spec.networks):
            self.require(Capability.MAC_ADDRESS, "mac_address")

    # ---------------------------------------------------------------- layers
    def layers(self, ref: str) -> LayerStack:
        """What an image is made of, base first. Cheap: the image is not exported for it. Raises ImageNotFound."""
        from .layers import image_layers

        return image_layers(self, ref)

    def sharing(self, refs: Any = None) -> Sharing:
        """Which images and containers share which layers; all of them, or those named."""
        from .layers import image_sharing

        return image_sharing(self, refs)

    def savings(self, refs: Any = None, *, containers: bool = True) -> Savings:
        """What the images cost because they share layers, and what they would cost if they did not."""
        from .layers import image_savings

        return image_savings(self, refs, containers=containers)

    def waste(self, ref: str) -> Waste:
        """The bytes in an image's layers that a container cannot see, each with its cause. Raises ImageNotFound."""
        return self.layers(ref).waste()

    def reclaimable(self, refs: Any = None) -> Reclaim:
        """What removing these images would really free; None: every image that no container uses."""
        from .layers import image_reclaim

        return image_reclaim(self, refs)

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
        return image_duplicates(self, refs, verify=verify)

    def disk_usage(self) -> DiskUsage:
        """What the engine says its images and containers take, beside what they take, and why these differ."""
        from .layers import engine_usage

        return engine_usage(self)

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

        report = check_engine(self.backend, self.session.labels(), probe=probe, only=only)
        if report.limits:
            self._void = frozenset(c for c, name in CONTROLLERS.items() if report.limits.get(name) is False)
        return report
