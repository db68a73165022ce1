"""Docker Swarm from an engine in memory that answers as a manager does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import containerkit as ck
from containerkit.backends import swarm as module
from containerkit.backends.swarm import SwarmBackend
from containerkit.backends.swarm_tasks import Task, record, service_body
from containerkit.backends.transport import Request, Response
from containerkit.engine import Engine
from containerkit.options import container_spec
from containerkit.testing import FakeBackend
from tests.scripted import DOCKER_INFO, VERSION, Scripted

MANAGER = {**DOCKER_INFO, "Swarm": {"ControlAvailable": True}}


class Manager:
    """Services and tasks of a swarm with one node. `end` says what becomes of a task that starts."""

    def __init__(self) -> None:
        self.services: dict[str, dict[str, Any]] = {}
        self.tasks: list[dict[str, Any]] = []
        self.end: dict[str, Any] = {"State": "complete", "ContainerStatus": {"ContainerID": "c" * 64, "ExitCode": 0}}
        self.node_state = "ready"
        self.log = b"\1\0\0\0\0\0\0\6hello\n"
        self.stale = 0  # updates that are refused because the version is old
        self.headers: list[Any] = []

    def __call__(self, request: Request) -> Response:
        split = urlsplit(request.target)
        path = re.sub(r"^/v[0-9.]+", "", split.path)
        body = json.loads(request.body) if isinstance(request.body, bytes) and request.body else {}
        filters = json.loads(parse_qs(split.query).get("filters", ["{}"])[0])
        if path == "/info":
            return self.answer(MANAGER)
        if path == "/nodes":
            row = {"ID": "n1", "Description": {"Hostname": "node1"}, "Status": {"State": self.node_state}}
            return self.answer([row])
        if path == "/services/create":
            if any(each["Spec"]["Name"] == body.get("Name") for each in self.services.values() if body.get("Name")):
                return self.answer({"message": "rpc error: name conflicts with an existing object"}, 409)
            if body.get("Name") == "net":
                return self.answer({"message": "network none-such not found"}, 404)
            key = f"s{len(self.services)}".ljust(25, "x")
            created = f"2026-01-01T00:00:0{len(self.services)}Z"
            self.services[key] = {"ID": key, "Version": {"Index": 1}, "Spec": body, "CreatedAt": created}
            self.headers.append(request.headers)
            return self.answer({"ID": key}, 201)
        if path == "/services":
            return self.answer(list(self.services.values()))
        if path == "/tasks":
            wanted = filters.get("service")
            return self.answer([each for each in self.tasks if not wanted or each["ServiceID"] in wanted])
        if found := re.fullmatch(r"/services/(\w+)(/\w+)?", path):
            return self.one(request, found[1], found[2], body)
        return self.answer({"message": f"unexpected {request.method} {path}"}, 500)

    def one(self, request: Request, key: str, verb: str | None, body: Any) -> Response:
        if key not in self.services:
            return self.answer({"message": "not found"}, 404)
        if verb == "/update":
            if self.stale:
                self.stale -= 1
                return self.answer({"message": "update out of sequence"}, 500)
            self.services[key]["Spec"] = body
            if body["Mode"]["Replicated"]["Replicas"]:
                number = len(self.tasks)
                task = {
                    "ID": f"t{number}",
                    "ServiceID": key,
                    "NodeID": "n1",
                    "CreatedAt": f"2026-01-01T00:01:0{number}Z",
                }
                self.tasks.append({**task, "Status": self.end})
            else:
                self.tasks = [each for each in self.tasks if each["ServiceID"] != key]
            return self.answer({})
        if verb == "/logs":
            return Response(200, {}, self.log)
        if request.method == "DELETE":
            del self.services[key]
            return self.answer({})
        return self.answer(self.services[key])

    @staticmethod
    def answer(value: Any, status: int = 200) -> Response:
        return Response(status, {}, json.dumps(value).encode())


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    monkeypatch.setattr(module, "_PAUSES", (0.001, 0.001))
    monkeypatch.setattr(module, "_NODES_AGE", 0.0)
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    return Manager()


def opened(manager: Manager, **options: Any) -> SwarmBackend:
    return SwarmBackend("unix:///x", timeout=7.0, version=VERSION, transport=Scripted(manager), **options)


@pytest.fixture
def engine(manager: Manager) -> Iterator[ck.Engine]:
    with Engine(opened(manager)) as engine:
        yield engine


def running(manager: Manager) -> None:
    manager.end = {"State": "running", "ContainerStatus": {"ContainerID": "c" * 64}}


def test_a_run_is_a_service_that_ends(engine: ck.Engine, manager: Manager) -> None:
    """Output from the log, the exit code from the task; the service is removed."""
    result = engine.run("app:1", "work", memory="64m", cpus=0.5)
    assert (result.exit_code, result.stdout) == (0, "hello\n")
    assert manager.services == {}
    manager.end = {"State": "failed", "ContainerStatus": {"ContainerID": "c", "ExitCode": 3}}
    assert engine.run("app:1", "work").exit_code == 3
    found = engine.map("app:1", ["a", "b"], max_concurrent=2)
    assert [(each.command, each.result.exit_code if each.result else None) for each in found] == [("a", 3), ("b", 3)]


def test_a_lost_node_is_told(engine: ck.Engine, manager: Manager) -> None:
    """The run is not repeated, and the error names the node; map() reports it among the others."""
    running(manager)
    manager.node_state = "down"
    with pytest.raises(ck.EngineUnavailable, match="lost: node node1 went down while it ran"):
        engine.run("app:1", "work")
    (found,) = engine.map("app:1", ["work"])
    assert found.result is None
    assert "node1 went down" in str(found.error)
    assert len(manager.tasks) == 2


def test_what_cannot_start_is_said(engine: ck.Engine, manager: Manager) -> None:
    """A missing image; constraints that no node meets; a name that is taken."""
    manager.end = {"State": "rejected", "Err": "No such image: app:1"}
    with pytest.raises(ck.StartFailed, match="No such image"):
        engine.run("app:1", "work")
    manager.end = {"State": "pending", "Err": "no suitable node (scheduling constraints not satisfied on 1 node)"}
    with pytest.raises(ck.StartFailed, match="constraints not satisfied"):
        engine.start("app:1", "work")
    running(manager)
    engine.start("app:1", "work", name="one")
    with pytest.raises(ck.NameInUse):
        engine.start("app:1", "work", name="one")


def test_the_life_of_a_service(engine: ck.Engine, manager: Manager) -> None:
    """List, logs, stop without the node's engine, start again, remove."""
    running(manager)
    manager.stale = 1
    container = engine.start("app:1", "work", name="one", labels={"a": "b"})
    assert [(each.name, each.status) for each in engine.containers.list()] == [("one", "running")]
    assert engine.containers.list(filters={"status": ["exited"]}) == []
    assert str(container.logs()) == "hello\n"
    with pytest.raises(ck.Unsupported, match="runs on node node1, whose engine is not known"):
        container.exec("ls")
    with pytest.raises(ck.WrongState, match="it is running"):
        container.remove()
    container.stop()
    assert container.refresh().status == "exited"
    with pytest.raises(ck.EngineUnavailable, match="keeps no exit code"):
        container.wait()
    container.start()
    assert container.refresh().status == "running"
    container.remove(force=True)
    with pytest.raises(ck.ContainerNotFound):
        container.refresh()
    with pytest.raises(ck.Unsupported, match="no filter"):
        engine.containers.list(filters={"ancestor": ["x"]})


