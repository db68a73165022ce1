"""The suite of containerkit.testing.conformance, on the engine under test."""

from __future__ import annotations

from containerkit.testing.conformance import EngineConformance


class TestEngine(EngineConformance):
    """What every engine does the same."""
