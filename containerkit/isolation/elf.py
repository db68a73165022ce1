"""Assemble a program of system calls into a static ELF file, the only file in the probe's image.

An image may lack a shell, or have one that lies. So the probe brings its own program: a list of :class:`Call`, each
result kept in a numbered slot, which this module turns into machine code. There is no loop and no stack; the only
branch is a child's (:class:`Child`). Every instruction in use is defined below, which keeps two processors affordable.

Layout: one read-and-execute segment (headers, code, constants) and one writable segment (slots, then the buffer).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["BUFFER_SIZE", "MACHINES", "Address", "Buffer", "Call", "Child", "Data", "Slot", "assemble", "machine_of"]

BUFFER_SIZE = 1 << 16
_TEXT, _DATA, _PAGE = 0x400000, 0x600000, 0x10000  # 64 KiB: the largest page of the two processors
_MASK = (1 << 64) - 1
# A child that only makes calls needs no stack and may share the memory: CLONE_VM | CLONE_VFORK | SIGCHLD.
_VFORK = 0x100 | 0x4000 | 17


@dataclass(frozen=True, slots=True)
class Data:
    """Address of constant bytes."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Slot:
    """Value that an earlier call left in this slot."""

    index: int


@dataclass(frozen=True, slots=True)
class Address:
    """Address of a slot."""

    index: int


@dataclass(frozen=True, slots=True)
class Buffer:
    """Address of the one buffer for reads."""


Argument = int | Data | Slot | Address | Buffer


@dataclass(frozen=True, slots=True)
class Call:
    """One system call by name; its result (negative: an errno) goes to `slot`."""

    name: str
    arguments: tuple[Argument, ...] = ()
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Child:
    """Calls made by a child that ends after them; the parent waits. `slot` receives the result of the fork."""

    calls: tuple[Call, ...] = ()
    slot: int = 0


_X86_64: Mapping[str, int] = {
    "read": 0, "write": 1, "close": 3, "nanosleep": 35, "socket": 41, "clone": 56, "setgroups": 116, "setresuid": 117,
    "setresgid": 119, "prctl": 157, "settimeofday": 164, "mount": 165, "umount2": 166, "init_module": 175,
    "quotactl": 179, "getdents64": 217,
    "exit_group": 231, "kexec_load": 246, "add_key": 248, "keyctl": 250, "openat": 257, "mknodat": 259,
    "readlinkat": 267, "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304, "bpf": 321,
    "userfaultfd": 323, "setns": 308, "statx": 332, "io_uring_setup": 425, "statfs": 137,
}  # fmt: skip
_AARCH64: Mapping[str, int] = {
    "read": 63, "write": 64, "close": 57, "nanosleep": 101, "socket": 198, "clone": 220, "setgroups": 159,
    "setresuid": 147, "setresgid": 149, "prctl": 167, "settimeofday": 170, "mount": 40, "umount2": 39,
    "init_module": 105, "quotactl": 60,
    "getdents64": 61, "exit_group": 94, "kexec_load": 104, "add_key": 217, "keyctl": 219, "openat": 56, "mknodat": 33,
    "readlinkat": 78, "unshare": 97, "perf_event_open": 241, "open_by_handle_at": 265, "bpf": 280,
    "userfaultfd": 282, "setns": 268, "statx": 291, "io_uring_setup": 425, "statfs": 43,
}  # fmt: skip


class _X8664:
    """System V: number in rax; arguments in rdi, rsi, rdx, r10, r8, r9; result in rax."""

    machine, calls = 62, _X86_64
    registers: tuple[int, ...] = (7, 6, 2, 10, 8, 9)
    number = 0

    @staticmethod
    def load(register: int, value: int) -> bytes:
        return bytes((0x48 | register >> 3, 0xB8 | register & 7)) + struct.pack("<Q", value & _MASK)  # movabs

    @staticmethod
    def fetch(register: int, address: int) -> bytes:
        return bytes((0x48 | register >> 3 << 2, 0x8B, 4 | (register & 7) << 3, 0x25)) + struct.pack("<I", address)

    @staticmethod
    def call_and_store(address: int) -> bytes:
        return b"\x0f\x05\x48\x89\x04\x25" + struct.pack("<I", address)  # syscall; mov [address], rax

    @staticmethod
    def skip_unless_zero(code: bytes) -> bytes:
        return b"\x48\x85\xc0\x0f\x85" + struct.pack("<i", len(code)) + code  # test rax, rax; jnz


