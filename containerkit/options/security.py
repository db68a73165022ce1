"""Parsers of what a container may do: capabilities, security options, namespaces, kernel parameters, devices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..spec import DeviceSpec
from .groups import parse_keys, parse_pairs, parse_scalar, parse_values
from .names import parse_container_path
from .primitives import Parser, did_you_mean, fail, parse_integer, parse_text, split_words

_CAPABILITIES = split_words(  # capabilities(7), in the kernel's order
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT "
    "SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP "
    "MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
_SECURITY = ("apparmor", "label", "mask", "no-new-privileges", "proc-opts", "seccomp", "systempaths", "unmask")
_NO_NEW_PRIVILEGES = {"": True, "true": True, "1": True, "false": False, "0": False}
_DEVICE_FORMS = "'/dev/on-host[:/dev/in-container[:rwm]]'"
_DEVICE_KEYS = {word: word for word in DeviceSpec.__slots__}


def parse_capability(name: str, value: object) -> str:
    """Return "NET_RAW" from any spelling of a Linux capability ("cap_net_raw", "NET_RAW"); or "ALL"."""
    expected = "a capability like 'NET_ADMIN', or 'ALL'"
    found = parse_text(name, value, expected).upper().removeprefix("CAP_")
    if found != "ALL" and found not in _CAPABILITIES:
        fail(name, value, expected + did_you_mean(found, _CAPABILITIES))
    return found


def parse_security_opt(name: str, value: object) -> str:
    """Return "no-new-privileges" from any spelling of that option, and every other option as "key=value"."""
    expected = "a security option like 'no-new-privileges' or 'seccomp=unconfined'"
    found = parse_text(name, value, expected)
    key, separator, setting = found.partition("=" if "=" in found else ":")
    if key not in _SECURITY:
        fail(name, value, expected + did_you_mean(key, _SECURITY))
    if key == "no-new-privileges":
        on = None if separator and not setting else _NO_NEW_PRIVILEGES.get(setting.lower())
        if on is None:
            fail(name, value, "no-new-privileges, alone or with true or false")
        return key if on else f"{key}=false"
    if not setting:
        fail(name, value, f"a value after '{key}='")
    return f"{key}={setting}"


def parse_namespace(*words: str, prefixes: tuple[str, ...] = ("container", "ns")) -> Parser:
    """Return a parser of a namespace mode: one of these words, or a prefix with a name: "container:db"."""
    expected = ", ".join(map(repr, (*words, *(f"{prefix}:…" for prefix in prefixes))))

    def parse(name: str, value: Any) -> str:
        found = parse_text(name, value, expected)
        prefix, colon, rest = found.partition(":")
        if found not in words and not (colon and rest and prefix in prefixes):
            fail(name, value, expected)
        return found

    return parse


def parse_sysctls(name: str, value: object) -> dict[str, str]:
    """Return kernel parameters from a mapping or from "key=value" strings; True is "1", as the kernel writes it."""

    def scalar(name: str, item: object, what: str) -> str:
        return parse_scalar(name, int(item) if isinstance(item, bool) else item, what)

    found = parse_pairs(name, value, scalar=scalar)
    for key in found:
        if not re.fullmatch(r"[a-zA-Z0-9_.:/-]+", key, re.ASCII):
            fail(name, key, "a kernel parameter like 'net.ipv4.ip_forward'")
    return found


def parse_gpus(name: str, value: object) -> str:
    """Return "all", a number of GPUs in digits, or "device=0,1"."""
    expected = "'all', a number of GPUs, or 'device=0,1'"
    if isinstance(value, str) and not value.isdecimal():
        found = parse_text(name, value, expected)
        known = found == "all" or re.fullmatch(r"device=[\w:.-]+(,[\w:.-]+)*", found, re.ASCII)
        return found if known else fail(name, value, expected)
    return str(parse_integer(name, value, low=1, high=1024, expected=expected))


def parse_devices(name: str, value: object) -> tuple[DeviceSpec, ...]:
    """Return the devices of `devices=`: "/dev/fuse[:/dev/x[:rwm]]", mappings, or DeviceSpec values."""
    expected = f"{_DEVICE_FORMS}, a mapping of {', '.join(_DEVICE_KEYS)}, or a DeviceSpec"
    return parse_values(name, value, DeviceSpec, expected, _device_line, _device_mapping, _copy_device)


def _device_line(name: str, line: str) -> DeviceSpec:
    host, *rest = line.split(":")
    if len(rest) > 2:
        fail(name, line, _DEVICE_FORMS)
    if len(rest) == 1 and re.fullmatch("[rwm]{1,3}", rest[0]):
        rest.insert(0, host)
    return _device(name, line, host, *rest)


def _device_mapping(name: str, given: Mapping[Any, Any]) -> DeviceSpec:
    return _device(name, given, **parse_keys(name, given, _DEVICE_KEYS))


def _copy_device(name: str, device: DeviceSpec) -> DeviceSpec:
    return _device(name, device, device.host_path, device.container_path, device.permissions)


def _device(
    name: str, given: object, host_path: object = "", container_path: object = None, permissions: object = "rwm"
) -> DeviceSpec:
    found = parse_text(name, permissions, _DEVICE_FORMS)
    if not re.fullmatch("[rwm]{1,3}", found) or len(set(found)) != len(found):
        fail(name, given, f"{_DEVICE_FORMS}; permissions are some of r, w and m")
    target = host_path if container_path is None else container_path
    return DeviceSpec(parse_container_path(name, host_path), parse_container_path(name, target), found)
