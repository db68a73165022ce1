"""Parsers of volumes, mounts and tmpfs."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import InvalidOption
from ..spec import Mount
from .groups import parse_items, parse_keys, parse_scalar, parse_values
from .names import parse_container_path, parse_host_path, parse_name
from .primitives import did_you_mean, fail, parse_flag, parse_integer, parse_size, parse_text, plain_path, split_words

_PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_VOLUME_FORMS = "'/host:/container[:ro]', 'name:/container', '/container', or a mapping of sources to these targets"
_MODES = "modes from ro, rw, z, Z, nocopy and a propagation like rslave"
#: mode of a volume's line -> the field of Mount, and its value
_VOLUME_MODES: dict[str, tuple[str, object]] = {
    "ro": ("read_only", True),
    "rw": ("read_only", False),
    "z": ("relabel", "z"),
    "Z": ("relabel", "Z"),
    "nocopy": ("no_copy", True),
    **{word: ("propagation", word) for word in _PROPAGATION},
}
#: key of a mount, as the command lines or our Mount spell it -> the field of Mount
_MOUNT_KEYS = {
    "type": "kind", "kind": "kind", "source": "source", "src": "source",
    "target": "target", "dst": "target", "destination": "target",
    "read_only": "read_only", "readonly": "read_only", "read-only": "read_only", "ro": "read_only", "rw": "writable",
    "propagation": "propagation", "bind-propagation": "propagation",
    "relabel": "relabel", "z": "relabel_z", "Z": "relabel_Z",
    "no_copy": "no_copy", "nocopy": "no_copy", "volume-nocopy": "no_copy",
    "tmpfs_size": "tmpfs_size", "tmpfs-size": "tmpfs_size",
    "tmpfs_mode": "tmpfs_mode", "tmpfs-mode": "tmpfs_mode", "tmpfs_options": "tmpfs_options",
}  # fmt: skip
_TARGET_KEYS = {"target": "target", "bind": "target", "mode": "mode", "read_only": "read_only"}
_SWITCHES = ("read_only", "writable", "no_copy", "relabel_z", "relabel_Z")
_TMPFS_FLAGS = split_words(
    "defaults exec noexec suid nosuid dev nodev sync async dirsync remount mand nomand atime noatime diratime "
    "nodiratime relatime norelatime strictatime nostrictatime"
)
_TMPFS_VALUES = ("uid", "gid", "nr_inodes", "nr_blocks", "mpol")


def make_mount(name: str, given: object, parts: Mapping[str, Any]) -> Mount:
    """Return a Mount of parsed parts. Raises InvalidOption for a part that its kind does not have."""
    kind = parts.get("kind") or "volume"
    if kind not in ("bind", "volume", "tmpfs"):
        fail(name, given, "type bind, volume or tmpfs")
    if not parts.get("target"):
        fail(name, given, "a target: an absolute path in the container")
    source = plain_path(parts.get("source") or "")
    if kind == "bind":
        source = parse_host_path(name, source or fail(name, given, "a source: a path on the host"))
    elif kind == "tmpfs" and source:
        fail(name, given, "a tmpfs without a source")
    elif source:
        source = _parse_volume_name(name, source)
    propagation, relabel = parts.get("propagation"), parts.get("relabel")
    if propagation is not None and (kind != "bind" or propagation not in _PROPAGATION):
        fail(name, given, "propagation of a bind: " + ", ".join(_PROPAGATION))
    if relabel is not None and (kind == "tmpfs" or relabel not in ("z", "Z")):
        fail(name, given, "relabelling of a bind or volume: 'z' (shared) or 'Z' (private)")
    no_copy = parse_flag(name, parts.get("no_copy", False))
    if no_copy and kind != "volume":
        fail(name, given, "nocopy on a volume only")
    size, mode, words = (parts.get(key) for key in ("tmpfs_size", "tmpfs_mode", "tmpfs_options"))
    if kind != "tmpfs" and (size or mode or words):
        fail(name, given, "tmpfs size, mode and options on a tmpfs only")
    return Mount(
        kind=kind,
        source=str(source),
        target=parse_container_path(name, parts["target"]),
        read_only=parse_flag(name, parts.get("read_only", False)),
        propagation=propagation,
        relabel=relabel,
        no_copy=no_copy,
        tmpfs_size=None if size is None else parse_size(name, size),
        tmpfs_mode=None if mode is None else _parse_mode(name, mode),
        tmpfs_options=tuple(_tmpfs_words(name, given, words or ())),
    )


def _copy_mount(name: str, mount: Mount) -> Mount:
    return make_mount(name, mount, {key: getattr(mount, key) for key in Mount.__slots__})


def _parse_volume_name(name: str, value: object) -> str:
    if isinstance(value, str) and "/" in value:
        fail(name, value, "a volume's name, or a host path that starts with '/', './', '../' or '~/'")
    return parse_name(name, value, shortest=2)


def distinct_mounts(mounts: Iterable[tuple[str, object, Mount]]) -> tuple[Mount, ...]:
    """Return the mounts, given as (option, its value, mount). Raises InvalidOption for two at one target."""
    by_target: dict[str, Mount] = {}
    for name, value, mount in mounts:
        if by_target.setdefault(mount.target, mount) != mount:
            fail(name, value, f"one mount at {mount.target}, not two")
    return tuple(by_target.values())


# ---------------------------------------------------------------- volumes
def parse_volumes(name: str, value: object) -> tuple[Mount, ...]:
    """Return the mounts of `volumes=`: "/src:/dst:ro", {"/src": "/dst:ro"}, or Mount values."""
    if isinstance(value, Mapping):
        found: list[Mount] = []
        for source, targets in value.items():
            several = targets if isinstance(targets, (list, tuple)) else (targets,)
            found.extend(_volume_to(name, source, target) for target in several)
        return tuple(found)
    return parse_values(name, value, Mount, _VOLUME_FORMS, _volume_line, _mount_mapping, _copy_mount)


def _volume_line(name: str, line: str) -> Mount:
    source, *rest = line.split(":")
    if not rest:
        return make_mount(name, line, {"target": source})
    if len(rest) > 2 or not source:
        fail(name, line, _VOLUME_FORMS)
    return _volume(name, line, source, rest[0], rest[1] if len(rest) == 2 else None)


def _volume_to(name: str, source: object, target: object) -> Mount:
    if isinstance(target, Mapping):
        parts = parse_keys(name, target, _TARGET_KEYS)
        modes = [parse_text(name, parts["mode"], _MODES)] if parts.get("mode") else []
        modes += ["ro"] if parse_flag(name, parts.get("read_only", False)) else []
        joined = ",".join(dict.fromkeys(modes)) or None
        return _volume(name, target, source, parts.get("target"), joined)
    path, colon, modes_text = parse_text(name, plain_path(target), _VOLUME_FORMS).partition(":")
    return _volume(name, target, source, path, modes_text if colon else None)


def _volume(name: str, given: object, source: object, target: object, modes: str | None) -> Mount:
    is_path = isinstance(source, os.PathLike)
    source = parse_text(name, plain_path(source), "a host path or a volume's name")
    is_path = is_path or source in (".", "..", "~") or source.startswith(("/", "./", "../", "~/"))
    parts: dict[str, object] = {"kind": "bind" if is_path else "volume", "source": source, "target": target}
    for mode in () if modes is None else modes.split(","):
        field, setting = _VOLUME_MODES.get(mode, ("", None))
        if not field or field in parts:
            fail(name, given, f"{_MODES}, each once{did_you_mean(mode, _VOLUME_MODES)}")
        parts[field] = setting
    return make_mount(name, given, parts)


def parse_volumes_from(name: str, value: object) -> str:
    """Return one element of `volumes_from=`: "container[:ro]"."""
    expected = "'container' or 'container:ro'"
    container, colon, mode = parse_text(name, value, expected).partition(":")
    if colon and mode not in ("ro", "rw", "z", "Z"):
        fail(name, value, expected)
    return parse_name(name, container) + colon + mode


# ---------------------------------------------------------------- mounts
def parse_mounts(name: str, value: object) -> tuple[Mount, ...]:
    """Return the mounts of `mounts=`: "type=bind,source=/a,target=/b,readonly", mappings of these, or Mount values."""
    expected = "'type=bind,source=/a,target=/b,readonly', a mapping of these words, or a Mount"
    return parse_values(name, value, Mount, expected, _mount_line, _mount_mapping, _copy_mount)


def _mount_line(name: str, line: str) -> Mount:
    try:
        (fields,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError) as exc:
        raise InvalidOption(name, line, f"comma-separated key=value ({exc})") from exc
    parts: dict[str, object] = {}
    for field in fields:
        key, equals, setting = field.partition("=")
        if key in parts:
            fail(name, line, f"{key} only once")
        parts[key] = setting if equals else True
    return _mount_mapping(name, parts, line)


def _mount_mapping(name: str, parts: Mapping[Any, Any], given: object = None) -> Mount:
    given = parts if given is None else given
    found = parse_keys(name, parts, _MOUNT_KEYS)
    for field, setting in found.items():
        if field in _SWITCHES:
            found[field] = _parse_switch(name, given, setting)
        elif setting is True or setting == "":
            fail(name, given, f"a value after {field}=")
    if "writable" in found:
        if "read_only" in found:
            fail(name, given, "read_only only once")
        found["read_only"] = not found.pop("writable")
    for letter in "zZ":
        if found.pop(f"relabel_{letter}", False):
            if "relabel" in found:
                fail(name, given, "relabel only once")
            found["relabel"] = letter
    if isinstance(relabel := found.get("relabel"), str):
        found["relabel"] = {"shared": "z", "private": "Z"}.get(relabel, relabel)
    return make_mount(name, given, found)


def _parse_switch(name: str, given: object, setting: object) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    found = setting if isinstance(setting, bool) else words.get(parse_scalar(name, setting).lower())
    return fail(name, given, "readonly and nocopy as true or false") if found is None else found


# ---------------------------------------------------------------- tmpfs
def parse_tmpfs(name: str, value: object) -> tuple[Mount, ...]:
    """Return the mounts of `tmpfs=`: "/t", ["/t:size=1m,mode=1777"], or {"/t": "size=1m"}."""
    expected = "'/path', '/path:size=1m,mode=1777', or a mapping of paths to such options"
    if isinstance(value, Mapping):
        return tuple(_tmpfs(name, path, options) for path, options in value.items())
    lines = (parse_text(name, plain_path(item), expected) for item in parse_items(name, value, expected))
    return tuple(_tmpfs(name, *line.partition(":")[::2]) for line in lines)


def _tmpfs(name: str, path: object, options: object) -> Mount:
    if isinstance(options, Mapping):
        words = [
            f"{key}={item:o}" if key == "mode" and isinstance(item, int) else f"{key}={parse_scalar(name, item)}"
            for key, item in options.items()
        ]
    else:
        expected = "options like 'size=1m,mode=1777'"
        words = parse_text(name, "" if options is None else options, expected, empty=True).split(",")
    parts: dict[str, Any] = {"kind": "tmpfs", "target": path}
    kernel: list[str] = []
    found: object
    for word in filter(None, words):
        key, _, setting = word.partition("=")
        if word in ("ro", "rw"):
            field, found = "read_only", word == "ro"
        elif key == "size" and not setting.endswith("%"):
            field, found = "tmpfs_size", parse_size(name, setting)
        elif key == "mode":
            field, found = "tmpfs_mode", _parse_mode(name, setting)
        else:
            kernel.append(word)
            continue
        if field in parts:
            fail(name, options, "each tmpfs option once")
        parts[field] = found
    return make_mount(name, {path: options}, parts | {"tmpfs_options": tuple(kernel)})


def _tmpfs_words(name: str, given: object, value: object) -> Iterable[str]:
    for item in parse_items(name, value, "tmpfs options like 'noexec'"):
        word = parse_text(name, item, "tmpfs options like 'noexec'")
        key, equals, setting = word.partition("=")
        percent = re.fullmatch(r"size=[0-9]{1,3}%", word, re.ASCII)
        if "," in word or not (word in _TMPFS_FLAGS or (key in _TMPFS_VALUES and setting) or percent):
            hint = did_you_mean(key if equals else word, [*_TMPFS_FLAGS, *_TMPFS_VALUES, "size", "mode"])
            fail(name, given, f"mount options that tmpfs supports, not {word!r}{hint}")
        yield word


def _parse_mode(name: str, value: object) -> int:
    expected = "permission bits like '1777' (octal digits) or 0o1777"
    if isinstance(value, str):
        if not re.fullmatch(r"(0o?)?[0-7]{1,4}", value, re.ASCII):
            fail(name, value, expected)
        return int(value.removeprefix("0o"), 8)
    return parse_integer(name, value, low=0, high=0o7777, expected=expected)
