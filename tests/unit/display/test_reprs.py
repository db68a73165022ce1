"""What a notebook shows of the values: well-formed, and no name in them becomes markup."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from containerkit.display import Table
from containerkit.layers.savings import ImageCost, Savings
from containerkit.layers.sharing import Reclaim, SharedLayer, Sharing
from containerkit.layers.stack import Layer, LayerStack
from containerkit.layers.waste import Waste, WasteItem

EVIL = "<script>alert('x')</script>&\"</td>"
VOID = {"br", "hr", "img", "input", "link", "meta", "col", "wbr"}


class Balance(HTMLParser):
    """Tells the tags, and fails where one is closed that was not the last opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


VALUES: dict[str, Any] = {
    "table": Table(EVIL, (EVIL,), [(EVIL,)], notes=[EVIL]),
    "stack": LayerStack(EVIL, "sha256:1", None, (Layer(0, "sha256:1", "sha256:1", EVIL, "exact"),), ()),
    "waste": Waste(9, 4, (WasteItem("/" + EVIL, 5, "deleted", 1, EVIL, 0),), 0.5, 9),
    "savings": Savings((ImageCost(EVIL, "sha256:1", 3, 1, 2),), (), 3, 3, None, 8, None, (EVIL,)),
    "sharing": Sharing((SharedLayer("sha256:1", "sha256:1", ("sha256:2",)),), {"sha256:2": (EVIL,)}),
    "reclaim": Reclaim(1, None, ("sha256:2",), ("sha256:1",), (("sha256:3", EVIL),)),
}


@pytest.mark.parametrize("name", VALUES)
def test_html_is_well_formed_and_escaped(name: str) -> None:
    """Every tag is closed in its turn, and a name with a script in it is text."""
    page = VALUES[name]._repr_html_()
    reader = Balance()
    reader.feed(page)
    reader.close()
    assert not reader.open
    assert "script" not in reader.tags
    assert "&lt;script&gt;" in page
