"""Vendor exceptions and HTTP answers into containerkit's errors: by cause chain and status, never by message text."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import requests
import urllib3.exceptions

from ..errors import ContainerKitError, EngineError, EngineTimeout, EngineUnavailable

__all__ = ["explanation", "recast", "refusal", "translated"]

_E = TypeVar("_E", bound=EngineError)

_TIMEOUTS = (
    requests.Timeout,
    urllib3.exceptions.TimeoutError,
    TimeoutError,
)
_CUT = (
    requests.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)


def chain(exc: BaseException | None) -> Iterator[BaseException]:
    """The exception and everything it came from; requests and urllib3 also keep causes in their arguments."""
    seen: set[int] = set()
    todo = [exc]
    while todo:
        found = todo.pop(0)
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        todo += [found.__cause__, found.__context__, getattr(found, "reason", None)]
        todo += [arg for arg in found.args if isinstance(arg, BaseException)]
        todo = [item for item in todo if isinstance(item, BaseException)]


def describe_os_error(exc: BaseException) -> str:
    """The root cause in the kernel's words, where there is one."""
    for found in chain(exc):
        if isinstance(found, OSError) and found.errno and not isinstance(found, requests.RequestException):
            return f"{found.strerror or found} ({errno.errorcode.get(found.errno, found.errno)})"
    return str(exc) or type(exc).__name__


@contextlib.contextmanager
def translated(doing: str, url: str, timeout: float | None = None) -> Iterator[None]:
    """Raise what happens inside as a ContainerKitError that says what was being done, and where.

    Wrap calls to a vendor with it, and the iteration of a stream's source; never a caller's own code, whose errors are
    its own.
    """
    try:
        yield
    except ContainerKitError:
        raise
    except json.JSONDecodeError as exc:  # before the ValueErrors and RequestExceptions it is one of
        raise EngineError(f"{doing}: the engine at {url} answered something that is not JSON") from exc
    except Exception as exc:
        found = list(chain(exc))
        if any(isinstance(item, _TIMEOUTS) for item in found):
            after = f" within {timeout:g} s" if timeout else ""
            raise EngineTimeout(f"{doing}: no answer from {url}{after}", timeout=timeout or 0.0) from exc
        if any(isinstance(item, _CUT) for item in found):
            reason = describe_os_error(exc)
            raise EngineUnavailable(f"{doing}: {url}: {reason}", tried=((url, reason),)) from exc
        if type(exc).__module__.partition(".")[0] in ("docker", "podman", "requests", "urllib3"):
            raise EngineError(f"{doing}: {exc}") from exc
        raise


def explanation(response: requests.Response) -> str:
    """The engine's own words in an answer that refuses."""
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    if isinstance(body, Mapping):
        cause, message = body.get("cause"), body.get("message")
        words = message if isinstance(message, str) and message else cause
        if isinstance(words, str) and words:
            return words.strip()
    return response.text.strip()[:2000] or f"status {response.status_code} without a word"


def refusal(response: requests.Response, doing: str) -> EngineError:
    """The answer as an EngineError; the caller, who knows what was asked, makes it more exact."""
    words = explanation(response)
    return EngineError(f"{doing}: {words}", status=response.status_code, explanation=words)


def recast(exc: EngineError, kind: type[_E], message: str) -> _E:
    """The same refusal as a more exact error; raise it from the first."""
    return kind(message, status=exc.status, explanation=exc.explanation)
