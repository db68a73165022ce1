"""Every exception of containerkit.

::

    ContainerKitError
      EngineUnavailable            no engine answered, or the connection broke
      EngineTimeout                the caller's time limit passed
      EngineError                  the engine refused the request
        NotFound
          ImageNotFound  ContainerNotFound  VolumeNotFound  NetworkNotFound
        Conflict
          NameInUse  InUse  WrongState
        StartFailed  PullFailed  PushFailed  BuildFailed  AuthenticationFailed
      Unsupported                  the engine lacks the feature; nothing was sent
      LimitNotEnforced             the engine would accept the limit without enforcing it
      InvalidReference             an image name that breaks the grammar
      InvalidImage                 an image or archive that violates the image-spec
      InvalidOption                an option with a value that no engine accepts
      InvalidLab                   a lab that contradicts itself, or a mistake in a lab's file
      CommandFailed                a command ended with an exit code other than 0
      LabFailed                    a host of a lab did not come up; nothing of the lab is left

A message says what was tried, on what, what happened, and what to do. The vendor's own exception is the ``__cause__``.
Every exception can be pickled, and its text never holds raw control characters.
"""

from __future__ import annotations

from typing import Any

from ._text import printable

__all__ = [
    "AuthenticationFailed",
    "BuildFailed",
    "CommandFailed",
    "Conflict",
    "ContainerKitError",
    "ContainerNotFound",
    "EngineError",
    "EngineTimeout",
    "EngineUnavailable",
    "ImageNotFound",
    "InUse",
    "InvalidImage",
    "InvalidLab",
    "InvalidOption",
    "InvalidReference",
    "LabFailed",
    "LimitNotEnforced",
    "NameInUse",
    "NetworkNotFound",
    "NotFound",
    "PullFailed",
    "PushFailed",
    "StartFailed",
    "Unsupported",
    "VolumeNotFound",
    "WrongState",
]


class ContainerKitError(Exception):
    """Base of every exception that containerkit raises."""

    def __str__(self) -> str:
        return printable(super().__str__())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, {**self.__dict__})


