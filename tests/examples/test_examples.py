"""Run the example scripts on a real engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from containerkit.testing.archives import ImageBuilder

EXAMPLES = Path(__file__).parents[2] / "examples"
BASE, ADDED = 20_000_000, 500_000


@pytest.fixture
def engine_url() -> str:
    """Return the URL of the engine. No engine is a failure in CI, and a skip elsewhere."""
    # engines.sh sets CK_HOST; nox sets CONTAINERKIT_ENGINE, also for a user's own engine
    url = os.environ.get("CONTAINERKIT_ENGINE") or os.environ.get("CK_HOST", "")
    if not url and os.environ.get("CI", "").lower() not in ("1", "true"):
        pytest.skip("no engine given (CONTAINERKIT_ENGINE or CK_HOST)")
    assert url, "CI gives every run an engine"
    return url


def run(*command: str) -> str:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ten_images_keep_the_rule(engine_url: str, tmp_path: Path) -> None:
    """The measured ratio is N(B+d) / (B+Nd), and the disk agrees within 4 %."""
    base = tmp_path / "base.tar"
    image = ImageBuilder().layer(files={"base": os.urandom(BASE)}).tag(f"containerkit/base:{os.getpid()}")
    base.write_bytes(image.to_docker_archive())
    told = run(str(EXAMPLES / "ten_images.py"), str(base), "--engine", engine_url, "--added", str(ADDED))
    rule = 10 * (BASE + ADDED) / (BASE + 10 * ADDED)
    measured = re.search(r"says (\d+\.\d+); measured (\d+\.\d+)", told)
    assert measured, told
    assert float(measured[1]) == pytest.approx(rule, abs=0.01)
    assert float(measured[2]) == pytest.approx(rule, abs=0.01)
    disk = re.search(r"really on disk.*?([\d.]+) times less", told)
    assert disk, told
    # Docker's records of a layer take 60 KB: 2 % of these small images
    assert float(disk[1]) == pytest.approx(rule, rel=0.04)


@pytest.mark.usefixtures("shell")
def test_a_lab_takes_the_detour(engine_url: str, tmp_path: Path) -> None:
    """The page arrives over the fast link, not while it is down, and again over the slow one."""
    drawing = tmp_path / "lab.svg"
    told = run(str(EXAMPLES / "network_lab.py"), "--engine", engine_url, "--svg", str(drawing))
    page = "hello from the other site"
    assert told.splitlines()[-3:] == [f"page: {page}", "fast link down: no answer", f"slow link: {page}"]
    assert drawing.read_text().startswith("<svg")
