"""From a topology to commands: pure functions, so that a test reads what an engine would get."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .topology import Host, Interface, Topology

#: Main process of a host without a command: reaps orphans and ends at SIGTERM.
KEEP_ALIVE = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"

#: Main process of a host that configures its own interfaces: it says on stderr what came of it, then keeps alive.
_CONFIGURE = """\
trap 'exit 0' TERM INT
pause=0.1 looks=0  # every look costs a process: in a large lab, hosts wait long for the last one to start
for name in {names}; do until [ -e /sys/class/net/$name ]; do
  looks=$((looks + 1)); [ $looks -lt 10 ] || pause=0.5
  sleep $pause & wait $!
done; done
if [ "$(id -u)" = 0 ]; then {{ {lines}
}} && echo '{done}' >&2; else echo '{refused}' >&2; fi
{keep_alive}
"""

#: What such a process says: the interfaces are ready; it is not root, so that an exec has to configure them.
CONFIGURED, NOT_ROOT = "lab: interfaces configured", "lab: not root"
FAILED = "lab: failed: "

#: A shell for a person.
SHELL = "command -v bash >/dev/null && exec bash; exec sh"

#: Main process of the helper.
HELPER = "exec sleep 2147483647"

#: Shell program that runs lines of `ip` from stdin: as one batch with iproute2, one by one with busybox.
RUN_LINES = """\
case "$(ip -V 2>&1)" in *iproute2*) exec ip -batch - ;; esac
while read -r line; do ip $line || { echo "ip $line" >&2; exit 1; }; done
"""

_STARTUP = "/tmp/.lab-startup"
_MARK = "lab-line-"


@dataclass(frozen=True, slots=True)
class Cable:
    """A veth pair: one end in the host, the other at the bridge of its collision domain, in the helper.

    Attributes:
        host: name of the host.
        interface: its end in the host.
        end: name of the end in the helper.
        bridge: name of the bridge in the helper.
        mac: MAC address of the end in the host.
    """

    host: str
    interface: Interface
    end: str
    bridge: str
    mac: str


def cables(topology: Topology) -> tuple[Cable, ...]:
    """Return a cable for every interface; the names depend on the topology only."""
    bridges = {domain: f"ckb{number}" for number, domain in enumerate(topology.domains)}
    ends = [(host, interface) for host in topology.hosts for interface in host.interfaces]
    return tuple(
        Cable(
            host.name,
            interface,
            f"ckw{number}",
            bridges[interface.domain],
            interface.mac or _mac(topology.name, host.name, interface.name),
        )
        for number, (host, interface) in enumerate(ends)
    )


def _mac(*names: str) -> str:
    digest = hashlib.sha256("\0".join(names).encode()).hexdigest()
    return "02:" + ":".join(digest[at : at + 2] for at in range(0, 10, 2))


def wire(planned: tuple[Cable, ...], pids: Mapping[str, int], *, bridges: bool) -> Iterator[str]:
    """Yield the lines of `ip` that lay the cables of the hosts in `pids`.

    The kernel names the far end veth0: each far end leaves the helper before the next pair is made. busybox knows no
    `peer name`.

    Args:
        planned: all cables of the lab.
        pids: host -> process ID of its main process, as the helper sees it.
        bridges: make the bridges as well.
    """
    if bridges:
        for bridge in dict.fromkeys(cable.bridge for cable in planned):
            yield f"link add {bridge} type bridge"
            yield f"link set {bridge} up"
    for cable in planned:
        if cable.host in pids:
            yield f"link add {cable.end} type veth"
            yield f"link set veth0 address {cable.mac}"
            yield f"link set veth0 name {cable.interface.name}"
            yield f"link set {cable.interface.name} netns {pids[cable.host]}"
            yield f"link set {cable.end} master {cable.bridge}"
            yield f"link set {cable.end} up"


def start_options(host: Host) -> dict[str, Any]:
    """Return the options of :meth:`Engine.start` for a host."""
    options = dict(host.options)
    added = options.pop("cap_add", None) or ()
    added = (added,) if isinstance(added, str) else tuple(added)
    addresses = [address for interface in host.interfaces for address in interface.addresses]
    sysctls: dict[str, str] = {}
    if any(":" in address for address in addresses):
        # Docker switches IPv6 off without a network; an address is usable at once without duplicate detection
        sysctls = {"net.ipv6.conf.all.disable_ipv6": "0", "net.ipv6.conf.default.disable_ipv6": "0"}
        sysctls["net.ipv6.conf.default.accept_dad"] = "0"
    given = options.pop("sysctls", None) or {}
    sysctls.update(given if isinstance(given, Mapping) else dict(line.split("=", 1) for line in given))
    sysctls = {_before_cables(name, host): value for name, value in sysctls.items()}
    if sysctls:
        options["sysctls"] = sysctls
    return {
        **options,
        "cap_add": list(dict.fromkeys([*added, "NET_ADMIN", "NET_RAW"])),
        "hostname": host.name,
        "network": "none",
    }


def _before_cables(sysctl: str, host: Host) -> str:
    """Return the name for a sysctl of an interface that has no cable yet: the interface takes the default's value."""
    words = sysctl.split(".")
    at = 3 if words[:1] == ["net"] and words[2:3] in (["conf"], ["neigh"]) else len(words)
    if words[at : at + 1] and words[at] in {interface.name for interface in host.interfaces}:
        words[at] = "default"
    return ".".join(words)