class _AArch64:
    """System calls of AArch64: number in x8, arguments in x0 to x5, result in x0. x9 holds addresses."""

    machine, calls = 183, _AARCH64
    registers: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    number = 8

    @staticmethod
    def load(register: int, value: int) -> bytes:
        quarters = [value >> shift & 0xFFFF for shift in (0, 16, 32, 48)]
        words = [0xD2800000 | quarters[0] << 5 | register]  # movz
        words += [0xF2800000 | part << 21 | bits << 5 | register for part, bits in enumerate(quarters) if part and bits]
        return struct.pack(f"<{len(words)}I", *words)

    @classmethod
    def fetch(cls, register: int, address: int) -> bytes:
        return cls.load(9, address) + struct.pack("<I", 0xF9400000 | 9 << 5 | register)  # ldr

    @classmethod
    def call_and_store(cls, address: int) -> bytes:
        return struct.pack("<I", 0xD4000001) + cls.load(9, address) + struct.pack("<I", 0xF9000000 | 9 << 5)  # svc; str

    @staticmethod
    def skip_unless_zero(code: bytes) -> bytes:
        return struct.pack("<I", 0xB5000000 | (len(code) // 4 + 1) << 5) + code  # cbnz x0


_Machine = type[_X8664] | type[_AArch64]
#: By the image-spec's name of the architecture.
MACHINES: Mapping[str, _Machine] = {"amd64": _X8664, "arm64": _AArch64}
_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def machine_of(arch: str) -> str | None:
    """Return the image-spec's name of a processor for which programs can be assembled, or None."""
    return _ALIASES.get(arch.lower())


@dataclass
class _Layout:
    """Positions of constants; they follow the code, so their addresses depend on its length."""

    base: int = 0
    constants: dict[bytes, int] = field(default_factory=dict)
    blob: bytearray = field(default_factory=bytearray)

    def address(self, value: bytes) -> int:
        if value not in self.constants:
            self.constants[value] = len(self.blob)
            self.blob += value + bytes(-len(value) % 8)
        return self.base + self.constants[value]


def assemble(program: Sequence[Call | Child], *, arch: str, slots: int) -> bytes:
    """Return the ELF file that makes these calls in order; the program itself must end with ``exit_group``."""
    machine = MACHINES[arch]
    layout = _Layout(base=_TEXT)  # addresses have a fixed size, so a first pass measures the code
    header = 64 + 2 * 56
    while True:
        code = _translate(machine, program, layout, slots)
        base = _TEXT + header + len(code) + -(header + len(code)) % 8
        if base == layout.base:
            break
        layout = _Layout(base=base)
    text = (code + bytes(base - _TEXT - header - len(code))) + bytes(layout.blob)
    length, memory = header + len(text), slots * 8 + BUFFER_SIZE
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = struct.pack("<HHIQQQIHHHHHH", 2, machine.machine, 1, _TEXT + header, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    segments = struct.pack("<IIQQQQQQ", 1, 5, 0, _TEXT, _TEXT, length, length, _PAGE)
    segments += struct.pack("<IIQQQQQQ", 1, 6, 0, _DATA, _DATA, 0, memory, _PAGE)
    return ident + head + segments + text


def _translate(machine: _Machine, program: Sequence[Call | Child], layout: _Layout, slots: int) -> bytes:
    def value(argument: int | Data | Address | Buffer) -> int:
        if isinstance(argument, Data):
            return layout.address(argument.value)
        if isinstance(argument, Address):
            return _DATA + 8 * argument.index
        return _DATA + 8 * slots if isinstance(argument, Buffer) else argument

    def call(step: Call) -> bytes:
        code = b""
        for register, argument in zip(machine.registers, step.arguments, strict=False):
            if isinstance(argument, Slot):
                code += machine.fetch(register, _DATA + 8 * argument.index)
            else:
                code += machine.load(register, value(argument))
        code += machine.load(machine.number, machine.calls[step.name])
        return code + machine.call_and_store(_DATA + 8 * step.slot)

    def child(step: Child) -> bytes:
        calls = b"".join(map(call, (*step.calls, Call("exit_group", (0,), 0))))
        return call(Call("clone", (_VFORK, 0, 0, 0, 0), step.slot)) + machine.skip_unless_zero(calls)

    return b"".join(call(step) if isinstance(step, Call) else child(step) for step in program)
