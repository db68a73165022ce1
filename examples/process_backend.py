"""A backend that runs each "container" as a process of this machine, in a folder of its own: an example, no isolation.

`python examples/process_backend.py` runs a command with it.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import containerkit as ck
from containerkit.backends.base import (
    Backend,
    Capability,
    ContainerRecord,
    Created,
    EngineInfo,
    ExecState,
    ImageRecord,
    PathStat,
)
from containerkit.spec import ContainerSpec, ExecSpec
from containerkit.streams import Attachment, ByteStream, Output, OutputStream

Filters = Mapping[str, Sequence[str]]
IMAGE = ImageRecord("sha256:" + "0" * 64, ("host:latest",), (), 0, 0.0, {})


@dataclass
class Box:
    """A container: its spec, its folder, its process once it is started, and what the process wrote."""

    id: str
    spec: ContainerSpec
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    log: list[Output] = field(default_factory=list)
    attached: socket.socket | None = None

    @property
    def status(self) -> str:
        if self.process is None:
            return "created"
        return "running" if self.process.poll() is None else "exited"


def carry(process: subprocess.Popen[bytes], line: socket.socket | None, log: list[Output], framed: bool) -> None:
    """Copy a process's output into the log and to an attached client, and the client's input to the process."""

    def outputs(name: str, pipe: io.BufferedReader) -> None:
        with pipe:
            while data := pipe.read1(1 << 16):
                log.append(Output("stderr" if name == "stderr" else "stdout", data))
                header = bytes([1 + (name == "stderr"), 0, 0, 0]) + len(data).to_bytes(4, "big") if framed else b""
                with contextlib.suppress(OSError):
                    if line is not None:
                        line.sendall(header + data)

    def inputs() -> None:
        with contextlib.suppress(OSError, ValueError), process.stdin:  # type: ignore[union-attr]
            while line is not None and (data := line.recv(1 << 16)):
                process.stdin.write(data)  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]

    pipes = [("stdout", process.stdout), ("stderr", process.stderr)]
    readers = [threading.Thread(target=outputs, args=pair, daemon=True) for pair in pipes]
    for thread in (*readers, threading.Thread(target=inputs, daemon=True)):
        thread.start()

    def end() -> None:
        for thread in readers:
            thread.join()
        process.wait()
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    threading.Thread(target=end, daemon=True).start()


class ProcessBackend(Backend):
    """Containers are processes of this machine. There is one image, "host": the machine's own files."""

    kind = "process"
    capabilities = frozenset({Capability.PROCESSES})

    def __init__(self, url: str = "process://", *, timeout: float = 60.0) -> None:
        self.url = url
        self._boxes: dict[str, Box] = {}
        self._execs: dict[str, subprocess.Popen[bytes]] = {}

    def _box(self, ref: str) -> Box:
        for box in self._boxes.values():
            if ref == box.spec.name or (ref and box.id.startswith(ref)):
                return box
        raise ck.ContainerNotFound(f"no container {ref}", status=404)

    def _spawn(self, box: Box, command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        try:
            return subprocess.Popen(
                command, cwd=box.folder, env={**os.environ, **env}, stdin=pipe, stdout=pipe, stderr=pipe
            )
        except OSError as exc:
            raise ck.StartFailed(f"starting {command[0]}: {exc}") from exc

    # ---------------------------------------------------------------- the engine
    def info(self) -> EngineInfo:
        system = platform.uname()
        return EngineInfo("process", "0", "0", os.getuid() != 0, None, "none", "none", "graphdriver", "/", "host",
                          system.machine, system.release, os.cpu_count() or 1, 1 << 30)  # fmt: skip

    def close(self) -> None:
        for identity in list(self._boxes):
            self.remove_container(identity, force=True, volumes=True)

    # ---------------------------------------------------------------- containers
    def create_container(self, spec: ContainerSpec) -> Created:
        if spec.mounts or spec.networks or spec.publish or spec.user:
            raise ck.Unsupported("processes of this machine have no mounts, networks, ports or other users")
        self.inspect_image(spec.image)
        box = Box(uuid.uuid4().hex * 2, spec, Path(tempfile.mkdtemp(prefix="process-")))
        self._boxes[box.id] = box
        return Created(box.id)

    def inspect_container(self, ref: str, *, size: bool = False) -> ContainerRecord:
        box = self._box(ref)
        code = box.process.poll() if box.process else None
        name = box.spec.name or box.id[:12]
        exit_code = 128 - code if code is not None and code < 0 else code
        return ContainerRecord(box.id, name, "host", IMAGE.id, box.status, box.spec.labels, exit_code=exit_code)

    def list_containers(self, *, all: bool, filters: Filters) -> tuple[ContainerRecord, ...]:
        found = [self.inspect_container(identity) for identity in reversed(self._boxes)]
        wanted = [label.partition("=") for label in filters.get("label", ())]
        return tuple(
            item
            for item in found
            if (all or item.status == "running")
            and all_match(item.labels, [(key, value if equals else None) for key, equals, value in wanted])
        )

    def start_container(self, ref: str) -> None:
        box = self._box(ref)
        if box.status != "running":
            command = (*(box.spec.entrypoint or ()), *(box.spec.command or ("sleep", "infinity")))
            box.process = self._spawn(box, command, box.spec.env)
            carry(box.process, box.attached, box.log, framed=not box.spec.tty)

    def kill_container(self, ref: str, *, signal: str) -> None:
        box = self._box(ref)
        if box.process is None or box.process.poll() is not None:
            raise ck.WrongState(f"killing container {ref}: it is {box.status}", actual=box.status)
        box.process.send_signal(getattr(globals()["signal"], signal))

    def stop_container(self, ref: str, *, timeout: int | None) -> None:
        process = self._box(ref).process
        if process is not None and process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10 if timeout is None else timeout)
            process.kill()
            process.wait()

    def wait_container(self, ref: str, *, timeout: float | None) -> int:
        process = self._box(ref).process
        try:
            code = process.wait(timeout) if process else 0
        except subprocess.TimeoutExpired as exc:
            raise ck.EngineTimeout(f"container {ref} runs after {timeout:g} s", timeout=timeout or 0) from exc
        return 128 - code if code < 0 else code

    def remove_container(self, ref: str, *, force: bool, volumes: bool) -> None:
        box = self._box(ref)
        if box.status == "running" and not force:
            raise ck.WrongState(f"removing container {ref}: it is running", actual="running")
        self.stop_container(ref, timeout=0)
        if box.attached is not None and box.process is None:
            box.attached.close()
        shutil.rmtree(box.folder, ignore_errors=True)
        del self._boxes[box.id]

    def attach_container(self, ref: str, *, stdin: bool, tty: bool) -> Attachment:
        near, self._box(ref).attached = socket.socketpair()
        return Attachment(near, framed=not tty)

    def exec_container(self, ref: str, spec: ExecSpec) -> tuple[str, Attachment]:
        box, identity = self._box(ref), uuid.uuid4().hex
        if box.status != "running":
            raise ck.WrongState(f"executing in container {ref}: it is {box.status}", actual=box.status)
        near, far = socket.socketpair()
        self._execs[identity] = self._spawn(box, spec.command, spec.env)
        carry(self._execs[identity], far, [], framed=not spec.tty)
        return identity, Attachment(near, framed=not spec.tty)

    def inspect_exec(self, exec_id: str) -> ExecState:
        code = self._execs[exec_id].poll()
        return ExecState(code is None, code, True)

    def logs_container(self, ref: str, *, stdout: bool, stderr: bool, follow: bool, since: float | None,
                       until: float | None, tail: int | None, timestamps: bool, tty: bool) -> OutputStream:  # fmt: skip
        if follow or since or until or tail is not None or timestamps:
            raise ck.Unsupported("this backend reads whole logs only")
        time.sleep(0.05)  # the last output is still on its way to the log
        wanted = {"stdout": stdout, "stderr": stderr}
        return OutputStream(iter([output for output in self._box(ref).log if wanted[output.stream]]))

    # ---------------------------------------------------------------- files
    def put_archive(self, ref: str, path: str, data: bytes | Iterable[bytes]) -> None:
        folder = self._box(ref).folder / path.lstrip("/")
        if not folder.is_dir():
            raise ck.NotFound(f"no folder {path}", status=404)
        content = data if isinstance(data, bytes) else b"".join(data)
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            if hasattr(tarfile, "data_filter"):  # Python 3.10.12, 3.11.4 and later
                tar.extraction_filter = tarfile.data_filter
            tar.extractall(folder)

    def get_archive(self, ref: str, path: str) -> tuple[PathStat, ByteStream]:
        found = self.stat_path(ref, path)
        if found is None:
            raise ck.NotFound(f"no {path}", status=404)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(self._box(ref).folder / path.lstrip("/"), found.name)
        return found, ByteStream(iter([packed.getvalue()]))

    def stat_path(self, ref: str, path: str) -> PathStat | None:
        place = self._box(ref).folder / path.lstrip("/")
        if not place.exists():
            return None
        stat = place.stat()
        return PathStat(place.name, stat.st_size, stat.st_mode & 0o7777, stat.st_mtime, place.is_dir())

    # ---------------------------------------------------------------- images
    def inspect_image(self, ref: str) -> ImageRecord:
        if ref not in ("host", "host:latest", "docker.io/library/host:latest", IMAGE.id):
            raise ck.ImageNotFound(f'no image {ref}: there is only "host"', status=404)
        return IMAGE

    def list_images(self, *, all: bool, filters: Filters) -> tuple[ImageRecord, ...]:
        return (IMAGE,)

    def load_images(self, data: Iterable[bytes]) -> tuple[str, ...]:
        self._not_implemented("loading an image")

    def save_images(self, refs: Sequence[str]) -> ByteStream:
        self._not_implemented("saving an image")

    def remove_image(self, ref: str, *, force: bool, prune: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        self._not_implemented("removing an image")


def all_match(labels: Mapping[str, str], wanted: Sequence[tuple[str, str | None]]) -> bool:
    """Return whether the labels have each wanted key, with its value if one is given."""
    return all(key in labels and value in (None, labels[key]) for key, value in wanted)


def main() -> None:
    with ck.connect(ProcessBackend()) as engine:
        print(engine.run("host", ["sh", "-c", "echo hello from process $$"]).stdout, end="")


if __name__ == "__main__":
    main()
