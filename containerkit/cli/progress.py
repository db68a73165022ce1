"""Progress of a pull or push on a terminal: one line for each layer, with a bar."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, TextIO

from .listing import size_text

if TYPE_CHECKING:
    from containerkit import Progress

__all__ = ["LayerBars", "layer_bars"]

_BAR = 24


def layer_bars(quiet: bool) -> LayerBars | None:
    """Return what shows the steps on stderr; None if that is no terminal, or with --quiet."""
    return LayerBars(sys.stderr) if sys.stderr.isatty() and not quiet else None


class LayerBars:
    """Shows each step of a pull or push. A layer's line is rewritten in place; other messages are printed above."""

    def __init__(self, screen: TextIO, size: tuple[int, int] | None = None) -> None:
        self._screen = screen
        self._size = size
        self._lines: dict[str, str] = {}

    def __call__(self, step: Progress) -> None:
        columns, rows = self._size or shutil.get_terminal_size()
        text = "".join(char for char in _line(step) if char.isprintable())[: columns - 1]
        if not text:
            return
        shown = list(self._lines)
        if step.id in self._lines:
            up = len(shown) - shown.index(step.id)
            if up < rows:  # else it has left the screen
                self._screen.write(f"\x1b[{up}A\r{text}\x1b[K\x1b[{up}B\r")
        else:
            if step.id:
                self._lines[step.id] = text
            else:
                self._lines.clear()  # the lines above stay as they are
            self._screen.write(f"{text}\n")
        self._screen.flush()


def _line(step: Progress) -> str:
    text = f"{step.id}: {step.status}" if step.id else step.status
    if step.current is None or not step.total:
        return text
    done = min(step.current / step.total, 1.0)
    bar = f"{'=' * int(done * _BAR)}>".ljust(_BAR + 1)[: _BAR + 1]
    return f"{text} [{bar}] {size_text(step.current)}/{size_text(step.total)}"
