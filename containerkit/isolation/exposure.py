"""Judge what a running container was given: each way out, with its evidence, its severity and how to avoid it. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from .advice import command
from .audited import ContainerFacts, MountFacts
from .check import engine_says, kernel_says
from .facts import Facts
from .gates import reported_rootless
from .mounts import RANK, Reach, is_disk, reached
from .values import Evidence, Json, Remediation, Severity

__all__ = ["Exposure", "Setting", "exposures", "host_namespaces", "setting_of", "unknowns"]

_LOW, _MEDIUM, _HIGH, _CRITICAL = Severity


@dataclass(frozen=True, slots=True)
class Exposure:
    """One thing that weakens a container's isolation.

    Attributes:
        id: stable name ("mount", "privileged", "host-pid").
        severity: "critical" is a way to root of the host.
        summary: one sentence with the fact in it.
        evidence: what was seen, and by whom.
        remediation: the option or command that avoids it.
    """

    id: str
    severity: Severity
    summary: str
    evidence: tuple[Evidence, ...] = ()
    remediation: Remediation | None = None

    def to_dict(self) -> dict[str, Json]:
        """Return the finding as JSON-ready types."""
        return {
            "id": self.id,
            "severity": str(self.severity),
            "summary": self.summary,
            "evidence": [item.to_dict() for item in self.evidence],
            "remediation": self.remediation.to_dict() if self.remediation else None,
        }


@dataclass(frozen=True, slots=True)
class Setting:
    """Facts of an engine that decide how bad an option of its containers is.

    Attributes:
        command: "docker" or "podman".
        root: False if the engine runs without root.
        remapped: True if its containers have uids of their own by default.
        sockets, store: paths on the engine's host.
        present: those of all known places that exist on the engine's host; None if unknown.
        labels, profiles: whether it uses SELinux, AppArmor; None if unknown.
    """

    command: str = "docker"
    root: bool = True
    remapped: bool = False
    sockets: tuple[str, ...] = ()
    store: str | None = None
    present: frozenset[str] | None = None
    labels: bool | None = None
    profiles: bool | None = None


def setting_of(facts: Facts) -> Setting:
    """Return what the facts of an engine mean for its containers."""
    engine, options = facts.engine, (facts.engine.security_options if facts.engine else None) or ()
    own = (facts.socket.path, facts.socket.real_path) if facts.socket else ()
    return Setting(
        command=command(engine),
        root=reported_rootless(facts) is not True,
        remapped="name=userns" in options,
        sockets=tuple(dict.fromkeys((*own, *facts.listening))),
        store=engine.root_dir if engine else None,
        present=facts.present,
        labels="name=selinux" in options or bool(engine and engine.selinux),
        profiles="name=apparmor" in options or bool(engine and engine.apparmor),
    )


def host_namespaces(container: ContainerFacts, others: Iterable[ContainerFacts] = ()) -> Mapping[str, str]:
    """Return namespace -> how the container came to the host's: "host", "container:X, which has the host's", "seen"."""
    by_id = {other.id: other for other in others}
    named = {other.name: other for other in others}
    found = {}
    for key, mode in container.modes.items():
        name, chain, seen = {"network": "net", "userns": "user"}.get(key, key), "", set()
        while mode.startswith("container:") and mode not in seen:
            seen.add(mode)
            target = mode.partition(":")[2]
            other = by_id.get(target) or named.get(target)
            chain += f"container:{other.label if other else target[:12]}, which has "
            mode = other.modes.get(key, "") if other else ""
        if mode == "host":
            found[name] = f"{chain}the host's" if chain else "host"
    if container.kernel is not None:
        found.update({n: "seen" for n in container.kernel.shared if n != "user" and n not in found})
    return found


def exposures(
    container: ContainerFacts, setting: Setting, others: Iterable[ContainerFacts] = ()
) -> tuple[Exposure, ...]:
    """Return what weakens a container's isolation, worst first; () for a default container with limits."""
    root = _is_root(container, setting)
    spaces = host_namespaces(container, tuple(others))
    rules: tuple[Callable[[], Iterator[Exposure]], ...] = (
        lambda: _privileged(container, setting, root),
        lambda: _mounts(container, setting, root),
        lambda: _namespaces(container, setting, root, spaces),
        lambda: _capabilities(container, setting, root, spaces),
        lambda: _confinement(container, setting, root),
        lambda: _devices(container, setting, root),
        lambda: _limits(container, setting),
    )
    found = [exposure for rule in rules for exposure in rule()]
    return tuple(sorted(found, key=lambda exposure: -RANK[exposure.severity]))


