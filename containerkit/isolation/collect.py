"""Collecting the facts for one report: what the engine says, two short containers, and this host where it counts."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ContainerKitError, EngineError, NotFound
from ..spec import ContainerSpec, Mount, ResourceLimits
from .answers import parse_container, parse_engine, parse_limit_claims
from .client import collect_client, collect_peer, collect_socket, socket_path
from .elf import machine_of
from .facts import AuditedContainer, EngineFacts, Facts, LimitFacts, OutsideFacts, PeerFacts, ProbeFacts
from .host import account_of, collect_host, engine_root, read
from .image import PROGRAM_PATH, build_image
from .procfs import parse_id_map, parse_status, text
from .program import ROOT_ONLY_SOURCE, ROOT_ONLY_TARGET, Answers, decode, end_marker

if TYPE_CHECKING:
    from ..backends.base import Backend, ContainerRecord

__all__ = ["collect", "collect_for_host"]

_TIMEOUT = 10.0  # seconds for a probe's answer; it takes a hundredth of one
_TOO_MUCH = 1 << 20  # bytes; an honest answer has about 10 KiB
_MAX_CONTAINERS = 100
_LIMITS = ResourceLimits(memory=64 << 20, pids_limit=20, cpus=0.5, cpuset_cpus="0")
#: A limit's option -> the controller that has to hold it, and the capability by which a backend declares it.
_CONTROLLERS: Mapping[str, tuple[str, str]] = {
    "memory": ("memory", "memory-limit"),
    "pids_limit": ("pids", "pids-limit"),
    "cpus": ("cpu", "cpu-limit"),
    "cpuset_cpus": ("cpuset", "cpuset-limit"),
}


def collect_for_host() -> Facts:
    """The facts of this host alone, for the account that runs this process."""
    host = collect_host(account_of(os.getuid()), environ=os.environ, arch=platform.machine())
    return Facts(client=collect_client(None), host=host)


def collect(backend: Backend, labels: Mapping[str, str], *, probe: bool, audit: bool = True) -> Facts:
    """The facts of one engine. What cannot be found out is left out, with the reason; only interrupts come through.

    Args:
        labels: for everything that is made, so that it can be found should this process die.
        probe: make two short containers.  audit: look into those that run.
    """
    path = socket_path(backend.url)
    facts = Facts(client=collect_client(backend.url))
    try:
        info = backend.info()
    except ContainerKitError as exc:
        return replace(facts, unreached=_first_line(exc))
    engine = parse_engine(info.raw, url=backend.url, asked_as=backend.kind)
    engine = replace(engine, version=engine.version or info.version, arch=engine.arch or info.arch)
    peer = collect_peer(path)
    facts = replace(facts, engine=engine, peer=peer, socket=collect_socket(path), host=_host(peer))
    if audit:
        containers, problem = _audit(backend, labels)
        facts = replace(facts, containers=containers, containers_problem=problem)
    if probe:
        found, limits = _Probes(backend, engine, labels, facts.host.boot_id if facts.host else None).run()
        facts = replace(facts, probe=found, limits=limits)
    return facts


def _host(peer: PeerFacts | None) -> Any:
    """This host, for the account that runs the engine; for the caller's where that is root's or is not known."""
    uid = peer.uid if peer is not None and peer.uid != 0 and peer.pid != 0 else os.getuid()
    files = engine_root(peer.pid, nested=peer.nested) if peer is not None else Path("/")
    environ = os.environ if uid == os.getuid() and files == Path("/") else None
    arch = platform.machine()
    host = collect_host(account_of(uid, files or Path("/")), files=files, environ=environ, arch=arch)
    return host if files is not None else replace(host, subuid=None, subgid=None, helpers=())


def _first_line(exc: BaseException) -> str:
    """Why something failed, in one line; the engine's own words where it gave any."""
    words = (exc.explanation if isinstance(exc, EngineError) else "") or str(exc)
    return next((line.strip()[:300] for line in words.splitlines() if line.strip()), type(exc).__name__)


