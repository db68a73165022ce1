"""One Python SDK over Docker and Podman.

Every public name is imported here on first use. Importing containerkit imports neither vendor client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lazy import loading
from ._version import __version__

#: Module -> the public names it defines.
_ROOMS: dict[str, tuple[str, ...]] = {
    "backends.base": (
        "Address",
        "Backend",
        "Capability",
        "Change",
        "EngineInfo",
        "Event",
        "HistoryEntry",
        "Processes",
        "Progress",
        "Stats",
    ),
    "discovery.connect": ("Endpoint", "connect", "discover"),
    "resources.container": ("Container",),
    "engine": ("Engine",),
    "errors": (
        "AuthenticationFailed",
        "BuildFailed",
        "CommandFailed",
        "Conflict",
        "ContainerKitError",
        "ContainerNotFound",
        "EngineError",
        "EngineTimeout",
        "EngineUnavailable",
        "ImageNotFound",
        "InUse",
        "InvalidImage",
        "InvalidLab",
        "InvalidOption",
        "InvalidReference",
        "LabFailed",
        "LimitNotEnforced",
        "NameInUse",
        "NetworkNotFound",
        "NotFound",
        "PullFailed",
        "PushFailed",
        "StartFailed",
        "Unsupported",
        "VolumeNotFound",
        "WrongState",
    ),
    "resources.image": ("Image",),
    "resources.terminal": ("Terminal",),
    "resources.logs": ("Logs",),
    "isolation": ("AuditReport", "CheckResult", "ContainerAudit", "IsolationReport", "check_host", "compare_reports"),
    "layers": (
        "DiskUsage",
        "Duplicates",
        "Layer",
        "LayerStack",
        "Reclaim",
        "RwLayer",
        "Savings",
        "Sharing",
        "Waste",
        "open_archive",
    ),
    "labs": ("labs",),
    "resources.networks": ("Network",),
    "resources.process": ("ExecResult", "RunResult"),
    "resources.pruned": ("Pruned",),
    "leftovers": ("Cleaned", "cleanup"),
    "spec": ("HealthCheck", "Mount", "NetworkAttachment", "PortBinding", "RegistryAuth", "Ulimit"),
    "streams": ("ByteStream", "Output", "OutputStream"),
    "resources.volumes": ("Volume",),
    "wait": ("wait",),
}

if TYPE_CHECKING:
    from . import labs, wait
    from .backends.base import (
        Address,
        Backend,
        Capability,
        Change,
        EngineInfo,
        Event,
        HistoryEntry,
        Processes,
        Progress,
        Stats,
    )
    from .discovery.connect import Endpoint, connect, discover
    from .engine import Engine
    from .errors import (
        AuthenticationFailed,
        BuildFailed,
        CommandFailed,
        Conflict,
        ContainerKitError,
        ContainerNotFound,
        EngineError,
        EngineTimeout,
        EngineUnavailable,
        ImageNotFound,
        InUse,
        InvalidImage,
        InvalidOption,
        InvalidReference,
        LimitNotEnforced,
        NameInUse,
        NetworkNotFound,
        NotFound,
        PullFailed,
        PushFailed,
        StartFailed,
        Unsupported,
        VolumeNotFound,
        WrongState,
    )
    from .isolation import AuditReport, CheckResult, ContainerAudit, IsolationReport, check_host, compare_reports
    from .layers import (
        DiskUsage,
        Duplicates,
        Layer,
        LayerStack,
        Reclaim,
        RwLayer,
        Savings,
        Sharing,
        Waste,
        open_archive,
    )
    from .leftovers import Cleaned, cleanup
    from .resources.container import Container
    from .resources.image import Image
    from .resources.logs import Logs
    from .resources.networks import Network
    from .resources.process import ExecResult, RunResult
    from .resources.pruned import Pruned
    from .resources.terminal import Terminal
    from .resources.volumes import Volume
    from .spec import HealthCheck, Mount, NetworkAttachment, PortBinding, RegistryAuth, Ulimit
    from .streams import ByteStream, Output, OutputStream

__all__ = [
    "Address",
    "AuditReport",
    "AuthenticationFailed",
    "Backend",
    "BuildFailed",
    "ByteStream",
    "Capability",
    "Change",
    "CheckResult",
    "Cleaned",
    "CommandFailed",
    "Conflict",
    "Container",
    "ContainerAudit",
    "ContainerKitError",
    "ContainerNotFound",
    "DiskUsage",
    "Duplicates",
    "Endpoint",
    "Engine",
    "EngineError",
    "EngineInfo",
    "EngineTimeout",
    "EngineUnavailable",
    "Event",
    "ExecResult",
    "HealthCheck",
    "HistoryEntry",
    "Image",
    "ImageNotFound",
    "InUse",
    "InvalidImage",
    "InvalidLab",
    "InvalidOption",
    "InvalidReference",
    "IsolationReport",
    "LabFailed",
    "Layer",
    "LayerStack",
    "LimitNotEnforced",
    "Logs",
    "Mount",
    "NameInUse",
    "Network",
    "NetworkAttachment",
    "NetworkNotFound",
    "NotFound",
    "Output",
    "OutputStream",
    "PortBinding",
    "Processes",
    "Progress",
    "Pruned",
    "PullFailed",
    "PushFailed",
    "Reclaim",
    "RegistryAuth",
    "RunResult",
    "RwLayer",
    "Savings",
    "Sharing",
    "StartFailed",
    "Stats",
    "Terminal",
    "Ulimit",
    "Unsupported",
    "Volume",
    "VolumeNotFound",
    "Waste",
    "WrongState",
    "__version__",
    "check_host",
    "cleanup",
    "compare_reports",
    "connect",
    "discover",
    "labs",
    "open_archive",
    "wait",
]


__getattr__, __dir__ = loading(__name__, _ROOMS)
