"""Closing, timeouts and removal, on the engine in memory."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends.base import Created
from containerkit.spec import ContainerSpec
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder


@pytest.fixture
def fake() -> FakeBackend:
    return FakeBackend(images=["app:1"])


CLOSED: dict[str, Callable[[ck.Engine], object]] = {
    "info": lambda engine: engine.info(),
    "events": lambda engine: engine.events(),
    "run": lambda engine: engine.run("app:1", "x"),
    "start": lambda engine: engine.start("app:1"),
    "containers.list": lambda engine: engine.containers.list(),
    "containers.get": lambda engine: engine.containers.get("a"),
    "containers.create": lambda engine: engine.containers.create("app:1"),
    "containers.prune": lambda engine: engine.containers.prune(),
    "images.list": lambda engine: engine.images.list(),
    "images.get": lambda engine: engine.images.get("app:1"),
    "images.load": lambda engine: engine.images.load(ImageBuilder().layer(files={"a": "b"}).to_docker_archive()),
    "images.build": lambda engine: engine.images.build({"Dockerfile": "FROM app:1"}),
    "images.prune": lambda engine: engine.images.prune(),
    "volumes.list": lambda engine: engine.volumes.list(),
    "volumes.create": lambda engine: engine.volumes.create("vol"),
    "networks.list": lambda engine: engine.networks.list(),
    "networks.create": lambda engine: engine.networks.create("net"),
    "layers": lambda engine: engine.layers("app:1"),
    "savings": lambda engine: engine.savings(),
    "disk_usage": lambda engine: engine.disk_usage(),
    "check": lambda engine: engine.check(),
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_engine_raises(fake: FakeBackend, name: str) -> None:
    """Every call of a closed Engine raises EngineUnavailable that says so, or Unsupported; none returns a result."""
    engine = ck.connect(fake)
    engine.close()
    engine.close()
    with pytest.raises((ck.EngineUnavailable, ck.Unsupported)) as caught:
        CLOSED[name](engine)
    assert "closed" in str(caught.value) or isinstance(caught.value, ck.Unsupported)


def test_closing_ends_a_run_in_another_thread_with_an_error(fake: FakeBackend) -> None:
    """A run() whose container the closing removes raises EngineUnavailable, and no exit code 137 is returned."""
    running = threading.Event()
    results: list[object] = []

    def slow(argv: tuple[str, ...], stdin: bytes) -> str:
        running.set()
        threading.Event().wait(0.3)
        return "done"

    fake.on("slow", slow)
    engine = ck.connect(fake)

    def work() -> None:
        try:
            results.append(engine.run("app:1", "slow"))
        except ck.ContainerKitError as exc:
            results.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    assert running.wait(5)
    engine.close()
    thread.join(10)
    assert [type(result) for result in results] == [ck.EngineUnavailable]
    assert "closed" in str(results[0])
    assert not fake.list_containers(all=True, filters={})


class Refusing(FakeBackend):
    """An engine that cannot start containers, and at first not remove them either."""

    def __init__(self, *, removals_fail: int) -> None:
        super().__init__(images=["app:1"])
        self.removals_fail = removals_fail

    def start_container(self, ref: str) -> None:
        raise ck.StartFailed("starting: no such program", status=400)

    def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        if self.removals_fail:
            self.removals_fail -= 1
            raise ck.EngineError("removing: device busy", status=500)
        super().remove_container(ref, force=force, volumes=volumes)


def test_a_failed_start_is_the_error_that_is_raised() -> None:
    """If the removal after a failed start fails too, StartFailed is raised, and closing removes the container."""
    backend = Refusing(removals_fail=1)
    with ck.connect(backend) as engine:
        with pytest.raises(ck.StartFailed):
            engine.start("app:1")
        assert len(engine.containers.list(all=True)) == 1
    assert not backend.list_containers(all=True, filters={})


def test_a_timeout_says_that_the_removal_failed() -> None:
    """The message of a timed-out run() does not claim a removal that failed."""

    class Stuck(Refusing):
        def start_container(self, ref: str) -> None:
            FakeBackend.start_container(self, ref)

    backend = Stuck(removals_fail=1)
    backend.on("serve", until_stopped=True, stdout="ready")
    with (
        ck.connect(backend) as engine,
        pytest.raises(ck.EngineTimeout, match=r"could not be removed \(.*busy") as caught,
    ):
        engine.run("app:1", "serve", timeout=0.2)
    assert caught.value.stdout == "ready"
    backend = Stuck(removals_fail=0)
    backend.on("serve", until_stopped=True)
    with ck.connect(backend) as engine, pytest.raises(ck.EngineTimeout, match="killed and removed"):
        engine.run("app:1", "serve", timeout=0.2)


def test_run_removes_its_container_whatever_happens(fake: FakeBackend) -> None:
    """Success, failure, a failing callback: nothing is left."""

    def broken(output: object) -> None:
        raise RuntimeError("callback")

    fake.on("ok", stdout="out")
    fake.on("bad", exit_code=3)
    with ck.connect(fake) as engine:
        assert engine.run("app:1", "ok").stdout == "out"
        with pytest.raises(ck.CommandFailed):
            engine.run("app:1", "bad", check=True)
        with pytest.raises(RuntimeError, match="callback"):
            engine.run("app:1", "ok", on_output=broken)
        assert engine.containers.list(all=True) == []


class Recording(FakeBackend):
    """An engine that keeps the specs of creates."""

    def __init__(self) -> None:
        super().__init__(images=["app:1"])
        self.specs: list[ContainerSpec] = []

    def create_container(self, spec: ContainerSpec) -> Created:
        self.specs.append(spec)
        return super().create_container(spec)


@pytest.mark.parametrize(("keep", "left"), [(False, 0), (True, 1)])
def test_keep(keep: bool, left: int) -> None:
    """keep=True outlives the Engine, and has no session label."""
    backend = Recording()
    with ck.connect(backend) as engine:
        engine.start("app:1", "serve", keep=keep)
    assert len(backend.list_containers(all=True, filters={})) == left
    assert bool(backend.specs[0].labels["containerkit.session"]) is not keep


@pytest.mark.parametrize(
    "options",
    [
        {"check": "yes"}, {"keep": True}, {"restart": "always"}, {"pull": "sometimes"}, {"limits": "maybe"},
        {"timeout": -1}, {"input": 5}, {"on_output": 5}, {"check": 1}, {"keep": "yes"},
    ],
)  # fmt: skip
def test_run_refuses_before_anything_is_created(options: dict[str, Any]) -> None:
    """A bad argument of run() raises InvalidOption, and nothing is created."""
    backend = Recording()
    with ck.connect(backend) as engine, pytest.raises(ck.InvalidOption) as caught:
        engine.run("app:1", "x", **options)
    assert caught.value.name in options
    assert backend.specs == []


def test_limits_that_are_not_enforced(fake: FakeBackend) -> None:
    """A limit raises LimitNotEnforced; best-effort drops it, with a warning, and keeps the others."""
    backend = Recording()
    backend.capabilities = frozenset({*backend.capabilities, ck.Capability.PIDS_LIMIT})
    with ck.connect(backend) as engine:
        with pytest.raises(ck.LimitNotEnforced) as caught:
            engine.start("app:1", "serve", memory="64m", pids_limit=5)
        assert caught.value.limits == ("memory",)
        container = engine.start("app:1", "serve", memory="64m", pids_limit=5, limits="best-effort")
        assert backend.specs[-1].limits.memory is None
        assert backend.specs[-1].limits.pids_limit == 5
        assert "memory" in container.warnings[0]


def test_prunes(fake: FakeBackend) -> None:
    """Every prune returns a Pruned; named volumes stay unless all=True."""
    with ck.connect(fake) as engine:
        named, unnamed = engine.volumes.create("named"), engine.volumes.create()
        idle = engine.containers.create("app:1")
        running = engine.start("app:1", "serve")
        net = engine.networks.create("net")
        assert engine.volumes.prune() == ck.Pruned((unnamed.name,))
        assert (named.anonymous, unnamed.anonymous) == (False, True)
        assert engine.volumes.prune(all=True).removed == (named.name,)
        assert engine.containers.prune().removed == (idle.id,)
        assert running.refresh().status == "running"
        pruned = engine.networks.prune()
        assert (list(pruned), len(pruned), net.name in pruned, "bridge" in pruned) == ([net.name], 1, True, False)
        assert str(ck.Pruned(("a", "b"), 1234)) == "2 removed, 1,234 bytes freed\n  a\n  b"


def test_collections_remove_by_name(fake: FakeBackend) -> None:
    """containers.remove, networks.remove and volumes.remove take a name."""
    with ck.connect(fake) as engine:
        engine.containers.create("app:1", name="box")
        engine.networks.create("net")
        engine.volumes.create("vol")
        engine.containers.remove("box")
        engine.networks.remove("net")
        engine.volumes.remove("vol")
        assert (engine.containers.exists("box"), engine.networks.exists("net"), engine.volumes.exists("vol")) == (
            False, False, False,
        )  # fmt: skip
        with pytest.raises(ck.ContainerNotFound):
            engine.containers.remove("box")


@pytest.mark.parametrize(
    ("function", "option"),
    [
        (ck.Engine.run, "memory"), (ck.Engine.run, "timeout"), (ck.Engine.start, "volumes"),
        (ck.Container.exec, "user"), (ck.Container.update, "cpus"),
    ],
)  # fmt: skip
def test_help_names_every_option(function: Any, option: str) -> None:
    """Signatures and docstrings list the options of the command line."""
    assert option in inspect.signature(function).parameters
    assert f"{option}:" in (function.__doc__ or "")


def test_update_reads_limits_and_policy(fake: FakeBackend) -> None:
    """update() needs something to change, and refuses limits that are not enforced."""
    backend = FakeBackend(images=["app:1"], pretend=[ck.Capability.MEMORY_LIMIT])
    with ck.connect(backend) as engine:
        container = engine.start("app:1", "serve")
        with pytest.raises(ck.InvalidOption):
            container.update()
        with pytest.raises(ck.LimitNotEnforced):
            container.update(cpus=1)
        assert container.update(memory="64m", restart="on-failure:3") == ()


def test_logs_are_safe_to_print() -> None:
    """str() of logs escapes control characters; text and bytes keep them."""
    logs = ck.Logs(b"a\x1b[2J\n", b"", "a\x1b[2J\n")
    assert str(logs) == "a\\x1b[2J\n"
    assert (logs.text, logs.stdout, list(logs), "a" in logs) == ("a\x1b[2J\n", "a\x1b[2J\n", ["a\x1b[2J"], True)


def test_messages_name_the_container(fake: FakeBackend) -> None:
    """An error names the container by its name and 12 digits, never by 64."""
    with ck.connect(fake) as engine:
        container = engine.start("app:1", "serve", name="web").refresh()
        with pytest.raises(ck.NotFound, match=rf"container web \({container.short_id}\)") as caught:
            container.port(80)
        assert container.id not in str(caught.value)
