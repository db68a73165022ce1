"""Docker Swarm: a container is a service of one replica that Swarm runs at most once. Read `swarm_tasks.py` beside it.

The manager's engine answers for images, networks and logins. The engine of the node that runs a container answers for
exec, copied files and signals, if that engine is known.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import (
    ContainerNotFound,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    NameInUse,
    NetworkNotFound,
    StartFailed,
    Unsupported,
    WrongState,
)
from ..reference import parse
from ..spec import ContainerSpec, ExecSpec, NetworkSpec
from ..streams import Attachment, Deadline, Output, OutputStream
from ..streams.frames import demultiplex, whole_characters
from ..streams.stream import Closeable
from . import _json
from ._http import path, short
from ._render import auth_header, query_filters
from .base import Backend, Capability, ContainerRecord, Created, ExecState, Filters, NetworkRecord, Raw
from .docker import DockerBackend
from .swarm_tasks import NO_PLACE, STARTED, Task, newest, record, service_body, status_of

__all__ = ["SwarmBackend"]

_PAUSES = (0.1, 1.0)  # seconds between two looks at a task, from the first to the longest
_FILTERS = {"id", "label", "name", "status"}
_NODES_AGE = 2.0  # seconds for which the states of the nodes are taken for true
_PATIENCE = 5.0  # seconds for a node that meets the constraints


class _Logged(Closeable):
    """The output of a service, read from its log when it has ended. Takes no input."""

    reset = False

    def __init__(self, backend: SwarmBackend, ref: str, tty: bool) -> None:
        super().__init__(None)
        self._read: Callable[[], OutputStream] = lambda: backend._logs(ref, {"stdout": True, "stderr": True}, tty)
        self._wait: Callable[[float | None], int] = lambda timeout: backend.wait_container(ref, timeout=timeout)

    def exchange(self, data: Any = None, *, timeout: float | None = None, **idle: Any) -> Iterable[Output]:
        """Wait for the end, then yield the log. Raise EngineTimeout, or EngineUnavailable for a lost node."""
        self._wait(timeout)
        if not self.closed:
            yield from self._read()


class SwarmBackend(DockerBackend):
    """A swarm, by the engine of one of its managers.

    Args:
        nodes: host name of a node -> backend of its engine, for what needs the container itself.
        constraints: placement constraints of every service, such as "node.labels.room==a".
        options: those of DockerBackend.

    Raises:
        Unsupported: the engine is no manager of a swarm.
    """

    kind = "swarm"

    def __init__(
        self, url: str, *, nodes: Mapping[str, Backend] | None = None, constraints: Iterable[str] = (), **options: Any
    ) -> None:
        super().__init__(url, **options)
        self._nodes = dict(nodes or {})
        self._constraints = tuple(constraints)
        self._execs: dict[str, Backend] = {}
        self._states: tuple[float, dict[str, tuple[str, str]]] = (0.0, {})
        self._lock = threading.Lock()
        swarm = _json.mapping(self.first_info().raw["info"].get("Swarm"))
        if not swarm.get("ControlAvailable"):
            self.close()
            raise Unsupported(f"{url} is no manager of a swarm; `docker swarm init` makes it one")

    def _read_capabilities(self, info: Any) -> frozenset[Capability]:
        return frozenset(
            (Capability.PROCESSES, Capability.BUILD, Capability.REGISTRY, Capability.MEMORY_LIMIT, Capability.CPU_LIMIT,
             Capability.PIDS_LIMIT, Capability.ULIMITS)
        )  # fmt: skip

    def close(self) -> None:
        for node in getattr(self, "_nodes", {}).values():
            node.close()
        super().close()

    # ---------------------------------------------------------------- reading
    def _service(self, ref: str, doing: str) -> Raw:
        try:
            return self._object("GET", path("/services/{}", ref), doing)
        except EngineError as exc:
            if exc.status == 404:
                raise ContainerNotFound(f"{doing}: no such service", status=404) from exc
            raise

    def _tasks(self, doing: str, **filters: str) -> list[Task]:
        found = {key: [value] for key, value in filters.items()}
        rows = self._rows("GET", "/tasks", doing, params={"filters": query_filters(found)})
        nodes = self._node_states(doing)
        return [self._read(doing, lambda row: Task.of(row, nodes), row) for row in rows]

    def _node_states(self, doing: str) -> dict[str, tuple[str, str]]:
        """Return ID of a node -> (its host name, its state)."""
        with self._lock:
            when, found = self._states
            if time.monotonic() - when > _NODES_AGE:
                rows = self._rows("GET", "/nodes", doing)
                found = {
                    _json.text(row.get("ID")): (
                        _json.text(_json.mapping(row.get("Description")).get("Hostname")),
                        _json.text(_json.mapping(row.get("Status")).get("State")),
                    )
                    for row in rows
                }
                self._states = (time.monotonic(), found)
            return found

    def inspect_container(self, ref: str, *, size: bool = False) -> ContainerRecord:
        doing = f"inspecting service {short(ref)}"
        service = self._service(ref, doing)
        return self._read(
            doing, lambda raw: record(raw, newest(self._tasks(doing, service=_json.text(raw.get("ID"))))), service
        )

    def list_containers(self, *, all: bool, filters: Filters) -> tuple[ContainerRecord, ...]:
        doing = "listing services"
        if unknown := sorted(set(filters) - _FILTERS):
            raise Unsupported(f"{doing}: Swarm has no filter {unknown[0]!r}; it has {', '.join(sorted(_FILTERS))}")
        asked = {key: value for key, value in filters.items() if key in ("id", "label", "name")}
        services = self._rows("GET", "/services", doing, params={"filters": query_filters(asked)})
        tasks: dict[str, list[Task]] = {}
        for task in self._tasks(doing) if services else ():
            tasks.setdefault(task.service, []).append(task)
        found = [
            self._read(doing, lambda raw: record(raw, newest(tasks.get(_json.text(raw.get("ID")), []))), service)
            for service in services
        ]
        states = set(filters.get("status", ())) or None
        wanted = [
            each for each in found if (each.status in states if states else all or each.status in ("running", "paused"))
        ]
        return tuple(sorted(wanted, key=lambda each: -each.created))

    # ---------------------------------------------------------------- life
    def create_container(self, spec: ContainerSpec) -> Created:
        doing = f"creating a service of {spec.image}"
        body = service_body(spec, self._constraints)
        auth = self._logins.get(parse(spec.image).registry)
        headers = {"X-Registry-Auth": auth_header(auth)} if auth else {}
        try:
            answer = self._object("POST", "/services/create", doing, body=body, headers=headers, slow=True)
        except EngineError as exc:
            text = exc.explanation or ""
            if exc.status == 409 or "name conflicts" in text:
                raise NameInUse(f"{doing}: the name {spec.name} is taken", status=exc.status) from exc
            if "network" in text and "not found" in text:
                raise NetworkNotFound(f"{doing}: {text}", status=exc.status) from exc
            raise
        made = self._read(doing, lambda raw: _json.required(raw, "ID", str), answer)
        return Created(made, tuple(_json.texts(answer.get("Warnings"))))

    def _scale(self, ref: str, doing: str, replicas: int, *, again: bool = False) -> None:
        """Set the number of replicas; `again` runs a service that has ended once more."""
        for attempt in range(3):
            service = self._service(ref, doing)
            spec = dict(_json.mapping(service.get("Spec")))
            spec["Mode"] = {"Replicated": {"Replicas": replicas}}
            spec["Labels"] = {**_json.mapping(spec.get("Labels")), STARTED: "1"}
            if again:
                task = dict(_json.mapping(spec.get("TaskTemplate")))
                spec["TaskTemplate"] = {**task, "ForceUpdate": _json.number(task.get("ForceUpdate")) + 1}
            version = _json.number(_json.mapping(service.get("Version")).get("Index"))
            params = {"version": version, "registryAuthFrom": "spec"}
            try:
                self._call("POST", path("/services/{}/update", ref), doing, params=params, body=spec)
            except EngineError as exc:
                if "out of sequence" in (exc.explanation or "") and attempt < 2:
                    continue
                raise
            return

    def start_container(self, ref: str) -> None:
        doing = f"starting service {short(ref)}"
        before = self.inspect_container(ref)
        if before.status == "running":
            return
        ran = {task.id for task in self._tasks(doing, service=before.id)}
        self._scale(ref, doing, 1, again=before.status != "created")
        since, pause = time.monotonic(), _PAUSES[0]
        while True:
            task = newest([each for each in self._tasks(doing, service=before.id) if each.id not in ran])
            if task and task.state == "rejected":
                raise StartFailed(f"{doing}: {task.error or task.message}")
            if task and (task.lost or status_of(task) != "created"):
                return
            nowhere = task and NO_PLACE in task.error and "insufficient" not in task.error  # else it queues
            if task and nowhere and time.monotonic() - since > _PATIENCE:
                raise StartFailed(f"{doing}: {task.error}")
            self._pause(doing, pause)
            pause = min(_PAUSES[1], pause * 1.5)

    def _pause(self, doing: str, seconds: float) -> None:
        deadline = Deadline.current()
        if deadline.expired:
            limit = deadline.timeout or 0.0
            raise EngineTimeout(f"{doing}: not finished after {limit:g} s", timeout=limit)
        time.sleep(deadline.cap(seconds) or 0.0)

    def wait_container(self, ref: str, *, timeout: float | None) -> int:
        doing = f"waiting for service {short(ref)}"
        pause = _PAUSES[0]
        with Deadline.after(timeout):
            while True:
                found = self.inspect_container(ref)
                if found.status == "dead":
                    raise EngineUnavailable(f"service {found.name}: {found.error}")
                if found.status == "exited":
                    if found.exit_code is None:
                        raise EngineUnavailable(f"{doing}: {found.error or 'Swarm has forgotten its exit code'}")
                    return found.exit_code
                self._pause(doing, pause)
                pause = min(_PAUSES[1], pause * 1.5)

    def stop_container(self, ref: str, *, timeout: int | None) -> None:
        found = self.inspect_container(ref)
        if found.status != "running":
            return
        node = self._node_of(found)
        if node is not None:
            node[0].stop_container(node[1], timeout=timeout)
        else:
            self._scale(ref, f"stopping service {short(ref)}", 0)
        pause = _PAUSES[0]
        while self.inspect_container(ref).status == "running":
            self._pause(f"stopping service {short(ref)}", pause)
            pause = min(_PAUSES[1], pause * 1.5)

    def restart_container(self, ref: str, *, timeout: int | None) -> None:
        self.stop_container(ref, timeout=timeout)
        self.start_container(ref)

    def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        doing = f"removing service {short(ref)}"
        found = self.inspect_container(ref)
        if found.status == "running" and not force:
            raise WrongState(f"{doing}: it is running; stop it first, or use force=True", actual="running")
        try:
            self._call("DELETE", path("/services/{}", found.id), doing)
        except EngineError as exc:
            if exc.status != 404:
                raise

    # ---------------------------------------------------------------- output
    def attach_container(self, ref: str, *, stdin: bool, tty: bool) -> Attachment:
        if stdin:
            raise Unsupported("a service of Swarm has no standard input; write the input into the image or an argument")
        return _Logged(self, ref, tty)  # type: ignore[return-value]

    def logs_container(
        self, ref: str, *, stdout: bool, stderr: bool, follow: bool, since: float | None, until: float | None,
        tail: int | None, timestamps: bool, tty: bool,
    ) -> OutputStream:  # fmt: skip
        if until is not None:
            raise Unsupported("reading the log of a service: Swarm has no until=")
        self.inspect_container(ref)
        query = {"stdout": stdout, "stderr": stderr, "follow": follow, "timestamps": timestamps, "tail": tail}
        return self._logs(ref, {**query, "since": None if since is None else int(since)}, tty)

    def _logs(self, ref: str, query: Mapping[str, Any], tty: bool) -> OutputStream:
        """Return the log of a service; a node whose part is missing is an error of the stream."""
        doing = f"reading the log of service {short(ref)}"
        response = self._open("GET", path("/services/{}/logs", ref), doing, params=query, quiet=True)
        outputs = (Output("stdout", chunk) for chunk in response.chunks) if tty else demultiplex(response.chunks)
        return OutputStream(whole_characters(outputs), on_close=response.close)

    # ---------------------------------------------------------------- on the container's node
    def _node_of(self, found: ContainerRecord) -> tuple[Backend, str] | None:
        """Return the engine of the node that a container runs on and its ID there; None if the engine is not known."""
        name, container = _json.text(found.raw.get("node")), _json.text(found.raw.get("container"))
        return (self._nodes[name], container) if name in self._nodes and container else None

    def _on_node(self, ref: str, doing: str) -> tuple[Backend, str]:
        found = self.inspect_container(ref)
        node = self._node_of(found)
        if node is None:
            if not found.raw.get("container"):
                raise WrongState(f"{doing}: it is {found.status}; no node runs it", actual=found.status)
            name = found.raw.get("node") or "?"
            raise Unsupported(
                f"{doing}: it runs on node {name}, whose engine is not known; connect(…, nodes={{{name!r}: 'ssh://…'}})"
            )
        return node

    def exec_container(self, ref: str, spec: ExecSpec) -> tuple[str, Attachment]:
        node, container = self._on_node(ref, f"executing a command in service {short(ref)}")
        found, stream = node.exec_container(container, spec)
        self._execs[found] = node
        return found, stream

    def start_exec(self, ref: str, spec: ExecSpec) -> str:
        node, container = self._on_node(ref, f"executing a command in service {short(ref)}")
        found = node.start_exec(container, spec)
        self._execs[found] = node
        return found

    def inspect_exec(self, exec_id: str) -> ExecState:
        return self._execs[exec_id].inspect_exec(exec_id)

    def resize_exec(self, exec_id: str, *, rows: int, columns: int) -> None:
        self._execs[exec_id].resize_exec(exec_id, rows=rows, columns=columns)

    def check_health(self, ref: str) -> str | None:
        node, container = self._on_node(ref, f"checking the health of service {short(ref)}")
        return node.check_health(container)

    # ---------------------------------------------------------------- networks
    def create_network(self, spec: NetworkSpec) -> NetworkRecord:
        return super().create_network(replace(spec, driver="overlay" if spec.driver == "bridge" else spec.driver))


def _on_its_node(verb: str, doing: str) -> Any:
    """Return a method of Backend that the engine of the container's node answers."""

    def method(self: SwarmBackend, ref: str, *args: Any, **options: Any) -> Any:
        node, container = self._on_node(ref, f"{doing} service {short(ref)}")
        return getattr(node, verb)(container, *args, **options)

    method.__name__, method.__doc__ = verb, f"See :meth:`Backend.{verb}`."
    return method


def _refused(verb: str, why: str) -> Any:
    """Return a method of Backend that raises Unsupported."""

    def method(self: SwarmBackend, *args: Any, **options: Any) -> Any:
        raise Unsupported(f"Swarm: {why}")

    method.__name__, method.__doc__ = verb, f"See :meth:`Backend.{verb}`."
    return method


for _verb, _doing in {
    "kill_container": "killing", "put_archive": "copying into", "get_archive": "copying from",
    "stat_path": "looking into",
    "top_container": "listing the processes of", "stats_container": "measuring", "diff_container": "comparing",
    "export_container": "exporting", "pause_container": "pausing", "unpause_container": "unpausing",
    "resize_container": "resizing the terminal of", "commit_container": "committing",
}.items():  # fmt: skip
    setattr(SwarmBackend, _verb, _on_its_node(_verb, _doing))
for _verb, _why in {
    "rename_container": "a service keeps its name", "update_container": "start a new service with other limits",
    "connect_network": "a service keeps its networks", "disconnect_network": "a service keeps its networks",
    "create_volume": "volumes belong to a node; a service that names one makes it there",
}.items():  # fmt: skip
    setattr(SwarmBackend, _verb, _refused(_verb, _why))
