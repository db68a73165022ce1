"""Terminal: the standard streams of a process, both ways, for a program or for the person at this terminal."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from types import FrameType
from typing import Any

from ..errors import ContainerKitError, InvalidOption
from ..options import parse_bytes
from ..streams import Attachment, Output
from ..streams.stream import Closeable
from .detach_keys import DetachKeys, parse_detach_keys

_PROXIED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_FITTING = 10  # attempts to set the size of a terminal that the engine is still making
_CHUNK = 1 << 16


class Terminal(Closeable):
    """The standard streams of a process. Iterating yields its output; any thread may write, resize and close.

    Closing the streams leaves the process running.

    Attributes:
        tty: the process has a terminal, so that all of its output is stdout.
        detached: the detach keys were typed in `interact`.
    """

    def __init__(
        self,
        stream: Attachment,
        *,
        tty: bool,
        stdin: bool,
        resize: Callable[[int, int], None],
        ended: Callable[[], bool],
        wait: Callable[[bytes], int],
        kill: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(stream.close)
        self.tty = tty
        self.detached = False
        self._stream = stream
        self._stdin = stdin
        self._resize = resize
        self._ended = ended
        self._wait = wait
        self._kill = kill
        self._last = b""

    def __iter__(self) -> Iterator[Output]:
        for output in self._stream.exchange(on_idle=self._ended):
            self._last = (self._last + output.data)[-4096:]
            yield output
        self.close()

    def __enter__(self) -> Terminal:
        return self

    def write(self, data: str | bytes) -> None:
        """Send text or bytes to the process's stdin.

        Args:
            data: the text or bytes, such as "ls\\n".

        Raises:
            InvalidOption: the process has no stdin, or `data` is neither text nor bytes.
            EngineUnavailable: the process no longer reads.
        """
        if not self._stdin:
            raise InvalidOption("data", data, "nothing: the process has no stdin; create it with interactive=True")
        self._stream.send(parse_bytes("data", data))

    def close_stdin(self) -> None:
        """End the process's stdin; its output continues."""
        self._stream.end_input()

    def resize(self, rows: int, columns: int) -> None:
        """Set the size of the process's terminal.

        Args:
            rows, columns: in characters, 1 or more.

        Raises:
            InvalidOption: a size that is not positive, or the process has no terminal.
        """
        for name, value in (("rows", rows), ("columns", columns)):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 16:
                raise InvalidOption(name, value, "a whole number of characters, 1 or more")
        if not self.tty:
            raise InvalidOption("resize", (rows, columns), "a process with a terminal (tty=True)")
        self._resize(rows, columns)

    def wait(self) -> int:
        """Return the exit code once the process has ended. Raises StartFailed if an exec'd program is missing."""
        return self._wait(self._last)

    def interact(
        self,
        *,
        detach_keys: str = "ctrl-p,ctrl-q",
        sig_proxy: bool = True,
        streams: Collection[str] = ("stdout", "stderr"),
    ) -> int | None:
        """Connect the process to this program's stdin, stdout and stderr until it ends, and return its exit code.

        A terminal is set to raw mode meanwhile, follows changes of its size, and is always restored.

        Args:
            detach_keys: keys that end the connection and leave the process running; "" for none.
            sig_proxy: send the signals that this program receives to the process, if it has no terminal.
            streams: those of the process's two streams of output that are shown.

        Returns:
            The exit code; None after the detach keys.
        """
        with Console(self, parse_detach_keys(detach_keys), sig_proxy=sig_proxy) as console:
            console.copy(streams)
        return None if self.detached else self.wait()


