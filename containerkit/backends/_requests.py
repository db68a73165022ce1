"""The transport over a vendor's client, for TCP and TLS: docker-py's and podman-py's are sessions of requests."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests
import requests.adapters

from ._exchange import CHUNK, PatientTransport
from ._translate import translated
from ._wire import GuardedReader, StrictResponse, send_within
from .transport import Request, UpgradeResponse

__all__ = ["RequestsTransport"]


class RequestsTransport(PatientTransport):
    """Sends requests through a session of requests.

    A process that was forked gets a session of its own: a connection shared with the parent would mix their responses.

    Args:
        open_session: return a new session, and the scheme and host to put before a target.
        url: the address of the engine, for error messages.
    """

    def __init__(self, open_session: Callable[[], tuple[requests.Session, str]], url: str) -> None:
        super().__init__(url)
        self._open_session = open_session
        self._opened: tuple[int, requests.Session, str] | None = None
        with translated("connecting", url):
            self._current_session()

    def _current_session(self) -> tuple[requests.Session, str]:
        pid = os.getpid()
        if self._opened is None or self._opened[0] != pid:
            session, base = self._open_session()
            session.trust_env = False  # proxies and ~/.netrc are for registries, and the engine talks to those
            session.headers["Accept-Encoding"] = "identity"
            _guard_session(session)
            self._opened = pid, session, base
        return self._opened[1:]

    def close(self) -> None:
        self._current_session()[0].close()

    def _open(self, request: Request, headers: Mapping[str, str], silence: float | None) -> _SessionAnswer:
        session, base = self._current_session()
        response = session.request(
            request.method,
            base + request.target,
            headers=dict(headers),
            data=request.body,
            stream=True,
            timeout=(silence, silence),
            allow_redirects=False,
        )
        return _SessionAnswer(response)


class _SessionAnswer:
    """A response of requests."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._response = response
        self.close = response.close

    def chunks(self) -> Iterator[bytes]:
        try:
            yield from self._response.raw.stream(CHUNK, decode_content=False)
        except ValueError as exc:  # urllib3 lets a negative size of a chunk pass
            raise http.client.HTTPException(f"invalid response body: {exc}") from exc

    def release(self) -> None:
        self._response.raw.release_conn()

    def abort(self) -> None:
        answer: Any = self._response.raw
        with contextlib.suppress(OSError, AttributeError):  # AttributeError: the body was read to its end
            answer._fp.fp.raw.sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, ValueError):
            self._response.close()

    def take(self) -> UpgradeResponse:
        """Return the connection; requests and urllib3 have no public way to it, so both vendors reach it like this."""
        answer: Any = self._response.raw
        buffered = answer._fp.fp
        reader: GuardedReader = buffered.raw
        sock: socket.socket = reader.sock
        reader.limits = None
        sock.setblocking(False)
        early = buffered.peek() or b""
        # Keep the response alive as long as a TLS socket: collecting the response would close the descriptor.
        duplicate = sock if isinstance(sock, ssl.SSLSocket) else socket.socket(fileno=os.dup(sock.fileno()))
        if duplicate is not sock:
            self._response.close()
        elif early:
            buffered.read(len(early))
        return UpgradeResponse(duplicate, early, self._response.close)


def _guard_session(session: requests.Session) -> None:
    """Make every connection of a session use StrictResponse, and respect the limits while sending."""
    for adapter in session.adapters.values():
        if isinstance(adapter, requests.adapters.HTTPAdapter):
            _guard_adapter(adapter)


def _guard_adapter(adapter: requests.adapters.HTTPAdapter) -> None:
    find_pool = adapter.get_connection_with_tls_context

    def guarded_pool(*args: Any, **options: Any) -> Any:
        pool: Any = find_pool(*args, **options)
        if "_new_conn" not in vars(pool):
            pool._new_conn = _guarded_factory(pool._new_conn)
        return pool

    adapter.get_connection_with_tls_context = guarded_pool  # type: ignore[method-assign]


def _guarded_factory(new_connection: Callable[[], Any]) -> Callable[[], Any]:
    def create() -> Any:
        connection = new_connection()
        connection.response_class = StrictResponse
        send = connection.send
        connection.send = lambda data: send_within(connection, send, data)
        return connection

    return create
