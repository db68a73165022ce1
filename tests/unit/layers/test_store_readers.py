"""An engine's images read from its store on disk: by tar-split records, by blobs, by the save stream for the rest."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.backends.base import ImageRecord
from containerkit.layers import index as index_module
from containerkit.layers.contents import Reader
from containerkit.layers.index import Index
from containerkit.layers.readers import BlobReader, RecordReader, StreamReader
from containerkit.oci.digest import chain_ids, hex_part, sha256
from containerkit.oci.image import LayerBlob
from containerkit.oci.layer import FileEntry, LayerContents
from containerkit.store.disk import disk_bytes
from containerkit.store.docker import docker_store
from containerkit.store.graph import Listed, Store, StoreLayer
from containerkit.streams import ByteStream
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder
from tests.split import tar_split

FILES: tuple[dict[str, str], ...] = ({"etc/a": "one", "etc/b": "two" * 3000}, {"etc/a": "changed"})
IMAGE = ImageBuilder().layer(files=FILES[0]).layer(files=FILES[1], whiteouts=["etc/b"])
CHAINS = chain_ids(IMAGE.diff_ids)


class Engine(FakeBackend):
    """Counts the images that it saved."""

    saved = 0

    def save_images(self, refs: Iterable[str]) -> ByteStream:
        self.saved += 1
        return super().save_images(list(refs))


@pytest.fixture
def backend() -> Engine:
    backend = Engine()
    backend.add_image("app:1", IMAGE)
    return backend


def docker_root(root: Path) -> Path:
    """Lay the image out as Docker's overlay2 does."""
    database = root / "image" / "overlay2" / "layerdb" / "sha256"
    for number, (chain, layer) in enumerate(zip(CHAINS, IMAGE.layers, strict=True)):
        folder = database / hex_part(chain)
        folder.mkdir(parents=True)
        (folder / "cache-id").write_text(f"cache{number}")
        (folder / "diff").write_text(layer.diff_id)
        (folder / "tar-split.json.gz").write_bytes(tar_split(layer.tar))
        for name, text in FILES[number].items():
            file = root / "overlay2" / f"cache{number}" / "diff" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    config = root / "image" / "overlay2" / "imagedb" / "content" / "sha256" / hex_part(IMAGE.image_id)
    config.parent.mkdir(parents=True)
    config.write_bytes(IMAGE.config_bytes())
    return root


def by_records(backend: Engine, root: Path) -> Index:
    """Return an index over Docker's store."""
    index = Index(backend)
    index.store = docker_store(docker_root(root), "overlay2")
    return index


def by_blobs(backend: Engine, root: Path) -> Index:
    """Return an index over a content store: the base is compressed, the layer on it is not."""
    index = Index(backend)
    index.info = replace(index.info, image_store="containerd")
    blobs = root / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    layers = {}
    for chain, layer, data in zip(
        CHAINS, IMAGE.layers, (gzip.compress(IMAGE.layers[0].tar), IMAGE.layers[1].tar), strict=True
    ):
        blob = blobs / hex_part(sha256(data))
        blob.write_bytes(data)
        layers[chain] = StoreLayer(chain, layer.diff_id, blob.parent, blob.parent, None, blob=blob)
    config = blobs / hex_part(IMAGE.image_id)
    config.write_bytes(IMAGE.config_bytes())
    index.store = Store(root, "overlayfs", True, layers, {}, configs={IMAGE.image_id: config})
    return index


def the_image(index: Index) -> ImageRecord:
    (record,) = index.records("app:1")
    return record


def files_of(reader: Reader, index: int) -> dict[str, FileEntry]:
    return {entry.path: entry for entry in reader.read(index).entries if entry.type == "file"}


# ---------------------------------------------------------------- tar-split
def test_records_and_files_of_a_store(backend: Engine, tmp_path: Path) -> None:
    """Entries, sizes, content IDs and bytes come from the store, and every byte can be verified there."""
    index = by_records(backend, tmp_path)
    record = the_image(index)
    reader = index.reader(record)
    assert reader is index.reader(record)
    assert (reader.name, isinstance(reader, RecordReader)) == ("tar-split", True)
    base = files_of(reader, 0)
    assert {path: entry.size for path, entry in base.items()} == {"/etc/a": 3, "/etc/b": 9000}
    sizes = reader.sizes(0)
    folder = tmp_path / "overlay2" / "cache0"
    records = tmp_path / "image" / "overlay2" / "layerdb" / "sha256" / hex_part(CHAINS[0])
    assert (sizes.content, sizes.tar, sizes.compressed) == (9003, len(IMAGE.layers[0].tar), None)
    assert sizes.disk == disk_bytes(folder) + disk_bytes(records)
    assert sizes.source == {"content": "tar-split", "tar": "tar-split", "disk": "st_blocks"}
    ids = reader.content_ids(0, base.values())
    assert set(ids) == set(base)
    assert all(found.startswith("crc64:") for found in ids.values())
    assert ids["/etc/a"] != reader.content_ids(1, files_of(reader, 1).values())["/etc/a"]
    assert reader.file_bytes(0, base["/etc/a"]) == b"one"
    assert {path: b"".join(data) for path, data in reader.files_data(0, list(base.values()))} == {
        "/etc/a": b"one",
        "/etc/b": b"two" * 3000,
    }
    assert reader.verify().unchecked == ()
    assert index.content([record]) == {CHAINS[0]: 9003, CHAINS[1]: 7}
    assert [entry.path for entry in index.layers(record)[1] if entry.type == "whiteout"] == ["/etc/b"]
    assert backend.saved == 0


