"""Execute a command in a running container, to its end, and return all of its output."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import ContainerKitError, EngineTimeout, EngineUnavailable, StartFailed
from ..options import exec_spec, parse_flag, parse_timeout
from ..spec import ExecSpec
from ..streams import Deadline
from .container_state import ContainerState
from .process import GRACE, ExecResult, IdleCheck, collect, parse_callback, parse_stdin
from .programs import CANNOT_EXECUTE, NOT_FOUND, explained, program_code
from .terminal import Terminal

#: Environment variable that marks the process of an exec and its children, so that a timeout can find and kill them.
_MARK = "CONTAINERKIT_EXEC"
#: Shell script for the container: kill every process whose environment holds the mark.
_KILL_MARKED = (
    "for p in /proc/[0-9]*; do "
    'if [ "$p" != "/proc/$$" ] && tr "\\0" "\\n" <"$p/environ" 2>/dev/null | grep -qx "$1"; '
    'then kill -9 "${p#/proc/}"; fi; '
    "done"
)
#: Start of a command line: run the rest of it, without the shell's own messages, then read what it left of its input.
_READING_ALL = (
    "/bin/sh",
    "-c",
    'exec 3>&2 2>/dev/null; (exec "$@" 2>&3 3>&-); code=$?; cat >/dev/null; exit $code',
    "sh",
)
_BUFFERED = 1 << 15  # bytes of input that pipes and sockets hold, although nobody reads them
_ENDING = 10.0  # seconds within which a container ends whose terminal has ended
_KILLING = 5.0  # seconds for killing the processes of an exec


def execute(container: ContainerState, command: Any, options: Mapping[str, Any]) -> ExecResult:
    """Run a command in a container. See :meth:`Container.exec`."""
    given = dict(options)
    check = parse_flag("check", given.pop("check", False))
    timeout = parse_timeout("timeout", given.pop("timeout", None))
    data = parse_stdin(given.pop("input", None))
    on_output = parse_callback(given.pop("on_output", None))
    if data is not None:
        given["interactive"] = True
    spec = exec_spec(command, **given)
    data = b"" if data is None and spec.stdin else data
    action = f"executing {' '.join(spec.command)} in {container.label}"
    with container._core.working(action), Deadline.after(timeout) as deadline:
        result = _execute(container, spec, data, on_output, deadline, timeout, action)
    if check:
        result.check()
    return result


def open_exec(container: ContainerState, command: Any, options: Mapping[str, Any]) -> Terminal:
    """Start a command and return its streams. See :meth:`Container.open_exec`."""
    spec = exec_spec(command, **options)
    backend = container._core.backend
    action = f"executing {' '.join(spec.command)} in {container.label}"
    with container._core.working(action), explained(container, spec.command, workdir=spec.workdir, env=spec.env):
        exec_id, stream = backend.exec_container(container.id, spec)
    return Terminal(
        stream,
        tty=spec.tty,
        stdin=spec.stdin,
        resize=lambda rows, columns: backend.resize_exec(exec_id, rows=rows, columns=columns),
        ended=IdleCheck(lambda: backend.inspect_exec(exec_id).running),
        wait=lambda output: _exit_code(container, exec_id, spec, output, action),
    )


def attach(container: ContainerState, *, stdin: bool, kill: Callable[[str], None]) -> Terminal:
    """Return the streams of a container's first process. See :meth:`Container.attach`."""
    backend = container._core.backend
    tty = container.record.tty if container._tty is None else container._tty
    with container._core.working(f"attaching to {container.label}"):
        stream = backend.attach_container(container.id, stdin=stdin, tty=tty)
    return Terminal(
        stream,
        tty=tty,
        stdin=stdin,
        resize=lambda rows, columns: backend.resize_container(container.id, rows=rows, columns=columns),
        ended=IdleCheck(lambda: backend.inspect_container(container.id).status in ("running", "paused", "created")),
        wait=lambda output: _attached_exit_code(container, tty=tty),
        kill=kill,
    )


