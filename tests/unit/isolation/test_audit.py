"""Audit of running containers: what a mount reaches, what an option opens, and what of it is a way to root."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from containerkit.isolation.answers import parse_container
from containerkit.isolation.audit import judge_containers
from containerkit.isolation.audited import ContainerFacts, DeviceFacts, KernelView, MountFacts
from containerkit.isolation.confinement import allowed_calls
from containerkit.isolation.exposure import exposures, host_namespaces, unknowns
from containerkit.isolation.facts import PeerFacts
from containerkit.isolation.mounts import is_disk, reached, sockets_in
from containerkit.isolation.outside import Outside, group_folder, writable_below
from containerkit.isolation.setting import Setting

from . import world

LIMITED: dict[str, Any] = {"memory": 1, "pids": 1}
ROOT = Setting()
ROOTLESS = Setting("podman", root=False)


def worst(path: str, *, writable: bool = True, **options: Any) -> str | None:
    found = reached(path, writable=writable, **options)
    return str(found[0].severity) if found else None


def findings(setting: Setting = ROOT, **options: Any) -> dict[str, str]:
    """Finding -> severity, of a container with these options."""
    found = exposures(ContainerFacts("1" * 64, "a", **{**LIMITED, **options}), setting)
    return {exposure.id: str(exposure.severity) for exposure in found}


@pytest.mark.parametrize(
    ("path", "writable", "readable"),
    [
        ("/", "critical", "critical"),
        ("/run", "critical", "critical"),
        ("/var/run/docker.sock", "critical", "critical"),
        ("/run/user", "critical", "critical"),
        ("/etc", "critical", "high"),
        ("/etc/shadow", "critical", "high"),
        ("/etc/cron.d", "critical", None),
        ("/etc/hosts", "medium", None),
        ("/etc/../etc/./sudoers", "critical", None),
        ("/root/.ssh", "critical", "high"),
        ("/var", "critical", "high"),
        ("/var/lib/docker/overlay2/x", "critical", "high"),
        ("/home", "critical", "high"),
        ("/home/ana/.ssh", "high", "high"),
        ("/home/ana/project", None, None),
        ("/usr/bin", "critical", None),
        ("/usr/share/doc", "medium", None),
        ("/lib", "critical", None),
        ("/boot", "critical", None),
        ("/proc", "critical", "critical"),
        ("/proc/sys", "critical", None),
        ("/proc/sys/net/ipv4", "medium", None),
        ("/sys", "critical", "low"),
        ("/dev", "critical", "critical"),
        ("/dev/sda", "critical", "critical"),
        ("/dev/null", None, None),
        ("/srv/data", None, None),
        ("/etcetera", None, None),
        ("/tmp", None, None),
    ],
)
def test_a_mount_is_judged_by_what_it_reaches(path: str, writable: str | None, readable: str | None) -> None:
    """Parents of a place reach it, and so does everything inside it; the nearest place decides."""
    assert worst(path) == writable
    assert worst(path, writable=False) == readable


def test_read_only_does_not_protect_a_socket() -> None:
    """To connect is not to write to the file system."""
    assert sockets_in("/var/run") == sockets_in("/run")
    assert "/run/docker.sock" in sockets_in("/run")
    assert sockets_in("/opt/engine", ["/opt/engine/api.sock"]) == ("/opt/engine/api.sock",)
    assert sockets_in("/opt/other", ["/opt/engine/api.sock"]) == ()
    assert sockets_in("/run", present={"/run/podman/podman.sock"}) == ("/run/podman/podman.sock",)


def test_the_engines_own_store() -> None:
    """The store is where the engine says."""
    assert worst("/data", store="/data/docker") == "critical"
    assert worst("/data/docker/image", store="/data/docker") == "critical"
    assert worst("/data") is None


def test_without_root_only_the_accounts_own_counts() -> None:
    """Root's files stay root's; the account's socket and keys do not."""
    assert worst("/etc", root=False) == "low"
    assert worst("/run/user/1001", root=False) == "high"
    assert worst("/home/lab/.ssh", root=False) == "high"


