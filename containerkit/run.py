"""run(): one command in a container of its own, to its end, with all of its output."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import (
    CommandFailed,
    ContainerKitError,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    InvalidOption,
    NotFound,
)
from .options import container_spec, payload, timeout_seconds
from .streams import Attachment, Output

if TYPE_CHECKING:
    from .containers import Container
    from .engine import Engine

__all__ = ["CommandResult", "Idle", "RunResult", "callback_of", "collect", "run", "stdin_of"]

T = TypeVar("T")
#: Seconds in which a process and its output end together; between them lies an engine's own work.
SOON = 2.0
OnOutput = Callable[[Output], object]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command left: its exit code, and everything it wrote.

    Attributes:
        exit_code: 128 + n where signal n ended it.
        stdout_bytes, stderr_bytes: to the byte; with a terminal, everything is in stdout.
        duration: seconds from the start to the end.
        warnings: what the engine or containerkit has to say about how it ran.
        command: what was run, () for the image's own.
    """

    exit_code: int
    stdout_bytes: bytes = field(repr=False)
    stderr_bytes: bytes = field(repr=False)
    duration: float
    warnings: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def stdout(self) -> str:
        """As UTF-8; bytes that are not become U+FFFD."""
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """As UTF-8; bytes that are not become U+FFFD."""
        return self.stderr_bytes.decode("utf-8", "replace")

    def check(self) -> None:
        """Insist on exit code 0. Raises CommandFailed."""
        if self.exit_code:
            raise CommandFailed(self.exit_code, self.stdout, self.stderr, command=self.command)

    def __repr__(self) -> str:
        def short(text: str) -> str:
            return repr(text if len(text) <= 60 else text[:57] + "...")

        told = f"exit_code={self.exit_code}, stdout={short(self.stdout)}, stderr={short(self.stderr)}"
        warned = f", warnings={self.warnings!r}" if self.warnings else ""
        return f"{type(self).__name__}({told}, duration={self.duration:.3f}{warned})"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "exit_code": self.exit_code,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "duration": self.duration,
            "warnings": list(self.warnings),
            "command": list(self.command),
        }


class RunResult(CommandResult):
    """What :meth:`Engine.run` gives."""

    __slots__ = ()


def stdin_of(value: object, name: str = "input") -> bytes | Iterable[bytes] | None:
    """What is to be fed to stdin, as bytes. Raises InvalidOption."""
    return None if value is None else payload(name, value)


def callback_of(value: Callable[[T], object] | None, name: str = "on_output") -> Callable[[T], object] | None:
    """A callback, or None. Raises InvalidOption."""
    if value is None or callable(value):
        return value
    raise InvalidOption(name, value, "a function that takes one argument")


def collect(
    stream: Attachment,
    data: bytes | Iterable[bytes] | None,
    *,
    timeout: float | None,
    on_output: OnOutput | None,
    ended: Callable[[], bool],
) -> tuple[bytes, bytes]:
    """Read both streams to their end while feeding stdin. Raises EngineTimeout with what had come."""
    parts: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    try:
        for output in stream.exchange(data, timeout=timeout, on_idle=ended):
            parts[output.stream].append(output.data)
            if on_output:
                on_output(output)
    except EngineTimeout as exc:
        exc.stdout, exc.stderr = b"".join(parts["stdout"]), b"".join(parts["stderr"])
        raise
    finally:
        stream.close()
    return b"".join(parts["stdout"]), b"".join(parts["stderr"])


class Idle:
    """Asked in silence: has the process ended, though its stream has not? Twice yes, and the stream is at fault.

    Once may be the moment between the process's end and its last words.
    """

    def __init__(self, runs: Callable[[], bool]) -> None:
        self._runs = runs
        self._times = 0

    def __call__(self) -> bool:
        try:
            self._times = 0 if self._runs() else self._times + 1
        except NotFound:
            self._times += 1
        return self._times >= 2


def run(engine: Engine, image: str, command: Any, options: Mapping[str, Any]) -> RunResult:
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
    policy = engine.take_policy(options, pull="missing")
    spec = container_spec(image, command, options)
    backend = engine.backend
    deadline = None if timeout is None else time.monotonic() + timeout
    container = engine.create(spec, policy)
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
