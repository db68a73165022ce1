"""Run the two short containers of a report: create, read, look at from outside, and always remove."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._text import split_lines
from ..backends.base import Capability
from ..errors import ContainerKitError, EngineError
from ..options.table import LIMITS
from ..spec import REQUEST_LABEL, ContainerSpec, Mount, ResourceLimits
from .answers import parse_limit_claims, parse_log
from .elf import machine_of
from .facts import EngineFacts, LimitFacts, OutsideFacts, ProbeFacts
from .host import read
from .image import PROGRAM_PATH, build_image
from .procfs import parse_id_map, parse_status, text
from .program import ROOT_ONLY_SOURCE, ROOT_ONLY_TARGET, Answers, decode, end_marker

if TYPE_CHECKING:
    from ..backends.base import Backend, ContainerRecord

__all__ = ["Probes", "first_line"]

_TIMEOUT = 10.0  # seconds for a probe's answer, which takes a hundredth of a second
_TOO_MUCH = 1 << 20  # bytes; a real answer has about 10 KiB
_LIMITS = ResourceLimits(memory=64 << 20, pids_limit=20, cpus=0.5, cpuset_cpus="0")


def first_line(exc: BaseException) -> str:
    """Return the reason of a failure in one line, in the engine's own words if it has any."""
    words = (exc.explanation if isinstance(exc, EngineError) else "") or str(exc)
    return next((line.strip()[:300] for line in split_lines(words) if line.strip()), type(exc).__name__)


class _Failed(Exception):
    """The probe gave no valid answer; the message says why."""


