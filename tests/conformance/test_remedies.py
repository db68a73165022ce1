"""Every remedy is typed on a machine of its kind: the check fails before and passes afterwards.

The machine is a copy of this one's files that forgets (an overlay in namespaces of its own), with root in it. What a
copy of files cannot show, because the kernel, systemd or the boot has to change, stands in NOT_HERE with the reason.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends._peer import engine_peer
from containerkit.isolation import CheckResult, Status, evaluate
from containerkit.isolation.client import collect_socket
from containerkit.isolation.facts import ClientFacts, EngineFacts, Facts
from containerkit.isolation.host import account_of, collect_host
from tests.unit.isolation import world

#: Check -> why its remedy cannot be tried on a copy of files.
NOT_HERE = {
    "cgroup-delegation": "systemd reads the file when the account logs in; version 1 ends with a boot",
    "linger": "systemd-logind keeps the mark",
    "user-session": "systemd-logind starts the session",
    "runtime-dir": "a login makes the folder; the command opens one",
    "mac": "the kernel has to have AppArmor",
    "userns-allowed": "the kernel's AppArmor forbids it; the profiles themselves are tried",
    "limits-enforced": "the kernel's control groups have to change",
    "engine-rootless": "installs an engine in a session of systemd",
}
UID = 4242
NAME = "ckstudent"


@dataclass(frozen=True)
class Machine:
    """A running copy: the process that holds its namespaces, and its files."""

    pid: int

    @property
    def files(self) -> Path:
        return Path(f"/proc/{self.pid}/root")

    def run(self, script: str) -> str:
        """Run lines as root there, as a person types them."""
        enter = ["nsenter", "-t", str(self.pid), "-m", "-n", "-r", "-w", "sh", "-euc", script]
        done = subprocess.run(enter, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=240, check=False)
        assert done.returncode == 0, (script, done.stdout[-500:], done.stderr[-800:])
        return done.stdout

    def facts(self, **changes: Any) -> Facts:
        host = collect_host(account_of(UID, self.files), files=self.files)
        ports = self.run("cat /proc/sys/net/ipv4/ip_unprivileged_port_start").strip()
        host = replace(host, sysctls={**host.sysctls, "net.ipv4.ip_unprivileged_port_start": ports})
        return Facts(client=ClientFacts(None, "none"), host=replace(host, **changes))


@pytest.fixture(scope="module")
def copied() -> Iterator[Machine]:
    if os.geteuid() or not shutil.which("nsenter"):
        pytest.skip("needs root")
    if os.environ.get("CK_ENGINE", "docker20") != "docker20":
        pytest.skip("the same on every engine: one run of them is enough")
    script = """
        set -e
        base=$(mktemp -d)
        mount -t tmpfs ck "$base"
        mkdir "$base/up" "$base/work" "$base/all"
        mount -t overlay ck -o "lowerdir=/,upperdir=$base/up,workdir=$base/work" "$base/all"
        mount -t proc proc "$base/all/proc"
        mount -t tmpfs dev "$base/all/dev"
        mkdir "$base/all/dev/net"
        mknod -m 666 "$base/all/dev/null" c 1 3
        mknod -m 666 "$base/all/dev/fuse" c 10 229
        mknod -m 666 "$base/all/dev/net/tun" c 10 200
        echo ready
        exec chroot "$base/all" sleep 600
    """
    holder = subprocess.Popen(
        ["unshare", "-m", "-n", "--propagation", "private", "sh", "-c", script],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    try:
        said = holder.stdout.readline()
        if said != "ready\n":
            pytest.skip(f"no copy of this machine's files: {said}")
        found, deadline = Machine(holder.pid), time.monotonic() + 20
        while not (found.files / "proc/self").exists() or Path(f"/proc/{holder.pid}/comm").read_text() != "sleep\n":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        if not (found.files / "usr/sbin/useradd").exists():
            pytest.skip("this machine has no useradd")
        found.run(f"useradd -m -u {UID} {NAME}; touch /etc/subuid /etc/subgid; sed -i '/^{NAME}:/d' /etc/sub?id")
        found.run("mkdir /saved; cp -a /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/subuid /etc/subgid /saved")
        yield found
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


@pytest.fixture
def machine(copied: Machine) -> Machine:
    """The machine with the accounts that it had at first."""
    copied.run("cp -a /saved/. /etc")
    return copied


def result(facts: Facts, check: str) -> CheckResult:
    return evaluate(facts, check).get(check)


def mended(machine: Machine, check: str, facts: Callable[[], Facts], *, status: Status = Status.PASS) -> None:
    """The check is wrong, its commands are typed, and it is right."""
    before = result(facts(), check)
    assert before.status in (Status.FAIL, Status.WARN), before
    assert before.remediation is not None, before
    assert before.remediation.commands, before
    assert before.remediation.needs_root, before
    machine.run("\n".join(before.remediation.commands))
    assert result(facts(), check).status is status, (before, result(facts(), check))


RANGE = f"usermod --add-subuids 300000-365535 --add-subgids 300000-365535 {NAME}"


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        ("subid-ranges", "true"),
        ("subid-ranges", "rm -f /etc/subuid /etc/subgid"),
        ("subid-ranges", f"echo {NAME}:300000:1000 >> /etc/subuid; echo {NAME}:300000:1000 >> /etc/subgid"),
        ("subid-ranges", f"echo other:100000:65536 >> /etc/subuid; {RANGE}; sed -i '/^{NAME}/d' /etc/subgid"),
        ("subid-overlap", f"{RANGE}; echo other:330000:65536 >> /etc/subuid"),
        ("subid-overlap", f"{RANGE}; echo other:330000:65536 >> /etc/subgid"),
        ("subid-overlap", f"useradd -u 301234 inside; {RANGE}"),
        ("idmap-helpers", "for p in newuidmap newgidmap; do rm -f /usr/bin/$p; cp /bin/true /usr/bin/$p; done"),
        ("home-folder", f"rm -rf /home/{NAME}"),
        ("home-folder", f"chown 0 /home/{NAME}"),
        ("rootless-devices", "chmod 600 /dev/fuse"),
        ("rootless-devices", "chmod 660 /dev/net/tun /dev/fuse"),
        ("engine-files", "mkdir -p /etc/docker; touch /etc/docker/daemon.json; chmod 666 /etc/docker/daemon.json"),
        ("engine-files", f"mkdir -p /etc/containers; chown {UID} /etc/containers"),
        ("unprivileged-ports", "echo 1024 > /proc/sys/net/ipv4/ip_unprivileged_port_start"),
    ],
)
def test_a_remedy_for_the_host(machine: Machine, check: str, broken: str) -> None:
    """What is typed as root mends what the check found; other accounts keep what they had."""
    machine.run(broken)
    ranges = machine.run("cat /etc/subuid || true").splitlines()
    others = [line for line in ranges if not line.startswith((NAME, "other"))]
    status = Status.WARN if check == "unprivileged-ports" else Status.PASS  # 80, not 0: ports below it stay closed
    mended(machine, check, machine.facts, status=status)
    assert set(others) <= set(machine.run("cat /etc/subuid").splitlines())
    if check == "unprivileged-ports":
        assert "below 80 " in result(machine.facts(), check).summary
    if check == "subid-ranges":
        assert result(machine.facts(), "subid-overlap").status is Status.PASS


PACKAGES = {
    "idmap-helpers": ("uidmap", "newuidmap"),
    "network-helper": ("slirp4netns", "slirp4netns"),
    "firewall-tools": ("iptables", "iptables"),
}


def test_packages_that_are_missing(machine: Machine) -> None:
    """The package that a remedy names can be installed, in the words of the remedy."""
    gone = [*(program for _, program in PACKAGES.values()), "newgidmap", "pasta", "nft"]
    machine.run("; ".join(f"rm -f /usr/bin/{each} /usr/sbin/{each} /sbin/{each}" for each in gone))
    for check, (package, _) in PACKAGES.items():
        found = result(machine.facts(), check)
        assert found.status is Status.FAIL, found
        assert found.remediation is not None
        assert found.remediation.commands[0].startswith(f"apt-get install {package}"), found
    names = " ".join(package for package, _ in PACKAGES.values())
    if not (machine.files / "usr/bin/apt-get").exists() or "Candidate" not in machine.run(f"apt-cache policy {names}"):
        pytest.skip("this machine has no package lists")
    said = machine.run(f"apt-get install -s --reinstall --no-install-recommends {names}")
    assert all(f"Inst {package} " in said for package, _ in PACKAGES.values())


def test_the_accounts_of_a_socket_s_group(machine: Machine, tmp_path: Path) -> None:
    """Listed members leave the group; a primary group is replaced by one of the account's own."""
    machine.run(f"groupadd -f -g 4300 ckdocker; usermod -aG ckdocker {NAME}; useradd -u 4243 -g ckdocker ckprimary")
    path = tmp_path / "docker.sock"
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        os.chown(path, 0, 4300)
        path.chmod(0o660)

        def facts() -> Facts:
            return replace(world.facts("docker-rootful"), socket=collect_socket(str(path), root=machine.files))

        assert "ckprimary, ckstudent" in result(facts(), "docker-group").summary
        mended(machine, "docker-group", facts)
        path.chmod(0o666)
        found = result(facts(), "socket-permissions")
        assert found.status is Status.FAIL
        assert found.remediation is not None
        subprocess.run(["sh", "-euc", "\n".join(found.remediation.commands)], check=True)  # of the test's own socket
        assert result(facts(), "socket-permissions").status is Status.WARN  # the group's right is another finding
        path.chmod(0o600)
        assert result(facts(), "socket-permissions").status is Status.PASS


