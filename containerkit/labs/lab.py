"""Lab: a topology on an engine.

A helper container without a network has a bridge for each collision domain, and makes the cables: it sees the processes
of the hosts (``pid="host"``), and moves one end of a veth pair into the network namespace of each. It needs no rights
on the engine's machine, so that a rootless engine suffices. The kernel removes bridges and cables with the containers.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import (
    ContainerKitError,
    EngineTimeout,
    InvalidLab,
    InvalidOption,
    LabFailed,
    NotFound,
    Unsupported,
    WrongState,
)
from ..options import container_spec, parse_integer
from ..values import Value, ValueTuple
from . import plan
from .archive import write_archive
from .capture import Capture, stream_packets
from .reachability import Reachability, ping_script
from .topology import DEFAULT_IMAGE, Host, Topology, make_host

if TYPE_CHECKING:
    from ..display import NetworkGraph
    from ..engine import Engine
    from ..resources.container import Container

__all__ = ["HELPER", "HOST_LABEL", "LAB_LABEL", "HostStatus", "Lab"]

T = TypeVar("T")

#: On every container of a lab: the lab's name, and the host's name ("" for the helper).
LAB_LABEL, HOST_LABEL = "containerkit.lab", "containerkit.lab.host"
HELPER = "cables"
_WORKERS = 8
_STARTING = 120.0  # seconds for the startup commands of one host


@dataclass(frozen=True, slots=True)
class HostStatus(Value):
    """State of one host.

    Attributes:
        host: its name.
        status: that of its container, or "absent".
        image: of its container, or of the topology.
        interfaces: "eth0 A 10.0.1.2/24", …
    """

    host: str
    status: str
    image: str
    interfaces: tuple[str, ...]


class Lab:
    """A network of hosts on one engine. Leaving its `with` block, or closing the Engine, removes it.

    Args:
        engine: the engine.
        topology: from :func:`load` or another lab; None for an empty one.
        name: of the lab, part of the names of its containers; None takes the topology's, or makes one.
        image: of hosts that name none; it needs `sh` and `ip` (busybox or iproute2).
        helper_image: of the container with the cables; None takes `image`. It needs `sh` and `ip`, for capture()
            tcpdump, for impair() tc.
        keep: the lab outlives the Engine and cleanup(), until down().

    Raises:
        InvalidLab: a mistake in the topology.

    Example:
        >>> from containerkit import Engine
        >>> from containerkit.testing import FakeBackend
        >>> lab = Lab(Engine(FakeBackend()), name="two")
        >>> pc1 = lab.add("pc1", {"A": "10.0.0.1/24"})
        >>> pc2 = lab.add("pc2", {"A": "10.0.0.2/24"})
        >>> list(lab.topology.domains)
        ['A']
    """

    def __init__(
        self,
        engine: Engine,
        topology: Topology | None = None,
        *,
        name: str | None = None,
        image: str | None = None,
        helper_image: str | None = None,
        keep: bool = False,
    ) -> None:
        given = topology or Topology(f"lab-{uuid.uuid4().hex[:6]}", image=DEFAULT_IMAGE)
        self.topology = replace(given, name=name or given.name, image=image or given.image).validate()
        self._engine = engine
        self._helper_image = helper_image
        self._keep = keep
        self._lock = threading.RLock()
        self._found: dict[str, Container] = {}

    @property
    def name(self) -> str:
        """Name of the lab."""
        return self.topology.name

    def add(
        self,
        name: str,
        links: Mapping[str, str | Sequence[str] | None] | Iterable[str] = (),
        *,
        image: str | None = None,
        command: Any = None,
        routes: Mapping[str, str] | None = None,
        gateway: str | None = None,
        router: bool = False,
        startup: str = "",
        files: Mapping[str, str | bytes] | None = None,
        after: Iterable[str] = (),
        **options: Any,
    ) -> Host:
        """Add a host to the topology; up() starts it.

        Args:
            name: of the host.
            links: collision domain -> address with prefix, or several, or None; the interfaces are eth0, eth1, … in
                this order. Names alone mean no addresses.
            image: None takes the lab's.
            command: main process; None keeps the host alive without one.
            routes: destination -> gateway.
            gateway: of the default route.
            router: forward packets.
            startup: shell commands that run when the interfaces are up; the first that fails is an error.
            files: path in the host -> content.
            after: names of hosts whose startup commands end first.
            options: of :meth:`Engine.start`, such as memory, env, sysctls.

        Raises:
            InvalidLab: a mistake, with the host's name.
        """
        host = make_host(
            name, links, image=image, command=command, routes=routes, gateway=gateway, router=router, startup=startup,
            files=files, after=after, **options,
        )  # fmt: skip
        self.topology = self.topology.with_host(host)
        try:
            self.topology.validate()
        except InvalidLab:
            self.topology = replace(self.topology, hosts=self.topology.hosts[:-1])
            raise
        return host

    # ---------------------------------------------------------------- up and down
    def up(self) -> Lab:
        """Start the hosts in parallel, lay the cables, then configure interfaces and run startup commands.

        Returns:
            The lab itself.

        Raises:
            LabFailed: names the host, and the line of its startup commands. Nothing of the lab is left.
            WrongState: the lab is up already.
            InvalidLab: a mistake in the topology.
        """
        self.topology.validate()
        if self._containers():
            raise WrongState(f"lab {self.name} is up already; take it down first", actual="running")
        planned = plan.cables(self.topology)
        try:
            with ThreadPoolExecutor(_WORKERS) as pool:
                cable = pool.submit(self._start_helper)
                pids = dict(zip([h.name for h in self.topology.hosts], self._each(self._start_host, pool), strict=True))
                self._found[""] = cable.result()
            self._ip(plan.wire(planned, pids, bridges=True))
            for wave in self.topology.waves():
                self._each(self._boot, hosts=wave)
        except BaseException:
            with contextlib.suppress(ContainerKitError):
                self.down()
            raise
        return self

    def _each(
        self, work: Callable[[Host], T], pool: ThreadPoolExecutor | None = None, hosts: Iterable[Host] | None = None
    ) -> list[T]:
        """Return the results for hosts, worked on in parallel; the first failure, in the hosts' order, is raised."""
        with contextlib.ExitStack() as stack:
            pool = pool or stack.enter_context(ThreadPoolExecutor(_WORKERS))
            given = self.topology.hosts if hosts is None else hosts
            futures = [(host, pool.submit(work, host)) for host in given]
            try:
                return [self._result(host, future) for host, future in futures]
            finally:
                for _, future in futures:
                    future.cancel()

    def _result(self, host: Host, future: Future[T]) -> T:
        try:
            return future.result()
        except LabFailed:
            raise
        except (ContainerKitError, OSError) as exc:
            raise LabFailed(f"lab {self.name}, host {host.name}: {exc}", host=host.name) from exc

    def _start(self, host: str, image: str, command: Any, options: Mapping[str, Any]) -> Container:
        given = dict(options)
        if not host or (command is None and not self.topology.host(host).own_command):
            given["entrypoint"] = ["sh"]
            command = ["-c", command or plan.main_process(self.topology.host(host))]
        container = self._engine.start(
            image,
            command,
            keep=self._keep,
            name=f"{self.name}-{host or HELPER}",
            labels={LAB_LABEL: self.name, HOST_LABEL: host},
            **given,
        )
        self._found[host] = container
        return container

    def _start_helper(self) -> Container:
        options = {"network": "none", "pid": "host", "cap_add": ["NET_ADMIN", "NET_RAW"]}
        try:
            # one process only: with pid="host", and an engine without cgroups, its children would outlive the container
            return self._start("", self._helper_image or self.topology.image, plan.HELPER, options)
        except ContainerKitError as exc:
            raise LabFailed(f"lab {self.name}: the container for the cables did not start: {exc}") from exc

    def _start_host(self, host: Host) -> int:
        """Start a host and copy its files. Return the ID of its main process."""
        container = self._start(host.name, host.image or self.topology.image, host.command, plan.start_options(host))
        with tempfile.TemporaryFile() as file:
            mounted = write_archive(host, file)
            if file.tell():
                file.seek(0)
                container.put_archive("/", file)
        for path, data in mounted.items():
            container.exec(["sh", "-c", f"cat >/{path}"], user="0", input=data, check=True)
        return _pid(container)

    def _boot(self, host: Host, before: int = 0) -> None:
        """Wait for a host that configures itself, or configure it, and run its startup commands.

        Args:
            host: its interfaces are there.
            before: how often its log says already that it was configured.
        """
        if plan.configures_itself(host) and self._configured(host, before):
            return
        script, startup = plan.boot_script(host)
        try:
            result = self[host.name].exec(["sh", "-c", script, "sh", startup], user="0", timeout=_STARTING)
        except EngineTimeout as exc:
            raise LabFailed(
                f"lab {self.name}, host {host.name}: startup commands did not end within {_STARTING:g} s; let servers "
                "run in the background (&)",
                host=host.name,
            ) from exc
        if result.exit_code:
            line, log = plan.failed_line(result.stderr) if result.exit_code == 3 else (None, result.stderr)
            place = f", line {line} of its startup commands" if line else ""
            text = log.strip() or f"exit code {result.exit_code}"
            raise LabFailed(f"lab {self.name}, host {host.name}{place}: {text}", host=host.name, line=line)

    def _configured(self, host: Host, before: int) -> bool:
        """Return True when a host has configured itself, False if its main process is not root."""
        container, until, pause = self[host.name], time.monotonic() + _STARTING, 0.02
        while True:
            log = str(container.logs())
            if log.count(plan.CONFIGURED) > before:
                return True
            if plan.NOT_ROOT in log:
                return False
            if plan.FAILED in log or time.monotonic() > until:
                text = log.replace(plan.FAILED, "").strip() or f"no interfaces within {_STARTING:g} s"
                raise LabFailed(f"lab {self.name}, host {host.name}: {text}", host=host.name)
            time.sleep(pause)
            pause = min(0.5, pause * 2)

    def _ip(self, lines: Iterable[str]) -> None:
        result = self._helper().exec(["sh", "-c", plan.RUN_LINES], user="0", input="\n".join(lines) + "\n")
        if result.exit_code:
            raise LabFailed(f"lab {self.name}: the cables failed: {result.stderr.strip() or result.stdout.strip()}")

    def down(self) -> None:
        """Remove every container of the lab, also of a lab that another process brought up with ``keep=True``."""
        containers = list(
            {each.id: each for each in [*self._containers(fresh=True).values(), *self._found.values()]}.values()
        )
        self._found.clear()

        def remove(container: Container) -> None:
            container.remove(force=True, volumes=True, missing_ok=True)

        with ThreadPoolExecutor(_WORKERS) as pool:
            for future in [pool.submit(remove, each) for each in containers]:
                future.result()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exc: object) -> None:
        self.down()

    # ---------------------------------------------------------------- hosts
    def _containers(self, *, fresh: bool = False) -> dict[str, Container]:
        """Return host name -> container, from the engine if this object knows none; the helper is ""."""
        if self._found and not fresh:
            return self._found
        found = self._engine.containers.list(all=True, filters={"label": [f"{LAB_LABEL}={self.name}"]})
        containers = {each.labels.get(HOST_LABEL, ""): each for each in found}
        if not fresh:
            self._found = containers
        return containers

    def __getitem__(self, host: str) -> Container:
        """Return the container of a host. Raises InvalidLab for an unknown host, NotFound if the lab is not up."""
        self.topology.host(host)
        return self._container(host)

    def shell(self, host: str) -> int | None:
        """Connect this terminal to a shell in a host: bash, or sh if the host has no bash.

        Returns:
            The exit code of the shell; None after the detach keys (Ctrl-P Ctrl-Q).

        Raises:
            InvalidLab: the lab has no such host.
            NotFound: the lab is not up.
        """
        with self[host].open_exec(["sh", "-c", plan.SHELL], user="0", interactive=True, tty=True) as terminal:
            return terminal.interact()

    def _container(self, host: str) -> Container:
        try:
            return self._containers()[host]
        except KeyError:
            raise NotFound(
                f"lab {self.name} is not up: {host or 'the container for the cables'} does not run"
            ) from None

    def _helper(self) -> Container:
        return self._container("")

    def __iter__(self) -> Iterator[str]:
        return iter([host.name for host in self.topology.hosts])

    def __repr__(self) -> str:
        return f"<Lab {self.name}: {len(self.topology.hosts)} hosts, {len(self.topology.domains)} collision domains>"

    def status(self) -> ValueTuple[HostStatus]:
        """Return the state of every host, requested now."""
        found = self._containers(fresh=True)
        return ValueTuple(
            HostStatus(
                host.name,
                found[host.name].status if host.name in found else "absent",
                host.image or self.topology.image,
                tuple(" ".join((each.name, each.domain, *each.addresses)) for each in host.interfaces),
            )
            for host in self.topology.hosts
        )

    def restart(self, host: str, *, timeout: float = 1.0) -> None:
        """Restart a host, lay its cables again and run its startup commands.

        Args:
            host: its name.
            timeout: seconds in which it may end by itself.
        """
        container, described = self[host], self.topology.host(host)
        planned = plan.cables(self.topology)
        before = str(container.logs()).count(plan.CONFIGURED) if plan.configures_itself(described) else 0
        with self._lock:
            self._ip(f"link del {cable.end}" for cable in planned if cable.host == host)
            container.restart(timeout)
            self._ip(plan.wire(planned, {host: _pid(container.refresh())}, bridges=False))
        self._boot(described, before)

    def ping_all(self, *, timeout: int = 1) -> Reachability:
        """Ping every address of every host from every other host, all at once.

        Args:
            timeout: seconds to wait for each answer.
        """
        timeout = parse_integer("timeout", timeout, low=1, high=60)
        addresses = {
            host.name: [at.partition("/")[0] for each in host.interfaces for at in each.addresses]
            for host in self.topology.hosts
        }

        def ping(host: Host) -> dict[str, dict[str, bool]]:
            others = {name: found for name, found in addresses.items() if name != host.name}
            asked = [address for found in others.values() for address in found]
            answered = self[host.name].exec(["sh", "-c", ping_script(timeout), "sh", *asked]).stdout.split()
            return {name: {address: address in answered for address in found} for name, found in others.items()}

        return Reachability(dict(zip(addresses, self._each(ping), strict=True)))

    # ---------------------------------------------------------------- links
    def _cables(self, host: str | None, domain: str | None) -> list[plan.Cable]:
        if host is not None:
            self.topology.host(host)
        found = [
            cable
            for cable in plan.cables(self.topology)
            if host in (None, cable.host) and domain in (None, cable.interface.domain, cable.interface.name)
        ]
        if not found or (host is None and domain is None):
            known = ", ".join(self.topology.domains) or "none"
            raise InvalidLab(
                f"lab {self.name} has no cable of host {host!r} in {domain!r}; its collision domains: {known}"
            )
        return found

    def link_down(self, host: str, domain: str | None = None) -> None:
        """Unplug a host: its interface stays and loses its carrier.

        Args:
            host: its name.
            domain: collision domain or interface; None means all.
        """
        self._ip(f"link set {cable.end} down" for cable in self._cables(host, domain))

    def link_up(self, host: str, domain: str | None = None) -> None:
        """Plug a host in again. The arguments are those of :meth:`link_down`."""
        self._ip(f"link set {cable.end} up" for cable in self._cables(host, domain))

    def impair(
        self,
        domain: str | None = None,
        host: str | None = None,
        *,
        delay: float | None = None,
        loss: float | None = None,
        rate: int | None = None,
    ) -> None:
        """Delay, lose or slow packets on their way to hosts. Without a value, restore the cables.

        Args:
            domain: collision domain or interface; None means all of `host`.
            host: the host that receives the packets; None means all in the domain.
            delay: milliseconds.
            loss: percent.
            rate: bits per second.

        Raises:
            Unsupported: the engine's kernel lacks netem, or the helper's image lacks iproute2's tc.
        """
        for name, value in (("delay", delay), ("loss", loss), ("rate", rate)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0):
                raise InvalidOption(name, value, "a number, 0 or more")
        words = [
            *(["delay", f"{delay:g}ms"] if delay else []),
            *(["loss", f"{loss:g}%"] if loss else []),
            *(["rate", f"{rate:.0f}bit"] if rate else []),
        ]
        for cable in self._cables(host, domain):
            helper = self._helper()
            if not words:
                helper.exec(["tc", "qdisc", "del", "dev", cable.end, "root"])
                continue
            result = helper.exec(["tc", "qdisc", "replace", "dev", cable.end, "root", "netem", *words])
            if result.exit_code:
                raise Unsupported(
                    f"lab {self.name}: no netem here ({result.stderr.strip()}); it needs a kernel with sch_netem and "
                    "an image with iproute2 (helper_image=)"
                )

    def capture(self, domain: str, host: str | None = None) -> Capture:
        """Capture packets until stop(), by tcpdump in the helper.

        Args:
            domain: collision domain; with `host`, also the name of an interface.
            host: capture at the cable of this host; None captures every packet of the domain.

        Raises:
            Unsupported: the helper's image has no tcpdump.
            InvalidLab: the lab has no such collision domain or cable.
        """
        return Capture(self._helper(), self._device(domain, host))

    def stream_capture(self, domain: str, host: str | None = None) -> Generator[bytes, None, None]:
        """Return a pcap file piece by piece, as packets come, for a pipe to Wireshark or tshark.

        Args:
            domain, host: as in :meth:`capture`.

        Returns:
            An iterator; closing it ends the capture.

        Raises:
            Unsupported, InvalidLab: as in :meth:`capture`.
        """
        return stream_packets(self._helper(), self._device(domain, host))

    def _device(self, domain: str, host: str | None) -> str:
        """Return the name in the helper of a collision domain's bridge, or of a host's cable in it."""
        if host is not None:
            return self._cables(host, domain)[0].end
        if domain not in self.topology.domains:
            raise InvalidLab(f"lab {self.name} has no collision domain {domain!r}: {', '.join(self.topology.domains)}")
        return self._cables(None, domain)[0].bridge

    # ---------------------------------------------------------------- pictures and copies
    def draw(self) -> NetworkGraph:
        """Return a drawing with the state of each host."""
        return self.topology.draw({each.host: each.status for each in self.status()})

    def _repr_html_(self) -> str:
        return self.draw().to_html()

    def copies(self, number: int, *, memory: int | str | None = None) -> tuple[Lab, ...]:
        """Return copies of this lab, isolated from one another, named NAME-1, NAME-2, …; none of them is up.

        Args:
            number: how many.
            memory: what the memory limits of all hosts of all copies may be together, as "8g"; every host needs a limit
                then. None takes the memory of the engine's machine, and hosts without a limit count nothing.

        Raises:
            InvalidOption: the memory does not suffice.
            InvalidLab: a budget is given, and a host has no memory limit.
        """
        number = parse_integer("number", number, low=1, high=1000)

        def limit(image: str | None, options: Mapping[str, Any]) -> int:
            return container_spec(image or self.topology.image, None, options).limits.memory or 0

        limits = {host.name: limit(host.image, host.options) for host in self.topology.hosts}
        if memory is not None and (without := [name for name, value in limits.items() if not value]):
            raise InvalidLab(f"host {without[0]}: memory= is missing; copies() with a budget counts the limits")
        need = sum(limits.values())
        have = self._engine.info().memory if memory is None else limit(None, {"memory": memory})
        if have and need * number > have:
            raise InvalidOption("number", number, f"at most {have // need}: {have >> 20} MiB for {need >> 20} MiB each")
        return tuple(
            Lab(
                self._engine,
                replace(self.topology, name=f"{self.name}-{count}"),
                helper_image=self._helper_image,
                keep=self._keep,
            )
            for count in range(1, number + 1)
        )


def _pid(container: Container) -> int:
    pid = int(container.inspect().get("State", {}).get("Pid") or 0)
    if not pid:
        raise WrongState(
            f"{container.name} ended at once; its log: {str(container.logs())[-500:]}", actual=container.status
        )
    return pid
