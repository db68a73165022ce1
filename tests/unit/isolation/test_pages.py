"""The pages on the CIS benchmark and on a lecture's sentences name checks that exist, and all that they should."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from containerkit.isolation import statements
from containerkit.isolation.checks import CATALOGUE

from . import world

DOCS = Path(__file__).parents[3] / "docs"
IDS = {check.id for check in CATALOGUE}
SOURCE = Path(__file__).parents[3] / "containerkit/isolation"


def rows(page: str) -> list[list[str]]:
    lines = (DOCS / page).read_text("utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]


def test_the_benchmark_s_table_is_complete() -> None:
    """Every number of sections 1 to 5 stands in it once, with a check that exists, or with a reason."""
    last = {"1.1": 18, "1.2": 2, "2": 18, "3": 24, "4": 12, "5": 32}
    expected = {f"{section}.{number}" for section, end in last.items() for number in range(1, end + 1)}
    found: list[str] = []
    for numbers, _, answer, podman in rows("cis-benchmark.md"):
        for part in numbers.split(", "):
            first, _, end = part.partition("–")
            head, _, low = first.rpartition(".")
            high = (end or first).rpartition(".")[2]
            found += [f"{head}.{number}" for number in range(int(low), int(high) + 1)]
        assert re.match(r"(check|audit) `|none: .+", answer), answer
        assert podman
    assert sorted(found) == sorted(expected)


def test_the_benchmark_s_checks_and_findings_exist() -> None:
    """An id after "check" is in the catalogue, one after "audit" is a finding of the code."""
    page = (DOCS / "cis-benchmark.md").read_text("utf-8")
    checks = set(re.findall(r"check `([a-z-]+)`", page))
    assert checks
    assert checks <= IDS, checks - IDS
    code = "".join((SOURCE / name).read_text("utf-8") for name in ("exposure.py", "confinement.py"))
    known = set(re.findall(r'"([a-z-]+)"', code)) | {f"host-{name}" for name in ("pid", "net", "ipc", "uts")}
    findings = set(re.findall(r"audit `([a-z-]+)`", page))
    assert findings <= known | {"apparmor", "label"}, findings - known


@pytest.mark.parametrize(
    ("column", "engine"), [(2, "docker-rootful"), (3, "docker-rootless"), (4, "podman-rootful"), (5, "podman-rootless")]
)
def test_the_lecture_s_answers_are_those_of_recorded_engines(column: int, engine: str) -> None:
    """What the page says of an engine is what its recorded facts give; version 1 of control groups holds nothing."""
    said = {s.check: s.answer for s in statements(world.report(world.facts(engine)))}
    for row in rows("lecture.md"):
        check, told = row[1].strip("`"), row[column]
        assert said[check] == ("false" if told == "on cgroup version 2" else told), (row[0], engine)
