"""Stores on disk, written by hand as the engines lay them out: which folder is which layer's, and what it takes."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from containerkit.backends.base import ImageRecord
from containerkit.errors import InvalidImage
from containerkit.layers.index import Index
from containerkit.layers.readers import RecordReader
from containerkit.oci.archive import open_image
from containerkit.oci.digest import chain_ids, sha256
from containerkit.oci.image import ImageArchive
from containerkit.oci.layer import LayerContents
from containerkit.store.beneath import open_beneath
from containerkit.store.disk import disk_bytes
from containerkit.store.docker import docker_store
from containerkit.store.podman import podman_store
from containerkit.testing.archives import ImageBuilder

DIFFS = (sha256(b"base"), sha256(b"top"))
CHAINS = chain_ids(DIFFS)


def write(path: Path, size: int = 0, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size or text.encode())
    return path


def docker(root: Path, driver: str) -> Path:
    database = root / "image" / driver / "layerdb"
    data = root / "vfs" / "dir" if driver == "vfs" else root / driver
    for number, (chain, diff) in enumerate(zip(CHAINS, DIFFS, strict=True)):
        folder = database / "sha256" / chain.removeprefix("sha256:")
        write(folder / "cache-id", text=f"cache{number}")
        write(folder / "diff", text=diff)
        write(folder / "tar-split.json.gz", 5000)
        write(data / f"cache{number}" / ("" if driver == "vfs" else "diff") / "file", 9000 * (number + 1))
    write(database / "mounts" / "c1" / "mount-id", text="rw1")
    write(data / "rw1" / ("" if driver == "vfs" else "diff") / "new", 3000)
    write(data / "rw1-init" / "diff" / "etc" / "hosts", 1)
    write(root / "containers" / "c1" / "c1-json.log", 20_000)
    write(root / "containers" / "c1" / "config.v2.json", 100)
    write(root / "image" / driver / "imagedb" / "content" / "sha256" / "a", 700)
    return root


@pytest.mark.parametrize("driver", ["overlay2", "vfs"])
def test_dockers_layers_by_chain_id(tmp_path: Path, driver: str) -> None:
    """layerdb names a layer's folder; its records count with it; vfs shares nothing."""
    store = docker_store(docker(tmp_path, driver), driver)
    assert set(store.layers) == set(CHAINS)
    top = store.layers[CHAINS[1]]
    assert top.diff_id == DIFFS[1]
    assert (top.files / "file").stat().st_size == 18_000
    assert top.disk == disk_bytes(top.folder) + disk_bytes(top.beside[0])
    assert store.shares_layers == (driver != "vfs")
    assert store.image_disk("sha256:a") == 4096


def test_a_dockers_container_with_what_it_hides(tmp_path: Path) -> None:
    """Log, init layer and records lie beside a container's layer, each counted once."""
    store = docker_store(docker(tmp_path, "overlay2"), "overlay2")
    own = store.containers["c1"]
    assert own.log_bytes == 20_480
    assert own.disk == disk_bytes(tmp_path / "overlay2" / "rw1")
    together = sum(disk_bytes(path) for path in own.beside)
    assert own.overhead == together - own.log_bytes
    assert own.copied == 0


def podman(root: Path, driver: str) -> Path:
    layers = [
        {"id": "l0", "diff-digest": DIFFS[0], "diff-size": 10_240, "compressed-size": 5000},
        {"id": "l1", "parent": "l0", "diff-digest": DIFFS[1], "diff-size": 20_480},
        {"id": "mapped", "parent": "l0", "diff-digest": DIFFS[1], "diff-size": 20_480},
        {"id": "rw", "parent": "mapped"},
    ]
    write(root / f"{driver}-layers" / "layers.json", text=json.dumps(layers))
    write(root / f"{driver}-layers" / "l0.tar-split.gz", 100)
    data = root / "vfs" / "dir" if driver == "vfs" else root / driver
    for name, size in (("l0", 10_000), ("l1", 20_000), ("mapped", 30_000), ("rw", 10)):
        write(data / name / ("" if driver == "vfs" else "diff") / "file", size)
    images = [{"id": "i", "layer": "l1", "mapped-layers": ["mapped"]}]
    write(root / f"{driver}-images" / "images.json", text=json.dumps(images))
    write(root / f"{driver}-images" / "i" / "manifest", 10)
    write(root / f"{driver}-containers" / "containers.json", text=json.dumps([{"id": "c", "layer": "rw"}]))
    write(root / f"{driver}-containers" / "c" / "userdata" / "ctr.log", 5000)
    return root


