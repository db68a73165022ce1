"""Make the faults for one recorded exchange: cuts, wrong bodies, wrong heads, wrong times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .exchange import Exchange, Response, header
from .operations import TIMEOUT, Operation
from .replay import Fault

#: Fields that an answer cannot do without.
REQUIRED = ("Id", "ID", "id", "Name", "ExitCode", "StatusCode", "State", "Running")
#: Requests that an engine may take longer for, as long as it answers pings: it copies, builds, stops or removes.
SLOW = ("DELETE ", "PUT ", "POST ")
_DEEP = b"[" * 100_000 + b"]" * 100_000


@dataclass(frozen=True, slots=True)
class Case:
    """One fault in one response of one operation."""

    operation: Operation
    exchange: Exchange
    fault: Fault

    @property
    def kind(self) -> str:
        """The fault's kind: "cut in head" of "cut in head at 17"."""
        return self.fault.name.partition(" at ")[0]

    def __str__(self) -> str:
        return f"{self.operation.name}: {self.exchange.key} #{self.exchange.turn}: {self.fault.name}"


def cases_of(operation: Operation, exchange: Exchange) -> Iterator[Case]:
    """Yield every case of an exchange."""
    response = exchange.response
    faults = [*_cuts(response), *_statuses(response), *_heads(response), *_times(operation, exchange)]
    if response.framing == "raw":
        faults += _frames(response)
    elif response.framing != "none" and _is_json(response):
        faults += _bodies(response)
        faults += _fields(response)
        if not operation.waits:
            faults += _endless(response)
    elif response.framing != "none":
        faults += [Fault("empty body", response.with_content(b"")), Fault("null body", response.with_content(b"null"))]
    if header(response.head, b"x-docker-container-path-stat"):
        faults += _stats(response)
    for fault in faults:
        yield Case(operation, exchange, fault)


def _is_json(response: Response) -> bool:
    return b"json" in header(response.head, b"content-type") or response.content[:1] in (b"{", b"[")


