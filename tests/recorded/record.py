"""Record the responses of an engine, or refresh the results of a recording.

    CONTAINERKIT_ENGINE=unix:///run/docker.sock python -m tests.recorded.record NAME
    python -m tests.recorded.record --results NAME

The second form needs no engine: it replays the recording and keeps the results that the backend returns now. Use it
after a record got another field, and read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from containerkit.backends import _containers
from containerkit.backends.docker import DockerBackend
from containerkit.backends.podman import PodmanBackend
from containerkit.backends.transport import Transport

from .exchange import Recorder, Recording, Replay
from .scenario import clear, play

__all__ = ["open_backend", "record", "replay"]

FOLDER = Path(__file__).parent


def open_backend(name: str, url: str, **options: Any) -> DockerBackend | PodmanBackend:
    """Return the backend for an engine whose name begins with its kind."""
    kind = PodmanBackend if name.startswith("podman") else DockerBackend
    return kind(url, timeout=60.0, **options)


def record(name: str, url: str) -> Recording:
    """Play the scenario on one engine and write its recording, without paths and names of the machine."""
    backend = open_backend(name, url)
    clear(backend)
    info = backend.first_info()
    root = re.sub(r"/(root|data|lib/docker|storage|graph).*$", "", info.root_dir)
    recorder = backend._transport = Recorder(backend._transport)
    results = {"version": backend._get_version()}
    try:
        results |= play(backend)
    finally:
        backend.close()
    recording = Recording(name, recorder.exchanges, results)
    recording.write(FOLDER / f"{name}.json", {url: "unix:///engine.sock", root: "/engine", info.name: "machine"})
    return recording


def replay(recording: Recording, transport: Transport) -> dict[str, Any]:
    """Return the results of the scenario, played on a recording."""
    with (
        mock.patch("time.sleep"),
        mock.patch.object(_containers, "surely_missing", lambda _url, path: path == "/ckrecorded-none"),
    ):
        version = recording.results["version"]
        backend = open_backend(recording.engine, "unix:///engine.sock", version=version, transport=transport)
        results = play(backend)
        backend.close()
    return results


def main(words: list[str]) -> None:
    path = FOLDER / f"{words[-1]}.json"
    if words[0] == "--results":
        found = Recording.read(path)
        found.results = {"version": found.results["version"], **replay(found, Replay(found))}
        found.write(path, {})
    else:
        found = record(words[0], os.environ["CONTAINERKIT_ENGINE"])
    sys.stdout.write(f"{path.name}: {len(found.exchanges)} exchanges, {path.stat().st_size >> 10} KiB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
