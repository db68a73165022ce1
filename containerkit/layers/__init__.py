"""The questions one asks of layers: what they hold, what they waste, who shares them, what removing them frees."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from .._lazy import loading
from ..errors import InvalidOption

if TYPE_CHECKING:
    from .contents import Sizes, Verification
    from .duplicates import Duplicate, Duplicates, image_duplicates
    from .of_engine import image_layers
    from .savings import ContainerCost, ImageCost, Savings, image_savings
    from .sharing import Reclaim, SharedLayer, Sharing, image_reclaim, image_sharing
    from .stack import Layer, LayerStack, open_archive
    from .usage import DiskClaim, DiskUsage, RwLayer, container_usage, engine_usage
    from .waste import Waste, WasteItem

__all__ = [
    "ContainerCost",
    "DiskClaim",
    "DiskUsage",
    "Duplicate",
    "Duplicates",
    "ImageCost",
    "Layer",
    "LayerStack",
    "Reclaim",
    "RwLayer",
    "Savings",
    "SharedLayer",
    "Sharing",
    "Sizes",
    "Verification",
    "Waste",
    "WasteItem",
    "check_archive",
    "container_usage",
    "engine_usage",
    "image_duplicates",
    "image_layers",
    "image_reclaim",
    "image_savings",
    "image_sharing",
    "open_archive",
]

#: Each question has a room of its own, loaded when it is asked.
__getattr__, __dir__ = loading(
    __name__,
    {
        "contents": ("Sizes", "Verification"),
        "duplicates": ("Duplicate", "Duplicates", "image_duplicates"),
        "of_engine": ("image_layers",),
        "savings": ("ContainerCost", "ImageCost", "Savings", "image_savings"),
        "sharing": ("Reclaim", "SharedLayer", "Sharing", "image_reclaim", "image_sharing"),
        "stack": ("Layer", "LayerStack", "open_archive"),
        "usage": ("DiskClaim", "DiskUsage", "RwLayer", "container_usage", "engine_usage"),
        "waste": ("Waste", "WasteItem"),
    },
)


def check_archive(path: str | os.PathLike[str]) -> None:
    """Look at an archive before it is sent anywhere. Raises InvalidImage with every breach of its outside."""
    from .stack import open_archive

    with contextlib.suppress(InvalidOption):  # several images: which one is meant is no question here
        open_archive(path)