def test_files_of_a_boot_and_of_apparmor(machine: Machine) -> None:
    """The line for the boot loader is in its file afterwards, and a profile for each program that AppArmor asks for."""
    machine.run("""mkdir -p /etc/default /etc/apparmor.d; echo 'GRUB_CMDLINE_LINUX="quiet"' > /etc/default/grub""")
    found = result(machine.facts(unified_cgroups=False), "cgroup-delegation")
    assert found.remediation is not None
    edit, boot = found.remediation.commands
    machine.run(edit)
    assert 'LINUX="systemd.unified_cgroup_hierarchy=1 quiet"' in machine.run("cat /etc/default/grub")
    assert boot.startswith("update-grub")
    restricted = machine.facts(sysctls={"kernel.apparmor_restrict_unprivileged_userns": "1"})
    fix = result(restricted, "userns-sysctls").remediation
    assert fix is not None
    machine.run("\n".join(line for line in fix.commands if not line.startswith("systemctl")))
    for name in ("podman", "rootlesskit"):
        profile = machine.run(f"cat /etc/apparmor.d/{name}")
        assert re.search(rf"profile {name} /\S+ flags=\(unconfined\) {{\n  userns,\n}}", profile)


def test_every_remedy_for_a_host_is_tried_or_named(machine: Machine) -> None:
    """No check of this host has commands for root that are neither tried above nor named with a reason."""
    tried = {"subid-ranges", "subid-overlap", "idmap-helpers", "home-folder", "rootless-devices", "engine-files"}
    tried |= {"unprivileged-ports", "network-helper", "firewall-tools", "docker-group", "socket-permissions"}
    tried |= {"userns-sysctls", "rootless-overlay"}
    report = evaluate(machine.facts(systemd=True, session=False, linger=False, unified_cgroups=False))
    with_commands = {r.id for r in report if r.remediation and r.remediation.commands}
    assert with_commands <= tried | set(NOT_HERE), with_commands - tried - set(NOT_HERE)


