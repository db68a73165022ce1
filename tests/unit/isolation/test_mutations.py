"""One fact changed, one result changed: that every check hangs on the evidence it names."""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from containerkit.isolation.audited import ContainerFacts, MountFacts
from containerkit.isolation.facts import (
    AccountFacts,
    ClientFacts,
    Facts,
    HelperFacts,
    IdRange,
    SubordinateRange,
)
from containerkit.isolation.procfs import compose, host_id
from containerkit.isolation.program import FILTERED
from containerkit.isolation.values import Severity, Status

from . import world

HOST_CHECKS = ("engine-owner", "socket-permissions", "subid-ranges", "subid-overlap", "idmap-helpers", "userns-allowed")


def test_peer_of_another_uid_contradicts_the_engine() -> None:
    """An engine that calls itself rootful while its socket is uid 1002's: a warning with both sides, not a verdict."""
    result = world.result(world.change(world.facts("docker-rootful"), "peer", uid=1002), "engine-rootless")
    assert result.status is Status.WARN
    assert "1002" in result.conflicts[0]


@pytest.mark.parametrize("mode", [0o606, 0o666, 0o602])
def test_a_socket_for_everybody_fails(mode: int) -> None:
    """Bits are compared, not decimal digits: 606 is open to all, and critical where the engine is root's."""
    result = world.result(world.change(world.facts("docker-rootful"), "socket", mode=mode), "socket-permissions")
    assert (result.status, result.severity) == (Status.FAIL, Severity.CRITICAL)


def test_a_closed_folder_closes_the_socket() -> None:
    """Who may not pass a folder on the way cannot use the socket, whatever its own mode."""
    found = world.facts("docker-rootless")
    assert found.socket is not None
    assert world.status(world.change(found, "socket", mode=0o666), "socket-permissions") == "pass"


def test_an_access_list_is_named() -> None:
    """A right given by an access list is told."""
    found = world.change(world.facts("podman-rootful"), "socket", acl=("user eve",))
    assert "user eve" in world.result(found, "socket-permissions").summary


def test_a_member_by_primary_group_is_root() -> None:
    """An account in the socket's group is named, however it came to be a member."""
    result = world.result(world.change(world.facts("docker-rootful"), "socket", group_members=("eve",)), "docker-group")
    assert (result.status, result.severity) == (Status.WARN, Severity.HIGH)
    assert "eve" in result.summary


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ((SubordinateRange("lab", 100000, 1000),), "warn"),
        ((), "fail"),
        ((SubordinateRange("1001", 100000, 65536),), "pass"),
        ((SubordinateRange("lab", 100000, 32768), SubordinateRange("1001", 200000, 32768)), "pass"),
        ((SubordinateRange("lab", 100000, 40000), SubordinateRange("1001", 100000, 40000)), "warn"),
        ((SubordinateRange("lab", 100000, 65535),), "warn"),
        (None, "unknown"),
    ],
)
def test_subordinate_ranges(ranges: tuple[SubordinateRange, ...] | None, expected: str) -> None:
    """Enough is 65536, by name or by number; a file that is not there is not an empty one."""
    found = world.change(world.facts("podman-rootless"), "host", subuid=ranges, subgid=ranges)
    assert world.status(found, "subid-ranges") == expected


def test_advice_on_ranges_collides_with_nobody() -> None:
    """The ranges to add are free in each file; a missing file is named and made."""
    taken = (SubordinateRange("rlab", 100000, 65536),)
    found = world.change(world.facts("podman-rootless"), "host", subuid=taken, subgid=())
    fix = world.result(found, "subid-ranges").remediation
    assert fix is not None
    assert "usermod --add-subuids 165536-231071 --add-subgids 100000-165535 lab" in fix.commands
    absent = world.change(found, "host", subuid=None, subgid=None, missing=("/etc/subuid", "/etc/subgid"))
    result = world.result(absent, "subid-ranges")
    assert result.status is Status.FAIL
    assert result.summary == "missing: /etc/subuid, /etc/subgid"
    assert result.remediation is not None
    assert world.status(absent, "subid-overlap") == "na"


