"""An engine for tests of the command line."""

from __future__ import annotations

import containerkit as ck

__all__ = ["Open"]


class Open:
    """An engine that stays open when a command closes it."""

    def __init__(self, engine: ck.Engine) -> None:
        self.engine = engine

    def __enter__(self) -> ck.Engine:
        return self.engine

    def __exit__(self, *exc: object) -> None:
        pass
