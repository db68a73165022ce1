"""Containers of the engine in memory: create, list, rename, update, remove."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...backends import _parse
from ...backends._render import container_body
from ...backends.base import ContainerRecord, Created
from ...errors import EngineError, NameInUse, NotFound, WrongState
from ...reference import familiar, looks_like_id
from ...spec import ContainerSpec, Mount, NetworkAttachment, ResourceLimits
from .contents import ContentVerbs, merged
from .networks import NetworkVerbs
from .state import FakeContainer, FakeVolume, Filters, Place, fits, labelled, matches, new_id


class ContainerVerbs(ContentVerbs, NetworkVerbs):
    """The methods of containers that need no process."""

    def create_container(self, spec: ContainerSpec) -> Created:
        doing = f"creating container {spec.name or ''} from {spec.image}".replace("  ", " ")
        with self._changed:
            image = self._image(spec.image, doing)
            if any(c.name == spec.name for c in self._containers.values()):
                raise NameInUse(f"{doing}: the name {spec.name} is taken", status=409)
            networks = [(self._network(a.name, doing), a) for a in spec.networks]
            for mount in spec.mounts:
                if mount.kind == "bind" and not Path(mount.source).exists():
                    raise NotFound(f"{doing}: no {mount.source} on this machine to bind; make it first", status=404)
            run = image.run_config
            entrypoint = list(spec.entrypoint if spec.entrypoint is not None else run.get("Entrypoint") or ())
            # an entrypoint option drops the image's command
            own = () if spec.entrypoint is not None else run.get("Cmd") or ()
            argv = (*entrypoint, *(spec.command if spec.command is not None else own))
            if not argv:
                raise EngineError(f"{doing}: no command: the image has none, and none was given", status=400)
            files = image.files()
            mounts = self._mounts_of(spec, run)
            self._mount_volumes(mounts, files)
            config = {**run, **{key: value for key, value in container_body(spec, spec.image).items() if value}}
            config["Cmd"] = list(own if spec.command is None else spec.command)
            config["Env"] = merged(run.get("Env") or [], spec.env)
            name = spec.name or f"fake_{self._number()}"
            made_one = FakeContainer(new_id(), name, spec, image, argv, config, tuple(mounts), files, files.copy())
            for network, attachment in networks:
                made_one.places[network.name] = Place(attachment)
            if not networks and spec.network_mode in (None, "bridge", "host", "none"):
                mode = spec.network_mode or "bridge"
                made_one.places[mode] = Place(NetworkAttachment(mode))
            self._containers[made_one.id] = made_one
            self._tell(made_one, "create")
            return Created(made_one.id)

    def _mounts_of(self, spec: ContainerSpec, run: Mapping[str, Any]) -> list[Mount]:
        """Return the container's mounts, the image's volumes, and the mounts of volumes_from.

        Name the unnamed volumes.
        """
        found = list(spec.mounts)
        for source in spec.volumes_from:
            ref, _, mode = source.partition(":")
            others = self._container(ref, "looking for volumes_from").mounts
            found += [replace(m, read_only=m.read_only or mode == "ro") for m in others if m.kind != "tmpfs"]
        targets = {mount.target for mount in found}
        found += [Mount("volume", "", target) for target in run.get("Volumes") or () if target not in targets]
        for at, mount in enumerate(found):
            if mount.kind == "volume" and not mount.source:
                found[at] = replace(mount, source=new_id())
                self._volumes[found[at].source] = FakeVolume(found[at].source, "local", {}, {}, anonymous=True)
        return found

    def _tell(self, container: FakeContainer, action: str, exit_code: int | None = None) -> None:
        labels = container.labels
        image = container.spec.image
        self._told("container", action, container.id, container.name, labels, exit_code=exit_code, image=image)

    # ---------------------------------------------------------------- asking
    def _record(self, container: FakeContainer, *, size: bool = False) -> ContainerRecord:
        spec = container.spec
        ports = {
            f"{port}/{protocol}": [{"HostIp": host, "HostPort": str(number)} for host, number in found] or None
            for (port, protocol), found in container.ports.items()
        }
        exposed = {**(container.image.run_config.get("ExposedPorts") or {})}
        exposed |= {f"{p.container_port}/{p.protocol}": {} for p in spec.expose}
        state: dict[str, Any] = {
            "Status": container.status,
            "Running": container.alive,
            "Paused": container.status == "paused",
            "ExitCode": container.exit_code,
            "Pid": container.pid,
            "OOMKilled": False,
            "Error": "",
        }
        if container.health:
            state["Health"] = {"Status": container.health, "FailingStreak": container.failures}
        raw: dict[str, Any] = {
            "Id": container.id,
            "Name": f"/{container.name}",
            "Created": dt.datetime.fromtimestamp(container.created, dt.timezone.utc).isoformat(),
            "Path": container.argv[0],
            "Args": list(container.argv[1:]),
            "Image": container.image.id,
            "State": state,
            "Config": {**container.config, "Labels": container.labels},
            "HostConfig": container.config.get("HostConfig", {}),
            "Mounts": [self._mount_row(mount) for mount in container.mounts if mount.kind != "tmpfs"],
            "NetworkSettings": {
                "Ports": {**dict.fromkeys(exposed), **ports},
                "Networks": {name: self._endpoint_row(name, place) for name, place in container.places.items()},
            },
        }
        if size:
            changed = [c.path for c in container.files.changes(container.base) if c.kind != "deleted"]
            raw["SizeRw"] = sum(len(container.files.entries[path].data) for path in changed)
            raw["SizeRootFs"] = sum(len(file.data) for file in container.files.entries.values())
        name = spec.image if looks_like_id(spec.image) else familiar(spec.image)
        return _parse.container(raw, name)

    def _mount_row(self, mount: Mount) -> dict[str, Any]:
        volume = self._volumes.get(mount.source) if mount.kind == "volume" else None
        return {
            "Type": mount.kind,
            "Name": volume.name if volume else "",
            "Source": self._volume_record(volume).mountpoint if volume else mount.source,
            "Destination": mount.target,
            "RW": not mount.read_only,
        }

    def _endpoint_row(self, name: str, place: Place) -> dict[str, Any]:
        network = next((n for n in self._networks.values() if n.name == name), None)
        return {
            "IPAddress": place.address,
            "MacAddress": place.mac,
            "Gateway": network.gateway if network and place.address else "",
            "Aliases": list(place.asked.aliases),
        }

    def inspect_container(self, ref: str, *, size: bool = False) -> ContainerRecord:
        with self._changed:
            return self._record(self._container(ref, f"inspecting container {ref}"), size=size)

    def list_containers(self, *, all: bool, filters: Filters) -> tuple[ContainerRecord, ...]:
        everything = all or "status" in filters or "exited" in filters
        with self._changed:
            known = self._container_filters()
            return tuple(
                replace(self._record(container), complete=False)
                for container in reversed(self._containers.values())
                if (everything or container.alive) and fits(container, filters, known, "containers")
            )

    def _container_filters(self) -> dict[str, Any]:
        order = list(self._containers)

        def place(ref: str) -> int:
            return order.index(self._container(ref, "listing containers").id)

        def descends(container: FakeContainer, ref: str) -> bool:
            wanted = self._image(ref, "listing containers")
            layers = container.image.layers
            return container.image is wanted or (bool(wanted.layers) and layers[: len(wanted.layers)] == wanted.layers)

        return {
            "id": lambda c, value: c.id.startswith(value),
            "name": lambda c, value: matches(value.lstrip("/"), c.name),
            "label": lambda c, value: labelled(c.labels, value),
            "label!": lambda c, value: not labelled(c.labels, value),
            "status": lambda c, value: c.status == value,
            "exited": lambda c, value: c.status == "exited" and str(c.exit_code) == value,
            "health": lambda c, value: (c.health or "none") == value,
            "ancestor": descends,
            "network": lambda c, value: value in c.places,
            "volume": lambda c, value: any(value in (m.source, m.target) for m in c.mounts),
            "before": lambda c, value: order.index(c.id) < place(value),
            "since": lambda c, value: order.index(c.id) > place(value),
        }

    # ---------------------------------------------------------------- changing
    def rename_container(self, ref: str, name: str) -> None:
        doing = f"renaming container {ref} to {name}"
        with self._changed:
            found = self._container(ref, doing)
            if any(other.name == name for other in self._containers.values() if other is not found):
                raise NameInUse(f"{doing}: the name is taken", status=409)
            found.name = name
            self._tell(found, "rename")

    def update_container(self, ref: str, limits: ResourceLimits, restart: str | None) -> tuple[str, ...]:
        with self._changed:
            found = self._container(ref, f"updating container {ref}")
            asked = {name: getattr(limits, name) for name in limits.requested()}
            found.spec = replace(found.spec, limits=replace(found.spec.limits, **asked))
            found.config["HostConfig"] = container_body(found.spec, found.spec.image)["HostConfig"]
            self._tell(found, "update")
            return ()

    def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        doing = f"removing container {ref}"
        with self._changed:
            found = self._container(ref, doing)
            if found.alive and not force:
                raise WrongState(f"{doing}: it is {found.status}; stop it first", actual=found.status, status=409)
            if found.alive:
                self._end(found, 137)
            self._forget(found, volumes=volumes)

    @abstractmethod
    def _end(self, container: FakeContainer, exit_code: int) -> None:
        """Mark a container as ended."""

    def _forget(self, container: FakeContainer, *, volumes: bool) -> None:
        if self._containers.pop(container.id, None) is None:
            return
        for line in container.attached:
            line.close()
        self._tell(container, "destroy")
        for mount in container.mounts if volumes else ():
            volume = self._volumes.get(mount.source) if mount.kind == "volume" else None
            if volume and volume.anonymous and not self._volume_users(volume):
                del self._volumes[volume.name]