def test_files_that_this_user_may_not_read(backend: Engine, tmp_path: Path) -> None:
    """A file behind a link, and one of another length, come from the save stream; the others from the store."""
    index = by_records(backend, tmp_path)
    reader = index.reader(the_image(index))
    folder = tmp_path / "overlay2" / "cache0" / "diff" / "etc"
    (folder / "a").unlink()
    (folder / "a").symlink_to(tmp_path / "elsewhere")
    base = files_of(reader, 0)
    assert {path: b"".join(data) for path, data in reader.files_data(0, list(base.values()))} == {
        "/etc/a": b"one",
        "/etc/b": b"two" * 3000,
    }
    assert backend.saved == 1
    (folder / "b").write_text("short")
    assert reader.file_bytes(0, base["/etc/b"]) == b"two" * 3000
    assert reader.file_bytes(0, base["/etc/a"]) == b"one"
    assert backend.saved == 1  # the copy of the stream is kept


def test_changed_files_are_found(backend: Engine, tmp_path: Path) -> None:
    """The tar that record and files make has another digest than the config states."""
    index = by_records(backend, tmp_path)
    reader = index.reader(the_image(index))
    (tmp_path / "overlay2" / "cache0" / "diff" / "etc" / "a").write_text("six")
    with pytest.raises(ck.InvalidImage, match=f"layer 0: the config states diff_id {IMAGE.diff_ids[0]}, its files"):
        reader.verify()


def test_closed_files_are_verified_in_the_save_stream(backend: Engine, tmp_path: Path) -> None:
    """Every byte is checked there instead."""
    index = by_records(backend, tmp_path)
    file = tmp_path / "overlay2" / "cache0" / "diff" / "etc" / "a"
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    found = index.reader(the_image(index)).verify()
    assert "blob digests and sizes" in found.checked
    assert found.unchecked == ()
    assert backend.saved == 1


def test_a_record_that_vanished(backend: Engine, tmp_path: Path) -> None:
    """The save stream has the entries; a record that is none is a problem of its layer."""
    index = by_records(backend, tmp_path)
    record = the_image(index)
    records = tmp_path / "image" / "overlay2" / "layerdb" / "sha256"
    (records / hex_part(CHAINS[0]) / "tar-split.json.gz").unlink()
    assert {entry.path for entry in index.layer(record, 0).entries} >= {"/etc/a", "/etc/b"}
    assert backend.saved == 1
    (records / hex_part(CHAINS[1]) / "tar-split.json.gz").write_bytes(b"noise")
    with pytest.raises(ck.InvalidImage, match="unreadable image: layer 1: not a tar-split file"):
        index.layers(record)
    with pytest.raises(ck.InvalidImage, match="unreadable image: layer 1: not a tar-split file"):
        index.reader(record).sizes(1)
    with pytest.raises(ck.InvalidImage, match="tar-split: layer 1: not a tar-split file"):
        index.reader(record).verify()


def test_records_without_files() -> None:
    """With neither store nor stream, files cannot be read, and no digest is checked."""
    entry = FileEntry("/a", "file", size=1, stored=1)
    reader = RecordReader("records", [lambda: LayerContents((entry,), 1024)], compressed=[77])
    assert reader.content_ids(0, [entry]) == {}
    assert (reader.sizes(0).compressed, reader.sizes(0).disk) == (77, None)
    with pytest.raises(ck.InvalidImage, match="layer 0: /a is not in the store"):
        reader.file_bytes(0, entry)
    with pytest.raises(ck.InvalidImage, match="layer 0: /a is not in the store"):
        list(reader.files_data(0, [entry]))
    assert reader.verify().unchecked == ("config digest", "blob digests and sizes", "diff_ids")


