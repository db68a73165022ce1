"""The operations of the public API that are tried with faults.

Each `act` does the same when its answers are recorded and when they are replayed, and returns what a caller would see.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import containerkit as ck
from containerkit.testing.archives import ImageBuilder

TIMEOUT = 1.0
RANDOM = ("containerkit.session", "containerkit.request")
PREFIX = f"ckfault{os.getpid()}"
_LINES = 'i=0; while [ $i -lt 5 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; echo "gr\xfc\xdfe"; exit 7'


@dataclass(frozen=True, slots=True)
class World:
    """The things on the engine that the operations use.

    Attributes:
        image: an image with a shell. small: an image of a few KB. archive: an archive of an image.
        box: the name of a container that sleeps. done: the name of one that wrote lines and ended with 7.
    """

    image: str
    small: str
    archive: bytes = field(repr=False)
    since: float
    box: str = f"{PREFIX}-box"
    done: str = f"{PREFIX}-done"
    spare: str = f"{PREFIX}-spare"
    volume: str = f"{PREFIX}-volume"
    network: str = f"{PREFIX}-network"


Act = Callable[[ck.Engine, World, Path], Any]
Prepare = Callable[[ck.Engine, World], None]


def _nothing(_engine: ck.Engine, _world: World) -> None:
    pass


def never(_kind: str, _right: Any, _found: Any) -> bool:
    """Accept nothing but the right answer."""
    return False


def nothing_written(kind: str, _right: Any, found: Any) -> bool:
    """Accept an empty body: it is what an engine sends of a log without lines, and of a time without events."""
    return kind == "empty body" and not any(found)


def no_changes(kind: str, _right: Any, found: Any) -> bool:
    """Accept null for a container without changes: it is what Docker sends."""
    return kind == "null body" and found == []


def unknown(_kind: str, right: Any, found: Any) -> bool:
    """Accept a report of checks that says that something is unknown, or that the engine is not reachable."""
    failed = ["engine-reachable", "fail"]
    return len(right) == len(found) and all(
        new in (old, failed) or new[1] in ("unknown", "info", "na") for old, new in zip(right, found, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        act: what is tried. prepare: brings the engine into the state that `act` needs, before it is recorded.
        needs: the capability without which the operation is left out.
        waits: it has no time limit by design (a followed log, an event stream), so that a stalled engine is no fault.
        streams: the caller gets the body as a stream, and may be served slowly for as long as bytes come.
        limit: seconds in which it must end.
        may: whether it may return this, under this kind of fault, in place of the right answer.
    """

    name: str
    act: Act
    prepare: Prepare = _nothing
    needs: ck.Capability | None = None
    waits: bool = False
    streams: bool = False
    limit: float = TIMEOUT + 1.0
    may: Callable[[str, Any, Any], bool] = never


def seen(container: ck.Container) -> dict[str, Any]:
    """Return what a container says of itself."""
    return {
        "id": container.id,
        "name": container.name,
        "image": container.image,
        "status": container.status,
        "exit_code": container.exit_code,
        "labels": dict(container.labels),
        "ports": {key: [str(found) for found in value] for key, value in container.ports.items()},
    }


def _result(result: Any) -> list[Any]:
    return [result.exit_code, result.stdout_bytes.decode("latin-1"), result.stderr_bytes.decode("latin-1")]


def _ended(engine: ck.Engine, world: World) -> None:
    """Have a container that wrote lines and ended."""
    if not engine.containers.exists(world.done):
        made = engine.start(world.image, ["sh", "-c", _LINES], name=world.done)
        made.wait(timeout=30)


def _running(engine: ck.Engine, world: World) -> None:
    """Have a container that sleeps."""
    if engine.containers.exists(world.box):
        box = engine.containers.get(world.box)
        if box.status == "paused":
            box.unpause()
        if box.status != "running":
            box.start()
    else:
        engine.start(world.image, ["sh", "-c", "trap exit TERM; sleep 600 & wait"], name=world.box)


def _spare(engine: ck.Engine, world: World) -> None:
    """Have a container that was created, and nothing of another name."""
    for name in (world.spare, f"{world.spare}-new"):
        if engine.containers.exists(name):
            engine.containers.get(name).remove(force=True)
    engine.containers.create(world.image, ["sleep", "600"], name=world.spare)


def _no_spare(engine: ck.Engine, world: World) -> None:
    for name in (world.spare, f"{world.spare}-new"):
        if engine.containers.exists(name):
            engine.containers.get(name).remove(force=True)


def _volume(engine: ck.Engine, world: World) -> None:
    if not engine.volumes.exists(world.volume):
        engine.volumes.create(world.volume)


