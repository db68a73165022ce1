"""The interface to an engine. A backend implements it; everything above uses nothing else.

A method is here only if its result cannot be derived from the others. Arguments and results are frozen values; errors
are those of :mod:`containerkit.errors`. ``ref`` is a name, an ID or an unambiguous prefix of an ID. Times are seconds,
sizes bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from ..errors import Unsupported
from .image_records import EngineDiskUsage, FoundImage, HistoryEntry, ImageRecord, Progress
from .records import (
    REQUEST_LABEL,
    Address,
    Capability,
    Change,
    ContainerRecord,
    ContainerRef,
    Created,
    EngineInfo,
    Event,
    ExecState,
    Filters,
    MountRecord,
    NetworkEndpoint,
    NetworkRecord,
    PathStat,
    Processes,
    Raw,
    Stats,
    VolumeRecord,
)

if TYPE_CHECKING:
    from ..spec import (
        BuildSpec,
        ContainerSpec,
        ExecSpec,
        NetworkAttachment,
        NetworkSpec,
        RegistryAuth,
        ResourceLimits,
        VolumeSpec,
    )
    from ..streams import Attachment, ByteStream, OutputStream, Stream

__all__ = [
    "REQUEST_LABEL",
    "Address",
    "Backend",
    "Capability",
    "Change",
    "ContainerRecord",
    "ContainerRef",
    "Created",
    "EngineDiskUsage",
    "EngineInfo",
    "Event",
    "ExecState",
    "Filters",
    "FoundImage",
    "HistoryEntry",
    "ImageRecord",
    "MountRecord",
    "NetworkEndpoint",
    "NetworkRecord",
    "PathStat",
    "Processes",
    "Progress",
    "Raw",
    "Stats",
    "VolumeRecord",
]


class Backend(ABC):
    """An adapter to one engine.

    A backend is thread-safe and keeps no state between calls except registry logins. Every method may raise
    EngineUnavailable (no complete response came) and EngineTimeout, and ends by `streams.Deadline.current()`.

    The abstract methods are the least that an engine needs for `run`, images and layers. The others raise Unsupported
    until a backend implements them, so a method that is added here breaks no backend of others.

    Attributes:
        kind: "docker", "podman", or the name that another backend gives itself.
        url: the address of the engine as users write it.
        capabilities: the optional features of this engine.
        keeps_parents: True if the engine removes only the name of an image that another image was built from.
        needs_read_input: True if the output of an exec may be lost when its command leaves input unread.
    """

    kind: str
    url: str
    capabilities: frozenset[Capability]
    keeps_parents: bool = False
    needs_read_input: bool = False

    # ---------------------------------------------------------------- the engine
    @abstractmethod
    def info(self) -> EngineInfo:
        """Return facts about the engine."""

    def first_info(self) -> EngineInfo:
        """Return `info` as it was when the backend connected: for facts that are fixed while an engine runs.

        Podman 4 needs 80 ms for a new `info`.
        """
        return self.info()

    @abstractmethod
    def close(self) -> None:
        """Release connections and helpers. Safe to call twice."""

    def events(self, *, since: float | None, until: float | None, filters: Filters) -> Stream[Event]:
        """Return the events from `since` up to `until`, both in seconds since the epoch; endless without `until`."""
        self._not_implemented("reading events")

    def engine_disk_usage(self) -> EngineDiskUsage:
        """Return the engine's own figures of disk usage."""
        self._not_implemented("reading the disk usage")

    def login(self, auth: RegistryAuth) -> None:
        """Verify credentials and keep them in this backend. Raise AuthenticationFailed if they are refused."""
        self._not_implemented(f"logging in to {auth.registry}")

    def logout(self, registry: str) -> None:  # noqa: B027  a backend without registries has nothing to forget
        """Forget the credentials of `login`."""

    # ---------------------------------------------------------------- containers
    @abstractmethod
    def create_container(self, spec: ContainerSpec) -> Created:
        """Create a container, and read back the options that guard security.

        Raises:
            ImageNotFound, NameInUse, NetworkNotFound.
            Unsupported: the engine ignores an option; nothing is left behind.
        """

    @abstractmethod
    def inspect_container(self, ref: str, *, size: bool = False) -> ContainerRecord:
        """Return a container. Raise ContainerNotFound if it is missing."""

    @abstractmethod
    def list_containers(self, *, all: bool, filters: Filters) -> tuple[ContainerRecord, ...]:
        """Return containers, newest first, in one request.

        Args:
            all: include those that do not run.
            filters: as on the command line; every filter is applied.
        """

    @abstractmethod
    def start_container(self, ref: str) -> None:
        """Start a container and return when its first process runs. Succeed if it runs already.

        Raises:
            StartFailed, InUse (a port).
        """

    @abstractmethod
    def stop_container(self, ref: str, *, timeout: int | None) -> None:
        """Send the stop signal, then KILL after `timeout` seconds. Succeed if the container does not run.

        Args:
            timeout: None for the container's own value, else 10.
        """

    @abstractmethod
    def kill_container(self, ref: str, *, signal: str) -> None:
        """Send a signal. Raise WrongState if the container does not run."""

    def restart_container(self, ref: str, *, timeout: int | None) -> None:
        """Stop and start a container."""
        self._not_implemented(f"restarting container {ref}")

    def pause_container(self, ref: str) -> None:
        """Freeze all processes. Raise WrongState if the container does not run."""
        self._not_implemented(f"pausing container {ref}")

    def unpause_container(self, ref: str) -> None:
        """Continue frozen processes. Raise WrongState if the container is not paused."""
        self._not_implemented(f"unpausing container {ref}")

    def rename_container(self, ref: str, name: str) -> None:
        """Rename a container. Raise NameInUse if the name is taken."""
        self._not_implemented(f"renaming container {ref}")

    def update_container(self, ref: str, limits: ResourceLimits, restart: str | None) -> tuple[str, ...]:
        """Apply new limits and return the engine's warnings."""
        self._not_implemented(f"updating container {ref}")

    @abstractmethod
    def wait_container(self, ref: str, *, timeout: float | None) -> int:
        """Return the exit code once the container does not run. Raise EngineTimeout after `timeout` seconds."""

    @abstractmethod
    def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        """Remove a container.

        Args:
            force: kill it first, without the stop signal.
            volumes: remove its anonymous volumes.

        Raises:
            WrongState: it runs.
        """

    @abstractmethod
    def attach_container(self, ref: str, *, stdin: bool, tty: bool) -> Attachment:
        """Return a connection to the standard streams. Opened before the start, it receives all output."""

    @abstractmethod
    def exec_container(self, ref: str, spec: ExecSpec) -> tuple[str, Attachment]:
        """Start a command in a container and return the exec's ID and its standard streams.

        Raises:
            WrongState: the container does not run.
            StartFailed: the command cannot be started.
        """

    def start_exec(self, ref: str, spec: ExecSpec) -> str:
        """Start a command without its standard streams, and return the exec's ID. The errors of `exec_container`."""
        self._not_implemented(f"executing a command in container {ref} without its output")

    def resize_container(self, ref: str, *, rows: int, columns: int) -> None:
        """Set the size of a container's terminal, in characters."""
        self._not_implemented(f"resizing the terminal of container {ref}")

    def resize_exec(self, exec_id: str, *, rows: int, columns: int) -> None:
        """Set the size of the terminal of a command started by `exec_container`."""
        self._not_implemented(f"resizing the terminal of exec {exec_id[:12]}")

    @abstractmethod
    def inspect_exec(self, exec_id: str) -> ExecState:
        """Return the state of a command started by `exec_container`."""

    @abstractmethod
    def logs_container(
        self,
        ref: str,
        *,
        stdout: bool,
        stderr: bool,
        follow: bool,
        since: float | None,
        until: float | None,
        tail: int | None,
        timestamps: bool,
        tty: bool,
    ) -> OutputStream:
        """Return the log of a container.

        Args:
            follow: continue until the container ends.
            tail: the last lines only.
            timestamps: begin each line with its time.
            tty: the container has a terminal.
        """

    def stats_container(self, ref: str, *, stream: bool) -> Stream[Stats]:
        """Return one sample of resource usage, or one each second. Raise WrongState if the container does not run."""
        self._not_implemented(f"measuring container {ref}")

    def top_container(self, ref: str, *, ps_args: str | None) -> Processes:
        """Return the processes of a container. Raise WrongState if it does not run."""
        self._not_implemented(f"listing the processes of container {ref}")

    def diff_container(self, ref: str) -> tuple[Change, ...]:
        """Return the paths that differ from the image."""
        self._not_implemented(f"comparing container {ref} with its image")

    def export_container(self, ref: str) -> ByteStream:
        """Return the merged file system as a tar stream."""
        self._not_implemented(f"exporting container {ref}")

    @abstractmethod
    def put_archive(self, ref: str, path: str, data: bytes | Iterable[bytes]) -> None:
        """Unpack a tar into an existing directory of the container. Raise NotFound if the directory is missing."""

    @abstractmethod
    def get_archive(self, ref: str, path: str) -> tuple[PathStat, ByteStream]:
        """Return a file or directory as a tar stream. Raise NotFound if it is missing."""

    @abstractmethod
    def stat_path(self, ref: str, path: str) -> PathStat | None:
        """Return facts about a path, or None if it is missing."""

    def commit_container(
        self, ref: str, *, image: str, message: str, author: str, pause: bool, changes: Sequence[str]
    ) -> str:
        """Create an image of the container's file system and return the image's ID."""
        self._not_implemented(f"committing container {ref}")

    def check_health(self, ref: str) -> str | None:
        """Return the health status, or None without a health check. Run the check if the engine has no timer."""
        return self.inspect_container(ref).health

    # ---------------------------------------------------------------- images
    @abstractmethod
    def inspect_image(self, ref: str) -> ImageRecord:
        """Return an image. Raise ImageNotFound if it is missing."""

    @abstractmethod
    def list_images(self, *, all: bool, filters: Filters) -> tuple[ImageRecord, ...]:
        """Return images; with `all`, intermediate images of builds too."""

    def image_history(self, ref: str) -> tuple[HistoryEntry, ...]:
        """Return the history of an image, oldest entry first."""
        self._not_implemented(f"reading the history of image {ref}")

    def pull_image(self, ref: str, *, platform: str | None, auth: RegistryAuth | None) -> Iterator[Progress]:
        """Pull an image and yield the progress.

        Raises:
            PullFailed, ImageNotFound (the registry has none), AuthenticationFailed: while iterating.
        """
        self._not_implemented(f"pulling {ref}")

    def search_images(self, term: str, *, limit: int | None, filters: Filters) -> tuple[FoundImage, ...]:
        """Return the images that the engine's registries find for a word."""
        self._not_implemented(f"searching for {term}")

    def push_image(self, ref: str, *, auth: RegistryAuth | None) -> Iterator[Progress]:
        """Push an image and yield the progress. Raise PushFailed or AuthenticationFailed while iterating."""
        self._not_implemented(f"pushing {ref}")

    def build_image(self, context: Iterable[bytes], spec: BuildSpec) -> Iterator[Progress]:
        """Build an image from a tar and yield the progress. The last step carries the image's ID.

        Raises:
            BuildFailed: while iterating.
        """
        self._not_implemented("building an image")

    @abstractmethod
    def load_images(self, data: Iterable[bytes]) -> tuple[str, ...]:
        """Load an archive and return the names of its images, or IDs of those without. Raise InvalidImage."""

    def import_image(self, data: Iterable[bytes], ref: str, *, message: str, changes: Sequence[str]) -> str:
        """Make an image of one layer from a tar of a file system, and return its ID. Raise InvalidImage."""
        self._not_implemented(f"importing {ref or 'an image'}")

    @abstractmethod
    def save_images(self, refs: Sequence[str]) -> ByteStream:
        """Return a docker-archive."""

    def tag_image(self, ref: str, target: str) -> None:
        """Give an image another name."""
        self._not_implemented(f"tagging {ref} as {target}")

    @abstractmethod
    def remove_image(self, ref: str, *, force: bool, prune: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Remove a name, and the image with its last name; or remove an image by ID.

        Return the names and the IDs that were removed. Raise InUse, ImageNotFound.
        """

    def prune_build_cache(self, *, all: bool) -> tuple[tuple[str, ...], int]:
        """Remove unused build cache; return the IDs of its records, and the bytes that the engine reports as freed."""
        self._not_implemented("pruning the build cache")

    def prune_images(self, *, all: bool, filters: Filters) -> tuple[tuple[str, ...], int]:
        """Remove unused images; return their IDs, and the bytes that the engine reports as freed."""
        self._not_implemented("pruning images")

    # ---------------------------------------------------------------- volumes
    def create_volume(self, spec: VolumeSpec) -> VolumeRecord:
        """Create a volume. Raise NameInUse if one of that name exists."""
        self._not_implemented(f"creating volume {spec.name}")

    def inspect_volume(self, name: str) -> VolumeRecord:
        """Return a volume. Raise VolumeNotFound if it is missing."""
        self._not_implemented(f"inspecting volume {name}")

    def list_volumes(self, *, filters: Filters) -> tuple[VolumeRecord, ...]:
        """Return volumes."""
        self._not_implemented("listing volumes")

    def remove_volume(self, name: str, *, force: bool) -> None:
        """Remove a volume. Raise InUse while a container uses it, running or not.

        Args:
            force: succeed if the volume is missing.
        """
        self._not_implemented(f"removing volume {name}")

    # ---------------------------------------------------------------- networks
    def create_network(self, spec: NetworkSpec) -> NetworkRecord:
        """Create a network. Raise NameInUse if one of that name exists."""
        self._not_implemented(f"creating network {spec.name}")

    def inspect_network(self, ref: str) -> NetworkRecord:
        """Return a network. Raise NetworkNotFound if it is missing."""
        self._not_implemented(f"inspecting network {ref}")

    def list_networks(self, *, filters: Filters) -> tuple[NetworkRecord, ...]:
        """Return networks."""
        self._not_implemented("listing networks")

    def remove_network(self, ref: str) -> None:
        """Remove a network. Raise InUse while a container is attached."""
        self._not_implemented(f"removing network {ref}")

    def connect_network(self, ref: str, container: str, attachment: NetworkAttachment) -> None:
        """Attach a container to a network. Raise InUse if it is attached already."""
        self._not_implemented(f"connecting container {container} to network {ref}")

    def disconnect_network(self, ref: str, container: str, *, force: bool) -> None:
        """Detach a container from a network. Raise NotFound if it is not attached."""
        self._not_implemented(f"disconnecting container {container} from network {ref}")

    def _not_implemented(self, doing: str) -> NoReturn:
        raise Unsupported(f"{doing}: the {self.kind} backend does not implement it")
