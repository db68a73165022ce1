"""One HTTP request and its recorded response, with the framing kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal
from urllib.parse import urlsplit

Framing = Literal["none", "length", "chunked", "close", "raw"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was read from a connection.

    Attributes:
        raw: all of its bytes, to be forwarded.
        upgrade: the client wants a raw stream in return.
    """

    method: str
    target: str
    raw: bytes
    upgrade: bool

    @property
    def key(self) -> str:
        """The method and the path: what a recorded response is found by."""
        return f"{self.method} {urlsplit(self.target).path}"

    @property
    def labels(self) -> tuple[bytes, ...]:
        """The random labels that it gives to what it creates: an answer repeats them."""
        return tuple(re.findall(rb'"containerkit\.(?:request|session)": ?"([^"]+)"', self.raw))

    @property
    def query(self) -> str:
        """The query, still quoted."""
        return urlsplit(self.target).query


@dataclass(frozen=True, slots=True)
class Response:
    """A response: the head up to its empty line, and the body as it came, with the sizes of its chunks.

    Attributes:
        complete: False if the client hung up before the end, as it does with an endless stream.
    """

    head: bytes
    body: bytes = b""
    framing: Framing = "none"
    complete: bool = True

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.head.split(b" ", 2)[1])

    @property
    def content(self) -> bytes:
        """The body without the sizes of its chunks."""
        if self.framing != "chunked":
            return self.body
        found, rest = [], self.body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16) if size else 0
            if not length:
                break
            found.append(rest[:length])
            rest = rest[length + 2 :]
        return b"".join(found)

    @property
    def borders(self) -> tuple[int, ...]:
        """Offsets of the body between two chunks, or between two frames of a raw stream."""
        found, at = [], 0
        while at < len(self.body):
            if self.framing == "chunked":
                line = self.body.find(b"\r\n", at)
                if line < 0:
                    break
                at = line + 2 + int(self.body[at:line] or b"0", 16) + 2
            elif self.framing == "raw":
                at += 8 + int.from_bytes(self.body[at + 4 : at + 8], "big")
            else:
                break
            if 0 < at < len(self.body):
                found.append(at)
        return tuple(found)

    def with_content(self, content: bytes) -> Response:
        """Return the same response with another body, whose length is stated correctly."""
        return replace(self, head=_with_length(self.head, len(content)), body=content, framing="length")

    def with_head(self, change: Callable[[bytes], bytes]) -> Response:
        """Return the same response with another head."""
        return replace(self, head=change(self.head))


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request's key, its position among the requests of the same key, the labels in its body, and the response."""

    key: str
    turn: int
    response: Response
    labels: tuple[bytes, ...] = ()


def header(head: bytes, name: bytes) -> bytes:
    """Return a header's value in lower case, b"" if the head has none."""
    found = re.search(rb"(?im)^" + re.escape(name) + rb":[ \t]*([^\r\n]*)", head)
    return found[1].strip().lower() if found else b""


def _with_length(head: bytes, length: int) -> bytes:
    lines = head.split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith((b"content-length:", b"transfer-encoding:"))]
    return b"\r\n".join([*kept[:1], b"Content-Length: %d" % length, *kept[1:]])


def read_head(stream: BinaryIO) -> bytes:
    """Read up to the empty line; return b"" at the end of the connection."""
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line in (b"\r\n", b"\n"):
            return b"".join(lines)
    return b""


def read_chunk(stream: BinaryIO) -> bytes:
    """Read a chunk with its size; the last one has the size 0."""
    size = stream.readline()
    if not size:
        return b""
    return size + stream.read(int(size.split(b";")[0], 16) + 2)


def read_request(stream: BinaryIO) -> Request | None:
    """Read a whole request; return None at the end of the connection."""
    head = read_head(stream)
    if not head:
        return None
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    body = bytearray()
    if header(head, b"transfer-encoding") == b"chunked":
        while chunk := read_chunk(stream):
            body += chunk
            if chunk.startswith(b"0\r\n"):
                break
    elif length := header(head, b"content-length"):
        body += stream.read(int(length))
    return Request(method, target, head + bytes(body), header(head, b"connection") == b"upgrade")


def framing_of(request: Request, head: bytes) -> Framing:
    """Return how the body that follows this head ends."""
    status = int(head.split(b" ", 2)[1])
    if status == 101 or (request.upgrade and status == 200):
        return "raw"
    if request.method == "HEAD" or status in (204, 304) or status < 200:
        return "none"
    if header(head, b"transfer-encoding") == b"chunked":
        return "chunked"
    return "length" if header(head, b"content-length") else "close"
