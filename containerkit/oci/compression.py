"""Decompress layers and archives: gzip, zstd, xz and bzip2, as streams of bounded chunks.

The first bytes of a blob decide how it is compressed. Media types are missing in docker-archives and wrong elsewhere.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import chain
from typing import Any, Literal

from .problems import Limits

__all__ = ["Compression", "Expanded", "decompress", "sniff"]

Compression = Literal["none", "gzip", "zstd", "xz", "bzip2"]

_CHUNK = 256 << 10
_GZIP = 31  # zlib's window bits for "gzip header and trailer"
# A window takes memory; `zstd --ultra` without --long uses at most 128 MiB.
_ZSTD_WINDOW = 128 << 20
# `xz -9` needs 65 MiB to decompress.
_XZ_MEMORY = 128 << 20


class Expanded(ValueError):
    """The compressed bytes are broken, or expand beyond the limits."""


def sniff(head: bytes) -> Compression:
    """Return the compression that a blob's first bytes announce."""
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F):
        return "zstd"  # a frame, or a skippable frame, with which zstd:chunked may begin
    if head[:4] == b"\xfd7zX":
        return "xz"
    return "bzip2" if head[:3] == b"BZh" else "none"


def decompress(chunks: Iterable[bytes], how: Compression | None, *, limits: Limits | None = None) -> Iterator[bytes]:
    """Yield the decompressed bytes in chunks of bounded size.

    Args:
        chunks: the bytes as stored.
        how: their compression; None: what the first chunk says.

    Raises:
        Expanded: while reading, if the data is broken, cut short, or expands beyond ``limits``.
    """
    if how is None:
        rest = iter(chunks)
        first = next((chunk for chunk in rest if chunk), b"")
        how, chunks = sniff(first), chain([first], rest)
    if how == "none":
        yield from chunks
        return
    limits = limits or Limits()
    counted = _Counted(chunks)
    plain = 0
    readers = {"gzip": _gunzip, "zstd": _unzstd, "xz": _unxz, "bzip2": _unbzip2}
    for data in readers[how](counted):
        plain += len(data)
        if plain > limits.expansion_floor and plain > counted.count * limits.expansion:
            raise Expanded(
                f"{counted.count} compressed bytes expand to more than {plain} bytes; refused as a decompression bomb"
            )
        yield data


class _Counted:
    """An iterator that counts the bytes it passes on, with the interface of a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.count += len(chunk)
            yield chunk

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self.count += len(chunk)
            self._rest = chunk
        data = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(data) :]
        return data


def _inflater() -> Any:
    """Return isal's decompressor if it is installed (about twice as fast), else zlib's; both have one interface."""
    try:
        return import_module("isal.isal_zlib").decompressobj(_GZIP)
    except ImportError:
        return zlib.decompressobj(_GZIP)


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress all members of a gzip file; pigz and estargz write several."""
    inflate = _inflater()
    fresh = True
    try:
        for chunk in chunks:
            data = chunk
            while data:
                if inflate.eof:
                    if not data.lstrip(b"\0"):
                        break  # zeros after the last member are padding
                    inflate, fresh = _inflater(), False
                plain = inflate.decompress(data, _CHUNK)
                if plain:
                    yield plain
                data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
                fresh = False
        while not inflate.eof:
            plain = inflate.decompress(b"", _CHUNK)
            if not plain:
                break
            yield plain
    except zlib.error as exc:
        raise Expanded(f"broken gzip data ({exc})") from exc
    except Exception as exc:  # isal raises an exception class of its own
        if type(exc).__name__ != "IsalError":
            raise
        raise Expanded(f"broken gzip data ({exc})") from exc
    if fresh or not inflate.eof:
        raise Expanded("gzip data cut short")


def _unzstd(reader: _Counted) -> Iterator[bytes]:
    """Decompress all frames of a zstd file."""
    try:
        zstandard = import_module("zstandard")
    except ImportError as exc:
        raise Expanded("compressed with zstd, but the package zstandard is not installed") from exc
    stream: io.RawIOBase = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(
        reader, read_across_frames=True
    )
    try:
        while data := stream.read(_CHUNK):
            yield data
    except zstandard.ZstdError as exc:
        raise Expanded(f"broken zstd data ({exc})") from exc


def _unxz(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress all streams of an xz file."""
    return _streams(chunks, lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY), "xz")


def _unbzip2(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress all streams of a bzip2 file; lbzip2 and pbzip2 write several."""
    return _streams(chunks, bz2.BZ2Decompressor, "bzip2")


def _streams(chunks: Iterable[bytes], start: Callable[[], Any], name: str) -> Iterator[bytes]:
    """Decompress streams that stand one after the other, with the interface of lzma and bz2."""
    inflate = start()
    try:
        for chunk in chunks:
            data = chunk
            while data or not (inflate.eof or inflate.needs_input):
                if inflate.eof:
                    if not data.lstrip(b"\0"):
                        break  # zeros after the last stream are padding
                    inflate = start()
                yield inflate.decompress(data, _CHUNK)
                data = inflate.unused_data if inflate.eof else b""
    except (lzma.LZMAError, OSError, EOFError) as exc:
        raise Expanded(f"broken {name} data ({exc})") from exc
    if not inflate.eof:
        raise Expanded(f"{name} data cut short")
