"""Recorded facts of five engines on one machine: their own answers as JSON, what the probes told as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from containerkit.isolation import IsolationReport, evaluate
from containerkit.isolation.answers import parse_engine
from containerkit.isolation.facts import (
    AccountFacts,
    ClientFacts,
    EngineFacts,
    Facts,
    FolderFacts,
    HelperFacts,
    HostFacts,
    IdRange,
    LimitFacts,
    OutsideFacts,
    PeerFacts,
    ProbeFacts,
    SocketFacts,
    SubordinateRange,
)
from containerkit.isolation.program import FORKS, ROOT_ONLY_TARGET, Answers
from containerkit.isolation.values import CheckResult

ENGINES = ("docker-rootful", "docker-rootless", "docker-remap", "podman-rootful", "podman-rootless")
BOOT_ID = "11111111-2222-4333-8444-555555555555"
WHOLE = "         0          0 4294967295\n"
REQUESTED: Mapping[str, float | str] = {"memory": 64 << 20, "pids": 20, "cpu": 0.5, "cpuset": "0"}

_MAPS = {
    "docker-rootful": WHOLE,
    "docker-rootless": "0 1002 1\n1 165536 65536\n",
    "docker-remap": "0 231072 65536\n",
    "podman-rootful": WHOLE,
    "podman-rootless": "0 1001 1\n1 100000 65536\n",
}
_OWNERS = {"docker-rootless": (1002, "rlab"), "podman-rootless": (1001, "lab")}
_CALLS = {  # keyctl, add_key, io_uring_setup, socket_raw, unshare_user: errnos; the others are EPERM everywhere
    "docker": (1, 1, 14, 0, 1),
    "podman": (0, 38, 38, 1, 0),
}


def answers(engine: str, *, limited: bool = False, **changes: Any) -> Answers:
    """What a probe prints in a container of this engine. `limited`: asked for limits, and held to them if they hold."""
    podman, rootless = engine.startswith("podman"), engine.endswith("rootless")
    mask = "00000000800405fb" if podman else "00000000a80425fb"
    held = limited and not rootless
    cpus = "0" if held else "0-1"
    status = f"Name:\tprobe\nCapEff:\t{mask}\nNoNewPrivs:\t0\nSeccomp:\t2\nCpus_allowed_list:\t{cpus}\n"
    files: dict[str, bytes | int] = {
        "/proc/self/status": status.encode(),
        "/proc/self/uid_map": _MAPS[engine].encode(),
        "/proc/self/cgroup": b"4:memory:/docker/0123\n",
        "/proc/self/attr/current": 22,
        "/proc/self/mountinfo": b"20 1 0:5 / /proc rw - proc proc rw\n21 20 0:5 /sys /proc/sys ro - proc proc rw\n"
        b"22 20 0:6 /null /proc/keys rw - tmpfs tmpfs rw\n",
        "/proc/sys/kernel/random/boot_id": BOOT_ID.encode() + b"\n",
        "/proc/sys/kernel/osrelease": b"6.1.0-13-amd64\n",
        "/proc/sys/kernel/modules_disabled": 2,
        "/proc/sys/net/ipv4/ping_group_range": b"0\t0\n" if podman else b"1\t0\n",
        "/proc/keys": b"",
        "/proc/meminfo": b"MemTotal: 1 kB\n",
        "/proc/loadavg": b"0.1 0.1 0.1 1/1 1\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": b"67108864\n" if held else b"9223372036854771712\n",
        "/sys/fs/cgroup/pids/pids.max": b"20\n" if held else b"2048\n" if engine == "podman-rootful" else b"max\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": b"50000\n" if held else b"-1\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": b"100000\n",
    }
    keyctl, add_key, io_uring, raw, unshare = _CALLS["podman" if podman else "docker"]
    calls = dict.fromkeys(("init_module", "settimeofday", "mount", "kexec_load", "bpf", "mknod", "socket_ping"), 1)
    calls |= {
        "keyctl": keyctl,
        "add_key": add_key,
        "io_uring_setup": io_uring,
        "socket_raw": raw,
        "unshare_user": unshare,
    }
    root = engine in ("docker-rootful", "podman-rootful")
    found = Answers(
        files=files,
        folders={
            "/dev": ("fd", "full", "null", "ptmx", "pts", "random", "shm", "tty", "zero"),
            "/sys/block": ("vda",),
            "/sys/firmware": (),
        },
        links={
            "/proc/self/ns/user": f"user:[{'4026531837' if root else '4026532999'}]",
            "/proc/self/ns/time": "time:[4026531834]",
        },
        opened={"/proc/kcore": 2, ROOT_ONLY_TARGET: 0 if root else 13},
        root_only_mode=(0o600, 0 if root else 65534),
        syscalls=calls,
        forks=18 if held else FORKS,
    )
    return replace(found, **changes)


def with_file(found: Answers, path: str, content: str | int) -> Answers:
    """The same answers, but for one file."""
    return replace(found, files={**found.files, path: content.encode() if isinstance(content, str) else content})


def with_call(found: Answers, name: str, errno: int) -> Answers:
    """The same answers, but for one system call."""
    return replace(found, syscalls={**found.syscalls, name: errno})


@cache
def _recorded(engine: str) -> str:
    return (Path(__file__).parent / "recorded" / f"{engine}.json").read_text()


def raw(engine: str) -> dict[str, Any]:
    """An engine's own answers, as recorded; a fresh copy."""
    found: dict[str, Any] = json.loads(_recorded(engine))
    return found


