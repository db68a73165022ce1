"""Start the reaper: the process that removes a session's resources if this process ends without doing so."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from ..errors import InvalidOption
from .endpoints import Endpoint
from .watcher import Watcher


def start_reaper(endpoint: Endpoint, session: str) -> Watcher:
    """Start a reaper for one session of one engine.

    It is a waiting shell, which becomes ``python -m containerkit.reaper`` when this process ends.

    Args:
        endpoint: the engine; the reaper opens a connection of its own.
        session: the ID of the session.

    Raises:
        InvalidOption: this Python interpreter cannot be run again.
    """
    if not sys.executable:
        raise InvalidOption("reaper", True, "a Python interpreter with a sys.executable")
    target = json.dumps(replace(endpoint, reason="", note="").to_dict())
    # The child must find the same package, whatever this process has done to its sys.path.
    paths = [str(Path(__file__).parents[2]), *(os.path.abspath(path) for path in sys.path if path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
    return Watcher([sys.executable, "-m", "containerkit.reaper", target, session], env=env)
