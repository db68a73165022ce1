"""Strategies for Container.wait_until(): conditions to wait for, as values."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._text import split_lines
from ..errors import ContainerKitError, EngineTimeout, InvalidOption, StartFailed, WrongState
from ..streams import Deadline, Output, whole_lines
from .strategy import Missing, Strategy

if TYPE_CHECKING:  # a strategy is made before a client is loaded, or in a process that loads none
    from ..backends.base import Address
    from .container import Container

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
]

_LONGEST_LINE = 1 << 20  # bytes of a line of the log that are searched
_RESTART_GRACE = 2.0  # seconds after which a container with a restart policy is taken to stay exited


class _Polling(Strategy):
    """A strategy that keeps no state between two looks."""

    def watch(self, container: Container) -> contextlib.AbstractContextManager[Missing]:
        self.prepare(container)
        return contextlib.nullcontext(lambda: self.missing(container))

    def prepare(self, container: Container) -> None:
        """Raise InvalidOption if the condition can never hold."""

    @abstractmethod
    def missing(self, container: Container) -> str:
        """Return "" if the condition holds, else what is missing."""


@dataclass(frozen=True)
class healthy(_Polling):  # noqa: N801  reads as a word: wait_until(healthy())
    """Wait until the health check reports "healthy". Where the engine does not run the check, waiting runs it."""

    def prepare(self, container: Container) -> None:
        if not container.record.has_health_check:
            raise InvalidOption(
                "strategy", "healthy()", f"a container with a health check (health_cmd=…); {container.label} has none"
            )

    def missing(self, container: Container) -> str:
        status = container._core.backend.check_health(container.id)
        return "" if status == "healthy" else f"its health is {status}"


@dataclass(frozen=True)
class exited(Strategy):  # noqa: N801
    """Wait until the container has exited, for good if it has a restart policy.

    Attributes:
        code: the expected exit code; another one raises WrongState. None accepts every code.
    """

    code: int | None = None
    survives_exit = True

    def watch(self, container: Container) -> contextlib.AbstractContextManager[Missing]:
        seen: tuple[float, float] | None = None  # (start of the run that has exited, when that was first seen)

        def missing() -> str:
            nonlocal seen
            record = container.refresh().record
            if record.status not in ("exited", "dead"):
                seen = None
                return f"it is {record.status}"
            if record.restart not in ("", "no") and not (record.restart == "on-failure" and record.exit_code == 0):
                # Podman shows "exited" between two runs
                if seen is None or seen[0] != record.started:
                    seen = (record.started, time.monotonic())
                if time.monotonic() - seen[1] < _RESTART_GRACE:
                    return f"it exited and may restart (restart={record.restart})"
            if self.code is not None and record.exit_code != self.code:
                raise WrongState(f"it exited with code {record.exit_code}, not {self.code}", actual=record.status)
            return ""

        return contextlib.nullcontext(missing)


@dataclass(frozen=True)
class command(_Polling):  # noqa: N801
    """Wait until a command in the container exits with code 0.

    Attributes:
        argv: the command, as in Container.exec().
        user: the user that runs it; None for the container's own.
    """

    argv: Any
    user: str | None = None

    def missing(self, container: Container) -> str:
        try:
            result = container.exec(self.argv, user=self.user, timeout=30.0)
        except (StartFailed, EngineTimeout, WrongState) as exc:
            return str(exc)
        return "" if result.exit_code == 0 else f"{self.argv} exited with code {result.exit_code}"


@dataclass(frozen=True)
class port_open(_Polling):  # noqa: N801
    """Wait until a process in the container accepts TCP connections on a port.

    A published port is connected to; for another one, /proc/net/tcp of the container is read with `cat`.

    Attributes:
        port: the port in the container.
    """

    port: int

    def prepare(self, container: Container) -> None:
        _check_port(self.port)

    def missing(self, container: Container) -> str:
        if address := _address(container, self.port):
            accepting = _accepts(address.host, address.port)
            return "" if accepting else f"port {self.port} (at {address}) does not accept connections"
        try:
            tables = container.exec(["cat", "/proc/net/tcp", "/proc/net/tcp6"]).stdout
        except StartFailed as exc:
            raise InvalidOption("strategy", self, "a published port, or an image with `cat`") from exc
        except WrongState as exc:  # a paused or restarting container may run later
            return str(exc)
        listening = any(
            fields[3] == "0A" and fields[1].endswith(f":{self.port:04X}")
            for fields in (line.split() for line in split_lines(tables))
            if len(fields) > 3
        )
        return "" if listening else f"no process listens on port {self.port}"


@dataclass(frozen=True)
class http(_Polling):  # noqa: N801
    """Wait until a published port, or a port of a container on the host's network, answers a GET request.

    Attributes:
        path: path of the request.
        port: the port in the container.
        status: the expected status; None for any below 400.
    """

    path: str = "/"
    port: int = 80
    status: int | None = None

    def prepare(self, container: Container) -> None:
        _check_port(self.port)
        if not isinstance(self.path, str) or not self.path.startswith("/"):
            raise InvalidOption("path", self.path, 'a path that starts with "/"')
        if _address(container, self.port) is None:
            raise InvalidOption("port", self.port, "a published port (publish={container port: host port})")

    def missing(self, container: Container) -> str:
        address = _address(container, self.port)
        if address is None:
            return f"port {self.port} is not published now"
        from http.client import HTTPConnection, HTTPException

        connection = HTTPConnection(address.host, address.port, timeout=Deadline.current().cap(5.0) or 0.1)
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
    """Wait until lines of the container's log match a regular expression. Lines of an earlier run do not count.

    Attributes:
        pattern: searched in the first MiB of each line, not anchored.
        times: how many lines must match.
    """

    pattern: str | re.Pattern[str]
    times: int = 1
    survives_exit = True

    @contextlib.contextmanager
    def watch(self, container: Container) -> Iterator[Missing]:
        try:
            pattern = re.compile(self.pattern)
        except (re.error, TypeError) as exc:
            raise InvalidOption("pattern", self.pattern, f"a regular expression ({exc})") from exc
        found = threading.Semaphore(0)
        ended = threading.Event()
        failures: list[ContainerKitError] = []
        since = _start_of_later_run(container)
        stream = container.stream_logs(follow=True, since=since)

        def read() -> None:
            try:
                for _ in _matching_lines(stream, pattern):
                    found.release()
            except ContainerKitError as exc:
                failures.append(exc)
            finally:
                ended.set()

        thread = threading.Thread(target=read, daemon=True, name="containerkit-log")
        thread.start()
        matched = 0

        def missing() -> str:
            nonlocal matched
            over = ended.is_set()
            while matched < self.times and found.acquire(blocking=False):
                matched += 1
            if matched >= self.times:
                return ""
            if failures:
                raise failures[0]
            if over:  # Podman 4.3 can end the followed log of an exited container before its last lines
                with container.stream_logs(follow=False, since=since) as whole:
                    matched = sum(1 for _ in _matching_lines(whole, pattern))
                if matched >= self.times:
                    return ""
            progress = f"{matched} of {self.times} lines match {pattern.pattern!r}"
            if over:
                raise WrongState(f"its log ended; {progress}", actual="exited")
            return progress

        try:
            yield missing
        finally:
            stream.close()
            thread.join(5.0)


def _matching_lines(stream: Iterable[Output], pattern: re.Pattern[str]) -> Iterator[bytes]:
    """Yield the lines of either stream that match the pattern, also a last line without its end."""
    for line in whole_lines(stream, most=_LONGEST_LINE):
        if pattern.search(line.text.removesuffix("\n").removesuffix("\r")):
            yield line.data


def _start_of_later_run(container: Container) -> float | None:
    """Return a moment between the end of the previous run and the start of the current one; None in a first run."""
    record = container.refresh().record
    if not record.finished or record.started <= record.finished:
        return None
    return max(record.finished, record.started - 0.001)


class _Combined(Strategy):
    def __init__(self, *strategies: Strategy) -> None:
        if not strategies or not all(isinstance(item, Strategy) for item in strategies):
            raise InvalidOption("strategies", strategies, "strategies of containerkit.wait")
        self.strategies = strategies

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.strategies))})"


class all_of(_Combined):  # noqa: N801
    """Wait until each of the strategies has been satisfied once."""

    @property
    def survives_exit(self) -> bool:  # type: ignore[override]
        return all(item.survives_exit for item in self.strategies)

    @contextlib.contextmanager
    def watch(self, container: Container) -> Iterator[Missing]:
        with contextlib.ExitStack() as stack:
            left = [stack.enter_context(item.watch(container)) for item in self.strategies]

            def missing() -> str:
                reasons = [(item, item()) for item in left]
                left[:] = [item for item, reason in reasons if reason]
                return "; ".join(reason for _, reason in reasons if reason)

            yield missing


class any_of(_Combined):  # noqa: N801
    """Wait until one of the strategies is satisfied."""

    @property
    def survives_exit(self) -> bool:  # type: ignore[override]
        return any(item.survives_exit for item in self.strategies)

    @contextlib.contextmanager
    def watch(self, container: Container) -> Iterator[Missing]:
        with contextlib.ExitStack() as stack:
            items = [stack.enter_context(item.watch(container)) for item in self.strategies]

            def missing() -> str:
                reasons, impossible = [], []
                for item in items:
                    try:
                        reason = item()
                    except WrongState as exc:  # the others may still be satisfied
                        impossible.append(exc)
                        reason = str(exc)
                    if not reason:
                        return ""
                    reasons.append(reason)
                if len(impossible) == len(items):
                    raise WrongState("; ".join(reasons), actual=impossible[0].actual)
                return "; ".join(reasons)

            yield missing


def _address(container: Container, port: int) -> Address | None:
    """Return the address of a TCP port on the engine's host; None if it is not published."""
    record = container.refresh().record
    if record.network_mode == "host":
        from ..backends.base import Address

        return Address("127.0.0.1", port)
    return container.port(port) if record.ports.get((port, "tcp")) else None


def _check_port(port: object) -> None:
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise InvalidOption("port", port, "a number from 1 to 65535")


def _accepts(host: str, port: int) -> bool:
    """Return whether a process accepts connections on a port.

    An engine's proxy accepts a connection even without a process behind it and then closes it, so wait a moment.
    """
    try:
        with socket.create_connection((host, port), timeout=Deadline.current().cap(2.0) or 0.1) as connection:
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            if not poll.poll(200):
                return True  # silent and still open
            return bool(connection.recv(1))
    except OSError:
        return False