def _no_volume(engine: ck.Engine, world: World) -> None:
    if engine.volumes.exists(world.volume):
        engine.volumes.remove(world.volume)


def _network(engine: ck.Engine, world: World) -> None:
    _running(engine, world)
    if engine.networks.exists(world.network):
        found = engine.networks.get(world.network)
        if found.containers:
            found.disconnect(world.box, force=True)
    else:
        engine.networks.create(world.network)


def _connected(engine: ck.Engine, world: World) -> None:
    _network(engine, world)
    engine.networks.get(world.network).connect(world.box)


def _no_network(engine: ck.Engine, world: World) -> None:
    if engine.networks.exists(world.network):
        _network(engine, world)
        engine.networks.remove(world.network)


def _tag(engine: ck.Engine, world: World) -> None:
    engine.images.get(world.small).tag(f"docker.io/containerkit/{PREFIX}:gone")


def _create(engine: ck.Engine, world: World, _: Path) -> Any:
    return seen(engine.containers.create(world.image, ["sleep", "600"], name=world.spare, env={"A": "1"}))


def _start(engine: ck.Engine, world: World, _: Path) -> Any:
    with engine.start(world.image, ["sleep", "600"], name=world.spare) as made:
        return seen(made)


def _after(verb: Callable[[ck.Container], Any], name: str = "box") -> Act:
    """Return an act that calls a container's verb, and looks at the container afterwards."""

    def act(engine: ck.Engine, world: World, _: Path) -> Any:
        container = engine.containers.get(getattr(world, name))
        returned = verb(container)
        return [_comparable(returned), seen(container)]

    return act


def _comparable(value: Any) -> Any:
    to_dict = getattr(value, "to_dict", None)
    return to_dict() if to_dict else value if isinstance(value, (str, int, float, list, dict, type(None))) else None


def _take(stream: Any, count: int) -> list[Any]:
    with stream:
        found = []
        for item in stream:
            found.append(item)
            if len(found) == count:
                break
        return found


def _outputs(stream: Any) -> list[str]:
    with stream:
        items = list(stream)
    return [b"".join(o.data for o in items if o.stream == name).decode("latin-1") for name in ("stdout", "stderr")]


def _remove(engine: ck.Engine, world: World, _: Path) -> Any:
    engine.containers.get(world.spare).remove(force=True)
    return engine.containers.exists(world.spare)


def _copy_to(engine: ck.Engine, world: World, folder: Path) -> Any:
    (folder / "sent").write_bytes(b"sent" * 1000)
    return engine.containers.get(world.box).copy_to(folder / "sent", "/tmp/sent")


def _copy_from(engine: ck.Engine, world: World, folder: Path) -> Any:
    (folder / "out").mkdir()
    path = engine.containers.get(world.box).copy_from("/etc/passwd", folder / "out" / "copy")
    return path.read_bytes().decode("latin-1")


def _write(engine: ck.Engine, world: World, _: Path) -> Any:
    return engine.containers.get(world.box).write_file("/tmp/written", b"written" * 100)


def _save(engine: ck.Engine, world: World, folder: Path) -> Any:
    (folder / "out").mkdir()
    return len(engine.images.save(world.small, folder / "out" / "image.tar").read_bytes())


def _build(engine: ck.Engine, world: World, _: Path) -> Any:
    context = {"Dockerfile": f"FROM {world.small}\nCOPY added /added\n", "added": b"added"}
    return engine.images.build(context, tag=f"docker.io/containerkit/{PREFIX}:built", no_cache=True).id


def _events(engine: ck.Engine, world: World, _: Path) -> Any:
    filters = {"container": [world.done], "type": ["container"]}
    with engine.events(since=world.since - 5, until=time.time(), filters=filters) as stream:
        return [event.action for event in stream]


def _volume_round(engine: ck.Engine, world: World, _: Path) -> Any:
    return engine.volumes.create(world.volume, labels={"a": "b"}).to_dict()


def _volume_remove(engine: ck.Engine, world: World, _: Path) -> Any:
    engine.volumes.get(world.volume).remove()
    return engine.volumes.exists(world.volume)


def _volumes(engine: ck.Engine, world: World, _: Path) -> Any:
    return [item.to_dict() for item in engine.volumes.list(filters={"name": [world.volume]})]


def _networks(engine: ck.Engine, world: World, _: Path) -> Any:
    return [item.to_dict() for item in engine.networks.list(filters={"name": [world.network]})]


def _network_create(engine: ck.Engine, world: World, _: Path) -> Any:
    return engine.networks.create(world.network, labels={"a": "b"}).to_dict()


def _network_connect(engine: ck.Engine, world: World, _: Path) -> Any:
    net = engine.networks.get(world.network)
    net.connect(world.box, aliases=["other"])
    return net.refresh().to_dict()


