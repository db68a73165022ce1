"""What is read of a host where its answers differ: closed files, kernels, name services, helpers' rights."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from containerkit.isolation import host
from containerkit.isolation.facts import AccountFacts, FolderFacts, HostFacts, SubordinateRange
from containerkit.isolation.host import account_named, collect_host, engine_root, try_userns

LAB = AccountFacts("lab", 1001, "/home/lab")


def tree(root: Path, files: dict[str, str], mode: int = 0o644) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
    return root


def refusing(method: Callable[..., Any], *parts: str) -> Callable[..., Any]:
    """Return a method of Path that raises PermissionError below these folders, as another account's do."""

    def called(self: Path, *values: Any, **options: Any) -> Any:
        if any(part in str(self) for part in parts):
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return method(self, *values, **options)

    return called


def test_accounts_by_name_and_number(tmp_path: Path) -> None:
    """A name comes first; a number that no account has is none."""
    tree(tmp_path, {"etc/passwd": "lab:x:1001:1001::/home/lab:/bin/sh\n7:x:8:8::/:/bin/sh\n"})
    assert account_named("lab", tmp_path) == LAB
    assert account_named("1001", tmp_path) == LAB
    assert account_named("7", tmp_path) == AccountFacts("7", 8, "/")
    assert account_named("1002", tmp_path) is None
    assert account_named("nobody-here", tmp_path) is None


def test_where_the_engines_files_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through its process where that may be read; else this host's, unless the engine is in a container."""
    assert engine_root(os.getpid(), nested=True) == Path(f"/proc/{os.getpid()}/root")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert engine_root(os.getpid(), nested=False) == Path("/")
    assert engine_root(os.getpid(), nested=True) is None
    assert engine_root(0, nested=None) == Path("/")


# ---------------------------------------------------------------- files
def test_folders_that_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may not be seen is unknown, not missing."""
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    tree(tmp_path, {"etc/subuid": "lab:1:2\n", "etc/subgid": "lab:1:2\n"}, 0o755)
    opened = collect_host(LAB, root=tmp_path)
    assert (opened.session, opened.missing) == (False, ())
    for name in ("stat", "lstat"):
        monkeypatch.setattr(Path, name, refusing(getattr(Path, name), "/etc/sub", "run/user"))
    closed = collect_host(LAB, root=tmp_path)
    assert (closed.session, closed.missing) == (None, ())
    assert (closed.runtime_dir_mode, closed.runtime_dir_uid) == (None, None)


def test_a_session_that_listens(tmp_path: Path) -> None:
    """The account's own service manager has a socket."""
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    tree(tmp_path, {"run/user/1001/systemd/private": ""})
    assert collect_host(LAB, root=tmp_path).session is True
    assert collect_host(replace(LAB, uid=1002), root=tmp_path).session is False


@pytest.mark.parametrize(
    ("files", "overlay"),
    [
        ({}, None),
        ({"proc/filesystems": "nodev\tproc\n\text4\nnodev\toverlay\n"}, True),
        ({"proc/filesystems": "\text4\n"}, False),
        ({"proc/filesystems": "", "lib/modules/6.1/modules.dep": "kernel/fs/overlayfs/overlay.ko: x.ko\n"}, True),
        ({"proc/filesystems": "", "lib/modules/6.1/modules.builtin": "kernel/fs/overlayfs/overlay.ko\n"}, True),
        ({"proc/filesystems": "", "lib/modules/6.2/modules.dep": "kernel/fs/overlayfs/overlay.ko:\n"}, False),
    ],
)
def test_overlay_of_the_kernel(tmp_path: Path, files: dict[str, str], overlay: bool | None) -> None:
    """It is loaded, or a module of the kernel that runs; a file system that is not readable tells nothing."""
    tree(tmp_path, {"proc/sys/kernel/osrelease": "6.1\n", **files})
    assert collect_host(LAB, root=tmp_path).overlay is overlay


def test_programs_settings_and_devices(tmp_path: Path) -> None:
    """Programs are found on the account's path, settings by mode and owner; a file without the x bit is none."""
    tree(
        tmp_path, {"opt/pasta": "", "sbin/nft": "", "home/lab/bin/rootlesskit": "", "usr/bin/fuse-overlayfs": ""}, 0o755
    )
    tree(tmp_path, {"opt/slirp4netns": "", "dev/fuse": "", "etc/apparmor.d/b": "", "etc/apparmor.d/a": ""}, 0o600)
    tree(tmp_path, {"etc/docker/daemon.json": "{}"}, 0o640)
    found = collect_host(LAB, root=tmp_path, environ={"PATH": "/opt::/usr/bin", "XDG_RUNTIME_DIR": "/opt"})
    assert found.network_helpers == ("pasta",)
    assert found.firewall == ("nft",)  # root's path counts as well
    assert (found.rootlesskit, found.fuse_overlayfs) == ("/home/lab/bin/rootlesskit", "/usr/bin/fuse-overlayfs")
    assert found.device_modes == {"/dev/fuse": 0o600, "/dev/net/tun": None}
    assert found.apparmor_profiles == ("a", "b")
    assert FolderFacts("/etc/docker/daemon.json", 0o640, os.geteuid(), os.getegid()) in found.settings
    assert (found.runtime_dir, found.runtime_dir_uid) == ("/opt", os.geteuid())


