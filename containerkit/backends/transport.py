"""The seam below the backends: requests go down, status, headers and bytes come up.

A backend knows paths, queries and JSON. A Transport knows sockets. Nothing above this seam knows `requests` or a
vendor's client, so a test can put a transport in its place that answers from recordings.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ..streams import Deadline

#: The largest body, in bytes, that is read into memory. The list of 10,000 containers has about 20 MiB.
MAX_BODY = 256 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to an engine.

    Attributes:
        target: path and query, as they stand in the request line.
        doing: what the request is for, as the start of an error message ("listing containers").
        silence: seconds within which the engine must accept or send something, up to the end of the response header;
            None for no limit.
        body_silence: the same for the body of the response.
        slow_answer: the engine may need longer for its response header, as long as it answers a ping meanwhile.
        quiet_body: the engine may pause longer between parts of the body, as long as it answers a ping meanwhile.
    """

    method: str
    target: str
    doing: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] | None = None
    silence: float | None = None
    body_silence: float | None = None
    slow_answer: bool = False
    quiet_body: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """A response that was read to its end.

    Attributes:
        headers: names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class StreamResponse:
    """A response whose body is still to be read.

    Attributes:
        chunks: the body as it arrives. Iterating raises EngineUnavailable if the connection ends before the body does.
        close: end the response, from any thread.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class UpgradeResponse:
    """A connection that carries raw bytes both ways from now on.

    Attributes:
        early: bytes of the raw stream that arrived together with the response header.
        close: release what belongs to the connection; the socket is closed by its user.
    """

    sock: socket.socket
    early: bytes
    close: Callable[[], None]


class Transport(ABC):
    """Sends requests to one engine. Thread-safe.

    Every method raises EngineUnavailable if no complete response comes, and EngineTimeout if the engine is silent for
    too long or the deadline passes. A status that reports a failure is returned, not raised.
    """

    @abstractmethod
    def send(self, request: Request, deadline: Deadline) -> Response:
        """Send a request and read the whole response."""

    @abstractmethod
    def stream(self, request: Request, deadline: Deadline) -> StreamResponse:
        """Send a request and return once the header of the response has arrived."""

    @abstractmethod
    def upgrade(self, request: Request, deadline: Deadline) -> UpgradeResponse | Response:
        """Send a request that turns the connection into a raw stream; return a Response if the engine refuses."""

    @abstractmethod
    def close(self) -> None:
        """Close idle connections. Succeed if they are closed already."""
