"""The rules of .dive-ci: the same verdicts as dive 0.13.1 on the same image, and JUnit for CI."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

import containerkit as ck
from containerkit.cli import app
from containerkit.testing.archives import ImageBuilder

IMAGE = ImageBuilder().layer(files={"a": 1000, "b": 2000}).layer(files={"a": 900, "c": 300}).tag("x:1")
RULES = [
    ("highestWastedBytes: 1900", "fail pass fail"),
    ("highestWastedBytes: 1899", "fail fail fail"),
    ('highestWastedBytes: "1.9kB"  # a limit', "fail pass fail"),
    ("highestWastedBytes: 1KiB", "fail fail fail"),
    ("lowestEfficiency: 0.76", "pass skip fail"),
    ("lowestEfficiency: '0.77'", "fail skip fail"),
    ("lowestEfficiency: disabled", "skip skip fail"),
    ("highestUserWastedPercent: disabled", "fail skip skip"),
]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "x.tar").write_bytes(IMAGE.to_docker_archive())
    return tmp_path / "x.tar"


@pytest.mark.parametrize(("rule", "expected"), RULES)
def test_verdicts_are_those_of_dive(rule: str, expected: str, archive: Path) -> None:
    """Efficiency, wasted bytes, percent; a rule that is not stated has dive's default."""
    text = f"rules:\n  {rule}\n"
    found = ck.open_archive(archive).judge(text)
    assert " ".join(one.status for one in found) == expected
    dive = shutil.which("dive")
    if dive is None:
        return
    (archive.parent / "ci").write_text(text)
    command = [dive, "--source", "docker-archive", str(archive), "--ci", "--ci-config", str(archive.parent / "ci")]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    lines = re.findall(r"(PASS|FAIL|SKIP)\S*: (\w+)", said)
    assert {name: status.lower() for status, name in lines} == {one.rule: one.status for one in found}


@pytest.mark.parametrize(
    "line", ["  bogus: 1", "lowestEfficiency: 0.9", "  lowestEfficiency: 90", "  highestWastedBytes: x"]
)
def test_a_line_that_is_no_rule_is_refused(line: str, archive: Path) -> None:
    """A misspelt rule must not pass every image."""
    with pytest.raises(ck.InvalidOption):
        ck.open_archive(archive).judge(f"rules:\n{line}\n")


def test_one_layer_passes(tmp_path: Path) -> None:
    """Without a layer on top of the base no byte of the user's is wasted."""
    (tmp_path / "one.tar").write_bytes(ImageBuilder().layer(files={"a": 1}).to_docker_archive())
    assert [one.status for one in ck.open_archive(tmp_path / "one.tar").judge("")] == ["pass", "skip", "pass"]


def test_the_command_writes_junit_and_fails(archive: Path) -> None:
    """One case a rule: failures, skips; exit code 1."""
    rules, report = archive.parent / ".dive-ci", archive.parent / "rules.xml"
    rules.write_text("rules:\n  lowestEfficiency: 0.76\n")
    found = CliRunner().invoke(app, ["waste", str(archive), "--dive-ci", str(rules), "--junit", str(report)])
    assert found.exit_code == 1
    assert "highestUserWastedPercent: found 1.58333, at most 0.1 is allowed" in found.output + found.stderr
    suite = ElementTree.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [[child.tag for child in case] for case in suite] == [[], ["skipped"], ["failure"]]