def _attached_exit_code(container: ContainerState, *, tty: bool) -> int:
    """Return the exit code of a container whose output ended. A terminal's output ends with the process, or is cut.

    Raises:
        EngineUnavailable: the process still runs at its terminal.
    """
    if tty:
        try:
            return container._wait(_ENDING)
        except EngineTimeout:
            if container.refresh().status in ("running", "paused"):
                raise EngineUnavailable(
                    f"the connection to {container.label} was cut; it runs on, and attach() connects again"
                ) from None
    return container._wait(None)


def _execute(
    container: ContainerState,
    spec: ExecSpec,
    data: Any,
    on_output: Callable[[Any], object] | None,
    deadline: Deadline,
    timeout: float | None,
    action: str,
) -> ExecResult:
    backend = container._core.backend
    mark = uuid.uuid4().hex
    marked = timeout is not None or deadline.cancellable
    sent = replace(spec, env={**spec.env, _MARK: mark}) if marked else spec
    unread = backend.needs_read_input and isinstance(data, bytes) and len(data) > _BUFFERED and not spec.tty
    if unread and backend.stat_path(container.id, _READING_ALL[0]) is not None:
        sent = replace(sent, command=(*_READING_ALL, *spec.command))
    with explained(container, spec.command, workdir=spec.workdir, env=spec.env), deadline.cancelled_by(None):
        exec_id, stream = backend.exec_container(container.id, sent)
    started = time.monotonic()
    ended = IdleCheck(lambda: backend.inspect_exec(exec_id).running)
    try:
        stdout, stderr = collect(stream, data, timeout=deadline.remaining(), on_output=on_output, ended=ended)
        exit_code = _exit_code(container, exec_id, spec, stderr or stdout, action)
    except BaseException as exc:
        killed = marked and _kill_marked(container, mark)
        if timeout is None or not deadline.expired or not isinstance(exc, EngineTimeout):
            raise
        outcome = "it was killed" if killed else "it could not be killed (no shell in the container) and still runs"
        raise EngineTimeout(
            f"{action}: not finished after {timeout:g} s; {outcome}",
            timeout=timeout,
            stdout_bytes=exc.stdout_bytes,
            stderr_bytes=exc.stderr_bytes,
        ) from exc
    return ExecResult(exit_code, stdout, stderr, time.monotonic() - started, (), spec.command)


def _exit_code(container: ContainerState, exec_id: str, spec: ExecSpec, output: bytes, action: str) -> int:
    """Return the exit code, which the engine may know a moment after the streams end.

    Raises:
        EngineUnavailable: the command runs on without a connection.
        StartFailed: the program, user or folder is missing.
    """
    backend = container._core.backend
    pause, ended = 0.002, time.monotonic()
    while True:
        state = backend.inspect_exec(exec_id)
        if state.exit_code is not None and not state.running:
            break
        if time.monotonic() > ended + (2 * GRACE if state.running else GRACE):
            if not state.running:
                raise EngineUnavailable(f"{action}: the command ended, and the engine gives no exit code")
            raise EngineUnavailable(
                f"{action}: the output ended and the command still runs; the connection was cut, or the command closed "
                "its output (redirect the output to a file if that is meant)"
            )
        time.sleep(pause)
        pause = min(0.25, pause * 2)
    if state.exit_code in (CANNOT_EXECUTE, NOT_FOUND) and state.started is not True:
        code = program_code(container, spec.command, spec.workdir, spec.env)
        if state.started is False or code:
            words = output.decode("utf-8", "replace").strip() or f"cannot execute {spec.command[0]}"
            error = StartFailed(f"{action}: {words}", explanation=words)
            error.exit_code = code or state.exit_code
            raise error
    return state.exit_code


def _kill_marked(container: ContainerState, mark: str) -> bool:
    """Kill the marked processes through the container's own shell; no engine can kill an exec.

    Returns:
        False if the container has no shell, or does not answer.
    """
    spec = ExecSpec(("sh", "-c", _KILL_MARKED, "sh", f"{_MARK}={mark}"), user="0")
    try:
        with Deadline.after(_KILLING, shield=True) as deadline:
            backend = container._core.backend
            exec_id, stream = backend.exec_container(container.id, spec)
            with stream:
                for _ in stream.exchange(timeout=deadline.remaining()):
                    pass
            return backend.inspect_exec(exec_id).exit_code in (0, 1)
    except ContainerKitError:
        return False
