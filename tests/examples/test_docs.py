"""Run the Python blocks of the README and of docs/ on the engine under test."""

from __future__ import annotations

import ast
import contextlib
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from tests.examples.conftest import SHELL, everything
from tests.pages import ROOT, Block, blocks, pages, same_output

PAGES = [page for page in pages() if any(block.language == "python" for block in blocks(page))]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Change to an empty directory that a rootless engine can read."""
    with tempfile.TemporaryDirectory(prefix="containerkit-docs-") as name:
        path = Path(name)
        path.chmod(0o755)
        monkeypatch.chdir(path)
        yield path


def run_block(block: Block, names: dict[str, Any]) -> str:
    """Run one block in the page's namespace and return what it printed."""
    tree = ast.parse(block.text, filename=str(block.page))
    ast.increment_lineno(tree, block.line - 1)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, str(block.page), "exec"), names)
    return printed.getvalue()


def refused(block: Block, engine: ck.Engine) -> bool:
    """Return whether the block needs a capability that this engine lacks."""
    return "needs" in block.notes and ck.Capability(block.notes["needs"]) not in engine.capabilities


def shown_here(block: Block, engine: ck.Engine) -> bool:
    """Return whether the output is of an engine like this one."""
    return block.notes.get("output with") != "disk" or engine.savings(SHELL).disk_bytes is not None


@pytest.mark.usefixtures("folder", "shell")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_holds_on_this_engine(page: Path, engine: ck.Engine) -> None:
    """Every block of a page runs in order, prints the output of the page, and leaves nothing behind."""
    before = everything(engine)
    names: dict[str, Any] = {"__name__": "__main__"}
    printed: str | None = None
    try:
        for block in blocks(page):
            if block.language == "python" and "not run" not in block.notes:
                printed = None
                if refused(block, engine):
                    with pytest.raises((ck.Unsupported, ck.LimitNotEnforced)):
                        run_block(block, names)
                    continue
                ends = (SystemExit,) if "may raise" in block.notes else ()
                with contextlib.suppress(*ends):
                    printed = run_block(block, names)
            elif block.language == "text" and printed is not None and shown_here(block, engine):
                varies = "figures vary" in block.notes
                told = f"{block.where} shows another output than\n{printed}"
                assert same_output(block.text, printed, figures_vary=varies), told
                printed = None
    finally:
        for name in names.values():
            if isinstance(name, ck.Engine):
                name.close()
    assert everything(engine) - before == set(), "the page leaves things behind"


@pytest.mark.usefixtures("shell")
def test_the_page_about_tests_passes_its_own(folder: Path) -> None:
    """The tests on the page about tests pass."""
    page = ROOT / "docs" / "how-to" / "test-with-containers.md"
    conftest, tests = (block.text for block in blocks(page) if block.language == "python")
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_page.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--require-container-engine", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def columns(page: Path) -> dict[str, dict[str, bool]]:
    """Return engine name -> capability -> declared, from the table of capabilities."""
    _, _, table = page.read_text().partition("## Capabilities")
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines() if "|" in line]
    head, _, *body = rows
    names = [name for name in head if name]
    return {name: {row[0].strip("`"): row[index + 1] == "yes" for row in body} for index, name in enumerate(names)}


def test_the_table_of_capabilities_is_right_about_this_engine(engine: ck.Engine) -> None:
    """docs/engines.md lists the capabilities that this engine declares; other engines are skipped."""
    info = engine.info()
    for name, said in columns(ROOT / "docs" / "engines.md").items():
        words = name.replace(",", "").split()
        kind, version = words[0].lower(), words[1]
        if (kind, info.rootless) != (info.kind, "rootless" in words) or not info.version.startswith(f"{version}."):
            continue
        if f"v{info.cgroup_version}" not in words and "cgroup" in words:
            continue
        if ("containerd" in words) != (info.image_store == "containerd"):
            continue
        assert {each.value: each in engine.capabilities for each in ck.Capability} == said
        return
    pytest.skip(f"docs/engines.md does not name {info.kind} {info.version}")
