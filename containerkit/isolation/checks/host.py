"""Group D: what a rootless engine needs from this host, for the account that runs it."""

from __future__ import annotations

import os
from itertools import pairwise

from ..advice import (
    DELEGATE,
    ENOUGH,
    UNIFIED,
    add_ranges,
    allow_by_profile,
    better_network,
    move_range,
    set_sysctl,
)
from ..check import (
    Check,
    Finding,
    engine_of,
    engine_says,
    failed,
    host_of,
    host_says,
    inapplicable,
    informed,
    kernel_says,
    passed,
    probe_says,
    unknown,
    warned,
)
from ..facts import AccountFacts, Facts, HelperFacts, HostFacts, SubordinateRange
from ..gates import host_files, host_view, reported_rootless
from ..procfs import text
from ..values import Json, Remediation, Severity

__all__ = ["CHECKS", "ranges_of"]

_ROOT = "the account is root: the question is what an ordinary account needs"


def ranges_of(account: AccountFacts, ranges: tuple[SubordinateRange, ...]) -> tuple[SubordinateRange, ...]:
    """Return an account's own ranges; files list them by name or by number."""
    return tuple(r for r in ranges if r.owner in (account.name, str(account.uid)))


def _shown(ranges: tuple[SubordinateRange, ...] | None) -> Json:
    return None if ranges is None else [f"{r.owner}:{r.start}:{r.size}" for r in ranges]


def _count(ranges: tuple[SubordinateRange, ...]) -> int:
    """Return the number of ids in ranges; an id that stands in two of them counts once."""
    total, end = 0, 0
    for r in sorted(ranges, key=lambda r: r.start):
        total += max(0, r.start + r.size - max(r.start, end))
        end = max(end, r.start + r.size)
    return total


def _subid_ranges(facts: Facts) -> Finding:
    host = host_of(facts)
    account = host.account
    if account.uid == 0:
        return inapplicable(_ROOT)
    evidence = [host_says("/etc/subuid", _shown(host.subuid)), host_says("/etc/subgid", _shown(host.subgid))]
    fix = add_ranges(host, account, engine=facts.engine)
    if host.missing and (host.subuid is None or host.subgid is None):
        return failed(f"missing: {', '.join(host.missing)}", *evidence, fix=fix)
    if host.subuid is None or host.subgid is None:
        return unknown("the subordinate ids of this host cannot be read", *evidence)
    uids, gids = (_count(ranges_of(account, ranges)) for ranges in (host.subuid, host.subgid))
    conflicts = []
    mapped = facts.engine.uid_mappings if facts.engine and reported_rootless(facts) else None
    if mapped is not None:
        evidence.append(
            engine_says("GET /libpod/info host.idMappings.uidmap", [f"{r.inside} {r.outside} {r.size}" for r in mapped])
        )
        if len(mapped) == 1 and mapped[0].size == 1:
            conflicts.append("the engine runs with a single id: it has not taken up any range (podman system migrate)")
    summary = f"{account.name} has {uids} subordinate uids and {gids} gids"
    if not uids or not gids:
        return failed(summary, *evidence, conflicts=conflicts, fix=fix)
    if min(uids, gids) < ENOUGH:
        return warned(f"{summary}; images use up to {ENOUGH}", *evidence, conflicts=conflicts, fix=fix)
    return passed(summary, *evidence, conflicts=conflicts, fix=fix)


def _subid_overlap(facts: Facts) -> Finding:
    host = host_of(facts)
    evidence = [host_says("/etc/subuid", _shown(host.subuid)), host_says("/etc/subgid", _shown(host.subgid))]
    if host.missing and (host.subuid is None or host.subgid is None):
        return inapplicable(f"missing: {', '.join(host.missing)}", *evidence)
    if host.subuid is None or host.subgid is None:
        return unknown("the subordinate ids of this host cannot be read", *evidence)
    if not host.subuid and not host.subgid:
        return inapplicable("no account has subordinate ids", *evidence)
    for what, ranges in (("uids", host.subuid), ("gids", host.subgid)):
        ordered = sorted(ranges, key=lambda r: r.start)
        for low, high in pairwise(ordered):
            if low.owner != high.owner and high.start < low.start + low.size:
                text = f"{low.owner} and {high.owner} share subordinate {what} from {high.start}"
                return failed(text, *evidence, fix=move_range(high, host, f"sub{what[:-1]}"))
    names = {uid: name for uid, name in host.users.items() if uid != 0}
    for r in host.subuid:
        for uid, name in names.items():
            if r.start <= uid < r.start + r.size:
                text = f"the subordinate uids of {r.owner} contain {name}'s own uid {uid}"
                return failed(text, *evidence, fix=move_range(r, host, "subuid"))
    return passed(f"{len(host.subuid)} ranges, none shared", *evidence)