class EngineUnavailable(ContainerKitError):
    """No engine answered, the connection was cut, or the response is incomplete.

    Attributes:
        tried: (address, reason of failure) for every address that was tried, in order.
    """

    def __init__(self, message: str, *, tried: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.tried = tried


class EngineTimeout(ContainerKitError):
    """The caller's time limit passed. The message says what was stopped and removed.

    Attributes:
        timeout: the limit, in seconds.
        stdout_bytes, stderr_bytes: what a command had written by then.
    """

    def __init__(self, message: str, *, timeout: float, stdout_bytes: bytes = b"", stderr_bytes: bytes = b"") -> None:
        super().__init__(message)
        self.timeout = timeout
        self.stdout_bytes = stdout_bytes
        self.stderr_bytes = stderr_bytes

    @property
    def stdout(self) -> str:
        """Standard output as UTF-8, with U+FFFD for bytes that are not UTF-8."""
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """Standard error as UTF-8, with U+FFFD for bytes that are not UTF-8."""
        return self.stderr_bytes.decode("utf-8", "replace")


class EngineError(ContainerKitError):
    """The engine refused the request.

    Attributes:
        status: HTTP status of the response, or None if the refusal came inside a stream.
        explanation: the engine's own message.
    """

    def __init__(self, message: str, *, status: int | None = None, explanation: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.explanation = explanation


class NotFound(EngineError):
    """The named resource does not exist on this engine."""


class ImageNotFound(NotFound):
    """The engine has no image of that name or ID."""


class ContainerNotFound(NotFound):
    """The engine has no container of that name or ID."""


class VolumeNotFound(NotFound):
    """The engine has no volume of that name."""


class NetworkNotFound(NotFound):
    """The engine has no network of that name or ID."""


class Conflict(EngineError):
    """The request conflicts with the state of the engine."""


class NameInUse(Conflict):
    """A resource of that name already exists."""


class InUse(Conflict):
    """Another resource uses the resource, or the port, in question."""


class WrongState(Conflict):
    """The container's state does not allow the operation.

    Attributes:
        actual: the container's status ("exited", "running", …), or None if it is unknown.
    """

    def __init__(
        self, message: str, *, actual: str | None = None, status: int | None = None, explanation: str = ""
    ) -> None:
        super().__init__(message, status=status, explanation=explanation)
        self.actual = actual


class StartFailed(EngineError):
    """The container, or the command in it, could not start. A container that the call created is removed.

    Attributes:
        exit_code: 127 if the program is missing from the container, 126 if it is not executable; None for any other
            cause.
    """

    exit_code: int | None = None


class PullFailed(EngineError):
    """An image could not be pulled. The message holds the registry's reason."""


class PushFailed(EngineError):
    """An image could not be pushed. The message holds the registry's reason."""


class BuildFailed(EngineError):
    """A build failed.

    Attributes:
        log: everything that the builder printed.
        step: the instruction that failed, as the builder named it, or None if none was reached.
    """

    def __init__(
        self, message: str, *, log: str = "", step: str | None = None, status: int | None = None, explanation: str = ""
    ) -> None:
        super().__init__(message, status=status, explanation=explanation)
        self.log = log
        self.step = step


class AuthenticationFailed(EngineError):
    """The registry, or the engine, requires credentials or rejected them."""


class Unsupported(ContainerKitError):
    """The engine lacks a feature. Nothing was sent.

    Attributes:
        capability: name of the missing capability (a value of ``containerkit.Capability``).
    """

    def __init__(self, message: str, *, capability: str = "") -> None:
        super().__init__(message)
        self.capability = capability


class LimitNotEnforced(ContainerKitError):
    """The engine would accept these limits without enforcing them. ``limits="best-effort"`` runs without them.

    Attributes:
        limits: names of the options concerned ("memory", "cpus", …).
    """

    def __init__(self, message: str, *, limits: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.limits = limits


class InvalidReference(ContainerKitError, ValueError):
    """An image name breaks the grammar of the distribution-spec. Nothing was sent."""


class InvalidImage(ContainerKitError, ValueError):
    """An image or archive violates the image-spec.

    Attributes:
        violations: every violation found, in reading order.
    """

    def __init__(self, message: str, *, violations: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.violations = violations or (message,)


class InvalidOption(ContainerKitError, ValueError):
    """An option has a value that no engine accepts. Nothing was sent.

    Attributes:
        name: name of the option.
        value: the value that was given.
        expected: description of the accepted values.
    """

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(f"{name}={value!r}: expected {expected}")
        self.name = name
        self.value = value
        self.expected = expected

    def __reduce__(self) -> tuple[Any, ...]:
        simple = self.value is None or isinstance(self.value, (str, bytes, bool, int, float))
        # anything else may refuse to be pickled, and would take the exception with it
        value = self.value if simple else repr(self.value)
        return _restored, (type(self), self.args, {**self.__dict__, "value": value})


class CommandFailed(ContainerKitError):
    """A command ended with an exit code other than 0.

    Attributes:
        exit_code: exit code of the command; 128 + n if signal n ended it.
        stdout, stderr: the command's output, as text.
        stdout_bytes, stderr_bytes: the command's output, as bytes.
        command: the command, or () for the image's own.
    """

    def __init__(
        self,
        exit_code: int,
        stdout: str,
        stderr: str,
        *,
        command: tuple[str, ...] = (),
        stdout_bytes: bytes | None = None,
        stderr_bytes: bytes | None = None,
    ) -> None:
        name = " ".join(command) or "the image's command"
        last = stderr.strip() or stdout.strip()
        super().__init__(f"{name}: exit code {exit_code}" + (f"\n{last[-2000:]}" if last else ""))
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr
        self.stdout_bytes = stdout.encode() if stdout_bytes is None else stdout_bytes
        self.stderr_bytes = stderr.encode() if stderr_bytes is None else stderr_bytes
        self.command = command


class InvalidLab(ContainerKitError, ValueError):
    """A lab contradicts itself, or a file of a lab has a mistake. Nothing was sent.

    Attributes:
        path: the file, or None for a lab made in Python.
        line: number of the line in the file, from 1, or None.
    """

    def __init__(self, message: str, *, path: str | None = None, line: int | None = None) -> None:
        place = path or ""
        if path and line:
            place += f", line {line}"
        super().__init__(f"{place}: {message}" if place else message)
        self.path = path
        self.line = line


class LabFailed(ContainerKitError):
    """A host of a lab did not come up. Everything that the lab had created is removed.

    Attributes:
        host: name of the host, or None if the cables failed.
        line: number of the line of its startup commands that failed, from 1, or None.
    """

    def __init__(self, message: str, *, host: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.host = host
        self.line = line


def _restored(kind: type[ContainerKitError], args: tuple[Any, ...], state: dict[str, Any]) -> ContainerKitError:
    """Rebuild a pickled exception without calling its constructor."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error
