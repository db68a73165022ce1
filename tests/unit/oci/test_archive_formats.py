"""Archives as the world writes them: each layout, each compression, tar or folder, whole or streamed."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from containerkit.errors import InvalidImage, InvalidOption
from containerkit.layers import check_archive
from containerkit.layers.stack import open_archive
from containerkit.oci.compression import Compression
from containerkit.oci.digest import sha256
from containerkit.oci.stream import scan_stream
from containerkit.testing.archives import ImageBuilder, Layout, docker_archive, pack, unpack_to

BASE = ImageBuilder().layer(files={"etc/a": "one", "bin/b": 2000}).metadata("ENV A=1")
IMAGE = BASE.layer(whiteouts=["etc/a"], created_by="RUN rm /etc/a").tag("registry.example/team/app:1")


@pytest.mark.parametrize("layout", ["docker20", "podman", "docker25"])
@pytest.mark.parametrize("documents_first", [True, False])
def test_docker_archives(layout: Layout, documents_first: bool, tmp_path: Path) -> None:
    """All three kinds of save give the same image, from a file and from a stream, documents first or last."""
    data = IMAGE.to_docker_archive(layout, documents_first=documents_first)
    path = tmp_path / "image.tar"
    path.write_bytes(data)
    stack = open_archive(path)
    assert (stack.ref, stack.image_id) == ("registry.example/team/app:1", IMAGE.image_id)
    assert [layer.diff_id for layer in stack] == list(IMAGE.diff_ids)
    assert [layer.created_by for layer in stack] == ["COPY layer 0 /", "RUN rm /etc/a"]
    assert list(stack.tree()) == ["/bin", "/bin/b", "/etc"]
    assert stack.verify().unchecked == ()
    streamed = scan_stream([data], verify=True)
    assert streamed.config.diff_ids == IMAGE.diff_ids
    assert [layer.entries for layer in streamed.layers] == [layer.files() for layer in stack]


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("folder", [True, False])
def test_oci_layouts(compression: Compression, folder: bool, tmp_path: Path) -> None:
    """An OCI layout, packed or not, with plain, gzip or zstd layers, verifies and has its compressed sizes."""
    if compression == "zstd":
        pytest.importorskip("zstandard")
    path = tmp_path / "image"
    if folder:
        unpack_to(IMAGE.oci_members(compression=compression), path)
    else:
        path.write_bytes(IMAGE.to_oci_layout(compression=compression))
    stack = open_archive(path)
    assert stack.verify().unchecked == ()
    assert [layer.sizes.content for layer in stack] == [2003, 0]
    assert [layer.sizes.tar for layer in stack] == [len(layer.tar) for layer in IMAGE.layers]
    assert all((layer.sizes.compressed is None) == (compression == "none") for layer in stack)
    assert stack.sizes.disk is None


def test_archive_compressed_as_a_whole(tmp_path: Path) -> None:
    """``docker save | gzip`` opens like the plain one."""
    path = tmp_path / "image.tar.gz"
    path.write_bytes(gzip.compress(IMAGE.to_docker_archive()))
    assert open_archive(path).verify().unchecked == ()


def test_gzip_in_several_members(tmp_path: Path) -> None:
    """A layer written as several gzip members, as pigz does, is read to its end."""
    tar = IMAGE.layers[0].tar
    packed = gzip.compress(tar[:1500]) + gzip.compress(tar[1500:])
    from containerkit.oci.compression import decompress

    assert b"".join(decompress([packed[:100], packed[100:]], "gzip")) == tar


def test_several_images(tmp_path: Path) -> None:
    """Of several images one must be named: by its name, the name's end, or its ID."""
    other = BASE.tag("other:2")
    path = tmp_path / "images.tar"
    path.write_bytes(docker_archive([IMAGE, other]))
    with pytest.raises(InvalidOption, match="other:2"):
        open_archive(path)
    assert open_archive(path, ref="app:1").image_id == IMAGE.image_id
    assert open_archive(path, ref="other:2").image_id == other.image_id
    assert open_archive(path, ref=other.image_id).image_id == other.image_id
    with pytest.raises(InvalidOption):
        open_archive(path, ref="absent")