def _helper_works(helper: HelperFacts) -> bool:
    return helper.path is not None and not helper.nosuid and (helper.setuid_root or helper.capable)


def _idmap_helpers(facts: Facts) -> Finding:
    host = host_of(facts)
    if not host.helpers:
        return unknown("the programs were not looked for")
    evidence = [
        host_says(h.name, {"path": h.path, "setuid root": h.setuid_root, "capability": h.capable, "nosuid": h.nosuid})
        for h in host.helpers
    ]
    broken = [h for h in host.helpers if not _helper_works(h)]
    if not broken:
        how = "setuid root" if all(h.setuid_root for h in host.helpers) else "file capability"
        return passed(f"{' and '.join(h.name for h in host.helpers)} may write id maps ({how})", *evidence)
    missing = [h.name for h in broken if h.path is None]
    if missing:
        fix = Remediation(
            "Install them.", ("apt-get install uidmap   # or: dnf install shadow-utils",), needs_root=True
        )
        return failed(f"not installed: {', '.join(missing)}", *evidence, fix=fix)
    names = ", ".join(h.name for h in broken)
    if any(h.nosuid for h in broken):
        fix = Remediation(
            "Mount that file system without nosuid, also in its line of /etc/fstab.",
            tuple(f"mount -o remount,suid $(findmnt -no TARGET --target {h.path})" for h in broken[:1]),
            needs_root=True,
        )
        return failed(f"{names}: on a file system mounted nosuid", *evidence, fix=fix)
    fix = Remediation("Give the privilege back.", tuple(f"chmod u+s {h.path}" for h in broken), needs_root=True)
    return failed(f"{names}: neither setuid root nor with the capability", *evidence, fix=fix)


def _userns_allowed(facts: Facts) -> Finding:
    host = host_of(facts)
    evidence = host_says(f"unshare(CLONE_NEWUSER) and a uid map, as uid {host.account.uid}", host.userns)
    if host.userns is None:
        return unknown(f"it could not be tried as {host.account.name}", evidence)
    if host.userns == 0:
        return passed(f"{host.account.name} can make user namespaces", evidence)
    why = _REFUSED.get(host.userns, "")
    text = f"{host.account.name} cannot make a user namespace: {os.strerror(host.userns)}{why} (errno {host.userns})"
    fix = allow_by_profile(host) if _restricted(host) else None
    return failed(text, evidence, fix=fix or Remediation("See userns-sysctls for the setting that forbids it."))


#: What an errno of unshare(CLONE_NEWUSER), or of writing the map, means.
_REFUSED = {
    1: ", by a setting, by AppArmor, or by the seccomp filter of a container around this process",
    13: ", by AppArmor or SELinux",
    22: ", as this kernel has no user namespaces",
    28: ", as user.max_user_namespaces is reached or 0",
    38: ", as this kernel has no such call",
    87: ", as too many are nested",
}


def _restricted(host: HostFacts) -> bool:
    return host.sysctls.get("kernel.apparmor_restrict_unprivileged_userns") == "1"


def _userns_sysctls(facts: Facts) -> Finding:
    values = host_of(facts).sysctls
    evidence = [host_says(name, value) for name, value in values.items() if "userns" in name or "namespaces" in name]
    if values.get("user.max_user_namespaces") == "0":
        fix = set_sysctl("Allow them.", "user.max_user_namespaces", "15000")
        return failed("user.max_user_namespaces is 0", *evidence, fix=fix)
    if values.get("kernel.unprivileged_userns_clone") == "0":
        fix = set_sysctl("Allow them.", "kernel.unprivileged_userns_clone", "1")
        return failed("kernel.unprivileged_userns_clone is 0", *evidence, fix=fix)
    if _restricted(host_of(facts)):
        text = "only programs with an AppArmor profile for it may use user namespaces"
        return warned(text, *evidence, fix=allow_by_profile(host_of(facts)))
    return informed(f"user.max_user_namespaces is {values.get('user.max_user_namespaces') or 'not known'}", *evidence)


