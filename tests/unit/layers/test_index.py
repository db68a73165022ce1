"""The index of an engine's images while images come and go."""

from __future__ import annotations

from typing import Any

import pytest

import containerkit as ck
from containerkit.backends.base import ImageRecord
from containerkit.layers.index import Index, steady
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder

ONE = ImageBuilder().layer(files={"a": b"x" * 100})
TWO = ONE.layer(files={"b": b"y" * 50})


@pytest.fixture
def backend() -> FakeBackend:
    backend = FakeBackend()
    backend.add_image("one:1", ONE)
    backend.add_image("two:1", TWO)
    return backend


def names(index: Index) -> list[str]:
    return sorted(index.name(record) for record in index.records(None))


def removing(backend: FakeBackend, times: int) -> Any:
    """Return a question during which an image is removed, in the first `times` attempts."""
    attempts: list[int] = []

    def question(index: Index) -> list[str]:
        found = names(index)
        attempts.append(len(found))
        if len(attempts) <= times:
            backend.remove_image("two:1", force=True, prune=True)
            for record in index.records("one:1"):
                index.layers(record)
            backend.inspect_image("two:1")
        return found

    question.attempts = attempts  # type: ignore[attr-defined]
    return question


def test_a_question_about_all_images_starts_again(backend: FakeBackend) -> None:
    """The answer is that of the images which are left."""
    question = removing(backend, 1)
    assert steady(backend, None, question) == ["one:1"]
    assert question.attempts == [2, 1]


def test_a_question_about_a_removed_image_is_an_error(backend: FakeBackend) -> None:
    """It names the image."""
    with pytest.raises(ck.ImageNotFound, match="image two:1 was removed meanwhile"):
        steady(backend, ["two:1"], removing(backend, 1))


def test_an_error_about_images_that_exist_is_raised(backend: FakeBackend) -> None:
    """It is not repeated."""
    asked: list[int] = []

    def question(index: Index) -> None:
        asked.append(len(names(index)))
        raise ck.InvalidImage("broken")

    with pytest.raises(ck.InvalidImage, match="broken"):
        steady(backend, None, question)
    assert asked == [2]


def test_an_image_that_vanishes_between_list_and_inspect(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left out; another error about an image that exists is raised."""
    inspect = backend.inspect_image
    two = inspect("two:1").id
    failure: list[Exception] = [ck.ImageNotFound("gone")]

    def fails(ref: str) -> ImageRecord:
        if ref == two and failure:
            raise failure.pop() if len(failure) > 1 else failure[0]
        return inspect(ref)

    monkeypatch.setattr(backend, "inspect_image", fails)
    assert names(Index(backend)) == ["one:1"]
    failure[:] = [ck.ImageNotFound("gone"), ck.EngineError("layer not known", status=500)]
    assert names(Index(backend)) == ["one:1"]  # Podman's word for an image that it removes
    failure.clear()
    once = [ck.EngineError("busy", status=500)]
    monkeypatch.setattr(
        backend, "inspect_image", lambda ref: inspect(ref) if ref != two or not once else _raise(once.pop())
    )
    with pytest.raises(ck.EngineError, match="busy"):
        Index(backend).records(None)


def _raise(error: Exception) -> ImageRecord:
    raise error


@pytest.mark.parametrize("refs", [5, b"one:1", {"one:1": 1}])
def test_names_of_another_kind(backend: FakeBackend, refs: Any) -> None:
    """A name, several names, or None."""
    with pytest.raises(ck.InvalidOption, match="refs"):
        Index(backend).records(refs)


def test_one_image_by_two_names(backend: FakeBackend) -> None:
    """It counts once, by the name that was requested first."""
    backend.tag_image("two:1", "same:1")
    index = Index(backend)
    records = index.records(["same:1", "two:1"])
    assert [index.name(record) for record in records] == ["same:1"]
    assert index.others(index.records("one:1")[0]) == {index.chains(records[0])[0]: ("same:1",)}


def test_images_that_cannot_be_read_are_named(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strictly, they are an error."""
    save, two = backend.save_images, backend.inspect_image("two:1").id
    monkeypatch.setattr(backend, "save_images", lambda refs: _broken() if two in refs else save(refs))
    index = Index(backend)
    records = index.records(None)
    assert [index.name(record) for record in index.readable(records, strict=False)] == ["one:1"]
    assert index.readable(records, strict=False)
    assert [note.partition(":1")[0] for note in index.unknown] == ["contents of image two"]
    with pytest.raises(ck.InvalidImage):
        Index(backend).readable(records, strict=True)
    assert index.disk(records) is None
    assert index.image_disk(records) is None


def _broken() -> Any:
    raise ck.InvalidImage("no archive")