def unknowns(container: ContainerFacts, setting: Setting) -> tuple[str, ...]:
    """Return what could not be found out about a container."""
    if container.problem:
        return (container.problem,)
    kernel, missing = container.kernel, []
    unseen = "the engine does not report it, and this host does not show it"
    if kernel is None and container.masked is None and not container.privileged:
        missing.append(f"whether /proc is masked: {unseen}")
    ruled = container.privileged or container.device_rules or (kernel is not None and kernel.device_rules is not None)
    if setting.command == "podman" and _is_root(container, setting) and not ruled:
        missing.append(f"device rules: {unseen}")
    return tuple(missing)


def _is_root(container: ContainerFacts, setting: Setting) -> bool:
    """Return whether root in the container is root on the host, as far as known; unknown counts as yes."""
    if container.kernel is not None:
        return container.kernel.root_uid == 0
    if not setting.root:
        return False
    mode = container.modes.get("userns", "")
    return mode == "host" if setting.remapped else mode not in ("private", "auto", "keep-id", "nomap")


def _fix(setting: Setting, text: str, options: str = "") -> Remediation:
    return Remediation(text, (f"{setting.command} run {options} IMAGE",) if options else ())


def _privileged(container: ContainerFacts, setting: Setting, root: bool) -> Iterator[Exposure]:
    if container.privileged:
        what = "every device and capability of the host" if root else "everything that the engine's account may do"
        yield Exposure(
            "privileged",
            _CRITICAL if root else _HIGH,
            f"privileged: {what}",
            (engine_says("HostConfig.Privileged", True),),
            _fix(setting, "Give only the capability or device that is needed.", "--cap-add NAME --device PATH"),
        )


def _mounts(container: ContainerFacts, setting: Setting, root: bool) -> Iterator[Exposure]:
    for mount in container.mounts:
        path = mount.real or mount.source
        own = mount.volume and (mount.real is None or mount.real == mount.source)
        evidence = (engine_says("Mounts[]", _shown(mount)),)
        through = () if own else tuple(_reach(mount, path, setting, root, evidence))
        yield from through
        if mount.propagation in ("shared", "rshared"):
            able = container.privileged or "SYS_ADMIN" in container.cap_add or "ALL" in container.cap_add
            yield Exposure(
                "propagation",
                (_CRITICAL if root else _HIGH) if able else _LOW,
                f"what the container mounts in {mount.target} appears in {path} of the host"
                + ("" if able else ", once it may mount"),
                evidence,
                _fix(setting, "Keep mounts private.", f"-v {mount.source}:{mount.target}:rprivate"),
            )
        if root and mount.writable and not own and mount.users_reach and not _is_critical(through):
            yield Exposure(
                "setuid",
                _MEDIUM,
                f"a setuid program that the container puts in {path} makes an account of the host root",
                (*evidence, kernel_says("other accounts reach it, without nosuid", path)),
                _fix(setting, "Use a volume, or mount read-only.", f"-v {mount.source}:{mount.target}:ro"),
            )


def _is_critical(found: Iterable[Exposure]) -> bool:
    return any(exposure.severity is _CRITICAL for exposure in found)


def _through(path: str, writable: bool, setting: Setting, root: bool) -> tuple[Reach, ...]:
    return reached(
        path, writable=writable, root=root, sockets=setting.sockets, store=setting.store, present=setting.present
    )


def _reach(
    mount: MountFacts, path: str, setting: Setting, root: bool, evidence: tuple[Evidence, ...]
) -> Iterator[Exposure]:
    found = _through(path, mount.writable, setting, root)
    if not found and mount.node in ("socket", "block"):
        severity = {"socket": _MEDIUM, "block": _CRITICAL}[mount.node] if root else _LOW
        yield Exposure("mount", severity, f"mounts the {mount.node} node {path} of the host", evidence, None)
        return
    if not found:
        return
    worst = found[0]
    first = [r for r in found if r.severity is worst.severity]
    shown = "; ".join(f"{r.path} ({r.what})" for r in first[:3]) + (f" and {len(first) - 3} more" if first[3:] else "")
    mode = "writable" if mount.writable else "read-only"
    places: Json = [{"path": r.path, "what": r.what, "severity": str(r.severity)} for r in found]
    evidence = (*evidence, engine_says("reached through it", places))
    if any(r.kind == "socket" for r in first):
        text = (
            "Do not mount an engine's socket; run an engine without root for it, or put a filtering proxy in between."
        )
        yield Exposure("engine-socket", worst.severity, f"{path} {mode}: reaches {shown}", evidence, Remediation(text))
        return
    still = _through(path, False, setting, root)
    helps = mount.writable and (not still or RANK[still[0].severity] < RANK[worst.severity])
    fix = _fix(setting, "Mount read-only.", f"-v {mount.source}:{mount.target}:ro") if helps else None
    yield Exposure(
        "mount",
        worst.severity,
        f"{path} {mode}: reaches {shown}",
        evidence,
        fix or _fix(setting, "Mount only the files that are needed, or use a volume.", f"-v NAME:{mount.target}"),
    )


