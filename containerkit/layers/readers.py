"""Readers of layer contents: blobs that can be read again, header records, and a save stream that is read once."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, cast

from ..oci.archive import open_image
from ..oci.image import ImageArchive, LayerBlob
from ..oci.layer import FileEntry, LayerContents
from ..oci.problems import Limits, invalid
from ..oci.stream import ImageContents, scan_stream
from ..oci.verify import check_config, check_history, layer_violations, violations
from .contents import Sizes, Verification

__all__ = ["BlobReader", "Chunks", "RecordReader", "StreamReader"]

_BYTES = ("config digest", "blob digests and sizes", "diff_ids", "history", "entries")


class _Layerwise(ABC):
    """Base of readers that read layers one by one; the sizes of each are cached.

    Args:
        disk: function that returns the blocks of a layer in a store, or None.
    """

    #: Source of the sizes, for users.
    _headers: str

    def __init__(self, name: str, disk: Callable[[int], int | None] | None) -> None:
        self.name = name
        self._disk = disk
        self._read: dict[int, tuple[int, int]] = {}
        self._sizes: dict[int, Sizes] = {}

    @abstractmethod
    def _load(self, index: int) -> LayerContents: ...

    def _compressed(self, index: int) -> int | None:
        return None

    def read(self, index: int, /) -> LayerContents:
        """Return the layer's entries."""
        contents = self._load(index)
        if not contents.problems:
            self._read[index] = contents.content_bytes, contents.tar_bytes
        return contents

    def sizes(self, index: int, /) -> Sizes:
        """Return content and tar size from the layer's headers, and its blocks in the store.

        Raises:
            InvalidImage: the layer cannot be read.
        """
        if index not in self._sizes:
            if index not in self._read and (problems := self.read(index).problems):
                raise invalid("unreadable image", (f"layer {index}: {problem}" for problem in problems))
            content, tar = self._read[index]
            found = {"compressed": self._compressed(index), "disk": self._disk(index) if self._disk else None}
            origin = {"content": self._headers, "tar": self.name, "compressed": self.name, "disk": "st_blocks"}
            source = {what: origin[what] for what in origin if found.get(what, 0) is not None}
            self._sizes[index] = Sizes(content, tar, **found, source=source)
        return self._sizes[index]