class Console:
    """Copy between this program's streams and a Terminal. Leaving the `with` block restores the terminal."""

    def __init__(self, terminal: Terminal, detach: bytes, *, sig_proxy: bool) -> None:
        self._terminal = terminal
        self._keys = DetachKeys(detach if terminal.tty else b"")
        self._proxy = sig_proxy and not terminal.tty
        self._input = _descriptor(sys.stdin)
        self._screen = next((fd for fd in (self._input, _descriptor(sys.stdout)) if fd >= 0 and os.isatty(fd)), -1)
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._mode: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        self._thread = threading.Thread(target=self._serve, daemon=True, name="containerkit-stdin")

    def __enter__(self) -> Console:
        terminal = self._terminal
        if terminal.tty and terminal._stdin and self._input >= 0 and os.isatty(self._input):
            import termios
            import tty

            self._mode = termios.tcgetattr(self._input)
            tty.setraw(self._input, termios.TCSADRAIN)  # what was typed ahead is kept
        if threading.current_thread() is threading.main_thread():
            names = (*(_PROXIED if self._proxy and terminal._kill else ()), *(("SIGWINCH",) if terminal.tty else ()))
            for name in names:
                number = getattr(signal, name)
                self._handlers[number] = signal.signal(number, self._noticed)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._mode is not None:
            import termios

            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(self._input, termios.TCSADRAIN, self._mode)
        self._terminal.close()
        self._tell(0)
        self._thread.join(2)
        os.close(self._waker)

    def copy(self, streams: Collection[str] = ("stdout", "stderr")) -> None:
        """Write the process's output of these streams to this program's until it ends."""
        for output in self._terminal:
            if output.stream not in streams:
                continue
            stream = getattr(sys, output.stream)
            stream = getattr(stream, "buffer", stream)
            stream.write(output.data)
            stream.flush()

    def _noticed(self, number: int, frame: FrameType | None) -> None:
        self._tell(number)

    def _tell(self, number: int) -> None:
        """Wake the thread: 0 ends it, else it serves the signal. A signal's handler must not send requests itself."""
        with contextlib.suppress(OSError):
            os.write(self._waker, bytes([number]))

    def _serve(self) -> None:
        """Send input, sizes and signals until the process ends."""
        try:
            self._fit(_FITTING)
            reading = self._input if self._terminal._stdin else -1
            if self._terminal._stdin and reading < 0:  # a stdin without a descriptor, as in tests and notebooks
                self._send(sys.stdin.buffer.read())
                self._send(b"")
            while not self._terminal.closed:
                ready, _, _ = select.select([self._wake, *([reading] if reading >= 0 else [])], [], [])
                if self._wake in ready:
                    for number in os.read(self._wake, 64):
                        if not number:
                            return
                        self._signal(number)
                if reading in ready and not self._send(os.read(reading, _CHUNK)):
                    reading = -1
        except (ContainerKitError, OSError, ValueError):
            return  # the streams ended under us; copy() reports why
        finally:
            os.close(self._wake)

    def _send(self, data: bytes) -> bool:
        """Send what was typed. Return False at its end."""
        sent, detach = self._keys.feed(data)
        if sent:
            self._terminal.write(sent)
        if detach:
            self._terminal.detached = True
            self._terminal.close()
        elif not data:
            self._terminal.close_stdin()
        return bool(data) and not detach

    def _signal(self, number: int) -> None:
        if number == getattr(signal, "SIGWINCH", None):
            self._fit(1)
        elif self._terminal._kill:
            with contextlib.suppress(ContainerKitError):  # it has ended
                self._terminal._kill(signal.Signals(number).name)

    def _fit(self, attempts: int) -> None:
        """Give the process's terminal the size of this one."""
        if not self._terminal.tty or self._screen < 0:
            return
        columns, rows = os.get_terminal_size(self._screen)
        for attempt in range(attempts if rows and columns else 0):
            try:
                self._terminal.resize(rows, columns)
                return
            except ContainerKitError:  # noqa: PERF203  the terminal is still being made
                if select.select([self._wake], [], [], 0.02 * (attempt + 1))[0]:
                    return


def _descriptor(stream: Any) -> int:
    """Return the file descriptor of a stream; -1 if it has none."""
    try:
        return int(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return -1
