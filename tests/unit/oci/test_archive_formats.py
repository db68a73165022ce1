"""Archives as the world writes them: each layout, each compression, tar or folder, whole or streamed."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from containerkit.errors import InvalidOption
from containerkit.layers.stack import open_archive
from containerkit.oci.compression import Compression
from containerkit.oci.stream import scan_stream
from containerkit.testing.archives import ImageBuilder, Layout, docker_archive, unpack_to

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