def test_a_known_node_executes_and_copies(manager: Manager) -> None:
    """The engine of the container's node answers for what needs the container."""
    node = FakeBackend(images=["app:1"])
    node.on("work", until_stopped=True).on("hostname", stdout="inside\n")
    with Engine(node) as at_node, Engine(opened(manager, nodes={"node1": node})) as engine:
        theirs = at_node.start("app:1", "work")
        manager.end = {"State": "running", "ContainerStatus": {"ContainerID": theirs.id}}
        ours = engine.start("app:1", "work")
        assert ours.exec("hostname").stdout == "inside\n"
        ours.write_file("/x", "text")
        assert theirs.read_file("/x") == b"text"
        with pytest.raises(ck.Unsupported, match="a service keeps its name"):
            ours.rename("other")
        with pytest.raises(ck.Unsupported, match="volumes belong to a node"):
            engine.volumes.create("vol")


def test_a_node_answers_for_its_containers(manager: Manager) -> None:
    """Signals, changes, processes and a stop that keeps the exit code."""
    node = FakeBackend(images=["app:1"])
    node.on("work", until_stopped=True)
    with Engine(node) as at_node, Engine(opened(manager, nodes={"node1": node})) as engine:
        theirs = at_node.start("app:1", "work")
        manager.end = {"State": "running", "ContainerStatus": {"ContainerID": theirs.id}}
        ours = engine.start("app:1", "work")
        ours.write_file("/new", "x")
        assert "/new" in {change.path for change in ours.diff()}
        ours.kill()
        assert theirs.refresh().status == "exited"
        (task,) = manager.tasks
        task["Status"] = {"State": "complete", "ContainerStatus": {"ContainerID": theirs.id, "ExitCode": 137}}
        ours.stop()  # it has ended
        assert ours.wait() == 137


