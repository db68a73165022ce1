"""Parsers of resource limits, ulimits, restart policies and health checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..spec import HealthCheck, ResourceLimits, RestartPolicy, Ulimit
from .groups import parse_command, parse_items, parse_keys, parse_values
from .primitives import (
    Parser,
    fail,
    parse_flag,
    parse_integer,
    parse_number,
    parse_seconds,
    parse_size,
    parse_text,
    split_words,
)

MEMORY_MIN = 6 << 20  # dockerd refuses less (daemon_unix.go); Podman accepts less and cannot start the container
_MEMORY = "6m (6291456 bytes) or more, like '64m' or '1.5g'"
_CPUSET = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*", re.ASCII)
_ULIMITS = split_words(  # setrlimit(2)
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"
)
_ULIMIT_FORMS = "'nofile=1024:2048', a mapping of names to a limit or (soft, hard), or a Ulimit"
_ULIMIT_KEYS = {word: word for word in Ulimit.__slots__}
_RESTART_FORMS = "'no', 'always', 'unless-stopped', 'on-failure' or 'on-failure:3'"
_HEALTH_KEYS = {word: word for word in HealthCheck.__slots__}


# ---------------------------------------------------------------- limits
def parse_memory(name: str, value: object) -> int:
    """Return bytes of memory, at least 6 MiB."""
    return parse_size(name, value, low=MEMORY_MIN, expected=_MEMORY)


def parse_memory_swap(name: str, value: object) -> int:
    """Return bytes of memory and swap together, or -1 for unlimited swap."""
    if value in (-1, "-1") and not isinstance(value, float):
        return -1
    return parse_size(name, value, low=MEMORY_MIN, expected=f"{_MEMORY}, or -1 for unlimited swap")


def parse_cpus(name: str, value: object) -> float:
    """Return a number of processors, at least 0.01."""
    expected = "a number of processors, 0.01 or more, like 0.5 or 2"
    found = parse_number(name, value, expected)
    return found if 0.01 <= found <= 1_000_000 else fail(name, value, expected)


def parse_cpuset(name: str, value: object) -> str:
    """Return processors or memory nodes in the kernel's list format, from "0-1,3" or from [0, 1, 3]."""
    expected = "numbers like '0-1,3'"
    if isinstance(value, str):
        joined = parse_text(name, value, expected).replace(" ", "")
    else:
        numbers = (parse_integer(name, item, low=0, high=99999) for item in parse_items(name, value, expected))
        joined = ",".join(map(str, numbers))
    if not _CPUSET.fullmatch(joined):
        fail(name, value, expected)
    for part in joined.split(","):
        first, _, last = part.partition("-")
        if last and int(last) < int(first):
            fail(name, value, f"{expected}, each range going up")
    return joined


def parse_pids_limit(name: str, value: object) -> int:
    """Return a number of processes, or -1 for unlimited."""
    expected = "a number of processes above 0, or -1 for unlimited"
    return parse_integer(name, value, low=-1, expected=expected) or fail(name, value, expected)


def make_limits(fields: Mapping[str, Any], given: Mapping[str, Any]) -> ResourceLimits:
    """Return limits of parsed fields. Raises InvalidOption for two that contradict each other; `given` names them."""
    memory, swap, soft = (fields.get(name) for name in ("memory", "memory_swap", "memory_reservation"))
    if swap is not None and (memory is None or 0 < swap < memory):
        expected = "memory and swap together, not less than memory=, which must be given too"
        fail("memory_swap", given["memory_swap"], expected)
    if soft is not None and memory is not None and soft > memory:
        fail("memory_reservation", given["memory_reservation"], "not more than memory=")
    if "cpus" in fields and ("cpu_quota" in fields or "cpu_period" in fields):
        fail("cpus", given["cpus"], "either cpus=, or cpu_quota= and cpu_period=")
    return ResourceLimits(**fields)


# ---------------------------------------------------------------- ulimits
def parse_ulimits(name: str, value: object) -> tuple[Ulimit, ...]:
    """Return ulimits: "nofile=1024:2048", {"nofile": 1024 or (soft, hard)}, or Ulimit values."""
    if isinstance(value, Mapping) and not any(str(key).lower() == "name" for key in value):
        found = tuple(_ulimit_pair(name, key, item) for key, item in value.items())
    else:
        found = parse_values(name, value, Ulimit, _ULIMIT_FORMS, _ulimit_line, _ulimit_mapping, _copy_ulimit)
    if len({limit.name for limit in found}) != len(found):
        fail(name, value, "each ulimit once")
    return found


def _ulimit_line(name: str, line: str) -> Ulimit:
    return _ulimit_pair(name, *line.partition("=")[::2], given=line)


def _ulimit_mapping(name: str, given: Mapping[Any, Any]) -> Ulimit:
    return _ulimit(name, given, *map(parse_keys(name, given, _ULIMIT_KEYS).get, _ULIMIT_KEYS))


def _copy_ulimit(name: str, limit: Ulimit) -> Ulimit:
    return _ulimit(name, limit, limit.name, limit.soft, limit.hard)


