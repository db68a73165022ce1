"""Advise what to do about a finding, with commands for the engine that was examined, by its kind and version.

A command is to be typed as it stands on the engine's host, by root where `needs_root` says so, otherwise by the
account that runs the engine. No command overwrites a file that may exist. IMAGE stands for the user's own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .facts import AccountFacts, EngineFacts, Facts, HostFacts, SubordinateRange
from .gates import reported_rootless
from .values import Remediation

__all__ = [
    "DELEGATE",
    "ENOUGH",
    "SEPARATE_DISK",
    "UNIFIED",
    "add_ranges",
    "allow_by_profile",
    "better_network",
    "command",
    "free_start",
    "give_limit",
    "go_rootless",
    "leave_group",
    "make_limits_hold",
    "move_range",
    "numbers",
    "run_with",
    "separate_users",
    "set_sysctl",
    "version_of",
]

ENOUGH = 65536  # ids 0 to 65535, which an image may use
_FIRST_SUBORDINATE = 100000  # SUB_UID_MIN of shadow
DELEGATE = Remediation(
    "Delegate the controllers to user sessions, then log in again.",
    (
        "mkdir -p /etc/systemd/system/user@.service.d",
        r"printf '[Service]\nDelegate=cpu cpuset io memory pids\n' > /etc/systemd/system/user@.service.d/ck.conf",
        "systemctl daemon-reload",
    ),
    needs_root=True,
)
UNIFIED = Remediation(
    "Boot with cgroup version 2: put systemd.unified_cgroup_hierarchy=1 into GRUB_CMDLINE_LINUX of /etc/default/grub.",
    (
        """sed -i 's/^GRUB_CMDLINE_LINUX="/&systemd.unified_cgroup_hierarchy=1 /' /etc/default/grub""",
        "update-grub   # or: grub2-mkconfig -o /boot/grub2/grub.cfg; then reboot",
    ),
    needs_root=True,
)
SEPARATE_DISK = Remediation(
    "Keep the engine's store on a file system of its own, so that a full one does not stop the host."
)


def command(engine: EngineFacts | None) -> str:
    """Return the command line program of an engine."""
    return "podman" if engine is not None and engine.libpod else "docker"


def version_of(engine: EngineFacts | None) -> tuple[int, ...]:
    """Return the numbers of an engine's version; () if unknown."""
    return numbers(engine.version if engine is not None else "")


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, without what a distribution adds to it."""
    first = version.split("+")[0].split("-")[0].split("~")[0]
    return tuple(int(part) for part in first.split(".") if part.isdecimal())


def run_with(facts: Facts, flags: str) -> str:
    """Return a command that runs a container with further flags."""
    return f"{command(facts.engine)} run {flags} IMAGE"


def go_rootless(facts: Facts) -> Remediation:
    """Return how to run the engine without root."""
    if facts.engine is not None and facts.engine.libpod:
        return Remediation(
            "Run the engine as an ordinary account, in a session of its own (ssh, not su), and use that socket.",
            ("systemctl --user enable --now podman.socket",),
        )
    return Remediation(
        "Run a second, rootless engine as an ordinary account, in a session of its own (ssh, not su). --force: the "
        "rootful engine may go on running.",
        ("dockerd-rootless-setuptool.sh install --force", "docker context use rootless"),
    )


def leave_group(group: str, listed: Sequence[str], primary: Sequence[str]) -> Remediation:
    """Return how to take accounts out of a group; a primary group has to be replaced by another."""
    lines = [f"gpasswd -d {member} {group}" for member in listed]
    for member in primary:
        lines += [f"groupadd -f {member}", f"usermod -g {member} {member}"]
    return Remediation(
        "Treat each of these accounts as root, or take it out of the group; it has to log in again afterwards.",
        tuple(lines),
        needs_root=True,
    )


def make_limits_hold(facts: Facts) -> Remediation:
    """Return what has to change so that the kernel enforces limits."""
    engine = facts.engine
    if reported_rootless(facts) is not True:
        return Remediation(
            "The engine's host lacks these controllers. Look which ones the kernel has; switch the others on at boot.",
            ("cat /proc/cgroups",),
        )
    if engine is None or engine.cgroup_version != 2:
        return Remediation(
            "Without root, limits need cgroup version 2: boot with it, then run the engine in a systemd session.",
            (
                "stat -fc %T /sys/fs/cgroup   # cgroup2fs: version 2",
                "cat /proc/cmdline",
            ),
        )
    return DELEGATE


def give_limit(facts: Facts, flags: str, unheld: Sequence[str]) -> Remediation:
    """Return how to give a container limits; where the kernel does not hold them, what has to change first."""
    if unheld:
        first = make_limits_hold(facts)
        text = f"This engine does not enforce limits on {', '.join(unheld)}. {first.text}"
        return Remediation(text, first.commands, first.needs_root)
    return Remediation("Give each container a limit.", (run_with(facts, flags),))


def better_network(engine: EngineFacts | None) -> Remediation | None:
    """Return how a rootless engine gets a faster network; None if its version has no other helper."""
    if engine is None or not engine.libpod or version_of(engine) < (4, 4):
        return None
    how = "Podman uses it by default." if version_of(engine) >= (5,) else "Use it with --network pasta."
    text = f"pasta is faster, and keeps the address of who connects. {how}"
    return Remediation(text, ("apt-get install passt",), needs_root=True)


def set_sysctl(text: str, name: str, value: str) -> Remediation:
    """Return how to set a kernel parameter now and at every boot."""
    file = "/etc/sysctl.d/90-containers.conf"
    return Remediation(text, (f"echo '{name} = {value}' >> {file}", f"sysctl -p {file}"), needs_root=True)


def free_start(ranges: Iterable[SubordinateRange], own: Iterable[int], size: int = ENOUGH) -> int:
    """Return the first id from 100000 on with `size` ids that are in no range and are nobody's own."""
    taken = sorted([(r.start, r.start + r.size) for r in ranges] + [(number, number + 1) for number in own])
    start = _FIRST_SUBORDINATE
    for low, high in taken:
        if high > start and low < start + size:
            start = high
    return start


