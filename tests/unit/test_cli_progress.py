"""Bars of a pull: what the screen shows after its steps."""

from __future__ import annotations

import io
import re
import sys
import types

import pytest

import containerkit as ck
from containerkit.display import ProgressBars


def screen(text: str) -> list[str]:
    """Return the lines that a terminal shows."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[\d*[ABK]|[\r\n]|[^\x1b\r\n]+", text):
        if part.startswith("\x1b"):
            count = int(part[2:-1] or 1)
            row += {"A": -count, "B": count, "K": 0}[part[-1]]
            if part[-1] == "K":
                lines[row] = lines[row][:column]
        elif part == "\n":
            row, column = row + 1, 0
        elif part == "\r":
            column = 0
        else:
            lines[row] = lines[row][:column] + part + lines[row][column + len(part) :]
            column += len(part)
        while len(lines) <= row:
            lines.append("")
    return lines


def shown(*steps: ck.Progress, size: tuple[int, int] = (80, 24)) -> list[str]:
    out = io.StringIO()
    bars = ProgressBars(out, size)
    for step in steps:
        bars(step)
    return screen(out.getvalue())


def test_each_layer_has_one_line() -> None:
    """The last step of each is what remains."""
    lines = shown(
        ck.Progress("Pulling from library/busybox", id="1"),
        ck.Progress("Downloading", id="aaa", current=1000, total=4000),
        ck.Progress("Downloading", id="bbb", current=1, total=2),
        ck.Progress("Downloading", id="aaa", current=4000, total=4000),
        ck.Progress("Pull complete", id="aaa"),
        ck.Progress("Digest: sha256:1"),
    )
    assert lines[0] == "1: Pulling from library/busybox"
    assert lines[1] == "aaa: Pull complete"
    assert lines[2].startswith("bbb: Downloading [============>")
    assert lines[2].endswith("1B/2B")
    assert lines[3] == "Digest: sha256:1"


def test_lines_fit_the_screen_and_hold_no_control_characters() -> None:
    """A registry chooses some of the words."""
    (line, _) = shown(ck.Progress("x\x1b[31m" + "y" * 100, id="a"), size=(20, 5))
    assert len(line) == 19
    assert "\x1b" not in line


def test_a_layer_that_left_the_screen_is_not_drawn() -> None:
    """Else another line would be overwritten."""
    steps = [ck.Progress("Waiting", id=str(number)) for number in range(6)]
    lines = shown(*steps, ck.Progress("Done", id="0"), ck.Progress("Done", id="5"), size=(40, 4))
    assert lines[0] == "0: Waiting"
    assert lines[5] == "5: Done"


# ---------------------------------------------------------------- a notebook
class _Cell:
    """What the output of a cell shows: the first drawing, and each update of it."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def display(self, data: dict[str, str], *, raw: bool, display_id: bool) -> _Cell:
        assert raw
        assert display_id
        assert not self.shown, "one output is drawn again, not a second one"
        self.shown.append(data)
        return self

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(data)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> _Cell:
    found = _Cell()
    shell = types.SimpleNamespace(kernel=object())
    package, module = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    package.get_ipython = lambda: shell  # type: ignore[attr-defined]
    module.display = found.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return found


def test_a_notebook_draws_one_output(cell: _Cell) -> None:
    """Bars for layers, the last lines of a builder, the last message; the last state is always drawn."""
    bars = ProgressBars()
    bars(ck.Progress("Downloading", id="a<b", current=1000, total=4000))
    bars(ck.Progress("Downloading", id="a<b", current=4000, total=4000))
    for number in range(20):
        bars(ck.Progress(stream=f"line {number}\n"))
    bars(ck.Progress("Digest: sha256:1"))
    last = cell.shown[-1]
    assert len(cell.shown) >= 2
    assert 'value="100"' in last["text/html"]
    assert "a&lt;b" in last["text/html"]
    assert "4.00 kB of 4.00 kB" in last["text/html"]
    assert "line 19" in last["text/html"]
    assert "line 5" not in last["text/html"]
    assert last["text/plain"] == "Digest: sha256:1"
    bars(ck.Progress(image_id="sha256:" + "a" * 64))
    assert len(cell.shown) >= 3


def test_the_first_step_in_a_notebook(cell: _Cell) -> None:
    bars = ProgressBars()
    bars(ck.Progress("Waiting", id="aaa"))
    assert cell.shown[0]["text/plain"] == "1 layers"
    assert "<progress" not in cell.shown[0]["text/html"]


def test_a_terminal_of_ipython_is_no_notebook(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = types.ModuleType("IPython")
    package.get_ipython = lambda: types.SimpleNamespace(kernel=None)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", package)
    bars = ProgressBars()
    bars(ck.Progress("Pull complete", id="aaa"))
    bars(ck.Progress("Downloading", id="aaa", current=1, total=2))
    bars(ck.Progress(stream="Step 1\x1b[2J\n"))
    assert capsys.readouterr().err == "aaa: Pull complete\nStep 1[2J\n"
