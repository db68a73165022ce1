"""What an engine answers, from the JSON of the Docker Engine API into records; the edge where parsing ends.

Nothing is assumed to be there: engines leave fields out, send null for empty, and rename them between versions.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Literal

from ..errors import EngineError
from .base import (
    Address,
    Change,
    ContainerRecord,
    ContainerRef,
    Event,
    HistoryEntry,
    ImageRecord,
    MountRecord,
    NetworkEndpoint,
    NetworkRecord,
    PathStat,
    Progress,
    Stats,
    VolumeRecord,
)

Raw = Mapping[str, Any]

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?\s*(Z|[+-]\d\d:?\d\d)?")
#: Go's os.FileMode bits, as the archive endpoints report a mode.
_GO_DIR, _GO_LINK, _GO_SETUID, _GO_SETGID, _GO_STICKY = 1 << 31, 1 << 27, 1 << 23, 1 << 22, 1 << 20
_CHANGES: dict[int, Literal["added", "modified", "deleted"]] = {0: "modified", 1: "added", 2: "deleted"}


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one: null and absence mean the same to the engines."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value as text; null and absence are empty."""
    return value if isinstance(value, str) else "" if value is None else str(value)


def number(value: Any) -> int:
    """The value as a whole number; what is none is 0."""
    return value if isinstance(value, int) else int(value) if isinstance(value, float) else 0


def labels(value: Any) -> dict[str, str]:
    """Labels or options: text to text."""
    return {text(key): text(item) for key, item in mapping(value).items()}


def timestamp(value: Any) -> float:
    """Seconds since the epoch, of RFC 3339 text with up to nanoseconds, or of a number; 0.0 for Go's zero time."""
    if isinstance(value, (int, float)):
        return float(value)
    match = _TIME.match(text(value))
    if not match:
        return 0.0
    day, clock, fraction, zone = match.groups()
    if day < "1970":
        return 0.0
    parsed = dt.datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in (None, 'Z') else zone}")
    return parsed.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)


def image_id(value: Any) -> str:
    """An image ID with its algorithm, which Podman leaves out."""
    found = text(value)
    return f"sha256:{found}" if re.fullmatch(r"[0-9a-f]{64}", found) else found


def _ports(bindings: Any) -> dict[tuple[int, str], tuple[Address, ...]]:
    found: dict[tuple[int, str], tuple[Address, ...]] = {}
    for key, hosts in mapping(bindings).items():
        port, _, protocol = key.partition("/")
        if not port.isdigit():
            continue
        found[int(port), protocol or "tcp"] = tuple(
            Address(text(host.get("HostIp")) or "0.0.0.0", int(host["HostPort"]))
            for host in map(mapping, sequence(hosts))
            if text(host.get("HostPort")).isdigit()
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
            aliases=tuple(map(text, sequence(raw.get("Aliases")))),
        )
        for name, raw in ((name, mapping(raw)) for name, raw in mapping(networks).items())
    }


def _status(state: Raw) -> str:
    status = text(state.get("Status")).lower()
    # Podman's own words, where its compat endpoint lets them through.
    return {"configured": "created", "initialized": "created", "stopped": "exited", "stopping": "running"}.get(
        status, status
    )


def container(raw: Raw, name_of_image: str = "") -> ContainerRecord:
    """A container's inspect."""
    config, host, state = mapping(raw.get("Config")), mapping(raw.get("HostConfig")), mapping(raw.get("State"))
    network = mapping(raw.get("NetworkSettings"))
    status = _status(state)
    health = text(mapping(state.get("Health")).get("Status"))
    check = [text(word) for word in sequence(mapping(config.get("Healthcheck")).get("Test"))]
    has_check = bool(check) and check != ["NONE"]
    if not check and health not in ("", "none"):
        has_check = True
    ports = _ports(host.get("PortBindings")) | _ports(network.get("Ports"))
    ended = status in ("exited", "dead") or (status == "created" and number(state.get("ExitCode")) != 0)
    return ContainerRecord(
        id=text(raw.get("Id")),
        name=text(raw.get("Name")).lstrip("/"),
        image=name_of_image or text(config.get("Image")),
        image_id=image_id(raw.get("Image")),
        status=status,
        labels=labels(config.get("Labels")),
        command=tuple(text(word) for word in [raw.get("Path"), *sequence(raw.get("Args"))] if word is not None),
        ports=ports,
        exit_code=number(state.get("ExitCode")) if ended else None,
        error=text(state.get("Error")),
        oom_killed=state.get("OOMKilled") is True,
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
        size_rw=raw.get("SizeRw") if isinstance(raw.get("SizeRw"), int) else None,
        size_root_fs=raw.get("SizeRootFs") if isinstance(raw.get("SizeRootFs"), int) else None,
        raw=raw,
    )


