"""Terminal: the standard streams of a process, both ways, for a program or for the person at this terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..errors import InvalidOption
from ..options import parse_bytes
from ..streams import Attachment, Output
from ..streams.stream import Closeable

__all__ = ["Terminal", "parse_detach_keys"]

_CONTROL = "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_"


def parse_detach_keys(keys: object) -> bytes:
    """Return the bytes of detach keys such as "ctrl-p,ctrl-q"; b"" for "". Raises InvalidOption."""
    expected = 'keys like "ctrl-p,ctrl-q": single characters, or ctrl- with a letter or one of @ [ \\ ] ^ _'
    if not isinstance(keys, str):
        raise InvalidOption("detach_keys", keys, expected)
    found = bytearray()
    for key in keys.split(",") if keys else ():
        name = key.removeprefix("ctrl-")
        if len(name) != 1 or not name.isascii() or (name != key and name.upper() not in _CONTROL):
            raise InvalidOption("detach_keys", keys, expected)
        found.append(ord(name.upper()) & 0x1F if name != key else ord(name))
    return bytes(found)


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

    def interact(self, *, detach_keys: str = "ctrl-p,ctrl-q", sig_proxy: bool = True) -> int | None:
        """Connect the process to this program's stdin, stdout and stderr until it ends, and return its exit code.

        A terminal is set to raw mode meanwhile, follows changes of its size, and is always restored.

        Args:
            detach_keys: keys that end the connection and leave the process running; "" for none.
            sig_proxy: send the signals that this program receives to the process, if it has no terminal.

        Returns:
            The exit code; None after the detach keys.
        """
        from .console import Console

        with Console(self, parse_detach_keys(detach_keys), sig_proxy=sig_proxy) as console:
            console.copy()
        return None if self.detached else self.wait()
