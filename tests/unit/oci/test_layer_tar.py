"""Headers of a layer's tar, in every dialect that writers use."""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from containerkit.oci.digest import sha256
from containerkit.oci.layer import LayerContents, clean_path, content_bytes, read_layer
from containerkit.oci.problems import Limits
from containerkit.oci.sources import StreamSource
from containerkit.oci.tarsplit import read_tar_split, rebuilt_digest
from containerkit.oci.whiteout import classify
from containerkit.testing.archives import layer_tar
from tests.split import tar_split


def read(tar: bytes, piece: int = 700) -> LayerContents:
    return read_layer(StreamSource(tar[at : at + piece] for at in range(0, len(tar), piece)))


def tar_with(*infos: tarfile.TarInfo, style: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=style, errors="surrogateescape") as tar:
        for info in infos:
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    return out.getvalue()


def info(name: str, **values: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(made, key, value)
    return made


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_kinds(style: int) -> None:
    """Files, folders, links, devices and pipes come out with mode, owner, time, target and device numbers."""
    contents = read(
        tar_with(
            info("d/", type=tarfile.DIRTYPE, mode=0o1777),
            info("d/f", size=5, mode=0o4755, uid=7, gid=8, mtime=9),
            info("s", type=tarfile.SYMTYPE, linkname="../x"),
            info("h", type=tarfile.LNKTYPE, linkname="d/f"),
            info("c", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
            info("b", type=tarfile.BLKTYPE, devmajor=8, devminor=0),
            info("p", type=tarfile.FIFOTYPE),
            style=style,
        )
    )
    found = {entry.path: entry for entry in contents.entries}
    assert {path: entry.type for path, entry in found.items()} == {
        "/d": "dir",
        "/d/f": "file",
        "/s": "symlink",
        "/h": "hardlink",
        "/c": "char",
        "/b": "block",
        "/p": "fifo",
    }
    file = found["/d/f"]
    assert (file.size, file.mode, file.uid, file.gid, file.mtime) == (5, 0o4755, 7, 8, 9)
    assert (found["/d"].mode, found["/s"].link_target, found["/h"].link_target) == (0o1777, "../x", "/d/f")
    assert (found["/c"].device, found["/b"].device) == ((1, 3), (8, 0))
    assert contents.problems == ()


@pytest.mark.parametrize("style", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["x" * 300, "Ünïcödé", "odd\udcff\udcfe", "new\nline", "n" * 99 + "é" * 80])
def test_odd_names(style: int, name: str) -> None:
    """Long names, any encoding and none: what the file system held comes back."""
    target = "t" * 200
    contents = read(tar_with(info(name, size=3), info("l", type=tarfile.SYMTYPE, linkname=target), style=style))
    assert [entry.path for entry in contents.entries] == [f"/{name}", "/l"]
    assert contents.entries[1].link_target == target


def test_large_numbers() -> None:
    """Owners beyond octal's reach (base-256 in GNU tars, pax records elsewhere) and times before 1970 are read."""
    for style in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        (entry,) = read(tar_with(info("f", uid=2**31 + 5, gid=3_000_000, mtime=-5), style=style)).entries
        assert (entry.uid, entry.gid, entry.mtime) == (2**31 + 5, 3_000_000, -5)


def test_xattrs() -> None:
    """Extended attributes, file capabilities among them, come with their names."""
    member = info("f", pax_headers={"SCHILY.xattr.user.a": "1"})
    (entry,) = read(tar_with(member)).entries
    assert entry.xattrs == (("user.a", "1"),)


@pytest.mark.parametrize(
    "style", ["oldgnu", "gnu", "posix --sparse-version=0.0", "posix --sparse-version=0.1", "posix --sparse-version=1.0"]
)
def test_sparse(style: str, tmp_path: Path) -> None:
    """In all sparse formats a file has its real name and length, holes included, and the next entry is found."""
    with open(tmp_path / "sparse", "wb") as file:
        for at in range(0, 40 << 16, 2 << 16):
            file.seek(at)
            file.write(b"data")
        file.truncate(5 << 20)
    (tmp_path / "next").write_bytes(b"12345")
    packed = subprocess.run(
        ["tar", "--sparse", *f"--format={style}".split(), "-C", str(tmp_path), "-c", "sparse", "next"],
        check=True,
        capture_output=True,
    ).stdout
    contents = read(packed)
    assert [(entry.path, entry.size) for entry in contents.entries] == [("/sparse", 5 << 20), ("/next", 5)]
    assert contents.problems == ()
    assert contents.entries[0].stored < 1 << 20


def test_content_bytes_count_hardlinks_once() -> None:
    """Content is regular files: a hardlink adds nothing, nor does a symlink; a path that comes twice counts as it

    came last."""
    contents = read(layer_tar(files={"a": 1000}, links={"b": "a"}, symlinks={"c": "a"}))
    assert contents.content_bytes == 1000
    twice = read(tar_with(info("a", size=10), info("./a", size=3)))
    assert content_bytes(twice.entries) == 3


def test_whiteouts() -> None:
    """A whiteout shows the path it hides, an opaque one its folder, AUFS's own files themselves."""
    tar = layer_tar(whiteouts=["d/x"], opaque=["e", ""], files={".wh..wh.plnk": 1})
    found = [(entry.type, entry.path) for entry in read(tar).entries]
    assert found == [("opaque", "/e"), ("opaque", "/"), ("whiteout", "/d/x"), ("aufs", "/.wh..wh.plnk")]


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh..."])
def test_whiteouts_of_nothing_are_problems(name: str) -> None:
    """A whiteout of nothing, of . or of .. would remove its own folder or the one above."""
    assert (classify(name) or ("", ""))[0] == "invalid"
    assert len(read(tar_with(info(f"d/{name}"))).problems) == 1


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("./a", "/a"),
        ("a/", "/a"),
        ("/a", "/a"),
        ("a//b/./c", "/a/b/c"),
        (".", "/"),
        ("a/../b", "/b"),
        ("../a", "/a"),
        ("a/../../b", "/b"),
        ("../../a/..", "/"),
    ],
)
def test_paths(name: str, path: str) -> None:
    """Names are joined to the root as engines do it; ".." at the root stays there."""
    assert clean_path(name) == path


