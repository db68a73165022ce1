"""Turn exceptions of a vendor, requests or a socket into containerkit's errors: by cause chain, never by message."""

from __future__ import annotations

import contextlib
import errno
import http.client
import sys
from collections.abc import Iterator

from ..errors import ContainerKitError, EngineError, EngineTimeout, EngineUnavailable
from ..streams import Deadline
from ._retry import cause_chain

_LOST = (http.client.HTTPException, OSError)  # those of requests are OSErrors
_VENDORS = ("docker", "podman", "requests", "urllib3")


def _of(module: str, name: str) -> tuple[type[BaseException], ...]:
    """Return an exception of a module; none if the module is not loaded, and so cannot have raised it."""
    found = sys.modules.get(module)
    return () if found is None else (getattr(found, name),)


def _is_timeout(exc: BaseException) -> bool:
    vendors = (*_of("requests.exceptions", "Timeout"), *_of("urllib3.exceptions", "TimeoutError"))
    return isinstance(exc, (TimeoutError, *vendors))


def _is_loss(exc: BaseException) -> bool:
    return isinstance(exc, (*_LOST, *_of("urllib3.exceptions", "HTTPError")))


def _reason(exc: BaseException) -> str:
    """Return the kernel's message for the root cause if there is one, else the message of the exception."""
    for found in cause_chain(exc):
        if isinstance(found, OSError) and isinstance(found.errno, int):
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
        if any(map(_is_timeout, causes)):
            late = deadline is not None and deadline.expired
            limit = deadline.timeout if late and deadline is not None else silence
            within = f" within {limit:g} s" if limit else ""
            raise EngineTimeout(f"{doing}: no answer from {url}{within}", timeout=limit or 0.0) from exc
        if any(map(_is_loss, causes)):
            reason = _reason(exc)
            raise EngineUnavailable(f"{doing}: {url}: {reason}", tried=((url, reason),)) from exc
        if type(exc).__module__.partition(".")[0] in _VENDORS:
            raise EngineError(f"{doing}: {exc}") from exc
        raise
