"""Waiting strategies, on a container whose state the test scripts."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import containerkit as ck
from containerkit import wait
from containerkit.backends.base import Address, ContainerRecord
from containerkit.resources.container import Container
from containerkit.streams import Output, OutputStream
from containerkit.testing import FakeBackend


class Scripted(FakeBackend):
    """A backend whose one container changes its record at each inspect, and whose log is given."""

    def __init__(self, *records: dict[str, Any], log: tuple[Output, ...] = (), healths: tuple[str, ...] = ()) -> None:
        super().__init__()
        base = ContainerRecord("c" * 64, "web", "app:1", "sha256:" + "0" * 64, "running", {})
        self.records = [replace(base, **record) for record in records] or [base]
        self.since: float | None = -1.0
        self.log, self.healths = log, list(healths)

    def inspect_container(self, ref: str, *, size: bool = False) -> ContainerRecord:
        return self.records.pop(0) if len(self.records) > 1 else self.records[0]

    def check_health(self, ref: str) -> str | None:
        return self.healths.pop(0) if len(self.healths) > 1 else self.healths[0]

    def logs_container(self, ref: str, **options: Any) -> OutputStream:
        self.since = options["since"]
        return OutputStream(iter(self.log))


def box(backend: Scripted) -> Container:
    return Container(ck.connect(backend)._core, "c" * 64)


EXITED = {"status": "exited", "exit_code": 9, "started": 10.0, "finished": 20.0}


def test_exited_waits_for_the_end() -> None:
    """A running container is waited for; every exit code is accepted without an expected one."""
    assert box(Scripted({}, {}, EXITED)).wait_until(wait.exited(), timeout=5).exit_code == 9


def test_exited_with_another_code_fails_at_once() -> None:
    """exited(0) of a container that exited with 9 raises WrongState, and does not wait for the timeout."""
    started = time.monotonic()
    with pytest.raises(ck.WrongState, match="exited with code 9, not 0") as caught:
        box(Scripted(EXITED)).wait_until(wait.exited(0), timeout=30)
    assert time.monotonic() - started < 2
    assert caught.value.actual == "exited"


def test_exited_is_not_satisfied_between_two_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a restart policy, a container that exits and starts again has not exited."""
    monkeypatch.setattr("containerkit.resources.wait._RESTART_GRACE", 0.3)
    failing = {**EXITED, "restart": "on-failure"}
    backend = Scripted(failing, {"restart": "on-failure"}, {**failing, "started": 30.0, "finished": 31.0})
    started = time.monotonic()
    assert box(backend).wait_until(wait.exited(9), timeout=5).record.started == 30.0
    assert 0.3 <= time.monotonic() - started < 3


def test_exited_of_a_successful_run_needs_no_grace() -> None:
    """on-failure does not restart a container that exited with 0."""
    record = {**EXITED, "exit_code": 0, "restart": "on-failure"}
    started = time.monotonic()
    box(Scripted(record)).wait_until(wait.exited(0), timeout=5)
    assert time.monotonic() - started < 1


def test_healthy() -> None:
    """The health check is run until it reports healthy; without one the strategy is refused."""
    backend = Scripted({"has_health_check": True}, healths=("starting", "unhealthy", "healthy"))
    box(backend).wait_until(wait.healthy(), timeout=5)
    assert backend.healths == ["healthy"]
    with pytest.raises(ck.InvalidOption, match="health_cmd"):
        box(Scripted()).wait_until(wait.healthy(), timeout=5)


def lines(*texts: bytes, stream: Any = "stdout") -> tuple[Output, ...]:
    return tuple(Output(stream, text) for text in texts)


@pytest.mark.parametrize(
    ("log", "strategy"),
    [
        (lines(b"a\nre", b"ady\n"), wait.log_line("^ready$")),
        (lines(b"ready"), wait.log_line("ready")),
        (lines(b"a\r\nready\r\n"), wait.log_line("^ready$")),
        (lines(b"ready\n", b"x\n", b"ready\n"), wait.log_line("ready", times=2)),
        ((*lines(b"rea"), *lines(b"x\n", stream="stderr"), *lines(b"dy\n")), wait.log_line("ready")),
    ],
)
def test_log_line_is_found(log: tuple[Output, ...], strategy: wait.Strategy) -> None:
    """Lines are put together per stream, also an unfinished last one, and counted."""
    box(Scripted(log=log)).wait_until(strategy, timeout=5)


def test_log_line_in_a_log_that_was_followed_in_part() -> None:
    """The whole log decides where the followed one ends early, as Podman 4.3 ends that of an exited container."""

    class Short(Scripted):
        def logs_container(self, ref: str, **options: Any) -> OutputStream:
            return OutputStream(iter(self.log[:1] if options["follow"] else self.log))

    backend = Short(EXITED, log=lines(b"one\n", b"ready\n"))
    box(backend).wait_until(wait.log_line("ready"), timeout=5)
    with pytest.raises(ck.WrongState, match="1 of 2 lines"):
        box(backend).wait_until(wait.log_line("ready", times=2), timeout=5)


def test_log_line_that_never_comes() -> None:
    """A log that ends without the line raises WrongState with the count and the end of the log."""
    backend = Scripted(log=lines(b"one ready\n", b"two\n"))
    with pytest.raises(ck.WrongState, match=r"1 of 2 lines match 'ready'(?s:.*)two"):
        box(backend).wait_until(wait.log_line("ready", times=2), timeout=5)


