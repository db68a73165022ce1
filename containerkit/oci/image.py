"""An image whose bytes are available: its config, and its layers as blobs."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from .compression import Compression, decompress, sniff
from .config import ImageConfig
from .layer import FileEntry, LayerContents, file_bytes, files_data, hash_files, read_layer
from .manifest import Descriptor, Manifest
from .members import Absent, Blob, Extent
from .problems import Limits
from .sources import StreamSource

__all__ = ["Document", "ImageArchive", "LayerBlob", "blob_name"]


def blob_name(path: str | os.PathLike[str]) -> str:
    """Return ``blobs/sha256/HEX``, the name in an OCI layout of what a content store keeps in the file HEX."""
    return "/".join(os.fspath(path).rsplit("/", 3)[1:])


@dataclass(frozen=True, slots=True)
class LayerBlob:
    """One layer as the archive holds it.

    Attributes:
        name: name of the member.
        extent: location of its bytes.
        compression: None if its first bytes have to be read to know.
        descriptor: the manifest's descriptor of it, if there is a manifest.
    """

    name: str
    extent: Blob
    compression: Compression | None
    descriptor: Descriptor | None = None

    @classmethod
    def at(cls, path: str | os.PathLike[str], descriptor: Descriptor | None = None) -> LayerBlob:
        """Return the blob in a file of a content store, named by its digest. Raises OSError."""
        extent = Extent.whole(path)
        with extent.open() as source:
            return cls(blob_name(path), extent, sniff(source.take(4)), descriptor)

    @property
    def size(self) -> int:
        """Size of the blob in bytes, as stored."""
        return self.extent.size

    @property
    def present(self) -> bool:
        """False for a foreign layer, whose bytes the archive does not hold."""
        return not isinstance(self.extent, Absent)

    def plain(self, *, limits: Limits | None = None) -> Iterator[bytes]:
        """Yield the uncompressed tar in chunks.

        Raises:
            ValueError: while reading, if the blob cannot be decompressed or the file has changed.
        """
        with self.extent.open() as source:
            yield from decompress(source.chunks(), self.compression, limits=limits)

    def content_ids(self, entries: Iterable[FileEntry], *, limits: Limits | None = None) -> dict[str, str]:
        """Return path -> SHA-256 of the content of these files. Of a plain tar, only their bytes are read.

        Raises:
            ValueError: the blob cannot be decompressed, or the file has changed.
        """
        if self.compression == "none":
            with self.extent.open() as source:
                return hash_files(source, entries)
        return hash_files(StreamSource(self.plain(limits=limits)), entries)

    def file_bytes(self, path: str, *, limits: Limits | None = None) -> bytes | None:
        """Return the content of a file as the tar stores it; None if the layer has no such file.

        Raises:
            ValueError: the blob cannot be decompressed, or the file has changed.
        """
        if self.compression == "none":
            with self.extent.open() as source:
                return file_bytes(source, path)
        return file_bytes(StreamSource(self.plain(limits=limits)), path)

    def files_data(
        self, paths: Collection[str], *, limits: Limits | None = None
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield (path, chunks of the content) of files, in the order of the tar. See `oci.layer.files_data`.

        Raises:
            ValueError: while reading, if the blob cannot be decompressed or the file has changed.
        """
        if self.compression == "none":
            with self.extent.open() as source:
                yield from files_data(source, paths)
        else:
            yield from files_data(StreamSource(self.plain(limits=limits)), paths)

    def read(self, *, limits: Limits | None = None) -> LayerContents:
        """Read the layer's entries. Of an uncompressed blob no payload is read."""
        try:
            if self.compression == "none":
                with self.extent.open() as source:
                    return read_layer(source, limits=limits)
            return read_layer(StreamSource(self.plain(limits=limits)), limits=limits)
        except (ValueError, OSError) as exc:
            return LayerContents((), 0, (str(exc),))


@dataclass(frozen=True, slots=True)
class Document:
    """An index or manifest as an archive holds it: what a descriptor states, and what was found."""

    descriptor: Descriptor
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class ImageArchive:
    """One image of an archive.

    Attributes:
        refs: the names it is tagged with.
        raw_config: the bytes whose digest is the image ID.
        config_name: the member that holds them.
        manifest: the manifest of an OCI layout, else None.
        documents: of an OCI layout, the indexes and the manifest on the way to the image.
    """

    refs: tuple[str, ...]
    raw_config: bytes = field(repr=False)
    config_name: str
    config: ImageConfig
    layers: tuple[LayerBlob, ...]
    manifest: Manifest | None = None
    documents: tuple[Document, ...] = ()
