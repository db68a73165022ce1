"""Group F: how a default container is confined."""

from __future__ import annotations

import errno

from ..advice import run_with
from ..check import (
    Check,
    Finding,
    answers_of,
    engine_of,
    engine_says,
    failed,
    informed,
    passed,
    probe_says,
    unknown,
    warned,
)
from ..facts import Facts
from ..gates import probe_map
from ..procfs import WHOLE, capability_names, parse_mountinfo, parse_status, text
from ..program import FILTERED
from ..values import Evidence, Remediation, Severity

__all__ = ["CHECKS", "errno_name"]

#: With one of these capabilities, root in a container is close to root on the host.
_DANGEROUS = frozenset(
    (
        *("SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "SYS_TIME", "SYS_BOOT", "SYSLOG", "NET_ADMIN"),
        *("DAC_READ_SEARCH", "BPF", "PERFMON", "MAC_ADMIN", "MAC_OVERRIDE", "CHECKPOINT_RESTORE", "LINUX_IMMUTABLE"),
    )
)
_STOPPED = (errno.EPERM, errno.ENOSYS, errno.EACCES)
_LOOSE = 2  # Podman's own profile lets two of these calls through
_DOUBTFUL = frozenset(("NET_RAW", "MKNOD"))


def errno_name(code: int | None) -> str:
    """Return the name of a result: OK, EPERM, …"""
    return "not asked" if code is None else "OK" if code == 0 else errno.errorcode.get(code, f"errno {code}")


def _status(facts: Facts, field: str) -> str | None:
    return parse_status(text(answers_of(facts).files.get("/proc/self/status"))).get(field)


def _seccomp(facts: Facts) -> Finding:
    mode, profile = _status(facts, "Seccomp"), engine_of(facts).seccomp_profile
    calls = {name: answers_of(facts).syscalls.get(name) for name in FILTERED}
    evidence = [
        probe_says("/proc/self/status Seccomp", mode),
        engine_says("seccomp profile", profile),
        probe_says("calls that a default profile stops", {name: errno_name(code) for name, code in calls.items()}),
    ]
    fix = Remediation("Remove the setting that names this profile, so that the engine uses its own.")
    if mode == "2":
        conflicts = ["the engine says unconfined, the kernel filters"] if profile in ("", "unconfined") else []
        through = [name for name, code in calls.items() if code not in (None, *_STOPPED)]
        if through and len(through) == sum(code is not None for code in calls.values()):
            return failed(
                f"a filter is installed and lets everything through: {', '.join(through)}", *evidence, fix=fix
            )
        if len(through) > _LOOSE:
            return warned(f"the filter lets {', '.join(through)} through", *evidence, conflicts=conflicts, fix=fix)
        return passed("system calls are filtered", *evidence, conflicts=conflicts)
    if mode == "0":
        conflicts = (
            ["the engine names a profile, the kernel does not filter"]
            if profile not in (None, "", "unconfined")
            else []
        )
        return failed("system calls are not filtered", *evidence, conflicts=conflicts, fix=fix)
    return unknown(f"the kernel reports Seccomp {mode}", *evidence)


def _no_new_privileges(facts: Facts) -> Finding:
    value, options = _status(facts, "NoNewPrivs"), engine_of(facts).security_options
    evidence = [
        probe_says("/proc/self/status NoNewPrivs", value),
        engine_says("GET /info SecurityOptions", list(options) if options is not None else None),
    ]
    if value == "1":
        return passed("setuid programs give nothing", *evidence)
    if value == "0":
        fix = Remediation(
            "Ask for it where a container needs no setuid program.",
            (run_with(facts, "--security-opt no-new-privileges"),),
        )
        conflicts = ["the engine lists no-new-privileges"] if "name=no-new-privileges" in (options or ()) else []
        return warned("setuid programs in a container give privileges", *evidence, conflicts=conflicts, fix=fix)
    return unknown(f"the kernel tells NoNewPrivs {value}", *evidence)


def _mac(facts: Facts) -> Finding:
    engine, probe = engine_of(facts), facts.probe
    value = answers_of(facts).files.get("/proc/self/attr/current")
    label = text(value)
    evidence: list[Evidence] = [
        probe_says(
            "/proc/self/attr/current",
            label if label is not None else errno_name(value if isinstance(value, int) else None),
        ),
        engine_says("apparmor, selinux", [engine.apparmor, engine.selinux]),
        engine_says("AppArmorProfile, ProcessLabel", [probe.apparmor_profile, probe.process_label] if probe else None),
    ]
    claimed = bool(engine.apparmor or engine.selinux or (probe and (probe.apparmor_profile or probe.process_label)))
    if label and label.endswith("(complain)"):
        fix = Remediation("Load the profile in enforce mode.", (f"aa-enforce {label.split()[0]}",), needs_root=True)
        return warned(
            f"AppArmor logs what {label.split()[0]} forbids and allows it (complain mode)", *evidence, fix=fix
        )
    if label and not label.startswith("unconfined") and ":unconfined_t:" not in label and label != "kernel":
        return passed(f"confined as {label}", *evidence)
    conflicts = ["the engine names a profile, the kernel shows none"] if claimed else []
    fix = Remediation("Use a host with AppArmor or SELinux; there both engines confine by default.")
    return warned("neither AppArmor nor SELinux confines a container", *evidence, conflicts=conflicts, fix=fix)


def _capabilities(facts: Facts) -> Finding:
    mask = _status(facts, "CapEff")
    names = capability_names(mask)
    evidence = [
        probe_says("/proc/self/status CapEff", mask),
        probe_says("by name", list(names) if names is not None else None),
    ]
    if names is None:
        return unknown("the kernel's capability mask is missing", *evidence)
    inside = probe_map(facts)
    scope = "" if inside in (WHOLE, None) else ", over the container's own namespaces only"
    dangerous = [name for name in names if name in _DANGEROUS]
    doubtful = [name for name in names if name in _DOUBTFUL]
    if dangerous:
        return failed(f"{len(names)} capabilities, among them {', '.join(dangerous)}{scope}", *evidence)
    if doubtful:
        fix = Remediation(
            "Drop what is not needed.", (run_with(facts, " ".join(f"--cap-drop {name}" for name in doubtful)),)
        )
        return warned(f"{len(names)} capabilities, among them {', '.join(doubtful)}{scope}", *evidence, fix=fix)
    return passed(f"{len(names)} capabilities, none of them dangerous{scope}", *evidence)


def _surface(facts: Facts) -> Finding:
    calls = {name: errno_name(code) for name, code in answers_of(facts).syscalls.items()}
    closed = sum(code in ("EPERM", "ENOSYS", "EACCES") for code in calls.values())
    return informed(f"{closed} of {len(calls)} delicate system calls are closed", probe_says("system calls", calls))


def _nested_userns(facts: Facts) -> Finding:
    code = answers_of(facts).syscalls.get("unshare_user")
    evidence = probe_says("unshare(CLONE_NEWUSER)", errno_name(code))
    if code == 0:
        return warned("a container can make user namespaces, which opens more of the kernel to it", evidence)
    if code in (errno.EPERM, errno.ENOSYS, errno.EACCES, errno.ENOSPC):
        return passed("a container cannot make user namespaces", evidence)
    return unknown(f"the call ended with {errno_name(code)}", evidence)


def _io_uring(facts: Facts) -> Finding:
    code = answers_of(facts).syscalls.get("io_uring_setup")
    evidence = probe_says("io_uring_setup(1, NULL)", errno_name(code))
    if code in (errno.EPERM, errno.ENOSYS):
        return passed("io_uring is closed to containers, or not in this kernel", evidence)
    if code == errno.EFAULT:
        return warned("io_uring can be reached: calls made through it pass the filter by", evidence)
    return unknown(f"the call ended with {errno_name(code)}", evidence)


_HIDDEN = ("/proc/kcore", "/proc/keys")


def _masking(facts: Facts) -> Finding:
    answers = answers_of(facts)
    mounts = parse_mountinfo(text(answers.files.get("/proc/self/mountinfo")))
    if not any(mount.target == "/proc" for mount in mounts):
        return unknown("the probe's mounts cannot be read")
    last = {mount.target: mount for mount in mounts}
    problems = []
    if "/proc/sys" not in last or "ro" not in last["/proc/sys"].options:
        problems.append("/proc/sys can be written")
    opened = {
        "/proc/kcore": answers.opened.get("/proc/kcore"),
        "/proc/keys": _errno_of(answers.files.get("/proc/keys")),
    }
    problems += [f"{path} is not hidden" for path in _HIDDEN if opened[path] == 0 and path not in last]
    firmware = answers.folders.get("/sys/firmware")
    if isinstance(firmware, tuple) and firmware and "/sys/firmware" not in last:
        problems.append("/sys/firmware is not hidden")
    shown = {
        path: ",".join(sorted(mount.options)) for path, mount in last.items() if path.startswith(("/proc/", "/sys/fi"))
    }
    evidence = [
        probe_says("mounts over /proc and /sys/firmware", shown),
        probe_says("opened", {k: errno_name(v) for k, v in opened.items()}),
    ]
    if problems:
        return failed("; ".join(problems), *evidence)
    return passed("the kernel's delicate files are hidden or read-only", *evidence)


def _errno_of(value: bytes | int | None) -> int | None:
    return value if isinstance(value, int) else 0 if value is not None else None


CHECKS: tuple[Check, ...] = (
    Check("seccomp", "Are system calls filtered", "F", Severity.HIGH, "EP", _seccomp),
    Check("no-new-privileges", "Can a setuid program give privileges", "F", Severity.LOW, "EP", _no_new_privileges),
    Check("mac", "Does AppArmor or SELinux confine", "F", Severity.MEDIUM, "EP", _mac),
    Check(
        "default-capabilities", "Which capabilities has root in a container", "F", Severity.MEDIUM, "EP", _capabilities
    ),
    Check("syscall-surface", "Which delicate system calls are open", "F", Severity.LOW, "EP", _surface),
    Check("nested-userns", "Can a container make user namespaces", "F", Severity.LOW, "EP", _nested_userns),
    Check("io-uring", "Is io_uring closed", "F", Severity.MEDIUM, "EP", _io_uring),
    Check("proc-masking", "Are the kernel's delicate files hidden", "F", Severity.HIGH, "EP", _masking),
)