@pytest.mark.parametrize(
    ("version", "offered"), [("4.3.1", False), ("4.4.0", True), ("5.8.0", True), ("5.8.0-dev", True), ("", False)]
)
def test_pasta_is_offered_to_versions_that_can_use_it(version: str, offered: bool) -> None:
    """Podman before 4.4 has no use for passt."""
    found = world.change(world.facts("podman-rootless"), "engine", version=version, network_helper="slirp4netns")
    result = world.result(found, "network-helper")
    assert result.status is Status.WARN
    assert (result.remediation is not None) is offered


def test_advice_on_kernel_settings_outlives_a_restart() -> None:
    """A setting is written to a file of /etc/sysctl.d and read from there."""
    found = world.facts("podman-rootless")
    changes = {"user.max_user_namespaces": "0"}
    for check, values in (("userns-sysctls", changes), ("unprivileged-ports", None)):
        changed = world.change(found, "host", sysctls=values) if values else found
        fix = world.result(changed, check).remediation
        assert fix is not None
        assert "/etc/sysctl.d/" in fix.commands[0]
        assert fix.commands[1].startswith("sysctl -p /etc/sysctl.d/")


@pytest.mark.parametrize(
    "ranges",
    [
        (SubordinateRange("lab", 100000, 65536), SubordinateRange("rlab", 165535, 65536)),
        (SubordinateRange("rlab", 1000, 65536),),
    ],
)
def test_overlapping_ranges_fail(ranges: tuple[SubordinateRange, ...]) -> None:
    """Two accounts with one id, or a range over somebody's own uid, are not isolated from each other."""
    assert world.status(world.change(world.facts("podman-rootless"), "host", subuid=ranges), "subid-overlap") == "fail"


@pytest.mark.parametrize(
    ("helper", "expected"),
    [
        (HelperFacts("newuidmap", "/usr/bin/newuidmap", setuid_root=False, capable=True), "pass"),
        (HelperFacts("newuidmap", "/usr/bin/newuidmap"), "fail"),
        (HelperFacts("newuidmap"), "fail"),
        (HelperFacts("newuidmap", "/usr/bin/newuidmap", setuid_root=True, nosuid=True), "fail"),
    ],
)
def test_idmap_helpers(helper: HelperFacts, expected: str) -> None:
    """Setuid root or a file capability, and not on a file system that forbids both."""
    assert (
        world.status(world.change(world.facts("podman-rootless"), "host", helpers=(helper,)), "idmap-helpers")
        == expected
    )


def test_an_engine_without_ranges_contradicts_the_files() -> None:
    """Ranges in the file that the running engine has not taken up: a warning."""
    raw = world.raw("podman-rootless")
    raw["libpod_info"]["host"]["idMappings"]["uidmap"] = [{"container_id": 0, "host_id": 1001, "size": 1}]
    found = world.facts("podman-rootless", engine=world.engine_facts("podman-rootless", raw))
    assert world.status(found, "subid-ranges") == "warn"


@pytest.mark.parametrize("check", HOST_CHECKS)
def test_another_kernel_closes_the_gate(check: str) -> None:
    """Where the probe's boot id is another, nothing of this host counts, with that reason."""
    result = world.result(world.change(world.facts("podman-rootless"), "host", boot_id="another"), check)
    assert result.status is Status.UNKNOWN
    assert "another kernel" in (result.reason or "")


def test_another_kernel_is_not_shared_with_this_host() -> None:
    """Containers on the engine's own kernel, elsewhere, still share that one; on a third, none."""
    found = world.change(world.facts("docker-rootful"), "host", boot_id="another")
    assert world.status(found, "shared-kernel") == "warn"
    guest = world.with_file(world.answers("docker-rootful"), "/proc/sys/kernel/osrelease", "6.99.0-guest")
    assert world.status(world.probe(found, guest), "shared-kernel") == "pass"


def test_an_invisible_peer_closes_the_gate() -> None:
    """SO_PEERCRED pid 0: this process does not see the host's processes, so its view does not count."""
    found = world.change(world.facts("docker-rootful"), "peer", pid=0)
    assert world.status(found, "engine-owner") == "unknown"
    assert world.status(found, "container-root-uid") == "fail"  # by the map alone


