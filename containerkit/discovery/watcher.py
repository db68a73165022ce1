"""Watcher: a shell that runs a command when this process ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence

# Reads until the other end of the pipe is closed, which the kernel does even after kill -9, then runs the command. A
# line means that the command is not needed. PR_SET_PDEATHSIG would not do: it fires when the *thread* that started
# the process ends. A shell waits with 1 MiB of memory, and starts in a millisecond.
_WAIT = 'read -r line && exit 0; exec "$@"'
_SECONDS = 5.0  # for the shell to end after it is dismissed


class Watcher:
    """A shell that waits at a pipe of this process and runs a command when the pipe is closed.

    It has a session of its own, so Ctrl-C in a terminal does not reach it. Forked children close their copy of the
    pipe, so they do not delay it.

    Args:
        command: the command line to run; its output is discarded.
        env: environment variables for it; None for those of this process.

    Raises:
        OSError: /bin/sh cannot be run.
    """

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        read, write = os.pipe()
        self._write: int | None = write
        _watchers.add(self)
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WAIT, "containerkit-watch", *command],
                stdin=read,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                env=env,
            )
        except BaseException:
            self._close_pipe()
            raise
        finally:
            os.close(read)

    def dismiss(self) -> None:
        """End the shell without running the command."""
        if self._write is None:
            return
        with contextlib.suppress(OSError):
            os.write(self._write, b"done\n")
        self._close_pipe()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_SECONDS)

    def release(self) -> None:
        """Run the command now; it goes on after this process has ended."""
        self._close_pipe()
        _released.append(self._process)

    def _close_pipe(self) -> None:
        write, self._write = self._write, None
        _watchers.discard(self)
        if write is not None:
            with contextlib.suppress(OSError):
                os.close(write)


_watchers: set[Watcher] = set()  # those whose pipe is open
_released: list[subprocess.Popen[bytes]] = []  # referenced, for Popen warns if it is collected while its process runs


def _close_in_child() -> None:
    for watcher in list(_watchers):
        watcher._close_pipe()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
