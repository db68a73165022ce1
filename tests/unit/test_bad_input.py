"""Bad input to every public verb: our own error, which names the option, and nothing is sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit._text import printable
from containerkit.backends.base import Backend, Capability, NetworkRecord, VolumeRecord
from containerkit.errors import InvalidOption, InvalidReference
from containerkit.resources.container import Container
from containerkit.resources.image import Image
from containerkit.resources.networks import Network
from containerkit.resources.volumes import Volume


def _refuse(name: str) -> Callable[..., Any]:
    def method(_self: Any, *_args: Any, **_options: Any) -> Any:
        raise AssertionError(f"{name} was sent")

    return method


Silent: Any = type(
    "Silent",
    (Backend,),
    {
        **{name: _refuse(name) for name in Backend.__abstractmethods__},
        "kind": "docker",
        "url": "unix:///nobody",
        "capabilities": frozenset(Capability),
        "close": lambda self: None,
    },
)

ENGINE: Any = ck.Engine(Silent())
BOX: Any = Container(ENGINE._core, "0123456789ab" * 5 + "abcd")
IMAGE: Any = Image(ENGINE._core, "sha256:" + "0" * 64)
NETWORK: Any = Network(ENGINE._core, NetworkRecord("1" * 64, "net", "bridge", False, False, {}, {}))
VOLUME = Volume(ENGINE._core, VolumeRecord("vol", "local", "/v", {}, {}))
HERE = Path(__file__).parent


class Strange:
    """An object that is no value at all."""


NOTHING: list[Any] = [Strange(), 3.5, object, b"bytes", {"a": Strange()}, [Strange()]]
TEXTS = ["", " ", "a\0b", "x" * 100_000, "\ud800", "a\nb"]
NUMBERS: list[Any] = [-1, math.nan, math.inf, -math.inf, 10**30, "many", True]
NAMES = [*NOTHING, None, *TEXTS, 7, "../x", "a/../../b", "-"]
REFS = [*NOTHING, None, "", "a\0b", "UPPER/x", "x" * 300, "a b", "x:", "x@sha256:1", "/x", "x" * 100_000, 7]
WAYS = [".", "..", "a/b", "../x", "x/", "/a/b", "/.."]  # paths, which are no names
FLAGS = [*NOTHING, "yes", 1, "true"]
FUNCTIONS = [*NOTHING[:2], "print", 7]
FILTERS = [Strange(), 3.5, "a=b", ["a"], {"": "x"}, {"a": Strange()}, {1: "x"}, {"a": ""}, {"a": "\0"}]
SECONDS = [*NOTHING, "", "soon", -1, math.nan, math.inf, 10**30, True]
MOMENTS = [*[item for item in NOTHING if item != 3.5], "now", math.nan, math.inf, True]
PATHS = [*NOTHING, None, "", "relative", "a\0b", "/a/../b", 7]
AUTHS = [*NOTHING, "user:password", ("user",), ("a", "b", "c"), ("", "x"), ("a\0", "b"), (1, 2)]
PLATFORMS = [*NOTHING, "", "a b", "linux/", "LINUX/x", "a/b/c/d", "a\0"]

VERBS: dict[str, tuple[Callable[[Any], object], list[Any]]] = {
    # engine
    "run.image": (lambda bad: ENGINE.run(bad), REFS),
    "run.command": (
        lambda bad: ENGINE.run("x", bad),
        [Strange(), 7, 3.5, b"x", "", "'", [], ["a", 1.5], ["a\0"], True],
    ),
    "run.check": (lambda bad: ENGINE.run("x", check=bad), FLAGS),
    "run.timeout": (lambda bad: ENGINE.run("x", timeout=bad), [*SECONDS, 0]),
    "run.input": (lambda bad: ENGINE.run("x", input=bad), [Strange(), 7, ["a"], "\ud800"]),
    "run.on_output": (lambda bad: ENGINE.run("x", on_output=bad), FUNCTIONS),
    "run.pull": (lambda bad: ENGINE.run("x", pull=bad), [*NOTHING, "sometimes", True]),
    "run.limits": (lambda bad: ENGINE.run("x", limits=bad), [*NOTHING, "none", True]),
    "start.keep": (lambda bad: ENGINE.start("x", keep=bad), FLAGS),
    "login.username": (lambda bad: ENGINE.login(bad, "p"), [*NOTHING, None, "", "a\0"]),
    "login.password": (lambda bad: ENGINE.login("u", bad), [*NOTHING, None, "", "a\0"]),
    "login.registry": (
        lambda bad: ENGINE.login("u", "p", registry=bad),
        [*NOTHING, "", "a/b", "a b", "http://x", "\0"],
    ),
    "events.since": (lambda bad: ENGINE.events(since=bad), MOMENTS),
    "events.until": (lambda bad: ENGINE.events(until=bad), MOMENTS),
    "events.filters": (lambda bad: ENGINE.events(filters=bad), FILTERS),
    # containers
    "containers.create": (lambda bad: ENGINE.containers.create(bad), REFS),
    "containers.create.name": (
        lambda bad: ENGINE.containers.create("x", name=bad),
        [n for n in NAMES if n is not None],
    ),
    "containers.get": (
        lambda bad: ENGINE.containers.get(bad),
        [*NOTHING, None, "", " ", "a\0b", 7, "x" * 100_000, *WAYS, "/", "//x", "/."],
    ),
    "containers.exists": (lambda bad: ENGINE.containers.exists(bad), [*NOTHING, None, "", "a\0b", *WAYS]),
    "containers.list.all": (lambda bad: ENGINE.containers.list(all=bad), FLAGS),
    "containers.list.filters": (lambda bad: ENGINE.containers.list(filters=bad), FILTERS),
    "containers.prune.filters": (lambda bad: ENGINE.containers.prune(filters=bad), FILTERS),
    # container
    "stop.timeout": (lambda bad: BOX.stop(bad), SECONDS),
    "restart.timeout": (lambda bad: BOX.restart(bad), SECONDS),
    "wait.timeout": (lambda bad: BOX.wait(bad), SECONDS),
    "kill.signal": (lambda bad: BOX.kill(bad), [*NOTHING, None, "", "TERMINATE", 0, 99, -1, True, "\0"]),
    "rename.name": (lambda bad: BOX.rename(bad), NAMES),
    "remove.force": (lambda bad: BOX.remove(force=bad), FLAGS),
    "remove.volumes": (lambda bad: BOX.remove(volumes=bad), FLAGS),
    "remove.missing_ok": (lambda bad: BOX.remove(missing_ok=bad), FLAGS),
    "update.memory": (lambda bad: BOX.update(memory=bad), [*NOTHING, *NUMBERS, ""]),
    "update.restart": (lambda bad: BOX.update(restart=bad), [*NOTHING, "", "sometimes", "always:3", -1]),
    "update.unknown": (lambda bad: BOX.update(**{bad: 1}), ["", "colour", "a\0b"]),
    "update.nothing": (lambda bad: BOX.update(**bad), [{}]),
    "wait_until.strategy": (lambda bad: BOX.wait_until(bad), [*NOTHING, None, "healthy"]),
    "wait_until.timeout": (lambda bad: BOX.wait_until(ck.wait.exited(), bad), SECONDS),
    "exec.command": (lambda bad: BOX.exec(bad), [*NOTHING, None, "", [], "'", ["a\0"], 7]),
    "exec.timeout": (lambda bad: BOX.exec("x", timeout=bad), [*SECONDS, 0]),
    "exec.input": (lambda bad: BOX.exec("x", input=bad), [Strange(), 7, ["a"], "\ud800"]),
    "exec.check": (lambda bad: BOX.exec("x", check=bad), FLAGS),
    "exec.on_output": (lambda bad: BOX.exec("x", on_output=bad), FUNCTIONS),
    "exec.env": (lambda bad: BOX.exec("x", env=bad), [Strange(), 3.5, {"": "x"}, {"A=B": "x"}, {"A": "\0"}, b"A=1"]),
    "exec.user": (lambda bad: BOX.exec("x", user=bad), [*NOTHING, "", "a b", "a\0", -1, True]),
    "exec.workdir": (lambda bad: BOX.exec("x", workdir=bad), [p for p in PATHS if p is not None]),
    "exec.unknown": (lambda bad: BOX.exec("x", **{bad: 1}), ["colour", "name"]),
    "top.ps_args": (lambda bad: BOX.top(bad), [*NOTHING, "", "a\0", 7]),
    "logs.stream": (lambda bad: BOX.logs(bad), [*NOTHING, "both", ""]),
    "logs.tail": (lambda bad: BOX.logs(tail=bad), [*NOTHING, *NUMBERS]),
    "logs.since": (lambda bad: BOX.logs(since=bad), MOMENTS),
    "logs.until": (lambda bad: BOX.logs(until=bad), MOMENTS),
    "logs.timestamps": (lambda bad: BOX.logs(timestamps=bad), FLAGS),
    "stream_logs.follow": (lambda bad: BOX.stream_logs(follow=bad), FLAGS),
    "copy_to.src": (lambda bad: BOX.copy_to(bad, "/x"), [*NOTHING, None, "", "a\0b", 7]),
    "copy_to.dst": (lambda bad: BOX.copy_to(HERE, bad), PATHS),
    "copy_to.uid": (lambda bad: BOX.copy_to(HERE, "/x", uid=bad), [*NOTHING, *NUMBERS]),
    "copy_to.gid": (lambda bad: BOX.copy_to(HERE, "/x", gid=bad), [*NOTHING, *NUMBERS]),
    "copy_to.mode": (lambda bad: BOX.copy_to(HERE, "/x", mode=bad), [*NOTHING, *NUMBERS, 0o10000, "0644"]),
    "copy_from.src": (lambda bad: BOX.copy_from(bad, HERE), PATHS),
    "copy_from.dst": (lambda bad: BOX.copy_from("/x", bad), [*NOTHING, None, "", "a\0b", 7]),
    "read_file": (lambda bad: BOX.read_file(bad), PATHS),
    "write_file.path": (lambda bad: BOX.write_file(bad, ""), [*PATHS, "/", "/a/"]),
    "write_file.data": (lambda bad: BOX.write_file("/x", bad), [Strange(), None, 7, ["a"], "\ud800"]),
    "write_file.mode": (lambda bad: BOX.write_file("/x", "", mode=bad), [*NOTHING, *NUMBERS, None, 0o10000]),
    "write_file.uid": (lambda bad: BOX.write_file("/x", "", uid=bad), [*NOTHING, *NUMBERS, None]),
    "commit.ref": (lambda bad: BOX.commit(bad), [ref for ref in REFS if ref is not None]),
    "commit.message": (lambda bad: BOX.commit("x", message=bad), [*NOTHING, None, 7, "a\0"]),
    "commit.author": (lambda bad: BOX.commit("x", author=bad), [*NOTHING, None, 7, "a\0"]),
    "commit.pause": (lambda bad: BOX.commit("x", pause=bad), FLAGS),
    "commit.changes": (lambda bad: BOX.commit("x", changes=bad), [Strange(), 3.5, [1], [""], ["a\0"], "ENV A=1", b"x"]),
    "port.number": (lambda bad: BOX.port(bad), [*NOTHING, None, "", "http", 0, -1, 65536, math.nan, True]),
    "port.protocol": (lambda bad: BOX.port(80, bad), [*NOTHING, None, "", "icmp"]),
    # images
    "images.get": (lambda bad: ENGINE.images.get(bad), REFS),
    "images.exists": (lambda bad: ENGINE.images.exists(bad), REFS),
    "images.list.all": (lambda bad: ENGINE.images.list(all=bad), FLAGS),
    "images.list.filters": (lambda bad: ENGINE.images.list(filters=bad), FILTERS),
    "images.pull": (lambda bad: ENGINE.images.pull(bad), REFS),
    "images.pull.platform": (lambda bad: ENGINE.images.pull("x", platform=bad), PLATFORMS),
    "images.pull.auth": (lambda bad: ENGINE.images.pull("x", auth=bad), AUTHS),
    "images.pull.on_progress": (lambda bad: ENGINE.images.pull("x", on_progress=bad), FUNCTIONS),
    "images.push": (lambda bad: ENGINE.images.push(bad), [*REFS, "x@sha256:" + "0" * 64]),
    "images.push.auth": (lambda bad: ENGINE.images.push("x", auth=bad), AUTHS),
    "images.push.on_progress": (lambda bad: ENGINE.images.push("x", on_progress=bad), FUNCTIONS),
    "images.build.context": (
        lambda bad: ENGINE.images.build(bad),
        [Strange(), None, "", "a\0b", 7, "/no/such", __file__, {}, {"Dockerfile": 7}, {"/Dockerfile": ""}, {1: ""}],
    ),
    "images.build.on_progress": (lambda bad: ENGINE.images.build({"Dockerfile": ""}, on_progress=bad), FUNCTIONS),
    "images.build.tag": (lambda bad: ENGINE.images.build({"Dockerfile": ""}, tag=bad), [*NOTHING, "", "UPPER", "a\0"]),
    "images.build.unknown": (lambda bad: ENGINE.images.build({"Dockerfile": ""}, **{bad: 1}), ["squash", "colour"]),
    "images.load": (
        lambda bad: ENGINE.images.load(bad),
        [Strange(), None, "", 7, "a\0b", "/no/such", str(HERE), __file__, b"", b"garbage", b"\0" * 10240],
    ),
    "images.save.refs": (
        lambda bad: ENGINE.images.save(bad, HERE / "no.tar"),
        [Strange(), None, 7, "", [], ["UPPER"], [7], "a\0b"],
    ),
    "images.save.path": (
        lambda bad: ENGINE.images.save("x", bad),
        [Strange(), None, 7, "", "a\0b", str(HERE), "/no/such/folder/x.tar", b"x" * 5000, "x" * 5000],
    ),
    "images.search": (lambda bad: ENGINE.images.search(bad), [Strange(), None, 7, "", " "]),
    "images.search.limit": (lambda bad: ENGINE.images.search("x", limit=bad), [*NOTHING, "x", 0, -1, 101, True]),
    "images.search.filters": (lambda bad: ENGINE.images.search("x", filters=bad), FILTERS),
    "images.remove": (lambda bad: ENGINE.images.remove(bad), REFS),
    "images.remove.force": (lambda bad: ENGINE.images.remove("x", force=bad), FLAGS),
    "images.prune.all": (lambda bad: ENGINE.images.prune(all=bad), FLAGS),
    "images.prune.filters": (lambda bad: ENGINE.images.prune(filters=bad), FILTERS),
    "image.tag": (lambda bad: IMAGE.tag(bad), [*REFS, "x@sha256:" + "0" * 64]),
    "image.remove.force": (lambda bad: IMAGE.remove(force=bad), FLAGS),
    # volumes
    "volumes.create.name": (lambda bad: ENGINE.volumes.create(bad), [name for name in NAMES if name is not None]),
    "volumes.create.keep": (lambda bad: ENGINE.volumes.create("x1", keep=bad), FLAGS),
    "volumes.create.driver": (lambda bad: ENGINE.volumes.create("x1", driver=bad), [*NOTHING, "", "a b", "\0"]),
    "volumes.create.labels": (
        lambda bad: ENGINE.volumes.create("x1", labels=bad),
        [Strange(), 3.5, {"": 1}, {"a": "\0"}],
    ),
    "volumes.create.unknown": (lambda bad: ENGINE.volumes.create("x1", **{bad: 1}), ["size", "colour"]),
    "volumes.get": (lambda bad: ENGINE.volumes.get(bad), [*NOTHING, None, "", "a\0b", 7, " ", *WAYS, "/data"]),
    "volumes.exists": (lambda bad: ENGINE.volumes.exists(bad), [None, "", *WAYS, "/data", "/"]),
    "volumes.remove": (lambda bad: ENGINE.volumes.remove(bad), [*NOTHING, None, "", "a\0b", 7, " ", *WAYS]),
    "volumes.list.filters": (lambda bad: ENGINE.volumes.list(filters=bad), FILTERS),
    "volumes.prune.filters": (lambda bad: ENGINE.volumes.prune(filters=bad), FILTERS),
    # networks
    "networks.create.name": (lambda bad: ENGINE.networks.create(bad), [*NAMES, "bridge", "host"]),
    "networks.create.keep": (lambda bad: ENGINE.networks.create("x", keep=bad), FLAGS),
    "networks.create.subnet": (
        lambda bad: ENGINE.networks.create("x", subnet=bad),
        [*NOTHING, "", "10.0.0.1", "10.0.0.1/8"],
    ),
    "networks.create.unknown": (lambda bad: ENGINE.networks.create("x", **{bad: 1}), ["mtu", "colour"]),
    "networks.get": (lambda bad: ENGINE.networks.get(bad), [*NOTHING, None, "", "a\0b", 7, " ", *WAYS, "/x"]),
    "networks.exists": (lambda bad: ENGINE.networks.exists(bad), [None, "", *WAYS, "/x", "/"]),
    "networks.remove": (lambda bad: ENGINE.networks.remove(bad), [*NOTHING, None, "", "a\0b", "a/b", 7]),
    "networks.list.filters": (lambda bad: ENGINE.networks.list(filters=bad), FILTERS),
    "networks.prune.filters": (lambda bad: ENGINE.networks.prune(filters=bad), FILTERS),
    "network.connect": (lambda bad: NETWORK.connect(bad), [*NOTHING, None, "", "a\0b", 7, "a/b"]),
    "network.connect.ip": (lambda bad: NETWORK.connect("c", ip=bad), [*NOTHING, "", "10.0.0", "::1", "a\0"]),
    "network.connect.aliases": (
        lambda bad: NETWORK.connect("c", aliases=bad),
        [Strange(), 3.5, [""], ["a b"], ["a\0"]],
    ),
    "network.disconnect": (lambda bad: NETWORK.disconnect(bad), [*NOTHING, None, "", "a\0b", 7, "a/b"]),
    "network.disconnect.force": (lambda bad: NETWORK.disconnect("c", force=bad), FLAGS),
    # the package
    "connect.target": (
        lambda bad: ck.connect(bad),
        [Strange(), 7, "", " ", "a\0b", "ftp://x", "tcp://", "ssh://u:p@h"],
    ),
    "connect.timeout": (lambda bad: ck.connect(ENGINE._core.backend, timeout=bad), [*NOTHING, None, *NUMBERS, 0]),
    "cleanup.older_than": (lambda bad: ck.cleanup(ENGINE, older_than=bad), SECONDS),
    "cleanup.engine": (lambda bad: ck.cleanup(bad), [Strange(), "docker", 7]),
}


def _numeric(value: Any) -> bool:
    return isinstance(value, float) and not isinstance(value, bool) and math.isfinite(value)


CASES = [
    pytest.param(act, bad, id=f"{verb}-{index}")
    for verb, (act, values) in VERBS.items()
    for index, bad in enumerate(values)
    # 3.5 is a time, and a number is no mistake where seconds are wanted
    if not (_numeric(bad) and bad > 0 and ("timeout" in verb or "older_than" in verb))
]


@pytest.mark.parametrize(("act", "bad"), CASES)
def test_bad_input_is_refused_before_anything_is_sent(act: Callable[[Any], object], bad: Any) -> None:
    """InvalidOption, InvalidReference or another error of ours; the backend hears nothing."""
    with pytest.raises(ck.ContainerKitError) as caught:
        act(bad)
    if isinstance(caught.value, InvalidOption):
        assert caught.value.name
        assert caught.value.expected
        assert printable(caught.value.name) in str(caught.value)
    else:
        assert isinstance(caught.value, (InvalidReference, ck.InvalidImage)), caught.value
