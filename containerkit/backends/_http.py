"""Requests to an engine through a vendor's session: sent, retried where that is safe, refused in our words."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import logging
import os
import socket
import ssl
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

import requests

from ..errors import ContainerKitError, EngineError, EngineUnavailable, Unsupported
from ..streams import Attachment, ByteStream
from ._translate import chain, refusal, translated
from .base import Backend, Capability, EngineInfo

log = logging.getLogger("containerkit")

T = TypeVar("T")
#: A label that is different for every create: what may have been made by a request that was cut is found by it.
REQUEST_LABEL = "containerkit.request"

_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
_CHUNK = 1 << 16
_TURNS, _BREATH = 5, 0.05  # times, seconds
_TRANSIENT = {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.EAGAIN}
#: requests' own "no limit", told from "the backend's usual one".
FOREVER = float("inf")


def is_transient(exc: BaseException) -> bool:
    """Was it a fault of the line, which the next try may not meet? An address that nobody serves is none."""
    if not isinstance(exc, EngineUnavailable):
        return False
    return any(
        isinstance(found, (http.client.RemoteDisconnected, http.client.BadStatusLine, http.client.IncompleteRead))
        or (isinstance(found, OSError) and found.errno in _TRANSIENT)
        for found in chain(exc)
    )


def retrying(once: Callable[[], T]) -> T:
    """For requests that change nothing: three tries in all, the second at once, the third a fraction of a second later.

    Whoever needs no second try does not pay for tenacity, which brings asyncio along (70 ms, 6 MiB).
    """
    try:
        return once()
    except EngineUnavailable as exc:
        if not is_transient(exc):
            raise
        log.debug("once more after: %s", exc)
    import tenacity

    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        stop=tenacity.stop_after_attempt(2),
        wait=tenacity.wait_exponential(multiplier=0.05, max=1.0),
        before_sleep=tenacity.before_sleep_log(log, logging.DEBUG),
        reraise=True,
    )
    return again(once)


def path(template: str, *parts: str) -> str:
    """A path with names in it, each quoted but for the slash and colon of image names."""
    return template.format(*(quote(part, safe="/:@") for part in parts))


def taken_over(response: requests.Response) -> tuple[socket.socket, bytes]:
    """The socket of an answer that became a raw stream, and what was read of that stream with the header.

    requests and urllib3 have no public way to it; both vendors' clients reach it like this.
    """
    answer: Any = response.raw
    buffered = answer._fp.fp
    sock: socket.socket = buffered.raw._sock
    early = b""
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
        early = buffered.peek() or b""
        if early:
            buffered.read(len(early))
    # Keep the answer alive as long as the socket: its collection would close the descriptor under us.
    duplicate = sock if isinstance(sock, ssl.SSLSocket) else socket.socket(fileno=os.dup(sock.fileno()))
    if duplicate is not sock:
        response.close()
    return duplicate, early


def undisturbed(ask: Callable[[], T]) -> T:
    """The answer to a question about all images. One that goes meanwhile fails it whole, on Podman and in Docker's
    containerd store (404, 500): it is asked anew, a few times."""
    for _ in range(_TURNS):
        try:
            return ask()
        except EngineError as exc:
            if exc.status not in (404, 500):
                raise
        time.sleep(_BREATH)
    return ask()


class HttpBackend(Backend):
    """What every request has in common, whatever it asks."""

    _first: EngineInfo

    def __init__(self, url: str, *, timeout: float, on_close: Callable[[], None] | None = None) -> None:
        self.url = url
        self._timeout = timeout
        self._on_close = on_close

    def first_info(self) -> EngineInfo:
        """As the engine answered when the connection was made."""
        return self._first

    @abstractmethod
    def _send(
        self,
        method: str,
        path: str,
        *,
        native: bool,
        params: Mapping[str, Any] | None,
        data: Any,
        headers: Mapping[str, str],
        stream: bool,
        timeout: tuple[float, float | None],
    ) -> requests.Response:
        """One request through the vendor's session; `native` means the engine's own API where it has two."""

    def _call(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        timeout: float | None = None,
        native: bool = False,
        accept: tuple[int, ...] = (),
    ) -> requests.Response:
        """Send, and give the answer; one that refuses, unless its status is in `accept`, is an EngineError.

        `timeout` is how long the engine may be silent: None for the backend's usual one, FOREVER for no limit.
        """
        sent = dict(headers or {})
        if body is not None:
            data = json.dumps(body)
            sent["Content-Type"] = "application/json"
        source = _Source(data) if isinstance(data, Iterator) else None
        silent = self._timeout if timeout is None else None if timeout == FOREVER else timeout
        query = {key: _plain(value) for key, value in (params or {}).items() if value is not None}

        def once() -> requests.Response:
            with translated(doing, self.url, silent):
                return self._send(
                    method,
                    path,
                    native=native,
                    params=query,
                    data=source or data,
                    headers=sent,
                    stream=stream,
                    timeout=(self._timeout, silent),
                )

        try:
            response = retrying(once) if method in ("GET", "HEAD") else once()
        except ContainerKitError:
            if source and source.failed:  # the caller's own: a file that cannot be read, not the engine
                raise source.failed from None
            raise
        log.debug("%s %s: %s", method, path, response.status_code)
        if response.status_code >= 400 and response.status_code not in accept:
            with translated(doing, self.url, silent):
                error = refusal(response, doing)
            response.close()
            raise error
        return response

    def _made(self, send: Callable[[], T], look: Callable[[], T | None]) -> T:
        """A create: if the line was cut, `look` for what it may have made before it is tried once more."""
        try:
            return send()
        except EngineUnavailable as exc:
            if not is_transient(exc):
                raise
            log.debug("was it made? %s", exc)
        found = look()
        return send() if found is None else found

    def _json(self, method: str, path: str, doing: str, **how: Any) -> Any:
        response = self._call(method, path, doing, **how)
        with translated(doing, self.url, self._timeout):
            return response.json() if response.content else None

    def _chunks(self, response: requests.Response, doing: str) -> ByteStream:
        """The body as it comes; errors while reading are translated, and any thread may close it."""

        def read() -> Iterator[bytes]:
            source = response.iter_content(_CHUNK)
            while True:
                with translated(doing, self.url):
                    chunk = next(source, None)
                if chunk is None:
                    return
                yield chunk

        return ByteStream(read(), on_close=lambda: _abort(response))

    def _stream(self, method: str, path: str, doing: str, **how: Any) -> ByteStream:
        how.setdefault("timeout", FOREVER)
        return self._chunks(self._call(method, path, doing, stream=True, **how), doing)

    def _lines(
        self, method: str, path: str, doing: str, *, patience: float | None = None, **how: Any
    ) -> tuple[ByteStream, Iterable[bytes]]:
        """A body of JSON lines, unbuffered: each piece as soon as the engine sends it.

        `patience` is how long it may take to begin to answer; it may then be silent as long as it likes.
        """
        how.setdefault("timeout", FOREVER if patience is None else patience)
        response = self._call(method, path, doing, stream=True, **how)
        if patience is not None:
            answer: Any = response.raw
            answer._fp.fp.raw._sock.settimeout(None)

        def read() -> Iterator[bytes]:
            source = response.raw.stream(_CHUNK, decode_content=True) if response.raw.chunked else None
            pieces = source or response.iter_content(1)
            while True:
                with translated(doing, self.url):
                    chunk = next(pieces, None)
                if chunk is None:
                    return
                yield chunk

        stream = ByteStream(read(), on_close=lambda: _abort(response))
        return stream, stream

    def _hijack(self, path: str, doing: str, *, framed: bool, **how: Any) -> Attachment:
        response = self._call("POST", path, doing, stream=True, headers=_UPGRADE, **how)
        with translated(doing, self.url):
            sock, early = taken_over(response)
        return Attachment(sock, early, framed=framed, on_close=response.close)

    def _unsupported(self, capability: Capability, what: str) -> NoReturn:
        raise Unsupported(f"{what}: this {self.kind} engine at {self.url} cannot", capability=capability.value)

    def close(self) -> None:
        done, self._on_close = self._on_close, None
        if done:
            done()


class _Source:
    """A body that is made while it is sent; an error in its making is the caller's, and is kept for them."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.failed: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except Exception as exc:
            self.failed = exc
            raise


def _plain(value: Any) -> Any:
    return {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value


def _abort(response: requests.Response) -> None:
    """End a body that is being read, from whichever thread: a plain close would wait for the reader's lock."""
    with contextlib.suppress(Exception):
        answer: Any = response.raw
        answer._fp.fp.raw._sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError, EngineError, ValueError):
        response.close()
