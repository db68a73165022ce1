"""Run a process to its end: feed its stdin, collect its output, and return a typed result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..errors import CommandFailed, EngineTimeout, InvalidOption, NotFound
from ..options import payload
from ..streams import Attachment, Output

__all__ = ["SOON", "CommandResult", "ExecResult", "Idle", "RunResult", "callback_of", "collect", "stdin_of"]

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


class ExecResult(CommandResult):
    """Result of :meth:`Container.exec`."""

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
