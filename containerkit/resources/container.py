"""Container: one container of an engine."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from ..backends.base import Capability, Change, Processes, Stats
from ..errors import ContainerNotFound, InvalidOption, WrongState
from ..options import (
    exec_spec,
    parse_container_path,
    parse_flag,
    parse_image,
    parse_integer,
    parse_items,
    parse_name,
    parse_signal,
    parse_text,
    parse_timeout,
    update_spec,
    with_options,
)
from ..options.table import EXEC, UPDATE
from ..streams import ByteStream, OutputStream, Stream
from ..values import ValueTuple
from .archives import opened_file
from .container_state import ContainerState
from .copying import copy_from_container, copy_to_container, read_file, write_file
from .execute import attach, execute, open_exec
from .image import Image
from .logs import Logs, open_logs, read_logs
from .process import ExecResult
from .programs import explained
from .session import LABEL
from .stats_series import StatsSeries
from .strategy import Strategy
from .terminal import Terminal
from .waiting import wait_until

if TYPE_CHECKING:
    import os

    from typing_extensions import Unpack

    from ..isolation import ContainerAudit
    from ..layers import RwLayer
    from ..options import ExecOptions, LimitOptions


class Container(ContainerState):
    """One container. Thread-safe. Leaving its `with` block removes it.

    Properties show the state as of the last refresh(). Methods that change the container refresh it.

    Attributes:
        warnings: warnings of the engine and of containerkit from its creation.
    """

    # ---------------------------------------------------------------- life
    def __enter__(self) -> Container:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove(force=True, volumes=True, missing_ok=True)

    def start(self) -> Container:
        """Start the container, also one that has exited. Raises StartFailed, WrongState, ContainerNotFound."""
        with explained(self):
            self._core.backend.start_container(self._id)
        self._record = None
        return self

    def stop(self, timeout: float | None = None) -> None:
        """Send the stop signal, then SIGKILL after `timeout` seconds.

        Args:
            timeout: seconds; None for the container's own stop_timeout, or 10.
        """
        seconds = parse_timeout("timeout", timeout, zero=True)
        self._core.backend.stop_container(self._id, timeout=None if seconds is None else max(0, round(seconds)))
        self._record = None

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """Send a signal, by name or number, to the container's first process. Raises WrongState if it does not run."""
        self._core.backend.kill_container(self._id, signal=parse_signal("signal", signal))
        self._record = None

    def restart(self, timeout: float | None = None) -> None:
        """Stop the container as :meth:`stop` does, and start it again."""
        seconds = parse_timeout("timeout", timeout, zero=True)
        self._core.backend.restart_container(self._id, timeout=None if seconds is None else max(0, round(seconds)))
        self._record = None

    def pause(self) -> None:
        """Freeze the container's processes. Raises Unsupported, WrongState."""
        self._core.require(Capability.PAUSE, f"pausing {self.label}")
        self._core.backend.pause_container(self._id)
        self._record = None

    def unpause(self) -> None:
        """Resume the container's processes. Raises Unsupported, WrongState."""
        self._core.require(Capability.PAUSE, f"unpausing {self.label}")
        self._core.backend.unpause_container(self._id)
        self._record = None

    def rename(self, name: str) -> None:
        """Rename the container. Raises NameInUse."""
        self._core.backend.rename_container(self._id, parse_name("name", name))
        self._record = None

    @with_options(UPDATE)
    def update(self, *, restart: str | None = None, **new_limits: Unpack[LimitOptions]) -> tuple[str, ...]:
        """Change limits or the restart policy of the container.

        If memory alone is given, swap stays as it is: unlimited swap stays unlimited, and a limit on memory and swap
        together is kept.

        Args:
            restart: the restart policy, as in :meth:`Engine.start`.
            new_limits: memory, memory_swap, memory_reservation, cpus, cpu_shares, cpuset_cpus, pids_limit.

        Returns:
            The engine's warnings.

        Raises:
            InvalidOption: no limit at all, or memory above the limit on memory and swap together.
            Unsupported, LimitNotEnforced.
        """
        changes, policy = update_spec({"restart": restart, **new_limits})
        if not changes.requested() and policy is None:
            raise InvalidOption("update", new_limits, "at least one limit, or restart=")
        self._core.require(Capability.UPDATE, f"updating {self.label}")
        self._core.refuse_unenforced(changes)
        rendered = None if policy is None else f"{policy.name}:{policy.max_retries}"
        warnings = self._core.backend.update_container(self._id, changes, rendered)
        self._record = None
        return warnings

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the container has exited, and return its exit code.

        Args:
            timeout: seconds; None for no limit.

        Raises:
            EngineTimeout: the container still runs.
            WrongState: the container was never started.
        """
        with self._core.working(f"waiting for {self.label}"):
            code = self._wait(parse_timeout("timeout", timeout))
            with contextlib.suppress(ContainerNotFound):  # a container with rm=True removes itself
                if code == 0 and self.status == "created":  # engines return 0 for a container that never ran
                    raise WrongState(f"waiting for {self.label}: it was never started", actual="created")
        return code

    def remove(self, *, force: bool = False, volumes: bool = False, missing_ok: bool = False) -> None:
        """Remove the container.

        Args:
            force: kill it first.
            volumes: remove its anonymous volumes too.
            missing_ok: do nothing if it does not exist.

        Raises:
            WrongState: it runs, and `force` is False.
            ContainerNotFound: it does not exist, and `missing_ok` is False.
        """
        for name, value in (("force", force), ("volumes", volumes), ("missing_ok", missing_ok)):
            parse_flag(name, value)
        try:
            self._core.backend.remove_container(self._id, force=force, volumes=volumes)
        except ContainerNotFound:
            self._core.session.disown(self._id)
            if not missing_ok:
                raise
        self._core.session.disown(self._id)

    def wait_until(self, strategy: Strategy, timeout: float = 60.0) -> Container:
        """Wait until a strategy of :mod:`containerkit.wait` is satisfied.

        Args:
            strategy: healthy(), log_line(…), port_open(…), http(…), exited(), command(…), all_of(…) or any_of(…).
            timeout: seconds.

        Raises:
            EngineTimeout: with what was missing, and the end of the log.
            WrongState: the container exited, so the strategy cannot be satisfied any more.
        """
        __tracebackhide__ = True  # pytest shows the caller's line
        with self._core.working(f"waiting for {self.label}"):
            wait_until(self, strategy, timeout)
        return self

    # ---------------------------------------------------------------- processes
    @with_options(EXEC)
    def exec(
        self,
        command: Any,
        *,
        check: bool = False,
        timeout: float | None = None,
        input: str | bytes | None = None,
        on_output: Callable[[Any], object] | None = None,
        **options: Unpack[ExecOptions],
    ) -> ExecResult:
        """Run a command in the running container, to its end.

        Args:
            command: a list, or a string that is split as a shell splits it.
            check: raise CommandFailed unless the exit code is 0.
            timeout: seconds; when they end, the command and its children are killed by the container's own shell,
                since no engine can kill an exec. The message says so if the container has no shell.
            input: text or bytes for stdin.
            on_output: function that receives each Output(stream, data) as it arrives.
            options: env, user, workdir, tty, privileged.

        Raises:
            StartFailed: the program, the user or the folder does not exist in the container.
            WrongState: the container does not run.
            CommandFailed, EngineTimeout, InvalidOption.
        """
        given = {"check": check, "timeout": timeout, "input": input, "on_output": on_output}
        return execute(self, command, {**options, **given})

    @with_options(EXEC)
    def open_exec(self, command: Any, **options: Unpack[ExecOptions]) -> Terminal:
        """Start a command in the running container and return its standard streams.

        Args:
            command: as in :meth:`exec`.
            options: as in :meth:`exec`; interactive=True opens stdin, tty=True gives it a terminal.

        Raises:
            StartFailed, WrongState, InvalidOption.
        """
        return open_exec(self, command, options)

    @with_options(EXEC)
    def start_exec(self, command: Any, **options: Unpack[ExecOptions]) -> str:
        """Start a command in the running container, leave it running, and return the ID of the exec.

        Args:
            command, options: as in :meth:`exec`. Its output is not kept.

        Raises:
            StartFailed, WrongState, InvalidOption.
        """
        spec = exec_spec(command, **options)
        doing = f"executing {' '.join(spec.command)} in {self.label}"
        with self._core.working(doing), explained(self, spec.command, workdir=spec.workdir, env=spec.env):
            return self._core.backend.start_exec(self._id, spec)

    def attach(self, *, stdin: bool = True) -> Terminal:
        """Return the standard streams of the container's first process. Opened before the start, it has all output.

        Args:
            stdin: connect stdin too; it reaches a container that was created with interactive=True.

        Raises:
            ContainerNotFound, StartFailed.
        """
        with explained(self):
            return attach(self, stdin=parse_flag("stdin", stdin), kill=self.kill)

    def top(self, ps_args: str | None = None) -> Processes:
        """Return the container's processes.

        Args:
            ps_args: options for ps, such as "-o pid,comm".

        Raises:
            Unsupported, WrongState.
        """
        if ps_args is not None:
            parse_text("ps_args", ps_args, "options of ps, as text")
        self._core.require(Capability.TOP, f"listing the processes of {self.label}")
        return self._core.backend.top_container(self._id, ps_args=ps_args)

    def stats(self) -> Stats:
        """Return the container's resource usage now. Raises Unsupported, WrongState."""
        self._core.require(Capability.STATS, f"measuring {self.label}")
        with self._core.backend.stats_container(self._id, stream=False) as samples:
            return next(iter(samples))

    def stream_stats(self) -> Stream[Stats]:
        """Return a stream of one sample a second, until the container exits. Raises Unsupported, WrongState."""
        self._core.require(Capability.STATS, f"measuring {self.label}")
        self.refresh()
        if self.status not in ("running", "paused"):
            raise WrongState(f"measuring {self.label}: it is {self.status}, not running", actual=self.status)
        return self._core.backend.stats_container(self._id, stream=True)

    def sample_stats(self, count: int = 10) -> StatsSeries:
        """Return samples of the container's resource usage, one a second; fewer if it ends before.

        Args:
            count: how many.

        Raises:
            Unsupported, WrongState, InvalidOption.
        """
        count = parse_integer("count", count, low=1, high=10**6)
        with self.stream_stats() as samples:
            return StatsSeries(itertools.islice(samples, count))

    # ---------------------------------------------------------------- output
    def logs(
        self,
        stream: Literal["stdout", "stderr"] | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        tail: int | None = None,
        timestamps: bool = False,
    ) -> Logs:
        """Return what the container has written so far.

        Args:
            stream: "stdout" or "stderr"; None for both.
            since, until: seconds since the epoch, or a datetime.
            tail: return only this many lines from the end.
            timestamps: prefix each line with its time.
        """
        with self._open_logs(
            stream=stream, follow=False, since=since, until=until, tail=tail, timestamps=timestamps
        ) as outputs:
            return read_logs(outputs)

    def stream_logs(
        self,
        stream: Literal["stdout", "stderr"] | None = None,
        *,
        follow: bool = True,
        since: float | None = None,
        until: float | None = None,
        tail: int | None = None,
        timestamps: bool = False,
    ) -> OutputStream:
        """Return the log as a stream; with `follow`, it ends when the container exits. The others as in logs()."""
        return self._open_logs(stream=stream, follow=follow, since=since, until=until, tail=tail, timestamps=timestamps)

    def _open_logs(self, **options: Any) -> OutputStream:
        return open_logs(self, **options)

    # ---------------------------------------------------------------- files
    def copy_to(
        self,
        src: str | os.PathLike[str],
        dst: str,
        *,
        uid: int | None = None,
        gid: int | None = None,
        mode: int | None = None,
    ) -> None:
        """Copy a local file or folder into the container, placed as `docker cp` places it.

        Args:
            src: local path; "folder/." copies the folder's content.
            dst: path in the container; an existing folder receives `src` under its own name.
            uid, gid, mode: owner and permission bits; None keeps those of the source.

        Raises:
            FileNotFoundError: `src` does not exist.
            PermissionError: a file or folder below `src` cannot be read; nothing was sent.
            NotFound: the folder to copy into does not exist.
            InvalidOption.
        """
        copy_to_container(self, src, dst, uid=uid, gid=gid, mode=mode)

    def copy_from(self, src: str, dst: str | os.PathLike[str]) -> Path:
        """Copy a file or folder out of the container, placed as `docker cp` places it.

        Nothing is written through a symbolic link below `dst`, whether the container or an earlier copy made it.

        Args:
            src: path in the container; "folder/." copies the folder's content.
            dst: local path; an existing folder receives `src` under its own name.

        Returns:
            The path of the copy.

        Raises:
            NotFound: `src` does not exist.
            FileNotFoundError: the folder to copy into does not exist.
            InvalidImage: the engine sent an archive that would write elsewhere.
        """
        return copy_from_container(self, src, dst)

    def stream_archive(self, src: str) -> ByteStream:
        """Return a file or folder of the container as a tar stream, named as `docker cp CONTAINER:SRC -` names it.

        Raises:
            NotFound: `src` does not exist.
        """
        return self._core.backend.get_archive(self._id, parse_container_path("src", src, root=True))[1]

    def put_archive(self, dst: str, source: str | os.PathLike[str] | bytes | IO[bytes] | Iterable[bytes]) -> None:
        """Unpack a tar into a folder of the container, as `docker cp - CONTAINER:DST`.

        Args:
            dst: a folder that exists.
            source: a path, bytes, an open file, or an iterable of bytes.

        Raises:
            NotFound: the folder does not exist.
            InvalidOption: the source is a path that does not exist.
        """
        target = parse_container_path("dst", dst, root=True)
        with opened_file(source) as data:
            self._core.backend.put_archive(self._id, target, data)

    def read_file(self, path: str) -> bytes:
        """Return the content of one file; symbolic links are followed. Raises NotFound."""
        return read_file(self, path)

    def write_file(self, path: str, data: str | bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Write one file, replacing an existing one. Raises NotFound if its folder does not exist."""
        write_file(self, path, data, mode=mode, uid=uid, gid=gid)

    def check(self) -> ContainerAudit:
        """Return what this running container was given beyond the default: evidence, severity, how to avoid it.

        Raises:
            ContainerNotFound: the container is missing.
            WrongState: the container does not run.
        """
        from ..isolation import audit_containers

        self.require_running("checking it")
        for audit in audit_containers(self._core.backend, [self._id]):
            return audit
        raise WrongState(f"checking {self.label}: it does not run any more")

    def require_running(self, doing: str) -> None:
        """Raise WrongState unless the container runs now."""
        if self.refresh().status not in ("running", "paused"):
            raise WrongState(f"{doing}: {self.label} does not run ({self.status})")

    def layer_usage(self) -> RwLayer:
        """Return the size of the container's read-write layer, logs and records. Raises ContainerNotFound."""
        from ..layers import container_usage

        return container_usage(self._core.backend, self._id)

    def export(self) -> ByteStream:
        """Return the container's merged file system as a tar stream."""
        return self._core.backend.export_container(self._id)

    def diff(self) -> tuple[Change, ...]:
        """Return the paths that the container's read-write layer adds, modifies or deletes."""
        return ValueTuple(self._core.backend.diff_container(self._id))

    def commit(
        self,
        ref: str | None = None,
        *,
        message: str = "",
        author: str = "",
        pause: bool = True,
        changes: Sequence[str] = (),
    ) -> Image:
        """Create an image with the container's read-write layer on top.

        The image has the labels of the containerkit session with empty values: no engine can drop a label at commit.

        Args:
            ref: name of the image; None for an unnamed one.
            message, author: recorded in the image's history.
            pause: freeze the container while it is read, where the engine can.
            changes: Dockerfile instructions for the image's configuration.
        """
        name = parse_image(ref) if ref is not None else ""
        parse_text("message", message, "text", empty=True)
        parse_text("author", author, "text", empty=True)
        if isinstance(changes, str):
            raise InvalidOption("changes", changes, "a list of Dockerfile instructions")
        lines = [
            parse_text("changes", line, "instructions")
            for line in parse_items("changes", changes, "a list of instructions")
        ]
        pausing = parse_flag("pause", pause) and Capability.PAUSE in self._core.capabilities
        session = [f'LABEL {key}=""' for key in self.record.labels if key == LABEL or key.startswith(f"{LABEL}.")]
        image_id = self._core.backend.commit_container(
            self._id, image=name, message=message, author=author, pause=pausing, changes=(*lines, *session)
        )
        return Image(self._core, image_id)
