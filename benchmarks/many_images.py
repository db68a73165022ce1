"""Questions about all images of an engine that has many, beside an inspect of each and the engine's own disk usage.

    python benchmarks/many_images.py [--engine TARGET] [--images 300] [--files 10000]

Loads images with one base of many small files and one layer each, and removes them. Each figure is a call, the median
of three in an engine that was opened before; "ratio" is to one inspect of each image over the same socket.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import time
from collections.abc import Callable

import containerkit as ck
from containerkit.display import Table
from containerkit.testing.archives import ImageBuilder, docker_archive


def seconds(call: Callable[[], object]) -> float:
    """Return the median of three calls."""
    found = []
    for _ in range(3):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--files", type=int, default=10_000)
    args = parser.parse_args()
    base = ImageBuilder().layer(files={f"d{n % 100}/f{n}": str(n) * 20 for n in range(args.files)})
    many = [
        base.layer(files={f"own{n}": os.urandom(2000)}).tag(f"docker.io/containerkit/many:{n}")
        for n in range(args.images)
    ]
    with ck.connect(args.engine) as engine:
        info, backend = engine.info(), engine._core.backend
        loaded = engine.images.load(docker_archive(many))
        ref = loaded[0].id
        try:
            calls: dict[str, Callable[[], object]] = {
                "inspect of each image": lambda: [backend.inspect_image(image.id) for image in loaded],
                "the engine's own disk usage": backend.engine_disk_usage,
                "layers of one image": lambda: [layer.sizes for layer in engine.layers(ref)],
                "sharing": engine.sharing,
                "savings": engine.savings,
                "reclaimable": engine.reclaimable,
                "disk_usage": engine.disk_usage,
                "duplicates": engine.duplicates,
            }
            found = {name: seconds(call) for name, call in calls.items()}
        finally:
            for image in loaded:
                with contextlib.suppress(ck.NotFound):
                    engine.images.remove(image.id, force=True)
    bare = found["inspect of each image"]
    rows = [(name, f"{took:.2f} s", f"{took / bare:.2f}") for name, took in found.items()]
    title = f"{info.kind} {info.version}, {info.storage_driver}, {args.images} images on a base of {args.files} files"
    print(Table(title, ("what", "seconds", "ratio"), rows).to_markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
