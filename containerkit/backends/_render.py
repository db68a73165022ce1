"""What a caller asks for, in the JSON of the Docker Engine API, which Podman's compat endpoints take as well.

Every field of a spec is rendered here or refused by its backend: none is dropped.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..spec import (
    ContainerSpec,
    ExecSpec,
    HealthCheck,
    Mount,
    NetworkAttachment,
    NetworkSpec,
    RegistryAuth,
    ResourceLimits,
)

__all__ = [
    "ALL_SWAP",
    "auth_header",
    "container_body",
    "endpoint_body",
    "exec_body",
    "limits_body",
    "network_body",
    "query_filters",
]

_NANO = 1_000_000_000
#: As much swap as there is, as a number: the largest that the kernel's page counter holds.
ALL_SWAP = (1 << 63) - 4096
#: The CLI's own defaults for a tmpfs, said in full because the engines' differ (Podman leaves noexec out).
_TMPFS_DEFAULTS = ("rw", "noexec", "nosuid", "nodev")
_TMPFS_OPPOSITES = {"exec": "noexec", "suid": "nosuid", "dev": "nodev", "ro": "rw"}


def _without_none(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}


def query_filters(filters: Mapping[str, Any]) -> str | None:
    """Filters as the API takes them: JSON, each value a list of strings."""
    return json.dumps({key: list(values) for key, values in filters.items()}) if filters else None


#: Docker Hub's name in credentials; a build of Docker's finds them under no other.
_DOCKER_HUB = "https://index.docker.io/v1/"


def auth_header(auth: RegistryAuth) -> str:
    """Return the X-Registry-Auth header: base64url of JSON."""
    return _base64({**_account(auth), "serveraddress": auth.registry})


def config_header(credentials: Iterable[RegistryAuth]) -> str:
    """Return the X-Registry-Config header of a build: credentials by registry."""
    names = {"docker.io": _DOCKER_HUB}
    return _base64({names.get(auth.registry, auth.registry): _account(auth) for auth in credentials})


def _account(auth: RegistryAuth) -> dict[str, str]:
    if auth.identity_token:
        return {"identitytoken": auth.identity_token}
    return {"username": auth.username, "password": auth.password}


def _base64(body: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(body).encode()).decode("ascii")


def _port(number: int, protocol: str) -> str:
    return f"{number}/{protocol}"


def _health(check: HealthCheck) -> dict[str, Any]:
    return {
        "Test": list(check.test),
        "Interval": round(check.interval * _NANO),
        "Timeout": round(check.timeout * _NANO),
        "Retries": check.retries,
        "StartPeriod": round(check.start_period * _NANO),
    }


def tmpfs_options(mount: Mount) -> str:
    """A tmpfs in the kernel's words, with the command line's defaults where nothing else is asked."""
    asked = mount.tmpfs_options + (("ro",) if mount.read_only else ())
    undone = {_TMPFS_OPPOSITES[word] for word in asked if word in _TMPFS_OPPOSITES}
    words = [word for word in _TMPFS_DEFAULTS if word not in undone and word not in asked]
    words += list(asked)
    if mount.tmpfs_size is not None:
        words.append(f"size={mount.tmpfs_size}")
    words.append(f"mode={mount.tmpfs_mode if mount.tmpfs_mode is not None else 0o1777:o}")
    return ",".join(words)


def _bind_string(mount: Mount) -> str:
    """A bind or volume in the form that has SELinux labels; the structured one has none."""
    words = ["ro" if mount.read_only else "rw"]
    words += [word for word in (mount.relabel, mount.propagation) if word]
    words += ["nocopy"] if mount.no_copy else []
    return f"{mount.source}:{mount.target}:{','.join(words)}"


def _mount(mount: Mount) -> dict[str, Any]:
    body: dict[str, Any] = {"Type": mount.kind, "Source": mount.source, "Target": mount.target}
    body["ReadOnly"] = mount.read_only
    if mount.kind == "bind" and mount.propagation:
        body["BindOptions"] = {"Propagation": mount.propagation}
    if mount.kind == "volume" and mount.no_copy:
        body["VolumeOptions"] = {"NoCopy": True}
    return body


def limits_body(limits: ResourceLimits, *, unlimited_swap: int = -1) -> dict[str, Any]:
    """The limits that are asked for, and nothing else; `unlimited_swap` is how -1 is said."""
    return _without_none(
        {
            "Memory": limits.memory,
            "MemorySwap": unlimited_swap if limits.memory_swap == -1 else limits.memory_swap,
            "MemoryReservation": limits.memory_reservation,
            "NanoCpus": None if limits.cpus is None else round(limits.cpus * _NANO),
            "CpuShares": limits.cpu_shares,
            "CpusetCpus": limits.cpuset_cpus,
            "PidsLimit": limits.pids_limit,
        }
    )


def endpoint_body(attachment: NetworkAttachment) -> dict[str, Any]:
    """A place on a network: NetworkingConfig.EndpointsConfig.NAME, and the body of a connect."""
    body: dict[str, Any] = {}
    if attachment.aliases:
        body["Aliases"] = list(attachment.aliases)
    addresses = _without_none({"IPv4Address": attachment.ipv4_address, "IPv6Address": attachment.ipv6_address})
    if addresses:
        body["IPAMConfig"] = addresses
    if attachment.mac_address:
        body["MacAddress"] = attachment.mac_address
    return body


def container_body(spec: ContainerSpec, image: str, *, unlimited_swap: int = -1) -> dict[str, Any]:
    """The body of a create, but for NetworkingConfig, which is the backend's own way."""
    binds = [mount for mount in spec.mounts if mount.relabel]
    tmpfs = [mount for mount in spec.mounts if mount.kind == "tmpfs"]
    others = [mount for mount in spec.mounts if mount not in binds and mount not in tmpfs]
    ports: dict[str, list[dict[str, str]]] = {}
    for binding in spec.publish:
        ports.setdefault(_port(binding.container_port, binding.protocol), []).append(
            {"HostIp": binding.host_ip, "HostPort": str(binding.host_port or "")}
        )
    exposed: dict[str, dict[str, str]] = {
        _port(port.container_port, port.protocol): {} for port in (*spec.expose, *spec.publish)
    }
    host: dict[str, Any] = {
        **limits_body(spec.limits, unlimited_swap=unlimited_swap),
        "Binds": [_bind_string(mount) for mount in binds] or None,
        "Mounts": [_mount(mount) for mount in others] or None,
        "Tmpfs": {mount.target: tmpfs_options(mount) for mount in tmpfs} or None,
        "VolumesFrom": list(spec.volumes_from) or None,
        "ReadonlyRootfs": spec.read_only or None,
        "ShmSize": spec.shm_size,
        "StorageOpt": dict(spec.storage_opt) or None,
        "PortBindings": ports or None,
        "PublishAllPorts": spec.publish_all or None,
        "NetworkMode": spec.network_mode,
        "Dns": list(spec.dns) or None,
        "DnsSearch": list(spec.dns_search) or None,
        "DnsOptions": list(spec.dns_option) or None,
        "ExtraHosts": [f"{name}:{address}" for name, address in spec.add_host] or None,
        "Ulimits": [{"Name": u.name, "Soft": u.soft, "Hard": u.hard} for u in spec.ulimits] or None,
        "OomKillDisable": spec.oom_kill_disable or None,
        "OomScoreAdj": spec.oom_score_adj,
        "Privileged": spec.privileged or None,
        "CapAdd": list(spec.cap_add) or None,
        "CapDrop": list(spec.cap_drop) or None,
        "SecurityOpt": list(spec.security_opt) or None,
        "GroupAdd": list(spec.group_add) or None,
        "Devices": [
            {"PathOnHost": d.host_path, "PathInContainer": d.container_path, "CgroupPermissions": d.permissions}
            for d in spec.devices
        ]
        or None,
        "DeviceRequests": _gpus(spec.gpus),
        "Sysctls": dict(spec.sysctls) or None,
        "UsernsMode": spec.userns,
        "PidMode": spec.pid,
        "IpcMode": spec.ipc,
        "UTSMode": spec.uts,
        "CgroupnsMode": spec.cgroupns,
        "CgroupParent": spec.cgroup_parent,
        "Runtime": spec.runtime,
        "LogConfig": {"Type": spec.log_driver or "", "Config": dict(spec.log_opt)}
        if spec.log_driver or spec.log_opt
        else None,
        "RestartPolicy": {"Name": spec.restart.name, "MaximumRetryCount": spec.restart.max_retries}
        if spec.restart
        else None,
        "AutoRemove": spec.auto_remove or None,
        "Init": spec.init,
    }
    body: dict[str, Any] = {
        "Image": image,
        "Cmd": None if spec.command is None else list(spec.command),
        "Entrypoint": None if spec.entrypoint is None else list(spec.entrypoint) or [""],
        "Env": [f"{key}={value}" for key, value in spec.env.items()] or None,
        "Labels": dict(spec.labels) or None,
        "User": spec.user,
        "WorkingDir": spec.workdir,
        "Hostname": spec.hostname,
        "Domainname": spec.domainname,
        "Tty": spec.tty,
        "OpenStdin": spec.stdin,
        "StdinOnce": spec.stdin and not spec.tty,
        "AttachStdin": spec.stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "StopSignal": spec.stop_signal,
        "StopTimeout": spec.stop_timeout,
        "ExposedPorts": exposed or None,
        "Healthcheck": _health(spec.health) if spec.health else None,
        "HostConfig": _without_none(host),
    }
    return _without_none(body)


