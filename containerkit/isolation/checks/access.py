"""Group B: who can command the engine. Whoever commands a rootful engine can become root."""

from __future__ import annotations

from ..._text import split_lines
from ..advice import go_rootless, leave_group
from ..check import (
    Check,
    Finding,
    engine_of,
    engine_says,
    failed,
    host_says,
    inapplicable,
    informed,
    kernel_says,
    passed,
    probe_says,
    socket_of,
    this_process,
    unknown,
    warned,
)
from ..facts import Facts, SocketFacts
from ..gates import host_view, owner_uid, reported_rootless
from ..mounts import sockets_in
from ..program import ROOT_ONLY_SOURCE, ROOT_ONLY_TARGET
from ..setting import setting_of
from ..values import Evidence, Remediation, Severity

__all__ = ["CHECKS"]

_EACCES, _EPERM = 13, 1


def _owner(facts: Facts) -> Finding:
    peer = facts.peer
    if peer is None:
        return unknown("the engine is not reached through a socket of this host")
    evidence = kernel_says("SO_PEERCRED", {"pid": peer.pid, "uid": peer.uid, "command": peer.command})
    who = f" ({peer.command})" if peer.command else ""
    return informed(f"the engine's socket was made by uid {peer.uid}{who}", evidence)


def _rootless(facts: Facts) -> Finding:
    engine = engine_of(facts)
    options = list(engine.security_options) if engine.security_options is not None else None
    evidence = [
        engine_says("GET /info SecurityOptions", options),
        engine_says("GET /info Rootless", engine.compat_rootless),
        engine_says("GET /libpod/info host.security.rootless", engine.libpod_rootless),
    ]
    said, owner = reported_rootless(facts), owner_uid(facts)
    if owner is not None:
        evidence.append(kernel_says("SO_PEERCRED uid", owner))
    if said is None:
        if owner == 0:
            return failed(
                "the engine's socket is root's; the engine itself does not say", *evidence, fix=go_rootless(facts)
            )
        return unknown("the engine does not say in a form that can be read", *evidence)
    conflicts = []
    if owner is not None and said != (owner != 0):
        conflicts.append(f"the engine says rootless={str(said).lower()}, its socket was made by uid {owner}")
    if engine.libpod_rootless is not None and engine.compat_rootless not in (None, engine.libpod_rootless):
        conflicts.append("libpod and the compatible API disagree")
    if conflicts:
        return warned("the evidence disagrees on whether the engine is rootless", *evidence, conflicts=conflicts)
    if said:
        return passed("the engine runs without root", *evidence)
    return failed("the engine runs as root", *evidence, fix=go_rootless(facts))


def _daemonless(facts: Facts) -> Finding:
    outside, engine = facts.probe.outside if facts.probe else None, engine_of(facts)
    if outside is not None and outside.parent and host_view(facts).open:
        evidence = kernel_says(f"/proc/{outside.pid}: command of the parent", outside.parent)
        if outside.parent == "conmon":
            return passed("each container has its own monitor; only the API that an SDK needs is a service", evidence)
        if outside.parent.startswith("containerd-shim"):
            return failed("containers are made and kept by a daemon", evidence)
        return unknown(f"the container's parent is {outside.parent!r}, which is not known", evidence)
    reason = host_view(facts).reason or "the container's parent cannot be seen from this host"
    how = "has a monitor for each container" if engine.libpod else "keeps containers by a daemon"
    return informed(f"an engine of this kind {how}; not seen: {reason}", engine_says("libpod", engine.libpod))


def _ways_in(sock: SocketFacts) -> tuple[bool, bool]:
    """Return whether others, and whether the socket's group, can write to it and reach it through every folder."""
    others = bool(sock.mode & 0o002) and all(folder.mode & 0o001 for folder in sock.folders)
    group = bool(sock.mode & 0o020) and all(
        folder.mode & 0o001 or (folder.gid == sock.gid and folder.mode & 0o010) for folder in sock.folders
    )
    return others, group


