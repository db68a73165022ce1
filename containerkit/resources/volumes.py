"""Volumes: what an Engine has of them, and one of them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..backends.base import VolumeRecord
from ..errors import InUse, VolumeNotFound
from ..options import filters as read_filters
from ..options import flag, object_ref, volume_spec

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 12):
        from typing import Unpack
    else:
        from typing_extensions import Unpack

    from ..options import VolumeOptions
    from .core import Core

__all__ = ["Volume", "Volumes"]


class Volume:
    """One volume; in `with` it is removed at the end."""

    def __init__(self, core: Core, record: VolumeRecord) -> None:
        self._core = core
        self.record = record

    @property
    def name(self) -> str:
        """As given, or as the engine made one up."""
        return self.record.name

    @property
    def driver(self) -> str:
        """ "local", unless another was asked for."""
        return self.record.driver

    @property
    def mountpoint(self) -> str:
        """Where it lies on the engine's host."""
        return self.record.mountpoint

    @property
    def labels(self) -> Mapping[str, str]:
        """Its own, and those by which containerkit knows its session."""
        return self.record.labels

    @property
    def options(self) -> Mapping[str, str]:
        """What its driver was told."""
        return self.record.options

    @property
    def created(self) -> float:
        """Seconds since the epoch."""
        return self.record.created

    def __repr__(self) -> str:
        return f"<Volume {self.name} ({self.driver})>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Volume) and other.name == self.name and other._core is self._core

    def __hash__(self) -> int:
        return hash(self.name)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        record = self.record
        return {
            "name": record.name,
            "driver": record.driver,
            "mountpoint": record.mountpoint,
            "labels": dict(record.labels),
            "options": dict(record.options),
            "created": record.created,
        }

    def inspect(self) -> Mapping[str, Any]:
        """The engine's own words, asked now."""
        self.record = self._core.backend.inspect_volume(self.name)
        return self.record.raw

    def remove(self) -> None:
        """Remove it with what it holds. Raises InUse while a container, running or not, has it; VolumeNotFound."""
        Volumes(self._core).remove(self.name)

    def __enter__(self) -> Volume:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(VolumeNotFound):
            self.remove()


class Volumes:
    """The volumes of an engine."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def create(self, name: str | None = None, *, keep: bool = False, **options: Unpack[VolumeOptions]) -> Volume:
        """Create a volume; without a name the engine gives it one.

        Args:
            keep: it outlives this Engine, and no cleanup touches it.
            options: driver, options, labels.

        Raises:
            NameInUse: there is one of that name, on every engine.
        """
        spec = volume_spec(name, **options)
        session, backend = self._core.session, self._core.backend
        with session.creating(keep=flag("keep", keep)) as labels:
            record = backend.create_volume(replace(spec, labels={**spec.labels, **labels}))
            if not keep:
                session.own(f"volume {record.name}", lambda: backend.remove_volume(record.name, force=True))
        return Volume(self._core, record)

    def get(self, name: str) -> Volume:
        """By name. Raises VolumeNotFound."""
        return Volume(self._core, self._core.backend.inspect_volume(_name(name)))

    def exists(self, name: str) -> bool:
        """Whether there is one of that name."""
        try:
            self.get(name)
        except VolumeNotFound:
            return False
        return True

    def list(self, *, filters: Mapping[str, Any] | None = None) -> list[Volume]:
        """All of them, in one call. Filters as `docker volume ls --filter` takes them."""
        records = self._core.backend.list_volumes(filters=read_filters(filters))
        return [Volume(self._core, record) for record in records]

    def remove(self, name: str) -> None:
        """Remove one with what it holds. Raises InUse while a container, running or not, has it; VolumeNotFound."""
        self._core.backend.remove_volume(_name(name), force=False)
        self._core.session.disown(f"volume {name}")

    def prune(self, *, filters: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Remove every volume, named or not, that no container has; gives their names."""
        gone = []
        for volume in self.list(filters=filters):
            with contextlib.suppress(InUse, VolumeNotFound):
                volume.remove()
                gone.append(volume.name)
        return tuple(gone)


def _name(name: object) -> str:
    return object_ref("name", name, "a volume's name")
