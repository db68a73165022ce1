"""Podman's containers: where its requests differ from Docker's."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..errors import EngineError, ImageNotFound, NotFound, StartFailed
from ..spec import ContainerSpec, NetworkAttachment, PortBinding
from ..streams import OutputStream
from . import _json, _parse
from ._containers import ContainerVerbs, capability_name
from ._follow import Followed
from ._http import path, short
from ._logs import LogQuery, TailUnit
from ._render import endpoint_body
from .base import ContainerRecord, Created, Filters, Raw

_FOLLOW_ANSWER = 1.0  # seconds; a followed log answers with its first line, so it is requested again and again
_GRACE = 10  # seconds between the stop signal and KILL, as on both command lines
_LOG_OPTIONS = {"max-size", "path", "tag"}  # conmon ignores others
#: The format of ps: "-o pid,comm", "-eo pid,comm".
_FORMAT = re.compile(r"((?:^|\s)-\w*o\s*)(\w+(?:,\w+)+)")


class PodmanContainerVerbs(ContainerVerbs):
    """The verbs of containers on Podman."""

    _version: tuple[int, ...]  # of the engine

    def create_container(self, spec: ContainerSpec) -> Created:
        """Choose a port of each range of host ports: Podman takes single ports."""
        if any(binding.host_port_last for binding in spec.publish):
            spec = dataclasses.replace(spec, publish=tuple(self._single_ports(spec)))
        return super().create_container(spec)

    def _single_ports(self, spec: ContainerSpec) -> Iterator[PortBinding]:
        """Yield the bindings; for a range a port that no container has, at random, since others choose meanwhile."""
        taken = {
            (address.port, protocol)
            for row in self.list_containers(all=True, filters={})
            for (_, protocol), addresses in row.ports.items()
            for address in addresses
        }
        for binding in spec.publish:
            if binding.host_port and binding.host_port_last:
                first, last, protocol = binding.host_port, binding.host_port_last, binding.protocol
                free = [port for port in range(first, last + 1) if (port, protocol) not in taken]
                if not free:
                    raise StartFailed(
                        f"creating container from {spec.image}: containers have all ports of {first}-{last}"
                    )
                port = random.choice(free)
                taken.add((port, protocol))
                binding = dataclasses.replace(binding, host_port=port, host_port_last=None)
            yield binding

    def _ignored_options(self, spec: ContainerSpec) -> Iterator[str]:
        yield from super()._ignored_options(spec)
        if spec.domainname:
            yield "domainname (make it part of hostname)"
        yield from (f"log_opt {name}" for name in spec.log_opt if name not in _LOG_OPTIONS)
        if spec.gpus and (self._version < (5, 4) or spec.gpus.isdecimal()):
            yield f"gpus={spec.gpus} (Podman 5.4 and later take 'all' or 'device=…')"
        yield from self._unreachable_ports(spec)

    def _unreachable_ports(self, spec: ContainerSpec) -> Iterator[str]:
        """Yield the published ports that Podman cannot serve."""
        for binding in spec.publish:
            # Rootful Podman reserves an IPv6 port and forwards nothing to an IPv4 address, nor from the loopback.
            if ":" in binding.host_ip and not self.first_info().rootless:
                reachable = (self.inspect_network(attachment.name).ipv6 for attachment in spec.networks)
                if binding.host_ip == "::1" or not any(reachable):
                    yield f"publish on [{binding.host_ip}] (use an IPv4 address)"

    def _refuse_unreachable_ports(self, spec: ContainerSpec, doing: str) -> None:
        """Accept ports on internal networks if rootless: they are reachable there."""
        if not self.first_info().rootless:
            super()._refuse_unreachable_ports(spec, doing)

    def _adapt(self, spec: ContainerSpec, body: dict[str, Any]) -> Sequence[NetworkAttachment]:
        """Put all networks into the create. Rootless, the container joins them only if the mode is bridge."""
        body.setdefault("StopTimeout", _GRACE)
        if spec.gpus:  # the API ignores every driver but CDI
            devices = spec.gpus.removeprefix("device=").split(",")
            requests = {"Driver": "cdi", "DeviceIDs": [f"nvidia.com/gpu={device}" for device in devices]}
            body["HostConfig"]["DeviceRequests"] = [requests]
        if spec.networks:
            body["HostConfig"]["NetworkMode"] = "bridge"
            body["NetworkingConfig"] = {
                "EndpointsConfig": {attachment.name: endpoint_body(attachment) for attachment in spec.networks}
            }
        return ()

    def _refuse_missing_sources(self, spec: ContainerSpec, doing: str) -> None:
        """Look for the source of a bind mount: the compat endpoint would create it."""
        if source := self._missing_source(spec):
            raise NotFound(f"{doing}: no {source} on the engine's machine to bind; create it first")

    def _security_missing(self, spec: ContainerSpec, identity: str, host: Raw) -> list[str]:
        """Compare cap_drop with the effective set: inspect does not list what was dropped."""
        doing = "reading back the security options"
        raw = self._object("GET", path("/containers/{}/json", identity), doing, native=True)
        left = set(map(_json.text, _json.sequence(raw.get("EffectiveCaps"))))
        added = {capability_name(word) for word in spec.cap_add}
        missing = []
        for word in spec.cap_drop:
            name = capability_name(word)
            if (left - added) if name == "ALL" else (name in left):
                missing.append(f"cap_drop={word}")
        namespaces = _json.mapping(raw.get("HostConfig"))
        for option, wanted, key in (("ipc", spec.ipc, "IpcMode"), ("cgroupns", spec.cgroupns, "CgroupMode")):
            if wanted and ":" not in wanted and namespaces.get(key) != wanted:  # 4.3 ignores both, 5.4 cgroupns
                missing.append(f"{option}={wanted}")
        return missing + self._options_missing(spec, host)

    def list_containers(self, *, all: bool, filters: Filters) -> tuple[ContainerRecord, ...]:
        """Give the filter `ancestor` whole IDs: Podman takes neither a part of an ID nor, in 4.3, a short name."""
        if "ancestor" not in filters:
            return super().list_containers(all=all, filters=filters)
        found = []
        for name in filters["ancestor"]:
            with contextlib.suppress(ImageNotFound):
                found.append(self.inspect_image(name).id.removeprefix("sha256:"))
        return super().list_containers(all=all, filters={**filters, "ancestor": found}) if found else ()

    def stop_container(self, ref: str, *, timeout: int | None) -> None:
        """Use libpod's stop, always with a time: the compat endpoint takes a missing one for 0."""
        wait = self._grace(ref) if timeout is None else timeout
        doing = f"stopping container {short(ref)}"
        self._change(ref, "stop", doing, params={"timeout": wait}, native=True, slow=True)

    def restart_container(self, ref: str, *, timeout: int | None) -> None:
        """Use libpod's restart, for the reason given in `stop_container`."""
        wait = self._grace(ref) if timeout is None else timeout
        doing = f"restarting container {short(ref)}"
        self._change(ref, "restart", doing, params={"t": wait}, native=True, slow=True)

    def _grace(self, ref: str) -> int:
        """Return the container's own seconds between the stop signal and KILL."""
        config = _json.mapping(self.inspect_container(ref).raw.get("Config"))
        return _json.number(config.get("StopTimeout")) or _GRACE

    def _wait(self, ref: str, doing: str) -> int:
        """Use libpod's wait: it can look more often than every 250 ms."""
        params = {"condition": ["stopped", "exited"], "interval": "20ms"}
        answer = self._json(
            "POST", path("/containers/{}/wait", ref), doing, params=params, native=True, slow=True, quiet=True
        )
        return self._read(doing, lambda code: _json.required({"exit code": code}, "exit code", int), answer)

    def _delete(self, ref: str, doing: str, *, force: bool, volumes: bool) -> None:
        """Use libpod's removal with timeout=0: it would wait 10 s for a process that ignores TERM."""
        params = {
            "force": force,
            "volumes": volumes,
            "timeout": 0 if force else None,
        }  # the compat endpoint calls it "v"
        reports = self._rows("DELETE", path("/containers/{}", ref), doing, params=params, native=True, slow=True)
        for report in reports:
            if words := _json.text(report.get("Err")):
                raise EngineError(f"{doing}: {words}", explanation=words)

    def put_archive(self, ref: str, path: str, data: bytes | Iterable[bytes]) -> None:
        """Raise NotFound if the directory is missing: Podman would create it."""
        if self.stat_path(ref, path) is None:
            raise NotFound(f"copying into container {short(ref)} at {path}: no {path} in the container", status=404)
        super().put_archive(ref, path, data)

    def _open_log(self, ref: str, query: LogQuery, silence: float | None = None) -> OutputStream:
        """Watch the container while its log is followed, and read at the end what the stream has missed.

        A followed log may not end with its container, or lose its last lines (podman issue 21914).
        """
        ask = super()._open_log
        if not query.follow:
            return ask(ref, query)
        followed = Followed(
            lambda: ask(ref, query, _FOLLOW_ANSWER),
            lambda: ask(ref, dataclasses.replace(query, follow=False)),
            lambda: self.inspect_container(ref).status in ("running", "paused"),
            whole=query.since is None and query.until is None and query.tail is None,
        )
        return OutputStream(iter(followed), on_close=followed.close)

    def _tail_unit(self) -> TailUnit:
        return "none"

    def check_health(self, ref: str) -> str | None:
        """Run the check here if nothing ran it for a whole interval: Podman leaves the timer to systemd."""
        record = self.inspect_container(ref)
        if record.health is None or record.status != "running":
            return record.health
        config = _json.mapping(_json.mapping(record.raw.get("Config")).get("Healthcheck"))
        interval = _json.number(config.get("Interval")) / 1e9 or 30.0
        log = _json.sequence(_json.mapping(_json.mapping(record.raw.get("State")).get("Health")).get("Log"))
        last = _parse.timestamp(_json.mapping(log[-1]).get("End")) if log else 0.0
        if time.time() - last < interval:
            return record.health
        self._call(
            "GET",
            path("/containers/{}/healthcheck", ref),
            f"checking the health of container {short(ref)}",
            native=True,
            slow=True,
            accept=(409, 500),  # the state, requested next, has the result
        )
        return self.inspect_container(ref).health

    def _top(self, ref: str, ps_args: str | None, doing: str) -> Raw:
        """Use libpod's: the compat endpoint returns whole lines as one column."""
        # Podman splits at commas, so "-o a,b" becomes "-o a -o b".
        words = ps_args and _FORMAT.sub(lambda found: found[1] + found[2].replace(",", " -o "), ps_args)
        params = {"ps_args": words, "stream": False}
        response = self._call("GET", path("/containers/{}/top", ref), doing, params=params, native=True)
        if not response.body:  # 4.3 answers so if the container does not run
            failed = EngineError(f"{doing}: the engine listed nothing")
            error = self._explain(failed, ref, doing, "running", "paused")
            raise self._invalid(doing, "no body") if error is failed else error
        raw = self._read(doing, lambda body: _json.object_(_json.decode(body)), response.body)
        if raw.get("Titles") is None:
            raise EngineError(f"{doing}: the engine listed nothing")
        titles = _json.texts(raw["Titles"])
        if len(titles) == 1 and len(titles[0].split()) > 1:  # 4.3 returns lines of ps as one column
            columns = len(titles[0].split())
            rows = [_json.texts(row)[0].split(None, columns - 1) for row in _json.sequence(raw.get("Processes"))]
            return {"Titles": titles[0].split(), "Processes": rows}
        return raw
