"""Check the invariants of an image against its bytes, and report every violation at once.

Checked: the config's digest against its name, each blob's digest and size against manifest and name, each layer's tar
against its diff_id, the number of history entries, every entry of every layer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from .compression import Compression, decompress
from .config import ImageConfig
from .digest import hex_part, sha256
from .image import ImageArchive, LayerBlob
from .layer import LayerContents, read_layer
from .problems import Limits
from .sources import StreamSource

__all__ = ["check_config", "check_history", "check_layer", "layer_violations", "read_verified", "violations"]

_NAMED_BY_DIGEST = re.compile(r"(?:blobs/sha256/|sha256:)?([0-9a-f]{64})(?:\.json|\.tar)?")


def violations(image: ImageArchive, *, limits: Limits | None = None) -> tuple[str, ...]:
    """Return every violation of one image, in reading order; every byte is read once, in constant memory."""
    found = list(check_config(image))
    found += check_history(image.config)
    for index, layer in enumerate(image.layers):
        if not layer.present:
            continue
        found += layer_violations(index, layer, image.config.diff_ids[index], limits=limits)
    return tuple(found)


def check_config(image: ImageArchive) -> Iterator[str]:
    """Return violations of the config's digest and size, wherever they are stated."""
    actual = sha256(image.raw_config)
    named = _NAMED_BY_DIGEST.fullmatch(image.config_name)
    if named and named[1] != hex_part(actual):
        yield f"config {image.config_name!r} has digest {actual}"
    for document in image.documents:
        stated = document.descriptor
        if stated.digest != document.digest:
            yield f"the index states document {stated.digest}, found {document.digest}"
        if stated.size != document.size:
            yield f"the index states a document of {stated.size} bytes, found {document.size}"
    if image.manifest is not None:
        stated = image.manifest.config
        if stated.digest != actual:
            yield f"the manifest states config {stated.digest}, found {actual}"
        if stated.size != len(image.raw_config):
            yield f"the manifest states a config of {stated.size} bytes, found {len(image.raw_config)}"


def check_history(config: ImageConfig) -> Iterator[str]:
    """Return a violation if more history entries made a layer than there are layers; fewer are legal."""
    made = sum(1 for line in config.history if not line.empty_layer)
    if made > len(config.diff_ids):
        yield f"{made} lines of history made a layer, and there are {len(config.diff_ids)} layers"


def layer_violations(index: int, layer: LayerBlob, diff_id: str | None, *, limits: Limits | None = None) -> list[str]:
    """Return every violation of one layer, with its index; ``diff_id`` as the config states it, if it does."""
    try:
        with layer.extent.open() as source:
            blob, contents = read_verified(source.chunks(), layer.compression, limits=limits)
    except (ValueError, OSError) as exc:
        return [f"layer {index}: {exc}"]
    return [f"layer {index}: {violation}" for violation in check_layer(layer, blob, contents, diff_id)]


def check_layer(layer: LayerBlob, blob: str, contents: LayerContents, diff_id: str | None) -> Iterator[str]:
    """Compare what is stated of a layer with its actual blob digest and contents."""
    stated = layer.descriptor
    if stated is not None and stated.size != layer.size:
        yield f"the manifest states {stated.size} bytes, found {layer.size}"
    if stated is not None and stated.digest != blob:
        yield f"the manifest states blob {stated.digest}, found {blob}"
    elif layer.name.startswith("blobs/") and not layer.name.endswith(hex_part(blob)):
        yield f"{layer.name!r} has digest {blob}"
    if None not in (contents.diff_id, diff_id) and contents.diff_id != diff_id:
        yield f"the config states diff_id {diff_id}, found {contents.diff_id}"
    yield from contents.problems
    yield from contents.remarks


def read_verified(
    blob: Iterable[bytes], how: Compression | None, *, limits: Limits | None = None
) -> tuple[str, LayerContents]:
    """Return a blob's digest, and the layer in it with its actual diff_id; every byte is read once."""
    outer, inner = hashlib.sha256(), hashlib.sha256()
    tapped = _tap(blob, outer)
    try:
        plain = _tap(decompress(tapped, how, limits=limits), inner)
        contents = replace(read_layer(StreamSource(plain), limits=limits), diff_id="sha256:" + inner.hexdigest())
    except (ValueError, OSError) as exc:
        contents = LayerContents((), 0, (str(exc),))
    for _ in tapped:  # what the decompressor did not consume is part of the blob's digest too
        pass
    return "sha256:" + outer.hexdigest(), contents


def _tap(chunks: Iterable[bytes], hasher: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