def test_nothing_stays_open_and_change_is_noticed(tmp_path: Path) -> None:
    """A stack keeps no file open; a file that was replaced meanwhile is refused, not misread."""
    from containerkit.errors import InvalidImage

    path = tmp_path / "image.tar"
    path.write_bytes(IMAGE.to_docker_archive())
    stack = open_archive(path)
    path.write_bytes(BASE.layer(files={"z": 9}).to_docker_archive())
    with pytest.raises(InvalidImage, match="changed"):
        stack.files()


def layout(index: Callable[[dict[str, Any]], None] | None = None, manifest: bytes = b"") -> bytes:
    """Return an OCI layout whose index or manifest was changed after its digest was stated."""
    members = ImageBuilder().layer(files={"a": 10}).tag("x:1").oci_members()
    document = json.loads(members["index.json"])
    path = "blobs/sha256/" + document["manifests"][0]["digest"].partition(":")[2]
    members[path] += manifest
    if index:
        index(document)
    members["index.json"] = json.dumps(document).encode()
    return pack(members)


def test_verify_checks_the_manifest_itself(tmp_path: Path) -> None:
    """A manifest with other bytes than its descriptor states, or another size, is a violation."""
    path = tmp_path / "image.tar"
    path.write_bytes(layout())
    open_archive(path).verify()
    path.write_bytes(layout(manifest=b"\n"))
    with pytest.raises(InvalidImage, match="document") as caught:
        open_archive(path).verify()
    assert len(caught.value.violations) == 2
    path.write_bytes(layout(lambda document: document["manifests"][0].update(size=5)))
    with pytest.raises(InvalidImage, match="states a document of 5 bytes"):
        open_archive(path).verify()