@pytest.mark.parametrize(
    ("record", "since"),
    [
        ({"started": 10.0, "finished": 0.0}, None),
        ({"started": 30.0, "finished": 20.0}, 29.999),
        ({"started": 20.0005, "finished": 20.0}, 20.0),
        (EXITED, None),
    ],
)
def test_log_line_ignores_earlier_runs(record: dict[str, Any], since: float | None) -> None:
    """After a restart the log is read from the start of the current run."""
    backend = Scripted(record, log=lines(b"ready\n"))
    box(backend).wait_until(wait.log_line("ready"), timeout=5)
    assert backend.since == since


def test_a_container_that_ended_cannot_become_healthy() -> None:
    """A strategy that needs a running container raises WrongState once it has exited."""
    backend = Scripted({"has_health_check": True}, EXITED, healths=("starting",))
    with pytest.raises(ck.WrongState, match=r"it is exited, exit code 9"):
        box(backend).wait_until(wait.healthy(), timeout=5)


def test_timeouts_say_what_is_missing() -> None:
    """EngineTimeout names the strategy, the container, the limit, and what is missing."""
    backend = Scripted({"has_health_check": True}, healths=("starting",), log=lines(b"booting\n"))
    started = time.monotonic()
    with pytest.raises(
        ck.EngineTimeout, match=r"healthy\(\) of container.*within 0.3 s; its health is starting"
    ) as caught:
        box(backend).wait_until(wait.healthy(), timeout=0.3)
    assert "booting" in str(caught.value)
    assert caught.value.timeout == 0.3
    assert time.monotonic() - started < 2


@pytest.fixture
def server() -> Iterator[int]:
    """A web server that answers 404 to everything but /ok."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/ok" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_port
        running.shutdown()


def published(port: int) -> dict[str, Any]:
    return {"ports": {(80, "tcp"): (Address("0.0.0.0", port),)}}


def test_http_through_a_published_port_and_on_the_host_s_network(server: int) -> None:
    """A status below 400, or the expected one, satisfies the strategy."""
    box(Scripted(published(server))).wait_until(wait.http("/ok"), timeout=5)
    box(Scripted(published(server))).wait_until(wait.http("/", status=404), timeout=5)
    box(Scripted({"network_mode": "host"})).wait_until(wait.http("/ok", port=server), timeout=5)
    with pytest.raises(ck.EngineTimeout, match="status 404"):
        box(Scripted(published(server))).wait_until(wait.http("/"), timeout=1.0)
    with pytest.raises(ck.InvalidOption, match="publish="):
        box(Scripted()).wait_until(wait.http("/"), timeout=5)


def test_port_open(server: int) -> None:
    """A published port on which a process listens is open; one that refuses connections is not."""
    box(Scripted(published(server))).wait_until(wait.port_open(80), timeout=5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ck.EngineTimeout, match="does not accept"):
            box(Scripted(published(unused.getsockname()[1]))).wait_until(wait.port_open(80), timeout=1.0)


def test_port_open_by_the_container_s_tables() -> None:
    """An unpublished port is looked up in /proc/net/tcp: state 0A is listening, the port is hexadecimal."""
    fake = FakeBackend(images=["app:1"])
    listening, connected = "0: 00000000:1F90 00000000:0000 0A 0", "1: 00000000:0050 00000000:0000 01 0"
    table = f"  sl  local_address rem_address   st\n   {listening}\n   {connected}\n"
    fake.on(["cat", "/proc/net/tcp", "/proc/net/tcp6"], stdout=table)
    with ck.connect(fake) as engine:
        container = engine.start("app:1", "serve")
        container.wait_until(wait.port_open(8080), timeout=5)
        with pytest.raises(ck.EngineTimeout, match="no process listens on port 80"):
            container.wait_until(wait.port_open(80), timeout=1.0)


def test_command() -> None:
    """The command is run until its exit code is 0."""
    fake = FakeBackend(images=["app:1"])
    codes = iter([1, 1, 0])
    fake.on("ready", lambda argv, stdin: (next(codes), b"", b""))
    with ck.connect(fake) as engine:
        engine.start("app:1", "serve").wait_until(wait.command("ready"), timeout=5)
        assert next(codes, None) is None
        fake.on("never", exit_code=3)
        with pytest.raises(ck.EngineTimeout, match=r"never exited with code 3|executing never"):
            engine.start("app:1", "serve").wait_until(wait.command("never"), timeout=1.0)


def test_combinations() -> None:
    """all_of needs each strategy once; any_of needs one, also if another has become impossible."""
    ready = lines(b"ready\n")
    box(Scripted(EXITED, log=ready)).wait_until(wait.all_of(wait.exited(9), wait.log_line("ready")), timeout=5)
    box(Scripted(EXITED, log=ready)).wait_until(wait.any_of(wait.exited(0), wait.log_line("ready")), timeout=5)
    with pytest.raises(ck.WrongState):
        box(Scripted(EXITED, log=ready)).wait_until(wait.all_of(wait.exited(0), wait.log_line("ready")), timeout=5)
    with pytest.raises(ck.WrongState, match=r"not 0.*not 1"):
        box(Scripted(EXITED)).wait_until(wait.any_of(wait.exited(0), wait.exited(1)), timeout=5)
    with pytest.raises(ck.EngineTimeout):
        box(Scripted(log=ready)).wait_until(wait.all_of(wait.exited(), wait.log_line("ready")), timeout=1.0)


@pytest.mark.parametrize("bad", [(), ("healthy",), (wait.exited(), None)])
def test_combinations_take_strategies_only(bad: tuple[Any, ...]) -> None:
    """An empty combination, or one of anything else, raises InvalidOption."""
    with pytest.raises(ck.InvalidOption):
        wait.any_of(*bad)
