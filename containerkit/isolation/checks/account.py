"""Group D, continued: the kernel, the devices, the programs and the session that an account's rootless engine uses."""

from __future__ import annotations

import re

from ..check import Check, Finding, failed, host_of, host_says, inapplicable, passed, unknown, warned
from ..facts import Facts
from ..values import Remediation, Severity

__all__ = ["CHECKS"]

_ROOT = "the account is root: the question is what an ordinary account needs"
_UNPRIVILEGED_OVERLAY = (5, 11)  # the first kernel that lets a user namespace mount overlays
_NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "9p", "afs", "lustre", "fuse.sshfs")


def _overlay(facts: Facts) -> Finding:
    host = host_of(facts)
    evidence = [
        host_says("/proc/sys/kernel/osrelease", host.kernel),
        host_says("/proc/filesystems or modules: overlay", host.overlay),
        host_says("fuse-overlayfs", host.fuse_overlayfs),
    ]
    found = re.match(r"(\d+)\.(\d+)", host.kernel or "")
    if found is None or host.overlay is None:
        return unknown("the kernel's release or its file systems cannot be read", *evidence)
    if host.overlay and tuple(map(int, found.groups())) >= _UNPRIVILEGED_OVERLAY:
        return passed("the kernel mounts overlays for ordinary accounts", *evidence)
    lacks = f"kernel {host.kernel}" if host.overlay else "a kernel without overlay"
    if host.fuse_overlayfs:
        return warned(f"{lacks} leaves it to fuse-overlayfs, which is slower", *evidence)
    fix = Remediation("Install fuse-overlayfs.", ("apt-get install fuse-overlayfs",), needs_root=True)
    return failed(f"{lacks} and no fuse-overlayfs: every layer is copied in full (vfs)", *evidence, fix=fix)


def _devices(facts: Facts) -> Finding:
    host = host_of(facts)
    if not host.device_modes:
        return unknown("the devices of this host cannot be read")
    shown = {path: None if mode is None else f"{mode:04o}" for path, mode in host.device_modes.items()}
    evidence = host_says("modes", shown)
    closed = [path for path, mode in host.device_modes.items() if mode is None or mode & 0o006 != 0o006]
    uses = {"/dev/net/tun": "a container's network", "/dev/fuse": "fuse-overlayfs"}
    if not closed:
        return passed("/dev/fuse and /dev/net/tun are open to every account", evidence)
    modules = {"/dev/net/tun": "tun", "/dev/fuse": "fuse"}
    lines = tuple(f"modprobe {modules[p]}" for p in closed if host.device_modes[p] is None)
    lines += tuple(f"chmod 666 {p}" for p in closed)
    fix = Remediation("Load the module and open the device to every account.", lines, needs_root=True)
    text = ", ".join(f"{path} ({uses[path]}) {'missing' if shown[path] is None else shown[path]}" for path in closed)
    return (failed if "/dev/net/tun" in closed else warned)(f"not open: {text}", evidence, fix=fix)


def _firewall(facts: Facts) -> Finding:
    found = host_of(facts).firewall
    evidence = host_says("iptables, nft", None if found is None else list(found))
    if found is None:
        return unknown("the programs were not looked for", evidence)
    fix = Remediation("Install it.", ("apt-get install iptables",), needs_root=True)
    if not found:
        return failed("neither iptables nor nft: no published ports, no networks", evidence, fix=fix)
    if "iptables" not in found:
        return warned("nft without iptables, which Docker and Podman 4 use", evidence, fix=fix)
    return passed(f"installed: {', '.join(found)}", evidence)


def _session(facts: Facts) -> Finding:
    host = host_of(facts)
    if host.account.uid == 0:
        return inapplicable(_ROOT)
    evidence = host_says(f"/run/user/{host.account.uid}/systemd/private", host.session)
    if not host.systemd:
        return unknown("systemd does not run here: the engine has to be started by hand", evidence)
    if host.session is None:
        return unknown("the account's runtime folder is closed to this process", evidence)
    if host.session:
        return passed("the account's service manager runs", evidence)
    fix = Remediation(
        "Log in by ssh or machinectl, or let the session start with the machine.",
        (f"loginctl enable-linger {host.account.name}",),
        needs_root=True,
    )
    return failed("the account has no service manager: engine and limits need a session of systemd", evidence, fix=fix)


def _home(facts: Facts) -> Finding:
    host = host_of(facts)
    account, home = host.account, host.home
    if account.uid == 0:
        return inapplicable(_ROOT)
    if account.home is None:
        return unknown("the account's home folder is not known")
    if home is None:
        text = f"{account.home} does not exist"
        line = f"install -d -m 700 -o {account.name} -g $(id -g {account.name}) {account.home}"
        seen = host_says(account.home, None)
        return failed(text, seen, fix=Remediation("Make it.", (line,), needs_root=True))
    evidence = host_says(
        home.path, {"mode": f"{home.mode:04o}", "uid": home.uid, "flags": list(home.flags), "type": home.kind}
    )
    if home.uid != account.uid or not home.mode & 0o200 or "ro" in home.flags:
        why = "is mounted read-only" if "ro" in home.flags else f"belongs to uid {home.uid}, mode {home.mode:04o}"
        owner = Remediation("Give the folder back.", (f"chown {account.name} {home.path}",), needs_root=True)
        fix = owner if home.uid != account.uid else None
        return failed(f"{account.name} cannot write {home.path}: it {why}", evidence, fix=fix)
    elsewhere = Remediation("Keep the store on a local disk: graphroot in storage.conf, data-root in daemon.json.")
    if home.kind in _NETWORK_FILE_SYSTEMS:
        text = f"{home.path} is on {home.kind}, where files cannot belong to subordinate ids"
        return failed(text, evidence, fix=elsewhere)
    loose = [flag for flag in home.flags if flag in ("nosuid", "noexec")]
    if loose:
        text = f"{home.path} is mounted {', '.join(loose)}: programs of images there lose their effect"
        return warned(text, evidence, fix=elsewhere)
    return passed(f"{home.path} is writable" + (f", on {home.kind}" if home.kind else ""), evidence)


CHECKS: tuple[Check, ...] = (
    Check(
        "rootless-overlay", "Can the account's engine share layers in the kernel", "D", Severity.MEDIUM, "F", _overlay
    ),
    Check("rootless-devices", "Are /dev/fuse and /dev/net/tun open", "D", Severity.MEDIUM, "F", _devices),
    Check("firewall-tools", "Is there a program for firewall rules", "D", Severity.LOW, "F", _firewall),
    Check("user-session", "Does the account's service manager run", "D", Severity.MEDIUM, "F", _session),
    Check("home-folder", "Can images be kept in the home folder", "D", Severity.MEDIUM, "F", _home),
)
