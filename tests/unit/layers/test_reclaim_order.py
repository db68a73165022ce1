"""What a removal takes along does not depend on its order: the prediction against a simulation of Docker's rule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from containerkit.backends.base import ImageRecord
from containerkit.layers.sharing import _children, _leaving


@st.composite
def removals(draw: st.DrawFn) -> tuple[list[ImageRecord], list[str], dict[str, str]]:
    """Return images built from one another, the IDs of those to remove in some order, and those of containers."""
    count = draw(st.integers(1, 8))
    records = []
    for number in range(count):
        parent = f"i{draw(st.integers(0, number - 1))}" if number and draw(st.booleans()) else ""
        refs = (f"n{number}",) if draw(st.booleans()) else ()
        records.append(ImageRecord(f"i{number}", refs, (), 0, 0.0, {}, parent=parent))
    ids = [record.id for record in records]
    used = dict.fromkeys(draw(st.sets(st.sampled_from(ids), max_size=2)), "container")
    chosen = draw(st.lists(st.sampled_from(ids), unique=True))
    return records, [identity for identity in chosen if identity not in used], used


@given(removals())
def test_images_that_go(case: tuple[list[ImageRecord], list[str], dict[str, str]]) -> None:
    """Docker unties the name of an image with children; one without goes, and its nameless parents after it."""
    records, order, used = case
    present = {record.id: record for record in records}
    named = {record.id for record in records if record.refs}

    def childless(identity: str) -> bool:
        return not any(record.parent == identity for record in present.values())

    for identity in order:
        named.discard(identity)
        if identity not in present or not childless(identity):
            continue
        parent = present.pop(identity).parent
        while parent in present and parent not in named and parent not in used and childless(parent):
            parent = present.pop(parent).parent
    expected = {record.id for record in records} - present.keys()
    assert _leaving(records, set(order), used, _children(records), keeps_parents=True) == expected
