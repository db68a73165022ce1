"""Build the layer stack of an engine's image: from its API, and from its store if that can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..oci.config import History
from ..oci.digest import sha256
from ..options import parse_image
from .index import Index
from .stack import LayerStack, build_stack

if TYPE_CHECKING:
    from ..backends.base import Backend

__all__ = ["image_layers"]


def image_layers(backend: Backend, ref: str) -> LayerStack:
    """Return an image's layers with three requests; contents, and who shares them, are read on first use.

    See Engine.layers.
    """
    index = Index(backend)
    record = backend.inspect_image(parse_image(ref))
    history = [
        History(created_by=line.created_by, empty_layer=line.empty_layer, comment=line.comment, size=line.size)
        for line in backend.image_history(record.id)
    ]
    _, raw, config = index.config(record) or (None, None, None)
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
