"""From keyword options to a spec: names, then values, then contradictions between options."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..spec import (
    BuildSpec,
    ContainerSpec,
    ExecSpec,
    HealthCheck,
    NetworkAttachment,
    NetworkSpec,
    ResourceLimits,
    RestartPolicy,
    VolumeSpec,
)
from . import table
from .groups import parse_command
from .limits import make_limits
from .mounts import distinct_mounts
from .names import parse_image, parse_name
from .networks import MODES
from .primitives import did_you_mean, fail

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .typed import BuildOptions, ExecOptions, NetworkOptions, VolumeOptions

# name in docker-py and podman-py -> what to type here
_DOCKER_PY = {
    "environment": "env", "ports": "publish", "working_dir": "workdir", "mem_limit": "memory",
    "memswap_limit": "memory_swap", "mem_reservation": "memory_reservation", "nano_cpus": "cpus", "remove": "rm",
    "network_mode": "network", "networking_config": "network", "extra_hosts": "add_host",
    "dns_opt": "dns_option", "stdin_open": "interactive", "userns_mode": "userns", "pid_mode": "pid",
    "ipc_mode": "ipc", "uts_mode": "uts", "restart_policy": "restart", "publish_all_ports": "publish_all",
    "device_requests": "gpus", "log_config": "log_driver", "no_new_privileges": "security_opt",
    "command": "the command, second in the call", "image": "the image, first in the call", "detach": "start()",
}  # fmt: skip


class _Given:
    """The options of one call.

    Attributes:
        values: option name -> value as given; without those that are None.
        spelled: option name -> the spelling the user typed.
        parsed: option name -> parsed value.
        fields: field of the spec -> parsed value, of the options that set a whole field; mappings are joined.
        nested: field -> {its field: option name}, of the options that set a part of a field ("limits.memory").

    Raises:
        InvalidOption: an unknown option (the error names the nearest), two spellings of one option, an invalid value.
    """

    def __init__(self, options: Mapping[str, Any], rows: table.Table, what: str) -> None:
        aliases = {alias: row.name for row in rows.values() for alias in row.aliases}
        self.values: dict[str, Any] = {}
        self.spelled: dict[str, str] = {}
        self.parsed: dict[str, Any] = {}
        self.fields: dict[str, Any] = {}
        self.nested: dict[str, dict[str, str]] = {}
        for spelling, value in options.items():
            name = aliases.get(spelling, spelling)
            if name not in rows:
                known = _DOCKER_PY.get(spelling)
                hint = f"; did you mean {known!r}?" if known else did_you_mean(spelling, {*rows, *aliases})
                fail(spelling or "options", value, f"an option of {what}{hint}")
            if value is None:
                continue
            if name in self.values:
                fail(spelling, value, f"either {spelling}= or {self.spelled[name]}=, not both")
            self.values[name], self.spelled[name] = value, spelling
        for name, row in rows.items():
            if name in self.values:
                self.parsed[name] = row.parse(self.spelled[name], self.values[name])
                self._put(row.field or name, name)

    def _put(self, field: str, name: str) -> None:
        outer, dot, inner = field.partition(".")
        value, before = self.parsed[name], self.fields.get(field)
        if dot:
            self.nested.setdefault(outer, {})[inner] = name
        elif isinstance(value, Mapping) and isinstance(before, Mapping):
            self.fields[field] = {**before, **value}
        else:
            self.fields[field] = value

    def part(self, field: str) -> dict[str, Any]:
        """Return the parsed parts of a field: {"memory": 64 << 20} for "limits"."""
        return {inner: self.parsed[name] for inner, name in self.nested.get(field, {}).items()}

    def refuse(self, name: str, expected: str) -> None:
        """Raise InvalidOption for an option of this call."""
        fail(self.spelled[name], self.values[name], expected)


def container_spec(image: str, command: Any, options: Mapping[str, Any]) -> ContainerSpec:
    """Parse the options of one container. No request is sent.

    Raises:
        InvalidReference: the image's name.
        InvalidOption: an option that is unknown, that no engine would accept, or that contradicts another option.
    """
    name = parse_image(image, "image")
    given = _Given(options, table.CREATE, "run, start and create")
    mode, networks = _networks(given)
    fields = given.fields | {
        "command": parse_command("command", command),
        "health": _health(given),
        "limits": make_limits(given.part("limits"), given.values),
        "mounts": distinct_mounts(
            (given.spelled[option], given.values[option], mount)
            for option in ("volumes", "mounts", "tmpfs")
            for mount in given.parsed.get(option, ())
        ),
        "network_mode": mode,
        "networks": networks,
    }
    spec = ContainerSpec(name, **fields)
    _refuse_contradictions(spec, given)
    return spec


def _health(given: _Given) -> HealthCheck | None:
    parts = given.part("health")
    whole, off = given.parsed.get("healthcheck"), given.parsed.get("no_healthcheck")
    if off and (parts or whole):
        given.refuse("no_healthcheck", "either no_healthcheck=True or a health check")
    if not parts:
        return off or whole
    if whole:
        given.refuse("healthcheck", "either healthcheck= or the health_ options")
    if "test" not in parts:
        given.refuse(next(iter(given.nested["health"].values())), "a command to check with (health_cmd=) beside it")
    if parts["test"] == ("NONE",) and len(parts) > 1:
        given.refuse("health_cmd", "a command, if its times are given")
    return HealthCheck(**parts)


def _networks(given: _Given) -> tuple[str | None, tuple[NetworkAttachment, ...]]:
    """Return the network mode and the networks, with network_alias=, ip=, ip6= and mac_address= in the only one."""
    mode, networks = given.parsed.get("network", (None, ()))
    for field, name in given.nested.get("networks", {}).items():
        if len(networks) != 1:
            given.refuse(name, "exactly one network of yours in network= (with several, give each its own settings)")
        if getattr(networks[0], field):
            given.refuse(name, f"{field} only once")
        networks = (replace(networks[0], **{field: given.parsed[name]}),)
    return mode, networks


def _refuse_contradictions(spec: ContainerSpec, given: _Given) -> None:
    if spec.auto_remove and spec.restart and spec.restart.name != "no":
        given.refuse("restart", "'no' beside rm=True: a container that is removed cannot be started again")
    mode = spec.network_mode or ""
    peer = mode.startswith(("container:", "ns:"))
    for option in ("publish", "publish_all"):
        if given.parsed.get(option) and (peer or mode in ("host", "none")):
            given.refuse(option, f"no published ports with network={mode!r}: the engine would ignore them")
    for option in ("hostname", "domainname", "dns", "dns_search", "dns_option", "add_host", "expose"):
        if given.parsed.get(option) and peer:
            given.refuse(option, f"nothing with network={mode!r}: the other container decides it")
        if given.parsed.get(option) and spec.uts == "host" and option in ("hostname", "domainname"):
            given.refuse(option, "no name of its own with uts='host'")
    if both := sorted(set(spec.cap_add) & set(spec.cap_drop)):
        given.refuse("cap_drop", f"capabilities that cap_add= does not add ({', '.join(both)})")
    if sum(option.startswith("no-new-privileges") for option in spec.security_opt) > 1:
        given.refuse("security_opt", "no-new-privileges either true or false")


def update_spec(options: Mapping[str, Any]) -> tuple[ResourceLimits, RestartPolicy | None]:
    """Parse the options of an update: limits, and the restart policy.

    Raises:
        InvalidOption: an option that is unknown or that no engine would accept.
    """
    given = _Given(options, table.UPDATE, "update")
    return make_limits(given.part("limits"), given.values), given.parsed.get("restart")


def exec_spec(command: Any, **options: Unpack[ExecOptions]) -> ExecSpec:
    """Parse the options of one command in a running container.

    Raises:
        InvalidOption: an empty command, an option that is unknown or that no engine would accept.
    """
    given = _Given(options, table.EXEC, "exec")
    argv = parse_command("command", command)
    if not argv or not argv[0]:
        fail("command", command, "a command line, or a list of strings, that names a program")
    return ExecSpec(argv, **given.fields)


def build_spec(**options: Unpack[BuildOptions]) -> BuildSpec:
    """Parse the options of one build.

    Raises:
        InvalidOption: an option that is unknown or that no engine would accept.
    """
    return BuildSpec(**_Given(options, table.BUILD, "build").fields)


def volume_spec(name: str | None = None, **options: Unpack[VolumeOptions]) -> VolumeSpec:
    """Parse the name and the options of one volume; without a name the engine chooses one.

    Raises:
        InvalidOption: a name that no engine would accept, an unknown or invalid option.
    """
    given = _Given(options, table.VOLUME, "volumes.create")
    return VolumeSpec("" if name is None else parse_name("name", name, shortest=2), **given.fields)


def network_spec(name: str, **options: Unpack[NetworkOptions]) -> NetworkSpec:
    """Parse the name and the options of one network. An IPv6 subnet switches ipv6 on.

    Raises:
        InvalidOption: a name no engine would accept; a subnet with host bits; a gateway or range outside the subnet.
    """
    given = _Given(options, table.NETWORK, "networks.create")
    parse_name("name", name)
    if name in MODES:
        fail("name", name, f"a name that is not a network mode ({', '.join(MODES)})")
    spec = NetworkSpec(name, **given.fields)
    subnet = ipaddress.ip_network(spec.subnet) if spec.subnet else None
    for option, value in (("gateway", spec.gateway), ("ip_range", spec.ip_range)):
        inner = ipaddress.ip_network(value) if value else None
        if inner is None:
            continue
        if subnet is None:
            given.refuse(option, "subnet= beside it")
        elif inner.version != subnet.version or not inner.subnet_of(subnet):  # type: ignore[arg-type]
            given.refuse(option, f"a part of subnet {subnet}")
    return replace(spec, ipv6=spec.ipv6 or (subnet is not None and subnet.version == 6))


def required_capabilities(spec: ContainerSpec) -> Iterator[tuple[str, str]]:
    """Yield the capability that each option of a spec needs, and the option's name; limits are left out."""
    for row in table.CREATE.values():
        outer, _, inner = row.field.partition(".")
        if not row.capability or outer == "limits":
            continue
        values = (
            [getattr(each, inner) for each in spec.networks]
            if outer == "networks"
            else [getattr(spec, row.field or row.name)]
        )
        if any(value and row.needs(value) for value in values):
            yield row.capability, row.name
