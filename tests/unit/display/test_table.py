"""Table: what each face of it shows, and what none of them lets through."""

from __future__ import annotations

import html.parser
import json
import random
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from enum import Enum

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len

from containerkit.display import Table, Tabular, bytes_cell, percent_cell, seconds_cell, text
from containerkit.display.escape import visible

TABLE = Table(
    "Layers of lab/app:1",
    ("#", "instruction", "size", "shared"),
    [(0, "ADD file:1 in /", bytes_cell(123_456_789), True), (10, "RUN a | b", bytes_cell(None), False)],
    notes=["Sizes: tar."],
)


class Status(str, Enum):
    FAIL = "fail"


def test_text_has_title_headings_rows_and_notes_in_columns() -> None:
    """Numbers stand to the right, words to the left, and no line ends in blanks."""
    assert TABLE.to_text() == (
        "Layers of lab/app:1\n"
        " #   instruction          size   shared\n"
        "───────────────────────────────────────\n"
        " 0   ADD file:1 in /    123 MB   yes\n"
        "10   RUN a | b         unknown   no\n"
        "Sizes: tar.\n"
    )


def test_text_folds_into_a_width_and_loses_nothing() -> None:
    """Every word is still there, and no line is longer than the terminal is wide."""
    table = Table("t", ("n", "what"), [(1, "RUN " + "word " * 40 + "x" * 90)])
    lines = table.to_text(width=40).splitlines()
    assert max(map(len, lines)) <= 40
    assert "".join(lines).count("x") == 90
    assert len(table.to_text().splitlines()) == 4


def test_colour_comes_only_where_it_is_asked_for() -> None:
    """Escape sequences are ours alone, and only with color=True."""
    table = Table("t", ("status",), [("fail",), ("pass",)])
    assert "\x1b[" not in table.to_text()
    assert "\x1b[1;31mfail" in table.to_text(color=True)


def test_the_same_text_whatever_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """COLUMNS, NO_COLOR and FORCE_COLOR change nothing: what is wanted is in the arguments."""
    plain, coloured = TABLE.to_text(), TABLE.to_text(color=True)
    for name, value in (("COLUMNS", "20"), ("FORCE_COLOR", "1"), ("TERM", "dumb"), ("JUPYTER_COLUMNS", "20")):
        monkeypatch.setenv(name, value)
    assert (TABLE.to_text(), TABLE.to_text(color=True)) == (plain, coloured)


def test_markdown_escapes_what_would_be_read_as_markup() -> None:
    """Pipes, stars, code, links and HTML are shown as they are; rows stay rows."""
    table = Table("T*", ("a",), [("x|y",), ("`rm` *b* [l](u) <i> & _e_ snake_case\nnext",)], notes=["# no heading"])
    assert table.to_markdown() == (
        "**T\\***\n\n"
        "| a                                                           |\n"
        "| ----------------------------------------------------------- |\n"
        "| x\\|y                                                        |\n"
        "| \\`rm\\` \\*b\\* \\[l\\](u) &lt;i&gt; &amp; \\_e\\_ snake_case next |\n"
        "\n&#35; no heading\n"
    )


@given(st.text(), st.text())
@example("1. x", "- y\n# z")
@example("+", "~~~")
@example("Setext", "===")
@example("a__b", "__0__")
@example("", "0.")
def test_markdown_is_read_back_as_what_was_meant(cell: str, note: str) -> None:
    """A Markdown parser finds one table of one row, and in it and below it the very text."""
    parser = MarkdownIt("commonmark").enable("table").enable("strikethrough")
    tokens = parser.parse(Table("", ("a",), [(cell,)], notes=[note]).to_markdown())
    read = ["".join(part.content for part in token.children or ()) for token in tokens if token.type == "inline"]
    assert sum(token.type == "tr_open" for token in tokens) == 2
    kinds = {part.type for token in tokens for part in token.children or ()}
    assert kinds <= {"text", "text_special"}
    # Blanks at the ends, and runs of them, are nobody's business in Markdown.
    assert [" ".join(text.split()) for text in read if text.strip()] == [
        " ".join(text.split()) for text in ("a", visible(cell), visible(note)) if text.strip()
    ]


