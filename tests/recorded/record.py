"""Record the responses of the engine that CONTAINERKIT_ENGINE names: python -m tests.recorded.record NAME."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from containerkit.backends._http import HttpBackend
from containerkit.backends.docker import DockerBackend
from containerkit.backends.podman import PodmanBackend

from .exchange import Recorder, Recording
from .scenario import clear, play

FOLDER = Path(__file__).parent


def scrub_of(backend: HttpBackend) -> dict[str, str]:
    """Return what is replaced in a recording: paths and names of the machine that recorded it."""
    info = backend.first_info()
    root = re.sub(r"/(root|data|lib/docker|storage|graph).*$", "", info.root_dir)
    return {backend.url: "unix:///engine.sock", root: "/engine", info.name: "machine"}


def record(name: str, url: str) -> Recording:
    """Play the scenario on one engine and write its recording."""
    kind = PodmanBackend if "podman" in name else DockerBackend
    backend = kind(url, timeout=60.0)
    clear(backend)
    scrubbed = scrub_of(backend)
    recorder = backend._transport = Recorder(backend._transport)
    results = {"version": backend._get_version()}
    try:
        results |= play(backend)
    finally:
        backend.close()
    recording = Recording(name, recorder.exchanges, results)
    recording.write(FOLDER / f"{name}.json", scrubbed)
    return recording


if __name__ == "__main__":
    found = record(sys.argv[1], os.environ["CONTAINERKIT_ENGINE"])
    path = FOLDER / f"{found.engine}.json"
    sys.stdout.write(f"{path.name}: {len(found.exchanges)} exchanges, {path.stat().st_size >> 10} KiB\n")
