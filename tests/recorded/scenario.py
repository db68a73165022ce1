"""The calls that are recorded: every method of the Backend interface, at its best and refused."""

from __future__ import annotations

import contextlib
import io
import re
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from containerkit.backends.base import Backend, Capability
from containerkit.errors import ContainerKitError
from containerkit.spec import (
    BuildSpec,
    ContainerSpec,
    ExecSpec,
    HealthCheck,
    Mount,
    NetworkAttachment,
    NetworkSpec,
    RegistryAuth,
    ResourceLimits,
    Ulimit,
    VolumeSpec,
)
from containerkit.testing.archives import ImageBuilder
from containerkit.values import json_ready

__all__ = ["IMAGE", "clear", "play"]

IMAGE = "docker.io/lab/busybox:1"
TINY = "docker.io/ckrecorded/tiny:1"
LABELS = {"ckrecorded": "1"}
SCRIPT = "echo out; echo err >&2; sleep 0.2; echo more; exit 7"
LONG = "head -c 40000 /dev/zero | tr '\\0' x; echo; echo short; "
LONG += "head -c 20000 /dev/zero | tr '\\0' y >&2; echo >&2; echo end"
ALL: dict[str, Any] = {"stdout": True, "stderr": True, "follow": False, "since": None, "until": None, "tail": None}
ALL |= {"timestamps": False, "tty": False}


