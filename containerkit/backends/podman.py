"""Podman: what it does its own way. Read beside docker.py; together they are the list of differences.

podman-py serves as transport only. Requests go to the compat endpoints, which take Docker's own bodies, but for those
marked ``native=True``: there the compat endpoint of some version is wrong, and the reason stands beside it.
"""

from __future__ import annotations

import contextlib
import functools
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import requests
from podman.api.client import APIClient

from ..errors import (
    AuthenticationFailed,
    EngineError,
    EngineTimeout,
    ImageNotFound,
    InUse,
    NotFound,
)
from ..reference import begins_id, display, looks_like_id, parse
from ..spec import ContainerSpec, NetworkAttachment, RegistryAuth
from ..streams import OutputStream
from . import _parse
from ._containers import ContainerVerbs, capability_name
from ._follow import Followed
from ._http import FOREVER, path
from ._images import ImageVerbs
from ._render import ALL_SWAP, endpoint_body
from ._resources import ResourceVerbs
from ._translate import recast, translated
from .base import Capability, EngineInfo, HistoryEntry, ImageRecord, Raw
from .tls import TLS

__all__ = ["PodmanBackend"]

_LIMITS = {
    Capability.MEMORY_LIMIT: "memory",
    Capability.CPU_LIMIT: "cpu",
    Capability.CPUSET_LIMIT: "cpuset",
    Capability.PIDS_LIMIT: "pids",
}


#: libpod's API is asked in the words of its first version here, which every later engine still understands; so no
#: field changes under us. The compat version is the oldest with all that is asked.
_NATIVE_API = "4.0.0"
_COMPAT_API = "1.41"
_GRACE = 10  # seconds, as both command lines
_LOG_OPTIONS = {"max-size", "path", "tag"}  # conmon knows no others
_ID_DIGITS = 64
_SHORT_ID = re.compile(r"(?:sha256:)?[0-9a-f]{3,11}")
_ARCH = {"amd64": "x86_64", "arm64": "aarch64"}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.partition("-")[0].split(".") if part.isdigit())


