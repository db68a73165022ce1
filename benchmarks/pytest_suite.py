"""Time a suite of 30 tests with one service under `pytest -n 4`: the fixtures of containerkit, and testcontainers.

python benchmarks/pytest_suite.py IMAGE PYTHON_WITH_TESTCONTAINERS [ROUNDS]

IMAGE is on the engine already and has a shell. The same suite with neither, whose service is nothing, is the base.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = """
import pytest

@pytest.mark.parametrize("number", range(30))
def test_service(number, service):
    assert service
"""
COMMAND = '["sh", "-c", "echo ready; exec sleep 600"]'
OURS = """
import pytest
from containerkit import wait

@pytest.fixture(scope="session")
def service(shared_containers):
    return shared_containers("{image}", {command}, wait=wait.log_line("ready"))
"""
PEER = """
import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

@pytest.fixture(scope="session")
def service():
    container = DockerContainer("{image}").with_command({command}).waiting_for(LogMessageWaitStrategy("ready"))
    with container:
        yield container
"""
NOTHING = """
import pytest

@pytest.fixture(scope="session")
def service():
    return True
"""


def run(python: str, conftest: str) -> float:
    """Run the suite in a new folder and return the seconds it took as a whole process."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "conftest.py").write_text(conftest)
        Path(folder, "test_suite.py").write_text(TESTS)
        command = [python, "-m", "pytest", "-q", "-n", "4", "-p", "no:cacheprovider", folder]
        environment = {**os.environ, "TESTCONTAINERS_RYUK_DISABLED": "true"}
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
        seconds = time.monotonic() - began
        if done.returncode or not re.search(r"\b30 passed", done.stdout):
            raise SystemExit(done.stdout + done.stderr)
    return seconds


def main(image: str, peer: str, rounds: str = "5") -> None:
    """Run the suites in turns, after a warm-up, and print medians."""
    suites = {
        "containerkit": (sys.executable, OURS.format(image=image, command=COMMAND)),
        "testcontainers": (peer, PEER.format(image=image, command=COMMAND)),
        "nothing, containerkit's Python": (sys.executable, NOTHING),
        "nothing, testcontainers' Python": (peer, NOTHING),
    }
    seconds: dict[str, list[float]] = {name: [] for name in suites}
    for turn in range(int(rounds) + 1):
        for name, suite in suites.items():
            taken = run(*suite)
            if turn:
                seconds[name].append(taken)
    for name, taken_all in seconds.items():
        print(f"{name}: {statistics.median(taken_all):.2f} s (from {min(taken_all):.2f} to {max(taken_all):.2f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
