"""Strategies for :meth:`Container.wait_until`: ``wait.healthy()``, ``wait.log_line("ready")``, …"""

from __future__ import annotations

from .resources.wait import (
    Strategy,
    all_of,
    any_of,
    command,
    exited,
    healthy,
    http,
    log_line,
    port_open,
)

__all__ = [
    "Strategy",
    "all_of",
    "any_of",
    "command",
    "exited",
    "healthy",
    "http",
    "log_line",
    "port_open",
]