# ------------------------------------------------------------------------------------- words of `docker run`, typed
FLAGS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("no-new-privileges", "cat /proc/self/status", lambda out: "NoNewPrivs:\t1" in out),
    ("default-capabilities", "cat /proc/self/status",
     lambda out: not int(out.split("CapEff:\t")[1][:16], 16) & 1 << 13),
    ("default-limits", "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes",
     lambda out: str(512 << 20) in out.split()),
    ("default-pids-limit", "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max",
     lambda out: "2048" in out.split()),
)  # fmt: skip


@pytest.mark.parametrize(("check", "look", "holds"), FLAGS, ids=[flag[0] for flag in FLAGS])
def test_a_remedy_for_a_container(
    engine: ck.Engine, shell_image: str, check: str, look: str, holds: Callable[[str], bool]
) -> None:
    """The command line as it is advised, typed where the engine runs: the container has what was missing."""
    peer = engine_peer(engine.url)
    if peer is None or os.geteuid() or peer.uid or not Path(f"/proc/{peer.pid}/root/usr/bin/{engine.kind}").exists():
        pytest.skip("needs the command line of a rootful engine on this machine")
    found = engine.check(only=["limits-enforced", check]).get(check)
    if found.status is Status.PASS or found.remediation is None:
        pytest.skip(f"nothing to mend: {found.summary}")
    (line,) = [c for c in found.remediation.commands if f"{engine.kind} run" in c] or [""]
    if not line:
        pytest.skip(f"the host has to change first: {found.remediation.text}")
    typed = line.replace(" run ", " run --rm --network none ").replace("IMAGE", f"{shell_image} {look}")
    host = f"unix:///run/ck/{Path(engine.url).name}" if Path(f"/proc/{peer.pid}/root/run/ck").exists() else engine.url
    run = [
        "nsenter",
        "-t",
        str(peer.pid),
        "-m",
        "-p",
        "-n",
        "-i",
        "-u",
        "-C",
        "-r",
        "-w",
        "env",
        "-u",
        "CONTAINER_HOST",
        f"DOCKER_HOST={host}",
    ]
    done = subprocess.run([*run, "sh", "-c", typed], capture_output=True, text=True, timeout=120, check=False)
    assert holds(done.stdout), (typed, done.stdout[-400:], done.stderr[-400:])


def test_facts_of_an_engine_without_a_version() -> None:
    """A remedy for Podman 4.3 does not name what 4.3 cannot use."""
    from containerkit.isolation.advice import better_network

    old, new = (EngineFacts("", "podman", version=v, libpod=True) for v in ("4.3.1", "4.9.0"))
    assert better_network(old) is None
    assert better_network(new) is not None