@pytest.mark.parametrize(("path", "disk"), [("/dev/sda1", True), ("/dev/mapper/x", True), ("/dev/snd", False)])
def test_disks(path: str, disk: bool) -> None:
    """Disks are known by their names."""
    assert is_disk(path) is disk


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {}),
        ({"privileged": True}, {"privileged": "critical"}),
        ({"cap_add": ("SYS_ADMIN",)}, {"capability": "critical"}),
        ({"cap_add": ("NET_RAW",)}, {}),
        ({"cap_add": ("SYS_NICE",)}, {"capability": "low"}),
        ({"modes": {"pid": "host"}}, {"host-pid": "high"}),
        ({"modes": {"pid": "host"}, "cap_add": ("SYS_PTRACE",)}, {"host-pid": "critical", "capability": "medium"}),
        ({"modes": {"network": "host"}, "cap_add": ("NET_ADMIN",)}, {"host-net": "high", "capability": "high"}),
        ({"modes": {"uts": "host"}}, {"host-uts": "low"}),
        ({"security": ("seccomp=unconfined",)}, {"seccomp": "high"}),
        ({"seccomp_profile": '{"defaultAction": "SCMP_ACT_ALLOW"}'}, {"seccomp": "high"}),
        ({"masked": False}, {"system-paths": "critical"}),
        ({"masked": True}, {}),
        ({"devices": (DeviceFacts("/dev/sda"),)}, {"device": "critical"}),
        ({"devices": (DeviceFacts("/dev/disk-of-mine", "block"),)}, {"device": "critical"}),
        ({"devices": (DeviceFacts("/dev/mem"),)}, {"device": "medium"}),
        (
            {"devices": (DeviceFacts("/dev/mem"),), "cap_add": ("SYS_RAWIO",)},
            {"device": "critical", "capability": "critical"},
        ),
        ({"devices": (DeviceFacts("/dev/ttyUSB0"),)}, {"device": "medium"}),
        ({"devices": (DeviceFacts("/dev/fuse"),)}, {"device": "low"}),
        ({"device_rules": ("b 8:* rwm",)}, {"device-rule": "critical"}),
        ({"device_rules": ("a *:* rwm",)}, {"device-rule": "critical"}),
        ({"device_rules": ("c 42:* rwm",)}, {"device-rule": "medium"}),
        ({"security": ("label=disable",)}, {}),
        ({"open_ports": (80,)}, {"ports": "low"}),
        ({"memory": 0}, {"limit": "low"}),
    ],
)
def test_what_an_option_opens(options: dict[str, Any], expected: dict[str, str]) -> None:
    """Each option beyond the default is one finding, with its severity for an engine of root."""
    assert findings(**options) == expected


def test_without_root_nothing_is_critical() -> None:
    """A rootless engine's containers have an account's rights at most."""
    found = findings(
        ROOTLESS,
        privileged=True,
        masked=False,
        mounts=(MountFacts("/", "/host"),),
        devices=(DeviceFacts("/dev/sda"),),
        device_rules=("a *:* rwm",),
    )
    assert found
    assert "critical" not in found.values()


def test_the_kernels_word_on_root() -> None:
    """A container with uids of its own is no root of the host, whatever the engine runs as; and the reverse."""
    mounts = (MountFacts("/etc", "/x"),)
    assert findings(mounts=mounts, kernel=KernelView(root_uid=231072))["mount"] == "low"
    remapped = Setting(remapped=True)
    assert findings(remapped, mounts=mounts)["mount"] == "low"
    assert findings(remapped, mounts=mounts, modes={"userns": "host"})["mount"] == "critical"