@dataclass
class Probes:
    """The two containers of a report and their image, from creation to removal."""

    backend: Backend
    engine: EngineFacts
    labels: Mapping[str, str]
    boot_id: str | None
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def ref(self) -> str:
        return f"localhost/containerkit-probe:{self.nonce}"

    def run(self) -> tuple[ProbeFacts, LimitFacts]:
        """Create the containers, read their answers, look at them from outside, and remove everything.

        An interrupt during a request would leave behind what the engine makes of it. So a thread, which signals do not
        reach, sends the requests; an interrupt waits until that thread has removed what it created.
        """
        outcome: list[tuple[ProbeFacts, LimitFacts] | BaseException] = []

        def work() -> None:
            try:
                outcome.append(self._run())
            except BaseException as exc:  # noqa: BLE001  it is raised again where it was waited for
                outcome.append(exc)
            finally:
                done.set()

        done = (
            threading.Event()
        )  # not Thread.join: after an interrupt it takes the thread for ended (Python issue 89437)
        worker = threading.Thread(target=work, name="containerkit-probes", daemon=True)
        try:
            worker.start()
            done.wait()
        except BaseException:
            self.cancelled.set()
            done.wait(2 * _TIMEOUT)
            raise
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    def _run(self) -> tuple[ProbeFacts, LimitFacts]:
        if machine_of(self.engine.arch) is None:
            problem = f"the probe is a program for amd64 and arm64, this engine's processor is {self.engine.arch!r}"
            return ProbeFacts(problem=problem), LimitFacts(problem=problem)
        with contextlib.ExitStack() as stack:
            try:
                self.load(stack)
            except ContainerKitError as exc:
                problem = f"the probe's image could not be loaded: {first_line(exc)}"
                return ProbeFacts(problem=problem), LimitFacts(problem=problem)
            return self._isolation(stack), self._limits(stack)

    def load(self, stack: contextlib.ExitStack) -> None:
        """Load the probe's image until the stack is closed."""
        # The names are chosen here, so that everything can be removed even if the response to its creation is lost.
        stack.callback(self._forget, lambda: self.backend.remove_image(self.ref, force=True, prune=True))
        arch = machine_of(self.engine.arch) or ""
        archive = build_image(self.ref, arch=arch, nonce=self.nonce.encode(), labels=self.labels)
        self.backend.load_images(iter((archive,)))

    def _forget(self, remove: Callable[[], object]) -> None:
        with contextlib.suppress(ContainerKitError):
            remove()

    def _name(self, role: str) -> str:
        return f"containerkit-probe-{self.nonce[:12]}-{role}"

    def ask(self, stack: contextlib.ExitStack, role: str, **options: Any) -> tuple[Answers, tuple[str, ...]]:
        """Start one probe and read its output; it stays for a moment after that. Raises _Failed or EngineError."""
        if self.cancelled.is_set():
            raise _Failed("interrupted")
        name = self._name(role)
        spec = ContainerSpec(
            image=self.ref,
            command=(self.nonce, role),
            name=name,
            labels=self.labels and {**self.labels, REQUEST_LABEL: uuid.uuid4().hex},  # the image has another
            network_mode="none",
            **options,
        )
        stack.callback(self._forget, lambda: self.backend.remove_container(name, force=True, volumes=True))
        created = self.backend.create_container(spec)
        with self.backend.attach_container(name, stdin=False, tty=False) as attachment:
            self.backend.start_container(name)
            heard = self._hear(
                piece.data
                for piece in attachment.exchange(timeout=_TIMEOUT, on_idle=self.cancelled.is_set, idle=0.2)
                if piece.stream == "stdout"
            )
        try:
            return decode(heard, self.nonce.encode()), created.warnings
        except ValueError as exc:
            raise _Failed(f"the probe's answer is not valid: {exc}") from exc

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
                answers, _ = self.ask(stack, "isolation", mounts=(mount,))
                mounted = True
            except EngineError:  # not every engine accepts a file of /proc as the source of a mount
                answers, _ = self.ask(stack, "isolation-bare")
                mounted = False
            record = self.backend.inspect_container(self._name("isolation" if mounted else "isolation-bare"))
        except (ContainerKitError, _Failed) as exc:
            return ProbeFacts(problem=first_line(exc))
        raw = record.raw
        labels = [
            value if isinstance(value := raw.get(key), str) else None for key in ("AppArmorProfile", "ProcessLabel")
        ]
        return ProbeFacts(answers, self._outside(answers, record), None, mounted, labels[0], labels[1], parse_log(raw))

    def _limits(self, stack: contextlib.ExitStack) -> LimitFacts:
        wanted = _LIMITS if self.engine.cpus != 1 else replace(_LIMITS, cpuset_cpus=None)
        withheld: Mapping[str, str] = {}
        role = "limits"
        try:
            try:
                answers, warnings = self.ask(stack, role, limits=wanted)
            except EngineError as exc:
                wanted, withheld, refused = *self._declared(wanted, first_line(exc)), first_line(exc)
                if not wanted.requested():
                    return LimitFacts(_asked(_LIMITS), refused=refused)
                role = "limits-declared"
                answers, warnings = self.ask(stack, role, limits=wanted)
            record = self.backend.inspect_container(self._name(role))
        except EngineError as exc:
            return LimitFacts(_asked(wanted), refused=first_line(exc))
        except (ContainerKitError, _Failed) as exc:
            return LimitFacts(_asked(wanted), problem=first_line(exc))
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
        """Return the limits that the backend declares, and why the others were left out."""
        capabilities = self.backend.capabilities
        undeclared = [name for name in wanted.requested() if _capability(name) not in capabilities]
        kept = replace(wanted, **dict.fromkeys(undeclared))
        return kept, {str(_capability(name).controller): f"refused: {refusal}" for name in undeclared}

    def _outside(self, answers: Answers, record: ContainerRecord) -> OutsideFacts | None:
        """Return the probe's process as this host's kernel shows it, found by the nonce in its command line."""
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


def _capability(limit: str) -> Capability:
    """Return the capability by which a backend declares that it enforces a limit option."""
    return Capability(LIMITS[limit].capability)


def _asked(limits: ResourceLimits) -> Mapping[str, float | str]:
    return {str(_capability(name).controller): getattr(limits, name) for name in limits.requested()}
