"""In place of processes: scripts that answer, or a container that runs until it is stopped."""

from __future__ import annotations

import contextlib
import posixpath
import shlex
import socket
import threading
import time
from collections.abc import Callable

from ..._text import split_lines
from ...backends.base import Capability, ExecState
from ...errors import EngineTimeout, NotFound, StartFailed, Unsupported, WrongState
from ...spec import ExecSpec, HealthCheck
from ...streams import Attachment
from .containers import ContainerVerbs
from .scripts import Reply
from .state import FakeContainer, new_id

__all__ = ["ProcessVerbs"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NUMBERS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15}
_HARMLESS = ("SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH")
_FRAMES = {"stdout": 1, "stderr": 2}


class Line:
    """The engine's end of an attachment."""

    def __init__(self, sock: socket.socket, *, stdin: bool, framed: bool) -> None:
        self._sock, self.stdin, self._framed = sock, stdin, framed

    def read(self) -> bytes:
        """Read all input, up to its end."""
        pieces = []
        with contextlib.suppress(OSError):
            while piece := self._sock.recv(1 << 16):
                pieces.append(piece)
        return b"".join(pieces)

    def write(self, reply: Reply) -> None:
        """Write both streams, in frames if there is no terminal."""
        for stream, data in (("stdout", reply.stdout), ("stderr", reply.stderr)):
            for at in range(0, len(data), 1 << 15):
                piece = data[at : at + (1 << 15)]
                header = bytes([_FRAMES[stream], 0, 0, 0]) + len(piece).to_bytes(4, "big") if self._framed else b""
                with contextlib.suppress(OSError):  # the client hung up
                    self._sock.sendall(header + piece)

    def close(self) -> None:
        """End the output."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


def _line(*, stdin: bool, tty: bool) -> tuple[Attachment, Line]:
    near, far = socket.socketpair()
    return Attachment(near, framed=not tty), Line(far, stdin=stdin, framed=not tty)


class ProcessVerbs(ContainerVerbs):
    """The methods of start, end, attach and exec."""

    # ---------------------------------------------------------------- is there such a program?
    def _no_script(self, argv: tuple[str, ...]) -> Unsupported:
        return Unsupported(
            f"running {' '.join(argv)}: this engine in memory runs no process; tell it what the command answers: "
            f"on({list(argv)!r}, stdout=…)",
            capability=Capability.PROCESSES.value,
        )

    def _refuse_missing(
        self, container: FakeContainer, argv: tuple[str, ...], env: list[str], workdir: str, user: str, doing: str
    ) -> None:
        """Raise StartFailed for a program, directory or user that the files lack.

        An image without files lacks nothing.
        """
        files = container.files
        if not container.image.layers:
            return
        if workdir and not ((found := files.find(workdir)) and found[1].is_dir):
            raise StartFailed(f"{doing}: no folder {workdir} to run in", status=400)
        first = user.partition(":")[0]
        known = files.find("/etc/passwd")
        names = {line.partition(":")[0] for line in split_lines(known[1].data.decode())} if known else {"root"}
        if first and not first.isdecimal() and first not in names:
            raise StartFailed(f"{doing}: no user {first} in /etc/passwd", status=400)
        if self._scripts.find(argv):
            return
        search = dict(line.partition("=")[::2] for line in env).get("PATH") or _PATH
        places = [argv[0]] if "/" in argv[0] else [posixpath.join(folder, argv[0]) for folder in search.split(":")]
        programs = [files.find(place) for place in places]
        if not any(found and not found[1].is_dir and found[1].mode & 0o111 for found in programs):
            raise StartFailed(f"{doing}: exec: {argv[0]!r}: no such program in the image", status=400)

    # ---------------------------------------------------------------- start
    def attach_container(self, ref: str, *, stdin: bool, tty: bool) -> Attachment:
        with self._changed:
            near, far = _line(stdin=stdin, tty=tty)
            self._container(ref, f"attaching to container {ref}").attached.append(far)
            return near

    def start_container(self, ref: str) -> None:
        doing = f"starting container {ref}"
        with self._changed:
            found = self._container(ref, doing)
            if found.status == "paused":
                raise WrongState(f"{doing}: it is paused", actual="paused", status=409)
            if found.alive:
                return
            config = found.config
            where, user = config.get("WorkingDir") or "", config.get("User") or ""
            self._refuse_missing(found, found.argv, config["Env"], "", user, doing)
            if where and not found.files.find(where):
                found.files.unpack(b"", where)  # engines create the directory
            answer = self._scripts.find(found.argv)
            if answer is None and found.attached:
                self._drop_lines(found)
                raise self._no_script(found.argv)
            for name in found.places:
                self._give_address(found, self._network(name, doing))
            self._publish(found, doing)
            found.runs += 1
            found.status, found.exit_code, found.pid = "running", 0, 1000 + self._number()
            found.health, found.failures = ("starting" if self._health_of(found) else ""), 0
            self._tell(found, "start")
            run = found.runs
            lines = list(found.attached)
        if answer is None:
            return
        if lines:
            threading.Thread(target=self._play, args=(found, run, answer, lines), daemon=True).start()
        else:
            self._play(found, run, answer, lines)

    def _play(self, found: FakeContainer, run: int, answer: Callable[[bytes], Reply], lines: list[Line]) -> None:
        """Run a scripted command once, from its stdin to its exit code."""
        stdin = b"".join(line.read() for line in lines if line.stdin)
        try:
            reply = answer(stdin)
        except BaseException as exc:
            if not lines:
                with self._changed:
                    self._end(found, 1)
                raise
            reply = Reply(stderr=f"{type(exc).__name__}: {exc}\n".encode(), exit_code=1)
        with self._changed:
            if found.runs != run or not found.alive:
                return  # stopped in the meantime
            now = time.time()
            written = (("stdout", reply.stdout), ("stderr", reply.stderr))
            found.log += [(now, stream, data) for stream, data in written if data]
            self._changed.notify_all()
        for line in lines:
            line.write(reply)
        with self._changed:
            if not reply.until_stopped and found.runs == run and found.alive:
                self._end(found, reply.exit_code)

    def _publish(self, container: FakeContainer, doing: str) -> None:
        """Assign host ports. Raise StartFailed if another container has one."""
        taken = {
            (port, protocol)
            for other in self._containers.values()
            if other.alive
            for (_, protocol), found in other.ports.items()
            for _, port in found
        }
        given: dict[tuple[int, str], list[tuple[str, int]]] = {}
        for binding in container.spec.publish:
            port = binding.host_port
            while port is None or (binding.host_port is None and (port, binding.protocol) in taken):
                port = 40000 + self._number() % 20000
            if (port, binding.protocol) in taken:
                raise StartFailed(f"{doing}: host port {port}/{binding.protocol} is taken", status=500)
            key = (binding.container_port, binding.protocol)
            given.setdefault(key, []).append((binding.host_ip or "0.0.0.0", port))
        container.ports = given

    # ---------------------------------------------------------------- the end
    def _drop_lines(self, container: FakeContainer) -> None:
        for line in container.attached:
            line.close()
        container.attached.clear()

    def _end(self, container: FakeContainer, exit_code: int) -> None:
        if not container.alive:
            return
        container.status, container.exit_code, container.pid = "exited", exit_code, 0
        container.ports = {}
        for place in container.places.values():
            place.address = place.mac = ""
        self._tell(container, "die", exit_code)
        self._drop_lines(container)
        if container.spec.auto_remove:
            self._forget(container, volumes=True)

    def stop_container(self, ref: str, *, timeout: int | None) -> None:
        with self._changed:
            found = self._container(ref, f"stopping container {ref}")
            signal = found.config.get("StopSignal") or "SIGTERM"
            if found.alive:
                self._end(found, 137 if timeout == 0 else 128 + _number_of(signal))
                self._tell(found, "stop")

    def kill_container(self, ref: str, *, signal: str) -> None:
        doing = f"killing container {ref}"
        with self._changed:
            found = self._container(ref, doing)
            if not found.alive:
                raise WrongState(f"{doing}: it is {found.status}", actual=found.status, status=409)
            self._tell(found, "kill")
            if signal not in _HARMLESS:
                self._end(found, 128 + _number_of(signal))

    def restart_container(self, ref: str, *, timeout: int | None) -> None:
        self.stop_container(ref, timeout=timeout)
        self.start_container(ref)

    def pause_container(self, ref: str) -> None:
        self._turn(ref, "pause", "running", "paused")

    def unpause_container(self, ref: str) -> None:
        self._turn(ref, "unpause", "paused", "running")

    def _turn(self, ref: str, verb: str, before: str, after: str) -> None:
        with self._changed:
            found = self._container(ref, f"{verb} container {ref}")
            if found.status != before:
                words = f"{verb} container {ref}: it is {found.status}, and that takes one that is {before}"
                raise WrongState(words, actual=found.status, status=409)
            found.status = after
            self._tell(found, verb)

    def wait_container(self, ref: str, *, timeout: float | None) -> int:
        with self._changed:
            found = self._container(ref, f"waiting for container {ref}")
            if not self._changed.wait_for(lambda: not found.alive, timeout):
                raise EngineTimeout(f"container {ref} still runs after {timeout:g} s", timeout=timeout or 0.0)
            return found.exit_code

    # ---------------------------------------------------------------- exec
    def exec_container(self, ref: str, spec: ExecSpec) -> tuple[str, Attachment]:
        doing = f"executing {spec.command[0]} in container {ref}"
        with self._changed:
            found = self._container(ref, doing)
            if found.status != "running":
                raise WrongState(f"{doing}: it is {found.status}", actual=found.status, status=409)
            env = [*found.config["Env"], *(f"{key}={value}" for key, value in spec.env.items())]
            self._refuse_missing(found, spec.command, env, spec.workdir or "", spec.user or "", doing)
            answer = self._scripts.find(spec.command)
            if answer is None:
                raise self._no_script(spec.command)
            identity = new_id()
            self._execs[identity] = None
            near, far = _line(stdin=spec.stdin, tty=spec.tty)
            self._tell(found, f"exec_start: {' '.join(spec.command)}")
        threading.Thread(target=self._exec, args=(identity, answer, far), daemon=True).start()
        return identity, near

    def _exec(self, identity: str, answer: Callable[[bytes], Reply], line: Line) -> None:
        stdin = line.read() if line.stdin else b""
        try:
            reply = answer(stdin)
        except BaseException as exc:  # noqa: BLE001  a script of the test's own; its words are what the command says
            reply = Reply(stderr=f"{type(exc).__name__}: {exc}\n".encode(), exit_code=1)
        line.write(reply)
        with self._changed:
            self._execs[identity] = reply
        line.close()

    def inspect_exec(self, exec_id: str) -> ExecState:
        with self._changed:
            if exec_id not in self._execs:
                raise NotFound(f"asking for an exec's state: no exec {exec_id}", status=404)
            reply = self._execs[exec_id]
            return ExecState(reply is None, None if reply is None else reply.exit_code, True)

    # ---------------------------------------------------------------- health
    def _health_of(self, container: FakeContainer) -> HealthCheck | None:
        """Return the container's health check, or else the image's."""
        own = container.spec.health
        if own is None:
            words = (container.image.run_config.get("Healthcheck") or {}).get("Test") or ()
            own = HealthCheck(tuple(words)) if words else None
        return own if own and own.test[:1] not in ((), ("NONE",)) else None

    def check_health(self, ref: str) -> str | None:
        """Run the check's script now; a check without a script is healthy."""
        with self._changed:
            found = self._container(ref, f"checking the health of container {ref}")
            check = self._health_of(found)
            if check is None or not found.alive:
                return found.health or None
            argv = tuple(shlex.split(check.test[1])) if check.test[0] == "CMD-SHELL" else check.test[1:]
            answer = self._scripts.find(("sh", "-c", *check.test[1:])) or self._scripts.find(argv)
        code = answer(b"").exit_code if answer else 0
        with self._changed:
            found.failures = found.failures + 1 if code else 0
            if not code:
                found.health = "healthy"
            elif found.failures >= check.retries:
                found.health = "unhealthy"
            return found.health


def _number_of(signal: str) -> int:
    word = signal.removeprefix("SIG")
    return int(word) if word.isdecimal() else _NUMBERS.get(word, 15)
