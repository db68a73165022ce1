"""Read bbolt files: the small database in which containerd keeps the meaning of its folders.

The layout is that of go.etcd.io/bbolt (page.go, bucket.go): pages of elements; a bucket is a tree of pages of its own,
or a page inside its parent's value. The file is read as it is; its owner may write other pages meanwhile.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["Bucket", "open_bolt"]

_MAGIC, _VERSION = 0xED0CDAED, 2
_PAGE = struct.Struct("<QHHI")  # id, flags, count, overflow
_META = struct.Struct("<IIIIQQQQQ")  # magic, version, page size, flags, root, sequence, freelist, pages, transaction
_LEAF, _BRANCH = struct.Struct("<IIII"), struct.Struct("<IIQ")
_IS_BRANCH, _IS_LEAF, _IS_BUCKET = 1, 2, 1


class Bucket(Mapping[bytes, "bytes | Bucket"]):
    """A bucket: key -> value, or the bucket of that name. Raises ValueError if the file is damaged."""

    def __init__(self, data: bytes, size: int, root: int, inline: bytes | None = None) -> None:
        self._found: dict[bytes, bytes | Bucket] = {}
        if inline is not None:
            self._read(data, size, inline)
            return
        todo, seen = [root], set()
        while todo:
            number = todo.pop()
            if number in seen or (number + 1) * size > len(data):
                raise ValueError(f"page {number} is outside of the file")
            seen.add(number)
            todo += self._read(data, size, data[number * size :])

    def _read(self, data: bytes, size: int, page: bytes) -> list[int]:
        """Read one page's elements, and the pages below a branch."""
        _, flags, count, _ = _PAGE.unpack_from(page)
        below = []
        for number in range(count):
            at = _PAGE.size + 16 * number
            if flags & _IS_BRANCH:
                below.append(_BRANCH.unpack_from(page, at)[2])
            elif flags & _IS_LEAF:
                kind, where, key_size, value_size = _LEAF.unpack_from(page, at)
                begin = at + where
                key = page[begin : begin + key_size]
                value = page[begin + key_size : begin + key_size + value_size]
                if len(value) != value_size:
                    raise ValueError("an element is longer than its page")
                self._found[key] = self._bucket(data, size, value) if kind & _IS_BUCKET else value
            else:
                raise ValueError(f"a page of unknown kind {flags} in a bucket")
        return below

    @staticmethod
    def _bucket(data: bytes, size: int, value: bytes) -> Bucket:
        root = int.from_bytes(value[:8], "little")
        return Bucket(data, size, root, None if root else value[16:])

    def __getitem__(self, key: bytes) -> bytes | Bucket:
        return self._found[key]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def bucket(self, *path: str) -> Bucket:
        """Return the bucket at the end of a path of names. Raises KeyError."""
        found = self
        for name in path:
            below = found[name.encode()]
            if not isinstance(below, Bucket):
                raise KeyError(name)
            found = below
        return found


def open_bolt(path: Path) -> Bucket:
    """Return the root bucket as of the last finished transaction.

    Raises:
        OSError, ValueError, struct.error: the file is missing or damaged.
    """
    data = path.read_bytes()
    metas = []
    for start in (0, int.from_bytes(data[24:28], "little") or 4096):
        fields = _META.unpack_from(data, start + _PAGE.size)
        if fields[0] == _MAGIC and fields[1] == _VERSION:
            metas.append((fields[8], fields[2], fields[4]))
    if not metas:
        raise ValueError("not a bbolt file")
    _, size, root = max(metas)
    return Bucket(data, size, root)
