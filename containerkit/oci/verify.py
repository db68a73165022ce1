"""The invariants of an image, checked against its bytes: every violation at once, none invented.

Checked: the config's digest against its name, each blob's digest and size against manifest and name, each layer's tar against
its diff_id, the number of history lines, every entry of every layer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from .archive import ImageArchive, LayerBlob
from .compression import decompress
from .config import ImageConfig
from .digest import hex_part, sha256, sha256_of
from .layer import LayerContents, read_layer
from .problems import Limits
from .sources import StreamSource

__all__ = ["check_config", "check_history", "violations"]

_NAMED_BY_DIGEST = re.compile(r"(?:blobs/sha256/|sha256:)?([0-9a-f]{64})(?:\.json|\.tar)?")


def violations(image: ImageArchive, *, limits: Limits | None = None) -> tuple[str, ...]:
    """Every breach of one image, in reading order; reads every byte of it once, in constant memory."""
    found = list(check_config(image))
    found += check_history(image.config)
    for index, layer in enumerate(image.layers):
        diff_id = image.config.diff_ids[index]
        found += (f"layer {index}: {problem}" for problem in _check_layer(layer, diff_id, limits or Limits()))
    return tuple(found)


def check_config(image: ImageArchive) -> Iterator[str]:
    """The config's bytes against every place that states their digest or size."""
    actual = sha256(image.raw_config)
    named = _NAMED_BY_DIGEST.fullmatch(image.config_name)
    if named and named[1] != hex_part(actual):
        yield f"config {image.config_name!r} has digest {actual}"
    if image.manifest is not None:
        stated = image.manifest.config
        if stated.digest != actual:
            yield f"the manifest states config {stated.digest}, found {actual}"
        if stated.size != len(image.raw_config):
            yield f"the manifest states a config of {stated.size} bytes, found {len(image.raw_config)}"


def check_history(config: ImageConfig) -> Iterator[str]:
    """More lines that made a layer than layers; fewer are legal, as history is optional."""
    made = sum(1 for line in config.history if not line.empty_layer)
    if made > len(config.diff_ids):
        yield f"{made} lines of history made a layer, and there are {len(config.diff_ids)} layers"


def _check_layer(layer: LayerBlob, diff_id: str, limits: Limits) -> Iterator[str]:
    """One reading for everything: blob digest, tar digest and the entries themselves."""
    stated = layer.descriptor
    if stated is not None and stated.size != layer.size:
        yield f"the manifest states {stated.size} bytes, found {layer.size}"
    try:
        with layer.extent.open() as source:
            blob, _ = sha256_of(source.chunks())
        contents = _hashed(layer, limits)
    except (ValueError, OSError) as exc:
        yield str(exc)
        return
    if stated is not None and stated.digest != blob:
        yield f"the manifest states blob {stated.digest}, found {blob}"
    elif layer.name.startswith("blobs/") and not layer.name.endswith(hex_part(blob)):
        yield f"{layer.name!r} has digest {blob}"
    if contents.diff_id != diff_id:
        yield f"the config states diff_id {diff_id}, found {contents.diff_id}"
    yield from contents.problems
    yield from contents.remarks


def _hashed(layer: LayerBlob, limits: Limits) -> LayerContents:
    """The layer's contents with its actual diff_id, in one pass over the uncompressed tar."""
    hasher = hashlib.sha256()

    def tapped() -> Iterator[bytes]:
        with layer.extent.open() as source:
            for chunk in decompress(source.chunks(), layer.compression, limits=limits):
                hasher.update(chunk)
                yield chunk

    contents = read_layer(StreamSource(tapped()), limits=limits)
    return LayerContents(
        contents.entries,
        contents.tar_bytes,
        contents.problems,
        contents.remarks,
        diff_id="sha256:" + hasher.hexdigest(),
    )