def test_folders_that_may_not_be_measured(backend: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other sizes are known."""
    index = by_records(backend, tmp_path)

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("containerkit.store.graph.disk_bytes", refused)
    sizes = index.reader(the_image(index)).sizes(0)
    assert (sizes.content, sizes.disk) == (9003, None)
    assert "disk" not in sizes.source


# ---------------------------------------------------------------- blobs
def test_blobs_of_a_store(backend: Engine, tmp_path: Path) -> None:
    """An engine pushes the blobs of its content store as they are, so each has a compressed size."""
    index = by_blobs(backend, tmp_path)
    record = the_image(index)
    reader = index.reader(record)
    assert (reader.name, isinstance(reader, BlobReader)) == ("content store", True)
    base = files_of(reader, 0)
    assert [reader.sizes(number).compressed for number in (0, 1)] == [
        len(gzip.compress(IMAGE.layers[0].tar)),
        len(IMAGE.layers[1].tar),
    ]
    assert reader.content_ids(0, base.values()) == {
        "/etc/a": sha256(b"one"),
        "/etc/b": sha256(b"two" * 3000),
    }
    assert reader.file_bytes(0, base["/etc/a"]) == b"one"
    assert {path: b"".join(data) for path, data in reader.files_data(0, [base["/etc/a"]])} == {"/etc/a": b"one"}
    assert reader.verify().unchecked == ()
    assert backend.saved == 0


def test_files_that_a_blob_does_not_hold(backend: Engine, tmp_path: Path) -> None:
    """A sparse file has no holes in the tar; an entry of another tar is not there."""
    index = by_blobs(backend, tmp_path)
    reader = index.reader(the_image(index))
    sparse, other = FileEntry("/s", "file", size=9, stored=1), FileEntry("/no", "file", size=1, stored=1)
    longer = FileEntry("/etc/a", "file", size=9, stored=9)
    with pytest.raises(ck.InvalidImage, match="layer 0: /s is sparse; its tar has no holes"):
        reader.file_bytes(0, sparse)
    with pytest.raises(ck.InvalidImage, match="layer 0: /s is sparse"):
        list(reader.files_data(0, [other, sparse]))
    for entry in (other, longer):
        with pytest.raises(ck.InvalidImage, match=f"layer 0: {entry.path} is not in its tar any more"):
            reader.file_bytes(0, entry)


def test_a_blob_that_breaks_later(backend: Engine, tmp_path: Path) -> None:
    """Every way to read it raises InvalidImage, with the number of the layer."""
    index = by_blobs(backend, tmp_path)
    reader = index.reader(the_image(index))
    entries = list(files_of(reader, 0).values())
    blob = next(path for path in (tmp_path / "blobs" / "sha256").iterdir() if path.read_bytes()[:2] == b"\x1f\x8b")
    data = blob.read_bytes()
    blob.write_bytes(data[:40] + bytes(len(data) - 40))
    for use in (
        lambda: reader.content_ids(0, entries),
        lambda: reader.file_bytes(0, entries[0]),
        lambda: list(reader.files_data(0, entries)),
    ):
        with pytest.raises(ck.InvalidImage, match="unreadable image: layer 0: "):
            use()
    with pytest.raises(ck.InvalidImage, match="layer 0"):
        reader.verify()
    with pytest.raises(ck.InvalidImage, match="unreadable image: layer 0: "):
        by_the_same(index, backend).reader(the_image(index)).sizes(0)


def by_the_same(index: Index, backend: Engine) -> Index:
    """Return a new index over the store of another."""
    found = Index(backend)
    found.info, found.store = index.info, index.store
    return found


def test_blobs_without_a_config(tmp_path: Path) -> None:
    """Blobs and diff_ids are checked, each violation with its layer; the config is named as unchecked."""
    path = tmp_path / "blobs" / "sha256" / hex_part(IMAGE.diff_ids[1])
    path.parent.mkdir(parents=True)
    path.write_bytes(IMAGE.layers[1].tar)
    blob = LayerBlob.at(path)
    sound = BlobReader("archive", [blob], diff_ids=IMAGE.diff_ids[1:])
    assert sound.verify().unchecked == ("config digest",)
    assert sound.sizes(0).compressed is None  # who pushes an archive compresses a plain tar on the way
    with pytest.raises(ck.InvalidImage, match="layer 0: the config states diff_id") as caught:
        BlobReader("archive", [blob, blob], diff_ids=[IMAGE.diff_ids[0]] * 2).verify()
    assert [violation[:8] for violation in caught.value.violations] == ["layer 0:", "layer 1:"]


# ---------------------------------------------------------------- which of them, and configs
def test_a_store_that_holds_half_of_an_image(backend: Engine, tmp_path: Path) -> None:
    """The save stream is read instead, once."""
    index = by_records(backend, tmp_path)
    assert index.store is not None
    index.store = replace(index.store, layers={CHAINS[0]: index.store.layers[CHAINS[0]]})
    record = the_image(index)
    reader = index.reader(record)
    assert isinstance(reader, StreamReader)
    assert reader is index.stream(record)
    assert index.content([record]) == {CHAINS[0]: 9003, CHAINS[1]: 7}
    assert backend.saved == 1
    assert index.disk([record]) is None
    assert index.reason == f"the store has no layer {CHAINS[1][7:19]} of image app:1"


def test_the_disk_of_each_layer(backend: Engine, tmp_path: Path) -> None:
    """Layers of several images count once, and those of an image's other platforms count with it."""
    index = by_records(backend, tmp_path)
    assert index.store is not None
    record = the_image(index)
    single = replace(record, id="sha256:other", diff_ids=IMAGE.diff_ids[:1])
    index.store = replace(index.store, chains={single.id: CHAINS[1:]})
    assert index.stored(single) == CHAINS
    layers = index.store.layers
    assert index.disk([record, single]) == {chain: layers[chain].disk for chain in CHAINS}
    assert index.image_disk([record]) == 4096


def test_an_image_without_layers() -> None:
    """There is nothing to save or read, and verifying it checks what there is."""
    backend = Engine()
    backend.add_image("empty:1")
    index = Index(backend)
    (record,) = index.records("empty:1")
    reader = index.reader(record)
    assert (reader.name, index.layers(record), index.content([record])) == ("none", (), {})
    assert reader.verify().unchecked == ("config digest",)
    assert backend.saved == 0


def test_configs_are_read_from_the_store(backend: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image with a config on disk is not inspected; one whose config is no document is."""
    index = by_records(backend, tmp_path)
    inspected: list[str] = []
    inspect = backend.inspect_image

    def keep(ref: str) -> ImageRecord:
        inspected.append(ref)
        return inspect(ref)

    monkeypatch.setattr(backend, "inspect_image", keep)
    (record,) = index.records(None)
    assert (record.diff_ids, record.os, inspected) == (IMAGE.diff_ids, "linux", [])
    assert index.config(record) is not None
    assert index.store is not None
    index.store.configs[IMAGE.image_id].write_bytes(b"no document")
    again = by_the_same(index, backend)
    assert [found.diff_ids for found in again.records(None)] == [IMAGE.diff_ids]
    assert inspected == [IMAGE.image_id]
    assert again.config(record) is None


def test_the_config_of_another_platform(backend: Engine, tmp_path: Path) -> None:
    """It is not taken for this one's; a content store names it as an OCI layout does."""
    index = by_blobs(backend, tmp_path)
    record = the_image(index)
    known = index.config(record)
    assert known is not None
    assert known[0] == f"blobs/sha256/{hex_part(IMAGE.image_id)}"
    assert index.config(replace(record, diff_ids=IMAGE.diff_ids[:1])) is None


def test_images_that_the_store_lists(backend: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is not asked; an image without a name below another is left out, unless all are wanted."""
    index = by_blobs(backend, tmp_path)
    store = index.store
    assert store is not None
    between, loose = sha256(b"between"), sha256(b"loose")
    configs = dict(store.configs)
    for identity in (between, loose):
        configs[identity] = tmp_path / identity[7:]
        configs[identity].write_bytes(json.dumps({"rootfs": {"type": "layers", "diff_ids": []}}).encode())
    listed = {
        IMAGE.image_id: Listed(("docker.io/library/app:1", "quay.io/me/app:2"), between),
        between: Listed(intermediate=True),
        loose: Listed(),
    }
    index.store = replace(store, configs=configs, lister=lambda: listed)

    def refused(**_: object) -> tuple[ImageRecord, ...]:
        raise AssertionError("the store lists the images")

    monkeypatch.setattr(backend, "list_images", refused)
    assert [(record.id, record.refs) for record in index.records(None)] == [
        (IMAGE.image_id, ("app:1", "quay.io/me/app:2")),
        (loose, ()),
    ]
    assert [record.parent for record in index.records(None, all=True)] == [between, "", ""]


def test_a_removal_in_every_attempt(backend: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """After several attempts, the question about all images ends with the name of the image."""
    attempts: list[str] = []

    def question(index: Index) -> None:
        name = f"extra:{len(attempts)}"
        backend.add_image(name, IMAGE.layer(files={"n": str(len(attempts))}))
        index.records(None)
        attempts.append(name)
        backend.remove_image(name, force=True, prune=True)
        raise ck.ImageNotFound("gone")

    with pytest.raises(ck.ImageNotFound, match=r"image extra:4 was removed meanwhile"):
        index_module.steady(backend, None, question)
    assert len(attempts) == 5
