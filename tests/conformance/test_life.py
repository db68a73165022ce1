"""One fact a test, the same on every engine: run, containers, files, networks, volumes, images, errors."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit import Capability, wait

_numbers = itertools.count()


def unique(word: str) -> str:
    return f"ck{word}{os.getpid()}x{next(_numbers)}"


@pytest.fixture(scope="module")
def running(engine: ck.Engine, shell_image: str) -> Iterator[ck.Container]:
    """A container that only waits."""
    with engine.start(shell_image, ["sleep", "600"]) as container:
        yield container


# ---------------------------------------------------------------- run
def test_run_gives_both_streams_and_the_exit_code(engine: ck.Engine, shell_image: str) -> None:
    """stdout, stderr and exit code come back together."""
    result = engine.run(shell_image, ["sh", "-c", "echo out; echo err >&2; exit 4"])
    assert (result.exit_code, result.stdout, result.stderr) == (4, "out\n", "err\n")


def test_run_never_truncates(engine: ck.Engine, shell_image: str) -> None:
    """2,000 lines come back byte for byte, thirty times."""
    expected = "".join(f"line {number}\n" for number in range(2000))
    script = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done"
    for _ in range(30):
        assert engine.run(shell_image, ["sh", "-c", script], timeout=120).stdout == expected


def test_run_check_raises(engine: ck.Engine, shell_image: str) -> None:
    """check=True raises CommandFailed with everything in it."""
    with pytest.raises(ck.CommandFailed) as caught:
        engine.run(shell_image, ["sh", "-c", "echo no >&2; exit 9"], check=True)
    assert (caught.value.exit_code, caught.value.stderr) == (9, "no\n")


@pytest.mark.parametrize("data", [b"", b"text\n", os.urandom(1 << 20)], ids=["empty", "text", "1MiB"])
def test_run_feeds_stdin(engine: ck.Engine, shell_image: str, data: bytes) -> None:
    """input= comes back from cat as it was."""
    assert engine.run(shell_image, "cat", input=data, timeout=60).stdout_bytes == data


def test_run_timeout_kills_and_removes(engine: ck.Engine, shell_image: str) -> None:
    """At a timeout nothing is left, and what was written is in the error."""
    name = unique("timeout")
    with pytest.raises(ck.EngineTimeout) as caught:
        engine.run(shell_image, ["sh", "-c", "echo begun; sleep 600"], timeout=2, name=name)
    assert caught.value.stdout == "begun\n"
    assert not engine.containers.exists(name)


def test_run_tells_output_as_it_comes(engine: ck.Engine, shell_image: str) -> None:
    """on_output is called before the command has ended."""
    times: list[float] = []
    engine.run(shell_image, ["sh", "-c", "echo a; sleep 1; echo b"], on_output=lambda _: times.append(time.monotonic()))
    assert times[-1] - times[0] > 0.5


@pytest.mark.parametrize(
    ("options", "script", "expected"),
    [
        ({"env": {"A": "1", "B": 2}}, "echo $A$B", "12\n"),
        ({"env": ["A=x y"]}, 'echo "$A"', "x y\n"),
        ({"user": 1000}, "id -u", "1000\n"),
        ({"user": "1000:2000"}, "id -g", "2000\n"),
        ({"workdir": "/tmp"}, "pwd", "/tmp\n"),
        ({"hostname": "lab"}, "hostname", "lab\n"),
        ({"tmpfs": {"/t": "size=1m"}}, "touch /t/x && echo ok", "ok\n"),
        ({"tmpfs": "/t"}, "stat -c %a /t", "1777\n"),
        ({"read_only": True}, "touch /x 2>/dev/null || echo refused", "refused\n"),
        ({"security_opt": ["no-new-privileges"]}, "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1\n"),
        ({"cap_drop": ["ALL"]}, "grep CapEff /proc/self/status", "CapEff:\t0000000000000000\n"),
        ({"add_host": {"there": "10.9.8.7"}}, "grep -o 10.9.8.7 /etc/hosts", "10.9.8.7\n"),
        ({"sysctls": {"net.ipv4.ip_forward": 1}}, "cat /proc/sys/net/ipv4/ip_forward", "1\n"),
        ({"shm_size": "8m"}, "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2", "8192\n"),
        ({"network": "none"}, "ls /sys/class/net", "lo\n"),
        ({"entrypoint": ["echo", "from"]}, None, "from entrypoint\n"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_option_holds(
    engine: ck.Engine, shell_image: str, options: dict[str, Any], script: str | None, expected: str
) -> None:
    """An option is seen from inside the container."""
    command = ["sh", "-c", script] if script else ["entrypoint"]
    result = engine.run(shell_image, command, **options)
    assert result.stdout == expected, result.stderr


@pytest.mark.parametrize(
    "options",
    [
        {"volumes": ["/tmp:/mnt:ro"]},
        {"volumes": {"/tmp": "/mnt:ro"}},
        {"volumes": {"/tmp": {"bind": "/mnt", "mode": "ro"}}},
        {"volume": "/tmp:/mnt:ro"},
        {"mounts": ["type=bind,source=/tmp,target=/mnt,readonly"]},
        {"mounts": ["type=bind,src=/tmp,dst=/mnt,ro"]},
        {"mounts": ["type=bind,source=/tmp,target=/mnt,readonly=true"]},
        {"mounts": [{"type": "bind", "source": "/tmp", "target": "/mnt", "read_only": True}]},
        {"mounts": [ck.Mount("bind", "/tmp", "/mnt", read_only=True)]},
        {"tmpfs": {"/mnt": "ro"}},
    ],
    ids=str,
)
def test_read_only_is_read_only_in_every_spelling(engine: ck.Engine, shell_image: str, options: dict[str, Any]) -> None:
    """A mount that is asked for read-only cannot be written to."""
    result = engine.run(shell_image, ["touch", "/mnt/x"], **options)
    assert result.exit_code != 0
    assert "Read-only" in result.stderr


# ---------------------------------------------------------------- exec
def test_exec_is_exact(running: ck.Container) -> None:
    """1 MiB of random bytes through stdin and back on both streams, with the exit code."""
    data = os.urandom(1 << 20)
    result = running.exec(["sh", "-c", "tee /dev/stderr; exit 7"], input=data, timeout=60)
    assert result.exit_code == 7
    assert result.stdout_bytes == data
    assert result.stderr_bytes == data


@pytest.mark.parametrize("command", [["nope"], ["/no/such"], ["/etc/passwd"]], ids=str)
def test_exec_of_no_program_is_start_failed(running: ck.Container, command: list[str]) -> None:
    """A program that is not there, or is none, is told from one that exits with 126 or 127."""
    with pytest.raises(ck.StartFailed):
        running.exec(command)


@pytest.mark.parametrize("code", [1, 126, 127, 255])
def test_exec_gives_a_commands_own_exit_code(running: ck.Container, code: int) -> None:
    """Also one that engines use for their own refusals."""
    assert running.exec(["sh", "-c", f"exit {code}"]).exit_code == code


def test_exec_timeout_ends_the_command(running: ck.Container) -> None:
    """No process of it is left in the container."""
    with pytest.raises(ck.EngineTimeout):
        running.exec(["sleep", "4321"], timeout=1)
    assert "4321" not in running.exec(["ps"]).stdout


@pytest.mark.parametrize(
    ("options", "script", "expected"),
    [({"env": {"A": 5}}, "echo $A", "5\n"), ({"user": "33"}, "id -u", "33\n"), ({"workdir": "/etc"}, "pwd", "/etc\n")],
    ids=["env", "user", "workdir"],
)
def test_exec_options(running: ck.Container, options: dict[str, Any], script: str, expected: str) -> None:
    """env, user and workdir hold."""
    assert running.exec(["sh", "-c", script], **options).stdout == expected


# ---------------------------------------------------------------- life
def test_stop_is_graceful_by_default(engine: ck.Engine, shell_image: str) -> None:
    """stop() runs the container's TERM handler."""
    script = 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.1; done'
    with engine.start(shell_image, ["sh", "-c", script]) as container:
        container.wait_until(wait.log_line("up"))
        container.stop()
        assert (container.status, container.exit_code, container.logs().stdout) == ("exited", 5, "up\nbye\n")