def test_dict_is_ready_for_json_and_keeps_numbers() -> None:
    """A size is a number or null for programs, whatever people are shown."""
    assert json.loads(json.dumps(TABLE.to_dict())) == {
        "title": "Layers of lab/app:1",
        "columns": ["#", "instruction", "size", "shared"],
        "rows": [[0, "ADD file:1 in /", 123456789, True], [10, "RUN a | b", None, False]],
        "notes": ["Sizes: tar."],
    }


def test_odd_values_are_ready_for_json_too() -> None:
    """Sets, bytes, enums, infinities and objects become JSON's own types."""
    row = ({"b", "a"}, b"\xff", Status.FAIL, float("nan"), (1, 2), {1: None}, percent_cell(0.5), seconds_cell(90))
    cells = Table("", [""] * len(row), [row]).to_dict()["rows"][0]
    assert cells == [["a", "b"], "\\xff", "fail", None, [1, 2], {"1": None}, 0.5, 90]
    assert json.dumps(cells, allow_nan=False)


def test_cells_as_people_read_them() -> None:
    """None is empty, True is yes, a list is joined, an enum is its value, a float is short."""
    row = (None, True, ["a", "b"], {"k": 1}, Status.FAIL, 1.23456, percent_cell(0.66), seconds_cell(200))
    assert Table("", [""] * len(row), [row]).texts() == [
        ["", "yes", "a, b", "k=1", "fail", "1.23", "66.0 %", "3 min 20 s"]
    ]


def test_a_column_is_numeric_if_all_that_is_known_in_it_is() -> None:
    """Unknown and empty cells do not make words of numbers; one word does; yes and no are words."""
    table = Table("", "abcd", [("1.2 GB", 1, True, ""), ("unknown", "x1", False, None), ("98 %", 2, True, "")])
    assert table.numeric() == (True, False, False, False)


def test_a_row_of_another_length_is_refused() -> None:
    """At once, with its number: not when it is drawn."""
    with pytest.raises(ValueError, match="row 1 has 1 cells, the table 2 columns"):
        Table("t", ("a", "b"), [(1, 2), (3,)])


def test_a_table_is_frozen_and_its_repr_short() -> None:
    """Lists that were given cannot change it afterwards."""
    rows = [[1]]
    table = Table("t", ["a"], rows)
    rows.append([2])
    assert repr(table) == "<Table 't': 1 rows of a>"
    with pytest.raises(FrozenInstanceError):
        table.title = "u"  # type: ignore[misc]


def test_html_is_accessible_and_safe() -> None:
    """Caption, scoped headings, numbers aligned; markup in a cell is text; MathJax leaves dollars alone."""
    table = Table("a<b", ("n", "run"), [(1, "<script>alert('1')</script> $x$ \"q\"")])
    shown = table.to_html()
    assert "<caption>a&lt;b</caption>" in shown
    assert '<th scope="col" class="n">n</th>' in shown
    assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt; $x$ &quot;q&quot;" in shown
    assert "mathjax_ignore" in shown


def test_a_notebook_shows_the_first_rows_of_a_long_table_and_says_so() -> None:
    """to_html() has them all."""
    table = Table("", ("n",), [(number,) for number in range(1234)])
    assert table._repr_html_().count("<tr>") == 201
    assert "1,034 more rows are not shown." in table._repr_html_()
    assert table.to_html().count("<tr>") == 1235


def test_the_mime_bundle_has_what_is_asked_for() -> None:
    """include and exclude are obeyed."""
    assert set(TABLE._repr_mimebundle_()) == {"text/plain", "text/html", "text/markdown"}
    assert set(TABLE._repr_mimebundle_(include={"text/html"})) == {"text/html"}
    assert "text/html" not in TABLE._repr_mimebundle_(exclude={"text/html"})


