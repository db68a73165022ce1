"""Group G: what a container shares with the host through the kernel."""

from __future__ import annotations

import errno

from ..._text import split_lines
from ..check import (
    Check,
    Finding,
    answers_of,
    engine_of,
    engine_says,
    failed,
    host_says,
    informed,
    passed,
    probe_says,
    unknown,
    warned,
)
from ..facts import Facts
from ..gates import composed_map, host_view, probe_map
from ..procfs import WHOLE, host_id, text
from ..values import Evidence, Remediation, Severity
from .confinement import errno_name

__all__ = ["CHECKS"]

_PLAIN_DEVICES = frozenset(
    (
        *("null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts"),
        *("shm", "mqueue", "fd", "stdin", "stdout", "stderr", "core"),
    )
)


def _shared_kernel(facts: Facts) -> Finding:
    answers, engine = answers_of(facts), engine_of(facts)
    release, boot = (text(answers.files.get(f"/proc/sys/kernel/{name}")) for name in ("osrelease", "random/boot_id"))
    ours = facts.host.boot_id if facts.host else None
    evidence = [
        probe_says("uname -r, boot id", [release, boot]),
        engine_says("GET /info KernelVersion", engine.kernel),
        host_says("boot id", ours),
    ]
    fix = Remediation(
        "Inherent to containers. Where it is too little: a virtual machine for each (Kata, gVisor, microVMs)."
    )
    if boot and boot == ours:
        return warned("containers run on this host's own kernel: its bugs are everybody's", *evidence, fix=fix)
    if release and engine.kernel == release:
        return warned("containers run on the kernel of the engine's host: its bugs are everybody's", *evidence, fix=fix)
    if release and engine.kernel:
        return passed(f"containers run on kernel {release}, the engine on {engine.kernel}", *evidence)
    return unknown("the engine or the probe does not tell its kernel", *evidence)


def _modules(facts: Facts) -> Finding:
    answers = answers_of(facts)
    code, locked = answers.syscalls.get("init_module"), answers.files.get("/proc/sys/kernel/modules_disabled")
    evidence = [
        probe_says("init_module(NULL, 0, NULL)", errno_name(code)),
        probe_says("/proc/sys/kernel/modules_disabled", text(locked) if isinstance(locked, bytes) else "absent"),
    ]
    if code == errno.ENOSYS:
        return passed("the kernel takes no modules", *evidence)
    if code == errno.EPERM:
        return passed("a container cannot load a kernel module", *evidence)
    if code in (0, errno.EFAULT, errno.EINVAL, errno.ENOEXEC):
        return failed("a container can load modules into the host's kernel", *evidence)
    return unknown(f"the call ended with {errno_name(code)}", *evidence)


def _clock(facts: Facts) -> Finding:
    answers = answers_of(facts)
    code, inside = answers.syscalls.get("settimeofday"), answers.links.get("/proc/self/ns/time")
    evidence: list[Evidence] = [
        probe_says("settimeofday(NULL, NULL)", errno_name(code)),
        probe_says("/proc/self/ns/time", inside),
    ]
    shared = "the clock is the host's"
    if facts.host is not None and facts.host.time_namespace and host_view(facts).open:
        evidence.append(host_says("/proc/self/ns/time", facts.host.time_namespace))
        same = inside == facts.host.time_namespace
        shared = "the clock is the host's" if same else "the wall clock is the host's, the monotonic one is not"
    if code == 0:
        return failed(f"{shared}, and a container can set it", *evidence)
    if code in (errno.EPERM, errno.ENOSYS):
        return passed(f"{shared}, and a container cannot set it", *evidence)
    return unknown(f"the call ended with {errno_name(code)}", *evidence)


def _keyring(facts: Facts) -> Finding:
    code, inside = answers_of(facts).syscalls.get("keyctl"), probe_map(facts)
    evidence = [
        probe_says("keyctl(GET_KEYRING_ID, user keyring)", errno_name(code)),
        probe_says("/proc/self/uid_map", _map(inside)),
    ]
    composed = composed_map(facts)
    if code in (errno.EPERM, errno.ENOSYS, errno.EACCES):
        return passed("keyrings are closed to containers", *evidence)
    if code in (0, errno.ENOKEY):
        if inside is None:
            return unknown("keyrings can be reached, and whose they are depends on a map that is missing", *evidence)
        if inside == WHOLE and (composed is None or host_id(0, composed) == 0):
            fix = Remediation("Give containers a user namespace, or a seccomp profile that closes keyctl.")
            return failed("a container reaches the keyring of the host's root", *evidence, fix=fix)
        return passed("keyrings can be reached; those of the container's own user namespace", *evidence)
    return unknown(f"the call ended with {errno_name(code)}", *evidence)


def _map(ranges: object) -> str | None:
    return None if ranges is None else "the host's" if ranges == WHOLE else "its own"


def _devices(facts: Facts) -> Finding:
    answers = answers_of(facts)
    found, disks = answers.folders.get("/dev"), answers.folders.get("/sys/block")
    if not isinstance(found, tuple):
        return unknown("the probe's /dev cannot be read")
    beyond = [name for name in found if name not in _PLAIN_DEVICES]
    evidence = [
        probe_says("/dev", list(found)),
        probe_says("/sys/block", list(disks) if isinstance(disks, tuple) else errno_name(disks)),
        probe_says("mknod", errno_name(answers.syscalls.get("mknod"))),
    ]
    if beyond:
        return warned(f"devices beyond the plain ones: {', '.join(beyond[:8])}", *evidence)
    return passed(f"only the {len(found)} plain entries in /dev", *evidence)


def _host_info(facts: Facts) -> Finding:
    answers = answers_of(facts)
    memory = split_lines(text(answers.files.get("/proc/meminfo")) or "")[:1]
    load = text(answers.files.get("/proc/loadavg"))
    groups = split_lines(text(answers.files.get("/proc/self/cgroup")) or "")
    disks = answers.folders.get("/sys/block")
    evidence = [
        probe_says("/proc/meminfo", memory[0] if memory else None),
        probe_says("/proc/loadavg", load),
        probe_says("/proc/self/cgroup", groups),
        probe_says("/sys/block", list(disks) if isinstance(disks, tuple) else None),
    ]
    return informed("a container sees the host's memory, load and disks by name", *evidence)


CHECKS: tuple[Check, ...] = (
    Check("shared-kernel", "Do containers run on the host's kernel", "G", Severity.MEDIUM, "EP", _shared_kernel),
    Check("module-loading", "Can a container load kernel modules", "G", Severity.CRITICAL, "EP", _modules),
    Check("clock", "Can a container set the host's clock", "G", Severity.HIGH, "EP", _clock),
    Check("keyring", "Can a container reach the host's keys", "G", Severity.HIGH, "EP", _keyring),
    Check("devices", "Which devices a container has", "G", Severity.MEDIUM, "EP", _devices),
    Check("host-info", "What a container sees of the host", "G", Severity.LOW, "EP", _host_info),
)
