"""Every option of a create: one value, and how a real container shows that the engine applied it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["MISSING", "READ_BACK", "ReadBack", "fill", "find"]

MISSING = object()


@dataclass(frozen=True, slots=True)
class ReadBack:
    """One option and the evidence that the engine applied it.

    Attributes:
        given: the options; "{network}", "{volume}", "{other}", "{file}", "{arch}" and "{host}" are filled in.
        expected: what the evidence must be; a tuple allows several values.
        inside: a shell line for the container, whose output is the evidence.
        inspect: a path into the answer of `inspect` of a container that is created and not started.
        refusable: why some engine may refuse the option with Unsupported or an error of its own.
    """

    given: dict[str, Any]
    expected: Any
    inside: str = ""
    inspect: str = ""
    refusable: str = ""


def fill(value: Any, names: dict[str, str]) -> Any:
    """Return a value with the names of real objects in place of "{network}" and the like."""
    if isinstance(value, str):
        return value.format(**names) if "{" in value else value
    if isinstance(value, dict):
        return {key: fill(item, names) for key, item in value.items()}
    return value


def find(raw: Any, path: str) -> Any:
    """Return what stands at a path like "HostConfig.Memory", or MISSING."""
    for name in path.split("/"):
        raw = raw.get(name, MISSING) if isinstance(raw, dict) else MISSING
    return raw


def _capability(bit: int) -> str:
    return f"echo $(( (0x$(awk '/CapBnd/{{print $2}}' /proc/self/status) >> {bit}) & 1 ))"


def _cgroup(v1: str, v2: str) -> str:
    return f"cat /sys/fs/cgroup/{v1} 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/{v2}"


_CHECK = {"health_cmd": "true"}
_NO_QUOTA = "needs a storage driver with quotas"
_MOUNTED = "awk '$2==\"/m\"{print $2}' /proc/mounts"

READ_BACK: dict[str, ReadBack] = {
    "memory": ReadBack({"memory": "64m"}, "67108864", _cgroup("memory/memory.limit_in_bytes", "memory.max")),
    "memory_swap": ReadBack({"memory": "64m", "memory_swap": "128m"}, 128 << 20, inspect="HostConfig/MemorySwap"),
    "memory_reservation": ReadBack(
        {"memory_reservation": "64m"}, "67108864", _cgroup("memory/memory.soft_limit_in_bytes", "memory.low")
    ),
    "cpus": ReadBack({"cpus": 0.5}, "50000", _cgroup("cpu/cpu.cfs_quota_us", "cpu.max")),
    "cpu_shares": ReadBack({"cpu_shares": 512}, 512, inspect="HostConfig/CpuShares"),
    "cpuset_cpus": ReadBack({"cpuset_cpus": "0"}, "0", "awk '/Cpus_allowed_list/{print $2}' /proc/self/status"),
    "pids_limit": ReadBack({"pids_limit": 100}, "100", _cgroup("pids/pids.max", "pids.max")),
    "name": ReadBack({"name": "{name}"}, ("/{name}", "{name}"), inspect="Name"),
    "env_file": ReadBack({"env_file": "{file}"}, "red", 'echo "$COLOUR"'),
    "env": ReadBack({"env": {"COLOUR": "blue"}}, "blue", 'echo "$COLOUR"'),
    "labels": ReadBack({"labels": {"colour": "red"}}, "red", inspect="Config/Labels/colour"),
    "user": ReadBack({"user": 1234}, "1234", "id -u"),
    "workdir": ReadBack({"workdir": "/tmp"}, "/tmp", "pwd"),
    "hostname": ReadBack({"hostname": "ck-host"}, "ck-host", "hostname"),
    "domainname": ReadBack(
        {"domainname": "lab.example"}, "lab.example", "cat /proc/sys/kernel/domainname", refusable="Podman ignores it"
    ),
    "interactive": ReadBack({"interactive": True}, True, inspect="Config/OpenStdin"),
    "tty": ReadBack({"tty": True}, "yes", "test -t 1 && echo yes"),
    "init": ReadBack({"init": True}, "another", "readlink /proc/1/exe | grep -q busybox || echo another"),
    "stop_signal": ReadBack({"stop_signal": "USR1"}, ("SIGUSR1", "10", 10), inspect="Config/StopSignal"),
    "stop_timeout": ReadBack({"stop_timeout": 7}, 7, inspect="Config/StopTimeout"),
    "rm": ReadBack({"rm": True}, True, inspect="HostConfig/AutoRemove"),
    "platform": ReadBack({"platform": "linux/{arch}"}, "yes", "echo yes"),
    "restart": ReadBack({"restart": "on-failure:3"}, 3, inspect="HostConfig/RestartPolicy/MaximumRetryCount"),
    "entrypoint": ReadBack({"entrypoint": "echo -n"}, "sh -c echo $0", "echo $0"),
    "healthcheck": ReadBack({"healthcheck": {"test": "true", "retries": 7}}, 7, inspect="Config/Healthcheck/Retries"),
    "no_healthcheck": ReadBack({"no_healthcheck": True}, ["NONE"], inspect="Config/Healthcheck/Test"),
    "health_cmd": ReadBack(_CHECK, ["CMD-SHELL", "true"], inspect="Config/Healthcheck/Test"),
    "health_interval": ReadBack({**_CHECK, "health_interval": 5}, 5 * 10**9, inspect="Config/Healthcheck/Interval"),
    "health_timeout": ReadBack({**_CHECK, "health_timeout": 5}, 5 * 10**9, inspect="Config/Healthcheck/Timeout"),
    "health_retries": ReadBack({**_CHECK, "health_retries": 5}, 5, inspect="Config/Healthcheck/Retries"),
    "health_start_period": ReadBack(
        {**_CHECK, "health_start_period": 5}, 5 * 10**9, inspect="Config/Healthcheck/StartPeriod"
    ),
    "volumes": ReadBack({"volumes": "{volume}:/m"}, "/m", _MOUNTED),
    "mounts": ReadBack({"mounts": "type=volume,src={volume},dst=/m"}, "/m", _MOUNTED),
    "tmpfs": ReadBack({"tmpfs": "/m"}, "/m", _MOUNTED),
    "volumes_from": ReadBack({"volumes_from": "{other}"}, "/m", _MOUNTED),
    "read_only": ReadBack({"read_only": True}, "no", "touch /x 2>/dev/null || echo no"),
    "shm_size": ReadBack({"shm_size": "1m"}, "1024", "df -k /dev/shm | tail -n1 | awk '{print $2}'"),
    "storage_opt": ReadBack({"storage_opt": {"size": "64m"}}, "65536", "df -k / | tail -n1 | awk '{print $2}'", refusable=_NO_QUOTA),
    "publish": ReadBack({"publish": "127.0.0.1:{port}:80"}, [{"HostIp": "127.0.0.1", "HostPort": "{port}"}],
                        inspect="HostConfig/PortBindings/80|tcp"),
    "publish_all": ReadBack({"publish_all": True}, True, inspect="HostConfig/PublishAllPorts"),
    "expose": ReadBack({"expose": 8080}, {}, inspect="Config/ExposedPorts/8080|tcp"),
    "network": ReadBack({"network": "none"}, "lo", "ls /sys/class/net"),
    "network_alias": ReadBack({"network": "{network}", "network_alias": "peer"}, "peer", inspect="NetworkSettings/Networks/{network}/Aliases"),
    "ip": ReadBack({"network": "{network}", "ip": "10.123.45.67"}, "10.123.45.67", "ip -4 addr show eth0 | awk '/inet/{sub(\"/.*\",\"\",$2); print $2}'"),
    "ip6": ReadBack({"network": "{network}", "ip6": "fd00:c0de::67"}, "fd00:c0de::67", "ip -6 addr show eth0 | awk '/fd00/{sub(\"/.*\",\"\",$2); print $2}'"),
    "mac_address": ReadBack({"network": "{network}", "mac_address": "02:42:ac:11:00:99"}, "02:42:ac:11:00:99", "cat /sys/class/net/eth0/address"),
    "dns": ReadBack({"dns": "192.0.2.53"}, "192.0.2.53", "awk '/^nameserver/{print $2}' /etc/resolv.conf"),
    "dns_search": ReadBack({"dns_search": "example.test"}, "example.test", "awk '/^search/{print $2}' /etc/resolv.conf"),
    "dns_option": ReadBack({"dns_option": "ndots:3"}, "ndots:3", "grep -o ndots:3 /etc/resolv.conf"),
    "add_host": ReadBack({"add_host": "far:192.0.2.7"}, "192.0.2.7", "awk '$2==\"far\"{print $1}' /etc/hosts"),
    "ulimits": ReadBack({"ulimits": {"nofile": "512:1024", "nproc": 4096}}, "512\n1024", "ulimit -Sn; ulimit -Hn"),
    "oom_kill_disable": ReadBack(
        {"oom_kill_disable": True}, "oom_kill_disable 1", "head -n 1 /sys/fs/cgroup/memory/memory.oom_control",
        refusable="needs cgroup v1 and its memory controller",
    ),
    "oom_score_adj": ReadBack({"oom_score_adj": 500}, "500", "cat /proc/self/oom_score_adj"),
    "privileged": ReadBack({"privileged": True}, "0", "grep -c ' /proc/sys ' /proc/mounts"),
    "cap_add": ReadBack({"cap_add": "SYS_PTRACE"}, "1", _capability(19)),
    "cap_drop": ReadBack({"cap_drop": "CHOWN"}, "0", _capability(0)),
    "security_opt": ReadBack({"security_opt": "no-new-privileges"}, "1", "awk '/NoNewPrivs/{print $2}' /proc/self/status"),
    "group_add": ReadBack({"group_add": 4321}, "4321", "id -G | tr ' ' '\\n' | grep -x 4321"),
    "devices": ReadBack({"devices": "/dev/null:/dev/given"}, "yes", "test -c /dev/given && echo yes"),
    "gpus": ReadBack({"gpus": "all"}, -1, inspect="HostConfig/DeviceRequests/0/Count"),
    "sysctls": ReadBack({"sysctls": {"net.ipv4.ip_forward": 1}}, "1", "cat /proc/sys/net/ipv4/ip_forward"),
    "userns": ReadBack({"userns": "host"}, "host", inspect="HostConfig/UsernsMode"),
    "pid": ReadBack({"pid": "container:{other}"}, "sleep 600", "tr '\\0' ' ' </proc/1/cmdline"),
    "ipc": ReadBack({"ipc": "host"}, "host", inspect="HostConfig/IpcMode"),
    "uts": ReadBack({"uts": "host"}, "{host}", "hostname"),
    "cgroupns": ReadBack({"cgroupns": "private"}, "0", "awk -F: '$3!=\"/\"' /proc/self/cgroup | wc -l"),
    "cgroup_parent": ReadBack({"cgroup_parent": "/ck-parent"}, "/ck-parent", inspect="HostConfig/CgroupParent"),
    "runtime": ReadBack({"runtime": "runc"}, ("runc", "oci"), inspect="HostConfig/Runtime"),
    "log_driver": ReadBack({"log_driver": "none"}, "none", inspect="HostConfig/LogConfig/Type"),
    "log_opt": ReadBack({"log_driver": "json-file", "log_opt": {"max-size": "1m"}}, "1m", inspect="HostConfig/LogConfig/Config/max-size"),
}  # fmt: skip
