"""Two images compared by their files."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from containerkit.errors import InvalidOption
from containerkit.layers.stack import LayerStack, open_archive
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
