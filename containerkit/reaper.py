"""The reaper: remove what a session owned, after its process has ended. Run by connect(reaper=True)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from .discovery.connect import connect
from .discovery.endpoints import TLS, Endpoint
from .errors import ContainerKitError
from .resources.sweep import find_labelled, remove_labelled

__all__ = ["reap"]

_PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds; a busy engine may still finish a create of the process that ended
_PATIENCE = 120.0  # seconds for an engine that does not respond


def reap(endpoint: Endpoint, session: str) -> bool:
    """Remove everything that carries a session's label, until the passes of 15 seconds find nothing.

    Args:
        endpoint: the engine.
        session: the ID of the session.

    Returns:
        True if nothing is left.
    """
    deadline, quiet = time.monotonic() + _PATIENCE, 0
    while quiet <= len(_PAUSES):
        try:
            with connect(endpoint) as engine:
                found = [remove_labelled(item) for item in find_labelled(engine._core.backend, session)]
            quiet = 0 if found else quiet + 1
        except ContainerKitError:
            quiet = 0
        if time.monotonic() > deadline:
            return False
        if quiet <= len(_PAUSES):
            time.sleep(_PAUSES[max(0, quiet - 1)])
    return True


def _endpoint(fields: dict[str, Any]) -> Endpoint:
    tls = fields.pop("tls")
    return Endpoint(**fields, tls=TLS(**tls) if tls else None)


def main(arguments: Sequence[str]) -> int:
    """Run `reap`; the arguments are an endpoint as JSON, and the ID of a session."""
    target, session = arguments
    return 0 if reap(_endpoint(json.loads(target)), session) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
