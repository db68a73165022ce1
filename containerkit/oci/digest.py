"""Digests: how content names itself, and how a stack of layers does.

Digests are plain strings (``sha256:`` and 64 hex digits), as the image-spec writes them: nothing has to be unwrapped to
compare, print or look one up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

__all__ = ["chain_ids", "hex_part", "is_digest", "sha256", "sha256_of"]

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


def sha256(data: bytes) -> str:
    """The digest of ``data``."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sha256_of(chunks: Iterable[bytes]) -> tuple[str, int]:
    """The digest of a stream, and its length in bytes."""
    hasher = hashlib.sha256()
    length = 0
    for chunk in chunks:
        hasher.update(chunk)
        length += len(chunk)
    return "sha256:" + hasher.hexdigest(), length


def is_digest(text: object) -> bool:
    """Whether ``text`` is a SHA-256 digest in full; no other algorithm names layers or configs anywhere."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def hex_part(digest: str) -> str:
    """The digits without the algorithm."""
    return digest.rpartition(":")[2]


def chain_ids(diff_ids: Iterable[str]) -> tuple[str, ...]:
    """The chain_id at each height: what a layer is *together with everything below it*.

    image-spec, config.md, "Layer ChainID": the lowest layer's chain_id is its diff_id; above it,
    ``sha256(chain_id_below + " " + diff_id)``. Two images share a layer on disk when this is equal, not when diff_ids
    are.
    """
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(sha256(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return tuple(chain)
