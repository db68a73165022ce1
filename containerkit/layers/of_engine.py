"""The layers of an engine's images: from its answers, and from its store where that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from ..errors import InvalidOption
from ..oci.config import History, ImageConfig
from ..oci.digest import chain_ids, sha256
from ..oci.layer import LayerContents
from ..oci.tarsplit import read_tar_split
from ..store import Store, StoreLayer, open_store
from .contents import Reader, Sizes
from .readers import RecordReader, StreamReader
from .stack import LayerStack, build_stack

if TYPE_CHECKING:
    from ..backends.base import ImageRecord
    from ..engine import Engine

__all__ = ["image_layers", "records_of"]


def image_layers(engine: Engine, ref: str) -> LayerStack:
    """See Engine.layers: three questions to the engine; contents are read when first looked at."""
    record = engine.images.get(ref).record
    info = engine.backend.info()
    store, _ = open_store(engine.backend, info)
    history = [
        History(created_by=line.created_by, empty_layer=line.empty_layer, comment=line.comment, size=line.size)
        for line in engine.backend.image_history(record.id)
    ]
    chains = chain_ids(record.diff_ids)
    found = [store.layers.get(chain) if store else None for chain in chains]
    known = [layer for layer in found if layer is not None and layer.tar_split is not None]
    raw, config = _config(record, store) or (None, None)
    return build_stack(
        ref,
        diff_ids=record.diff_ids,
        history=config.history if config else history,
        image_id=record.id,
        config_digest=sha256(raw) if raw else record.id if info.image_store == "graphdriver" else None,
        config=config,
        reader=_records(known) if known and len(known) == len(chains) else _save(engine, record.id),
    )


def _config(record: ImageRecord, store: Store | None) -> tuple[bytes, ImageConfig] | None:
    """The image's own config, which says which line made no layer; Docker's stores keep it as a file."""
    path = store.configs.get(record.id) if store else None
    if path is None:
        return None
    try:
        raw = path.read_bytes()
        return raw, ImageConfig.parse(raw)
    except (OSError, ValueError):
        return None


def _records(layers: list[StoreLayer]) -> Callable[[], Reader]:
    def reader() -> Reader:
        sizes = [Sizes(disk=_disk(layer), source={"disk": "st_blocks"}) for layer in layers]
        return RecordReader("tar-split", [partial(_read_record, layer) for layer in layers], sizes=sizes)

    return reader


def _read_record(layer: StoreLayer) -> LayerContents:
    return read_tar_split(layer.record())


def _disk(layer: StoreLayer) -> int | None:
    try:
        return layer.disk
    except OSError:
        return None  # a rootless store holds folders of other uids


def _save(engine: Engine, identity: str) -> Callable[[], Reader]:
    return lambda: StreamReader(lambda: engine.backend.save_images([identity]))


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
