"""Docker: where its requests differ. Read beside podman.py; together they are the list of differences."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import docker
import requests
from docker.tls import TLSConfig

from ..errors import AuthenticationFailed, EngineError, InvalidOption, NotFound
from ..reference import familiar, parse
from ..spec import ContainerSpec, NetworkAttachment, RegistryAuth
from ..streams import ByteStream
from . import _json
from ._containers import ContainerVerbs
from ._http import path, recast, short
from ._images import ImageVerbs
from ._memory_files import MemoryFiles, memory_mount
from ._render import ALL_SWAP, auth_header, endpoint_body
from ._requests import RequestsTransport
from ._resources import ResourceVerbs
from .base import Capability, EngineInfo, NetworkRecord, PathStat, Raw
from .tls import TLS
from .transport import Transport

#: The newest API version whose responses are known here. An older engine is sent requests in its own version.
_NEWEST = (1, 51)
_LIMITS = {
    Capability.MEMORY_LIMIT: "MemoryLimit",
    Capability.CPU_LIMIT: "CpuCfsQuota",
    Capability.CPUSET_LIMIT: "CPUSet",
    Capability.PIDS_LIMIT: "PidsLimit",
}
#: The options that leave /proc and /sys unmasked and writable: Docker's and Podman's.
_UNMASKED = ("systempaths=unconfined", "unmask=ALL")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def _with_profile(option: str) -> str:
    """Replace the path of a seccomp profile by its content, as the command line does."""
    name, _, value = option.partition("=")
    if name != "seccomp" or value in ("unconfined", "builtin") or value.startswith("{"):
        return option
    try:
        return f"seccomp={json.dumps(json.loads(Path(value).read_text()))}"
    except (OSError, ValueError) as exc:
        raise InvalidOption("security_opt", option, f"the path of a seccomp profile in JSON ({exc})") from exc


def _first_address(subnet: str, ip_range: str) -> str:
    """Return the first address of a range inside a subnet that is not the subnet's own address."""
    network = ipaddress.ip_network(subnet, strict=False)
    first = ipaddress.ip_network(ip_range, strict=False).network_address if ip_range else network.network_address
    return str(first + 1 if first == network.network_address else first)


