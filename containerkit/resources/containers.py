"""Containers: what an Engine has of them, and one of them."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from ..backends.base import Address, Capability, Change, ContainerRecord, Processes, Stats
from ..errors import (
    ContainerKitError,
    ContainerNotFound,
    EngineTimeout,
    EngineUnavailable,
    InvalidOption,
    NotFound,
    StartFailed,
    WrongState,
)
from ..options import (
    container_spec,
    exec_spec,
    flag,
    image_name,
    integer,
    items,
    moment,
    object_name,
    object_ref,
    one_of,
    signal_name,
    text,
    timeout_seconds,
    update_spec,
)
from ..options import filters as read_filters
from ..spec import ContainerSpec, ExecSpec
from ..streams import ByteStream, OutputStream, Stream
from .copying import copy_from_container, copy_to_container, read_file, write_file
from .create import Policy, create, take_policy
from .process import SOON, ExecResult, Idle, callback_of, collect, stdin_of
from .session import LABEL

if TYPE_CHECKING:
    import os
    import sys

    if sys.version_info >= (3, 12):
        from typing import Unpack
    else:
        from typing_extensions import Unpack

    from ..layers import RwLayer
    from ..options import StartOptions
    from .core import Core
    from .images import Image
    from .wait import Strategy

__all__ = ["Container", "Containers", "Logs", "create_container", "start_container"]

#: Marks a process of an exec, and what it starts, so that a timeout can find and end them.
_MARK = "CONTAINERKIT_EXEC"
#: Run in the container by the shell there: end every process that carries the mark.
_END = (
    "for p in /proc/[0-9]*; do "
    'if [ "$p" != "/proc/$$" ] && tr "\\0" "\\n" <"$p/environ" 2>/dev/null | grep -qx "$1"; '
    'then kill -9 "${p#/proc/}"; fi; '
    "done"
)


@dataclass(frozen=True, slots=True)
class Logs:
    """What a container has written so far, both streams apart, to the byte."""

    stdout_bytes: bytes
    stderr_bytes: bytes
    text: str

    @property
    def stdout(self) -> str:
        """As UTF-8; bytes that are not become U+FFFD."""
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """As UTF-8; bytes that are not become U+FFFD."""
        return self.stderr_bytes.decode("utf-8", "replace")

    def __str__(self) -> str:
        return self.text

    def __iter__(self) -> Iterator[str]:
        """Lines, in the order in which the engine gives them."""
        return iter(self.text.splitlines())

    def __contains__(self, text: str) -> bool:
        return text in self.text

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"stdout": self.stdout, "stderr": self.stderr}


class Container:
    """One container. What it tells of itself is as of the last refresh(), and its own verbs refresh it.

    In `with` it is removed at the end. Thread-safe.
    """

    def __init__(
        self, core: Core, id: str, *, record: ContainerRecord | None = None, warnings: tuple[str, ...] = ()
    ) -> None:
        self._core = core
        self._backend = core.backend
        self._id = id
        self._record = record
        self.warnings = warnings

    # ---------------------------------------------------------------- what it tells
    @property
    def id(self) -> str:
        """64 hexadecimal digits."""
        return self._id

    @property
    def short_id(self) -> str:
        """The first 12 of them, as the command line shows."""
        return self._id[:12]

    @property
    def record(self) -> ContainerRecord:
        """All that is known of it; asked when something of it is needed."""
        if self._record is None or not self._record.complete:
            self.refresh()
        assert self._record is not None
        return self._record

    def refresh(self) -> Container:
        """Ask again. Raises ContainerNotFound."""
        self._record = self._backend.inspect_container(self._id)
        return self

    def _known(self) -> ContainerRecord:
        """A record that may be sparse: enough for what a list tells."""
        return self._record or self.record

    @property
    def name(self) -> str:
        """As given, or as the engine made one up."""
        return self._known().name

    @property
    def image(self) -> str:
        """The image's name in familiar form ("busybox:1"), or its ID where it was created from one."""
        return self._known().image

    @property
    def status(self) -> str:
        """ "created", "running", "paused", "restarting", "removing", "exited" or "dead"."""
        return self._known().status

    @property
    def labels(self) -> Mapping[str, str]:
        """Its own, its image's, and those by which containerkit knows its session."""
        return self._known().labels

    @property
    def ports(self) -> dict[str, tuple[Address, ...]]:
        """ "80/tcp" -> where it answers on the engine's host; () for an exposed port that is not published."""
        return {f"{port}/{protocol}": found for (port, protocol), found in self.record.ports.items()}

    @property
    def health(self) -> str | None:
        """ "starting", "healthy" or "unhealthy"; None without a health check."""
        return self.record.health

    @property
    def exit_code(self) -> int | None:
        """Of its last run; None while it runs or if it never did."""
        return self.record.exit_code

    def __repr__(self) -> str:
        known = self._record
        told = f" {known.name} ({known.status}, {known.image})" if known else ""
        return f"<Container {self.short_id}{told}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Container) and other._id == self._id and other._core is self._core

    def __hash__(self) -> int:
        return hash(self._id)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        record = self.record
        return {
            "id": record.id,
            "name": record.name,
            "image": record.image,
            "image_id": record.image_id,
            "status": record.status,
            "exit_code": record.exit_code,
            "health": record.health,
            "labels": dict(record.labels),
            "ports": {key: [str(address) for address in found] for key, found in self.ports.items()},
            "networks": {name: asdict(endpoint) for name, endpoint in record.networks.items()},
            "mounts": [asdict(mount) for mount in record.mounts],
        }

    def inspect(self) -> Mapping[str, Any]:
        """The engine's own words, asked now; they differ between engines and versions."""
        return self.refresh().record.raw

    # ---------------------------------------------------------------- life
    def __enter__(self) -> Container:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove(force=True, volumes=True, missing_ok=True)

    def start(self) -> Container:
        """Start it, again if it had ended. Raises StartFailed, WrongState, ContainerNotFound."""
        self._backend.start_container(self._id)
        self._record = None
        return self

    def stop(self, timeout: float | None = None) -> None:
        """Send its stop signal, and KILL after `timeout` seconds (None: its own stop_timeout, else 10)."""
        seconds = timeout_seconds("timeout", timeout, zero=True)
        self._backend.stop_container(self._id, timeout=None if seconds is None else max(0, round(seconds)))
        self._record = None

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """Send its first process a signal: a name or a number. Raises WrongState if it does not run."""
        self._backend.kill_container(self._id, signal=signal_name("signal", signal))
        self._record = None

    def restart(self, timeout: float | None = None) -> None:
        """Stop as :meth:`stop` does, and start."""
        seconds = timeout_seconds("timeout", timeout, zero=True)
        self._backend.restart_container(self._id, timeout=None if seconds is None else max(0, round(seconds)))
        self._record = None

    def pause(self) -> None:
        """Freeze its processes. Raises Unsupported, WrongState."""
        self._core.require(Capability.PAUSE, f"pausing container {self.short_id}")
        self._backend.pause_container(self._id)
        self._record = None

    def unpause(self) -> None:
        """Let its processes go on. Raises Unsupported, WrongState."""
        self._core.require(Capability.PAUSE, f"unpausing container {self.short_id}")
        self._backend.unpause_container(self._id)
        self._record = None

    def rename(self, name: str) -> None:
        """Give it another name. Raises NameInUse."""
        self._backend.rename_container(self._id, object_name("name", name))
        self._record = None

    def update(self, *, restart: str | None = None, **new_limits: Any) -> tuple[str, ...]:
        """Change limits (memory, memory_swap, memory_reservation, cpus, cpu_shares, cpuset_cpus, pids_limit) or the
        restart policy; gives the engine's warnings.

        With memory alone, swap stays as it is: no limit of it stays none, and a limit of both together is kept.

        Raises:
            InvalidOption: also memory that is more than the limit of memory and swap together.
            Unsupported, LimitNotEnforced.
        """
        asked, policy = update_spec({"restart": restart, **new_limits})
        if not asked.requested() and policy is None:
            raise InvalidOption("update", new_limits, "at least one limit, or restart=")
        self._core.require(Capability.UPDATE, f"updating container {self.short_id}")
        self._core.refuse_unenforced(asked)
        words = None if policy is None else f"{policy.name}:{policy.max_retries}"
        warnings = self._backend.update_container(self._id, asked, words)
        self._record = None
        return warnings

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, when it has ended.

        Raises:
            EngineTimeout: it runs on. WrongState: it has not been started.
        """
        code = self._ended(timeout_seconds("timeout", timeout))
        with contextlib.suppress(ContainerNotFound):  # it goes by itself at its end
            if code == 0 and self.status == "created":  # engines say 0 of what never ran
                raise WrongState(f"waiting for container {self.short_id}: it was never started", actual="created")
        return code

    def _ended(self, timeout: float | None) -> int:
        """The exit code of what was started."""
        code = self._backend.wait_container(self._id, timeout=timeout)
        self._record = None
        return code

    def remove(self, *, force: bool = False, volumes: bool = False, missing_ok: bool = False) -> None:
        """Remove it; `force` kills it first, `volumes` removes its anonymous volumes too.

        Raises:
            WrongState: it runs, and not `force`. ContainerNotFound: unless `missing_ok`.
        """
        for name, value in (("force", force), ("volumes", volumes), ("missing_ok", missing_ok)):
            flag(name, value)
        try:
            self._backend.remove_container(self._id, force=force, volumes=volumes)
        except ContainerNotFound:
            self._core.session.disown(self._id)
            if not missing_ok:
                raise
        self._core.session.disown(self._id)

    def wait_until(self, strategy: Strategy, timeout: float = 60.0) -> Container:
        """Wait until the strategy says yes: healthy(), log_line(…), port_open(…), http(…), exited(), command(…).

        Raises:
            EngineTimeout: it did not in time; the message tells what was last seen, and the end of the log.
            WrongState: the container ended meanwhile.
        """
        from .wait import wait_until

        wait_until(self, strategy, timeout)
        return self

    # ---------------------------------------------------------------- processes
    def exec(
        self,
        command: Any,
        *,
        check: bool = False,
        timeout: float | None = None,
        input: str | bytes | None = None,
        on_output: Callable[[Any], object] | None = None,
        **options: Any,
    ) -> ExecResult:
        """Run a command in it, to its end.

        Args:
            check, timeout, input, on_output: as in :meth:`Engine.run`. At a timeout the command is killed, with what it
                started; no engine can do that, so the container's own shell does. Without one there it goes on.
            options: env, user, workdir, tty, privileged.

        Raises:
            StartFailed: there is no such program (or user, or workdir). WrongState: the container does not run.
            CommandFailed, EngineTimeout, InvalidOption.
        """
        seconds = timeout_seconds("timeout", timeout)
        data, callback = stdin_of(input), callback_of(on_output)
        if not isinstance(check, bool):
            raise InvalidOption("check", check, "True or False")
        spec = exec_spec(command, **{**options, "interactive": data is not None or options.pop("interactive", False)})
        mark = uuid.uuid4().hex
        if seconds is not None:
            spec = _marked(spec, mark)
        exec_id, stream = self._backend.exec_container(self._id, spec)
        began = time.monotonic()
        data = b"" if data is None and spec.stdin else data
        ended = Idle(lambda: self._backend.inspect_exec(exec_id).running)
        try:
            stdout, stderr = collect(stream, data, timeout=seconds, on_output=callback, ended=ended)
        except EngineTimeout as exc:
            left = "" if self._end_marked(mark) else "; it could not be ended, having no shell there, and goes on"
            message = (
                f"executing {' '.join(spec.command)} in container {self.short_id}: no end after {seconds:g} s{left}"
            )
            raise EngineTimeout(message, timeout=seconds or 0.0, stdout=exc.stdout, stderr=exc.stderr) from exc
        except BaseException:
            if seconds is not None:
                self._end_marked(mark)
            raise
        exit_code = self._exec_exit_code(exec_id, spec, stdout, stderr)
        result = ExecResult(exit_code, stdout, stderr, time.monotonic() - began, (), spec.command)
        if check:
            result.check()
        return result

    def _exec_exit_code(self, exec_id: str, spec: ExecSpec, stdout: bytes, stderr: bytes) -> int:
        """The streams may end a moment before the engine knows the exit code; longer, and the connection was cut."""
        pause, ends = 0.002, time.monotonic() + 5 * SOON
        while True:
            state = self._backend.inspect_exec(exec_id)
            if state.exit_code is not None and not state.running:
                break
            if time.monotonic() > ends:
                raise EngineUnavailable(
                    f"executing {spec.command[0]} in container {self.short_id}: its output ended, and it goes on: the "
                    "connection was cut (or it closed its output; then redirect that to a file)"
                )
            time.sleep(pause)
            pause = min(0.25, pause * 2)
        if state.exit_code in (126, 127) and (
            state.started is False or (state.started is None and self._no_program(spec))
        ):
            words = (stderr or stdout).decode("utf-8", "replace").strip()
            raise StartFailed(f"executing {spec.command[0]} in container {self.short_id}: {words}", explanation=words)
        return state.exit_code

    def _no_program(self, spec: ExecSpec) -> bool:
        """Whether the program, or the folder to run it in, is missing: asked of the container's files."""
        if spec.workdir and self._backend.stat_path(self._id, spec.workdir) is None:
            return True
        program = spec.command[0]
        if "/" in program:
            places = [program]
        else:
            own = dict(
                line.partition("=")[::2]
                for line in (self.record.raw.get("Config") or {}).get("Env") or ()
                if isinstance(line, str)
            )
            search = (
                spec.env.get("PATH")
                or own.get("PATH")
                or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            )
            places = [f"{folder}/{program}" for folder in search.split(":") if folder]
        found = [stat for stat in (self._backend.stat_path(self._id, place) for place in places) if stat]
        return not any((stat.mode & 0o111 and not stat.is_dir) or stat.link_target for stat in found)

    def _end_marked(self, mark: str) -> bool:
        spec = ExecSpec(("sh", "-c", _END, "sh", f"{_MARK}={mark}"), user="0")
        try:
            exec_id, stream = self._backend.exec_container(self._id, spec)
            with stream:
                for _ in stream.exchange(timeout=10.0):
                    pass
            return self._backend.inspect_exec(exec_id).exit_code in (0, 1)
        except ContainerKitError:
            return False

    def top(self, ps_args: str | None = None) -> Processes:
        """Its processes. Raises Unsupported, WrongState."""
        if ps_args is not None:
            text("ps_args", ps_args, "options of ps, as text")
        self._core.require(Capability.TOP, f"listing the processes of container {self.short_id}")
        return self._backend.top_container(self._id, ps_args=ps_args)

    def stats(self) -> Stats:
        """What it uses now. Raises Unsupported, WrongState."""
        self._core.require(Capability.STATS, f"measuring container {self.short_id}")
        with self._backend.stats_container(self._id, stream=False) as samples:
            return next(iter(samples))

    def stream_stats(self) -> Stream[Stats]:
        """A sample a second, until it ends or the stream is closed. Raises Unsupported, WrongState."""
        self._core.require(Capability.STATS, f"measuring container {self.short_id}")
        self.refresh()
        if self.status not in ("running", "paused"):
            words = f"measuring container {self.short_id}: it is {self.status}, and that takes one that is running"
            raise WrongState(words, actual=self.status)
        return self._backend.stats_container(self._id, stream=True)

    # ---------------------------------------------------------------- output
    def _read_logs(self, follow: bool, stream: str | None, **asked: Any) -> OutputStream:
        if stream is not None and (not isinstance(stream, str) or stream not in ("stdout", "stderr")):
            raise InvalidOption("stream", stream, '"stdout", "stderr" or None for both')
        if asked["tail"] is not None:
            asked["tail"] = integer("tail", asked["tail"], low=0, high=2**31 - 1)
        for name in ("since", "until"):
            asked[name] = moment(name, asked[name])
        flag("follow", follow)
        flag("timestamps", asked["timestamps"])
        return self._backend.logs_container(
            self._id,
            stdout=stream != "stderr",
            stderr=stream != "stdout",
            follow=follow,
            tty=self.record.tty,
            **asked,
        )

    def logs(
        self,
        stream: Literal["stdout", "stderr"] | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        tail: int | None = None,
        timestamps: bool = False,
    ) -> Logs:
        """Everything it has written so far; `since` and `until` are seconds since the epoch, `tail` counts lines."""
        parts: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        both: list[bytes] = []
        with self._read_logs(False, stream, since=since, until=until, tail=tail, timestamps=timestamps) as outputs:
            for output in outputs:
                parts[output.stream].append(output.data)
                both.append(output.data)
        text = b"".join(both).decode("utf-8", "replace")
        return Logs(b"".join(parts["stdout"]), b"".join(parts["stderr"]), text)

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
        """What it wrote and, with `follow`, writes, as it comes, until it ends or the stream is closed."""
        return self._read_logs(follow, stream, since=since, until=until, tail=tail, timestamps=timestamps)

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
        """Copy a file or folder of this machine into it, as `docker cp` places it; owner and mode as given or kept.

        Raises:
            NotFound: the folder to copy into is missing. FileNotFoundError: `src` is. InvalidOption.
        """
        copy_to_container(self._backend, self._id, src, dst, uid=uid, gid=gid, mode=mode)

    def copy_from(self, src: str, dst: str | os.PathLike[str]) -> Path:
        """Copy a file or folder of it to this machine, as `docker cp` places it; gives where it now is.

        Raises:
            NotFound: `src` is missing. FileNotFoundError: the folder to copy into is.
        """
        return copy_from_container(self._backend, self._id, src, dst)

    def read_file(self, path: str) -> bytes:
        """The content of one file. Raises NotFound."""
        return read_file(self._backend, self._id, path)

    def write_file(self, path: str, data: str | bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Make or replace one file. Raises NotFound if its folder is missing."""
        write_file(self._backend, self._id, path, data, mode=mode, uid=uid, gid=gid)

    def layer_usage(self) -> RwLayer:
        """What its read-write layer holds and takes on disk, and what it costs beside. Raises ContainerNotFound."""
        from ..layers import container_usage

        return container_usage(self._backend, self._id)

    def export(self) -> ByteStream:
        """Its whole merged file system, as a tar stream."""
        return self._backend.export_container(self._id)

    def diff(self) -> tuple[Change, ...]:
        """The paths that its read-write layer changes."""
        return self._backend.diff_container(self._id)

    def commit(
        self,
        ref: str | None = None,
        *,
        message: str = "",
        author: str = "",
        pause: bool = True,
        changes: tuple[str, ...] | list[str] = (),
    ) -> Image:
        """Its read-write layer becomes the top layer of an image; `changes` are Dockerfile instructions."""
        from .images import Image

        name = image_name(ref) if ref is not None else ""
        text("message", message, "text", empty=True)
        text("author", author, "text", empty=True)
        if isinstance(changes, str):
            raise InvalidOption("changes", changes, "a list of Dockerfile instructions")
        lines = [text("changes", line, "instructions") for line in items("changes", changes, "a list of instructions")]
        frozen = flag("pause", pause) and Capability.PAUSE in self._core.capabilities
        # The image would have the container's labels, and go with its session; engines can empty a label, not drop it.
        nobodys = [f'LABEL {key}=""' for key in self.record.labels if key == LABEL or key.startswith(f"{LABEL}.")]
        identity = self._backend.commit_container(
            self._id, image=name, message=message, author=author, pause=frozen, changes=(*lines, *nobodys)
        )
        return Image(self._core, identity)

    # ---------------------------------------------------------------- network
    def port(self, container_port: int, protocol: str = "tcp") -> Address:
        """Where a port of it answers, for a program on the engine's host. Raises NotFound if it is not published."""
        integer("container_port", container_port, low=1, high=65535)
        one_of("protocol", protocol, "tcp", "udp", "sctp")
        for _ in range(2):
            found = self.record.ports.get((container_port, protocol), ())
            if found:
                break
            self.refresh()
        if not found:
            published = ", ".join(sorted(self.ports)) or "none"
            raise NotFound(
                f"port {container_port}/{protocol} of container {self.short_id} is not published ({published})"
            )
        address = found[0]
        return Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host), address.port)


