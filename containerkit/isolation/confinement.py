"""Judge what confines a container: system calls, masked paths, profiles, devices. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .audited import ContainerFacts
from .check import engine_says, kernel_says
from .mounts import is_disk, reached
from .setting import Exposure, Setting, advise
from .values import Severity

__all__ = ["allowed_calls", "confinement", "devices"]

_LOW, _MEDIUM, _HIGH, _CRITICAL = Severity


def confinement(container: ContainerFacts, setting: Setting, root: bool) -> Iterator[Exposure]:
    """Yield what a container lacks of filters, masks and profiles."""
    options = [option.replace(":", "=", 1) for option in container.security]
    kernel, privileged = container.kernel, container.privileged
    said = engine_says("HostConfig.SecurityOpt", list(container.security))
    if not privileged:
        if "seccomp=unconfined" in options or (kernel is not None and kernel.seccomp == 0):
            seen = [kernel_says("/proc/PID/status Seccomp", kernel.seccomp)] if kernel is not None else []
            yield Exposure(
                "seccomp",
                _HIGH,
                "no filter on system calls",
                (said, *seen),
                advise(setting, "Keep the default profile."),
            )
        elif allowed := allowed_calls(container.seccomp_profile):
            whole = allowed == _GUARDED
            calls = "every guarded call" if whole else ", ".join(allowed)
            yield Exposure(
                "seccomp",
                _HIGH if whole else _MEDIUM,
                f"the seccomp profile allows {calls}",
                (said, engine_says("allowed without a capability", list(allowed))),
                advise(setting, "Start from the engine's default profile and add single calls."),
            )
        uncovered = container.masked is False
        writable = kernel.writable if kernel is not None else ()
        if uncovered or writable or (kernel is not None and kernel.exposed):
            seen = []
            if kernel is not None:
                seen = [
                    kernel_says("mountinfo: writable", list(writable)),
                    kernel_says("visible", list(kernel.exposed)),
                ]
            yield Exposure(
                "system-paths",
                _CRITICAL if root and (uncovered or "/proc/sys" in writable) else _HIGH if root else _MEDIUM,
                "paths of /proc and /sys are not masked"
                + (": /proc/sys is writable, which holds the command for core dumps" if root else ""),
                (engine_says("HostConfig.MaskedPaths, SecurityOpt", [container.masked, *container.security]), *seen),
                advise(setting, "Leave out systempaths=unconfined and unmask=."),
            )
    loose = [("apparmor=unconfined", setting.profiles), ("label=disable", setting.labels and not privileged)]
    for option, used in loose:
        if option in options and used:
            yield Exposure(
                option.partition("=")[0],
                _MEDIUM,
                f"security option {option}",
                (said,),
                advise(setting, f"Leave out {option}."),
            )


_GUARDED = ("init_module", "finit_module", "kexec_load", "mount", "bpf", "setns", "open_by_handle_at", "reboot")
_ALLOWS = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")


def allowed_calls(profile: str | None) -> tuple[str, ...]:
    """Return which guarded system calls a seccomp profile allows to every container; () without a valid profile."""
    try:
        rules = json.loads(profile or "")
        default = str(rules["defaultAction"])
        table = [rule for rule in rules.get("syscalls") or () if isinstance(rule, dict)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
    allowed = []
    for call in _GUARDED:
        actions = [
            str(rule.get("action"))
            for rule in table
            if call in (rule.get("names") or [rule.get("name")]) and not rule.get("args") and not rule.get("includes")
        ]
        if (actions[0] if actions else default) in _ALLOWS:
            allowed.append(call)
    return tuple(allowed)


def devices(container: ContainerFacts, setting: Setting, root: bool) -> Iterator[Exposure]:
    """Yield the devices of the host that a container can open. The memory of the host opens only with SYS_RAWIO."""
    raw = bool({"SYS_RAWIO", "ALL"} & set(container.cap_add))
    for device in container.devices:
        if container.privileged:
            break
        found = reached(device.path, writable=True)
        if device.node == "block" or is_disk(device.path):
            severity, what = _CRITICAL, "a disk of the host"
        elif found and found[0].severity is _CRITICAL:
            severity, what = (_CRITICAL, found[0].what) if raw else (_MEDIUM, f"{found[0].what}, for SYS_RAWIO alone")
        else:
            severity, what = (_MEDIUM, "a device of the host") if found else (_LOW, "a device that guards itself")
        yield Exposure(
            "device",
            severity if root else _LOW,
            f"device {device.path}: {what}",
            (engine_says("HostConfig.Devices", [d.path for d in container.devices]),),
            advise(setting, f"Leave out --device {device.path}."),
        )
    rules = list(container.device_rules)
    source = [engine_says("HostConfig.DeviceCgroupRules", rules)]
    if root and not rules and not container.privileged and container.kernel and container.kernel.device_rules:
        rules = [r for r in container.kernel.device_rules if _wide(r, raw=True) or _open(r)]
        source = [kernel_says("devices.list of its control group", rules)]
    for rule in rules:
        wide = _wide(rule, raw=raw)
        yield Exposure(
            "device-rule",
            (_CRITICAL if wide else _MEDIUM) if root else _LOW,
            f"device rule {rule!r}: " + ("the host's disks or memory can be opened" if wide else "a kind of device"),
            tuple(source),
            advise(setting, "Name one device instead of a rule.", "--device PATH"),
        )


_MEMORY = ("1:*", "1:1", "1:2", "1:4")  # mem, kmem, port


def _open(rule: str) -> bool:
    """Return whether a rule opens a whole kind of device that a default container cannot open (136: terminals)."""
    kind, numbers, access = [*rule.split(), "", "", ""][:3]
    return kind == "c" and "*" in numbers and numbers != "136:*" and bool({"r", "w"} & set(access))


def _wide(rule: str, *, raw: bool) -> bool:
    """Return whether a rule lets a container open a disk, every device, or (with SYS_RAWIO) the host's memory."""
    kind, numbers, access = [*rule.split(), "", "", ""][:3]
    if not {"r", "w"} & set(access):
        return False  # making a node alone opens nothing
    return kind in ("a", "b") or (kind == "c" and (numbers == "*:*" or (raw and numbers in _MEMORY)))
