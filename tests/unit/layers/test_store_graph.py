"""The graph of a store: what is under a container, what the build cache keeps, what a removal frees."""

from __future__ import annotations

from pathlib import Path

import pytest

from containerkit.store.buildkit import BuildCache
from containerkit.store.disk import disk_bytes
from containerkit.store.graph import RwDir, Store, StoreLayer


def layer(root: Path, chain: str, parent: str = "", *, blob: bool = False) -> StoreLayer:
    folder = root / chain
    (folder / "diff").mkdir(parents=True)
    (folder / "diff/file").write_bytes(chain.encode() * 3000)
    path = root / "blobs" / f"{chain}-blob"
    if blob:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 20_000)
    return StoreLayer(
        chain, f"diff-{chain}", folder, folder / "diff", None, (path,) if blob else (), parent=parent,
        blob=path if blob else None,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    layers = {
        each.chain_id: each
        for each in (layer(tmp_path, "a", blob=True), layer(tmp_path, "b", "a"), layer(tmp_path, "c", "b"))
    }
    container = RwDir("box", tmp_path / "c", tmp_path / "c/diff", parent="c")
    cache = BuildCache(frozenset({"b", "gone"}), frozenset({"sha256:a-blob"}), ())
    return Store(tmp_path, "overlay2", True, layers, {"box": container}, cache=cache)


def test_layers_under_a_container(store: Store) -> None:
    """The top one first; an unknown container has none."""
    assert list(store.under("box")) == ["c", "b", "a"]
    assert list(store.under("none")) == []


def test_the_build_cache_keeps_what_is_below(store: Store) -> None:
    """A layer that only the cache names has no known parent."""
    assert store.cached == {"a", "b", "gone"}


def test_a_removal_leaves_the_blob_that_the_cache_keeps(store: Store) -> None:
    """Its bytes are not counted as freed."""
    whole = store.layers["a"]
    assert whole.blob is not None
    assert store.removable_disk("a") == whole.disk - disk_bytes(whole.blob)
    assert store.removable_disk("c") == store.layers["c"].disk > 0
    whole.blob.unlink()
    assert store.removable_disk("a") == whole.disk


def test_bytes_beside_the_layers(store: Store, tmp_path: Path) -> None:
    """Records that are gone count as nothing."""
    assert store.volumes_disk == 0
    (tmp_path / "records").mkdir()
    (tmp_path / "records/one").write_bytes(b"x" * 9000)
    known = Store(tmp_path, "vfs", False, {}, {}, images={"i": (tmp_path / "records", tmp_path / "gone")})
    assert known.image_disk("i") == disk_bytes(tmp_path / "records")
    assert known.image_disk("other") == 0


def test_a_file_of_a_layer_is_read_without_following_links(store: Store, tmp_path: Path) -> None:
    """At most as many bytes as were asked for."""
    found = store.layers["a"]
    assert b"".join(found.read("file", 10)) == b"a" * 10
    assert b"".join(found.read("file", 10**6)) == b"a" * 3000
    (found.files / "link").symlink_to(tmp_path / "b/diff/file")
    with pytest.raises(OSError, match="link"):
        list(found.read("link", 10))