def test_the_engine_report_without_a_probe() -> None:
    """Switched off, the probe's checks are unknown with that reason; what needs none is still answered."""
    found = replace(world.facts("docker-rootful"), probe=None, limits=None)
    assert "switched off" in (world.result(found, "seccomp").reason or "")
    assert world.status(found, "engine-rootless") == "fail"
    assert world.status(found, "socket-permissions") == "unknown"


@pytest.mark.parametrize(
    "warning",
    [
        "WARNING: API is accessible on http://0.0.0.0:2375 without encryption.",
        "WARNING: API is accessible on https://0.0.0.0:2376 without TLS client verification.",
    ],
)
def test_an_open_port_fails(warning: str) -> None:
    """TCP without client certificates is open to who reaches it, encrypted or not."""
    result = world.result(world.change(world.facts("docker-rootful"), "engine", warnings=(warning,)), "tcp-exposed")
    assert (result.status, result.severity) == (Status.FAIL, Severity.CRITICAL)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "pass"),
        ({"overlay.mount_program": {"Executable": "/usr/bin/fuse-overlayfs"}}, "warn"),
        ({"overlay.mount_program": "/usr/bin/fuse-overlayfs"}, "warn"),
    ],
)
def test_storage_through_a_program_is_slower(options: dict[str, object], expected: str) -> None:
    """A mount program is told as an object by some versions and as a path by others."""
    raw = world.raw("podman-rootless")
    raw["libpod_info"]["store"]["graphOptions"] = options
    found = world.facts("podman-rootless", engine=world.engine_facts("podman-rootless", raw))
    assert world.status(found, "storage-driver") == expected


def test_vfs_fails() -> None:
    """The driver that copies everything is told for what it is."""
    assert (
        world.status(world.change(world.facts("podman-rootless"), "engine", storage_driver="vfs"), "storage-driver")
        == "fail"
    )


def test_some_controllers_hold() -> None:
    """Version 2 with memory and pids delegated only: held in part."""
    held = world.answers("podman-rootless", forks=18)
    for path, content in (("memory.max", "67108864\n"), ("pids.max", "20\n"), ("cpu.max", 2)):
        held = world.with_file(held, f"/sys/fs/cgroup/{path}", content)
    result = world.result(world.change(world.facts("podman-rootless"), "limits", answers=held), "limits-enforced")
    assert result.status is Status.WARN
    assert "not held: cpu, cpuset" in result.summary


def test_a_limit_without_effect_is_a_conflict() -> None:
    """pids.max says 20 and forty children could be had: what happens counts."""
    held = world.answers("docker-rootful", limited=True, forks=40)
    result = world.result(world.change(world.facts("docker-rootful"), "limits", answers=held), "limits-enforced")
    assert result.status is Status.WARN
    assert result.conflicts


def test_refused_limits_are_honest() -> None:
    """An engine that makes no container with limits holds none, and does not pretend."""
    found = world.change(
        world.facts("podman-rootless"), "limits", refused="no such controller", answers=None, claims={}
    )
    found = world.change(found, "engine", limit_claims={})
    assert (world.status(found, "limits-enforced"), world.status(found, "limits-honest")) == ("fail", "pass")


def test_one_processor_tells_nothing_of_cpuset() -> None:
    """On one processor a cpuset of it cannot be told from none."""
    found = world.change(world.facts("docker-rootful"), "engine", cpus=1)
    assert "nothing to tell" in world.result(found, "limits-enforced").summary


def test_seccomp_unconfined() -> None:
    """The kernel decides; an engine that names a profile beside it is contradicted."""
    found = world.facts("docker-rootful")
    open_status = world.answers("docker-rootful").files["/proc/self/status"]
    assert isinstance(open_status, bytes)
    open_probe = world.with_file(
        world.answers("docker-rootful"), "/proc/self/status", open_status.decode().replace("Seccomp:\t2", "Seccomp:\t0")
    )
    result = world.result(world.probe(found, open_probe), "seccomp")
    assert result.status is Status.FAIL
    assert result.conflicts
    said = world.change(world.probe(found, open_probe), "engine", seccomp_profile="unconfined")
    assert not world.result(said, "seccomp").conflicts
    raw = world.raw("docker-rootful")
    raw["info"]["SecurityOptions"] = ["name=seccomp,profile=unconfined"]
    assert world.engine_facts("docker-rootful", raw).seccomp_profile == "unconfined"
    assert world.status(replace(found, engine=world.engine_facts("docker-rootful", raw)), "seccomp") == "warn"


