"""The one suite that every engine has to pass: a class of pytest tests, one fact each.

Give it two fixtures and inherit::

    class TestMyEngine(EngineConformance):
        @pytest.fixture(scope="session")
        def engine(self) -> Iterator[Engine]: ...        # open

        @pytest.fixture(scope="session")
        def shell_image(self) -> str: ...                # a local image with busybox, its applets linked

An engine in memory, without Capability.PROCESSES, is asked what needs no process. The commands that the suite then
still runs have to be scripted: true, false, touch, cat, printf, echo, seq; sleep, sh and httpd only have
to be in the image.

Everything it makes carries a unique name and the session's labels, and is removed; nothing else is touched. Published
ports are looked for at 127.0.0.1: run it where the engine's own is.
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
    """What every engine does the same. Inherit, with fixtures `engine` and `shell_image`."""

    def test_nothing_is_left(self, engine: Engine) -> None:
        """After all of these tests nothing of this session is there."""
        filters = {"label": [f"containerkit.session={engine._core.session.id}"]}
        assert engine.containers.list(all=True, filters=filters) == []
        assert engine.volumes.list(filters=filters) == []
        assert engine.networks.list(filters=filters) == []
