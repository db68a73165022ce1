"""The pictures: well-formed, safe, accessible, and true to the figures they are given."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containerkit.display import Bar, BarChart, ChainLayer, Plot, SharingGraph, Treemap
from containerkit.display.svg import COLOURS, cut, width_of

SVG = "{http://www.w3.org/2000/svg}"

LECTURE = BarChart(
    "Ten images on one base",
    [("sum", 20.2e9), ("distinct", 2.2e9), ("on disk", None), ("full copies", 20.5e9)],
    notes=["On disk: blocks."],
)
GRAPH = SharingGraph(
    "Images",
    {
        "debian:12": [("base", 100)],
        "app:1": [("base", 100), ("python", 30), ("app1", 1)],
        "app:2": [("base", 100), ("python", 30), ("app2", None)],
        "other": [("alone", 7), ("more", 1)],
    },
    {"app:1": ["web", "worker"]},
)
FILES = Treemap("Files", {"/usr/lib/a": 600, "/usr/lib/b": 300, "/etc/c": 100, "/empty": 0})


def parsed(plot: Plot) -> ET.Element:
    return ET.fromstring(plot.to_svg())


def words(plot: Plot) -> list[str]:
    return ["".join(text.itertext()) for text in parsed(plot).iter(f"{SVG}text")]


@pytest.mark.parametrize("plot", [LECTURE, GRAPH, FILES], ids=lambda plot: type(plot).__name__)
def test_a_picture_is_accessible_and_has_its_title(plot: Plot) -> None:
    """A role, a title, and the figures in words for those who do not see it."""
    svg = parsed(plot)
    assert svg.get("role") == "img"
    assert (svg.findtext(f"{SVG}title") or "") == plot.title
    description = svg.findtext(f"{SVG}desc") or ""
    assert len(description) > 20
    assert svg.get("aria-label") == f"{plot.title}. {description}"
    assert plot.title in words(plot)


@pytest.mark.parametrize("plot", [LECTURE, GRAPH, FILES], ids=lambda plot: type(plot).__name__)
def test_a_picture_has_a_page_a_text_and_a_json_face(plot: Plot) -> None:
    """Notes stand below; nothing in it names an id, so that two pictures on a page do not meet."""
    assert plot._repr_html_().startswith("<div class=")
    assert plot.to_svg() in plot._repr_html_()
    assert " id=" not in plot.to_svg()
    assert plot.to_text().startswith(plot.title + "\n")
    assert set(plot._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert set(plot._repr_mimebundle_(exclude={"text/html"})) == {"text/plain"}
    assert json.dumps(plot.to_dict(), allow_nan=False)


def test_bars_are_as_long_as_their_values() -> None:
    """One scale for all, from zero; what is unknown has no bar, and says so."""
    bars = [float(rect.get("width", "0")) for rect in parsed(LECTURE).iter(f"{SVG}rect")]
    assert len(bars) == 3
    assert bars[0] / bars[2] == pytest.approx(20.2 / 20.5, rel=0.01)
    assert bars[1] / bars[2] == pytest.approx(2.2 / 20.5, rel=0.01)
    assert {"20.2 GB", "2.20 GB", "unknown", "20.5 GB"} <= set(words(LECTURE))


def test_a_bar_of_parts_is_their_sum_and_at_least_that_where_one_is_unknown() -> None:
    """Each part has its colour, named in a legend."""
    chart = BarChart("", [Bar("a", {"shared": 100, "own": 50}), Bar("b", {"shared": 100, "own": None})])
    assert {"shared", "own", "150 B", "≥ 100 B"} <= set(words(chart))
    assert [line.split()[-2:] for line in chart.to_text().splitlines()[1:]] == [["150", "B"], ["100", "B"]]
    assert "≥ 100 B" in chart.to_text()


def test_in_groups_the_same_label_has_the_same_colour() -> None:
    """So that engines can be compared."""
    chart = BarChart("", [Bar(label, 1, group) for group in ("docker", "podman") for label in ("sum", "disk")])
    fills = [rect.get("fill") for rect in parsed(chart).iter(f"{SVG}rect")]
    assert fills == [COLOURS[0], COLOURS[1], COLOURS[0], COLOURS[1]]


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_value_that_is_no_length_is_refused(value: float) -> None:
    """At once, not when it is drawn."""
    with pytest.raises(ValueError, match="not a length"):
        BarChart("", [("a", value)])
    with pytest.raises(ValueError, match="not an area"):
        Treemap("", {"/a": value})


def test_areas_are_as_large_as_their_sizes_and_inside_the_picture() -> None:
    """Folders of one entry are joined; what takes no space is not drawn."""
    rects = {
        (rect.findtext(f"{SVG}title") or ""): [float(rect.get(key, "0")) for key in ("x", "y", "width", "height")]
        for rect in parsed(FILES).iter(f"{SVG}rect")
    }
    assert set(rects) == {"/usr/lib: 900 B", "/usr/lib/a: 600 B", "/usr/lib/b: 300 B", "/etc/c: 100 B"}
    area = {name: box[2] * box[3] for name, box in rects.items()}
    assert area["/usr/lib: 900 B"] / area["/etc/c: 100 B"] == pytest.approx(9, rel=0.02)
    assert area["/usr/lib/a: 600 B"] / area["/usr/lib/b: 300 B"] == pytest.approx(2, rel=0.02)


def test_many_small_files_are_drawn_as_one() -> None:
    """A picture of 20,000 files stays small, and says how many it left out."""
    sizes = {f"/usr/share/doc/{number % 500}/{number}": float(number % 50) for number in range(20_000)}
    svg = Treemap("", sizes).to_svg()
    assert svg.count("<rect") < 2500
    assert re.search(r"\d+ more", svg)


def test_a_layer_that_images_share_is_drawn_once() -> None:
    """Runs of layers are one box; a layer counts as shared only on the same layers."""
    assert GRAPH.to_text() == (
        "Images\n"
        "1 layer, 100 B  shared by 3  = debian:12\n"
        "└─ 1 layer, 30 B  shared by 2\n"
        "   ├─ 1 layer, 1 B  = app:1\n"
        "   └─ 1 layer, unknown  = app:2\n"
        "2 layers, 8 B  = other\n"
    )
    shown = words(GRAPH)
    assert {"debian:12", "app:1", "app:2", "other", "1 layer, 3 images", "131 B · 2 containers"} <= set(shown)
    assert sum(text.endswith("images") for text in shown) == 2


def test_images_that_have_the_same_layers_end_in_the_same_place() -> None:
    """Two names of one image are both there, as is an image without layers."""
    graph = SharingGraph("", {"a": [ChainLayer("x", 1, "ADD")], "b": [ChainLayer("x", 1)], "scratch": []})
    assert graph.to_text() == "1 layer, 1 B  shared by 2  = a, b\nno layers  = scratch\n"
    assert {"a", "b", "scratch", "1 layer, 2 images"} <= set(words(graph))


def test_of_very_many_images_the_first_are_drawn() -> None:
    """The rest is counted; a deep chain is no problem."""
    many = SharingGraph("", {f"i{n}": [("base", 1), (f"own{n}", 1)] for n in range(70)})
    assert "… 10 more images" in words(many)
    deep = {f"i{n}": [(f"l{k}", 1) for k in range(n + 1)] for n in range(127)}
    assert SharingGraph("", deep).to_svg()
    assert len(SharingGraph("", deep).to_text().splitlines()) == 127


@pytest.mark.parametrize(
    "plot",
    [BarChart("", []), BarChart("z", [("a", 0), ("b", None)]), Treemap("", {}), Treemap("", {"/": 3}),
     Treemap("", {"/a": 0}), SharingGraph("", {}), BarChart("t", [("a", 1e-9)], "seconds"),
     BarChart("t", [("a", 7)], "files")],
)  # fmt: skip
def test_nothing_to_show_is_shown_as_nothing(plot: Plot) -> None:
    """Empty, zero and unknown values make a picture, not an error."""
    parsed(plot)
    plot.to_text()
    str(plot)
    repr(plot)


TEXT = st.text(max_size=30)


@given(TEXT, st.lists(st.tuples(TEXT, st.one_of(st.none(), st.floats(0, 1e18))), max_size=6), TEXT)
@settings(max_examples=60)
def test_no_text_breaks_a_picture(title: str, bars: list[tuple[str, Any]], note: str) -> None:
    """Any title, label and name: the SVG is well-formed XML, with no element or script of theirs."""
    plots: list[Plot] = [
        BarChart(title, [Bar(label, value, title) for label, value in bars], notes=[note]),
        Treemap(title, {label: value or 0 for label, value in bars}, notes=[note]),
        SharingGraph(title, {label: [(title, 1), (note, None), (label, 2)] for label, _ in bars}, notes=[note]),
    ]
    for plot in plots:
        found = {element.tag.removeprefix(SVG) for element in parsed(plot).iter()}
        assert found <= {"svg", "title", "desc", "text", "rect", "line", "path"}
        for shown in (plot.to_text(), plot.to_html()):
            assert not {char for char in shown if ord(char) < 32 or 127 <= ord(char) < 160} - {"\n"}


@given(st.text(max_size=60), st.floats(0, 400))
def test_a_text_is_cut_to_its_width(text: str, width: float) -> None:
    """Whatever is kept fits, bold too, and what fits is kept whole."""
    for bold in (False, True):
        kept = cut(text, width, bold=bold)
        assert width_of(kept, bold=bold) <= width + 1e-6
        assert width_of(cut(text, width, middle=True, bold=bold), bold=bold) <= width + 1e-6
