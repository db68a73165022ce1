"""From keyword options to a ContainerSpec or an ExecSpec: a table of names, a table of readers, then contradictions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..reference import looks_like_id, parse
from ..spec import ContainerSpec, ExecSpec
from . import mounts, network, resources
from .values import (
    command,
    container_path,
    did_you_mean,
    env,
    fail,
    flag,
    integer,
    ip_address,
    items,
    labels,
    object_name,
    pairs,
    plain_path,
    signal_name,
    size,
    text,
    texts,
    word,
)

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 12):
        from typing import Unpack
    else:
        from typing_extensions import Unpack

    from .typed import ExecOptions

Reader = Callable[[str, Any], Any]

# the CLI's own singular, and other accepted spellings -> ours
ALIASES = {
    "label": "labels",
    "volume": "volumes",
    "mount": "mounts",
    "device": "devices",
    "ulimit": "ulimits",
    "sysctl": "sysctls",
    "networks": "network",
    "stdin": "interactive",
    "auto_remove": "rm",
}
# what docker-py and podman-py call it -> what to type here
_ELSEWHERE = {
    "environment": "env", "ports": "publish", "working_dir": "workdir", "mem_limit": "memory",
    "memswap_limit": "memory_swap", "mem_reservation": "memory_reservation", "nano_cpus": "cpus", "cpu_quota": "cpus",
    "remove": "rm", "network_mode": "network", "networking_config": "network", "extra_hosts": "add_host",
    "dns_opt": "dns_option", "stdin_open": "interactive", "userns_mode": "userns", "pid_mode": "pid",
    "ipc_mode": "ipc", "uts_mode": "uts", "restart_policy": "restart", "publish_all_ports": "publish_all",
    "device_requests": "gpus", "log_config": "log_driver", "no_new_privileges": "security_opt",
    "command": "the command, second in the call", "image": "the image, first in the call", "detach": "start()",
}  # fmt: skip


def platform(name: str, value: object) -> str:
    """ "linux/arm64" or "linux/arm/v7"."""
    expected = "a platform like 'linux/arm64' or 'linux/arm/v7'"
    found = text(name, value, expected)
    return found if re.fullmatch(r"[a-z0-9_]+(/[a-z0-9_]+){0,2}", found, re.ASCII) else fail(name, value, expected)


def _entrypoint(name: str, value: object) -> tuple[str, ...]:
    return () if value == "" or value in ([], (), [""], ("",)) else command(value, name) or ()


def _no_value(name: str) -> Callable[[str], str | None]:
    return lambda key: fail(name, key, "'key=value'")


def _settings(name: str, value: object) -> dict[str, str]:
    return pairs(name, value, bare=_no_value(name))


def _sysctls(name: str, value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        value = {
            key: resources.sysctl_value(name, item) if isinstance(item, bool) else item for key, item in value.items()
        }
    found = _settings(name, value)
    for key in found:
        if not re.fullmatch(r"[a-zA-Z0-9_.:/-]+", key, re.ASCII):
            fail(name, key, "a kernel parameter like 'net.ipv4.ip_forward'")
    return found


def _each(read: Callable[[str, object], Any]) -> Reader:
    return lambda name, value: texts(name, value, read)


def _address(name: str, value: object) -> str:
    return ip_address(name, value)


# options that become the field of the same name
_READERS: dict[str, Reader] = {
    "name": lambda name, value: object_name(name, value, shortest=2),
    "entrypoint": _entrypoint,
    "labels": lambda name, value: labels(value, name),
    "user": resources.identity,
    "workdir": lambda name, value: container_path(name, value, root=True),
    "hostname": network.hostname,
    "domainname": network.hostname,
    "tty": flag,
    "init": flag,
    "stop_signal": signal_name,
    "stop_timeout": lambda name, value: integer(
        name, value, low=0, high=2_147_483, expected="whole seconds, 0 or more"
    ),
    "platform": platform,
    "restart": resources.restart,
    "volumes_from": _each(mounts.volumes_from),
    "read_only": flag,
    "shm_size": lambda name, value: size(name, value),
    "storage_opt": _settings,
    "publish": network.publish,
    "publish_all": flag,
    "expose": network.expose,
    "dns": _each(_address),
    "dns_search": _each(network.dns_search),
    "dns_option": _each(network.dns_option),
    "add_host": network.add_host,
    "ulimits": resources.ulimits,
    "oom_kill_disable": flag,
    "oom_score_adj": lambda name, value: integer(name, value, low=-1000, high=1000),
    "privileged": flag,
    "cap_add": _each(resources.capability),
    "cap_drop": _each(resources.capability),
    "security_opt": _each(resources.security_opt),
    "group_add": _each(resources.identity),
    "devices": mounts.devices,
    "gpus": resources.gpus,
    "sysctls": _sysctls,
    "userns": resources.namespace(
        "host", "private", "keep-id", "nomap", "auto", prefixes=("keep-id", "auto", "container", "ns")
    ),
    "pid": resources.namespace("host", "private", prefixes=("container", "ns")),
    "ipc": resources.namespace("host", "private", "shareable", "none", prefixes=("container", "ns")),
    "uts": resources.namespace("host", "private", prefixes=("container", "ns")),
    "cgroupns": resources.namespace("host", "private", prefixes=("container", "ns")),
    "cgroup_parent": text,
    "runtime": word,
    "log_driver": word,
    "log_opt": _settings,
}
_NETWORK_OWN = ("network_alias", "ip", "ip6", "mac_address")
_COMBINED = {
    "env", "env_file", "interactive", "rm", "volumes", "mounts", "tmpfs", "network", *_NETWORK_OWN,
    "healthcheck", "no_healthcheck", "health_cmd", "health_interval", "health_timeout", "health_retries",
    "health_start_period", *resources.LIMITS,
}  # fmt: skip
#: every option of create, by its own name
CREATE_OPTIONS = frozenset(_READERS) | _COMBINED
_EXEC_OPTIONS = frozenset({"env", "env_file", "user", "workdir", "tty", "interactive", "privileged"})


def collect(
    options: Mapping[str, Any], known: frozenset[str], aliases: Mapping[str, str] = ALIASES, what: str = "create"
) -> tuple[dict[str, Any], dict[str, str]]:
    """({our name: value}, {our name: as the user spelled it}) of what is given; None is "not given".

    Raises:
        InvalidOption: an unknown option (with the nearest known one), or two spellings of the same.
    """
    found: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for name, value in options.items():
        ours = aliases.get(name, name)
        if ours not in known:
            hint = (
                f"; did you mean {_ELSEWHERE[name]!r}?"
                if name in _ELSEWHERE
                else did_you_mean(name, {*known, *aliases})
            )
            fail(name, value, f"an option that {what} has{hint}")
        if value is None:
            continue
        if ours in found:
            fail(name, value, f"either {name}= or {spelled[ours]}=, not both")
        found[ours], spelled[ours] = value, name
    return found, spelled


def image_name(value: object) -> str:
    """An image's name or ID, checked and otherwise as it was given. Raises InvalidReference."""
    if not (isinstance(value, str) and looks_like_id(value)):
        parse(value)  # type: ignore[arg-type]  # it says so itself
    return str(value)


