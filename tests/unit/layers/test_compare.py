"""Two images compared by their files."""

from __future__ import annotations

import tarfile
from collections.abc import Collection
from pathlib import Path

import pytest

from containerkit.errors import InvalidOption
from containerkit.layers.stack import LayerStack, open_archive
from containerkit.oci.layer import FileEntry
from containerkit.oci.tree import compare, stack
from containerkit.testing.archives import ImageBuilder

BASE = ImageBuilder().layer(files={"same": b"s" * 10, "size": b"1", "bytes": b"a" * 10, "gone": b"g"})


def stack_of(builder: ImageBuilder, path: Path) -> LayerStack:
    path.write_bytes(builder.to_docker_archive())
    return open_archive(path)


def changes(old: LayerStack, new: LayerStack, *, times: bool = True) -> dict[str, str]:
    return {change.path: change.kind for change in old.compare(new, times=times)}


def test_added_modified_and_removed_files(tmp_path: Path) -> None:
    """What only the other image has is added; equal size with other bytes is modified."""
    old = stack_of(BASE, tmp_path / "old.tar")
    changed = ImageBuilder().layer(files={"same": b"s" * 10, "size": b"12", "bytes": b"b" * 10, "new": b"n"})
    new = stack_of(changed, tmp_path / "new.tar")
    expected = {"/size": "modified", "/bytes": "modified", "/gone": "removed", "/new": "added"}
    assert changes(old, new) == expected
    reverse = {"added": "removed", "removed": "added", "modified": "modified"}
    assert changes(new, old) == {path: reverse[kind] for path, kind in expected.items()}
    assert changes(old, old) == {}


def test_a_shared_prefix_and_the_same_files_in_other_layers(tmp_path: Path) -> None:
    """Files are compared after all layers are merged, whichever layer they come from."""
    old = stack_of(BASE.layer(files={"top": b"t"}), tmp_path / "old.tar")
    new = stack_of(BASE.layer(whiteouts=["gone"]).layer(files={"top": b"t"}), tmp_path / "new.tar")
    assert changes(old, new) == {"/gone": "removed"}
    assert changes(stack_of(BASE, tmp_path / "base.tar"), old) == {"/top": "added"}
    assert changes(old, stack_of(ImageBuilder(), tmp_path / "none.tar")).keys() == {
        "/same", "/size", "/bytes", "/gone", "/top",
    }  # fmt: skip


def test_times_can_be_ignored(tmp_path: Path) -> None:
    """With times=False a file that differs only in its time is the same."""
    stacks = []
    for mtime in (1, 2):
        info = tarfile.TarInfo("f")
        info.mtime, info.size = mtime, 5
        stacks.append(stack_of(ImageBuilder().layer(members=[info]), tmp_path / f"{mtime}.tar"))
    assert changes(*stacks) == {"/f": "modified"}
    assert changes(*stacks, times=False) == {}


def test_only_a_stack_can_be_compared(tmp_path: Path) -> None:
    """Another type raises InvalidOption."""
    with pytest.raises(InvalidOption, match="LayerStack"):
        stack_of(BASE, tmp_path / "old.tar").compare("new.tar")  # type: ignore[arg-type]


@pytest.mark.parametrize("same", [True, False], ids=["one layer", "layers that are not shared"])
@pytest.mark.parametrize("ids", [("crc64:00", None), (None, "crc64:00"), ("crc64:00", "sha256:00")])
def test_contents_that_two_readers_name_in_their_own_ways(ids: tuple[str | None, str | None], same: bool) -> None:
    """A shared layer is equal to itself; of other layers the bytes are hashed, and only those in doubt."""
    trees = []
    for number, content_id in enumerate(ids):
        entries = [FileEntry("/equal", "file", 5, content_id=content_id), FileEntry("/d", "dir")]
        entries.append(FileEntry("/other", "file", 5, content_id=content_id))
        trees.append(stack([entries], [0 if same else number]))
    asked: list[int] = []

    def stated(layer: int, paths: Collection[str]) -> dict[str, str]:
        return dict.fromkeys(paths, "sha256:ff")  # what an archive states of a layer without content IDs

    def digests(layer: int, paths: Collection[str]) -> dict[str, str]:
        asked.append(layer)
        return {path: f"sha256:{layer if path == '/other' else 'ff'}" for path in paths}

    found = compare(trees[0], trees[1], stated, digests)
    expected = set() if same else {"/other"} if None in ids else {"/equal", "/other"}
    assert {change.path for change in found.modified} == expected
    assert asked == ([] if same else [0] if ids[0] else [1])