def test_further_components_do_not_matter() -> None:
    """An engine with plugins is still itself."""
    raw = world.raw("docker-rootful")
    raw["version"]["Components"].insert(0, {"Name": "some-plugin", "Version": "1"})
    assert (
        world.status(
            replace(world.facts("docker-rootful"), engine=world.engine_facts("docker-rootful", raw)), "engine-kind"
        )
        == "pass"
    )


def test_the_network_helper_is_the_engines_word() -> None:
    """From Podman 5.1 the engine names the one it uses, whatever else is installed."""
    raw = world.raw("podman-rootless")
    raw["libpod_info"]["host"]["rootlessNetworkCmd"] = "pasta"
    found = replace(world.facts("podman-rootless"), engine=world.engine_facts("podman-rootless", raw))
    assert world.status(found, "network-helper") == "pass"


def test_rootlesskit_tells_its_driver() -> None:
    """From Docker 23 the network driver is among the components."""
    raw = world.raw("docker-rootless")
    raw["version"]["Components"].append({"Name": "rootlesskit", "Details": {"NetworkDriver": "pasta"}})
    found = replace(world.facts("docker-rootless"), engine=world.engine_facts("docker-rootless", raw))
    assert world.status(found, "network-helper") == "pass"


@pytest.mark.parametrize(("code", "expected"), [(0, "fail"), (1, "pass"), (38, "pass"), (14, "unknown")])
def test_the_clock(code: int, expected: str) -> None:
    """Setting nothing is allowed to whom setting the clock is."""
    found = world.facts("docker-rootful")
    assert (
        world.status(
            world.probe(found, world.with_call(world.answers("docker-rootful"), "settimeofday", code)), "clock"
        )
        == expected
    )


@pytest.mark.parametrize(
    ("code", "expected"), [(1, "pass"), (38, "pass"), (14, "fail"), (22, "fail"), (8, "fail"), (5, "unknown")]
)
def test_modules(code: int, expected: str) -> None:
    """Past the permission, the call fails on its arguments: then a real module would be loaded."""
    found = world.facts("docker-rootful")
    changed = world.with_call(world.answers("docker-rootful"), "init_module", code)
    assert world.status(world.probe(found, changed), "module-loading") == expected


def test_keyring_without_a_user_namespace() -> None:
    """keyctl let through fails where the namespace is the host's, passes where it is one's own."""
    open_call = world.with_call(world.answers("docker-rootful"), "keyctl", 0)
    assert world.status(world.probe(world.facts("docker-rootful"), open_call), "keyring") == "fail"
    mapped = world.with_call(world.answers("docker-remap"), "keyctl", 126)
    assert world.status(world.probe(world.facts("docker-remap"), mapped), "keyring") == "pass"


def test_mandatory_access_control() -> None:
    """A label of the kernel's passes; an engine's claim without one is a conflict."""
    found = world.facts("docker-rootful")
    confined = world.with_file(world.answers("docker-rootful"), "/proc/self/attr/current", "docker-default (enforce)\n")
    assert world.status(world.probe(found, confined), "mac") == "pass"
    assert world.result(world.change(found, "probe", apparmor_profile="docker-default"), "mac").conflicts


def test_a_dangerous_capability_fails() -> None:
    """A default container with SYS_ADMIN."""
    status = world.answers("docker-rootful").files["/proc/self/status"]
    assert isinstance(status, bytes)
    changed = world.with_file(
        world.answers("docker-rootful"), "/proc/self/status", status.decode().replace("a80425fb", "a82425fb")
    )
    result = world.result(world.probe(world.facts("docker-rootful"), changed), "default-capabilities")
    assert result.status is Status.FAIL
    assert "SYS_ADMIN" in result.summary


