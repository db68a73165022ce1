"""Files and folders of an image written to this machine: what arrives, where, and what is never written."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import containerkit as ck
from containerkit.cli import app
from containerkit.layers.readers import StreamReader
from containerkit.layers.stack import LayerStack, build_stack, open_archive
from containerkit.testing.archives import ImageBuilder

IMAGE = (
    ImageBuilder()
    .layer(
        dirs=["etc", "etc/empty"],
        files={"etc/a": "one", "etc/b": b"x" * 3000, "etc/none": "", "usr/lib/os": "os"},
        links={"etc/a2": "etc/a"},
        symlinks={"etc/link": "a", "etc/out": "/outside", "conf": "etc"},
    )
    .layer(files={"etc/b": "two", "etc/c": "c"}, whiteouts=["usr/lib/os"])
)


def from_archive(path: Path) -> LayerStack:
    (path / "image.tar").write_bytes(IMAGE.to_docker_archive())
    return open_archive(path / "image.tar")


def from_gzip(path: Path) -> LayerStack:
    (path / "image.tar").write_bytes(IMAGE.to_oci_layout())
    return open_archive(path / "image.tar")


def from_stream(path: Path) -> LayerStack:
    reader = StreamReader(lambda: iter([IMAGE.to_docker_archive()]))
    return build_stack("x", diff_ids=IMAGE.diff_ids, history=(), image_id="x", reader=lambda: reader)


@pytest.fixture(params=[from_archive, from_gzip, from_stream])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> LayerStack:
    make: Callable[[Path], LayerStack] = request.param
    return make(tmp_path)


def contents(folder: Path) -> dict[str, object]:
    """Return path -> bytes of a file, target of a link, or None for a folder."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else None
        if path.is_dir()
        else path.read_bytes()
        for path in folder.rglob("*")
    }


ETC = {"a": b"one", "a2": b"one", "b": b"two", "c": b"c", "none": b"", "empty": None, "link": "a", "out": "/outside"}


def test_a_folder_with_everything_in_it(image: LayerStack, tmp_path: Path) -> None:
    """Files of both layers, links, empty files and folders, with modes and times; hard links are hard links."""
    assert image.extract("/etc", tmp_path / "copy") == tmp_path / "copy"
    assert contents(tmp_path / "copy") == ETC
    for name, entry in image.tree().items():
        path = tmp_path / "copy" / name.removeprefix("/etc/")
        if name.startswith("/etc/") and entry.type in ("file", "dir"):
            assert stat.S_IMODE(path.stat().st_mode) == entry.mode
            assert int(path.stat().st_mtime) == entry.mtime
    assert (tmp_path / "copy/a").samefile(tmp_path / "copy/a2")


def test_where_it_goes(image: LayerStack, tmp_path: Path) -> None:
    """An existing folder receives the copy under its name, `/.` merges; links on the way are followed."""
    (tmp_path / "d").mkdir()
    assert image.extract("etc/a", tmp_path / "d") == tmp_path / "d/a"
    assert image.extract("/conf/b", tmp_path / "d/b2") == tmp_path / "d/b2"
    assert image.extract("/conf", tmp_path / "d") == tmp_path / "d/conf"
    assert contents(tmp_path / "d") == {"a": b"one", "b2": b"two", "conf": "etc"}
    (tmp_path / "e").mkdir()
    assert image.extract("/conf/.", tmp_path / "e") == tmp_path / "e"
    assert contents(tmp_path / "e") == ETC
    assert image.extract("/etc/a2", tmp_path / "alone").read_bytes() == b"one"
    whole = image.extract("/", tmp_path / "whole")
    assert {path.name for path in whole.iterdir()} == {"etc", "usr", "conf"}
    assert not (whole / "usr/lib/os").exists()


def test_a_height_and_a_layer_alone(image: LayerStack, tmp_path: Path) -> None:
    """`at` is the tree as it was; a layer has only its own files."""
    assert image.extract("/usr/lib/os", tmp_path / "os", at=0).read_bytes() == b"os"
    assert contents(image[1].extract("/etc", tmp_path / "own")) == {"b": b"two", "c": b"c"}
    with pytest.raises(ck.InvalidOption, match="layer 1"):
        image[1].extract("/etc/a", tmp_path / "a")


def test_nothing_is_written_through_a_link(image: LayerStack, tmp_path: Path) -> None:
    """A link that stands in the target, of an earlier copy, is replaced and not followed."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/etc").symlink_to(tmp_path / "outside")
    image.extract("/etc", tmp_path / "copy")
    assert contents(tmp_path / "outside") == {}
    assert contents(tmp_path / "copy/etc") == ETC


@pytest.mark.parametrize("path", ["/usr/lib/os", "/absent", "/etc/a/", "/etc/a/."])
def test_what_is_not_there(image: LayerStack, path: str, tmp_path: Path) -> None:
    """A removed path, a missing one, and a file meant as a folder are InvalidOption; nothing is written."""
    with pytest.raises(ck.InvalidOption):
        image.extract(path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    with pytest.raises(FileNotFoundError):
        image.extract("/etc", tmp_path / "no" / "such" / "folder")


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`extract` prints where the copy is; a layer that does not exist is wrong usage."""
    monkeypatch.chdir(tmp_path)
    from_archive(tmp_path)
    found = CliRunner().invoke(app, ["extract", "image.tar", "/etc/a"])
    assert (found.exit_code, found.output.strip()) == (0, str(tmp_path / "a"))
    assert CliRunner().invoke(app, ["extract", "image.tar", "/etc", "own", "--layer", "1"]).exit_code == 0
    assert contents(tmp_path / "own") == {"b": b"two", "c": b"c"}
    assert CliRunner().invoke(app, ["extract", "image.tar", "/etc", "x", "--layer", "2"]).exit_code != 0
