"""Run one command in a container of its own, to its end, and return all of its output."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ContainerKitError, EngineError, EngineTimeout, EngineUnavailable, InvalidOption, NotFound
from ..options import container_spec, parse_flag, parse_timeout
from ..spec import ContainerSpec
from ..streams import Deadline
from .containers import create_container
from .create import take_policy
from .process import GRACE, IdleCheck, OnOutput, RunResult, collect, parse_callback, parse_stdin
from .programs import explained

if TYPE_CHECKING:
    from .container import Container
    from .core import Core

__all__ = ["run"]

_REMOVAL = 30.0  # seconds for removing the container, whatever became of the command
log = logging.getLogger("containerkit")


def run(core: Core, image: str, command: Any, options: Mapping[str, Any]) -> RunResult:
    """Create, attach, start, read to the end, wait, remove. In this order no output can be missed.

    See :meth:`Engine.run`.
    """
    options = dict(options)
    check = parse_flag("check", options.pop("check", False))
    timeout = parse_timeout("timeout", options.pop("timeout", None))
    data = parse_stdin(options.pop("input", None))
    on_output = parse_callback(options.pop("on_output", None))
    if options.get("restart") not in (None, "no"):
        raise InvalidOption("restart", options["restart"], "no policy: run() waits for the end; use start()")
    if options.pop("keep", False):
        raise InvalidOption("keep", True, "nothing: run() removes its container; use start(keep=True)")
    options.pop("rm", None), options.pop("auto_remove", None)  # run() removes the container in any case
    if data is not None:
        options["interactive"] = True
    policy = take_policy(options, pull="missing")
    spec = container_spec(image, command, options)
    if data is None and spec.stdin:
        data = b""  # stdin is open and nobody types
    action = f"running {' '.join(spec.command or ()) or image}"
    with core.working(action), Deadline.after(timeout) as deadline:
        container = create_container(core, spec, policy)
        try:
            result = _run(core, container, spec, data, on_output, deadline)
        except BaseException as exc:
            outcome = _remove(container) or "its container was killed and removed"
            if timeout is not None and deadline.expired and isinstance(exc, EngineTimeout):
                message = f"{action}: not finished after {timeout:g} s; {outcome}"
                raise EngineTimeout(
                    message, timeout=timeout, stdout_bytes=exc.stdout_bytes, stderr_bytes=exc.stderr_bytes
                ) from exc
            raise
        _remove(container)
    if check:
        result.check()
    return result


def _run(
    core: Core,
    container: Container,
    spec: ContainerSpec,
    data: bytes | Iterable[bytes] | None,
    on_output: OnOutput | None,
    deadline: Deadline,
) -> RunResult:
    backend = core.backend
    with explained(container):
        attached = backend.attach_container(container.id, stdin=spec.stdin, tty=spec.tty)
    with attached as stream:
        started = time.monotonic()
        with explained(container):
            backend.start_container(container.id)
        ended = IdleCheck(lambda: backend.inspect_container(container.id).status in ("running", "paused", "created"))
        stdout, stderr = collect(stream, data, timeout=deadline.remaining(), on_output=on_output, ended=ended)
        exit_code = _exit_code(container, deadline, received=len(stdout) + len(stderr))
        if stream.reset:  # the streams may be mixed up; the log tells them apart
            with contextlib.suppress(EngineError):
                logs = container.logs()
                stdout, stderr = logs.stdout_bytes, logs.stderr_bytes
        elif data and stderr:
            stderr = _without_engine_error(container, stdout, stderr)
    duration = time.monotonic() - started
    return RunResult(exit_code, stdout, stderr, duration, container.warnings, spec.command or ())


def _without_engine_error(container: Container, stdout: bytes, stderr: bytes) -> bytes:
    """Return stderr without the error that Podman adds to it if the process did not read all of its input.

    The log holds what the process wrote, and nothing else.
    """
    with contextlib.suppress(EngineError):
        logs = container.logs()
        if logs.stdout_bytes == stdout and len(logs.stderr_bytes) < len(stderr):
            return logs.stderr_bytes
    return stderr


def _exit_code(container: Container, deadline: Deadline, *, received: int) -> int:
    """Return the exit code once the container has ended.

    A container that runs on after its output ended has closed its output, or the connection was cut. The log decides:
    it holds what was received, or more.

    Raises:
        EngineUnavailable: the log holds more than was received.
    """
    grace = deadline.cap(GRACE)
    try:
        return container._wait(grace)
    except EngineTimeout:
        if deadline.expired:
            raise
    exit_code = container._wait(deadline.remaining())
    try:
        logs = container.logs()
    except EngineError as exc:
        raise EngineUnavailable(f"the connection to {container.label} ended before the container did") from exc
    written = len(logs.stdout_bytes) + len(logs.stderr_bytes)
    if written > received:
        raise EngineUnavailable(
            f"the connection to {container.label} was cut after {received} of {written} bytes of its output"
        )
    return exit_code


def _remove(container: Container) -> str:
    """Remove the container without hiding an error that is being raised; the session retries when it closes.

    Returns:
        "" on success, else a description of the failure.
    """
    try:
        with Deadline.after(_REMOVAL, shield=True):
            container.remove(force=True, volumes=True, missing_ok=True)
    except NotFound:
        pass
    except ContainerKitError as exc:
        log.warning("could not remove %s: %s", container.label, exc)
        return f"{container.label} could not be removed ({exc}); closing the Engine, or cleanup(), removes it"
    return ""
