"""Run the example scripts on a real engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.testing.archives import ImageBuilder
from tests.examples.conftest import SHELL, everything

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


#: Example -> what it has to print, in this order.
SMALL = {
    "run_a_command.py": ["exit code 1", "can't open", "5 bytes", "it had written: started"],
    "many_commands.py": ["  1 squared is    1", " 12 squared is  144", "12 containers in"],
    "web_service.py": ["the page: hello from a container", "removed"],
    "files_in_and_out.py": ["lines: 3", "copied out: texts.tar.gz True", "/data/lines"],
    "build_with_progress.py": ["urandom", "it says: built", "a step that fails is named:", "exit 4"],
    "compare_engines.py": ["The engines of this machine"],
    "savings_here.py": ["sum of", "distinct layers"],
}


@pytest.mark.usefixtures("engine_url", "shell")
@pytest.mark.parametrize("name", SMALL)
def test_a_small_example_prints_what_it_promises(name: str, engine: ck.Engine) -> None:
    """It ends, prints the lines that it is for, and leaves nothing behind."""
    before = everything(engine)
    told = run(str(EXAMPLES / name))
    where = 0
    for line in SMALL[name]:
        where = told.find(line, where)
        assert where >= 0, f"no {line!r} in\n{told}"
    assert everything(engine) - before == set(), "the example leaves things behind"


@pytest.mark.usefixtures("engine_url", "shell")
def test_the_test_with_a_service_passes(engine: ck.Engine) -> None:
    """pytest runs it as its first line says."""
    before = everything(engine)
    options = ["-p", "no:cacheprovider", "-p", "containerkit.pytest_plugin", "--require-container-engine"]
    told = run("-m", "pytest", *options, str(EXAMPLES / "test_with_a_service.py"))
    assert "2 passed" in told
    assert everything(engine) - before == set()


@pytest.mark.usefixtures("engine_url", "shell")
def test_a_lab_room_is_cleaned(engine: ck.Engine) -> None:
    """What has ended goes when told so; what runs stays."""
    script, label = str(EXAMPLES / "clean_a_lab_room.py"), f"course={os.getpid()}"
    done = engine.containers.create(SHELL, "true", labels=[label])
    with engine.start(SHELL, "sleep 300", labels=[label]) as busy:
        assert f"{done.name}: created - would be removed" in run(script, label)
        told = run(script, label, "--yes")
        assert f"{done.name}: created - removed" in told
        assert f"{busy.name}: running - stays" in told
        left = engine.containers.list(all=True, filters={"label": [label]})
        assert [each.id for each in left] == [busy.id]


@pytest.mark.usefixtures("engine_url", "shell")
def test_homework_gets_a_verdict_each(tmp_path: Path) -> None:
    """Answers that are right, wrong, stuck, greedy or malicious do no harm to the others."""
    answers = {
        "anna": "read a b; echo $((a + b))",
        "bert": "echo 8",
        "carl": "sleep 600",
        "dora": "wget -T 3 -O - http://1.1.1.1/",
        "emil": "echo gone > /etc/passwd",
    }
    for name, text in answers.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "answer.sh").write_text(text)
    told = run(str(EXAMPLES / "homework_runner.py"), str(tmp_path))
    found = {words[0]: " ".join(words[1:]) for words in map(str.split, told.splitlines())}
    assert found["anna"] == "correct"
    assert found["bert"].startswith("wrong: '8")
    assert found["carl"] == "too slow"
    assert found["dora"].startswith("exit code")
    assert found["emil"].startswith("exit code")


def test_the_report_on_isolation_shows_its_evidence(engine_url: str) -> None:
    """It answers the statements of the lecture for the engine given."""
    told = run(str(EXAMPLES / "isolation_report.py"), engine_url)
    assert "How is it known who is root?" in told
    assert "a container can reach the keys of the host's root" in told


def test_every_example_is_tested_and_fits_a_screen() -> None:
    """A script of this folder is run above; the small ones have at most 60 lines."""
    small = {*SMALL, "test_with_a_service.py", "clean_a_lab_room.py", "homework_runner.py"}
    long = {"ten_images.py", "network_lab.py", "isolation_report.py"} | {"process_backend.py"}  # the last: tests/unit
    assert {path.name for path in EXAMPLES.glob("*.py")} == small | long
    assert {name for name in small if len((EXAMPLES / name).read_text().splitlines()) > 60} == set()


@pytest.mark.usefixtures("shell")
def test_a_lab_takes_the_detour(engine_url: str, tmp_path: Path) -> None:
    """The page arrives over the fast link, not while it is down, and again over the slow one."""
    drawing = tmp_path / "lab.svg"
    told = run(str(EXAMPLES / "network_lab.py"), "--engine", engine_url, "--svg", str(drawing))
    page = "hello from the other site"
    assert told.splitlines()[-3:] == [f"page: {page}", "fast link down: no answer", f"slow link: {page}"]
    assert drawing.read_text().startswith("<svg")
