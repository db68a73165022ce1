"""Parse the JSON of the Docker Engine API into records. Above this module nobody reads an engine's JSON.

Every function raises ValueError if a field is missing without which the record would be wrong.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from pathlib import PurePosixPath
from typing import Any, Literal

from ._json import (
    Raw,
    decode,
    integer,
    labels,
    mapping,
    number,
    object_,
    objects,
    required,
    sequence,
    text,
    texts,
)
from .base import (
    Address,
    Change,
    ContainerRecord,
    ContainerRef,
    Event,
    MountRecord,
    NetworkEndpoint,
    NetworkRecord,
    PathStat,
    Processes,
    Stats,
    VolumeRecord,
)

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?\s*(Z|[+-]\d\d:?\d\d)?")
#: Go's os.FileMode bits, as the archive endpoints report a mode.
_GO_DIR, _GO_LINK, _GO_SETUID, _GO_SETGID, _GO_STICKY = 1 << 31, 1 << 27, 1 << 23, 1 << 22, 1 << 20
#: The end of the year 9999, in seconds.
_LAST_TIME = 253402300800
_CHANGES: dict[int, Literal["added", "modified", "deleted"]] = {0: "modified", 1: "added", 2: "deleted"}


def timestamp(value: Any) -> float:
    """Return seconds since the epoch, of RFC 3339 text or of a number. Go's zero time and invalid ones are 0.0."""
    if isinstance(value, (int, float)):
        return float(value) if 0 <= value < _LAST_TIME else 0.0
    match = _TIME.match(text(value))
    if not match:
        return 0.0
    day, clock, fraction, zone = match.groups()
    if day < "1970":
        return 0.0
    try:
        parsed = dt.datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in (None, 'Z') else zone}")
    except ValueError:
        return 0.0
    return parsed.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)


def image_id(value: Any) -> str:
    """Return an image ID with its algorithm, which Podman leaves out."""
    found = text(value)
    return f"sha256:{found}" if re.fullmatch(r"[0-9a-f]{64}", found) else found


def _ports(bindings: Any) -> dict[tuple[int, str], tuple[Address, ...]]:
    found: dict[tuple[int, str], tuple[Address, ...]] = {}
    for key, hosts in mapping(bindings).items():
        port, _, protocol = key.partition("/")
        if not port.isdecimal():
            continue
        found[int(port), protocol or "tcp"] = tuple(
            Address(text(host.get("HostIp")) or "0.0.0.0", int(host["HostPort"]))
            for host in map(mapping, sequence(hosts))
            if text(host.get("HostPort")).isdecimal()
        )
    return found


def _endpoints(networks: Any) -> dict[str, NetworkEndpoint]:
    return {
        name: NetworkEndpoint(
            network=name,
            ipv4_address=text(raw.get("IPAddress")),
            ipv6_address=text(raw.get("GlobalIPv6Address")),
            mac_address=text(raw.get("MacAddress")),
            gateway=text(raw.get("Gateway")),
            aliases=texts(raw.get("Aliases")),
        )
        for name, raw in ((name, mapping(raw)) for name, raw in mapping(networks).items())
    }


def _status(state: Raw) -> str:
    status = text(state.get("Status")).lower()
    # Podman's compat endpoint passes on some of its own words.
    return {"configured": "created", "initialized": "created", "stopped": "exited", "stopping": "running"}.get(
        status, status
    )


def container(raw: Raw, name_of_image: str = "") -> ContainerRecord:
    """Parse the inspect of a container.

    Args:
        name_of_image: its image, in familiar form.
    """
    config, host, state = mapping(raw.get("Config")), mapping(raw.get("HostConfig")), required(raw, "State", dict)
    required(state, "Status", str)
    network = mapping(raw.get("NetworkSettings"))
    status = _status(state)
    health = text(mapping(state.get("Health")).get("Status"))
    check = [text(word) for word in sequence(mapping(config.get("Healthcheck")).get("Test"))]
    has_check = bool(check) and check != ["NONE"]
    if not check and health not in ("", "none"):
        has_check = True
    ports = _ports(host.get("PortBindings")) | _ports(network.get("Ports"))
    return ContainerRecord(
        id=required(raw, "Id", str),
        name=required(raw, "Name", str).lstrip("/"),
        image=name_of_image or text(config.get("Image")),
        image_id=image_id(raw.get("Image")),
        status=status,
        labels=labels(config.get("Labels")),
        command=tuple(text(word) for word in [raw.get("Path"), *sequence(raw.get("Args"))] if word is not None),
        ports=ports,
        exit_code=required(state, "ExitCode", int) if status in ("exited", "dead") else None,
        error=text(state.get("Error")),
        oom_killed=state.get("OOMKilled") is True,
        started=timestamp(state.get("StartedAt")),
        finished=timestamp(state.get("FinishedAt")),
        restart=text(mapping(host.get("RestartPolicy")).get("Name")) or "no",
        network_mode=text(host.get("NetworkMode")),
        health=(health or "starting") if has_check and health != "none" else None,
        has_health_check=has_check,
        pid=number(state.get("Pid")) if status in ("running", "paused") else 0,
        created=timestamp(raw.get("Created")),
        tty=config.get("Tty") is True,
        networks=_endpoints(network.get("Networks")),
        mounts=tuple(
            MountRecord(
                kind=text(item.get("Type")),
                source=text(item.get("Source")),
                target=text(item.get("Destination")),
                name=text(item.get("Name")),
                read_only=item.get("RW") is False,
            )
            for item in map(mapping, sequence(raw.get("Mounts")))
        ),
        size_rw=integer(raw.get("SizeRw")),
        size_root_fs=integer(raw.get("SizeRootFs")),
        raw=raw,
    )


