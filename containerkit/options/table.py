"""The table of options: each stands here once, with its name, type, parser, place in the request and documentation.

To add an option of `run`, add a row to CREATE, its field to ContainerSpec and its JSON to
tests/unit/test_option_table.py; then `python docs/make_options.py` writes the TypedDicts and docs/options.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import apijson, groups, limits, mounts, names, networks, ports, primitives, security
from .groups import parse_each
from .primitives import Parser, parse_flag, parse_integer, parse_size, parse_text, parse_word

__all__ = ["BUILD", "CREATE", "EXEC", "LIMITS", "NETWORK", "RUN", "START", "UPDATE", "VOLUME", "Option", "Table"]

Render = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        name: the keyword; the long flag of the command line in snake_case.
        type: its type, in the words of `types.py`.
        parse: the parser of its value.
        json: its place in the request: "HostConfig.CapAdd" in the body, "?name" in the query, "" if it is not sent; or
            several places, each with the function from the field to the JSON.
        doc: one line of documentation.
        field: the field of the spec that it sets; "limits.memory" is a field of a field. Default: `name`.
        aliases: other accepted spellings, such as the command line's singular.
        default: the value if the option is not given.
        flag: the flag of the command line, "-" for none. Default: the first alias or the name.
        capability: the capability without which an engine would ignore the option; Unsupported is raised there.
        needs: returns whether the field's value needs the capability. Default: every value does.
    """

    name: str
    type: str
    parse: Parser
    json: str | Mapping[str, Render]
    doc: str
    field: str = ""
    aliases: tuple[str, ...] = ()
    default: Any = None
    flag: str = ""
    capability: str = ""
    needs: Callable[[Any], bool] = bool

    @property
    def annotation(self) -> str:
        """The type with None, which is the same as leaving the option out, unless it has a default."""
        return self.type if self.default is not None else f"{self.type} | None"

    @property
    def cli_flag(self) -> str:
        """The flag of the command line ("--cap-add"), or "" if it has none."""
        flag = self.flag or f"--{(*self.aliases, self.name)[0].replace('_', '-')}"
        return "" if flag == "-" else flag

    def places(self) -> Mapping[str, Render]:
        """Return every place in the request, with the function from the field to its JSON."""
        if isinstance(self.json, str):
            return {self.json: apijson.plain} if self.json else {}
        return self.json


Table = Mapping[str, Option]


def _table(*rows: Option) -> dict[str, Option]:
    return {row.name: row for row in rows}


def _pick(table: Table, *names: str) -> tuple[Option, ...]:
    return tuple(table[name] for name in names)


def _stop_timeout(name: str, value: object) -> int:
    expected = "whole seconds, 0 or more"
    return parse_integer(name, value, low=0, high=primitives.MAX_SECONDS, expected=expected)


def _callable(name: str, value: object) -> object:
    return value if callable(value) else primitives.fail(name, value, "a function")


def _choice(*words: str) -> Parser:
    return lambda name, value: primitives.parse_choice(name, value, *words)


LIMITS = _table(
    Option("memory", "Size", limits.parse_memory, "HostConfig.Memory", "Most memory, in bytes or like '64m'.",
           field="limits.memory", capability="memory-limit"),
    Option("memory_swap", "Size", limits.parse_memory_swap, "HostConfig.MemorySwap",
           "Most memory and swap together; -1 for unlimited swap.", field="limits.memory_swap",
           capability="memory-limit"),
    Option("memory_reservation", "Size", limits.parse_memory, "HostConfig.MemoryReservation",
           "Memory to leave to the container when the host runs short.", field="limits.memory_reservation",
           capability="memory-limit"),
    Option("cpus", "float | str", limits.parse_cpus, {"HostConfig.NanoCpus": apijson.nano},
           "Most processor time, as a number of processors (0.5).", field="limits.cpus", capability="cpu-limit"),
    Option("cpu_shares", "int", lambda name, value: parse_integer(name, value, low=2, high=262144),
           "HostConfig.CpuShares", "Weight against other containers; the kernel's default is 1024.",
           field="limits.cpu_shares", capability="cpu-limit"),
    Option("cpuset_cpus", "str | int | Iterable[int]", limits.parse_cpuset, "HostConfig.CpusetCpus",
           "Processors to run on: '0-1,3' or [0, 1, 3].", field="limits.cpuset_cpus", capability="cpuset-limit"),
    Option("cpuset_mems", "str | int | Iterable[int]", limits.parse_cpuset, "HostConfig.CpusetMems",
           "Memory nodes to use: '0-1,3' or [0, 1, 3].", field="limits.cpuset_mems", capability="cpuset-limit"),
    Option("cpu_period", "int", lambda name, value: parse_integer(name, value, low=1000, high=1_000_000),
           "HostConfig.CpuPeriod", "Microseconds of which `cpu_quota` is a part, from 1000 to 1000000.",
           field="limits.cpu_period", capability="cpu-limit"),
    Option("cpu_quota", "int", lambda name, value: parse_integer(name, value, low=1000),
           "HostConfig.CpuQuota", "Microseconds of processor time in each `cpu_period`, 1000 or more; not with `cpus`.",
           field="limits.cpu_quota", capability="cpu-limit"),
    Option("pids_limit", "int", limits.parse_pids_limit, "HostConfig.PidsLimit",
           "Most processes and threads; -1 for unlimited.", field="limits.pids_limit", capability="pids-limit"),
)  # fmt: skip

