"""Adapters to engines: the Backend interface, the transport seam below it, Docker and Podman.

Imports errors, reference, spec, streams and values, nothing else of ours. Read in this order: `base` (the interface)
with `records` (its values); `transport` (the seam); `docker` beside `podman` (together they are the list of
differences); then what both share: `_http` (requests and strict reading), `_containers`, `_lifecycle`, `_processes`,
`_logs`, `_files`, `_images`, `_registry`, `_resources`, `_render` (request bodies), `_parse` and `_json` (responses).
`_requests` and `_wire` are the transport over a vendor's client.
`swarm` with `swarm_tasks` is Docker Swarm over a manager's engine.

A package adds a backend with an entry point of the group ``containerkit.backends``: its name is the `kind`, its value a
subclass of Backend that takes ``(url, *, timeout)``. Without an entry point, pass an instance to `connect()`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ENTRY_POINTS", "find_backend"]

#: The group of entry points that add backends.
ENTRY_POINTS = "containerkit.backends"


def find_backend(kind: str) -> type[Any] | None:
    """Return the Backend class that an installed package registers for `kind`, or None."""
    from importlib.metadata import entry_points  # it imports a parser of e-mails

    for entry in entry_points(group=ENTRY_POINTS, name=kind):
        found = entry.load()
        return found if isinstance(found, type) else None
    return None
