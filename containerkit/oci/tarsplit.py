"""Read tar-split records: a layer's tar headers as Docker and Podman keep them on disk, without any payload.

The file (``tar-split.json.gz``) is gzip over JSON lines (github.com/vbatts/tar-split). A line of type 2 holds raw
bytes of the original tar: headers, and the padding of the file before. A line of type 1 replaces a file's payload by
its name, size and CRC-64/ISO. The type 2 lines joined are a tar without payload, which the one scanner reads; the
checksum identifies the content without reading any of it.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from .layer import Entries, LayerContents
from .problems import Limits
from .tar import scan

__all__ = ["read_tar_split", "rebuilt_digest"]

# Lines are decoded in batches: 11,000 entries take 8 MB as one text, half a million would take 350 MB.
_BATCH = 1 << 20
_GZIP = 31


class _Line(msgspec.Struct, gc=False):
    """One JSON line. msgspec decodes the base64 of ``payload``. Names are in the headers already."""

    type: int
    size: int = 0
    payload: bytes | None = None  # null for a member without content


class _Named(_Line, gc=False):
    """A line with the member's name; ``name_raw`` if it is not UTF-8."""

    name: str = ""
    name_raw: bytes | None = None


_decoder = msgspec.json.Decoder(_Line)


L = TypeVar("L", bound=_Line)


class _SplitSource:
    """A source over lines, with the positions of the original tar."""

    def __init__(self, lines: Iterable[_Line]) -> None:
        self._lines = iter(lines)
        self._buffer = b""
        self._used = 0
        self.position = 0

    def take(self, count: int, /) -> bytes:
        parts: list[bytes] = []
        missing = count
        while missing:
            data = self._buffer[self._used : self._used + missing]
            if not data:
                line = next(self._lines, None)
                if line is None or line.type != 2:
                    break  # a payload where a header should be: a short read ends the scan
                self._buffer, self._used = line.payload or b"", 0
                continue
            parts.append(data)
            self._used += len(data)
            missing -= len(data)
        self.position += count - missing
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def skip(self, count: int, /) -> int:
        skipped = 0
        while skipped < count:
            got = len(self.take(min(count - skipped, _BATCH)))
            if not got:
                break
            skipped += got
        return skipped

    def chunks(self, count: int | None = None, /) -> Iterator[bytes]:
        raise NotImplementedError("tar-split holds no payload")

    def payload(self, stored: int) -> bytes | None:
        """Skip the payload of the current member; return its checksum, or None if its line is missing."""
        if self._used < len(self._buffer):
            return None
        line = next(self._lines, None)
        if line is None or line.type != 1:
            return None
        self.position += stored
        return line.payload or b""


def read_tar_split(chunks: Iterable[bytes], *, limits: Limits | None = None) -> LayerContents:
    """Return the same entries as from the layer's own tar, with ``content_id`` as ``crc64:`` and 16 hex digits.

    CRC-64 finds equal content among honest files. It is no proof against files that were made to collide.

    Args:
        chunks: the bytes of ``tar-split.json.gz``.
    """
    limits = limits or Limits()
    found = Entries(limits)
    source = _SplitSource(_lines(chunks, _decoder))
    try:
        for member in scan(source, found.problems, found.remarks):
            checksum = source.payload(member.stored)
            if checksum is None:
                found.problems.append(f"byte {source.position}: no line for the content of {member.name!r}")
                break
            content_id = "crc64:" + checksum.hex() if member.stored and checksum else None
            if not found.add(member, content_id):
                return found.contents(source.position)
        while source.skip(_BATCH):
            pass
    except (zlib.error, EOFError, msgspec.MsgspecError) as exc:
        found.problems.append(f"not a tar-split file ({exc})")
    return found.contents(source.position)


def rebuilt_digest(chunks: Iterable[bytes], read: Callable[[str, int], Iterable[bytes]]) -> str:
    """Rebuild a layer's tar from its record and its files, and return its digest, the diff_id.

    Args:
        chunks: the bytes of ``tar-split.json.gz``.
        read: function that returns the bytes of a file of the layer, by its name in the tar and its length.

    Raises:
        ValueError: not a tar-split file. Errors of ``read`` are raised as they are.
    """
    hasher = hashlib.sha256()
    try:
        for line in _lines(chunks, msgspec.json.Decoder(_Named)):
            if line.type == 2:
                hasher.update(line.payload or b"")
            elif line.size:
                name = line.name if line.name_raw is None else os.fsdecode(line.name_raw)
                for data in read(name, line.size):
                    hasher.update(data)
    except (zlib.error, EOFError, msgspec.MsgspecError) as exc:
        raise ValueError(f"not a tar-split file ({exc})") from exc
    return "sha256:" + hasher.hexdigest()


def _lines(chunks: Iterable[bytes], decoder: msgspec.json.Decoder[L]) -> Iterator[L]:
    """Yield decoded lines, a batch at a time."""
    inflate = zlib.decompressobj(_GZIP)
    rest = b""
    for chunk in chunks:
        data = chunk
        while data and not inflate.eof:
            rest += inflate.decompress(data, _BATCH)
            data = inflate.unconsumed_tail
            whole, newline, after = rest.rpartition(b"\n")
            if newline:
                yield from decoder.decode_lines(whole)
                rest = after
    rest += inflate.flush()
    if not inflate.eof:
        raise EOFError("cut short")
    yield from decoder.decode_lines(rest)