#: The options of `containers.create`: what a container is.
CREATE = _table(
    Option("name", "str", lambda name, value: names.parse_name(name, value, shortest=2), "?name",
           "Name of the container, two characters or more."),
    Option("env_file", "PathStr | Iterable[PathStr]", groups.parse_env_file, "",
           "Files of KEY=value lines; `env` wins.", field="env"),
    Option("env", "Pairs", groups.parse_env, {"Env": apijson.lines},
           "Environment variables; a name alone takes the caller's value."),
    Option("label_file", "PathStr | Iterable[PathStr]", groups.parse_label_file, "",
           "Files of KEY=value lines; `labels` wins.", field="labels"),
    Option("labels", "Pairs", groups.parse_labels, "Labels", "Labels of the container.", aliases=("label",)),
    Option("user", "str | int", names.parse_user, "User", "User of the command: a name, a number, or 'user:group'."),
    Option("workdir", "PathStr", names.parse_workdir, "WorkingDir", "Folder in which the command starts."),
    Option("hostname", "str", names.parse_hostname, "Hostname", "Host name in the container."),
    Option("domainname", "str", names.parse_hostname, "Domainname",
           "NIS domain name in the container; Podman's API ignores it, so it is Unsupported there."),
    Option("interactive", "bool", parse_flag,
           {"OpenStdin": bool, "AttachStdin": bool, "StdinOnce": bool}, "Keep stdin open.",
           field="stdin", aliases=("stdin",), flag="--interactive"),
    Option("tty", "bool", parse_flag, {"Tty": bool, "StdinOnce": lambda tty: False},
           "Give the command a terminal; its two streams become one."),
    Option("init", "bool", parse_flag, "HostConfig.Init", "Run an init process that reaps children."),
    Option("stop_signal", "str | int", primitives.parse_signal, "StopSignal", "Signal that stop() sends."),
    Option("stop_timeout", "int", _stop_timeout, "StopTimeout", "Seconds between the stop signal and SIGKILL."),
    Option("rm", "bool", parse_flag, "HostConfig.AutoRemove",
           "The engine removes the container when it ends.",
           field="auto_remove", aliases=("auto_remove",), flag="--rm"),
    Option("platform", "str", names.parse_platform, "?platform", "Platform of the image, like 'linux/arm64'."),
    Option("restart", "str | Mapping[str, Any] | RestartPolicy", limits.parse_restart,
           {"HostConfig.RestartPolicy": apijson.restart},
           "When the engine starts it again: 'no', 'always', 'unless-stopped', 'on-failure:3'."),
    Option("entrypoint", "Command", groups.parse_entrypoint, {"Entrypoint": apijson.entrypoint},
           "Entrypoint in place of the image's; '' removes it."),
    Option("healthcheck", "HealthCheck | Mapping[str, Any]", limits.parse_healthcheck,
           {"Healthcheck": apijson.health},
           "Whole health check: a mapping of test, interval, timeout, retries, start_period.",
           field="health", flag="-"),
    Option("no_healthcheck", "bool", limits.parse_no_healthcheck, "", "Switch off the health check of the image.",
           field="health"),
    Option("health_cmd", "Command", limits.parse_health_test, "", "Command that checks the health.",
           field="health.test"),
    Option("health_interval", "Seconds", limits.parse_health_seconds, "", "Time between two checks.",
           field="health.interval"),
    Option("health_timeout", "Seconds", limits.parse_health_seconds, "", "Longest time of one check.",
           field="health.timeout"),
    Option("health_retries", "int", limits.parse_health_retries, "", "Failed checks in a row until 'unhealthy'.",
           field="health.retries"),
    Option("health_start_period", "Seconds", limits.parse_start_period, "",
           "Time at the start in which failed checks do not count.", field="health.start_period"),
    # files
    Option("volumes", "Volumes", mounts.parse_volumes, {"HostConfig.Binds": apijson.binds},
           "Host folders and volumes: {'/src': '/dst:ro'} or '/src:/dst:ro'.", field="mounts", aliases=("volume",)),
    Option("mounts", "Mounts", mounts.parse_mounts, {"HostConfig.Mounts": apijson.mounts},
           "Mounts: 'type=bind,source=/src,target=/dst,readonly', a mapping of these words, or a Mount.",
           aliases=("mount",)),
    Option("tmpfs", "Tmpfs", mounts.parse_tmpfs, {"HostConfig.Tmpfs": apijson.tmpfs},
           "Memory mounted as a folder: '/t:size=1m,mode=1777' or {'/t': 'size=1m'}.", field="mounts"),
    Option("volumes_from", "Texts", parse_each(mounts.parse_volumes_from), "HostConfig.VolumesFrom",
           "Containers whose volumes to mount: 'data:ro'."),
    Option("read_only", "bool", parse_flag, "HostConfig.ReadonlyRootfs",
           "Make the container's root file system read-only. Verified after create."),
    Option("shm_size", "Size", parse_size, "HostConfig.ShmSize", "Size of /dev/shm."),
    Option("storage_opt", "Pairs", groups.parse_pairs, "HostConfig.StorageOpt", "Options of the storage driver."),
    # network
    Option("publish", "Ports", ports.parse_publish,
           {"ExposedPorts": apijson.exposed_ports, "HostConfig.PortBindings": apijson.port_bindings},
           "Ports to publish: {80: 8080} (container: host) or '127.0.0.1:8080:80'."),
    Option("publish_all", "bool", parse_flag, "HostConfig.PublishAllPorts", "Publish every exposed port."),
    Option("expose", "Expose", ports.parse_expose, {"ExposedPorts": apijson.exposed_ports},
           "Ports to document, without publishing."),
    Option("network", "Networks", networks.parse_networks, "HostConfig.NetworkMode",
           "A network or several, or a mode: 'none', 'host', 'bridge', 'container:NAME'.",
           field="network_mode", aliases=("networks",), flag="--network"),
    Option("network_alias", "Texts", networks.parse_aliases, "NetworkingConfig.EndpointsConfig.*.Aliases",
           "Further names of the container in its network.", field="networks.aliases"),
    Option("ip", "str", networks.parse_ip4, "NetworkingConfig.EndpointsConfig.*.IPAMConfig.IPv4Address",
           "IPv4 address in its network.", field="networks.ipv4_address"),
    Option("ip6", "str", networks.parse_ip6, "NetworkingConfig.EndpointsConfig.*.IPAMConfig.IPv6Address",
           "IPv6 address in its network.", field="networks.ipv6_address"),
    Option("mac_address", "str", names.parse_mac, "NetworkingConfig.EndpointsConfig.*.MacAddress",
           "MAC address in its network.", field="networks.mac_address", capability="mac-address"),
    Option("dns", "Texts", parse_each(names.parse_ip), "HostConfig.Dns", "DNS servers."),
    Option("dns_search", "Texts", parse_each(networks.parse_dns_search), "HostConfig.DnsSearch",
           "DNS search domains; '.' for none."),
    Option("dns_option", "Texts", parse_each(parse_word), "HostConfig.DnsOptions",
           "Options of resolv.conf(5), like 'ndots:2'."),
    Option("add_host", "Hosts", networks.parse_hosts, {"HostConfig.ExtraHosts": apijson.hosts},
           "Lines of /etc/hosts: {'name': '1.2.3.4'} or 'name:1.2.3.4'; 'host-gateway' means the host.",
           capability="host-gateway", needs=lambda hosts: any(address == "host-gateway" for _, address in hosts)),
    # limits
    *LIMITS.values(),
    Option("ulimits", "Ulimits", limits.parse_ulimits, {"HostConfig.Ulimits": apijson.ulimits},
           "Limits of a process (setrlimit): {'nofile': (1024, 2048)} or 'nofile=1024:2048'. Verified after create.",
           aliases=("ulimit",), capability="ulimits"),
    Option("oom_kill_disable", "bool", parse_flag, "HostConfig.OomKillDisable",
           "The kernel's OOM killer spares the container; cgroup v1 only."),
    Option("oom_score_adj", "int", lambda name, value: parse_integer(name, value, low=-1000, high=1000),
           "HostConfig.OomScoreAdj", "Preference of the OOM killer, from -1000 to 1000."),
    # rights
    Option("privileged", "bool", parse_flag, "HostConfig.Privileged",
           "No confinement: root in the container is root on the engine's host."),
    Option("cap_add", "Texts", parse_each(security.parse_capability), "HostConfig.CapAdd",
           "Linux capabilities to add."),
    Option("cap_drop", "Texts", parse_each(security.parse_capability), "HostConfig.CapDrop",
           "Linux capabilities to drop, or 'all'. Verified after create."),
    Option("security_opt", "Texts", parse_each(security.parse_security_opt), "HostConfig.SecurityOpt",
           "Security options, like 'no-new-privileges' or 'seccomp=profile.json'. Verified after create."),
    Option("group_add", "str | int | Iterable[str | int]", parse_each(names.parse_user), "HostConfig.GroupAdd",
           "Further groups of the user."),
    Option("devices", "Devices", security.parse_devices, {"HostConfig.Devices": apijson.devices},
           "Device nodes of the host: '/dev/fuse', '/dev/a:/dev/b:rw'.", aliases=("device",)),
    Option("gpus", "str | int", security.parse_gpus, {"HostConfig.DeviceRequests": apijson.gpus},
           "GPUs: 'all', a number, or 'device=0,1'."),
    Option("sysctls", "Pairs", security.parse_sysctls, "HostConfig.Sysctls", "Kernel parameters.",
           aliases=("sysctl",)),
    Option("userns", "str", security.parse_namespace(
               "host", "private", "keep-id", "nomap", "auto", prefixes=("keep-id", "auto", "container", "ns")),
           "HostConfig.UsernsMode", "User namespace: 'host', 'private', 'keep-id', 'nomap', 'auto'.",
           capability="keep-id", needs=lambda mode: mode.startswith("keep-id")),
    Option("pid", "str", security.parse_namespace("host", "private"), "HostConfig.PidMode",
           "PID namespace: 'host', 'private', 'container:NAME'."),
    Option("ipc", "str", security.parse_namespace("host", "private", "shareable", "none"), "HostConfig.IpcMode",
           "IPC namespace: 'host', 'private', 'shareable', 'none', 'container:NAME'."),
    Option("uts", "str", security.parse_namespace("host", "private"), "HostConfig.UTSMode",
           "UTS namespace: 'host' or 'private'."),
    Option("cgroupns", "str", security.parse_namespace("host", "private"), "HostConfig.CgroupnsMode",
           "Cgroup namespace: 'host' or 'private'."),
    Option("cgroup_parent", "str", parse_text, "HostConfig.CgroupParent", "Parent cgroup of the container."),
    Option("runtime", "str", parse_word, "HostConfig.Runtime", "OCI runtime, like 'runc'."),
    Option("log_driver", "str", parse_word, "HostConfig.LogConfig.Type", "Log driver."),
    Option("log_opt", "Pairs", groups.parse_pairs, "HostConfig.LogConfig.Config", "Options of the log driver."),
)  # fmt: skip