def tar_of(files: dict[str, str]) -> bytes:
    """Return a tar of text files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def output(pieces: Iterable[Any]) -> dict[str, str]:
    """Return what was written, by stream; long runs of one letter are shortened."""
    found = {"stdout": b"", "stderr": b""}
    for piece in pieces:
        found[piece.stream] += piece.data
    return {name: shortened(data.decode()) for name, data in found.items()}


def shortened(text: str) -> str:
    return re.sub(r"([xy])\1{999,}", lambda run: f"<{len(run[0])} {run[1]}>", text)


class Steps:
    """Runs steps and keeps their results, errors included."""

    def __init__(self) -> None:
        self.results: dict[str, Any] = {}

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        assert name not in self.results, name
        try:
            result = call()
            if isinstance(result, Iterator):
                result = list(result)
        except ContainerKitError as exc:
            self.results[name] = {"raised": type(exc).__name__, "message": str(exc)}
            return None
        self.results[name] = json_ready(result)
        return result


def clear(backend: Backend) -> None:
    """Remove what an earlier run may have left."""
    for record in backend.list_containers(all=True, filters={}):
        if record.name.startswith("ckrecorded"):
            backend.remove_container(record.id, force=True, volumes=True)
    for name in ("ckrecorded-v", "ckrecorded-w"):
        backend.remove_volume(name, force=True)
    with contextlib.suppress(ContainerKitError):
        backend.remove_network("ckrecorded-n")


def play(backend: Backend) -> dict[str, Any]:
    """Run every step on a backend and return the results by step."""
    step = Steps()
    tiny = ImageBuilder().layer(files={"a.txt": "a\n"}).run_config(Cmd=["/a.txt"]).tag(TINY).to_docker_archive()
    _engine(backend, step)
    _images(backend, step, tiny)
    _volumes(backend, step)
    _networks(backend, step)
    _containers(backend, step)
    _processes(backend, step)
    _files(backend, step)
    _builds(backend, step)
    step("remove tiny", lambda: backend.remove_image(TINY, force=False, prune=True))
    return step.results


def _refs(backend: Backend, filters: dict[str, list[str]]) -> Any:
    return [record.refs for record in backend.list_images(all=False, filters=filters)]


def _names(backend: Backend, filters: dict[str, list[str]]) -> Any:
    return [record.name for record in backend.list_containers(all=True, filters=filters)]


def _engine(backend: Backend, step: Steps) -> None:
    step("info", backend.info)
    step("first info", backend.first_info)
    step("capabilities", lambda: sorted(backend.capabilities))
    step("disk usage", backend.engine_disk_usage)
    auth = RegistryAuth("localhost:1", "someone", "secret")
    step("login refused", lambda: backend.login(auth))


def _images(backend: Backend, step: Steps, tiny: bytes) -> None:
    step("load", lambda: backend.load_images([tiny]))
    step("load garbage", lambda: backend.load_images([b"garbage" * 100]))
    step("inspect image", lambda: backend.inspect_image(TINY))
    step("inspect image by id", lambda: backend.inspect_image(backend.inspect_image(TINY).id))
    step("inspect image by short id", lambda: backend.inspect_image(backend.inspect_image(TINY).id[7:13]).id)
    step("inspect missing image", lambda: backend.inspect_image("ckrecorded/none:1"))
    step("list images", lambda: [r for r in backend.list_images(all=False, filters={}) if TINY[10:] in r.refs])
    for pattern in ("ckrecorded/tiny", "ckrecorded/*:1", "docker.io/ckrecorded/tiny:1", "ckrecorded/none"):
        filters = {"reference": [pattern]}
        step(f"images {pattern}", partial(_refs, backend, filters))
    step("history", lambda: backend.image_history(TINY))
    step("history of missing", lambda: backend.image_history("ckrecorded/none:1"))
    step("tag", lambda: backend.tag_image(TINY, "ckrecorded/other:2"))
    step("tag missing", lambda: backend.tag_image("ckrecorded/none:1", "ckrecorded/x:1"))
    step("remove tag", lambda: backend.remove_image("ckrecorded/other:2", force=False, prune=True))
    step("remove missing image", lambda: backend.remove_image("ckrecorded/none:1", force=False, prune=True))
    step("save", lambda: len(backend.save_images([TINY]).read()) > 2000)
    step("save missing", lambda: backend.save_images(["ckrecorded/none:1"]).read())
    step("pull fails", lambda: backend.pull_image("localhost:1/none:1", platform=None, auth=None))
    step("push missing", lambda: backend.push_image("ckrecorded/none:1", auth=None))
    backend.tag_image(TINY, "localhost:1/tiny:1")
    step("push fails", lambda: backend.push_image("localhost:1/tiny:1", auth=RegistryAuth("localhost:1", "a", "b")))
    backend.remove_image("localhost:1/tiny:1", force=False, prune=True)
    step("prune images", lambda: backend.prune_images(all=False, filters={"label": ["ckrecorded=none"]}))
    step("prune all images", lambda: backend.prune_images(all=True, filters={"label": ["ckrecorded=none"]}))


def _volumes(backend: Backend, step: Steps) -> None:
    spec = VolumeSpec(name="ckrecorded-v", labels=LABELS)
    step("create volume", lambda: backend.create_volume(spec))
    step("create volume again", lambda: backend.create_volume(spec))
    step("inspect volume", lambda: backend.inspect_volume("ckrecorded-v"))
    step("inspect missing volume", lambda: backend.inspect_volume("ckrecorded-none"))
    step("list volumes", lambda: backend.list_volumes(filters={"label": ["ckrecorded=1"]}))
    step("no volumes", lambda: backend.list_volumes(filters={"label": ["ckrecorded=none"]}))
    box = backend.create_container(
        ContainerSpec(TINY, mounts=(Mount("volume", "ckrecorded-v", "/v"),), name="ckrecorded-user")
    )
    step("remove volume in use", lambda: backend.remove_volume("ckrecorded-v", force=False))
    backend.remove_container(box.id, force=True, volumes=True)
    step("remove volume", lambda: backend.remove_volume("ckrecorded-v", force=False))
    step("remove missing volume", lambda: backend.remove_volume("ckrecorded-v", force=False))
    step("remove missing volume, force", lambda: backend.remove_volume("ckrecorded-v", force=True))


def _networks(backend: Backend, step: Steps) -> None:
    spec = NetworkSpec(name="ckrecorded-n", labels=LABELS, subnet="10.213.7.0/24")
    step("create network", lambda: backend.create_network(spec))
    step("create network again", lambda: backend.create_network(spec))
    step("inspect network", lambda: backend.inspect_network("ckrecorded-n"))
    step("inspect missing network", lambda: backend.inspect_network("ckrecorded-none"))
    step("list networks", lambda: backend.list_networks(filters={"label": ["ckrecorded=1"]}))
    attachment = NetworkAttachment("ckrecorded-n", aliases=("web",), ipv4_address="10.213.7.9")
    spec_ = ContainerSpec(IMAGE, command=("sleep", "60"), networks=(attachment,), name="ckrecorded-net", init=True)
    box = backend.create_container(spec_)
    backend.start_container(box.id)
    step("endpoint", lambda: backend.inspect_container(box.id).networks)
    step("attached", lambda: backend.inspect_network("ckrecorded-n").containers)
    step("connect again", lambda: backend.connect_network("ckrecorded-n", box.id, NetworkAttachment("ckrecorded-n")))
    step("remove network in use", lambda: backend.remove_network("ckrecorded-n"))
    step("disconnect", lambda: backend.disconnect_network("ckrecorded-n", box.id, force=False))
    step("disconnect again", lambda: backend.disconnect_network("ckrecorded-n", box.id, force=False))
    backend.remove_container(box.id, force=True, volumes=True)
    step("remove network", lambda: backend.remove_network("ckrecorded-n"))
    step("remove missing network", lambda: backend.remove_network("ckrecorded-n"))


def _containers(backend: Backend, step: Steps) -> None:
    spec = ContainerSpec(
        IMAGE,
        command=("sh", "-c", SCRIPT),
        name="ckrecorded-a",
        labels={**LABELS, "other": "x"},
        env={"A": "b"},
        workdir="/tmp",
        user="1000",
        read_only=True,
        cap_drop=("ALL",),
        security_opt=("no-new-privileges",),
        mounts=(Mount("tmpfs", "", "/scratch"), Mount("volume", "ckrecorded-w", "/w", read_only=True)),
        health=HealthCheck(("CMD", "true"), interval=30.0),
        init=True,
    )
    box = step("create", lambda: backend.create_container(spec))
    assert box, step.results["create"]
    step("create again", lambda: backend.create_container(ContainerSpec(IMAGE, name="ckrecorded-a")))
    step("create of missing image", lambda: backend.create_container(ContainerSpec("ckrecorded/none:1")))
    limited = ContainerSpec(IMAGE, name="ckrecorded-u", ulimits=(Ulimit("nofile", 100, 200),))
    step("create with ulimits", lambda: backend.create_container(limited))
    step("remove it", lambda: backend.remove_container("ckrecorded-u", force=True, volumes=True))
    nowhere = ContainerSpec(IMAGE, networks=(NetworkAttachment("ckrecorded-none"),))
    step("create on missing network", lambda: backend.create_container(nowhere))
    step(
        "create from missing source",
        lambda: backend.create_container(ContainerSpec(IMAGE, mounts=(Mount("bind", "/ckrecorded-none", "/b"),))),
    )
    step("inspect created", lambda: backend.inspect_container(box.id))
    step("inspect missing", lambda: backend.inspect_container("ckrecorded-none"))
    step("health", lambda: backend.check_health(box.id))
    step("list", lambda: backend.list_containers(all=True, filters={"label": ["ckrecorded=1"]}))
    step("list running", lambda: backend.list_containers(all=False, filters={"label": ["ckrecorded=1"]}))
    for name in ("lab/busybox", "lab/busybox:1", "ckrecorded/none"):
        filters = {"label": ["ckrecorded=1"], "ancestor": [name]}
        step(f"of {name}", partial(_names, backend, filters))
    image = backend.inspect_image(IMAGE).id
    for what, name in (("image id", image), ("short image id", image[7:19])):
        filters = {"label": ["ckrecorded=1"], "ancestor": [name]}
        step(f"of {what}", partial(_names, backend, filters))
    step("kill created", lambda: backend.kill_container(box.id, signal="KILL"))
    step("rename", lambda: backend.rename_container(box.id, "ckrecorded-b"))
    with backend.attach_container(box.id, stdin=False, tty=False) as attached:
        step("start", lambda: backend.start_container(box.id))
        step("output", lambda: output(attached.exchange()))
    step("wait", lambda: backend.wait_container(box.id, timeout=30))
    step("wait for missing", lambda: backend.wait_container("ckrecorded-none", timeout=30))
    step("inspect exited", lambda: backend.inspect_container(box.id))
    step("size", lambda: backend.inspect_container(box.id, size=True).size_rw is not None)
    step("stop exited", lambda: backend.stop_container(box.id, timeout=1))
    step("pause exited", lambda: backend.pause_container(box.id))
    step("exec in exited", lambda: backend.exec_container(box.id, ExecSpec(("true",)))[0])
    step("start again", lambda: backend.start_container(box.id))
    backend.wait_container(box.id, timeout=30)
    step("remove", lambda: backend.remove_container(box.id, force=False, volumes=True))
    step("remove missing", lambda: backend.remove_container(box.id, force=False, volumes=True))
    backend.remove_volume("ckrecorded-w", force=True)
    bad = backend.create_container(ContainerSpec(IMAGE, command=("/none",), name="ckrecorded-bad"))
    step("start fails", lambda: backend.start_container(bad.id))
    step("exit code of failed start", lambda: backend.inspect_container(bad.id).exit_code)
    backend.remove_container(bad.id, force=True, volumes=True)


def _processes(backend: Backend, step: Steps) -> None:
    sleeper = ContainerSpec(IMAGE, command=("sleep", "600"), name="ckrecorded-s", labels=LABELS, init=True)
    other = ContainerSpec(TINY, name="ckrecorded-t")
    box = backend.create_container(sleeper)
    backend.create_container(other)
    backend.start_container(box.id)
    step("start running", lambda: backend.start_container(box.id))
    step("remove running", lambda: backend.remove_container(box.id, force=False, volumes=True))
    step("rename to taken", lambda: backend.rename_container(box.id, "ckrecorded-t"))
    backend.remove_container("ckrecorded-t", force=True, volumes=True)

    def execute(*command: str, data: bytes | None = None, **options: Any) -> Any:
        spec = ExecSpec(command, stdin=data is not None, **options)
        identity, attachment = backend.exec_container(box.id, spec)
        with attachment:
            found = output(attachment.exchange(data))
        return found, finished(backend, identity)

    step("exec", lambda: execute("sh", "-c", "echo out; echo err >&2; exit 3"))
    step("exec with input", lambda: execute("cat", data=b"typed\n", env={"A": "1"}, workdir="/tmp"))
    step("exec of missing command", lambda: execute("/none"))
    step("top", lambda: backend.top_container(box.id, ps_args=None).titles)
    step("top -o", lambda: backend.top_container(box.id, ps_args="-o pid,comm"))
    if Capability.STATS in backend.capabilities:
        step("stats", lambda: [sample.pids for sample in backend.stats_container(box.id, stream=False)])
    if Capability.UPDATE in backend.capabilities:
        step("update", lambda: backend.update_container(box.id, ResourceLimits(memory=1 << 28), "on-failure:2"))
    if Capability.PAUSE in backend.capabilities:
        step("pause", lambda: backend.pause_container(box.id))
        step("exec in paused", lambda: execute("true"))
        step("unpause", lambda: backend.unpause_container(box.id))
    step("unpause running", lambda: backend.unpause_container(box.id))
    step("restart", lambda: backend.restart_container(box.id, timeout=1))
    step("kill", lambda: backend.kill_container(box.id, signal="KILL"))
    step("wait for killed", lambda: backend.wait_container(box.id, timeout=30))
    step("stats of exited", lambda: list(backend.stats_container(box.id, stream=False)))
    step("top of exited", lambda: backend.top_container(box.id, ps_args=None))
    backend.remove_container(box.id, force=True, volumes=True)
    _logs(backend, step)


def finished(backend: Backend, identity: str) -> Any:
    """Return the state of an exec once it has ended: its output may end first."""
    while (state := backend.inspect_exec(identity)).running:
        time.sleep(0.05)
    return state


def _logs(backend: Backend, step: Steps) -> None:
    for tty in (False, True):
        name = "terminal" if tty else "log"
        box = backend.create_container(ContainerSpec(IMAGE, command=("sh", "-c", LONG), tty=tty, name="ckrecorded-l"))
        backend.start_container(box.id)
        backend.wait_container(box.id, timeout=30)
        time.sleep(0.5)

        def read(box: Any = box, tty: bool = tty, **options: Any) -> Any:
            with backend.logs_container(box.id, **{**ALL, "tty": tty, **options}) as log:
                return output(log)

        step(name, read)
        step(f"{name}, last 1", lambda: read(tail=1))
        step(f"{name}, last 3", lambda: read(tail=3))
        step(f"{name}, last 9", lambda: read(tail=9))
        step(f"{name}, last 0", lambda: read(tail=0))
        step(f"{name}, stderr", lambda: read(stdout=False))
        step(f"{name}, timestamps", lambda: read(timestamps=True))
        step(f"{name}, followed", lambda: read(follow=True))
        step(f"{name}, followed, last 2", lambda: read(follow=True, tail=2))
        backend.remove_container(box.id, force=True, volumes=True)
    step("log of missing", lambda: backend.logs_container("ckrecorded-none", **ALL))


def _files(backend: Backend, step: Steps) -> None:
    box = backend.create_container(ContainerSpec(TINY, name="ckrecorded-f"))
    step("put", lambda: backend.put_archive(box.id, "/", tar_of({"b.txt": "bb\n"})))
    step("put below missing", lambda: backend.put_archive(box.id, "/none", tar_of({"b.txt": "b"})))
    step("stat", lambda: backend.stat_path(box.id, "/b.txt"))
    step("stat of missing", lambda: backend.stat_path(box.id, "/none"))
    step("stat in missing", lambda: backend.stat_path("ckrecorded-none", "/b.txt"))

    def fetch(path: str, ref: str = "") -> Any:
        found, stream = backend.get_archive(ref or box.id, path)
        with tarfile.open(fileobj=io.BytesIO(stream.read())) as tar:
            member = tar.extractfile("b.txt")
            return found.name, found.size, member.read().decode() if member else ""

    step("get", lambda: fetch("/b.txt"))
    step("get missing", lambda: fetch("/none"))
    step("get from missing", lambda: backend.get_archive("ckrecorded-none", "/b.txt"))
    memory = ContainerSpec(
        IMAGE, command=("sleep", "60"), name="ckrecorded-m", init=True, mounts=(Mount("tmpfs", "", "/m"),)
    )
    running = backend.create_container(memory)
    step("put below tmpfs before start", lambda: backend.put_archive(running.id, "/m", tar_of({"b.txt": "b"})))
    backend.start_container(running.id)
    step("put below tmpfs", lambda: backend.put_archive(running.id, "/m", tar_of({"b.txt": "bbb\n"})))
    step("get below tmpfs", lambda: fetch("/m/b.txt", running.id))
    step("stat below tmpfs", lambda: getattr(backend.stat_path(running.id, "/m/b.txt"), "size", None))
    step("stat of missing below tmpfs", lambda: backend.stat_path(running.id, "/m/none"))
    step("get missing below tmpfs", lambda: fetch("/m/none", running.id))
    backend.remove_container(running.id, force=True, volumes=True)
    step("changes", lambda: backend.diff_container(box.id))
    step("export", lambda: b"b.txt" in backend.export_container(box.id).read())
    step("export missing", lambda: backend.export_container("ckrecorded-none").read())
    committed = step(
        "commit",
        lambda: backend.commit_container(
            box.id, image="ckrecorded/made:1", message="why", author="who", pause=True, changes=("LABEL a=b",)
        ),
    )
    step("committed", lambda: [(e.comment, e.created_by) for e in backend.image_history(committed)])
    backend.remove_container(box.id, force=True, volumes=True)
    backend.remove_image("ckrecorded/made:1", force=True, prune=True)


def _builds(backend: Backend, step: Steps) -> None:
    begun = time.time()

    def build(files: dict[str, str], **options: Any) -> Any:
        spec = BuildSpec(tags=("ckrecorded/built:1",), dockerfile="Dockerfile", labels=LABELS, **options)
        return [p.image_id for p in backend.build_image([tar_of(files)], spec) if p.image_id][-1:]

    step("build", lambda: build({"Dockerfile": f"FROM {IMAGE}\nCOPY f /f\n", "f": "x"}))
    step("built", lambda: backend.inspect_image("ckrecorded/built:1").labels)
    files = {"Dockerfile": f"FROM {IMAGE}\nCOPY . /f\n", ".dockerignore": "f\n", "f": "x", "g": "y"}
    step("build with .dockerignore", lambda: build(files))
    box = backend.create_container(ContainerSpec("ckrecorded/built:1", name="ckrecorded-built"))
    step("file that .dockerignore names", lambda: backend.stat_path(box.id, "/f/f") is not None)
    backend.remove_container(box.id, force=True, volumes=True)
    step("build fails", lambda: build({"Dockerfile": f"FROM {IMAGE}\nRUN echo before\nRUN exit 4\n"}))
    step("build without a Dockerfile", lambda: build({"x": "y"}))
    backend.remove_image("ckrecorded/built:1", force=True, prune=True)
    filters = {"type": ["image"], "event": ["untag"]}
    time.sleep(1.1)

    def events() -> Any:
        with backend.events(since=begun - 1, until=time.time(), filters=filters) as stream:
            return [(event.type, event.action) for event in stream][:1]

    step("events", events)
