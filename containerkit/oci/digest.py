"""Digests of content, and of stacks of layers.

Digests are plain strings (``sha256:`` and 64 hex digits), as the image-spec writes them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

__all__ = ["chain_ids", "hex_part", "is_digest", "sha256", "sha256_of"]

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


def sha256(data: bytes) -> str:
    """Return the digest of ``data``."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sha256_of(chunks: Iterable[bytes]) -> tuple[str, int]:
    """Return the digest of a stream and its length in bytes."""
    hasher = hashlib.sha256()
    length = 0
    for chunk in chunks:
        hasher.update(chunk)
        length += len(chunk)
    return "sha256:" + hasher.hexdigest(), length


def is_digest(text: object) -> bool:
    """Return whether ``text`` is a complete SHA-256 digest, the only algorithm in use for layers and configs."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def hex_part(digest: str) -> str:
    """Return the digits of a digest without the algorithm."""
    return digest.rpartition(":")[2]


def chain_ids(diff_ids: Iterable[str]) -> tuple[str, ...]:
    """Return the chain_id at each height, which identifies a layer *together with everything below it*.

    image-spec, config.md, "Layer ChainID": the lowest layer's chain_id is its diff_id; above it,
    ``sha256(chain_id_below + " " + diff_id)``. Two images share a layer on disk if the chain_ids are equal; equal
    diff_ids are not enough.
    """
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(sha256(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return tuple(chain)
