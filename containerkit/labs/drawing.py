"""Drawings of labs."""

from __future__ import annotations

from collections.abc import Mapping

from ..display import GraphBox, NetworkGraph
from .topology import Topology

__all__ = ["draw"]


def draw(topology: Topology, states: Mapping[str, str] | None = None) -> NetworkGraph:
    """Return the drawing of a topology.

    Args:
        topology: the lab.
        states: host -> status of its container.
    """
    boxes = tuple(
        GraphBox(
            host.name,
            tuple((each.domain, " ".join((each.name, *each.addresses))) for each in host.interfaces),
            (states or {}).get(host.name, ""),
        )
        for host in topology.hosts
    )
    return NetworkGraph(f"Lab {topology.name}", boxes)