def _runtime_dir(facts: Facts) -> Finding:
    host = host_of(facts)
    if host.account.uid == 0:
        return inapplicable(_ROOT)
    evidence = host_says(
        "XDG_RUNTIME_DIR",
        {"path": host.runtime_dir, "mode": None if host.runtime_dir_mode is None else f"{host.runtime_dir_mode:04o}"},
    )
    fix = Remediation(
        "Log in as the account (ssh, or machinectl shell), not by su or sudo, which do not make the folder.",
        (f"machinectl shell {host.account.name}@",),
    )
    if host.runtime_dir is None:
        return failed("there is no runtime folder", evidence, fix=fix)
    if host.runtime_dir_uid is None or host.runtime_dir_mode is None:
        return failed(f"{host.runtime_dir} does not exist", evidence, fix=fix)
    if host.runtime_dir_uid != host.account.uid:
        return failed(f"{host.runtime_dir} belongs to uid {host.runtime_dir_uid}", evidence, fix=fix)
    if host.runtime_dir_mode & 0o022:
        return warned(f"{host.runtime_dir} can be written by others (mode {host.runtime_dir_mode:04o})", evidence)
    return passed(f"{host.runtime_dir}, mode {host.runtime_dir_mode:04o}", evidence)


def _linger(facts: Facts) -> Finding:
    host = host_of(facts)
    if host.account.uid == 0:
        return inapplicable(_ROOT)
    evidence = host_says(f"/var/lib/systemd/linger/{host.account.name}", host.linger)
    if not host.systemd:
        return unknown("systemd does not run here: what keeps containers alive after logout is not known", evidence)
    if host.linger:
        return passed("containers outlive the account's last session", evidence)
    fix = Remediation("Keep the account's services running.", (f"loginctl enable-linger {host.account.name}",), True)
    return warned("containers end with the account's last session", evidence, fix=fix)


def _network_helper(facts: Facts) -> Finding:
    if facts.engine is None:
        if facts.host is None:
            return unknown("neither an engine nor a host to look at")
        helpers = facts.host.network_helpers
        evidence = host_says("network helpers on PATH", list(helpers))
        text = "Install one: slirp4netns serves every version, passt Podman from 4.4 on."
        fix = Remediation(text, ("apt-get install slirp4netns",), needs_root=True)
        if not helpers:
            return failed("neither pasta nor slirp4netns is installed", evidence, fix=fix)
        return passed(f"installed: {', '.join(helpers)}", evidence)
    engine, rootless = facts.engine, reported_rootless(facts)
    evidence = engine_says("network helper", engine.network_helper)
    if rootless is False:
        return inapplicable("a rootful engine needs no helper", evidence)
    helper = engine.network_helper
    if helper is None and facts.peer is not None and host_view(facts).open:
        helper, evidence = (
            facts.peer.network,
            kernel_says("--net= of the process around the engine", facts.peer.network),
        )
    if helper is None:
        return unknown("the engine does not say which helper it uses", evidence)
    if "slirp4netns" in helper:
        slow = "slirp4netns: slow, and connections lose their source address"
        return warned(slow, evidence, fix=better_network(engine))
    return passed(helper, evidence)


def _unprivileged_ports(facts: Facts) -> Finding:
    if facts.engine is not None and reported_rootless(facts) is False:
        return inapplicable("a rootful engine may publish every port")
    value = host_of(facts).sysctls.get("net.ipv4.ip_unprivileged_port_start")
    evidence = host_says("net.ipv4.ip_unprivileged_port_start", value)
    if value is None or not value.isdecimal():
        return unknown("the setting cannot be read", evidence)
    if value == "0":
        return passed("every port can be published without root", evidence)
    text = "Publish a higher port, or lower the limit for everybody."
    fix = set_sysctl(text, "net.ipv4.ip_unprivileged_port_start", "80")
    return warned(f"host ports below {value} cannot be published without root", evidence, fix=fix)