def container_summary(raw: Raw) -> ContainerRecord:
    """One row of the list of containers; it knows less than an inspect."""
    ports: dict[tuple[int, str], tuple[Address, ...]] = {}
    for item in map(mapping, sequence(raw.get("Ports"))):
        key = (number(item.get("PrivatePort")), text(item.get("Type")) or "tcp")
        public = number(item.get("PublicPort"))
        found = (Address(text(item.get("IP")) or "0.0.0.0", public),) if public else ()
        ports[key] = (*ports.get(key, ()), *found)
    names = [text(name).lstrip("/") for name in sequence(raw.get("Names"))]
    # A link gives a container further names, with a slash in them; its own has none.
    own = [name for name in names if "/" not in name] or names
    return ContainerRecord(
        id=text(raw.get("Id")),
        name=own[0] if own else "",
        image=text(raw.get("Image")),
        image_id=image_id(raw.get("ImageID")),
        status=_status({"Status": raw.get("State")}),
        labels=labels(raw.get("Labels")),
        command=(text(raw.get("Command")),) if raw.get("Command") else (),
        ports=ports,
        created=timestamp(raw.get("Created")),
        networks=_endpoints(mapping(raw.get("NetworkSettings")).get("Networks")),
        size_rw=raw.get("SizeRw") if isinstance(raw.get("SizeRw"), int) else None,
        size_root_fs=raw.get("SizeRootFs") if isinstance(raw.get("SizeRootFs"), int) else None,
        complete=False,
        raw=raw,
    )


def image(raw: Raw, refs: Iterable[str]) -> ImageRecord:
    """An image's inspect. refs: its names, already in familiar form."""
    config = mapping(raw.get("Config"))
    return ImageRecord(
        id=image_id(raw.get("Id")),
        refs=tuple(refs),
        digests=tuple(map(text, sequence(raw.get("RepoDigests")))),
        size=number(raw.get("Size")),
        created=timestamp(raw.get("Created")),
        labels=labels(config.get("Labels")),
        parent=image_id(raw.get("Parent")),
        os=text(raw.get("Os")),
        arch=text(raw.get("Architecture")),
        author=text(raw.get("Author")),
        diff_ids=tuple(map(text, sequence(mapping(raw.get("RootFS")).get("Layers")))),
        config=config,
        raw=raw,
    )


def image_summary(raw: Raw, refs: Iterable[str]) -> ImageRecord:
    """One row of the list of images."""
    containers, shared = raw.get("Containers"), raw.get("SharedSize")
    return ImageRecord(
        id=image_id(raw.get("Id")),
        refs=tuple(refs),
        digests=tuple(d for d in map(text, sequence(raw.get("RepoDigests"))) if not d.startswith("<none>")),
        size=number(raw.get("Size")),
        created=timestamp(raw.get("Created")),
        labels=labels(raw.get("Labels")),
        parent=image_id(raw.get("ParentId")),
        containers=containers if isinstance(containers, int) and containers >= 0 else None,
        shared_size=shared if isinstance(shared, int) and shared >= 0 else None,
        complete=False,
        raw=raw,
    )


def history(rows: Any) -> tuple[HistoryEntry, ...]:
    """The history endpoint's answer, newest first there, oldest first here."""
    return tuple(
        HistoryEntry(
            created_by=text(row.get("CreatedBy")),
            created=timestamp(row.get("Created")) or None,
            size=row.get("Size") if isinstance(row.get("Size"), int) else None,
            comment=text(row.get("Comment")),
            image_id="" if text(row.get("Id")) == "<missing>" else image_id(row.get("Id")),
        )
        for row in map(mapping, reversed(sequence(rows)))
    )


