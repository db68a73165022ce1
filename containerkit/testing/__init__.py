"""For tests: an engine in memory, images in memory, and the conformance suite of every backend.

`fake/` is the engine, `archives.py` builds images, `conformance/` is the suite. Pick what you need; nothing here is
imported by the rest of the package.
"""

from __future__ import annotations

from .fake import FakeBackend, Reply

__all__ = ["FakeBackend", "Reply"]
