"""Scenarios: health checks and wait strategies."""

from __future__ import annotations

from typing import Any

import pytest

from ... import wait
from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    EngineTimeout,
    InvalidOption,
    WrongState,
)
from ...resources.container import Container
from .base import (
    SLEEP,
    Scenarios,
    needs,
)


class WaitScenarios(Scenarios):
    """Health checks and wait strategies."""

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("command", ["test -f /tmp/ok", ["test", "-f", "/tmp/ok"]], ids=["line", "list"])
    def test_health(self, engine: Engine, shell_image: str, command: Any) -> None:
        """A health check makes the container healthy, also on an engine without a timer."""
        line = "sleep 1; touch /tmp/ok; sleep 600"
        options: Any = {"health_cmd": command, "health_interval": 1, "health_retries": 20}
        with engine.start(shell_image, ["sh", "-c", line], **options) as container:
            container.wait_until(wait.healthy(), timeout=30)
            assert container.health == "healthy"

    def test_health_never(self, engine: Engine, shell_image: str) -> None:
        """A container that stays unhealthy raises EngineTimeout with the last state."""
        options: Any = {"health_cmd": "false", "health_interval": 1, "health_retries": 1}
        with (
            engine.start(shell_image, SLEEP, **options) as container,
            pytest.raises(EngineTimeout, match="health is"),
        ):
            container.wait_until(wait.healthy(), timeout=4)

    def test_healthy_without_a_check(self, box: Container) -> None:
        """Waiting for the health of a container without a check raises InvalidOption."""
        with pytest.raises(InvalidOption):
            box.wait_until(wait.healthy())

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(
        "strategy",
        [
            wait.log_line("ready"),
            wait.log_line("l[0-9]", times=2),
            wait.command(["test", "-f", "/tmp/ok"]),
            wait.port_open(8080),
            wait.all_of(wait.log_line("ready"), wait.command("test -f /tmp/ok")),
            wait.any_of(wait.log_line("never"), wait.command("test -f /tmp/ok")),
        ],
        ids=["log", "log-times", "command", "port", "all", "any"],
    )
    def test_wait_strategies(self, engine: Engine, shell_image: str, strategy: wait.Strategy) -> None:
        """Each strategy ends when its condition holds."""
        line = "sleep 0.3; echo l1; touch /tmp/ok; echo l2; echo ready; exec httpd -f -p 8080 -h /tmp"
        with engine.start(shell_image, ["sh", "-c", line]) as container:
            assert container.wait_until(strategy, timeout=20) is container

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(
        "strategy", [wait.exited(), wait.exited(3), wait.log_line("over")], ids=["any", "code", "log"]
    )
    def test_wait_for_the_end(self, engine: Engine, shell_image: str, strategy: wait.Strategy) -> None:
        """exited() waits for the end, and log_line() reads the log of an ended container."""
        with engine.start(shell_image, ["sh", "-c", "sleep 0.2; echo over; exit 3"]) as container:
            container.wait_until(strategy, timeout=20)

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(
        "strategy", [wait.command("test -f /none"), wait.port_open(9)], ids=["command", "port"]
    )  # fmt: skip
    def test_wait_until_it_died(self, engine: Engine, shell_image: str, strategy: wait.Strategy) -> None:
        """A container that ends during the wait raises WrongState with its exit code and the end of its log."""
        with (
            engine.start(shell_image, ["sh", "-c", "echo broken; exit 4"]) as container,
            pytest.raises(WrongState, match=r"(?s)exit code 4.*broken"),
        ):
            container.wait_until(strategy, timeout=20)

    def test_wait_until_timeout(self, box: Container) -> None:
        """A condition that never holds raises EngineTimeout."""
        with pytest.raises(EngineTimeout):
            box.wait_until(wait.command("false"), timeout=1)