def test_artifacts_are_no_images(tmp_path: Path) -> None:
    """A signature or chart in a layout is not offered as an image."""
    members = ImageBuilder().layer(files={"a": 10}).tag("x:1").oci_members()
    config = {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": "sha256:" + "0" * 64, "size": 2}
    chart = json.dumps({"schemaVersion": 2, "config": config, "layers": []}).encode()
    document = json.loads(members["index.json"])
    document["manifests"].append({"mediaType": "", "digest": sha256(chart), "size": len(chart)})
    members["index.json"] = json.dumps(document).encode()
    members["blobs/sha256/" + sha256(chart)[7:]] = chart
    path = tmp_path / "image.tar"
    path.write_bytes(pack({name: data for name, data in members.items() if name != "manifest.json"}))
    assert len(open_archive(path)) == 1


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in a path means the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.tar").write_bytes(layout())
    assert len(open_archive("~/x.tar")) == 1


def test_a_signature_with_the_config_of_an_image_is_no_image(tmp_path: Path) -> None:
    """cosign's signatures have an image's config; their layers are of another type."""
    members = ImageBuilder().layer(files={"a": 10}).tag("x:1").oci_members()
    signature = ImageBuilder(architecture="none").layer(files={"s": 1}).oci_members()
    (entry,) = json.loads(signature["index.json"])["manifests"]
    raw = signature.pop("blobs/sha256/" + entry["digest"][7:])
    raw = raw.replace(
        b"application/vnd.oci.image.layer.v1.tar+gzip", b"application/vnd.dev.cosign.simplesigning.v1+json"
    )
    document = json.loads(members["index.json"])
    document["manifests"].append({"mediaType": "", "digest": sha256(raw), "size": len(raw)})
    unpack_to({**signature, **members, "index.json": json.dumps(document).encode()}, tmp_path / "layout")
    unpack_to({"blobs/sha256/" + sha256(raw)[7:]: raw}, tmp_path / "layout")
    assert open_archive(tmp_path / "layout").ref == "x:1"


@pytest.mark.parametrize("squeeze", [lzma.compress, bz2.compress])
def test_archives_in_xz_and_bzip2(squeeze: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """A tar that xz or bzip2 compressed as a whole is read, also of several streams; a cut one is refused."""
    data = IMAGE.to_docker_archive()
    path = tmp_path / "image.tar.packed"
    path.write_bytes(squeeze(data[:1000]) + squeeze(data[1000:]))
    assert [layer.diff_id for layer in open_archive(path)] == list(IMAGE.diff_ids)
    path.write_bytes(squeeze(data)[:-40])
    with pytest.raises(InvalidImage, match=r"cut short|broken"):
        open_archive(path)


@pytest.mark.parametrize("squeeze", [bytes, gzip.compress, lzma.compress])
def test_an_open_file_is_an_archive_too(squeeze: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """A pipe or any file of bytes is read to its end; the image stays readable afterwards."""
    stack = open_archive(io.BytesIO(squeeze(IMAGE.to_docker_archive())))
    assert list(stack.tree()) == ["/bin", "/bin/b", "/etc"]
    assert stack.verify().unchecked == ()
    with pytest.raises(InvalidOption, match="reading bytes"):
        open_archive(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="reading bytes"):
        open_archive(7)  # type: ignore[arg-type]
    with pytest.raises(InvalidImage):
        open_archive(io.BytesIO(b""))


def test_the_folder_that_skopeo_writes(tmp_path: Path) -> None:
    """`skopeo copy … dir:` writes one manifest, and blobs named by their digits."""
    members = IMAGE.oci_members()
    (entry, *_) = json.loads(members.pop("index.json"))["manifests"]
    manifest = members.pop("blobs/sha256/" + entry["digest"][7:])
    files = {name.rpartition("/")[2]: data for name, data in members.items() if name.startswith("blobs/")}
    unpack_to({**files, "manifest.json": manifest, "version": b"Directory Transport Version: 1.1\n"}, tmp_path / "dir")
    stack = open_archive(tmp_path / "dir")
    assert stack.image_id == IMAGE.image_id
    assert stack.verify().unchecked == ()
    assert all(layer.sizes.compressed for layer in stack)


# ---------------------------------------------------------------- the tar of a file system
def exported(path: str = "etc/hosts") -> bytes:
    """Return a tar as `docker export` writes it: a root file system, with a link that is absolute."""
    base = ImageBuilder().layer(
        dirs=["etc", "dev"], files={path: "127.0.0.1", "a": 5}, symlinks={"etc/mtab": "/proc/mounts"}
    )
    return base.layers[0].tar


@pytest.mark.parametrize("pack_as", [bytes, gzip.compress, io.BytesIO])
def test_an_exported_file_system_is_one_layer(pack_as: Callable[[bytes], Any], tmp_path: Path) -> None:
    """Plain, compressed or from a pipe: one layer with the digest of the tar, all files, and no config."""
    given = pack_as(exported())
    path = tmp_path / "export.tar"
    if isinstance(given, bytes):
        path.write_bytes(given)
    stack = open_archive(path if isinstance(given, bytes) else given)
    assert [layer.diff_id for layer in stack] == [stack.image_id] == [sha256(exported())]
    assert (stack.config, stack.config_digest, stack.history) == (None, None, ())
    assert [entry.path for entry in stack.files()] == ["/a", "/dev", "/etc", "/etc/hosts", "/etc/mtab"]
    assert stack.read_file("/etc/hosts") == b"127.0.0.1"
    assert stack.verify().unchecked == ("config digest",)
    assert stack.waste().wasted_bytes == 0


def test_a_tar_of_other_files_is_no_image(tmp_path: Path) -> None:
    """A tar with none of the folders of a file system is refused, and `load` refuses a file system, too."""
    path = tmp_path / "x.tar"
    path.write_bytes(ImageBuilder().layer(files={"project/readme": "x"}).layers[0].tar)
    with pytest.raises(InvalidImage, match=r"neither manifest\.json"):
        open_archive(path)
    path.write_bytes(exported())
    with pytest.raises(InvalidImage, match=r"neither manifest\.json"):
        check_archive(path)


# ---------------------------------------------------------------- a layer whose bytes are elsewhere
@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ],
)
def test_a_foreign_layer_is_named_as_unknown(media_type: str, tmp_path: Path) -> None:
    """The other layer can be read; of the foreign one the size is known that the manifest states."""
    members = IMAGE.oci_members(compression="gzip")
    members.pop("manifest.json", None)
    index = json.loads(members["index.json"])
    name = "blobs/sha256/" + index["manifests"][0]["digest"].partition(":")[2]
    manifest = json.loads(members.pop(name))
    foreign = manifest["layers"][0]
    foreign["mediaType"] = media_type
    del members[f"blobs/sha256/{foreign['digest'].partition(':')[2]}"]
    raw = json.dumps(manifest).encode()
    index["manifests"][0].update(digest=sha256(raw), size=len(raw))
    members.update({"index.json": json.dumps(index).encode(), "blobs/" + sha256(raw).replace(":", "/"): raw})
    path = tmp_path / "image.tar"
    path.write_bytes(pack(members))
    stack = open_archive(path)
    assert (stack[0].sizes.content, stack[0].sizes.compressed) == (None, foreign["size"])
    assert [entry.path for entry in stack[1].files()] == ["/etc/a"]
    assert (stack.sizes.content, stack[1].sizes.content) == (None, 0)
    assert stack.verify().unchecked == ("layer 0",)
    with pytest.raises(InvalidImage, match=r"layer 0: .*foreign layer"):
        stack.files()


def test_the_wanted_platform(tmp_path: Path) -> None:
    """A docker-archive, and a layout whose index states no platform, are asked for the one of the config."""
    image = replace(ImageBuilder().layer(files={"a": "b"}), architecture="s390x")
    docker, layout = tmp_path / "image.tar", tmp_path / "layout.tar"
    docker.write_bytes(image.to_docker_archive())
    layout.write_bytes(pack(image.oci_members()))
    for path in (docker, layout):
        assert [layer.diff_id for layer in open_archive(path, platform="linux/s390x")] == [image.layers[0].diff_id]
        with pytest.raises(InvalidOption, match=r"one of the archive's: linux/s390x"):
            open_archive(path, platform="linux/amd64")


def test_a_save_of_several_platforms(tmp_path: Path) -> None:
    """Docker's containerd store lists one platform in manifest.json, and all of them in the index."""
    members: dict[str, bytes] = {}
    rows, diff_ids = [], {}
    for arch in ("amd64", "s390x"):
        image = replace(ImageBuilder().layer(files={arch: arch}), architecture=arch)
        members.update(image.oci_members())
        entry = json.loads(members["index.json"])["manifests"][0]
        rows.append({**entry, "platform": {"os": "linux", "architecture": arch}})
        diff_ids[arch] = image.layers[0].diff_id
    manifest = json.loads(members["blobs/" + rows[0]["digest"].replace(":", "/")])
    blobs = ["blobs/" + one["digest"].replace(":", "/") for one in (manifest["config"], *manifest["layers"])]
    members["index.json"] = json.dumps({"schemaVersion": 2, "manifests": rows}).encode()
    members["manifest.json"] = json.dumps([{"Config": blobs[0], "RepoTags": ["a:1"], "Layers": blobs[1:]}]).encode()
    (tmp_path / "saved.tar").write_bytes(pack(members))
    for arch, diff_id in diff_ids.items():
        found = open_archive(tmp_path / "saved.tar", platform=f"linux/{arch}")
        assert [layer.diff_id for layer in found] == [diff_id]
    assert [layer.diff_id for layer in open_archive(tmp_path / "saved.tar")] == [diff_ids["amd64"]]
