"""Run processes in a container and read what they write, over the endpoints that both engines serve alike."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..errors import ContainerNotFound, EngineError, EngineUnavailable, StartFailed
from ..spec import ExecSpec
from ..streams import Attachment, OutputStream, Stream, whole_characters
from . import _json, _parse
from ._http import path, recast, short
from ._lifecycle import LifecycleVerbs
from ._logs import LogQuery, TailUnit, read_log
from ._render import exec_body
from .base import ExecState, Processes, Raw, Stats


class ProcessVerbs(LifecycleVerbs):
    """Attach, exec, logs, stats, top."""

    # ---------------------------------------------------------------- standard streams
    def attach_container(self, ref: str, *, stdin: bool, tty: bool) -> Attachment:
        doing = f"attaching to container {short(ref)}"
        params = {"stream": True, "stdout": True, "stderr": True, "stdin": stdin}
        try:
            return self._upgrade(path("/containers/{}/attach", ref), doing, framed=not tty, params=params, slow=True)
        except EngineError as exc:
            error = self._explain(exc, ref, doing)
            removed = isinstance(error, ContainerNotFound) and exc.status != 404  # by the engine, as with --rm
            if error is exc or removed:  # Podman creates the process here, and fails if it cannot
                error = recast(exc, StartFailed, f"{doing}: {exc.explanation}")
            raise error from exc

    def exec_container(self, ref: str, spec: ExecSpec) -> tuple[str, Attachment]:
        doing = f"executing {spec.command[0]} in container {short(ref)}"
        with self._explained_exec(ref, doing):
            identity = self._create_exec(ref, spec, doing)
            body = {"Detach": False, "Tty": spec.tty}
            stream = self._upgrade(path("/exec/{}/start", identity), doing, framed=not spec.tty, body=body, slow=True)
        return identity, stream

    def start_exec(self, ref: str, spec: ExecSpec) -> str:
        doing = f"executing {spec.command[0]} in container {short(ref)}"
        with self._explained_exec(ref, doing):
            identity = self._create_exec(ref, spec, doing, attached=False)
            body = {"Detach": True, "Tty": spec.tty}
            self._call("POST", path("/exec/{}/start", identity), doing, body=body, slow=True)
        return identity

    @contextlib.contextmanager
    def _explained_exec(self, ref: str, doing: str) -> Iterator[None]:
        try:
            yield
        except EngineError as exc:
            error = self._explain(exc, ref, doing, "running")
            if error is exc:
                error = recast(exc, StartFailed, f"{doing}: {exc.explanation}")
            raise error from exc

    def _create_exec(self, ref: str, spec: ExecSpec, doing: str, *, attached: bool = True) -> str:
        body = exec_body(spec)
        if not attached:
            body |= {"AttachStdout": False, "AttachStderr": False, "AttachStdin": False}
        created = self._object("POST", path("/containers/{}/exec", ref), doing, body=body)
        return self._read(doing, lambda raw: _json.required(raw, "Id", str), created)

    def resize_container(self, ref: str, *, rows: int, columns: int) -> None:
        doing = f"resizing the terminal of container {short(ref)}"
        self._call("POST", path("/containers/{}/resize", ref), doing, params={"h": rows, "w": columns})

    def resize_exec(self, exec_id: str, *, rows: int, columns: int) -> None:
        doing = f"resizing the terminal of exec {exec_id[:12]}"
        self._call("POST", path("/exec/{}/resize", exec_id), doing, params={"h": rows, "w": columns})

    def inspect_exec(self, exec_id: str) -> ExecState:
        doing = f"inspecting exec {exec_id[:12]}"
        return self._read(doing, self._exec_state, self._object("GET", path("/exec/{}/json", exec_id), doing))

    def _exec_state(self, raw: Raw) -> ExecState:
        running = _json.required(raw, "Running", bool)
        code = None if running else _json.integer(raw.get("ExitCode"))
        return ExecState(running, code, self._exec_started(raw))

    def _exec_started(self, raw: Raw) -> bool | None:
        """Return whether the process was ever started, or None if the engine does not say."""
        return None

    # ---------------------------------------------------------------- logs
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
        query = LogQuery(stdout, stderr, follow, since, until, tail, timestamps, tty)
        log = read_log(query, lambda asked: self._open_log(ref, asked), self._tail_unit())
        return OutputStream(whole_characters(log), on_close=log.close)

    def _tail_unit(self) -> TailUnit:
        """Return what the engine's own `tail` counts."""
        return "piece"

    def _open_log(self, ref: str, query: LogQuery, silence: float | None = None) -> OutputStream:
        """Send one request for a log."""
        doing = f"reading the log of container {short(ref)}"
        try:
            where = path("/containers/{}/logs", ref)
            params = query.params()
            response = self._open("GET", where, doing, params=params, silence=silence, quiet=query.follow)
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from None
        return query.parse(response)

    # ---------------------------------------------------------------- resource usage
    def stats_container(self, ref: str, *, stream: bool) -> Stream[Stats]:
        doing = f"measuring container {short(ref)}"
        try:
            response = self._open("GET", path("/containers/{}/stats", ref), doing, params={"stream": stream})
        except EngineError as exc:
            raise self._explain(exc, ref, doing, "running", "paused") from None

        def samples() -> Iterator[Stats]:
            for raw in _json.json_lines(response.chunks, doing):
                # Without a time, or with zeros, the container does not run, or not any more.
                sample = self._read(doing, _parse.stats, raw) if raw.get("read") else None
                if sample is None or not sample.time:
                    break
                yield sample
                if not stream:
                    return
            if not stream:
                error = EngineError(f"{doing}: no sample came")
                explained = self._explain(error, ref, doing, "running", "paused")
                raise EngineUnavailable(str(error)) if explained is error else explained

        return Stream(samples(), on_close=response.close)

    def top_container(self, ref: str, *, ps_args: str | None) -> Processes:
        doing = f"listing the processes of container {short(ref)}"
        try:
            return self._read(doing, _parse.processes, self._top(ref, ps_args, doing))
        except EngineError as exc:
            raise self._explain(exc, ref, doing, "running", "paused") from None

    def _top(self, ref: str, ps_args: str | None, doing: str) -> Raw:
        return self._object("GET", path("/containers/{}/top", ref), doing, params={"ps_args": ps_args})
