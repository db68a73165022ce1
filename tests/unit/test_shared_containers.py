"""Containers that the workers of a test run share, on the engine in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import containerkit as ck
from containerkit import wait
from containerkit.pytest_plugin.shared import KEPT, SHARED, SharedContainers
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
        made.append(SharedContainers(engine, run, keep=keep, note=lambda what, image: notes.append(f"{what} {image}")))
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
    shared = worker()
    shared._file("key", "lock")
    real = shared._file("key", "lock").parent.stat().st_uid
    folder = shared._file("key", "lock").parent
    monkeypatch.setattr("os.getuid", lambda: real + 1)
    folder.rename(folder.with_name(f"containerkit-pytest-{real + 1}"))
    with pytest.raises(PermissionError, match="belongs to another user"):
        shared._file("key", "lock")
