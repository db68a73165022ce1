"""A scanner for tar headers: a generator over any source, in constant memory.

It reads ustar, pax (POSIX.1-2001), GNU long names and links, base-256 numbers and the four GNU sparse formats. It
accepts and refuses what Go's ``archive/tar`` accepts and refuses, because engines unpack layers with that package.
Every violation is noted and the scan continues; only an unreadable header ends it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Literal

import msgspec

from .sources import Source

__all__ = ["BLOCK", "Kind", "Member", "decode_name", "padding", "scan"]

BLOCK = 512
Kind = Literal["file", "hardlink", "symlink", "char", "block", "dir", "fifo", "global", "unknown"]

_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"S": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "char",
    b"4": "block",
    b"5": "dir",
    b"6": "fifo",
}
#: Kinds whose size field engines ignore (Go: isHeaderOnly).
_HEADER_ONLY = frozenset({"hardlink", "symlink", "char", "block", "dir", "fifo"})
_FIELDS = struct.Struct("100s 8s 8s 8s 12s 12s 8s c 100s 8s 32s 32s 8s 8s 155s 12s").unpack
_ZEROS = bytes(BLOCK)
# Long names and pax records are read into memory; Go has the same limit of 1 MiB.
_SPECIAL_BYTES = 1 << 20
_ADLER = 65521
_XATTR = "SCHILY.xattr."


class Member(msgspec.Struct, frozen=True, gc=False):
    """One member of a tar, as its headers state it.

    Attributes:
        name: as written, undecodable bytes as surrogate escapes.
        kind: ``global`` is a pax global header, which engines skip.
        size: length of the file in bytes; for a sparse file including its holes.
        stored: payload bytes that follow the header; differs from ``size`` for sparse files and is 0 for links.
        offset: where the payload begins, in bytes from the start of the tar.
        mtime: seconds since 1970.
    """

    name: str
    kind: Kind
    size: int
    mode: int
    uid: int
    gid: int
    mtime: int
    link: str
    offset: int
    stored: int
    device: tuple[int, int] | None
    xattrs: tuple[tuple[str, str], ...]


def padding(size: int) -> int:
    """Return how many bytes fill up the last block of ``size`` bytes of payload."""
    return -size % BLOCK


def decode_name(raw: bytes) -> str:
    """Decode a file name: any bytes, usually UTF-8."""
    return raw.decode("utf-8", "surrogateescape")


def _c_string(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(raw: bytes) -> int:
    """Parse octal digits, or base-256 if the first bit is set (GNU, for numbers that octal cannot hold)."""
    if raw[0] & 0x80:
        value = int.from_bytes(raw, "big") & ((1 << (len(raw) * 8 - 1)) - 1)
        return value - (1 << (len(raw) * 8 - 1)) if raw[0] & 0x40 else value
    digits = raw.strip(b" \0").partition(b"\0")[0]
    return int(digits, 8) if digits else 0


class _Numbers(dict[bytes, int]):
    """A cache of parsed numbers: modes, owners and times repeat in most headers."""

    def __missing__(self, raw: bytes) -> int:
        if len(self) > 4096:  # hostile input must not grow the cache
            self.clear()
        value = self[raw] = _number(raw)
        return value


def _checksum_holds(block: bytes, stated: int) -> bool:
    """Return whether the header's bytes add up to the checksum, with the checksum field read as spaces.

    The low half of Adler-32 is 1 + the sum of the bytes, modulo 65521, at C speed. Some old writers added up the bytes
    as signed numbers.
    """
    field = sum(block[148:156])
    if zlib.adler32(block) & 0xFFFF == (1 + stated - 8 * 32 + field) % _ADLER:
        return True
    negative = sum(256 for byte in block[:148] + block[156:] if byte > 127)
    return sum(block) - field + 8 * 32 - negative == stated


def _pax_records(data: bytes) -> dict[str, str]:
    """Parse ``LENGTH KEY=VALUE\\n`` records. Sparse format 0.0 repeats its two keys; only their presence matters."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at] != 0:
        space = data.index(b" ", at, at + 20)
        length = int(data[at:space])
        end = at + length
        if length < 5 or end > len(data) or data[end - 1 : end] != b"\n":
            raise ValueError(f"pax record of {length} bytes at {at} does not end with a line feed")
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals or not key:
            raise ValueError(f"pax record at {at} has no key")
        records[decode_name(key)] = decode_name(value)
        at = end
    return records


def _sparse(records: dict[str, str], name: str, size: int) -> tuple[str, int]:
    """Return the real name and length of a file in GNU's pax formats 0.0, 0.1 and 1.0; the map is not needed."""
    version = (records.get("GNU.sparse.major", ""), records.get("GNU.sparse.minor", ""))
    known = version in {("0", "0"), ("0", "1"), ("1", "0")}
    unversioned = version == ("", "") and ("GNU.sparse.map" in records or "GNU.sparse.offset" in records)
    if not known and not unversioned:
        return name, size
    real = records.get("GNU.sparse.size") or records.get("GNU.sparse.realsize")
    return records.get("GNU.sparse.name") or name, int(real) if real else size


