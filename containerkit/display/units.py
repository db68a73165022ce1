"""Format numbers for people: bytes in decimal units, as the engines' command lines do, and durations."""

from __future__ import annotations

import math
from collections.abc import Sequence

UNKNOWN = "unknown"

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def human_bytes(n: float | None) -> str:
    """Return "1.23 GB" for 1_234_567_890; "unknown" for None.

    Decimal units with three significant digits; whole bytes below 1 kB.
    """
    if n is None or not math.isfinite(n):
        return UNKNOWN
    sign, size = ("-" if n < 0 else ""), abs(float(n))
    if size < 999.5:
        return f"{sign}{size:.0f} B"
    unit = 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{sign}{size:.{digits}f} {_UNITS[unit]}"


_BLOCKS = "▁▂▃▄▅▆▇█"


def spark_line(values: Sequence[float]) -> str:
    """Return one block for each value, from zero to the largest of them."""
    top = max(values, default=0)
    return "".join(_BLOCKS[round(value / top * 7) if top > 0 else 0] for value in values)


def human_seconds(s: float | None) -> str:
    """Return "1.50 s", "12 ms", "3 min 20 s", "2 h 5 min" or "4 d 3 h"; "unknown" for None."""
    if s is None or not math.isfinite(s):
        return UNKNOWN
    sign, seconds = ("-" if s < 0 else ""), abs(float(s))
    if seconds == 0:
        return "0 s"
    if seconds < 0.0009995:
        return f"{sign}{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{sign}{seconds * 1e3:.0f} ms"
    if seconds < 59.95:
        return f"{sign}{seconds:.{2 if seconds < 9.995 else 1}f} s"
    whole = round(seconds)
    for size, unit, below, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            count, rest = divmod(whole, size)
            return f"{sign}{count} {unit}" + (f" {rest // below} {small}" if rest // below else "")
    return f"{sign}{whole} s"


def human_number(x: float) -> str:
    """Return a plain number: whole numbers in full, others with three significant digits and at least two decimals."""
    if isinstance(x, int):
        return str(x)
    if not math.isfinite(x):
        return UNKNOWN
    if x == 0 or 0.01 <= abs(x) < 1e6:
        return f"{x:.2f}"
    return f"{x:.3g}"
