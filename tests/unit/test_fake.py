"""The engine in memory: scripts, and where it behaves like an engine. The conformance suite covers the rest."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit import Capability, wait
from containerkit.backends.base import Backend
from containerkit.backends.docker import DockerBackend
from containerkit.backends.podman import PodmanBackend
from containerkit.testing import FakeBackend, Reply
from containerkit.testing.archives import ImageBuilder

VERBS = sorted(Backend.__abstractmethods__)


@pytest.fixture
def fake() -> FakeBackend:
    return FakeBackend(images=["app:1"])


@pytest.fixture
def engine(fake: FakeBackend) -> ck.Engine:
    return ck.connect(fake)


def image(engine: ck.Engine, builder: ImageBuilder) -> ck.Image:
    return engine.images.load(builder.to_docker_archive())[0]


@pytest.mark.parametrize("backend", [DockerBackend, PodmanBackend, FakeBackend])
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_takes_the_same_arguments_everywhere(backend: Any, verb: str) -> None:
    """Every backend has every method of the interface, with the same parameters, order, kinds and defaults."""

    def shape(owner: Any) -> list[tuple[object, ...]]:
        found = inspect.signature(getattr(owner, verb)).parameters.values()
        return [(p.kind, p.default, p.name.rstrip("_") if p.kind is p.KEYWORD_ONLY else "") for p in found]

    assert shape(backend) == shape(Backend)


def test_the_engine_in_memory_imports_no_vendor() -> None:
    """Using the engine in memory loads neither vendor's client, nor requests."""
    code = (
        "import sys, containerkit; from containerkit.testing import FakeBackend; "
        "containerkit.connect(FakeBackend(images=['a'])).start('a').remove(force=True); "
        "print([name for name in ('docker', 'podman', 'requests', 'pytest') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"


@pytest.mark.parametrize("command", ["echo hello", ["echo", "hello"], ("echo", "hello")], ids=["line", "list", "tuple"])
def test_a_command_answers_what_was_told(engine: ck.Engine, fake: FakeBackend, command: Any) -> None:
    """on() accepts a line or a sequence; run returns both streams and the exit code."""
    fake.on(command, stdout="hello\n", stderr="no\n", exit_code=3)
    result = engine.run("app:1", "echo hello")
    assert (result.stdout, result.stderr, result.exit_code) == ("hello\n", "no\n", 3)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("out", (0, "out", "")),
        (b"out", (0, "out", "")),
        (4, (4, "", "")),
        ((4, "o"), (4, "o", "")),
        ((4, b"o", "e"), (4, "o", "e")),
        (Reply(b"o", b"e", 4), (4, "o", "e")),
        (lambda argv, stdin: f"{argv[1]} {stdin.decode()}", (0, "x in", "")),
        (lambda argv, stdin: (7, b"", stdin), (7, "", "in")),
    ],
    ids=["text", "bytes", "code", "pair", "three", "reply", "function-text", "function-three"],
)
def test_every_form_of_an_answer(answer: Any, told: tuple[int, str, str]) -> None:
    """An answer is text, a number, a tuple, or a function of the arguments and stdin."""
    engine = ck.connect(FakeBackend(images="app:1", commands={("tool", "x"): answer}))
    result = engine.run("app:1", ["tool", "x"], input="in")
    assert (result.exit_code, result.stdout, result.stderr) == told


@pytest.mark.parametrize(
    ("command", "answer"),
    [("", 0), ([], 0), ([5], 0), (5, 0), ("x", 1.5), ("x", (True,) * 4), ("x", (0, 5))],
    ids=repr,
)
def test_a_script_that_is_none_is_refused(fake: FakeBackend, command: Any, answer: Any) -> None:
    """An invalid command or answer raises InvalidOption."""
    with pytest.raises(ck.InvalidOption):
        fake.on(command, answer)


def test_an_open_pattern_takes_what_follows_and_the_last_one_told_counts(engine: ck.Engine, fake: FakeBackend) -> None:
    """`...` matches further arguments; later scripts are tried first, and None passes the command on."""
    fake.on(["git", ...], stdout="any").on("git status", stdout="clean")
    fake.on(["git", "log", ...], lambda argv, stdin: "one" if "-1" in argv else None)
    assert [engine.run("app:1", f"git {rest}").stdout for rest in ("fetch", "status", "log -1", "log -2")] == [
        "any",
        "clean",
        "one",
        "any",
    ]


