"""Containers that the workers of a test run share, on the engine in memory."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit import wait
from containerkit.pytest_plugin.recorded import is_running
from containerkit.pytest_plugin.shared import KEPT, SHARED, SharedContainers, path_of
from containerkit.testing import FakeBackend

Worker = Callable[..., SharedContainers]


@pytest.fixture
def engine() -> Iterator[ck.Engine]:
    backend = FakeBackend(images=["app:1"]).on("serve", stdout="ready\n", until_stopped=True).on("end", exit_code=0)
    with ck.connect(backend) as opened:
        yield opened


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def worker(engine: ck.Engine, notes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    made: list[SharedContainers] = []

    def make(run: str = "run", *, keep: bool = False) -> SharedContainers:
        made.append(
            SharedContainers(lambda: engine, run, keep=keep, note=lambda what, image: notes.append(f"{what} {image}"))
        )
        return made[-1]

    yield make
    for used in [file for shared in made for file in shared._used.values()]:
        used.close()
    for shared in made:
        shared.close()


def test_two_workers_use_one_container(worker: Worker, engine: ck.Engine, notes: list[str]) -> None:
    """The second finds what the first started; other arguments and other runs mean another container."""
    first, second = worker(), worker()
    container = first("app:1", "serve")
    assert first("app:1", "serve") is container
    assert second("app:1", "serve").id == container.id
    assert second("app:1", "serve", env={"A": "1"}).id != container.id
    assert worker("other")("app:1", "serve").id != container.id
    assert notes == ["started app:1", "reused app:1", "started app:1", "started app:1"]
    assert len(engine.containers.list()) == 3


def test_only_the_last_user_removes_it(worker: Worker, engine: ck.Engine, tmp_path: Path) -> None:
    """The worker that started it waits for the others, and leaves no lock behind."""
    first, second = worker(), worker()
    container = first("app:1", "serve")
    second("app:1", "serve")
    (key,) = first._mine
    first._used[key].close()
    assert not first._removed(key, container)
    assert container.refresh().status == "running"
    second.close()
    assert container.refresh().status == "running"
    first.close()
    assert engine.containers.list(all=True) == []
    assert list(tmp_path.rglob("*.lock")) == list(tmp_path.rglob("*.users")) == []


def test_a_stopped_container_is_replaced(worker: Worker, engine: ck.Engine) -> None:
    """A container that has exited is removed, and another one is started."""
    first = worker()("app:1", "end")
    second = worker()("app:1", "end")
    assert first.id != second.id
    assert [each.id for each in engine.containers.list(all=True)] == [second.id]


@pytest.mark.parametrize("labels", [{"mine": "1"}, ["mine=1"]], ids=["mapping", "list"])
def test_labels_are_added_to_those_given(worker: Worker, labels: object) -> None:
    """A shared container carries its key beside the user's own labels, and no mark of a kept one."""
    found = worker()("app:1", "serve", labels=labels).labels
    assert found["mine"] == "1"
    assert found[SHARED].startswith("run-")
    assert KEPT not in found


def test_a_kept_container_outlives_its_run(worker: Worker, engine: ck.Engine, notes: list[str]) -> None:
    """The next run reuses it."""
    first = worker("one", keep=True)
    container = first("app:1", "serve")
    first.close()
    assert container.refresh().labels[KEPT] == "true"
    assert worker("two", keep=True)("app:1", "serve").id == container.id
    assert notes == ["started app:1", "reused app:1"]


def test_a_strategy_is_waited_for_and_logs_are_shown(worker: Worker) -> None:
    """The call returns once the strategy is satisfied."""
    shared = worker()
    container = shared("app:1", "serve", wait=wait.log_line("ready"), wait_timeout=30)
    assert [text.strip() for _, text in shared.logs()] == ["ready"]
    assert shared.started == [container]


