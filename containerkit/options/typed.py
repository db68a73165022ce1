"""The options by name and type, for editors and type checkers: what run, start, create, exec and build take.

Names are the command line's long flags; where a flag is singular and collects, the plural is ours and both are accepted
(never together). None always means "not asked for".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypedDict

from ..spec import DeviceSpec, HealthCheck, Mount, NetworkAttachment, PortBinding, RestartPolicy, Ulimit

__all__ = [
    "BuildOptions",
    "CreateOptions",
    "ExecOptions",
    "LimitOptions",
    "NetworkOptions",
    "RunOptions",
    "StartOptions",
    "VolumeOptions",
]

PathStr = str | os.PathLike[str]
Pairs = Mapping[str, Any] | Iterable[str] | str
Texts = str | Iterable[str]
Size = int | str
Seconds = int | float | str | timedelta
Command = str | Sequence[PathStr]
Volumes = Mapping[str, Any] | Mapping[Any, Any] | Iterable[PathStr | Mount | Mapping[str, Any]] | PathStr
Mounts = str | Mount | Mapping[str, Any] | Iterable[str | Mount | Mapping[str, Any]]
Tmpfs = str | Mapping[str, Any] | Iterable[str]
Ports = Mapping[int, Any] | Mapping[str, Any] | Mapping[int | str, Any] | Iterable[int | str | PortBinding] | int | str
Networks = str | Mapping[str, Any] | Iterable[str | NetworkAttachment]
Hosts = Mapping[str, str] | Iterable[str] | str
Ulimits = Mapping[str, Any] | Ulimit | Iterable[str | Ulimit | Mapping[str, Any]] | str
Devices = PathStr | DeviceSpec | Iterable[PathStr | DeviceSpec | Mapping[str, Any]]


class LimitOptions(TypedDict, total=False):
    """What a container may use. Sizes are bytes or "64m"; -1 is unlimited where it is allowed."""

    memory: Size | None
    memory_swap: Size | None
    memory_reservation: Size | None
    cpus: float | str | None
    cpu_shares: int | None
    cpuset_cpus: str | int | Iterable[int] | None
    pids_limit: int | None


class ExecOptions(TypedDict, total=False):
    """How a command runs in a container that runs already."""

    env: Pairs | None
    env_file: PathStr | Iterable[PathStr] | None
    user: str | int | None
    workdir: PathStr | None
    tty: bool | None
    interactive: bool | None
    stdin: bool | None
    privileged: bool | None


class CreateOptions(LimitOptions, total=False):
    """What a container is."""

    name: str | None
    env: Pairs | None
    env_file: PathStr | Iterable[PathStr] | None
    labels: Pairs | None
    label: Pairs | None
    user: str | int | None
    workdir: PathStr | None
    hostname: str | None
    domainname: str | None
    tty: bool | None
    interactive: bool | None
    stdin: bool | None
    init: bool | None
    stop_signal: str | int | None
    stop_timeout: int | None
    rm: bool | None
    auto_remove: bool | None
    platform: str | None
    restart: str | Mapping[str, Any] | RestartPolicy | None
    entrypoint: Command | None

    health_cmd: Command | None
    health_interval: Seconds | None
    health_timeout: Seconds | None
    health_retries: int | None
    health_start_period: Seconds | None
    no_healthcheck: bool | None
    healthcheck: HealthCheck | Mapping[str, Any] | None

    volumes: Volumes | None
    volume: Volumes | None
    mounts: Mounts | None
    mount: Mounts | None
    tmpfs: Tmpfs | None
    volumes_from: Texts | None
    read_only: bool | None
    shm_size: Size | None
    storage_opt: Pairs | None

    publish: Ports | None
    publish_all: bool | None
    expose: int | str | Iterable[int | str] | None
    network: Networks | None
    networks: Networks | None
    network_alias: Texts | None
    ip: str | None
    ip6: str | None
    mac_address: str | None
    dns: Texts | None
    dns_search: Texts | None
    dns_option: Texts | None
    add_host: Hosts | None

    ulimits: Ulimits | None
    ulimit: Ulimits | None
    oom_kill_disable: bool | None
    oom_score_adj: int | None

    privileged: bool | None
    cap_add: Texts | None
    cap_drop: Texts | None
    security_opt: Texts | None
    group_add: str | int | Iterable[str | int] | None
    devices: Devices | None
    device: Devices | None
    gpus: str | int | None
    sysctls: Pairs | None
    sysctl: Pairs | None
    userns: str | None
    pid: str | None
    ipc: str | None
    uts: str | None
    cgroupns: str | None
    cgroup_parent: str | None
    runtime: str | None

    log_driver: str | None
    log_opt: Pairs | None


class StartOptions(CreateOptions, total=False):
    """Every option of `start` and `create`: what the container is, and how it is come by."""

    pull: Literal["missing", "always", "never"]
    limits: Literal["enforce", "best-effort"]


class RunOptions(StartOptions, total=False):
    """Every option of `run`: those of `start`, and what is done with the command's output and end."""

    check: bool
    timeout: Seconds | None
    input: str | bytes | None
    on_output: Callable[[Any], object] | None


class BuildOptions(TypedDict, total=False):
    """How an image is built."""

    tag: Texts | None
    tags: Texts | None
    dockerfile: PathStr | None
    file: PathStr | None
    build_args: Pairs | None
    build_arg: Pairs | None
    target: str | None
    labels: Pairs | None
    label: Pairs | None
    platform: str | None
    no_cache: bool | None
    pull: bool | None
    network: str | None
    add_host: Hosts | None
    shm_size: Size | None


class VolumeOptions(TypedDict, total=False):
    """What a new volume is."""

    driver: str | None
    options: Pairs | None
    opt: Pairs | None
    labels: Pairs | None
    label: Pairs | None


class NetworkOptions(TypedDict, total=False):
    """What a new network is."""

    driver: str | None
    subnet: Any
    gateway: Any
    ip_range: Any
    ipv6: bool | None
    internal: bool | None
    options: Pairs | None
    opt: Pairs | None
    labels: Pairs | None
    label: Pairs | None
