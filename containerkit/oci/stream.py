"""Read an image from a save stream: config and every layer's entries, in one pass and constant memory.

An engine's ``save`` stream cannot be rewound, and the documents that name its members come first, last or in between.
So each member is classified by its first bytes: JSON is kept, a tar, plain or compressed, is scanned as it arrives, and
everything else is skipped. At the end ``manifest.json`` says which members belong together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .archive import find_image
from .compression import Compression, decompress, sniff
from .config import ImageConfig
from .image import ImageArchive
from .layer import LayerContents, read_layer
from .members import Catalog
from .problems import Limits, invalid
from .sources import StreamSource
from .tar import BLOCK, Member, scan
from .verify import check_config, check_history, check_layer, read_verified

__all__ = ["ImageContents", "scan_stream"]


@dataclass(frozen=True, slots=True)
class ImageContents:
    """One image with the contents of all its layers.

    Attributes:
        refs: the names it is tagged with.
        raw_config: the bytes whose digest is the image ID.
        layers: base first.
        blob_sizes: bytes of each layer as it arrived, compressed or not.
        compressed: True for each layer that arrived compressed.
    """

    refs: tuple[str, ...]
    raw_config: bytes = field(repr=False)
    config: ImageConfig = field(repr=False)
    layers: tuple[LayerContents, ...]
    blob_sizes: tuple[int, ...]
    compressed: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """A member that was read: a document as a whole, a layer as its contents."""

    size: int
    head: bytes
    document: bytes | None = None
    contents: LayerContents | None = None
    digest: str | None = None

    @contextmanager
    def open(self) -> Iterator[StreamSource]:
        yield StreamSource([self.document if self.document is not None else self.head])

    def read(self) -> bytes:
        if self.document is None:
            raise invalid("stream", ["a layer stands where a document should be"])
        return self.document


def scan_stream(
    chunks: Iterable[bytes],
    *,
    ref: str | None = None,
    content_ids: bool = False,
    verify: bool = False,
    limits: Limits | None = None,
) -> ImageContents:
    """Read a docker-archive or OCI layout tar to its end.

    Args:
        chunks: the bytes, in chunks of any size; consumed to the end, so that the engine can finish writing.
        ref: name of the image, if the stream holds several.
        content_ids: hash every file on the way (SHA-256) into its ``content_id``.
        verify: hash every blob and tar on the way, and raise for every mismatch.

    Raises:
        InvalidImage: with every violation found.
        InvalidOption: several images, or no image of that name.
    """
    limits = limits or Limits()
    catalog = Catalog(limits)
    source = StreamSource(chunks)
    for member in scan(source, catalog.problems):
        name = catalog.name_of(member)
        if catalog.full:
            break
        if name is not None and member.kind == "file":
            catalog.add(name, _hold(source, member, limits, content_ids, verify))
        elif name is not None and member.kind in ("symlink", "hardlink"):
            catalog.add_link(name, member)
    while source.skip(1 << 30):
        pass
    if not source.position:
        catalog.problems.append("the stream is empty")
    image = find_image(catalog, ref=ref, limits=limits)
    return _contents(image, verify)


def _hold(source: StreamSource, member: Member, limits: Limits, content_ids: bool, verify: bool) -> _Held:
    size = member.stored
    head = source.take(min(size, BLOCK))
    how = sniff(head)

    def blob() -> Iterator[bytes]:
        yield head
        yield from source.chunks(size - len(head))

    if how == "none" and head[:1] in (b"{", b"[") and size <= limits.document_bytes:
        return _Held(size, head[:4], document=b"".join(blob()))
    if how == "none" and head[257:262] != b"ustar" and head.strip(b"\0"):
        return _Held(size, head[:4])  # neither a tar nor JSON: "VERSION", or "repositories" of old saves
    if verify:
        digest, contents = read_verified(blob(), how, limits=limits)
        return _Held(size, head[:4], contents=contents, digest=digest)
    return _Held(size, head[:4], contents=_read(blob(), how, limits, content_ids))


def _read(blob: Iterable[bytes], how: Compression, limits: Limits, content_ids: bool) -> LayerContents:
    plain = decompress(blob, how, limits=limits)
    try:
        return read_layer(StreamSource(plain), limits=limits, content_ids=content_ids)
    except ValueError as exc:
        return LayerContents((), 0, (str(exc),))


def _contents(image: ImageArchive, verify: bool) -> ImageContents:
    """Return the layers of the requested image from everything that was read."""
    problems: list[str] = [*check_config(image), *check_history(image.config)] if verify else []
    layers: list[LayerContents] = []
    for index, layer in enumerate(image.layers):
        held = layer.extent
        if not isinstance(held, _Held) or held.contents is None:
            problems.append(f"layer {index}: {layer.name!r} is no tar")
            continue
        contents = held.contents
        violations: Iterable[str] = contents.problems
        if verify and held.digest is not None:
            violations = check_layer(layer, held.digest, contents, image.config.diff_ids[index])
        problems += (f"layer {index}: {violation}" for violation in violations)
        layers.append(contents)
    if problems:
        raise invalid("stream", problems)
    return ImageContents(
        refs=image.refs,
        raw_config=image.raw_config,
        config=image.config,
        layers=tuple(layers),
        blob_sizes=tuple(layer.size for layer in image.layers),
        compressed=tuple(layer.compression != "none" for layer in image.layers),
    )