def _ulimit_pair(name: str, key: object, setting: object, given: object = None) -> Ulimit:
    soft, hard = setting if isinstance(setting, (list, tuple)) and len(setting) == 2 else (setting, setting)
    if isinstance(setting, str) and ":" in setting:
        soft, _, hard = setting.partition(":")
    return _ulimit(name, {key: setting} if given is None else given, key, soft, hard)


def _ulimit(name: str, given: object, key: object, soft: object, hard: object) -> Ulimit:
    if not isinstance(key, str) or key.lower() not in _ULIMITS:
        fail(name, given, "one of the ulimits " + ", ".join(_ULIMITS))
    expected = f"{key} as a whole number, -1 (unlimited) or more"
    values = [-1 if part == "unlimited" else part for part in (soft, hard)]
    low, high = (parse_integer(name, part, low=-1, expected=expected) for part in values)
    if high != -1 and (low == -1 or low > high):
        fail(name, given, "a soft limit that is not above the hard one")
    return Ulimit(key.lower(), low, high)


# ---------------------------------------------------------------- restart
def parse_restart(name: str, value: object) -> RestartPolicy:
    """Return a restart policy: "on-failure:3", {"name": "on-failure", "max_retries": 3}, or a RestartPolicy."""
    policy: object
    retries: object = 0
    if isinstance(value, RestartPolicy):
        policy, retries = value.name, value.max_retries
    elif isinstance(value, Mapping):
        parts = parse_keys(name, value, {word: word for word in RestartPolicy.__slots__})
        policy, retries = parts.get("name"), parts.get("max_retries", 0)
    else:
        policy, colon, count = parse_text(name, value, _RESTART_FORMS).partition(":")
        if colon:
            retries = parse_integer(name, count, low=1, high=2**31 - 1, expected=_RESTART_FORMS)
    if not isinstance(policy, str) or policy not in ("no", "always", "unless-stopped", "on-failure"):
        fail(name, value, _RESTART_FORMS)
    retries = parse_integer(name, retries, low=0, high=2**31 - 1, expected=_RESTART_FORMS)
    if retries and policy != "on-failure":
        fail(name, value, f"{_RESTART_FORMS}; retries belong to on-failure")
    return RestartPolicy(policy, retries)


# ---------------------------------------------------------------- health checks
def parse_health_test(name: str, value: object) -> tuple[str, ...]:
    """Return the test of a health check: a line runs in a shell, a list does not, "none" switches the check off."""
    if isinstance(value, str):
        line = parse_text(name, value, "a command line")
        if not line.strip():
            fail(name, value, "a command line, not empty")
        return ("NONE",) if line.lower() == "none" else ("CMD-SHELL", line)
    argv = parse_command(name, value) or fail(name, value, "a command line, or a list of strings")
    if argv == ("NONE",):
        return argv
    if argv[0] not in ("CMD", "CMD-SHELL"):
        return ("CMD", *argv)
    if len(argv) < 2 or (argv[0] == "CMD-SHELL" and len(argv) != 2):
        fail(name, value, "['CMD', program, arguments…] or ['CMD-SHELL', line]")
    return argv


def parse_health_seconds(name: str, value: object, *, low: float = 0.001) -> float:
    """Return the seconds of a health check, at most a day; docker-py's nanoseconds are above that."""
    expected = f"seconds (not docker-py's nanoseconds) from {low:g} to 86400, as a number or like '1m30s'"
    return parse_seconds(name, value, low=low, high=86400, expected=expected)


def parse_start_period(name: str, value: object) -> float:
    """Return the seconds in which a failed health check does not count; 0 is allowed."""
    return parse_health_seconds(name, value, low=0.0)


def parse_health_retries(name: str, value: object) -> int:
    """Return how many failed checks in a row make a container unhealthy."""
    return parse_integer(name, value, low=1, high=10_000)


_HEALTH_PARSERS: dict[str, Parser] = {
    "test": parse_health_test,
    "interval": parse_health_seconds,
    "timeout": parse_health_seconds,
    "retries": parse_health_retries,
    "start_period": parse_start_period,
}


def parse_healthcheck(name: str, value: object) -> HealthCheck:
    """Return a health check of a mapping of test, interval, timeout, retries and start_period, or of a HealthCheck."""
    if isinstance(value, HealthCheck):
        value = {key: getattr(value, key) for key in HealthCheck.__slots__}
    if not isinstance(value, Mapping):
        fail(name, value, f"a HealthCheck, or a mapping of {', '.join(_HEALTH_KEYS)}")
    parts = parse_keys(name, value, _HEALTH_KEYS)
    if "test" not in parts:
        fail(name, value, "a test: the command to check with")
    return HealthCheck(**{key: _HEALTH_PARSERS[key](name, part) for key, part in parts.items()})


def parse_no_healthcheck(name: str, value: object) -> HealthCheck | None:
    """Return the health check that switches off the check of the image, or None for False."""
    return HealthCheck(("NONE",)) if parse_flag(name, value) else None