# ---------------------------------------------------------------- cuts
def _cuts(response: Response) -> Iterator[Fault]:
    """Cut at each border of the head, and inside of each of its lines; at borders of the body and between them."""
    head, body = response.head, response.body
    yield Fault("cut before anything", cut=0)
    yield Fault("cut before anything, once", cut=0, once=True)
    yield Fault("reset before anything", cut=0, reset=True)
    yield Fault("reset before anything, once", cut=0, reset=True, once=True)
    at = 0
    lines = head.split(b"\r\n")[:-2]
    for line in lines:
        for offset in (at + len(line) // 2, at + len(line), at + len(line) + 2):
            if 0 < offset < len(head):
                yield Fault(f"cut in head at {offset}", cut=offset)
        at += len(line) + 2
    yield Fault("cut in head at its last line, once", cut=len(head) - 2, once=True)
    yield Fault("reset in head", cut=len(head) // 2, reset=True)
    if not body:
        return
    inside = {0, 1, len(body) // 3, len(body) // 2, len(body) - 1}
    borders = response.borders
    inside |= {*borders[:3], *borders[-3:]}
    if response.framing == "chunked":
        inside |= {offset + 1 for offset in borders[:2]} | {offset - 2 for offset in borders[:2]}
        if borders:  # after the size of the last chunk, 0, nothing is missing
            inside = {offset for offset in inside if offset <= borders[-1]}
    if response.framing == "raw":
        inside |= {offset + 4 for offset in borders[:3]} | {offset - 1 for offset in borders[:3]}
    if response.framing == "close":
        inside = {0}  # the end of such a body is the end of the connection, whatever ended it
    for offset in sorted(inside):
        if 0 <= offset < len(body):
            yield Fault(f"cut in body at {offset}", cut=len(head) + offset)
    yield Fault("reset in body", cut=len(head) + len(body) // 2, reset=True)
    yield Fault("cut in body, once", cut=len(head) + len(body) // 2, once=True)


# ---------------------------------------------------------------- statuses
def _statuses(response: Response) -> Iterator[Fault]:
    def answer(line: bytes, *headers: bytes, body: bytes | None = b"") -> Response:
        lines = [b"HTTP/1.1 " + line, *headers]
        if body is not None:
            lines.append(b"Content-Length: %d" % len(body))
        return Response(b"\r\n".join(lines) + b"\r\n\r\n", body or b"", "length")

    kind = b"Content-Type: application/json"
    page = b"<h1>Bad Gateway</h1>"
    if response.status != 204:
        yield Fault("204", answer(b"204 No Content", body=None))
    yield Fault("301", answer(b"301 Moved Permanently", b"Location: /elsewhere"))
    yield Fault("302", answer(b"302 Found", b"Location: http://127.0.0.1:1/"))
    yield Fault("304", answer(b"304 Not Modified", body=None))
    yield Fault("500", answer(b"500 Internal Server Error", kind, body=b'{"message":"no"}'))
    yield Fault("500 without a body", answer(b"500 Internal Server Error"))
    yield Fault("502 of a gateway", answer(b"502 Bad Gateway", b"Content-Type: text/html", body=page))
    yield Fault("503 null", answer(b"503 Service Unavailable", kind, body=b"null"))
    yield Fault("418 list", answer(b"418 Teapot", kind, body=b'["no"]'))
    if response.status != 200:
        yield Fault("200 in place of another status", answer(b"200 OK"))


# ---------------------------------------------------------------- heads
def _heads(response: Response) -> Iterator[Fault]:
    def first(line: bytes) -> Response:
        return response.with_head(lambda head: line + b"\r\n" + head.partition(b"\r\n")[2])

    def added(line: bytes) -> Response:
        return response.with_head(lambda head: head[:-2] + line + b"\r\n\r\n")

    yield Fault("head: not HTTP", Response(b"SSH-2.0-OpenSSH_9.2\r\n", b"", "close"), cut=1 << 20)
    yield Fault("head: a TLS alert", Response(b"\x15\x03\x01\x00\x02\x02\x50", b"", "close"), cut=1 << 20)
    yield Fault("head: a status of letters", first(b"HTTP/1.1 abc OK"))
    yield Fault("head: a status of 999", first(b"HTTP/1.1 999 Odd"))
    yield Fault("head: HTTP/9.9", first(b"HTTP/9.9 200 OK"), cut=1 << 30)
    yield Fault("head: a long line", added(b"X-Long: " + b"x" * 70_000), cut=1 << 30)
    yield Fault("head: many lines", added(b"\r\n".join(b"X-%d: 1" % n for n in range(500))), cut=1 << 30)
    if response.framing == "chunked" and response.body:
        body = b"zz" + response.body[2:]
        yield Fault("a chunk size of letters", Response(response.head, body, "chunked"), cut=1 << 30)
        yield Fault("a negative chunk size", Response(response.head, b"-5\r\n" + response.body, "chunked"), cut=1 << 30)
    if response.framing == "length" and response.body:
        larger = _length(response, b"%d" % (len(response.body) + 10))
        yield Fault("a content length that is too large", larger, cut=1 << 30)
        yield Fault("a content length of letters", _length(response, b"abc"), cut=1 << 30)


def _length(response: Response, value: bytes) -> Response:
    return response.with_head(lambda head: re.sub(rb"(?i)(content-length:[ \t]*)\d+", rb"\g<1>" + value, head))


# ---------------------------------------------------------------- bodies
def _bodies(response: Response) -> Iterator[Fault]:
    content = response.content
    other = b"{}" if content.lstrip()[:1] == b"[" else b"[]"
    bodies = {
        "empty body": b"",
        "null body": b"null",
        "body of the other type": other,
        "body: a string": b'"text"',
        "body: a number": b"12345.5",
        "body: true": b"true",
        "body: half of the JSON": content[: len(content) // 2],
        "body: a page of HTML": b"<html><body>It works!</body></html>",
        "body: bytes": bytes(range(256)),
        "body: not UTF-8": content.replace(b'":"', b'":"\xff\xfe', 1) if b'":"' in content else b'{"a":"\xff"}',
        "body: deep JSON": _DEEP,
        "body: a number of 5,000 digits": b'{"Id": ' + b"9" * 5000 + b"}",
        "body: NaN": b'{"Id": NaN, "StatusCode": Infinity}',
        "body: garbled": content[: len(content) // 2] + b"\x00\x01}" + content[len(content) // 2 :],
    }
    for name, body in bodies.items():
        if body != content:
            yield Fault(name, response.with_content(body))


def _fields(response: Response) -> Iterator[Fault]:
    """Leave out a required field, or give it another type."""
    try:
        whole = json.loads(response.content)
    except ValueError:
        return
    target = whole[0] if isinstance(whole, list) and whole else whole
    if not isinstance(target, dict):
        return
    for name in REQUIRED:
        if name not in target or target[name] in (None, "", [], {}):
            continue
        kept = target[name]
        other: Any = 5 if isinstance(kept, str) else "\ud800"
        for word, value in (("missing", ...), ("null", None), ("an object", {"a": 1}), ("of another type", other)):
            changed = {key: item for key, item in target.items() if key != name}
            if value is not ...:
                changed[name] = value
            document: Any = [changed, *whole[1:]] if isinstance(whole, list) else changed
            yield Fault(f"field {word} at {name}", response.with_content(json.dumps(document).encode()))


def _frames(response: Response) -> Iterator[Fault]:
    body = response.body
    if len(body) < 9:
        return
    for name, spoiled in (
        ("frame of an unknown stream", b"\x09" + body[1:]),
        ("frame with a filled gap", body[:2] + b"\x01" + body[3:]),
        ("frame that is too long", body[:4] + b"\x7f\xff\xff\xff" + body[8:]),
        ("frame that is too short", body[:4] + b"\x00\x00\x00\x01" + body[8:]),
        ("frame of an engine's error", body[:0] + b"\x03\0\0\0\0\0\0\x04oops"),
    ):
        yield Fault(name, Response(response.head, spoiled, "raw"))


def _stats(response: Response) -> Iterator[Fault]:
    pattern = rb"(?i)(x-docker-container-path-stat:[ \t]*)[^\r\n]*"
    for name, value in (
        ("a file's header that is not base64", b"%%%"),
        ("a file's header that is not JSON", b"bm8="),
        ("a file's header that is null", b"bnVsbA=="),
        ("a file's header that is empty JSON", b"e30="),
        ("a file's header that is a list", b"W10="),
    ):
        changed = response.with_head(lambda head, value=value: re.sub(pattern, rb"\g<1>" + value, head))  # type: ignore[misc]
        yield Fault(name, changed)
    without = response.with_head(lambda head: re.sub(pattern + rb"\r\n", b"", head))
    yield Fault("a file's header that is missing", without)


# ---------------------------------------------------------------- times
def _times(operation: Operation, exchange: Exchange) -> Iterator[Fault]:
    response = exchange.response
    yield Fault("late answer", stall=TIMEOUT / 4)
    if operation.waits:
        return
    yield Fault("no answer", stall=-1, stops=True)
    yield Fault("silence in the head", Response(response.head[: len(response.head) // 2], b"", "none"), stops=True)
    if response.body and response.framing != "raw":
        half = response.body[: len(response.body) // 2]
        yield Fault("silence in the body", Response(response.head, half, response.framing), stops=True)
    streamed = operation.streams or response.framing == "raw" or "/images/get" in exchange.key
    if not streamed and not exchange.key.startswith(SLOW):
        yield Fault("drip", drip=TIMEOUT / 5)


def _endless(response: Response) -> Iterator[Fault]:
    """One of three bodies without end."""
    head = Response(response.head, b"", "close").with_head(
        lambda head: re.sub(rb"(?im)^(content-length|transfer-encoding):[^\r\n]*\r\n", b"", head)
    )
    kinds = (
        Fault("endless spaces", head, endless=b" "),
        Fault("endless string", Response(head.head, b'{"Id": "', "close"), endless=b"x"),
        Fault("endless list", Response(head.head, b"[", "close"), endless=b'{"Id": "0123"},'),
    )
    yield kinds[(len(response.head) + len(response.body)) % len(kinds)]