def container_summary(raw: Raw) -> ContainerRecord:
    """Parse a row of the list of containers; it holds less than an inspect."""
    ports: dict[tuple[int, str], tuple[Address, ...]] = {}
    for item in map(mapping, sequence(raw.get("Ports"))):
        key = (number(item.get("PrivatePort")), text(item.get("Type")) or "tcp")
        public = number(item.get("PublicPort"))
        found = (Address(text(item.get("IP")) or "0.0.0.0", public),) if public else ()
        ports[key] = (*ports.get(key, ()), *found)
    names = [text(name).lstrip("/") for name in sequence(raw.get("Names"))]
    # A link gives a container further names, which contain a slash.
    own = [name for name in names if "/" not in name] or names
    return ContainerRecord(
        id=required(raw, "Id", str),
        name=own[0] if own else "",
        image=text(raw.get("Image")),
        image_id=image_id(raw.get("ImageID")),
        status=_status({"Status": required(raw, "State", str)}),
        labels=labels(raw.get("Labels")),
        command=(text(raw.get("Command")),) if raw.get("Command") else (),
        ports=ports,
        created=timestamp(raw.get("Created")),
        networks=_endpoints(mapping(raw.get("NetworkSettings")).get("Networks")),
        size_rw=integer(raw.get("SizeRw")),
        size_root_fs=integer(raw.get("SizeRootFs")),
        complete=False,
        raw=raw,
    )


def volume(raw: Raw) -> VolumeRecord:
    """Parse a volume, from its inspect or from the list."""
    return VolumeRecord(
        name=required(raw, "Name", str),
        driver=text(raw.get("Driver")),
        mountpoint=text(raw.get("Mountpoint")),
        labels=labels(raw.get("Labels")),
        options=labels(raw.get("Options")),
        created=timestamp(raw.get("CreatedAt")),
        raw=raw,
    )


def network(raw: Raw) -> NetworkRecord:
    """Parse a network, from its inspect or from the list."""
    return NetworkRecord(
        id=required(raw, "Id", str),
        name=required(raw, "Name", str),
        driver=text(raw.get("Driver")),
        internal=raw.get("Internal") is True,
        ipv6=raw.get("EnableIPv6") is True,
        labels=labels(raw.get("Labels")),
        options=labels(raw.get("Options")),
        subnets=tuple(
            (text(pool.get("Subnet")), text(pool.get("Gateway")).partition("/")[0])
            for pool in map(mapping, sequence(mapping(raw.get("IPAM")).get("Config")))
        ),
        containers=tuple(
            ContainerRef(
                id=key,
                name=text(item.get("Name")),
                ipv4_address=text(item.get("IPv4Address")).partition("/")[0],
                ipv6_address=text(item.get("IPv6Address")).partition("/")[0],
                mac_address=text(item.get("MacAddress")),
            )
            for key, item in ((key, mapping(item)) for key, item in mapping(raw.get("Containers")).items())
        ),
        created=timestamp(raw.get("Created")),
        raw=raw,
    )


def changes(rows: Any) -> tuple[Change, ...]:
    """Parse the paths that a container's read-write layer changes.

    A folder that was removed and created again is "modified": Podman reports it as deleted, beside its new content.
    """
    known = [row for row in objects([] if rows is None else rows) if row.get("Kind") in _CHANGES]
    found = [(required(row, "Path", str), _CHANGES[row["Kind"]]) for row in known]
    present = {str(parent) for path, kind in found if kind != "deleted" for parent in PurePosixPath(path).parents}
    return tuple(Change(path, "modified" if kind == "deleted" and path in present else kind) for path, kind in found)


