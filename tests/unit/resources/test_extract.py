"""Extraction of archives that a container made: nothing outside of the target changes."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containerkit.errors import InvalidImage
from containerkit.unpack.extract import extract

Member = tuple[str, bytes, str]  # (name, tar type, content or link target)


def archive(*members: Member, mode: int = 0o644) -> tarfile.TarFile:
    """Return an open archive in stream mode, as an engine sends it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, value in members:
            info = tarfile.TarInfo(name)
            info.type, info.mtime = kind, 1_000_000
            info.mode = 0o755 if kind == tarfile.DIRTYPE else mode
            if kind == tarfile.REGTYPE:
                info.size = len(value.encode())
                tar.addfile(info, io.BytesIO(value.encode()))
            else:
                info.linkname = value
                tar.addfile(info)
    buffer.seek(0)
    return tarfile.open(fileobj=buffer, mode="r|")


FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """(target folder, victim folder with one file)."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "kept").write_text("kept")
    before = snapshot(victim)
    target = tmp_path / "target"
    target.mkdir()
    yield target, victim
    assert snapshot(victim) == before


def snapshot(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Return mode, link count, modification time and content of everything below a folder, and of itself."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        seen = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (seen.st_mode, seen.st_nlink, seen.st_mtime_ns, content)
    return found


def test_a_folder_arrives_with_modes_times_and_links(tmp_path: Path) -> None:
    """Files, folders, symbolic and hard links are extracted with their permission bits and times."""
    members = [("d", FOLDER, ""), ("d/a", FILE, "text"), ("d/s", LINK, "a"), ("d/h", HARD, "d/a"), ("d/in", FOLDER, "")]
    extract(archive(*members, mode=0o640), tmp_path, "copy")
    copy = tmp_path / "copy"
    assert (copy / "a").read_text() == "text"
    assert stat.S_IMODE((copy / "a").stat().st_mode) == 0o640
    assert os.readlink(copy / "s") == "a"
    assert (copy / "h").stat().st_ino == (copy / "a").stat().st_ino
    assert (copy / "a").stat().st_mtime == copy.stat().st_mtime == (copy / "in").stat().st_mtime == 1_000_000
    assert os.listdir(tmp_path) == ["copy"]


def test_content_is_merged_into_an_existing_folder(tmp_path: Path) -> None:
    """With an empty name the root's content joins the folder; other files stay, files of the same name are replaced."""
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "a").write_text("old")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "mine").write_text("mine")
    extract(archive(("d", FOLDER, ""), ("d/a", FILE, "new"), ("d/in", FOLDER, ""), ("d/in/b", FILE, "b")), tmp_path, "")
    found = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"mine": "mine", "a": "new", "in/mine": "mine", "in/b": "b"}


def test_a_link_that_an_earlier_copy_left_is_replaced(places: tuple[Path, Path]) -> None:
    """A folder in the place of an earlier link replaces the link; the link's target stays as it was."""
    target, victim = places
    extract(archive(("d", FOLDER, ""), ("d/a", LINK, str(victim))), target, "d")
    extract(archive(("d", FOLDER, ""), ("d/a", FOLDER, ""), ("d/a/x", FILE, "x")), target, "d")
    assert not (target / "d/a").is_symlink()
    assert (target / "d/a/x").read_text() == "x"


def test_a_link_in_the_place_of_the_copy_is_replaced(places: tuple[Path, Path]) -> None:
    """A copy to a name where a link stands replaces the link."""
    target, victim = places
    (target / "d").symlink_to(victim)
    extract(archive(("d", FOLDER, ""), ("d/x", FILE, "x")), target, "d")
    assert not (target / "d").is_symlink()
    (target / "f").symlink_to(victim / "kept")
    extract(archive(("f", FILE, "new")), target, "f")
    assert (target / "f").read_text() == "new"


@pytest.mark.parametrize(
    "members",
    [
        [("d", FOLDER, ""), ("d/a", LINK, "VICTIM"), ("d/a/x", FILE, "x")],
        [("d", FOLDER, ""), ("d/a", LINK, "VICTIM"), ("d/a/x", FOLDER, "")],
        [("d", FOLDER, ""), ("d/a", LINK, "VICTIM"), ("d/a/x", LINK, "y")],
        [("d", FOLDER, ""), ("d/a", LINK, "VICTIM"), ("d/h", HARD, "d/a/kept")],
        [("d", LINK, "VICTIM"), ("d/x", FILE, "x")],
        [("d", FOLDER, ""), ("d/../../x", FILE, "x")],
        [("d", FOLDER, ""), ("d/h", HARD, "d/../../victim/kept")],
        [("d", FOLDER, ""), ("d/n", tarfile.CHRTYPE, "")],
        [("d", FOLDER, ""), ("d/f", FILE, "x"), ("d/f/y", FILE, "y")],
    ],
)
def test_an_archive_that_leads_outside_is_refused_as_a_whole(places: tuple[Path, Path], members: list[Member]) -> None:
    """Members that lead through a link, through "..", or are devices raise InvalidImage; nothing is left."""
    target, victim = places
    with pytest.raises(InvalidImage):
        extract(archive(*((n, k, v.replace("VICTIM", str(victim))) for n, k, v in members)), target, "d")
    assert os.listdir(target) == []


