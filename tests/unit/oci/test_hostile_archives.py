"""Archives made to do harm, or broken on the way: refused with every reason, and nothing is touched."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from containerkit.errors import InvalidImage
from containerkit.layers.stack import open_archive
from containerkit.oci.compression import Expanded, decompress
from containerkit.oci.problems import Limits
from containerkit.oci.stream import scan_stream
from containerkit.testing.archives import Fault, ImageBuilder, pack

IMAGE = ImageBuilder().layer(files={"a": 1000}).layer(files={"b": 1000}).tag("x:1")


def refused(data: bytes, folder: Path, limits: Limits | None = None) -> tuple[str, ...]:
    """Opens, reads and verifies; gives the violations, and sees to it that nothing appeared beside the archive."""
    path = folder / "image.tar"
    path.write_bytes(data)
    with pytest.raises(InvalidImage) as caught:
        stack = open_archive(path, limits=limits)
        stack.files()
        stack.verify()
    assert [entry.name for entry in folder.iterdir()] == ["image.tar"]
    return caught.value.violations


def with_members(*extra: tarfile.TarInfo, image: ImageBuilder = IMAGE) -> bytes:
    out = io.BytesIO(image.to_docker_archive())
    with tarfile.open(fileobj=out, mode="a") as tar:
        for info in extra:
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    return out.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../../evil"),
        tarfile.TarInfo("/etc/evil"),
        tarfile.TarInfo("a/../../evil"),
        link("l", "/etc/passwd"),
        link("l", "../../etc/passwd"),
        link("l", "/etc/passwd", tarfile.LNKTYPE),
    ],
    ids=lambda member: f"{member.name}-{member.linkname}",
)
def test_members_outside_the_archive(member: tarfile.TarInfo, tmp_path: Path) -> None:
    """A member or link that points out of the archive is a breach even if nothing refers to it."""
    (violation,) = refused(with_members(member), tmp_path)
    assert member.name in violation


def manifest(**values: object) -> bytes:
    members = {IMAGE.image_id[7:] + ".json": IMAGE.config_bytes()}
    entry = {"Config": next(iter(members)), "RepoTags": ["x:1"], "Layers": ["0.tar", "1.tar"], **values}
    return pack({**members, "manifest.json": json.dumps([entry]).encode(), "0.tar": IMAGE.layers[0].tar})


@pytest.mark.parametrize("name", ["/etc/passwd", "../../../etc/passwd", "0.tar/../../x", ""])
def test_layer_named_outside(name: str, tmp_path: Path) -> None:
    """A manifest that names a layer outside the archive is refused; no such file is opened."""
    assert any("outside" in violation for violation in refused(manifest(Layers=["0.tar", name]), tmp_path))


def test_every_breach_at_once(tmp_path: Path) -> None:
    """A missing layer does not hide that another one has the wrong bytes."""
    data = manifest(Layers=["0.tar", "absent.tar"]).replace(b"0123456789abcde", b"edcba9876543210")
    found = refused(data, tmp_path)
    assert any("absent.tar" in violation for violation in found)
    assert any("diff_id" in violation for violation in found)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("wrong config digest", "digest"),
        ("wrong diff_id", "diff_id"),
        ("missing layer", "missing"),
        ("missing config", "missing"),
        ("long history", "history"),
        ("truncated layer", "diff_id"),
    ],
)
@pytest.mark.parametrize("oci", [True, False])
def test_broken_images(fault: Fault, word: str, oci: bool, tmp_path: Path) -> None:
    """Each fault is found, in a docker-archive and in an OCI layout, opened as a file and streamed."""
    image = IMAGE.broken(fault)
    data = image.to_oci_layout(compression="none") if oci else image.to_docker_archive()
    assert any(word in violation for violation in refused(data, tmp_path))
    with pytest.raises(InvalidImage):
        scan_stream([data], verify=True)


def test_wrong_digest_of_two_layers_is_two_violations(tmp_path: Path) -> None:
    """verify does not stop at the first layer."""
    data = IMAGE.to_docker_archive().replace(b"0123456789abcde", b"edcba9876543210")
    assert len(refused(data, tmp_path)) == 2


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 10240, b"hello", gzip.compress(b"hello"), b"{" * 5000],
    ids=["empty", "zeros", "text", "gzip", "braces"],
)
def test_no_archive_at_all(data: bytes, tmp_path: Path) -> None:
    """Empty, zeros, text: InvalidImage, whatever it is; the same from a stream."""
    assert refused(data, tmp_path)
    with pytest.raises(InvalidImage):
        scan_stream([data])


@pytest.mark.parametrize("part", [0.1, 0.4, 0.6, 0.9])
def test_truncated_archives(part: float, tmp_path: Path) -> None:
    """Cut anywhere, it is refused."""
    data = IMAGE.to_docker_archive().rstrip(b"\0")
    cut = data[: int(len(data) * part)]
    assert refused(cut, tmp_path)
    with pytest.raises(InvalidImage):
        scan_stream([cut])


def test_links_in_a_circle(tmp_path: Path) -> None:
    """Members that link to each other, or to themselves, are refused and not followed for ever."""
    for target in ("1.tar", "2.tar"):
        data = io.BytesIO(manifest())
        with tarfile.open(fileobj=data, mode="a") as tar:
            tar.addfile(link("1.tar", target))
            tar.addfile(link("2.tar", "1.tar"))
        assert any("circle" in violation for violation in refused(data.getvalue(), tmp_path))


def test_folder_with_a_link_out(tmp_path: Path) -> None:
    """In a folder a symlink that leaves it is not followed."""
    (tmp_path / "secret").write_bytes(b"{}")
    layout = tmp_path / "layout"
    layout.mkdir()
    (layout / "manifest.json").symlink_to("../secret")
    with pytest.raises(InvalidImage):
        open_archive(layout)
    (layout / "index.json").symlink_to("index.json")
    with pytest.raises(InvalidImage):
        open_archive(layout)


def test_entries_outside_the_root(tmp_path: Path) -> None:
    """verify() reports an entry that climbs out of the root, and one behind a link that leaves it."""
    image = ImageBuilder().layer(members=[tarfile.TarInfo("../evil"), tarfile.TarInfo("ok")])
    assert any("climbs" in violation for violation in refused(image.to_docker_archive(), tmp_path))
    crossing = (
        ImageBuilder()
        .layer(symlinks={"d": "/etc"})
        .raw_layer(pack({}, {"d": "../../etc"})[:512] + pack({"d/passwd": b"x"}))
    )
    assert any("behind the symlink" in violation for violation in refused(crossing.to_docker_archive(), tmp_path))


def test_absolute_entries_are_remarked_on_by_verify(tmp_path: Path) -> None:
    """An absolute entry is read as inside the root, as engines do, and verify reports it."""
    path = tmp_path / "image.tar"
    path.write_bytes(ImageBuilder().layer(members=[tarfile.TarInfo("/etc/a")]).to_docker_archive())
    stack = open_archive(path)
    assert "/etc/a" in stack.tree()
    with pytest.raises(InvalidImage, match="absolute"):
        stack.verify()


def test_bomb_by_padding(tmp_path: Path) -> None:
    """A layer that unpacks to megabytes of nothing after its end is refused."""
    image = ImageBuilder().raw_layer(bytes(8 << 20))
    assert any("after the end" in one for one in refused(image.to_oci_layout(), tmp_path))


def test_bomb_by_ratio(tmp_path: Path) -> None:
    """A layer that grows beyond the limits is refused, gzip or zstd, and the limits can be set."""
    info = tarfile.TarInfo("zeros")
    info.size = 8 << 20
    image = ImageBuilder().layer(members=[info])
    tight = Limits(expansion=100, expansion_floor=1 << 20)
    for compression in ("gzip", "zstd"):
        data = image.to_oci_layout(compression=compression)
        assert any("bomb" in one for one in refused(data, tmp_path, limits=tight))
        (tmp_path / "image.tar").write_bytes(data)
        assert open_archive(tmp_path / "image.tar").sizes.content == 8 << 20


def test_bomb_among_the_documents(tmp_path: Path) -> None:
    """A config larger than any config is refused before it is read."""
    assert any(
        "document" in one for one in refused(IMAGE.to_docker_archive(), tmp_path, limits=Limits(document_bytes=100))
    )


def test_decompression_is_bounded_in_memory() -> None:
    """However much comes out, it comes in pieces of a quarter of a MiB."""
    packed = gzip.compress(bytes(32 << 20))
    assert max(map(len, decompress([packed], "gzip"))) <= 256 << 10
    with pytest.raises(Expanded, match="cut short"):
        list(decompress([packed[:-4]], "gzip"))


MILLION = """
import io, resource, sys, tarfile
from containerkit.errors import InvalidImage
from containerkit.oci.stream import scan_stream
from containerkit.layers.stack import open_archive
block = tarfile.TarInfo("f").tobuf()
def endless():
    head = tarfile.TarInfo("layer.tar")
    head.size = 512 * 1_000_100
    yield head.tobuf()
    for _ in range(10_001):
        yield block * 100
try:
    scan_stream(endless())
except InvalidImage as exc:
    print("refused", exc)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_a_million_entries_stay_within_memory() -> None:
    """A layer of 10^6 entries is refused, in less than 400 MiB."""
    run = subprocess.run([sys.executable, "-c", MILLION], check=True, capture_output=True, text=True)
    assert run.stdout.startswith("refused")
    assert int(run.stdout.split()[-1]) < 400
