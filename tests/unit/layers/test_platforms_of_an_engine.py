"""engine.layers(platform=): the engine's own, another of the containerd store, one that it lacks."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence

import pytest

import containerkit as ck
from containerkit.backends.base import EngineInfo
from containerkit.streams import ByteStream
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder, pack

OWN = ImageBuilder().layer(files={"a": b"own"}).tag("app:1")
OTHER = ImageBuilder().layer(files={"a": b"other"}).layer(files={"b": b"x"}).tag("app:1")


class Engine(FakeBackend):
    """An engine whose store holds the image for two platforms, and saves both."""

    store = "containerd"

    def first_info(self) -> EngineInfo:
        return dataclasses.replace(super().first_info(), image_store=self.store)  # type: ignore[arg-type]

    def save_images(self, refs: Sequence[str]) -> ByteStream:
        files: dict[str, bytes] = {}
        entries = []
        for builder, architecture in ((OWN, self.inspect_image("app:1").arch), (OTHER, "riscv64")):
            own = builder.oci_members()
            (entry,) = json.loads(own.pop("index.json"))["manifests"]
            entries.append({**entry, "platform": {"os": "linux", "architecture": architecture}})
            files |= own
        return ByteStream(iter([pack({**files, "index.json": json.dumps({"manifests": entries}).encode()})]))


@pytest.fixture
def engine() -> Iterator[ck.Engine]:
    backend = Engine()
    backend.add_image("app:1", OWN)
    with ck.connect(backend) as opened:
        yield opened


def test_platforms(engine: ck.Engine) -> None:
    own = engine.images.get("app:1").record
    assert engine.layers("app:1", platform=f"{own.os}/{own.arch}").image_id == own.id
    other = engine.layers("app:1", platform="linux/riscv64")
    assert [layer.diff_id for layer in other.layers] == list(OTHER.diff_ids)
    assert other.ref == "app:1"
    with pytest.raises(ck.InvalidOption, match="riscv64"):
        engine.layers("app:1", platform="plan9/mips")


def test_a_store_with_one_platform(engine: ck.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "store", "graphdriver")
    with pytest.raises(ck.InvalidOption, match="the one that this engine has of app:1"):
        engine.layers("app:1", platform="linux/riscv64")
    with pytest.raises(ck.InvalidOption, match="platform"):
        engine.layers("app:1", platform="a/b/c/d")
