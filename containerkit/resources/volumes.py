"""Volumes of an engine."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..backends.base import VolumeRecord
from ..errors import InUse, VolumeNotFound
from ..options import parse_filters, parse_flag, parse_object, volume_spec, with_options
from ..options.table import VOLUME
from ..values import Shown, ValueList
from .pruned import Pruned

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options import VolumeOptions
    from .core import Core

#: Name that an engine gives to a volume without one.
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")


class Volume(Shown):
    """One volume. Properties show the state as of the last refresh(). Leaving its `with` block removes it."""

    def __init__(self, core: Core, record: VolumeRecord) -> None:
        self._core = core
        self.record = record

    @property
    def name(self) -> str:
        """Name of the volume, given by the user or by the engine."""
        return self.record.name

    @property
    def driver(self) -> str:
        """Driver of the volume, "local" by default."""
        return self.record.driver

    @property
    def mountpoint(self) -> str:
        """Path of the volume on the engine's host."""
        return self.record.mountpoint

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the volume, including those of the containerkit session."""
        return self.record.labels

    @property
    def options(self) -> Mapping[str, str]:
        """Options of the volume's driver."""
        return self.record.options

    @property
    def created(self) -> float:
        """Time of creation, in seconds since the epoch."""
        return self.record.created

    @property
    def anonymous(self) -> bool:
        """True if the engine made the name up: 64 hexadecimal digits."""
        return _ANONYMOUS.fullmatch(self.name) is not None

    def refresh(self) -> Volume:
        """Request the volume's state from the engine. Raises VolumeNotFound."""
        self.record = self._core.backend.inspect_volume(self.name)
        return self

    def __repr__(self) -> str:
        return f"<Volume {self.name} ({self.driver})>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Volume) and other.name == self.name and other._core is self._core

    def __hash__(self) -> int:
        return hash(self.name)

    def to_dict(self) -> dict[str, Any]:
        """Return the volume's state as JSON-ready types."""
        record = self.record
        return {
            "name": record.name,
            "driver": record.driver,
            "mountpoint": record.mountpoint,
            "labels": dict(record.labels),
            "options": dict(record.options),
            "created": record.created,
        }

    def summary(self) -> dict[str, Any]:
        """Return the columns of a list as JSON-ready types, without a request."""
        return {"name": self.name, "driver": self.driver, "created": self.created}

    def inspect(self) -> Mapping[str, Any]:
        """Return the engine's own inspect response, requested now."""
        return self.refresh().record.raw

    def remove(self) -> None:
        """Remove the volume and its data. Raises InUse while a container, running or not, uses it; VolumeNotFound."""
        Volumes(self._core).remove(self.name)

    def __enter__(self) -> Volume:
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(VolumeNotFound):
            self.remove()


class Volumes:
    """The volumes of an engine."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @with_options(VOLUME)
    def create(self, name: str | None = None, *, keep: bool = False, **options: Unpack[VolumeOptions]) -> Volume:
        """Create a volume.

        A named volume that run() or start() creates by ``volumes="name:/path"`` is the user's, as with both command
        lines: it outlives the Engine. Create it here to have it removed.

        Args:
            name: name of the volume; None lets the engine make one up.
            keep: the volume outlives this Engine, and cleanup() never removes it.
            options: driver, options, labels.

        Raises:
            NameInUse: a volume of that name exists.
        """
        spec = volume_spec(name, **options)
        session, backend = self._core.session, self._core.backend
        with session.creating(keep=parse_flag("keep", keep)) as labels:
            record = backend.create_volume(replace(spec, labels={**spec.labels, **labels}))
            if not keep:
                session.own(f"volume {record.name}", lambda: backend.remove_volume(record.name, force=True))
        return Volume(self._core, record)

    def get(self, name: str) -> Volume:
        """Return a volume by name. Raises VolumeNotFound."""
        return Volume(self._core, self._core.backend.inspect_volume(_volume_ref(name)))

    def exists(self, name: str) -> bool:
        """Return whether a volume of that name exists."""
        try:
            self.get(name)
        except VolumeNotFound:
            return False
        return True

    def list(self, *, filters: Mapping[str, Any] | None = None) -> list[Volume]:
        """Return all volumes, in one request. Filters are those of `docker volume ls --filter`."""
        records = self._core.backend.list_volumes(filters=parse_filters("filters", filters))
        return ValueList(Volume(self._core, record) for record in records)

    def remove(self, name: str) -> None:
        """Remove a volume and its data. Raises InUse while a container, running or not, uses it; VolumeNotFound."""
        self._core.backend.remove_volume(_volume_ref(name), force=False)
        self._core.session.disown(f"volume {name}")

    def prune(self, *, all: bool = False, filters: Mapping[str, Any] | None = None) -> Pruned:
        """Remove the anonymous volumes that no container uses.

        Args:
            all: remove named volumes too. Their data is lost.
            filters: as `docker volume prune --filter`.

        Returns:
            The names of the removed volumes.
        """
        parse_flag("all", all)
        removed = []
        for volume in self.list(filters=filters):
            if all or volume.anonymous:
                with contextlib.suppress(InUse, VolumeNotFound):
                    volume.remove()
                    removed.append(volume.name)
        return Pruned(tuple(removed))


def _volume_ref(name: object) -> str:
    return parse_object("name", name, "a volume's name")
