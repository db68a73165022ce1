"""The layers of an engine's images: from its answers, and from its store where that can be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import InvalidOption
from ..oci.config import History
from ..oci.digest import sha256
from .index import Index
from .stack import LayerStack, build_stack

if TYPE_CHECKING:
    from ..backends.base import ImageRecord
    from ..engine import Engine

__all__ = ["image_layers", "records_of"]


def image_layers(engine: Engine, ref: str) -> LayerStack:
    """See Engine.layers: three questions to the engine; contents are read when first looked at."""
    record = engine.images.get(ref).record
    index = Index(engine)
    history = [
        History(created_by=line.created_by, empty_layer=line.empty_layer, comment=line.comment, size=line.size)
        for line in engine.backend.image_history(record.id)
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
    )


def records_of(engine: Engine, refs: str | Iterable[str] | None, *, all: bool = False) -> list[ImageRecord]:
    """The images that are meant, each once; None for all of them, with `all` also those that only a build left.

    Raises:
        ImageNotFound, InvalidOption.
    """
    if refs is None:
        listed = engine.backend.list_images(all=all, filters={})
        found = {record.id: record for record in listed}
        return [engine.backend.inspect_image(identity) for identity in found]
    names = [refs] if isinstance(refs, str) else refs
    if not isinstance(names, Iterable):
        raise InvalidOption("refs", refs, "an image's name, several, or None for all")
    found = {}
    for name in names:
        record = engine.images.get(name).record
        found.setdefault(record.id, record)
    return list(found.values())
