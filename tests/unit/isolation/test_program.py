"""The machine code of the probe, each instruction against the processors' manuals; and the image around it."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile

import pytest

from containerkit.isolation.elf import MACHINES, Call, Child, Data, Slot, assemble, machine_of
from containerkit.isolation.image import PROGRAM_PATH, build_image
from containerkit.isolation.program import build_program


@pytest.mark.parametrize(
    ("register", "code"),
    [(0, "48b8"), (7, "48bf"), (6, "48be"), (2, "48ba"), (10, "49ba"), (8, "49b8"), (9, "49b9")],
)
def test_amd64_loads(register: int, code: str) -> None:
    """movabs into each register that a call needs."""
    assert MACHINES["amd64"].load(register, -4).hex() == code + "fcffffffffffffff"


@pytest.mark.parametrize(
    ("register", "code"),
    [(7, "488b3c25"), (6, "488b3425"), (2, "488b1425"), (10, "4c8b1425"), (8, "4c8b0425"), (9, "4c8b0c25")],
)
def test_amd64_fetches(register: int, code: str) -> None:
    """mov from an absolute address into each argument register."""
    assert MACHINES["amd64"].fetch(register, 0x600010).hex() == code + "10006000"


def test_amd64_call_and_branch() -> None:
    """syscall, mov [address], rax; test rax, rax, jnz."""
    assert MACHINES["amd64"].call_and_store(0x600000).hex() == "0f0548890425" + "00006000"
    assert MACHINES["amd64"].skip_unless_zero(b"\x90\x90").hex() == "4885c0" + "0f8502000000" + "9090"


def words(code: bytes) -> list[str]:
    return [f"{word:08x}" for word in struct.unpack(f"<{len(code) // 4}I", code)]


def test_arm64_instructions() -> None:
    """movz and movk, ldr, svc, str, cbnz."""
    machine = MACHINES["arm64"]
    assert words(machine.load(0, 1)) == ["d2800020"]  # movz x0, #1
    assert words(machine.load(8, 0x600010)) == ["d2800208", "f2a00c08"]  # movz x8, #0x10; movk x8, #0x60, lsl #16
    assert words(machine.load(1, -1)) == ["d29fffe1", "f2bfffe1", "f2dfffe1", "f2ffffe1"]
    assert words(machine.fetch(3, 0x600000))[-1] == "f9400123"  # ldr x3, [x9]
    assert words(machine.call_and_store(0x600000)) == [
        "d4000001",
        "d2800009",
        "f2a00c09",
        "f9000120",
    ]  # svc; …; str x0, [x9]
    assert words(machine.skip_unless_zero(bytes(4)))[0] == "b5000040"  # cbnz x0, past one instruction


def test_both_processors_know_every_call() -> None:
    """What one can be asked, the other can."""
    assert set(MACHINES["amd64"].calls) == set(MACHINES["arm64"].calls)


@pytest.mark.parametrize(
    ("told", "known"),
    [("x86_64", "amd64"), ("amd64", "amd64"), ("aarch64", "arm64"), ("ARM64", "arm64"), ("riscv64", None), ("", None)],
)
def test_names_of_processors(told: str, known: str | None) -> None:
    """Engines and kernels name processors differently; one that is not known is not guessed."""
    assert machine_of(told) == known


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_a_program_is_a_sound_elf_file(arch: str) -> None:
    """Two segments: one to read and run, whole in the file; one to write, of memory only. Nothing is both."""
    program = assemble(
        (Child((Call("unshare", (1,)),), 1), Call("write", (Slot(1), Data(b"x"), 1))), arch=arch, slots=4
    )
    machine, entry, headers = struct.unpack_from("<H4xQQ", program, 18)
    assert (machine, headers) == (MACHINES[arch].machine, 64)
    segments = [struct.unpack_from("<IIQQQQQQ", program, 64 + 56 * number) for number in range(2)]
    assert [segment[1] for segment in segments] == [5, 6]
    assert segments[0][5] == segments[0][6] == len(program)
    assert entry == segments[0][3] + 64 + 2 * 56
    assert segments[1][5] == 0
    assert all(segment[3] % segment[7] == segment[2] % segment[7] for segment in segments)


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_programs_differ_by_their_nonce_only(arch: str) -> None:
    """Two reports at once never share an image, and the rest of the program is the same."""
    one, other = (build_program(letter * 32, arch=arch) for letter in (b"a", b"b"))
    assert one != other
    assert one.replace(b"a" * 32, b"b" * 32) == other


def test_the_image_is_a_docker_archive_of_one_file() -> None:
    """One layer, one file, the labels of who made it."""
    data = build_image("localhost/x:1", arch="amd64", nonce=b"0" * 32, labels={"who": "me"})
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        config = (archive.extractfile(manifest["Config"]) or io.BytesIO()).read()
        layer = (archive.extractfile(manifest["Layers"][0]) or io.BytesIO()).read()
    assert manifest["Config"] == hashlib.sha256(config).hexdigest() + ".json"
    told = json.loads(config)
    assert told["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]
    assert told["config"]["Labels"] == {"who": "me"}
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        assert [(f"/{member.name}", member.mode) for member in files] == [(PROGRAM_PATH, 0o755)]
