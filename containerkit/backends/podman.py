"""Podman: where its requests differ. Read beside docker.py; together they are the list of differences.

Requests go to the compat endpoints, which take Docker's own bodies, except those marked ``native=True``: there the
compat endpoint of some version is wrong, and the reason stands beside it. _podman_containers.py has the containers,
_podman_images.py the images.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping

import requests
from podman.api.client import APIClient

from ..errors import InUse
from . import _json
from ._podman_containers import PodmanContainerVerbs
from ._podman_images import PodmanImageVerbs
from ._render import ALL_SWAP
from ._requests import RequestsTransport
from ._resources import ResourceVerbs
from .base import Capability, EngineInfo, Raw
from .tls import TLS
from .transport import Transport

#: The oldest API versions with everything used here. Newer engines accept them, so no field changes its meaning.
_NATIVE_API = "4.0.0"
_COMPAT_API = "1.41"
_ARCH = {"amd64": "x86_64", "arm64": "aarch64"}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.partition("-")[0].split(".") if part.isdecimal())


class PodmanBackend(PodmanImageVerbs, PodmanContainerVerbs, ResourceVerbs):
    """A Podman engine."""

    kind = "podman"
    _ignore_file = ".containerignore"  # without one, Podman applies .dockerignore a second time, in its own way
    needs_read_input = True  # it ends an exec's streams as soon as it cannot write the input, 7 of 100 times too early
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
            raw={"version": version, "libpod_info": raw, "headers": dict(response.headers)},
        )

    def info(self) -> EngineInfo:
        """Return `first_info` as it is now, with the response of the compat endpoint, which `run` does not need."""
        info = super().info()
        compat = self._object("GET", "/info", "requesting the engine's state")
        return dataclasses.replace(info, raw={**info.raw, "info": compat})

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
