"""Scenarios: logs."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    InvalidOption,
)
from ...resources.container import Container
from .base import (
    Scenarios,
    needs,
)


class LogScenarios(Scenarios):
    """Logs."""

    @needs(Capability.PROCESSES)
    def test_logs_are_complete(self, engine: Engine, shell_image: str) -> None:
        """Logs are complete, with the two streams apart."""
        line = "seq 1 3000; seq 3001 6000 >&2"
        with engine.start(shell_image, ["sh", "-c", line]) as container:
            container.wait(timeout=60)
            logs = container.logs()
            assert logs.stdout.split() == [str(number) for number in range(1, 3001)]
            assert logs.stderr.split() == [str(number) for number in range(3001, 6001)]

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(
        ("stream", "out", "err"), [("stdout", "o\n", ""), ("stderr", "", "e\n"), (None, "o\n", "e\n")]
    )
    def test_logs_of_one_stream(self, engine: Engine, shell_image: str, stream: Any, out: str, err: str) -> None:
        """stream= selects one stream."""
        with engine.start(shell_image, ["sh", "-c", "echo o; echo e >&2"]) as container:
            container.wait(timeout=30)
            logs = container.logs(stream)
            assert (logs.stdout, logs.stderr) == (out, err)

    @pytest.mark.parametrize(
        ("tail", "expected"), [(0, []), (1, ["5"]), (3, ["3", "4", "5"]), (99, ["1", "2", "3", "4", "5"])]
    )
    def test_logs_tail(self, engine: Engine, shell_image: str, tail: int, expected: list[str]) -> None:
        """tail= counts lines, and 0 means none."""
        with engine.start(shell_image, ["seq", "5"]) as container:
            container.wait(timeout=30)
            assert list(container.logs(tail=tail)) == expected

    def test_logs_without_newline(self, engine: Engine, shell_image: str) -> None:
        """A last line without a newline is kept."""
        with engine.start(shell_image, ["printf", "a\\nb"]) as container:
            container.wait(timeout=30)
            assert container.logs().stdout_bytes == b"a\nb"

    @needs(Capability.PROCESSES)
    def test_logs_long_line(self, engine: Engine, shell_image: str) -> None:
        """A line of 100,000 characters stays one line."""
        with engine.start(shell_image, ["sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo"]) as container:
            container.wait(timeout=30)
            assert container.logs().stdout_bytes == b"x" * 100000 + b"\n"

    def test_logs_of_nothing(self, box: Container) -> None:
        """A container without output has empty logs."""
        assert str(box.logs()) == ""

    def test_logs_timestamps(self, engine: Engine, shell_image: str) -> None:
        """timestamps=True puts the time before each line."""
        with engine.start(shell_image, ["seq", "2"]) as container:
            container.wait(timeout=30)
            for line, word in zip(container.logs(timestamps=True), ("1", "2"), strict=True):
                moment, _, rest = line.partition(" ")
                assert rest == word
                assert moment.startswith("20")

    @needs(Capability.PROCESSES)
    def test_logs_follow_to_the_end(self, engine: Engine, shell_image: str) -> None:
        """A followed log is complete, and ends with its container."""
        with engine.start(shell_image, ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done"]) as container:
            with container.stream_logs() as stream:
                data = b"".join(output.data for output in stream)
            assert data == b"1\n2\n3\n"

    @needs(Capability.PROCESSES)
    def test_logs_closed_from_another_thread(self, engine: Engine, shell_image: str) -> None:
        """Another thread can close a followed log."""
        with engine.start(shell_image, ["sh", "-c", "echo first; sleep 600"]) as container:
            stream = container.stream_logs()
            seen: list[bytes] = []
            reader = threading.Thread(target=lambda: seen.extend(output.data for output in stream))
            reader.start()
            deadline = time.monotonic() + 20
            while not seen and time.monotonic() < deadline:
                time.sleep(0.05)
            stream.close()
            reader.join(5)
            assert not reader.is_alive()
            assert seen == [b"first\n"]

    @pytest.mark.parametrize("options", [{"tail": -1}, {"tail": "x"}, {"stream": "both"}], ids=str)
    def test_logs_bad_option(self, box: Container, options: Any) -> None:
        """An invalid tail or stream raises InvalidOption."""
        with pytest.raises(InvalidOption):
            box.logs(**options)
