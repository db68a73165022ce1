"""Kubernetes YAML of a Compose file: a pod and a Service for each service, a claim for each volume."""

from __future__ import annotations

import re
from typing import Any

from ..errors import InvalidLab
from ..options import container_spec
from ..spec import ContainerSpec
from .compose import ComposeFile, Service

__all__ = ["to_kubernetes"]

_RESTART = {"": "Never", "no": "Never", "always": "Always", "unless-stopped": "Always", "on-failure": "OnFailure"}
#: options that Kubernetes has under another form or not at all; each that is given is named at the head of the YAML
_WRITTEN = frozenset(
    ("env", "entrypoint", "workdir", "publish", "volumes", "memory", "cpus", "privileged", "read_only", "cap_add",
     "cap_drop", "restart", "hostname", "tty", "interactive", "healthcheck", "labels", "name", "expose", "user")
)  # fmt: skip


def to_kubernetes(file: ComposeFile) -> str:
    """Return a Compose file as Kubernetes YAML, for `kubectl apply -f` or `podman kube play`.

    Each service becomes a pod of its name and a Service without a cluster address, so that the others find it by
    name. Kubernetes starts everything at once: `depends_on` and separate networks have no counterpart. Comments at
    the head name everything that is left out.

    Args:
        file: from :func:`from_compose`.

    Raises:
        InvalidLab: the name of a service or a volume is none for Kubernetes.
    """
    import yaml  # type: ignore[import-untyped, unused-ignore]

    documents: list[dict[str, Any]] = []
    left: list[str] = []
    for volume, options in file.volumes.items():
        if options is not None:
            documents.append(
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": _name(volume)},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
                }
            )
    for service in file.services:
        spec = container_spec(service.image, service.command, service.options)
        left += [f"{service.name}: {key}" for key in service.options if key not in _WRITTEN]
        left += [f"{service.name}: depends_on {other}" for other in service.after]
        left += [f"{service.name}: network {each}" for each in service.networks if each != "default"]
        left += [f"{service.name}: build; push {service.image} to a registry"] if service.build else []
        documents += [_pod(file.name, service, spec), _service(file.name, service, spec)]
    head = [f"# Project {file.name}", *(f"# left out: {each}" for each in left)]
    return "\n".join(head) + "\n---\n" + str(yaml.safe_dump_all(documents, sort_keys=False))


def _name(name: str) -> str:
    found = re.sub(r"[^a-z0-9.-]+", "-", name.lower())
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", found):
        raise InvalidLab(f"{name!r} is no name for Kubernetes: letters, digits and '-'")
    return found


def _metadata(project: str, service: Service) -> dict[str, Any]:
    name = _name(service.name)
    return {"name": name, "labels": {"app": name, "app.kubernetes.io/part-of": _name(project)}}


def _pod(project: str, service: Service, spec: ContainerSpec) -> dict[str, Any]:
    container: dict[str, Any] = {"name": f"{_name(service.name)}-main", "image": service.image}
    if spec.entrypoint:
        container["command"] = list(spec.entrypoint)
    if spec.command:
        container["args"] = list(spec.command)
    if spec.workdir:
        container["workingDir"] = spec.workdir
    if spec.env:
        container["env"] = [{"name": key, "value": value} for key, value in spec.env.items()]
    if ports := _ports(spec):
        container["ports"] = ports
    limits = spec.limits
    found = {"memory": str(limits.memory) if limits.memory else "", "cpu": f"{limits.cpus:g}" if limits.cpus else ""}
    if found := {key: value for key, value in found.items() if value}:
        container["resources"] = {"limits": found}
    if security := _security(service):
        container["securityContext"] = security
    for key, value in (("tty", spec.tty), ("stdin", spec.stdin)):
        if value:
            container[key] = True
    if spec.health and spec.health.test and spec.health.test[0] != "NONE":
        container["livenessProbe"] = _probe(spec)
    mounts, volumes = _mounts(service)
    if mounts:
        container["volumeMounts"] = mounts
    restart = str(service.options.get("restart") or "").partition(":")[0]
    body: dict[str, Any] = {"hostname": _name(service.options.get("hostname", service.name)), "containers": [container]}
    body["restartPolicy"] = _RESTART.get(restart, "Never")
    if volumes:
        body["volumes"] = volumes
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(project, service), "spec": body}


def _service(project: str, service: Service, spec: ContainerSpec) -> dict[str, Any]:
    body: dict[str, Any] = {"clusterIP": "None", "selector": {"app": _name(service.name)}}
    numbers = {(each["containerPort"], each["protocol"]) for each in _ports(spec)}
    if numbers:
        body["ports"] = [
            {"name": f"{protocol.lower()}-{port}", "port": port, "protocol": protocol}
            for port, protocol in sorted(numbers)
        ]
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(project, service), "spec": body}


def _ports(spec: ContainerSpec) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for binding in spec.publish:
        entry: dict[str, Any] = {"containerPort": binding.container_port, "protocol": binding.protocol.upper()}
        if binding.host_port:
            entry["hostPort"] = binding.host_port
        if binding.host_ip:
            entry["hostIP"] = binding.host_ip
        found.append(entry)
    return found


def _security(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if service.options.get("privileged"):
        found["privileged"] = True
    if service.options.get("read_only"):
        found["readOnlyRootFilesystem"] = True
    for key, option in (("add", "cap_add"), ("drop", "cap_drop")):
        if names := service.options.get(option):
            found.setdefault("capabilities", {})[key] = [name.upper().removeprefix("CAP_") for name in names]
    user, _, group = str(service.options.get("user", "")).partition(":")
    if user.isdecimal():
        found["runAsUser"] = int(user)
    elif user:
        raise InvalidLab(f"service {service.name}: user {user!r}: Kubernetes takes numbers only")
    if group.isdecimal():
        found["runAsGroup"] = int(group)
    return found


def _probe(spec: ContainerSpec) -> dict[str, Any]:
    health = spec.health
    assert health is not None
    words = list(health.test or ())
    command = ["sh", "-c", *words[1:]] if words[0] == "CMD-SHELL" else words[1:] if words[0] == "CMD" else words
    found: dict[str, Any] = {"exec": {"command": command}}
    for key, value in (
        ("periodSeconds", health.interval),
        ("timeoutSeconds", health.timeout),
        ("failureThreshold", health.retries),
        ("initialDelaySeconds", health.start_period),
    ):
        if value:
            found[key] = max(1, round(value))
    return found


def _mounts(service: Service) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    mounts: list[dict[str, Any]] = []
    volumes: dict[str, dict[str, Any]] = {}
    for number, text in enumerate(service.options.get("volumes", ())):
        source, colon, rest = text.partition(":")
        what: dict[str, Any]
        target, _, mode = rest.partition(":") if colon else (source, "", "")
        if not colon:
            name, what = f"anonymous-{number}", {"emptyDir": {}}
        elif source.startswith("/"):
            name, what = f"host-{number}", {"hostPath": {"path": source}}
        else:
            name, what = f"claim-{number}", {"persistentVolumeClaim": {"claimName": _name(source)}}
        volumes[name] = {"name": name, **what}
        mounts.append({"name": name, "mountPath": target, **({"readOnly": True} if mode == "ro" else {})})
    return mounts, list(volumes.values())
