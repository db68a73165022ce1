"""Write a bbolt database, as containerd and BuildKit keep their records."""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["PAGE", "Tree", "bolt"]

PAGE = 4096
Tree = dict[bytes, "bytes | Tree"]


def leaf(tree: Tree, number: int = 0) -> bytes:
    """A leaf page of elements; buckets are within it."""
    heads, rest = b"", b""
    for index, (key, value) in enumerate(sorted(tree.items())):
        inside = struct.pack("<QQ", 0, 0) + leaf(value) if isinstance(value, dict) else value
        where = 16 * (len(tree) - index) + len(rest)
        heads += struct.pack("<IIII", int(isinstance(value, dict)), where, len(key), len(inside))
        rest += key + inside
    return struct.pack("<QHHI", number, 2, len(tree), 0) + heads + rest


def meta(number: int, transaction: int, root: int) -> bytes:
    head = struct.pack("<QHHI", number, 4, 0, 0)
    return head + struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, root, 0, 0, 9, transaction)


def bolt(path: Path, tree: Tree, old: Tree | None = None) -> Path:
    """A file whose newer of two transactions has the tree; its root is a branch over one leaf."""
    branch = struct.pack("<QHHI", 3, 1, 1, 0) + struct.pack("<IIQ", 16, 0, 4)
    pages = [meta(0, 8, 3), meta(1, 7, 2), leaf(old or {}, 2), branch, leaf(tree, 4)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(page.ljust(PAGE, b"\0") for page in pages))
    return path
