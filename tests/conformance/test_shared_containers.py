"""The plugin's shared containers under pytest-xdist."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import containerkit as ck

SUITE = """
from pathlib import Path
import pytest

@pytest.fixture(scope="session")
def service(shared_containers):
    return shared_containers({image!r}, "sleep 600", labels={{"containerkit.test.shared": {mark!r}}})

@pytest.mark.parametrize("number", range(3))
def test_the_service_is_shared(number, service, worker_id):
    assert service.exec("echo hello").stdout == "hello\\n"
    (Path({folder!r}) / f"{{worker_id}}-{{number}}").write_text(service.id)
"""


SLOW = """
import time
from pathlib import Path
import pytest

@pytest.fixture(scope="session")
def service(shared_containers):
    return shared_containers({image!r}, "sleep 600", labels={{"containerkit.test.shared": {mark!r}}})

@pytest.mark.parametrize("number", range(4))
def test_the_service_is_shared(number, service, worker_id):
    (Path({folder!r}) / f"{{worker_id}}-{{number}}").write_text(service.id)
    time.sleep(600)
"""


def command(engine: ck.Engine, folder: Path, *more: str) -> list[str]:
    """Return the command line of a run of the suite in a folder, by two workers."""
    options = ["-p", "containerkit.pytest_plugin", "-p", "no:cacheprovider", "-n", "2", "--require-container-engine"]
    return [sys.executable, "-m", "pytest", *options, "--container-engine", engine.url, *more, str(folder)]


def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds; a busy machine may take long."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(1)


def test_two_workers_of_xdist_share_one_container(engine: ck.Engine, shell_image: str, tmp_path: Path) -> None:
    """Each of two workers runs all tests: one container serves both, and none is left."""
    pytest.importorskip("xdist")
    mark, told = str(tmp_path), tmp_path / "told"
    told.mkdir()
    (tmp_path / "test_suite.py").write_text(SUITE.format(image=shell_image, mark=mark, folder=str(told)))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(command(engine, tmp_path, "--dist", "each"), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {path.name for path in told.iterdir()}
    assert names == {f"gw{worker}-{number}" for worker in (0, 1) for number in range(3)}, done.stdout
    assert len({path.read_text() for path in told.iterdir()}) == 1, "each worker started a container of its own"
    assert not engine.containers.list(all=True, filters={"label": [f"containerkit.test.shared={mark}"]})


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_interrupted_run_leaves_nothing(
    engine: ck.Engine, shell_image: str, tmp_path: Path, how: signal.Signals
) -> None:
    """Both workers are in a test when the signal reaches the whole run, as from a terminal; the container goes."""
    pytest.importorskip("xdist")
    mark, told = str(tmp_path), tmp_path / "told"
    told.mkdir()
    (tmp_path / "test_suite.py").write_text(SLOW.format(image=shell_image, mark=mark, folder=str(told)))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def left() -> list[ck.Container]:
        return engine.containers.list(all=True, filters={"label": [f"containerkit.test.shared={mark}"]})

    with subprocess.Popen(command(engine, tmp_path), stdout=subprocess.PIPE, start_new_session=True) as run:
        try:
            eventually(lambda: run.poll() is not None or len(list(told.iterdir())) >= 2, "no two tests began")
            assert len(left()) == 1
            os.killpg(run.pid, how)
            eventually(lambda: run.poll() is not None, "pytest did not end")
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
    eventually(lambda: not left(), "the container is still there")