class PodmanBackend(ImageVerbs, ContainerVerbs, ResourceVerbs):
    """An engine of Podman's, with podman-py's session as transport.

    Args:
        url: what users call it.
        address: where the client connects, if that is another place (the near end of a tunnel, a private socket).
        tls: certificates for a tcp address.
        version: the response to GET /version, if it is known already.
        on_close: called once, when the backend is closed.

    Raises:
        EngineUnavailable, EngineTimeout: nobody answers.
    """

    kind = "podman"
    _swap_at_create = ALL_SWAP  # the compat endpoint takes -1 for "not given" (5.8), and so for memory twice over

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
            # Not PodmanClient: its constructor reads podman's connection files, and fails if it may not.
            api = self._client = APIClient(
                base_url=address or url, timeout=timeout, version=_NATIVE_API, max_pool_size=64
            )
        if tls is not None:  # podman-py has no words for it; its client is a session of requests
            api.verify, api.cert = tls.trusted, tls.client
        api.trust_env = False  # a proxy is for registries, which the engine asks; and ~/.netrc is not for it
        self._base = f"{'https' if tls else 'http'}://{api.base_url.netloc}"
        info = self._first = self._read_info(version or self._version_answer())
        self._version = _numbers(info.version)
        self._read_capabilities(info)

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
        prefix = f"/v{_NATIVE_API}/libpod" if native else f"/v{_COMPAT_API}"
        response: requests.Response = self._client.request(
            method,
            f"{self._base}{prefix}{path}",
            params=params,
            data=data,
            headers=dict(headers),
            stream=stream,
            timeout=timeout,
            allow_redirects=False,
        )
        return response

    def close(self) -> None:
        self._client.close()
        super().close()

    # ---------------------------------------------------------------- the engine
    def _version_answer(self) -> dict[str, Any]:
        return _parse.mapping(self._json("GET", "/version", "requesting the version"))

    def info(self) -> EngineInfo:
        return self._read_info(self._version_answer())

    def _read_info(self, version: Raw) -> EngineInfo:
        doing = "asking for the engine's state"
        response = self._call("GET", "/info", doing, native=True)
        with translated(doing, self.url):
            raw = _parse.mapping(response.json())
        compat = _parse.mapping(self._json("GET", "/info", doing))
        host, store = _parse.mapping(raw.get("host")), _parse.mapping(raw.get("store"))
        security, told = _parse.mapping(host.get("security")), _parse.mapping(raw.get("version"))
        cgroup = _parse.text(host.get("cgroupVersion")).removeprefix("v")
        distribution = _parse.mapping(host.get("distribution"))
        return EngineInfo(
            kind="podman",
            version=_parse.text(told.get("Version") or version.get("Version")),
            api_version=_parse.text(told.get("APIVersion") or version.get("ApiVersion")),
            rootless=security.get("rootless") is True,
            cgroup_version=int(cgroup) if cgroup.isdigit() else None,
            cgroup_driver=_parse.text(host.get("cgroupManager")),
            storage_driver=_parse.text(store.get("graphDriverName")),
            image_store="graphdriver",
            root_dir=_parse.text(store.get("graphRoot")),
            os=" ".join(_parse.text(distribution.get(key)) for key in ("distribution", "version")).strip(),
            arch=_ARCH.get(_parse.text(host.get("arch")), _parse.text(host.get("arch"))),
            kernel=_parse.text(host.get("kernel")),
            cpus=_parse.number(host.get("cpus")),
            memory=_parse.number(host.get("memTotal")),
            name=_parse.text(host.get("hostname")),
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

    def _read_capabilities(self, info: EngineInfo) -> None:
        """What this engine can, by its own answers; without cgroups of its own it can neither limit nor pause.

        The compat info claims the host's controllers whatever the engine may use; libpod's says what it may.
        """
        host = _parse.mapping(info.raw["libpod_info"].get("host"))
        controllers = set(map(_parse.text, _parse.sequence(host.get("cgroupControllers"))))
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
        # Rootless with cgroupfs, the limits are accepted, shown by inspect, and not there (podman issue 21575).
        if not info.rootless or (info.cgroup_version == 2 and info.cgroup_driver == "systemd"):
            found |= {capability for capability, name in _LIMITS.items() if name in controllers}
        if not info.rootless or info.cgroup_version == 2:
            found.add(Capability.PAUSE)
            if {"memory", "pids"} <= controllers:  # else the samples are zeros
                found.add(Capability.STATS)
        if not info.rootless or self._version >= (5, 8):  # 4.3 and 5.4 rootless accept and drop them
            found.add(Capability.ULIMITS)
        if self._version >= (4, 7):
            found.add(Capability.HOST_GATEWAY)
        if self._version >= (5, 0) and any(c in found for c in _LIMITS):
            found.add(Capability.UPDATE)
        self.capabilities = frozenset(found)

    # ---------------------------------------------------------------- names
    def _image_name(self, ref: str) -> str:
        """Always in full: short names mean one thing to the compat endpoints and another to libpod's."""
        if not looks_like_id(ref):
            return parse(ref).qualified
        digits = ref.removeprefix("sha256:")  # a whole ID must have it, or is taken for a name; a part of one must not
        return f"sha256:{digits}" if len(digits) == _ID_DIGITS else digits

    def _familiar(self, ref: str) -> str:
        return display(ref)

    def inspect_image(self, ref: str) -> ImageRecord:
        """As the command line looks it up: the full name, then the local one that `podman build` gives."""
        try:
            return super().inspect_image(ref)
        except ImageNotFound:
            for other in (self._local_name(ref), self._by_short_id(ref)):
                if other is not None:
                    with contextlib.suppress(ImageNotFound):
                        return super().inspect_image(other)
            raise

    def _by_short_id(self, ref: str) -> str | None:
        """The ID that alone begins with so few digits that the engine takes them for a name only."""
        if not _SHORT_ID.fullmatch(ref):
            return None
        found = {record.id for record in self.list_images(all=True, filters={})}
        found = {identity for identity in found if begins_id(ref, identity)}
        return found.pop() if len(found) == 1 else None

    def _local_name(self, ref: str) -> str | None:
        if looks_like_id(ref):
            return None
        name = parse(ref)
        first = ref.partition("/")[0]
        named = "/" in ref and ("." in first or ":" in first or first == "localhost")
        return None if named else f"localhost/{display(name.qualified)}"

    def _stored_name(self, ref: str) -> str:
        """The local name, where only that exists: what `podman build` and `podman load` make of a short name."""
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
    def _left_out(self, spec: ContainerSpec) -> Iterator[str]:
        yield from super()._left_out(spec)
        if spec.domainname:
            yield "domainname (it can be part of hostname)"
        yield from (f"log_opt {name}" for name in spec.log_opt if name not in _LOG_OPTIONS)

    def _adapt(self, spec: ContainerSpec, body: dict[str, Any]) -> Sequence[NetworkAttachment]:
        """All networks at create. Rootless, the mode must say bridge, or the container is silently left out of them."""
        body.setdefault("StopTimeout", _GRACE)
        if spec.networks:
            body["HostConfig"]["NetworkMode"] = "bridge"
            body["NetworkingConfig"] = {
                "EndpointsConfig": {attachment.name: endpoint_body(attachment) for attachment in spec.networks}
            }
        return ()

    def _refuse_missing_sources(self, spec: ContainerSpec, doing: str) -> None:
        """The compat endpoint makes the folder that a bind mount names; so it is looked for before."""
        if source := self._missing_source(spec):
            raise NotFound(f"{doing}: no {source} on the engine's machine to bind; make it first")

    def _security_missing(self, spec: ContainerSpec, identity: str, host: Raw) -> list[str]:
        """Inspect lists what is left after cap_drop, not what was asked; so the effective set is looked at."""
        raw = _parse.mapping(
            self._json("GET", path("/containers/{}/json", identity), "reading back what guards security", native=True)
        )
        left = set(map(_parse.text, _parse.sequence(raw.get("EffectiveCaps"))))
        added = {capability_name(word) for word in spec.cap_add}
        missing = []
        for word in spec.cap_drop:
            name = capability_name(word)
            if (left - added) if name == "ALL" else (name in left):
                missing.append(f"cap_drop={word}")
        return missing + self._options_missing(spec, host)

    def stop_container(self, ref: str, *, timeout: int | None) -> None:
        """libpod's stop, always with a time: the compat one, and containers made through it, take none for 0."""
        wait = self._grace(ref) if timeout is None else timeout
        doing = f"stopping container {ref}"
        self._change(ref, "stop", doing, params={"timeout": wait}, timeout=wait + self._timeout, native=True)

    def restart_container(self, ref: str, *, timeout: int | None) -> None:
        """As stop_container."""
        wait = self._grace(ref) if timeout is None else timeout
        doing = f"restarting container {ref}"
        self._change(ref, "restart", doing, params={"t": wait}, timeout=wait + self._timeout, native=True)

    def _grace(self, ref: str) -> int:
        """The container's own seconds between the stop signal and KILL."""
        config = _parse.mapping(self.inspect_container(ref).raw.get("Config"))
        return _parse.number(config.get("StopTimeout")) or _GRACE

    def wait_container(self, ref: str, *, timeout: float | None) -> int:
        """libpod's wait: it can be asked to look more often than every 250 ms."""
        doing = f"waiting for container {ref}"
        params = {"condition": ["stopped", "exited"], "interval": "20ms"}
        silent = FOREVER if timeout is None else timeout
        try:
            answer = self._json(
                "POST", path("/containers/{}/wait", ref), doing, params=params, timeout=silent, native=True
            )
        except EngineTimeout as exc:
            raise EngineTimeout(f"container {ref} still runs after {timeout:g} s", timeout=timeout or 0.0) from exc
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from exc
        return _parse.number(answer)

    def _delete(self, ref: str, doing: str, *, force: bool, volumes: bool) -> None:
        """libpod's removal with timeout=0: a forced one else waits 10 s for a process that ignores TERM."""
        params = {"force": force, "volumes": volumes, "timeout": 0 if force else None}  # "v" is the compat word
        answer = self._json("DELETE", path("/containers/{}", ref), doing, params=params, native=True)
        for report in map(_parse.mapping, _parse.sequence(answer)):
            if report.get("Err"):
                words = _parse.text(report["Err"])
                raise EngineError(f"{doing}: {words}", explanation=words)

    def put_archive(self, ref: str, path_: str, data: bytes | Iterable[bytes]) -> None:
        """Podman makes a missing folder; the contract is that it is an error."""
        found = self.stat_path(ref, path_)
        if found is None:
            raise NotFound(f"copying into container {ref} at {path_}: no {path_} there", status=404)
        super().put_archive(ref, path_, data)

    def logs_container(
        self,
        ref: str,
        *,
        stdout: bool,
        stderr: bool,
        follow: bool,
        since: float | None,
        until: float | None,
        tail: int | None,
        timestamps: bool,
        tty: bool,
    ) -> OutputStream:
        """A followed log may miss the end of its container, or its last lines (podman issue 21914).

        So somebody looks whether the container still runs while nothing comes, and what the log holds beyond what came
        is read at the end.
        """
        ask = functools.partial(
            super().logs_container, stdout=stdout, stderr=stderr, until=until, timestamps=timestamps, tty=tty
        )
        if not follow:
            return ask(ref, follow=False, since=since, tail=tail)
        whole = since is None and until is None and tail is None
        followed = Followed(
            lambda: ask(ref, follow=True, since=since, tail=tail),
            lambda: ask(ref, follow=False, since=since, tail=tail),
            lambda: self.inspect_container(ref).status in ("running", "paused"),
            whole=whole,
        )
        return OutputStream(iter(followed), on_close=followed.close)

    def _log_patience(self, follow: bool) -> float | None:
        """A followed log answers with its first line, not before; so it is asked again and again."""
        return 1.0 if follow else None

    def check_health(self, ref: str) -> str | None:
        """Podman leaves the clock to systemd. Where none ran the check for a whole interval, it is run here."""
        record = self.inspect_container(ref)
        if record.health is None or record.status != "running":
            return record.health
        config = _parse.mapping(_parse.mapping(record.raw.get("Config")).get("Healthcheck"))
        interval = _parse.number(config.get("Interval")) / 1e9 or 30.0
        log = _parse.sequence(_parse.mapping(_parse.mapping(record.raw.get("State")).get("Health")).get("Log"))
        last = _parse.timestamp(_parse.mapping(log[-1]).get("End")) if log else 0.0
        if time.time() - last < interval:
            return record.health
        self._call(
            "GET",
            path("/containers/{}/healthcheck", ref),
            f"checking the health of container {ref}",
            native=True,
            timeout=FOREVER,
            accept=(409, 500),  # the state, asked next, says how it went
        )
        return self.inspect_container(ref).health

    def _top(self, ref: str, ps_args: str | None, doing: str) -> Raw:
        """libpod's: the compat one gives whole lines as one column."""
        params = {"ps_args": ps_args, "stream": False}
        raw = _parse.mapping(self._json("GET", path("/containers/{}/top", ref), doing, params=params, native=True))
        if not raw.get("Titles"):  # 4.3 has no words for one that does not run
            raise EngineError(f"{doing}: the engine listed nothing")
        return raw

    # ---------------------------------------------------------------- images
    def image_history(self, ref: str) -> tuple[HistoryEntry, ...]:
        """libpod's inspect: it says which instructions made no layer, and the history endpoint does not."""
        doing = f"reading the history of image {ref}"
        raw = self._json("GET", path("/images/{}/json", self._image_id(ref)), doing, native=True)
        return tuple(
            HistoryEntry(
                created_by=_parse.text(row.get("created_by")),
                created=_parse.timestamp(row.get("created")) or None,
                empty_layer=row.get("empty_layer") is True,
                comment=_parse.text(row.get("comment")),
            )
            for row in map(_parse.mapping, _parse.sequence(_parse.mapping(raw).get("History")))
        )

    def login(self, auth: RegistryAuth) -> None:
        """Podman's /auth tries https only; where it fails, a pull of what cannot exist asks the same question."""
        doing = f"logging in to {auth.registry}"
        body = {"username": auth.username, "password": auth.password, "serveraddress": auth.registry}
        try:
            self._call("POST", "/auth", doing, body=body)
        except EngineError as exc:
            if exc.status in (401, 403) or self._says_unauthorized(exc):
                raise recast(exc, AuthenticationFailed, f"{doing}: {exc.explanation}") from exc
            self._ask_registry(auth, doing)
        self._logins[auth.registry] = auth

    def _ask_registry(self, auth: RegistryAuth, doing: str) -> None:
        name = f"{auth.registry}/containerkit/login-{uuid.uuid4().hex}:none"
        try:
            for _ in self.pull_image(name, platform=None, auth=auth):
                pass
        except ImageNotFound:
            return  # the registry let us look
        except AuthenticationFailed as exc:
            raise recast(exc, AuthenticationFailed, f"{doing}: {exc.explanation}") from exc
        except EngineError as exc:
            raise recast(exc, EngineError, f"{doing}: {exc.explanation}") from exc

    def _refused_credentials(self, ref: str, auth: RegistryAuth | None, exc: EngineError) -> bool:
        return self._says_unauthorized(exc)

    # ---------------------------------------------------------------- networks, events
    def _refuse_network_in_use(self, ref: str, doing: str) -> None:
        """Podman 4's compat endpoint removes a network under its containers."""
        record = self.inspect_network(ref)
        users = record.containers or self.list_containers(all=True, filters={"network": [record.name]})
        if users:
            raise InUse(f"{doing}: {', '.join(user.name or user.id[:12] for user in users)} still attached")

    def _event_params(self, until: float | None) -> Mapping[str, bool | float]:
        """A stream up to a moment that has passed ends before it is read; what is there is given without one."""
        return {"stream": False, "until": time.time() + 60} if until is not None and until <= time.time() else {}
