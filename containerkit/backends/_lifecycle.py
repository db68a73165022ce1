"""Change the state of a container, over the endpoints that both engines serve alike."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ..errors import (
    ContainerNotFound,
    EngineError,
    EngineTimeout,
    InvalidOption,
    NameInUse,
    NotFound,
    StartFailed,
    WrongState,
)
from ..spec import ResourceLimits
from ..streams import Deadline
from . import _json
from ._http import HttpBackend, path, recast, short
from ._render import limits_body

_RUNNING = ("running", "paused", "restarting")
_REMOVAL_TIME = 10.0  # seconds to wait for the engine's own removal
_REMOVAL_PAUSE = 0.005, 0.05  # seconds before the second look at it, and at most between two


class LifecycleVerbs(HttpBackend):
    """Start, stop, wait, rename, update, remove."""

    #: How a body says "no limit of swap", at create and at update.
    _swap_at_create = _swap_at_update = -1

    def _explain(self, exc: EngineError, ref: str, doing: str, *allowed: str) -> EngineError:
        """Return the refusal as a more exact error, by looking at the state of the container.

        Args:
            allowed: the statuses in which the request is accepted; none given: any.
        """
        try:
            record = self.inspect_container(ref)
        except ContainerNotFound:
            return recast(exc, ContainerNotFound, f"{doing}: no container {short(ref)}")
        if allowed and record.status not in allowed:
            return WrongState(
                f"{doing}: it is {record.status}; it must be {' or '.join(allowed)}",
                actual=record.status,
                status=exc.status,
                explanation=exc.explanation,
            )
        return exc

    def _change(self, ref: str, verb: str, doing: str, *allowed: str, **how: Any) -> None:
        try:
            self._call("POST", path("/containers/{}/" + verb, ref), doing, **how)
        except EngineError as exc:
            raise self._explain(exc, ref, doing, *allowed) from None

    def start_container(self, ref: str) -> None:
        doing = f"starting container {short(ref)}"
        try:
            self._call("POST", path("/containers/{}/start", ref), doing, slow=True)
        except EngineError as exc:
            error = self._explain(exc, ref, doing, "created", "exited", "dead", "running")
            removed = isinstance(error, ContainerNotFound) and exc.status != 404  # by the engine, as with --rm
            if error is exc or removed:
                error = recast(exc, StartFailed, f"{doing}: {exc.explanation}")
            raise error from exc

    def stop_container(self, ref: str, *, timeout: int | None) -> None:
        self._change(ref, "stop", f"stopping container {short(ref)}", params={"t": timeout}, slow=True)

    def restart_container(self, ref: str, *, timeout: int | None) -> None:
        self._change(ref, "restart", f"restarting container {short(ref)}", params={"t": timeout}, slow=True)

    def kill_container(self, ref: str, *, signal: str) -> None:
        self._change(ref, "kill", f"killing container {short(ref)}", "running", "paused", params={"signal": signal})

    def pause_container(self, ref: str) -> None:
        self._change(ref, "pause", f"pausing container {short(ref)}", "running")

    def unpause_container(self, ref: str) -> None:
        self._change(ref, "unpause", f"unpausing container {short(ref)}", "paused")

    def rename_container(self, ref: str, name: str) -> None:
        doing = f"renaming container {short(ref)} to {name}"
        try:
            self._call("POST", path("/containers/{}/rename", ref), doing, params={"name": name})
        except EngineError as exc:
            with contextlib.suppress(NotFound):
                if self.inspect_container(name).name == name:
                    raise recast(exc, NameInUse, f"{doing}: the name is taken") from None
            raise self._explain(exc, ref, doing) from None

    def update_container(self, ref: str, limits: ResourceLimits, restart: str | None) -> tuple[str, ...]:
        doing = f"updating container {short(ref)}"
        body = limits_body(limits, unlimited_swap=self._swap_at_update)
        if limits.memory is not None and limits.memory_swap is None:
            body |= self._swap_beside(ref, limits.memory)
        if restart is not None:
            name, _, retries = restart.partition(":")
            body["RestartPolicy"] = {"Name": name, "MaximumRetryCount": int(retries or 0)}
        try:
            answer = self._object("POST", path("/containers/{}/update", ref), doing, body=body)
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from None
        return _json.texts(answer.get("Warnings"))

    def _swap_beside(self, ref: str, memory: int) -> dict[str, Any]:
        """Return what an update of memory alone must say about swap.

        Docker takes a missing value for an old limit, so "no limit" is repeated. A limit of memory and swap together
        must not be lower than the new memory.
        """
        host = _json.mapping(self.inspect_container(ref).raw.get("HostConfig"))
        both = _json.number(host.get("MemorySwap"))
        if both <= 0:
            return {"MemorySwap": self._swap_at_update}
        if both < memory:
            expected = (
                f"at most {both} bytes, the limit of memory and swap of container {short(ref)}; or memory_swap= too"
            )
            raise InvalidOption("memory", memory, expected)
        return {}

    def wait_container(self, ref: str, *, timeout: float | None) -> int:
        doing = f"waiting for container {short(ref)}"
        with Deadline.after(timeout) as deadline:
            try:
                return self._wait(ref, doing)
            except EngineTimeout as exc:
                if not deadline.expired:
                    raise
                limit = deadline.timeout or 0.0
                raise EngineTimeout(f"container {short(ref)} still runs after {limit:g} s", timeout=limit) from exc
            except EngineError as exc:
                raise self._explain(exc, ref, doing) from None

    def _wait(self, ref: str, doing: str) -> int:
        params = {"condition": "not-running"}
        answer = self._object("POST", path("/containers/{}/wait", ref), doing, params=params, slow=True, quiet=True)
        return self._read(doing, lambda raw: _json.required(raw, "StatusCode", int), answer)

    def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        doing = f"removing container {short(ref)}"
        try:
            self._delete(ref, doing, force=force, volumes=volumes)
        except EngineError as exc:
            self._removal_refused(exc, ref, doing, force=force)

    def _delete(self, ref: str, doing: str, *, force: bool, volumes: bool) -> None:
        self._call("DELETE", path("/containers/{}", ref), doing, params={"force": force, "v": volumes}, slow=True)

    def _removal_refused(self, exc: EngineError, ref: str, doing: str, *, force: bool) -> None:
        """Return if the container is gone or soon removed by the engine itself; else raise why it cannot be removed."""
        until = time.monotonic() + _REMOVAL_TIME
        pause, longest = _REMOVAL_PAUSE
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
            in_progress = record.status == "removing" or "already in progress" in (exc.explanation or "")
            if not in_progress or time.monotonic() > until:
                raise exc
            time.sleep(pause)
            pause = min(2 * pause, longest)
