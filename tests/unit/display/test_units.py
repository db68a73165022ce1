"""Numbers as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containerkit.display import human_bytes, human_seconds


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (None, "unknown"), (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "1.00 kB"), (1234, "1.23 kB"),
        (9_994, "9.99 kB"), (9_996, "10.0 kB"), (99_940, "99.9 kB"), (99_960, "100 kB"), (999_499, "999 kB"),
        (999_500, "1.00 MB"), (2_230_000_000, "2.23 GB"), (20_200_000_000, "20.2 GB"), (10**18, "1.00 EB"),
        (-1500, "-1.50 kB"), (float("inf"), "unknown"),
    ],
)  # fmt: skip
def test_bytes_have_decimal_units_and_three_digits(n: float | None, text: str) -> None:
    """As the engines' command lines count; None is never 0."""
    assert human_bytes(n) == text


@given(st.integers(min_value=1, max_value=10**20))
def test_bytes_are_right_to_three_digits(n: int) -> None:
    """What is shown is within half of its last digit."""
    number, unit = human_bytes(n).split()
    factor = 1000 ** ["B", "kB", "MB", "GB", "TB", "PB", "EB"].index(unit)
    assert abs(float(number) * factor - n) <= n * 0.00503


@pytest.mark.parametrize(
    ("s", "text"),
    [
        (None, "unknown"), (0, "0 s"), (0.0000021, "2 µs"), (0.012, "12 ms"), (0.9996, "1.00 s"), (1.5, "1.50 s"),
        (12.34, "12.3 s"), (59.96, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (270_000, "3 d 3 h"),
        (86_400, "1 d"), (-3, "-3.00 s"),
    ],
)  # fmt: skip
def test_seconds_choose_their_scale(s: float | None, text: str) -> None:
    """From microseconds to days."""
    assert human_seconds(s) == text
