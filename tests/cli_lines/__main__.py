# ruff: noqa: T201
"""Run every line of lines.txt twice, compare, and write the table of docs/command-line.md.

python -m tests.cli_lines NAME... [--only GROUP] [--rows FILE] [--write]     NAME is an engine of engines/engines.sh

With --rows, results are kept in a file, so that engines and groups can be run one after another. With --again too,
what the engine's own program did is taken from there.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ENGINES = ROOT / "engines" / "engines.sh"
#: Differences that stay, each with its reason: one "line | engine | what | reason" per row, the first three patterns.
#: What: the exit codes and whether the outputs are the same, as in "125/1 same" and "0/0 other".
NAMED = HERE / "differences.txt"
_VARIABLE = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "ID64"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "ID12"),
    (re.compile(r"(About an? \w+|Less than a second|\d+ \w+) ago"), "AGO"),
    (re.compile(r"Up (About an? \w+|Less than a second|\d+ \w+)"), "UP"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)"), "TIME"),
    (re.compile(r"[ \t]{2,}"), "  "),
    (re.compile(r"\r"), ""),
)


@dataclass(frozen=True)
class Line:
    """One line: how it is typed, whether its output counts, who runs it, and which of its like it is in its group."""

    group: str
    text: str
    compared: bool = True
    theirs: bool = False
    again: int = 0


@dataclass(frozen=True)
class Ending:
    """What a line did: its exit code and output, without IDs and times."""

    code: int
    out: str
    err: str


def lines(only: str = "") -> dict[str, list[Line]]:
    """Return the lines by group."""
    groups: dict[str, list[Line]] = {}
    group = ""
    for raw in (HERE / "lines.txt").read_text().splitlines():
        if raw.startswith("["):
            group = raw.strip("[]")
        elif raw.strip() and not raw.startswith("#") and only in ("", group):
            mark, text = (raw[0], raw[2:]) if raw[0] in "~!" else ("", raw)
            found = groups.setdefault(group, [])
            again = sum(line.text == text for line in found)
            found.append(Line(group, text, mark != "~", mark == "!", again))
    return groups


class Program:
    """A program that is called `docker` in the lines."""

    def __init__(self, engine: str, *, ours: bool) -> None:
        if ours:
            url = json.loads(subprocess.check_output([ENGINES, "json", engine]))[0]["url"]
            env = f"PYTHONPATH={ROOT} CONTAINERKIT_ENGINE={url} DOCKER_CONFIG=$PWD/config"
            self.call = f"{ENGINES} exec {engine} -- env {env} {sys.executable} -m containerkit"
        else:
            name = "podman" if engine.startswith("podman") else "docker"
            self.call = f"{ENGINES} in {engine} -- {name}"

    def run(self, text: str, folder: str) -> Ending:
        """Run a line in a folder."""
        script = f'docker() {{ {self.call} "$@"; }}\n{text}'
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=300, check=False,
            stdin=subprocess.DEVNULL, errors="replace",
        )  # fmt: skip
        return Ending(done.returncode, plain(done.stdout), done.stderr.strip())


def plain(text: str) -> str:
    """Return the output without what differs each time."""
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return "\n".join(line.strip() for line in text.splitlines())


_REMOVE = (
    "docker rm -f $(docker ps -aq --filter name=cl-); docker volume rm $(docker volume ls -q --filter name=cl-); "
    "docker network rm $(docker network ls -q --filter name=cl-); docker rmi -f $(docker images "
    "--format '{{.Repository}}:{{.Tag}}' | grep '\\bcl-')"
)


def play(group: list[Line], engine: str, *, ours: bool) -> list[Ending]:
    """Run a group of lines, and remove what it made, or what an interrupted run left."""
    own = Program(engine, ours=False)
    program = Program(engine, ours=True) if ours else own
    with tempfile.TemporaryDirectory(prefix="cl-", dir="/tmp") as folder:
        os.chmod(folder, 0o777)
        own.run(_REMOVE, folder)
        try:
            return [(own if line.theirs else program).run(line.text, folder) for line in group]
        finally:
            own.run(_REMOVE, folder)


@dataclass(frozen=True)
class Row:
    """One line on one engine: how both programs ended."""

    engine: str
    line: Line
    theirs: Ending
    ours: Ending

    @property
    def what(self) -> str:
        """The exit codes, and whether the outputs are the same."""
        return f"{self.theirs.code}/{self.ours.code} {'same' if self.theirs.out == self.ours.out else 'other'}"

    @property
    def same(self) -> bool:
        if self.theirs.code != self.ours.code:
            return False
        return not self.line.compared or self.theirs.out == self.ours.out

    @property
    def reason(self) -> str:
        """The reason of a difference that differences.txt names."""
        found = (self.line.text, self.engine, self.what)
        return next((reason for *patterns, reason in _named() if all(map(re.search, patterns, found))), "")

    @property
    def word(self) -> str:
        return "same" if self.same else "named" if self.reason else "differs"


@functools.cache
def _named() -> list[list[str]]:
    return [row.split(" | ") for row in NAMED.read_text().splitlines() if row and not row.startswith("#")]


def compare(engine: str, only: str, known: dict[tuple[str, Line], Ending]) -> Iterator[Row]:
    """Yield every line's row on an engine; `known` is what its own program did in an earlier run."""
    for group in lines(only).values():
        if all((engine, line) in known for line in group):
            theirs, ours = [known[engine, line] for line in group], play(group, engine, ours=True)
        else:
            theirs, ours = play(group, engine, ours=False), play(group, engine, ours=True)
        yield from (Row(engine, line, *ends) for line, *ends in zip(group, theirs, ours, strict=True))


