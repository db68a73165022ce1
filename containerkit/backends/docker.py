"""Docker: what it does its own way. Read beside podman.py; together they are the list of differences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
import requests
from docker.tls import TLSConfig

from ..errors import AuthenticationFailed, EngineError, InvalidOption
from ..reference import familiar, parse
from ..spec import ContainerSpec, NetworkAttachment, RegistryAuth
from . import _parse
from ._containers import ContainerVerbs
from ._http import path
from ._images import ImageVerbs
from ._render import ALL_SWAP, auth_header, endpoint_body
from ._resources import ResourceVerbs
from ._translate import recast, translated
from .base import Capability, EngineInfo, Raw
from .tls import TLS

__all__ = ["DockerBackend"]

#: The newest API version whose answers are known here; an older engine is spoken to in its own.
_NEWEST = (1, 51)
_LIMITS = {
    Capability.MEMORY_LIMIT: "MemoryLimit",
    Capability.CPU_LIMIT: "CpuCfsQuota",
    Capability.CPUSET_LIMIT: "CPUSet",
    Capability.PIDS_LIMIT: "PidsLimit",
}


#: Nothing of /proc and /sys is hidden or read-only: in the words of Docker's command line, and in Podman's.
_UNMASKED = ("systempaths=unconfined", "unmask=ALL")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _with_profile(option: str) -> str:
    """A seccomp profile's content in place of its path, as the command line sends it; Podman takes the path."""
    name, _, value = option.partition("=")
    if name != "seccomp" or value in ("unconfined", "builtin") or value.startswith("{"):
        return option
    try:
        return f"seccomp={json.dumps(json.loads(Path(value).read_text()))}"
    except (OSError, ValueError) as exc:
        raise InvalidOption("security_opt", option, f"the path of a seccomp profile in JSON ({exc})") from exc


