"""Build an image from memory, show the steps while they run, and look at what each one added.

python examples/build_with_progress.py [BASE]
"""

from __future__ import annotations

import sys

import containerkit as ck
from containerkit.display import human_bytes


def show(progress: ck.Progress) -> None:
    print("  |", progress.stream, end="" if progress.stream.endswith("\n") else "\n")


def main(base: str = "busybox:1") -> None:
    dockerfile = f"FROM {base}\nRUN head -c 300000 /dev/urandom > /data\nCOPY hello /hello\nCMD cat /hello\n"
    with ck.connect() as engine:
        image = engine.images.build({"Dockerfile": dockerfile, "hello": b"built\n"}, on_progress=show)
        try:
            print("it says:", engine.run(image.id, None, check=True).stdout.strip())
            for layer in image.layers():
                print(f"  {human_bytes(layer.sizes.content or 0):>10}  {(layer.created_by or '').strip()[:60]}")
        finally:
            engine.images.remove(image.id, force=True)

        try:
            engine.images.build({"Dockerfile": f"FROM {base}\nRUN echo about to fail && exit 4\n"})
        except ck.BuildFailed as failed:
            print("a step that fails is named:", failed.step)


if __name__ == "__main__":
    main(*sys.argv[1:])
