"""Read bbolt files: the small database in which containerd keeps the meaning of its folders.

The layout is that of go.etcd.io/bbolt (page.go, bucket.go): pages of elements; a bucket is a tree of pages of its own,
or a page inside its parent's value. The file is read as it is; its owner may write other pages meanwhile.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["Bucket", "buckets", "open_bolt"]

_MAGIC, _VERSION = 0xED0CDAED, 2
_PAGE = struct.Struct("<QHHI")  # id, flags, count, overflow
_META = struct.Struct("<IIIIQQQQQ")  # magic, version, page size, flags, root, sequence, freelist, pages, transaction
_LEAF, _BRANCH = struct.Struct("<IIII"), struct.Struct("<IIQ")
_IS_BRANCH, _IS_LEAF, _IS_BUCKET = 1, 2, 1
_ATTEMPTS = 5


class Bucket(Mapping[bytes, "bytes | Bucket"]):
    """A bucket: key -> value, or the bucket of that name, which is read when it is asked for.

    Raises:
        ValueError: the file is damaged.
    """

    def __init__(self, data: bytes, size: int, root: int, inline: bytes | None = None) -> None:
        self._file = data, size
        self._values: dict[bytes, bytes] = {}
        self._below: dict[bytes, bytes | Bucket] = {}  # a value until it is read
        if inline is not None:
            self._read(inline, 0)
            return
        todo, seen = [root], set()
        while todo:
            number = todo.pop()
            if number in seen or (number + 1) * size > len(data):
                raise ValueError(f"page {number} is outside of the file")
            seen.add(number)
            todo += self._read(data, number * size)

    def _read(self, data: bytes, start: int) -> list[int]:
        """Read one page's elements, and return the pages below a branch. Raises ValueError."""
        try:
            return self._elements(data, start)
        except struct.error as exc:
            raise ValueError(f"a page is cut short: {exc}") from exc

    def _elements(self, data: bytes, start: int) -> list[int]:
        _, flags, count, _ = _PAGE.unpack_from(data, start)
        below = []
        for number in range(count):
            at = start + _PAGE.size + 16 * number
            if flags & _IS_BRANCH:
                below.append(_BRANCH.unpack_from(data, at)[2])
            elif flags & _IS_LEAF:
                kind, where, key_size, value_size = _LEAF.unpack_from(data, at)
                begin = at + where
                key = data[begin : begin + key_size]
                value = data[begin + key_size : begin + key_size + value_size]
                if len(value) != value_size:
                    raise ValueError("an element is longer than its page")
                (self._below if kind & _IS_BUCKET else self._values)[key] = value
            else:
                raise ValueError(f"a page of unknown kind {flags} in a bucket")
        return below

    def __getitem__(self, key: bytes) -> bytes | Bucket:
        if key in self._values:
            return self._values[key]
        found = self._below[key]
        if isinstance(found, bytes):
            root = int.from_bytes(found[:8], "little")
            found = self._below[key] = Bucket(*self._file, root, None if root else found[16:])
        return found

    def __iter__(self) -> Iterator[bytes]:
        yield from self._values
        yield from self._below

    def __len__(self) -> int:
        return len(self._values) + len(self._below)

    def bucket(self, *path: str) -> Bucket:
        """Return the bucket at the end of a path of names. Raises KeyError."""
        found = self
        for name in path:
            below = found[name.encode()]
            if not isinstance(below, Bucket):
                raise KeyError(name)
            found = below
        return found


def buckets(value: bytes | Bucket | None) -> dict[bytes, Bucket]:
    """Return the buckets inside a bucket, by name; {} for anything else."""
    found = value.items() if isinstance(value, Bucket) else ()
    return {key: below for key, below in found if isinstance(below, Bucket)}


def open_bolt(path: Path) -> Bucket:
    """Return the root bucket as of the last finished transaction.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged.
    """
    for _ in range(_ATTEMPTS):
        data = path.read_bytes()
        newest = _newest(data)
        with path.open("rb") as file:  # pages are used again two transactions later
            if _newest(file.read(2 << 16))[0] <= newest[0] + 1:
                break
    _, size, root = newest
    return Bucket(data, size, root)


def _newest(data: bytes) -> tuple[int, int, int]:
    """Return (transaction, page size, root page) of the last finished transaction. Raises ValueError."""
    metas = []
    for start in (0, int.from_bytes(data[24:28], "little") or 4096):
        if len(data) < start + _PAGE.size + _META.size:
            break
        fields = _META.unpack_from(data, start + _PAGE.size)
        if fields[0] == _MAGIC and fields[1] == _VERSION:
            metas.append((fields[8], fields[2], fields[4]))
    if not metas:
        raise ValueError("not a bbolt file")
    return max(metas)