def test_the_kernel_shows_what_the_engine_hides() -> None:
    """Podman 4.3 reports neither unmask nor device rules."""
    kernel = KernelView(root_uid=0, writable=("/proc/sys",), device_rules=("c 1:3 rwm", "b *:* rwm", "b *:* m"))
    assert findings(kernel=kernel) == {"system-paths": "critical", "device-rule": "critical"}
    hidden = ContainerFacts("1", "a")
    assert len(unknowns(hidden, Setting("podman"))) == 2
    assert len(unknowns(replace(hidden, kernel=KernelView(root_uid=0)), Setting("podman"))) == 1
    assert unknowns(replace(hidden, kernel=KernelView(root_uid=0, device_rules=())), Setting("podman")) == ()
    assert unknowns(replace(hidden, kernel=KernelView(root_uid=1001)), Setting("podman")) == ()
    assert findings(kernel=KernelView(root_uid=1001, device_rules=("a *:* rwm",))) == {}
    default = ("c 1:3 rwm", "c 136:* rwm", "c *:* m", "b *:* m")
    assert findings(kernel=KernelView(root_uid=0, device_rules=default)) == {}
    assert findings(kernel=KernelView(root_uid=0, device_rules=(*default, "c 42:* rw"))) == {"device-rule": "medium"}
    assert unknowns(replace(hidden, masked=True), ROOT) == ()


def test_control_groups_are_found_below_the_engines_own() -> None:
    """An engine in a group of its own sees the hierarchy from there on; the kernel names groups from the top."""
    mountinfo = "97 77 0:33 /ck /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices\n"
    assert group_folder(mountinfo, "devices", "/ck/libpod/x") == "/sys/fs/cgroup/devices/libpod/x"
    assert group_folder(mountinfo, "devices", "/other") is None
    assert group_folder(mountinfo, "devices", "/ckother") is None
    assert group_folder(mountinfo.replace("/ck ", "/ "), "devices", "/docker/x") == "/sys/fs/cgroup/devices/docker/x"
    assert group_folder(mountinfo, "memory", "/ck/x") is None


def test_a_namespace_of_another_container() -> None:
    """Joining a container that has the host's namespace is having it, over any number of steps."""
    host = ContainerFacts("a" * 64, "host", modes={"pid": "host"})
    first = ContainerFacts("b" * 64, "first", modes={"pid": f"container:{host.id}"})
    second = ContainerFacts("c" * 64, "second", modes={"pid": "container:first"})
    alone = ContainerFacts("d" * 64, "alone", modes={"pid": "container:alone"})
    everyone = (host, first, second, alone)
    assert host_namespaces(host, everyone) == {"pid": "host"}
    assert "container:host" in host_namespaces(first, everyone)["pid"]
    assert "container:host" in host_namespaces(second, everyone)["pid"]
    assert host_namespaces(alone, everyone) == {}
    assert host_namespaces(replace(alone, kernel=KernelView(shared=("pid",))), everyone) == {"pid": "seen"}


def test_a_volume_can_be_a_folder_of_the_host() -> None:
    """A volume is its own place, unless a device is behind it."""
    plain = MountFacts("/var/lib/docker/volumes/x/_data", "/x", volume="x")
    assert findings(mounts=(plain,)) == {}
    assert findings(mounts=(replace(plain, real="/etc"),)) == {"mount": "critical"}
    assert findings(mounts=(replace(plain, real="/dev/sda1"),)) == {"mount": "critical"}


def test_links_lead_to_the_place() -> None:
    """A folder with another name is what it points to."""
    assert findings(mounts=(MountFacts("/srv/link", "/x", real="/etc"),))["mount"] == "critical"


def test_mounts_that_spread_and_programs_that_become_root() -> None:
    """Shared propagation and setuid programs work back on the host."""
    shared = MountFacts("/srv", "/x", propagation="rshared")
    assert findings(mounts=(shared,)) == {"propagation": "low"}
    assert findings(mounts=(shared,), cap_add=("SYS_ADMIN",))["propagation"] == "critical"
    assert findings(mounts=(MountFacts("/srv", "/x", users_reach=True),)) == {"setuid": "medium"}
    assert findings(mounts=(MountFacts("/srv", "/x", writable=False, users_reach=True),)) == {}
    assert findings(ROOTLESS, mounts=(MountFacts("/srv", "/x", users_reach=True),)) == {}