def test_forced_removal_takes_under_a_second(engine: ck.Engine, shell_image: str) -> None:
    """Also of a first process that ignores TERM."""
    container = engine.start(shell_image, ["sleep", "600"])
    began = time.monotonic()
    container.remove(force=True)
    assert time.monotonic() - began < 1.0


def test_restart_rename_kill_wait(engine: ck.Engine, shell_image: str) -> None:
    """A life with a new name."""
    with engine.start(shell_image, ["sleep", "600"], name=unique("life")) as container:
        container.restart(timeout=0)
        assert container.status == "running"
        name = unique("renamed")
        container.rename(name)
        assert container.name == name
        container.kill()
        assert container.wait(timeout=10) == 137


def test_pause_where_the_engine_can(engine: ck.Engine, running: ck.Container) -> None:
    """pause() freezes, or is Unsupported before anything is sent."""
    if Capability.PAUSE in engine.capabilities:
        running.pause()
        assert running.status == "paused"
        running.unpause()
        assert running.status == "running"
    else:
        with pytest.raises(ck.Unsupported):
            running.pause()


def test_stats_where_the_engine_can(engine: ck.Engine, running: ck.Container) -> None:
    """One schema, with units."""
    if Capability.STATS in engine.capabilities:
        assert running.stats().cpu_total > 0
    else:
        with pytest.raises(ck.Unsupported):
            running.stats()


