"""Parse the kernel's text formats: id maps, status, mounts, capabilities, control groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._text import split_lines
from .facts import IdRange

__all__ = [
    "WHOLE",
    "MountLine",
    "capability_names",
    "compose",
    "host_id",
    "parse_id_map",
    "parse_mountinfo",
    "parse_status",
    "text",
]

#: The map of the initial user namespace: every id maps to itself.
WHOLE = (IdRange(0, 0, 4294967295),)

_CAPABILITIES = (  # by number, as in linux/capability.h
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)


@dataclass(frozen=True, slots=True)
class MountLine:
    """One line of mountinfo: mount point, type and options."""

    root: str
    target: str
    options: frozenset[str]
    kind: str
    super_options: frozenset[str]


def text(value: bytes | int | None) -> str | None:
    """Return a file's content without surrounding white space; None if it could not be read."""
    return value.decode("utf-8", "replace").strip("\0 \t\r\n") if isinstance(value, bytes) else None


def parse_id_map(content: str | None) -> tuple[IdRange, ...] | None:
    """Return the ranges of a uid_map or gid_map; None for other text, and for a map that is not set."""
    rows = [line.split() for line in split_lines(content or "") if line.strip()]
    if not rows or any(len(row) != 3 or not all(part.isdecimal() for part in row) for row in rows):
        return None
    ranges = tuple(IdRange(*map(int, row)) for row in rows)
    return ranges if all(0 < r.size <= 1 << 32 for r in ranges) else None


def host_id(inside: int, ranges: Sequence[IdRange]) -> int | None:
    """Return the id one level out, or None if the map does not contain it."""
    for r in ranges:
        if r.inside <= inside < r.inside + r.size:
            return r.outside + inside - r.inside
    return None


def compose(inner: Sequence[IdRange], outer: Sequence[IdRange]) -> tuple[IdRange, ...]:
    """Return the map of a nested namespace: `inner` followed by `outer`; ids without a target are left out."""
    composed: list[IdRange] = []
    for row in inner:
        at, end = row.outside, row.outside + row.size
        for out in sorted(outer, key=lambda r: r.inside):
            start, stop = max(at, out.inside), min(end, out.inside + out.size)
            if start < stop:
                composed.append(
                    IdRange(row.inside + start - row.outside, out.outside + start - out.inside, stop - start)
                )
    return tuple(sorted(composed, key=lambda r: r.inside))


def parse_status(content: str | None) -> Mapping[str, str]:
    """Return the fields of /proc/PID/status."""
    rows = (line.partition(":") for line in split_lines(content or ""))
    return {name: value.strip() for name, separator, value in rows if separator}


def parse_mountinfo(content: str | None) -> tuple[MountLine, ...]:
    """Return the mounts in the order of the file; malformed lines are left out."""
    mounts = []
    for line in split_lines(content or ""):
        first, separator, last = line.partition(" - ")
        left, right = first.split(" "), last.split(" ")
        if separator and len(left) >= 6 and len(right) >= 3:
            options = frozenset(left[5].split(","))
            mounts.append(MountLine(left[3], left[4], options, right[0], frozenset(right[2].split(","))))
    return tuple(mounts)


def capability_names(mask: str | None) -> tuple[str, ...] | None:
    """Return the capabilities in a hexadecimal mask, without the prefix CAP_; None for other text."""
    try:
        bits = int(mask or "", 16)
    except ValueError:
        return None
    return tuple(
        _CAPABILITIES[bit] if bit < len(_CAPABILITIES) else f"#{bit}"
        for bit in range(bits.bit_length())
        if bits >> bit & 1
    )
