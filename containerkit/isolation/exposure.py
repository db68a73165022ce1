"""Judge what a running container was given: each way out, with its evidence, its severity and how to avoid it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from .audited import ContainerFacts, MountFacts
from .check import engine_says, kernel_says
from .confinement import confinement, devices
from .mounts import RANK, Reach, reached
from .setting import Exposure, Setting, advise
from .values import Evidence, Json, Remediation, Severity

__all__ = ["exposures", "host_namespaces", "unknowns"]

_LOW, _MEDIUM, _HIGH, _CRITICAL = Severity


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
        lambda: confinement(container, setting, root),
        lambda: devices(container, setting, root),
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
    read_only = [m.source for m in container.mounts if not m.writable and not m.volume]
    if kernel is None and any(_through(s, True, setting, True) != _through(s, False, setting, True) for s in read_only):
        missing.append(f"whether mounts below a read-only one are writable: {unseen}")
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


def _privileged(container: ContainerFacts, setting: Setting, root: bool) -> Iterator[Exposure]:
    if container.privileged:
        what = "every device and capability of the host" if root else "everything that the engine's account may do"
        yield Exposure(
            "privileged",
            _CRITICAL if root else _HIGH,
            f"privileged: {what}",
            (engine_says("HostConfig.Privileged", True),),
            advise(setting, "Give only the capability or device that is needed.", "--cap-add NAME --device PATH"),
        )


def _mounts(container: ContainerFacts, setting: Setting, root: bool) -> Iterator[Exposure]:
    for mount in container.mounts:
        path = mount.real or mount.source
        own = mount.volume and (mount.real is None or mount.real == mount.source)
        evidence = (engine_says("Mounts[]", _shown(mount)),)
        through = () if own else tuple(_reach(mount, path, setting, root, evidence))
        yield from through
        if not mount.writable and not own:
            yield from _submounts(container, mount, path, setting, root, evidence)
        if mount.propagation in ("shared", "rshared"):
            able = container.privileged or "SYS_ADMIN" in container.cap_add or "ALL" in container.cap_add
            yield Exposure(
                "propagation",
                (_CRITICAL if root else _HIGH) if able else _LOW,
                f"what the container mounts in {mount.target} appears in {path} of the host"
                + ("" if able else ", once it may mount"),
                evidence,
                advise(setting, "Keep mounts private.", f"-v {mount.source}:{mount.target}:rprivate"),
            )
        if root and mount.writable and not own and mount.users_reach and not _is_critical(through):
            yield Exposure(
                "setuid",
                _MEDIUM,
                f"a setuid program that the container puts in {path} makes an account of the host root",
                (*evidence, kernel_says("other accounts reach it, without nosuid", path)),
                advise(setting, "Use a volume, or mount read-only.", f"-v {mount.source}:{mount.target}:ro"),
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
    fix = advise(setting, "Mount read-only.", f"-v {mount.source}:{mount.target}:ro") if helps else None
    yield Exposure(
        "mount",
        worst.severity,
        f"{path} {mode}: reaches {shown}",
        evidence,
        fix or advise(setting, "Mount only the files that are needed, or use a volume.", f"-v NAME:{mount.target}"),
    )


def _submounts(
    container: ContainerFacts,
    mount: MountFacts,
    path: str,
    setting: Setting,
    root: bool,
    evidence: tuple[Evidence, ...],
) -> Iterator[Exposure]:
    """Yield what a read-only mount leaves writable: read-only counts for the folder, not for mounts below it."""
    below = f"{mount.target.rstrip('/')}/"
    targets = [t for t in (container.kernel.submounts if container.kernel else ()) if t.startswith(below)]
    found: dict[str, Reach] = {}
    for target in targets:
        for reach in _through(f"{path.rstrip('/')}/{target[len(below) :]}", True, setting, root):
            found.setdefault(reach.path, reach)
    worst = max(found.values(), key=lambda reach: RANK[reach.severity], default=None)
    if worst is None:
        return
    still = _through(path, False, setting, root)
    if still and RANK[still[0].severity] >= RANK[worst.severity]:
        return
    given = f"{mount.source}:{mount.target}:ro"
    option = (
        f"-v {given},bind"
        if setting.command == "podman"
        else f"--mount type=bind,source={mount.source},target={mount.target},readonly,bind-nonrecursive"
    )
    yield Exposure(
        "submount",
        worst.severity,
        f"{path} is read-only, but mounts below it are writable: {worst.path} ({worst.what})"
        + (f" and {len(targets) - 1} more" if targets[1:] else ""),
        (*evidence, kernel_says("mountinfo: writable below it", targets)),
        advise(setting, "Leave out what is mounted below the folder.", option),
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
            advise(setting, f"Leave out --{option}, or join a container that has a namespace of its own."),
        )
    if setting.remapped and container.modes.get("userns") == "host":
        yield Exposure(
            "host-user",
            _HIGH,
            "root in the container is root on the host, against the engine's own setting",
            (engine_says("HostConfig.UsernsMode", "host"),),
            advise(setting, "Leave out --userns=host."),
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
            advise(setting, f"Leave out --cap-add {name}; --cap-drop all and single capabilities show what is needed."),
        )


def _limits(container: ContainerFacts, setting: Setting) -> Iterator[Exposure]:
    if container.open_ports:
        ports = ", ".join(str(port or "of the engine's choice") for port in container.open_ports)
        yield Exposure(
            "ports",
            _LOW,
            f"ports open on every address: {ports}",
            (engine_says("HostConfig.PortBindings", list(container.open_ports)),),
            advise(setting, "Publish on one address.", f"-p 127.0.0.1:{container.open_ports[0]}:PORT"),
        )
    for name, value, option in (
        ("memory", container.memory, "--memory 512m"),
        ("processes", container.pids, "--pids-limit 2048"),
    ):
        if not value or value < 0:
            evidence = (engine_says(f"HostConfig limit on {name}", value),)
            yield Exposure("limit", _LOW, f"no limit on {name}", evidence, advise(setting, "Give a limit.", option))
