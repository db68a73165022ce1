"""Read rpm's databases: the SQLite file of today, and the older ndb and Berkeley DB hash files.

Each holds a header per package. A header is an index of tags and a store of their values, big-endian (rpm,
lib/header.c). The forms of the files are those of rpm's lib/backend: sqlite.c, ndb/rpmpkg.c and bdb_ro.cc.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["RpmHeader", "rpm_headers"]

_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH = 1000, 1001, 1002, 1003, 1022
_DIR_INDEXES, _BASENAMES, _DIRNAMES = 1116, 1117, 1118
_INT32, _STRING, _STRING_ARRAY = 4, 6, 8
_SQLITE_SECONDS = 10.0
_HASH_MAGIC, _HASH_TYPES, _OVERFLOW, _OFF_PAGE, _PAGE_HEADER = 0x00061561, (2, 13), 7, 3, 26


class RpmHeader(NamedTuple):
    """The facts of one installed package; `files` are absolute paths."""

    name: str
    version: str
    arch: str
    files: tuple[str, ...]


def rpm_headers(raw: bytes) -> tuple[RpmHeader, ...]:
    """Return the installed packages of a database, whatever its form.

    Raises:
        ValueError: the bytes are none of the three forms, or are damaged.
    """
    try:
        if raw.startswith(b"SQLite format 3\0"):
            blobs = _sqlite(raw)
        elif raw.startswith(b"RpmP"):
            blobs = _ndb(raw)
        elif raw[12:16] in (struct.pack("<I", _HASH_MAGIC), struct.pack(">I", _HASH_MAGIC)):
            blobs = _berkeley(raw)
        else:
            raise ValueError("not a database of rpm")
        return tuple(_header(blob) for blob in blobs)
    except (struct.error, sqlite3.Error, IndexError, KeyError) as exc:
        raise ValueError(f"a damaged database of rpm: {exc}") from exc


def _header(blob: bytes) -> RpmHeader:
    count, size = struct.unpack_from(">II", blob)
    start = 8 + 16 * count
    if len(blob) < start + size:
        raise ValueError("a header of rpm is cut short")
    store = blob[start : start + size]
    words: dict[int, list[str]] = {}
    numbers: dict[int, tuple[int, ...]] = {}
    for tag, kind, offset, number in struct.iter_unpack(">IIII", blob[8:start]):
        if tag in (_DIR_INDEXES, _EPOCH) and kind == _INT32:
            numbers[tag] = struct.unpack_from(f">{number}I", store, offset)
        elif tag in (_NAME, _VERSION, _RELEASE, _ARCH, _BASENAMES, _DIRNAMES) and kind in (_STRING, _STRING_ARRAY):
            raw = store[offset:].split(b"\0", number)[:number]
            words[tag] = [word.decode("utf-8", "replace") for word in raw]
    name, version, release = (words[tag][0] for tag in (_NAME, _VERSION, _RELEASE))
    epoch = f"{numbers[_EPOCH][0]}:" if numbers.get(_EPOCH) else ""
    folders = words.get(_DIRNAMES, [])
    pairs = zip(numbers.get(_DIR_INDEXES, ()), words.get(_BASENAMES, ()), strict=False)
    files = tuple(f"{folders[folder]}{base}" for folder, base in pairs)
    return RpmHeader(name, f"{epoch}{version}-{release}", (words.get(_ARCH) or [""])[0], files)


def _sqlite(raw: bytes) -> Iterator[bytes]:
    """Yield the headers of rpmdb.sqlite. SQLite opens files only; the copy is in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="containerkit-") as folder:
        path = Path(folder, "rpmdb.sqlite")
        path.write_bytes(raw)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            until = time.monotonic() + _SQLITE_SECONDS
            connection.set_progress_handler(lambda: time.monotonic() > until, 100_000)  # the file is untrusted
            connection.execute("PRAGMA trusted_schema=OFF")
            kinds = connection.execute("SELECT type FROM sqlite_master WHERE name='Packages'").fetchall()
            if kinds != [("table",)]:
                raise ValueError("a SQLite file without rpm's table of packages")
            for (blob,) in connection.execute("SELECT blob FROM Packages ORDER BY hnum"):
                if not isinstance(blob, bytes):
                    raise ValueError("a header of rpm is not of bytes")
                yield blob


def _ndb(raw: bytes) -> Iterator[bytes]:
    """Yield the headers of Packages.db: slots in the first pages, which point to blobs in blocks of 16 bytes."""
    pages = struct.unpack_from("<I", raw, 12)[0]
    for at in range(32, min(pages * 4096, len(raw)), 16):
        magic, number, block, _ = struct.unpack_from("<4sIII", raw, at)
        if magic == b"Slot" and number:
            start = block * 16
            head, owner, _, size = struct.unpack_from("<4sIII", raw, start)
            if head != b"BlbS" or owner != number or start + 16 + size > len(raw):
                raise ValueError("a slot of rpm's database points to no blob")
            yield raw[start + 16 : start + 16 + size]


def _berkeley(raw: bytes) -> Iterator[bytes]:
    """Yield the headers of Packages, a hash of Berkeley DB: pages of keys and values; long values on other pages."""
    order = "<" if raw[12:16] == struct.pack("<I", _HASH_MAGIC) else ">"
    page = struct.unpack_from(f"{order}I", raw, 20)[0]
    if page < 512 or page > 1 << 16:
        raise ValueError(f"a database of rpm with pages of {page} bytes")
    for start in range(page, len(raw) - page + 1, page):
        count, _, _, kind = struct.unpack_from(f"{order}HHBB", raw, start + 20)
        if kind not in _HASH_TYPES:
            continue
        places = struct.unpack_from(f"{order}{count}H", raw, start + _PAGE_HEADER)
        for number in range(1, count, 2):
            at = start + places[number]
            if raw[at] == _OFF_PAGE:
                first, size = struct.unpack_from(f"{order}II", raw, at + 4)
                yield _overflow(raw, order, page, first, size)
            elif places[number - 1] - places[number] > 5:  # a value of 4 bytes is rpm's count, in record 0
                yield raw[at + 1 : start + places[number - 1]]


def _overflow(raw: bytes, order: str, page: int, number: int, size: int) -> bytes:
    parts: list[bytes] = []
    left = size
    while number and left > 0:
        start = number * page
        following, _, used, _, kind = struct.unpack_from(f"{order}IHHBB", raw, start + 16)
        if kind != _OVERFLOW or not used:
            raise ValueError("a long value of rpm's database is not where it should be")
        parts.append(raw[start + _PAGE_HEADER : start + _PAGE_HEADER + used])
        left -= used
        number = following
    if left:
        raise ValueError("a long value of rpm's database is cut short")
    return b"".join(parts)
