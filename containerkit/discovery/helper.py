"""Helper: a process that runs beside an Engine (ssh, podman), in a private folder, and never outlives this process."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .._text import split_lines
from .endpoints import Unreachable
from .watcher import Watcher

_MAX_SOCKET = 107  # bytes, sun_path of unix(7) without its final NUL
_GRACE = 5.0  # seconds between TERM and KILL

# Ends the helper's process group and removes its folder; run by a Watcher.
_END = """
kill -s TERM -- "-$1" 2>/dev/null
n=0; while kill -s 0 -- "-$1" 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
kill -s KILL -- "-$1" 2>/dev/null
rm -rf -- "$2"
"""


class HelperFailed(Unreachable):
    """A helper ended, or its socket did not accept connections; the message holds its last output."""


def private_folder(runtime: str = "") -> Path:
    """Create a folder with mode 0700 whose path is short enough for a socket in it. Raises HelperFailed."""
    for base in (runtime, tempfile.gettempdir(), "/tmp"):
        if not base or not os.path.isabs(base) or not os.path.isdir(base):
            continue
        if len(os.fsencode(base)) + len("/containerkit-xxxxxxxx/engine.sock") > _MAX_SOCKET:
            continue
        with contextlib.suppress(OSError):
            return Path(tempfile.mkdtemp(prefix="containerkit-", dir=base))
    raise HelperFailed("no folder for a private socket: neither XDG_RUNTIME_DIR, TMPDIR nor /tmp is writable and short")


class Helper:
    """A child process in a session of its own: Ctrl-C in a terminal does not reach it, close() ends it.

    close() is idempotent and thread-safe, and runs at the interpreter's exit. After kill -9, a watcher process ends
    the helper.

    Attributes:
        name: the helper's name in messages.
        folder: the private folder, removed with the helper.
        socket: the path of the socket that the helper opens.
    """

    def __init__(self, name: str, command: Callable[[str], Sequence[str]], *, folder: Path) -> None:
        """Start the process.

        Args:
            name: the helper's name in messages.
            command: returns the command line for the path of a socket.
            folder: a private folder, which the helper removes.

        Raises:
            HelperFailed: the program cannot be run.
        """
        self.name = name
        self.folder = folder
        self.socket = str(folder / "engine.sock")
        self._log = folder / "log"
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: Watcher | None = None
        atexit.register(self.close)
        try:
            with open(self._log, "wb") as log:
                self._process = subprocess.Popen(
                    list(command(self.socket)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            end = ["/bin/sh", "-c", _END, "containerkit-end", str(self._process.pid), str(folder)]
            self._watcher = Watcher(end)
        except OSError as exc:
            self.close()
            raise HelperFailed(f"{name} could not be started: {exc.strerror or exc}") from exc
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process ID, 0 after close()."""
        return self._process.pid if self._process else 0

    def output(self) -> str:
        """Return the last lines that it printed."""
        try:
            text = self._log.read_bytes()[-4000:].decode(errors="replace").strip()
        except OSError:
            return ""
        return "\n".join(split_lines(text)[-8:])

    def wait_for_socket(self, timeout: float) -> None:
        """Return when the socket accepts connections. Raises HelperFailed if the process ends first or is too slow."""
        ends, pause = time.monotonic() + timeout, 0.01
        while True:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(max(0.1, ends - time.monotonic()))
                sock.connect(self.socket)
                return
            code = self._process.poll() if self._process else 0
            if code is not None:
                raise HelperFailed(self.output() or f"{self.name} ended with exit code {code} and no output")
            if time.monotonic() > ends:
                output = self.output()
                raise HelperFailed(
                    f"{self.name} was not ready within {timeout:g} s" + (f": {output}" if output else "")
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)

    def close(self) -> None:
        """End the process and its watcher, and remove the folder. Do nothing in a forked child."""
        if os.getpid() != self._owner:
            return
        with self._lock:
            process, watcher = self._process, self._watcher
            self._process = self._watcher = None
            if process is not None:
                _end(process)
            if watcher is not None:
                watcher.dismiss()
            shutil.rmtree(self.folder, ignore_errors=True)
            atexit.unregister(self.close)


def _end(process: subprocess.Popen[bytes]) -> None:
    # The process is not reaped yet, so its number, which is also its group's, cannot belong to another process.
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
            return