class DockerBackend(ImageVerbs, ContainerVerbs, ResourceVerbs):
    """A Docker engine."""

    kind = "docker"
    keeps_parents = True  # Docker 20 to 28, both image stores; Podman 4 and 5 remove the record of the image
    _swap_at_update = ALL_SWAP  # after a limit was set, runc 1.3 refuses -1, or ignores it (cgroup v2)

    @staticmethod
    def _open_transport(url: str, address: str, timeout: float, tls: TLS | None) -> Transport:
        """Return a transport over docker-py's low-level client."""
        secure = TLSConfig(client_cert=tls.client, ca_cert=tls.ca, verify=tls.verify) if tls else False

        def open_session() -> tuple[requests.Session, str]:
            client = docker.APIClient(address, version="1.24", timeout=int(timeout) or 1, tls=secure, max_pool_size=64)
            return client, client.base_url

        return RequestsTransport(open_session, url)

    def _prefix(self, path: str, *, native: bool) -> str:
        return "" if path == "/version" else f"/v{self._api}"

    # ---------------------------------------------------------------- the engine
    def prune_build_cache(self, *, all: bool) -> tuple[tuple[str, ...], int]:
        answer = self._object("POST", "/build/prune", "pruning the build cache", params={"all": all}, slow=True)
        return _json.texts(answer.get("CachesDeleted")), _json.number(answer.get("SpaceReclaimed"))

    def _get_version(self) -> Raw:
        version = super()._get_version()
        self._read("requesting the version", lambda raw: _json.required(raw, "ApiVersion", str), version)
        return version

    def _read_info(self, version: Raw) -> EngineInfo:
        doing = "requesting the engine's state"
        self._api = ".".join(map(str, min(_version(_json.text(version.get("ApiVersion")) or "1.24"), _NEWEST)))
        response = self._call("GET", "/info", doing)
        info = self._read(doing, lambda body: _json.object_(_json.decode(body)), response.body)
        self._read(doing, lambda raw: _json.required(raw, "Driver", str), info)
        options = _json.texts(info.get("SecurityOptions"))
        status = [_json.texts(row) for row in _json.sequence(info.get("DriverStatus"))]
        snapshotter = ("driver-type", "io.containerd.snapshotter.v1") in status
        cgroup = _json.text(info.get("CgroupVersion"))
        return EngineInfo(
            kind="docker",
            version=_json.text(version.get("Version")),
            api_version=_json.text(version.get("ApiVersion")),
            rootless="name=rootless" in options,
            cgroup_version=int(cgroup) if cgroup in ("1", "2") else None,
            cgroup_driver=_json.text(info.get("CgroupDriver")),
            storage_driver=_json.text(info.get("Driver")),
            image_store="containerd" if snapshotter else "graphdriver",
            root_dir=_json.text(info.get("DockerRootDir")),
            os=_json.text(info.get("OperatingSystem")),
            arch=_json.text(info.get("Architecture")),
            kernel=_json.text(info.get("KernelVersion")),
            cpus=_json.number(info.get("NCPU")),
            memory=_json.number(info.get("MemTotal")),
            name=_json.text(info.get("Name")),
            warnings=_json.texts(info.get("Warnings")),
            security_options=options,
            raw={"version": version, "info": info, "headers": dict(response.headers)},
        )

    def _read_capabilities(self, info: EngineInfo) -> frozenset[Capability]:
        """Return what follows from the engine's info. Rootless without cgroups, it can neither limit nor pause."""
        found = {
            Capability.PROCESSES,
            Capability.BUILD,
            Capability.REGISTRY,
            Capability.HOST_GATEWAY,
            Capability.MAC_ADDRESS,
            Capability.ULIMITS,
        }
        if info.cgroup_driver != "none":
            found |= {Capability.PAUSE, Capability.TOP, Capability.UPDATE}
            raw = info.raw["info"]
            found |= {capability for capability, key in _LIMITS.items() if raw.get(key) is True}
            if {Capability.MEMORY_LIMIT, Capability.PIDS_LIMIT} <= found:  # without them the samples are zeros
                found.add(Capability.STATS)
        return frozenset(found)

    # ---------------------------------------------------------------- names
    def _image_name(self, ref: str) -> str:
        return ref

    def _image_id(self, ref: str) -> str:
        return self.inspect_image(ref).id

    def _familiar(self, ref: str) -> str:
        return familiar(ref)  # "localhost/" is a registry on Docker; on Podman it is where local names are

    # ---------------------------------------------------------------- containers
    def _ignored_options(self, spec: ContainerSpec) -> Iterator[str]:
        yield from super()._ignored_options(spec)
        if spec.storage_opt and self.first_info().image_store == "containerd":
            yield "storage_opt (containerd's image store has no quotas)"
        if self.first_info().rootless:  # runc looks for the name of the container on the host
            renamed = (device for device in spec.devices if device.container_path != device.host_path)
            yield from (f"the name {device.container_path} for {device.host_path}" for device in renamed)
        words = (option for option in spec.security_opt if option not in _UNMASKED)
        yield from (f"security_opt {word}" for word in words if word.startswith(("mask=", "unmask=", "proc-opts=")))

    def _adapt(self, spec: ContainerSpec, body: dict[str, Any]) -> Sequence[NetworkAttachment]:
        """Put one network into the create and return the others: more than one at create needs API 1.44.

        Docker reports a missing network only at start; here it is reported at create, as on Podman.
        """
        words = [_with_profile(option) for option in spec.security_opt if option not in _UNMASKED]
        body["HostConfig"]["SecurityOpt"] = words
        if len(words) < len(spec.security_opt):  # the command line sends the same
            body["HostConfig"] |= {"MaskedPaths": [], "ReadonlyPaths": []}
        for attachment in spec.networks:
            self.inspect_network(attachment.name)
        if not spec.networks:
            return ()
        first, *later = spec.networks
        body["HostConfig"]["NetworkMode"] = first.name
        body["NetworkingConfig"] = {"EndpointsConfig": {first.name: endpoint_body(first)}}
        if first.mac_address and _version(self._api) < (1, 44):
            body["MacAddress"] = first.mac_address  # below API 1.44 the endpoint's is ignored at create
        return later

    def _exec_started(self, raw: Raw) -> bool | None:
        """Return whether the process has a pid. The exit code does not tell: 126 may be the command's own."""
        return _json.number(raw.get("Pid")) != 0

    # ---------------------------------------------------------------- files
    def _memory_files(self, ref: str, path: str) -> MemoryFiles | None:
        """Return the way to files in memory, if a path is below a tmpfs of the container."""
        record = self.inspect_container(ref)
        mount = memory_mount(record, path)
        return MemoryFiles(self, record, mount) if mount else None

    def put_archive(self, ref: str, path: str, data: bytes | Iterable[bytes]) -> None:
        """Write below a tmpfs through the container: Docker would lose the files without an error."""
        if files := self._memory_files(ref, path):
            files.put(path, data, f"copying into container {short(ref)} at {path}")
        else:
            super().put_archive(ref, path, data)

    def get_archive(self, ref: str, path: str) -> tuple[PathStat, ByteStream]:
        """Read below a tmpfs through the container if Docker does not find the path."""
        try:
            return super().get_archive(ref, path)
        except NotFound:
            if files := self._memory_files(ref, path):
                return files.get(path, f"copying {path} from container {short(ref)}")
            raise

    def stat_path(self, ref: str, path: str) -> PathStat | None:
        """Look below a tmpfs through the container if Docker does not find the path."""
        found = super().stat_path(ref, path)
        if found is None and (files := self._memory_files(ref, path)):
            return files.stat(path, f"looking at {path} in container {short(ref)}")
        return found

    # ---------------------------------------------------------------- networks
    def _network(self, raw: Raw) -> NetworkRecord:
        """Fill in the gateway, which Docker omits if only a subnet was given: the first address it may use."""
        found = super()._network(raw)
        if found.driver != "bridge" or found.internal:
            return found
        pools = [_json.mapping(pool) for pool in _json.sequence(_json.mapping(raw.get("IPAM")).get("Config"))]
        ranges = [_json.text(pool.get("IPRange")) for pool in pools]
        subnets = tuple(
            (subnet, gateway or _first_address(subnet, own))
            for (subnet, gateway), own in zip(found.subnets, ranges, strict=True)
        )
        return dataclasses.replace(found, subnets=subnets)

    # ---------------------------------------------------------------- registries
    def login(self, auth: RegistryAuth) -> None:
        doing = f"logging in to {auth.registry}"
        server = "https://index.docker.io/v1/" if auth.registry == "docker.io" else auth.registry
        body = {"username": auth.username, "password": auth.password, "serveraddress": server}
        try:
            self._call("POST", "/auth", doing, body=body)
        except EngineError as exc:
            if exc.status in (401, 403) or self._says_unauthorized(exc):
                raise recast(exc, AuthenticationFailed, f"{doing}: {exc.explanation}") from None
            raise
        self._logins[auth.registry] = auth

    def _refused_credentials(self, ref: str, auth: RegistryAuth | None, exc: EngineError) -> bool:
        """Ask the registry once more through the engine: Docker also answers 404 or 500 for missing credentials."""
        if self._says_unauthorized(exc):
            return True
        try:
            where = path("/distribution/{}/json", parse(ref).qualified)
            headers = {"X-Registry-Auth": auth_header(auth)} if auth else {}
            self._call("GET", where, f"looking up {ref} in its registry", headers=headers)
        except EngineError as answer:
            return answer.status in (401, 403)
        return False
