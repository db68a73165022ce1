"""Compare the pages with the package: links, names, keyword arguments, commands, the reference."""

from __future__ import annotations

import ast
import builtins
import codeop
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit import aio, layers
from containerkit.cli import app
from containerkit.options import table
from containerkit.resources import containers, images, networks, volumes
from docs.make_reference import COMMAND, PAGE, reference
from tests.pages import ROOT, Block, blocks, links, pages, prose

WITHOUT_REFERENCE = [page for page in pages() if page != PAGE]

#: The types of variables that all pages name alike.
VARIABLES: dict[str, Any] = {
    "ck": ck,
    "engine": ck.Engine,
    "container": ck.Container,
    "image": ck.Image,
    "network": ck.Network,
    "volume": ck.Volume,
    "report": ck.IsolationReport,
    "result": ck.RunResult,
    "savings": ck.Savings,
    "stack": ck.LayerStack,
    "layer": ck.Layer,
    "waste": ck.Waste,
}
#: Attributes that __init__ sets; the class does not show them.
ATTRIBUTES = {
    "containers": containers.Containers,
    "images": images.Images,
    "networks": networks.Networks,
    "volumes": volumes.Volumes,
}
#: Other accepted spellings of an option.
ALIASES = {row.name: set(row.aliases) for each in (table.BUILD, table.EXEC, table.RUN) for row in each.values()}


class Reader(ast.NodeVisitor):
    """Follow the types of a page's names, and collect names that do not exist."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = dict(VARIABLES)
        self.wrong: list[str] = []

    def visit_Assign(self, node: ast.Assign) -> None:
        """Record the type of a variable."""
        self.generic_visit(node)
        found = self.kind_of(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.names[target.id] = found

    def visit_With(self, node: ast.With) -> None:
        """Record the type of the variable of `with … as`."""
        for item in node.items:
            self.visit(item.context_expr)
            if isinstance(item.optional_vars, ast.Name):
                self.names[item.optional_vars.id] = self.kind_of(item.context_expr)
        for line in node.body:
            self.visit(line)

    def visit_For(self, node: ast.For) -> None:
        """Forget the type of a loop's variable."""
        if isinstance(node.target, ast.Name):
            self.names.pop(node.target.id, None)
        self.generic_visit(node)

    def visit_comprehension_of(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        """Forget the type of a comprehension's variable inside of it."""
        outside = dict(self.names)
        for part in node.generators:
            for target in ast.walk(part.target):
                if isinstance(target, ast.Name):
                    self.names.pop(target.id, None)
        self.generic_visit(node)
        self.names = outside

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = visit_comprehension_of  # noqa: N815

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Check that the attribute exists."""
        self.generic_visit(node)
        self.kind_of(node, complain=True)

    def visit_Call(self, node: ast.Call) -> None:
        """Check that the function accepts the keyword arguments."""
        self.generic_visit(node)
        function = self.kind_of(node.func)
        if not callable(function):
            return
        allowed = allowed_keywords(function)
        if allowed is None:
            return
        for keyword in node.keywords:
            if keyword.arg is not None and keyword.arg not in allowed:
                self.wrong.append(f"line {node.lineno}: {ast.unparse(node.func)}() has no {keyword.arg}=")

    def kind_of(self, node: ast.expr, *, complain: bool = False) -> Any:
        """Return the class of an expression's value, or the function or module it is; None if unknown."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Call):
            called = self.kind_of(node.func)
            return called if inspect.isclass(called) else answer_of(called)
        if not isinstance(node, ast.Attribute):
            return None
        owner = self.kind_of(node.value)
        if owner is None or not (inspect.ismodule(owner) or owner.__module__.startswith("containerkit")):
            return None
        if owner in (ck.Engine, aio.Engine) and node.attr in ATTRIBUTES:
            return ATTRIBUTES[node.attr]
        if not hasattr(owner, node.attr) and node.attr not in getattr(owner, "__dataclass_fields__", {}):
            if complain:
                self.wrong.append(f"line {node.lineno}: there is no {ast.unparse(node)}")
            return None
        found = getattr(owner, node.attr, None)
        return answer_of(found.fget) if isinstance(found, property) else found


def answer_of(function: Any) -> Any:
    """Return the class that a function returns, if its annotation is a name of the package."""
    answer = getattr(function, "__annotations__", {}).get("return")
    room = inspect.getmodule(function)
    found = getattr(ck, str(answer), None) or getattr(room, str(answer), None) or getattr(layers, str(answer), None)
    return found if inspect.isclass(found) and not hasattr(builtins, str(answer)) else None


def allowed_keywords(function: Any) -> set[str] | None:
    """Return the keyword arguments that a function accepts, or None if it accepts any."""
    module = getattr(function, "__module__", "") or ""
    if not module.startswith("containerkit"):
        return None
    found = inspect.signature(function).parameters
    if any(each.kind is each.VAR_KEYWORD for each in found.values()):
        return None
    return {name for each in found for name in (each, *ALIASES.get(each, ()))}


@pytest.mark.parametrize("page", [page for page in pages() if blocks(page)], ids=lambda page: page.name)
def test_the_names_in_a_page_s_python_exist(page: Path) -> None:
    """Every block is Python, and its names and keyword arguments exist."""
    reader = Reader()
    if page.name == "asyncio.md":
        reader.names |= {"engine": aio.Engine, "container": aio.Container, "network": aio.Network}
    for block in blocks(page):
        if block.language == "python":
            tree = ast.parse(block.text, filename=block.where)
            reader.visit(ast.increment_lineno(tree, block.line - 1))
    assert reader.wrong == []


def code_spans(page: Path) -> Iterator[str]:
    """Yield the words in backticks; of the page about migration, those in the last column only."""
    for line in prose(page).splitlines():
        text = line.rstrip("| ").rpartition("|")[2] if page.name.startswith("move-from") and "|" in line else line
        yield from re.findall(r"`([^`]+)`", text)


@pytest.mark.parametrize("page", WITHOUT_REFERENCE, ids=lambda page: page.name)
def test_a_name_in_backticks_exists(page: Path) -> None:
    """Names like `ck.…` and `engine.…`, with their keyword arguments, exist."""
    reader = Reader()
    for span in code_spans(page):
        if not re.match(rf"({'|'.join(VARIABLES)})\.\w", span) or span.endswith(".py"):
            continue
        try:
            tree = ast.parse(span.replace("…", "..."))
        except SyntaxError:
            continue  # a part of a line
        reader.visit(tree)
    assert reader.wrong == []


def test_a_file_that_the_map_names_exists() -> None:
    """Every file and folder in backticks in ARCHITECTURE.md exists, in the package or in the project."""
    spans = [span for span in code_spans(ROOT / "ARCHITECTURE.md") if re.fullmatch(r"[\w./]+(\.(py|sh|md)|/)", span)]
    assert len(spans) > 30
    assert [span for span in spans if not any((root / span).exists() for root in (ROOT / "containerkit", ROOT))] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Path) -> None:
    """Links inside the project lead to existing files."""
    inside = [link for link in links(page) if not re.match(r"[a-z]+:", link)]
    assert [link for link in inside if not (page.parent / link.partition("#")[0]).exists()] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_command_in_a_page_exists(page: Path) -> None:
    """`containerkit NAME` is a command, and its options exist."""
    blocks_of_commands = [block.text for block in blocks(page) if block.language in ("", "console", "sh")]
    wrong = []
    for text in [*code_spans(page), *blocks_of_commands]:
        for name, rest in re.findall(r"^\s*(?:\$ )?containerkit ([a-z][\w-]*)(.*)$", text, re.MULTILINE):
            command = app.commands.get(name)
            known = {option for each in command.params for option in each.opts} if command else set()
            known |= {option for each in app.params for option in each.opts} | {"--help", "-h"}
            given = re.findall(r"(?<!\S)--[\w-]+", rest)
            wrong += [f"{name} {each}" for each in given if each not in known] if command else [name]
    assert wrong == []


