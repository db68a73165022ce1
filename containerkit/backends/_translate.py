"""Turn exceptions of a vendor, requests or a socket into containerkit's errors: by cause chain, never by message."""

from __future__ import annotations

import contextlib
import errno
import http.client
from collections.abc import Iterator

import requests
import urllib3.exceptions

from ..errors import ContainerKitError, EngineError, EngineTimeout, EngineUnavailable
from ..streams import Deadline
from ._retry import cause_chain

_TIMEOUTS = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
_LOST = (
    requests.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)
_VENDORS = ("docker", "podman", "requests", "urllib3")


def _reason(exc: BaseException) -> str:
    """Return the kernel's message for the root cause if there is one, else the message of the exception."""
    for found in cause_chain(exc):
        if isinstance(found, OSError) and found.errno and not isinstance(found, requests.RequestException):
            return f"{found.strerror or found} ({errno.errorcode.get(found.errno, found.errno)})"
    return str(exc) or type(exc).__name__


@contextlib.contextmanager
def translated(doing: str, url: str, deadline: Deadline | None = None, silence: float | None = None) -> Iterator[None]:
    """Raise exceptions of the block as a ContainerKitError that names the operation and the address.

    Wrap calls to a vendor, and the iteration over its data. Never wrap code of the caller.

    Args:
        deadline, silence: the limits in force, for the message of a timeout.
    """
    try:
        yield
    except ContainerKitError:
        raise
    except Exception as exc:
        causes = list(cause_chain(exc))
        known = next((cause for cause in causes if isinstance(cause, ContainerKitError)), None)
        if known is not None:  # a failed ping, raised while the response was read
            raise known from exc
        if any(isinstance(cause, _TIMEOUTS) for cause in causes):
            late = deadline is not None and deadline.expired
            limit = deadline.timeout if late and deadline is not None else silence
            within = f" within {limit:g} s" if limit else ""
            raise EngineTimeout(f"{doing}: no answer from {url}{within}", timeout=limit or 0.0) from exc
        if any(isinstance(cause, _LOST) for cause in causes):
            reason = _reason(exc)
            raise EngineUnavailable(f"{doing}: {url}: {reason}", tried=((url, reason),)) from exc
        if type(exc).__module__.partition(".")[0] in _VENDORS:
            raise EngineError(f"{doing}: {exc}") from exc
        raise