def scan(source: Source, problems: list[str], remarks: list[str] | None = None) -> Iterator[Member]:
    """Yield each member of a tar.

    The payload is skipped before the next member is read, except for what the caller took meanwhile. After the last
    member the source stands behind the end-of-archive blocks.

    Args:
        source: the tar, at its start.
        problems: receives what makes the tar unreadable for an engine.
        remarks: receives violations that an engine accepts.
    """
    remarks = [] if remarks is None else remarks
    numbers = _Numbers()
    take = source.take
    records: dict[str, str] = {}
    long_name: str | None = None
    long_link: str | None = None
    while True:
        start = source.position
        block = take(BLOCK)
        if block == _ZEROS or len(block) < BLOCK:
            _check_end(source, block, start, bool(records or long_name or long_link), problems, remarks)
            return
        fields = _FIELDS(block)
        try:
            if not _checksum_holds(block, _number(fields[6])):
                problems.append(f"byte {start}: the header's checksum is wrong")
                return
            flag = fields[7]
            size = stored = _number(fields[4])
            if flag in b"xLKg":
                if size < 0 or size > _SPECIAL_BYTES:
                    problems.append(f"byte {start}: an extension header of {size} bytes")
                    return
                data = take(size)
                if len(data) < size:
                    problems.append(f"byte {start}: cut short inside an extension header")
                    return
                if flag == b"g":
                    # Go returns the header as a member before it skips the padding, and tar-split records it so.
                    _pax_records(data)
                    records, long_name, long_link = {}, None, None
                    at = source.position
                    yield Member(_c_string(fields[0]), "global", 0, 0, 0, 0, 0, "", at, 0, None, ())
                if source.skip(padding(size)) < padding(size):
                    remarks.append(f"byte {source.position}: no padding after an extension header")
                    return
                if flag == b"x":
                    records = _pax_records(data)
                elif flag == b"L":
                    long_name = _c_string(data)
                elif flag == b"K":
                    long_link = _c_string(data)
                continue
            kind = _KINDS.get(flag, "unknown")
            mode, uid, gid, mtime = numbers[fields[1]], numbers[fields[2]], numbers[fields[3]], numbers[fields[5]]
            name, link = _c_string(fields[0]), _c_string(fields[8])
            if fields[9] == b"ustar\x0000" and fields[14][0]:
                name = f"{_c_string(fields[14])}/{name}"
            name, link = long_name or name, long_link or link
            xattrs: tuple[tuple[str, str], ...] = ()
            if records:
                name, link = records.get("path") or name, records.get("linkpath") or link
                size = stored = int(records["size"]) if records.get("size") else size
                uid, gid = int(records.get("uid") or uid), int(records.get("gid") or gid)
                mtime = int(float(records["mtime"])) if records.get("mtime") else mtime
                xattrs = tuple((k[len(_XATTR) :], v) for k, v in sorted(records.items()) if k.startswith(_XATTR))
                name, size = _sparse(records, name, size)
            if flag == b"S":
                size = _number(block[483:495])
                extended = block[482]
                while extended:
                    more = take(BLOCK)
                    extended = more[504] if len(more) == BLOCK else 0
            device = (numbers[fields[12]], numbers[fields[13]]) if kind in ("char", "block") else None
        except (ValueError, OverflowError) as exc:
            problems.append(f"byte {start}: unreadable header ({exc})")
            return
        if size < 0 or stored < 0:
            problems.append(f"byte {start}: a size of {min(size, stored)} bytes")
            return
        if kind in _HEADER_ONLY:
            stored = 0
        if flag == b"\0" and name.endswith("/"):
            kind = "dir"  # tars before POSIX wrote folders like this; Go still skips the payload that the size states
        records, long_name, long_link = {}, None, None
        offset = source.position
        yield Member(name, kind, size, mode, uid, gid, mtime, link, offset, stored, device, xattrs)
        rest = offset + stored + padding(stored) - source.position
        missing = rest - source.skip(rest) if rest else 0
        if missing > padding(stored):
            problems.append(f"byte {source.position}: cut short inside {name!r}")
            return
        if missing:
            remarks.append(f"byte {source.position}: ends without padding after {name!r}")
            return


def _check_end(
    source: Source, block: bytes, start: int, pending: bool, problems: list[str], remarks: list[str]
) -> None:
    """Note a premature end. A tar that stops after whole members is accepted by every reader."""
    if pending:
        remarks.append(f"byte {start}: ends after an extension header")
    if block and len(block) < BLOCK:
        problems.append(f"byte {start}: cut short inside a header")
    elif block and source.take(BLOCK) not in (_ZEROS, b""):
        problems.append(f"byte {start}: a single zero block, and more after it")
