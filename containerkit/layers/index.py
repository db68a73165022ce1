"""What the questions about several images read, each layer once: entries, content IDs, bytes."""

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
_TURNS = 5


def steady(backend: Backend, refs: object, question: Callable[[Index], T]) -> T:
    """The answer to a question. Where all images are meant, and one goes meanwhile, it is asked anew.

    Raises:
        ImageNotFound: one that was asked for by name went. What ``question`` raises of images that are there.
    """
    for turn in range(_TURNS):
        index = Index(backend)
        try:
            return question(index)
        except (ImageNotFound, InvalidImage, OSError) as exc:
            lost = index.lost()
            if lost is None:
                raise
            if refs is not None or turn == _TURNS - 1:
                raise ImageNotFound(f"image {lost} was removed meanwhile") from exc
    raise AssertionError("unreachable")


class Index:
    """The images of an engine, and their layers by chain ID.

    Attributes:
        backend: the engine that holds them.
        why: what could not be had of the store, in words.
        asked: image ID -> the refs by which it was asked for.
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
        """The engine's store on disk, or None; `why` then says why not."""
        found, self.why = open_store(self.backend)
        return found

    # ---------------------------------------------------------------- images
    def records(self, refs: str | Iterable[str] | None, *, all: bool = False) -> list[ImageRecord]:
        """The images that are meant, each once; None for all of them, with `all` also those that only a build left.

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
        """An image that was listed; None if it went meanwhile."""
        if identity not in self._records:
            try:
                self._records[identity] = self.backend.inspect_image(identity)
            except EngineError as exc:  # while it goes, Podman may answer with an error of another kind
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
        """The name of an image that was looked at and is gone now, if there is one."""
        there = {record.id for record in self.backend.list_images(all=True, filters={})}
        return next((self.name(record) for record in self._records.values() if record.id not in there), None)

    def name(self, record: ImageRecord) -> str:
        """As it was asked for, else its first name, else its ID."""
        return self.asked.get(record.id, record.refs or (record.id,))[0]

    def others(self, record: ImageRecord) -> Mapping[str, tuple[str, ...]]:
        """Chain ID -> the names of the other images that have this layer of it."""
        mine = set(self.chains(record))
        found: dict[str, list[str]] = {}
        for other in self.records(None):
            if other.id != record.id:
                for chain in mine.intersection(self.chains(other)):
                    found.setdefault(chain, []).append(self.name(other))
        return {chain: tuple(names) for chain, names in found.items()}

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
            if not found:  # there is nothing to read, and Docker would refuse to save it
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
        """(its name, its bytes, what they say) of the image's own config, which stores keep as a file."""
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
        """The image as its save stream shows it, which any user of the engine may read."""
        if record.id not in self._streams:
            self._streams[record.id] = StreamReader(lambda: self.backend.save_images([record.id]))
        return self._streams[record.id]

    def _load(self, record: ImageRecord, number: int, layer: StoreLayer) -> LayerContents:
        from ..oci.tarsplit import read_tar_split

        if layer.chain_id not in self._read:
            try:
                self._read[layer.chain_id] = read_tar_split(layer.record())
            except OSError:  # it went meanwhile, or may not be read: the engine knows
                self._read[layer.chain_id] = self.stream(record).read(number)
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