def _network_disconnect(engine: ck.Engine, world: World, _: Path) -> Any:
    net = engine.networks.get(world.network)
    net.disconnect(world.box)
    return net.refresh().to_dict()


def _network_remove(engine: ck.Engine, world: World, _: Path) -> Any:
    engine.networks.get(world.network).remove()
    return engine.networks.exists(world.network)


def _connect(engine: ck.Engine, _world: World, _: Path) -> Any:
    info = engine.info().to_dict()
    for key in ("raw", "warnings"):
        info.pop(key, None)
    return [info, sorted(map(str, engine.capabilities))]


def _containers(engine: ck.Engine, world: World, _: Path) -> Any:
    found = engine.containers.list(all=True, filters={"name": [world.done]})
    return [[item.id, item.name, item.status, item.image, dict(item.labels)] for item in found]


def _images(engine: ck.Engine, world: World, _: Path) -> Any:
    reference = world.small.removeprefix("docker.io/")
    return [image.to_dict() for image in engine.images.list(filters={"reference": [reference]})]


def _load(engine: ck.Engine, world: World, _: Path) -> Any:
    return [[image.id, list(image.refs)] for image in engine.images.load(world.archive)]


def _tag_act(engine: ck.Engine, world: World, _: Path) -> Any:
    engine.images.get(world.small).tag(f"docker.io/containerkit/{PREFIX}:tagged")
    return engine.images.exists(f"docker.io/containerkit/{PREFIX}:tagged")


def _untag(engine: ck.Engine, _world: World, _: Path) -> Any:
    name = f"docker.io/containerkit/{PREFIX}:gone"
    engine.images.remove(name)
    return engine.images.exists(name)


def _layers(engine: ck.Engine, world: World, _: Path) -> Any:
    return engine.layers(world.small).to_dict()


def _savings(engine: ck.Engine, world: World, _: Path) -> Any:
    return engine.savings([world.small, world.image], containers=False).to_dict()


def _sharing(engine: ck.Engine, world: World, _: Path) -> Any:
    return engine.sharing([world.small, world.image]).to_dict()


def _waste(engine: ck.Engine, world: World, _: Path) -> Any:
    return engine.waste(world.small).to_dict()


def _reclaimable(engine: ck.Engine, world: World, _: Path) -> Any:
    return engine.reclaimable([world.small]).to_dict()


def _check(engine: ck.Engine, _world: World, _: Path) -> Any:
    return [[result.id, str(result.status)] for result in engine.check(probe=False).results]


def _run(engine: ck.Engine, world: World, _: Path) -> Any:
    return _result(engine.run(world.image, ["sh", "-c", _LINES], name=world.spare))


def _run_input(engine: ck.Engine, world: World, _: Path) -> Any:
    return _result(engine.run(world.image, "cat", input=b"typed\n" * 10, name=world.spare, timeout=4))


def _exec(engine: ck.Engine, world: World, _: Path) -> Any:
    return _result(engine.containers.get(world.box).exec(["sh", "-c", _LINES]))


def _exec_input(engine: ck.Engine, world: World, _: Path) -> Any:
    return _result(engine.containers.get(world.box).exec("cat", input=b"typed\n", timeout=3))


def _waited(engine: ck.Engine, world: World, _: Path) -> Any:
    return engine.containers.get(world.done).wait(timeout=TIMEOUT)


def _exited(engine: ck.Engine, world: World, _: Path) -> Any:
    engine.containers.get(world.done).wait_until(ck.wait.exited(7), timeout=TIMEOUT)


def _logged(engine: ck.Engine, world: World, _: Path) -> Any:
    engine.containers.get(world.done).wait_until(ck.wait.log_line("out 3"), timeout=TIMEOUT)


def _logs(engine: ck.Engine, world: World, _: Path) -> Any:
    logs = engine.containers.get(world.done).logs()
    return [logs.stdout_bytes.decode("latin-1"), logs.stderr_bytes.decode("latin-1")]


def _export(engine: ck.Engine, world: World, _: Path) -> Any:
    with engine.containers.get(world.done).export() as stream:
        return len(stream.read())


