"""Copy files into a container, work on them there, and copy the result out.

python examples/files_in_and_out.py [IMAGE]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import containerkit as ck


def main(image: str = "busybox:1") -> None:
    with tempfile.TemporaryDirectory() as folder, ck.connect() as engine, engine.start(image, "sleep 60") as box:
        texts = Path(folder, "texts")
        texts.mkdir()
        for name, text in {"a.txt": "one\ntwo\n", "b.txt": "three\n"}.items():
            (texts / name).write_text(text)

        box.copy_to(texts, "/data")  # a folder, as docker cp does
        box.exec(["sh", "-c", "cat /data/*.txt | wc -l > /data/lines"], check=True)
        print("lines:", box.read_file("/data/lines").decode().strip())

        box.exec("tar czf /texts.tar.gz data", check=True)
        out = box.copy_from("/texts.tar.gz", Path(folder, "texts.tar.gz"))
        print("copied out:", out.name, out.stat().st_size > 0)
        print("written in the container:", ", ".join(change.path for change in box.diff() if change.kind == "added"))


if __name__ == "__main__":
    main(*sys.argv[1:])