def test_what_is_not_scripted_runs_until_it_is_stopped(engine: ck.Engine) -> None:
    """start() of an unscripted command runs; run() and exec() of it raise Unsupported."""
    with engine.start("app:1", "serve") as container:
        assert container.status == "running"
        with pytest.raises(ck.Unsupported, match=r"on\(\['ls'\]"):
            container.exec("ls")
        container.stop()
        assert (container.status, container.exit_code) == ("exited", 143)
    with pytest.raises(ck.Unsupported, match="on"):
        engine.run("app:1", "serve")
    assert engine.containers.list(all=True) == []


def test_a_script_may_write_and_run_on(engine: ck.Engine, fake: FakeBackend) -> None:
    """until_stopped: the log has the output, and run(timeout=) raises EngineTimeout."""
    fake.on("serve", stdout="ready\n", until_stopped=True)
    with engine.start("app:1", "serve") as container:
        container.wait_until(wait.log_line("ready"), timeout=5)
        assert container.status == "running"
    with pytest.raises(ck.EngineTimeout) as caught:
        engine.run("app:1", "serve", timeout=0.2)
    assert caught.value.stdout == "ready\n"


def test_a_started_script_is_over_at_once(engine: ck.Engine, fake: FakeBackend) -> None:
    """A scripted command without stdin has ended when start() returns."""
    fake.on("job", stdout="done\n", exit_code=2)
    with engine.start("app:1", "job") as container:
        assert (container.status, container.exit_code, container.logs().stdout) == ("exited", 2, "done\n")


def test_exec_answers_with_stdin(engine: ck.Engine, fake: FakeBackend) -> None:
    """exec passes stdin to the script and returns its answer."""
    fake.on("sort", lambda argv, stdin: b"".join(sorted(stdin.splitlines(keepends=True))))
    with engine.start("app:1", "serve") as container:
        assert container.exec("sort", input="b\na\n").stdout == "a\nb\n"


@pytest.mark.parametrize(("code", "health"), [(0, "healthy"), (1, "unhealthy")])
def test_health_is_what_its_script_says(engine: ck.Engine, fake: FakeBackend, code: int, health: str) -> None:
    """A health check runs its script at each look, and is unhealthy after its retries."""
    fake.on("ping db", exit_code=code)
    with engine.start("app:1", "serve", health_cmd="ping db", health_retries=1) as container:
        assert container.health == "starting"
        assert fake.check_health(container.id) == health


def test_layers_are_unpacked_with_their_whiteouts(engine: ck.Engine) -> None:
    """A container sees the merged tree of its layers."""
    builder = ImageBuilder().layer(files={"a": "1", "d/x": "x", "d/y": "y", "gone/z": "z"}, symlinks={"l": "d/x"})
    builder = builder.layer(files={"a": "2", "gone/new": "n"}, whiteouts=["d/y"], opaque=["gone"], links={"h": "a"})
    loaded = image(engine, builder.run_config(Cmd=["serve"]).tag("built:1"))
    with engine.containers.create("built:1") as container:
        read = container.read_file
        assert [read("/a"), read("/l"), read("/h"), read("/gone/new")] == [b"2", b"x", b"2", b"n"]
        for path in ("/d/y", "/gone/z"):
            with pytest.raises(ck.NotFound):
                read(path)
        assert container.diff() == ()
    assert [layer.diff_id for layer in loaded.layers()] == list(builder.diff_ids)
    assert loaded.layers().tree()["/a"].size == 1


def test_a_commit_holds_what_was_changed(engine: ck.Engine) -> None:
    """diff() and the committed layer agree, and the new image can be saved and loaded."""
    image(engine, ImageBuilder().layer(files={"keep": "k", "old/f": "f"}).run_config(Cmd=["x"]).tag("base:1"))
    with engine.containers.create("base:1") as container:
        container.write_file("/new", "n")
        made = container.commit("made:1")
        assert [(c.path, c.kind) for c in container.diff()] == [("/new", "added")]
    with engine.containers.create("made:1") as container:
        assert container.read_file("/new") == b"n"
    assert made.history()[-1].empty_layer is not True
    assert len(made.layers()) == 2


def test_volumes_are_shared_and_filled(engine: ck.Engine) -> None:
    """A new volume starts with the image's files, and two containers see the same files."""
    image(engine, ImageBuilder().layer(files={"data/seed": "s"}).run_config(Cmd=["x"]).tag("seeded:1"))
    with (
        engine.containers.create("seeded:1", volumes="shared:/data") as one,
        engine.containers.create("app:1", volumes="shared:/v") as two,
    ):
        one.write_file("/data/more", "m")
        assert (two.read_file("/v/seed"), two.read_file("/v/more")) == (b"s", b"m")


