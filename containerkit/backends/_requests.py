"""The transport over a vendor's client: both docker-py's and podman-py's are sessions of requests."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import requests

from ..errors import EngineUnavailable
from ..streams import Deadline
from ._translate import translated
from ._wire import GuardedReader, Limits, current_limits, guard_session
from .transport import MAX_BODY, Request, Response, StreamResponse, Transport, UpgradeResponse

_CHUNK = 1 << 16
_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
_PING = "/_ping"


class RequestsTransport(Transport):
    """Sends requests through a session of requests.

    A process that was forked gets a session of its own: a connection shared with the parent would mix their responses.

    Args:
        open_session: return a new session, and the scheme and host to put before a target.
        url: the address of the engine, for error messages.
    """

    def __init__(self, open_session: Callable[[], tuple[requests.Session, str]], url: str) -> None:
        self._open_session = open_session
        self._url = url
        self._opened: tuple[int, requests.Session, str] | None = None
        with translated("connecting", url):
            self._current_session()

    def _current_session(self) -> tuple[requests.Session, str]:
        pid = os.getpid()
        if self._opened is None or self._opened[0] != pid:
            session, base = self._open_session()
            session.trust_env = False  # proxies and ~/.netrc are for registries, and the engine talks to those
            session.headers["Accept-Encoding"] = "identity"
            guard_session(session)
            self._opened = pid, session, base
        return self._opened[1:]

    def close(self) -> None:
        self._current_session()[0].close()

    # ---------------------------------------------------------------- the three methods
    def send(self, request: Request, deadline: Deadline) -> Response:
        whole = deadline if request.quiet_body else _prompt(request, deadline)
        response = self._begin(request, whole, dict(request.headers))
        return self._complete(response, request, whole)

    def stream(self, request: Request, deadline: Deadline) -> StreamResponse:
        response = self._begin(request, deadline, dict(request.headers))
        chunks = self._chunks(response, request, deadline)
        return StreamResponse(response.status_code, _headers(response), chunks, lambda: _abort(response))

    def upgrade(self, request: Request, deadline: Deadline) -> UpgradeResponse | Response:
        response = self._begin(request, deadline, {**request.headers, **_UPGRADE})
        if response.status_code != 101:
            return self._complete(response, request, deadline)
        with translated(request.doing, self._url):
            sock, early = _take_socket(response)
        return UpgradeResponse(sock, early, response.close)

    # ---------------------------------------------------------------- parts
    def _begin(self, request: Request, deadline: Deadline, headers: dict[str, str]) -> requests.Response:
        """Send the request and return once the header of the response has arrived."""
        deadline.check(request.doing)
        prompt = _prompt(request, deadline)
        limits = Limits(request.silence, prompt, self._ping(request, deadline) if request.slow_answer else None)
        silence = deadline.cap(request.silence)
        former = current_limits(limits)
        try:
            with translated(request.doing, self._url, prompt, request.silence):
                session, base = self._current_session()
                response = session.request(
                    request.method,
                    base + request.target,
                    headers=headers,
                    data=request.body,
                    stream=True,
                    timeout=(silence, silence),
                    allow_redirects=False,
                )
        finally:
            current_limits(former)
        limits.silence, limits.deadline = request.body_silence, deadline
        limits.probe = self._ping(request, deadline) if request.quiet_body else None
        return response

    def _ping(self, request: Request, deadline: Deadline) -> Callable[[], None]:
        """Return a function that raises if the engine does not answer a ping."""
        patience = max(1.0, (request.body_silence or 0.0) / 10)
        probe = Request("GET", _PING, request.doing, silence=patience, body_silence=patience)

        def ping() -> None:
            limit = Deadline.after(deadline.cap(patience), shield=True)
            self._complete(self._begin(probe, limit, {}), probe, limit)

        return ping

    def _complete(self, response: requests.Response, request: Request, deadline: Deadline) -> Response:
        """Read the body to its end."""
        pieces: list[bytes] = []
        size = 0
        for chunk in self._chunks(response, request, deadline):
            pieces.append(chunk)
            size += len(chunk)
            if size > MAX_BODY:
                _abort(response)
                raise EngineUnavailable(
                    f"{request.doing}: the response of {self._url} is larger than {MAX_BODY >> 20} MiB"
                )
        return Response(response.status_code, _headers(response), b"".join(pieces))

    def _chunks(self, response: requests.Response, request: Request, deadline: Deadline) -> Iterator[bytes]:
        """Yield the body as it arrives; errors of reading are translated."""
        try:
            with translated(request.doing, self._url, deadline, request.body_silence):
                try:
                    yield from response.raw.stream(_CHUNK, decode_content=False)
                except ValueError as exc:  # urllib3 lets a negative size of a chunk pass
                    raise http.client.HTTPException(f"invalid response body: {exc}") from exc
        except BaseException:
            response.close()
            raise
        response.raw.release_conn()


def _prompt(request: Request, deadline: Deadline) -> Deadline:
    """Return the deadline of a request that the engine has to answer promptly, also if it sends byte by byte."""
    if request.slow_answer or request.silence is None or isinstance(request.body, Iterator):
        return deadline
    return deadline.sooner(request.silence)


def _headers(response: requests.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _take_socket(response: requests.Response) -> tuple[socket.socket, bytes]:
    """Return the socket of a response that became a raw stream, and the part of the stream already read.

    requests and urllib3 have no public way to the socket; both vendors' clients reach it like this.
    """
    answer: Any = response.raw
    buffered = answer._fp.fp
    reader: GuardedReader = buffered.raw
    sock: socket.socket = reader.sock
    early = b""
    reader.limits = None
    sock.setblocking(False)
    early = buffered.peek() or b""
    if early:
        buffered.read(len(early))
    # Keep the response alive as long as a TLS socket: collecting the response would close the descriptor.
    duplicate = sock if isinstance(sock, ssl.SSLSocket) else socket.socket(fileno=os.dup(sock.fileno()))
    if duplicate is not sock:
        response.close()
    return duplicate, early


def _abort(response: requests.Response) -> None:
    """End a response that another thread may be reading: a plain close would wait for the lock of the reader."""
    answer: Any = response.raw
    with contextlib.suppress(OSError, AttributeError):  # AttributeError: the body was read to its end
        answer._fp.fp.raw.sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError, ValueError):
        response.close()
