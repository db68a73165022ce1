"""Questions about image layers: their contents, their waste, who shares them, and what removing images frees.

Functions take a Backend. Imports backends, display, errors, oci, options, reference, store and values. Start reading at
:mod:`containerkit.layers.stack` for one image, at :mod:`containerkit.layers.index` for all images of an engine.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from .._lazy import loading
from ..errors import InvalidOption

if TYPE_CHECKING:
    from .comparing import FileDiff, LayerChange
    from .configs import ConfigChange
    from .contents import Sizes, Verification
    from .duplicates import Duplicate, Duplicates, image_duplicates
    from .of_engine import image_layers
    from .of_registry import RegistryImage, list_tags, open_registry
    from .packages import LayerPackages, Package, Packages
    from .pulling import PullCost, PulledLayer, pull_cost
    from .rules import RuleResult
    from .savings import ContainerCost, ImageCost, Savings, image_savings
    from .sharing import Reclaim, SharedLayer, Sharing, image_reclaim, image_sharing
    from .stack import Layer, LayerStack, open_archive
    from .usage import DiskClaim, DiskUsage, RwLayer, container_usage, engine_usage
    from .waste import Waste, WasteItem

__all__ = [
    "ConfigChange",
    "ContainerCost",
    "DiskClaim",
    "DiskUsage",
    "Duplicate",
    "Duplicates",
    "FileDiff",
    "ImageCost",
    "Layer",
    "LayerChange",
    "LayerPackages",
    "LayerStack",
    "Package",
    "Packages",
    "PullCost",
    "PulledLayer",
    "Reclaim",
    "RegistryImage",
    "RuleResult",
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
    "list_tags",
    "open_archive",
    "open_registry",
    "pull_cost",
]

#: Module -> names; each is imported on first use.
__getattr__, __dir__ = loading(
    __name__,
    {
        "comparing": ("FileDiff", "LayerChange"),
        "configs": ("ConfigChange",),
        "contents": ("Sizes", "Verification"),
        "duplicates": ("Duplicate", "Duplicates", "image_duplicates"),
        "of_engine": ("image_layers",),
        "of_registry": ("RegistryImage", "list_tags", "open_registry"),
        "packages": ("LayerPackages", "Package", "Packages"),
        "pulling": ("PullCost", "PulledLayer", "pull_cost"),
        "rules": ("RuleResult",),
        "savings": ("ContainerCost", "ImageCost", "Savings", "image_savings"),
        "sharing": ("Reclaim", "SharedLayer", "Sharing", "image_reclaim", "image_sharing"),
        "stack": ("Layer", "LayerStack", "open_archive"),
        "usage": ("DiskClaim", "DiskUsage", "RwLayer", "container_usage", "engine_usage"),
        "waste": ("Waste", "WasteItem"),
    },
)


def check_archive(path: str | os.PathLike[str]) -> None:
    """Check an archive before it is sent. Raises InvalidImage with every violation of its structure."""
    from ..oci.archive import open_image

    with contextlib.suppress(
        InvalidOption
    ):  # an archive of several images is fine; which of them is meant does not matter here
        open_image(path)
