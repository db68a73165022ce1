"""Copies into and out of a container: where they arrive, and what is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit.streams import ByteStream
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder

IMAGE = ImageBuilder().layer(
    files={"bin/cat": "", "etc/motd": "hello\n", "srv/data/in": "x"},
    modes={"bin/cat": 0o755},
    symlinks={"link": "etc/motd", "loop": "loop", "folder": "/srv/data", "far": "../../etc/motd"},
)


@pytest.fixture
def backend() -> FakeBackend:
    backend = FakeBackend()
    backend.add_image("app:1", IMAGE)
    return backend


@pytest.fixture
def box(backend: FakeBackend) -> Iterator[ck.Container]:
    with ck.connect(backend) as engine, engine.start("app:1", ["cat", "-"]) as container:
        yield container


# ---------------------------------------------------------------- into
@pytest.mark.parametrize(
    ("src", "dst", "arrives"),
    [
        ("a", "/new", "/new"),
        ("a", "/srv/data", "/srv/data/a"),
        ("a", "/srv/data/", "/srv/data/a"),
        ("a", "/folder", "/srv/data/a"),
        ("a", "/link", "/etc/motd"),
        ("a", "/far", "/etc/motd"),
        ("d", "/srv", "/srv/d/b"),
        ("d", "/srv/new", "/srv/new/b"),
        ("d/", "/srv", "/srv/d/b"),
        ("d/.", "/srv/data", "/srv/data/b"),
    ],
)
def test_where_a_copy_arrives(box: ck.Container, tmp_path: Path, src: str, dst: str, arrives: str) -> None:
    """As `docker cp` places it; links in the container are followed."""
    (tmp_path / "a").write_text("copied")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/b").write_text("copied")
    box.copy_to(f"{tmp_path}/{src}", dst)
    assert box.read_file(arrives) == b"copied"


def test_owner_and_mode_of_a_copy(box: ck.Container, tmp_path: Path) -> None:
    """A folder gets x wherever it gets r; digits in a string are refused, since 644 would be decimal."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/b").write_text("x")
    box.copy_to(tmp_path / "d", "/srv", uid=5, gid=6, mode=0o640)
    stats: Any = box._core.backend.stat_path
    assert (stats(box.id, "/srv/d").mode, stats(box.id, "/srv/d/b").mode) == (0o750, 0o640)
    for wrong in ({"mode": "644"}, {"uid": -1}, {"gid": "0"}, {"mode": 0o10000}, {"uid": 1 << 32}):
        (name,) = wrong
        with pytest.raises(ck.InvalidOption, match=f"^{name}="):
            box.copy_to(tmp_path / "d", "/srv", **wrong)


def test_the_root_folder_is_a_target_and_a_source(box: ck.Container, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("copied")
    box.copy_to(tmp_path / "a", "/")
    assert box.read_file("/a") == b"copied"
    (tmp_path / "out").mkdir()
    box.copy_from("/.", tmp_path / "out")
    assert (tmp_path / "out" / "a").read_text() == "copied"


@pytest.mark.parametrize("relative", ["relative", "", 3])
def test_a_path_in_the_container_is_absolute(box: ck.Container, tmp_path: Path, relative: Any) -> None:
    """The error names the argument."""
    (tmp_path / "a").write_text("x")
    with pytest.raises(ck.InvalidOption, match=r"^dst="):
        box.copy_to(tmp_path / "a", relative)
    with pytest.raises(ck.InvalidOption, match=r"^src="):
        box.copy_from(relative, tmp_path)
    for call in (box.read_file, lambda path: box.write_file(path, "x")):
        with pytest.raises(ck.InvalidOption, match=r"^path="):
            call(relative)
    with pytest.raises(ck.InvalidOption, match=r"^src="):
        box.copy_to("", "/new")


@pytest.mark.parametrize(
    ("src", "dst", "error", "words"),
    [
        ("none", "/new", FileNotFoundError, "no .*none here"),
        ("d", "/etc/motd", ck.InvalidOption, "it is a file in the container"),
        ("a", "/srv/none/", ck.NotFound, "no folder /srv/none/ there"),
        ("a", "/loop", ck.NotFound, "circle of symbolic links"),
        ("a", "relative", ck.InvalidOption, "dst"),
    ],
)
def test_a_copy_that_is_refused(
    box: ck.Container, tmp_path: Path, src: str, dst: str, error: type[Exception], words: str
) -> None:
    """The message says which path is wrong."""
    (tmp_path / "a").write_text("x")
    (tmp_path / "d").mkdir()
    with pytest.raises(error, match=words):
        box.copy_to(tmp_path / src, dst)


def test_write_file(box: ck.Container) -> None:
    """Text and bytes, with mode and owner; a folder is refused."""
    stats: Any = box._core.backend.stat_path
    for mode in (0o600, 0, 0o7777):
        box.write_file("/etc/new", "text", mode=mode, uid=1, gid=2)
        assert box.read_file("/etc/new") == b"text"
        assert stats(box.id, "/etc/new").mode == mode
    for path, words in (("/etc/", "the path of a file"), ("/etc", "a folder of that name exists")):
        with pytest.raises(ck.InvalidOption, match=words):
            box.write_file(path, "x")
    with pytest.raises(ck.InvalidOption, match="mode"):
        box.write_file("/etc/new", "x", mode=None)  # type: ignore[arg-type]


# ---------------------------------------------------------------- out of
@pytest.mark.parametrize("path", ["/etc/motd", "/link", "/far"])
def test_read_file_follows_links(box: ck.Container, path: str) -> None:
    """Relative links start at their folder."""
    assert box.read_file(path) == b"hello\n"


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("/loop", ck.NotFound, "circle"),
        ("/etc", ck.InvalidOption, "the path of a file"),
        ("/none", ck.NotFound, "none"),
    ],
)
def test_what_is_no_file(box: ck.Container, path: str, error: type[Exception], words: str) -> None:
    """A folder, a circle, nothing."""
    with pytest.raises(error, match=words):
        box.read_file(path)


