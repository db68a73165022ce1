"""Labels that identify the process of a session, and the judgement whether that process still runs."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_PID, _STARTED, _BOOT, _PID_NS, _TIME_NS, _HOST, _LOCAL = (
    f"containerkit.{word}"
    for word in ("pid", "pid-started", "boot-id", "pid-namespace", "time-namespace", "host", "local")
)


class Liveness(Enum):
    """State of a session's process, as far as this process can know it."""

    LIVE = "live"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Creator:
    """The process that created something.

    Attributes:
        pid: its process ID.
        started: when it started, in clock ticks since boot: a process ID alone is reused by the kernel.
        boot_id: the kernel's random ID of this boot. Two machines never share one, whatever else a clone copies.
        pid_namespace: the namespace in which `pid` is valid.
        time_namespace: the namespace in which `started` is valid.
        host: the host name, for messages.
        local: True if the engine runs on the same machine as the process.
    """

    pid: str
    started: str
    boot_id: str
    pid_namespace: str
    time_namespace: str
    host: str
    local: bool

    @classmethod
    def current(cls, *, local: bool) -> Creator:
        """Return this process; a fork changes it."""
        return cls(
            pid=str(os.getpid()),
            started=_process_start(os.getpid()) or "",
            boot_id=_read("/proc/sys/kernel/random/boot_id"),
            pid_namespace=_namespace("pid"),
            time_namespace=_namespace("time"),
            host=platform.node(),
            local=local,
        )

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> Creator:
        """Return the process that labels describe."""
        return cls(
            pid=labels.get(_PID, ""),
            started=labels.get(_STARTED, ""),
            boot_id=labels.get(_BOOT, ""),
            pid_namespace=labels.get(_PID_NS, ""),
            time_namespace=labels.get(_TIME_NS, ""),
            host=labels.get(_HOST, ""),
            local=labels.get(_LOCAL) == "true",
        )

    def labels(self) -> dict[str, str]:
        """Return the labels that describe this process."""
        return {
            _PID: self.pid,
            _STARTED: self.started,
            _BOOT: self.boot_id,
            _PID_NS: self.pid_namespace,
            _TIME_NS: self.time_namespace,
            _HOST: self.host,
            _LOCAL: "true" if self.local else "false",
        }


def judge(creator: Creator, here: Creator) -> tuple[Liveness, str]:
    """Judge from this process whether another one still runs.

    Args:
        creator: the process to judge.
        here: this process.

    Returns:
        The judgement; for UNKNOWN, the reason.
    """
    if not creator.boot_id or not here.boot_id:
        return Liveness.UNKNOWN, "there is no /proc to identify its process by"
    if creator.boot_id != here.boot_id:
        if creator.local and here.local:  # both ran on the engine's machine, which has restarted since
            return Liveness.DEAD, ""
        return Liveness.UNKNOWN, f"it was created on another machine, {creator.host}, or before that one restarted"
    if not creator.pid_namespace or creator.pid_namespace != here.pid_namespace:
        return Liveness.UNKNOWN, "it was created in another PID namespace, such as a container"
    if not creator.pid.isdecimal() or not creator.started:
        return Liveness.UNKNOWN, "its labels do not identify a process"
    if (creator.pid, creator.started) == (here.pid, here.started):
        return Liveness.DEAD, ""  # a closed session of this process; live ones are known without labels
    return _judge_pid(int(creator.pid), creator, here)


def _judge_pid(pid: int, creator: Creator, here: Creator) -> tuple[Liveness, str]:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return Liveness.DEAD, ""
    except PermissionError:
        pass  # it exists, and belongs to another user
    except OverflowError:
        return Liveness.UNKNOWN, "its labels do not identify a process"
    started = _process_start(pid)
    if started is None:
        return Liveness.UNKNOWN, f"process {pid} exists and cannot be inspected by this user"
    if started == "":
        return Liveness.DEAD, ""
    if started == creator.started:
        return Liveness.LIVE, ""
    if creator.time_namespace != here.time_namespace:  # which shifts the start times that /proc shows
        return Liveness.UNKNOWN, f"process {pid} exists, and its start time is that of another time namespace"
    return Liveness.DEAD, ""


def _process_start(pid: int) -> str | None:
    """Return field 22 of /proc/PID/stat; "" for a zombie, None if it cannot be read."""
    # The second field is the command in parentheses, and may contain anything.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    return "" if fields[0] in ("Z", "X") else fields[19]


def _namespace(kind: str) -> str:
    try:
        return os.readlink(f"/proc/self/ns/{kind}")
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
