"""Files and folders that appear only when they are complete."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from containerkit.unpack.staging import staged_folder, whole_file


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    """The old content stays until the block ends; then the new one is there with the mode."""
    target = tmp_path / "x"
    target.write_text("old")
    with whole_file(target, mode=0o640) as write:
        write(b"new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["x"]


def test_an_error_keeps_the_old_file(tmp_path: Path) -> None:
    """An exception in the block leaves the old file, and no unfinished one."""
    target = tmp_path / "x"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(target, mode=0o600) as write:
        write(b"new")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["x"]


def test_the_remains_of_a_killed_copy_are_taken_over(tmp_path: Path) -> None:
    """A longer unfinished file of a killed process is reused, and none of its bytes remain."""
    (tmp_path / ".x.partial").write_text("remains of a copy that was killed")
    with whole_file(tmp_path / "x", mode=0o600) as write:
        write(b"new")
    assert (tmp_path / "x").read_text() == "new"
    assert os.listdir(tmp_path) == ["x"]


def test_a_copy_in_progress_is_left_alone(tmp_path: Path) -> None:
    """Two copies to the same file at once do not share an unfinished file; the last one to end wins."""
    with whole_file(tmp_path / "x", mode=0o600) as first:
        first(b"first")
        with whole_file(tmp_path / "x", mode=0o600) as second:
            second(b"second")
        assert (tmp_path / "x").read_text() == "second"
    assert (tmp_path / "x").read_text() == "first"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo", "folder"])
def test_what_another_put_in_the_place_of_the_unfinished_file_is_not_written_to(tmp_path: Path, kind: str) -> None:
    """A link, a hard link, a pipe or a folder under the unfinished file's name is left as it is."""
    victim, place = tmp_path / "victim", tmp_path / ".x.partial"
    victim.write_text("kept")
    make: dict[str, Callable[[], object]] = {
        "link": lambda: place.symlink_to(victim),
        "hard link": lambda: os.link(victim, place),
        "fifo": lambda: os.mkfifo(place),
        "folder": place.mkdir,
    }
    make[kind]()
    with whole_file(tmp_path / "x", mode=0o600) as write:
        write(b"new")
    assert (tmp_path / "x").read_text() == "new"
    assert victim.read_text() == "kept"
    assert place.exists()


def test_a_full_disk_names_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while writing is raised with the path of the file, not of the unfinished one."""

    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*/x'"),
        whole_file(tmp_path / "x", mode=0o600) as write,
    ):
        write(b"new")
    assert os.listdir(tmp_path) == []


def test_a_link_in_the_place_of_the_file_is_replaced(tmp_path: Path) -> None:
    """The file that a link points to keeps its content."""
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "x").symlink_to("victim")
    with whole_file(tmp_path / "x", mode=0o600) as write:
        write(b"new")
    assert not (tmp_path / "x").is_symlink()
    assert (tmp_path / "victim").read_text() == "kept"


def test_a_staged_folder_is_private_empty_and_removed(tmp_path: Path) -> None:
    """The folder has mode 0700, holds nothing of a killed copy, and is removed with its content."""
    left = tmp_path / ".x.partial"
    (left / "in").mkdir(parents=True)
    (left / "file").write_text("remains")
    (left / "link").symlink_to(tmp_path)
    parent = os.open(tmp_path, os.O_RDONLY)
    try:
        with staged_folder(parent, "x") as folder:
            assert os.listdir(folder) == []
            assert stat.S_IMODE(os.fstat(folder).st_mode) == 0o700
            os.mkdir("more", dir_fd=folder)
            with pytest.raises(BlockingIOError):
                fcntl.flock(os.open(tmp_path / ".x.partial", os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
            with staged_folder(parent, "x") as other:
                assert os.fstat(other).st_ino != os.fstat(folder).st_ino
    finally:
        os.close(parent)
    assert os.listdir(tmp_path) == []
