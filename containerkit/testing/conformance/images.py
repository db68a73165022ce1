"""Scenarios: images, their names, archives, registries."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    ImageNotFound,
    InUse,
    InvalidImage,
    InvalidOption,
    PullFailed,
    PushFailed,
)
from ...streams import ByteStream
from ..archives import ImageBuilder
from .base import (
    SLEEP,
    Scenarios,
    Untouchable,
    fresh_name,
    image_name,
    needs,
    tiny_image,
)


class ImageScenarios(Scenarios):
    """Images, their names, archives, registries."""

    @pytest.mark.parametrize("form", ["bytes", "path", "file", "pieces", "stream"])
    def test_load(self, engine: Engine, tmp_path: Path, form: str) -> None:
        """An archive is loaded from bytes, a path, an open file, pieces, or the stream of another engine."""
        with image_name(engine) as ref:
            builder = tiny_image().tag(ref)
            data = builder.to_docker_archive()
            (tmp_path / "a.tar").write_bytes(data)
            sources: dict[str, Callable[[], Any]] = {
                "bytes": lambda: data,
                "path": lambda: tmp_path / "a.tar",
                "file": lambda: io.BytesIO(data),
                "pieces": lambda: iter([data[:1000], data[1000:]]),
                "stream": lambda: ByteStream(iter([data])),
            }
            (image,) = engine.images.load(sources[form]())
            assert image.refs == (ref.removeprefix("docker.io/"),)
            assert image.diff_ids == builder.diff_ids

    @pytest.mark.parametrize("data", [b"", b"not a tar", b"\0" * 10240], ids=["empty", "text", "zeros"])
    def test_load_bad(self, engine: Engine, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        """Data that is no archive raises InvalidImage before anything is sent."""
        monkeypatch.setattr(engine._core, "_backend", Untouchable(engine._core.backend))
        with pytest.raises(InvalidImage):
            engine.images.load(data)

    def test_load_truncated(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """A truncated archive raises InvalidImage before anything is sent."""
        data = ImageBuilder().layer(files={"big": 200_000}).tag("containerkit/cut:1").to_docker_archive()
        monkeypatch.setattr(engine._core, "_backend", Untouchable(engine._core.backend))
        with pytest.raises(InvalidImage):
            engine.images.load(data[:100_000])

    def test_load_a_folder(self, engine: Engine, tmp_path: Path) -> None:
        """A directory in place of a file raises InvalidOption."""
        with pytest.raises(InvalidOption):
            engine.images.load(tmp_path)

    def test_save_and_load(self, engine: Engine, tmp_path: Path) -> None:
        """A saved image can be loaded again under its name."""
        with image_name(engine) as ref:
            builder = tiny_image().tag(ref)
            engine.images.load(builder.to_docker_archive())
            path = engine.images.save(ref, tmp_path / "out.tar")
            engine.images.remove(ref)
            assert not engine.images.exists(ref)
            engine.images.load(path)
            assert engine.images.get(ref).diff_ids == builder.diff_ids

    def test_save_several(self, engine: Engine, tmp_path: Path) -> None:
        """Several images can be saved into one archive."""
        with image_name(engine) as one, image_name(engine) as two:
            for ref in (one, two):
                engine.images.load(tiny_image().tag(ref).to_docker_archive())
            path = engine.images.save([one, two], tmp_path / "out.tar")
            for ref in (one, two):
                engine.images.remove(ref)
            assert len(engine.images.load(path)) == 2
            assert engine.images.exists(one)
            assert engine.images.exists(two)

    def test_save_missing(self, engine: Engine, tmp_path: Path) -> None:
        """Saving a missing image raises ImageNotFound and leaves no file."""
        with pytest.raises(ImageNotFound):
            engine.images.save(fresh_name("none"), tmp_path / "out.tar")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("given", "shown"),
        [("{}", "{}:latest"), ("{}:1", "{}:1"), ("docker.io/library/{}:1", "{}:1"), ("docker.io/a/{}:1", "a/{}:1"),
         ("localhost:5000/{}:1", "localhost:5000/{}:1"), ("registry.test/{}", "registry.test/{}:latest")],
    )  # fmt: skip
    def test_tag_and_refs(self, engine: Engine, shell_image: str, given: str, shown: str) -> None:
        """A short name means the same image on every engine, and is shown the same."""
        word = fresh_name("ref")
        with image_name(engine, given.format(word)) as ref:
            image = engine.images.get(shell_image)
            image.tag(ref)
            assert shown.format(word) in image.refresh().refs
            assert engine.images.get(shown.format(word)) == image
            assert any(shown.format(word) in entry.refs for entry in engine.images.list())

    def test_remove_one_name_of_two(self, engine: Engine) -> None:
        """Removing one name keeps an image that has another."""
        with image_name(engine) as one, image_name(engine) as two:
            engine.images.load(tiny_image().tag(one).to_docker_archive())
            engine.images.get(one).tag(two)
            engine.images.remove(one)
            assert not engine.images.exists(one)
            assert engine.images.exists(two)
            engine.images.remove(two)
            assert not engine.images.exists(two)

    def test_remove_image_with_all_names(self, engine: Engine) -> None:
        """Image.remove() removes all names."""
        with image_name(engine) as one, image_name(engine) as two:
            engine.images.load(tiny_image().tag(one).to_docker_archive())
            image = engine.images.get(one)
            image.tag(two)
            image.remove()
            assert not engine.images.exists(one)
            assert not engine.images.exists(two)

    @needs(Capability.BUILD)
    @pytest.mark.parametrize("running", [True, False], ids=["running", "created"])
    def test_image_in_use(self, engine: Engine, shell_image: str, running: bool) -> None:
        """Removing an image that a container uses raises InUse."""
        with image_name(engine) as ref:
            built = engine.images.build({"Dockerfile": f"FROM {shell_image}\nLABEL a={fresh_name()}\n"}, tag=ref)
            with engine.containers.create(ref, SLEEP) as container:
                if running:
                    container.start()
                with pytest.raises(InUse):
                    engine.images.remove(ref)
                with pytest.raises(InUse):
                    engine.images.remove(built.id)
                assert engine.images.exists(ref)

    @pytest.mark.parametrize("how", ["id", "short", "name"])
    def test_get_image(self, engine: Engine, shell_image: str, how: str) -> None:
        """An image is found by ID, prefix of the ID, and name."""
        image = engine.images.get(shell_image)
        ref = {"id": image.id, "short": image.short_id, "name": shell_image}[how]
        assert engine.images.get(ref) == image
        assert image.id.startswith("sha256:")
        assert len(image.id) == 71

    def test_an_image_with_two_names_in_use(self, engine: Engine) -> None:
        """Removing an image with two names that a container uses raises InUse and removes nothing."""
        ref, again = (f"docker.io/containerkit/two-{word}:{uuid.uuid4().hex[:8]}" for word in ("a", "b"))
        (image,) = engine.images.load(ImageBuilder().layer(files={"a": 1}).tag(ref).to_docker_archive())
        image.tag(again)
        try:
            with engine.containers.create(ref, ["/a"]) as container:
                with pytest.raises(InUse, match=container.name):
                    image.remove()
                container.refresh()
                assert set(engine.images.get(ref).refs) == set(engine.images.get(again).refs)
        finally:
            image.remove()
        assert not engine.images.exists(ref)
        assert not engine.images.exists(again)

    def test_an_image_for_another_platform_is_none(self, engine: Engine, shell_image: str) -> None:
        """platform= does not accept a local image for another platform."""
        with pytest.raises(ImageNotFound, match="s390x"):
            engine.containers.create(shell_image, ["true"], platform="linux/s390x")

    def test_beginnings_of_an_id(self, engine: Engine, shell_image: str) -> None:
        """An image is found by any unambiguous prefix of its ID; another prefix raises ImageNotFound."""
        identity = engine.images.get(shell_image).id
        digits = identity.removeprefix("sha256:")
        for ref in (identity, digits, digits[:12], f"sha256:{digits[:12]}", digits[:7], digits[:40]):
            assert engine.images.get(ref).id == identity
        for ref in ("0" * 64, "sha256:" + "0" * 64, "0" * 12, "0" * 7):
            with pytest.raises(ImageNotFound):
                engine.images.get(ref)

    def test_localhost_is_a_registry_of_its_own(self, engine: Engine) -> None:
        """An image named localhost/… is found by every name that load() and refs return."""
        name = f"localhost/ck-{uuid.uuid4().hex[:8]}:1"
        (image,) = engine.images.load(ImageBuilder().layer(files={"a": 1}).tag(name).to_docker_archive())
        try:
            for ref in (name, *image.refs):
                assert engine.images.get(ref).id == image.id
        finally:
            image.remove(force=True)

    @needs(Capability.BUILD)
    def test_image_list_filter(self, engine: Engine, shell_image: str) -> None:
        """A label filter finds one image."""
        mark = fresh_name()
        with image_name(engine) as ref:
            built = engine.images.build({"Dockerfile": f"FROM {shell_image}\n"}, tag=ref, labels={"mark": mark})
            assert engine.images.list(filters={"label": [f"mark={mark}"]}) == [built]

    @needs(Capability.BUILD)
    def test_image_prune_by_label(self, engine: Engine, shell_image: str) -> None:
        """prune() removes an unnamed image that matches, and keeps a named one."""
        mark = fresh_name()
        with image_name(engine) as ref:
            kept = engine.images.build({"Dockerfile": f"FROM {shell_image}\n"}, tag=ref, labels={"mark": mark})
            loose = engine.images.build({"Dockerfile": f"FROM {shell_image}\nENV A=1\n"}, labels={"mark": mark})
            engine.images.prune(filters={"label": [f"mark={mark}"]})
            assert not engine.images.exists(loose.id)
            assert engine.images.exists(kept.id)

    @needs(Capability.BUILD)
    def test_image_history(self, engine: Engine, shell_image: str) -> None:
        """history() returns the instructions, oldest first."""
        with image_name(engine) as ref:
            built = engine.images.build({"Dockerfile": f"FROM {shell_image}\nENV ONE=1\nENV TWO=2\n"}, tag=ref)
            words = [entry.created_by for entry in built.history()]
            assert "ONE=1" in words[-2]
            assert "TWO=2" in words[-1]

    @needs(Capability.REGISTRY)
    def test_pull_failure_has_a_reason(self, engine: Engine) -> None:
        """A failed pull raises PullFailed with the reason."""
        with pytest.raises(PullFailed) as caught:
            engine.images.pull("127.0.0.1:9/containerkit/none:1")
        assert "refused" in str(caught.value)

    @needs(Capability.REGISTRY)
    def test_push_failure_has_a_reason(self, engine: Engine, shell_image: str) -> None:
        """A failed push raises PushFailed with the reason."""
        with image_name(engine, f"127.0.0.1:9/containerkit/{fresh_name()}:1") as ref:
            engine.images.get(shell_image).tag(ref)
            with pytest.raises(PushFailed) as caught:
                engine.images.push(ref)
            assert "refused" in str(caught.value)

    @needs(Capability.REGISTRY)
    def test_push_missing(self, engine: Engine) -> None:
        """Pushing a missing image raises ImageNotFound."""
        with pytest.raises(ImageNotFound):
            engine.images.push(f"127.0.0.1:9/containerkit/{fresh_name()}:1")
