"""The questions about images on an engine in memory whose store lies on disk: the bytes that only a store can tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.layers.index import Index
from containerkit.oci.digest import chain_ids, sha256
from containerkit.store.buildkit import BuildCache
from containerkit.store.disk import disk_bytes
from containerkit.store.graph import RwDir, Store, StoreLayer
from containerkit.testing import FakeBackend, Reply
from containerkit.testing.archives import ImageBuilder

BASE = ImageBuilder().layer(files={"base": b"b" * 9000})
ONE = BASE.layer(files={"one": b"1" * 20_000})
TWO = BASE.layer(files={"two": b"2" * 40_000})
SIZES = {"base": 9000, "one": 20_000, "two": 40_000}
CHAIN = dict(zip(("base", "one"), chain_ids(ONE.diff_ids), strict=True)) | {"two": chain_ids(TWO.diff_ids)[1]}
#: Records of an image: one block each.
RECORDS = 4096


def blocks(size: int) -> int:
    return -(-size // 4096) * 4096


@pytest.fixture
def engine() -> Iterator[ck.Engine]:
    with ck.connect(FakeBackend(commands={"/one": Reply(until_stopped=True)})) as opened:
        for name, builder in (("one", ONE), ("two", TWO)):
            opened.images.load(builder.tag(f"{name}:1").to_docker_archive())
        yield opened


@pytest.fixture
def store(engine: ck.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the store of both images, with one container, a volume and something that only the build cache has."""
    layers = {}
    for name, size in SIZES.items():
        file = tmp_path / name / "file"
        file.parent.mkdir()
        file.write_bytes(b"x" * size)
        parent = "" if name == "base" else CHAIN["base"]
        layers[CHAIN[name]] = StoreLayer(
            CHAIN[name], sha256(name.encode()), file.parent, file.parent, None, parent=parent
        )
    images = {}
    for name in ("one", "two"):
        images[engine.images.get(name + ":1").id] = (tmp_path / f"{name}.json",)
        (tmp_path / f"{name}.json").write_bytes(b"{}")
    (tmp_path / "volumes" / "data").mkdir(parents=True)
    (tmp_path / "volumes" / "data" / "file").write_bytes(b"v" * 100_000)
    (tmp_path / "cache").write_bytes(b"c" * 50_000)
    found = Store(tmp_path, "overlay2", True, layers, {}, images, cache=BuildCache(folders=(tmp_path / "cache",)))
    monkeypatch.setattr(Index, "store", found)
    return found


def content(*names: str) -> int:
    return sum(blocks(SIZES[name]) for name in names)


def folders(store: Store, *names: str) -> int:
    """Return the blocks of these layers' folders, which hold one file each."""
    found = sum(disk_bytes(store.layers[CHAIN[name]].folder) for name in names)
    assert found >= content(*names)
    return found


def test_savings(engine: ck.Engine, store: Store) -> None:
    """Every layer and every record of an image counts once; cache and volumes stand beside it."""
    found = engine.savings()
    assert found.disk_bytes == folders(store, "base", "one", "two") + 2 * RECORDS
    assert found.volume_bytes == disk_bytes(store.root / "volumes")
    assert disk_bytes(store.root / "volumes") >= 100_000
    assert found.build_cache_bytes == blocks(50_000)
    assert (found.shares_layers, found.unknown) == (True, ())
    text = found.table().to_text()
    assert "build cache on disk: 53.2 kB" in text
    assert "volumes on disk: 1" in text
    bars = {bar["label"]: bar["value"] for bar in found.picture().to_dict()["bars"]}
    assert bars["on disk"] == found.disk_bytes
    assert bars["full copies"] == found.full_copies_bytes


def test_savings_of_one_image(engine: ck.Engine, store: Store) -> None:
    """Only its layers count, and neither cache nor volumes."""
    found = engine.savings("two:1")
    assert [cost.ref for cost in found.images] == ["two:1"]
    assert found.disk_bytes == folders(store, "base", "two") + RECORDS
    assert (found.volume_bytes, found.build_cache_bytes) == (None, None)
    assert found.logical_bytes == SIZES["base"] + SIZES["two"]


