"""Run the notebooks on the engine under test; compare them with their sources."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import containerkit as ck
from containerkit.labs import BASE_IMAGE
from tests.examples.conftest import everything
from tests.pages import ROOT

FOLDER = ROOT / "examples" / "notebooks"
#: Notebook -> tables and pictures that it shows at least; on every engine.
SHOWN = {
    "first_steps": (1, 0),
    "isolation": (8, 2),
    "layers": (5, 1),
    "light": (2, 5),
    "network_lab": (5, 2),
    "solutions": (0, 0),
    "ten_images": (4, 7),
}


def builder() -> Any:
    """Return the module that writes the notebooks."""
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(language: str, name: str) -> Any:
    """Return a notebook."""
    return nbformat.read(FOLDER / language / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]


def cells(notebook: Any, kind: str) -> list[str]:
    """Return the sources of the cells of a kind."""
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


#: Code of the English notebook -> what the Spanish one runs. Their cells are equal, as is tested below: fewer suffice.
FEWER = {"N, FIRST, AT_ONCE = 100, 10, 24": "N, FIRST, AT_ONCE = 20, 10, 5"}


@pytest.mark.usefixtures("shell", "tcpdump")
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("name", SHOWN)
def test_a_notebook_runs_to_its_end(
    name: str, language: str, engine: ck.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every cell runs, tables and pictures are HTML, and nothing is left on the engine."""
    monkeypatch.setenv("CONTAINERKIT_ENGINE", engine.url)
    monkeypatch.chdir(tmp_path)
    before = everything(engine)
    notebook = read(language, name)
    for cell in notebook.cells:
        for full, fewer in FEWER.items() if language == "es" else ():
            cell.source = cell.source.replace(full, fewer)
    NotebookClient(notebook, timeout=280, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    shown = [output.data.get("text/html", "") for output in outputs if "data" in output]
    tables, pictures = (sum(sign in html for html in shown) for sign in ("<table", "<svg"))
    assert (tables, pictures) >= SHOWN[name]
    assert pictures >= SHOWN[name][1]
    told = "".join(output.text for output in outputs if output.output_type == "stream")
    if name == "ten_images":
        rule, measured = re.findall(r"(\d+\.\d+)", told)[:2]
        assert rule == measured
    if name == "network_lab" and engine.images.exists(BASE_IMAGE):
        assert re.search("64.*request.*63.*reply.*63.*request.*64.*reply", "".join(shown), re.DOTALL)
    if name == "layers" and "upper" in told:
        assert "0,   0" in told, "the whiteout is not seen in the upper layer"
    assert everything(engine) - before == set(), "the notebook leaves things behind"


def test_every_notebook_is_tested() -> None:
    """Each source is among the notebooks that are run."""
    assert {source.stem for source in builder().SOURCES} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_notebook_is_as_built_from_its_source(name: str, language: str) -> None:
    """A notebook is what build.py writes today, and it has no outputs."""
    build, source = builder(), FOLDER / f"{name}.py"
    assert build.target(source, language).read_text(encoding="utf-8") == build.notebook(source, language), (
        "run: python examples/notebooks/build.py"
    )
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in read(language, name).cells)


@pytest.mark.parametrize("name", SHOWN)
def test_both_languages_have_the_same_code_and_all_of_the_text(name: str) -> None:
    """Code cells are equal; texts alternate with them in the same order, and have the same headings and code words."""
    english, spanish = read("en", name), read("es", name)
    assert cells(english, "code") == cells(spanish, "code")
    assert [cell.cell_type for cell in english.cells] == [cell.cell_type for cell in spanish.cells]
    for one, other in zip(cells(english, "markdown"), cells(spanish, "markdown"), strict=True):
        assert one != other
        marks = [re.findall(r"^(#+|\d+\.|- )", text, re.MULTILINE) for text in (one, other)]
        assert marks[0] == marks[1], f"{one}\n---\n{other}"
