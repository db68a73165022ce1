"""What a container may use and may do: limits, ulimits, health, restart, capabilities, security options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..spec import HealthCheck, ResourceLimits, RestartPolicy, Ulimit
from .values import command, did_you_mean, fail, integer, items, number, one_of, scalar, seconds, size, text, words

MEMORY_MIN = (
    6 << 20
)  # dockerd refuses less (daemon/daemon_unix.go); Podman would take it and the container could not start
_MEMORY = "6m (6291456 bytes) or more, like '64m' or '1.5g'"
_CPUSET = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*", re.ASCII)
_ULIMITS = words(  # setrlimit(2)
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"
)
_CAPABILITIES = words(  # capabilities(7), in the kernel's order
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT "
    "SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP "
    "MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
_SECURITY = ("apparmor", "label", "mask", "no-new-privileges", "proc-opts", "seccomp", "systempaths", "unmask")
LIMITS = ResourceLimits.__slots__


def limits(options: Mapping[str, Any]) -> ResourceLimits:
    """The limits among these options: memory, memory_swap, memory_reservation, cpus, cpu_shares, cpuset_cpus, pids.

    Other keys are left alone; None means "not asked for".

    Raises:
        InvalidOption: a limit that no engine would accept, or two that contradict each other.
    """
    given = {name: options[name] for name in LIMITS if options.get(name) is not None}
    found: dict[str, Any] = {name: _LIMIT_READERS[name](name, value) for name, value in given.items()}
    memory, swap, soft = (found.get(name) for name in ("memory", "memory_swap", "memory_reservation"))
    if swap is not None and (memory is None or 0 < swap < memory):
        fail(
            "memory_swap",
            given["memory_swap"],
            "memory and swap together, not less than memory=, which must be given too",
        )
    if soft is not None and memory is not None and soft > memory:
        fail("memory_reservation", given["memory_reservation"], "not more than memory=")
    return ResourceLimits(**found)


def _memory(name: str, value: object) -> int:
    return size(name, value, low=MEMORY_MIN, expected=_MEMORY)


def _memory_swap(name: str, value: object) -> int:
    if value in (-1, "-1") and not isinstance(value, float):
        return -1
    return size(name, value, low=MEMORY_MIN, expected=f"{_MEMORY}, or -1 for unlimited swap")


def _cpus(name: str, value: object) -> float:
    expected = "a number of processors, 0.01 or more, like 0.5 or 2"
    found = number(name, value, expected)
    return found if 0.01 <= found <= 1_000_000 else fail(name, value, expected)


def _cpuset(name: str, value: object) -> str:
    expected = "processors like '0-1,3'"
    if isinstance(value, str):
        joined = text(name, value, expected).replace(" ", "")
    else:
        joined = ",".join(str(integer(name, item, low=0, high=99999)) for item in items(name, value, expected))
    if not _CPUSET.fullmatch(joined):
        fail(name, value, expected)
    for part in joined.split(","):
        first, _, last = part.partition("-")
        if last and int(last) < int(first):
            fail(name, value, f"{expected}, each range going up")
    return joined


def _pids(name: str, value: object) -> int:
    expected = "a number of processes above 0, or -1 for unlimited"
    return integer(name, value, low=-1, expected=expected) or fail(name, value, expected)


_LIMIT_READERS = {
    "memory": _memory,
    "memory_swap": _memory_swap,
    "memory_reservation": _memory,
    "cpus": _cpus,
    "cpu_shares": lambda name, value: integer(name, value, low=2, high=262144),
    "cpuset_cpus": _cpuset,
    "pids_limit": _pids,
}


def ulimits(name: str, value: object) -> tuple[Ulimit, ...]:
    """The value of `ulimits=`: {"nofile": 1024 or (soft, hard)}, ["nofile=1024:2048"], or docker-py's Ulimit."""
    expected = "'nofile=1024:2048', or a mapping of names to a limit or (soft, hard)"
    named = {"name", "soft", "hard"}
    found: list[Ulimit] = []
    if isinstance(value, Ulimit) or (
        isinstance(value, Mapping) and {str(key).lower() for key in value} <= named and value
    ):
        value = (value,)
    if isinstance(value, Mapping):
        for key, item in value.items():
            soft, hard = item if isinstance(item, (list, tuple)) and len(item) == 2 else (item, item)
            if isinstance(item, str) and ":" in item:
                soft, _, hard = item.partition(":")
            found.append(_ulimit(name, {key: item}, key, soft, hard))
    else:
        for item in items(name, value, expected):
            if isinstance(item, Ulimit):
                found.append(_ulimit(name, item, item.name, item.soft, item.hard))
            elif isinstance(item, Mapping):
                lower = {str(key).lower(): part for key, part in item.items()}
                if set(lower) - named:
                    fail(name, item, expected)
                soft, hard = lower.get("soft"), lower.get("hard")
                soft, hard = hard if soft is None else soft, soft if hard is None else hard
                found.append(_ulimit(name, item, lower.get("name"), soft, hard))
            else:
                key, _, line = text(name, item, expected).partition("=")
                soft, colon, hard = line.partition(":")
                found.append(_ulimit(name, item, key, soft, hard if colon else soft))
    if len({one.name for one in found}) != len(found):
        fail(name, value, "each ulimit once")
    return tuple(found)