def engine_facts(engine: str, change: Mapping[str, Any] | None = None) -> EngineFacts:
    return parse_engine(
        change if change is not None else raw(engine), url="unix:///run/engine.sock", asked_as=engine[:6]
    )


def host_facts(**changes: Any) -> HostFacts:
    """A host with two accounts that can run rootless engines."""
    found = HostFacts(
        account=AccountFacts("lab", 1001),
        boot_id=BOOT_ID,
        initial_userns=True,
        unified_cgroups=False,
        users={0: "root", 1001: "lab", 1002: "rlab"},
        subuid=(SubordinateRange("lab", 100000, 65536), SubordinateRange("rlab", 165536, 65536)),
        subgid=(SubordinateRange("lab", 100000, 65536), SubordinateRange("rlab", 165536, 65536)),
        helpers=(
            HelperFacts("newuidmap", "/usr/bin/newuidmap", setuid_root=True),
            HelperFacts("newgidmap", "/usr/bin/newgidmap", setuid_root=True),
        ),
        network_helpers=("slirp4netns",),
        userns=0,
        sysctls={"user.max_user_namespaces": "96365", "net.ipv4.ip_unprivileged_port_start": "1024"},
        runtime_dir="/run/user/1001",
        runtime_dir_mode=0o700,
        runtime_dir_uid=1001,
        systemd=False,
        time_namespace="time:[4026531834]",
    )
    return replace(found, **changes)


_ROOT_FOLDERS = (FolderFacts("/", 0o755, 0, 0), FolderFacts("/run", 0o755, 0, 0))


def socket_facts(engine: str, **changes: Any) -> SocketFacts:
    uid, name = _OWNERS.get(engine, (0, "root"))
    path = "/run/docker.sock" if engine.startswith("docker") else "/run/podman/podman.sock"
    found = SocketFacts(path, path, 0o600, uid, uid, name, name, (), _ROOT_FOLDERS)
    if engine == "docker-rootless":  # the group "docker" inside, a subordinate gid without a name outside
        folders = (*_ROOT_FOLDERS, FolderFacts("/run/user/1002", 0o700, 1002, 1002))
        found = replace(found, mode=0o1660, gid=165641, group=None, group_members=(), folders=folders)
    elif engine.startswith("docker"):
        found = replace(found, mode=0o660, gid=106, group="docker")
    return replace(found, **changes)


def facts(engine: str, /, **changes: Any) -> Facts:
    """Everything that is known of one of the engines, with some of it changed."""
    uid, name = _OWNERS.get(engine, (0, "root"))
    probe = answers(engine)
    pid_map = tuple(IdRange(*map(int, line.split())) for line in _MAPS[engine].splitlines())
    docker = engine.startswith("docker")
    limited = answers(engine, limited=True)
    if engine == "docker-remap":
        limited = replace(limited, links={**limited.links, "/proc/self/ns/user": "user:[4026533000]"})
    claims: Mapping[str, float | str | None] = REQUESTED if engine != "podman-rootless" else dict.fromkeys(REQUESTED)
    inside = limited.links["/proc/self/ns/user"]
    host = host_facts() if uid == 1001 else host_facts(account=AccountFacts(name, uid), runtime_dir_uid=uid)
    found = Facts(
        client=ClientFacts("unix:///run/engine.sock", "unix"),
        engine=engine_facts(engine),
        host=host,
        peer=PeerFacts(500, uid, uid, engine[:6], False, "slirp4netns" if engine == "docker-rootless" else None),
        socket=socket_facts(engine),
        probe=ProbeFacts(
            answers=probe,
            outside=OutsideFacts(900, pid_map[0].outside, pid_map, "containerd-shim" if docker else "conmon"),
            root_file=True,
        ),
        limits=LimitFacts(requested=REQUESTED, claims=claims, answers=limited, user_namespace=str(inside)),
        containers=(),
    )
    return replace(found, **changes)


def change(found: Facts, room: str, **changes: Any) -> Facts:
    """The same facts, with some fields of one part changed: change(facts, "peer", uid=0)."""
    return replace(found, **{room: replace(getattr(found, room), **changes)})


def probe(found: Facts, changed: Answers) -> Facts:
    """The same facts, with other answers of the isolation probe, and nothing seen of it from outside."""
    assert found.probe is not None
    return replace(found, probe=replace(found.probe, answers=changed, outside=None))


def report(found: Facts) -> IsolationReport:
    return evaluate(found)


def result(found: Facts, check: str) -> CheckResult:
    return evaluate(found, check).get(check)


def status(found: Facts, check: str) -> str:
    return str(result(found, check).status)
