"""Run one command in a container of its own, to its end, and return all of its output."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ContainerKitError, EngineError, EngineTimeout, EngineUnavailable, InvalidOption, NotFound
from ..options import container_spec, timeout_seconds
from .containers import create_container
from .create import take_policy
from .process import SOON, Idle, RunResult, callback_of, collect, stdin_of

if TYPE_CHECKING:
    from .containers import Container
    from .core import Core

__all__ = ["run"]


def run(core: Core, image: str, command: Any, options: Mapping[str, Any]) -> RunResult:
    """Create, attach, start, read to the end, wait, remove: in this order nothing that is written can be missed."""
    options = dict(options)
    check = options.pop("check", False)
    timeout = timeout_seconds("timeout", options.pop("timeout", None))
    data = stdin_of(options.pop("input", None))
    on_output = callback_of(options.pop("on_output", None))
    if not isinstance(check, bool):
        raise InvalidOption("check", check, "True or False")
    if options.get("restart") not in (None, "no"):
        raise InvalidOption("restart", options["restart"], "no policy: run() waits for the end; use start()")
    if options.pop("keep", False):
        raise InvalidOption("keep", True, "nothing: run() removes its container; use start(keep=True)")
    options.pop("rm", None), options.pop("auto_remove", None)  # it is removed in any case
    if data is not None:
        options["interactive"] = True
    policy = take_policy(options, pull="missing")
    spec = container_spec(image, command, options)
    backend = core.backend
    deadline = None if timeout is None else time.monotonic() + timeout
    container = create_container(core, spec, policy)
    try:
        with backend.attach_container(container.id, stdin=spec.stdin, tty=spec.tty) as stream:
            began = time.monotonic()
            backend.start_container(container.id)
            ended = Idle(lambda: backend.inspect_container(container.id).status in ("running", "paused", "created"))
            left = None if deadline is None else max(0.001, deadline - time.monotonic())
            if data is None and spec.stdin:
                data = b""  # nobody is there to type
            stdout, stderr = collect(stream, data, timeout=left, on_output=on_output, ended=ended)
            exit_code = _exit_code(container, deadline, cut_after=len(stdout) + len(stderr))
            if (
                stream.reset
            ):  # Podman puts an error of its own among what the process wrote; its log knows which is which
                with contextlib.suppress(EngineError):
                    logs = container.logs()
                    stdout, stderr = logs.stdout_bytes, logs.stderr_bytes
        duration = time.monotonic() - began
    except EngineTimeout as exc:
        if timeout is None or (deadline is not None and time.monotonic() < deadline):
            raise
        message = f"running {' '.join(spec.command or ()) or image}: no end after {timeout:g} s; killed and removed"
        raise EngineTimeout(message, timeout=timeout, stdout=exc.stdout, stderr=exc.stderr) from exc
    finally:
        _remove(container)
    result = RunResult(exit_code, stdout, stderr, duration, container.warnings, spec.command or ())
    if check:
        result.check()
    return result


def _exit_code(container: Container, deadline: float | None, *, cut_after: int) -> int:
    """Its exit code, when it has ended; if it goes on after its stream has ended, look whether that was a cut.

    A process may close its output and run on; what the log then holds is what came.

    Raises:
        EngineUnavailable: the log holds more.
    """
    left = None if deadline is None else max(0.001, deadline - time.monotonic())
    try:
        return container._ended(SOON if left is None else min(SOON, left))
    except EngineTimeout:
        if left is not None and left <= SOON:
            raise
    left = None if deadline is None else max(0.001, deadline - time.monotonic())
    exit_code = container._ended(left)
    try:
        logs = container.logs()
    except EngineError as exc:
        raise EngineUnavailable(f"the connection to container {container.short_id} ended before it did") from exc
    written = len(logs.stdout_bytes) + len(logs.stderr_bytes)
    if written > cut_after:
        raise EngineUnavailable(
            f"the connection to container {container.short_id} was cut after {cut_after} bytes of its output; "
            f"it wrote {written}"
        )
    return exit_code


def _remove(container: Any) -> None:
    """Always, and without hiding the error that may be on its way; the session tries again when it closes."""
    import logging

    try:
        container.remove(force=True, volumes=True)
    except NotFound:
        pass
    except ContainerKitError as exc:
        logging.getLogger("containerkit").warning("could not remove container %s: %s", container.id, exc)
