"""What a container sees of the host's files: volumes, mounts, tmpfs and devices, in every spelling people use."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping

from ..spec import DeviceSpec, Mount
from .values import (
    container_path,
    did_you_mean,
    fail,
    flag,
    host_path,
    integer,
    items,
    object_name,
    plain_path,
    size,
    text,
    words,
)

_PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_VOLUME_FORMS = "'/host:/container[:ro]', 'name:/container', '/container', or a mapping of sources to these targets"
_MODES = "modes from ro, rw, z, Z, nocopy and a propagation like rslave"
_TMPFS_FLAGS = words(
    "defaults exec noexec suid nosuid dev nodev sync async dirsync remount mand nomand atime noatime diratime "
    "nodiratime relatime norelatime strictatime nostrictatime"
)
_TMPFS_VALUES = ("uid", "gid", "nr_inodes", "nr_blocks", "mpol")
# every spelling of a mount's keys, without case, '-' and '_' -> ours
_MOUNT_KEYS = {
    "type": "kind", "kind": "kind",
    "source": "source", "src": "source",
    "target": "target", "dst": "target", "destination": "target", "dest": "target",
    "readonly": "read_only", "ro": "read_only", "rw": "writable",
    "propagation": "propagation", "bindpropagation": "propagation",
    "relabel": "relabel", "z": "relabel_shared",
    "nocopy": "no_copy", "volumenocopy": "no_copy",
    "size": "tmpfs_size", "tmpfssize": "tmpfs_size", "sizebytes": "tmpfs_size",
    "mode": "tmpfs_mode", "tmpfsmode": "tmpfs_mode",
    "tmpfsoptions": "tmpfs_options",
    "bindoptions": "nested", "volumeoptions": "nested",
}  # fmt: skip


def make_mount(name: str, given: object, parts: Mapping[str, object]) -> Mount:
    """A Mount of checked parts; refuses what would have no meaning for its kind."""
    kind = parts.get("kind") or "volume"
    if kind not in ("bind", "volume", "tmpfs"):
        fail(name, given, "type bind, volume or tmpfs")
    if not parts.get("target"):
        fail(name, given, "a target: an absolute path in the container")
    source = plain_path(parts.get("source") or "")
    if kind == "bind":
        source = host_path(name, source or fail(name, given, "a source: a path on the host"))
    elif kind == "tmpfs" and source:
        fail(name, given, "a tmpfs without a source")
    elif source:
        source = volume_name(name, source)
    propagation, relabel = parts.get("propagation"), parts.get("relabel")
    if propagation is not None and (kind != "bind" or propagation not in _PROPAGATION):
        fail(name, given, "propagation of a bind: " + ", ".join(_PROPAGATION))
    if relabel is not None and (kind == "tmpfs" or relabel not in ("z", "Z")):
        fail(name, given, "relabelling of a bind or volume: 'z' (shared) or 'Z' (private)")
    no_copy = flag(name, parts.get("no_copy", False))
    if no_copy and kind != "volume":
        fail(name, given, "nocopy on a volume only")
    if kind != "tmpfs" and any(parts.get(key) for key in ("tmpfs_size", "tmpfs_mode", "tmpfs_options")):
        fail(name, given, "tmpfs size, mode and options on a tmpfs only")
    tmpfs_size, tmpfs_mode = parts.get("tmpfs_size"), parts.get("tmpfs_mode")
    return Mount(
        kind=str(kind),
        source=str(source),
        target=container_path(name, parts["target"]),
        read_only=flag(name, parts.get("read_only", False)),
        propagation=None if propagation is None else str(propagation),
        relabel=None if relabel is None else str(relabel),
        no_copy=no_copy,
        tmpfs_size=None if tmpfs_size is None else size(name, tmpfs_size),
        tmpfs_mode=None if tmpfs_mode is None else _mode(name, tmpfs_mode),
        tmpfs_options=tuple(_tmpfs_words(name, given, parts.get("tmpfs_options", ()))),
    )


def volume_name(name: str, value: object) -> str:
    """The name of a volume; something with a slash was meant as a path."""
    if isinstance(value, str) and "/" in value:
        fail(name, value, "a volume's name, or a host path that starts with '/', './', '../' or '~/'")
    return object_name(name, value, shortest=2)


def volumes(name: str, value: object) -> tuple[Mount, ...]:
    """The value of `volumes=`."""
    found: list[Mount] = []
    if isinstance(value, Mapping):
        for source, targets in value.items():
            many = targets if isinstance(targets, (list, tuple)) else (targets,)
            found.extend(_volume_to(name, source, target) for target in many)
        return tuple(found)
    for item in items(name, value, _VOLUME_FORMS):
        if isinstance(item, Mount):
            found.append(_again(name, item))
        elif isinstance(item, Mapping):
            found.append(_mount_mapping(name, item))
        else:
            found.append(_volume_line(name, text(name, plain_path(item), _VOLUME_FORMS)))
    return tuple(found)


def _volume_line(name: str, line: str) -> Mount:
    source, *rest = line.split(":")
    if not rest:
        return make_mount(name, line, {"kind": "volume", "target": source})
    if len(rest) > 2 or not source:
        fail(name, line, _VOLUME_FORMS)
    return _volume(name, line, source, rest[0], rest[1] if len(rest) == 2 else None)


def _volume_to(name: str, source: object, target: object) -> Mount:
    if isinstance(target, Mapping):
        known = {"bind", "target", "mode", "read_only", "readonly", "ro"}
        unknown = [key for key in target if key not in known]
        if unknown or ("bind" in target) == ("target" in target):
            fail(name, target, "a mapping of 'bind' (the path in the container) and 'mode'")
        modes = [target["mode"]] if target.get("mode") else []
        modes += ["ro" for key in ("read_only", "readonly", "ro") if flag(name, target.get(key, False))]
        joined = ",".join(dict.fromkeys(text(name, mode, _MODES) for mode in modes))
        return _volume(name, target, source, target.get("bind", target.get("target")), joined or None)
    path, colon, modes_text = text(name, plain_path(target), _VOLUME_FORMS).partition(":")
    return _volume(name, target, source, path, modes_text if colon else None)


def _volume(name: str, given: object, source: object, target: object, modes: str | None) -> Mount:
    is_path = isinstance(source, os.PathLike)
    source = text(name, plain_path(source), "a host path or a volume's name")
    is_path = is_path or source in (".", "..", "~") or source.startswith(("/", "./", "../", "~/"))
    parts: dict[str, object] = {"kind": "bind" if is_path else "volume", "source": source, "target": target}
    for mode in modes.split(",") if modes is not None else ():
        key, setting = ("propagation", mode) if mode in _PROPAGATION else _SIMPLE_MODES.get(mode, ("", None))
        if not key or key in parts:
            fail(name, given, _MODES + ", each once" + did_you_mean(mode, _SIMPLE_MODES))
        parts[key] = setting
    return make_mount(name, given, parts)


_SIMPLE_MODES: dict[str, tuple[str, object]] = {
    "ro": ("read_only", True),
    "rw": ("read_only", False),
    "z": ("relabel", "z"),
    "Z": ("relabel", "Z"),
    "nocopy": ("no_copy", True),
}


def mounts(name: str, value: object) -> tuple[Mount, ...]:
    """The value of `mounts=`: "type=bind,source=/a,target=/b,readonly", mappings of these words, or Mount values."""
    expected = "'type=bind,source=/a,target=/b,readonly', a mapping of these words, or a Mount"
    many = (value,) if isinstance(value, (Mapping, Mount)) else items(name, value, expected)
    found = []
    for item in many:
        if isinstance(item, Mount):
            found.append(_again(name, item))
        elif isinstance(item, Mapping):
            found.append(_mount_mapping(name, item))
        else:
            found.append(_mount_line(name, text(name, item, expected)))
    return tuple(found)


def _again(name: str, mount: Mount) -> Mount:
    return make_mount(name, mount, {key: getattr(mount, key) for key in Mount.__slots__})


def _mount_line(name: str, line: str) -> Mount:
    import csv

    try:
        (fields,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError) as exc:
        raise fail(name, line, f"comma-separated key=value ({exc})") from exc
    parts: dict[str, object] = {}
    for field in fields:
        key, equals, setting = field.partition("=")
        _put(name, line, parts, key, setting if equals else True)
    return _mount_of(name, line, parts)


def _mount_mapping(name: str, given: Mapping[object, object]) -> Mount:
    parts: dict[str, object] = {}
    _put_all(name, given, given, parts)
    return _mount_of(name, given, parts)


def _put_all(name: str, given: object, level: Mapping[object, object], parts: dict[str, object]) -> None:
    for key, setting in level.items():
        if setting is None or setting == {}:
            continue
        if isinstance(
            setting, Mapping
        ):  # docker-py nests what belongs to a kind: BindOptions, VolumeOptions, TmpfsOptions
            if _plain(key) not in ("bindoptions", "volumeoptions", "tmpfsoptions"):
                fail(name, given, f"no mapping under {key!r}")
            _put_all(name, given, setting, parts)
        else:
            _put(name, given, parts, key, setting)


def _plain(key: object) -> str:
    return key.lower().replace("-", "").replace("_", "") if isinstance(key, str) else ""


def _put(name: str, given: object, parts: dict[str, object], key: object, setting: object) -> None:
    ours = _MOUNT_KEYS.get(_plain(key), "")
    if ours in ("", "nested"):
        shown = "type, source, target, readonly, bind-propagation, volume-nocopy, tmpfs-size, tmpfs-mode, relabel"
        fail(name, given, f"no key {key!r}: mounts know {shown}")
    if ours == "relabel_shared":
        ours, setting = "relabel", str(key) if _boolean(name, given, setting) else None
    elif ours in ("read_only", "writable", "no_copy"):
        setting = _boolean(name, given, setting)
        ours, setting = ("read_only", not setting) if ours == "writable" else (ours, setting)
    elif ours == "relabel":
        setting = {"shared": "z", "private": "Z"}.get(str(setting), setting)
    elif setting is True or setting == "":
        fail(name, given, f"a value after {key}=")
    if ours in parts:
        fail(name, given, f"{ours.replace('_', '-')} only once")
    parts[ours] = setting


def _mount_of(name: str, given: object, parts: dict[str, object]) -> Mount:
    return make_mount(name, given, parts)


def _boolean(name: str, given: object, setting: object) -> bool:
    if isinstance(setting, bool):
        return setting
    found = {"true": True, "1": True, "false": False, "0": False}.get(str(setting).lower())
    return fail(name, given, "readonly and nocopy as true or false") if found is None else found


def tmpfs(name: str, value: object) -> tuple[Mount, ...]:
    """The value of `tmpfs=`: {"/t": "size=1m,mode=1777"}, ["/t:size=1m"] or "/t"."""
    expected = "'/path', '/path:size=1m,mode=1777', or a mapping of paths to such options"
    pairs: list[tuple[object, object]] = []
    if isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        for item in items(name, value, expected):
            path, _, options = text(name, plain_path(item), expected).partition(":")
            pairs.append((path, options))
    return tuple(_tmpfs(name, path, options) for path, options in pairs)


def _tmpfs(name: str, path: object, options: object) -> Mount:
    parts: dict[str, object] = {"kind": "tmpfs", "target": path}
    if isinstance(options, Mapping):
        words = [
            f"{key}={item:o}" if key == "mode" and isinstance(item, int) else f"{key}={item}"
            for key, item in options.items()
        ]
    else:
        words = text(name, "" if options is None else options, "options like 'size=1m,mode=1777'", empty=True).split(
            ","
        )
    kernel: list[str] = []
    for word in filter(None, words):
        key, _, setting = word.partition("=")
        if word in ("ro", "rw"):
            key, found = "read_only", word == "ro"
        elif key == "size" and not setting.endswith("%"):
            key, found = "tmpfs_size", size(name, setting)  # type: ignore[assignment]
        elif key == "mode":
            key, found = "tmpfs_mode", _mode(name, setting)  # type: ignore[assignment]
        else:
            kernel.append(word)
            continue
        if key in parts:
            fail(name, options, "each tmpfs option once")
        parts[key] = found
    parts["tmpfs_options"] = tuple(kernel)
    return make_mount(name, {path: options}, parts)


def _tmpfs_words(name: str, given: object, value: object) -> Iterable[str]:
    for item in items(name, value, "tmpfs options like 'noexec'"):
        word = text(name, item, "tmpfs options like 'noexec'")
        key, equals, setting = word.partition("=")
        known = (
            word in _TMPFS_FLAGS
            or (key in _TMPFS_VALUES and setting)
            or re.fullmatch(r"size=[0-9]{1,3}%", word, re.ASCII)
        )
        if not known or "," in word:
            hint = did_you_mean(key if equals else word, [*_TMPFS_FLAGS, *_TMPFS_VALUES, "size", "mode"])
            fail(name, given, f"mount options that tmpfs knows, not {word!r}{hint}")
        yield word


def _mode(name: str, value: object) -> int:
    expected = "permission bits like '1777' (octal digits) or 0o1777"
    if isinstance(value, str):
        if not re.fullmatch(r"(0o?)?[0-7]{1,4}", value, re.ASCII):
            fail(name, value, expected)
        return int(value.removeprefix("0o"), 8)
    return integer(name, value, low=0, high=0o7777, expected=expected)


def devices(name: str, value: object) -> tuple[DeviceSpec, ...]:
    """The value of `devices=`: "/dev/fuse[:/dev/x[:rwm]]", or DeviceSpec values."""
    expected = "'/dev/on-host[:/dev/in-container[:rwm]]'"
    many = (value,) if isinstance(value, (Mapping, DeviceSpec)) else items(name, value, expected)
    found = []
    for item in many:
        if isinstance(item, DeviceSpec):
            fields: list[object] = [item.host_path, item.container_path, item.permissions]
        elif isinstance(item, Mapping):
            keys = {"PathOnHost", "PathInContainer", "CgroupPermissions"}
            if "PathOnHost" not in item or set(item) - keys:
                fail(name, item, f"{expected}, or a mapping of {', '.join(sorted(keys))}")
            host = item["PathOnHost"]
            fields = [host, item.get("PathInContainer", host), item.get("CgroupPermissions", "rwm")]
        else:
            words = text(name, plain_path(item), expected).split(":")
            if len(words) == 2 and _PERMISSIONS(words[1]):
                words.insert(1, words[0])
            fields = [words[0], words[1] if len(words) > 1 else words[0], words[2] if len(words) > 2 else "rwm"]
            if len(words) > 3:
                fail(name, item, expected)
        permissions = text(name, fields[2], expected)
        if not _PERMISSIONS(permissions) or len(set(permissions)) != len(permissions):
            fail(name, item, f"{expected}; permissions are some of r, w and m")
        found.append(DeviceSpec(container_path(name, fields[0]), container_path(name, fields[1]), permissions))
    return tuple(found)


_PERMISSIONS: Callable[[str], object] = re.compile(r"[rwm]{1,3}").fullmatch


def volumes_from(name: str, value: object) -> str:
    """One element of `volumes_from=`: "container[:ro]"."""
    expected = "'container' or 'container:ro'"
    container, colon, mode = text(name, value, expected).partition(":")
    if colon and mode not in ("ro", "rw", "z", "Z"):
        fail(name, value, expected)
    return object_name(name, container) + colon + mode


def distinct(found: Iterable[tuple[str, object, Mount]]) -> tuple[Mount, ...]:
    """All mounts of a container, given as (option, its value, mount): no two at one place."""
    by_target: dict[str, Mount] = {}
    for name, value, mount in found:
        if mount.target in by_target and by_target[mount.target] != mount:
            fail(name, value, f"one mount at {mount.target}, not two")
        by_target[mount.target] = mount
    return tuple(by_target.values())