def _audit(backend: Backend, labels: Mapping[str, str]) -> tuple[tuple[AuditedContainer, ...] | None, str | None]:
    """The running containers, but those of this very session."""
    try:
        records = backend.list_containers(all=False, filters={})
    except ContainerKitError as exc:
        return None, _first_line(exc)
    audited = []
    for record in records[:_MAX_CONTAINERS]:
        if labels and all(record.labels.get(key) == value for key, value in labels.items()):
            continue
        try:
            raw = backend.inspect_container(record.id).raw
        except NotFound:
            continue  # it ended meanwhile
        except ContainerKitError as exc:
            audited.append(AuditedContainer(record.id, record.name, problem=_first_line(exc)))
            continue
        audited.append(parse_container(raw, container_id=record.id, name=record.name))
    if len(records) > _MAX_CONTAINERS:
        audited.append(AuditedContainer("", "the rest", problem=f"only {_MAX_CONTAINERS} containers are looked into"))
    return tuple(audited), None


class _Failed(Exception):
    """A probe that gave no answer; the message says why."""


@dataclass
class _Probes:
    """The two containers of a report and their image, from their making to their removal."""

    backend: Backend
    engine: EngineFacts
    labels: Mapping[str, str]
    boot_id: str | None
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def ref(self) -> str:
        return f"localhost/containerkit-probe:{self.nonce}"

    def run(self) -> tuple[ProbeFacts, LimitFacts]:
        """Make them, hear them, look at them from outside; everything is gone afterwards, whatever happens."""
        arch = machine_of(self.engine.arch)
        if arch is None:
            problem = f"the probe is a program for amd64 and arm64, this engine's processor is {self.engine.arch!r}"
            return ProbeFacts(problem=problem), LimitFacts(problem=problem)
        with contextlib.ExitStack() as stack:
            # Whatever is to be removed is known by a name of ours before it exists, should its making be interrupted.
            stack.callback(self._forget, lambda: self.backend.remove_image(self.ref, force=True, prune=True))
            try:
                archive = build_image(self.ref, arch=arch, nonce=self.nonce.encode(), labels=self.labels)
                self.backend.load_images(iter((archive,)))
            except ContainerKitError as exc:
                problem = f"the probe's image could not be loaded: {_first_line(exc)}"
                return ProbeFacts(problem=problem), LimitFacts(problem=problem)
            return self._isolation(stack), self._limits(stack)

    def _forget(self, remove: Callable[[], None]) -> None:
        with contextlib.suppress(ContainerKitError):
            remove()

    def _name(self, role: str) -> str:
        return f"containerkit-probe-{self.nonce[:12]}-{role}"

    def _answers(self, stack: contextlib.ExitStack, role: str, **options: Any) -> tuple[Answers, tuple[str, ...]]:
        """Start one probe and read what it prints; it stays for a while after. Raises _Failed or EngineError."""
        name = self._name(role)
        spec = ContainerSpec(
            image=self.ref,
            command=(self.nonce, role),
            name=name,
            labels=self.labels,
            network_mode="none",
            **options,
        )
        stack.callback(self._forget, lambda: self.backend.remove_container(name, force=True, volumes=True))
        created = self.backend.create_container(spec)
        with self.backend.attach_container(name, stdin=False, tty=False) as attachment:
            self.backend.start_container(name)
            heard = self._hear(
                piece.data for piece in attachment.exchange(timeout=_TIMEOUT) if piece.stream == "stdout"
            )
        try:
            return decode(heard, self.nonce.encode()), created.warnings
        except ValueError as exc:
            raise _Failed(f"the probe's answer is not to be trusted: {exc}") from exc

    def _hear(self, pieces: Iterator[bytes]) -> bytes:
        heard, end, deadline = bytearray(), end_marker(self.nonce.encode()), time.monotonic() + _TIMEOUT
        for piece in pieces:
            heard += piece
            if heard.endswith(end):
                break
            if len(heard) > _TOO_MUCH or time.monotonic() > deadline:
                raise _Failed("the probe's answer does not end")
        return bytes(heard)

    def _isolation(self, stack: contextlib.ExitStack) -> ProbeFacts:
        mount = Mount("bind", ROOT_ONLY_SOURCE, ROOT_ONLY_TARGET, read_only=True)
        try:
            try:
                answers, _ = self._answers(stack, "isolation", mounts=(mount,))
                mounted = True
            except EngineError:  # a file of /proc is not everywhere accepted as a mount's source
                answers, _ = self._answers(stack, "isolation-bare")
                mounted = False
            record = self.backend.inspect_container(self._name("isolation" if mounted else "isolation-bare"))
        except (ContainerKitError, _Failed) as exc:
            return ProbeFacts(problem=_first_line(exc))
        raw = record.raw
        labels = [
            value if isinstance(value := raw.get(key), str) else None for key in ("AppArmorProfile", "ProcessLabel")
        ]
        return ProbeFacts(answers, self._outside(answers, record), None, mounted, labels[0], labels[1])

    def _limits(self, stack: contextlib.ExitStack) -> LimitFacts:
        wanted = _LIMITS if self.engine.cpus != 1 else replace(_LIMITS, cpuset_cpus=None)
        withheld: Mapping[str, str] = {}
        role = "limits"
        try:
            try:
                answers, warnings = self._answers(stack, role, limits=wanted)
            except EngineError as exc:
                wanted, withheld, refused = *self._declared(wanted, _first_line(exc)), _first_line(exc)
                if not wanted.requested():
                    return LimitFacts(_asked(_LIMITS), refused=refused)
                role = "limits-declared"
                answers, warnings = self._answers(stack, role, limits=wanted)
            record = self.backend.inspect_container(self._name(role))
        except EngineError as exc:
            return LimitFacts(_asked(wanted), refused=_first_line(exc))
        except (ContainerKitError, _Failed) as exc:
            return LimitFacts(_asked(wanted), problem=_first_line(exc))
        namespace = answers.links.get("/proc/self/ns/user")
        return LimitFacts(
            requested=_asked(wanted),
            withheld=withheld,
            warnings=warnings,
            claims=parse_limit_claims(record.raw),
            answers=answers,
            user_namespace=namespace if isinstance(namespace, str) else None,
        )

    def _declared(self, wanted: ResourceLimits, refusal: str) -> tuple[ResourceLimits, Mapping[str, str]]:
        """Those of the limits that the backend declares, and why the others were left out."""
        declared = {str(capability) for capability in self.backend.capabilities}
        void = [name for name in wanted.requested() if _CONTROLLERS[name][1] not in declared]
        kept = replace(wanted, **dict.fromkeys(void))
        return kept, {_CONTROLLERS[name][0]: f"refused: {refusal}" for name in void}

    def _outside(self, answers: Answers, record: ContainerRecord) -> OutsideFacts | None:
        """The probe's process as this host's kernel shows it, recognised by the nonce in its command line."""
        if self.boot_id is None or text(answers.files.get("/proc/sys/kernel/random/boot_id")) != self.boot_id:
            return None
        pids = [record.pid] if record.pid > 0 else []
        pids += [int(name) for name in sorted(os.listdir("/proc"), key=len, reverse=True) if name.isdecimal()]
        wanted = f"{PROGRAM_PATH}\0{self.nonce}\0isolation"
        for pid in pids:
            if (read(Path(f"/proc/{pid}/cmdline")) or "").startswith(wanted):
                return _look(pid)
        return None


def _look(pid: int) -> OutsideFacts | None:
    folder = Path(f"/proc/{pid}")
    status = parse_status(read(folder / "status"))
    uids, parent = status.get("Uid", "").split(), status.get("PPid", "")
    if not uids or not uids[0].isdecimal() or status.get("NSpid", "").split()[-1:] != ["1"]:
        return None
    namespaces = {}
    for name in ("user", "time", "pid"):
        with contextlib.suppress(OSError):
            namespaces[name] = os.readlink(folder / "ns" / name)
    return OutsideFacts(
        pid=pid,
        uid=int(uids[0]),
        uid_map=parse_id_map(read(folder / "uid_map")),
        parent=read(Path(f"/proc/{parent}/comm")) if parent.isdecimal() and parent != "0" else None,
        namespaces=namespaces,
    )


def _asked(limits: ResourceLimits) -> Mapping[str, float | str]:
    return {_CONTROLLERS[name][0]: getattr(limits, name) for name in limits.requested()}
