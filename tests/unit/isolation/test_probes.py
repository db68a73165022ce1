"""The two containers of a report: what is asked for, what is read of them, and that nothing of them stays."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends.base import Created
from containerkit.isolation import probes, program
from containerkit.isolation.facts import EngineFacts, IdRange, OutsideFacts
from containerkit.isolation.image import PROGRAM_PATH
from containerkit.isolation.probes import Probes, first_line
from containerkit.isolation.program import ROOT_ONLY_SOURCE, ROOT_ONLY_TARGET
from containerkit.spec import REQUEST_LABEL, ContainerSpec
from containerkit.testing import FakeBackend, Reply

NONCE = b"0123456789abcdef0123456789abcdef"
BOOT_ID = "11111111-2222-4333-8444-555555555555"
LIMITS = (
    *(ck.Capability.MEMORY_LIMIT, ck.Capability.PIDS_LIMIT),
    *(ck.Capability.CPU_LIMIT, ck.Capability.CPUSET_LIMIT),
)
REQUESTED: Mapping[str, float | str] = {"memory": 64 << 20, "pids": 20, "cpu": 0.5, "cpuset": "0"}
Refusal = Callable[[ContainerSpec], "Exception | None"]


def spoken(boot_id: str) -> bytes:
    """Return the answer of a probe that may read the boot ID and the link to its user namespace, and nothing else."""

    def told(content: str | None) -> bytes:
        return struct.pack("<q", -13) if content is None else struct.pack("<q", len(content)) + content.encode()

    files = {"/proc/sys/kernel/random/boot_id": boot_id}
    refused = struct.pack("<q", -1)
    pieces = [program._MAGIC + NONCE]
    pieces += [struct.pack("<q", 3 if path in files else -13) + told(files.get(path)) for path in program._FILES]
    pieces += [told(None) * 9] * len(program._LONG_FILES) + [told(None) * 2] * len(program._FOLDERS)
    pieces += [refused] * len(program._OPENED)
    pieces += [told("user:[7]" if path.endswith("/user") else None) for path in program._LINKS]
    pieces += [refused + bytes(256), refused + bytes(120)]
    pieces += [refused] * (len(program._SYSCALLS) + 2 + program.FORKS)
    return b"".join(pieces) + program.end_marker(NONCE)


class Engine(FakeBackend):
    """Keeps the specs that it creates from, and refuses what a test says."""

    def __init__(self, refuse: Refusal = lambda spec: None, **options: Any) -> None:
        super().__init__(pretend=options.pop("pretend", LIMITS), **options)
        self.refuse = refuse
        self.specs: list[ContainerSpec] = []

    def create_container(self, spec: ContainerSpec) -> Created:
        self.specs.append(spec)
        if error := self.refuse(spec):
            raise error
        return super().create_container(spec)

    @property
    def left(self) -> int:
        """Number of containers and images that exist."""
        return len(self.list_containers(all=True, filters={})) + len(self.list_images(all=True, filters={}))


def probing(backend: FakeBackend, *, answer: Any = None, cpus: int = 2, boot_id: str | None = None) -> Probes:
    """Return probes whose program answers with `answer`, or soundly."""
    backend.on([PROGRAM_PATH, ...], Reply(spoken(BOOT_ID) if answer is None else answer, until_stopped=True))
    facts = EngineFacts("memory://", "docker", arch="x86_64", cpus=cpus)
    return Probes(backend, facts, {"who": "me"}, boot_id, nonce=NONCE.decode())


def roles(backend: Engine) -> list[str]:
    return [spec.command[1] for spec in backend.specs if spec.command]


def test_both_containers() -> None:
    """Each has the image of this report, no network, the labels; both answer, and all is removed."""
    backend = Engine()
    isolation, limits = probing(backend).run()
    assert roles(backend) == ["isolation", "limits"]
    for spec in backend.specs:
        assert spec.image == f"localhost/containerkit-probe:{NONCE.decode()}"
        assert spec.network_mode == "none"
        assert spec.labels["who"] == "me"
    assert backend.specs[0].labels[REQUEST_LABEL] != backend.specs[1].labels[REQUEST_LABEL]
    (mount,) = backend.specs[0].mounts
    assert (mount.source, mount.target, mount.read_only) == (ROOT_ONLY_SOURCE, ROOT_ONLY_TARGET, True)
    assert (isolation.problem, isolation.root_file, isolation.outside) == (None, True, None)
    assert isolation.answers is not None
    assert isolation.answers.files["/proc/sys/kernel/random/boot_id"] == BOOT_ID.encode()
    assert limits.requested == REQUESTED
    assert limits.claims == REQUESTED
    assert (limits.problem, limits.refused, limits.withheld) == (None, None, {})
    assert limits.user_namespace == "user:[7]"
    assert backend.left == 0


def test_a_processor_without_a_program() -> None:
    """Nothing is loaded; both results say why."""
    backend = Engine()
    probe = probing(backend)
    probe.engine = EngineFacts("memory://", "docker", arch="riscv64")
    isolation, limits = probe.run()
    assert isolation.problem == limits.problem
    assert isolation.problem is not None
    assert "this engine's processor is 'riscv64'" in isolation.problem
    assert backend.specs == []


def test_an_image_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both results carry the engine's words, in one line."""
    backend = Engine()
    removed: list[str] = []
    monkeypatch.setattr(backend, "load_images", raising(ck.EngineError("x", explanation="\n disk is full \nmore")))
    monkeypatch.setattr(backend, "remove_image", lambda ref, **options: removed.append(ref))
    isolation, limits = probing(backend).run()
    assert isolation.problem == limits.problem == "the probe's image could not be loaded: disk is full"
    assert removed == [f"localhost/containerkit-probe:{NONCE.decode()}"]  # the response alone may have been lost
    assert backend.specs == []