class BlobReader(_Layerwise):
    """Layers whose blobs are files, of an archive or a content store.

    Args:
        image: function that returns the config, for ``verify``; without it only blobs and diff_ids are checked.
    """

    _headers = "tar headers"

    def __init__(
        self,
        name: str,
        layers: Sequence[LayerBlob],
        *,
        diff_ids: Sequence[str] = (),
        image: ImageArchive | None = None,
        disk: Callable[[int], int | None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(name, disk)
        self._layers = tuple(layers)
        self._diff_ids = tuple(diff_ids)
        self._image = image
        self._limits = limits

    def _load(self, index: int) -> LayerContents:
        return self._layers[index].read(limits=self._limits)

    def _compressed(self, index: int) -> int | None:
        layer = self._layers[index]
        # An engine with a content store pushes a blob as it is. Who pushes an archive compresses it on the way.
        return layer.size if layer.compression != "none" or self.name == "content store" else None

    def sizes(self, index: int, /) -> Sizes:
        """Return the sizes; of a foreign layer only what the manifest states."""
        layer = self._layers[index]
        if layer.present:
            return super().sizes(index)
        return Sizes(compressed=layer.size, source={"compressed": "manifest"})

    def content_ids(self, index: int, entries: Iterable[FileEntry], /) -> Mapping[str, str]:
        """Return the SHA-256 of the files' bytes."""
        try:
            return self._layers[index].content_ids(entries, limits=self._limits)
        except (ValueError, OSError) as exc:
            raise invalid("unreadable image", [f"layer {index}: {exc}"]) from exc

    def file_bytes(self, index: int, entry: FileEntry, /) -> bytes:
        """Return the content of a file from its layer's blob, which is read up to the end."""
        if entry.stored != entry.size:
            raise invalid("unreadable file", [f"layer {index}: {entry.path} is sparse; its tar has no holes"])
        try:
            found = self._layers[index].file_bytes(entry.path, limits=self._limits)
        except (ValueError, OSError) as exc:
            raise invalid("unreadable image", [f"layer {index}: {exc}"]) from exc
        if found is None or len(found) != entry.size:
            raise invalid("unreadable file", [f"layer {index}: {entry.path} is not in its tar any more"])
        return found

    def files_data(self, index: int, entries: Collection[FileEntry], /) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the contents of files from their layer's blob, which is read once."""
        sparse = [entry.path for entry in entries if entry.stored != entry.size]
        if sparse:
            raise invalid(
                "unreadable file", [f"layer {index}: {path} is sparse; its tar has no holes" for path in sparse]
            )
        try:
            yield from self._layers[index].files_data({entry.path for entry in entries}, limits=self._limits)
        except (ValueError, OSError) as exc:
            raise invalid("unreadable image", [f"layer {index}: {exc}"]) from exc

    def verify(self) -> Verification:
        """Check every byte of every blob, once."""
        if self._image is not None:
            found = violations(self._image, limits=self._limits)
            if found:
                raise invalid(self.name, found)
            absent = (f"layer {index}" for index, layer in enumerate(self._layers) if not layer.present)
            return Verification(_BYTES, tuple(absent))
        problems: list[str] = []
        for index, (layer, diff_id) in enumerate(zip(self._layers, self._diff_ids, strict=True)):
            problems += layer_violations(index, layer, diff_id, limits=self._limits)
        if problems:
            raise invalid(self.name, problems)
        return Verification(("blob digests", "diff_ids", "entries"), ("config digest",))


class RecordReader(_Layerwise):
    """Layers with header records only, such as tar-split: entries with content IDs, without bytes.

    Args:
        load: functions that read each layer's record, base first.
        image: the image's config, for ``verify``.
        rebuild: function that computes a layer's diff_id from its record and files; raises OSError if those cannot be
            read.
        whole: another way to read the bytes, for ``verify`` and ``file_bytes``.
        data: function that reads a file of a layer from the store; raises OSError.
    """

    def __init__(
        self,
        name: str,
        load: Sequence[Callable[[], LayerContents]],
        *,
        image: ImageArchive | None = None,
        rebuild: Callable[[int], str] | None = None,
        whole: StreamReader | None = None,
        disk: Callable[[int], int | None] | None = None,
        compressed: Sequence[int | None] = (),
        data: Callable[[int, FileEntry], bytes] | None = None,
    ) -> None:
        super().__init__(name, disk)
        self._headers = name
        self._records = tuple(load)
        self._image = image
        self._rebuild = rebuild
        self._whole = whole
        self._blobs = tuple(compressed)
        self._data = data

    def _compressed(self, index: int) -> int | None:
        return self._blobs[index] if index < len(self._blobs) else None

    def _load(self, index: int) -> LayerContents:
        return self._records[index]()

    def content_ids(self, index: int, entries: Iterable[FileEntry], /) -> Mapping[str, str]:
        """Return the content IDs in the record."""
        return {entry.path: entry.content_id for entry in entries if entry.content_id is not None}

    def file_bytes(self, index: int, entry: FileEntry, /) -> bytes:
        """Return the content of a file from the store; from the other way if this user may not read it there."""
        if self._data is not None:
            try:
                found = self._data(index, entry)
            except OSError:
                found = None  # files of a rootless store belong to other uids
            if found is not None and len(found) == entry.size:
                return found
        if self._whole is None:
            raise invalid("unreadable file", [f"layer {index}: {entry.path} is not in the store"])
        return self._whole.file_bytes(index, entry)

    def files_data(self, index: int, entries: Collection[FileEntry], /) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the contents of files from the store; the rest from the other way if this user may not read them."""
        rest: list[FileEntry] = []
        for entry in entries:
            try:
                found = self._data(index, entry) if self._data is not None else None
            except OSError:
                found = None
            if found is None or len(found) != entry.size:
                rest.append(entry)
            else:
                yield entry.path, iter((found,))
        if rest and self._whole is None:
            raise invalid("unreadable file", [f"layer {index}: {entry.path} is not in the store" for entry in rest])
        if rest and self._whole is not None:
            yield from self._whole.files_data(index, rest)

    def verify(self) -> Verification:
        """Check every record, and every byte of the files: in the store, else on another way to them.

        Without either, no digest is checked.
        """
        problems = [
            f"layer {index}: {violation}"
            for index, load in enumerate(self._records)
            for violation in _violations_of(load())
        ]
        if problems:
            raise invalid(self.name, problems)
        if self._image is not None and self._rebuild is not None:
            problems += [*check_config(self._image), *check_history(self._image.config)]
            if len(self._image.config.diff_ids) != len(self._records):
                problems.append(f"the config states {len(self._image.config.diff_ids)} layers of {len(self._records)}")
            stated = self._image.config.diff_ids[: len(self._records)]
            found = [self._violation(index, diff_id, self._rebuild) for index, diff_id in enumerate(stated)]
            problems += [violation for violation in found if violation]
            if problems:
                raise invalid(self.name, problems)
            if None not in found:
                return Verification(("config digest", "diff_ids", "history", "entries"))
        if self._whole is not None:
            return self._whole.verify()
        return Verification(("entries",), ("config digest", "blob digests and sizes", "diff_ids"))

    @staticmethod
    def _violation(index: int, stated: str, rebuild: Callable[[int], str]) -> str | None:
        """Return the violation of a layer's bytes, or ""; None if they cannot be read, or are behind a link."""
        try:
            found = rebuild(index)
        except (FileNotFoundError, ValueError) as exc:
            return f"layer {index}: {exc}"
        except OSError:
            return None
        return "" if found == stated else f"layer {index}: the config states diff_id {stated}, its files make {found}"


def _violations_of(contents: LayerContents) -> tuple[str, ...]:
    return contents.problems + contents.remarks


class StreamReader:
    """An image that only the engine's save stream shows. One pass reads all layers.

    Args:
        save: function that opens the stream; it is read to its end.
        ref: name of the image, if the stream may hold several.
    """

    def __init__(
        self,
        save: Callable[[], Iterable[bytes]],
        *,
        ref: str | None = None,
        name: str = "save stream",
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self._save = save
        self._ref = ref
        self._limits = limits
        self._lock = threading.Lock()
        self._image: ImageContents | None = None
        self._ids: ImageContents | None = None
        self._copy: BlobReader | None = None

    @property
    def image(self) -> ImageContents:
        """Contents of the image, read from the stream on first access."""
        with self._lock:
            if self._image is None:
                self._image = scan_stream(self._save(), ref=self._ref, limits=self._limits)
            return self._image

    def read(self, index: int, /) -> LayerContents:
        """Return the layer's entries."""
        return self.image.layers[index]

    def sizes(self, index: int, /) -> Sizes:
        """Return content and tar size from the headers in the stream."""
        image = self.image
        return Sizes(
            content=image.layers[index].content_bytes,
            tar=image.layers[index].tar_bytes,
            compressed=image.blob_sizes[index] if image.compressed[index] else None,
            source={"content": "tar headers", "tar": self.name, "compressed": self.name},
        )

    def content_ids(self, index: int, entries: Iterable[FileEntry], /) -> Mapping[str, str]:
        """Return the SHA-256 of the files' bytes; the first call reads the stream again and hashes every file."""
        with self._lock:
            if self._ids is None:
                self._ids = scan_stream(self._save(), ref=self._ref, content_ids=True, limits=self._limits)
        wanted = {entry.path for entry in entries}
        found = self._ids.layers[index].entries
        return {one.path: one.content_id for one in found if one.path in wanted and one.content_id is not None}

    def file_bytes(self, index: int, entry: FileEntry, /) -> bytes:
        """Return the content of a file; the first call copies the stream to a temporary file."""
        return self._copied().file_bytes(index, entry)

    def files_data(self, index: int, entries: Collection[FileEntry], /) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the contents of files; the first call copies the stream to a temporary file."""
        return self._copied().files_data(index, entries)

    def _copied(self) -> BlobReader:
        with self._lock:
            if self._copy is None:
                image = open_image(cast(BinaryIO, Chunks(self._save())), ref=self._ref, limits=self._limits)
                self._copy = BlobReader(self.name, image.layers, image=image, limits=self._limits)
        return self._copy

    def verify(self) -> Verification:
        """Check every byte in another pass. An engine that finds the image broken refuses to save it: EngineError."""
        scan_stream(self._save(), ref=self._ref, verify=True, limits=self._limits)
        return Verification(_BYTES)


class Chunks:
    """Chunks of bytes, with the one method of a file that is needed to copy them."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)

    def read(self, size: int = -1) -> bytes:
        """Return the next chunk that is not empty, of any size; b"" at the end."""
        return next((chunk for chunk in self._chunks if chunk), b"")
