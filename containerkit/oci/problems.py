"""What is refused from untrusted bytes: the limits, with one exception for all breaches at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from containerkit.errors import InvalidImage

__all__ = ["Limits", "invalid"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader accepts from bytes it does not trust.

    Attributes:
        entries: an image of this many entries, or an archive of this many members, is refused.
        document_bytes: the largest JSON document (config, manifest, index).
        expansion: a compressed layer may grow this many times …
        expansion_floor: … or to this many bytes, whichever is more. A file of zeros compresses a thousandfold and is
            no attack, hence a floor; memory is constant either way, what is bounded here is time.
        padding_bytes: how much may follow the end of a tar. Writers pad to a record, at most 1 MiB with ``tar -b
            2048``.
    """

    entries: int = 1_000_000
    document_bytes: int = 16 << 20
    expansion: int = 200
    expansion_floor: int = 1 << 30
    padding_bytes: int = 1 << 20


def invalid(what: str, violations: Iterable[str]) -> InvalidImage:
    """The exception for ``what`` with all its ``violations``; the message lists the first few."""
    found = tuple(dict.fromkeys(violations))
    shown = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
    return InvalidImage(f"{what}: {shown}", violations=found)
