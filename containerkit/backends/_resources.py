"""The verbs of volumes and networks, and of the engine itself, over the endpoints that both engines serve alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import EngineError, EngineUnavailable, InUse, NameInUse, NetworkNotFound, VolumeNotFound
from ..spec import NetworkSpec, VolumeSpec
from ..streams import Stream
from . import _parse
from ._http import REQUEST_LABEL, HttpBackend, path, undisturbed
from ._render import network_body, query_filters, volume_body
from ._translate import recast
from .base import Event, NetworkRecord, Raw, VolumeRecord


class ResourceVerbs(HttpBackend):
    """Volumes, networks, events: what both engines answer alike; the rest are hooks."""

    # ---------------------------------------------------------------- volumes
    def create_volume(self, spec: VolumeSpec) -> VolumeRecord:
        doing = f"creating volume {spec.name}"
        if spec.name:
            # Docker gives an existing volume as if it had been made; so ask before, and compare labels after.
            try:
                self.inspect_volume(spec.name)
            except VolumeNotFound:
                pass
            else:
                raise NameInUse(f"{doing}: there is a volume of that name; use volumes.get, or another name")
        body = volume_body(spec)
        record = self._made(
            lambda: _parse.volume(_parse.mapping(self._json("POST", "/volumes/create", doing, body=body))),
            lambda: self._volume_by(spec),
        )
        if any(record.labels.get(key) != value for key, value in spec.labels.items()):
            raise NameInUse(f"{doing}: another program made it in the same moment")
        return record

    def _volume_by(self, spec: VolumeSpec) -> VolumeRecord | None:
        """The volume of a create whose answer was lost, by the label that only it has."""
        request = spec.labels.get(REQUEST_LABEL)
        if not request:
            raise EngineUnavailable(f"creating volume {spec.name}: the answer was lost")
        found = self.list_volumes(filters={"label": [f"{REQUEST_LABEL}={request}"]})
        return found[0] if found else None

    def inspect_volume(self, name: str) -> VolumeRecord:
        try:
            raw = self._json("GET", path("/volumes/{}", name), f"inspecting volume {name}")
        except EngineError as exc:
            if exc.status == 404:
                raise recast(exc, VolumeNotFound, f"no volume {name}") from exc
            raise
        return _parse.volume(_parse.mapping(raw))

    def list_volumes(self, *, filters: Mapping[str, Sequence[str]]) -> tuple[VolumeRecord, ...]:
        answer = self._json("GET", "/volumes", "listing volumes", params={"filters": query_filters(filters)})
        rows = _parse.sequence(_parse.mapping(answer).get("Volumes"))
        return tuple(_parse.volume(_parse.mapping(row)) for row in rows)

    def remove_volume(self, name: str, *, force: bool) -> None:
        doing = f"removing volume {name}"
        try:
            # force only forgives a missing volume here: Podman's own would also remove the containers that use it.
            self._call("DELETE", path("/volumes/{}", name), doing)
        except EngineError as exc:
            try:
                self.inspect_volume(name)
            except VolumeNotFound as missing:
                if force:
                    return
                raise missing from exc
            if exc.status == 409:
                raise recast(exc, InUse, f"{doing}: {exc.explanation}") from exc
            raise

    # ---------------------------------------------------------------- networks
    def create_network(self, spec: NetworkSpec) -> NetworkRecord:
        doing = f"creating network {spec.name}"
        if self._network_named(spec.name):
            raise NameInUse(f"{doing}: there is a network of that name; use networks.get, or another name")
        try:
            answer = self._made(
                lambda: self._json("POST", "/networks/create", doing, body=network_body(spec)),
                lambda: self._network_by(spec),
            )
        except EngineError as exc:
            if self._network_named(spec.name):
                raise recast(exc, NameInUse, f"{doing}: there is a network of that name") from exc
            raise
        return self.inspect_network(_parse.text(_parse.mapping(answer).get("Id")) or spec.name)

    def _network_by(self, spec: NetworkSpec) -> Raw | None:
        """The answer of a create that was lost, if the network of that name is the one that it made."""
        request = spec.labels.get(REQUEST_LABEL)
        if not request:
            raise EngineUnavailable(f"creating network {spec.name}: the answer was lost")
        found = self.list_networks(filters={"label": [f"{REQUEST_LABEL}={request}"]})
        return {"Id": found[0].id} if found else None

    def _network_named(self, name: str) -> bool:
        try:
            return self.inspect_network(name).name == name
        except NetworkNotFound:
            return False

    def inspect_network(self, ref: str) -> NetworkRecord:
        try:
            raw = self._json("GET", path("/networks/{}", ref), f"inspecting network {ref}")
        except EngineError as exc:
            if exc.status == 404:
                raise recast(exc, NetworkNotFound, f"no network {ref}") from exc
            raise
        return _parse.network(_parse.mapping(raw))

    def list_networks(self, *, filters: Mapping[str, Sequence[str]]) -> tuple[NetworkRecord, ...]:
        rows = self._json("GET", "/networks", "listing networks", params={"filters": query_filters(filters)})
        return tuple(_parse.network(_parse.mapping(row)) for row in _parse.sequence(rows))

    def remove_network(self, ref: str) -> None:
        doing = f"removing network {ref}"
        self._refuse_network_in_use(ref, doing)
        try:
            self._call("DELETE", path("/networks/{}", ref), doing)
        except EngineError as exc:
            record = self.inspect_network(ref)  # raises if it is gone
            if record.containers:
                names = ", ".join(item.name or item.id[:12] for item in record.containers)
                raise recast(exc, InUse, f"{doing}: {names} still attached") from exc
            raise

    def _refuse_network_in_use(self, ref: str, doing: str) -> None:
        """Raise InUse where the engine itself would remove a network under its containers."""

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
        source, chunks = self._lines("GET", "/events", doing, params=params)
        events = (_parse.event(raw) for raw in _parse.json_lines(chunks, doing))
        return Stream((event for event in events if until is None or event.time <= until), on_close=source.close)

    def _event_params(self, until: float | None) -> Mapping[str, bool | float]:
        return {}

    def engine_disk_usage(self) -> Raw:
        return _parse.mapping(
            undisturbed(lambda: self._json("GET", "/system/df", "asking for disk usage", timeout=600.0))
        )
