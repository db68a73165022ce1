"""Podman: where its requests differ. Read beside docker.py; together they are the list of differences.

Requests go to the compat endpoints, which take Docker's own bodies, except those marked ``native=True``: there the
compat endpoint of some version is wrong, and the reason stands beside it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import requests
from podman.api.client import APIClient

from ..errors import AuthenticationFailed, EngineError, ImageNotFound, InUse, NotFound, StartFailed, Unsupported
from ..reference import begins_id, display, looks_like_id, parse
from ..spec import ContainerSpec, NetworkAttachment, PortBinding, RegistryAuth
from ..streams import OutputStream
from . import _json, _parse
from ._containers import ContainerVerbs, capability_name
from ._follow import Followed
from ._http import path, recast, short
from ._images import ImageVerbs, matches
from ._logs import LogQuery, TailUnit
from ._render import ALL_SWAP, endpoint_body, query_filters
from ._requests import RequestsTransport
from ._resources import ResourceVerbs
from .base import Capability, ContainerRecord, Created, EngineInfo, Filters, HistoryEntry, ImageRecord, Raw
from .tls import TLS
from .transport import Transport

#: The oldest API versions with everything used here. Newer engines accept them, so no field changes its meaning.
_NATIVE_API = "4.0.0"
_COMPAT_API = "1.41"
_FOLLOW_ANSWER = 1.0  # seconds; a followed log answers with its first line, so it is requested again and again
_GRACE = 10  # seconds between the stop signal and KILL, as on both command lines
_LOG_OPTIONS = {"max-size", "path", "tag"}  # conmon ignores others
_ID_DIGITS = 64
_SHORT_ID = re.compile(r"(?:sha256:)?[0-9a-f]{3,11}")
#: The format of ps: "-o pid,comm", "-eo pid,comm".
_FORMAT = re.compile(r"((?:^|\s)-\w*o\s*)(\w+(?:,\w+)+)")
_ARCH = {"amd64": "x86_64", "arm64": "aarch64"}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.partition("-")[0].split(".") if part.isdigit())


class PodmanBackend(ImageVerbs, ContainerVerbs, ResourceVerbs):
    """A Podman engine."""

    kind = "podman"
    _ignore_file = ".containerignore"  # without one, Podman applies .dockerignore a second time, in its own way
    _swap_at_create = ALL_SWAP  # the compat endpoint takes -1 for "not given" (5.8), and sets twice the memory

    @staticmethod
    def _open_transport(url: str, address: str, timeout: float, tls: TLS | None) -> Transport:
        """Return a transport over podman-py's APIClient.

        PodmanClient is not used: its constructor reads podman's connection files, and fails if it may not.
        """

        def open_session() -> tuple[requests.Session, str]:
            client = APIClient(base_url=address, timeout=timeout, version=_NATIVE_API, max_pool_size=64)
            if tls is not None:  # APIClient ignores its own `tls` argument
                client.verify, client.cert = tls.trusted, tls.client
            return client, f"{'https' if tls else 'http'}://{client.base_url.netloc}"

        return RequestsTransport(open_session, url)

    def _prefix(self, path: str, *, native: bool) -> str:
        return f"/v{_NATIVE_API}/libpod" if native else f"/v{_COMPAT_API}"

    # ---------------------------------------------------------------- the engine
    def _read_info(self, version: Raw) -> EngineInfo:
        doing = "requesting the engine's state"
        response = self._call("GET", "/info", doing, native=True)
        raw = self._read(doing, lambda body: _json.object_(_json.decode(body)), response.body)
        self._read(doing, lambda raw: (_json.required(raw, "host", dict), _json.required(raw, "store", dict)), raw)
        compat = self._object("GET", "/info", doing)
        host, store = _json.mapping(raw.get("host")), _json.mapping(raw.get("store"))
        security, libpod = _json.mapping(host.get("security")), _json.mapping(raw.get("version"))
        cgroup = _json.text(host.get("cgroupVersion")).removeprefix("v")
        distribution = _json.mapping(host.get("distribution"))
        return EngineInfo(
            kind="podman",
            version=_json.text(libpod.get("Version") or version.get("Version")),
            api_version=_json.text(libpod.get("APIVersion") or version.get("ApiVersion")),
            rootless=security.get("rootless") is True,
            cgroup_version=int(cgroup) if cgroup in ("1", "2") else None,
            cgroup_driver=_json.text(host.get("cgroupManager")),
            storage_driver=_json.text(store.get("graphDriverName")),
            image_store="graphdriver",
            root_dir=_json.text(store.get("graphRoot")),
            os=" ".join(_json.text(distribution.get(key)) for key in ("distribution", "version")).strip(),
            arch=_ARCH.get(_json.text(host.get("arch")), _json.text(host.get("arch"))),
            kernel=_json.text(host.get("kernel")),
            cpus=_json.number(host.get("cpus")),
            memory=_json.number(host.get("memTotal")),
            name=_json.text(host.get("hostname")),
            security_options=tuple(
                word
                for word, on in (
                    ("name=seccomp", security.get("seccompEnabled")),
                    ("name=apparmor", security.get("apparmorEnabled")),
                    ("name=selinux", security.get("selinuxEnabled")),
                    ("name=rootless", security.get("rootless")),
                )
                if on is True
            ),
            raw={"version": version, "info": compat, "libpod_info": raw, "headers": dict(response.headers)},
        )

    def _read_capabilities(self, info: EngineInfo) -> frozenset[Capability]:
        """Return what follows from the engine's info. Without cgroups of its own it can neither limit nor pause.

        The compat info lists the host's controllers; libpod's lists those that the engine may use.
        """
        self._version = _numbers(info.version)
        host = _json.mapping(info.raw["libpod_info"].get("host"))
        controllers = set(map(_json.text, _json.sequence(host.get("cgroupControllers"))))
        found = {
            Capability.PROCESSES,
            Capability.BUILD,
            Capability.REGISTRY,
            Capability.BUILD_MOUNTS,
            Capability.MAC_ADDRESS,
            Capability.TOP,
        }
        if info.rootless:
            found.add(Capability.KEEP_ID)
        # Rootless with cgroupfs, limits are accepted, shown by inspect, and not enforced (podman issue 21575).
        if not info.rootless or (info.cgroup_version == 2 and info.cgroup_driver == "systemd"):
            found |= {capability for capability in Capability.limits() if capability.controller in controllers}
        if not info.rootless or info.cgroup_version == 2:
            found.add(Capability.PAUSE)
            if {"memory", "pids"} <= controllers:  # without them the samples are zeros
                found.add(Capability.STATS)
        if not info.rootless or self._version >= (5, 8):  # 4.3 and 5.4 rootless accept and ignore them
            found.add(Capability.ULIMITS)
        if self._version >= (4, 7):
            found.add(Capability.HOST_GATEWAY)
        if self._version >= (5, 0) and found & Capability.limits():
            found.add(Capability.UPDATE)
        return frozenset(found)

    # ---------------------------------------------------------------- names
    def _image_name(self, ref: str) -> str:
        """Return the full name: the compat endpoints and libpod's resolve short names differently."""
        if not looks_like_id(ref):
            return parse(ref).qualified
        # A whole ID needs its prefix, or is taken for a name; a part of an ID must not have it.
        digits = ref.removeprefix("sha256:")
        return f"sha256:{digits}" if len(digits) == _ID_DIGITS else digits

    def _familiar(self, ref: str) -> str:
        return display(ref)

    def inspect_image(self, ref: str) -> ImageRecord:
        """Find an image as the command line does: by full name, then by the local name that `podman build` gives."""
        try:
            return super().inspect_image(ref)
        except ImageNotFound:
            for other in (self._local_name(ref), self._by_short_id(ref)):
                if other is not None:
                    with contextlib.suppress(ImageNotFound):
                        return super().inspect_image(other)
            raise

    def _by_short_id(self, ref: str) -> str | None:
        """Return the only ID that begins with 3 to 11 digits: the engine takes so few for a name."""
        if not _SHORT_ID.fullmatch(ref):
            return None
        found = {record.id for record in self.list_images(all=True, filters={})}
        found = {identity for identity in found if begins_id(ref, identity)}
        return found.pop() if len(found) == 1 else None

    def _local_name(self, ref: str) -> str | None:
        """Return the local name that a short name may stand for."""
        if looks_like_id(ref):
            return None
        name = parse(ref)
        first = ref.partition("/")[0]
        named = "/" in ref and ("." in first or ":" in first or first == "localhost")
        return None if named else f"localhost/{display(name.qualified)}"

    def _stored_name(self, ref: str) -> str:
        """Return the local name if only that exists: `podman build` and `podman load` give it to a short name."""
        local = self._local_name(ref)
        if local is None:
            return self._image_name(ref)
        for name in (self._image_name(ref), local):
            with contextlib.suppress(ImageNotFound):
                super().inspect_image(name)
                return name
        return self._by_short_id(ref) or self._image_name(ref)

    def _image_id(self, ref: str) -> str:
        return self.inspect_image(ref).id.removeprefix("sha256:")

    # ---------------------------------------------------------------- containers
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
        if spec.gpus and (self._version < (5, 4) or spec.gpus.isdigit()):
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

    def prune_build_cache(self, *, all: bool) -> tuple[tuple[str, ...], int]:
        raise Unsupported("pruning the build cache: Podman keeps it as images without a name; remove these instead")

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
                found.append(self._image_id(name))
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

    # ---------------------------------------------------------------- images
    def image_history(self, ref: str) -> tuple[HistoryEntry, ...]:
        """Use libpod's inspect: it tells which instructions created no layer, and the history endpoint does not."""
        doing = f"reading the history of image {ref}"
        raw = self._object("GET", path("/images/{}/json", self._image_id(ref)), doing, native=True)
        rows = self._read(doing, lambda raw: _json.objects(raw["History"]), raw)
        if rows and raw.get("Comment"):  # of a commit: its history entry says only "FROM …"
            rows[-1]["comment"] = raw["Comment"]
        return tuple(
            HistoryEntry(
                created_by=_json.text(row.get("created_by")),
                created=_parse.timestamp(row.get("created")) or None,
                empty_layer=row.get("empty_layer") is True,
                comment=_json.text(row.get("comment")),
            )
            for row in rows
        )

    def login(self, auth: RegistryAuth) -> None:
        """Verify credentials. Podman's /auth tries https only; if that fails, pull an image that cannot exist."""
        doing = f"logging in to {auth.registry}"
        body = {"username": auth.username, "password": auth.password, "serveraddress": auth.registry}
        try:
            self._call("POST", "/auth", doing, body=body)
        except EngineError as exc:
            if exc.status in (401, 403) or self._says_unauthorized(exc):
                raise recast(exc, AuthenticationFailed, f"{doing}: {exc.explanation}") from None
            self._verify_by_pull(auth, doing)
        self._logins[auth.registry] = auth

    def _verify_by_pull(self, auth: RegistryAuth, doing: str) -> None:
        name = f"{auth.registry}/containerkit/login-{uuid.uuid4().hex}:none"
        try:
            for _ in self.pull_image(name, platform=None, auth=auth):
                pass
        except ImageNotFound:
            return  # the credentials were accepted
        except AuthenticationFailed as exc:
            raise recast(exc, AuthenticationFailed, f"{doing}: {exc.explanation}") from None
        except EngineError as exc:
            raise recast(exc, EngineError, f"{doing}: {exc.explanation}") from None

    def _refused_credentials(self, ref: str, auth: RegistryAuth | None, exc: EngineError) -> bool:
        return self._says_unauthorized(exc)

    def list_images(self, *, all: bool, filters: Filters) -> tuple[ImageRecord, ...]:
        """Apply the filter `reference` here: Podman's also finds a part of a name, and some IDs."""
        others = {name: values for name, values in filters.items() if name != "reference"}
        found = super().list_images(all=all, filters=others)
        if "reference" not in filters:
            return found
        patterns = filters["reference"]
        return tuple(r for r in found if any(matches(pattern, ref) for ref in r.refs for pattern in patterns))

    def prune_images(self, *, all: bool, filters: Filters) -> tuple[tuple[str, ...], int]:
        """Use libpod's prune: the compat endpoint of 4.3 refuses "dangling=false"."""
        doing = "pruning images"
        params = {"all": all, "filters": query_filters(filters)}
        reports = self._rows("POST", "/images/prune", doing, params=params, native=True, slow=True)
        gone = [report for report in reports if not report.get("Err")]
        return tuple(_parse.image_id(r.get("Id")) for r in gone), sum(_json.number(r.get("Size")) for r in gone)

    # ---------------------------------------------------------------- networks, events
    def _refuse_network_in_use(self, ref: str, doing: str) -> None:
        """Raise InUse: Podman 4's compat endpoint removes a network in use."""
        record = self.inspect_network(ref)
        users = record.containers or self.list_containers(all=True, filters={"network": [record.name]})
        if users:
            raise InUse(f"{doing}: {', '.join(user.name or user.id[:12] for user in users)} still attached")

    def _event_params(self, until: float | None) -> Mapping[str, bool | float]:
        """Ask for past events without a stream: a stream up to a moment in the past ends before it is read."""
        return {"stream": False, "until": time.time() + 60} if until is not None and until <= time.time() else {}
