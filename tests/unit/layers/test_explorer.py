"""The program that browses an image, without a terminal: what its keys show."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import containerkit as ck
from containerkit.cli import app
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder
from tests.open_engine import Open

pytest.importorskip("textual")

from textual.widgets import DataTable, Footer, Input, Static, Tree

from containerkit.cli.explorer import Explorer

if TYPE_CHECKING:
    from textual.pilot import Pilot
    from textual.widgets.tree import TreeNode

IMAGE = (
    ImageBuilder()
    .layer(files={"etc/passwd": 1000, "data/big": 90_000, "usr/lib/os": 10}, created_by="COPY base /")
    .layer(files={"etc/passwd": 900, "opt/new": 7}, whiteouts=["data/big"], created_by="RUN change-things")
    .tag("lab/app:1")
)


class Page:
    """What the program shows, and the keys that change it."""

    def __init__(self, program: Explorer, pilot: Pilot[None]) -> None:
        self.program = program
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until the program has handled them and the messages that they cause."""
        await self._pilot.press(*keys)
        for _ in range(3):  # a message passes from a widget to the screen and to the program
            handled = asyncio.Event()
            self.program.call_later(handled.set)
            await handled.wait()
            await self._pilot.pause()

    async def end(self, key: str) -> None:
        """Press a key that ends the program, and wait for that."""
        await self._pilot.press(key)
        for _ in range(900):
            if self.program.return_code is not None:
                return
            await asyncio.sleep(0.1)

    @property
    def files(self) -> Tree[Any]:
        return self.program.query_one("#files", Tree)

    @property
    def lines(self) -> list[str]:
        """The open lines of the tree: sign, size, name, details; deeper lines are indented by a dot a level."""

        def below(node: TreeNode[Any], depth: int) -> list[str]:
            line = "." * depth + " ".join(str(node.label).split())
            return [line, *(each for child in node.children if node.is_expanded for each in below(child, depth + 1))]

        return below(self.files.root, 0)

    @property
    def names(self) -> list[str]:
        """The names of the open lines."""
        return [next(word for word in line.lstrip(".+-~ ").split()[2:]) for line in self.lines]

    @property
    def facts(self) -> str:
        return str(self.program.query_one("#facts", Static).render())

    @property
    def focused(self) -> str | None:
        return self.program.focused.id if self.program.focused else None


def browse(image: ImageBuilder | ck.LayerStack, test: Callable[[Page], Awaitable[None]], tmp_path: Path) -> None:
    """Run the program on an image, on a screen in memory, while a test presses keys."""
    if isinstance(image, ImageBuilder):
        (tmp_path / "image.tar").write_bytes(image.to_docker_archive())
        image = ck.open_archive(tmp_path / "image.tar")
    program = Explorer(image)

    async def session() -> None:
        async with program.run_test(size=(140, 40)) as pilot:
            page = Page(program, pilot)
            await page.press()
            await test(page)

    asyncio.run(session())


def test_it_starts_with_the_top_layer(tmp_path: Path) -> None:
    """All layers in a table; beside it the files that a container sees, and those that the layer removed."""

    async def test(page: Page) -> None:
        layers = page.program.query_one("#layers", DataTable)
        assert [[str(word) for word in layers.get_row_at(row)] for row in range(layers.row_count)] == [
            ["0", "91.0 kB", "COPY base /"],
            ["1", "907 B", "RUN change-things"],
        ]
        assert (layers.cursor_row, page.focused) == (1, "layers")
        assert page.lines == [
            "917 B /",
            ".900 B etc/ 0755 0:0",
            ".10 B usr/ 0755 0:0",
            ".+ 7 B opt/ 0755 0:0",
            ".0 B data/ 0755 0:0",
        ]
        assert page.facts == (
            "lab/app:1\n91.9 kB in files, 917 B seen, 91.0 kB wasted, 1.0% efficient\nlayer 1 of 1; all files; by size"
        )

    browse(IMAGE, test, tmp_path)


