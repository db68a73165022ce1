"""Docstrings: their examples run, and their first lines are plain English."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import containerkit

PACKAGE = Path(containerkit.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

#: A first word of these opens a clause without a subject or verb.
HEADLESS = re.compile(
    r"(What|Who|Whose|Whether|Where|When|How|Why|Which|Was|Is|Are|Can|As|So|Those|Them|It|They|Asked|Told|There)\b"
)

#: A sentence that begins with one of these has a clause where its subject should stand.
CLAUSE = re.compile(r"(?<=[.?!] )(What|Who|Whose|Whom|Whether|Which|Was|Asked|Told|Never \w+s|Only for)\b[^.]*")
#: The docstring of a function begins with a verb, not with one of these.
NO_VERB = re.compile(
    r"(The|A|An|This|That|These|One|Each|Every|No|All|Both|Its|Their|In|On|At|By|For|With|From|Number|Docker|Podman)\b"
)


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (qualified name, docstring) of a module and everything defined in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found = ast.get_docstring(node, clean=False)
            if found is not None:
                yield getattr(node, "name", "module"), found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_docstring_begins_with_a_sentence(path: Path) -> None:
    """No docstring starts with a space, or with a clause that has no subject and verb."""
    wrong = [
        f"{name}: {text.splitlines()[0]}"
        for name, text in docstrings(path)
        if not text or text[0].isspace() or HEADLESS.match(text)
    ]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_sentence_has_a_subject(path: Path) -> None:
    """A reader who skims a docstring finds who does what at the beginning of each sentence."""
    wrong = [
        f"{name}: {found.group()}"
        for name, text in docstrings(path)
        for found in CLAUSE.finditer(" ".join(text.split()))
    ]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_docstring_of_a_function_begins_with_a_verb(path: Path) -> None:
    """As in "Return …" or "Remove …". Properties, fixtures and scenarios say what they are instead."""
    wrong = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or node.name.startswith("test_"):
            continue
        decorators = " ".join(map(ast.unparse, node.decorator_list))
        text = ast.get_docstring(node) or ""
        if NO_VERB.match(text) and "property" not in decorators and "fixture" not in decorators:
            wrong.append(f"{node.name}: {text.splitlines()[0]}")
    assert wrong == []


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if ">>>" in path.read_text()],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_examples_in_docstrings_run(path: Path) -> None:
    """Every interactive example of a docstring gives the output that it shows."""
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert (failed, attempted > 0) == (0, True)