def test_addresses_are_given_and_held(engine: ck.Engine) -> None:
    """A static address and MAC are applied, others are free ones, and a taken one raises StartFailed."""
    with (
        engine.networks.create("net", subnet="10.9.8.0/24", gateway="10.9.8.1"),
        engine.start("app:1", network={"net": {"ip": "10.9.8.2"}}, mac_address="02:42:0a:00:00:63") as one,
        engine.start("app:1", network="net") as two,
    ):
        place = one.record.networks["net"]
        assert (place.ipv4_address, place.mac_address) == ("10.9.8.2", "02:42:0a:00:00:63")
        assert two.record.networks["net"].ipv4_address == "10.9.8.3"
        with pytest.raises(ck.StartFailed, match="taken"):
            engine.start("app:1", network={"net": {"ip": "10.9.8.2"}})
        one.stop()
        assert one.record.networks["net"].ipv4_address == ""


def test_published_ports_are_given_and_held(engine: ck.Engine) -> None:
    """A free host port is chosen; a port of another container raises StartFailed."""
    with engine.start("app:1", publish={80: 8080, 81: None}) as container:
        assert container.port(80).port == 8080
        assert container.port(81).port != 8080
        with pytest.raises(ck.StartFailed, match="8080"):
            engine.start("app:1", publish={80: 8080})


@pytest.mark.parametrize("kind", ["containers", "images", "volumes", "networks", "events"])
def test_an_unknown_filter_is_refused(engine: ck.Engine, kind: str) -> None:
    """An unknown filter raises an error."""
    with (
        engine.start("app:1"),
        engine.volumes.create("vol"),
        pytest.raises((ck.EngineError, ck.InvalidOption), match="colour"),
    ):
        if kind == "events":
            list(engine.events(since=0, until=1, filters={"colour": "red"}))
        else:
            getattr(engine, kind).list(filters={"colour": "red"})


def test_options_that_hold_nothing_can_be_pretended() -> None:
    """A limit raises LimitNotEnforced unless the test pretends the capability; then it is shown."""
    with pytest.raises(ck.LimitNotEnforced):
        ck.connect(FakeBackend(images="app:1")).start("app:1", memory="64m")
    engine = ck.connect(FakeBackend(images="app:1", pretend={Capability.MEMORY_LIMIT}))
    with engine.start("app:1", memory="64m") as container:
        assert container.inspect()["HostConfig"]["Memory"] == 64 << 20
        container.update(memory="32m")
        assert container.inspect()["HostConfig"]["Memory"] == 32 << 20
    with pytest.raises(ck.InvalidOption):
        FakeBackend(pretend={Capability.STATS})


def test_closing_the_engine_removes_what_it_made(fake: FakeBackend) -> None:
    """Closing removes the session's resources and keeps those made with keep=True."""
    with ck.connect(fake) as engine:
        engine.start("app:1", name="goes")
        engine.start("app:1", name="stays", keep=True)
        engine.volumes.create("vol")
    with ck.connect(fake) as engine:
        assert [container.name for container in engine.containers.list()] == ["stays"]
        assert engine.volumes.list() == []


def test_a_damaged_archive_is_refused(fake: FakeBackend) -> None:
    """A layer that differs from its diff ID raises InvalidImage, and nothing is stored."""
    data = ImageBuilder().layer(files={"a": "1"}).tag("bad:1").broken("wrong diff_id").to_docker_archive()
    with pytest.raises(ck.InvalidImage):
        fake.load_images([data])
    assert not ck.connect(fake).images.exists("bad:1")


def test_a_path_may_begin_with_a_tilde(engine: ck.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`load` and `save` expand ~, and a broken archive is refused before it is sent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    made = ImageBuilder().layer(files={"a": "b"}).tag("x:1")
    (tmp_path / "x.tar").write_bytes(made.to_docker_archive())
    assert engine.images.load("~/x.tar")[0].diff_ids == made.diff_ids
    assert engine.images.save("x:1", "~/saved.tar") == tmp_path / "saved.tar"
    (tmp_path / "broken.tar").write_bytes(b"no tar")
    with pytest.raises(ck.InvalidImage):
        engine.images.load("~/broken.tar")