class DockerBackend(ImageVerbs, ContainerVerbs, ResourceVerbs):
    """An engine of Docker's, through docker-py's low-level client.

    Args:
        url: what users call it.
        address: where the client connects, if that is another place (the near end of a tunnel).
        tls: certificates for a tcp address.
        version: the response to GET /version, if it is known already.
        on_close: called once, when the backend is closed.

    Raises:
        EngineUnavailable, EngineTimeout: nobody answers.
    """

    kind = "docker"
    _swap_at_update = ALL_SWAP  # once there was a limit, runc 1.3 refuses -1, or ignores it (cgroup v2)

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        address: str | None = None,
        tls: TLS | None = None,
        version: Raw | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(url, timeout=timeout, on_close=on_close)
        self._logins = {}
        with translated("connecting", url, timeout):
            secure = TLSConfig(client_cert=tls.client, ca_cert=tls.ca, verify=tls.verify) if tls else False
            self._client = docker.APIClient(
                address or url, version="1.24", timeout=int(timeout) or 1, tls=secure, max_pool_size=64
            )
        self._client.trust_env = False  # a proxy is for registries, which the engine asks; and ~/.netrc is not for it
        self._api = "1.24"
        version = version or self._version_answer()
        self._api = ".".join(map(str, min(_version(_parse.text(version.get("ApiVersion")) or "1.24"), _NEWEST)))
        self._first = self._read_info(version)
        self._read_capabilities(self._first)

    def _send(
        self,
        method: str,
        path: str,
        *,
        native: bool,
        params: Mapping[str, Any] | None,
        data: Any,
        headers: Mapping[str, str],
        stream: bool,
        timeout: tuple[float, float | None],
    ) -> requests.Response:
        prefix = "" if path == "/version" else f"/v{self._api}"
        return self._client.request(
            method,
            f"{self._client.base_url}{prefix}{path}",
            params=params,
            data=data,
            headers=dict(headers),
            stream=stream,
            timeout=timeout,
            allow_redirects=False,
        )

    def close(self) -> None:
        self._client.close()
        super().close()

    # ---------------------------------------------------------------- the engine
    def _version_answer(self) -> dict[str, Any]:
        return _parse.mapping(self._json("GET", "/version", "requesting the version"))

    def info(self) -> EngineInfo:
        return self._read_info(self._version_answer())

    def _read_info(self, version: Raw) -> EngineInfo:
        response = self._call("GET", "/info", "asking for the engine's state")
        with translated("asking for the engine's state", self.url):
            info = _parse.mapping(response.json())
        options = tuple(map(_parse.text, _parse.sequence(info.get("SecurityOptions"))))
        status = [tuple(map(_parse.text, _parse.sequence(row))) for row in _parse.sequence(info.get("DriverStatus"))]
        snapshotter = ("driver-type", "io.containerd.snapshotter.v1") in status
        cgroup = _parse.text(info.get("CgroupVersion"))
        return EngineInfo(
            kind="docker",
            version=_parse.text(version.get("Version")),
            api_version=_parse.text(version.get("ApiVersion")),
            rootless="name=rootless" in options,
            cgroup_version=int(cgroup) if cgroup.isdigit() else None,
            cgroup_driver=_parse.text(info.get("CgroupDriver")),
            storage_driver=_parse.text(info.get("Driver")),
            image_store="containerd" if snapshotter else "graphdriver",
            root_dir=_parse.text(info.get("DockerRootDir")),
            os=_parse.text(info.get("OperatingSystem")),
            arch=_parse.text(info.get("Architecture")),
            kernel=_parse.text(info.get("KernelVersion")),
            cpus=_parse.number(info.get("NCPU")),
            memory=_parse.number(info.get("MemTotal")),
            name=_parse.text(info.get("Name")),
            warnings=tuple(map(_parse.text, _parse.sequence(info.get("Warnings")))),
            security_options=options,
            raw={"version": version, "info": info, "headers": dict(response.headers)},
        )

    def _read_capabilities(self, info: EngineInfo) -> None:
        """What this engine can, by its own answers: rootless without cgroups it can neither limit nor pause."""
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
        self.capabilities = frozenset(found)

    # ---------------------------------------------------------------- hooks
    def _image_name(self, ref: str) -> str:
        return ref

    def _image_id(self, ref: str) -> str:
        return self.inspect_image(ref).id

    def _familiar(self, ref: str) -> str:
        return familiar(ref)  # "localhost/" is a registry here, and no home for names that came from none

    def _left_out(self, spec: ContainerSpec) -> Iterator[str]:
        yield from super()._left_out(spec)
        words = (option for option in spec.security_opt if option not in _UNMASKED)
        yield from (f"security_opt {word}" for word in words if word.startswith(("mask=", "unmask=", "proc-opts=")))

    def _adapt(self, spec: ContainerSpec, body: dict[str, Any]) -> Sequence[NetworkAttachment]:
        """One network at create, the others before start: more at once need API 1.44.

        Docker finds a missing network only at start; here it is found at create, as on Podman.
        """
        words = [_with_profile(option) for option in spec.security_opt if option not in _UNMASKED]
        body["HostConfig"]["SecurityOpt"] = words
        if len(words) < len(spec.security_opt):  # the command line says it with these, too
            body["HostConfig"] |= {"MaskedPaths": [], "ReadonlyPaths": []}
        for attachment in spec.networks:
            self.inspect_network(attachment.name)
        if not spec.networks:
            return ()
        first, *later = spec.networks
        body["HostConfig"]["NetworkMode"] = first.name
        body["NetworkingConfig"] = {"EndpointsConfig": {first.name: endpoint_body(first)}}
        if first.mac_address and _version(self._api) < (1, 44):
            body["MacAddress"] = first.mac_address  # below 1.44 an endpoint's own is ignored at create
        return later

    def _exec_started(self, raw: Raw) -> bool | None:
        """A process that never was has no pid; its exit code, 126, might be a command's own."""
        return _parse.number(raw.get("Pid")) != 0

    def login(self, auth: RegistryAuth) -> None:
        doing = f"logging in to {auth.registry}"
        server = "https://index.docker.io/v1/" if auth.registry == "docker.io" else auth.registry
        body = {"username": auth.username, "password": auth.password, "serveraddress": server}
        try:
            self._call("POST", "/auth", doing, body=body)
        except EngineError as exc:
            if exc.status in (401, 403) or self._says_unauthorized(exc):
                raise recast(exc, AuthenticationFailed, f"{doing}: {exc.explanation}") from exc
            raise
        self._logins[auth.registry] = auth

    def _refused_credentials(self, ref: str, auth: RegistryAuth | None, exc: EngineError) -> bool:
        """Docker answers 404 or 500 for missing credentials too; so the registry is asked once more, through it."""
        if self._says_unauthorized(exc):
            return True
        try:
            where = path("/distribution/{}/json", parse(ref).qualified)
            headers = {"X-Registry-Auth": auth_header(auth)} if auth else {}
            self._call("GET", where, f"asking the registry for {ref}", headers=headers)
        except EngineError as answer:
            return answer.status in (401, 403)
        return False
