"""Large network graphs are drawn in rows."""

from __future__ import annotations

import re

import pytest

from containerkit.display import GraphBox, NetworkGraph


def ring(number: int) -> NetworkGraph:
    """Return a ring of routers, with one host on each network."""
    boxes = []
    for n in range(number):
        boxes.append(GraphBox(f"r{n}", ((f"N{n}", "eth0 10.0.0.1/24"), (f"N{(n + 1) % number}", "eth1 10.0.1.1/24"))))
        boxes.append(GraphBox(f"pc{n}", ((f"N{n}", "eth0 10.0.0.9/24"),)))
    return NetworkGraph("ring", boxes)


@pytest.mark.parametrize("number", [3, 10, 20, 60])
def test_a_graph_is_as_wide_as_a_page_and_holds_every_line(number: int) -> None:
    """However many hosts there are, all boxes, pills and lines are inside of a picture of 1,280 pixels."""
    svg = ring(number).to_svg()
    box = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert box
    wide, high = float(box[1]), float(box[2])
    assert wide <= 1280
    shapes = re.findall(r'<rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"', svg)
    assert len(shapes) == 3 * number
    for x, y, w, h in shapes:
        assert 0 <= float(x) <= float(x) + float(w) <= wide
        assert 0 <= float(y) <= float(y) + float(h) <= high
    paths = re.findall(r'd="M([\d.-]+) [\d.-]+C([\d.-]+) [\d.-]+ ([\d.-]+) [\d.-]+ ([\d.-]+) ', svg)
    assert len(paths) == 3 * number
    for first, one, two, last in ([float(x) for x in found] for found in paths):
        # the middle of the curve is its farthest point where both handles are on one side
        middle = (first + 3 * one + 3 * two + last) / 8
        assert 0 <= min(first, middle, last) <= max(first, middle, last) <= wide


def test_a_picture_keeps_its_text_readable() -> None:
    """A narrow page scrolls the picture, once it is at four fifths of its size."""
    assert re.search(r"max-width:100%;min-width:\d+px", ring(3).to_svg())
