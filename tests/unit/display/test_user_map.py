"""UserMap: whose user of the machine a user in a container is, in every form."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

import containerkit as ck
from containerkit.display import UserMap

ROOTLESS = UserMap(
    "Who is root?",
    "         0       1000          1\n         1     100000      65536\n",
    {1000: "ann"},
    notes=("a note",),
)
ROOTFUL = UserMap("", "0 0 4294967295\n")


def test_rows() -> None:
    """Root has a row of its own; a map of everything is one line."""
    assert ROOTLESS.rows() == [
        ("root (uid 0)", "ann (uid 1000)", False),
        ("uids 1–65536", "uids 100000–165535", False),
    ]
    assert ROOTFUL.rows() == [("root (uid 0)", "root (uid 0)", True), ("every other uid", "the same uid", False)]
    assert UserMap("", "0 100000 65536").rows() == [
        ("root (uid 0)", "uid 100000", False),
        ("uids 1–65535", "uids 100001–165535", False),
    ]
    assert UserMap("", "5 7 1\n10 0 2").rows() == [("uid 5", "uid 7", False), ("uids 10–11", "uids 0–1", True)]


def test_root_on_the_machine() -> None:
    assert (ROOTLESS.root, ROOTFUL.root, UserMap("", "5 7 1").root) == (1000, 0, None)


def test_forms() -> None:
    """Text, values and drawings say the same."""
    assert ROOTLESS.to_dict() == {
        "title": "Who is root?",
        "ranges": [{"inside": 0, "outside": 1000, "count": 1}, {"inside": 1, "outside": 100000, "count": 65536}],
        "root": 1000,
        "notes": ["a note"],
    }
    text = ROOTLESS.to_text()
    assert "ann (uid 1000)" in text
    assert "a note" in text
    assert repr(ROOTLESS) == "<UserMap 'Who is root?': 2 ranges>"
    for svg in (ROOTLESS.to_svg(), ROOTLESS._narrow(), ROOTFUL.to_svg()):
        words = "".join(ET.fromstring(svg).itertext())
        assert "root (uid 0)" in words
        assert "in the container" in words
    assert "root (uid 0) in the container is ann (uid 1000) on the machine" in ROOTLESS.to_svg()
    assert "no map" in UserMap("", "").to_svg()
    assert "ann (uid 1000)" in ROOTLESS.to_html()


def test_another_text() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        UserMap("", "a b c").rows()
    assert ck.display.UserMap is UserMap
