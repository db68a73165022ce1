"""Pulling, pushing and saving images, on a backend whose registry the test scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends.base import ImageRecord
from containerkit.spec import RegistryAuth
from containerkit.testing import FakeBackend


class Registry(FakeBackend):
    """A backend with a registry that has every image for one platform."""

    def __init__(self, os: str = "linux", arch: str = "amd64") -> None:
        super().__init__(images=["app:1"])
        self.capabilities = frozenset({*self.capabilities, ck.Capability.REGISTRY})
        self.platform = (os, arch)
        self.pulls: list[tuple[str, str | None, RegistryAuth | None]] = []

    def pull_image(self, ref: str, *, platform: str | None, auth: RegistryAuth | None) -> Iterator[ck.Progress]:
        self.pulls.append((ref, platform, auth))
        yield ck.Progress("Downloading", id="layer", current=1, total=2)
        self.add_image(ref)

    def inspect_image(self, ref: str) -> ImageRecord:
        record = super().inspect_image(ref)
        return ImageRecord(
            record.id, record.refs, record.digests, record.size, record.created, record.labels,
            os=self.platform[0], arch=self.platform[1],
        )  # fmt: skip


@pytest.mark.parametrize("platform", [None, "linux/amd64", "linux/amd64/v2", "amd64", "linux"])
def test_a_pull_of_the_platform_that_the_registry_has(platform: str | None) -> None:
    """The image is returned, and every step is reported."""
    backend = Registry()
    steps: list[ck.Progress] = []
    with ck.connect(backend) as engine:
        image = engine.images.pull("other:1", platform=platform, on_progress=steps.append)
    assert image.refs == ("other:1",)
    assert [step.id for step in steps] == ["layer"]
    assert backend.pulls == [("other:1", platform, None)]


@pytest.mark.parametrize("platform", ["linux/arm64", "windows/amd64", "arm64"])
def test_a_pull_of_a_platform_that_the_registry_lacks(platform: str) -> None:
    """An image for another platform raises PullFailed, although the engine pulled it."""
    with ck.connect(Registry()) as engine, pytest.raises(ck.PullFailed, match="linux/amd64, not for"):
        engine.images.pull("other:1", platform=platform)


def test_a_start_pulls_as_its_policy_says() -> None:
    """ "missing" pulls what is missing, "always" pulls, "never" does not."""
    backend = Registry()
    backend.on("serve", until_stopped=True)
    with ck.connect(backend) as engine:
        engine.start("app:1", "serve")
        assert backend.pulls == []
        engine.start("app:1", "serve", pull="always")
        engine.start("new:1", "serve")
        assert [pull[0] for pull in backend.pulls] == ["app:1", "new:1"]
        with pytest.raises(ck.ImageNotFound):
            engine.start("newer:1", "serve", pull="never")


def test_a_local_image_for_another_platform_is_not_used() -> None:
    """start(platform=…) does not run a local image that is for another platform."""
    with ck.connect(Registry(arch="arm64")) as engine, pytest.raises((ck.ImageNotFound, ck.PullFailed)):
        engine.start("app:1", "serve", platform="linux/amd64")


def test_credentials_of_a_call() -> None:
    """auth= of a call reaches the backend with the registry of the name."""
    backend = Registry()
    with ck.connect(backend) as engine:
        engine.images.pull("localhost:5000/app:1", auth=("user", "secret"))
    assert backend.pulls[0][2] == RegistryAuth("localhost:5000", "user", "secret")


@pytest.mark.parametrize("auth", ["user:secret", ("user",), ("", "x"), ("user", 5), ("user", "a\0b")])
def test_bad_credentials(auth: Any) -> None:
    """Anything but a pair of strings raises InvalidOption that does not show it."""
    backend = Registry()
    with ck.connect(backend) as engine, pytest.raises(ck.InvalidOption) as caught:
        engine.images.pull("app:1", auth=auth)
    assert "secret" not in str(caught.value)
    assert backend.pulls == []


def test_save_is_complete_or_absent(tmp_path: Path) -> None:
    """A save of a missing image leaves no file; a complete one replaces the old file."""
    target = tmp_path / "images.tar"
    target.write_bytes(b"old")
    with ck.connect(FakeBackend(images=["app:1"])) as engine:
        with pytest.raises(ck.ImageNotFound):
            engine.images.save(["app:1", "missing:1"], target)
        assert target.read_bytes() == b"old"
        assert engine.images.save("app:1", target) == target
        assert ck.open_archive(target).ref
    assert [path.name for path in tmp_path.iterdir()] == ["images.tar"]