def _ulimit(name: str, given: object, key: object, soft: object, hard: object) -> Ulimit:
    if not isinstance(key, str) or key.lower() not in _ULIMITS:
        fail(name, given, "one of the ulimits " + ", ".join(_ULIMITS))
    expected = f"{key} as a whole number, -1 (unlimited) or more"
    values = [-1 if part == "unlimited" else part for part in (soft, hard)]
    low, high = (integer(name, part, low=-1, expected=expected) for part in values)
    if high != -1 and (low == -1 or low > high):
        fail(name, given, "a soft limit that is not above the hard one")
    return Ulimit(key.lower(), low, high)


def restart(name: str, value: object) -> RestartPolicy:
    """The value of `restart=`: "no", "always", "unless-stopped", "on-failure" or "on-failure:3"."""
    expected = "'no', 'always', 'unless-stopped', 'on-failure' or 'on-failure:3'"
    policy: object
    retries: object = 0
    if isinstance(value, RestartPolicy):
        policy, retries = value.name, value.max_retries
    elif isinstance(value, Mapping):
        if "Name" not in value or set(value) - {"Name", "MaximumRetryCount"}:
            fail(name, value, expected)
        policy, retries = value["Name"], value.get("MaximumRetryCount") or 0
    else:
        policy, colon, count = text(name, value, expected).partition(":")
        if colon:
            retries = integer(name, count, low=1, high=2**31 - 1, expected=expected)
    if not isinstance(policy, str) or policy not in ("no", "always", "unless-stopped", "on-failure"):
        fail(name, value, expected)
    retries = integer(name, retries, low=0, high=2**31 - 1, expected=expected)
    if retries and policy != "on-failure":
        fail(name, value, f"{expected}; retries belong to on-failure")
    return RestartPolicy(policy, retries)


_HEALTH_OPTIONS = ("health_cmd", "health_interval", "health_timeout", "health_retries", "health_start_period")


def health(options: Mapping[str, Any]) -> HealthCheck | None:
    """From healthcheck=, no_healthcheck= and health_cmd=, health_interval=, … ; None: what the image says."""
    given = {name.removeprefix("health_"): options[name] for name in _HEALTH_OPTIONS if name in options}
    whole, off = options.get("healthcheck"), options.get("no_healthcheck", False)
    if off and (given or whole is not None):
        fail("no_healthcheck", off, "either no_healthcheck=True or a health check")
    if off:
        return HealthCheck(("NONE",))
    if whole is None:
        return _health("health_", given) if given else None
    if given:
        fail("healthcheck", whole, "either healthcheck= or the health_ options")
    if isinstance(whole, HealthCheck):
        whole = {key: getattr(whole, key) for key in HealthCheck.__slots__}
    if not isinstance(whole, Mapping):
        fail("healthcheck", whole, "a HealthCheck, or a mapping of test, interval, timeout, retries, start_period")
    parts = {"cmd" if key == "test" else key: part for key, part in whole.items() if part is not None}
    for key in parts:
        if key not in ("cmd", "interval", "timeout", "retries", "start_period"):
            fail("healthcheck", whole, f"test, interval, timeout, retries and start_period, not {key!r}")
    return _health("healthcheck", parts)


