"""Strategies for Container.wait_until(): what to wait for, said as a value."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from ..errors import (
    ContainerKitError,
    EngineTimeout,
    InvalidOption,
    NotFound,
    StartFailed,
    WrongState,
)
from ..options import timeout_seconds

if TYPE_CHECKING:
    from .containers import Container

__all__ = [
    "Strategy",
    "all_of",
    "any_of",
    "command",
    "exited",
    "healthy",
    "http",
    "log_line",
    "port_open",
    "wait_until",
]

_FIRST, _LONGEST = 0.02, 0.5  # seconds between two looks


class Strategy(ABC):
    """Something to wait for. Write your own with `watch`."""

    #: Whether a container that does not run (any more) can still come to it.
    survives_exit = False

    @abstractmethod
    def watch(self, container: Container) -> contextlib.AbstractContextManager[Any]:
        """A context whose value is a function; called again and again, it gives "" for yes, or what is missing."""


class _Asking(Strategy):
    """A strategy that keeps nothing between two looks."""

    def watch(self, container: Container) -> contextlib.AbstractContextManager[Any]:
        self.prepare(container)
        return contextlib.nullcontext(lambda: self.missing(container))

    def prepare(self, container: Container) -> None:
        """Refuse what can never come. Raises InvalidOption."""

    @abstractmethod
    def missing(self, container: Container) -> str: ...


@dataclass(frozen=True)
class healthy(_Asking):  # noqa: N801  a word in a sentence: wait_until(healthy())
    """Its health check says "healthy". Where the engine has no clock of its own, waiting runs the check."""

    def prepare(self, container: Container) -> None:
        if not container.record.has_health_check:
            raise InvalidOption(
                "strategy", "healthy()", "a container with a health check (health_cmd=…); this has none"
            )

    def missing(self, container: Container) -> str:
        status = container._backend.check_health(container.id)
        return "" if status == "healthy" else f"its health is {status}"


@dataclass(frozen=True)
class exited(_Asking):  # noqa: N801
    """It has ended, with that exit code if one is given."""

    code: int | None = None
    survives_exit = True

    def missing(self, container: Container) -> str:
        container.refresh()
        if container.status not in ("exited", "dead"):
            return f"it is {container.status}"
        if self.code is not None and container.exit_code != self.code:
            return f"it ended with exit code {container.exit_code}, not {self.code}"
        return ""


@dataclass(frozen=True)
class command(_Asking):  # noqa: N801
    """A command in it ends with exit code 0."""

    argv: Any
    user: str | None = None

    def missing(self, container: Container) -> str:
        try:
            result = container.exec(self.argv, user=self.user, timeout=30.0)
        except (StartFailed, EngineTimeout) as exc:
            return str(exc)
        return "" if result.exit_code == 0 else f"{self.argv} ended with exit code {result.exit_code}"


@dataclass(frozen=True)
class port_open(_Asking):  # noqa: N801
    """A process in it accepts connections on a TCP port: through the published port, else by its /proc/net/tcp."""

    port: int

    def prepare(self, container: Container) -> None:
        _check_port(self.port)

    def missing(self, container: Container) -> str:
        container.refresh()
        if container.record.ports.get((self.port, "tcp")):
            address = container.port(self.port)
            return "" if _accepts(address.host, address.port) else f"port {self.port} (at {address}) does not answer"
        try:
            found = container.exec(["cat", "/proc/net/tcp", "/proc/net/tcp6"]).stdout
        except StartFailed as exc:
            raise InvalidOption("strategy", self, "a published port, or an image with `cat` to look inside") from exc
        listening = any(
            fields[3] == "0A" and fields[1].endswith(f":{self.port:04X}")
            for fields in (line.split() for line in found.splitlines())
            if len(fields) > 3
        )
        return "" if listening else f"nobody listens on port {self.port}"


@dataclass(frozen=True)
class http(_Asking):  # noqa: N801
    """A published port answers a GET with that status (any below 400 if none is given)."""

    path: str = "/"
    port: int = 80
    status: int | None = None

    def prepare(self, container: Container) -> None:
        _check_port(self.port)
        if not isinstance(self.path, str) or not self.path.startswith("/"):
            raise InvalidOption("path", self.path, 'a path that starts with "/"')
        if not container.refresh().record.ports.get((self.port, "tcp")):
            raise InvalidOption("port", self.port, "a published port (publish={container port: host port})")

    def missing(self, container: Container) -> str:
        address = container.port(self.port)
        connection = HTTPConnection(address.host, address.port, timeout=5.0)
        try:
            connection.request("GET", self.path)
            found = connection.getresponse().status
        except (OSError, HTTPException) as exc:
            return f"http://{address}{self.path}: {exc}"
        finally:
            connection.close()
        good = found == self.status if self.status is not None else found < 400
        return "" if good else f"http://{address}{self.path}: status {found}"


@dataclass(frozen=True)
class log_line(Strategy):  # noqa: N801
    """A line of its log matches a regular expression (searched, not anchored), so many times."""

    pattern: str | re.Pattern[str]
    times: int = 1
    survives_exit = True

    @contextlib.contextmanager
    def watch(self, container: Container) -> Any:
        try:
            pattern = re.compile(self.pattern)
        except (re.error, TypeError) as exc:
            raise InvalidOption("pattern", self.pattern, f"a regular expression ({exc})") from exc
        found = threading.Semaphore(0)
        ended = threading.Event()
        failures: list[ContainerKitError] = []
        stream = container.stream_logs(follow=True)

        def read() -> None:
            rest = {"stdout": b"", "stderr": b""}
            try:
                for output in stream:
                    *lines, rest[output.stream] = (rest[output.stream] + output.data).split(b"\n")
                    for line in lines:
                        if pattern.search(line.decode("utf-8", "replace")):
                            found.release()
                for line in rest.values():
                    if pattern.search(line.decode("utf-8", "replace")):
                        found.release()
            except ContainerKitError as exc:
                failures.append(exc)
            finally:
                ended.set()

        thread = threading.Thread(target=read, daemon=True, name="containerkit-log")
        thread.start()
        seen = 0

        def missing() -> str:
            nonlocal seen
            over = ended.is_set()
            while seen < self.times and found.acquire(blocking=False):
                seen += 1
            if seen >= self.times:
                return ""
            if failures:
                raise failures[0]
            if over:
                raise WrongState(
                    f"its log ended, with {seen} of {self.times} lines like {pattern.pattern!r}", actual="exited"
                )
            return f"{seen} of {self.times} lines like {pattern.pattern!r}"

        try:
            yield missing
        finally:
            stream.close()
            thread.join(5.0)


class _Combined(Strategy):
    def __init__(self, *strategies: Strategy) -> None:
        if not strategies or not all(isinstance(item, Strategy) for item in strategies):
            raise InvalidOption("strategies", strategies, "strategies of containerkit.wait")
        self.strategies = strategies

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.strategies))})"


class all_of(_Combined):  # noqa: N801
    """All of them, each at least once."""

    @property
    def survives_exit(self) -> bool:  # type: ignore[override]
        return all(item.survives_exit for item in self.strategies)

    @contextlib.contextmanager
    def watch(self, container: Container) -> Any:
        with contextlib.ExitStack() as stack:
            left = [stack.enter_context(item.watch(container)) for item in self.strategies]

            def missing() -> str:
                told = [(item, item()) for item in left]
                left[:] = [item for item, words in told if words]
                return "; ".join(words for _, words in told if words)

            yield missing


class any_of(_Combined):  # noqa: N801
    """One of them."""

    @property
    def survives_exit(self) -> bool:  # type: ignore[override]
        return any(item.survives_exit for item in self.strategies)

    @contextlib.contextmanager
    def watch(self, container: Container) -> Any:
        with contextlib.ExitStack() as stack:
            items = [stack.enter_context(item.watch(container)) for item in self.strategies]

            def missing() -> str:
                told = []
                for item in items:
                    words = item()
                    if not words:
                        return ""
                    told.append(words)
                return "; ".join(told)

            yield missing


def wait_until(container: Container, strategy: Strategy, timeout: float) -> None:
    """See :meth:`Container.wait_until`."""
    seconds = timeout_seconds("timeout", timeout)
    if not isinstance(strategy, Strategy):
        raise InvalidOption(
            "strategy", strategy, "a strategy of containerkit.wait, like healthy() or log_line('ready')"
        )
    deadline = None if seconds is None else time.monotonic() + seconds
    pause, words = _FIRST, ""
    with strategy.watch(container) as missing:
        while True:
            try:
                words = missing()
            except WrongState as exc:
                raise WrongState(
                    f"waiting for {strategy}: {exc}{_last_lines(container)}", actual=exc.actual, status=exc.status
                ) from exc
            if not words:
                container._record = None
                return
            if not strategy.survives_exit and container.refresh().status not in (
                "created",
                "running",
                "paused",
                "restarting",
            ):
                told = f"waiting for {strategy}: it is {container.status}, exit code {container.exit_code}"
                raise WrongState(told + _last_lines(container), actual=container.status)
            if deadline is not None and time.monotonic() + pause > deadline:
                message = f"waiting for {strategy}: not within {seconds:g} s; {words}{_last_lines(container)}"
                raise EngineTimeout(message, timeout=seconds or 0.0)
            time.sleep(pause)
            pause = min(_LONGEST, pause * 1.5)


def _last_lines(container: Container) -> str:
    try:
        text = container.logs(tail=20).text.strip()
    except (ContainerKitError, NotFound):
        return ""
    return f"\nthe end of its log:\n{text}" if text else ""


def _check_port(port: object) -> None:
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise InvalidOption("port", port, "a number from 1 to 65535")


def _accepts(host: str, port: int) -> bool:
    """Whether somebody is behind a port. An engine's proxy accepts for nobody, and hangs up; so wait a moment."""
    try:
        with socket.create_connection((host, port), timeout=2.0) as connection:
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            if not poll.poll(200):
                return True  # silent, and still there
            return bool(connection.recv(1))
    except OSError:
        return False
