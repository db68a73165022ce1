"""Run the notebooks on the engine under test."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import containerkit as ck

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_to_its_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs, tables and pictures are HTML, the rule holds, and nothing is left."""
    url = os.environ.get("CONTAINERKIT_ENGINE") or os.environ.get("CK_HOST", "")
    if not url:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail("CI gives every run an engine")
        pytest.skip("no engine given (CONTAINERKIT_ENGINE)")
    monkeypatch.setenv("CONTAINERKIT_ENGINE", url)
    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=180, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    shown = [output.data.get("text/html", "") for output in outputs if "data" in output]
    assert sum("<svg" in html for html in shown) == 6
    assert sum("<table" in html for html in shown) >= 3
    told = "".join(output.text for output in outputs if output.output_type == "stream")
    says, measured = re.findall(r"(\d+\.\d+)", told)[:2]
    assert says == measured
    with ck.connect(url) as engine:
        assert not [image for image in engine.images.list() if any("/nb-" in ref for ref in image.refs)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    """A committed notebook has no outputs."""
    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