def _ping_range(facts: Facts) -> Finding:
    answers = facts.probe.answers if facts.probe else None
    if answers is None:
        gate = host_files(facts)
        if not gate.open or facts.host is None:
            return unknown(gate.reason or "there is no host to look at")
        value = facts.host.sysctls.get("net.ipv4.ping_group_range")
        return informed(f"the host's range is {value or 'not known'}", host_says("net.ipv4.ping_group_range", value))
    inside, code = text(answers.files.get("/proc/sys/net/ipv4/ping_group_range")), answers.syscalls.get("socket_ping")
    evidence = [probe_says("/proc/sys/net/ipv4/ping_group_range", inside), probe_says("socket(ICMP datagram)", code)]
    can = "can" if code == 0 else "cannot"
    return informed(f"a container's root {can} ping without a capability", *evidence)


def _storage_driver(facts: Facts) -> Finding:
    engine = engine_of(facts)
    driver, program = engine.storage_driver, engine.mount_program
    evidence = [engine_says("storage driver", driver), engine_says("mount program", program or None)]
    if driver is None:
        return unknown("the engine does not name its storage driver", *evidence)
    if driver == "vfs":
        fix = Remediation("Use overlay; changing the driver hides the images that are there.")
        return failed("vfs copies every layer in full", *evidence, fix=fix)
    if program or "fuse" in driver:
        return warned(f"{driver} through {program or driver}, outside the kernel: slower", *evidence)
    return passed(f"{driver}, in the kernel", *evidence)


def _delegation(facts: Facts) -> Finding:
    host = host_of(facts)
    if host.account.uid == 0:
        return inapplicable(_ROOT)
    version = facts.engine.cgroup_version if facts.engine else None
    if version == 1 or (version is None and host.unified_cgroups is False):
        if facts.engine is not None:
            return inapplicable("cgroup version 1 delegates nothing: no limits without root")
        seen = host_says("/sys/fs/cgroup/cgroup.controllers exists", False)
        return warned("cgroup version 1: no limit holds for an engine without root", seen, fix=UNIFIED)
    delegated = host.controllers_delegated
    evidence = host_says(
        f"cgroup.controllers of user@{host.account.uid}.service", list(delegated) if delegated is not None else None
    )
    if delegated is None:
        return unknown("the account has no session under systemd to look at", evidence)
    missing = [name for name in ("cpu", "cpuset", "io", "memory", "pids") if name not in delegated]
    if missing:
        return warned(f"not delegated: {', '.join(missing)}", evidence, fix=DELEGATE)
    return passed("every controller is delegated", evidence)


CHECKS: tuple[Check, ...] = (
    Check("subid-ranges", "Has the account subordinate ids", "D", Severity.HIGH, "F", _subid_ranges),
    Check("subid-overlap", "Are subordinate ids nobody else's", "D", Severity.HIGH, "F", _subid_overlap),
    Check("idmap-helpers", "May newuidmap and newgidmap do their work", "D", Severity.HIGH, "F", _idmap_helpers),
    Check("userns-allowed", "Can the account make a user namespace", "D", Severity.HIGH, "F", _userns_allowed),
    Check(
        "userns-sysctls", "Do the kernel's settings allow user namespaces", "D", Severity.MEDIUM, "F", _userns_sysctls
    ),
    Check("runtime-dir", "Is there a runtime folder", "D", Severity.MEDIUM, "F", _runtime_dir),
    Check("linger", "Do containers outlive a logout", "D", Severity.LOW, "F", _linger),
    Check("network-helper", "What carries a rootless container's network", "D", Severity.LOW, "", _network_helper),
    Check(
        "unprivileged-ports", "Which ports can be published without root", "D", Severity.LOW, "F", _unprivileged_ports
    ),
    Check("ping-range", "Who may ping", "D", Severity.LOW, "", _ping_range),
    Check("storage-driver", "Does the store share layers in the kernel", "D", Severity.MEDIUM, "E", _storage_driver),
    Check("cgroup-delegation", "Which controllers may the account use", "E", Severity.MEDIUM, "F", _delegation),
)
