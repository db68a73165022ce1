"""Collect the facts for one report: from the engine, from two short containers, and from this host where it counts."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ContainerKitError, InvalidOption
from .answers import parse_engine
from .audit import collect_containers
from .client import collect_client, collect_peer, collect_socket, socket_path
from .facts import Facts, HostFacts, PeerFacts
from .host import account_named, account_of, collect_host, engine_root
from .probes import Probes, first_line

if TYPE_CHECKING:
    from ..backends.base import Backend

__all__ = ["collect", "collect_for_host"]


def collect_for_host(user: str | None = None) -> Facts:
    """Return the facts of this host alone, for an account; None: the one that runs this process.

    Raises:
        InvalidOption: there is no such account.
    """
    account = account_of(os.getuid()) if user is None else account_named(str(user))
    if account is None:
        raise InvalidOption("user", user, "an account of this host")
    environ = os.environ if account.uid == os.getuid() else None
    host = collect_host(account, environ=environ, arch=platform.machine())
    return Facts(client=collect_client(None), host=host)


def collect(backend: Backend, labels: Mapping[str, str], *, probe: bool, audit: bool = True) -> Facts:
    """Return the facts of one engine. An unknown fact is None, with the reason. Only interrupts are raised.

    Args:
        labels: for everything that is created, so that cleanup can find it if this process dies.
        probe: start two short containers.
        audit: inspect the running containers.
    """
    path = socket_path(backend.url)
    facts = Facts(client=collect_client(backend.url))
    try:
        info = backend.info()
    except ContainerKitError as exc:
        return replace(facts, unreached=first_line(exc))
    engine = parse_engine(info.raw, url=backend.url, asked_as=backend.kind)
    engine = replace(engine, version=engine.version or info.version, arch=engine.arch or info.arch)
    peer = collect_peer(backend.url)
    facts = replace(facts, engine=engine, peer=peer, socket=collect_socket(path), host=_host(peer))
    if not engine.libpod:
        with contextlib.suppress(ContainerKitError):
            facts = replace(facts, bridge=backend.inspect_network("bridge").options)
    if audit:
        try:
            facts = collect_containers(backend, facts)
        except ContainerKitError as exc:
            facts = replace(facts, containers_problem=first_line(exc))
    if probe:
        found, limits = Probes(backend, engine, labels, facts.host.boot_id if facts.host else None).run()
        facts = replace(facts, probe=replace(found, store_disk=_store_disk(peer, engine.root_dir)), limits=limits)
    return facts


def _host(peer: PeerFacts | None) -> HostFacts:
    """Return this host's facts for the account that runs the engine; for the caller's if that is root or unknown."""
    uid = peer.uid if peer is not None and peer.uid != 0 and peer.pid != 0 else os.getuid()
    files = engine_root(peer.pid, nested=peer.nested) if peer is not None else Path("/")
    environ = os.environ if uid == os.getuid() and files == Path("/") else None
    arch = platform.machine()
    host = collect_host(account_of(uid, files or Path("/")), files=files, environ=environ, arch=arch)
    return host if files is not None else replace(host, subuid=None, subgid=None, missing=(), helpers=(), podman=None)


def _store_disk(peer: PeerFacts | None, root_dir: str | None) -> int | None:
    """Return the bytes of the file system that holds the engine's store; None if this host does not see it."""
    files = engine_root(peer.pid, nested=peer.nested) if peer is not None else None
    if files is None or not root_dir:
        return None
    try:
        found = os.statvfs(files / root_dir.lstrip("/"))
    except OSError:
        return None
    return found.f_blocks * found.f_bsize