def test_unmasked_files_fail() -> None:
    """A writable /proc/sys, a /proc/kcore that opens."""
    bare = world.with_file(
        world.answers("docker-rootful"), "/proc/self/mountinfo", "20 1 0:5 / /proc rw - proc proc rw\n"
    )
    assert world.status(world.probe(world.facts("docker-rootful"), bare), "proc-masking") == "fail"
    core = world.answers("docker-rootful", opened={"/proc/kcore": 0})
    assert "/proc/kcore" in world.result(world.probe(world.facts("docker-rootful"), core), "proc-masking").summary


def test_a_device_beyond_the_plain_ones() -> None:
    """A disk in /dev is told by name."""
    found = world.answers("docker-rootful", folders={"/dev": ("null", "vda"), "/sys/block": 2})
    assert "vda" in world.result(world.probe(world.facts("docker-rootful"), found), "devices").summary


@pytest.mark.parametrize("code", [1, 13])
def test_root_equivalence_needs_a_file_of_root(code: int) -> None:
    """A file that others may read demonstrates nothing; nor does one that could not be mounted."""
    found = world.facts("docker-rootless")
    readable = world.answers("docker-rootless", root_only_mode=(0o644, 0))
    assert world.status(world.probe(found, readable), "root-equivalence") == "unknown"
    assert world.status(world.change(found, "probe", root_file=False), "root-equivalence") == "unknown"
    denied = world.answers("docker-rootless", opened={"/root-only": code})
    assert world.status(world.probe(found, denied), "root-equivalence") == "pass"


@pytest.mark.parametrize("code", [1, 13])
def test_an_engine_of_root_is_root_whatever_a_default_container_can_open(code: int) -> None:
    """Mapping users away protects from containers, not from who asks for a container without it."""
    denied = world.answers("docker-remap", opened={"/root-only": code})
    result = world.result(world.probe(world.facts("docker-remap"), denied), "root-equivalence")
    assert result.status is Status.FAIL
    assert "--userns=host" in result.summary
    no_probe = replace(world.facts("podman-rootful"), probe=None)
    assert world.status(no_probe, "root-equivalence") == "fail"


def test_an_authorization_plugin_may_restrict_who_commands() -> None:
    """The plugin decides, so it is a warning that names it."""
    raw = world.raw("docker-remap")
    raw["info"].setdefault("Plugins", {})["Authorization"] = ["opa-docker-authz"]
    found = replace(world.facts("docker-remap"), engine=world.engine_facts("docker-remap", raw))
    result = world.result(found, "root-equivalence")
    assert result.status is Status.WARN
    assert "opa-docker-authz" in result.summary


def test_an_account_that_no_file_lists_is_told_by_its_process() -> None:
    """A process with the socket's group is a member, whatever the files list."""
    client = ClientFacts("unix:///run/engine.sock", "unix", uid=1005, user="eve", groups=(106, 1005))
    found = replace(world.facts("docker-rootful"), client=client)
    for check in ("docker-group", "socket-permissions"):
        assert world.status(found, check) == "warn"
    assert "eve" in world.result(found, "docker-group").summary
    roots = world.change(replace(found, client=replace(client, groups=(0,))), "socket", mode=0o660, gid=0, group="root")
    for check in ("docker-group", "socket-permissions"):
        assert world.status(roots, check) == "warn", check
        assert "eve" in world.result(roots, check).summary


def test_accounts_of_a_directory_cannot_be_listed() -> None:
    """No member in the files of a host that also asks LDAP: unknown, not "no members"."""
    found = world.change(world.facts("docker-rootful"), "socket", unlisted=("ldap",))
    assert world.status(found, "docker-group") == "unknown"
    assert "ldap" in world.result(found, "docker-group").summary


def test_a_primary_group_is_replaced() -> None:
    """gpasswd -d cannot take an account out of its primary group."""
    found = world.change(
        world.facts("docker-rootful"), "socket", group_members=("bob", "eve"), primary_members=("eve",)
    )
    fix = world.result(found, "docker-group").remediation
    assert fix is not None
    assert "gpasswd -d bob docker" in fix.commands
    assert "usermod -g eve eve" in fix.commands
    assert not any("-d eve" in line for line in fix.commands)