def configures_itself(host: Host) -> bool:
    """Return whether the main process of a host can configure its interfaces, which saves an exec."""
    ours = host.command is None and not host.own_command and not host.startup.strip()
    return ours and bool(host.interfaces) and not {"user", "log_driver", "tty"} & set(host.options)


def main_process(host: Host) -> str:
    """Return the shell program that a host without a command runs."""
    if not configures_itself(host):
        return KEEP_ALIVE
    lines = "\n".join(f"{line} || {{ echo '{FAILED}{line}' >&2; exit 1; }}" for line in _configuration(host))
    names = " ".join(interface.name for interface in host.interfaces)
    return _CONFIGURE.format(names=names, lines=lines, done=CONFIGURED, refused=NOT_ROOT, keep_alive=KEEP_ALIVE)


def _configuration(host: Host) -> list[str]:
    """Return the commands that configure the interfaces and routes of a host."""
    lines = ["ip link set lo up"]
    for interface in host.interfaces:
        lines += [f"ip address add {address} dev {interface.name}" for address in interface.addresses]
        lines.append(f"ip link set {interface.name} up")
    for destination, gateway in host.routes.items():
        family = "-6 " if ":" in gateway else ""
        lines.append(f"ip {family}route add {destination} via {gateway}")
    return lines


def boot_script(host: Host) -> tuple[str, str]:
    """Return the shell program that configures a host, and the startup commands that it takes as ``$1``.

    It exits with 1 if an interface cannot be configured, with 3 if a startup command fails. Startup commands run in
    bash if the host has it. Their output goes to a file, so that services which they leave behind hold no stream open.
    """
    script = "\n".join(f"{line} || {{ echo '{line}' >&2; exit 1; }}" for line in _configuration(host)) + "\n"
    if host.startup.strip():
        shell = "-ex" if host.strict else "-x"
        script += (
            f"mkdir -p /tmp /var/log; printf '%s\\n' \"$1\" >{_STARTUP}\n"
            "shell=sh; command -v bash >/dev/null && shell=bash\n"
            f"PS4='+{_MARK}$LINENO ' $shell {shell} {_STARTUP} >/var/log/startup.log 2>&1 </dev/null && exit 0\n"
        )
        script += "tail -n 20 /var/log/startup.log >&2; exit 3\n" if host.strict else "exit 0\n"
    return script, host.startup


def failed_line(log: str) -> tuple[int | None, str]:
    """Return the number of the startup line that ran last, and the log without marks."""
    marks = [int(found) for found in re.findall(rf"^\++{_MARK}(\d+) ", log, re.MULTILINE)]
    return (marks[-1] if marks else None), re.sub(rf"^\++{_MARK}\d+ ", "+ ", log, flags=re.MULTILINE)
