"""Time a suite of 30 tests with one service under `pytest -n 4`: the fixtures of containerkit, and testcontainers.

python benchmarks/pytest_suite.py IMAGE PYTHON_WITH_TESTCONTAINERS [ROUNDS]

IMAGE is on the engine already and has a shell; each test asks for the address of a published port. The same suite with
neither, whose service is nothing, is the base. Install containerkit from its wheel, and the same plugins in both
environments: what is imported from a checkout may have to be compiled by every worker.
"""

from __future__ import annotations

import os
import re
import resource
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
    assert service() != ""
"""
COMMAND = '["sh", "-c", "echo ready; exec sleep 600"]'
OURS = """
import pytest
from containerkit import wait

@pytest.fixture(scope="session")
def service(shared_containers):
    web = shared_containers("{image}", {command}, publish={{80: None}}, wait=wait.log_line("ready"))
    return lambda: str(web.port(80))
"""
PEER = """
import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

@pytest.fixture(scope="session")
def service():
    web = DockerContainer("{image}").with_command({command}).with_exposed_ports(80)
    with web.waiting_for(LogMessageWaitStrategy("ready")):
        yield lambda: f"{{web.get_container_host_ip()}}:{{web.get_exposed_port(80)}}"
"""
NOTHING = """
import pytest

@pytest.fixture(scope="session")
def service():
    return lambda: "nothing"
"""


def run(python: str, conftest: str) -> tuple[float, float]:
    """Run the suite in a new folder and return its seconds, and its seconds of processor, as a whole process."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "conftest.py").write_text(conftest)
        Path(folder, "test_suite.py").write_text(TESTS)
        command = [python, "-m", "pytest", "-q", "-n", "4", "-p", "no:cacheprovider", folder]
        environment = {**os.environ, "TESTCONTAINERS_RYUK_DISABLED": "true"}
        began, used = time.monotonic(), processor()
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
        seconds = time.monotonic() - began, processor() - used
        if done.returncode or not re.search(r"\b30 passed", done.stdout):
            raise SystemExit(done.stdout + done.stderr)
    return seconds


def processor() -> float:
    """Return the seconds of processor of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(image: str, peer: str, rounds: str = "5") -> None:
    """Run the suites in turns, after a warm-up, and print medians."""
    suites = {
        "containerkit": (sys.executable, OURS.format(image=image, command=COMMAND)),
        "testcontainers": (peer, PEER.format(image=image, command=COMMAND)),
        "nothing, containerkit's Python": (sys.executable, NOTHING),
        "nothing, testcontainers' Python": (peer, NOTHING),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in suites}
    for turn in range(int(rounds) + 1):
        for name, suite in suites.items():
            taken = run(*suite)
            if turn:
                seconds[name].append(taken)
    for name, taken_all in seconds.items():
        whole, work = ([each[index] for each in taken_all] for index in (0, 1))
        print(
            f"{name}: {statistics.median(whole):.2f} s (from {min(whole):.2f} to {max(whole):.2f}), "
            f"processor {statistics.median(work):.2f} s (from {min(work):.2f})"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
