"""The types of option values, by the names that the option table uses."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ..spec import DeviceSpec, Mount, NetworkAttachment, PortBinding, Ulimit

PathStr = str | os.PathLike[str]
Pairs = Mapping[str, Any] | Iterable[str] | str
Texts = str | Iterable[str]
Size = int | str
Seconds = int | float | str | timedelta
Command = str | Sequence[PathStr]
Volumes = Mapping[str, Any] | Mapping[Any, Any] | Iterable[PathStr | Mount | Mapping[str, Any]] | PathStr
Mounts = str | Mount | Mapping[str, Any] | Iterable[str | Mount | Mapping[str, Any]]
Tmpfs = str | Mapping[str, Any] | Iterable[str]
Ports = (
    Mapping[int, Any]
    | Mapping[str, Any]
    | Mapping[int | str, Any]
    | Iterable[int | str | PortBinding]
    | PortBinding
    | int
    | str
)
Expose = int | str | Iterable[int | str]
Networks = str | NetworkAttachment | Mapping[str, Any] | Iterable[str | NetworkAttachment]
Hosts = Mapping[str, str] | Iterable[str] | str
Ulimits = Mapping[str, Any] | Ulimit | Iterable[str | Ulimit | Mapping[str, Any]] | str
Devices = PathStr | DeviceSpec | Mapping[str, Any] | Iterable[PathStr | DeviceSpec | Mapping[str, Any]]