def path_stat(header: str) -> PathStat:
    """Parse the X-Docker-Container-Path-Stat header: base64 of JSON, with the mode in Go's bits."""
    raw = object_(decode(base64.b64decode(header, validate=True)))
    mode = required(raw, "mode", int)
    bits = mode & 0o777
    for go, posix in ((_GO_SETUID, 0o4000), (_GO_SETGID, 0o2000), (_GO_STICKY, 0o1000)):
        bits |= posix if mode & go else 0
    is_link = bool(mode & _GO_LINK)
    return PathStat(
        name=required(raw, "name", str),
        size=number(raw.get("size")),
        mode=bits,
        modified=timestamp(raw.get("mtime")),
        is_dir=bool(mode & _GO_DIR),
        link_target=text(raw.get("linkTarget")) if is_link else "",
    )


def stats(raw: Raw) -> Stats:
    """Parse a sample of a container's resource usage, computed as `docker stats` does.

    Memory is the usage without the page cache that can be dropped.
    Formulas: https://docs.docker.com/reference/api/engine/ (ContainerStats)
    """
    required(raw, "read", str)
    cpu, before = mapping(raw.get("cpu_stats")), mapping(raw.get("precpu_stats"))
    total = number(mapping(cpu.get("cpu_usage")).get("total_usage"))
    used = total - number(mapping(before.get("cpu_usage")).get("total_usage"))
    elapsed = number(cpu.get("system_cpu_usage")) - number(before.get("system_cpu_usage"))
    seconds = timestamp(raw.get("read")) - timestamp(raw.get("preread"))
    percent: float | None = None
    if before.get("system_cpu_usage") and elapsed > 0:
        online = number(cpu.get("online_cpus")) or len(sequence(mapping(cpu.get("cpu_usage")).get("percpu_usage"))) or 1
        percent = used / elapsed * online * 100
    elif timestamp(raw.get("preread")) and seconds > 0:
        percent = used / 1e9 / seconds * 100
    memory = mapping(raw.get("memory_stats"))
    detail = mapping(memory.get("stats"))
    usage = number(memory.get("usage"))
    cache = number(detail.get("total_inactive_file", detail.get("inactive_file")))
    networks = [mapping(item) for item in mapping(raw.get("networks")).values()]
    blocks = [mapping(i) for i in sequence(mapping(raw.get("blkio_stats")).get("io_service_bytes_recursive"))]
    return Stats(
        cpu_percent=None if percent is None else max(0.0, percent),
        cpu_total=total / 1e9,
        memory=usage - cache if cache < usage else usage,
        memory_limit=number(memory.get("limit")),
        pids=number(mapping(raw.get("pids_stats")).get("current")),
        network_rx=sum(number(item.get("rx_bytes")) for item in networks),
        network_tx=sum(number(item.get("tx_bytes")) for item in networks),
        block_read=sum(number(item.get("value")) for item in blocks if text(item.get("op")).lower() == "read"),
        block_write=sum(number(item.get("value")) for item in blocks if text(item.get("op")).lower() == "write"),
        time=timestamp(raw.get("read")),
    )


def event(raw: Raw) -> Event:
    """Parse an event. Podman's "died" and "remove" of a container become "die" and "destroy"."""
    actor = mapping(raw.get("Actor"))
    attributes = labels(actor.get("Attributes"))
    action = text(raw.get("Action") or raw.get("status"))
    action = {"died": "die", "remove": "destroy"}.get(action, action) if raw.get("Type") == "container" else action
    code = attributes.get("exitCode", attributes.get("containerExitCode", ""))
    nano = raw.get("timeNano")
    return Event(
        type=required(raw, "Type", str),
        action=action,
        id=text(actor.get("ID") or raw.get("id")),
        name=attributes.get("name", ""),
        time=nano / 1e9 if isinstance(nano, int) and nano else timestamp(raw.get("time")),
        attributes=attributes,
        exit_code=int(code) if action == "die" and code.lstrip("-").isdecimal() else None,
        raw=raw,
    )


def volumes(raw: Raw) -> tuple[VolumeRecord, ...]:
    """Parse the list of volumes, which is null if it is empty."""
    rows = raw["Volumes"]
    return tuple(map(volume, objects([] if rows is None else rows)))


def processes(raw: Raw) -> Processes:
    """Parse the processes of a container."""
    return Processes(
        titles=texts(required(raw, "Titles", list)),
        rows=tuple(map(texts, sequence(raw.get("Processes")))),
    )
