"""Every option of a create: one value, and the evidence in a real container that the engine applied it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ReadBack:
    """One option and the evidence that the engine applied it.

    Attributes:
        given: the options; placeholders like "{network}" and "{volume}" are filled with the names of real objects.
        expected: the evidence; a tuple allows several, a function judges it.
        inside: a shell line that runs in the container and prints the evidence.
        inspect: a path into the answer of `inspect` of a container that is created, or started if `running`.
        refusable: why some engines refuse this option.
    """

    given: dict[str, Any]
    expected: Any
    inside: str = ""
    inspect: str = ""
    running: bool = False
    refusable: str = ""

    def holds(self, evidence: Any, names: dict[str, str]) -> bool:
        """Return whether the evidence is what was expected."""
        if callable(self.expected):
            return bool(self.expected(evidence))
        several = self.expected if isinstance(self.expected, tuple) else (self.expected,)
        return evidence in fill(several, names)


def fill(value: Any, names: dict[str, str]) -> Any:
    """Return a value with the names of real objects in place of its placeholders."""
    if isinstance(value, str):
        for name, real in names.items():
            value = value.replace(f"{{{name}}}", real)
        return value
    if isinstance(value, dict):
        return {key: fill(item, names) for key, item in value.items()}
    return type(value)(fill(item, names) for item in value) if isinstance(value, (list, tuple)) else value


def find(raw: Any, path: str) -> Any:
    """Return what stands at a path like "HostConfig > Memory" of an answer, or None."""
    for name in path.split(" > "):
        if isinstance(raw, list):
            raw = raw[int(name)] if int(name) < len(raw) else None
        else:
            raw = raw.get(name) if isinstance(raw, dict) else None
    return raw


def _capability(bit: int) -> str:
    return f"echo $(( (0x$(awk '/CapBnd/{{print $2}}' /proc/self/status) >> {bit}) & 1 ))"


def _cgroup(v1: str, v2: str) -> str:
    return f"cat /sys/fs/cgroup/{v1} 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/{v2}"


_CHECK = {"health_cmd": "true"}
_ADDRESS = 'ip -{version} addr show eth0 | grep -v fe80 | awk \'/inet/{{sub("/.*","",$2); print $2}}\''
_MOUNTED = "awk '$2==\"/m\"{print $2}' /proc/mounts"

READ_BACK: dict[str, ReadBack] = {
    "memory": ReadBack({"memory": "64m"}, "67108864", _cgroup("memory/memory.limit_in_bytes", "memory.max")),
    "memory_swap": ReadBack({"memory": "64m", "memory_swap": "128m"}, 128 << 20, inspect="HostConfig > MemorySwap"),
    "memory_reservation": ReadBack(
        {"memory_reservation": "64m"}, "67108864", _cgroup("memory/memory.soft_limit_in_bytes", "memory.low")
    ),
    "cpus": ReadBack({"cpus": 0.5}, "50000", _cgroup("cpu/cpu.cfs_quota_us", "cpu.max")),
    "cpu_shares": ReadBack({"cpu_shares": 512}, ("512", "20", "59"), _cgroup("cpu/cpu.shares", "cpu.weight")),
    "cpuset_cpus": ReadBack({"cpuset_cpus": "0"}, "0", "awk '/Cpus_allowed_list/{print $2}' /proc/self/status"),
    "cpuset_mems": ReadBack({"cpuset_mems": "0"}, "0", "awk '/Mems_allowed_list/{print $2}' /proc/self/status"),
    "cpu_period": ReadBack({"cpu_period": 50000, "cpu_quota": 10000}, ("50000", "10000"),
        _cgroup("cpu/cpu.cfs_period_us", "cpu.max")),
    "cpu_quota": ReadBack({"cpu_quota": 25000}, "25000", _cgroup("cpu/cpu.cfs_quota_us", "cpu.max")),
    "pids_limit": ReadBack({"pids_limit": 100}, "100", _cgroup("pids/pids.max", "pids.max")),
    "name": ReadBack({"name": "{name}"}, "/{name}", inspect="Name"),
    "env_file": ReadBack({"env_file": "{file}"}, "red", 'echo "$COLOUR"'),
    "env": ReadBack({"env": {"COLOUR": "blue"}}, "blue", 'echo "$COLOUR"'),
    "label_file": ReadBack({"label_file": "{file}"}, "red", inspect="Config > Labels > COLOUR"),
    "labels": ReadBack({"labels": {"colour": "red"}}, "red", inspect="Config > Labels > colour"),
    "user": ReadBack({"user": 1234}, "1234", "id -u"),
    "workdir": ReadBack({"workdir": "/tmp"}, "/tmp", "pwd"),
    "hostname": ReadBack({"hostname": "ck-host"}, "ck-host", "hostname"),
    "domainname": ReadBack(
        {"domainname": "lab.example"}, "lab.example", "cat /proc/sys/kernel/domainname", refusable="Podman ignores it"
    ),
    "interactive": ReadBack({"interactive": True}, True, inspect="Config > OpenStdin"),
    "tty": ReadBack({"tty": True}, "yes", "test -t 1 && echo yes"),
    "init": ReadBack({"init": True}, "another", "readlink /proc/1/exe | grep -q busybox || echo another"),
    "stop_signal": ReadBack({"stop_signal": "USR1"}, ("SIGUSR1", "10", 10), inspect="Config > StopSignal"),
    "stop_timeout": ReadBack({"stop_timeout": 7}, 7, inspect="Config > StopTimeout"),
    "rm": ReadBack({"rm": True}, True, inspect="HostConfig > AutoRemove"),
    "platform": ReadBack({"platform": "linux/{arch}"}, "{machine}", "uname -m"),
    "restart": ReadBack({"restart": "on-failure:3"}, 3, inspect="HostConfig > RestartPolicy > MaximumRetryCount"),
    "entrypoint": ReadBack({"entrypoint": "echo -n"}, "sh -c echo $0", "echo $0"),
    "healthcheck": ReadBack({"healthcheck": {"test": "true", "retries": 7}}, 7,
                            inspect="Config > Healthcheck > Retries"),
    "no_healthcheck": ReadBack({"no_healthcheck": True}, ["NONE"], inspect="Config > Healthcheck > Test"),
    "health_cmd": ReadBack(_CHECK, ["CMD-SHELL", "true"], inspect="Config > Healthcheck > Test"),
    "health_interval": ReadBack({**_CHECK, "health_interval": 5}, 5 * 10**9, inspect="Config > Healthcheck > Interval"),
    "health_timeout": ReadBack({**_CHECK, "health_timeout": 5}, 5 * 10**9, inspect="Config > Healthcheck > Timeout"),
    "health_retries": ReadBack({**_CHECK, "health_retries": 5}, 5, inspect="Config > Healthcheck > Retries"),
    "health_start_period": ReadBack(
        {**_CHECK, "health_start_period": 5}, 5 * 10**9, inspect="Config > Healthcheck > StartPeriod"
    ),
    "volumes": ReadBack({"volumes": "{volume}:/m"}, "/m", _MOUNTED),
    "mounts": ReadBack({"mounts": "type=volume,src={volume},dst=/m"}, "/m", _MOUNTED),
    "tmpfs": ReadBack({"tmpfs": "/m"}, "/m", _MOUNTED),
    "volumes_from": ReadBack({"volumes_from": "{other}"}, "/m", _MOUNTED),
    "read_only": ReadBack({"read_only": True}, "no", "touch /x 2>/dev/null || echo no"),
    "shm_size": ReadBack({"shm_size": "1m"}, "1024", "df -k /dev/shm | tail -n1 | awk '{print $2}'"),
    "storage_opt": ReadBack({"storage_opt": {"size": "64m"}}, "65536", "df -k / | tail -n1 | awk '{print $2}'",
                            refusable="needs a storage driver with quotas"),
    "publish": ReadBack({"publish": "127.0.0.1:{port}:80"}, [{"HostIp": "127.0.0.1", "HostPort": "{port}"}],
                        inspect="HostConfig > PortBindings > 80/tcp"),
    "publish_all": ReadBack({"publish_all": True, "expose": 8080}, str.isdigit, running=True,
                            inspect="NetworkSettings > Ports > 8080/tcp > 0 > HostPort"),
    "expose": ReadBack({"expose": 8080}, {}, inspect="Config > ExposedPorts > 8080/tcp"),
    "network": ReadBack({"network": "none"}, "lo", "ls /sys/class/net"),
    "network_alias": ReadBack({"network": "{network}", "network_alias": "peer"}, lambda found: "peer" in found,
                              running=True, inspect="NetworkSettings > Networks > {network} > Aliases"),
    "ip": ReadBack({"network": "{network}", "ip": "{ip}"}, "{ip}", _ADDRESS.format(version=4)),
    "ip6": ReadBack({"network": "{network6}", "ip6": "{ip6}"}, "{ip6}", _ADDRESS.format(version=6)),
    "mac_address": ReadBack({"network": "{network}", "mac_address": "02:42:ac:11:00:99"}, "02:42:ac:11:00:99",
                            "cat /sys/class/net/eth0/address"),
    "dns": ReadBack({"dns": "192.0.2.53"}, "192.0.2.53", "awk '/^nameserver/{print $2}' /etc/resolv.conf"),
    "dns_search": ReadBack({"dns_search": "example.test"}, "example.test",
                           "awk '/^search/{print $2}' /etc/resolv.conf"),
    "dns_option": ReadBack({"dns_option": "ndots:3"}, "ndots:3", "grep -o ndots:3 /etc/resolv.conf"),
    "add_host": ReadBack({"add_host": "far:192.0.2.7"}, "192.0.2.7", "awk '$2==\"far\"{print $1}' /etc/hosts"),
    "ulimits": ReadBack({"ulimits": {"nofile": "512:1024", "nproc": 4096}}, "512\n1024", "ulimit -Sn; ulimit -Hn"),
    "oom_kill_disable": ReadBack(
        {"oom_kill_disable": True}, "oom_kill_disable 1", "head -n 1 /sys/fs/cgroup/memory/memory.oom_control",
        refusable="needs cgroup v1 and its memory controller",
    ),
    "oom_score_adj": ReadBack({"oom_score_adj": 500}, "500", "cat /proc/self/oom_score_adj"),
    "privileged": ReadBack({"privileged": True}, "0", "grep -c ' /proc/sys ' /proc/mounts",
                           refusable="needs an engine that sees the devices of its host"),
    "cap_add": ReadBack({"cap_add": "SYS_PTRACE"}, "1", _capability(19)),
    "cap_drop": ReadBack({"cap_drop": "CHOWN"}, "0", _capability(0)),
    "security_opt": ReadBack({"security_opt": "no-new-privileges"}, "1",
                             "awk '/NoNewPrivs/{print $2}' /proc/self/status"),
    "group_add": ReadBack({"group_add": 4321}, "4321", "id -G | tr ' ' '\\n' | grep -x 4321"),
    "devices": ReadBack({"devices": "/dev/null:/dev/given"}, "yes", "test -c /dev/given && echo yes"),
    "gpus": ReadBack({"gpus": "all"}, lambda found: found != "0", "ls /dev | grep -c nvidia", refusable="needs a GPU"),
    "sysctls": ReadBack({"sysctls": {"net.ipv4.ip_forward": 1}}, "1", "cat /proc/sys/net/ipv4/ip_forward"),
    "userns": ReadBack({"userns": "host"}, ("host", ""), inspect="HostConfig > UsernsMode"),
    "pid": ReadBack({"pid": "container:{other}"}, "sleep 600", "tr '\\0' ' ' </proc/1/cmdline"),
    "ipc": ReadBack({"ipc": "container:{other}"}, "{other_ipc}", "readlink /proc/self/ns/ipc"),
    "uts": ReadBack({"uts": "host"}, "{host}", "hostname"),
    "cgroupns": ReadBack({"cgroupns": "private"}, "0", "awk -F: '$3!=\"/\"' /proc/self/cgroup | wc -l",
                         refusable="Podman before 5.8 ignores it"),
    "cgroup_parent": ReadBack({"cgroup_parent": "/ck-parent"}, "/ck-parent", inspect="HostConfig > CgroupParent"),
    "runtime": ReadBack({"runtime": "{runtime}"}, ("{runtime}", "oci"), inspect="HostConfig > Runtime"),
    "log_driver": ReadBack({"log_driver": "none"}, "none", inspect="HostConfig > LogConfig > Type"),
}  # fmt: skip