def test_seccomp_profiles() -> None:
    """A profile is judged by the calls that it allows to a container without capabilities."""
    rules = [
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["bpf"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
    ]
    assert allowed_calls(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules})) == ("bpf",)
    assert allowed_calls(json.dumps({"defaultAction": "SCMP_ACT_ERRNO"})) == ()
    deny = [{"name": "mount", "action": "SCMP_ACT_ERRNO"}]
    assert "mount" not in allowed_calls(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": deny}))
    for broken in (None, "", "[]", "{}", '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": 3}'):
        assert allowed_calls(broken) == ()


@pytest.mark.parametrize(
    ("security", "paths", "masked"),
    [
        ([], ["/proc/kcore"], True),
        ([], [], False),
        ([], None, None),
        (["unmask=all"], None, False),
        (["systempaths=unconfined"], None, False),
    ],
)
def test_masked_paths(security: list[str], paths: list[str] | None, masked: bool | None) -> None:
    """Docker reports an empty list for systempaths=unconfined; null means that the engine does not report it."""
    raw = {"HostConfig": {"SecurityOpt": security, "MaskedPaths": paths}}
    assert parse_container(raw, container_id="1", name="a").masked is masked


def test_every_finding_says_why_and_how_to_avoid_it() -> None:
    """Evidence and remedy are part of each finding, in the words of the engine's own command."""
    container = ContainerFacts(
        "1",
        "a",
        privileged=True,
        modes={"pid": "host", "network": "host"},
        cap_add=("SYS_TIME",),
        mounts=(MountFacts("/etc", "/x", propagation="rshared"), MountFacts("/run", "/y")),
        open_ports=(80,),
    )
    audits = judge_containers(world.facts("podman-rootful", containers=(container,)))
    assert audits[0].worst == "critical"
    for finding in audits[0].findings:
        assert finding.evidence, finding
        assert finding.remediation, finding
        assert all(line.startswith("podman ") for line in finding.remediation.commands)
    assert json.loads(json.dumps(audits[0].to_dict()))["findings"]


def test_links_stay_inside_the_engines_root(tmp_path: Path) -> None:
    """An absolute link of the engine's host leads to its files, not to those of this machine."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/link").symlink_to("/etc")
    (tmp_path / "srv/up").symlink_to("../../../etc")
    (tmp_path / "srv/loop").symlink_to("loop")
    outside = Outside(None)
    assert outside.look(ContainerFacts("1", "a")) == ContainerFacts("1", "a")
    outside.peer, outside.root = PeerFacts(1, 0, 0), tmp_path
    mounts = tuple(MountFacts(f"/srv/{name}", "/x") for name in ("link", "up", "loop", "nothing"))
    found = outside.look(ContainerFacts("1", "a", mounts=mounts)).mounts
    assert [m.real for m in found[:2]] == ["/etc", "/etc"]
    assert [m.node for m in found] == ["folder", "folder", None, None]
    assert outside.present(["/etc", "/s*v", "/home"]) == frozenset({"/etc", "/s*v"})


MOUNTINFO = """
20 1 0:5 / /x ro - overlay overlay rw
21 20 0:6 / /x/fs/cgroup/pids rw - cgroup cgroup rw,pids
22 20 0:6 / /x/fs/cgroup/cpu ro - cgroup cgroup rw,cpu
23 20 0:7 / /x/own rw - ext4 /dev/vda rw
24 20 0:7 / /xyz rw - ext4 /dev/vda rw
"""


def test_what_is_mounted_below_a_read_only_folder() -> None:
    """Read-only counts for the folder itself; what the host has mounted below it stays writable."""
    mounts = (MountFacts("/sys", "/x", writable=False), MountFacts("/srv", "/x/own"), MountFacts("/srv", "/xyz"))
    assert writable_below(mounts, MOUNTINFO) == ("/x/fs/cgroup/pids",)
    assert writable_below((MountFacts("/sys", "/x"),), MOUNTINFO) == ()
    seen = KernelView(root_uid=0, submounts=("/x/fs/cgroup/pids",))
    assert findings(mounts=mounts[:1], kernel=seen) == {"mount": "low", "submount": "critical"}
    assert findings(mounts=mounts[:1], kernel=KernelView(root_uid=0)) == {"mount": "low"}
    unseen = unknowns(ContainerFacts("1", "a", masked=True, mounts=mounts[:1]), ROOT)
    assert [line for line in unseen if "read-only" in line]