def test_a_cut_archive_leaves_nothing(tmp_path: Path) -> None:
    """An archive that ends inside a file leaves the target as it was."""
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "old").write_text("old")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        root = tarfile.TarInfo("d")
        root.type = tarfile.DIRTYPE
        tar.addfile(root)
        for name in ("d/first", "d/second"):
            info = tarfile.TarInfo(name)
            info.size = 5000
            tar.addfile(info, io.BytesIO(b"x" * 5000))
    cut = io.BytesIO(buffer.getvalue()[:9000])
    with tarfile.open(fileobj=cut, mode="r|") as tar, pytest.raises(tarfile.TarError):
        extract(tar, tmp_path, "copy")
    assert [path.name for path in tmp_path.rglob("*")] == ["copy", "old"]


def test_a_file_does_not_replace_a_folder(tmp_path: Path) -> None:
    """A file in the place of a folder raises an OSError that names the path; the folder keeps its content."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "kept").write_text("kept")
    with pytest.raises(OSError, match="/x'"):
        extract(archive(("x", FILE, "new")), tmp_path, "x")
    assert (tmp_path / "x" / "kept").read_text() == "kept"


def test_a_fifo_is_made_and_setuid_is_dropped(tmp_path: Path) -> None:
    """Named pipes are extracted; setuid and setgid bits are not."""
    extract(archive(("d", FOLDER, ""), ("d/p", tarfile.FIFOTYPE, ""), ("d/s", FILE, "x"), mode=0o6755), tmp_path, "d")
    assert stat.S_ISFIFO((tmp_path / "d/p").stat().st_mode)
    assert stat.S_IMODE((tmp_path / "d/s").stat().st_mode) == 0o755


names = st.lists(st.sampled_from(["d", "a", "b", "..", ".", ""]), min_size=1, max_size=4).map("/".join)
targets = st.sampled_from(["a", "b", "..", "../..", "../victim", "/VICTIM", "d/a", "d/b/a", "d/../../victim/kept"])
member = st.tuples(names, st.sampled_from([FILE, FOLDER, LINK, HARD, tarfile.FIFOTYPE]), targets)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(member, max_size=6), min_size=1, max_size=3))
def test_no_sequence_of_archives_changes_anything_outside(copies: list[list[Member]]) -> None:
    """Whatever archives are extracted one after the other to the same name, only that name changes."""
    with tempfile.TemporaryDirectory() as made:
        base = Path(made)
        victim, target = base / "victim", base / "target"
        victim.mkdir()
        (victim / "kept").write_text("kept")
        target.mkdir()
        (target / "other").write_text("other")
        before = snapshot(victim)
        for members in copies:
            made_of = [(n, k, v.replace("/VICTIM", str(victim))) for n, k, v in members]
            with contextlib.suppress(InvalidImage, OSError):
                extract(archive(*made_of), target, "copy")
        assert snapshot(victim) == before
        assert sorted(set(os.listdir(target)) - {"copy"}) == ["other"]
        assert os.listdir(base) == ["victim", "target"] or sorted(os.listdir(base)) == ["target", "victim"]


def test_a_dangling_link_replaces_a_file(places: tuple[Path, Path]) -> None:
    """The link itself is moved, whatever it leads to; a folder in its place stays a refusal."""
    target, _ = places
    (target / "a").write_text("old")
    extract(archive(("a", LINK, "nowhere")), target, "a")
    assert os.readlink(target / "a") == "nowhere"


def test_a_hard_link_to_a_link_is_the_link(tmp_path: Path) -> None:
    """It does not reach what the link names."""
    extract(archive(("d", FOLDER, ""), ("d/s", LINK, "nowhere"), ("d/h", HARD, "d/s")), tmp_path, "d")
    assert os.readlink(tmp_path / "d/h") == "nowhere"
    assert (tmp_path / "d/h").lstat().st_ino == (tmp_path / "d/s").lstat().st_ino


def test_a_hard_link_through_a_file_names_the_link(tmp_path: Path) -> None:
    """The error holds the name in the archive."""
    with pytest.raises(InvalidImage, match="through a link or a file: 'd/a/b'"):
        extract(archive(("d", FOLDER, ""), ("d/a", FILE, "x"), ("d/h", HARD, "d/a/b")), tmp_path, "d")


def test_a_fifo_has_its_mode(tmp_path: Path) -> None:
    """Its permission bits are those of the archive, as far as the umask allows."""
    before = os.umask(0o022)
    try:
        extract(archive(("f", tarfile.FIFOTYPE, ""), mode=0o4640), tmp_path, "f")
    finally:
        os.umask(before)
    assert stat.S_ISFIFO((tmp_path / "f").stat().st_mode)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


def test_the_content_of_a_folder_is_staged_beside_it(tmp_path: Path) -> None:
    """With an empty name the archive's root becomes the folder itself, which keeps what it has."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/kept").touch()
    extract(archive(("root", FOLDER, ""), ("root/in", FOLDER, ""), ("root/in/a", FILE, "x")), tmp_path / "d", "")
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == ["in", "kept"]
    assert (tmp_path / "d/in/a").read_text() == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["d"]