OPERATIONS: tuple[Operation, ...] = (
    Operation("connect", _connect),
    Operation("run", _run, _no_spare, limit=6.0),
    Operation("run with input", _run_input, _no_spare, limit=8.0),
    Operation("start", _start, _no_spare),
    Operation("containers.create", _create, _no_spare),
    Operation("containers.get", lambda e, w, _: seen(e.containers.get(w.done)), _ended),
    Operation("containers.list", _containers, _ended),
    Operation("containers.exists", lambda e, w, _: e.containers.exists(w.done), _ended),
    Operation("container.inspect", lambda e, w, _: dict(e.containers.get(w.done).inspect()), _ended),
    Operation("container.logs", _logs, _ended, may=nothing_written),
    Operation(
        "container.stream_logs",
        lambda e, w, _: _outputs(e.containers.get(w.done).stream_logs()),
        _ended,
        waits=True,
        streams=True,
        may=nothing_written,
    ),
    Operation("container.exec", _exec, _running, limit=6.0),
    Operation("container.exec with input", _exec_input, _running, limit=6.0),
    Operation(
        "container.stats",
        lambda e, w, _: e.containers.get(w.box).stats().to_dict(),
        _running,
        ck.Capability.STATS,
        limit=4.0,
    ),
    Operation(
        "container.stream_stats",
        lambda e, w, _: [item.to_dict() for item in _take(e.containers.get(w.box).stream_stats(), 2)],
        _running,
        ck.Capability.STATS,
        waits=True,
        streams=True,
    ),
    Operation("container.top", lambda e, w, _: e.containers.get(w.box).top().to_dict(), _running, ck.Capability.TOP),
    Operation("container.stop", _after(lambda box: box.stop(timeout=1)), _running, limit=4.0),
    Operation("container.kill", _after(lambda box: box.kill()), _running),
    Operation("container.restart", _after(lambda box: box.restart(timeout=0)), _running),
    Operation("container.pause", _after(lambda box: box.pause()), _running, ck.Capability.PAUSE),
    Operation("container.rename", _after(lambda c: c.rename(f"{PREFIX}-spare-new"), "spare"), _spare),
    Operation("container.update", _after(lambda box: box.update(memory="64m")), _running, ck.Capability.UPDATE),
    Operation("container.wait", _waited, _ended),
    Operation("container.wait_until exited", _exited, _ended),
    Operation("container.wait_until log_line", _logged, _ended),
    Operation("container.remove", _remove, _spare),
    Operation(
        "container.diff",
        lambda e, w, _: [c.to_dict() for c in e.containers.get(w.box).diff()],
        _running,
        may=no_changes,
    ),
    Operation("container.export", _export, _ended, streams=True),
    Operation("container.copy_to", _copy_to, _running),
    Operation("container.copy_from", _copy_from, _running, streams=True),
    Operation(
        "container.read_file",
        lambda e, w, _: e.containers.get(w.box).read_file("/etc/passwd").decode(),
        _running,
        streams=True,
    ),
    Operation("container.write_file", _write, _running),
    Operation("container.commit", lambda e, w, _: e.containers.get(w.done).commit().id, _ended),
    Operation("images.list", _images),
    Operation("images.get", lambda e, w, _: e.images.get(w.small).to_dict()),
    Operation("images.exists", lambda e, w, _: e.images.exists(w.small)),
    Operation("image.history", lambda e, w, _: [h.to_dict() for h in e.images.get(w.small).history()]),
    Operation("images.save", _save, streams=True),
    Operation("images.load", _load),
    Operation("images.build", _build, needs=ck.Capability.BUILD),
    Operation("image.tag", _tag_act),
    Operation("images.remove", _untag, _tag),
    Operation("volumes.create", _volume_round, _no_volume),
    Operation("volumes.get", lambda e, w, _: e.volumes.get(w.volume).to_dict(), _volume),
    Operation("volumes.list", _volumes, _volume),
    Operation("volumes.remove", _volume_remove, _volume),
    Operation("networks.create", _network_create, _no_network),
    Operation("networks.get", lambda e, w, _: e.networks.get(w.network).to_dict(), _network),
    Operation("networks.list", _networks, _network),
    Operation("network.connect", _network_connect, _network),
    Operation("network.disconnect", _network_disconnect, _connected),
    Operation("networks.remove", _network_remove, _network),
    Operation("events", _events, _ended, waits=True, streams=True, may=nothing_written),
    Operation("layers", _layers),
    Operation("savings", _savings),
    Operation("sharing", _sharing),
    Operation("waste", _waste),
    Operation("reclaimable", _reclaimable),
    Operation("check without probe", _check, limit=4.0, may=unknown),
)


def prepared(engine: ck.Engine, image: str) -> World:
    """Load the small image, and return the names of everything."""
    small = f"docker.io/containerkit/{PREFIX}:1"
    built = ImageBuilder().layer(files={"etc/name": PREFIX, "bin/true": b"#!" + b"x" * 3000}).run_config(Cmd=["/none"])
    built = built.layer(files={"etc/name": "changed"}).tag(small)
    archive = built.to_docker_archive()
    engine.images.load(archive)
    return World(image, small, archive, time.time())


def plain(value: Any) -> Any:
    """Return a value in types that compare by content, without the labels that differ each time."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if key not in RANDOM}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
