"""Tables of options in all their spellings, with their expected effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...spec import Mount, PortBinding
from .base import kind_of

READ_ONLY: dict[str, Callable[[str], dict[str, Any]]] = {
    "volumes-line": lambda source: {"volumes": [f"{source}:/m:ro"]},
    "volumes-text": lambda source: {"volumes": f"{source}:/m:ro"},
    "volumes-mapping": lambda source: {"volumes": {source: "/m:ro"}},
    "volumes-mapping-of-mode": lambda source: {"volumes": {source: {"bind": "/m", "mode": "ro"}}},
    "volumes-mapping-of-flag": lambda source: {"volumes": {source: {"bind": "/m", "read_only": True}}},
    "volumes-mapping-of-list": lambda source: {"volumes": {source: ["/m:ro"]}},
    "volume-singular": lambda source: {"volume": f"{source}:/m:ro"},
    "volumes-mount": lambda source: {
        "volumes": [Mount(kind=kind_of(source), source=source, target="/m", read_only=True)]
    },
    "volumes-z": lambda source: {"volumes": [f"{source}:/m:ro,z"]},
    "mount-readonly": lambda source: {"mounts": f"type={kind_of(source)},source={source},target=/m,readonly"},
    "mount-readonly-true": lambda source: {"mounts": f"type={kind_of(source)},src={source},dst=/m,readonly=true"},
    "mount-ro": lambda source: {"mount": [f"type={kind_of(source)},src={source},destination=/m,ro"]},
    "mount-ro-1": lambda source: {"mounts": [f"type={kind_of(source)},src={source},dst=/m,ro=1"]},
    "mount-rw-false": lambda source: {"mounts": [f"type={kind_of(source)},src={source},dst=/m,rw=false"]},
    "mount-mapping": lambda source: {
        "mounts": [{"type": kind_of(source), "source": source, "target": "/m", "read_only": True}]
    },
    "mount-value": lambda source: {"mounts": [Mount(kind=kind_of(source), source=source, target="/m", read_only=True)]},
}

PUBLISH: dict[str, Callable[[int], Any]] = {
    "int-to-int": lambda port: {8080: port},
    "text-to-int": lambda port: {"8080": port},
    "protocol-to-int": lambda port: {"8080/tcp": port},
    "int-to-text": lambda port: {8080: str(port)},
    "to-address-pair": lambda port: {8080: ("127.0.0.1", port)},
    "to-address-text": lambda port: {"8080/tcp": f"127.0.0.1:{port}"},
    "to-list": lambda port: {8080: [port]},
    "line": lambda port: [f"{port}:8080"],
    "line-protocol": lambda port: f"{port}:8080/tcp",
    "line-address": lambda port: [f"127.0.0.1:{port}:8080"],
    "value": lambda port: [PortBinding(8080, host_port=port)],
    "free-none": lambda port: {8080: None},
    "free-text": lambda port: "8080",
    "free-int": lambda port: 8080,
    "free-address": lambda port: ["127.0.0.1::8080"],
}

_COVERED = "grep -c -E ' /(proc|sys/firmware)/' /proc/mounts; true"
#: As SHOWN, for options that some engines do not have.
SHOWN_OR_REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "domainname": ({"domainname": "lab.example"}, "cat /proc/sys/kernel/domainname", "lab.example"),
    "oom-kill-disable": (
        {"oom_kill_disable": True, "memory": "64m", "limits": "best-effort"},
        "head -n 1 /sys/fs/cgroup/memory/memory.oom_control",
        "oom_kill_disable 1",
    ),
    "mask": ({"security_opt": "mask=/proc/uptime"}, "wc -c </proc/uptime", "0"),
    "proc-opts": ({"security_opt": "proc-opts=hidepid=2"}, "grep ' /proc proc ' /proc/mounts | grep -c hidepid", "1"),
    "systempaths": ({"security_opt": "systempaths=unconfined"}, _COVERED, "0"),
    "unmask-all": ({"security_opt": ["unmask=ALL"]}, _COVERED, "0"),
    "log-files": ({"log_driver": "json-file", "log_opt": {"max-size": "1m", "max-file": "2"}}, "echo x", "x"),
}

#: The effect of an option: the options, a shell line, and its expected output.
SHOWN: dict[str, tuple[dict[str, Any], str, str]] = {
    "env-mapping": ({"env": {"A": "1", "B": 2}}, "echo $A$B", "12"),
    "env-list": ({"env": ["A=x y", "B="]}, 'echo "$A:$B:${B-unset}"', "x y::"),
    "env-unicode": ({"env": {"A": "grün=✓"}}, 'echo "$A"', "grün=✓"),
    "env-newline": ({"env": {"A": "1\n2"}}, 'echo "$A"', "1\n2"),
    "user-int": ({"user": 1234}, "id -u", "1234"),
    "user-text": ({"user": "1234"}, "id -u", "1234"),
    "user-and-group": ({"user": "1234:4321"}, "id -u; id -g", "1234\n4321"),
    "user-name": ({"user": "root"}, "id -u", "0"),
    "group-add": ({"group_add": [4321]}, "id -G | tr ' ' '\\n' | grep -x 4321", "4321"),
    "workdir": ({"workdir": "/tmp"}, "pwd", "/tmp"),
    "hostname": ({"hostname": "ck-host"}, "hostname", "ck-host"),
    "tmpfs-text": ({"tmpfs": "/t"}, "grep ' /t ' /proc/mounts | cut -d' ' -f3", "tmpfs"),
    "tmpfs-mapping": ({"tmpfs": {"/t": "size=1m"}}, "df -k /t | tail -n1 | awk '{print $2}'", "1024"),
    "tmpfs-list": ({"tmpfs": ["/t:mode=1777"]}, "stat -c %a /t", "1777"),
    "tmpfs-noexec": ({"tmpfs": {"/t": "noexec"}}, "grep ' /t ' /proc/mounts | grep -o noexec", "noexec"),
    "tmpfs-mount": ({"mounts": "type=tmpfs,dst=/t,tmpfs-size=1m"}, "df -k /t | tail -n1 | awk '{print $2}'", "1024"),
    "read-only-root": ({"read_only": True}, "touch /x 2>/dev/null || echo no", "no"),
    "read-only-root-tmpfs": ({"read_only": True, "tmpfs": "/t"}, "touch /t/x && echo yes", "yes"),
    "no-new-privileges": (
        {"security_opt": ["no-new-privileges"]},
        "awk '/NoNewPrivs/{print $2}' /proc/self/status",
        "1",
    ),
    "no-new-privileges-true": (
        {"security_opt": "no-new-privileges:true"},
        "awk '/NoNewPrivs/{print $2}' /proc/self/status",
        "1",
    ),
    "new-privileges": ({}, "awk '/NoNewPrivs/{print $2}' /proc/self/status", "0"),
    "cap-drop-all": ({"cap_drop": ["ALL"]}, "awk '/CapBnd/{print $2}' /proc/self/status", "0" * 16),
    "cap-drop-all-lower": ({"cap_drop": "all"}, "awk '/CapEff/{print $2}' /proc/self/status", "0" * 16),
    "cap-drop-one": (
        {"cap_drop": ["CAP_CHOWN"]},
        "touch /tmp/x; chown 5 /tmp/x 2>/dev/null || echo no",
        "no",
    ),
    "cap-drop-short-name": ({"cap_drop": "chown"}, "touch /tmp/x; chown 5 /tmp/x 2>/dev/null || echo no", "no"),
    "cap-only-one": (
        {"cap_drop": ["ALL"], "cap_add": ["NET_BIND_SERVICE"]},
        "awk '/CapBnd/{print $2}' /proc/self/status",
        "0000000000000400",
    ),
    "init": ({"init": True}, "readlink /proc/1/exe | grep -q busybox || echo another", "another"),
    "no-init": ({}, "readlink /proc/1/exe | grep -q busybox && echo itself", "itself"),
    "sysctls-int": ({"sysctls": {"net.ipv4.ip_forward": 1}}, "cat /proc/sys/net/ipv4/ip_forward", "1"),
    "sysctls-off": ({"sysctls": {"net.ipv4.ip_forward": "0"}}, "cat /proc/sys/net/ipv4/ip_forward", "0"),
    "sysctl-line": ({"sysctl": "net.ipv4.ip_forward=1"}, "cat /proc/sys/net/ipv4/ip_forward", "1"),
    "shm-size-text": ({"shm_size": "1m"}, "df -k /dev/shm | tail -n1 | awk '{print $2}'", "1024"),
    "shm-size-int": ({"shm_size": 2 << 20}, "df -k /dev/shm | tail -n1 | awk '{print $2}'", "2048"),
    "add-host-mapping": ({"add_host": {"far": "192.0.2.7"}}, "awk '$2==\"far\"{print $1}' /etc/hosts", "192.0.2.7"),
    "add-host-list": ({"add_host": ["far:192.0.2.7"]}, "awk '$2==\"far\"{print $1}' /etc/hosts", "192.0.2.7"),
    "dns": ({"dns": ["192.0.2.53"]}, "awk '/^nameserver/{print $2}' /etc/resolv.conf", "192.0.2.53"),
    "dns-search": ({"dns_search": "example.test"}, "awk '/^search/{print $2}' /etc/resolv.conf", "example.test"),
    "dns-option": ({"dns_option": "ndots:3"}, "grep -o ndots:3 /etc/resolv.conf", "ndots:3"),
    "network-none": ({"network": "none"}, "ls /sys/class/net", "lo"),
    "oom-score-adj": ({"oom_score_adj": 500}, "cat /proc/self/oom_score_adj", "500"),
    "entrypoint-text": ({"entrypoint": "sh -c"}, "echo $0", "sh"),
}

#: Invalid options.
BAD_OPTIONS: dict[str, dict[str, Any]] = {
    "ports-text": {"publish": {"80": "abc"}},
    "port-zero": {"publish": {0: 8080}},
    "port-huge": {"publish": ["70000:80"]},
    "port-protocol": {"publish": ["80/icmp"]},
    "port-bool": {"publish": {80: True}},
    "env-number": {"env": 5},
    "env-nul": {"env": {"A": "a\0b"}},
    "env-empty-key": {"env": {"": "x"}},
    "name-empty": {"name": ""},
    "name-nul": {"name": "a\0b"},
    "name-slash": {"name": "a/b"},
    "name-unicode": {"name": "größe"},
    "memory-words": {"memory": "lots"},
    "memory-negative": {"memory": -5},
    "memory-zero": {"memory": 0},
    "cpus-zero": {"cpus": 0},
    "cpus-nan": {"cpus": float("nan")},
    "pids-text": {"pids_limit": "many"},
    "unknown-option": {"colour": "red"},
    "docker-py-name": {"environment": {"A": "1"}},
    "volume-relative-target": {"volumes": ["/tmp:data"]},
    "volume-mode": {"volumes": ["/tmp:/m:readonly"]},
    "volume-empty": {"volumes": [""]},
    "two-mounts-one-place": {"volumes": ["/tmp:/m", "/usr:/m"]},
    "mount-unknown-key": {"mounts": "type=bind,source=/a,target=/b,sauce=x"},
    "mount-docker-py": {"mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/m", "ReadOnly": True}]},
    "tmpfs-option": {"tmpfs": {"/t": "crunchy"}},
    "workdir-relative": {"workdir": "tmp"},
    "user-space": {"user": "a b"},
    "signal": {"stop_signal": "SIGNOTHING"},
    "restart": {"restart": "sometimes"},
    "label-nul": {"labels": {"a\0": "b"}},
    "hostname": {"hostname": "a b"},
    "add-host": {"add_host": {"x": "nowhere"}},
    "dns": {"dns": ["one.two"]},
    "shm-size": {"shm_size": "-1m"},
    "security-opt": {"security_opt": ["no-new-privilege"]},
    "capability": {"cap_add": ["CAP_FLY"]},
    "both-spellings": {"label": {"a": "1"}, "labels": {"a": "1"}},
    "read-only-text": {"read_only": "yes"},
    "init-number": {"init": 1},
    "pull-word": {"pull": "sometimes"},
    "limits-word": {"limits": "ignore"},
    "network-alias-alone": {"network_alias": "x"},
    "publish-without-network": {"network": "none", "publish": {80: 8080}},
    "sysctl-words": {"sysctls": ["a b=1"]},
    "ulimit-unknown": {"ulimits": {"patience": 1}},
    "health-interval": {"health_cmd": "true", "health_interval": "soon"},
}