def image_ref(value: object) -> str:
    """Return an image's name or ID as given. Raises InvalidOption (not text) or InvalidReference (not a name)."""
    if not isinstance(value, str):
        fail("ref", value, "an image's name or ID")
    return image_name(value)


def environment(options: Mapping[str, Any]) -> dict[str, str]:
    """env_file= first, then env=, which wins, as on the command line."""
    found: dict[str, str] = {}
    if options.get("env_file") is not None:
        for path in items("env_file", options["env_file"], "the path of a file of KEY=value lines"):
            found.update(_env_file(path))
    found.update(env(options.get("env")))
    return found


def _env_file(path: object) -> dict[str, str]:
    name = text("env_file", plain_path(path), "the path of a file of KEY=value lines")
    try:
        with open(name, encoding="utf-8-sig") as file:
            lines = [line.lstrip() for line in file.read().splitlines()]
    except (OSError, UnicodeDecodeError) as exc:
        fail("env_file", name, f"a readable text file of KEY=value lines ({exc})")
    lines = [line for line in lines if line and not line.startswith("#")]
    for line in lines:
        key = line.partition("=")[0]
        if not key or any(char.isspace() for char in key):
            fail("env_file", line, f"KEY=value lines in {name}, without spaces in a key")
    return env(lines, "env_file")


