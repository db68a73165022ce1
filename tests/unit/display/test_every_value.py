"""Every public value shows itself in a notebook, and no raw dataclass is seen."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import containerkit as ck
import containerkit.display
import containerkit.isolation
import containerkit.labs
import containerkit.layers
from containerkit.isolation import CheckResult, Evidence, IsolationReport, Remediation, Severity, Source, Status
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder

#: What a user gives and nobody shows: parts of pictures and cells of tables.
PARTS = {"Bar", "Cell", "ChainLayer", "GraphBox", "Sheet"}
ROOMS = (ck, ck.labs, containerkit.isolation, containerkit.layers, containerkit.display)


def public_dataclasses() -> dict[str, type]:
    """Return the dataclasses that public rooms name."""
    named = {name: getattr(room, name) for room in ROOMS for name in room.__all__}
    return {name: each for name, each in named.items() if inspect.isclass(each) and dataclasses.is_dataclass(each)}


@pytest.mark.parametrize("name", sorted(public_dataclasses().keys() - PARTS))
def test_a_public_dataclass_shows_itself(name: str) -> None:
    """It has a form for a notebook."""
    shown = public_dataclasses()[name]
    assert hasattr(shown, "_repr_html_") or hasattr(shown, "_repr_mimebundle_")


def report() -> IsolationReport:
    """Return a report with one result of each kind."""
    evidence = (Evidence(Source.ENGINE, "GET /info", {"a": 1}),)
    results = tuple(
        CheckResult(f"check-{status}", "Is it so?", "A", status, Severity.HIGH, "it is", evidence, (),
                    Remediation("Change it.", ("echo changed",), True), "no host" if str(status) in ("unknown", "na")
                    else None)
        for status in Status
    )  # fmt: skip
    return IsolationReport("docker", "unix:///run/docker.sock", results, {}, started=0.0, duration=1.0)


SHOWN: dict[str, Callable[[ck.Engine], Any]] = {
    "run": lambda engine: engine.run("app:1", ["/bin/a"]),
    "info": lambda engine: engine.info(),
    "containers": lambda engine: engine.containers.list(all=True),
    "container": lambda engine: engine.containers.list(all=True)[0],
    "diff": lambda engine: engine.containers.list(all=True)[0].diff(),
    "logs": lambda engine: engine.containers.list(all=True)[0].logs(),
    "images": lambda engine: engine.images.list(),
    "image": lambda engine: engine.images.get("app:1"),
    "history": lambda engine: engine.images.get("app:1").history(),
    "networks": lambda engine: engine.networks.list(),
    "network": lambda engine: engine.networks.create("lan"),
    "volumes": lambda engine: engine.volumes.list(),
    "volume": lambda engine: engine.volumes.create("data"),
    "stack": lambda engine: engine.layers("app:1"),
    "layers": lambda engine: engine.layers("app:1")[:2],
    "layer": lambda engine: engine.layers("app:1")[0],
    "files": lambda engine: engine.layers("app:1")[0].files(),
    "sizes": lambda engine: engine.layers("app:1").sizes,
    "verification": lambda engine: engine.layers("app:1").verify(),
    "waste": lambda engine: engine.waste("app:1"),
    "savings": lambda engine: engine.savings(),
    "sharing": lambda engine: engine.sharing(),
    "reclaim": lambda engine: engine.reclaimable(),
    "duplicates": lambda engine: engine.duplicates(),
    "report": lambda engine: report(),
    "result": lambda engine: report().results[0],
    "results": lambda engine: report().results[0].evidence[0],
    "remedy": lambda engine: report().results[0].remediation,
    "endpoint": lambda engine: ck.Endpoint("unix:///run/docker.sock", "DOCKER_HOST"),
    "stats": lambda engine: ck.Stats(1.5, 2.0, 1000, 2000, 3, 4000, 5000, 6000, 7000, 0.0),
    "processes": lambda engine: ck.Processes(("PID", "CMD"), (("1", "sleep 9"),)),
    "progress": lambda engine: ck.Progress("Downloading", "aaa", 1, 2),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_value_is_readable_in_a_notebook(name: str) -> None:
    """HTML holds a table, an output or a picture, and neither a raw dataclass nor an address in memory."""
    builder = (
        ImageBuilder()
        .layer(files={"bin/a": b"a" * 2000}, modes={"bin/a": 0o755})
        .layer(files={"etc/b": b"b"})
        .tag("app:1")
    )
    backend = FakeBackend()
    backend.on(["/bin/a"], stdout=b"done\n")
    with ck.connect(backend) as engine:
        engine.images.load(builder.to_docker_archive())
        engine.start("app:1", ["/bin/a"], name="web")
        value = SHOWN[name](engine)
        page = value._repr_html_()
    assert re.search("<table|<pre|<svg|<details|no output|exit code", page)
    classes = "|".join(public_dataclasses())
    assert not re.search(rf"\b(?:{classes})\(\w+=| object at 0x", page)


def test_a_series_of_samples_has_a_line_of_blocks() -> None:
    """Memory, from zero to its largest value; traffic is what each second added."""
    samples = [
        ck.Stats(share, 1.0, memory, 4000, 1, total, 0, 0, 0, when)
        for share, memory, total, when in ((None, 0, 0, 0.0), (50.0, 1000, 300, 1.0), (100.0, 2000, 400, 2.0))
    ]
    series = ck.StatsSeries(samples)
    assert isinstance(series, tuple)
    text = str(series)
    assert "▁▅█" in text  # memory
    assert "█▃" in text  # received: 300, then 100
    assert "100.0 %" in text
    assert "2.00 kB" in text
    assert "3 samples in 2.0 s; memory limit 4.00 kB" in text
    assert "<table" in series._repr_html_()
    assert "no samples" in str(ck.StatsSeries())
