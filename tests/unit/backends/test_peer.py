"""The process behind a socket: this test's own, under the name of an engine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from containerkit.backends import _peer
from containerkit.backends._peer import engine_is_local, engine_peer, engine_process, engine_root, surely_missing


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A socket that this process listens on."""
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(16)
        yield f"unix://{path}"


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this process for an engine."""
    monkeypatch.setattr(_peer, "_LOCAL", {Path("/proc/self/comm").read_text().strip()})


def test_the_kernel_names_the_process(url: str) -> None:
    """PID, user and group; nothing for another address, or a socket that is missing."""
    assert engine_peer(url) == (os.getpid(), os.getuid(), os.getgid())
    assert engine_process(url) == os.getpid()
    assert engine_peer("tcp://localhost:2375") is None
    assert engine_process("unix:///missing.sock") is None


def test_a_program_that_forwards_is_no_engine_of_this_machine(url: str) -> None:
    """Its files are not the engine's."""
    assert not engine_is_local(url)
    assert engine_root(url) == (None, "the program at the socket forwards to an engine on another machine")
    assert not surely_missing(url, "/no/such/file")


@pytest.mark.usefixtures("local")
def test_files_of_a_local_engine(url: str, tmp_path: Path) -> None:
    """Only a path that is missing for certain is reported so: a link on the way may lead anywhere."""
    assert engine_is_local(url)
    root, reason = engine_root(url)
    assert (root, reason) == (Path(f"/proc/{os.getpid()}/root"), "")
    (tmp_path / "link").symlink_to("/")
    assert surely_missing(url, f"{tmp_path}/missing")
    assert not surely_missing(url, str(tmp_path))
    assert not surely_missing(url, f"{tmp_path}/link/missing")


@pytest.mark.parametrize(("uid", "found"), [(0, None), (1, Path("/"))], ids=["root", "own engine"])
def test_a_process_that_may_not_be_seen(
    url: str, monkeypatch: pytest.MonkeyPatch, uid: int, found: Path | None
) -> None:
    """The root of the user's own engine is hidden, and its files are at the same place; else the reason is given."""

    def refuse(process: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_peer, "_is_local", refuse)
    owner = os.stat(f"/proc/{os.getpid()}").st_uid
    monkeypatch.setattr("os.getuid", lambda: uid and (owner or uid))
    real = Path.stat
    if uid and owner == 0:  # run as root: let the process seem to be the user's

        def owned(self: Path, **options: bool) -> os.stat_result:
            values = list(real(self, **options))
            values[4] = uid
            return os.stat_result(values)

        monkeypatch.setattr(Path, "stat", owned)
    root, reason = engine_root(url)
    assert root == found
    assert reason == ("" if found else "this user may not see the engine's files: Permission denied")
    assert not engine_is_local(url)
    assert not surely_missing(url, "/no/such/file")


def test_engines_without_a_socket() -> None:
    """A service that this process has started is local; other addresses give the reason."""
    assert engine_is_local("embedded://podman")
    assert engine_root("ssh://host") == (None, "the engine is not reached through a socket of this machine")
    assert engine_root("unix:///missing.sock") == (None, "the engine's process is not visible from here")
    assert not surely_missing("unix:///missing.sock", "/x")