def _marked(spec: ExecSpec, mark: str) -> ExecSpec:
    return replace(spec, env={**spec.env, _MARK: mark})


class Containers:
    """The containers of an engine."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def create(
        self, image: str, command: Any = None, *, keep: bool = False, **options: Unpack[StartOptions]
    ) -> Container:
        """Create a container and do not start it; the options are those of :meth:`Engine.start`.

        Unlike there, a missing image is not pulled unless `pull` says so.
        """
        given: dict[str, Any] = {**options, "keep": keep}
        policy = take_policy(given, pull="never")
        return create_container(self._core, container_spec(image, command, given), policy)

    def get(self, ref: str) -> Container:
        """By name, ID or an unambiguous start of one. Raises ContainerNotFound."""
        object_ref("ref", ref)
        record = self._core.backend.inspect_container(ref)
        return Container(self._core, record.id, record=record)

    def list(self, *, all: bool = False, filters: Mapping[str, Any] | None = None) -> list[Container]:
        """Those that run, or `all`; one call to the engine. Filters as `docker ps --filter` takes them."""
        records = self._core.backend.list_containers(all=flag("all", all), filters=read_filters(filters))
        return [Container(self._core, record.id, record=record) for record in records]

    def exists(self, ref: str) -> bool:
        """Whether there is one of that name or ID."""
        try:
            self.get(ref)
        except ContainerNotFound:
            return False
        return True

    def prune(self, *, filters: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Remove those that do not run; gives their IDs. One that starts meanwhile stays."""
        gone = []
        for record in self._core.backend.list_containers(all=True, filters=read_filters(filters)):
            if record.status not in ("created", "exited", "dead"):
                continue
            with contextlib.suppress(NotFound, WrongState):
                self._core.backend.remove_container(record.id, force=False, volumes=False)
                self._core.session.disown(record.id)
                gone.append(record.id)
        return tuple(gone)


def create_container(core: Core, spec: ContainerSpec, policy: Policy) -> Container:
    """Create a container from a parsed spec, and own it unless it is kept."""
    created = create(core, spec, policy)
    return Container(core, created.id, warnings=created.warnings)


def start_container(core: Core, image: str, command: Any, options: Mapping[str, Any]) -> Container:
    """Create and start a container; remove it again if it does not start. See :meth:`Engine.start`."""
    given = dict(options)
    policy = take_policy(given, pull="missing")
    container = create_container(core, container_spec(image, command, given), policy)
    try:
        container.start()
    except BaseException:
        container.remove(force=True, volumes=True, missing_ok=True)
        raise
    return container
