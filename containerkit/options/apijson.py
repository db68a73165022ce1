"""Functions from a field of a spec to its JSON in the Docker Engine API, for the rows of the option table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..spec import DeviceSpec, HealthCheck, Mount, PortBinding, RestartPolicy, Ulimit

_NANO = 1_000_000_000
#: Defaults of `docker run --tmpfs`, sent in full because engines differ (Podman leaves noexec out).
_TMPFS_DEFAULTS = ("rw", "noexec", "nosuid", "nodev")
_TMPFS_OPPOSITES = {"exec": "noexec", "suid": "nosuid", "dev": "nodev", "ro": "rw"}


def plain(value: Any) -> Any:
    """Return a tuple as a list, a mapping as a dict, any other value unchanged."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def lines(pairs: Mapping[str, str]) -> list[str]:
    """Return KEY=value lines."""
    return [f"{key}={value}" for key, value in pairs.items()]


def hosts(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return name:address lines."""
    return [f"{name}:{address}" for name, address in pairs]


def entrypoint(argv: tuple[str, ...]) -> list[str]:
    """Return an entrypoint; [""] removes the entrypoint of the image, which [] would keep."""
    return list(argv) or [""]


def nano(amount: float) -> int:
    """Return seconds as nanoseconds, processors as billionths."""
    return round(amount * _NANO)


def health(check: HealthCheck) -> dict[str, Any]:
    """Return a health check with every field: Podman takes a missing timeout as 0 and fails each check."""
    return {
        "Test": list(check.test),
        "Interval": nano(check.interval),
        "Timeout": nano(check.timeout),
        "Retries": check.retries,
        "StartPeriod": nano(check.start_period),
    }


def restart(policy: RestartPolicy) -> dict[str, Any]:
    """Return a restart policy."""
    return {"Name": policy.name, "MaximumRetryCount": policy.max_retries}


def ulimits(limits: Iterable[Ulimit]) -> list[dict[str, Any]]:
    """Return ulimits."""
    return [{"Name": limit.name, "Soft": limit.soft, "Hard": limit.hard} for limit in limits]


def devices(found: Iterable[DeviceSpec]) -> list[dict[str, str]]:
    """Return device nodes."""
    return [
        {"PathOnHost": each.host_path, "PathInContainer": each.container_path, "CgroupPermissions": each.permissions}
        for each in found
    ]


def gpus(wanted: str) -> list[dict[str, Any]]:
    """Return the device request for "all", for a number of GPUs, or for "device=0,1"."""
    request: dict[str, Any] = {"Driver": "", "Capabilities": [["gpu"]]}
    if wanted.startswith("device="):
        return [request | {"DeviceIDs": wanted.removeprefix("device=").split(",")}]
    return [request | {"Count": -1 if wanted == "all" else int(wanted)}]


# ---------------------------------------------------------------- ports
def _port(binding: PortBinding) -> str:
    return f"{binding.container_port}/{binding.protocol}"


def exposed_ports(bindings: Iterable[PortBinding]) -> dict[str, Any]:
    """Return the container ports of bindings."""
    return {_port(binding): {} for binding in bindings}


def port_bindings(bindings: Iterable[PortBinding]) -> dict[str, list[dict[str, str]]]:
    """Return the host side of bindings; an empty HostPort lets the engine choose one."""
    found: dict[str, list[dict[str, str]]] = {}
    for binding in bindings:
        port = str(binding.host_port or "") + (f"-{binding.host_port_last}" if binding.host_port_last else "")
        found.setdefault(_port(binding), []).append({"HostIp": binding.host_ip, "HostPort": port})
    return found


# ---------------------------------------------------------------- mounts
def binds(mounts: Iterable[Mount]) -> list[str]:
    """Return the mounts that SELinux relabels: only the string form of a mount can say so."""
    return [_bind(mount) for mount in mounts if mount.relabel]


def _bind(mount: Mount) -> str:
    words = ["ro" if mount.read_only else "rw", mount.relabel, mount.propagation, "nocopy" if mount.no_copy else None]
    return f"{mount.source}:{mount.target}:{','.join(filter(None, words))}"


def mounts(found: Iterable[Mount]) -> list[dict[str, Any]]:
    """Return binds and volumes in the structured form; a missing source of a bind is an error there."""
    return [_mount(mount) for mount in found if mount.kind != "tmpfs" and not mount.relabel]


def _mount(mount: Mount) -> dict[str, Any]:
    body = {"Type": mount.kind, "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
    if mount.propagation:
        body["BindOptions"] = {"Propagation": mount.propagation}
    if mount.no_copy:
        body["VolumeOptions"] = {"NoCopy": True}
    return body


def tmpfs(mounts: Iterable[Mount]) -> dict[str, str]:
    """Return every tmpfs with its mount options."""
    return {mount.target: tmpfs_options(mount) for mount in mounts if mount.kind == "tmpfs"}


def tmpfs_options(mount: Mount) -> str:
    """Return the mount options of a tmpfs, completed with the defaults of the command line."""
    given = mount.tmpfs_options + (("ro",) if mount.read_only else ())
    undone = {_TMPFS_OPPOSITES[word] for word in given if word in _TMPFS_OPPOSITES}
    words = [word for word in _TMPFS_DEFAULTS if word not in undone and word not in given]
    words += given
    if mount.tmpfs_size is not None:
        words.append(f"size={mount.tmpfs_size}")
    words.append(f"mode={0o1777 if mount.tmpfs_mode is None else mount.tmpfs_mode:o}")
    return ",".join(words)
