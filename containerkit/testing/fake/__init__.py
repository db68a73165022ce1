"""An engine in memory, for unit tests that need no Docker or Podman: real state, scripted processes.

Start reading in `backend.py`. `state` holds the state; `images`, `volumes`, `networks`, `contents`, `containers`,
`processes` and `logs` each implement a part of the Backend interface, one upon the other.
"""

from __future__ import annotations

from .backend import FakeBackend
from .scripts import Reply

__all__ = ["FakeBackend", "Reply"]