@pytest.mark.parametrize("driver", ["overlay", "vfs"])
def test_podmans_layers_by_their_parents(tmp_path: Path, driver: str) -> None:
    """layers.json has IDs of its own; a mapped copy is no layer of the image, but counts with it."""
    store = podman_store(podman(tmp_path, driver), driver)
    assert set(store.layers) == set(CHAINS)
    assert store.layers[CHAINS[1]].folder.name == "l1"
    assert store.layers[CHAINS[0]].tar_split is not None
    assert store.layers[CHAINS[1]].tar_split is None
    assert [store.layers[chain].compressed_bytes for chain in CHAINS] == [5000, None]
    copy = disk_bytes(store.layers[CHAINS[1]].folder.with_name("mapped"))
    assert store.image_disk("sha256:i") == copy + disk_bytes(tmp_path / f"{driver}-images" / "i")
    own = store.containers["c"]
    assert (own.copied, own.log_bytes) == (copy, 8192)


def test_podmans_images_with_their_parents(tmp_path: Path) -> None:
    """A parent has the history without the last line, and the same top layer or the one below."""
    history = [{"created_by": word, "created": "2024-01-01T00:00:00Z"} for word in "abcd"]
    layers = [{"id": "l0"}, {"id": "l1", "parent": "l0"}, {"id": "l2", "parent": "l1"}]
    images = [
        {"id": "base", "layer": "l0", "names": ["docker.io/library/base:1"]},
        {"id": "step", "layer": "l1"},
        {"id": "label", "layer": "l1"},
        {"id": "top", "layer": "l2", "names": ["localhost/top:1"]},
        {"id": "other", "layer": "l2", "names": ["localhost/other:1"]},
        {"id": "loose", "layer": "l0"},
        {"id": "list", "names": ["localhost/list:1"]},
    ]
    lines = {"base": 1, "step": 2, "label": 3, "top": 4, "loose": 4}
    write(tmp_path / "overlay-layers" / "layers.json", text=json.dumps(layers))
    write(tmp_path / "overlay-images" / "images.json", text=json.dumps(images))
    for image, count in lines.items():
        name = "=" + base64.standard_b64encode(f"sha256:{image}".encode()).decode()
        write(tmp_path / "overlay-images" / image / name, text=json.dumps({"history": history[:count]}))
    listed = podman_store(tmp_path, "overlay").listed
    assert listed is not None
    assert {image[7:]: (row.parent[7:], row.intermediate) for image, row in listed.items()} == {
        "base": ("", False),
        "step": ("base", True),
        "label": ("step", True),
        "top": ("label", False),
        "other": ("", False),
        "loose": ("", False),
        "list": ("", False),
    }
    assert listed["sha256:top"].names == ("localhost/top:1",)
    assert podman_store(tmp_path, "overlay", lists=False).listed is None


def test_a_layer_that_is_being_made_is_none(tmp_path: Path) -> None:
    """A folder without the names in it, as Docker makes and removes them, hides no other layer."""
    root = docker(tmp_path, "overlay2")
    (root / "image/overlay2/layerdb/sha256/half").mkdir()
    (root / "image/overlay2/layerdb/mounts/half").mkdir()
    store = docker_store(root, "overlay2")
    assert set(store.layers) == set(CHAINS)
    assert "half" not in store.containers


def test_an_empty_store_is_one(tmp_path: Path) -> None:
    """A store that never held a layer has no file of them; a folder that is no store is an error."""
    (tmp_path / "overlay-layers").mkdir()
    (tmp_path / "image" / "overlay2" / "layerdb").mkdir(parents=True)
    assert podman_store(tmp_path, "overlay").layers == {}
    assert docker_store(tmp_path, "overlay2").layers == {}
    for opened in (podman_store, docker_store):
        with pytest.raises(FileNotFoundError):
            opened(tmp_path / "none", "overlay2")


