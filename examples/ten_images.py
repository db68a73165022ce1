"""Ten images on one base: what they seem to cost, what they cost, and what ten full copies would.

    python examples/ten_images.py BASE.tar [--engine TARGET] [--images 10] [--added 5000000]

BASE.tar is a docker-archive (engines/base_image.py makes one of Debian). What the example makes it removes again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import containerkit as ck
from containerkit.display import Table, human_bytes


def say(text: str) -> None:
    print(text, flush=True)


def layers_table(stack: ck.LayerStack, title: str) -> Table:
    """Instruction, diff_id and size of each layer."""
    rows = [
        (layer.index, (layer.created_by or "?")[:60], layer.diff_id[:19], human_bytes(layer.sizes.content))
        for layer in stack
    ]
    return Table(title, ("layer", "instruction", "diff_id", "file bytes"), rows)


def when_it_fails(savings: ck.Savings, count: int, base: int) -> Table:
    """The rule for other sizes of what each image adds, and whether this storage driver shares at all."""
    rows = []
    for share in (0.01, 0.1, 0.5, 1, 5):
        added = base * share
        rows.append((f"{share:.0%} of the base", f"{count * (base + added) / (base + count * added):.2f}"))
    notes = ["it never exceeds (B+d) / d, however many images there are: a big d leaves nothing to share"]
    if savings.shares_layers is False:
        notes.append("this storage driver (as vfs does) copies every layer in full: on disk the ratio is 1 or less")
    return Table(f"The rule for {count} images", ("each image adds", "times less"), rows, notes=notes)


def show_memory(engine: ck.Engine, refs: list[str]) -> None:
    """Programs of shared layers are in memory once: Pss counts each page divided by those who map it."""
    started = []
    rows = []
    try:
        for ref in refs:
            container = engine.start(ref, ["sleep", "300"])
            started.append(container)
        for ref, container in zip(refs, started, strict=True):
            rows.append((ref, *library_memory(container)))
        note = "Rss: pages it maps. Pss: the same pages, each divided by the number of processes that map it"
        say(Table("The C library in memory", ("container", "Rss", "Pss"), rows, notes=[note]).to_text())
    except ck.ContainerKitError as exc:
        say(f"Memory is not shown: the images have no `sleep` and `cat` that could be run ({type(exc).__name__}).\n")
    finally:
        for container in started:
            container.remove(force=True)


def library_memory(container: ck.Container) -> tuple[str, str]:
    """Rss and Pss of the C library in a container's first process, which the container itself may always read."""
    sums = {"Rss": 0, "Pss": 0}
    inside = False
    for line in container.exec(["cat", "/proc/1/smaps"], check=True).stdout.splitlines():
        name, _, rest = line.partition(":")
        if name in sums and inside:
            sums[name] += int(rest.split()[0]) * 1024
        elif "-" in line.split(" ")[0]:  # "7f12-7f34 r-xp 0000 fe:01 1234 /lib/libc.so.6" begins a mapping
            inside = "/libc" in line or "/ld-musl" in line
    return human_bytes(sums["Rss"]), human_bytes(sums["Pss"])


def show(engine: ck.Engine, base: Path, count: int, added: int) -> None:
    """Load the base, derive the images, print the figures."""
    info = engine.info()
    mode = "rootless" if info.rootless else "rootful"
    say(f"== {info.kind} {info.version}, {mode}, {info.storage_driver}: {engine.url}")
    (loaded,) = engine.images.load(base)
    base_ref = loaded.refs[0]
    refs = [f"containerkit/derived:{number}" for number in range(count)]
    began = time.monotonic()
    try:
        for number, ref in enumerate(refs):
            # Real bytes that nothing can compress or share: sparse or equal content would be cheating.
            context = {"Dockerfile": f"FROM {base_ref}\nCOPY data /data\n", "data": os.urandom(added)}
            engine.images.build(context, tag=ref)
            if time.monotonic() - began > 2:
                say(f"   {number + 1} of {count} images built")
        say(layers_table(engine.layers(base_ref), f"The base, {base_ref}").to_text())
        say(layers_table(engine.layers(refs[0]), f"One of the {count}, {refs[0]}").to_text())
        savings = engine.savings(refs, containers=False)
        one = savings.images[0]
        rule = count * one.logical_bytes / (one.shared_bytes + count * one.unique_bytes)
        disk = (
            "unknown: " + "; ".join(savings.unknown) if savings.disk_bytes is None else human_bytes(savings.disk_bytes)
        )
        times = "" if savings.disk_ratio is None else f"{savings.disk_ratio:.2f} times less than the copies"
        rows = [
            (f"sum of the {count} images", human_bytes(savings.logical_bytes), ""),
            (
                "their distinct layers",
                human_bytes(savings.unique_bytes),
                f"{savings.ratio:.2f} times less than the sum",
            ),
            ("really on disk (st_blocks)", disk, times),
            (f"{count} full copies on disk", human_bytes(savings.full_copies_bytes), "the virtual machine way"),
        ]
        say(Table("What they cost", ("", "bytes", ""), rows).to_text())
        say(f"The rule N(B+d) / (B+Nd) says {rule:.2f}; measured {savings.ratio:.2f}.\n")
        say(when_it_fails(savings, count, one.shared_bytes).to_text())
        show_memory(engine, refs[:5])
    finally:
        for ref in (*refs, base_ref):
            if engine.images.exists(ref):
                engine.images.remove(ref, force=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("--engine", help="a target of containerkit.connect(); by default the first that answers")
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--added", type=int, default=5_000_000, help="bytes that each image adds")
    args = parser.parse_args()
    try:
        with ck.connect(args.engine) as engine:
            show(engine, args.base, args.images, args.added)
    except ck.ContainerKitError as exc:
        print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
