"""The questions about the images of an engine, on a fake engine: savings, sharing, reclaim, duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

import containerkit as ck
from containerkit.errors import ImageNotFound, InvalidImage
from containerkit.streams import ByteStream
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder

BASE = ImageBuilder().layer(files={"base": b"b" * 1000})
MIDDLE = BASE.layer(files={"middle": b"m" * 300})


class Backend(FakeBackend):
    """A fake engine whose save of one image can be broken."""

    broken = ""

    def save_images(self, refs: Iterable[str]) -> ByteStream:
        names = list(refs)
        if self.broken in names:
            return ByteStream(iter([b"no archive"]))
        return super().save_images(names)


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def engine(backend: Backend) -> Iterator[ck.Engine]:
    with ck.Engine(backend) as engine:
        for name, builder in (
            ("one", MIDDLE.layer(files={"x": b"x" * 10})),
            ("two", MIDDLE.layer(files={"y": b"y" * 20})),
            ("three", BASE.layer(files={"z": b"z" * 40, "copy": b"x" * 10})),
        ):
            engine.images.load(builder.tag(f"{name}:1").to_docker_archive())
        yield engine


def image_id(engine: ck.Engine, ref: str) -> str:
    return engine.images.get(ref).id


def test_savings_count_each_layer_once(engine: ck.Engine) -> None:
    """The sum of the images against the distinct layers; a layer of two images is shared."""
    savings = engine.savings()
    assert savings.logical_bytes == 1310 + 1320 + 1050
    assert savings.unique_bytes == 1000 + 300 + 10 + 20 + 50
    assert savings.ratio == pytest.approx(3680 / 1380)
    found = {cost.ref: (cost.logical_bytes, cost.shared_bytes, cost.unique_bytes) for cost in savings.images}
    assert found == {"one:1": (1310, 1300, 10), "two:1": (1320, 1300, 20), "three:1": (1050, 1000, 50)}
    assert (savings.disk_bytes, savings.disk_ratio, savings.shares_layers) == (None, None, None)
    assert len(savings.unknown) == 1
    assert savings.full_copies_bytes == sum(cost.full_copy_bytes for cost in savings.images)
    assert engine.savings("one:1").ratio == 1.0
    assert engine.savings([]).ratio == 1.0


def test_savings_count_containers(engine: ck.Engine) -> None:
    """Each container is one more full copy of its image; its own layer is unknown without a store."""
    container = engine.containers.create("one:1", ["x"])
    savings = engine.savings("one:1")
    assert [(cost.name, cost.disk_bytes) for cost in savings.containers] == [(container.name, None)]
    assert savings.full_copies_bytes == 2 * savings.images[0].full_copy_bytes
    assert "full copies are counted without what the containers wrote" in savings.unknown
    assert engine.savings("one:1", containers=False).containers == ()
    assert engine.savings("two:1").containers == ()


def test_squashing_pays_only_for_what_is_not_shared(engine: ck.Engine) -> None:
    """Flattening an image stores its shared layers again."""
    (one, _) = engine.savings(["one:1", "two:1"], containers=False).images
    assert one.squash_saves == one.unique_bytes - 1310 == -1300
    assert one.to_dict()["squash_saves"] == -1300


def test_sharing_lists_each_layer_with_its_images(engine: ck.Engine) -> None:
    """A layer of two images is shared, and so is a layer of three."""
    container = engine.containers.create("one:1", ["x"])
    sharing = engine.sharing()
    assert sorted(len(layer.images) for layer in sharing.layers) == [1, 1, 1, 2, 3]
    assert sorted(len(layer.images) for layer in sharing.shared) == [2, 3]
    assert sharing.containers == {container.name: image_id(engine, "one:1")}
    assert sharing.refs[image_id(engine, "two:1")] == ("two:1",)
    assert sharing.common(engine.sharing("three:1")) == tuple(
        layer.chain_id for layer in sharing.layers if image_id(engine, "three:1") in layer.images
    )


def test_layers_name_the_other_images(engine: ck.Engine) -> None:
    """shared_with leaves out the image itself."""
    shared = [sorted(layer.shared_with) for layer in engine.layers("one:1")]
    assert shared == [["three:1", "two:1"], ["two:1"], []]


def test_reclaim_counts_layers_that_nothing_else_needs(engine: ck.Engine) -> None:
    """A layer of an image that stays is not freed; all images together free everything."""
    one = engine.reclaimable("one:1")
    assert (one.bytes, one.disk_bytes, len(one.layers)) == (10, None, 1)
    assert one.images == (image_id(engine, "one:1"),)
    assert {reason for _, reason in one.kept} == {"not asked for"}
    assert engine.reclaimable(["one:1", "two:1"]).bytes == 330
    assert engine.reclaimable().bytes == 1380
    assert engine.reclaimable().kept == ()


def test_reclaim_keeps_the_image_of_a_container(engine: ck.Engine) -> None:
    """An image with a container stays, with every layer of it."""
    container = engine.containers.create("two:1", ["x"])
    found = engine.reclaimable()
    assert found.bytes == 10 + 50
    assert (image_id(engine, "two:1"), f"container {container.name} uses it") in found.kept
    assert image_id(engine, "two:1") not in found.images


def test_reclaim_keeps_an_image_with_another_name(engine: ck.Engine) -> None:
    """Removing one of two names frees nothing; removing both, or by ID, frees the image."""
    engine.images.get("one:1").tag("again:1")
    found = engine.reclaimable("one:1")
    assert (found.bytes, found.images) == (0, ())
    assert (image_id(engine, "one:1"), "also named again:1") in found.kept
    assert engine.reclaimable(["one:1", "again:1"]).bytes == 10
    assert engine.reclaimable(image_id(engine, "one:1")).bytes == 10


def test_duplicates_are_equal_files_in_layers_that_are_not_shared(engine: ck.Engine) -> None:
    """The ten bytes of x stand in two layers; one copy would save ten."""
    found = engine.duplicates()
    assert [(group.size, sorted(path for _, path in group.files), group.bytes) for group in found.groups] == [
        (10, ["/copy", "/x"], 10)
    ]
    assert (found.bytes, found.total_bytes, found.verified) == (10, 1380, True)
    assert found.share == pytest.approx(10 / 1380)
    assert engine.duplicates("one:1").groups == ()


def test_one_unreadable_image_is_named_and_the_others_count(engine: ck.Engine, backend: Backend) -> None:
    """An image that cannot be read disables no question about all images."""
    backend.broken = image_id(engine, "one:1")
    questions = (engine.savings(), engine.reclaimable(), engine.duplicates(), engine.disk_usage())
    for answer in questions:
        assert len([note for note in answer.unknown if "one:1" in note]) == 1
    savings, reclaim, duplicates, _ = questions
    assert {cost.ref for cost in savings.images} == {"two:1", "three:1"}
    assert savings.logical_bytes == 1320 + 1050
    assert reclaim.bytes == 1370
    assert len(reclaim.images) == 3
    assert duplicates.total_bytes == 1370
    with pytest.raises(InvalidImage):
        engine.savings("one:1")


def test_unknown_names_raise(engine: ck.Engine) -> None:
    """A name without an image raises ImageNotFound, another type InvalidOption."""
    for question in (engine.savings, engine.sharing, engine.reclaimable, engine.duplicates):
        with pytest.raises(ImageNotFound):
            question("none:1")
        with pytest.raises(ck.InvalidOption):
            question(b"one:1")


def test_a_parent_of_an_image_that_stays_frees_nothing(engine: ck.Engine, backend: Backend) -> None:
    """Where the engine removes only the name of a parent, removing it frees nothing; with its child it goes."""
    container = engine.containers.create("one:1", ["x"])
    child = container.commit("child:1")
    container.remove()
    one = image_id(engine, "one:1")
    assert engine.reclaimable("one:1").images == (one,)
    backend.keeps_parents = True
    found = engine.reclaimable("one:1")
    assert (found.bytes, found.images) == (0, ())
    assert (one, "only its name goes: child:1 was built from it") in found.kept
    assert set(engine.reclaimable(["one:1", "child:1"]).images) == {one, child.id}


def test_the_table_of_a_removal_names_only_reasons_worth_knowing(engine: ck.Engine) -> None:
    """Images that nobody asked to remove have no row."""
    container = engine.containers.create("two:1", ["x"])
    text = engine.reclaimable("one:1").table().to_text()
    assert "not asked for" not in text
    assert container.name in text