def kept(path: Path) -> list[Row]:
    """Return the rows of a file, without those whose line or engine is no more."""
    known = {line for group in lines().values() for line in group}
    made = (
        Row(row["engine"], Line(**row["line"]), Ending(**row["theirs"]), Ending(**row["ours"]))
        for row in json.loads(path.read_text() if path.exists() else "[]")
    )
    return [row for row in made if row.line in known]


def show(row: Row) -> None:
    """Print a difference."""
    print(f"\n{row.engine} [{row.line.group}] {row.line.text}\n  exit code {row.theirs.code} / {row.ours.code}")
    for change in list(difflib.unified_diff(row.theirs.out.splitlines(), row.ours.out.splitlines(), lineterm=""))[2:14]:
        print(f"  {change[:150]}")
    print(f"  stderr: {row.theirs.err[-150:]!r}\n       /  {row.ours.err[-250:]!r}", flush=True)


def page(rows: list[Row]) -> str:
    """Return the table of docs/command-line.md."""
    engines = list(dict.fromkeys(row.engine for row in rows))
    cells = {(row.line, row.engine): row for row in rows}
    text = [f"| line | {' | '.join(engines)} |", "|---" * (len(engines) + 1) + "|"]
    notes: dict[str, int] = {}
    for line in (line for group in lines().values() for line in group):
        words = []
        for engine in engines:
            row = cells.get((line, engine))
            word = row.word if row else ""
            words.append(f"[{notes.setdefault(row.reason, len(notes) + 1)}]" if row and word == "named" else word)
        shown = line.text.replace("|", "\\|").replace("\\n", "\\\\n")
        text.append(f"| `{shown}` | {' | '.join(words)} |")
    text += ["", *(f"{number}. {reason}" for reason, number in notes.items()), ""]
    for engine in engines:
        count = Counter(row.word for row in rows if row.engine == engine)
        text.append(f"- {engine}: {count['same']} same, {count['named']} named, {count['differs']} other differences")
    return "\n".join(text) + "\n"


def main() -> int:
    """Compare on the engines named, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engines", nargs="*")
    parser.add_argument("--only", default="")
    parser.add_argument("--rows", type=Path, help="file of earlier results, to which these are added")
    parser.add_argument("--again", action="store_true", help="run only containerkit's lines; the others are in --rows")
    parser.add_argument("--write", action="store_true", help="write docs/command-line.md")
    given = parser.parse_args()
    earlier = kept(given.rows) if given.rows else []
    known = {(row.engine, row.line): row.theirs for row in earlier} if given.again else {}
    fresh = [row for engine in given.engines for row in compare(engine, given.only, known)]
    new = {(row.engine, row.line.group) for row in fresh}
    rows = [*(row for row in earlier if (row.engine, row.line.group) not in new), *fresh]
    if given.rows:
        given.rows.write_text(json.dumps([asdict(row) for row in rows]))
    for row in fresh if given.engines else rows:
        if row.word == "differs":
            show(row)
    if given.write:
        where = ROOT / "docs" / "command-line.md"
        start = "<!-- lines -->\n"
        where.write_text(where.read_text().split(start)[0] + start + page(rows))
    print(Counter(row.word for row in rows))
    return int(any(row.word == "differs" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
