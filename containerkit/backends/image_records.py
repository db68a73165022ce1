"""The values of images that a Backend returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..values import Value
from .records import Raw


@dataclass(frozen=True, slots=True)
class HistoryEntry(Value):
    """One entry of an image's history.

    Attributes:
        empty_layer: True for an instruction that created no layer; None if the engine does not say.
        size: bytes as the engine counts them; None if it does not say.
    """

    created_by: str
    created: float | None = None
    empty_layer: bool | None = None
    size: int | None = None
    comment: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class ImageRecord(Value):
    """One image.

    Attributes:
        id: "sha256:" + 64 hex digits on every engine. The digest of the config, except in Docker's containerd image
            store, where it is the digest of the manifest.
        refs: names and tags in familiar form ("busybox:1", "localhost:5000/a:1").
        digests: "name@sha256:…", the digests in registries.
        size: bytes as the engine counts them. Sizes of different engines are not comparable.
        diff_ids: base first; empty in a sparse record of :meth:`Backend.list_images`.
        config: the "config" object of the image's configuration (Env, Cmd, …).
    """

    id: str
    refs: tuple[str, ...]
    digests: tuple[str, ...]
    size: int
    created: float
    labels: Mapping[str, str]
    parent: str = ""
    os: str = ""
    arch: str = ""
    author: str = ""
    diff_ids: tuple[str, ...] = ()
    config: Raw = field(default_factory=dict)
    containers: int | None = None
    shared_size: int | None = None
    complete: bool = True
    raw: Raw = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Progress(Value):
    """One step of a pull, push, load or build.

    Attributes:
        status: the engine's message.
        id: the layer concerned, "" for the whole image.
        current, total: bytes, or None.
        stream: a piece of the builder's log, else "".
        image_id: the ID of the new image, in the step that reports it.
    """

    status: str = ""
    id: str = ""
    current: int | None = None
    total: int | None = None
    stream: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class FoundImage(Value):
    """An image that a search found.

    Attributes:
        name: its name without a tag; Podman's starts with the registry.
        description: what its owner says.
        stars: how many users marked it.
        official: Docker Hub calls it an official image.
    """

    name: str
    description: str = ""
    stars: int = 0
    official: bool = False


@dataclass(frozen=True, slots=True)
class EngineDiskUsage(Value):
    """The engine's own figures of disk usage, in bytes; None if the engine does not say.

    Attributes:
        images: all images.
        containers: the read-write layers of all containers.
        reclaimable: what the engine's command line reports as reclaimable from images.
        volumes: all volumes.
        build_cache: records of the build cache that no image shares.
        raw: the engine's own response.
    """

    images: int | None
    containers: int | None
    reclaimable: int | None
    volumes: int | None = None
    build_cache: int | None = None
    raw: Raw = field(default_factory=dict, repr=False)