def _socket_permissions(facts: Facts) -> Finding:
    sock = socket_of(facts)
    closed = [folder for folder in sock.folders if not folder.mode & 0o001]
    evidence = [
        host_says(f"stat {sock.real_path}", {"mode": f"{sock.mode:04o}", "uid": sock.uid, "gid": sock.gid}),
        host_says("folders that others may not pass", [f"{f.path} {f.mode:04o}" for f in closed]),
    ]
    if sock.acl:
        evidence.append(host_says("system.posix_acl_access", list(sock.acl)))
    others, group = _ways_in(sock)
    bits = f"mode {sock.mode:04o}"
    if others:
        severity = Severity.CRITICAL if owner_uid(facts) == 0 else Severity.HIGH
        fix = Remediation(
            "Take the right to write away from others.", (f"chmod o-w {sock.real_path}",), needs_root=True
        )
        return failed(f"every user of this host can command the engine ({bits})", *evidence, fix=fix, severity=severity)
    if sock.acl:
        return warned(f"an access list lets {', '.join(sock.acl)} command the engine", *evidence)
    if group and sock.gid == 0:  # root's own group: the members that are not root count
        members = [name for name in _in_group(facts, sock) if name not in ("root", sock.owner)]
        if members:
            return warned(f"{', '.join(members)}, of group root, can command the engine ({bits})", *evidence)
    elif group and sock.group is not None:
        return warned(f"every member of group {sock.group} can command the engine ({bits})", *evidence)
    if group and sock.group is None and not _owners_own(facts, sock.gid):
        return warned(f"gid {sock.gid}, which has no name here, can command the engine ({bits})", *evidence)
    if facts.client.uid not in (-1, 0, sock.uid):
        return warned(f"{_me(facts)} can command the engine, though it is not its owner ({bits})", *evidence)
    owner = sock.owner or f"uid {sock.uid}"
    who = "root" if owner == "root" else f"{owner} and root"
    where = f", behind {closed[-1].path} with mode {closed[-1].mode:04o}" if closed else ""
    return passed(f"only {who} can command the engine ({bits}{where})", *evidence)


def _owners_own(facts: Facts, gid: int) -> bool:
    """Return whether a nameless group is a subordinate group of the account that runs the engine."""
    host = facts.host
    if host is None or host.subgid is None or owner_uid(facts) != host.account.uid:
        return False
    return any(
        r.start <= gid < r.start + r.size for r in host.subgid if r.owner in (host.account.name, str(host.account.uid))
    )


def _me(facts: Facts) -> str:
    return facts.client.user or f"uid {facts.client.uid}"


def _in_group(facts: Facts, sock: SocketFacts) -> tuple[str, ...]:
    """Return the members of the socket's group; this process's account counts if the process has the group."""
    mine = {_me(facts)} if sock.gid in facts.client.groups and facts.client.uid > 0 else set()
    return tuple(sorted({*(sock.group_members or ()), *mine} - {"root"}))


def _group_members(facts: Facts) -> Finding:
    sock = socket_of(facts)
    if owner_uid(facts) != 0:
        return inapplicable("the engine is not root's: its socket's group gives nobody root")
    if not sock.mode & 0o020:
        return inapplicable("no group may write to the socket")
    name, members = sock.group or f"gid {sock.gid}", _in_group(facts, sock)
    evidence = [
        host_says(f"members of {name}", list(sock.group_members) if sock.group_members is not None else None),
        host_says(f"accounts with {name} as their primary group", list(sock.primary_members)),
        host_says("name services that need not list their accounts", list(sock.unlisted)),
        this_process("uid, os.getgroups()", [facts.client.uid, *facts.client.groups]),
    ]
    if members:
        mine = "; this process has the group" if sock.gid in facts.client.groups and facts.client.uid > 0 else ""
        return warned(
            f"{', '.join(members)} can be root through group {name}{mine}",
            *evidence,
            fix=leave_group(name, [m for m in members if m not in sock.primary_members], sock.primary_members),
        )
    if sock.group_members is None:
        return unknown(f"the members of {name} cannot be listed", *evidence)
    if sock.unlisted:
        services = ", ".join(sock.unlisted)
        return unknown(f"group {name} has no member in this host's files; {services} need not list all", *evidence)
    return passed(f"group {name} has no member but root", *evidence)


def _root_equivalence(facts: Facts) -> Finding:
    engine, rootless, owner = engine_of(facts), reported_rootless(facts), owner_uid(facts)
    evidence = [engine_says("the engine reports that it is rootless", rootless)]
    if owner is not None:
        evidence.append(kernel_says("SO_PEERCRED uid", owner))
    opened, seen = _opened_root_file(facts)
    evidence += seen
    if opened is True:
        return failed("whoever commands this engine can open root's own files", *evidence, fix=go_rootless(facts))
    if rootless is False or owner == 0:
        if engine.authorization:
            evidence.append(engine_says("GET /info Plugins.Authorization", list(engine.authorization)))
            plugins = ", ".join(engine.authorization)
            return warned(
                f"the engine runs as root; the plugin {plugins} decides which requests it accepts",
                *evidence,
                conflicts=["the engine reports that it is rootless"] if rootless else [],
            )
        how = "" if opened is None else ": --userns=host switches the mapping off"
        return failed(
            f"the engine runs as root, so whoever commands it can open root's files{how}",
            *evidence,
            conflicts=["the engine reports that it is rootless"] if rootless else [],
            fix=go_rootless(facts),
        )
    if opened is None:
        return unknown("no container showed whether root's files can be opened", *evidence)
    if rootless is None:
        return unknown("a default container cannot; whether another can depends on the engine's account", *evidence)
    return passed("the engine has no root to give: a container cannot open a file of the host's root", *evidence)


