"""An engine in memory, for unit tests that need no Docker or Podman: state is real, processes are scripted."""

from __future__ import annotations

from .backend import FakeBackend
from .scripts import Reply

__all__ = ["FakeBackend", "Reply"]
