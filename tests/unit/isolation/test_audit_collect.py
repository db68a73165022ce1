"""The audit of an engine in memory whose containers report what they were given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends.base import ContainerRecord, VolumeRecord
from containerkit.testing import FakeBackend

PLAIN: dict[str, Any] = {"Memory": 1 << 26, "PidsLimit": 100, "MaskedPaths": ["/proc/kcore"]}


class Reporting(FakeBackend):
    """Answers an inspect with a HostConfig and mounts by the container's name."""

    def __init__(self) -> None:
        super().__init__(images=["app:1"])
        self.reports: dict[str, dict[str, Any]] = {}
        self.errors: dict[str, Exception] = {}

    def inspect_container(self, ref: str, *, size: bool = False) -> ContainerRecord:
        record = super().inspect_container(ref, size=size)
        if record.name in self.errors:
            raise self.errors[record.name]
        given = self.reports.get(record.name, {})
        if "raw" in given:
            return replace(record, raw=given["raw"])
        raw = {"HostConfig": {**PLAIN, **given.get("host", {})}, "Mounts": given.get("mounts", []), "Config": {}}
        return replace(record, raw=raw)

    def list_volumes(self, *, filters: Any) -> tuple[VolumeRecord, ...]:
        if "volumes" in self.errors:
            raise self.errors["volumes"]
        return (VolumeRecord("data", "local", "/v", {}, {"device": "/etc"}, 0.0),)


@pytest.fixture
def backend() -> Reporting:
    return Reporting()


@pytest.fixture
def engine(backend: Reporting) -> Iterator[ck.Engine]:
    with ck.connect(backend) as opened:
        yield opened


def test_no_container_runs(engine: ck.Engine) -> None:
    """The report says so, in every form."""
    engine.containers.create("app:1", "true")
    report = engine.audit()
    assert (len(report), report.worst) == (0, None)
    assert "no container runs" in report.to_text()
    assert report.to_dict()["containers"] == []


def test_findings_of_several_containers(engine: ck.Engine, backend: Reporting) -> None:
    """Each has its own, worst first; the report's worst is that of all; a name or the start of an ID finds one."""
    plain, _ = engine.start("app:1", name="plain"), engine.start("app:1", name="open")
    backend.reports["open"] = {"host": {"Privileged": True}, "mounts": [{"Source": "/etc", "Destination": "/x"}]}
    report = engine.audit()
    assert {audit.name for audit in report} == {"plain", "open"}
    assert report.get("plain").worst is None
    assert report.get(plain.id[:12]) is report.get("plain")
    assert report.worst == report.get("open").worst == "critical"
    assert {finding.id for finding in report.get("open").findings} >= {"privileged"}
    with pytest.raises(KeyError, match="no container 'none'"):
        report.get("none")
    assert repr(report) == f"<AuditReport of {report.engine}: 2 containers, worst critical>"
    assert "worst None" in repr(report.get("plain"))
    document = json.loads(json.dumps(report.to_dict()))
    assert document["schema"] == "containerkit.audit/1"
    assert [each["worst"] for each in document["containers"] if each["name"] == "open"] == ["critical"]
    for text in (report.to_text(), report.to_markdown(), report._repr_html_(), report.get("open").to_text()):
        assert "privileged" in text
    assert "Running container" in report.get("open")._repr_html_()


def test_only_the_named_containers(engine: ck.Engine) -> None:
    """A container that does not run is an error."""
    engine.start("app:1", name="one")
    two = engine.start("app:1", name="two")
    assert [audit.name for audit in engine.audit("two")] == ["two"]
    assert [audit.name for audit in engine.audit(two, "one")] != ["two"]
    two.kill()
    with pytest.raises(ck.WrongState):
        engine.audit("two")


def test_a_volume_that_is_a_folder_of_the_host(engine: ck.Engine, backend: Reporting) -> None:
    """The device behind the volume counts; if the volumes cannot be listed, the rest is still judged."""
    engine.start("app:1", name="web")
    mount = {"Type": "volume", "Name": "data", "Source": "/v", "Destination": "/x", "RW": True}
    backend.reports["web"] = {"mounts": [mount]}
    assert engine.audit().worst == "critical"
    backend.errors["volumes"] = ck.EngineError("no")
    assert engine.audit().worst is None


def test_a_container_that_ended_or_fails(engine: ck.Engine, backend: Reporting) -> None:
    """One that is gone is left out; one that cannot be inspected is in the report with its problem."""
    for name in ("gone", "broken", "web"):
        engine.start("app:1", name=name)
    backend.errors = {"gone": ck.ContainerNotFound("gone"), "broken": ck.EngineError("cannot\nread it")}
    report = engine.audit()
    assert {audit.name for audit in report} == {"broken", "web"}
    assert report.get("broken").problem == "cannot"
    assert "broken" in report.to_text()


def test_an_answer_without_settings_is_a_problem(engine: ck.Engine, backend: Reporting) -> None:
    """Never a clean bill."""
    engine.start("app:1", name="web")
    backend.reports["web"] = {"raw": {"Id": "x"}}
    audit = engine.audit().get("web")
    assert audit.problem == "the engine's answer has no HostConfig"
    assert audit.findings == ()
