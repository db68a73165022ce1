"""Mutations of image archives: each gives an answer or InvalidImage, never another error.

Run it with the number of archives and the first seed::

    python -m tests.faults.fuzz_archives 20000 0
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from containerkit.errors import InvalidImage, InvalidOption
from containerkit.layers.stack import open_archive
from containerkit.oci.problems import Limits
from containerkit.oci.stream import scan_stream
from containerkit.testing.archives import ImageBuilder, pack

__all__ = ["fuzz", "mutate", "outcome", "seeds"]

LIMITS = Limits(entries=10_000, expansion_floor=16 << 20)
SECONDS = 10.0
WORDS = (b"null", b"[]", b"{}", b'""', b"-1", b"1e999", b"../..", b"\0", b"\xff\xfe", b"0" * 64)


def seeds() -> list[bytes]:
    """Return archives of every kind, of an image with files, links, whiteouts and long names."""
    base = ImageBuilder().layer(dirs=["d"], files={"d/f": 700, "n" * 150: 3}, links={"h": "d/f"}, symlinks={"s": "d"})
    image = base.layer(whiteouts=["d/f"], opaque=["d"], files={"g": 20}).metadata("ENV A=1").tag("x:1")
    docker = [image.to_docker_archive(layout) for layout in ("docker20", "podman", "docker25")]
    layouts = [image.to_oci_layout(compression=how) for how in ("none", "gzip", "zstd")]
    members = image.oci_members(compression="none")
    system = ImageBuilder().layer(dirs=["etc"], files={"etc/f": 300, "bin/sh": 5}, symlinks={"etc/s": "/bin"})
    lone = pack({name: data for name, data in members.items() if name != "manifest.json"})
    return [*docker, *layouts, lone, system.layers[0].tar]


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Return the archive with one to four faults: flipped bytes, lost or doubled pieces, other numbers and words."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(made)) if made else 0
        size = chance.choice((1, 1, 2, 8, 100, 512, 5000))
        kind = chance.randrange(7)
        if kind == 0 and made:
            made[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            made[at : at + size] = chance.randbytes(min(size, 100))
        elif kind == 2:
            del made[at : at + size]
        elif kind == 3:
            made[at:at] = made[at : at + size]
        elif kind == 4:
            block = at - at % 512
            made[block : block + 512] = made[(other := chance.randrange(0, len(made) + 1, 512)) : other + 512]
        elif kind == 5:
            word = chance.choice(
                (b"null", b"[]", b"{}", b'""', b"-1", b"1e999", b"../..", b"\0", b"\xff\xfe", b"0" * 64)
            )
            made[at : at + len(word)] = word
        else:
            made[at : at + 1] = chance.choice((b"{", b"}", b"[", b'"', b",", b"9", b"x", b"/"))
    return bytes(made)


def outcome(path: Path) -> str:
    """Read an archive in every way and return "answer" or "InvalidImage". Any other error passes through."""
    found = "answer"
    try:
        stack = open_archive(path, ref="x:1", limits=LIMITS)
        json.dumps(stack.to_dict())
        stack.files()
        stack.waste()
        stack.packages()
        stack.to_page()
        if len(stack):
            stack.diff(-1)
        stack.verify()
    except InvalidImage:
        found = "InvalidImage"
    try:
        scan_stream([path.read_bytes()], ref="x:1", content_ids=True, verify=True, limits=LIMITS)
    except InvalidImage:
        found = "InvalidImage"
    return found


def fuzz(count: int, first: int = 0) -> Counter[str]:
    """Read `count` mutated archives and return how often each outcome came. Any error names its seed."""
    originals = seeds()
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image.tar")
        for seed in range(first, first + count):
            chance = random.Random(seed)
            path.write_bytes(mutate(chance.choice(originals), chance))
            began = time.monotonic()
            try:
                result = outcome(path)
            except InvalidOption as exc:
                if exc.name != "ref":
                    raise AssertionError(f"seed {seed}: {exc!r}") from exc
                result = "no such name"
            except Exception as exc:
                raise AssertionError(f"seed {seed}: {exc!r}") from exc
            assert time.monotonic() - began < SECONDS, f"seed {seed} takes too long"
            found[result] += 1
    return found


if __name__ == "__main__":
    sys.stdout.write(f"{dict(fuzz(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))}\n")
