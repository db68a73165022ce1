"""Networks of hosts, routers and switches in containers, on either engine, rootless included.

`topology.py` holds the plain values of a lab and validates them; `plan.py` turns them into commands; `lab.py` sends the
commands to an engine. `kathara.py` reads the files of Kathará and Netkit; `images.py` builds images for hosts. Start
reading at :class:`containerkit.labs.Lab`.

Imports display, engine, errors, options, resources and values.
"""

from __future__ import annotations

from .capture import Capture
from .files import load
from .images import BASE_IMAGE, KATHARA_IMAGES, ROUTER_IMAGE, build_images
from .lab import HostStatus, Lab
from .reachability import Reachability
from .topology import Host, Interface, Topology

__all__ = [
    "BASE_IMAGE",
    "KATHARA_IMAGES",
    "ROUTER_IMAGE",
    "Capture",
    "Host",
    "HostStatus",
    "Interface",
    "Lab",
    "Reachability",
    "Topology",
    "build_images",
    "load",
]