def volume(raw: Raw) -> VolumeRecord:
    """A volume, as inspect and list give it."""
    return VolumeRecord(
        name=text(raw.get("Name")),
        driver=text(raw.get("Driver")),
        mountpoint=text(raw.get("Mountpoint")),
        labels=labels(raw.get("Labels")),
        options=labels(raw.get("Options")),
        created=timestamp(raw.get("CreatedAt")),
        raw=raw,
    )


def network(raw: Raw) -> NetworkRecord:
    """A network, as inspect and list give it."""
    return NetworkRecord(
        id=text(raw.get("Id")),
        name=text(raw.get("Name")),
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
    """What a container's read-write layer changes. A folder that was removed and made anew is modified: Podman calls it
    deleted, beside what is in it now."""
    known = (row for row in map(mapping, sequence(rows)) if row.get("Kind") in _CHANGES)
    told = [(text(row.get("Path")), _CHANGES[row["Kind"]]) for row in known]
    there = {parent.as_posix() for path, kind in told if kind != "deleted" for parent in PurePosixPath(path).parents}
    return tuple(Change(path, "modified" if kind == "deleted" and path in there else kind) for path, kind in told)


def path_stat(header: str) -> PathStat:
    """The X-Docker-Container-Path-Stat header: base64 of JSON, the mode in Go's bits."""
    raw = mapping(json.loads(base64.b64decode(header)))
    mode = number(raw.get("mode"))
    bits = mode & 0o777
    for go, posix in ((_GO_SETUID, 0o4000), (_GO_SETGID, 0o2000), (_GO_STICKY, 0o1000)):
        bits |= posix if mode & go else 0
    is_link = bool(mode & _GO_LINK)
    return PathStat(
        name=text(raw.get("name")),
        size=number(raw.get("size")),
        mode=bits,
        modified=timestamp(raw.get("mtime")),
        is_dir=bool(mode & _GO_DIR),
        link_target=text(raw.get("linkTarget")) if is_link else "",
    )


def progress(row: Raw) -> Progress:
    """One line of a pull, push, load or build."""
    detail = mapping(row.get("progressDetail"))
    aux = mapping(row.get("aux"))
    current, total = detail.get("current"), detail.get("total")
    return Progress(
        status=text(row.get("status")),
        id=text(row.get("id")),
        current=current if isinstance(current, int) else None,
        total=total if isinstance(total, int) and total > 0 else None,
        stream=text(row.get("stream")),
        image_id=image_id(aux.get("ID")),
    )


def stats(raw: Raw) -> Stats:
    """One sample. The memory is what the CLI shows: usage less the page cache that can be dropped.

    Formulas: https://docs.docker.com/reference/api/engine/ (ContainerStats), as `docker stats` computes them.
    """
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
    """One event; Podman's words for an end become the command line's."""
    actor = mapping(raw.get("Actor"))
    attributes = labels(actor.get("Attributes"))
    action = text(raw.get("Action") or raw.get("status"))
    action = {"died": "die", "remove": "destroy"}.get(action, action) if raw.get("Type") == "container" else action
    code = attributes.get("exitCode", attributes.get("containerExitCode", ""))
    nano = raw.get("timeNano")
    return Event(
        type=text(raw.get("Type")),
        action=action,
        id=text(actor.get("ID") or raw.get("id")),
        name=attributes.get("name", ""),
        time=nano / 1e9 if isinstance(nano, int) and nano else timestamp(raw.get("time")),
        attributes=attributes,
        exit_code=int(code) if action == "die" and code.lstrip("-").isdigit() else None,
        raw=raw,
    )


def json_lines(chunks: Iterable[bytes], doing: str) -> Iterable[Raw]:
    """A stream of JSON values, one after the other, with or without line ends between them.

    Raises:
        EngineError: something that is not JSON, or that stops in the middle of a value.
    """
    decoder = json.JSONDecoder()
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            yield from _values(decoder, line, doing)
    yield from _values(decoder, buffer, doing)


def _values(decoder: json.JSONDecoder, line: bytes, doing: str) -> Iterable[Raw]:
    rest = line.decode("utf-8", "replace").strip()
    while rest:
        try:
            value, end = decoder.raw_decode(rest)
        except ValueError as exc:
            raise EngineError(f"{doing}: the engine sent something that is not JSON: {rest[:200]!r}") from exc
        yield mapping(value)
        rest = rest[end:].strip()
