"""Limits for untrusted bytes, and one exception for all violations at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import InvalidImage

__all__ = ["Limits", "invalid"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of what a reader accepts from untrusted bytes.

    Attributes:
        entries: maximum number of entries of an image, or of members of an archive.
        document_bytes: maximum size of a JSON document (config, manifest, index).
        expansion: maximum growth factor of a compressed layer …
        expansion_floor: … unless it stays below this many bytes. A file of zeros compresses a thousandfold and is no
            attack. Memory is constant either way; the limit bounds time.
        padding_bytes: maximum number of bytes after the end of a tar. Writers pad to a record, at most 1 MiB with
            ``tar -b 2048``.
    """

    entries: int = 1_000_000
    document_bytes: int = 16 << 20
    expansion: int = 200
    expansion_floor: int = 1 << 30
    padding_bytes: int = 1 << 20


def invalid(what: str, violations: Iterable[str]) -> InvalidImage:
    """Return the exception for ``what`` with all its ``violations``; the message lists the first few."""
    found = tuple(dict.fromkeys(violations))
    shown = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
    return InvalidImage(f"{what}: {shown}", violations=found)
