"""Whole processes: `containerkit run --rm IMAGE true` beside the engine's own command line, pair by pair.

    python benchmarks/start_time.py URL IMAGE 'docker run --rm IMAGE true' [SHELL]

SHELL starts a shell where the other command is, default `sh`. Set PYTHONPYCACHEPREFIX if the package's folder cannot be
written: an installed package is compiled.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import IO

PAIRS = 9


class Shell:
    """A shell that stays open, so that its own start is not measured."""

    def __init__(self, command: str) -> None:
        self._process = subprocess.Popen(
            shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def seconds(self, line: str) -> float:
        """Run a line, and return how long it took."""
        to: IO[str] | None = self._process.stdin
        back: IO[str] | None = self._process.stdout
        assert to
        assert back
        begun = time.perf_counter()
        to.write(f"{line} </dev/null >/dev/null; echo ended $?\n")
        to.flush()
        answer = back.readline().split()
        took = time.perf_counter() - begun
        if answer != ["ended", "0"]:
            raise SystemExit(f"{line}: {answer}")
        return took


def before_first_request(image: str) -> float:
    """Return the seconds from the start of the process to its first connection."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/s")
        server.listen()
        line = [sys.executable, "-m", "containerkit", "--engine", f"unix://{folder}/s", "run", "--rm", image, "true"]
        begun = time.perf_counter()
        with subprocess.Popen(line, stderr=subprocess.DEVNULL) as process:
            near, _ = server.accept()
            took = time.perf_counter() - begun
            process.kill()
            near.close()
    return took


def main(url: str, image: str, other: str, shell: str = "sh") -> None:
    """Measure, and print the medians."""
    ours = f"{shlex.quote(sys.executable)} -m containerkit --engine {url} run --rm {image} true"
    here, there = Shell("sh"), Shell(shell)
    pairs = [(here.seconds(ours), there.seconds(other)) for _ in range(PAIRS + 1)][1:]
    start = statistics.median(before_first_request(image) for _ in range(PAIRS))
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    print(f"containerkit {mine:.3f} s, {other.split()[0]} {theirs:.3f} s, ratio {ratio:.2f}; ", end="")
    print(f"before the first request {start * 1000:.0f} ms; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main(*sys.argv[1:])