def _shown(mount: MountFacts) -> dict[str, Json]:
    shown: dict[str, Json] = {"source": mount.source, "target": mount.target, "writable": mount.writable}
    if mount.real and mount.real != mount.source:
        shown["resolved"] = mount.real
    return {**shown, "propagation": mount.propagation} if mount.propagation else shown


_SPACES: Mapping[str, tuple[Severity, str]] = {
    "pid": (_HIGH, "sees and signals every process of the host"),
    "net": (_HIGH, "reaches every service on the host's loopback and abstract sockets"),
    "ipc": (_MEDIUM, "reads and writes shared memory of the host's programs"),
    "uts": (_LOW, "shares the host's name"),
}


def _namespaces(
    container: ContainerFacts, setting: Setting, root: bool, spaces: Mapping[str, str]
) -> Iterator[Exposure]:
    for name, how in spaces.items():
        if name not in _SPACES:
            continue
        severity, what = _SPACES[name]
        tracer = name == "pid" and root and {"SYS_PTRACE", "SYS_ADMIN", "ALL"} & set(container.cap_add)
        option = {"net": "network"}.get(name, name)
        mode = container.modes.get(option, "")
        seen = how == "seen" or (container.kernel is not None and name in container.kernel.shared)
        via = f" by {how}" if how.startswith("container:") else ""
        yield Exposure(
            f"host-{name}",
            _CRITICAL if tracer or (name == "pid" and root and container.privileged) else severity,
            f"the host's {name} namespace{via}: {what}" + (" and may take them over" if tracer else ""),
            (
                engine_says(f"HostConfig {option} mode", mode if how != "host" else "host"),
                *([kernel_says(f"/proc/PID/ns/{name} is the engine's", True)] if seen else []),
            ),
            _fix(setting, f"Leave out --{option}, or join a container that has a namespace of its own."),
        )
    if setting.remapped and container.modes.get("userns") == "host":
        yield Exposure(
            "host-user",
            _HIGH,
            "root in the container is root on the host, against the engine's own setting",
            (engine_says("HostConfig.UsernsMode", "host"),),
            _fix(setting, "Leave out --userns=host."),
        )


