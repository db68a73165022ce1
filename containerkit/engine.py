"""Engine: one open connection to Docker or Podman, and everything users do with it.

Thin: each method parses nothing and calls one function of `resources`, `layers` or `isolation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .backends.base import Backend, Capability, EngineInfo, Event
from .errors import InvalidOption
from .options import parse_auth, parse_filters, parse_flag, parse_time, with_options
from .options.table import RUN, START
from .resources.container import Container
from .resources.containers import Containers, start_container
from .resources.core import Core
from .resources.images import Images
from .resources.mapping import Mapped, map_runs
from .resources.networks import Networks
from .resources.process import RunResult
from .resources.run import run
from .resources.volumes import Volumes
from .streams import Stream
from .values import ValueTuple

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .isolation import AuditReport, IsolationReport
    from .layers import DiskUsage, Duplicates, LayerStack, Reclaim, Savings, Sharing, Waste
    from .options import RunOptions, StartOptions

__all__ = ["Engine"]

_EVENT_FILTERS = {"container", "event", "image", "label", "network", "type", "volume"}


class Engine:
    """An open connection to one engine. Thread-safe.

    Closing an Engine, or leaving its `with` block, removes everything it created, except resources made with
    ``keep=True``. Get one from :func:`containerkit.connect`.

    Attributes:
        containers, images, volumes, networks: collections with get, list, create and prune.

    Example:
        >>> from containerkit.testing import FakeBackend
        >>> backend = FakeBackend(images=["busybox:1"]).on("echo hello", stdout="hello")
        >>> with Engine(backend) as engine:
        ...     engine.run("busybox:1", "echo hello").stdout
        'hello'
    """

    def __init__(self, backend: Backend) -> None:
        self._core = Core(backend)
        self.containers = Containers(self._core)
        self.images = Images(self._core)
        self.volumes = Volumes(self._core)
        self.networks = Networks(self._core)

    @property
    def kind(self) -> str:
        """Kind of the engine as its server reports it: "docker" or "podman"."""
        return self._core.kind

    @property
    def url(self) -> str:
        """Address of the engine, such as "unix:///run/podman/podman.sock"."""
        return self._core.url

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Optional features this engine supports, excluding limits that check() found unenforced."""
        return self._core.capabilities

    def __repr__(self) -> str:
        return f"<Engine {self.kind} at {self.url}{' (closed)' if self._core.closed else ''}>"

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove everything this Engine created, newest first, then disconnect. Safe to call twice.

        A resource that cannot be removed is logged as a warning, and the others are still removed.
        """
        self._core.close()

    # ---------------------------------------------------------------- engine
    def info(self) -> EngineInfo:
        """Return the engine's version, host and configuration, requested now."""
        return self._core.backend.info()

    def login(self, username: str, password: str, registry: str = "docker.io", *, store: bool = False) -> None:
        """Log in to a registry for the pulls, pushes and builds of this Engine.

        Args:
            username: the account's name.
            password: the account's password or token.
            registry: the registry's address, such as "docker.io" or "localhost:5000".
            store: keep the credentials, as `docker login` or `podman login` does: in the same file, which only its
                owner can read, or in the helper that it names. Later sessions and both command lines use them.

        Raises:
            AuthenticationFailed: the registry rejects the credentials, or they cannot be stored.
            InvalidOption: an empty name or password, or an address that is not one.
            Unsupported: the engine has no access to registries.
        """
        self._core.require(Capability.REGISTRY, "logging in")
        self._core.login(parse_auth((username, password), registry), store=parse_flag("store", store))

    def logout(self, registry: str = "docker.io") -> bool:
        """Forget the credentials of a registry, also those that `login` of this library or a command line stored.

        Args:
            registry: the registry's address.

        Returns:
            Whether there were any.

        Raises:
            AuthenticationFailed: the file with credentials cannot be changed.
            InvalidOption: an address that is not one.
        """
        return self._core.logout(parse_auth(("-", "-"), registry).registry)

    def events(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> Stream[Event]:
        """Return a stream of the engine's events. It never ends unless `until` is given; any thread may close it.

        Args:
            since, until: seconds since the epoch, or a datetime.
            filters: as `docker events --filter`: {"type": "container", "label": ["a=b"]}.

        Raises:
            InvalidOption: a filter that is unknown, or that one of the engines ignores.
        """
        parsed = parse_filters("filters", filters)
        if unknown := set(parsed) - _EVENT_FILTERS:
            raise InvalidOption("filters", unknown.pop(), f"one of {', '.join(sorted(_EVENT_FILTERS))}")
        return self._core.backend.events(
            since=parse_time("since", since), until=parse_time("until", until), filters=parsed
        )

    # ---------------------------------------------------------------- run
    @with_options(RUN)
    def run(self, image: str, command: Any = None, **options: Unpack[RunOptions]) -> RunResult:
        """Run a command in a new container to its end, remove the container, and return its output.

        Works like subprocess.run: the output is complete, to the byte, and the exit code is the command's own.

        Args:
            image: name or ID of the image; `pull` says when it is pulled ("missing", "always", "never").
            command: a list, or a string that is split as a shell splits it; None runs the image's own command.
            check: raise CommandFailed unless the exit code is 0.
            timeout: seconds for the whole call; when they end, the container is killed and removed.
            input: text or bytes for stdin.
            on_output: function that receives each Output(stream, data) as it arrives.
            limits: "enforce" raises LimitNotEnforced for a limit that the engine does not enforce; "best-effort"
                drops the limit and adds a warning to the result.
            options: the command line's long flags in snake_case, below.

        Raises:
            InvalidOption, InvalidReference: a bad argument; nothing was sent.
            ImageNotFound, PullFailed: the image is missing and cannot be pulled.
            StartFailed, NameInUse, LimitNotEnforced, Unsupported: the engine refused the container.
            CommandFailed: the exit code is not 0, with check=True.
            EngineTimeout: the command did not end within `timeout`.
            EngineUnavailable: the engine does not answer, or the connection was cut.

        Example:
            >>> from containerkit.testing import FakeBackend
            >>> backend = FakeBackend(images=["busybox:1"]).on("false", exit_code=1)
            >>> Engine(backend).run("busybox:1", "false").exit_code
            1
        """
        return run(self._core, image, command, options)

    @with_options(RUN)
    def map(
        self, image: str, commands: Iterable[Any], *, max_concurrent: int = 8, **options: Unpack[RunOptions]
    ) -> ValueTuple[Mapped]:
        """Run many commands of one image, each in a new container, and report every one.

        Args:
            image: as in :meth:`run`.
            commands: each as in :meth:`run`.
            max_concurrent: how many containers run at the same time.
            options: as in :meth:`run`, without name and on_output.

        Returns:
            One Mapped(command, result, error) for each command, in their order. A run that failed, ran out of time or
            was lost with its node has no result, and `error` says why; no command runs twice.

        Raises:
            InvalidOption, InvalidReference: a bad argument.

        Example:
            >>> from containerkit.testing import FakeBackend
            >>> backend = FakeBackend(images=["busybox:1"]).on("false", exit_code=1).on("true")
            >>> [each.result.exit_code for each in Engine(backend).map("busybox:1", ["true", "false"])]
            [0, 1]
        """
        return map_runs(self._core, image, commands, options, max_concurrent=max_concurrent)

    @with_options(START)
    def start(
        self, image: str, command: Any = None, *, keep: bool = False, **options: Unpack[StartOptions]
    ) -> Container:
        """Start a container and return while it runs. Leaving its `with` block removes it.

        Args:
            image, command: as in :meth:`run`.
            keep: the container outlives this Engine, and cleanup() never removes it.
            options: as in :meth:`run`, without check, timeout, input and on_output.

        Raises:
            The errors of :meth:`run`. A container that does not start is removed first.
        """
        return start_container(self._core, image, command, {**options, "keep": keep})

    # ---------------------------------------------------------------- layers
    def layers(self, ref: str, *, platform: str | None = None) -> LayerStack:
        """Return the layers of an image, base first, without exporting the image.

        Args:
            ref: name or ID of the image.
            platform: such as "linux/arm64", of an image that Docker's containerd store holds for several; None for
                the one that the engine shows. Another than that is read from a temporary copy of the image.

        Raises:
            ImageNotFound.
            InvalidOption: the engine has the image for other platforms only.
        """
        from .layers import image_layers

        return image_layers(self._core.backend, ref, platform=platform)

    def sharing(self, refs: Any = None) -> Sharing:
        """Return which images and containers share which layers. None for `refs` means all images."""
        from .layers import image_sharing

        return image_sharing(self._core.backend, refs)

    def savings(self, refs: Any = None, *, containers: bool = True) -> Savings:
        """Return what images cost on disk with shared layers, and what they would cost as full copies.

        Args:
            refs: names or IDs of images; None for all.
            containers: include the containers made from these images.
        """
        from .layers import image_savings

        return image_savings(self._core.backend, refs, containers=containers)

    def waste(self, ref: str) -> Waste:
        """Return the bytes of an image's layers that no container can see, each with its cause.

        Raises:
            ImageNotFound.
        """
        return self.layers(ref).waste()

    def reclaimable(self, refs: Any = None) -> Reclaim:
        """Return what removing images would free on disk. None for `refs` means every image without a container.

        The order of removal does not matter, except in Docker's containerd store: remove an image before the one it
        was built from, or the latter can stay without a name until `images.prune()`.
        """
        from .layers import image_reclaim

        return image_reclaim(self._core.backend, refs)

    def duplicates(self, refs: Any = None, *, verify: bool = False) -> Duplicates:
        """Return file contents that stand in several unshared layers.

        Args:
            refs: names or IDs of images; None for all.
            verify: compare the SHA-256 of the bytes instead of the size and CRC-64 that the store recorded.

        Raises:
            ImageNotFound, InvalidOption.
        """
        from .layers import image_duplicates

        if not isinstance(verify, bool):
            raise InvalidOption("verify", verify, "True or False")
        return image_duplicates(self._core.backend, refs, verify=verify)

    def disk_usage(self, *, reported: bool = True) -> DiskUsage:
        """Return the engine's own disk usage beside the measured one, with the reason for each difference.

        Args:
            reported: False does not ask the engine, which may need seconds to measure its images; its figures are None.

        Raises:
            InvalidOption.
        """
        from .layers import engine_usage

        if not isinstance(reported, bool):
            raise InvalidOption("reported", reported, "True or False")
        return engine_usage(self._core.backend, reported=reported)

    # ---------------------------------------------------------------- isolation
    def check(self, *, probe: bool = True, only: Any = None, skip: Any = ()) -> IsolationReport:
        """Check the engine's isolation: who is root, what is shared with the host, which limits are enforced.

        Starts two short containers and removes them again. After a check, run() and start() refuse limits that the
        kernel was seen not to enforce, whatever the engine claims.

        Args:
            probe: False starts no container; checks that need one are "unknown".
            only: an ID of a check, or several; None for all.
            skip: IDs of checks to leave out.

        Raises:
            InvalidOption: an unknown check ID.
        """
        from .isolation import check_engine

        report = check_engine(self._core.backend, self._core.session.labels(), probe=probe, only=only, skip=skip)
        limits = report.limits
        self._core.unenforced = frozenset(c for c in Capability.limits() if limits.get(str(c.controller)) is False)
        return report

    def audit(self, *containers: str | Container) -> AuditReport:
        """Return what each running container was given beyond the default: evidence, severity, how to avoid it.

        Starts nothing. "critical" is a way to root of the host.

        Args:
            containers: names, IDs or Container objects; none means all that run.

        Raises:
            ContainerNotFound: a container is missing.
            WrongState: a container does not run.
        """
        from .isolation import audit_containers

        found = [c if isinstance(c, Container) else self.containers.get(c) for c in containers]
        for each in found:
            each.require_running("auditing it")
        return audit_containers(self._core.backend, [each.id for each in found] if containers else None)
