"""run() notices output that was cut, and exec() says whether a timeout ended the command."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

import containerkit as ck
from containerkit.resources.run import _exit_code
from containerkit.spec import ExecSpec
from containerkit.streams import Deadline, Output
from containerkit.testing import FakeBackend


class Outliving:
    """A container that runs on after its output ended, and then exits with 0."""

    label = "container box (0123456789ab)"

    def __init__(self, log: bytes) -> None:
        self.log = log
        self.waits = 0

    def _wait(self, timeout: float | None) -> int:
        self.waits += 1
        if self.waits == 1:
            raise ck.EngineTimeout("still running", timeout=timeout or 0.0)
        return 0

    def logs(self) -> ck.Logs:
        return ck.Logs(self.log, b"", self.log.decode())


def test_output_that_the_log_has_and_the_stream_lost() -> None:
    """A log longer than what was received raises EngineUnavailable with both lengths."""
    box: Any = Outliving(b"all of it")
    with pytest.raises(ck.EngineUnavailable, match="cut after 3 of 9 bytes"):
        _exit_code(box, Deadline.after(None), received=3)


def test_a_process_that_closed_its_output_and_ran_on() -> None:
    """A log as long as what was received is complete: the exit code is returned."""
    box: Any = Outliving(b"all of it")
    assert _exit_code(box, Deadline.after(None), received=9) == 0


class Stuck:
    """The streams of a process that writes, and does not end."""

    def exchange(self, data: object, *, timeout: float, on_idle: object) -> Iterator[Output]:
        yield Output("stdout", b"so far")
        time.sleep(timeout)
        raise ck.EngineTimeout("no end", timeout=timeout)

    def close(self) -> None:
        pass


class Hanging(FakeBackend):
    """An engine on which the command `hang` does not end."""

    def exec_container(self, ref: str, spec: ExecSpec) -> Any:
        return ("hanging", Stuck()) if spec.command == ("hang",) else super().exec_container(ref, spec)


@pytest.mark.parametrize(("shell", "outcome"), [(False, "could not be killed"), (True, "it was killed")])
def test_a_timed_out_exec_says_whether_it_was_killed(shell: bool, outcome: str) -> None:
    """The command is killed by the container's shell; without one, the message says that it still runs."""
    backend = Hanging(images=["app:1"])
    backend.on("serve", until_stopped=True)
    if shell:
        backend.on(["sh", "-c", ...], exit_code=0)
    with ck.connect(backend) as engine:
        box = engine.start("app:1", "serve")
        with pytest.raises(ck.EngineTimeout, match=outcome) as caught:
            box.exec("hang", timeout=0.2)
    assert caught.value.stdout == "so far"