def raising(error: BaseException) -> Callable[..., Any]:
    def fails(*_: object, **__: object) -> Any:
        raise error

    return fails


def test_a_file_of_proc_that_may_not_be_mounted() -> None:
    """A second container without the mount answers instead."""
    backend = Engine(lambda spec: ck.EngineError("no such source", status=500) if spec.mounts else None)
    isolation, _ = probing(backend).run()
    assert roles(backend)[:2] == ["isolation", "isolation-bare"]
    assert (isolation.problem, isolation.root_file) == (None, False)
    assert isolation.answers is not None


def test_an_engine_that_creates_no_container() -> None:
    """The isolation probe has a problem; the limits are refused, in the engine's words."""
    backend = Engine(lambda spec: ck.EngineError("x", explanation="read-only file system", status=500))
    isolation, limits = probing(backend).run()
    assert isolation.problem == "read-only file system"
    assert (limits.refused, limits.answers) == ("read-only file system", None)
    assert limits.requested == REQUESTED
    assert backend.left == 0


def test_a_limit_that_is_refused_is_left_out() -> None:
    """The limits that the backend declares are asked for again; of the others stands why not."""

    def refuse(spec: ContainerSpec) -> Exception | None:
        return ck.EngineError("x", explanation="no cpuset controller") if spec.limits.cpuset_cpus else None

    backend = Engine(refuse, pretend=(ck.Capability.MEMORY_LIMIT, ck.Capability.PIDS_LIMIT))
    _, limits = probing(backend).run()
    assert roles(backend)[1:] == ["limits", "limits-declared"]
    assert limits.requested == {"memory": 64 << 20, "pids": 20}
    words = "refused: no cpuset controller"
    assert limits.withheld == {"cpu": words, "cpuset": words}
    assert limits.claims == {"memory": 64 << 20, "pids": 20, "cpu": None, "cpuset": None}
    assert (limits.refused, limits.problem) == (None, None)
    assert backend.left == 0


def test_no_limit_is_declared() -> None:
    """Nothing is left to ask for again."""
    backend = Engine(lambda spec: ck.EngineError("no limits here") if spec.limits.requested() else None, pretend=())
    _, limits = probing(backend).run()
    assert roles(backend)[1:] == ["limits"]
    assert limits.requested == REQUESTED
    assert limits.refused == "no limits here"


def test_one_processor_needs_no_cpuset() -> None:
    """A set of the only processor tells nothing, so it is not asked for."""
    backend = Engine()
    _, limits = probing(backend, cpus=1).run()
    assert limits.requested == {"memory": 64 << 20, "pids": 20, "cpu": 0.5}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (spoken(BOOT_ID)[:-40] + b"x" + b"END" + NONCE, "the probe's answer is not valid"),
        (b"x" * (1 << 20) + b"x", "the probe's answer does not end"),
    ],
)
def test_answers_that_are_none(answer: bytes, words: str) -> None:
    """The reason is the problem of both results; all is removed."""
    backend = Engine()
    isolation, limits = probing(backend, answer=answer).run()
    assert isolation.problem is not None
    assert limits.problem is not None
    assert isolation.problem.startswith(words)
    assert limits.problem.startswith(words)
    assert limits.requested == REQUESTED
    assert backend.left == 0


def test_a_report_that_was_cancelled() -> None:
    """No container is created; the image is removed."""
    backend = Engine()
    probe = probing(backend)
    probe.cancelled.set()
    isolation, limits = probe.run()
    assert isolation.problem == limits.problem == "interrupted"
    assert backend.specs == []
    assert backend.left == 0