@pytest.mark.parametrize(("through", "expected"), [(0, "pass"), (2, "pass"), (3, "warn"), (5, "fail")])
def test_a_filter_is_judged_by_what_it_stops(through: int, expected: str) -> None:
    """Mode 2 alone says nothing: a profile may let everything through."""
    calls = {name: 14 if number < through else 1 for number, name in enumerate(FILTERED)}
    changed = world.answers("docker-rootful")
    changed = replace(changed, syscalls={**changed.syscalls, **calls})
    assert world.status(world.probe(world.facts("docker-rootful"), changed), "seccomp") == expected


def test_complain_mode_confines_nothing() -> None:
    """AppArmor in complain mode writes a log and lets everything through."""
    changed = world.with_file(world.answers("docker-rootful"), "/proc/self/attr/current", "docker-default (complain)\n")
    assert world.status(world.probe(world.facts("docker-rootful"), changed), "mac") == "warn"


def test_an_unreadable_limit_is_not_a_missing_one() -> None:
    """EACCES for pids.max is unknown; no such file below a mounted cgroup is the root group, without a limit."""
    found, plain = world.facts("docker-rootful"), world.answers("docker-rootful")
    files = {**plain.files, "/sys/fs/cgroup/pids.max": 13, "/sys/fs/cgroup/pids/pids.max": 13}
    assert world.status(world.probe(found, replace(plain, files=files)), "default-pids-limit") == "unknown"
    files |= {"/sys/fs/cgroup/pids.max": 2, "/sys/fs/cgroup/pids/pids.max": 2}
    assert world.status(world.probe(found, replace(plain, files=files)), "default-pids-limit") == "unknown"
    files["/proc/self/mountinfo"] = b"20 1 0:5 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
    assert world.status(world.probe(found, replace(plain, files=files)), "default-pids-limit") == "warn"


def test_disk_is_a_resource() -> None:
    """A root file system as large as the store's has no quota; a smaller one has."""
    plain = world.with_file(world.answers("podman-rootful"), "/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000\n")
    for disk, expected in ((1 << 30, "pass"), (1 << 40, "warn"), (None, "unknown")):
        found = world.probe(world.facts("podman-rootful"), replace(plain, disk=disk))
        assert world.status(world.change(found, "probe", store_disk=1 << 40), "default-limits") == expected


@pytest.mark.parametrize("engine", world.ENGINES)
def test_advice_speaks_the_engines_own_words(engine: str) -> None:
    """Users of one engine are not told to type the other's command."""
    stranger = "docker" if engine.startswith("podman") else "podman"
    for result in world.report(world.facts(engine)):
        for line in result.remediation.commands if result.remediation else ():
            assert stranger not in line, (result.id, line)


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (ContainerFacts("1", "a", memory=1, pids=1), "pass"),
        (ContainerFacts("1", "a", memory=None, pids=1), "warn"),
        (ContainerFacts("1", "a", memory=1, pids=1, privileged=True), "fail"),
        (ContainerFacts("1", "a", memory=1, pids=1, modes={"pid": "host"}), "warn"),
        (ContainerFacts("1", "a", memory=1, pids=1, open_ports=(80,)), "warn"),
        (ContainerFacts("1", "a", problem="no HostConfig"), "unknown"),
    ],
)
def test_audit(container: ContainerFacts, expected: str) -> None:
    """What a running container was given beyond the default."""
    assert world.status(world.facts("docker-rootful", containers=(container,)), "containers-audit") == expected


def test_privileged_without_root_is_a_warning() -> None:
    """A rootless engine's privileged container has that account's rights, not root's."""
    container = ContainerFacts("1", "a", memory=1, pids=1, privileged=True)
    assert world.status(world.facts("podman-rootless", containers=(container,)), "containers-audit") == "warn"


@pytest.mark.parametrize(
    "path", ["/run/docker.sock", "/var/run", "/", "/run/user/1001/podman/podman.sock", "/run/user/1001"]
)
def test_a_socket_in_a_container(path: str) -> None:
    """A mounted socket, or a folder that holds one, is the engine in the container's hands."""
    found = world.facts("docker-rootful", containers=(ContainerFacts("1", "a", mounts=(MountFacts(path, "/x"),)),))
    assert world.status(found, "socket-in-containers") == "warn"
    harmless = world.facts(
        "docker-rootful", containers=(ContainerFacts("1", "a", mounts=(MountFacts("/srv/data", "/x"),)),)
    )
    assert world.status(harmless, "socket-in-containers") == "pass"


