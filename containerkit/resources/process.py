"""Run a process to its end: feed its stdin, collect its output, and return a typed result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .._text import printable
from ..errors import CommandFailed, EngineTimeout, InvalidOption, NotFound
from ..options import parse_bytes
from ..streams import Attachment, Output

__all__ = ["GRACE", "CommandResult", "ExecResult", "IdleCheck", "RunResult", "collect", "parse_callback", "parse_stdin"]

T = TypeVar("T")
#: Seconds within which an engine reports the end of a process whose output has ended.
GRACE = 2.0
OnOutput = Callable[[Output], object]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """Exit code and complete output of a command.

    Attributes:
        exit_code: exit code of the command; 128 + n if signal n ended it.
        stdout_bytes, stderr_bytes: the output to the byte; with a terminal, stdout holds both streams.
        duration: seconds from start to end.
        warnings: warnings of the engine and of containerkit about this run.
        command: the command, or () for the image's own.
    """

    exit_code: int
    stdout_bytes: bytes = field(repr=False)
    stderr_bytes: bytes = field(repr=False)
    duration: float
    warnings: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def stdout(self) -> str:
        """Standard output as UTF-8, with U+FFFD for bytes that are not UTF-8."""
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """Standard error as UTF-8, with U+FFFD for bytes that are not UTF-8."""
        return self.stderr_bytes.decode("utf-8", "replace")

    def check(self) -> None:
        """Raise CommandFailed unless the exit code is 0."""
        if self.exit_code:
            raise CommandFailed(
                self.exit_code,
                self.stdout,
                self.stderr,
                command=self.command,
                stdout_bytes=self.stdout_bytes,
                stderr_bytes=self.stderr_bytes,
            )

    def __repr__(self) -> str:
        def short(text: str) -> str:
            return repr(text if len(text) <= 60 else text[:57] + "...")

        output = f"exit_code={self.exit_code}, stdout={short(self.stdout)}, stderr={short(self.stderr)}"
        warnings = f", warnings={self.warnings!r}" if self.warnings else ""
        return f"{type(self).__name__}({output}, duration={self.duration:.3f}{warnings})"

    def __str__(self) -> str:
        note = f"exit code {self.exit_code}" if self.exit_code else ""
        return "\n".join(part.rstrip("\n") for part in (printable(self.stdout), printable(self.stderr), note) if part)

    def _repr_html_(self) -> str:
        from ..display import human_seconds, output_html

        note = "; ".join((f"exit code {self.exit_code}", human_seconds(self.duration), *self.warnings))
        return output_html({"": self.stdout, "stderr": self.stderr}, note)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready types."""
        return {
            "exit_code": self.exit_code,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "duration": self.duration,
            "warnings": list(self.warnings),
            "command": list(self.command),
        }


class RunResult(CommandResult):
    """Result of :meth:`Engine.run`."""

    __slots__ = ()


class ExecResult(CommandResult):
    """Result of :meth:`Container.exec`."""

    __slots__ = ()


def parse_stdin(value: object, name: str = "input") -> bytes | Iterable[bytes] | None:
    """Return the bytes for stdin, or None. Raises InvalidOption."""
    return None if value is None else parse_bytes(name, value)


def parse_callback(value: Callable[[T], object] | None, name: str = "on_output") -> Callable[[T], object] | None:
    """Return the callback, or None. Raises InvalidOption."""
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
    """Feed stdin and read both output streams to their end.

    Args:
        data: bytes for stdin; None leaves stdin alone, b"" closes it at once.
        timeout: seconds for all of it.
        on_output: function that receives each piece of output.
        ended: function that returns True once the process has ended although its stream has not.

    Returns:
        (stdout, stderr).

    Raises:
        EngineTimeout: with the output received so far.
    """
    parts: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    try:
        for output in stream.exchange(data, timeout=timeout, on_idle=ended):
            parts[output.stream].append(output.data)
            if on_output:
                on_output(output)
    except EngineTimeout as exc:
        exc.stdout_bytes, exc.stderr_bytes = b"".join(parts["stdout"]), b"".join(parts["stderr"])
        raise
    finally:
        stream.close()
    return b"".join(parts["stdout"]), b"".join(parts["stderr"])


class IdleCheck:
    """Function that reports, on its second consecutive call without a running process, that the process has ended.

    The first such call can fall between the end of the process and the arrival of its last output.
    """

    def __init__(self, running: Callable[[], bool]) -> None:
        self._running = running
        self._ended = 0

    def __call__(self) -> bool:
        try:
            self._ended = 0 if self._running() else self._ended + 1
        except NotFound:
            self._ended += 1
        return self._ended >= 2
