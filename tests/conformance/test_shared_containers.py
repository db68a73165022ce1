"""The plugin's shared containers under pytest-xdist."""

from __future__ import annotations

import subprocess
import sys
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


def test_two_workers_of_xdist_share_one_container(engine: ck.Engine, shell_image: str, tmp_path: Path) -> None:
    """Each of two workers runs all tests: one container serves both, and none is left."""
    pytest.importorskip("xdist")
    mark, told = str(tmp_path), tmp_path / "told"
    told.mkdir()
    (tmp_path / "test_suite.py").write_text(SUITE.format(image=shell_image, mark=mark, folder=str(told)))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = "-p containerkit.pytest_plugin -p no:cacheprovider -n 2 --dist each --require-container-engine"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options.split(), "--container-engine", engine.url, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = {path.name for path in told.iterdir()}
    assert names == {f"gw{worker}-{number}" for worker in (0, 1) for number in range(3)}, done.stdout
    assert len({path.read_text() for path in told.iterdir()}) == 1, "each worker started a container of its own"
    assert not engine.containers.list(all=True, filters={"label": [f"containerkit.test.shared={mark}"]})