def test_a_home_and_its_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flags of its file system, and the kind of the innermost mount around it."""
    mounts = "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 / /home rw - nfs4 x rw\n3 1 8:3 / /home/la rw - xfs x rw\n"
    tree(tmp_path, {"proc/self/mountinfo": mounts, "home/lab/.profile": ""})
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_NOSUID | os.ST_NOEXEC))
    home = collect_host(LAB, root=tmp_path).home
    assert home is not None
    assert (home.path, home.uid, home.flags, home.kind) == ("/home/lab", os.geteuid(), ("nosuid", "noexec"), "nfs4")
    assert collect_host(replace(LAB, home="/home/none"), root=tmp_path).home is None
    assert collect_host(replace(LAB, home=None), root=tmp_path).home is None


# ---------------------------------------------------------------- the rights of helpers
@pytest.mark.parametrize(
    ("attribute", "capable"),
    [
        (struct.pack("<III", 0x02000001, 1 << 7, 0), (True, False)),
        (struct.pack("<III", 0x02000001, 1 << 6 | 1 << 7, 0), (True, True)),
        (struct.pack("<III", 0x02000001, 1 << 21, 0), (False, False)),
        (b"short", (False, False)),
        (OSError(errno.ENODATA, "No data"), (False, False)),
    ],
)
def test_capabilities_of_helpers(
    tmp_path: Path, attribute: bytes | OSError, capable: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """newuidmap needs CAP_SETUID in its file's permitted set, newgidmap CAP_SETGID."""
    tree(tmp_path, {"usr/bin/newuidmap": "", "usr/bin/newgidmap": ""}, 0o755)

    def attributes(path: Path, name: str) -> bytes:
        assert name == "security.capability"
        if isinstance(attribute, OSError):
            raise attribute
        return attribute

    monkeypatch.setattr(os, "getxattr", attributes)
    helpers = collect_host(LAB, root=tmp_path).helpers
    assert tuple(helper.capable for helper in helpers) == capable
    assert [helper.setuid_root for helper in helpers] == [False, False]


def test_a_helper_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as if it had not been found."""
    tree(tmp_path, {"usr/bin/newuidmap": ""}, 0o755)

    def gone(path: object) -> object:
        raise FileNotFoundError(errno.ENOENT, "gone")

    monkeypatch.setattr(os, "statvfs", gone)
    assert collect_host(replace(LAB, home=None), root=tmp_path).helpers[0].path is None


# ---------------------------------------------------------------- the name service
OWN, OTHER = SubordinateRange("lab", 100_000, 65_536), SubordinateRange("other", 200_000, 10)
LISTED = SubordinateRange("lab", 300_000, 1000)


@pytest.mark.parametrize(
    ("program", "ranges", "found"),
    [
        ("echo '0: lab 300000 1000'; echo broken", (OWN, OTHER), (OTHER, LISTED)),
        ("echo '0: lab 300000 1000'", None, (LISTED,)),
        ("exit 1", (OWN, OTHER), (OTHER, OWN)),
        ("exit 1", None, None),
        ("echo 'Error fetching ranges'", (OWN,), (OWN,)),
        (None, (OWN,), (OWN,)),
    ],
)
def test_ranges_of_the_name_service(
    tmp_path: Path,
    program: str | None,
    ranges: tuple[SubordinateRange, ...] | None,
    found: tuple[SubordinateRange, ...] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They replace the account's own of the file; the file counts where the service has none or cannot be asked."""
    if program is not None:
        tree(tmp_path, {"getsubids": f'#!/bin/sh\n[ "$*" = "-g lab" ] || exit 2\n{program}\n'}, 0o755)
    monkeypatch.setattr(host, "_PROGRAMS", str(tmp_path))
    assert host._getsubids(LAB, ranges, "-g") == found


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "no"), subprocess.TimeoutExpired("getsubids", 2)])
def test_a_name_service_that_does_not_answer(tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file counts."""
    tree(tmp_path, {"getsubids": ""}, 0o755)
    monkeypatch.setattr(host, "_PROGRAMS", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", raising(error))
    assert host._getsubids(LAB, (OWN,)) == (OWN,)


def raising(error: Exception) -> Callable[..., Any]:
    def fails(*_: object, **__: object) -> Any:
        raise error

    return fails


def test_the_name_service_is_asked_about_this_host_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of an engine in a container have another name service."""
    asked: list[tuple[str, ...]] = []

    def keep(account: AccountFacts, ranges: object, *flags: str) -> object:
        asked.append((account.name, *flags))
        return (LISTED,)

    monkeypatch.setattr(host, "_getsubids", keep)
    assert collect_host(LAB, root=tmp_path).subuid is None
    assert asked == []
    found: HostFacts = collect_host(LAB)
    assert (found.subuid, found.subgid) == ((LISTED,), (LISTED,))
    assert asked == [("lab",), ("lab", "-g")]


# ---------------------------------------------------------------- user namespaces
@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (struct.pack("<qqq", 0, 0, 5), 0),
        (struct.pack("<qqq", 0, -errno.EPERM, -errno.EBADF), errno.EPERM),
        (struct.pack("<qqq", 0, -errno.ENOSPC, 5), errno.ENOSPC),
        (struct.pack("<qqq", 0, 0, -errno.EACCES), errno.EACCES),
        (struct.pack("<qqq", -errno.EPERM, 0, 0), None),
        (b"killed", None),
        (OSError(errno.ENOEXEC, "no"), None),
        (subprocess.TimeoutExpired("x", 2), None),
    ],
)
def test_the_answer_of_a_try(answer: bytes | Exception, found: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The errno of the step that failed first; None if this process may not become the account, or nothing answered."""

    def run(*_: object, **__: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(stdout=answer)

    monkeypatch.setattr(subprocess, "run", run)
    assert try_userns(os.geteuid(), arch="amd64") == found


def test_another_account_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may become another; nothing is run."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(subprocess, "run", raising(AssertionError("nothing may be run")))
    assert try_userns(1001, arch="amd64") is None