def test_savings_with_a_container(
    engine: ck.Engine, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its layer, its log and its records count once on disk; a full copy has the image and its layer."""
    container = engine.start("one:1", "/one", name="c1")
    before = engine.savings(containers=False)
    layer, log, record = tmp_path / "rw", tmp_path / "log", tmp_path / "record"
    layer.mkdir()
    (layer / "file").write_bytes(b"w" * 30_000)
    log.write_bytes(b"l" * 5000)
    record.write_bytes(b"r" * 10)
    own = RwDir(container.id, layer, layer, logs=(log,), beside=(log, record), parent=CHAIN["one"])
    monkeypatch.setattr(Index, "store", replace(store, containers={container.id: own}))
    found = engine.savings()
    (cost,) = found.containers
    assert (cost.name, cost.layer_bytes, cost.log_bytes, cost.overhead_bytes) == ("c1", disk_bytes(layer), 8192, 4096)
    assert cost.disk_bytes == disk_bytes(layer) + 8192 + 4096
    assert found.disk_bytes == (before.disk_bytes or 0) + cost.disk_bytes
    image = next(image for image in found.images if image.ref == "one:1")
    assert found.full_copies_bytes == before.full_copies_bytes + image.full_copy_bytes + disk_bytes(layer)


def test_savings_with_a_container_elsewhere(engine: ck.Engine, store: Store) -> None:
    """The sum on disk is unknown, with the reason; the sums of the images stay."""
    engine.start("one:1", "/one", name="c1")
    found = engine.savings()
    assert (found.disk_bytes, found.disk_ratio) == (None, None)
    assert found.unknown == (
        "bytes on disk of container c1: its read-write layer is not in the store that can be read",
        "full copies are counted without what the containers wrote",
    )
    assert found.unique_bytes == sum(SIZES.values())


def test_reclaimable(engine: ck.Engine, store: Store) -> None:
    """A shared layer stays for the other image; both images free all of it."""
    found = engine.reclaimable("two:1")
    assert (found.bytes, found.layers) == (SIZES["two"], (CHAIN["two"],))
    assert found.disk_bytes == folders(store, "two") + RECORDS
    both = engine.reclaimable(["one:1", "two:1"])
    assert both.bytes == sum(SIZES.values())
    assert both.disk_bytes == folders(store, "base", "one", "two") + 2 * RECORDS
    assert set(both.layers) == set(CHAIN.values())


def test_reclaimable_with_a_build_cache(engine: ck.Engine, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that the build cache has stays, with the layers below it, and the reason names their number."""
    cache = BuildCache(chains=frozenset({CHAIN["two"]}))
    monkeypatch.setattr(Index, "store", replace(store, cache=cache))
    found = engine.reclaimable(["one:1", "two:1"])
    assert (found.bytes, found.layers) == (SIZES["one"], (CHAIN["one"],))
    assert found.disk_bytes == folders(store, "one") + 2 * RECORDS
    assert dict(found.kept) == {
        engine.images.get("two:1").id: "the build cache keeps 2 of its layers",
        engine.images.get("one:1").id: "the build cache keeps 1 of its layers",
    }


def test_sharing_is_drawn(engine: ck.Engine) -> None:
    """The graph has every image by name as a chain of layers, and the containers of each."""
    engine.start("one:1", "/one", name="c1")
    graph = engine.sharing().picture()
    assert {name: [layer.id for layer in chain] for name, chain in graph.chains.items()} == {
        "one:1": [CHAIN["base"], CHAIN["one"]],
        "two:1": [CHAIN["base"], CHAIN["two"]],
    }
    assert {name: list(names) for name, names in graph.containers.items() if names} == {"one:1": ["c1"]}
    html = engine.sharing()._repr_html_()
    assert all(word in html for word in ("one:1", "two:1", "c1"))