def test_limits_hold_or_are_refused(engine: ck.Engine, shell_image: str) -> None:
    """A limit is what the kernel says, or LimitNotEnforced; best-effort runs without, and says so."""
    paths = "/sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max"
    script = ["sh", "-c", f"cat {paths} 2>/dev/null"]
    if Capability.PIDS_LIMIT in engine.capabilities:
        assert engine.run(shell_image, script, pids_limit=50).stdout == "50\n"
    else:
        with pytest.raises(ck.LimitNotEnforced):
            engine.run(shell_image, script, pids_limit=50)
        assert engine.run(shell_image, "true", pids_limit=50, limits="best-effort").warnings


def test_health_comes_to_healthy(engine: ck.Engine, shell_image: str) -> None:
    """Whether or not the engine has a clock for it."""
    with engine.start(shell_image, ["sleep", "600"], health_cmd="true", health_interval=1) as container:
        container.wait_until(wait.healthy(), timeout=30)
        assert container.health == "healthy"


def test_a_followed_log_ends_with_its_container(engine: ck.Engine, shell_image: str) -> None:
    """And holds everything."""
    with engine.start(shell_image, ["sh", "-c", "echo a; sleep 1; echo b; echo c >&2"]) as container:
        written = {"stdout": b"", "stderr": b""}
        for output in container.stream_logs():
            written[output.stream] += output.data
        assert written == {"stdout": b"a\nb\n", "stderr": b"c\n"}


def test_a_followed_log_can_be_closed_from_another_thread(running: ck.Container) -> None:
    """The reader's loop ends, without an error."""
    stream = running.stream_logs()
    threading.Timer(0.5, stream.close).start()
    began = time.monotonic()
    assert list(stream) == []
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "strategy", [wait.exited(3), wait.log_line("read."), wait.any_of(wait.exited(9), wait.log_line("ready"))], ids=repr
)
def test_wait_strategies(engine: ck.Engine, shell_image: str, strategy: wait.Strategy) -> None:
    """What was waited for has come."""
    with engine.start(shell_image, ["sh", "-c", "sleep 0.3; echo ready; exit 3"]) as container:
        container.wait_until(strategy, timeout=30)


def test_published_port_answers(engine: ck.Engine, shell_image: str) -> None:
    """A random host port leads to the container's."""
    serve = ["sh", "-c", "echo hello > /index.html; httpd -f -p 8080 -h /"]
    with engine.start(shell_image, serve, publish={8080: ("127.0.0.1", None)}) as container:
        container.wait_until(wait.http("/index.html", 8080, 200), timeout=30)
        assert container.port(8080).host == "127.0.0.1"


