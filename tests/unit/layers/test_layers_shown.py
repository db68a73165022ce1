"""What the answers about layers show: to_dict(), the words of tables, removals of unnamed images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends.base import ContainerRecord, EngineDiskUsage, ImageRecord
from containerkit.layers.savings import Savings
from containerkit.layers.usage import RwLayer, _images_differ
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder

BASE = ImageBuilder().layer(files={"base": b"b" * 1000, "gone": b"g" * 400}, created_by="COPY base /")
ONE = BASE.layer(files={"x": b"x" * 10}, whiteouts=["gone"], created_by="RUN rm gone")
TWO = BASE.metadata("ENV A=1").layer(files={"y": b"y" * 20, "copy": b"b" * 1000})


class Backend(FakeBackend):
    """An engine in memory whose list of images can have parents without names, and which reports sizes."""

    parents: dict[str, str]
    keeps_parents = False
    reported = EngineDiskUsage(images=2460, containers=700, reclaimable=30, volumes=5, build_cache=6)

    def list_images(self, **how: Any) -> tuple[ImageRecord, ...]:
        parents = getattr(self, "parents", {})
        return tuple(replace(row, parent=parents.get(row.id, "")) for row in super().list_images(**how))

    def inspect_image(self, ref: str) -> ImageRecord:
        row = super().inspect_image(ref)
        return replace(row, parent=getattr(self, "parents", {}).get(row.id, ""))

    def engine_disk_usage(self) -> EngineDiskUsage:
        return self.reported


@pytest.fixture
def backend() -> Backend:
    found = Backend()
    found.add_image("one:1", ONE)
    found.add_image("two:1", TWO)
    return found


@pytest.fixture
def engine(backend: Backend) -> Iterator[ck.Engine]:
    with ck.connect(backend) as opened:
        yield opened


def test_a_stack_as_a_document(engine: ck.Engine) -> None:
    """Every attribute under its own name, in JSON types."""
    found = json.loads(json.dumps(engine.layers("two:1").to_dict()))
    assert set(found) == {"ref", "image_id", "config_digest", "layers", "history", "sizes"}
    base, top = found["layers"]
    keys = {"index", "diff_id", "chain_id", "created_by", "mapping", "history_index", "shared_with", "sizes"}
    assert set(base) == keys
    assert (base["index"], base["created_by"], base["history_index"]) == (0, "COPY base /", 0)
    assert (top["index"], top["mapping"], top["history_index"]) == (1, "exact", 2)
    assert base["shared_with"] == ["one:1"]
    assert [base["sizes"]["content"], found["sizes"]["content"]] == [1400, 2420]
    assert [line["created_by"] for line in found["history"]][1] == "ENV A=1"


def test_waste_as_a_document(engine: ck.Engine) -> None:
    """The bytes of each cause add up to the waste."""
    waste = engine.waste("one:1")
    found = json.loads(json.dumps(waste.to_dict()))
    assert found["wasted_bytes"] == 400
    assert sum(found["by_cause"].values()) == 400
    assert list(found["by_cause"]) == [found["items"][0]["cause"]]
    assert found["dive_wasted_bytes"] == waste.dive_wasted_bytes


def test_savings_as_a_document(engine: ck.Engine) -> None:
    """Ratios are part of it; without a store the disk is unknown, and the table says so."""
    savings = engine.savings()
    found = savings.to_dict()
    assert {field.name for field in fields(Savings)} | {"ratio", "disk_ratio"} == set(found)
    assert (found["logical_bytes"], found["unique_bytes"]) == (1410 + 2420, 1400 + 10 + 1020)
    assert found["ratio"] == pytest.approx(3830 / 2430)
    assert found["disk_ratio"] is None
    assert "on disk unknown" in savings.table().to_text()
    known = replace(savings, disk_bytes=1000, full_copies_bytes=2500, build_cache_bytes=2048, shares_layers=False)
    text = " ".join(known.table().to_text().split())
    assert known.disk_ratio == 2.5
    assert "2.50 times less" in text
    assert "build cache on disk: 2.05 kB" in text
    assert "volumes on disk" not in text
    assert "this storage driver shares nothing" in text
    assert replace(savings, logical_bytes=0, unique_bytes=0).ratio == 1.0
    assert replace(savings, disk_bytes=0).disk_ratio is None


def test_duplicates_are_verified_by_their_bytes(engine: ck.Engine) -> None:
    """The same file in two layers counts once too often."""
    found = engine.duplicates(verify=True)
    (group,) = found.groups
    assert {path for _, path in group.files} == {"/base", "/copy"}
    assert (group.size, group.bytes, group.content_id[:7]) == (1000, 1000, "sha256:")
    assert found.to_dict()["bytes"] == 1000


def test_claims_of_the_engine_beside_what_is_measured(engine: ck.Engine) -> None:
    """Containers, reclaimable images, build cache and volumes; unknown is None, never 0."""
    engine.containers.create("one:1", "true", name="web")
    usage = engine.disk_usage()
    figures = {claim.what: (claim.engine_bytes, claim.content_bytes, claim.disk_bytes) for claim in usage.claims}
    assert figures == {
        "images": (2460, 2430, None),
        "containers": (700, None, None),
        "reclaimable images": (30, 1020, None),
        "build cache": (6, None, None),
        "volumes": (5, None, None),
    }
    assert usage.get("volumes").engine_bytes == 5
    with pytest.raises(KeyError, match="there are: images, containers"):
        usage.get("nothing")


@pytest.mark.parametrize(("factor", "said"), [(0.85, False), (0.95, True), (1.25, True), (1.35, False), (2.0, False)])
def test_an_engine_that_adds_up_whole_images(factor: float, said: bool) -> None:
    """Its figure is near the sum of all images, from a tenth below to three tenths above."""
    words = _images_differ(int(10_000 * factor), 1000, 10_000, None)
    assert words.startswith("the engine adds up whole images") == said


def test_a_read_write_layer_as_a_table() -> None:
    """A figure per row, the reason below."""
    text = RwLayer(1024, 4096, 2048, None, 0, reason="no store").table().to_text()
    rows = {line.split("  ")[0].strip(): line.split("  ")[-1].strip() for line in text.splitlines()}
    assert rows["file content"] == "1.02 kB"
    assert rows["the engine says"] == "2.05 kB"
    assert rows["logs"] == "unknown"
    assert "no store" in text


def test_unnamed_parents_go_with_their_only_child(backend: Backend, engine: ck.Engine) -> None:
    """A parent with another child stays; one that a container uses stays too."""
    parent = backend.add_image("parent:1", ImageBuilder().layer(files={"p": b"p" * 100}))
    child = backend.add_image("child:1", ImageBuilder().layer(files={"p": b"p" * 100}).layer(files={"c": b"c" * 5}))
    backend.parents = {child: parent}
    unnamed = backend.list_images
    names = {parent: ()}
    backend.list_images = lambda **how: tuple(  # type: ignore[method-assign]
        replace(row, refs=names.get(row.id, row.refs)) for row in unnamed(**how)
    )
    inspect = backend.inspect_image
    backend.inspect_image = lambda ref: replace(  # type: ignore[method-assign]
        inspect(ref), refs=names.get(inspect(ref).id, inspect(ref).refs)
    )
    found = engine.reclaimable("child:1")
    assert set(found.images) == {child, parent}
    assert found.bytes == 105
    backend.parents[backend.inspect_image("two:1").id] = parent
    found = engine.reclaimable("child:1")
    assert set(found.images) == {child}
    assert found.bytes == 5


def test_an_image_of_a_container_that_lost_it(backend: Backend, engine: ck.Engine) -> None:
    """The report says that its layers are still there."""
    engine.containers.create("one:1", "true", name="web")
    rows = backend.list_containers

    def lost(**how: Any) -> tuple[ContainerRecord, ...]:
        return tuple(replace(row, image_id="sha256:" + "f" * 64) for row in rows(**how))

    backend.list_containers = lost  # type: ignore[method-assign]
    assert ("sha256:" + "f" * 64, "container web still has its layers") in engine.reclaimable().kept
