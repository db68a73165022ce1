"""cleanup() removes what a killed process left, and nothing of a live session."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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


#: Another user, with access to the socket, in a /proc that hides the processes of others.
HIDDEN = """mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid 65534 --regid 65534 --clear-groups \\
--inh-caps -all,+dac_override --ambient-caps -all,+dac_override --bounding-set -all,+dac_override "$@" """
ELSEWHERE = {
    "hidden processes": ["unshare", "--mount", "--propagation", "private", "sh", "-c", HIDDEN, "sh"],
    "time namespace": ["unshare", "--time", "--boottime", "100000", "--fork"],
}
CLEANUP = """
import json, sys
import containerkit as ck
with ck.connect(sys.argv[1]) as engine:
    print(json.dumps(ck.cleanup(engine).to_dict()))
"""


@pytest.mark.parametrize("where", ELSEWHERE)
def test_cleanup_keeps_what_it_cannot_judge(engine: ck.Engine, shell_image: str, where: str) -> None:
    """A cleanup that cannot see the process of a live session keeps its things, and says why."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root, unshare and setpriv")
    with engine.start(shell_image, ["sleep", "600"]) as mine:
        command = [*ELSEWHERE[where], sys.executable, "-c", CLEANUP, engine.url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        cleaned = json.loads(done.stdout)
        assert mine.refresh().status == "running"
    assert mine.name not in cleaned["containers"]
    assert str(os.getpid()) in str(cleaned["unknown"])


LABELLED = """
import json, sys
import containerkit as ck
from containerkit.spec import ContainerSpec
from containerkit.testing.archives import ImageBuilder
engine = ck.connect(sys.argv[1])
image = ImageBuilder().layer(files={"a": "b"}).run_config(Labels=engine._core.session.labels(), Cmd=["/a"])
engine.images.load(image.tag(sys.argv[2]).to_docker_archive())
engine.containers.create(sys.argv[2], name=sys.argv[3] + "-own")
engine.containers.create(sys.argv[2], name=sys.argv[3] + "-kept", keep=True)
engine._core.backend.create_container(ContainerSpec(sys.argv[2], name=sys.argv[3] + "-foreign"))
engine.containers.create(sys.argv[4], ["true"], volumes=["/anonymous"], name=sys.argv[3] + "-volume")
print("ready", flush=True)
sys.stdin.read()
"""


def test_images_of_dead_sessions(engine: ck.Engine, shell_image: str) -> None:
    """An image with a session's labels is removed; a container that inherited them, or was kept, stays."""
    name = f"ckimg{os.getpid()}"
    ref = f"docker.io/containerkit/{name}:1"
    before = {volume.name for volume in engine.volumes.list()}
    command = [sys.executable, "-c", LABELLED, engine.url, ref, name, shell_image]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as script:
        try:
            assert script.stdout is not None
            assert script.stdout.readline() == "ready\n"
            ck.cleanup(engine)
            assert engine.images.exists(ref), "a live session's image was removed"
        finally:
            script.send_signal(signal.SIGKILL)
            script.wait()
    first = ck.cleanup(engine)
    assert sorted(first.containers) == [f"{name}-own", f"{name}-volume"]
    assert {volume.name for volume in engine.volumes.list()} == before, "an anonymous volume was left"
    assert [failed for failed, _ in first.failed] == [engine.images.get(ref).refs[0]], "an image in use was removed"
    for left in ("kept", "foreign"):
        engine.containers.get(f"{name}-{left}").remove()
    second = ck.cleanup(engine)
    assert (second.images, second.containers, second.failed) == ((f"containerkit/{name}:1",), (), ())
    assert not engine.images.exists(ref)


def test_built_images_are_the_users(engine: ck.Engine, shell_image: str) -> None:
    """Built and committed images outlive their session and carry no label of it; the same build has the same ID."""
    context = {"Dockerfile": f"FROM {shell_image}\nLABEL of={os.getpid()}\n"}
    with ck.connect(engine.url) as mine:
        built = mine.images.build(context)
        with mine.containers.create(shell_image, ["true"]) as box:
            committed = box.commit(f"docker.io/containerkit/committed{os.getpid()}:1")
    ck.cleanup(engine)
    assert engine.images.build(context).id == built.id
    for image in (built, committed):
        kept = engine.images.get(image.id)
        assert not [label for label, value in kept.labels.items() if label.startswith("containerkit") and value]
        kept.remove()
