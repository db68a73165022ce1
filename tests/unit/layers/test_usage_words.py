"""Explanations of disk usage: why the engine's figure and ours differ."""

from __future__ import annotations

import pytest

from containerkit.layers.usage import _free, _images_differ


@pytest.mark.parametrize(
    ("claimed", "unique", "each", "disk", "word"),
    [
        (4_370_000, 2_080_000, 2_100_000, 4_400_000, "blocks"),
        (10_000, 4000, 10_000, 4500, "adds up whole images"),
        (1000, 1000, 1000, 1100, ""),
        (500, 1000, 1000, 1100, "does not count layers"),
    ],
)
def test_images(claimed: int, unique: int, each: int, disk: int, word: str) -> None:
    """A figure that is what is on disk is explained by blocks, also where no container exists."""
    reason = _images_differ(claimed, unique, each, disk)
    assert word in reason if word else reason == ""


def test_reclaimable_without_containers() -> None:
    """Images in use are no explanation where no container exists."""
    assert "blocks" in _free(4_370_000, 2_080_000, 4_400_000, used=False)
    assert "in use" not in _free(9000, 2000, 3000, used=False)
    assert "in use" in _free(9000, 2000, 3000, used=True)
