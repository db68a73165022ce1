"""A program that we run beside an Engine (ssh, podman): in a private folder, and never longer than we live."""

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

from .endpoints import Unreachable

__all__ = ["Helper", "HelperFailed", "private_folder"]

_MAX_SOCKET = 107  # bytes, sun_path of unix(7) without its final NUL
_GRACE = 5.0  # seconds between TERM and KILL

# Reads until our end of the pipe is closed, which the kernel does even after kill -9; then ends the helper's process
# group. A word read ("done") means that we did so ourselves. Not PR_SET_PDEATHSIG: that fires when the *thread* that
# started the helper ends, and does not pass podman's second exec into its user namespace.
_WATCH = """
read -r word && exit 0
kill -s TERM -- "-$1" 2>/dev/null
n=0; while kill -s 0 -- "-$1" 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
kill -s KILL -- "-$1" 2>/dev/null
rm -rf -- "$2"
"""


class HelperFailed(Unreachable):
    """The helper ended, or its socket did not come up; the message holds its own last words."""


def private_folder(runtime: str = "") -> Path:
    """A new folder, mode 0700, short enough for a socket in it."""
    for base in (runtime, tempfile.gettempdir(), "/tmp"):
        if not base or not os.path.isabs(base) or not os.path.isdir(base):
            continue
        if len(os.fsencode(base)) + len("/containerkit-xxxxxxxx/engine.sock") > _MAX_SOCKET:
            continue
        with contextlib.suppress(OSError):
            return Path(tempfile.mkdtemp(prefix="containerkit-", dir=base))
    raise HelperFailed("no folder for a private socket: neither XDG_RUNTIME_DIR, TMPDIR nor /tmp is writable and short")


class Helper:
    """A child process in a session of its own, so that Ctrl-C in a terminal ends our program first, and we end it.

    `command` gets the path of the socket that it is to open. Closing is idempotent and may come from any thread; at
    the exit of the interpreter it happens by itself; after kill -9 a watcher does it.
    """

    def __init__(self, name: str, command: Callable[[str], Sequence[str]], *, folder: Path) -> None:
        """Start it; may raise HelperFailed. The folder is ours from here on, and is removed with the helper."""
        self.name = name
        self.folder = folder
        self.socket = str(folder / "engine.sock")
        self._log = folder / "log"
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
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
            self._watcher = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH, "containerkit-watch", str(self._process.pid), str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as exc:
            self.close()
            raise HelperFailed(f"{name} could not be started: {exc.strerror or exc}") from exc
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def words(self) -> str:
        """The last that it printed."""
        try:
            text = self._log.read_bytes()[-4000:].decode(errors="replace").strip()
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-8:])

    def wait_for_socket(self, timeout: float) -> None:
        """Return when its socket accepts connections. Raises HelperFailed if it ends first, or takes longer."""
        ends, pause = time.monotonic() + timeout, 0.01
        while True:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(max(0.1, ends - time.monotonic()))
                sock.connect(self.socket)
                return
            code = self._process.poll() if self._process else 0
            if code is not None:
                raise HelperFailed(self.words() or f"{self.name} ended with exit code {code}, without a word")
            if time.monotonic() > ends:
                said = self.words()
                raise HelperFailed(f"{self.name} was not ready within {timeout:g} s" + (f": {said}" if said else ""))
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)

    def close(self) -> None:
        """End it, its watcher and its folder. In a forked child: nothing, for it belongs to the parent."""
        if os.getpid() != self._owner:
            return
        with self._lock:
            process, watcher = self._process, self._watcher
            self._process = self._watcher = None
            if process is not None:
                _end(process)
            if watcher is not None:
                with contextlib.suppress(OSError):
                    if watcher.stdin:
                        watcher.stdin.write(b"done\n")
                        watcher.stdin.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    watcher.wait(_GRACE)
            shutil.rmtree(self.folder, ignore_errors=True)
            atexit.unregister(self.close)


def _end(process: subprocess.Popen[bytes]) -> None:
    # Not reaped yet, so that its number, which is that of its group, can't have passed to another process.
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
            return
