"""Lines of files end at line feeds only: other separators of Unicode are part of a name or a value."""

from __future__ import annotations

from pathlib import Path

import pytest

import containerkit as ck
from containerkit._text import split_lines
from containerkit.isolation.accounts import parse_group, parse_passwd
from containerkit.isolation.procfs import parse_mountinfo, parse_status
from containerkit.oci.packages import parse_files
from containerkit.resources.ignore import parse_ignore
from containerkit.testing import FakeBackend, Reply

#: All that str.splitlines() splits at, but for the ends of lines.
SEPARATORS = ("\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")

each = pytest.mark.parametrize("mark", SEPARATORS, ids=ascii)


@each
def test_lines(mark: str) -> None:
    assert split_lines(f"a{mark}b\r\n\nc") == [f"a{mark}b", "", "c"]
    assert split_lines("") == []


@each
def test_the_name_of_a_process_adds_no_field(mark: str) -> None:
    """The kernel escapes line feeds in a name, and nothing else."""
    status = parse_status(f"Name:\tx{mark}Seccomp:\t2\nUid:\t1\t1\t1\t1\n")
    assert set(status) == {"Name", "Uid"}


@each
def test_a_mount_point_may_hold_any_character(mark: str) -> None:
    """The kernel escapes space, tab, line feed and backslash."""
    (mount,) = parse_mountinfo(f"22 1 0:1 / /a{mark}b rw,nosuid - ext4 /dev/x{mark}y rw\n")
    assert (mount.target, mount.kind, mount.super_options) == (f"/a{mark}b", "ext4", frozenset({"rw"}))


@each
def test_accounts(mark: str) -> None:
    """A user can choose the description of an account."""
    assert parse_passwd(f"ann:x:1:1:Ann{mark}root2:x:0:0::/:/bin/sh\n") == {"ann": (1, 1)}
    assert parse_group(f"staff:x:5:ann{mark}\n") == {5: ("staff", (f"ann{mark}",))}


@each
def test_values_of_variables(mark: str, tmp_path: Path) -> None:
    """As with both command lines, a value ends at the end of its line."""
    file = tmp_path / "env"
    file.write_text(f"A=1{mark}B=2\r\nC=3\n", encoding="utf-8", newline="")
    with ck.connect(FakeBackend(commands={"env": Reply()})) as engine:
        engine.images.load(_image())
        container = engine.containers.create("app:1", "env", env_file=file)
        found = container.inspect()["Config"]["Env"]
    assert [f"A=1{mark}B=2", "C=3"] == [line for line in found if line[:2] in ("A=", "B=", "C=")]


@each
def test_patterns_and_files_of_packages(mark: str) -> None:
    assert len(parse_ignore(f"a{mark}b\nc\n")) == 2
    found = parse_files("/var/lib/dpkg/info/x.list", f"/a{mark}b\n/c\n".encode())
    assert found is not None
    assert found[1] == (f"/a{mark}b", "/c")


@each
def test_a_line_of_a_log(mark: str) -> None:
    """Iterating over logs gives the lines that the program wrote."""
    reply = Reply(stdout=f"a{mark}b\nprogress 1\rprogress 2\nc\r\n".encode())
    with ck.connect(FakeBackend(commands={"go": reply})) as engine:
        engine.images.load(_image())
        container = engine.start("app:1", "go")
        container.wait()
        assert list(container.logs()) == [f"a{mark}b", "progress 1\rprogress 2", "c"]
        assert container.logs(tail=2).stdout == "progress 1\rprogress 2\nc\r\n"


def _image() -> bytes:
    from containerkit.testing.archives import ImageBuilder

    return ImageBuilder().layer(files={"/a": b"x"}).tag("app:1").to_docker_archive()
