"""What a killed process leaves behind is removed by the next cleanup, and nothing of a live session is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import containerkit as ck

SCRIPT = """
import sys, time
import containerkit as ck
engine = ck.connect(sys.argv[1])
network = engine.networks.create(sys.argv[3] + "-net")
volume = engine.volumes.create(sys.argv[3] + "-vol")
names = [engine.start(sys.argv[2], ["sleep", "600"], name=f"{sys.argv[3]}-{i}").id for i in range(10)]
print(" ".join(names), flush=True)
time.sleep(600)
"""


def test_cleanup_after_kill_9(engine: ck.Engine, shell_image: str, tmp_path: Path) -> None:
    """After kill -9 of a script with ten containers, cleanup removes exactly those, their network and volume."""
    name = f"ckdead{os.getpid()}"
    with (
        engine.start(shell_image, ["sleep", "600"]) as mine,
        engine.start(shell_image, ["sleep", "600"], keep=True) as kept,
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, engine.url, shell_image, name], stdout=subprocess.PIPE, text=True
        ) as script,
    ):
        try:
            assert script.stdout is not None
            theirs = script.stdout.readline().split()
            assert len(theirs) == 10
            ck.cleanup(engine)  # also of what others left here before
            running = {item.id for item in engine.containers.list()}
            assert running >= set(theirs), "a live session's containers were removed"
        finally:
            script.send_signal(signal.SIGKILL)
            script.wait()
        cleaned = ck.cleanup(engine)
        assert sorted(cleaned.containers) == sorted(f"{name}-{i}" for i in range(10))
        assert (cleaned.networks, cleaned.volumes, cleaned.failed) == ((f"{name}-net",), (f"{name}-vol",), ())
        assert mine.refresh().status == "running"
        assert kept.refresh().status == "running"
    assert not [c for c in engine.containers.list(all=True) if c.id in theirs]
