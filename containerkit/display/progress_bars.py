"""ProgressBars: the steps of a pull, push or build as they come, in a terminal or in a notebook."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any, Protocol, TextIO

from .escape import html_text
from .page import WRAPPER
from .units import human_bytes

__all__ = ["ProgressBars"]

_BAR = 24
_LOG = 8  # lines of a builder's log that a notebook shows
_EVERY = 0.1  # seconds between two drawings in a notebook


class _Step(Protocol):
    """Part of a Progress that is shown."""

    @property
    def status(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def current(self) -> int | None: ...
    @property
    def total(self) -> int | None: ...
    @property
    def stream(self) -> str: ...
    @property
    def image_id(self) -> str: ...


class ProgressBars:
    """Function for ``on_progress=``: one line with a bar for each layer, and the last lines of a builder's log.

    In a notebook one output is drawn again and again. In a terminal a layer's line is rewritten in place, and other
    messages are printed above. In a file or a pipe each message is a line, and bars are left out.

    Args:
        screen: where to write text; None takes stderr, or the notebook's cell.
        size: columns and rows of a terminal; None asks it.

    Example:
        >>> from containerkit import Progress
        >>> bars = ProgressBars(sys.stdout)
        >>> bars(Progress("Download complete", id="4f4fb700ef54"))
        4f4fb700ef54: Download complete
    """

    def __init__(self, screen: TextIO | None = None, size: tuple[int, int] | None = None) -> None:
        self._screen = screen or sys.stderr
        self._size = size
        self._notebook = screen is None and _in_notebook()
        self._terminal = size is not None or self._screen.isatty()
        self._steps: dict[str, _Step] = {}
        self._lines: list[str] = []
        self._log: list[str] = []
        self._message = ""
        self._handle: Any = None
        self._drawn = 0.0

    def __call__(self, step: _Step) -> None:
        """Show one step."""
        if self._notebook:
            self._remember(step)
            last = bool(step.image_id) or (not step.id and not step.stream)
            if last or time.monotonic() - self._drawn >= _EVERY:
                self._draw()
        elif step.stream:
            self._screen.write("".join(char for char in step.stream if char.isprintable() or char == "\n"))
            self._screen.flush()
        else:
            self._print(step)

    # ---------------------------------------------------------------- a terminal
    def _print(self, step: _Step) -> None:
        columns, rows = self._size or shutil.get_terminal_size()
        text = "".join(char for char in _line(step) if char.isprintable())
        text = text[: columns - 1] if self._terminal else text
        if not text or (not self._terminal and step.total):
            return
        if step.id in self._lines and self._terminal:
            up = len(self._lines) - self._lines.index(step.id)
            if up < rows:  # else it has left the screen
                self._screen.write(f"\x1b[{up}A\r{text}\x1b[K\x1b[{up}B\r")
        else:
            if step.id:
                self._lines.append(step.id)
            else:
                self._lines.clear()  # the lines above stay as they are
            self._screen.write(f"{text}\n")
        self._screen.flush()

    # ---------------------------------------------------------------- a notebook
    def _remember(self, step: _Step) -> None:
        if step.stream:
            whole = (self._log[-1] if self._log else "") + step.stream
            self._log = [*self._log[:-1], *whole.split("\n")][-_LOG - 1 :]
        elif step.id:
            self._steps[step.id] = step
        elif step.status:
            self._message = step.status

    def to_html(self) -> str:
        """Return what a notebook shows now."""
        rows = []
        for name, step in self._steps.items():
            amount = bar = ""
            if step.current is not None and step.total:
                done = min(step.current / step.total, 1.0)
                amount = f"{human_bytes(step.current)} of {human_bytes(step.total)}"
                bar = (
                    f'<progress max="100" value="{done * 100:.0f}" aria-label="{html_text(name)}">{done:.0%}</progress>'
                )
            cells = (html_text(name[:12]), html_text(step.status), bar, html_text(amount))
            rows.append("".join(f'<td style="text-align:left">{cell}</td>' for cell in cells))
        out = ["<table><tr>" + "</tr><tr>".join(rows) + "</tr></table>"] if rows else []
        if any(self._log):
            lines = "\n".join(map(html_text, self._log)).rstrip("\n")
            out.append(f'<pre style="white-space:pre-wrap;color:inherit;background:none">{lines}</pre>')
        if self._message:
            out.append(f"<p>{html_text(self._message)}</p>")
        return f"<div {WRAPPER}>{''.join(out)}</div>"

    def _draw(self) -> None:
        from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

        text = self._message or f"{len(self._steps)} layers"
        shown = {"text/html": self.to_html(), "text/plain": text}
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)  # type: ignore[no-untyped-call, unused-ignore]
        else:
            self._handle.update(shown, raw=True)
        self._drawn = time.monotonic()


def _line(step: _Step) -> str:
    text = f"{step.id}: {step.status}" if step.id else step.status
    if step.current is None or not step.total:
        return text
    done = min(step.current / step.total, 1.0)
    bar = f"{'=' * int(done * _BAR)}>".ljust(_BAR + 1)[: _BAR + 1]
    return f"{text} [{bar}] {_docker(step.current)}/{_docker(step.total)}"


def _docker(size: int) -> str:
    """Return a size as docker's bars write it, without a space."""
    return human_bytes(size).replace(" ", "")


def _in_notebook() -> bool:
    """Return whether a kernel runs this program, which is not the case in a terminal's IPython."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    return getattr(shell, "kernel", None) is not None
