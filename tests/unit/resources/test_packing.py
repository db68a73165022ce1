"""Local files as a tar stream: types, links, sizes, and what cannot be read."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from containerkit.resources.packing import check_readable, tar_stream, tree_entries


def members(root: Path, name: str, **options: object) -> dict[str, tarfile.TarInfo]:
    data = b"".join(tar_stream(tree_entries(root, name, **options)))  # type: ignore[arg-type]
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: member for member in tar}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a").write_bytes(b"x" * 700)
    (root / "sub/b").symlink_to("../none")
    os.link(root / "a", root / "sub/c")
    os.mkfifo(root / "pipe")
    return root


def test_every_type_of_file(tree: Path) -> None:
    """A second name is a hard link to the first, a symbolic link is not followed, a fifo has no content."""
    found = members(tree, "top")
    assert list(found) == ["top", "top/a", "top/pipe", "top/sub", "top/sub/b", "top/sub/c"]
    assert (found["top/a"].size, found["top/a"].type) == (700, tarfile.REGTYPE)
    assert (found["top/sub/c"].type, found["top/sub/c"].linkname) == (tarfile.LNKTYPE, "top/a")
    assert (found["top/sub/b"].type, found["top/sub/b"].linkname) == (tarfile.SYMTYPE, "../none")
    assert [found[name].type for name in ("top", "top/pipe")] == [tarfile.DIRTYPE, tarfile.FIFOTYPE]


def test_chosen_paths_without_the_folder_itself(tree: Path) -> None:
    """As the build context is sent."""
    assert list(members(tree, "", keep=["a", "sub/c"])) == ["a", "sub/c"]


def test_a_link_is_packed_as_a_link_under_its_own_name(tree: Path) -> None:
    """Without a name its folder's content is packed."""
    (tree.parent / "link").symlink_to("root")
    assert [member.type for member in members(tree.parent / "link", "l").values()] == [tarfile.SYMTYPE]
    assert "a" in members(tree.parent / "link", "")


def test_a_device_keeps_its_numbers() -> None:
    """/dev/null is character device 1:3."""
    found = members(Path("/dev/null"), "null")["null"]
    assert (found.type, found.devmajor, found.devminor) == (tarfile.CHRTYPE, 1, 3)


def test_a_file_that_shrinks(tree: Path) -> None:
    """The tar would be damaged, so it is an error."""
    entries = tree_entries(tree / "a", "a")
    info, source = next(iter(entries))
    info.size = 800
    with pytest.raises(OSError, match="a became shorter while it was read"):
        list(tar_stream([(info, source)]))


def test_what_is_missing_is_an_error(tree: Path) -> None:
    """A folder that vanishes while it is walked is not taken for an empty one."""
    with pytest.raises(FileNotFoundError):
        check_readable(tree, ["gone"])
    check_readable(tree)  # a dangling link is packed as a link


@pytest.mark.parametrize(("name", "needed"), [("a", os.R_OK), ("sub", os.R_OK | os.X_OK)])
def test_what_cannot_be_read_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch, name: str, needed: int) -> None:
    """Files need r, folders need r and x; a fifo is not opened, so it needs neither."""
    asked: dict[str, int] = {}

    def access(path: Path, mode: int, **_: object) -> bool:
        asked[path.name] = mode
        return path.name != name

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(PermissionError, match="Permission denied") as caught:
        check_readable(tree)
    assert caught.value.filename == str(tree / name)
    assert asked[name] == needed
    assert "pipe" not in asked


def test_a_folder_that_cannot_be_listed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the listing is raised, not swallowed."""
    listed = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError):
        check_readable(tree)
