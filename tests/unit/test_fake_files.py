"""The file tree of the engine in memory: links, whiteouts, tars."""

from __future__ import annotations

import tarfile

import pytest

import containerkit as ck
from containerkit.testing.archives import layer_tar
from containerkit.testing.fake.files import File, Files


@pytest.fixture
def files() -> Files:
    found = Files()
    data = layer_tar(
        dirs=["d", "d/e"],
        files={"d/a": "text", "d/e/b": "deep"},
        symlinks={"up": "d/../d/a", "loop": "loop", "abs": "/d/e"},
        links={"d/hard": "d/a"},
    )
    found.unpack(data)
    return found


def test_paths_are_resolved_as_the_kernel_does(files: Files) -> None:
    """`..` leads up, links are followed, a circle leads nowhere."""
    assert files.resolve("/d/./e/../a") == "/d/a"
    assert files.resolve("/up") == "/d/a"
    assert files.resolve("/up", last=False) == "/up"
    assert files.resolve("/abs/b") == "/d/e/b"
    assert files.resolve("/loop") is None
    assert files.find("/loop") is None
    assert files.find("/none") is None


def test_facts_of_a_path(files: Files) -> None:
    """A link is not followed, unless its path ends with a slash."""
    link, folder = files.stat("/abs"), files.stat("/abs/")
    assert link is not None
    assert folder is not None
    assert (link.link_target, link.is_dir) == ("/d/e", False)
    assert (folder.name, folder.is_dir) == ("e", True)
    assert files.stat("/none") is None
    root = files.stat("/")
    assert root is not None
    assert (root.name, root.is_dir) == ("/", True)


def test_a_hard_link_is_the_same_content(files: Files) -> None:
    """Without its first name the tar is damaged."""
    assert files.entries["/d/hard"].data == b"text"
    with pytest.raises(ck.InvalidImage, match="a link to 'none', which is not there"):
        files.unpack(layer_tar(links={"x": "none"}))


def test_whiteouts_hide_what_is_below(files: Files) -> None:
    """An opaque folder keeps what the same layer puts into it."""
    files.unpack(layer_tar(whiteouts=["d/a"], opaque=["d/e"], files={"d/e/new": "n"}), layer=True)
    assert "/d/a" not in files.entries
    assert "/d/e/b" not in files.entries
    assert files.entries["/d/e/new"].data == b"n"
    files.unpack(layer_tar(whiteouts=["d"]), layer=True)
    assert not [path for path in files.entries if path.startswith("/d")]


def test_a_file_in_the_place_of_a_folder(files: Files) -> None:
    """The folder's content goes."""
    files.put("/d", File(tarfile.REGTYPE, data=b"x"))
    assert sorted(path for path in files.entries if path.startswith("/d")) == ["/d"]
    files.put("/new/below/file", File(tarfile.REGTYPE))
    assert files.entries["/new/below"].is_dir


def test_what_is_no_tar(files: Files) -> None:
    """Zeros are an empty one."""
    with pytest.raises(ck.InvalidImage, match="not a tar"):
        files.unpack(b"x" * 600)
    files.unpack(bytes(1024))
    files.unpack(b"")


def test_changes_and_their_layer(files: Files) -> None:
    """Applied to the first tree, the layer gives the second; folders with a change in them are modified."""
    after = files.copy()
    after.remove("/d/e")
    after.put("/d/new", File(tarfile.REGTYPE, data=b"n"))
    after.put("/d/a", File(tarfile.REGTYPE, data=b"changed"))
    kinds = {change.path: change.kind for change in after.changes(files)}
    assert kinds == {"/d": "modified", "/d/a": "modified", "/d/e": "deleted", "/d/new": "added"}
    again = files.copy()
    again.unpack(after.layer(files), layer=True)
    assert {path: file.data for path, file in again.entries.items()} == {
        path: file.data for path, file in after.entries.items()
    }
