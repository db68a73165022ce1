"""Links of a running lab: whether each cable is up, and what went through it.

One command in the helper answers for all cables whenever it gets a line: an exec for each look would leave a process
behind on Podman for minutes.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._text import split_lines
from ..errors import ContainerKitError
from ..values import Value
from . import plan

if TYPE_CHECKING:
    from ..resources.terminal import Terminal
    from .lab import Lab

__all__ = ["Link", "LinkReader", "parse_sample"]

_END = "=="
_SAMPLE = f"while read -r _; do cat /proc/net/dev; grep . /sys/class/net/*/operstate; echo {_END}; done 2>/dev/null"
_PATIENCE = 5.0  # seconds for an answer


@dataclass(frozen=True, slots=True)
class Link(Value):
    """A cable between a host and a collision domain.

    Attributes:
        host: its name.
        interface: of the host.
        network: the collision domain.
        up: both ends are up; None if unknown.
        sent: bytes from the host.
        received: bytes to the host.
    """

    host: str
    interface: str
    network: str
    up: bool | None
    sent: int
    received: int


def parse_sample(text: str) -> dict[str, tuple[bool | None, int, int]]:
    """Return device -> (up, bytes received, bytes transmitted) from /proc/net/dev and lines of operstate."""
    states: dict[str, bool] = {}
    counters: dict[str, tuple[int, int]] = {}
    for line in split_lines(text):
        if line.startswith("/sys/class/net/"):
            path, _, state = line.partition(":")
            states[path.split("/")[4]] = state.strip() == "up"
        elif ":" in line:
            name, _, rest = line.partition(":")
            words = rest.split()
            if len(words) >= 9 and words[0].isdecimal() and words[8].isdecimal():
                counters[name.strip()] = (int(words[0]), int(words[8]))
    return {name: (states.get(name), *both) for name, both in counters.items()}


class LinkReader:
    """Reads the state of all cables of a lab. Thread-safe; close() ends the command in the helper."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._changed = threading.Condition()
        self._terminal: Terminal | None = None
        self._sample: dict[str, tuple[bool | None, int, int]] = {}
        self._answers = 0
        self._closed = False

    def read(self) -> tuple[Link, ...]:
        """Return every cable, asked now; without an answer, the state is unknown and the counters are the last."""
        with self._changed:
            answers = self._answers
            try:
                terminal = self._open()
                terminal.write(b"\n")
                self._changed.wait_for(lambda: self._answers > answers or self._terminal is not terminal, _PATIENCE)
            except (ContainerKitError, OSError):
                self._terminal = None
            known = self._sample if self._answers > answers else {}
        found = []
        for cable in plan.cables(self._lab.topology):
            up, sent, received = known.get(cable.end, (None, 0, 0))
            found.append(Link(cable.host, cable.interface.name, cable.interface.domain, up, sent, received))
        return tuple(found)

    def _open(self) -> Terminal:
        if self._terminal is None:
            command = ["sh", "-c", _SAMPLE]
            self._terminal = self._lab._helper().open_exec(command, user="0", interactive=True)
            threading.Thread(target=self._follow, args=(self._terminal,), daemon=True, name="lab links").start()
        return self._terminal

    def _follow(self, terminal: Terminal) -> None:
        text = ""
        with contextlib.suppress(ContainerKitError, OSError):
            for output in terminal:
                text += output.data.decode("utf-8", "replace")
                *samples, text = text.split(f"{_END}\n")
                if samples:
                    with self._changed:
                        self._sample, self._answers = parse_sample(samples[-1]), self._answers + 1
                        self._changed.notify_all()
        with self._changed:
            if self._terminal is terminal:
                self._terminal = None
            self._changed.notify_all()

    def close(self) -> None:
        """End the command in the helper."""
        with self._changed:
            terminal, self._terminal = self._terminal, None
        if terminal is not None:
            with contextlib.suppress(ContainerKitError, OSError):
                terminal.close_stdin()
            terminal.close()
