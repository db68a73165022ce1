"""Write the notebooks: from each source in this folder one in English and one in Spanish, with the same code.

    python examples/notebooks/build.py

A source is Python in jupytext's percent format. A cell of text has its language in its first line; code has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
import nbformat

HERE = Path(__file__).resolve().parent
LANGUAGES = ("en", "es")
SOURCES = tuple(sorted(path for path in HERE.glob("*.py") if path != Path(__file__).resolve()))


def notebook(source: Path, language: str) -> str:
    """Return a source as a notebook in one language, without outputs."""
    read = jupytext.read(source, fmt="py:percent")
    cells = [cell for cell in read.cells if cell.cell_type == "code" or cell.metadata["lang"] == language]
    for number, cell in enumerate(cells):
        cell.id, cell.metadata = f"cell-{number}", {}
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    form: Any = nbformat  # it has no annotations
    made = form.v4.new_notebook(cells=cells, metadata=kernel)
    form.validate(made)
    return f"{form.writes(made)}\n"


def target(source: Path, language: str) -> Path:
    """Return where the notebook of a source belongs."""
    return HERE / language / f"{source.stem}.ipynb"


def main() -> None:
    for language in LANGUAGES:
        (HERE / language).mkdir(exist_ok=True)
        for source in SOURCES:
            target(source, language).write_text(notebook(source, language), encoding="utf-8")


if __name__ == "__main__":
    main()
