"""The part that both transports share: time limits of a request, reading of its response, translation of errors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from ..errors import EngineUnavailable
from ..streams import Deadline
from ._translate import translated
from ._wire import Limits, current_limits
from .transport import MAX_BODY, Request, Response, StreamResponse, Transport, UpgradeResponse

__all__ = ["CHUNK", "Answer", "PatientTransport"]

CHUNK = 1 << 16
_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
_PING = "/_ping"


class Answer(Protocol):
    """A response whose header has arrived.

    Attributes:
        headers: names in lower case.
    """

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives. Raise an error of http.client, or an OSError, if its end is missing."""

    def release(self) -> None:
        """Let the next request use the connection: the body was read to its end."""

    def close(self) -> None:
        """End the connection."""

    def abort(self) -> None:
        """End the connection while another thread may be reading: a plain close would wait for that thread."""

    def take(self) -> UpgradeResponse:
        """Return the connection as a raw stream."""


class PatientTransport(Transport):
    """Sends requests within their limits; a subclass opens the connections.

    Args:
        url: the address of the engine, for error messages.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    @abstractmethod
    def _open(self, request: Request, headers: Mapping[str, str], silence: float | None) -> Answer:
        """Send the request and return once the header of the response has arrived.

        Args:
            silence: seconds for each read and write.
        """

    # ---------------------------------------------------------------- the three methods
    def send(self, request: Request, deadline: Deadline) -> Response:
        whole = deadline if request.quiet_body else _prompt(request, deadline)
        return self._complete(self._begin(request, whole, request.headers), request, whole)

    def stream(self, request: Request, deadline: Deadline) -> StreamResponse:
        answer = self._begin(request, deadline, request.headers)
        return StreamResponse(answer.status, answer.headers, self._chunks(answer, request, deadline), answer.abort)

    def upgrade(self, request: Request, deadline: Deadline) -> UpgradeResponse | Response:
        answer = self._begin(request, deadline, {**request.headers, **_UPGRADE})
        if answer.status != 101:
            return self._complete(answer, request, deadline)
        with translated(request.doing, self._url):
            return answer.take()

    # ---------------------------------------------------------------- parts
    def _begin(self, request: Request, deadline: Deadline, headers: Mapping[str, str]) -> Answer:
        deadline.check(request.doing)
        prompt = _prompt(request, deadline)
        limits = Limits(request.silence, prompt, self._ping(request, deadline) if request.slow_answer else None)
        former = current_limits(limits)
        try:
            with translated(request.doing, self._url, prompt, request.silence):
                answer = self._open(request, headers, deadline.cap(request.silence))
        finally:
            current_limits(former)
        limits.silence, limits.deadline = request.body_silence, deadline
        limits.probe = self._ping(request, deadline) if request.quiet_body else None
        return answer

    def _ping(self, request: Request, deadline: Deadline) -> Callable[[], None]:
        """Return a function that raises if the engine does not answer a ping."""
        patience = max(1.0, (request.body_silence or 0.0) / 10)
        probe = Request("GET", _PING, request.doing, silence=patience, body_silence=patience)

        def ping() -> None:
            limit = Deadline.after(deadline.cap(patience), shield=True)
            self._complete(self._begin(probe, limit, {}), probe, limit)

        return ping

    def _complete(self, answer: Answer, request: Request, deadline: Deadline) -> Response:
        """Read the body to its end."""
        pieces: list[bytes] = []
        size = 0
        for chunk in self._chunks(answer, request, deadline):
            pieces.append(chunk)
            size += len(chunk)
            if size > MAX_BODY:
                answer.abort()
                raise EngineUnavailable(
                    f"{request.doing}: the response of {self._url} is larger than {MAX_BODY >> 20} MiB"
                )
        return Response(answer.status, answer.headers, b"".join(pieces))

    def _chunks(self, answer: Answer, request: Request, deadline: Deadline) -> Iterator[bytes]:
        """Yield the body as it arrives; errors of reading are translated."""
        try:
            with translated(request.doing, self._url, deadline, request.body_silence):
                yield from answer.chunks()
        except BaseException:
            answer.close()
            raise
        answer.release()


def _prompt(request: Request, deadline: Deadline) -> Deadline:
    """Return the deadline of a request that the engine has to answer promptly, also if it sends byte by byte."""
    if request.slow_answer or request.silence is None or isinstance(request.body, Iterator):
        return deadline
    return deadline.sooner(request.silence)
