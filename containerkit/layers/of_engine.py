"""Build the layer stack of an engine's image: from its API, and from its store if that can be read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, cast

from ..errors import InvalidOption
from ..oci.config import History
from ..oci.digest import sha256
from ..oci.platforms import matches
from ..options import parse_image, parse_platform
from .index import Index
from .readers import Chunks
from .stack import LayerStack, build_stack, open_archive

if TYPE_CHECKING:
    from ..backends.base import Backend, ImageRecord

__all__ = ["image_layers"]


def image_layers(backend: Backend, ref: str, *, platform: str | None = None) -> LayerStack:
    """Return an image's layers with three requests; contents, and who shares them, are read on first use.

    See Engine.layers.
    """
    wanted = None if platform is None else parse_platform("platform", platform)
    index = Index(backend)
    record = backend.inspect_image(parse_image(ref))
    known = index.config(record)
    if wanted is not None:
        variant = known[2].variant if known else (*wanted.split("/"), "")[2]  # an engine does not state it
        if not matches((record.os, record.arch, variant), wanted):
            return _of_another_platform(index, record, ref, wanted)
    history = [
        History(created_by=line.created_by, empty_layer=line.empty_layer, comment=line.comment, size=line.size)
        for line in backend.image_history(record.id)
    ]
    _, raw, config = known or (None, None, None)
    return build_stack(
        ref,
        diff_ids=record.diff_ids,
        history=config.history if config else history,
        image_id=record.id,
        config_digest=sha256(raw) if raw else record.id if index.info.image_store == "graphdriver" else None,
        config=config,
        reader=lambda: index.reader(record),
        still_there=lambda: backend.inspect_image(record.id),
        others=lambda: index.others(record),
    )


def _of_another_platform(index: Index, record: ImageRecord, ref: str, wanted: str) -> LayerStack:
    """Return the layers of an image for a platform other than the engine's, from a copy of the saved image.

    Raises:
        InvalidOption: the engine has the image for other platforms only.
    """
    if index.info.image_store != "containerd":  # other stores hold one platform of an image
        raise InvalidOption("platform", wanted, f"the one that this engine has of {ref}: {record.os}/{record.arch}")
    copy = cast(BinaryIO, Chunks(index.backend.save_images([record.id])))
    return replace(open_archive(copy, platform=wanted), ref=ref)