_DEFAULT = frozenset(
    (
        *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP"),
        *("NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
    )
)
_CAPABILITIES: Mapping[str, tuple[Severity, str]] = {
    "ALL": (_CRITICAL, "everything that root may do"),
    "SYS_ADMIN": (_CRITICAL, "mounts, and much of what root may do"),
    "SYS_MODULE": (_CRITICAL, "loads code into the kernel"),
    "SYS_RAWIO": (_CRITICAL, "writes to hardware and memory"),
    "DAC_READ_SEARCH": (_CRITICAL, "opens any file of the host's disk by its number"),
    "SYS_PTRACE": (_MEDIUM, "takes over processes that it sees"),
    "SYS_BOOT": (_HIGH, "restarts the host"),
    "BPF": (_HIGH, "loads programs into the kernel"),
    "PERFMON": (_HIGH, "traces the kernel"),
    "MAC_ADMIN": (_HIGH, "changes the rules of access"),
    "MAC_OVERRIDE": (_HIGH, "passes the rules of access"),
    "SYS_TIME": (_MEDIUM, "sets the host's clock"),
    "SYSLOG": (_MEDIUM, "reads addresses of the kernel"),
    "NET_ADMIN": (_MEDIUM, "changes its network; with the host's network, the host's"),
}


def _capabilities(
    container: ContainerFacts, setting: Setting, root: bool, spaces: Mapping[str, str]
) -> Iterator[Exposure]:
    for name in dict.fromkeys(cap.upper() for cap in container.cap_add):
        if name in _DEFAULT or container.privileged:
            continue
        severity, what = _CAPABILITIES.get(name, (_LOW, "more than a container has by default"))
        if name == "NET_ADMIN" and "net" in spaces:
            severity = _HIGH
        yield Exposure(
            "capability",
            severity if root else _LOW,
            f"capability {name}: {what}" + ("" if root else ", over the container's own namespaces only"),
            (engine_says("HostConfig.CapAdd", list(container.cap_add)),),
            _fix(setting, f"Leave out --cap-add {name}; --cap-drop all and single capabilities show what is needed."),
        )


def _confinement(container: ContainerFacts, setting: Setting, root: bool) -> Iterator[Exposure]:
    options = [option.replace(":", "=", 1) for option in container.security]
    kernel, privileged = container.kernel, container.privileged
    said = engine_says("HostConfig.SecurityOpt", list(container.security))
    if not privileged:
        if "seccomp=unconfined" in options or (kernel is not None and kernel.seccomp == 0):
            seen = [kernel_says("/proc/PID/status Seccomp", kernel.seccomp)] if kernel is not None else []
            yield Exposure(
                "seccomp", _HIGH, "no filter on system calls", (said, *seen), _fix(setting, "Keep the default profile.")
            )
        elif allowed := allowed_calls(container.seccomp_profile):
            whole = allowed == _GUARDED
            calls = "every guarded call" if whole else ", ".join(allowed)
            yield Exposure(
                "seccomp",
                _HIGH if whole else _MEDIUM,
                f"the seccomp profile allows {calls}",
                (said, engine_says("allowed without a capability", list(allowed))),
                _fix(setting, "Start from the engine's default profile and add single calls."),
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
                _fix(setting, "Leave out systempaths=unconfined and unmask=."),
            )
    loose = [("apparmor=unconfined", setting.profiles), ("label=disable", setting.labels and not privileged)]
    for option, used in loose:
        if option in options and used:
            yield Exposure(
                option.partition("=")[0],
                _MEDIUM,
                f"security option {option}",
                (said,),
                _fix(setting, f"Leave out {option}."),
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


def _devices(container: ContainerFacts, setting: Setting, root: bool) -> Iterator[Exposure]:
    for device in container.devices:
        if container.privileged:
            break
        found = reached(device.path, writable=True)
        if device.node == "block" or is_disk(device.path):
            severity, what = _CRITICAL, "a disk of the host"
        elif found and found[0].severity is _CRITICAL:
            severity, what = _CRITICAL, found[0].what
        else:
            severity, what = (_MEDIUM, "a device of the host") if found else (_LOW, "a device that guards itself")
        yield Exposure(
            "device",
            severity if root else _LOW,
            f"device {device.path}: {what}",
            (engine_says("HostConfig.Devices", [d.path for d in container.devices]),),
            _fix(setting, f"Leave out --device {device.path}."),
        )
    rules = list(container.device_rules)
    source = [engine_says("HostConfig.DeviceCgroupRules", rules)]
    if root and not rules and not container.privileged and container.kernel and container.kernel.device_rules:
        rules = [r for r in container.kernel.device_rules if _wide(r) or _open(r)]
        source = [kernel_says("devices.list of its control group", rules)]
    for rule in rules:
        wide = _wide(rule)
        yield Exposure(
            "device-rule",
            (_CRITICAL if wide else _MEDIUM) if root else _LOW,
            f"device rule {rule!r}: " + ("disks or memory of the host can be opened" if wide else "a kind of device"),
            tuple(source),
            _fix(setting, "Name one device instead of a rule.", "--device PATH"),
        )


def _open(rule: str) -> bool:
    """Return whether a rule opens a whole kind of device that a default container cannot open (136: terminals)."""
    kind, numbers, access = [*rule.split(), "", "", ""][:3]
    return kind == "c" and "*" in numbers and numbers != "136:*" and bool({"r", "w"} & set(access))


def _wide(rule: str) -> bool:
    """Return whether a rule lets a container open a disk, or the memory of the host."""
    kind, numbers, access = [*rule.split(), "", "", ""][:3]
    if not {"r", "w"} & set(access):
        return False  # making a node alone opens nothing
    return kind in ("a", "b") or (kind == "c" and numbers in ("*:*", "1:*", "1:1", "1:2", "1:4"))


def _limits(container: ContainerFacts, setting: Setting) -> Iterator[Exposure]:
    if container.open_ports:
        ports = ", ".join(str(port or "of the engine's choice") for port in container.open_ports)
        yield Exposure(
            "ports",
            _LOW,
            f"ports open on every address: {ports}",
            (engine_says("HostConfig.PortBindings", list(container.open_ports)),),
            _fix(setting, "Publish on one address.", f"-p 127.0.0.1:{container.open_ports[0]}:PORT"),
        )
    for name, value, option in (
        ("memory", container.memory, "--memory 512m"),
        ("processes", container.pids, "--pids-limit 2048"),
    ):
        if not value or value < 0:
            evidence = (engine_says(f"HostConfig limit on {name}", value),)
            yield Exposure("limit", _LOW, f"no limit on {name}", evidence, _fix(setting, "Give a limit.", option))
