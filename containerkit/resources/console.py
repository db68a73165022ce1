"""The person's side of a Terminal: this program's own streams, its terminal's mode and size, its signals."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from ..errors import ContainerKitError

if TYPE_CHECKING:
    from types import FrameType

    from .terminal import Terminal

__all__ = ["Console"]

_PROXIED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_FITTING = 10  # attempts to set the size of a terminal that the engine is still making
_CHUNK = 1 << 16


class Console:
    """Copy between this program's streams and a Terminal. Leaving the `with` block restores the terminal."""

    def __init__(self, terminal: Terminal, detach: bytes, *, sig_proxy: bool) -> None:
        self._terminal = terminal
        self._keys = _Keys(detach if terminal.tty else b"")
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

    def copy(self) -> None:
        """Write the process's output to this program's streams until it ends."""
        for output in self._terminal:
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


class _Keys:
    """Find the detach keys in what is typed. The start of a match is held back until it is decided."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return the bytes to send, and whether the keys are complete."""
        if not self._keys:
            return data, False
        sent = b""
        for byte in data:
            self._held += bytes([byte])
            if self._held == self._keys:
                return sent, True
            while self._held and not self._keys.startswith(self._held):
                sent, self._held = sent + self._held[:1], self._held[1:]
        return sent, False


def _descriptor(stream: Any) -> int:
    """Return the file descriptor of a stream; -1 if it has none."""
    try:
        return int(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return -1
