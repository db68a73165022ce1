"""Volumes, networks and events, over the endpoints that both engines serve alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import EngineError, EngineUnavailable, InUse, NameInUse, NetworkNotFound, NotFound, VolumeNotFound
from ..spec import NetworkAttachment, NetworkSpec, VolumeSpec
from ..streams import Stream
from . import _json, _parse, _parse_images
from ._http import HttpBackend, path, recast, short
from ._render import endpoint_body, network_body, query_filters, volume_body
from ._retry import retry_stable
from .base import REQUEST_LABEL, EngineDiskUsage, Event, NetworkRecord, Raw, VolumeRecord


class ResourceVerbs(HttpBackend):
    """Volumes, networks, events: requests that are the same on both engines, and hooks for the others."""

    # ---------------------------------------------------------------- volumes
    def create_volume(self, spec: VolumeSpec) -> VolumeRecord:
        doing = f"creating volume {spec.name}"
        if spec.name:
            # Docker returns an existing volume as if it had created it; so look before, and compare labels after.
            try:
                self.inspect_volume(spec.name)
            except VolumeNotFound:
                pass
            else:
                raise NameInUse(f"{doing}: a volume of that name exists; use volumes.get, or another name")
        body = volume_body(spec)
        record = self._made(
            lambda: self._read(doing, _parse.volume, self._object("POST", "/volumes/create", doing, body=body)),
            lambda: self._volume_by(spec),
        )
        if any(record.labels.get(key) != value for key, value in spec.labels.items()):
            raise NameInUse(f"{doing}: another program created it at the same time")
        return record

    def _volume_by(self, spec: VolumeSpec) -> VolumeRecord | None:
        """Return the volume of a create whose response was lost, by the label that only it has."""
        request = spec.labels.get(REQUEST_LABEL)
        if not request:
            raise EngineUnavailable(f"creating volume {spec.name}: the response was lost")
        found = self.list_volumes(filters={"label": [f"{REQUEST_LABEL}={request}"]})
        return found[0] if found else None

    def inspect_volume(self, name: str) -> VolumeRecord:
        doing = f"inspecting volume {name}"
        try:
            return self._read(doing, _parse.volume, self._object("GET", path("/volumes/{}", name), doing))
        except EngineError as exc:
            if exc.status == 404:
                raise recast(exc, VolumeNotFound, f"no volume {name}") from None
            raise

    def list_volumes(self, *, filters: Mapping[str, Sequence[str]]) -> tuple[VolumeRecord, ...]:
        doing = "listing volumes"
        answer = self._object("GET", "/volumes", doing, params={"filters": query_filters(filters)})
        return self._read(doing, _parse.volumes, answer)

    def remove_volume(self, name: str, *, force: bool) -> None:
        doing = f"removing volume {name}"
        try:
            # `force` is not sent: Podman's also removes the containers that use the volume.
            self._call("DELETE", path("/volumes/{}", name), doing)
        except EngineError as exc:
            try:
                self.inspect_volume(name)
            except VolumeNotFound as missing:
                if force:
                    return
                raise missing from exc
            if exc.status == 409:
                raise recast(exc, InUse, f"{doing}: {exc.explanation}") from None
            raise

    # ---------------------------------------------------------------- networks
    def create_network(self, spec: NetworkSpec) -> NetworkRecord:
        doing = f"creating network {spec.name}"
        if self._network_named(spec.name):
            raise NameInUse(f"{doing}: a network of that name exists; use networks.get, or another name")
        try:
            answer = self._made(
                lambda: self._object("POST", "/networks/create", doing, body=network_body(spec)),
                lambda: self._network_by(spec),
            )
        except EngineError as exc:
            if self._network_named(spec.name):
                raise recast(exc, NameInUse, f"{doing}: a network of that name exists") from None
            raise
        return self.inspect_network(self._read(doing, lambda raw: _json.required(raw, "Id", str), answer))

    def _network_by(self, spec: NetworkSpec) -> dict[str, Any] | None:
        """Return the response of a create that was lost, by the label that only its network has."""
        request = spec.labels.get(REQUEST_LABEL)
        if not request:
            raise EngineUnavailable(f"creating network {spec.name}: the response was lost")
        found = self.list_networks(filters={"label": [f"{REQUEST_LABEL}={request}"]})
        return {"Id": found[0].id} if found else None

    def _network_named(self, name: str) -> bool:
        try:
            return self.inspect_network(name).name == name
        except NetworkNotFound:
            return False

    def inspect_network(self, ref: str) -> NetworkRecord:
        doing = f"inspecting network {ref}"
        try:
            return self._read(doing, self._network, self._object("GET", path("/networks/{}", ref), doing))
        except EngineError as exc:
            if exc.status == 404:
                raise recast(exc, NetworkNotFound, f"no network {ref}") from None
            raise

    def _network(self, raw: Raw) -> NetworkRecord:
        return _parse.network(raw)

    def list_networks(self, *, filters: Mapping[str, Sequence[str]]) -> tuple[NetworkRecord, ...]:
        doing = "listing networks"
        rows = self._rows("GET", "/networks", doing, params={"filters": query_filters(filters)})
        return tuple(self._read(doing, self._network, row) for row in rows)

    def remove_network(self, ref: str) -> None:
        doing = f"removing network {ref}"
        self._refuse_network_in_use(ref, doing)
        try:
            self._call("DELETE", path("/networks/{}", ref), doing)
        except EngineError as exc:
            record = self.inspect_network(ref)  # raises if the network is gone
            if record.containers:
                names = ", ".join(item.name or item.id[:12] for item in record.containers)
                raise recast(exc, InUse, f"{doing}: {names} still attached") from None
            raise

    def _refuse_network_in_use(self, ref: str, doing: str) -> None:
        """Raise InUse where the engine itself would remove a network in use."""

    # ---------------------------------------------------------------- attached containers
    def connect_network(self, ref: str, container: str, attachment: NetworkAttachment) -> None:
        doing = f"connecting container {short(container)} to network {ref}"
        body = {"Container": container, "EndpointConfig": endpoint_body(attachment)}
        try:
            self._call("POST", path("/networks/{}/connect", ref), doing, body=body)
        except EngineError as exc:
            network = self.inspect_network(ref)
            record = self.inspect_container(container)
            if network.name in record.networks:
                raise recast(exc, InUse, f"{doing}: it is already on that network") from None
            raise

    def disconnect_network(self, ref: str, container: str, *, force: bool) -> None:
        doing = f"disconnecting container {short(container)} from network {ref}"
        try:
            self._call(
                "POST", path("/networks/{}/disconnect", ref), doing, body={"Container": container, "Force": force}
            )
        except EngineError as exc:
            network = self.inspect_network(ref)
            record = self.inspect_container(container)
            if network.name not in record.networks:
                raise NotFound(f"{doing}: it is not on that network", status=exc.status) from exc
            raise

    # ---------------------------------------------------------------- the engine
    def events(
        self, *, since: float | None, until: float | None, filters: Mapping[str, Sequence[str]]
    ) -> Stream[Event]:
        doing = "reading events"
        params = {
            "since": None if since is None else f"{since:.9f}",
            "until": None if until is None else f"{until:.9f}",
            "filters": query_filters(filters),
            **self._event_params(until),
        }
        response = self._open("GET", "/events", doing, params=params, slow=True, quiet=True)

        def read() -> Iterator[Event]:
            for raw in _json.json_lines(response.chunks, doing):
                event = self._read(doing, _parse.event, raw)
                if until is None or event.time <= until:
                    yield event
            if until is None:
                raise EngineUnavailable(f"{doing}: {self.url} ended the stream of events")

        return Stream(read(), on_close=response.close)

    def _event_params(self, until: float | None) -> Mapping[str, bool | float]:
        """Return what the query of events needs beside the common parameters."""
        return {}

    def engine_disk_usage(self) -> EngineDiskUsage:
        doing = "reading the disk usage"
        raw = retry_stable(lambda: self._object("GET", "/system/df", doing, slow=True))
        return self._read(doing, _parse_images.disk_usage, raw)
