"""Disk usage on the engine in memory with a store written by hand."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends.base import EngineDiskUsage
from containerkit.layers.index import Index
from containerkit.layers.usage import _cache_differs, _containers_differ, _free, _images_differ, _volumes_differ
from containerkit.store.graph import RwDir
from containerkit.testing import FakeBackend, Reply
from containerkit.testing.archives import ImageBuilder


@pytest.fixture
def engine() -> Iterator[ck.Engine]:
    with ck.connect(FakeBackend(commands={"/a": Reply(until_stopped=True)})) as opened:
        opened.images.load(ImageBuilder().layer(files={"/a": b"x" * 9000}).tag("app:1").to_docker_archive())
        yield opened


def test_a_container_in_the_store(engine: ck.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regular files of its layer are counted once for all hard links, and links are not followed."""
    container = engine.start("app:1", "/a")
    layer = tmp_path / "rw"
    (layer / "sub").mkdir(parents=True)
    (layer / "one").write_bytes(b"x" * 5000)
    os.link(layer / "one", layer / "sub" / "two")
    (layer / "sub" / "three").write_bytes(b"y" * 100)
    (layer / "link").symlink_to("/usr/bin/env")
    log = tmp_path / "log"
    log.write_bytes(b"z" * 5000)
    own = RwDir(container.id, layer, layer, logs=(log,), beside=(log,))
    store = type("Found", (), {"containers": {container.id: own}})()
    monkeypatch.setattr(Index, "store", store)
    found = container.layer_usage()
    assert (found.content_bytes, found.files) == (5100, 2)
    assert (found.log_bytes, found.overhead_bytes, found.copied_bytes, found.reason) == (8192, 0, 0, "")
    assert found.disk_bytes == own.disk
    assert "5.10 kB" in found._repr_html_()
    layer.rename(tmp_path / "gone")
    lost = container.layer_usage()
    assert (lost.content_bytes, lost.disk_bytes) == (None, None)
    assert lost.reason == "this user may not read the layer: No such file or directory"


def test_a_container_outside_the_store(engine: ck.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are unknown, with the reason; the engine's own figure stays."""
    container = engine.start("app:1", "/a")
    assert container.layer_usage().reason == "the engine is not reached through a socket of this machine"
    monkeypatch.setattr(Index, "store", type("Found", (), {"containers": {}})())
    assert "not in the store" in container.layer_usage().reason


def test_claims_of_an_engine(engine: ck.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reported and measured figures stand side by side; a claim is found by its name."""
    figures: dict[str, Any] = {each.name: 50_000 for each in dataclasses.fields(EngineDiskUsage)}
    reported = EngineDiskUsage(**figures)
    monkeypatch.setattr(FakeBackend, "engine_disk_usage", lambda self: reported)
    found = engine.disk_usage()
    images = found.get("images")
    assert (images.engine_bytes, images.content_bytes, images.disk_bytes) == (50_000, 9000, None)
    assert "only a build left" in images.explanation
    assert found.get("reclaimable images").content_bytes == 9000
    with pytest.raises(KeyError, match="there are: images, containers"):
        found.get("other")
    assert "50.0 kB" in str(found)
    assert "50.0 kB" in found._repr_html_()


def test_explanations() -> None:
    """Each difference has its own reason; near figures and unknown ones have none."""
    assert _images_differ(None, 1, 1, 1) == _free(None, 1, 1, used=True) == ""
    assert _free(1000, 1000, None, used=True) == ""
    assert "another unit" in _images_differ(1001, 1000, 1000, None)
    assert "no container needs" in _free(500, 1000, None, used=True)
    for differs in (_containers_differ, _cache_differs, _volumes_differ):
        assert differs(None, 1) == differs(1, None) == differs(1000, 1000) == ""
        assert differs(100, 1000) != ""
    assert "sparse" in _containers_differ(1000, 100)
    assert "logs" in _containers_differ(100, 1000)
    assert "outside of its own folder" in _volumes_differ(1000, 100)
    assert "records" in _volumes_differ(100, 1000)


def test_duplicates_are_shown(engine: ck.Engine) -> None:
    """Files of the same content in two layers, once by checksum and once by SHA-256."""
    other = ImageBuilder().layer(files={"/b": b"x" * 9000, "/c": b"q" * 9000}).tag("app:2")
    engine.images.load(other.to_docker_archive())
    for verify in (False, True):
        found = engine.duplicates(verify=verify)
        assert (found.bytes, found.total_bytes, len(found.groups)) == (9000, 27_000, 1)
        assert {path for _, path in found.groups[0].files} == {"/a", "/b"}
        assert found.share == pytest.approx(1 / 3)
        assert "33.3%" in str(found).replace(" %", "%")
        assert "9.00 kB" in found._repr_html_()
