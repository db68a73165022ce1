"""What the questions about several images read, each layer once: entries, content IDs, bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from ..errors import InvalidOption
from ..oci.config import ImageConfig
from ..oci.digest import chain_ids
from ..oci.image import ImageArchive, LayerBlob, blob_name
from ..oci.layer import FileEntry, LayerContents
from ..oci.problems import invalid
from ..store import open_store
from .readers import BlobReader, RecordReader, StreamReader

if TYPE_CHECKING:
    from ..backends.base import ImageRecord
    from ..engine import Engine
    from ..store import Store, StoreLayer
    from .contents import Reader

__all__ = ["Index"]


class Index:
    """The images of an engine, and their layers by chain ID.

    Attributes:
        why: what could not be had of the store, in words.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.info = engine.backend.first_info()
        self.why = ""
        self._records: dict[str, ImageRecord] = {}
        self._read: dict[str, LayerContents] = {}
        self._readers: dict[str, Reader] = {}
        self._streams: dict[str, StreamReader] = {}

    @cached_property
    def store(self) -> Store | None:
        """The engine's store on disk, or None; `why` then says why not."""
        found, self.why = open_store(self._engine.backend)
        return found

    # ---------------------------------------------------------------- images
    def records(self, refs: str | Iterable[str] | None, *, all: bool = False) -> list[ImageRecord]:
        """The images that are meant, each once; None for all of them, with `all` also those that only a build left.

        Raises:
            ImageNotFound, InvalidOption.
        """
        backend = self._engine.backend
        if refs is None:
            listed = dict.fromkeys(record.id for record in backend.list_images(all=all, filters={}))
            found = [self._records.get(identity) or backend.inspect_image(identity) for identity in listed]
        else:
            names = [refs] if isinstance(refs, str) else refs
            if not isinstance(names, Iterable):
                raise InvalidOption("refs", refs, "an image's name, several, or None for all")
            found = [self._engine.images.get(name).record for name in names]
        meant = {record.id: record for record in found}
        self._records.update(meant)
        return list(meant.values())

    # ---------------------------------------------------------------- contents
    def chains(self, record: ImageRecord) -> tuple[str, ...]:
        """The chain IDs of an image, base first."""
        return chain_ids(record.diff_ids)

    def reader(self, record: ImageRecord) -> Reader:
        """The records of headers where every layer has one, else the content blobs, else the save stream."""
        if record.id not in self._readers:
            found = [self.store.layers.get(chain) if self.store else None for chain in self.chains(record)]
            known = [layer for layer in found if layer is not None]
            blobs = [layer.blob for layer in known if layer.blob is not None]
            disk = partial(_disk, known)
            whole = bool(found) and len(known) == len(found)
            if whole and all(layer.tar_split is not None for layer in known):
                load = [partial(self._load, layer) for layer in known]
                self._readers[record.id] = RecordReader("tar-split", load, whole=self.stream(record), disk=disk)
            elif whole and len(blobs) == len(known) and all(os.access(blob, os.R_OK) for blob in blobs):
                layers = tuple(LayerBlob.at(blob) for blob in blobs)
                self._readers[record.id] = BlobReader(
                    "content store", layers, diff_ids=record.diff_ids, image=self._image(record, layers), disk=disk
                )
            else:
                self._readers[record.id] = self.stream(record)
        return self._readers[record.id]

    def config(self, record: ImageRecord) -> tuple[str, bytes, ImageConfig] | None:
        """(its name, its bytes, what they say) of the image's own config; Docker's stores keep it as a file."""
        path = self.store.configs.get(record.id) if self.store else None
        try:
            raw = path.read_bytes() if path else b""
            return (blob_name(path), raw, ImageConfig.parse(raw)) if path else None
        except (OSError, ValueError):
            return None

    def _image(self, record: ImageRecord, layers: tuple[LayerBlob, ...]) -> ImageArchive | None:
        known = self.config(record)
        return ImageArchive(record.refs, known[1], known[0], known[2], layers) if known else None

    def stream(self, record: ImageRecord) -> StreamReader:
        """The image as its save stream shows it, which any user of the engine may read."""
        if record.id not in self._streams:
            self._streams[record.id] = StreamReader(lambda: self._engine.backend.save_images([record.id]))
        return self._streams[record.id]

    def _load(self, layer: StoreLayer) -> LayerContents:
        from ..oci.tarsplit import read_tar_split

        if layer.chain_id not in self._read:
            self._read[layer.chain_id] = read_tar_split(layer.record())
        return self._read[layer.chain_id]

    def layer(self, record: ImageRecord, number: int) -> LayerContents:
        """One layer of an image, read once however many images have it. Raises InvalidImage."""
        chain = self.chains(record)[number]
        if chain not in self._read:
            self._read[chain] = self.reader(record).read(number)
        contents = self._read[chain]
        if contents.problems:
            raise invalid(f"layer {number} of {record.id}", contents.problems)
        return contents

    def layers(self, record: ImageRecord) -> tuple[tuple[FileEntry, ...], ...]:
        """The entries of each of its layers, base first. Raises InvalidImage."""
        return tuple(self.layer(record, number).entries for number in range(len(record.diff_ids)))

    def content(self, records: Iterable[ImageRecord]) -> Mapping[str, int]:
        """Chain ID -> Σ size of the files that the layer holds."""
        found: dict[str, int] = {}
        for record in records:
            for number, chain in enumerate(self.chains(record)):
                if chain not in found:
                    found[chain] = self.layer(record, number).content_bytes
        return found

    # ---------------------------------------------------------------- disk
    def image_disk(self, records: Iterable[ImageRecord]) -> int | None:
        """Blocks of the engine's records of images, and of copies for user namespaces; None, and `why`."""
        if self.store is None:
            return None
        try:
            return sum(self.store.image_disk(record.id) for record in records)
        except OSError as exc:
            self.why = f"this user may not read all of the store: {exc.strerror or exc}"
            return None

    def disk(self, records: Iterable[ImageRecord]) -> Mapping[str, int] | None:
        """Chain ID -> blocks that the layer takes, in bytes; None, and `why`, where that cannot be known."""
        if self.store is None:
            return None
        found: dict[str, int] = {}
        try:
            for record in records:
                for chain in self.chains(record):
                    if chain not in found:
                        found[chain] = self.store.layers[chain].disk
        except OSError as exc:
            self.why = f"this user may not read all of the store: {exc.strerror or exc}"
            return None
        except KeyError:
            self.why = "the store does not name every layer"
            return None
        return found


def _disk(layers: Sequence[StoreLayer], number: int) -> int | None:
    try:
        return layers[number].disk
    except OSError:
        return None  # a rootless store holds folders of other uids
