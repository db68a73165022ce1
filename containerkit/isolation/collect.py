"""Collecting the facts for one report: what the engine says, two short containers, and this host where it counts."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ContainerKitError, NotFound
from .answers import parse_container, parse_engine
from .client import collect_client, collect_peer, collect_socket, socket_path
from .facts import AuditedContainer, Facts, HostFacts, PeerFacts
from .host import account_of, collect_host, engine_root
from .probes import Probes, first_line

if TYPE_CHECKING:
    from ..backends.base import Backend

__all__ = ["collect", "collect_for_host"]

_MAX_CONTAINERS = 100


def collect_for_host() -> Facts:
    """The facts of this host alone, for the account that runs this process."""
    host = collect_host(account_of(os.getuid()), environ=os.environ, arch=platform.machine())
    return Facts(client=collect_client(None), host=host)


def collect(backend: Backend, labels: Mapping[str, str], *, probe: bool, audit: bool = True) -> Facts:
    """The facts of one engine. What cannot be found out is left out, with the reason; only interrupts come through.

    Args:
        labels: for everything that is made, so that it can be found should this process die.
        probe: make two short containers.  audit: look into those that run.
    """
    path = socket_path(backend.url)
    facts = Facts(client=collect_client(backend.url))
    try:
        info = backend.info()
    except ContainerKitError as exc:
        return replace(facts, unreached=first_line(exc))
    engine = parse_engine(info.raw, url=backend.url, asked_as=backend.kind)
    engine = replace(engine, version=engine.version or info.version, arch=engine.arch or info.arch)
    peer = collect_peer(path)
    facts = replace(facts, engine=engine, peer=peer, socket=collect_socket(path), host=_host(peer))
    if audit:
        containers, problem = _audit(backend)
        facts = replace(facts, containers=containers, containers_problem=problem)
    if probe:
        found, limits = Probes(backend, engine, labels, facts.host.boot_id if facts.host else None).run()
        facts = replace(facts, probe=found, limits=limits)
    return facts


def _host(peer: PeerFacts | None) -> HostFacts:
    """This host, for the account that runs the engine; for the caller's where that is root's or is not known."""
    uid = peer.uid if peer is not None and peer.uid != 0 and peer.pid != 0 else os.getuid()
    files = engine_root(peer.pid, nested=peer.nested) if peer is not None else Path("/")
    environ = os.environ if uid == os.getuid() and files == Path("/") else None
    arch = platform.machine()
    host = collect_host(account_of(uid, files or Path("/")), files=files, environ=environ, arch=arch)
    return host if files is not None else replace(host, subuid=None, subgid=None, helpers=())


def _audit(backend: Backend) -> tuple[tuple[AuditedContainer, ...] | None, str | None]:
    """The running containers, with what they were given. Asked before there are any of ours."""
    try:
        records = backend.list_containers(all=False, filters={})
    except ContainerKitError as exc:
        return None, first_line(exc)
    audited = []
    for record in records[:_MAX_CONTAINERS]:
        try:
            raw = backend.inspect_container(record.id).raw
        except NotFound:
            continue  # it ended meanwhile
        except ContainerKitError as exc:
            audited.append(AuditedContainer(record.id, record.name, problem=first_line(exc)))
            continue
        audited.append(parse_container(raw, container_id=record.id, name=record.name))
    if len(records) > _MAX_CONTAINERS:
        audited.append(AuditedContainer("", "the rest", problem=f"only {_MAX_CONTAINERS} containers are looked into"))
    return tuple(audited), None