def test_files_of_the_kernel_are_read_with_cat(box: ck.Container, backend: FakeBackend) -> None:
    """An archive has them empty."""
    backend.on("cat /proc/uptime", stdout="1.0 2.0\n")
    backend.on("cat /sys/none", stderr="cat: no such file\n", exit_code=1)
    assert box.read_file("/proc/uptime") == b"1.0 2.0\n"
    with pytest.raises(ck.NotFound, match="no such file"):
        box.read_file("/sys/none")
    bare_backend = FakeBackend()
    bare_backend.add_image("bare:1", ImageBuilder().layer(files={"serve": ""}, modes={"serve": 0o755}))
    with ck.connect(bare_backend) as engine, engine.start("bare:1", "/serve") as bare, pytest.raises(ck.Unsupported):
        bare.read_file("/proc/uptime")


@pytest.mark.parametrize(
    ("src", "dst", "arrives"),
    [
        ("/etc/motd", "new", "new"),
        ("/etc/motd", "there", "there/motd"),
        ("/srv/data", "there", "there/data/in"),
        ("/srv/data/.", "there", "there/in"),
        ("/srv/data", "new", "new/in"),
    ],
)
def test_where_a_copy_arrives_here(box: ck.Container, tmp_path: Path, src: str, dst: str, arrives: str) -> None:
    """As `docker cp` places it."""
    (tmp_path / "there").mkdir()
    assert box.copy_from(src, tmp_path / dst).exists()
    assert (tmp_path / arrives).read_text() in ("hello\n", "x")


@pytest.mark.parametrize(
    ("src", "dst", "error", "words"),
    [
        ("/srv/data", "file", ck.InvalidOption, "it is a file here"),
        ("/etc/motd", "none/", FileNotFoundError, "no folder .*none/ here"),
        ("/etc/motd", "none/a", FileNotFoundError, "no folder .*none here"),
        ("/none", "new", ck.NotFound, "none"),
    ],
)
def test_a_copy_from_a_container_that_is_refused(
    box: ck.Container, tmp_path: Path, src: str, dst: str, error: type[Exception], words: str
) -> None:
    """Nothing is written."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(error, match=words):
        box.copy_from(src, f"{tmp_path}/{dst}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_cut_archive_is_a_failure_of_the_engine(
    box: ck.Container, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Never a short file."""
    whole = backend.get_archive

    def cut(ref: str, path: str) -> tuple[Any, ByteStream]:
        found, stream = whole(ref, path)
        data: Iterable[bytes] = [stream.read()[:600]]
        return found, ByteStream(iter(data))

    box.write_file("/etc/long", "x" * 5000)
    monkeypatch.setattr(backend, "get_archive", cut)
    with pytest.raises(ck.EngineUnavailable, match="cut or damaged"):
        box.read_file("/etc/long")
    with pytest.raises(ck.EngineUnavailable, match="cut or damaged"):
        box.copy_from("/etc/long", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