def test_a_folder_shows_what_happened_in_it(tmp_path: Path) -> None:
    """A sign before each file says whether the layer added, changed or removed it; only open folders are filled."""

    async def test(page: Page) -> None:
        folders = page.files.root.children
        assert not any(folder.children for folder in folders)
        for folder in folders:
            folder.expand()
        await page.press()
        assert [line for line in page.lines if line.startswith("..")] == [
            "..~ 900 B passwd 0644 0:0",
            "..10 B lib/ 0755 0:0",
            "..+ 7 B new 0644 0:0",
            "..- 0 B big",
        ]
        folders[0].collapse()
        await page.press()
        folders[0].expand()
        await page.press()
        assert len(folders[0].children) == 1  # not filled twice

    browse(IMAGE, test, tmp_path)


def test_the_arrows_choose_a_layer(tmp_path: Path) -> None:
    """The files are those of the layers up to the chosen one."""

    async def test(page: Page) -> None:
        await page.press("up")
        assert "layer 0 of 1" in page.facts
        assert page.names == ["/", "data/", "etc/", "usr/"]
        assert page.lines[0] == "91.0 kB /"
        await page.press("up")  # already the first
        assert "layer 0 of 1" in page.facts
        await page.press("down")
        assert "layer 1 of 1" in page.facts
        assert "opt/" in page.names

    browse(IMAGE, test, tmp_path)


def test_keys_sort_and_choose_changes(tmp_path: Path) -> None:
    """s turns between size and name, c between all files and those that the layer changes."""

    async def test(page: Page) -> None:
        assert page.names == ["/", "etc/", "usr/", "opt/", "data/"]
        await page.press("s")
        assert page.names == ["/", "data/", "etc/", "opt/", "usr/"]
        assert "all files; by name" in page.facts
        await page.press("c")
        assert page.names == ["/", "data/", "etc/", "opt/"]
        assert page.lines[0] == "907 B /"
        assert "only changes; by name" in page.facts
        await page.press("c", "s")
        assert page.names == ["/", "etc/", "usr/", "opt/", "data/"]
        assert "all files; by size" in page.facts

    browse(IMAGE, test, tmp_path)


def test_a_filter_opens_what_it_finds(tmp_path: Path) -> None:
    """A part of a path in any case; its letters are no commands; Escape shows all files again."""

    async def test(page: Page) -> None:
        field = page.program.query_one("#filter", Input)
        assert not field.display
        await page.press("slash")
        assert (field.display, page.focused) == (True, "filter")
        await page.press(*"SsC", "backspace", "backspace", "backspace", *"PASS")
        assert field.value == "PASS"
        assert "by size" in page.facts
        assert "filter" not in page.facts
        await page.press("enter")
        assert page.lines == ["900 B /", ".900 B etc/", "..~ 900 B passwd 0644 0:0"]
        assert (page.focused, page.facts.rpartition("; ")[2]) == ("files", "filter 'PASS'")
        await page.press("up")  # moves in the tree
        assert "layer 1 of 1" in page.facts
        await page.press("escape")
        assert page.names == ["/", "etc/", "usr/", "opt/", "data/"]
        assert (field.display, field.value, "filter" in page.facts) == (False, "", False)
        await page.press("ctrl+f", *"no such file", "enter")
        assert page.lines == ["0 B /"]

    browse(IMAGE, test, tmp_path)


def test_tab_and_enter_reach_the_files(tmp_path: Path) -> None:
    """Tab changes the side; Enter opens the folder under the cursor; the keys stand at the bottom."""

    async def test(page: Page) -> None:
        await page.press("tab")
        assert page.focused == "files"
        await page.press("down", "down", "enter")
        assert page.names == ["/", "etc/", "usr/", "lib/", "opt/", "data/"]
        await page.press("tab")
        assert page.focused == "layers"
        shown = [
            binding.description for _, binding, _, _ in page.program.screen.active_bindings.values() if binding.show
        ]
        assert {"quit", "other side", "only changes", "size/name", "filter"} <= set(shown)
        assert page.program.query_one(Footer).display

    browse(IMAGE, test, tmp_path)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_keys_that_end_it(key: str, tmp_path: Path) -> None:
    """The program ends without an error."""

    async def test(page: Page) -> None:
        assert page.program.return_code is None
        await page.end(key)
        assert page.program.return_code == 0

    browse(IMAGE, test, tmp_path)


