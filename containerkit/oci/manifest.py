"""Parse manifests and indexes: which blobs make up an image, and which of several images is meant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .digest import is_digest
from .problems import invalid

__all__ = ["Descriptor", "Index", "Manifest", "parse_document"]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to a blob (image-spec, descriptor.md).

    Attributes:
        size: bytes of the blob.
        platform: (os, architecture, variant) in an index, else None.
    """

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: tuple[str, str, str] | None = None

    @property
    def path(self) -> str:
        """Path of the blob in an OCI layout."""
        return "blobs/" + self.digest.replace(":", "/", 1)

    @property
    def is_foreign(self) -> bool:
        """True for a layer whose bytes stay where its `urls` say, and are in no archive: of Windows, mostly."""
        return ".foreign." in self.media_type or ".nondistributable." in self.media_type

    @property
    def is_attestation(self) -> bool:
        """True for BuildKit's provenance, which is listed like an image for the platform unknown/unknown."""
        return "vnd.docker.reference.type" in self.annotations or (
            self.platform is not None and self.platform[:2] == ("unknown", "unknown")
        )


_IMAGE_CONFIGS = frozenset(
    {"", "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
#: Part of every layer's media type: OCI's `image.layer.v1.tar`, Docker's `image.rootfs.diff.tar`. cosign stores a
#: signature with an image's config and a layer of a type of its own.
_LAYER = ".image."


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image manifest: one config, and layers base first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def is_image(self) -> bool:
        """Return whether this describes an image and not another artifact, such as a signature or a chart."""
        kinds = (layer.media_type for layer in self.layers)
        return self.config.media_type in _IMAGE_CONFIGS and all(not kind or _LAYER in kind for kind in kinds)

    @classmethod
    def parse(cls, raw: bytes) -> Manifest:
        """Parse a manifest. Raises InvalidImage with every violation found."""
        return cls.from_document(parse_document(raw, "manifest"))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Manifest:
        """Read a manifest from a parsed document. Raises InvalidImage with every violation found."""
        problems: list[str] = []
        config = _descriptor(document.get("config"), "config", problems)
        layers = document.get("layers")
        if not isinstance(layers, list):
            problems.append("manifest has no layers")
            layers = []
        found = [_descriptor(layer, f"layers[{index}]", problems) for index, layer in enumerate(layers)]
        if problems or config is None:
            raise invalid("image manifest", problems)
        return cls(config, tuple(layer for layer in found if layer is not None))


@dataclass(frozen=True, slots=True)
class Index:
    """A list of manifests, or of further indexes, by name or by platform."""

    manifests: tuple[Descriptor, ...]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Index:
        """Read an index from a parsed document. Raises InvalidImage with every violation found."""
        problems: list[str] = []
        listed = document.get("manifests")
        if not isinstance(listed, list):
            problems.append("index lists no manifests")
            listed = []
        found = [_descriptor(item, f"manifests[{number}]", problems) for number, item in enumerate(listed)]
        if problems:
            raise invalid("image index", problems)
        return cls(tuple(item for item in found if item is not None))


def parse_document(raw: bytes, what: str) -> Mapping[str, Any]:
    """Parse a JSON object. Raises InvalidImage."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise invalid(what, [f"{what} is not JSON ({exc})"]) from exc
    if not isinstance(document, dict):
        raise invalid(what, [f"{what} is not a JSON object"])
    return document


def _descriptor(value: object, where: str, problems: list[str]) -> Descriptor | None:
    if not isinstance(value, dict):
        problems.append(f"{where} is no descriptor")
        return None
    digest, size, media_type = value.get("digest"), value.get("size"), value.get("mediaType")
    if not is_digest(digest):
        problems.append(f"{where} has no SHA-256 digest: {digest!r:.80}")
        return None
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        problems.append(f"{where} has no size: {size!r:.80}")
        return None
    notes = value.get("annotations")
    platform = value.get("platform")
    return Descriptor(
        media_type=media_type if isinstance(media_type, str) else "",
        digest=str(digest),
        size=size,
        annotations={str(k): str(v) for k, v in notes.items()} if isinstance(notes, dict) else {},
        platform=_platform(platform) if isinstance(platform, dict) else None,
    )


def _platform(value: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(value.get("os", "")), str(value.get("architecture", "")), str(value.get("variant", ""))
