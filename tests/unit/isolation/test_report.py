"""What a report gives out: stable keys for programs, text that cannot break out of its place for people."""

from __future__ import annotations

import html
import json
import pickle
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from containerkit.isolation import (
    AuditReport,
    IsolationReport,
    audit_schema,
    compare_reports,
    evaluate,
    report_schema,
    statements,
)
from containerkit.isolation.audit import judge_containers
from containerkit.isolation.audited import ContainerFacts
from containerkit.isolation.checks import CATALOGUE
from containerkit.isolation.meanings import MEANINGS
from containerkit.isolation.values import CheckResult, Evidence, Remediation, Severity, Source, Status

from . import world

NASTY = "a|b\n<script>alert(1)</script> `rm`"


@pytest.fixture
def report() -> IsolationReport:
    return world.report(world.facts("docker-rootful"))


def test_to_dict_is_json_with_a_schema(report: IsolationReport) -> None:
    """The format names itself and its version, and survives JSON."""
    told = report.to_dict()
    assert told["schema"] == "containerkit.isolation/1"
    assert json.loads(json.dumps(told)) == told
    assert set(told) == {
        "schema",
        "engine",
        "endpoint",
        "about",
        "started",
        "duration",
        "gates",
        "limits",
        "counts",
        "results",
    }
    assert set(told["results"][0]) == {
        *("id", "title", "group", "status", "severity", "summary", "reason", "evidence", "conflicts", "remediation"),
    }


def test_counts_add_up(report: IsolationReport) -> None:
    """Every result is counted once."""
    assert sum(report.counts.values()) == len(report) == len(list(report))


def test_get_names_what_there_is(report: IsolationReport) -> None:
    """An unknown id is a KeyError that lists the others."""
    with pytest.raises(KeyError, match="engine-rootless"):
        report.get("nothing")


def test_the_same_facts_give_the_same_results() -> None:
    """Judging is a pure function."""
    assert world.report(world.facts("podman-rootless")) == world.report(world.facts("podman-rootless"))


def test_a_hostile_answer_stays_in_its_cell() -> None:
    """What an engine says reaches a page as text, never as markup, a new row or a command."""
    result = CheckResult(
        id="x",
        title=NASTY,
        group="A",
        status=Status.FAIL,
        severity=Severity.HIGH,
        summary=NASTY,
        evidence=(Evidence(Source.ENGINE, "what", NASTY),),
        remediation=Remediation(NASTY, (NASTY,)),
    )
    report = IsolationReport(NASTY, NASTY, (result,))
    assert "<script>" not in report._repr_html_()
    markdown = report.to_markdown()
    assert not [line for line in markdown.splitlines() if "<script>" in line and not line.startswith("  - `")]
    assert all(line.count("`") == 2 for line in markdown.splitlines() if line.startswith("  - `"))
    (row,) = (line for line in markdown.splitlines() if line.startswith("| x "))
    assert row.replace(r"\|", "").count("|") == 5


def test_values_are_frozen_and_can_travel(report: IsolationReport) -> None:
    """A report can be pickled, and not be changed."""
    assert pickle.loads(pickle.dumps(report)) == report
    with pytest.raises(AttributeError):
        report.results[0].status = Status.PASS  # type: ignore[misc]


def test_reprs_are_readable(report: IsolationReport) -> None:
    """In a notebook, a value says what it is."""
    assert repr(report).startswith("<IsolationReport of docker 20.10.24+dfsg1 at unix:///run/engine.sock: ")
    assert repr(report.get("engine-rootless")) == "<engine-rootless: fail (medium), the engine runs as root>"


def test_text_has_every_check(report: IsolationReport) -> None:
    """For a terminal: every id, in groups."""
    assert all(result.id in report.to_text() for result in report)


def test_statements_follow_the_evidence() -> None:
    """What lectures say is true of some engines and not of others."""
    said = {name: {s.text: s.answer for s in statements(world.report(world.facts(name)))} for name in world.ENGINES}
    root = "root in a container is root on the host"
    assert [said[name][root] for name in world.ENGINES] == ["true", "false", "false", "true", "false"]
    daemon = "containers need a daemon"
    assert [said[name][daemon] for name in world.ENGINES] == ["true", "true", "true", "false", "false"]
    assert {said[name]["one container cannot starve the host"] for name in world.ENGINES} == {"false"}
    assert [said[name]["limits hold"] for name in world.ENGINES] == ["true", "false", "true", "true", "false"]
    keys = "a container can reach the keys of the host's root"
    assert [said[name][keys] for name in world.ENGINES] == ["false", "false", "false", "true", "false"]
    assert {said[name]["containers share the host's kernel"] for name in world.ENGINES} == {"true"}


def test_a_conflict_makes_a_statement_unknown() -> None:
    """Where the evidence disagrees, nothing is said."""
    found = world.report(world.change(world.facts("docker-rootful"), "peer", uid=1002))
    assert {s.text: s.answer for s in statements(found)}["the engine runs as root"] == "unknown"


def test_comparison_has_a_column_for_each_report() -> None:
    """One row for each check and statement, one column for each report, no two headings alike."""
    reports = [world.report(world.facts(name)) for name in world.ENGINES]
    table = compare_reports(*reports, reports[0])
    assert len(table.columns) == len(set(table.columns)) == 7
    assert all(len(row) == 7 for row in table.rows)
    assert any(row[0] == "keyring" for row in table.rows)
    assert "root in a container is root on the host" in str(table.rows)


