"""What this host shows of a container: its first process, its devices, its mounts, and what it hides."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from containerkit.isolation.audited import ContainerFacts, DeviceFacts, MountFacts
from containerkit.isolation.facts import PeerFacts
from containerkit.isolation.outside import Outside, steady_thread

ID = "c" * 64
MOUNTS = """\
21 1 0:20 / /proc rw,nosuid shared:1 - proc proc rw
22 21 0:20 /sys /proc/sys {sys} shared:1 - proc proc rw
23 21 0:21 / /proc/kcore ro - tmpfs tmpfs ro
24 1 0:22 /docker/{id} /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices
"""
STATUS = "Name:\tsh\nSeccomp:\t2\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of an engine's host: its kernel files, a container's process 42, and the engine's process 7."""
    for path in ("proc/sys", "proc/kcore", "proc/irq"):
        (tmp_path / path).mkdir(parents=True)
    process = tmp_path / "proc/42"
    (process / "ns").mkdir(parents=True)
    (process / "mountinfo").write_text(MOUNTS.format(sys="ro", id=ID))
    (process / "cgroup").write_text(f"5:cpu,devices:/docker/{ID}\n0::/\n")
    (process / "status").write_text(STATUS)
    (process / "uid_map").write_text("0 100000 65536\n")
    for name, number in (("pid", 5), ("net", 1), ("uts", 2)):
        (process / "ns" / name).symlink_to(f"{name}:[{number}]")
    folder = tmp_path / f"sys/fs/cgroup/devices/docker/{ID}"
    folder.mkdir(parents=True)
    (folder / "devices.list").write_text("c 1:3 rwm\nc 1:5 rwm\n")
    return tmp_path


@pytest.fixture
def outside(root: Path) -> Outside:
    found = Outside(None)
    found.peer, found.root = PeerFacts(7, 0, 0), root
    found._own = {"pid": "pid:[1]", "net": "net:[1]", "uts": "uts:[1]"}
    found._guarded = ("/proc/sys", "/proc/kcore")
    found._mountinfo = "24 1 0:22 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices\n"
    return found


def test_the_first_process_as_the_kernel_shows_it(outside: Outside) -> None:
    """Root's uid on the host, the shared namespaces, the filter, open files of the kernel, rules of devices."""
    found = outside.look(ContainerFacts(ID, "a", pid=42)).kernel
    assert found is not None
    assert (found.root_uid, found.shared, found.seccomp) == (100000, ("net",), 2)
    assert found.device_rules == ("c 1:3 rwm", "c 1:5 rwm")
    assert found.writable == ()
    assert found.exposed == ()


def test_unguarded_files_of_the_kernel(outside: Outside, root: Path) -> None:
    """/proc/sys mounted writable, and a file of the kernel without its mask."""
    text = MOUNTS.format(sys="rw", id=ID).replace("/proc/kcore", "/proc/other")
    (root / "proc/42/mountinfo").write_text(text)
    found = outside.look(ContainerFacts(ID, "a", pid=42)).kernel
    assert found is not None
    assert "/proc/sys" in found.writable
    assert found.exposed == ("/proc/kcore",)


@pytest.mark.parametrize("pid", [0, 42, 43])
def test_a_process_that_may_be_of_another_container(outside: Outside, root: Path, pid: int) -> None:
    """Neither its mounts nor its control groups name the container: the process number was reused."""
    for name in ("mountinfo", "cgroup"):
        path = root / "proc/42" / name
        path.write_text(path.read_text().replace(ID, "d" * 64))
    assert outside.look(ContainerFacts(ID, "a", pid=pid)).kernel is None


def test_without_rules_of_devices(outside: Outside, root: Path) -> None:
    """Control groups of version 2 have no list."""
    (root / "proc/42/cgroup").write_text(f"0::/docker/{ID}\n")
    found = outside.look(ContainerFacts(ID, "a", pid=42)).kernel
    assert found is not None
    assert found.device_rules is None
    (root / "proc/42/uid_map").unlink()
    (root / "proc/42/status").write_text("Name:\tsh\n")
    found = outside.look(ContainerFacts(ID, "a", pid=42)).kernel
    assert found is not None
    assert (found.root_uid, found.seccomp) == (None, None)


def test_devices_mounts_and_profiles(outside: Outside, root: Path) -> None:
    """A device is what its node is; a mount is open to others if each folder is; a profile is read where it lies."""
    (root / "dev").mkdir()
    (root / "dev/link").symlink_to("/dev/file")
    (root / "dev/file").touch()
    (root / "srv/open").mkdir(parents=True)
    (root / "srv/closed").mkdir(mode=0o700)
    for folder in (root, root / "srv", root / "srv/open"):
        folder.chmod(0o755)
    (root / "profile.json").write_text("{}")
    container = ContainerFacts(
        ID,
        "a",
        devices=(DeviceFacts("/dev/link"), DeviceFacts("/dev/none")),
        mounts=(MountFacts("/srv/open", "/a"), MountFacts("/srv/closed", "/b"), MountFacts("/srv/none", "/c")),
        security=("no-new-privileges", "seccomp=/profile.json"),
    )
    found = outside.look(container)
    assert [device.node for device in found.devices] == ["file", None]
    assert [mount.node for mount in found.mounts] == ["folder", "folder", None]
    assert [mount.users_reach for mount in found.mounts[1:]] == [False, None]
    assert found.seccomp_profile == "{}"


def test_what_cannot_be_inspected_is_left_alone(outside: Outside) -> None:
    """A container with a problem keeps it."""
    container = ContainerFacts(ID, "a", problem="no answer")
    assert outside.look(container) is container
    assert Outside(None).present(["/etc"]) is None
    assert Outside(None).sockets() == ()


def test_sockets_of_this_process() -> None:
    """The list of listening sockets is the kernel's; only those with the name of an engine count."""
    found = Outside(PeerFacts(os.getpid(), 0, 0))
    assert found.root is not None
    assert all(path.endswith(".sock") for path in found.sockets())
    assert "/etc" in (found.present(["/etc", "/no-such-folder"]) or ())


def test_a_first_thread_that_stayed_in_a_containers_network(tmp_path: Path) -> None:
    """The network of most threads is the engine's; without threads to read, the process itself is taken."""
    for thread, network in {"10": "net:[2]", "11": "net:[1]", "12": "net:[1]"}.items():
        (tmp_path / "task" / thread / "ns").mkdir(parents=True)
        (tmp_path / "task" / thread / "ns/net").symlink_to(network)
    assert steady_thread(tmp_path) == tmp_path / "task/11"
    assert steady_thread(tmp_path / "nothing") == tmp_path / "nothing"