def test_the_reference_is_current() -> None:
    """docs/reference.md is generated from the current package."""
    assert PAGE.read_text() == reference(), f"docs/reference.md is stale; run: {COMMAND}"


def test_every_public_name_is_in_the_reference_and_described() -> None:
    """Every public name is in the reference, with a sentence."""
    text = reference()
    absent = [
        name
        for name in ck.__all__
        if name not in ("__version__", "labs", "wait")
        and not re.search(rf"(^### {name}$)|(^- `{name}\b)", text, re.MULTILINE)
    ]
    assert absent == []
    assert [line for line in text.splitlines() if re.search(r"`: *$|`: Raises", line)] == [], "docstrings to write"


def test_every_page_has_a_place_on_the_site() -> None:
    """`nox -s docs` refuses a page that the navigation does not name."""
    named = re.findall(r": (\S+\.md)$", (ROOT / "properdocs.yml").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md"))


TYPED = [
    block
    for page in pages()
    for block in blocks(page)
    if block.language == "python" and "not run" not in block.notes and "\ndef test_" not in block.text
]


@pytest.mark.parametrize("block", TYPED, ids=lambda block: block.where)
def test_a_block_can_be_typed_into_a_shell(block: Block) -> None:
    """A shell of Python 3.10 to 3.12 ends a statement at a blank line, and needs one after an indented block."""
    compiler, typed = codeop.CommandCompiler(), list[str]()
    for line in [*block.text.splitlines(), ""]:
        typed.append(line)
        if compiler("\n".join(typed), block.where, "single") is not None:
            typed.clear()
    assert not any(line.strip() for line in typed)