def test_no_word_of_an_image_reaches_the_terminal_as_a_command(tmp_path: Path) -> None:
    """Control characters of names, link targets and instructions are shown as codes, markup as it is."""
    image = (
        ImageBuilder()
        .layer(
            files={"a\x1b[2J\nb": 1, "[red]x": 1},
            symlinks={"link": "to\x1b]0;title\x07"},
            created_by="RUN <<E\n  echo\x1b[2J [bold]hi",
        )
        .tag("lab/odd:1")
    )

    async def test(page: Page) -> None:
        assert page.names == ["/", "[red]x", r"a\x1b[2J\nb", "link"]
        assert page.lines[-1] == r".+ 0 B link 0777 0:0 -> to\x1b]0;title\x07"
        table = page.program.query_one("#layers", DataTable)
        assert str(table.get_row_at(0)[2]) == r"RUN <<E echo\x1b[2J [bold]hi"

    browse(image, test, tmp_path)


def test_an_image_without_layers(tmp_path: Path) -> None:
    """It has an empty root, and says so."""

    async def test(page: Page) -> None:
        assert page.lines == ["0 B /"]
        assert "no layers; all files" in page.facts
        await page.press("down", "c", "s")
        assert page.facts.endswith("no layers; only changes; by name")

    browse(ImageBuilder().tag("lab/empty:1"), test, tmp_path)


# ---------------------------------------------------------------- the command
@pytest.fixture
def archive(tmp_path: Path) -> str:
    (tmp_path / "image.tar").write_bytes(IMAGE.to_docker_archive())
    return str(tmp_path / "image.tar")


def _terminal(monkeypatch: pytest.MonkeyPatch, stdin: bool, stdout: bool) -> None:
    module = importlib.import_module("containerkit.cli.explore")
    streams = {
        name: SimpleNamespace(isatty=lambda here=here: here) for name, here in (("stdin", stdin), ("stdout", stdout))
    }
    monkeypatch.setattr(module, "sys", SimpleNamespace(**streams))


def test_the_command_opens_the_program_on_the_image(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the layers of an archive, or of an engine's image, while the engine is open."""
    seen: list[tuple[str, int, bool]] = []
    backend = FakeBackend()
    backend.add_image("app:1", IMAGE)
    with ck.connect(backend) as engine:
        monkeypatch.setattr(ck, "connect", lambda target=None, *, timeout: Open(engine))
        monkeypatch.setattr(Explorer, "run", lambda self: seen.append((self.stack.ref, len(self.stack), self.by_size)))
        _terminal(monkeypatch, True, True)
        for ref in (archive, "app:1"):
            result = CliRunner().invoke(app, ["explore", ref])
            assert (result.exit_code, result.output) == (0, "")
    assert seen == [("lab/app:1", 2, True), ("app:1", 2, True)]


@pytest.mark.parametrize(("stdin", "stdout"), [(True, False), (False, True)])
def test_both_streams_must_be_terminals(
    stdin: bool, stdout: bool, archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program does not start; the message names the other form."""
    monkeypatch.setattr(Explorer, "run", lambda self: pytest.fail("it runs"))
    _terminal(monkeypatch, stdin, stdout)
    result = CliRunner().invoke(app, ["explore", archive])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "containerkit: this needs a terminal; --html writes a page\n"


def test_without_textual_a_page_is_left(archive: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error says what to install; --html needs nothing."""
    monkeypatch.setitem(sys.modules, "containerkit.cli.explorer", None)
    result = CliRunner().invoke(app, ["explore", archive])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "pip install 'containerkit[explore]', or --html" in result.stderr
    page = tmp_path / "page.html"
    assert CliRunner().invoke(app, ["explore", "--html", str(page), archive]).exit_code == 0
    assert page.read_text() == ck.open_archive(archive).to_page()