# ---------------------------------------------------------------- files
def test_files_go_in_and_out(running: ck.Container, tmp_path: Path) -> None:
    """A folder keeps its modes, takes the owner it is given, and comes back the same."""
    folder = tmp_path / "box"
    (folder / "deep").mkdir(parents=True)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o750)
    (folder / "deep" / "link").symlink_to("/etc/passwd")
    running.copy_to(folder, "/tmp/", uid=12, gid=34)
    assert running.exec(["stat", "-c", "%u %g %a", "/tmp/box/run.sh"]).stdout == "12 34 750\n"
    back = running.copy_from("/tmp/box", tmp_path / "back")
    assert (back / "run.sh").read_text() == "#!/bin/sh\n"
    assert (back / "run.sh").stat().st_mode & 0o777 == 0o750
    assert os.readlink(back / "deep" / "link") == "/etc/passwd"


def test_write_and_read_a_file(running: ck.Container) -> None:
    """Bytes, mode and owner."""
    data = os.urandom(100_000)
    running.write_file("/tmp/data", data, mode=0o600, uid=7)
    assert running.read_file("/tmp/data") == data
    assert running.exec(["stat", "-c", "%u %a", "/tmp/data"]).stdout == "7 600\n"


# ---------------------------------------------------------------- networks and volumes
def test_containers_find_each_other(engine: ck.Engine, shell_image: str) -> None:
    """By name and by alias, at the static addresses that were asked for."""
    name, subnet = unique("net"), "10.197.31"
    with engine.networks.create(name, subnet=f"{subnet}.0/24") as network:
        one = {name: {"aliases": ["first"], "ip": f"{subnet}.11"}}
        two = {name: {"aliases": ["second"], "ip": f"{subnet}.12"}}
        with (
            engine.start(shell_image, ["sleep", "600"], network=one, name=unique("a")) as a,
            engine.start(shell_image, ["sleep", "600"], network=two, name=unique("b")) as b,
        ):
            for who, target, address in ((a, b.name, 12), (a, "second", 12), (b, a.name, 11), (b, "first", 11)):
                told = who.exec(["ping", "-c", "1", "-W", "5", target])
                assert f"({subnet}.{address})" in told.stdout, told
            assert {item.name for item in network.containers} == {a.name, b.name}
            with pytest.raises(ck.InUse):
                network.remove()


def test_connect_and_disconnect_live(engine: ck.Engine, shell_image: str) -> None:
    """A running container joins a network and leaves it; twice is an error."""
    with (
        engine.networks.create(unique("one")) as one,
        engine.networks.create(unique("two")) as two,
        engine.start(shell_image, ["sleep", "600"], network=one.name) as container,
    ):
        two.connect(container, aliases=["late"])
        assert set(container.refresh().record.networks) == {one.name, two.name}
        with pytest.raises(ck.InUse):
            two.connect(container)
        two.disconnect(container)
        assert set(container.refresh().record.networks) == {one.name}


def test_a_volume_keeps_what_is_written(engine: ck.Engine, shell_image: str) -> None:
    """Two containers, one volume."""
    with engine.volumes.create(unique("vol")) as volume:
        engine.run(shell_image, ["sh", "-c", "echo kept > /v/x"], volumes={volume.name: "/v"}, check=True)
        assert engine.run(shell_image, ["cat", "/v/x"], volumes=[f"{volume.name}:/v:ro"]).stdout == "kept\n"


# ---------------------------------------------------------------- images
def test_build_from_memory(engine: ck.Engine, shell_image: str) -> None:
    """Args, copied files and .dockerignore's "!" are seen in what runs."""
    ref = f"containerkit/{unique('built')}:1"
    context = {
        "Dockerfile": f"FROM {shell_image}\nARG WORD\nRUN echo $WORD > /word\nCOPY . /ctx\n",
        "kept": "k",
    }
    image = engine.images.build(context, tag=ref, build_args={"WORD": "hello"}, labels={"lab": "x"})
    try:
        assert image.refs == (ref,)
        assert image.labels["lab"] == "x"
        assert engine.run(ref, ["cat", "/word", "/ctx/kept"]).stdout == "hello\nk"
        assert [layer.mapping for layer in engine.layers(ref)]
    finally:
        engine.images.remove(ref)