def test_climbing_entries_stay_in_the_root() -> None:
    """An entry or hardlink that climbs out of the root is read inside it, with a remark for each."""
    contents = read(tar_with(info("../../evil"), info("h", type=tarfile.LNKTYPE, linkname="../x"), info("a/../good")))
    assert contents.problems == ()
    assert [remark.partition(" ")[0] for remark in contents.remarks] == ["entry", "hardlink"]
    assert [(entry.path, entry.link_target) for entry in contents.entries] == [
        ("/evil", ""),
        ("/h", "/x"),
        ("/good", ""),
    ]


def test_a_nul_in_a_name_is_a_problem() -> None:
    """Go refuses a NUL in a pax name, and no file system has one."""
    contents = read(tar_with(info("a", pax_headers={"path": "x\0y"}), info("good")))
    assert len(contents.problems) == 1
    assert [entry.path for entry in contents.entries] == ["/good"]


UNUSUAL = {
    "no padding at the end": (tar_with(info("a", size=600), info("b", size=700))[: 3 * 512 + 512 + 700], ["/a", "/b"]),
    "part of the padding": (tar_with(info("a", size=600))[: 512 + 800], ["/a"]),
    "no end blocks": (tar_with(info("a", size=512))[:1024], ["/a"]),
    "climbing": (tar_with(info("../../b", size=3), info("/c", size=3)), ["/b", "/c"]),
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_what_an_engine_loads_is_read(case: str) -> None:
    """Go's archive/tar accepts these tars: both readers give the entries and a remark, and no problem."""
    tar, paths = UNUSUAL[case]
    whole, split = read(tar), read_tar_split([tar_split(tar)])
    assert [entry.path for entry in whole.entries] == paths
    assert whole.problems == split.problems == ()
    assert whole.remarks == split.remarks
    assert bool(whole.remarks) == (case != "no end blocks")
    assert [entry.path for entry in split.entries] == paths
    assert whole.tar_bytes == split.tar_bytes == len(tar)


def test_an_extension_header_at_the_end_is_a_remark() -> None:
    """Go's archive/tar takes it for the end of the tar."""
    contents = read(tar_with(info("a"))[:512] + tar_with(info("n" * 200))[:1024])
    assert [entry.path for entry in contents.entries] == ["/a"]
    assert (contents.problems, len(contents.remarks)) == ((), 1)


def test_a_payload_cut_short_is_a_problem() -> None:
    """A missing byte of payload is no missing padding."""
    assert read(tar_with(info("a", size=600))[: 512 + 599]).problems


def test_global_headers_are_skipped() -> None:
    """`git archive` writes a pax global header: it is no entry, and drops pending extension headers as Go does."""
    made = tarfile.TarInfo.create_pax_global_header({"comment": "0" * 40})
    tar = made + tar_with(info("a", size=3))
    contents = read(tar)
    assert [entry.path for entry in contents.entries] == ["/a"]
    assert (contents.problems, contents.remarks, contents.tar_bytes) == ((), (), len(tar))
    long_name = tar_with(info("n" * 200))[: 3 * 512]
    assert [entry.path for entry in read(long_name[:1024] + made + tar_with(info("b"))).entries] == ["/b"]
    broken = bytearray(made)
    broken[512] = ord("x")
    assert read(bytes(broken) + tar_with(info("a"))).problems


def test_tar_split_of_a_global_header() -> None:
    """tar-split has an entry line for a global header, between its data and its padding."""
    made = tarfile.TarInfo.create_pax_global_header({"comment": "0" * 40})
    tar = tar_with(info("a", size=3))
    used = 512 + made[512:].index(b"\n") + 1
    lines = [
        {"type": 2, "payload": base64.b64encode(made[:used]).decode()},
        {"type": 1, "name": "pax_global_header"},
        {"type": 2, "payload": base64.b64encode(made[used:] + tar[:512]).decode()},
        {"type": 1, "name": "a", "size": 3, "payload": base64.b64encode(bytes(8)).decode()},
        {"type": 2, "payload": base64.b64encode(tar[515:]).decode()},
    ]
    split = read_tar_split([gzip.compress("\n".join(map(json.dumps, lines)).encode())])
    assert (split.problems, split.remarks) == ((), ())
    assert [(entry.path, entry.size) for entry in split.entries] == [("/a", 3)]
    assert split.tar_bytes == len(made + tar)


def test_a_trailing_slash_makes_a_folder_only_in_old_tars() -> None:
    """Go reads type NUL with a slash as a folder, and type 0 with a slash as a file."""
    new = tar_with(info("reg", size=3))
    slash = bytearray(new)
    slash[3:4] = b"/"
    old = bytearray(slash)
    old[156:157] = b"\0"
    assert [(entry.path, entry.type) for entry in read(resummed(slash)).entries] == [("/reg", "file")]
    assert [(entry.path, entry.type) for entry in read(resummed(old)).entries] == [("/reg", "dir")]


def resummed(tar: bytearray) -> bytes:
    """Set the first header's checksum."""
    tar[148:156] = b" " * 8
    tar[148:156] = b"%06o\0 " % sum(tar[:512])
    return bytes(tar)


@pytest.mark.parametrize("cut", [1, 511, 513, 1100, 2047])
def test_truncation_is_a_problem(cut: int) -> None:
    """A tar cut inside a header or a file is reported."""
    tar = tar_with(info("a", size=600), info("b", size=600))
    assert read(tar[:cut]).problems


def test_every_flipped_header_byte_is_noticed() -> None:
    """A header whose bytes do not add up ends the reading with a problem."""
    tar = bytearray(tar_with(info("a")))
    for at in (0, 100, 130, 156, 300):
        broken = bytes(tar[:at] + bytes([tar[at] ^ 0x55]) + tar[at + 1 :])
        assert read(broken).problems, at


def test_too_many_entries_are_refused() -> None:
    """From the limit on nothing more is kept."""
    tar = tar_with(*(info(f"f{n}") for n in range(50)))
    contents = read_layer(StreamSource([tar]), limits=Limits(entries=50))
    assert contents.problems == ("50 entries or more",)
    assert contents.entries == ()


def test_tar_split_equals_the_tar() -> None:
    """tar-split gives the entries of the tar it came from, its length, and a content ID for each file that has

    bytes."""
    tar = layer_tar(dirs=["d"], whiteouts=["d/x"], files={"d/f": 1000, "empty": 0, "n" * 200: 513}, links={"h": "d/f"})
    split, whole = read_tar_split([tar_split(tar)]), read(tar)
    assert split.problems == ()
    assert split.tar_bytes == whole.tar_bytes == len(tar)
    plain = [entry.to_dict() | {"content_id": None} for entry in split.entries]
    assert plain == [entry.to_dict() for entry in whole.entries]
    ids = {entry.path: entry.content_id for entry in split.entries}
    assert (ids["/d/f"], ids["/empty"], ids["/h"]) == ("crc64:00000000000003e8", None, None)


def test_a_record_and_its_files_make_the_tar_again() -> None:
    """The digest is the tar's own; one byte that changed makes another."""
    tar = layer_tar(dirs=["d"], files={"d/f": b"x" * 1000, "empty": 0, "n" * 200: b"y" * 513}, links={"h": "d/f"})
    files = {"d/f": b"x" * 1000, "n" * 200: b"y" * 513}
    assert rebuilt_digest([tar_split(tar)], lambda name, size: [files[name]]) == sha256(tar)
    assert rebuilt_digest([tar_split(tar)], lambda name, size: [files[name][:-1], b"z"]) != sha256(tar)
    with pytest.raises(ValueError, match="tar-split"):
        rebuilt_digest([b"not gzip"], lambda name, size: [])


@pytest.mark.parametrize(
    "data",
    [b"", b"not gzip", gzip.compress(b"not json\n", mtime=0), gzip.compress(b'{"type":2,"payload":"AAAA"}\n', mtime=0)],
)
def test_broken_tar_split_is_a_problem(data: bytes) -> None:
    """A tar-split file that is none, or stops early, is reported and never raises anything else."""
    assert read_tar_split([data]).problems
