"""Read the Markdown pages of the project: code blocks, links, words in backticks.

A comment right above a block is for the tests; readers do not see it:

- ``<!-- not run: REASON -->``: the block needs something that a test lacks; it is compiled, and its names are checked.
- ``<!-- needs: CAPABILITY -->``: an engine without the capability has to refuse the block.
- ``<!-- may raise: SystemExit -->``: the block ends the script on some engines.
- ``<!-- output with: disk -->``: the output is of an engine whose store can be read.
- ``<!-- figures vary -->``: the numbers in the output differ from run to run, everything else is fixed.

A block marked ``text`` below a Python block is the output of that block; ``…`` in it matches anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ROOT", "Block", "blocks", "links", "pages", "prose", "same_output"]

ROOT = Path(__file__).parents[1]

_FENCE = re.compile(r"^( *)(```+)(\w*)\s*$")
_COMMENT = re.compile(r"^<!-- (.+) -->$")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        line: the number of its first line of content, from 1.
        notes: the comments above it: "not run" -> the reason, …
    """

    page: Path
    line: int
    language: str
    text: str
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return every page of the project."""
    top = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    found: list[Block] = []
    notes: dict[str, str] = {}
    lines = iter(enumerate(page.read_text().splitlines(), 1))
    for number, line in lines:
        if comment := _COMMENT.match(line):
            key, _, value = comment[1].partition(":")
            notes[key.strip()] = value.strip()
        elif fence := _FENCE.match(line):
            indent, ticks, language = fence.groups()
            content = []
            for _, inner in lines:
                if inner.strip() == ticks:
                    break
                content.append(inner.removeprefix(indent))
            found.append(Block(page, number + 1, language, "\n".join(content) + "\n", notes))
            notes = {}
        elif line.strip():
            notes = {}
    return found


def prose(page: Path) -> str:
    """Return the page without its fenced blocks."""
    text, inside = [], False
    for line in page.read_text().splitlines():
        if _FENCE.match(line) or (inside and line.strip().startswith("```")):
            inside = not inside
        elif not inside:
            text.append(line)
    return "\n".join(text) + "\n"


def links(page: Path) -> Iterator[str]:
    """Yield the targets of a page's links."""
    yield from re.findall(r"\]\(([^)\s]+)\)", prose(page))


def same_output(shown: str, printed: str, *, figures_vary: bool) -> bool:
    """Return whether the output of a page matches what was printed.

    Spaces at line ends are ignored. Where figures vary, any number matches any other, and any run of spaces any other.
    """

    def tidy(text: str) -> str:
        text = "\n".join(line.rstrip() for line in text.strip().splitlines())
        return re.sub(r"[ ─]+", " ", text) if figures_vary else text

    pattern = "[\\s\\S]*?".join(
        _NUMBER.sub(r"[\\d.,:]+", re.escape(part).replace("\\.", ".").replace("\\,", ","))
        if figures_vary
        else re.escape(part)
        for part in tidy(shown).split("…")
    )
    return re.fullmatch(pattern, tidy(printed)) is not None
