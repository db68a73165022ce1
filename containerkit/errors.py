"""Every exception of containerkit; the tree is drawn below.

::

    ContainerKitError
      EngineUnavailable            nobody answered; every address tried, and why
      EngineTimeout                the time the caller gave ran out
      EngineError                  the engine answered no
        NotFound
          ImageNotFound  ContainerNotFound  VolumeNotFound  NetworkNotFound
        Conflict
          NameInUse  InUse  WrongState
        StartFailed  PullFailed  PushFailed  BuildFailed  AuthenticationFailed
      Unsupported                  this engine cannot do it; nothing was sent
      LimitNotEnforced             the engine would accept this limit and not hold it
      InvalidReference             an image name that no engine would accept
      InvalidImage                 an image or archive that breaks the image-spec
      InvalidOption                an option whose value no engine would accept
      CommandFailed                a command ran, and its exit code is not 0

A message says what was tried, on what, what was found, and what to do. The vendor's own exception is the ``__cause__``.
"""

from __future__ import annotations

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
    "InvalidOption",
    "InvalidReference",
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
    """The root of every exception that containerkit raises."""


class EngineUnavailable(ContainerKitError):
    """No engine answered, or the one in use stopped answering.

    Attributes:
        tried: (address, why it failed) for every address that was tried, in order.
    """

    def __init__(self, message: str, *, tried: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.tried = tried


class EngineTimeout(ContainerKitError):
    """The time the caller gave ran out; what was started for the call has been ended.

    Attributes:
        timeout: the limit, in seconds.
        stdout, stderr: what a command had printed by then.
    """

    def __init__(self, message: str, *, timeout: float, stdout: bytes = b"", stderr: bytes = b"") -> None:
        super().__init__(message)
        self.timeout = timeout
        self.stdout = stdout
        self.stderr = stderr


class EngineError(ContainerKitError):
    """The engine answered no.

    Attributes:
        status: the HTTP status of its answer, or None where the refusal came inside a stream.
        explanation: the engine's own words.
    """

    def __init__(self, message: str, *, status: int | None = None, explanation: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.explanation = explanation


class NotFound(EngineError):
    """What was named does not exist on this engine."""


class ImageNotFound(NotFound):
    """No image of that name or ID in this engine's store."""


class ContainerNotFound(NotFound):
    """No container of that name or ID."""


class VolumeNotFound(NotFound):
    """No volume of that name."""


class NetworkNotFound(NotFound):
    """No network of that name or ID."""


class Conflict(EngineError):
    """What was asked contradicts the state of the engine."""


class NameInUse(Conflict):
    """Something of that name exists already."""


class InUse(Conflict):
    """It cannot be removed or published: something else uses it."""


class WrongState(Conflict):
    """The container is in a state that does not allow this.

    Attributes:
        actual: the status it was in ("exited", "running", …), or None when it could not be asked.
    """

    def __init__(
        self, message: str, *, actual: str | None = None, status: int | None = None, explanation: str = ""
    ) -> None:
        super().__init__(message, status=status, explanation=explanation)
        self.actual = actual


class StartFailed(EngineError):
    """The container was created and could not start; it has been removed if this call created it."""


class PullFailed(EngineError):
    """An image could not be fetched; the registry's own reason is in the message."""


class PushFailed(EngineError):
    """An image could not be sent; the registry's own reason is in the message."""


class BuildFailed(EngineError):
    """A build stopped.

    Attributes:
        log: everything the builder printed.
        step: the instruction that failed, as the builder named it, or None if it never got to one.
    """

    def __init__(
        self, message: str, *, log: str = "", step: str | None = None, status: int | None = None, explanation: str = ""
    ) -> None:
        super().__init__(message, status=status, explanation=explanation)
        self.log = log
        self.step = step


class AuthenticationFailed(EngineError):
    """The registry, or the engine itself, refused these credentials or wants some."""


class Unsupported(ContainerKitError):
    """This engine cannot do what was asked; nothing was sent.

    Attributes:
        capability: the name of the missing capability (a value of ``containerkit.Capability``).
    """

    def __init__(self, message: str, *, capability: str = "") -> None:
        super().__init__(message)
        self.capability = capability


class LimitNotEnforced(ContainerKitError):
    """The engine would accept these limits and not hold them; ``limits="best-effort"`` runs without.

    Attributes:
        limits: the option names concerned ("memory", "cpus", …).
    """

    def __init__(self, message: str, *, limits: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.limits = limits


class InvalidReference(ContainerKitError, ValueError):
    """An image name that breaks the grammar of the distribution-spec; nothing was sent."""


class InvalidImage(ContainerKitError, ValueError):
    """An image or archive that breaks the image-spec.

    Attributes:
        violations: every breach found, in reading order.
    """

    def __init__(self, message: str, *, violations: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.violations = violations or (message,)


class InvalidOption(ContainerKitError, ValueError):
    """An option that no engine would accept as given; nothing was sent.

    Attributes:
        name: the option.
        value: what was given.
        expected: what is accepted, in words.
    """

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(f"{name}={value!r}: expected {expected}")
        self.name = name
        self.value = value
        self.expected = expected

    def __reduce__(self) -> tuple[type[InvalidOption], tuple[str, object, str]]:
        return type(self), (self.name, self.value, self.expected)


class CommandFailed(ContainerKitError):
    """A command ran to its end and its exit code is not 0.

    Attributes:
        exit_code: of the command; 128 + n where signal n ended it.
        stdout, stderr: what it printed, as text.
        command: what was run, or () when it was the image's own command.
    """

    def __init__(self, exit_code: int, stdout: str, stderr: str, *, command: tuple[str, ...] = ()) -> None:
        what = " ".join(command) or "the image's command"
        last = stderr.strip() or stdout.strip()
        super().__init__(f"{what}: exit code {exit_code}" + (f"\n{last[-2000:]}" if last else ""))
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr
        self.command = command