def _opened_root_file(facts: Facts) -> tuple[bool | None, list[Evidence]]:
    """Return whether the probe could open a file that only the host's root may open, and what was seen."""
    probe = facts.probe
    if probe is None or probe.answers is None:
        return None, []
    if not probe.root_file:
        return None, [probe_says(f"mount of {ROOT_ONLY_SOURCE}", "refused")]
    code, mode = probe.answers.opened.get(ROOT_ONLY_TARGET), probe.answers.root_only_mode
    evidence = [
        probe_says(f"open {ROOT_ONLY_SOURCE}, mounted read-only", "opened" if code == 0 else code),
        probe_says("its mode and uid as seen inside", {"mode": f"{mode[0]:04o}", "uid": mode[1]} if mode else None),
    ]
    if mode is None or mode[0] & 0o077 or code not in (0, _EACCES, _EPERM):
        return None, evidence
    return code == 0, evidence


_HTTP = ("API is accessible on http://",)
_NO_VERIFY = "without TLS client verification"


def _tcp_exposed(facts: Facts) -> Finding:
    engine = engine_of(facts)
    if engine.libpod:
        evidence = engine_says("GET /libpod/info host.remoteSocket.path", engine.remote_socket)
        if (engine.remote_socket or "").startswith("tcp:"):
            return failed("the API listens on TCP; whether with TLS, the engine does not say", evidence)
        return unknown("this socket is local; another service of the same engine could listen on TCP", evidence)
    evidence = engine_says("GET /info Warnings", list(engine.warnings) if engine.warnings is not None else None)
    if engine.warnings is None:
        return unknown("the engine does not give its warnings", evidence)
    open_ones = [w for w in engine.warnings if any(text in w for text in _HTTP) or _NO_VERIFY in w]
    if open_ones:
        fix = Remediation("Listen on a unix socket only, or demand client certificates; use ssh:// from afar.")
        return failed(
            f"anyone who reaches the port commands the engine: {split_lines(open_ones[0])[0]}", evidence, fix=fix
        )
    return passed("the engine warns of no TCP address without client certificates", evidence)


def _transport(facts: Facts) -> Finding:
    client = facts.client
    evidence = this_process("endpoint", client.url)
    if client.transport == "tcp":
        fix = Remediation("Use ssh:// or TLS with client certificates.")
        return failed(
            "this connection goes over TCP without TLS: anyone on the way can read and command", evidence, fix=fix
        )
    if client.transport == "unclear":
        return unknown("whether this TCP connection uses TLS could not be found out", evidence)
    return passed(f"this connection goes over {client.transport}", evidence)


def _socket_in_containers(facts: Facts) -> Finding:
    if facts.containers is None:
        return unknown(facts.containers_problem or "the containers were not listed")
    known = setting_of(facts)
    holders = {
        c.label: [s for m in c.mounts for s in sockets_in(m.real or m.source, known.sockets, known.present)]
        for c in facts.containers
    }
    found = {name: sockets for name, sockets in holders.items() if sockets}
    unseen = [c.label for c in facts.containers if c.problem]
    evidence: list[Evidence] = [engine_says("sockets that Mounts[].Source reaches", found)]
    if found:
        return warned(f"{', '.join(found)}: can command the engine through a mounted socket", *evidence)
    if unseen:
        return unknown(f"could not be looked into: {', '.join(unseen)}", *evidence)
    return passed(f"none of {len(facts.containers)} running containers holds an engine's socket", *evidence)


CHECKS: tuple[Check, ...] = (
    Check("engine-owner", "Which account runs the engine", "B", Severity.LOW, "EH", _owner),
    Check("engine-rootless", "Does the engine run without root", "B", Severity.MEDIUM, "E", _rootless),
    Check("daemonless", "Do containers live without a daemon", "B", Severity.LOW, "E", _daemonless),
    Check("socket-permissions", "Who may write to the engine's socket", "B", Severity.HIGH, "ES", _socket_permissions),
    Check("docker-group", "Who is in the group of a root engine's socket", "B", Severity.HIGH, "ES", _group_members),
    Check(
        "root-equivalence", "Can who commands the engine open root's files", "B", Severity.HIGH, "E", _root_equivalence
    ),
    Check("tcp-exposed", "Can the engine be commanded over the network", "B", Severity.CRITICAL, "E", _tcp_exposed),
    Check("client-transport", "Is this connection private", "B", Severity.CRITICAL, "E", _transport),
    Check(
        "socket-in-containers", "Do containers hold the engine's socket", "B", Severity.HIGH, "E", _socket_in_containers
    ),
)
