"""Import the names of a package from their modules on first use (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def loading(package: str, rooms: Mapping[str, tuple[str, ...]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package.

    Args:
        package: name of the package.
        rooms: module -> the names it defines. A module listed under its own name is itself the value.
    """
    room_of = {name: room for room, names in rooms.items() for name in names}

    def __getattr__(name: str) -> Any:  # noqa: N807  (it becomes the package's)
        if name not in room_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        room = importlib.import_module(f".{room_of[name]}", package)
        value = room if room_of[name] == name else getattr(room, name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807
        return sorted({*vars(sys.modules[package]), *room_of})

    return __getattr__, __dir__
