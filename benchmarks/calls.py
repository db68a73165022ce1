"""The measured calls, one in a process: `python benchmarks/calls.py NAME ARGUMENT…`. Some print their seconds."""

from __future__ import annotations

import sys
import time


def index(url: str, ref: str) -> None:
    """List every file of an image by the best reader."""
    import containerkit as ck

    with ck.connect(url) as engine:
        began = time.perf_counter()
        engine.layers(ref).files()
        print(time.perf_counter() - began)


def index_by_socket(url: str, ref: str) -> None:
    """List every file of an image without reading the store."""
    import containerkit as ck
    from containerkit.layers import index as room

    room.open_store = lambda *args: (None, "not asked")
    with ck.connect(url) as engine:
        engine.layers(ref).files()


def save(url: str, ref: str) -> None:
    """Read the save stream and discard it: the lower bound of index_by_socket."""
    import containerkit as ck

    with ck.connect(url) as engine, engine._core.backend.save_images([ref]) as stream:
        for _ in stream:
            pass


def archive(path: str) -> None:
    """List every file of an archive."""
    import containerkit as ck

    ck.open_archive(path).files()


def waste(path: str) -> None:
    """Compute the exact waste of an archive."""
    import containerkit as ck

    ck.open_archive(path).waste()


def duplicates(url: str, *refs: str) -> None:
    """Find equal contents in several images."""
    import containerkit as ck

    with ck.connect(url) as engine:
        began = time.perf_counter()
        engine.duplicates(refs)
        print(time.perf_counter() - began)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
