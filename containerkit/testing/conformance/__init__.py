"""The conformance suite: a class of pytest scenarios that every backend passes, one fact each.

Provide two fixtures and inherit::

    class TestMyEngine(EngineConformance):
        @pytest.fixture(scope="session")
        def engine(self) -> Iterator[Engine]: ...        # an open Engine

        @pytest.fixture(scope="session")
        def shell_image(self) -> str: ...                # a local image with busybox and links to its programs

A backend without Capability.PROCESSES runs only the scenarios that need no process. Such a backend has to script these
commands: true, false, touch, cat, printf, echo, seq. The programs sleep, sh and httpd only have to be in the image.

Everything that the suite creates has a unique name and the session's labels, and is removed; nothing else is touched.
Published ports are expected at 127.0.0.1: run the suite on the engine's own machine.
"""

from __future__ import annotations

from ...engine import Engine
from .base import needs
from .builds import BuildScenarios
from .capabilities import CapabilityScenarios
from .engine import EngineScenarios
from .errors import ErrorScenarios
from .execs import ExecScenarios
from .files import FileScenarios
from .images import ImageScenarios
from .life import LifeScenarios
from .limits import LimitScenarios
from .logs import LogScenarios
from .networks import NetworkScenarios
from .options import OptionScenarios
from .run import RunScenarios
from .volumes import VolumeScenarios
from .waiting import WaitScenarios

__all__ = ["EngineConformance", "needs"]


# pytest collects the last base first
class EngineConformance(
    NetworkScenarios,
    VolumeScenarios,
    BuildScenarios,
    ImageScenarios,
    ErrorScenarios,
    WaitScenarios,
    FileScenarios,
    LimitScenarios,
    LogScenarios,
    LifeScenarios,
    ExecScenarios,
    OptionScenarios,
    RunScenarios,
    CapabilityScenarios,
    EngineScenarios,
):
    """The behavior that every engine shares. Inherit, with fixtures `engine` and `shell_image`."""

    def test_nothing_is_left(self, engine: Engine) -> None:
        """The tests of this class leave nothing of this session behind."""
        filters = {"label": [f"containerkit.session={engine._core.session.id}"]}
        assert engine.containers.list(all=True, filters=filters) == []
        assert engine.volumes.list(filters=filters) == []
        assert engine.networks.list(filters=filters) == []