def test_layers_are_many(tmp_path: Path) -> None:
    """A stack of 3,000 layers is walked without recursion."""
    rows = [
        {"id": f"l{n}", "parent": f"l{n - 1}" if n else "", "diff-digest": sha256(str(n).encode())} for n in range(3000)
    ]
    write(tmp_path / "overlay-layers" / "layers.json", text=json.dumps(rows[::-1]))
    chains = chain_ids([sha256(str(n).encode()) for n in range(3000)])
    assert set(podman_store(tmp_path, "overlay").layers) == set(chains)


def test_blocks_are_counted_as_the_disk_does(tmp_path: Path) -> None:
    """A hole takes nothing, a hardlink nothing more, a link is not followed."""
    write(tmp_path / "d" / "file", 10_000)
    (tmp_path / "d" / "again").hardlink_to(tmp_path / "d" / "file")
    (tmp_path / "d" / "link").symlink_to("/usr")
    with (tmp_path / "d" / "hole").open("wb") as file:
        file.truncate(1 << 30)
    assert disk_bytes(tmp_path / "d") == 12_288 + (tmp_path / "d").lstat().st_blocks * 512
    assert disk_bytes(tmp_path / "d" / "file") == 12_288


def test_what_may_not_be_read_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rootless store holds folders of other uids, its own user too: None and the reason, never an OSError."""

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    index = Index.__new__(Index)
    index.store, index.reason = podman_store(podman(tmp_path, "overlay"), "overlay"), ""
    monkeypatch.setattr("containerkit.store.graph.disk_bytes", refused)
    index._chains = {}
    record = ImageRecord("sha256:i", (), (), 0, 0.0, {}, diff_ids=DIFFS)
    assert index.image_disk([record]) is None
    assert "Permission denied" in index.reason
    assert index.disk([record]) is None


@pytest.mark.parametrize("name", ["pipe", "link", "behind/file", "../outside", "folder", "."])
def test_what_a_stranger_named_is_not_followed(tmp_path: Path, name: str) -> None:
    """A pipe is not waited for, and neither a link nor what lies behind one is read."""
    (tmp_path / "outside").write_text("secret")
    folder = tmp_path / "layer"
    (folder / "folder").mkdir(parents=True)
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "behind").symlink_to(folder / "folder")
    write(folder / "folder" / "file", 10)
    with open_beneath(folder, "/folder/./file") as file:
        assert len(file.read()) == 10
    with pytest.raises(OSError, match=r"\[Errno") as caught, open_beneath(folder, name):
        pass
    assert not isinstance(caught.value, FileNotFoundError)
    with pytest.raises(FileNotFoundError), open_beneath(folder, "folder/none"):
        pass


def refusing(exc: OSError) -> Callable[[int], str]:
    def rebuild(index: int) -> str:
        raise exc

    return rebuild


def test_a_breach_that_was_found_is_told_whatever_else_may_not_be_read() -> None:
    """A wrong config counts where no layer can be read; layers that are read by other means are checked there."""
    image = open_image_of(ImageBuilder().layer(files={"a": 1}))
    records = [lambda: LayerContents((), 0)]
    sound = RecordReader("records", records, image=image, rebuild=lambda index: image.config.diff_ids[index])
    assert sound.verify().unchecked == ()
    closed = refusing(PermissionError(13, "no"))
    assert RecordReader("records", records, image=image, rebuild=closed).verify().unchecked
    wrong = replace(image, config_name="0" * 64)
    for reader in (
        RecordReader("records", records, image=wrong, rebuild=closed),
        RecordReader("records", records, image=image, rebuild=lambda index: "sha256:" + "0" * 64),
        RecordReader("records", records, image=image, rebuild=refusing(FileNotFoundError(2, "gone"))),
        RecordReader("records", [*records, *records], image=image, rebuild=lambda index: image.config.diff_ids[0]),
    ):
        with pytest.raises(InvalidImage):
            reader.verify()


def open_image_of(builder: ImageBuilder) -> ImageArchive:
    with tempfile.NamedTemporaryFile() as file:
        file.write(builder.to_docker_archive())
        file.flush()
        return open_image(file.name)