def test_the_folder_of_another_user_is_refused(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks in a folder that someone else made could be held by them for ever."""
    folder = path_of("key", "lock").parent
    stranger = os.getuid() + 1
    folder.rename(folder.with_name(f"containerkit-pytest-{stranger}"))
    monkeypatch.setattr("os.getuid", lambda: stranger)
    with pytest.raises(PermissionError, match="belongs to another user"):
        worker()("app:1", "serve")


@pytest.fixture
def seen(engine: ck.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine show that a container runs, as it does with a local engine."""
    monkeypatch.setattr(
        "containerkit.pytest_plugin.shared.is_running",
        lambda facts: engine.containers.get(facts["id"]).status == "running",
    )


def unopened() -> ck.Engine:
    raise AssertionError("nothing needs the engine")


@pytest.mark.usefixtures("seen")
def test_a_worker_reads_what_another_wrote_down(worker: Worker, engine: ck.Engine, notes: list[str]) -> None:
    """Identity and ports need no engine, nor does a strategy that is satisfied; everything else opens it."""
    options: dict[str, Any] = {"publish": {80: ("127.0.0.1", 8080)}, "labels": {"mine": "1"}, "name": "web"}
    real = worker()("app:1", "serve", wait=wait.log_line("ready"), **options)
    other = SharedContainers(unopened, "run", keep=False, note=lambda what, image: notes.append(f"{what} {image}"))
    found = other("app:1", "serve", wait=wait.log_line("ready"), **options)
    assert (found.id, found.short_id, found.name, found.image) == (real.id, real.short_id, "web", real.image)
    assert found.labels == real.labels
    assert found.port(80) == real.port(80)
    assert (repr(found), hash(found)) == (f"<Container {real.short_id} web (shared, {real.image})>", hash(real.id))
    assert notes == ["started app:1", "reused app:1"]
    for use in (lambda: found.status, lambda: found.port(81), lambda: other("app:1", "serve", wait=wait.healthy())):
        with pytest.raises(AssertionError, match="nothing needs"):
            use()
    other.close()
    third = worker()("app:1", "serve", wait=wait.log_line("ready"), **options)
    assert isinstance(third, ck.Container)
    assert third == found
    assert "ready" in str(third.logs())
    with pytest.raises(ck.NotFound, match="81/tcp"):
        third.port(81)
    with third:
        assert third.status == "running"
    assert engine.containers.list(all=True) == []


@pytest.mark.usefixtures("seen")
def test_a_recorded_container_that_has_stopped_is_replaced(worker: Worker) -> None:
    """What is written down holds only while the container is seen to run."""
    first = worker()("app:1", "serve")
    first.stop()
    assert worker()("app:1", "serve").id != first.id


def test_logs_show_a_container_that_did_not_get_ready(worker: Worker) -> None:
    """The next worker looks for itself."""
    for shared in (worker(), worker()):
        with pytest.raises(ck.EngineTimeout):
            shared("app:1", "serve", wait=wait.log_line("never"), wait_timeout=0.2)
        assert [text.strip() for _, text in shared.logs()] == ["ready"]


def served(answer: bytes, folder: Path) -> tuple[str, list[bytes]]:
    """Answer one request at a socket; return its URL, and what was asked."""
    asked: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "engine"))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with listener, connection:
            asked.append(connection.recv(4096))
            connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return f"unix://{folder}/engine", asked


@pytest.mark.parametrize(
    ("answer", "runs"),
    [
        (b'HTTP/1.0 200 OK\r\n\r\n{"State": {"Status": "running"}}', True),
        (b'HTTP/1.0 200 OK\r\n\r\n{"State": {"Status": "exited"}}', False),
        (b'HTTP/1.0 404 Not Found\r\n\r\n{"message": "No such container"}', False),
        (b'HTTP/1.0 200 OK\r\n\r\n{"State": {"Status": "runn', False),
        (b"", False),
    ],
    ids=["running", "exited", "gone", "cut", "nothing"],
)
def test_an_engine_on_this_machine_says_whether_a_container_runs(answer: bytes, runs: bool, tmp_path: Path) -> None:
    """Anything but a whole answer that says so means that a client has to look."""
    url, asked = served(answer, tmp_path)
    assert is_running({"id": "abc123", "url": url}) is runs
    assert asked[0].startswith(b"GET /containers/abc123/json HTTP/1.0\r\n")


@pytest.mark.parametrize("url", ["ssh://host", "tcp://host:2375", "unix:///nothing/here"])
def test_an_engine_elsewhere_is_not_asked(url: str) -> None:
    """A client has to look there."""
    assert not is_running({"id": "abc123", "url": url})
