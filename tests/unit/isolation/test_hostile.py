"""Engines that are broken or lie: unknown or fail with a reason, never a pass that is not earned, never a traceback."""

from __future__ import annotations

import copy
import platform
import random
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from containerkit.backends.base import Backend
from containerkit.errors import EngineError, EngineTimeout, EngineUnavailable, InvalidOption
from containerkit.isolation import check_engine
from containerkit.isolation.program import build_program, decode, end_marker
from containerkit.isolation.values import Status

from . import world

NONCE = b"0123456789abcdef0123456789abcdef"


class Scripted:
    """A backend that answers as told, and remembers what was made and not removed."""

    kind = "docker"
    url = "unix:///nonexistent/engine.sock"
    capabilities: frozenset[str] = frozenset()

    def __init__(
        self, raw: Mapping[str, Any] | None = None, *, output: Callable[[str], bytes] = lambda nonce: b""
    ) -> None:
        self.raw = world.raw("docker-rootful") if raw is None else raw
        self.output = output
        self.left: set[str] = set()
        self.failing: dict[str, BaseException] = {}

    def _may(self, verb: str) -> None:
        if verb in self.failing:
            raise self.failing[verb]

    def info(self) -> Any:
        self._may("info")
        return SimpleNamespace(raw=self.raw, version="20", arch="x86_64")

    def inspect_network(self, ref: str) -> Any:
        raise EngineError(f"no network {ref}")

    def list_containers(self, **_: Any) -> tuple[Any, ...]:
        self._may("list_containers")
        return ()

    def load_images(self, data: Any) -> tuple[str, ...]:
        self.left.add("image")
        assert b"".join(data)
        self._may("load_images")
        return ("x",)

    def remove_image(self, ref: str, **_: Any) -> None:
        self.left.discard("image")
        self._may("remove_image")

    def create_container(self, spec: Any) -> Any:
        self._may("create_container")
        self.left.add(spec.name)
        self.nonce = spec.command[0]
        self._may("after create")
        return SimpleNamespace(id=spec.name, warnings=())

    def attach_container(self, ref: str, **_: Any) -> Any:
        self._may("attach_container")
        return Attached(self)

    def start_container(self, ref: str) -> None:
        self._may("start_container")

    def inspect_container(self, ref: str, **_: Any) -> Any:
        self._may("inspect_container")
        return SimpleNamespace(raw={}, pid=0)

    def remove_container(self, ref: str, **_: Any) -> None:
        self.left.discard(ref)
        self._may("remove_container")


class Attached:
    def __init__(self, backend: Scripted) -> None:
        self.backend = backend

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *_: object) -> None: ...

    def exchange(self, **_: Any) -> Iterator[Any]:
        yield SimpleNamespace(stream="stdout", data=self.backend.output(self.backend.nonce))
        self.backend._may("exchange")


def check(backend: Scripted, **options: Any) -> Any:
    return check_engine(cast("Backend", backend), {"label": "1"}, **options)


PROBED = (
    "seccomp",
    "userns-active",
    "container-root-uid",
    "keyring",
    "module-loading",
    "clock",
    "limits-enforced",
)


@pytest.mark.parametrize(
    "output",
    [
        lambda nonce: b"",
        lambda nonce: b"uid_map: 0 100000 65536\nSeccomp: 2\n",
        lambda nonce: b"containerkit-probe\x01" + b"f" * 32 + b"\0" * 4000 + b"END" + b"f" * 32,
        lambda nonce: b"containerkit-probe\x01" + nonce.encode() + b"END" + nonce.encode(),
        lambda nonce: b"containerkit-probe\x01" + nonce.encode() + b"\xff" * 9000 + b"END" + nonce.encode(),
        lambda nonce: b"containerkit-probe\x01" + nonce.encode() + b"\0" * 3 + b"END" + nonce.encode(),
        lambda nonce: b"x" * (2 << 20),
    ],
)
def test_an_answer_that_is_none(output: Callable[[str], bytes]) -> None:
    """What a lying program prints is not believed: every check that needs the probe is unknown, with the reason."""
    backend = Scripted(output=output)
    report = check(backend)
    for name in PROBED:
        assert report.get(name).status is Status.UNKNOWN, name
        assert report.get(name).reason
    assert not backend.left


@pytest.mark.parametrize(
    "verb",
    [
        *("info", "list_containers", "load_images", "remove_image", "create_container", "after create"),
        *("attach_container", "start_container", "exchange", "inspect_container", "remove_container"),
    ],
)
@pytest.mark.parametrize(
    "error", [EngineUnavailable("the socket died"), EngineError("no", status=500), EngineTimeout("late", timeout=1.0)]
)
def test_an_engine_that_dies(verb: str, error: Exception) -> None:
    """Whatever request fails, and however: a report, with the reasons in it, and nothing left that could be removed."""
    backend = Scripted()
    backend.failing[verb] = error
    report = check(backend)
    assert report.get("seccomp").status is Status.UNKNOWN
    assert report.get("userns-active").status is not Status.PASS
    assert not backend.left


