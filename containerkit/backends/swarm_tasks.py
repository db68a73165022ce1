"""Services and tasks of Docker Swarm as values: the body of a service, and what its task says about the container."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from ..errors import Unsupported
from ..spec import ContainerSpec, HealthCheck, Mount
from . import _json, _parse
from .base import ContainerRecord, Raw

__all__ = ["NO_PLACE", "STARTED", "Task", "newest", "record", "service_body", "status_of"]

#: Set when a service was started: without replicas it has stopped, and is not new.
STARTED = "containerkit.swarm.started"
#: Label with placement constraints of one service, separated by commas.
CONSTRAINTS = "containerkit.swarm.constraints"
NO_PLACE = "no suitable node"

_CREATED = ("new", "pending", "allocated", "assigned", "accepted", "preparing", "ready", "starting")
#: Options that a service has; anything else that is given raises Unsupported.
_SUPPORTED = frozenset(
    ("image", "command", "entrypoint", "name", "env", "labels", "user", "workdir", "hostname", "tty", "stdin", "init",
     "stop_signal", "stop_timeout", "restart", "health", "mounts", "read_only", "publish", "networks", "dns",
     "dns_search", "dns_option", "add_host", "limits", "ulimits", "cap_add", "cap_drop", "sysctls")
)  # fmt: skip
_LIMITS = ("memory", "cpus", "pids_limit")


@dataclass(frozen=True, slots=True)
class Task:
    """One run of a service on a node.

    Attributes:
        node: host name of the node.
        state: Swarm's word, such as "running", "complete", "failed", "rejected".
        container: ID on the node's engine.
        lost: its node is down, and it is not known to have ended.
    """

    id: str
    service: str
    node: str
    state: str
    error: str
    message: str
    container: str
    exit_code: int | None
    created: float
    started: float
    lost: bool

    @staticmethod
    def of(row: Raw, nodes: Mapping[str, tuple[str, str]]) -> Task:
        """Return the task of a response; `nodes` maps the ID of a node to its host name and its state."""
        status = _json.mapping(row.get("Status"))
        container = _json.mapping(status.get("ContainerStatus"))
        state = _json.text(status.get("State"))
        name, health = nodes.get(_json.text(row.get("NodeID")), ("", ""))
        ended = state in ("complete", "failed", "rejected", "shutdown", "remove")
        code = container.get("ExitCode")
        return Task(
            id=_json.required(row, "ID", str),
            service=_json.text(row.get("ServiceID")),
            node=name,
            state=state,
            error=_json.text(status.get("Err")),
            message=_json.text(status.get("Message")),
            container=_json.text(container.get("ContainerID")),
            exit_code=code if isinstance(code, int) and state in ("complete", "failed", "shutdown") else None,
            created=_parse.timestamp(row.get("CreatedAt")),
            started=_parse.timestamp(status.get("Timestamp")),
            lost=state == "orphaned"
            or (health in ("down", "disconnected") and not ended and state not in _CREATED[:3]),
        )


def newest(tasks: Iterable[Task]) -> Task | None:
    """Return the last task that was made."""
    return max(tasks, key=lambda task: task.created, default=None)


def status_of(task: Task) -> str:
    """Return the state of a task in the words for containers."""
    if task.lost:
        return "dead"
    return "created" if task.state in _CREATED else "running" if task.state == "running" else "exited"


def record(service: Raw, task: Task | None) -> ContainerRecord:
    """Return a service and its task as a container. `raw` has the service, its `node` and its `container`."""
    spec = _json.mapping(service.get("Spec"))
    labels = {key: _json.text(value) for key, value in _json.mapping(spec.get("Labels")).items()}
    template = _json.mapping(_json.mapping(spec.get("TaskTemplate")).get("ContainerSpec"))
    replicas = _json.number(_json.mapping(_json.mapping(spec.get("Mode")).get("Replicated")).get("Replicas"))
    status, error = "created", ""
    if task:
        status, error = status_of(task), task.error
        if task.lost:
            error = f"lost: node {task.node} went down while it ran; whether it finished is not known"
    if not replicas and labels.get(STARTED) and (task is None or status == "created"):
        status, error = "exited", "it was stopped; Swarm keeps no exit code of a service without replicas"
    exit_code = task.exit_code if task and status == "exited" else None
    if task and task.state == "rejected":
        exit_code = 125
    return ContainerRecord(
        id=_json.required(service, "ID", str),
        name=_json.text(spec.get("Name")),
        image=_json.text(template.get("Image")).partition("@")[0],
        image_id="",
        status=status,
        labels={key: value for key, value in labels.items() if key != STARTED},
        command=(*_json.texts(template.get("Command")), *_json.texts(template.get("Args"))),
        exit_code=exit_code,
        error=error,
        started=task.started if task and status != "created" else 0.0,
        created=_parse.timestamp(service.get("CreatedAt")),
        tty=bool(template.get("TTY")),
        complete=True,
        raw={"service": service, "node": task.node if task else "", "container": task.container if task else ""},
    )


def service_body(spec: ContainerSpec, constraints: Iterable[str]) -> dict[str, Any]:
    """Return the body that creates a service without replicas. Raise Unsupported for what a service lacks."""
    for each in fields(ContainerSpec):
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if each.name not in _SUPPORTED and getattr(spec, each.name) not in (default, None):
            raise Unsupported(f"{each.name}: a service of Swarm has no such option")
    if unknown := [name for name in spec.limits.requested() if name not in _LIMITS]:
        raise Unsupported(f"{unknown[0]}: a service of Swarm has no such limit")
    if spec.stdin:
        raise Unsupported("interactive: a service of Swarm has no standard input")
    container = {
        "Image": spec.image,
        "Command": list(spec.entrypoint) if spec.entrypoint else None,
        "Args": list(spec.command) if spec.command else None,
        "Env": [f"{key}={value}" for key, value in spec.env.items()],
        "Labels": dict(spec.labels),
        "User": spec.user,
        "Dir": spec.workdir,
        "Hostname": spec.hostname,
        "TTY": spec.tty,
        "Init": spec.init,
        "StopSignal": spec.stop_signal,
        "StopGracePeriod": None if spec.stop_timeout is None else spec.stop_timeout * 10**9,
        "ReadOnly": spec.read_only,
        "Hosts": [f"{address} {name}" for name, address in spec.add_host],
        "CapabilityAdd": list(spec.cap_add),
        "CapabilityDrop": list(spec.cap_drop),
        "Sysctls": dict(spec.sysctls),
        "Ulimits": [{"Name": each.name, "Soft": each.soft, "Hard": each.hard} for each in spec.ulimits],
        "Mounts": [_mount(each) for each in spec.mounts],
        "HealthCheck": _health(spec.health) if spec.health else None,
        "DNSConfig": {
            "Nameservers": list(spec.dns), "Search": list(spec.dns_search), "Options": list(spec.dns_option)
        },
    }  # fmt: skip
    both = {"MemoryBytes": spec.limits.memory, "NanoCPUs": int(spec.limits.cpus * 1e9) if spec.limits.cpus else None}
    both = {key: value for key, value in both.items() if value}
    limits = {**both, **({"Pids": spec.limits.pids_limit} if spec.limits.pids_limit else {})}
    policy = spec.restart.name if spec.restart else "no"
    condition = {"no": "none", "on-failure": "on-failure"}.get(policy, "any")
    wanted = [*constraints, *filter(None, map(str.strip, spec.labels.get(CONSTRAINTS, "").split(",")))]
    return {
        "Name": spec.name,
        "Labels": dict(spec.labels),
        "TaskTemplate": {
            "ContainerSpec": {key: value for key, value in container.items() if value not in (None, [], {}, False)},
            "Resources": {"Limits": limits, "Reservations": both},
            "RestartPolicy": {"Condition": condition},
            "Placement": {"Constraints": wanted},
            "Networks": [{"Target": each.name, "Aliases": list(each.aliases)} for each in spec.networks],
        },
        "Mode": {"Replicated": {"Replicas": 0}},
        "EndpointSpec": {"Mode": "dnsrr", "Ports": [_port(each) for each in spec.publish]},
    }


def _port(binding: Any) -> dict[str, Any]:
    return {
        "TargetPort": binding.container_port,
        "Protocol": binding.protocol,
        "PublishMode": "host",  # on the node that runs it; the routing mesh needs IPVS in the kernel
        **({"PublishedPort": binding.host_port} if binding.host_port else {}),
    }


def _mount(mount: Mount) -> dict[str, Any]:
    return {"Type": mount.kind, "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}


def _health(health: HealthCheck) -> dict[str, Any]:
    nano = 10**9
    return {
        "Test": list(health.test),
        "Interval": int(health.interval * nano),
        "Timeout": int(health.timeout * nano),
        "Retries": health.retries,
        "StartPeriod": int(health.start_period * nano),
    }