def test_dockerignore_brings_back(engine: ck.Engine, shell_image: str, tmp_path: Path) -> None:
    """A pattern with "!" brings back what one before it left out."""
    (tmp_path / "Dockerfile").write_text(f"FROM {shell_image}\nCOPY . /ctx\n")
    (tmp_path / ".dockerignore").write_text("*.txt\n!keep.txt\n")
    for name in ("drop.txt", "keep.txt", "other"):
        (tmp_path / name).write_text(name)
    image = engine.images.build(tmp_path)
    try:
        told = engine.run(image.id, ["sh", "-c", "ls /ctx"]).stdout.split()
        assert "keep.txt" in told
        assert "other" in told
        assert "drop.txt" not in told
    finally:
        image.remove(force=True)


def test_a_failed_build_tells_its_step(engine: ck.Engine, shell_image: str) -> None:
    """BuildFailed has the log, and no container is left."""
    with pytest.raises(ck.BuildFailed) as caught:
        engine.images.build({"Dockerfile": f"FROM {shell_image}\nRUN echo before; false\n"})
    assert "before" in caught.value.log
    assert "false" in (caught.value.step or "")
    left = engine.containers.list(all=True)
    assert not [item for item in left if any("echo before; false" in word for word in item.last_record.command)]


def test_save_and_load(engine: ck.Engine, shell_image: str, tmp_path: Path) -> None:
    """An archive gives the same image back, and its layers can be read without an engine."""
    image = engine.images.get(shell_image)
    path = image.save(tmp_path / "image.tar")
    (loaded,) = engine.images.load(path)
    assert loaded.id == image.id
    assert [layer.diff_id for layer in ck.open_archive(path)] == list(image.diff_ids)


def test_tags_show_the_same_everywhere(engine: ck.Engine, shell_image: str) -> None:
    """A short name is shown as it was given."""
    name = unique("tag")
    engine.images.get(shell_image).tag(f"{name}:2")
    assert f"{name}:2" in engine.images.get(name + ":2").refs
    engine.images.remove(f"{name}:2")
    assert not engine.images.exists(f"{name}:2")


# ---------------------------------------------------------------- errors: the same class everywhere
_ERRORS: list[tuple[str, type[Exception], Callable[[ck.Engine, str, ck.Container], object]]] = [
    ("missing container", ck.ContainerNotFound, lambda e, i, c: e.containers.get("no-such")),
    ("missing image", ck.ImageNotFound, lambda e, i, c: e.images.get("no/such:1")),
    ("create from a missing image", ck.ImageNotFound, lambda e, i, c: e.containers.create("no/such:1")),
    ("pull=never", ck.ImageNotFound, lambda e, i, c: e.run("no/such:1", "x", pull="never")),
    ("missing volume", ck.VolumeNotFound, lambda e, i, c: e.volumes.get("no-such")),
    ("missing network", ck.NetworkNotFound, lambda e, i, c: e.networks.get("no-such")),
    ("create on a missing network", ck.NetworkNotFound, lambda e, i, c: e.containers.create(i, network="no-such")),
    ("name taken", ck.NameInUse, lambda e, i, c: e.containers.create(i, name=c.name)),
    ("remove running", ck.WrongState, lambda e, i, c: c.remove()),
    ("bad command", ck.StartFailed, lambda e, i, c: e.run(i, "/no/such/program")),
    ("copy into a missing folder", ck.NotFound, lambda e, i, c: c.write_file("/no/such/x", "")),
    ("copy from a missing path", ck.NotFound, lambda e, i, c: c.read_file("/no/such")),
    ("image in use", ck.InUse, lambda e, i, c: e.images.remove(e.images.get(i).id)),
    ("unreachable registry", ck.PullFailed, lambda e, i, c: e.images.pull("127.0.0.1:9/x:1")),
    ("garbage archive", ck.InvalidImage, lambda e, i, c: e.images.load(b"garbage")),
    ("empty archive", ck.InvalidImage, lambda e, i, c: e.images.load(b"")),
    ("bad name", ck.InvalidReference, lambda e, i, c: e.run("UPPER/case", "x")),
    ("bad port", ck.InvalidOption, lambda e, i, c: e.start(i, publish={"80": "abc"})),
    ("impossible size", ck.InvalidOption, lambda e, i, c: e.start(i, memory="1b")),
    ("unknown option", ck.InvalidOption, lambda e, i, c: e.start(i, colour="blue")),  # type: ignore[call-arg]
    ("empty name", ck.InvalidOption, lambda e, i, c: e.start(i, name="")),
    ("NUL byte", ck.InvalidOption, lambda e, i, c: e.start(i, "a\0b")),
    ("port not published", ck.NotFound, lambda e, i, c: c.port(80)),
]