@pytest.mark.parametrize("verb", ["load_images", "create_container", "after create", "start_container", "exchange"])
def test_an_interrupt(verb: str) -> None:
    """Ctrl-C comes through, after everything has been removed."""
    backend = Scripted()
    backend.failing[verb] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        check(backend)
    assert not backend.left


@pytest.mark.parametrize(
    "raw",
    [{}, {"version": None, "info": None}, {"version": [], "info": "no"}, {"version": {"Components": "x"}, "info": 3}],
)
def test_answers_that_are_missing_or_mistyped(raw: Mapping[str, Any]) -> None:
    """An engine that says nothing sound about itself earns no pass by it."""
    report = check(Scripted(raw))
    for name in ("engine-kind", "engine-rootless", "userns-remap", "tcp-exposed", "storage-driver"):
        assert report.get(name).status is Status.UNKNOWN, name


@pytest.mark.parametrize("engine", world.ENGINES)
def test_any_field_of_any_wrong_type(engine: str) -> None:
    """Take any field of an engine's answers, make it anything: no traceback, and no fail becomes a pass."""
    strange: tuple[Any, ...] = (None, True, -1, 1.5, "name=rootless", [], ["name=rootless", 3], {}, {"a": []})
    generator = random.Random(engine)
    before = {result.id: result.status for result in world.report(world.facts(engine))}
    for path in tuple(_paths(world.raw(engine))):
        changed = copy.deepcopy(world.raw(engine))
        _put(changed, path, generator.choice(strange))
        found = world.facts(engine)
        report = world.report(_with(found, world.engine_facts(engine, changed)))
        for result in report:
            assert result.status is not Status.UNKNOWN or result.reason
            if before[result.id] is Status.FAIL and result.status is Status.PASS:
                assert result.id in ("engine-rootless", "limits-honest", "tcp-exposed"), (path, result)


def _with(found: Any, engine: Any) -> Any:
    from dataclasses import replace

    return replace(found, engine=engine)


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from _paths(inner, (*at, key))


def _put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def test_an_engine_that_lies_about_root_is_contradicted_by_its_socket() -> None:
    """An engine of root that calls itself rootless does not pass: the kernel knows whose the socket is."""
    raw = world.raw("docker-rootful")
    raw["info"]["SecurityOptions"] = ["name=seccomp,profile=default", "name=rootless"]
    result = world.result(
        _with(world.facts("docker-rootful"), world.engine_facts("docker-rootful", raw)), "engine-rootless"
    )
    assert result.status is Status.WARN
    assert result.conflicts


def test_no_program_for_the_processor() -> None:
    """A processor that there is no program for: unknown, and nothing is made."""
    raw = world.raw("docker-rootful")
    raw["version"]["Arch"] = "riscv64"
    backend = Scripted(raw)
    backend.failing["load_images"] = AssertionError("nothing may be made")
    assert "riscv64" in (check(backend).get("seccomp").reason or "")


def test_no_check_of_that_name() -> None:
    """A misspelt id is an error that lists the right ones."""
    with pytest.raises(InvalidOption, match="engine-rootless"):
        check(Scripted(), only="engine-rootles")


def test_only_asks_no_more_than_it_needs() -> None:
    """One question about the engine makes no container."""
    backend = Scripted()
    backend.failing["load_images"] = AssertionError("nothing may be made")
    assert [result.id for result in check(backend, only="engine-kind")] == ["engine-kind"]


def test_an_answer_cut_anywhere_is_refused() -> None:
    """Half an answer is no answer: every cut of a true one raises ValueError."""
    if platform.machine() != "x86_64":
        pytest.skip("the recorded answer is this machine's own")
    whole = _run_program()
    decode(whole, NONCE)
    for at in range(0, len(whole), 97):
        with pytest.raises(ValueError, match=r"."):
            decode(whole[:at], NONCE)
    with pytest.raises(ValueError, match="nonce"):
        decode(whole, b"f" * 32)


def test_an_answer_with_any_byte_changed_is_never_a_traceback() -> None:
    """A changed answer is decoded or refused."""
    if platform.machine() != "x86_64":
        pytest.skip("the recorded answer is this machine's own")
    whole, generator = _run_program(), random.Random(1)
    for _ in range(500):
        changed = bytearray(whole)
        changed[generator.randrange(len(changed))] = generator.randrange(256)
        try:
            answers = decode(bytes(changed), NONCE)
        except ValueError:
            continue
        found = world.probe(world.facts("docker-rootful"), answers)
        assert len(world.report(found)) > 40


def _run_program() -> bytes:
    """The probe's program run right here: what it asks is harmless, but for a device node that only root can make."""
    import os
    import subprocess

    program = build_program(NONCE, arch="amd64").replace(b"/probe-null\0", b"/nowhere/xx\0")
    handle = os.memfd_create("probe")
    with os.fdopen(handle, "wb", buffering=0) as file:
        file.write(program)
        process = subprocess.Popen([f"/proc/self/fd/{handle}"], pass_fds=(handle,), stdout=subprocess.PIPE)
        assert process.stdout is not None
        heard = b""
        while not heard.endswith(end_marker(NONCE)):
            piece = os.read(process.stdout.fileno(), 1 << 16)
            assert piece, "the program ended early"
            heard += piece
        process.kill()
        process.wait()
        process.stdout.close()
    return heard