def container_spec(image: str, command_: Any, options: Mapping[str, Any]) -> ContainerSpec:
    """One container, every option parsed and checked; nothing is sent.

    Raises:
        InvalidReference: the image's name.
        InvalidOption: an option that is unknown, that no engine would accept, or that another one makes void.
    """
    name = image_name(image)
    given, spelled = collect(options, CREATE_OPTIONS)
    fields: dict[str, Any] = {
        option: read(spelled[option], given[option]) for option, read in _READERS.items() if option in given
    }
    own = {option: given[option] for option in _NETWORK_OWN if option in given}
    mode, attached = network.networks(spelled.get("network", "network"), given.get("network"), own)
    spec = ContainerSpec(
        image=name,
        command=command(command_),
        env=environment(given),
        stdin=flag(spelled["interactive"], given["interactive"]) if "interactive" in given else False,
        auto_remove=flag(spelled["rm"], given["rm"]) if "rm" in given else False,
        health=resources.health(_with_flag(given, "no_healthcheck")),
        mounts=_all_mounts(given, spelled),
        limits=resources.limits(given),
        network_mode=mode,
        networks=attached,
        **fields,
    )
    _contradictions(spec, given, spelled)
    return spec


def _with_flag(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if name in given:
        flag(name, given[name])
    return given


def _all_mounts(given: Mapping[str, Any], spelled: Mapping[str, str]) -> tuple[Any, ...]:
    readers = {"volumes": mounts.volumes, "mounts": mounts.mounts, "tmpfs": mounts.tmpfs}
    return mounts.distinct(
        (spelled[option], given[option], mount)
        for option, read in readers.items()
        if option in given
        for mount in read(spelled[option], given[option])
    )


def _contradictions(spec: ContainerSpec, given: Mapping[str, Any], spelled: Mapping[str, str]) -> None:
    def refuse(option: str, why: str) -> None:
        fail(spelled[option], given[option], why)

    if spec.auto_remove and spec.restart and spec.restart.name != "no":
        refuse("restart", "'no' beside rm=True: a container that is removed cannot be started again")
    mode = spec.network_mode or ""
    peer = mode.startswith(("container:", "ns:"))
    if mode in ("host", "none") or peer:
        for option in ("publish", "publish_all"):
            if given.get(option):
                refuse(option, f"no published ports with network={mode!r}: the engine would drop them silently")
    if peer:
        for option in ("hostname", "domainname", "dns", "dns_search", "dns_option", "add_host", "expose"):
            if given.get(option):
                refuse(option, f"nothing with network={mode!r}: it is the other container's own")
    if spec.uts == "host" and (spec.hostname or spec.domainname):
        refuse("hostname" if spec.hostname else "domainname", "no name of its own with uts='host'")
    both = sorted(set(spec.cap_add) & set(spec.cap_drop))
    if both:
        refuse("cap_drop", f"capabilities that cap_add= does not add ({', '.join(both)})")
    if sum(option.startswith("no-new-privileges") for option in spec.security_opt) > 1:
        refuse("security_opt", "no-new-privileges either true or false")


def exec_spec(command_: Any, **options: Unpack[ExecOptions]) -> ExecSpec:
    """One command for a running container, every option parsed and checked.

    Raises:
        InvalidOption: an empty command, an option that is unknown or that no engine would accept.
    """
    given, spelled = collect(options, _EXEC_OPTIONS, {"stdin": "interactive"}, "exec")
    argv = command(command_)
    if not argv or not argv[0]:
        fail("command", command_, "a command line, or a list of strings, that names a program")
    readers = {"user": resources.identity, "workdir": _READERS["workdir"], "tty": flag, "privileged": flag}
    return ExecSpec(
        argv,
        env=environment(given),
        stdin=flag(spelled["interactive"], given["interactive"]) if "interactive" in given else False,
        **{option: read(option, given[option]) for option, read in readers.items() if option in given},
    )
