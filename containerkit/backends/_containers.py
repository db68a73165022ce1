"""The verbs of a container, over the endpoints that both engines serve alike."""

from __future__ import annotations

import contextlib
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import (
    ContainerNotFound,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    ImageNotFound,
    InUse,
    InvalidOption,
    NameInUse,
    NetworkNotFound,
    NotFound,
    StartFailed,
    Unsupported,
    WrongState,
)
from ..spec import ContainerSpec, ExecSpec, NetworkAttachment, ResourceLimits
from ..streams import Attachment, ByteStream, Output, OutputStream, Stream, demultiplex
from . import _parse
from ._http import FOREVER, REQUEST_LABEL, HttpBackend, path
from ._peer import surely_missing
from ._render import container_body, container_query, endpoint_body, exec_body, limits_body, query_filters
from ._translate import recast, translated
from .base import Capability, Change, ContainerRecord, Created, ExecState, PathStat, Processes, Raw, Stats

_RUNNING = ("running", "paused", "restarting")


class ContainerVerbs(HttpBackend):
    """Containers: what both engines answer alike; the rest are hooks."""

    # ---------------------------------------------------------------- hooks
    #: How "no limit of swap" is said at create, and at update.
    _swap_at_create = _swap_at_update = -1

    @abstractmethod
    def _image_name(self, ref: str) -> str:
        """The name under which this engine's store is asked for a ref."""

    @abstractmethod
    def _stored_name(self, ref: str) -> str: ...

    @abstractmethod
    def _adapt(self, spec: ContainerSpec, body: dict[str, Any]) -> Sequence[NetworkAttachment]:
        """Put what this engine wants said its own way into the body of a create; give the networks to connect after."""

    def _left_out(self, spec: ContainerSpec) -> Iterator[str]:
        """The options of the spec that this engine would take, and not apply."""
        if spec.oom_kill_disable and (
            self.first_info().cgroup_version != 1 or Capability.MEMORY_LIMIT not in self.capabilities
        ):
            yield "oom_kill_disable (it takes cgroup v1, and its memory controller)"
        if self.first_info().rootless:  # no user namespace may filter devices
            limited = (device for device in spec.devices if set(device.permissions) != set("rwm"))
            yield from (f"permissions {device.permissions!r} of {device.host_path}" for device in limited)

    def _familiar(self, ref: str) -> str:
        """An image's name as users write it."""
        return ref

    # ---------------------------------------------------------------- create and inspect
    def create_container(self, spec: ContainerSpec) -> Created:
        doing = f"creating container {spec.name or ''} from {spec.image}".replace("  ", " ")
        if lost := list(self._left_out(spec)):
            raise Unsupported(f"{doing}: this engine would leave out {', '.join(lost)}")
        self._refuse_missing_sources(spec, doing)
        body = container_body(spec, self._stored_name(spec.image), unlimited_swap=self._swap_at_create)
        later = self._adapt(spec, body)
        params = container_query(spec)
        try:
            answer = self._made(
                lambda: self._json("POST", "/containers/create", doing, params=params, body=body),
                lambda: self._made_by(spec),
            )
        except EngineError as exc:
            raise self._why_not_created(exc, spec, doing) from exc
        created = _parse.mapping(answer)
        identity = _parse.text(created.get("Id"))
        if not identity:
            raise EngineError(f"{doing}: the engine gave no ID: {answer!r}")
        try:
            for attachment in later:
                self.connect_network(attachment.name, identity, attachment)
            self._verify(identity, spec, doing)
        except BaseException:
            with contextlib.suppress(EngineError, EngineUnavailable, EngineTimeout):
                self.remove_container(identity, force=True, volumes=True)
            raise
        warnings = tuple(_parse.text(item) for item in _parse.sequence(created.get("Warnings")) if item)
        return Created(identity, warnings)

    def _made_by(self, spec: ContainerSpec) -> Raw | None:
        """The answer of a create that was lost: its container has a label that nothing else has."""
        request = spec.labels.get(REQUEST_LABEL)
        if not request:
            raise EngineUnavailable(f"creating a container from {spec.image}: the answer was lost")
        found = self.list_containers(all=True, filters={"label": [f"{REQUEST_LABEL}={request}"]})
        return {"Id": found[0].id} if found else None

    def _why_not_created(self, exc: EngineError, spec: ContainerSpec, doing: str) -> EngineError:
        """Ask what the status did not say: is the name taken, the image missing, a network missing?"""
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
            return recast(exc, NotFound, f"{doing}: no {source} on the engine's machine to bind; make it first")
        for attachment in spec.networks:
            if not self._exists(attachment.name):
                return recast(exc, NetworkNotFound, f"{doing}: no network {attachment.name}; create it first")
        if spec.platform and exc.status == 404:
            return recast(exc, ImageNotFound, f"{doing}: the image is not here for {spec.platform}")
        return exc

    def _missing_source(self, spec: ContainerSpec) -> str:
        """The first bind mount's source that is not there, where that can be known; "" otherwise."""
        sources = (mount.source for mount in spec.mounts if mount.kind == "bind")
        return next((source for source in sources if surely_missing(self.url, source)), "")

    def _refuse_missing_sources(self, spec: ContainerSpec, doing: str) -> None:
        """Raise NotFound where the engine itself would make an empty folder in the place of a missing one."""

    def _exists(self, network: str) -> bool:
        try:
            self.inspect_network(network)
        except NetworkNotFound:
            return False
        return True

    def _verify(self, identity: str, spec: ContainerSpec, doing: str) -> None:
        """Read back what guards security: an engine that dropped it must not run the container."""
        guarded = (spec.read_only, spec.cap_drop, spec.security_opt, spec.user, spec.ulimits)
        if not any(guarded) and not any(mount.read_only for mount in spec.mounts):
            return
        record = self.inspect_container(identity)
        host, config = _parse.mapping(record.raw.get("HostConfig")), _parse.mapping(record.raw.get("Config"))
        missing = []
        if spec.read_only and host.get("ReadonlyRootfs") is not True:
            missing.append("read_only")
        if spec.user and _parse.text(config.get("User")) != spec.user:
            missing.append(f"user={spec.user}")
        mounted = {mount.target.rstrip("/") or "/": mount for mount in record.mounts}
        for mount in spec.mounts:
            found = mounted.get(mount.target.rstrip("/") or "/")
            if mount.read_only and mount.kind != "tmpfs" and (found is None or not found.read_only):
                missing.append(f"read-only {mount.target}")
        missing += self._security_missing(spec, identity, host)
        if missing:
            raise Unsupported(f"{doing}: this engine accepts and leaves out {', '.join(missing)}; container removed")

    def _security_missing(self, spec: ContainerSpec, identity: str, host: Raw) -> list[str]:
        """The security options of the spec that the created container does not have."""
        told = {capability_name(word) for word in _parse.sequence(host.get("CapDrop"))}
        missing = [f"cap_drop={word}" for word in spec.cap_drop if capability_name(word) not in told]
        return missing + self._options_missing(spec, host)

    def _options_missing(self, spec: ContainerSpec, host: Raw) -> list[str]:
        words = map(_parse.text, _parse.sequence(host.get("SecurityOpt")))
        told = {word.removesuffix("true").rstrip("=:") for word in words}
        missing = [word for word in spec.security_opt if word == "no-new-privileges" and word not in told]
        limits = {
            (_parse.text(row.get("Name")).lower().removeprefix("rlimit_"), row.get("Soft"), row.get("Hard"))
            for row in map(_parse.mapping, _parse.sequence(host.get("Ulimits")))
        }
        return missing + [f"ulimits {u.name}" for u in spec.ulimits if (u.name, u.soft, u.hard) not in limits]

    def inspect_container(self, ref: str, *, size: bool = False) -> ContainerRecord:
        doing = f"inspecting container {ref}"
        try:
            raw = self._json("GET", path("/containers/{}/json", ref), doing, params={"size": size or None})
        except EngineError as exc:
            if exc.status == 404:
                raise recast(exc, ContainerNotFound, f"no container {ref}") from exc
            raise
        raw = _parse.mapping(raw)
        return _parse.container(raw, self._familiar(_parse.text(_parse.mapping(raw.get("Config")).get("Image"))))

    def list_containers(self, *, all: bool, filters: Mapping[str, Sequence[str]]) -> tuple[ContainerRecord, ...]:
        params = {"all": all, "filters": query_filters(filters)}
        rows = self._json("GET", "/containers/json", "listing containers", params=params)
        return tuple(self._summary(_parse.mapping(row)) for row in _parse.sequence(rows))

    def _summary(self, row: Raw) -> ContainerRecord:
        return _parse.container_summary({**row, "Image": self._familiar(_parse.text(row.get("Image")))})

    # ---------------------------------------------------------------- life
    def _explain(self, exc: EngineError, ref: str, doing: str, *allowed: str) -> EngineError:
        """Ask for the state that the status did not tell, and say which one was wanted."""
        try:
            record = self.inspect_container(ref)
        except ContainerNotFound:
            return recast(exc, ContainerNotFound, f"{doing}: no container {ref}")
        if allowed and record.status not in allowed:
            return WrongState(
                f"{doing}: it is {record.status}, and that takes one that is {' or '.join(allowed)}",
                actual=record.status,
                status=exc.status,
                explanation=exc.explanation,
            )
        return exc

    def _change(self, ref: str, verb: str, doing: str, *allowed: str, **how: Any) -> None:
        try:
            self._call("POST", path("/containers/{}/" + verb, ref), doing, **how)
        except EngineError as exc:
            raise self._explain(exc, ref, doing, *allowed) from exc

    def start_container(self, ref: str) -> None:
        doing = f"starting container {ref}"
        try:
            self._call("POST", path("/containers/{}/start", ref), doing, timeout=max(self._timeout, 120.0))
        except EngineError as exc:
            error = self._explain(exc, ref, doing, "created", "exited", "dead", "running")
            if error is exc:
                error = recast(exc, StartFailed, f"{doing}: {exc.explanation}")
            raise error from exc

    def stop_container(self, ref: str, *, timeout: int | None) -> None:
        wait = FOREVER if timeout is None else timeout + self._timeout
        self._change(ref, "stop", f"stopping container {ref}", params={"t": timeout}, timeout=wait)

    def kill_container(self, ref: str, *, signal: str) -> None:
        self._change(ref, "kill", f"killing container {ref}", "running", "paused", params={"signal": signal})

    def restart_container(self, ref: str, *, timeout: int | None) -> None:
        wait = FOREVER if timeout is None else timeout + self._timeout
        self._change(ref, "restart", f"restarting container {ref}", params={"t": timeout}, timeout=wait)

    def pause_container(self, ref: str) -> None:
        self._change(ref, "pause", f"pausing container {ref}", "running")

    def unpause_container(self, ref: str) -> None:
        self._change(ref, "unpause", f"unpausing container {ref}", "paused")

    def rename_container(self, ref: str, name: str) -> None:
        doing = f"renaming container {ref} to {name}"
        try:
            self._call("POST", path("/containers/{}/rename", ref), doing, params={"name": name})
        except EngineError as exc:
            with contextlib.suppress(NotFound):
                if self.inspect_container(name).name == name:
                    raise recast(exc, NameInUse, f"{doing}: the name is taken") from exc
            raise self._explain(exc, ref, doing) from exc

    def update_container(self, ref: str, limits: ResourceLimits, restart: str | None) -> tuple[str, ...]:
        doing = f"updating container {ref}"
        body = limits_body(limits, unlimited_swap=self._swap_at_update)
        if limits.memory is not None and limits.memory_swap is None:
            body |= self._swap_beside(ref, limits.memory)
        if restart is not None:
            name, _, retries = restart.partition(":")
            body["RestartPolicy"] = {"Name": name, "MaximumRetryCount": int(retries or 0)}
        try:
            answer = self._json("POST", path("/containers/{}/update", ref), doing, body=body)
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from exc
        return tuple(map(_parse.text, _parse.sequence(_parse.mapping(answer).get("Warnings"))))

    def _swap_beside(self, ref: str, memory: int) -> dict[str, Any]:
        """What an update of memory alone means for swap: no limit of it stays none, which Docker wants to be told, and
        one that there is (memory and swap together) must hold what is asked."""
        host = _parse.mapping(self.inspect_container(ref).raw.get("HostConfig"))
        both = _parse.number(host.get("MemorySwap"))
        if both <= 0:
            return {"MemorySwap": self._swap_at_update}
        if both < memory:
            expected = f"{both} bytes or less, which is what container {ref} has with its swap; else memory_swap= too"
            raise InvalidOption("memory", memory, expected)
        return {}

    def wait_container(self, ref: str, *, timeout: float | None) -> int:
        doing = f"waiting for container {ref}"
        how = FOREVER if timeout is None else timeout
        try:
            answer = self._json(
                "POST", path("/containers/{}/wait", ref), doing, params={"condition": "not-running"}, timeout=how
            )
        except EngineTimeout as exc:
            raise EngineTimeout(f"container {ref} still runs after {timeout:g} s", timeout=timeout or 0.0) from exc
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from exc
        return _parse.number(_parse.mapping(answer).get("StatusCode"))

    def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        doing = f"removing container {ref}"
        try:
            self._delete(ref, doing, force=force, volumes=volumes)
        except EngineError as exc:
            self._removal_refused(exc, ref, doing, force=force)

    def _delete(self, ref: str, doing: str, *, force: bool, volumes: bool) -> None:
        self._call("DELETE", path("/containers/{}", ref), doing, params={"force": force, "v": volumes})

    def _removal_refused(self, exc: EngineError, ref: str, doing: str, *, force: bool) -> None:
        """Gone meanwhile is done; being removed by the engine is waited for; running is WrongState."""
        deadline = time.monotonic() + 10.0
        while True:
            try:
                record = self.inspect_container(ref)
            except ContainerNotFound:
                if exc.status == 404:
                    raise ContainerNotFound(f"{doing}: no such container", status=404) from exc
                return
            if record.status in _RUNNING and not force:
                raise WrongState(
                    f"{doing}: it is {record.status}; stop it first, or use force=True",
                    actual=record.status,
                    status=exc.status,
                    explanation=exc.explanation,
                ) from exc
            if record.status != "removing" or time.monotonic() > deadline:
                raise exc
            time.sleep(0.05)

    # ---------------------------------------------------------------- streams
    def attach_container(self, ref: str, *, stdin: bool, tty: bool) -> Attachment:
        doing = f"attaching to container {ref}"
        params = {"stream": True, "stdout": True, "stderr": True, "stdin": stdin}
        try:
            return self._hijack(path("/containers/{}/attach", ref), doing, framed=not tty, params=params)
        except EngineError as exc:
            error = self._explain(exc, ref, doing)
            if error is exc:  # Podman prepares the process here, and finds that it cannot start
                error = recast(exc, StartFailed, f"{doing}: {exc.explanation}")
            raise error from exc

    def exec_container(self, ref: str, spec: ExecSpec) -> tuple[str, Attachment]:
        doing = f"executing {spec.command[0]} in container {ref}"
        try:
            answer = self._json("POST", path("/containers/{}/exec", ref), doing, body=exec_body(spec))
            identity = _parse.text(_parse.mapping(answer).get("Id"))
            body = {"Detach": False, "Tty": spec.tty}
            stream = self._hijack(path("/exec/{}/start", identity), doing, framed=not spec.tty, body=body)
        except EngineError as exc:
            error = self._explain(exc, ref, doing, "running")
            if error is exc:
                error = recast(exc, StartFailed, f"{doing}: {exc.explanation}")
            raise error from exc
        return identity, stream

    def inspect_exec(self, exec_id: str) -> ExecState:
        raw = _parse.mapping(self._json("GET", path("/exec/{}/json", exec_id), "asking for an exec's state"))
        running = raw.get("Running") is True
        code = raw.get("ExitCode")
        return ExecState(running, code if isinstance(code, int) and not running else None, self._exec_started(raw))

    def _exec_started(self, raw: Raw) -> bool | None:
        return None

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
        doing = f"reading the log of container {ref}"
        params = {
            "stdout": stdout,
            "stderr": stderr,
            "follow": follow,
            "since": None if since is None else f"{since:.9f}",
            "until": None if until is None else f"{until:.9f}",
            "tail": "all" if tail is None else str(tail),
            "timestamps": timestamps,
        }
        try:
            where = path("/containers/{}/logs", ref)
            source, chunks = self._lines("GET", where, doing, params=params, patience=self._log_patience(follow))
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from exc
        outputs: Iterator[Output]
        outputs = (Output("stdout", chunk) for chunk in chunks) if tty else demultiplex(chunks)
        return OutputStream(outputs, on_close=source.close)

    def _log_patience(self, follow: bool) -> float | None:
        """Seconds for a log to begin, None for no limit."""
        return None

    def stats_container(self, ref: str, *, stream: bool) -> Stream[Stats]:
        doing = f"measuring container {ref}"
        try:
            source, chunks = self._lines("GET", path("/containers/{}/stats", ref), doing, params={"stream": stream})
        except EngineError as exc:
            raise self._explain(exc, ref, doing, "running", "paused") from exc

        def samples() -> Iterator[Stats]:
            for raw in _parse.json_lines(chunks, doing):
                sample = _parse.stats(raw)
                if not sample.time:  # zeros: it does not run (any more)
                    break
                yield sample
                if not stream:
                    return
            if not stream:
                raise self._explain(EngineError(f"{doing}: no sample came"), ref, doing, "running", "paused")

        return Stream(samples(), on_close=source.close)

    def top_container(self, ref: str, *, ps_args: str | None) -> Processes:
        doing = f"listing the processes of container {ref}"
        try:
            raw = self._top(ref, ps_args, doing)
        except EngineError as exc:
            raise self._explain(exc, ref, doing, "running", "paused") from exc
        return Processes(
            titles=tuple(map(_parse.text, _parse.sequence(raw.get("Titles")))),
            rows=tuple(tuple(map(_parse.text, _parse.sequence(row))) for row in _parse.sequence(raw.get("Processes"))),
        )

    def _top(self, ref: str, ps_args: str | None, doing: str) -> Raw:
        return _parse.mapping(self._json("GET", path("/containers/{}/top", ref), doing, params={"ps_args": ps_args}))

    # ---------------------------------------------------------------- files
    def diff_container(self, ref: str) -> tuple[Change, ...]:
        doing = f"comparing container {ref} with its image"
        try:
            return _parse.changes(self._json("GET", path("/containers/{}/changes", ref), doing))
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from exc

    def export_container(self, ref: str) -> ByteStream:
        doing = f"exporting container {ref}"
        try:
            return self._stream("GET", path("/containers/{}/export", ref), doing)
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from exc

    def put_archive(self, ref: str, path_: str, data: bytes | Iterable[bytes]) -> None:
        doing = f"copying into container {ref} at {path_}"
        try:
            self._call(
                "PUT",
                path("/containers/{}/archive", ref),
                doing,
                params={"path": path_},
                data=data,
                headers={"Content-Type": "application/x-tar"},
                timeout=FOREVER,
            )
        except EngineError as exc:
            raise self._no_such_path(exc, ref, path_, doing) from exc

    def _no_such_path(self, exc: EngineError, ref: str, path_: str, doing: str) -> EngineError:
        if exc.status != 404:
            return exc
        error = self._explain(exc, ref, doing)
        return (
            NotFound(f"{doing}: no {path_} there", status=404, explanation=exc.explanation) if error is exc else error
        )

    def get_archive(self, ref: str, path_: str) -> tuple[PathStat, ByteStream]:
        doing = f"copying {path_} from container {ref}"
        try:
            response = self._call(
                "GET",
                path("/containers/{}/archive", ref),
                doing,
                params={"path": path_},
                stream=True,
                timeout=FOREVER,
            )
        except EngineError as exc:
            raise self._no_such_path(exc, ref, path_, doing) from exc
        with translated(doing, self.url):
            found = _parse.path_stat(response.headers.get("X-Docker-Container-Path-Stat", "e30="))
        return found, self._chunks(response, doing)

    def stat_path(self, ref: str, path_: str) -> PathStat | None:
        doing = f"looking at {path_} in container {ref}"
        response = self._call(
            "HEAD", path("/containers/{}/archive", ref), doing, params={"path": path_}, accept=(404, 400, 500)
        )
        header = response.headers.get("X-Docker-Container-Path-Stat")
        if response.status_code < 400 and header:
            with translated(doing, self.url):
                return _parse.path_stat(header)
        if response.status_code == 404:
            self.inspect_container(ref)  # raises if it is the container that is missing
            return None
        raise EngineError(f"{doing}: status {response.status_code}", status=response.status_code)

    def commit_container(
        self, ref: str, *, image: str, message: str, author: str, pause: bool, changes: Sequence[str]
    ) -> str:
        doing = f"committing container {ref}"
        repository, tag = self._repository_and_tag(image) if image else (None, None)
        params = {
            "container": ref,
            "repo": repository,
            "tag": tag,
            "comment": message or None,
            "author": author or None,
            "pause": pause,
            "changes": list(changes) or None,
        }
        try:
            answer = self._json("POST", "/commit", doing, params=params, body={}, timeout=FOREVER)
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from exc
        return _parse.image_id(_parse.mapping(answer).get("Id"))

    def _repository_and_tag(self, ref: str) -> tuple[str, str]:
        """The two halves of a name as the API takes them; the name is qualified where the engine wants it."""
        name = self._image_name(ref)
        repository, colon, tag = name.rpartition(":")
        return (repository, tag) if colon and "/" not in tag else (name, "latest")

    def check_health(self, ref: str) -> str | None:
        return self.inspect_container(ref).health

    # ---------------------------------------------------------------- networks of a container
    def connect_network(self, ref: str, container: str, attachment: NetworkAttachment) -> None:
        doing = f"connecting container {container} to network {ref}"
        body = {"Container": container, "EndpointConfig": endpoint_body(attachment)}
        try:
            self._call("POST", path("/networks/{}/connect", ref), doing, body=body)
        except EngineError as exc:
            network = self.inspect_network(ref)
            record = self.inspect_container(container)
            if network.name in record.networks:
                raise recast(exc, InUse, f"{doing}: it is on that network already") from exc
            raise

    def disconnect_network(self, ref: str, container: str, *, force: bool) -> None:
        doing = f"disconnecting container {container} from network {ref}"
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


def capability_name(word: Any) -> str:
    """A capability as the kernel names it, "CAP_NET_RAW"; "ALL" stays."""
    name = _parse.text(word).upper()
    return name if name in ("ALL", "") else "CAP_" + name.removeprefix("CAP_")
