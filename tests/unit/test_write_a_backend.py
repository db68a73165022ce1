"""The example of a backend by another package: it works through the public API, and is found by its entry point."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

import containerkit as ck
from containerkit import backends
from examples.process_backend import ProcessBackend
from tests.pages import ROOT, blocks


@pytest.fixture
def engine() -> Iterator[ck.Engine]:
    with ck.connect(ProcessBackend()) as opened:
        yield opened


def test_run_returns_both_streams_and_the_exit_code(engine: ck.Engine) -> None:
    """run() gives stdout, stderr, the exit code, and removes the container."""
    result = engine.run("host", ["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 3)
    assert engine.containers.list(all=True) == []


def test_run_feeds_stdin(engine: ck.Engine) -> None:
    """input= reaches the process, and its end too."""
    assert engine.run("host", "cat", input="typed\n", timeout=20).stdout == "typed\n"


def test_a_timeout_ends_the_process(engine: ck.Engine) -> None:
    """timeout= raises EngineTimeout, and removes the container."""
    with pytest.raises(ck.EngineTimeout):
        engine.run("host", "sleep 60", timeout=0.3)
    assert engine.containers.list(all=True) == []


def test_start_exec_stop_and_logs(engine: ck.Engine) -> None:
    """A container runs, takes commands, has a log, and stops."""
    with engine.start("host", ["sh", "-c", "echo ready; exec sleep 60"], name="web", env={"A": "1"}) as box:
        assert (box.name, box.status) == ("web", "running")
        assert box.exec(["sh", "-c", "cat; exit 4"], input="in").exit_code == 4
        ends = time.monotonic() + 10
        while "ready" not in box.logs() and time.monotonic() < ends:
            time.sleep(0.02)
        assert box.logs().stdout == "ready\n"
        box.stop(timeout=1)
        assert (box.status, box.exit_code) == ("exited", 143)


def test_files(engine: ck.Engine, tmp_path: Path) -> None:
    """Files go in and come out."""
    with engine.containers.create("host", "true") as box:
        box.write_file("/note", "written")
        assert box.read_file("/note") == b"written"
        assert box.copy_from("/note", tmp_path / "copy").read_text() == "written"


@pytest.mark.parametrize("verb", ["pause", "stats", "diff", "commit"])
def test_what_a_backend_leaves_out_is_unsupported(engine: ck.Engine, verb: str) -> None:
    """A method that the backend does not implement raises Unsupported."""
    with engine.start("host", "sleep 60") as box, pytest.raises(ck.Unsupported):
        getattr(box, verb)()


def test_errors_are_typed(engine: ck.Engine) -> None:
    """A missing image, program or container has its error."""
    with pytest.raises(ck.ImageNotFound):
        engine.run("other", "true", pull="never")
    with pytest.raises(ck.StartFailed):
        engine.run("host", "/no/such/program")
    with pytest.raises(ck.ContainerNotFound):
        engine.containers.get("none")


def test_connect_finds_a_registered_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """connect("process://") opens the backend that the entry point of that name gives; other names are no backend."""
    entry = EntryPoint("process", "examples.process_backend:ProcessBackend", backends.ENTRY_POINTS)
    monkeypatch.setattr("importlib.metadata.entry_points", EntryPoints([entry]).select)
    for target in ("process", "process://here"):
        with ck.connect(target) as engine:
            assert (engine.kind, engine.url) == ("process", target)
    assert backends.find_backend("other") is None


def test_the_page_shows_the_example() -> None:
    """Every Python block of the page is a part of the example."""
    source = (ROOT / "examples" / "process_backend.py").read_text()
    page = ROOT / "docs" / "how-to" / "write-a-backend.md"
    shown = [block.text for block in blocks(page) if block.language == "python" and "not run" in block.notes]
    assert len(shown) >= 2
    for text in shown:
        assert text in source or textwrap.indent(text, "    ") in source, text
