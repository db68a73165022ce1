"""What users type, read into the values of :mod:`containerkit.spec`: every spelling accepted once, every mistake named.

A bad value raises InvalidOption (a bad image name InvalidReference) before anything is sent. Rooms: `values` the
primitive readers, `mounts`, `network`, `resources` the richer ones, `container` and `others` the specs, `typed` the
TypedDicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .container import CREATE_OPTIONS, container_spec, exec_spec, image_name, image_ref
from .container import platform as platform_name
from .network import network_attachment
from .others import build_spec, filters, network_spec, volume_spec
from .resources import limits
from .resources import restart as restart_policy
from .values import (
    command,
    env,
    flag,
    integer,
    items,
    labels,
    local_path,
    moment,
    object_name,
    object_ref,
    one_of,
    payload,
    signal_name,
    text,
    timeout_seconds,
)
from .values import size as size_bytes

if TYPE_CHECKING:
    from .typed import (
        BuildOptions,
        CreateOptions,
        ExecOptions,
        LimitOptions,
        NetworkOptions,
        RunOptions,
        StartOptions,
        VolumeOptions,
    )

__all__ = [
    "CREATE_OPTIONS",
    "BuildOptions",
    "CreateOptions",
    "ExecOptions",
    "LimitOptions",
    "NetworkOptions",
    "RunOptions",
    "StartOptions",
    "VolumeOptions",
    "build_spec",
    "command",
    "container_spec",
    "env",
    "exec_spec",
    "filters",
    "flag",
    "image_name",
    "image_ref",
    "integer",
    "items",
    "labels",
    "limits",
    "local_path",
    "moment",
    "network_attachment",
    "network_spec",
    "object_name",
    "object_ref",
    "one_of",
    "payload",
    "platform_name",
    "restart_policy",
    "signal_name",
    "size_bytes",
    "text",
    "timeout_seconds",
    "volume_spec",
]


def __getattr__(name: str) -> Any:
    if name in __all__:  # the TypedDicts: for type checkers, loaded only if somebody asks
        from . import typed

        return getattr(typed, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
