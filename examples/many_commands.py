"""Run many commands at once, each in a container of its own, and collect the results as they end.

python examples/many_commands.py [IMAGE] [COUNT]
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import containerkit as ck


def main(image: str = "busybox:1", count: str = "12") -> None:
    numbers = range(1, int(count) + 1)
    began = time.monotonic()
    with ck.connect() as engine, ThreadPoolExecutor(4) as pool:  # an Engine may be used by many threads
        jobs = {
            pool.submit(engine.run, image, ["sh", "-c", "echo $(($0 * $0))", str(number)]): number for number in numbers
        }
        squares = {jobs[job]: job.result().stdout.strip() for job in as_completed(jobs)}
    for number in numbers:
        print(f"{number:>3} squared is {squares[number]:>4}")
    print(f"{len(squares)} containers in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
