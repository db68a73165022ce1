"""For tests: an engine in memory, images built in memory, and the suite that every engine has to pass."""

from __future__ import annotations

from .fake import FakeBackend, Reply

__all__ = ["FakeBackend", "Reply"]
