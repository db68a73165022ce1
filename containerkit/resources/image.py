"""Image: one image of an engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..backends.base import HistoryEntry, ImageRecord
from ..errors import InUse, InvalidOption
from ..options import parse_flag
from ..reference import parse
from ..values import Shown, ValueTuple
from .archives import save_images

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from ..layers import LayerStack
    from .core import Core


class Image(Shown):
    """One image. Properties show the state as of the last refresh()."""

    def __init__(self, core: Core, id: str, *, record: ImageRecord | None = None) -> None:
        self._core = core
        self._id = id
        self._record = record

    @property
    def id(self) -> str:
        """Full ID: "sha256:" and 64 hexadecimal digits."""
        return self._id

    @property
    def short_id(self) -> str:
        """First 12 digits of the ID, as the command line shows it."""
        return self._id.removeprefix("sha256:")[:12]

    @property
    def label(self) -> str:
        """Name and short ID for messages: "image busybox:1 (0123456789ab)"."""
        names = self._record.refs if self._record else ()
        return f"image {names[0]} ({self.short_id})" if names else f"image {self.short_id}"

    @property
    def record(self) -> ImageRecord:
        """Full record of the image, requested from the engine if it is not known yet."""
        if self._record is None or not self._record.complete:
            self.refresh()
        assert self._record is not None
        return self._record

    def refresh(self) -> Image:
        """Request the image's state from the engine. Raises ImageNotFound."""
        self._record = self._core.backend.inspect_image(self._id)
        return self

    @property
    def last_record(self) -> ImageRecord:
        """Record of the last list or refresh. One from a list holds less; it costs no further request."""
        return self._record or self.record

    @property
    def refs(self) -> tuple[str, ...]:
        """Names with tags in familiar form ("busybox:1"), the same on every engine."""
        return self.last_record.refs

    @property
    def digests(self) -> tuple[str, ...]:
        """Names with digests ("name@sha256:…") of the registries that the image came from or went to."""
        return self.last_record.digests

    @property
    def size(self) -> int:
        """Size in bytes as this engine counts it. Engines count differently: see Engine.layers()."""
        return self.last_record.size

    @property
    def created(self) -> float:
        """Time of creation, in seconds since the epoch."""
        return self.last_record.created

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the image's configuration."""
        return self.last_record.labels

    @property
    def config(self) -> Mapping[str, Any]:
        """The "config" object of the image's configuration (Env, Cmd, Entrypoint, …), as in the image-spec."""
        return self.record.config

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Digest of each layer's uncompressed tar, base first."""
        return self.record.diff_ids

    def __repr__(self) -> str:
        names = f" {', '.join(self._record.refs)}" if self._record and self._record.refs else ""
        return f"<Image {self.short_id}{names}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and other._id == self._id and other._core is self._core

    def __hash__(self) -> int:
        return hash(self._id)

    def to_dict(self) -> dict[str, Any]:
        """Return the image's state as JSON-ready types."""
        record = self.record
        return {
            "id": record.id,
            "refs": list(record.refs),
            "digests": list(record.digests),
            "size": record.size,
            "created": record.created,
            "os": record.os,
            "arch": record.arch,
            "labels": dict(record.labels),
            "diff_ids": list(record.diff_ids),
        }

    def summary(self) -> dict[str, Any]:
        """Return the columns of a list as JSON-ready types, without a request if the object comes from a list."""
        record = self.record
        return {
            "refs": list(record.refs),
            "id": record.id,
            "created": record.created,
            "size": record.size,
        }

    def inspect(self) -> Mapping[str, Any]:
        """Return the engine's own inspect response, requested now. Its form differs between engines and versions."""
        return self.refresh().record.raw

    def layers(self) -> LayerStack:
        """Return the layers of the image, base first."""
        from ..layers import image_layers

        return image_layers(self._core.backend, self._id)

    def history(self) -> tuple[HistoryEntry, ...]:
        """Return the instructions that built the image, oldest first."""
        return ValueTuple(self._core.backend.image_history(self._id))

    def tag(self, ref: str) -> None:
        """Add a name to the image. Raises InvalidReference, or InvalidOption for a name with a digest."""
        if parse(ref).digest:
            raise InvalidOption("ref", ref, "a name with a tag, not with a digest")
        self._core.backend.tag_image(self._id, ref)
        self._record = None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the image, with all its names, to a docker-archive. See :meth:`Images.save`."""
        return save_images(self._core.backend, list(self.refs) or [self._id], path)

    def remove(self, *, force: bool = False) -> None:
        """Remove the image with all its names. Raises InUse while a container, running or not, uses it."""
        backend = self._core.backend
        if not parse_flag("force", force):
            users = [row.name for row in backend.list_containers(all=True, filters={}) if row.image_id == self._id]
            if users:
                raise InUse(
                    f"removing {self.label}: container {users[0]} uses it; remove the container first", status=409
                )
            self._record = None
        # engines want force for an image with several names; with it, Podman would also remove containers
        backend.remove_image(self._id, force=force or len(self.record.refs) > 1, prune=True)


def is_for(record: ImageRecord, platform: str) -> bool:
    """Return whether an image is for a platform. The variant ("v7") is ignored, since few images state theirs."""
    wanted = platform.split("/")[:2]
    return wanted == [record.os, record.arch] if len(wanted) == 2 else wanted[0] in (record.os, record.arch)
