"""Questions that the probe puts to the kernel from inside a container, and the decoding of its answers.

For every question in order, the program prints an eight-byte result and the bytes that belong to it, between a nonce
and the same nonce again. Without the nonce nobody can answer for the program, and half an answer is no answer. Every
call is harmless where it is allowed: it has no effect, fails on its arguments, or ends with the container.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .elf import BUFFER_SIZE, Address, Buffer, Call, Child, Data, Slot, assemble

__all__ = [
    "CGROUP_FILES",
    "FILTERED",
    "FORKS",
    "LINGER",
    "ROOT_ONLY_SOURCE",
    "ROOT_ONLY_TARGET",
    "Answers",
    "build_program",
    "decode",
    "end_marker",
]

#: Seconds that the program stays after its report, so that it can be seen from outside.
LINGER = 15
#: Number of children that the program tries to fork, to test a limit on processes.
FORKS = 40
#: A file of every Linux that only the host's uid 0 can open. It holds no secret (the pid signalled by Ctrl-Alt-Del).
ROOT_ONLY_SOURCE, ROOT_ONLY_TARGET = "/proc/sys/kernel/cad_pid", "/root-only"

_AT_FDCWD = -100
_MAGIC = b"containerkit-probe\x01"

#: Cgroup files by (controller, version), as seen in a container.
CGROUP_FILES: Mapping[tuple[str, int], str] = {
    ("memory", 2): "/sys/fs/cgroup/memory.max",
    ("pids", 2): "/sys/fs/cgroup/pids.max",
    ("cpu", 2): "/sys/fs/cgroup/cpu.max",
    ("cpuset", 2): "/sys/fs/cgroup/cpuset.cpus.effective",
    ("memory", 1): "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ("pids", 1): "/sys/fs/cgroup/pids/pids.max",
    ("cpu", 1): "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    ("cpu-period", 1): "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
    ("cpu", 11): "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us",  # where the two are mounted together
    ("cpu-period", 11): "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us",
}

_FILES: tuple[str, ...] = (
    "/proc/self/cmdline",
    "/proc/self/status",
    "/proc/self/uid_map",
    "/proc/self/gid_map",
    "/proc/self/cgroup",
    "/proc/self/attr/current",
    "/proc/self/timens_offsets",
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/modules_disabled",
    "/proc/sys/net/ipv4/ip_unprivileged_port_start",
    "/proc/sys/net/ipv4/ping_group_range",
    "/proc/meminfo",
    "/proc/loadavg",
    "/proc/keys",
    *CGROUP_FILES.values(),
)
_LONG_FILES: tuple[str, ...] = ("/proc/self/mountinfo",)
#: Opened and closed without reading: only the result of the open counts.
_OPENED: tuple[str, ...] = ("/proc/kcore", "/proc/sysrq-trigger", ROOT_ONLY_TARGET)
_FOLDERS: tuple[str, ...] = ("/dev", "/sys/block", "/sys/firmware", "/proc/acpi", "/proc/scsi")
_LINKS: tuple[str, ...] = tuple(
    f"/proc/self/ns/{name}" for name in ("user", "pid", "net", "ipc", "uts", "mnt", "cgroup", "time")
)

_S_IFCHR, _NULL_DEVICE = 0o020000, 1 << 8 | 3  # makedev(1, 3), as mknod(2) takes it
_CLONE_NEWUSER, _MINUS_ONE = 0x10000000, -1
_SYSCALLS: Mapping[str, Call] = {
    "keyctl": Call("keyctl", (0, -4, 0)),  # KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, do not create
    "add_key": Call("add_key", (0, 0, 0, 0, 0)),
    "io_uring_setup": Call("io_uring_setup", (1, 0)),
    "init_module": Call("init_module", (0, 0, 0)),
    "settimeofday": Call("settimeofday", (0, 0)),  # without anything to set, the call only checks the permission
    # Next three: the kernel looks at the arguments before it looks at capabilities, so EPERM is the filter's.
    "setns": Call("setns", (_MINUS_ONE, 0)),
    "umount2": Call("umount2", (0, 0x7FFF0000)),  # flags that no kernel accepts
    "quotactl": Call("quotactl", (0xFF, 0, 0, 0)),  # a type of quota that no kernel has
    "mount": Call("mount", (0, Data(b"/\0"), 0, 0, 0)),
    "kexec_load": Call("kexec_load", (0, 0, 0, _MINUS_ONE)),  # flags that no kernel accepts
    "bpf": Call("bpf", (_MINUS_ONE, 0, 0)),
    "perf_event_open": Call("perf_event_open", (0, 0, _MINUS_ONE, _MINUS_ONE, 0)),
    "userfaultfd": Call("userfaultfd", (0x7FFF0000,)),
    "open_by_handle_at": Call("open_by_handle_at", (_MINUS_ONE, 0, 0)),
    "mknod": Call("mknodat", (_AT_FDCWD, Data(b"/probe-null\0"), _S_IFCHR | 0o600, _NULL_DEVICE)),
    "socket_raw": Call("socket", (2, 3, 1)),  # AF_INET, SOCK_RAW, IPPROTO_ICMP
    "socket_ping": Call("socket", (2, 2, 1)),  # AF_INET, SOCK_DGRAM, IPPROTO_ICMP
}
#: Calls whose EPERM or ENOSYS in a default container comes from the filter of system calls, not from a capability.
FILTERED = ("add_key", "perf_event_open", "setns", "umount2", "quotactl")

_RESULT, _FD, _FORKED, _SLOTS = 0, 1, 2, 3
_Step = Call | Child


def _tell(slot: int = _RESULT) -> Call:
    return Call("write", (1, Address(slot), 8), _SLOTS - 1)


def _read(source: Call, chunks: int, read: str = "read") -> Iterator[_Step]:
    """Return calls that open, report, then `chunks` times read, report, and write what was read."""
    yield Call(source.name, source.arguments, _FD)
    yield _tell(_FD)
    for _ in range(chunks):
        yield Call(read, (Slot(_FD), Buffer(), BUFFER_SIZE), _RESULT)
        yield _tell()
        yield Call("write", (1, Buffer(), Slot(_RESULT)), _SLOTS - 1)
    yield Call("close", (Slot(_FD),), _RESULT)


def _open(path: str, flags: int = 0) -> Call:
    return Call("openat", (_AT_FDCWD, Data(path.encode() + b"\0"), flags, 0))


def _steps(nonce: bytes) -> Iterator[_Step]:
    yield Call("write", (1, Data(_MAGIC + nonce), len(_MAGIC + nonce)))
    for path in _FILES:
        yield from _read(_open(path), 1)
    for path in _LONG_FILES:
        yield from _read(_open(path), 8)
    for path in _FOLDERS:
        yield from _read(_open(path), 1, "getdents64")
    for path in _OPENED:
        yield from _read(_open(path), 0)
    for path in _LINKS:
        yield Call("readlinkat", (_AT_FDCWD, Data(path.encode() + b"\0"), Buffer(), BUFFER_SIZE))
        yield _tell()
        yield Call("write", (1, Buffer(), Slot(_RESULT)), _SLOTS - 1)
    yield Call("statx", (_AT_FDCWD, Data(ROOT_ONLY_TARGET.encode() + b"\0"), 0, 0x7FF, Buffer()))
    yield _tell()
    yield Call("write", (1, Buffer(), 256), _SLOTS - 1)
    yield Call("statfs", (Data(b"/\0"), Buffer()))
    yield _tell()
    yield Call("write", (1, Buffer(), 120), _SLOTS - 1)
    for call in _SYSCALLS.values():
        yield call
        yield _tell()
    # Last: a child in a user namespace of its own, and many children (left as zombies, which count as processes).
    yield Child((Call("unshare", (_CLONE_NEWUSER,), _RESULT),), _FORKED)
    yield _tell(_FORKED)
    yield _tell()
    for _ in range(FORKS):
        yield Child((), _RESULT)
        yield _tell()
    yield Call("write", (1, Data(end_marker(nonce)), len(end_marker(nonce))))
    yield Call("nanosleep", (Data(struct.pack("<qq", LINGER, 0)), 0))
    yield Call("exit_group", (0,))


def end_marker(nonce: bytes) -> bytes:
    """Return what the program prints last."""
    return b"END" + nonce


def build_program(nonce: bytes, *, arch: str) -> bytes:
    """Return the probe as an ELF file for a processor ("amd64", "arm64")."""
    return assemble(tuple(_steps(nonce)), arch=arch, slots=_SLOTS + 1)


@dataclass(frozen=True, slots=True)
class Answers:
    """Output of a probe: bytes for what could be read, an errno for what could not.

    Attributes:
        files, folders, links: by path; a folder's value is its entries.
        opened: path -> 0, or the errno of the attempt to open it.
        root_only_mode: (permission bits, uid) of the root-only file as seen inside, or None.
        syscalls: name -> 0 or an errno.
        forks: number of children that could be forked.
        disk: bytes of the file system that holds the container's root, as the container sees it; None if unknown.
    """

    files: Mapping[str, bytes | int]
    folders: Mapping[str, tuple[str, ...] | int]
    links: Mapping[str, str | int]
    opened: Mapping[str, int]
    root_only_mode: tuple[int, int] | None
    syscalls: Mapping[str, int]
    forks: int
    disk: int | None = None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, length: int) -> bytes:
        piece = self.data[self.at : self.at + length]
        if len(piece) != length:
            raise ValueError("the answer stops in the middle")
        self.at += length
        return piece

    def result(self) -> int:
        value: int = struct.unpack("<q", self.take(8))[0]
        if value < -4095 or value > 1 << 31:
            raise ValueError(f"no system call returns {value}")
        return value

    def content(self) -> bytes | int:
        length = self.result()
        if length > BUFFER_SIZE:
            raise ValueError(f"an answer of {length} bytes to a question for {BUFFER_SIZE}")
        return self.take(length) if length >= 0 else -length

    def file(self, chunks: int) -> bytes | int:
        opened = self.result()
        pieces = [self.content() for _ in range(chunks)]
        if opened < 0:
            return -opened
        if pieces and isinstance(pieces[0], int):
            return pieces[0]
        return b"".join(piece for piece in pieces if isinstance(piece, bytes))


def decode(data: bytes, nonce: bytes) -> Answers:
    """Decode a probe's output. Raises ValueError, with the reason, for anything but a complete answer to this nonce."""
    reader = _Reader(data)
    if reader.take(len(_MAGIC) + len(nonce)) != _MAGIC + nonce:
        raise ValueError("the answer does not carry this probe's nonce")
    files = {path: reader.file(1) for path in _FILES}
    files |= {path: reader.file(8) for path in _LONG_FILES}
    folders = {path: _names(reader.file(1)) for path in _FOLDERS}
    opened = {path: -min(0, reader.result()) for path in _OPENED}
    links = {
        path: link if isinstance(link := reader.content(), int) else link.decode("utf-8", "replace") for path in _LINKS
    }
    statx, buffer = reader.result(), reader.take(256)
    mode = (
        (int.from_bytes(buffer[28:30], "little") & 0o7777, int.from_bytes(buffer[20:24], "little"))
        if not statx
        else None
    )
    failed, statfs = reader.result(), reader.take(120)
    disk = None if failed else int.from_bytes(statfs[8:16], "little") * int.from_bytes(statfs[16:24], "little")
    syscalls = {name: -min(0, reader.result()) for name in _SYSCALLS}
    forked, unshared = reader.result(), reader.result()
    syscalls["unshare_user"] = -min(0, unshared) if forked > 0 else -min(0, forked) or errno.EAGAIN
    forks = sum(reader.result() > 0 for _ in range(FORKS))
    if reader.take(len(end_marker(nonce))) != end_marker(nonce) or reader.at != len(data):
        raise ValueError("the answer does not end with this probe's nonce")
    return Answers(files, folders, links, opened, mode, syscalls, forks, disk)


def _names(entries: bytes | int) -> tuple[str, ...] | int:
    """Return the names in the result of getdents64: d_ino 8, d_off 8, d_reclen 2, d_type 1, then name and zero."""
    if isinstance(entries, int):
        return entries
    names, at = [], 0
    while at + 19 <= len(entries):
        length = int.from_bytes(entries[at + 16 : at + 18], "little")
        if length < 19:
            raise ValueError("a folder's entry of no length")
        name = entries[at + 19 : at + length].split(b"\0", 1)[0].decode("utf-8", "replace")
        if name not in (".", ".."):
            names.append(name)
        at += length
    return tuple(sorted(names))