def _health(prefix: str, parts: Mapping[str, Any]) -> HealthCheck:
    def name(part: str) -> str:
        return prefix + part if prefix.endswith("_") else prefix

    if "cmd" not in parts:
        first = next(iter(parts), "cmd")
        fail(name(first), parts.get(first), "a command to check with (health_cmd=) beside it")
    found: dict[str, Any] = {"test": _health_test(name("cmd"), parts["cmd"])}
    if found["test"] == ("NONE",) and len(parts) > 1 and prefix.endswith("_"):
        fail(name("cmd"), parts["cmd"], "a command, where times for it are given")
    for key, low in (("interval", 0.001), ("timeout", 0.001), ("start_period", 0.0)):
        if key in parts:
            shown = f"seconds (not docker-py's nanoseconds) from {low:g} to 86400, as a number or like '1m30s'"
            found[key] = seconds(name(key), parts[key], low=low, high=86400, expected=shown)
    if "retries" in parts:
        found["retries"] = integer(name("retries"), parts["retries"], low=1, high=10_000)
    return HealthCheck(**found)


def _health_test(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        line = text(name, value, "a command line")
        if not line.strip():
            fail(name, value, "a command line, not empty")
        return ("NONE",) if line.lower() == "none" else ("CMD-SHELL", line)
    argv = command(value, name)
    if argv is None:
        fail(name, value, "a command line, or a list of strings")
    if argv[0] == "NONE" and len(argv) == 1:
        return argv
    if argv[0] not in ("CMD", "CMD-SHELL"):
        return ("CMD", *argv)
    if len(argv) < 2 or (argv[0] == "CMD-SHELL" and len(argv) != 2):
        fail(name, value, "['CMD', program, arguments…] or ['CMD-SHELL', line]")
    return argv


def capability(name: str, value: object) -> str:
    """A Linux capability in any spelling ("cap_net_raw", "NET_RAW") as "NET_RAW"; or "ALL"."""
    expected = "a capability like 'NET_ADMIN', or 'ALL'"
    found = text(name, value, expected).upper().removeprefix("CAP_")
    if found != "ALL" and found not in _CAPABILITIES:
        fail(name, value, expected + did_you_mean(found, _CAPABILITIES))
    return found


def security_opt(name: str, value: object) -> str:
    """One security option; "no-new-privileges" in every spelling becomes that word, the others "key=value"."""
    expected = "a security option like 'no-new-privileges' or 'seccomp=unconfined'"
    found = text(name, value, expected)
    separator = "=" if "=" in found else ":"
    key, given, setting = found.partition(separator)
    if key not in _SECURITY:
        fail(name, value, expected + did_you_mean(key, _SECURITY))
    if key == "no-new-privileges":
        switch = setting.lower() if given else "true"
        if switch not in ("true", "false", "1", "0"):
            fail(name, value, "no-new-privileges, alone or with true or false")
        return key if switch in ("true", "1") else f"{key}=false"
    if not setting:
        fail(name, value, f"a value after '{key}='")
    return f"{key}={setting}"


def gpus(name: str, value: object) -> str:
    """ "all", a number of them, or "device=0,1"."""
    expected = "'all', a number of GPUs, or 'device=0,1'"
    if isinstance(value, str) and not value.isdigit():
        found = text(name, value, expected)
        known = found == "all" or re.fullmatch(r"device=[\w:.-]+(,[\w:.-]+)*", found, re.ASCII)
        return found if known else fail(name, value, expected)
    return str(integer(name, value, low=1, high=1024, expected=expected))


def namespace(*words: str, prefixes: tuple[str, ...] = ()) -> Any:
    """A reader of userns=, pid=, ipc=, uts=, cgroupns=: one of these words, or "container:name" and the like."""

    def read(name: str, value: object) -> str:
        expected = ", ".join(repr(word) for word in (*words, *(f"{prefix}:…" for prefix in prefixes)))
        found = text(name, value, expected)
        prefix, colon, rest = found.partition(":")
        if not (colon and rest and prefix in prefixes):
            one_of(name, found, *words) if not prefixes else found in words or fail(name, value, expected)
        return found

    return read


def identity(name: str, value: object) -> str:
    """A user or group: a number of 0 or more, a name, or "user:group"."""
    expected = "a user (name, or number of 0 or more), or 'user:group'"
    if not isinstance(value, str):
        value = str(integer(name, value, low=0, high=2**32 - 2, expected=expected))
    found = text(name, value, expected)
    parts = found.split(":")
    if len(parts) > 2 or not all(parts) or not re.fullmatch(r"[^\s/]+", found) or found.startswith("-"):
        fail(name, value, expected)
    return found


def sysctl_value(name: str, value: object) -> str:
    """A kernel parameter's value; True is 1, as the kernel writes it."""
    return str(int(value)) if isinstance(value, bool) else scalar(name, value)