def test_a_value_with_a_table_shows_it_everywhere() -> None:
    """Tabular gives str(), HTML and the mime bundle for one method."""

    class Value(Tabular):
        def table(self) -> Table:
            return TABLE

    assert str(Value()) == str(TABLE)
    assert Value()._repr_html_() == TABLE._repr_html_()
    assert Value()._repr_mimebundle_() == TABLE._repr_mimebundle_()


class Tags(html.parser.HTMLParser):
    """Which tags there are, with which attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, tuple[str, ...]]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add((tag, tuple(name for name, _ in attrs)))


@given(st.text(), st.text())
def test_no_text_adds_a_tag_an_escape_sequence_or_a_line(title: str, value: str) -> None:
    """Whatever an image says of itself: no markup, no control or bidirectional character, no further row."""
    table = Table(title, ("a",), [(value,)])
    tags = Tags()
    tags.feed(table.to_html())
    plain = {("div", ("class",)), ("style", ()), ("table", ("class",)), ("caption", ()), ("thead", ()), ("tr", ()),
             ("th", ("scope",)), ("th", ("scope", "class")), ("tbody", ()), ("td", ()), ("td", ("class",)),
             ("span", ("class",))}  # fmt: skip
    assert tags.found <= plain
    body = table.to_html().partition("</style>")[2]
    for shown in (table.to_text(), body, table.to_markdown()):
        assert not {char for char in shown if ord(char) < 32 or 127 <= ord(char) < 160} - {"\n"}
        assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff")
        assert shown.encode()  # no lone surrogate
    assert len(table.to_text().splitlines()) == (4 if title else 3)


def test_rich_is_loaded_only_when_something_is_folded() -> None:
    """Importing the room, making a table that fits, and JSON, HTML and Markdown do without."""
    code = (
        "import sys; from containerkit.display import Table; t = Table('t', ['a'], [[1]]); t.to_dict(), t.to_html(), "
        "t.to_markdown(), t.to_text(); a = 'rich' in sys.modules; "
        "Table('t', ['a', 'b'], [['x' * 30, 'y']]).to_text(width=20); print(a, 'rich' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False", "True"]


WORDS = ["a", "long text here", 5, 1234567, None, bytes_cell(1500), bytes_cell(None), True, "日本語", "ü", "", "two  "]


@pytest.mark.parametrize("seed", range(40))
def test_a_table_that_fits_is_the_one_that_rich_draws(seed: int) -> None:
    """To the byte, with wide characters, numbers, blanks at the ends of lines, and notes."""
    numbers = random.Random(seed)
    columns = [numbers.choice(["a", "bytes", "日", "longer heading"]) for _ in range(numbers.randrange(1, 5))]
    rows = [[numbers.choice(WORDS) for _ in columns] for _ in range(numbers.randrange(6))]
    grid = Table(numbers.choice(["", "Title", "日本"]), columns, rows, notes=["one", "two "][: seed % 3])._grid()
    fitted = text._fitted(grid, 200, False)
    assert fitted is not None
    assert fitted == text._laid_out(grid, 200, False)
    assert re.sub(r"\x1b\[[0-9;]*m", "", text._fitted(grid, 200, True) or "") == fitted


def test_a_long_table_is_folded_in_its_last_column() -> None:
    """Every line fits; the parts of a cell stand below each other and lose nothing."""
    paths = [f"/usr/{'folder/' * 9}{number}{'日本' * (number % 3)}" for number in range(300)]
    shown = Table("Files", ["size", "path"], [(number, path) for number, path in enumerate(paths)]).to_text(width=40)
    lines = shown.splitlines()
    assert max(map(cell_len, lines)) <= 40
    begun: list[str] = []
    for line in lines[3:]:
        begun += [line[7:]] if line[:4].strip() else []
        begun[-1] += "" if line[:4].strip() else line[7:]
    assert begun == paths
