"""BuildKit's cache in stores written by hand, and how a store is opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from containerkit.oci.digest import sha256
from containerkit.store import open_store
from containerkit.store.bolt import open_bolt
from containerkit.store.buildkit import BuildCache, containerd_cache, docker_cache
from containerkit.store.disk import disk_bytes
from tests.bolt_file import Tree, bolt


def test_a_cache_without_records_is_its_own_folder(tmp_path: Path) -> None:
    """What BuildKit wrote beside counts on disk; a folder that does not exist counts nothing."""
    assert docker_cache(tmp_path, tmp_path / "overlay2", ()).disk == 0
    (tmp_path / "buildkit").mkdir()
    (tmp_path / "buildkit" / "cache.db").write_bytes(b"x" * 5000)
    assert docker_cache(tmp_path, tmp_path / "overlay2", ()).disk == disk_bytes(tmp_path / "buildkit") > 0


def test_folders_of_image_layers_are_not_the_caches(tmp_path: Path) -> None:
    """A record names the layer that it keeps, and the folder that holds it: `committed`, else its key."""
    chain = sha256(b"layer")
    bolt(
        tmp_path / "buildkit" / "snapshots.db",
        {
            b"image": {b"chainid": chain.encode(), b"committed": b"of-image"},
            b"step": {b"committed": b"of-step"},
            b"active": {b"id": b"1"},
            b"no record": b"plain",
        },
    )
    data = tmp_path / "overlay2"
    found = docker_cache(tmp_path, data, [data / "of-image"])
    assert found.chains == {chain}
    assert found.blobs == frozenset()
    assert found.folders == (tmp_path / "buildkit", data / "active", data / "of-step")


def test_leases_of_containerd(tmp_path: Path) -> None:
    """A lease keeps blobs and snapshots; a lease that expires is of an operation that still runs."""
    chain, blob = sha256(b"layer"), sha256(b"blob")

    def lease(*names: str, **more: Any) -> Tree:
        held: Tree = {b"overlayfs": {name.encode(): b"" for name in names}, b"native": {b"other": b""}}
        extra = {key.encode(): value for key, value in more.items()}
        return {b"snapshots": held, b"content": {blob.encode(): b""}, **extra}

    leases: Tree = {
        b"kept": lease(chain, "step", "gone"),
        b"running": lease("temporary", labels={b"containerd.io/gc.expire": b"soon"}),
    }
    database = open_bolt(bolt(tmp_path / "meta.db", {b"v1": {b"moby": {b"leases": leases}}}))
    place = tmp_path / "containerd" / "daemon"
    snapshots = {name: (tmp_path / name, "") for name in (chain, "step", "temporary", "other")}
    found = containerd_cache(place, "overlayfs", snapshots, database)
    assert found == BuildCache(frozenset({chain}), frozenset({blob}), (tmp_path / "buildkit", tmp_path / "step"))
    assert containerd_cache(place, "overlayfs", snapshots, None) == BuildCache()


def backend(kind: str, image_store: str, driver: str) -> Any:
    info = SimpleNamespace(
        kind=kind, image_store=image_store, storage_driver=driver, root_dir="/var/lib/engine", raw={}
    )
    return SimpleNamespace(url="unix:///engine.sock", first_info=lambda: info)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("containerkit.store.engine_root", lambda url: (tmp_path, ""))
    return tmp_path


def test_a_store_is_opened_by_kind_of_engine(root: Path) -> None:
    """The engine's folder is looked for below the engine's own root."""
    folder = root / "var/lib/engine"
    (folder / "image/overlay2/layerdb/sha256").mkdir(parents=True)
    (folder / "overlay2").mkdir()
    (folder / "overlay-layers").mkdir()
    (folder / "overlay-layers/layers.json").write_text(json.dumps([]))
    for kind, driver in (("docker", "overlay2"), ("podman", "overlay")):
        store, reason = open_store(backend(kind, "graphdriver", driver))
        assert (store is not None, reason) == (True, ""), kind


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda folder: None, "this user may not read the store: No such file or directory (/var/lib/engine)"),
        (
            lambda folder: folder.write_bytes(b"noise" * 2000),
            "the store at /var/lib/engine is laid out",
        ),
    ],
    ids=["missing", "unknown"],
)
def test_a_store_that_cannot_be_read_gives_the_reason(root: Path, write: Callable[[Path], object], words: str) -> None:
    """In words, and no exception."""
    database = root / "var/lib/engine/containerd/daemon/io.containerd.snapshotter.v1.overlayfs/metadata.db"
    database.parent.mkdir(parents=True)
    write(database)
    store, reason = open_store(backend("docker", "containerd", "overlayfs"))
    assert store is None
    assert words in reason


def test_a_remote_engine_has_no_store_here() -> None:
    """The reason is that of the connection."""
    store, reason = open_store(SimpleNamespace(url="tcp://host", first_info=lambda: None))  # type: ignore[arg-type]
    assert (store, reason) == (None, "the engine is not reached through a socket of this machine")