def _gpus(asked: str | None) -> list[dict[str, Any]] | None:
    if asked is None:
        return None
    request: dict[str, Any] = {"Driver": "", "Capabilities": [["gpu"]]}
    if asked == "all":
        request["Count"] = -1
    elif asked.isdigit():
        request["Count"] = int(asked)
    else:
        request["DeviceIDs"] = asked.removeprefix("device=").split(",")
    return [request]


def exec_body(spec: ExecSpec) -> dict[str, Any]:
    """The body of an exec's create."""
    return _without_none(
        {
            "Cmd": list(spec.command),
            "Env": [f"{key}={value}" for key, value in spec.env.items()] or None,
            "User": spec.user,
            "WorkingDir": spec.workdir,
            "Tty": spec.tty,
            "Privileged": spec.privileged,
            "AttachStdin": spec.stdin,
            "AttachStdout": True,
            "AttachStderr": True,
        }
    )


def network_body(spec: NetworkSpec) -> dict[str, Any]:
    """The body of a network's create."""
    pool = _without_none({"Subnet": spec.subnet, "Gateway": spec.gateway, "IPRange": spec.ip_range})
    return _without_none(
        {
            "Name": spec.name,
            "CheckDuplicate": True,
            "Driver": spec.driver,
            "Internal": spec.internal,
            "EnableIPv6": spec.ipv6,
            "IPAM": {"Driver": "default", "Config": [pool]} if pool else None,
            "Options": dict(spec.options) or None,
            "Labels": dict(spec.labels) or None,
        }
    )
