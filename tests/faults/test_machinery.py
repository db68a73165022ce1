"""The fault cases and the replay, without an engine."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck

from .cases import Case, cases_of
from .exchange import Exchange, Response
from .judge import Subject, judge, table
from .operations import OPERATIONS, Operation, World
from .replay import Fault, Replay

VERSION = b'{"Version": "20.10.24", "ApiVersion": "1.41", "Components": [{"Name": "Engine"}]}'
WORLD = World("image", "small", b"", 0.0)


def recorded(body: bytes = VERSION, *, chunked: bool = False) -> Response:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    if not chunked:
        return Response(head).with_content(body)
    head = head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
    half = len(body) // 2
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:half], body[half:]))
    return Response(head, pieces + b"0\r\n\r\n", "chunked")


def asked(server: Replay, request: bytes = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
    """Return all bytes of the answer to one request."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.url.removeprefix("unix://"))
        client.settimeout(5)
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(1 << 16), b""))


def test_there_are_enough_operations() -> None:
    """At least 30 operations of the public API are tried, each under a name of its own."""
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS) >= 30


def test_a_chunked_body_is_read_without_its_sizes() -> None:
    """The content of a chunked response is its body without the chunk sizes, and its borders lie between chunks."""
    response = recorded(chunked=True)
    assert response.content == VERSION
    assert [response.body[at : at + 2].isalnum() or response.body[at : at + 1] == b"0" for at in response.borders]
    assert len(response.borders) == 2


def test_a_replay_answers_as_recorded() -> None:
    """Without a fault the recorded bytes come back; an unknown request is 404."""
    response = recorded()
    with Replay([Exchange("GET /version", 0, response)]) as server:
        assert asked(server) == response.head + response.body
        assert asked(server, b"GET /other HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 ")


def test_random_labels_are_those_of_the_client() -> None:
    """A label that the client makes up comes back as the client sent it, not as it was recorded."""
    body = b'{"Labels": {"containerkit.request": "old"}}'
    exchange = Exchange("POST /volumes/create", 0, recorded(body), (b"old",))
    request = b'{"Labels": {"containerkit.request": "new"}}'
    head = b"POST /volumes/create HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(request)
    with Replay([exchange]) as server:
        assert b'"containerkit.request": "new"' in asked(server, head + request)


@pytest.mark.parametrize("cut", [0, 10, 60])
def test_a_cut_sends_so_many_bytes(cut: int) -> None:
    """A cut ends the connection after exactly that many bytes."""
    exchange = Exchange("GET /version", 0, recorded())
    with Replay([exchange], spoiled=exchange, fault=Fault("cut", cut=cut)) as server:
        whole = exchange.response.head + exchange.response.body
        assert asked(server) == whole[:cut]
        assert server.met == 1


def test_the_cases_of_an_exchange_are_many_and_differ() -> None:
    """Each exchange gives cuts, statuses, heads, bodies, fields and times; the same ones each time."""
    operation = Operation("version", lambda *_: None)
    exchange = Exchange("GET /version", 0, recorded(b'{"Id": "abc", "StatusCode": 7}', chunked=True))
    cases = list(cases_of(operation, exchange))
    kinds = Counter(case.kind for case in cases)
    assert len(cases) > 60
    assert {"204", "301", "500", "null body", "empty body", "field missing", "no answer", "drip"} <= set(kinds)
    assert [str(case) for case in cases] == [str(case) for case in cases_of(operation, exchange)]


def subject(act: Any, right: Any) -> tuple[Subject, Case]:
    exchange = Exchange("GET /version", 0, recorded())
    operation = Operation("version", act)
    case = Case(operation, exchange, Fault("late answer", stall=0.01))
    return Subject(operation, [exchange], right), case


def outcome(monkeypatch: pytest.MonkeyPatch, act: Any, right: Any) -> str:
    """Return what judge() says of an operation whose engine is only a socket."""

    class Client:
        def __init__(self, url: str) -> None:
            self.url = url

        def __enter__(self) -> Client:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(self.url.removeprefix("unix://"))
                client.sendall(b"GET /version HTTP/1.1\r\n\r\n")
                client.recv(10)
            return self

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(ck, "connect", lambda url, timeout: Client(url))
    found, case = subject(act, right)
    verdict = judge(found, WORLD, (), case)
    assert verdict.outcome in table([verdict])
    return verdict.outcome


def raises(exc: Exception) -> Any:
    def act(*_: object) -> None:
        raise exc

    return act


def half_written(_engine: object, _world: World, folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / ".half").touch()
    raise ck.EngineUnavailable("cut")


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda *_: 7, "right"),
        (lambda *_: 0, "silent wrong"),
        (raises(ck.EngineUnavailable("cut")), "typed"),
        (raises(KeyError("Id")), "raw"),
        (half_written, "silent wrong"),
    ],
    ids=["right", "wrong", "typed", "raw", "half-written"],
)
def test_outcomes(monkeypatch: pytest.MonkeyPatch, act: Any, expected: str) -> None:
    """The right value, another value, a typed error, another error, and a file left half-written are told apart."""
    assert outcome(monkeypatch, act, 7) == expected