@pytest.mark.parametrize(
    ("transport", "expected"),
    [("unix", "pass"), ("ssh", "pass"), ("tls", "pass"), ("tcp", "fail"), ("unclear", "unknown")],
)
def test_transport(transport: str, expected: str) -> None:
    """Plain TCP can be read, and commanded, on the way."""
    assert (
        world.status(world.facts("docker-rootful", client=ClientFacts("x", transport)), "client-transport") == expected
    )


def test_sysctls() -> None:
    """0 forbids, absent means nothing, AppArmor's restriction is a warning."""
    found = world.facts("podman-rootless")
    for name, value, expected in (
        ("user.max_user_namespaces", "0", "fail"),
        ("kernel.unprivileged_userns_clone", "0", "fail"),
        ("kernel.unprivileged_userns_clone", None, "info"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "warn"),
    ):
        assert world.status(world.change(found, "host", sysctls={name: value}), "userns-sysctls") == expected


@pytest.mark.parametrize(("errno", "expected"), [(0, "pass"), (1, "fail"), (28, "fail"), (None, "unknown")])
def test_userns_is_decided_by_trying(errno: int | None, expected: str) -> None:
    """What settings say is explained; what a try says is the verdict."""
    assert (
        world.status(world.change(world.facts("podman-rootless"), "host", userns=errno), "userns-allowed") == expected
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"runtime_dir": None}, "fail"),
        ({"runtime_dir_uid": None, "runtime_dir_mode": None}, "fail"),
        ({"runtime_dir_uid": 7}, "fail"),
        ({"runtime_dir_mode": 0o777}, "warn"),
        ({"runtime_dir_mode": 0o711}, "pass"),
    ],
)
def test_runtime_folder(changes: dict[str, object], expected: str) -> None:
    """One's own, there, and not for others to write."""
    assert world.status(world.change(world.facts("podman-rootless"), "host", **changes), "runtime-dir") == expected


@pytest.mark.parametrize(
    ("controllers", "expected"),
    [(("cpu", "cpuset", "io", "memory", "pids"), "pass"), (("memory", "pids"), "warn"), (None, "unknown")],
)
def test_delegation(controllers: tuple[str, ...] | None, expected: str) -> None:
    """Version 2: which controllers the account's session has."""
    found = world.change(world.facts("podman-rootless"), "host", controllers_delegated=controllers)
    assert world.status(world.change(found, "engine", cgroup_version=2), "cgroup-delegation") == expected


def test_composition_of_maps() -> None:
    """Ids lead through two namespaces; those without a place fall out."""
    outer = (IdRange(0, 1001, 1), IdRange(1, 100000, 65536))
    assert compose((IdRange(0, 1, 1024),), outer) == (IdRange(0, 100000, 1024),)
    assert compose((IdRange(0, 0, 2),), outer) == (IdRange(0, 1001, 1), IdRange(1, 100000, 1))
    assert host_id(5, compose((IdRange(0, 70000, 10),), outer)) is None


def test_file_capability_is_read_from_the_attribute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """newuidmap without its setuid bit, with CAP_SETUID in its attribute: allowed. With another: not."""
    from containerkit.isolation.host import collect_host

    (tmp_path / "usr/bin").mkdir(parents=True)
    for name in ("newuidmap", "newgidmap"):
        (tmp_path / "usr/bin" / name).write_text("")
        (tmp_path / "usr/bin" / name).chmod(0o755)
    for bit, expected in ((7, True), (21, False)):
        data = struct.pack("<IIIII", 0x02000001, 1 << bit, 0, 0, 0)
        monkeypatch.setattr(os, "getxattr", lambda path, name, data=data: data)
        found = collect_host(AccountFacts("lab", 1001), root=tmp_path, files=tmp_path)
        assert found.helpers[0].capable is expected


def test_unreached() -> None:
    """No engine: reachable fails, what needs one is unknown with the reason, nothing is raised."""
    found = Facts(client=ClientFacts("unix:///run/engine.sock", "unix"), unreached="permission denied")
    assert world.status(found, "engine-reachable") == "fail"
    assert world.result(found, "seccomp").reason == "permission denied"
