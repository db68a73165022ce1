"""Create, inspect and list containers, over the endpoints that both engines serve alike."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import (
    ContainerNotFound,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    ImageNotFound,
    NameInUse,
    NetworkNotFound,
    NotFound,
    Unsupported,
)
from ..spec import ContainerSpec, NetworkAttachment
from . import _json, _parse
from ._files import FileVerbs
from ._http import path, recast, short
from ._peer import surely_missing
from ._processes import ProcessVerbs
from ._render import container_body, container_query, query_filters
from ._retry import retry_ending
from .base import REQUEST_LABEL, Capability, ContainerRecord, Created, Raw


class ContainerVerbs(ProcessVerbs, FileVerbs):
    """Containers: requests that are the same on both engines, and hooks for the others."""

    # ---------------------------------------------------------------- hooks
    @abstractmethod
    def _stored_name(self, ref: str) -> str:
        """Return the name under which an existing image is in this engine's store."""

    @abstractmethod
    def _adapt(self, spec: ContainerSpec, body: dict[str, Any]) -> Sequence[NetworkAttachment]:
        """Change the body of a create where this engine differs. Return the networks to connect after the create."""

    def _ignored_options(self, spec: ContainerSpec) -> Iterator[str]:
        """Yield the options of the spec that this engine accepts and does not apply."""
        if spec.oom_kill_disable and (
            self.first_info().cgroup_version != 1 or Capability.MEMORY_LIMIT not in self.capabilities
        ):
            yield "oom_kill_disable (it needs cgroup v1 and the memory controller)"
        if self.first_info().rootless:  # a user namespace cannot filter devices
            limited = (device for device in spec.devices if set(device.permissions) != set("rwm"))
            yield from (f"permissions {device.permissions!r} of {device.host_path}" for device in limited)

    def _familiar(self, ref: str) -> str:
        """Return the name of an image as users write it."""
        return ref

    # ---------------------------------------------------------------- create and inspect
    def create_container(self, spec: ContainerSpec) -> Created:
        doing = f"creating container {spec.name or ''} from {spec.image}".replace("  ", " ")
        if lost := list(self._ignored_options(spec)):
            raise Unsupported(f"{doing}: this engine ignores {', '.join(lost)}")
        self._refuse_missing_sources(spec, doing)
        self._refuse_unreachable_ports(spec, doing)
        body = container_body(spec, self._stored_name(spec.image), unlimited_swap=self._swap_at_create)
        later = self._adapt(spec, body)
        params = container_query(spec)
        try:
            created = self._made(
                lambda: self._object("POST", "/containers/create", doing, params=params, body=body),
                lambda: self._made_by(spec),
            )
        except EngineError as exc:
            raise self._why_not_created(exc, spec, doing) from exc
        identity = self._read(doing, lambda raw: _json.required(raw, "Id", str), created)
        try:
            for attachment in later:
                self.connect_network(attachment.name, identity, attachment)
            self._verify(identity, spec, doing)
        except BaseException:
            with contextlib.suppress(EngineError, EngineUnavailable, EngineTimeout):
                self.remove_container(identity, force=True, volumes=True)
            raise
        return Created(identity, tuple(filter(None, _json.texts(created.get("Warnings")))))

    def _made_by(self, spec: ContainerSpec) -> dict[str, Any] | None:
        """Return the response of a create that was lost, by the label that only its container has."""
        request = spec.labels.get(REQUEST_LABEL)
        if not request:
            raise EngineUnavailable(f"creating a container from {spec.image}: the response was lost")
        found = self.list_containers(all=True, filters={"label": [f"{REQUEST_LABEL}={request}"]})
        return {"Id": found[0].id} if found else None

    def _why_not_created(self, exc: EngineError, spec: ContainerSpec, doing: str) -> EngineError:
        """Return why a create failed: the status does not tell a taken name from a missing image or network."""
        if spec.name:
            with contextlib.suppress(NotFound):
                taken = self.inspect_container(spec.name)
                if taken.name == spec.name:
                    words = f"{doing}: the name {spec.name} is taken by container {taken.id[:12]} ({taken.status}); "
                    return recast(exc, NameInUse, words + "remove or rename that one, or choose another name")
        try:
            self.inspect_image(spec.image)
        except ImageNotFound:
            return recast(exc, ImageNotFound, f'{doing}: no image {spec.image} here; pull it, or use pull="missing"')
        if source := self._missing_source(spec):
            return recast(exc, NotFound, f"{doing}: no {source} on the engine's machine to bind; create it first")
        for attachment in spec.networks:
            if not self._exists(attachment.name):
                return recast(exc, NetworkNotFound, f"{doing}: no network {attachment.name}; create it first")
        if spec.platform and exc.status == 404:
            return recast(exc, ImageNotFound, f"{doing}: the image is not here for {spec.platform}")
        return exc

    def _refuse_unreachable_ports(self, spec: ContainerSpec, doing: str) -> None:
        """Raise Unsupported if all networks are internal: the engine accepts ports and does not publish them there."""
        if spec.publish and spec.networks and all(self.inspect_network(n.name).internal for n in spec.networks):
            names = ", ".join(attachment.name for attachment in spec.networks)
            raise Unsupported(
                f"{doing}: ports cannot be published, because the network is internal ({names}); add another network"
            )

    def _missing_source(self, spec: ContainerSpec) -> str:
        """Return the first bind mount's source that is known to be missing, or ""."""
        sources = (mount.source for mount in spec.mounts if mount.kind == "bind")
        return next((source for source in sources if surely_missing(self.url, source)), "")

    def _refuse_missing_sources(self, spec: ContainerSpec, doing: str) -> None:
        """Raise NotFound where the engine itself would create an empty folder for a missing source."""

    def _exists(self, network: str) -> bool:
        try:
            self.inspect_network(network)
        except NetworkNotFound:
            return False
        return True

    def _verify(self, identity: str, spec: ContainerSpec, doing: str) -> None:
        """Raise Unsupported if the created container lacks an option that guards security."""
        confined = (spec.read_only, spec.cap_drop, spec.security_opt, spec.ipc, spec.cgroupns)
        if (
            not any(confined)
            and not spec.user
            and not spec.ulimits
            and not any(mount.read_only for mount in spec.mounts)
        ):
            return
        record = self.inspect_container(identity)
        host, config = _json.mapping(record.raw.get("HostConfig")), _json.mapping(record.raw.get("Config"))
        missing = []
        if spec.read_only and host.get("ReadonlyRootfs") is not True:
            missing.append("read_only")
        if spec.user and _json.text(config.get("User")) != spec.user:
            missing.append(f"user={spec.user}")
        mounted = {mount.target.rstrip("/") or "/": mount for mount in record.mounts}
        for mount in spec.mounts:
            found = mounted.get(mount.target.rstrip("/") or "/")
            if mount.read_only and mount.kind != "tmpfs" and (found is None or not found.read_only):
                missing.append(f"read-only {mount.target}")
        missing += self._security_missing(spec, identity, host)
        if missing:
            raise Unsupported(f"{doing}: this engine ignored {', '.join(missing)}; the container is removed")

    def _security_missing(self, spec: ContainerSpec, identity: str, host: Raw) -> list[str]:
        """Return the security options of the spec that the created container lacks."""
        present = {capability_name(word) for word in _json.sequence(host.get("CapDrop"))}
        missing = [f"cap_drop={word}" for word in spec.cap_drop if capability_name(word) not in present]
        return missing + self._options_missing(spec, host)

    def _options_missing(self, spec: ContainerSpec, host: Raw) -> list[str]:
        """Return the entries of security_opt and ulimits that the created container lacks."""
        words = map(_json.text, _json.sequence(host.get("SecurityOpt")))
        present = {word.removesuffix("true").rstrip("=:") for word in words}
        missing = [word for word in spec.security_opt if word == "no-new-privileges" and word not in present]
        limits = {
            (_json.text(row.get("Name")).lower().removeprefix("rlimit_"), row.get("Soft"), row.get("Hard"))
            for row in map(_json.mapping, _json.sequence(host.get("Ulimits")))
        }
        return missing + [f"ulimits {u.name}" for u in spec.ulimits if (u.name, u.soft, u.hard) not in limits]

    def inspect_container(self, ref: str, *, size: bool = False) -> ContainerRecord:
        doing = f"inspecting container {short(ref)}"
        try:
            raw = retry_ending(
                lambda: self._object("GET", path("/containers/{}/json", ref), doing, params={"size": size or None})
            )
        except EngineError as exc:
            if exc.status == 404:
                raise recast(exc, ContainerNotFound, f"no container {short(ref)}") from None
            raise
        image = self._familiar(_json.text(_json.mapping(raw.get("Config")).get("Image")))
        return self._read(doing, lambda raw: _parse.container(raw, image), raw)

    def list_containers(self, *, all: bool, filters: Mapping[str, Sequence[str]]) -> tuple[ContainerRecord, ...]:
        doing = "listing containers"
        params = {"all": all, "filters": query_filters(filters)}
        rows = self._rows("GET", "/containers/json", doing, params=params)
        return self._read(doing, lambda rows: tuple(map(self._summary, rows)), rows)

    def _summary(self, row: Raw) -> ContainerRecord:
        return _parse.container_summary({**row, "Image": self._familiar(_json.text(row.get("Image")))})


def capability_name(word: Any) -> str:
    """Return a capability as the kernel names it ("CAP_NET_RAW"); "ALL" stays."""
    name = _json.text(word).upper()
    return name if name in ("ALL", "") else "CAP_" + name.removeprefix("CAP_")
