"""Docker's containerd store on disk, written by hand: a database of snapshots, blobs, and whose they are."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from containerkit.oci.digest import chain_ids, sha256
from containerkit.store.bolt import Bucket, open_bolt
from containerkit.store.containerd import containerd_store
from containerkit.store.disk import disk_bytes
from tests.bolt_file import PAGE, Tree, bolt


def test_a_database_is_read_as_its_last_transaction_left_it(tmp_path: Path) -> None:
    """Branches, leaves, buckets within buckets; the meta page with the higher number counts."""
    found = open_bolt(bolt(tmp_path / "db", {b"v1": {b"a": {b"id": b"\x01"}}, b"x": b"y"}, {b"old": b"1"}))
    assert set(found) == {b"v1", b"x"}
    assert found.bucket("v1", "a")[b"id"] == b"\x01"
    assert found[b"x"] == b"y"
    with pytest.raises(KeyError):
        found.bucket("x")
    assert isinstance(found.bucket("v1"), Bucket)


@pytest.mark.parametrize("broken", ["empty", "noise", "loop", "cut"])
def test_a_broken_database_is_an_error_of_ours(tmp_path: Path, broken: str) -> None:
    """No file of any content ends in anything but ValueError."""
    path = bolt(tmp_path / "db", {b"v1": b""})
    whole = path.read_bytes()
    loop = whole[: 3 * PAGE + 24] + struct.pack("<Q", 3) + whole[3 * PAGE + 32 :]
    path.write_bytes({"empty": b"", "noise": b"\x07" * 9000, "loop": loop, "cut": whole[: 3 * PAGE]}[broken])
    with pytest.raises(ValueError, match=r"page|not a bbolt file"):
        open_bolt(path)


def test_snapshots_blobs_and_images(tmp_path: Path) -> None:
    """A layer is a snapshot and the blob it came from; an image its manifest and config; a container its own folder."""
    diffs = [sha256(b"base"), sha256(b"top")]
    chains = chain_ids(diffs)
    place = tmp_path / "containerd" / "daemon"
    snapshotter = place / "io.containerd.snapshotter.v1.overlayfs"
    names = {chains[0]: 1, chains[1]: 200, "c1": 3, "c1-init": 4}
    bolt(
        snapshotter / "metadata.db",
        {b"v1": {b"snapshots": {
            f"moby/{number}/{name}".encode(): {b"id": b"\xc8\x01" if number == 200 else bytes([number])}
            for name, number in names.items()
        }}},
    )  # fmt: skip
    for number in names.values():
        file = snapshotter / "snapshots" / str(number) / "fs" / "file"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x" * 5000)
    blobs = place / "io.containerd.content.v1.content" / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes) -> str:
        (blobs / sha256(data).removeprefix("sha256:")).write_bytes(data)
        return sha256(data)

    config = blob(json.dumps({"rootfs": {"diff_ids": diffs}}).encode())
    layers = [blob(b"blob of the base" * 1000), blob(b"blob of the top" * 2000)]
    manifest = {"config": {"digest": config}, "layers": [{"digest": digest} for digest in layers]}
    image = blob(json.dumps(manifest).encode())
    index = blob(json.dumps({"manifests": [{"digest": image}, {"digest": sha256(b"of another platform")}]}).encode())
    store = containerd_store(tmp_path, tmp_path, "overlayfs")
    assert set(store.layers) == set(chains)
    top = store.layers[chains[1]]
    assert (top.diff_id, top.folder.name) == (diffs[1], "200")
    assert top.disk == disk_bytes(top.folder) + disk_bytes(blobs / layers[1].removeprefix("sha256:"))
    assert store.configs[image] == store.configs[index] == blobs / config.removeprefix("sha256:")
    assert store.image_disk(image) == 8192
    assert store.image_disk(index) == 12_288
    assert store.containers["c1"].folder.name == "3"
    assert [path.name for path in store.containers["c1"].beside] == ["c1", "4"]


def test_no_store_at_all(tmp_path: Path) -> None:
    """A folder that holds none is an OSError, which the caller tells in words."""
    with pytest.raises(OSError, match=r"metadata\.db"):
        containerd_store(tmp_path, tmp_path, "overlayfs")


def test_images_are_listed_from_containerds_own_records(tmp_path: Path) -> None:
    """Names and parents stand in the namespace of Docker; a name with a digest is no name of an image."""
    place = tmp_path / "containerd" / "daemon"
    bolt(place / "io.containerd.snapshotter.v1.overlayfs" / "metadata.db", {b"v1": {b"snapshots": {}}})
    (place / "io.containerd.content.v1.content" / "blobs" / "sha256").mkdir(parents=True)
    first, second = sha256(b"1"), sha256(b"2")

    def image(digest: str, parent: str = "") -> Tree:
        labels: Tree = {b"org.mobyproject.image.parent": parent.encode()} if parent else {}
        return {b"target": {b"digest": digest.encode()}, b"labels": labels}

    images: Tree = {
        b"docker.io/library/app:1": image(first, second),
        b"docker.io/library/app:2": image(first, second),
        f"docker.io/library/app@{first}".encode(): image(first),
        f"moby-dangling@{second}".encode(): image(second),
    }
    meta = place / "io.containerd.metadata.v1.bolt" / "meta.db"
    bolt(meta, {b"v1": {b"moby": {b"images": images}, b"moby_history": {b"images": {}}, b"k8s.io": {b"images": {}}}})
    assert containerd_store(tmp_path, tmp_path, "overlayfs").listed == {
        first: (("docker.io/library/app:1", "docker.io/library/app:2"), second, False),
        second: ((), "", True),
    }
    bolt(meta, {b"v1": {b"moby": {b"images": {}}, b"moby-100000.100000": {b"images": {}}}})
    assert containerd_store(tmp_path, tmp_path, "overlayfs").listed is None
