"""Bars of a pull: what the screen shows after its steps."""

from __future__ import annotations

import io
import re

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
