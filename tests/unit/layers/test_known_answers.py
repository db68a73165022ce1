"""Images small enough to work out by hand, with the exact answer and dive's own."""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from containerkit.errors import InvalidOption
from containerkit.layers.stack import LayerStack, open_archive
from containerkit.layers.waste import find_waste
from containerkit.oci.layer import FileEntry
from containerkit.testing.archives import ImageBuilder

one = ImageBuilder().layer(files={"a": 1000})

CASES: dict[str, tuple[ImageBuilder, float, int, int, int]] = {
    # name: image, dive's efficiency, dive's wasted bytes, total bytes, visible bytes
    "overwrite": (one.layer(files={"a": b"y" * 1000}), 0.5, 2000, 2000, 1000),
    "chmod": (one.layer(files={"a": 1000}, modes={"a": 0o755}), 0.5, 2000, 2000, 1000),
    "grow": (one.layer(files={"a": 3000}), 0.25, 4000, 4000, 3000),
    "shrink": (ImageBuilder().layer(files={"a": 3000}).layer(files={"a": 1000}), 0.25, 4000, 4000, 1000),
    "three": (one.layer(files={"a": 1000}).layer(files={"a": 1000}), 1 / 3, 3000, 3000, 1000),
    "delete a file": (
        ImageBuilder().layer(files={"a": 1000, "b": 500}).layer(whiteouts=["a"]),
        1 / 3,
        1000,
        1500,
        500,
    ),
    "delete a folder": (
        ImageBuilder().layer(dirs=["d"], files={"d/x": 1000, "d/y": 500, "k": 500}).layer(whiteouts=["d"]),
        1.0,
        0,
        2000,
        500,
    ),
    "opaque folder": (
        ImageBuilder().layer(dirs=["d"], files={"d/x": 1000}).layer(dirs=["d"], opaque=["d"], files={"d/n": 200}),
        1.0,
        0,
        1200,
        200,
    ),
    "hardlink": (ImageBuilder().layer(files={"a": 1000}, links={"b": "a"}), 1.0, 0, 1000, 1000),
    "symlink over a file": (
        ImageBuilder().layer(files={"a": 1000, "k": 1000}).layer(symlinks={"a": "k"}),
        0.5,
        1000,
        2000,
        1000,
    ),
    "empty folders": (ImageBuilder().layer(dirs=["d", "e"], files={"a": 10}).layer(dirs=["f"]), 1.0, 0, 10, 10),
    "same bytes twice": (ImageBuilder().layer(files={"a": 1000, "b": 1000}), 1.0, 0, 2000, 2000),
    "single": (one, 1.0, 0, 1000, 1000),
    "nothing": (ImageBuilder().layer(), 1.0, 0, 0, 0),
    "no layers": (ImageBuilder(), 1.0, 0, 0, 0),
}


Open = Callable[[ImageBuilder], LayerStack]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    def opened(image: ImageBuilder) -> LayerStack:
        path = tmp_path / "image.tar"
        path.write_bytes(image.to_docker_archive())
        return open_archive(path)

    return opened


@pytest.mark.parametrize("case", CASES)
def test_bytes(case: str, opened: Open) -> None:
    """Total, visible and wasted bytes are those worked out by hand, and every wasted byte has an item."""
    image, _, _, total, visible = CASES[case]
    waste = opened(image).waste()
    assert (waste.total_bytes, waste.visible_bytes, waste.wasted_bytes) == (total, visible, total - visible)
    assert sum(item.bytes for item in waste.items) == waste.wasted_bytes
    assert waste.efficiency == (visible / total if total else 1.0)


@pytest.mark.parametrize("case", CASES)
def test_dive(case: str, opened: Open) -> None:
    """Beside ours stand the numbers that dive 0.13.1 prints for the same image."""
    image, efficiency, wasted, _, _ = CASES[case]
    waste = opened(image).waste()
    assert (waste.dive_efficiency, waste.dive_wasted_bytes) == (efficiency, wasted)


