"""Networks of hosts, routers and switches in containers, on either engine, rootless included.

`topology.py` holds the plain values of a lab and validates them; `plan.py` turns them into commands; `lab.py` sends the
commands to an engine. `kathara.py` reads the files of Kathará and Netkit; `images.py` builds images for hosts;
`view.py` serves a web page; `compose.py` and `project.py` run Compose files. Start reading at
:class:`containerkit.labs.Lab`.

Imports display, engine, errors, options, resources, spec and values.
"""

from __future__ import annotations

from .capture import Capture
from .compose import ComposeFile, Service, from_compose
from .files import load
from .images import BASE_IMAGE, KATHARA_IMAGES, ROUTER_IMAGE, build_images
from .kubernetes import to_kubernetes
from .lab import HostStatus, Lab
from .project import Project, ServiceStatus
from .reachability import Reachability
from .topology import Host, Interface, Topology
from .view import View

__all__ = [
    "BASE_IMAGE",
    "KATHARA_IMAGES",
    "ROUTER_IMAGE",
    "Capture",
    "ComposeFile",
    "Host",
    "HostStatus",
    "Interface",
    "Lab",
    "Project",
    "Reachability",
    "Service",
    "ServiceStatus",
    "Topology",
    "View",
    "build_images",
    "from_compose",
    "load",
    "to_kubernetes",
]
