"""Reports for other programs, and findings that are accepted for a time."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from containerkit.errors import InvalidOption
from containerkit.isolation import AuditReport, load_baseline, to_junit, to_sarif
from containerkit.isolation.audit import judge_containers
from containerkit.isolation.audited import ContainerFacts

from . import world


def audit() -> AuditReport:
    loose = ContainerFacts("1" * 64, "web\x1b", privileged=True, memory=1, pids=1)
    default = ContainerFacts("2" * 64, "db", masked=True, memory=1, pids=1)
    unseen = ContainerFacts("3" * 64, "gone", problem="it <broke>")
    facts = world.facts("docker-rootful", containers=(loose, default, unseen))
    return AuditReport("docker 28", None, judge_containers(facts))


def test_sarif() -> None:
    """A run for each report; each result names a rule that is described, and has a level."""
    log = json.loads(json.dumps(to_sarif(world.report(world.facts("docker-rootful")), audit())))
    assert log["version"] == "2.1.0"
    assert len(log["runs"]) == 2
    for run in log["runs"]:
        rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
        assert {result["ruleId"] for result in run["results"]} == rules
        assert {result["level"] for result in run["results"]} <= {"error", "warning", "note"}
        assert all(result["message"]["text"] for result in run["results"])
    privileged = log["runs"][1]["results"][0]
    assert (privileged["ruleId"], privileged["level"]) == ("privileged", "error")


def test_junit() -> None:
    """The counts of a suite are those of its cases, and no text breaks the XML."""
    root = Xml.fromstring(to_junit(world.report(world.facts("docker-rootful")), audit()))
    for suite in root:
        assert int(suite.get("tests", "")) == len(suite)
        assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped"))
    assert [case.get("classname") for case in root[1]] == ["web", "db", "gone"]
    assert [len(case) for case in root[1]] == [1, 0, 1]


def test_a_baseline_holds_until_its_day(tmp_path: Path) -> None:
    """An entry covers one finding of the containers that it names, until its last day."""
    path = tmp_path / "known.json"
    entry = {"id": "mount", "container": "web*", "reason": "logs", "expires": "2030-01-31"}
    path.write_text(json.dumps([entry, {"id": "mac", "reason": "none here", "expires": "2030-01-31"}]))
    known = load_baseline(path)
    day = date(2030, 1, 31)
    assert known.covers("mount", "web1", today=day)
    assert known.covers("mac", today=day)
    assert not known.covers("mount", "db", today=day)
    assert not known.covers("mount", today=day)
    assert not known.covers("mount", "web1", today=date(2030, 2, 1))
    assert known.expired(day) == ()
    assert known.to_dict()["known"][0] == entry
    assert len(known.expired(date(2030, 2, 1))) == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[3]",
        '[{"id": "mount", "expires": "2030-01-31"}]',
        '[{"id": "mount", "reason": "x"}]',
        '[{"id": "mount", "reason": "x", "expires": "soon"}]',
        '[{"id": "mount", "reason": "x", "expires": "2030-01-31", "contaner": "web"}]',
    ],
)
def test_a_baseline_without_reason_or_day_is_refused(tmp_path: Path, content: str) -> None:
    """Every entry has a reason and a last day, and nothing unknown."""
    path = tmp_path / "known.json"
    path.write_text(content)
    with pytest.raises(InvalidOption, match="baseline"):
        load_baseline(path)
    with pytest.raises(InvalidOption, match="baseline"):
        load_baseline(tmp_path / "nothing")