@pytest.mark.parametrize(
    ("case", "causes"),
    [
        ("overwrite", {"overwritten": 1000}),
        ("chmod", {"copied unchanged": 1000}),
        ("delete a folder", {"deleted": 1500}),
        ("opaque folder", {"opaque": 1000}),
        ("symlink over a file", {"type change": 1000}),
    ],
)
def test_causes(case: str, causes: dict[str, int], opened: Open) -> None:
    """Each wasted byte is booked under what hid it; the same bytes again count as copied unchanged."""
    waste = opened(CASES[case][0]).waste()
    assert waste.by_cause == causes
    assert waste.unchanged_known


def test_blame(opened: Open) -> None:
    """An item names the layer that hid the bytes, its instruction, and the layer that still carries them."""
    image = one.metadata("ENV A=1").layer(files={"b": 1}).layer(whiteouts=["a"], created_by="RUN rm /a")
    (item,) = opened(image).waste().items
    assert (item.path, item.layer, item.instruction, item.stored_in) == ("/a", 2, "RUN rm /a", 0)


def test_hardlink_keeps_bytes_visible(opened: Open) -> None:
    """Removing one of two names wastes nothing; removing the second one wastes the bytes once, in that layer."""
    image = ImageBuilder().layer(files={"a": 1000}, links={"b": "a"}).layer(whiteouts=["a"])
    assert opened(image).waste().wasted_bytes == 0
    (item,) = opened(image.layer(whiteouts=["b"])).waste().items
    assert (item.bytes, item.layer, item.cause) == (1000, 2, "deleted")


def test_unknown_content_is_overwritten(opened: Open) -> None:
    """Where no content can be compared, a copy counts as overwritten and the result says that it could not tell."""
    stack = opened(CASES["chmod"][0])
    waste = find_waste([layer.files() for layer in stack])
    assert waste.by_cause == {"overwritten": 1000}
    assert not waste.unchanged_known


def test_linear_in_whiteouts() -> None:
    """Eight times the files and whiteouts take about eight times the time, not sixty-four."""
    from containerkit.layers.waste import find_waste

    def cpu_seconds(count: int) -> float:
        files = [FileEntry(f"/usr/d{n % 700}/f{n}", "file", 1000) for n in range(count)]
        marks = [FileEntry(entry.path, "whiteout") for entry in files[: count // 2]]
        start = time.process_time()
        assert find_waste([files, marks]).wasted_bytes == count // 2 * 1000
        return time.process_time() - start

    few = max(cpu_seconds(1_500) for _ in range(3))
    assert cpu_seconds(12_000) < 30 * few


def test_a_hardlink_with_the_same_bytes_changes_nothing(opened: Open) -> None:
    """The link that takes a file's place is followed, in whichever order the two names were written."""
    base = ImageBuilder().layer(files={"data": 1000})
    for file, link in (("data", "data3"), ("data3", "data")):
        waste = opened(base.layer(files={file: 1000}, links={link: file})).waste()
        assert [(item.path, item.cause) for item in waste.items] == [("/data", "copied unchanged")]


def test_a_file_written_again_with_the_same_bytes_is_no_difference(opened: Open) -> None:
    """diff() compares bytes where nothing else tells, as waste() does; other bytes of the same length are modified."""
    stack = opened(ImageBuilder().layer(files={"a": b"1234", "b": b"1234"}).layer(files={"a": b"1234", "b": b"4321"}))
    assert [change.path for change in stack.diff(1)] == ["/b"]


def test_names_that_are_no_utf8_can_be_printed(opened: Open) -> None:
    """A repr and to_dict() hold nothing that no encoding has a place for."""
    (entry,) = opened(ImageBuilder().layer(members=[tarfile.TarInfo("caf\udce9")])).files()
    assert repr(entry).encode().startswith(b"<FileEntry /caf\\udce9 file")
    assert json.dumps(entry.to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize("at", ["0", 1.0, True, b"0"])
def test_an_index_of_another_type(opened: Open, at: Any) -> None:
    """InvalidOption, and no error from inside."""
    stack = opened(ImageBuilder().layer(files={"a": 1}))
    for ask in (lambda: stack.tree(at), lambda: stack.diff(at)):
        with pytest.raises(InvalidOption):
            ask()
