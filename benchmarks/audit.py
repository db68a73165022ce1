"""Measure an audit of 36 running containers: `python benchmarks/audit.py URL IMAGE`. The image needs `sleep`."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import containerkit as ck

CONTAINERS, REPEATS = 36, 9


def median(call: Callable[[], object]) -> float:
    """Return the median of the seconds that a call takes, after a warm-up."""
    call()
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main(url: str, image: str) -> None:
    """Start the containers, measure, and remove them."""
    with ck.connect(url) as engine:
        held = [
            engine.start(image, ["sleep", "1000"], volume=["/etc:/host:ro"] if number % 2 else [])
            for number in range(CONTAINERS)
        ]
        backend = engine._core.backend

        def bare() -> None:
            for record in backend.list_containers(all=False, filters={}):
                backend.inspect_container(record.id)

        for name, call in (("audit", engine.audit), ("info", backend.info), ("list, inspect each", bare)):
            print(f"{name}: {median(call):.3f} s")
        for container in held:
            container.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
