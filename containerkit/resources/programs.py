"""Tell from a container's files why a program did not start, as the exit codes of the docker command line say it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import ContainerKitError, StartFailed
from ..streams import Deadline
from .container_state import ContainerState

__all__ = ["CANNOT_EXECUTE", "NOT_FOUND", "explained", "program_code"]

CANNOT_EXECUTE, NOT_FOUND = 126, 127
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOOKING = 10.0  # seconds for looking at the files


@contextlib.contextmanager
def explained(
    container: ContainerState,
    command: Sequence[str] = (),
    *,
    workdir: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Set `exit_code` of a StartFailed that is raised in the block.

    Args:
        command: what was to start; () for the container's own command.
    """
    try:
        yield
    except StartFailed as exc:
        try:
            with Deadline.after(_LOOKING, shield=True):
                exc.exit_code = program_code(container, tuple(command) or _own_command(container), workdir, env or {})
        except ContainerKitError:  # with --rm the engine has removed the container
            exc.exit_code = _told_code(exc.explanation)
        raise


def _told_code(explanation: str) -> int | None:
    """Return the exit code for an engine's words, which are those of the operating system."""
    if "permission denied" in explanation or "is a directory" in explanation:
        return CANNOT_EXECUTE
    missing = ("executable file not found", "no such file or directory")
    return NOT_FOUND if any(words in explanation for words in missing) else None


def program_code(
    container: ContainerState, command: Sequence[str], workdir: str | None, env: Mapping[str, str]
) -> int | None:
    """Return 127 if the program or the folder is missing, 126 if it is not executable, and None if it is."""
    backend = container._core.backend
    if workdir and backend.stat_path(container.id, workdir) is None:
        return NOT_FOUND
    program = command[0] if command else ""
    if "/" in program:
        candidates = [program]
    else:
        search = env.get("PATH") or _path_of(container) or _DEFAULT_PATH
        candidates = [f"{folder}/{program}" for folder in search.split(":") if folder]
    found = [stat for stat in (backend.stat_path(container.id, path) for path in candidates) if stat]
    if any((stat.mode & 0o111 and not stat.is_dir) or stat.link_target for stat in found):
        return None
    return CANNOT_EXECUTE if found and "/" in program else NOT_FOUND


def _config(container: ContainerState) -> Mapping[str, Any]:
    return container.record.raw.get("Config") or {}


def _own_command(container: ContainerState) -> tuple[str, ...]:
    config = _config(container)
    entry, command = config.get("Entrypoint") or [], config.get("Cmd") or []
    return (*([entry] if isinstance(entry, str) else entry), *([command] if isinstance(command, str) else command))


def _path_of(container: ContainerState) -> str | None:
    lines = _config(container).get("Env") or ()
    return next((line[5:] for line in lines if isinstance(line, str) and line.startswith("PATH=")), None)