@pytest.mark.parametrize(("kind", "act"), [row[1:] for row in _ERRORS], ids=[row[0] for row in _ERRORS])
def test_one_error_for_one_mistake(
    engine: ck.Engine, shell_image: str, running: ck.Container, kind: type[Exception], act: Callable[..., object]
) -> None:
    """The class of an error does not depend on the engine, and nothing is left behind."""
    ours = {"label": [f"containerkit.session={engine._core.session.id}"]}
    before = {item.id for item in engine.containers.list(all=True, filters=ours)}
    with pytest.raises(kind) as caught:
        act(engine, shell_image, running)
    assert isinstance(caught.value, ck.ContainerKitError)
    assert {item.id for item in engine.containers.list(all=True, filters=ours)} == before


@pytest.mark.parametrize("verb", ["kill", "exec", "pause"])
def test_wrong_state_tells_the_actual_one(engine: ck.Engine, shell_image: str, verb: str) -> None:
    """A container that has ended can be neither killed, nor used for exec, nor paused."""
    if verb == "pause" and Capability.PAUSE not in engine.capabilities:
        pytest.skip("this engine cannot pause")
    with engine.start(shell_image, "true") as container:
        container.wait(timeout=30)
        with pytest.raises(ck.WrongState) as caught:
            getattr(container, verb)(*(["ls"] if verb == "exec" else []))
        assert caught.value.actual == "exited"


def test_in_use_volume_and_twice_the_same_name(engine: ck.Engine, shell_image: str) -> None:
    """A volume or network exists once; a volume that a container has stays."""
    with engine.volumes.create(unique("used")) as volume, engine.networks.create(unique("twice")) as network:
        with pytest.raises(ck.NameInUse):
            engine.volumes.create(volume.name)
        with pytest.raises(ck.NameInUse):
            engine.networks.create(network.name)
        with engine.start(shell_image, ["sleep", "600"], volumes={volume.name: "/v"}), pytest.raises(ck.InUse):
            volume.remove()


# ---------------------------------------------------------------- the whole
def test_events_tell_a_life(engine: ck.Engine, shell_image: str) -> None:
    """create, start, die with the exit code, destroy."""
    since = time.time() - 1
    name = unique("event")
    engine.run(shell_image, ["sh", "-c", "exit 3"], name=name)
    told = [event for event in engine.events(since=since, until=time.time()) if event.name == name]
    actions = [event.action for event in told]
    assert [action for action in actions if action in ("create", "start", "die", "destroy")] == [
        "create",
        "start",
        "die",
        "destroy",
    ]
    assert next(event.exit_code for event in told if event.action == "die") == 3


def test_forty_containers_from_eight_threads(engine: ck.Engine, shell_image: str) -> None:
    """One Engine, many threads: nothing lost, nothing left."""
    label = unique("many")

    def one(number: int) -> str:
        with engine.start(shell_image, ["sleep", "600"], labels={label: str(number)}) as container:
            return container.exec(["echo", str(number)]).stdout

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(40))) == [f"{number}\n" for number in range(40)]
    assert engine.containers.list(all=True, filters={"label": [label]}) == []


def test_savings_agree_with_the_disk(engine: ck.Engine, shell_image: str) -> None:
    """Two images on one base: the base is counted once, and blocks are at least the bytes."""
    refs = [f"containerkit/{unique('save')}:1" for _ in range(2)]
    try:
        for ref in refs:
            engine.images.build({"Dockerfile": f"FROM {shell_image}\nCOPY d /d\n", "d": os.urandom(100_000)}, tag=ref)
        savings = engine.savings(refs, containers=False)
        base = sum(layer.sizes.content or 0 for layer in engine.layers(shell_image))
        assert savings.logical_bytes == 2 * (base + 100_000)
        assert savings.unique_bytes == base + 200_000
        assert savings.disk_bytes is None or savings.disk_bytes >= savings.unique_bytes
    finally:
        for ref in refs:
            engine.images.remove(ref)
