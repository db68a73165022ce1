"""The answers that a test scripts for commands."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

from ...errors import InvalidOption

__all__ = ["Program", "Reply", "Script", "Scripts"]

#: (arguments, stdin) -> the answer, or None to try the next script.
Program = Callable[[tuple[str, ...], bytes], "Reply | tuple[Any, ...] | str | bytes | None"]


@dataclass(frozen=True, slots=True)
class Reply:
    """The output of a command, and how it ends.

    Attributes:
        until_stopped: the command writes its output and then runs until it is stopped or killed.
    """

    stdout: bytes = b""
    stderr: bytes = b""
    exit_code: int = 0
    until_stopped: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """A pattern of arguments, and its answer.

    Attributes:
        open: further arguments may follow.
    """

    argv: tuple[str, ...]
    open: bool
    answer: Program | Reply

    def fits(self, argv: tuple[str, ...]) -> bool:
        """Return whether the arguments match."""
        return argv[: len(self.argv)] == self.argv and (self.open or len(argv) == len(self.argv))


class Scripts:
    """All scripts; the last one added is tried first."""

    def __init__(self, commands: Mapping[Any, Any]) -> None:
        self._scripts: list[Script] = []
        for command, answer in commands.items():
            self.add(command, answer)

    def add(self, command: Any, answer: Any) -> None:
        """Add a script. Raise InvalidOption for an invalid command or answer."""
        argv = shlex.split(command) if isinstance(command, str) else list(command) if _is_list(command) else []
        further = bool(argv) and isinstance(argv[-1], EllipsisType)
        words = tuple(argv[:-1] if further else argv)
        if not argv or not all(isinstance(word, str) for word in words):
            raise InvalidOption("command", command, 'a line, or a sequence of texts; ("git", ...) takes what follows')
        self._scripts.insert(0, Script(words, further, answer if callable(answer) else reply_of(answer)))

    def find(self, argv: tuple[str, ...]) -> Callable[[bytes], Reply] | None:
        """Return a function from stdin to the reply, or None if no script matches."""
        fitting = [script.answer for script in self._scripts if script.fits(argv)]
        if not fitting:
            return None

        def answer(stdin: bytes) -> Reply:
            for found in fitting:
                said = found if isinstance(found, Reply) else found(argv, stdin)
                if said is not None:
                    return reply_of(said)
            return Reply(stderr=b"no script answers this command\n", exit_code=127)

        return answer


def _is_list(command: object) -> bool:
    return isinstance(command, Sequence) and not isinstance(command, (bytes, bytearray))


def reply_of(answer: Any) -> Reply:
    """Return a Reply from a Reply, text for stdout, an exit code, or (exit code, stdout, stderr).

    Raise InvalidOption.
    """
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, (str, bytes)):
        return Reply(_bytes(answer))
    if isinstance(answer, int) and not isinstance(answer, bool):
        return Reply(exit_code=answer)
    if isinstance(answer, tuple) and 1 <= len(answer) <= 3 and isinstance(answer[0], int):
        stdout, stderr = (*map(_bytes, answer[1:]), b"", b"")[:2]
        return Reply(stdout, stderr, answer[0])
    raise InvalidOption("answer", answer, "a Reply, text, an exit code, (exit code, stdout, stderr), or a function")


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    raise InvalidOption("output", value, "text or bytes")
