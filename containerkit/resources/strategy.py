"""Strategy: a condition to wait for. The strategies of the package are in wait.py, the loop that waits in waiting.py.

These modules load no client: a strategy may be made in a process that connects to no engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

#: A function that returns "" once the condition holds, else a description of what is missing.
Missing = Callable[[], str]


class Strategy(ABC):
    """A condition to wait for. Subclasses implement `watch`."""

    #: True if the condition can still become true after the container has exited.
    survives_exit = False

    @abstractmethod
    def watch(self, container: Any) -> AbstractContextManager[Missing]:
        """Return a context whose value is called again and again until it returns "".

        Args:
            container: the Container to wait for.
        """