def test_what_swarm_lacks_is_unsupported(engine: ck.Engine, manager: Manager) -> None:
    """Every refusal says why."""
    running(manager)
    container = engine.start("app:1", "work", name="one")
    for call, words in (
        (lambda: container.logs(until=1.0), "no until="),
        (lambda: container.update(memory="1g"), "does not support it"),
        (lambda: container.attach(), "no standard input"),
        (lambda: engine.run("app:1", "work", input="x"), "no standard input"),
    ):
        with pytest.raises(ck.Unsupported, match=words):
            call()
    container.restart()
    assert container.refresh().status == "running"
    with pytest.raises(ck.EngineTimeout):
        container.wait(timeout=0.05)


def test_a_service_without_a_node_runs_nothing(engine: ck.Engine, manager: Manager) -> None:
    container = engine.containers.create("app:1", "work")
    with pytest.raises(ck.WrongState, match="no node runs it"):
        container.exec("ls")
    with pytest.raises(ck.NetworkNotFound):
        engine.containers.create("app:1", "work", network="none-such", name="net")


def test_the_body_of_a_service() -> None:
    """Limits are reservations too; what a service lacks is refused by name."""
    options = {"memory": "64m", "cpus": 0.5, "pids_limit": 10, "env": {"A": "1"}, "volumes": ["vol:/v:ro", "/h:/h"]}
    labels = {"containerkit.swarm.constraints": "node.hostname==a, node.role==worker"}
    more: dict[str, Any] = {
        "publish": ["8080:80"],
        "network": ["n"],
        "restart": "on-failure",
        "add_host": {"h": "1.2.3.4"},
    }
    body = service_body(container_spec("app:1", "work", {**options, **more, "labels": labels}), ["node.labels.x==y"])
    task = body["TaskTemplate"]
    assert task["Resources"] == {
        "Limits": {"MemoryBytes": 64 << 20, "NanoCPUs": 500_000_000, "Pids": 10},
        "Reservations": {"MemoryBytes": 64 << 20, "NanoCPUs": 500_000_000},
    }
    assert task["Placement"] == {"Constraints": ["node.labels.x==y", "node.hostname==a", "node.role==worker"]}
    assert task["RestartPolicy"] == {"Condition": "on-failure"}
    assert [each["ReadOnly"] for each in task["ContainerSpec"]["Mounts"]] == [True, False]
    assert body["EndpointSpec"]["Ports"] == [
        {"TargetPort": 80, "Protocol": "tcp", "PublishMode": "host", "PublishedPort": 8080}
    ]
    for refused in (
        {"privileged": True},
        {"shm_size": "64m"},
        {"memory_swap": "1g", "memory": "1g"},
        {"interactive": True},
    ):
        with pytest.raises(ck.Unsupported):
            service_body(container_spec("app:1", None, refused), ())


def test_credentials_are_passed_on(manager: Manager) -> None:
    """The nodes pull with the credentials of login()."""
    from containerkit.spec import RegistryAuth

    backend = opened(manager)
    backend._logins["reg.example"] = RegistryAuth("reg.example", "me", "secret")
    backend.create_container(container_spec("reg.example/app:1", None, {}))
    backend.create_container(container_spec("app:1", None, {}))
    assert ["X-Registry-Auth" in headers for headers in manager.headers] == [True, False]


def test_an_engine_that_is_no_manager() -> None:
    """It says so."""
    with pytest.raises(ck.Unsupported, match="no manager of a swarm"):
        SwarmBackend(
            "unix:///x", timeout=7.0, version=VERSION, transport=Scripted(lambda r: Manager.answer(DOCKER_INFO))
        )


def test_the_states_of_tasks() -> None:
    """A task before its start is new; an orphan is lost."""
    for state, status in (("pending", "created"), ("running", "running"), ("shutdown", "exited"), ("orphaned", "dead")):
        task = Task.of({"ID": "t", "NodeID": "n", "Status": {"State": state}}, {"n": ("node1", "ready")})
        service = {"ID": "s", "Spec": {"Mode": {"Replicated": {"Replicas": 1}}}}
        assert record(service, task).status == status


def test_a_reaper_is_refused() -> None:
    """It removes the containers of an engine, not the services of a swarm."""
    with pytest.raises(ck.InvalidOption, match="reaper"):
        ck.connect("swarm:///none", reaper=True)


def test_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """swarm:// means a manager at that address; nodes and constraints need a swarm."""
    from containerkit.discovery.connect import _manager

    assert _manager("swarm:///run/docker.sock") == "unix:///run/docker.sock"
    assert _manager("swarm://host:2375") == "tcp://host:2375"
    assert _manager("swarm://") == "docker"
    with pytest.raises(ck.InvalidOption, match="nothing without swarm=True"):
        ck.connect("docker", constraints=["a==b"])
    with pytest.raises(ck.InvalidOption, match="not a Backend"):
        ck.connect(FakeBackend(), swarm=True)
    with pytest.raises(ck.EngineUnavailable):
        ck.connect("swarm:///nowhere/docker.sock", nodes={})
