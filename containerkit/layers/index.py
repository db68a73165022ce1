"""The images of an engine and what is read from them, each layer once: entries, content IDs, bytes on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..backends.base import ImageRecord
from ..errors import EngineError, ImageNotFound, InvalidImage, InvalidOption
from ..oci.config import ImageConfig
from ..oci.digest import chain_ids
from ..oci.image import ImageArchive, LayerBlob, blob_name
from ..oci.layer import FileEntry, LayerContents
from ..oci.problems import invalid
from ..options import parse_image
from ..reference import display, familiar
from ..store import open_store
from .readers import BlobReader, RecordReader, StreamReader

if TYPE_CHECKING:
    from ..backends.base import Backend
    from ..store import Store, StoreLayer
    from .contents import Reader

__all__ = ["Index", "steady"]

T = TypeVar("T")
_ATTEMPTS = 5
#: Requests to the engine at the same time. More are not faster: engines look images up under one lock.
_CONNECTIONS = 8


def steady(backend: Backend, refs: object, question: Callable[[Index], T]) -> T:
    """Return the answer to a question; start again if the question is about all images and one is removed meanwhile.

    Raises:
        ImageNotFound: an image that was requested by name was removed meanwhile. Errors of ``question`` about images
            that exist are raised unchanged.
    """
    for attempt in range(_ATTEMPTS):
        index = Index(backend)
        try:
            return question(index)
        except (ImageNotFound, InvalidImage, OSError) as exc:
            lost = index.lost()
            if lost is None:
                raise
            if refs is not None or attempt == _ATTEMPTS - 1:
                raise ImageNotFound(f"image {lost} was removed meanwhile") from exc
    raise AssertionError("unreachable")


class Index:
    """The images of an engine, and their layers by chain ID.

    Attributes:
        backend: the engine that holds them.
        reason: why the store, or a part of it, could not be read.
        requested: image ID -> the refs by which it was requested.
        unknown: images that could not be read, with the reason.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.info = backend.first_info()
        self.reason = ""
        self.requested: dict[str, list[str]] = {}
        self.unknown: list[str] = []
        self._records: dict[str, ImageRecord] = {}
        self._chains: dict[str, tuple[str, ...]] = {}
        self._configs: dict[str, tuple[bytes, ImageConfig] | None] = {}
        self._read: dict[str, LayerContents] = {}
        self._readers: dict[str, Reader] = {}
        self._streams: dict[str, StreamReader] = {}

    @cached_property
    def store(self) -> Store | None:
        """The engine's store on disk, or None with the `reason`."""
        found, self.reason = open_store(self.backend)
        return found

    # ---------------------------------------------------------------- images
    def records(self, refs: str | Iterable[str] | None, *, all: bool = False) -> list[ImageRecord]:
        """Return the requested images, each once.

        Args:
            refs: names or IDs; None for all images.
            all: for all images, include intermediate images of builds.

        Raises:
            ImageNotFound, InvalidOption.
        """
        if refs is None:
            listed = {record.id: record for record in self._listed(all=all)}
            for identity, record in listed.items():
                if identity not in self._records and (config := self.config(record)):
                    diff_ids, system, arch = config[2].diff_ids, config[2].os, config[2].architecture
                    self._records[identity] = replace(record, diff_ids=diff_ids, os=system, arch=arch)
            missing = [identity for identity in listed if identity not in self._records]
            if missing:
                with ThreadPoolExecutor(_CONNECTIONS) as pool:
                    found = pool.map(self._inspect, missing)
                    self._records.update((record.id, record) for record in found if record is not None)
            return [self._records[identity] for identity in listed if identity in self._records]
        names = [refs] if isinstance(refs, str) else refs
        if not isinstance(names, Iterable) or isinstance(names, (bytes, Mapping)):
            raise InvalidOption("refs", refs, "the name of an image, several names, or None for all images")
        meant: dict[str, ImageRecord] = {}
        for name in names:
            record = self.backend.inspect_image(parse_image(name))
            self.requested.setdefault(record.id, []).append(name)
            meant[record.id] = self._records[record.id] = record
        return list(meant.values())

    def _listed(self, *, all: bool) -> Iterable[ImageRecord]:
        """Return sparse records of all images: from the store if it lists them, else from the engine.

        Docker with the containerd image store and Podman 4 need 7 ms for each image that they list, as they measure it.
        """
        rows = self.store.listed if self.store else None
        if rows is None:
            return self.backend.list_images(all=all, filters={})
        written = display if self.info.kind == "podman" else familiar
        return [
            ImageRecord(identity, tuple(map(written, row.names)), (), 0, 0.0, {}, row.parent, complete=False)
            for identity, row in rows.items()
            if all or not row.intermediate  # without `all`, engines leave out what only a build made
        ]

    def _inspect(self, identity: str) -> ImageRecord | None:
        """Inspect an image that was listed; return None if it was removed meanwhile."""
        try:
            return self.backend.inspect_image(identity)
        except EngineError as exc:  # Podman may answer with another error while it removes the image
            if isinstance(exc, ImageNotFound) or not self._exists(identity):
                return None
            raise

    def readable(self, records: Iterable[ImageRecord], *, strict: bool) -> list[ImageRecord]:
        """Return the images whose layers can all be read; add the others to `unknown`.

        Raises:
            InvalidImage, EngineError: an image cannot be read, and `strict` is set.
        """
        return [record for record in records if self._can_read(record, strict=strict)]

    def _can_read(self, record: ImageRecord, *, strict: bool) -> bool:
        try:
            self.layers(record)
        except (InvalidImage, EngineError) as exc:
            if strict or isinstance(exc, ImageNotFound) or not self._exists(record.id):
                raise
            note = f"contents of image {self.name(record)}: {exc}"
            if note not in self.unknown:
                self.unknown.append(note)
            return False
        return True

    def _exists(self, identity: str) -> bool:
        try:
            self.backend.inspect_image(identity)
        except ImageNotFound:
            return False
        return True

    def lost(self) -> str | None:
        """Return the name of an image that was read before and does not exist now, or None."""
        there = {record.id for record in self.backend.list_images(all=True, filters={})}
        return next((self.name(record) for record in self._records.values() if record.id not in there), None)

    def name(self, record: ImageRecord) -> str:
        """Return the name by which an image was requested, else its first name, else its ID."""
        return self.requested.get(record.id, record.refs or (record.id,))[0]

    def others(self, record: ImageRecord) -> Mapping[str, tuple[str, ...]]:
        """Return chain ID -> the names of the other images with that layer of an image."""
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
        if record.id not in self._chains:
            self._chains[record.id] = chain_ids(record.diff_ids)
        return self._chains[record.id]

    def stored(self, record: ImageRecord) -> tuple[str, ...]:
        """Return the chain IDs that the store holds for an image, those of its other platforms included."""
        others = self.store.chains.get(record.id, ()) if self.store else ()
        return tuple(dict.fromkeys((*self.chains(record), *others)))

    def reader(self, record: ImageRecord) -> Reader:
        """Return the reader of an image: tar-split records if every layer has one, else content blobs, else a save."""
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
                    compressed=[layer.compressed_bytes for layer in known],
                    data=lambda number, entry: b"".join(known[number].read(entry.path, entry.size)),
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
        """Return (name, bytes, parsed) of the config file of an image in the store, or None."""
        path = self.store.configs.get(record.id) if self.store else None
        if record.id not in self._configs:
            self._configs[record.id] = _config(path) if path else None
        if path is None or (known := self._configs[record.id]) is None:
            return None
        raw, config = known
        if record.complete and config.diff_ids != record.diff_ids:  # the config of another platform of the image
            return None
        return record.id if self.info.image_store == "graphdriver" else blob_name(path), raw, config

    def _image(self, record: ImageRecord, layers: tuple[LayerBlob, ...]) -> ImageArchive | None:
        known = self.config(record)
        return ImageArchive(record.refs, known[1], known[0], known[2], layers) if known else None

    def stream(self, record: ImageRecord) -> StreamReader:
        """Return the reader of an image's save stream, which any user of the engine may read."""
        if record.id not in self._streams:
            self._streams[record.id] = StreamReader(lambda: self.backend.save_images([record.id]))
        return self._streams[record.id]

    def _load(self, record: ImageRecord, number: int, layer: StoreLayer) -> LayerContents:
        from ..oci.tarsplit import read_tar_split

        if layer.chain_id not in self._read:
            try:
                self._read[layer.chain_id] = read_tar_split(layer.record())
            except OSError:  # removed meanwhile, or not readable for this user: the engine can tell
                self._read[layer.chain_id] = self.stream(record).read(number)
        return self._read[layer.chain_id]

    def layer(self, record: ImageRecord, number: int) -> LayerContents:
        """Return one layer of an image, read once for all images with that layer. Raises InvalidImage."""
        chain = self.chains(record)[number]
        if chain not in self._read:
            self._read[chain] = self.reader(record).read(number)
        contents = self._read[chain]
        if contents.problems:
            raise invalid("unreadable image", (f"layer {number}: {problem}" for problem in contents.problems))
        return contents

    def layers(self, record: ImageRecord) -> tuple[tuple[FileEntry, ...], ...]:
        """Return the entries of each layer of an image, base first. Raises InvalidImage."""
        return tuple(self.layer(record, number).entries for number in range(len(record.diff_ids)))

    def content(self, records: Iterable[ImageRecord]) -> Mapping[str, int]:
        """Return chain ID -> Σ size of the files in that layer."""
        found: dict[str, int] = {}
        for record in records:
            for number, chain in enumerate(self.chains(record)):
                if chain not in found:
                    found[chain] = self.layer(record, number).content_bytes
        return found

    # ---------------------------------------------------------------- disk
    def image_disk(self, records: Iterable[ImageRecord]) -> int | None:
        """Return the disk bytes of the engine's records of images and of copies for user namespaces, or None."""
        if self.store is None:
            return None
        try:
            return sum(self.store.image_disk(record.id) for record in records)
        except OSError as exc:
            self.reason = f"this user may not read all of the store: {exc.strerror or exc}"
            return None

    def disk(self, records: Iterable[ImageRecord]) -> Mapping[str, int] | None:
        """Return chain ID -> disk bytes of that layer; None, with the `reason`, if the store cannot be read."""
        if self.store is None:
            return None
        found: dict[str, int] = {}
        lost = ""
        try:
            for record in records:
                for chain in self.stored(record):
                    if chain not in found:
                        lost = chain
                        found[chain] = self.store.layers[chain].disk
        except OSError as exc:
            self.reason = f"this user may not read all of the store: {exc.strerror or exc}"
            return None
        except KeyError:
            self.reason = f"the store has no layer {lost[7:19]} of image {self.name(record)}"
            return None
        return found


def _config(path: Path) -> tuple[bytes, ImageConfig] | None:
    try:
        raw = path.read_bytes()
        return raw, ImageConfig.parse(raw)
    except (OSError, ValueError):  # removed meanwhile, or a document of another kind
        return None


def _disk(layers: Sequence[StoreLayer], number: int) -> int | None:
    try:
        return layers[number].disk
    except OSError:
        return None  # folders of a rootless store belong to other uids
