"""Progress of a pull or push on a terminal: one line for each layer, with a bar."""

from __future__ import annotations

import sys

from containerkit import ProgressBars

__all__ = ["layer_bars"]


def layer_bars(quiet: bool) -> ProgressBars | None:
    """Return what shows the steps on stderr; None if that is no terminal, or with --quiet."""
    return ProgressBars(sys.stderr) if sys.stderr.isatty() and not quiet else None
