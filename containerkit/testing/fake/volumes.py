"""Volumes of the engine in memory: each is a file tree."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ...backends import _parse
from ...backends.base import VolumeRecord
from ...errors import InUse, NameInUse, VolumeNotFound
from ...spec import Mount, VolumeSpec
from .files import Files
from .state import FakeVolume, Filters, World, fits, labelled, matches, new_id, truth


class VolumeVerbs(World):
    """The methods of volumes."""

    def _volume(self, name: str, doing: str) -> FakeVolume:
        found = self._volumes.get(name)
        if found is None:
            raise VolumeNotFound(f"{doing}: no volume {name}", status=404, explanation=f"no such volume: {name}")
        return found

    def _volume_record(self, volume: FakeVolume) -> VolumeRecord:
        return _parse.volume(
            {
                "Name": volume.name,
                "Driver": volume.driver,
                "Mountpoint": f"/var/lib/containerkit-fake/volumes/{volume.name}/_data",
                "Labels": dict(volume.labels),
                "Options": dict(volume.options),
                "CreatedAt": dt.datetime.fromtimestamp(volume.created, dt.timezone.utc).isoformat(),
                "Scope": "local",
            }
        )

    def _volume_users(self, volume: FakeVolume) -> list[str]:
        return [
            container.name
            for container in self._containers.values()
            if any(mount.kind == "volume" and mount.source == volume.name for mount in container.mounts)
        ]

    def create_volume(self, spec: VolumeSpec) -> VolumeRecord:
        with self._changed:
            name = spec.name or new_id()
            if name in self._volumes:
                raise NameInUse(f"creating volume {name}: there is a volume of that name", status=409)
            made = self._volumes[name] = FakeVolume(name, spec.driver, dict(spec.options), dict(spec.labels))
            self._told("volume", "create", name, name, made.labels)
            return self._volume_record(made)

    def _mount_volumes(self, mounts: list[Mount], files: Files) -> None:
        """Create missing volumes, filled with the image's files at their target."""
        for mount in mounts:
            if mount.kind != "volume":
                continue
            volume = self._volumes.setdefault(mount.source, FakeVolume(mount.source, "local", {}, {}))
            if len(volume.files.entries) == 1 and not mount.no_copy and mount.target in files.entries:
                volume.files.unpack(files.pack(mount.target))

    def inspect_volume(self, name: str) -> VolumeRecord:
        with self._changed:
            return self._volume_record(self._volume(name, f"inspecting volume {name}"))

    def list_volumes(self, *, filters: Filters) -> tuple[VolumeRecord, ...]:
        known: dict[str, Any] = {
            "name": lambda volume, value: matches(value, volume.name),
            "label": lambda volume, value: labelled(volume.labels, value),
            "label!": lambda volume, value: not labelled(volume.labels, value),
            "driver": lambda volume, value: volume.driver == value,
            "dangling": lambda volume, value: truth(value) == (not self._volume_users(volume)),
        }
        with self._changed:
            found = [volume for volume in self._volumes.values() if fits(volume, filters, known, "volumes")]
            return tuple(map(self._volume_record, found))

    def remove_volume(self, name: str, *, force: bool) -> None:
        doing = f"removing volume {name}"
        with self._changed:
            if force and name not in self._volumes:
                return
            volume = self._volume(name, doing)
            users = self._volume_users(volume)
            if users:
                raise InUse(f"{doing}: container {', '.join(users)} has it", status=409)
            del self._volumes[name]
            self._told("volume", "destroy", name, name, volume.labels)