def test_comparison_of_nothing_and_of_parts() -> None:
    """No reports give an empty table; checks that one report lacks are empty cells."""
    assert not compare_reports().rows
    part = replace(world.report(world.facts("docker-rootful")), results=())
    table = compare_reports(part, world.report(world.facts("podman-rootful")))
    assert any(row[0] == "keyring" and row[1] == "" for row in table.rows)


def test_remediation_is_given_only_where_something_is_wrong(report: IsolationReport) -> None:
    """What passes needs no advice."""
    assert not [r for r in report if r.remediation and r.status in (Status.PASS, Status.INFO, Status.NA)]
    assert report.get("engine-rootless").remediation is not None


def test_a_report_is_a_table_too(report: IsolationReport) -> None:
    """One row a check, for whoever shows tables."""
    assert len(report.table().rows) == len(report)


def fits(value: Any, schema: Any, whole: Any) -> bool:
    """Whether a value fits a schema; only the words that the shipped schema uses."""
    if "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int}
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if names and not any(number if n in ("number", "integer") else isinstance(value, kinds[n]) for n in names):
        return False
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return False
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return False
    if isinstance(value, list):
        return all(fits(item, schema.get("items", {}), whole) for item in value)
    if isinstance(value, dict) and "object" in names:
        known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        if not set(schema.get("required", ())) <= set(value) or (others is False and not set(value) <= set(known)):
            return False
        return all(fits(item, known.get(key, others or {}), whole) for key, item in value.items())
    return True


@pytest.mark.parametrize("engine", world.ENGINES)
def test_reports_fit_the_shipped_schema(engine: str) -> None:
    """Every report fits; a missing key, a new key and a status that does not exist do not."""
    schema, told = report_schema(), world.report(world.facts(engine)).to_dict()
    assert fits(told, schema, schema)
    assert not fits({key: value for key, value in told.items() if key != "results"}, schema, schema)
    assert not fits({**told, "more": 1}, schema, schema)
    assert not fits({**told, "results": [{**told["results"][0], "status": "maybe"}]}, schema, schema)


def test_audits_fit_the_shipped_schema() -> None:
    """An audit of a loose and of an unreadable container fits; a severity that does not exist does not."""
    loose = ContainerFacts("1" * 64, "web", privileged=True, cap_add=("SYS_ADMIN",))
    unseen = ContainerFacts("3" * 64, "gone", problem="it broke")
    facts = world.facts("docker-rootful", containers=(loose, unseen))
    schema, told = audit_schema(), AuditReport("docker 28", None, judge_containers(facts)).to_dict()
    assert fits(told, schema, schema)
    assert told["containers"][0]["findings"]
    assert not fits({**told, "worst": "terrible"}, schema, schema)
    assert not fits({**told, "containers": [{**told["containers"][0], "more": 1}]}, schema, schema)


def test_what_is_wrong_is_explained_in_every_form() -> None:
    """For each fail and warn, text, Markdown and HTML have the meaning, the evidence and the fix."""
    found = world.report(world.facts("docker-rootful"))
    forms = [" ".join(html.unescape(form).split()) for form in (found.to_text(), found.to_markdown(), found.to_html())]
    wrong = [r for r in found if r.status in (Status.FAIL, Status.WARN)]
    assert wrong
    for result in wrong:
        for form in forms:
            assert MEANINGS[result.id].replace("`", "") in form.replace("`", ""), result.id
            assert all(item.what in form for item in result.evidence), result.id
            assert result.remediation is None or result.remediation.text.split('"')[0] in form, result.id


def test_every_check_has_a_meaning() -> None:
    """The table of meanings has each check of the catalogue and no other."""
    assert set(MEANINGS) == {check.id for check in CATALOGUE}
    assert all(text.endswith(".") for text in MEANINGS.values())


def test_the_header_says_when_where_and_who() -> None:
    """Date, machine, user and versions stand above the results."""
    facts = world.change(world.facts("docker-rootful"), "client", user="ana", machine="lab7")
    found = evaluate(facts, started=1_700_000_000.0)
    for form in (found.to_text(), found.to_markdown(), found.to_html()):
        assert all(word in form for word in ("2023-11-14", "lab7", "ana", "20.10.24", "overlay2")), form[:400]


def test_the_page_is_whole_and_has_the_drawing() -> None:
    """Well-formed markup, a picture with a text for screen readers, no address to load anything from."""
    page = world.report(world.facts("podman-rootless")).to_html()
    root = ElementTree.fromstring(re.sub(r"<meta[^>]*>|<br>|<!doctype html>", "", page))
    (drawing,) = [element for element in root.iter() if element.tag.endswith("svg")]
    assert "uid 1001" in (drawing.findtext("title") or "")
    assert not re.search("(src|href)=", page)


def test_four_engines_fit_a_terminal() -> None:
    """100 columns hold the comparison of four engines, and no word is lost."""
    compared = compare_reports(*(world.report(world.facts(name)) for name in world.ENGINES[:4]))
    text = compared.to_text(width=100)
    assert max(map(len, text.splitlines())) <= 100
    assert "root-equivalence" in text
    assert len(text.splitlines()) < 400
