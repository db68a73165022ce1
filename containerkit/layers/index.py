"""Index of an engine's images for questions about several of them: each layer is read once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

from ..errors import EngineError, ImageNotFound, InvalidImage, InvalidOption
from ..oci.config import ImageConfig
from ..oci.digest import chain_ids
from ..oci.image import ImageArchive, LayerBlob, blob_name
from ..oci.layer import FileEntry, LayerContents
from ..oci.problems import invalid
from ..options import parse_image
from ..store import open_store
from .readers import BlobReader, RecordReader, StreamReader

if TYPE_CHECKING:
    from ..backends.base import Backend, ImageRecord
    from ..store import Store, StoreLayer
    from .contents import Reader

__all__ = ["Index", "steady"]

T = TypeVar("T")
_ATTEMPTS = 5


def steady(backend: Backend, refs: object, question: Callable[[Index], T]) -> T:
    """Return the answer to a question, and ask again if an image disappears meanwhile and all images are meant.

    Raises:
        ImageNotFound: an image that was requested by name disappeared.
        The errors of ``question`` about images that exist.
    """
    for turn in range(_ATTEMPTS):
        index = Index(backend)
        try:
            return question(index)
        except (ImageNotFound, InvalidImage, OSError) as exc:
            lost = index.lost()
            if lost is None:
                raise
            if refs is not None or turn == _ATTEMPTS - 1:
                raise ImageNotFound(f"image {lost} was removed meanwhile") from exc
    raise AssertionError("unreachable")


class Index:
    """The images of an engine, and their layers by chain ID.

    Attributes:
        backend: the engine.
        why: the reason why the store, or a part of it, cannot be read.
        asked: image ID -> the refs by which it was requested.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.info = backend.first_info()
        self.why = ""
        self.asked: dict[str, list[str]] = {}
        self._records: dict[str, ImageRecord] = {}
        self._read: dict[str, LayerContents] = {}
        self._readers: dict[str, Reader] = {}
        self._streams: dict[str, StreamReader] = {}

    @cached_property
    def store(self) -> Store | None:
        """The engine's store on disk, or None with the reason in `why`."""
        found, self.why = open_store(self.backend)
        return found

    # ---------------------------------------------------------------- images
    def records(self, refs: str | Iterable[str] | None, *, all: bool = False) -> list[ImageRecord]:
        """Return the requested images, each once; None for all, with `all` including unnamed parents.

        Raises:
            ImageNotFound, InvalidOption.
        """
        if refs is None:
            listed = self.backend.list_images(all=all, filters={})
            looked = (self._look(identity) for identity in dict.fromkeys(record.id for record in listed))
            return [record for record in looked if record is not None]
        names = [refs] if isinstance(refs, str) else refs
        if not isinstance(names, Iterable) or isinstance(names, (bytes, Mapping)):
            raise InvalidOption("refs", refs, "an image's name, several, or None for all")
        meant: dict[str, ImageRecord] = {}
        for name in names:
            record = self.backend.inspect_image(parse_image(name))
            self.asked.setdefault(record.id, []).append(name)
            meant[record.id] = self._records[record.id] = record
        return list(meant.values())

    def _look(self, identity: str) -> ImageRecord | None:
        """Return the record of a listed image; None if the image was removed meanwhile."""
        if identity not in self._records:
            try:
                self._records[identity] = self.backend.inspect_image(identity)
            except EngineError as exc:  # during a removal, Podman may answer with another error
                if isinstance(exc, ImageNotFound) or not self._exists(identity):
                    return None
                raise
        return self._records[identity]

    def _exists(self, identity: str) -> bool:
        try:
            self.backend.inspect_image(identity)
        except ImageNotFound:
            return False
        return True

    def lost(self) -> str | None:
        """Return the name of an image that was read and has been removed since, if there is one."""
        there = {record.id for record in self.backend.list_images(all=True, filters={})}
        return next((self.name(record) for record in self._records.values() if record.id not in there), None)

    def name(self, record: ImageRecord) -> str:
        """Return the name by which the image was requested, else its first name, else its ID."""
        return self.asked.get(record.id, record.refs or (record.id,))[0]

    def others(self, record: ImageRecord) -> Mapping[str, tuple[str, ...]]:
        """Return chain ID -> the names of the other images that have this layer."""
        mine = set(self.chains(record))
        found: dict[str, list[str]] = {}
        for other in self.records(None):
            if other.id != record.id:
                for chain in mine.intersection(self.chains(other)):
                    found.setdefault(chain, []).append(self.name(other))
        return {chain: tuple(names) for chain, names in found.items()}

    # ---------------------------------------------------------------- contents
    def chains(self, record: ImageRecord) -> tuple[str, ...]:
        """Return the chain IDs of an image, base first."""
        return chain_ids(record.diff_ids)

    def reader(self, record: ImageRecord) -> Reader:
        """Return a reader: tar-split records if every layer has one, else content blobs, else the save stream."""
        if record.id not in self._readers:
            found = [self.store.layers.get(chain) if self.store else None for chain in self.chains(record)]
            known = [layer for layer in found if layer is not None]
            blobs = [layer.blob for layer in known if layer.blob is not None]
            disk = partial(_disk, known)
            if not found:  # an image without layers; Docker would refuse to save it
                self._readers[record.id] = BlobReader("none", (), image=self._image(record, ()))
                return self._readers[record.id]
            whole = len(known) == len(found)
            if whole and all(layer.tar_split is not None for layer in known):
                load = [partial(self._load, record, number, layer) for number, layer in enumerate(known)]
                self._readers[record.id] = RecordReader(
                    "tar-split",
                    load,
                    image=self._image(record, ()),
                    rebuild=lambda number: known[number].rebuilt(),
                    whole=self.stream(record),
                    disk=disk,
                )
            elif whole and len(blobs) == len(known) and all(os.access(blob, os.R_OK) for blob in blobs):
                layers = tuple(LayerBlob.at(blob) for blob in blobs)
                self._readers[record.id] = BlobReader(
                    "content store", layers, diff_ids=record.diff_ids, image=self._image(record, layers), disk=disk
                )
            else:
                self._readers[record.id] = self.stream(record)
        return self._readers[record.id]

    def config(self, record: ImageRecord) -> tuple[str, bytes, ImageConfig] | None:
        """Return (name, bytes, parsed form) of the image's own config, which stores keep as a file."""
        path = self.store.configs.get(record.id) if self.store else None
        try:
            raw = path.read_bytes() if path else b""
            config = ImageConfig.parse(raw) if path else None
        except (OSError, ValueError):
            return None
        if path is None or config is None or config.diff_ids != record.diff_ids:  # of another platform of the image
            return None
        return record.id if self.info.image_store == "graphdriver" else blob_name(path), raw, config

    def _image(self, record: ImageRecord, layers: tuple[LayerBlob, ...]) -> ImageArchive | None:
        known = self.config(record)
        return ImageArchive(record.refs, known[1], known[0], known[2], layers) if known else None

    def stream(self, record: ImageRecord) -> StreamReader:
        """Return a reader over the image's save stream, which any user of the engine may read."""
        if record.id not in self._streams:
            self._streams[record.id] = StreamReader(lambda: self.backend.save_images([record.id]))
        return self._streams[record.id]

    def _load(self, record: ImageRecord, number: int, layer: StoreLayer) -> LayerContents:
        from ..oci.tarsplit import read_tar_split

        if layer.chain_id not in self._read:
            try:
                self._read[layer.chain_id] = read_tar_split(layer.record())
            except OSError:  # it was removed meanwhile, or may not be read; the engine knows
                self._read[layer.chain_id] = self.stream(record).read(number)
        return self._read[layer.chain_id]

    def layer(self, record: ImageRecord, number: int) -> LayerContents:
        """Return one layer of an image, read once for all images that have it. Raises InvalidImage."""
        chain = self.chains(record)[number]
        if chain not in self._read:
            self._read[chain] = self.reader(record).read(number)
        contents = self._read[chain]
        if contents.problems:
            raise invalid(f"layer {number} of {record.id}", contents.problems)
        return contents

    def layers(self, record: ImageRecord) -> tuple[tuple[FileEntry, ...], ...]:
        """Return the entries of each layer, base first. Raises InvalidImage."""
        return tuple(self.layer(record, number).entries for number in range(len(record.diff_ids)))

    def content(self, records: Iterable[ImageRecord]) -> Mapping[str, int]:
        """Return chain ID -> Σ size of the layer's files."""
        found: dict[str, int] = {}
        for record in records:
            for number, chain in enumerate(self.chains(record)):
                if chain not in found:
                    found[chain] = self.layer(record, number).content_bytes
        return found

    # ---------------------------------------------------------------- disk
    def image_disk(self, records: Iterable[ImageRecord]) -> int | None:
        """Return bytes on disk of the images' records and mapped copies; None, with the reason in `why`, if unknown."""
        if self.store is None:
            return None
        try:
            return sum(self.store.image_disk(record.id) for record in records)
        except OSError as exc:
            self.why = f"this user may not read all of the store: {exc.strerror or exc}"
            return None

    def disk(self, records: Iterable[ImageRecord]) -> Mapping[str, int] | None:
        """Return chain ID -> bytes of blocks of the layer; None, with the reason in `why`, if unknown."""
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
        return None  # folders of a rootless store belong to other uids