def test_a_report_that_is_cancelled_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer that does not come is not waited for, and there is no second container."""
    backend = Engine()
    probe = probing(backend, answer=b"")
    start = backend.start_container

    def started(ref: str) -> None:
        start(ref)
        probe.cancelled.set()

    monkeypatch.setattr(backend, "start_container", started)
    isolation, limits = probe.run()
    assert isolation.problem == "the probe's answer is not valid: the answer stops in the middle"
    assert limits.problem == "interrupted"
    assert roles(backend) == ["isolation"]
    assert backend.left == 0


def test_an_error_of_ours_is_raised_where_the_report_waits() -> None:
    """It comes out of the thread that sends the requests, after everything was removed."""
    backend = Engine(lambda spec: ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError, match="ours"):
        probing(backend).run()
    assert backend.left == 0


def test_an_interrupt_waits_for_the_removal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised, and by then nothing is left of the containers, though the program ran on."""
    backend = Engine()
    probe = probing(backend, answer=b"")
    running, first = threading.Event(), threading.main_thread()
    start = backend.start_container

    def started(ref: str) -> None:
        start(ref)
        running.set()

    class Waiting(threading.Event):
        """Its first wait in the main thread ends with an interrupt, once a container runs."""

        def wait(self, timeout: float | None = None) -> bool:
            if timeout is None and threading.current_thread() is first:
                assert running.wait(30)
                raise KeyboardInterrupt
            return super().wait(timeout)

    monkeypatch.setattr(backend, "start_container", started)
    patched = SimpleNamespace(Event=Waiting, Thread=threading.Thread)
    monkeypatch.setattr("containerkit.isolation.probes.threading", patched)
    with pytest.raises(KeyboardInterrupt):
        probe.run()
    monkeypatch.undo()
    assert probe.cancelled.is_set()
    assert roles(backend) == ["isolation"]
    assert backend.left == 0


# ---------------------------------------------------------------- from outside
def process(number: int, **changes: str | None) -> dict[str, str | None]:
    """Return the files of a process of a probe, as its host shows it."""
    files: dict[str, str | None] = {
        "cmdline": f"{PROGRAM_PATH}\0{NONCE.decode()}\0isolation\0",
        "status": f"Name:\tprobe\nPPid:\t41\nUid:\t1001\t1001\t1001\t1001\nNSpid:\t{number}\t1",
        "uid_map": "0 1001 1",
    }
    return {f"/proc/{number}/{name}": content for name, content in {**files, **changes}.items()}


def seen(
    monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str | None], *, boot_id: str = BOOT_ID
) -> OutsideFacts | None:
    """Return what is seen of a probe on a host with these files in /proc."""
    folders = ["self", "1", *dict.fromkeys(path.split("/")[2] for path in files)]
    monkeypatch.setattr(probes, "read", lambda path: files.get(str(path)))
    monkeypatch.setattr(os, "listdir", lambda folder: folders)
    monkeypatch.setattr(os, "readlink", link)
    isolation, _ = probing(Engine(), boot_id=boot_id).run()
    monkeypatch.undo()
    assert isolation.problem is None
    return isolation.outside


def link(path: Path) -> str:
    if path.name == "time":
        raise PermissionError(13, "Permission denied")
    return f"{path.name}:[{path.parts[2]}]"


def test_the_probe_as_its_host_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is found by the nonce in its command line; a link that may not be read is left out."""
    files = {**process(70), "/proc/41/comm": "conmon", **process(7, cmdline="sh")}
    assert seen(monkeypatch, files) == OutsideFacts(
        pid=70,
        uid=1001,
        uid_map=(IdRange(0, 1001, 1),),
        parent="conmon",
        namespaces={"user": "user:[70]", "pid": "pid:[70]"},
    )
    orphan = process(70, status="PPid:\t0\nUid:\t0 0 0 0\nNSpid:\t70 1", uid_map=None)
    found = seen(monkeypatch, orphan)
    assert found is not None
    assert (found.uid, found.uid_map, found.parent) == (0, None, None)


@pytest.mark.parametrize(
    "files",
    [
        process(70, cmdline=f"{PROGRAM_PATH}\0{'0' * 32}\0isolation\0"),
        process(70, status=None),
        process(70, status="Uid:\t0 0 0 0\nNSpid:\t70"),
        process(70, status="Uid:\tx\nNSpid:\t70 1"),
    ],
)
def test_another_process_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str | None]) -> None:
    """Another report's probe, one that has ended, and one that is not the first of its container."""
    assert seen(monkeypatch, files) is None


def test_an_engine_on_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another kernel's processes are not looked for here, even if one has the same command line."""
    assert seen(monkeypatch, process(70), boot_id="another") is None


def test_reasons_in_one_line() -> None:
    """The engine's words, else the error's, else its kind."""
    assert first_line(ck.EngineError("ours", explanation="\n theirs \nmore")) == "theirs"
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"