#: The options of `start`: those of `create`, and how the container is created.
START = CREATE | _table(
    Option("pull", 'Literal["missing", "always", "never"]', _choice("missing", "always", "never"), "",
           "When to pull the image: 'missing', 'always' or 'never'.", default="missing"),
    Option("limits", 'Literal["enforce", "best-effort"]', _choice("enforce", "best-effort"), "",
           "A limit that this engine ignores: 'enforce' raises LimitNotEnforced, 'best-effort' runs without it.",
           default="enforce", flag="-"),
)  # fmt: skip
#: The options of `run`: those of `start`, and what happens with the command's output and end.
RUN = START | _table(
    Option("check", "bool", parse_flag, "", "Raise CommandFailed unless the exit code is 0.", default=False, flag="-"),
    Option("timeout", "Seconds", primitives.parse_timeout, "",
           "Seconds for the whole; then the container is killed and removed, and EngineTimeout is raised.", flag="-"),
    Option("input", "str | bytes", primitives.parse_bytes, "", "Text or bytes for stdin.", flag="-"),
    Option("on_output", "Callable[[Any], object]", _callable, "",
           "Function that gets each Output(stream, data) as it arrives.", flag="-"),
)  # fmt: skip
#: The options of `container.update`.
UPDATE = LIMITS | _table(*_pick(CREATE, "restart"))
#: The options of `container.exec`.
EXEC = _table(
    *_pick(CREATE, "env_file", "env", "user", "workdir"),
    Option("tty", "bool", parse_flag, "Tty", "Give the command a terminal; its two streams become one."),
    Option("interactive", "bool", parse_flag, "AttachStdin", "Keep stdin open.",
           field="stdin", aliases=("stdin",), flag="--interactive"),
    Option("privileged", "bool", parse_flag, "Privileged", "Give the command every capability of the engine."),
)  # fmt: skip
#: The options of `images.build`.
BUILD = _table(
    Option("tags", "Texts", parse_each(names.parse_tag), "?t", "Names for the image.", aliases=("tag",)),
    Option("dockerfile", "PathStr", names.parse_dockerfile, "?dockerfile",
           "Path of the Dockerfile in the context, or a local path elsewhere.", aliases=("file",)),
    Option("build_args", "Pairs", groups.parse_env, "?buildargs",
           "Values of ARG instructions.", aliases=("build_arg",)),
    Option("target", "str", parse_word, "?target", "Stage at which to stop."),
    Option("labels", "Pairs", groups.parse_labels, "?labels", "Labels of the image.", aliases=("label",)),
    Option("platform", "str", names.parse_platform, "?platform", "Platform of the image, like 'linux/arm64'."),
    Option("no_cache", "bool", parse_flag, "?nocache", "Run every instruction again."),
    Option("pull", "bool", parse_flag, "?pull", "Pull the base image even if it is here."),
    Option("network", "str", parse_word, "?networkmode", "Network of the RUN instructions."),
    Option("add_host", "Hosts", networks.parse_hosts, {"?extrahosts": apijson.hosts},
           "Lines of /etc/hosts for the RUN instructions."),
    Option("shm_size", "Size", parse_size, "?shmsize", "Size of /dev/shm for the RUN instructions."),
)  # fmt: skip
#: The options of `volumes.create`.
VOLUME = _table(
    Option("driver", "str", parse_word, "Driver", "Volume driver.", default="local"),
    Option("options", "Pairs", groups.parse_labels, "DriverOpts", "Options of the driver.", aliases=("opt",)),
    Option("labels", "Pairs", groups.parse_labels, "Labels", "Labels of the volume.", aliases=("label",)),
)
#: The options of `networks.create`.
NETWORK = _table(
    Option("driver", "str", parse_word, "Driver", "Network driver.", default="bridge"),
    Option("subnet", "Any", lambda name, value: str(names.parse_subnet(name, value)), "IPAM.Config.Subnet",
           "Subnet in CIDR notation."),
    Option("gateway", "Any", names.parse_ip, "IPAM.Config.Gateway", "Address of the gateway, in the subnet."),
    Option("ip_range", "Any", lambda name, value: str(names.parse_subnet(name, value)), "IPAM.Config.IPRange",
           "Part of the subnet from which containers get their addresses."),
    Option("ipv6", "bool", parse_flag, "EnableIPv6", "Give containers IPv6 addresses too."),
    Option("internal", "bool", parse_flag, "Internal", "No way out of the network."),
    Option("options", "Pairs", groups.parse_labels, "Options", "Options of the driver.", aliases=("opt",)),
    Option("labels", "Pairs", groups.parse_labels, "Labels", "Labels of the network.", aliases=("label",)),
)  # fmt: skip