def add_ranges(host: HostFacts, account: AccountFacts, *, engine: EngineFacts | None = None) -> Remediation:
    """Return how to give an account subordinate ids that no other account has."""
    own = host.users
    uids, gids = (free_start(ranges or (), own) for ranges in (host.subuid, host.subgid))
    lines = [
        "touch /etc/subuid /etc/subgid",
        f"usermod --add-subuids {uids}-{uids + ENOUGH - 1} --add-subgids {gids}-{gids + ENOUGH - 1} {account.name}",
    ]
    text = f"Give the account {ENOUGH} subordinate uids and gids that no other account has, then restart its engine."
    if engine is not None and engine.libpod:
        lines.append(f"su - {account.name} -c 'podman system migrate'")
    return Remediation(text, tuple(lines), needs_root=True)


def move_range(owner: SubordinateRange, host: HostFacts, file: str) -> Remediation:
    """Return how to give one range of /etc/subuid or /etc/subgid numbers that nobody else has."""
    ranges = (host.subuid if file == "subuid" else host.subgid) or ()
    start = free_start((r for r in ranges if r != owner), host.users, owner.size)
    old, new = f"{owner.owner}:{owner.start}:{owner.size}", f"{owner.owner}:{start}:{owner.size}"
    text = (
        f"Move the range of {owner.owner} to numbers that nobody has, while its engine is stopped. Images and volumes "
        "keep the old numbers: save them first, and load them again after a reset of the store."
    )
    return Remediation(text, (f"sed -i 's/^{old}$/{new}/' /etc/{file}",), needs_root=True)


def allow_by_profile(host: HostFacts) -> Remediation:
    """Return an AppArmor profile for each program that starts user namespaces for an engine."""
    lines = []
    for name, path in (("podman", "/usr/bin/podman"), ("rootlesskit", host.rootlesskit or "/usr/bin/rootlesskit")):
        if name not in (host.apparmor_profiles or ()):
            head = r"abi <abi/4.0>,\ninclude <tunables/global>\n"
            body = rf"profile {name} {path} flags=(unconfined) {{\n  userns,\n}}\n"
            lines.append(f"printf '{head}{body}' > /etc/apparmor.d/{name}")
    text = "Give the programs that make them a profile; AppArmor then allows these and no others."
    return Remediation(text, (*lines, "systemctl reload apparmor"), needs_root=True)


def separate_users(facts: Facts) -> Remediation:
    """Return how to give containers users of their own, on an engine of root."""
    if facts.engine is None or not facts.engine.libpod:
        return Remediation(
            'Add "userns-remap": "default" to /etc/docker/daemon.json and restart the daemon. Images and containers '
            "that exist are hidden until the line is removed. Or run a rootless engine.",
            (
                'test -e /etc/docker/daemon.json || echo \'{"userns-remap": "default"}\' > /etc/docker/daemon.json',
                "systemctl restart docker",
            ),
            needs_root=True,
        )
    host, lines = facts.host, []
    known = host is not None and host.subuid is not None and host.subgid is not None
    if host is not None and host.subuid is not None and host.subgid is not None:
        for name, ranges in (("subuid", host.subuid), ("subgid", host.subgid)):
            if not any(r.owner == "containers" for r in ranges):
                start = free_start(ranges, host.users, 16 * ENOUGH)
                lines.append(f"echo containers:{start}:{16 * ENOUGH} >> /etc/{name}")
    note = "" if known else " It needs ranges of an account named containers in /etc/subuid and /etc/subgid."
    return Remediation(
        f"Give each container a user namespace of its own, or run a rootless engine.{note}",
        (*lines, "podman run --userns=auto IMAGE"),
        needs_root=True,
    )
