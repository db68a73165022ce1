"""FakeBackend: the Backend interface over state in memory."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from ...backends.base import Capability, EngineDiskUsage, EngineInfo, Processes, Stats
from ...errors import InvalidOption
from ...spec import RegistryAuth
from ...streams import Stream
from .logs import LogVerbs
from .scripts import Program, Reply, reply_of

#: Capabilities that need state only.
_CAN = frozenset({Capability.MAC_ADDRESS, Capability.PAUSE, Capability.UPDATE})
#: Capabilities that only accept options: this engine stores and shows the options, and enforces nothing.
_PRETENDED = frozenset(
    {
        Capability.MEMORY_LIMIT,
        Capability.CPU_LIMIT,
        Capability.CPUSET_LIMIT,
        Capability.PIDS_LIMIT,
        Capability.ULIMITS,
        Capability.HOST_GATEWAY,
        Capability.KEEP_ID,
    }
)


class FakeBackend(LogVerbs):
    """An engine in memory, for tests of programs that use containers::

        fake = FakeBackend(images=["alpine:3"], commands={"cat /etc/os-release": "ID=alpine"})
        fake.on(["grep", "-c", ...], exit_code=1)
        engine = containerkit.connect(fake)

    Images, containers, volumes, networks, files, logs and events behave as on an engine and raise the same errors.
    There are no processes: a command answers what `on()` scripted. A container started with any other command runs
    until it is stopped; `run()` and `exec()` of such a command raise Unsupported. A program that no layer of the image
    contains raises StartFailed; an image without layers contains every program.

    Args:
        images: names of images that exist from the start, without files; `engine.images.load` adds real ones.
        commands: command -> answer, as `on()` takes them.
        kind: the kind of engine to report.
        pretend: capabilities to declare although nothing enforces them: limits, ulimits, host-gateway and keep-id are
            then accepted and shown.

    Raises:
        InvalidOption: an unknown kind or capability.
    """

    def __init__(
        self,
        *,
        images: Iterable[str] = (),
        commands: Mapping[Any, Any] | None = None,
        kind: Literal["docker", "podman"] = "docker",
        pretend: Iterable[Capability] = (),
    ) -> None:
        if kind not in ("docker", "podman"):
            raise InvalidOption("kind", kind, '"docker" or "podman"')
        asked = frozenset(pretend)
        if not asked <= _PRETENDED:
            raise InvalidOption("pretend", sorted(map(str, asked - _PRETENDED)), "capabilities that guard options only")
        super().__init__(commands or {})
        self.kind = kind
        self.url = "memory://"
        self.capabilities = _CAN | asked
        self._make_own_networks()
        for ref in (images,) if isinstance(images, str) else images:
            self.add_image(ref)

    def on(
        self,
        command: Any,
        answer: Program | Reply | str | bytes | int | tuple[Any, ...] | None = None,
        *,
        stdout: str | bytes = b"",
        stderr: str | bytes = b"",
        exit_code: int = 0,
        until_stopped: bool = False,
    ) -> FakeBackend:
        """Script the answer of a command, for run, start and exec. The last matching script wins.

        Args:
            command: a line, or a sequence of arguments; `...` as the last argument matches any further arguments.
            answer: replaces the arguments below: a Reply; text for stdout; an exit code; (exit code, stdout, stderr);
                or a function of (arguments, stdin) that returns one of these, or None to try earlier scripts.
            stdout, stderr: the output.
            exit_code: the exit code.
            until_stopped: the command writes its output and then runs until it is stopped.

        Returns:
            This backend, so that calls can be chained.

        Raises:
            InvalidOption.
        """
        if answer is None:
            reply = reply_of((exit_code, stdout, stderr))
            answer = Reply(reply.stdout, reply.stderr, reply.exit_code, until_stopped)
        with self._changed:
            self._scripts.add(command, answer)
        return self

    # ---------------------------------------------------------------- the engine
    def info(self) -> EngineInfo:
        return EngineInfo(
            kind=self.kind,
            version="0.0.0-memory",
            api_version="1.41",
            rootless=False,
            cgroup_version=2,
            cgroup_driver="none",
            storage_driver="memory",
            image_store="graphdriver",
            root_dir="/var/lib/containerkit-fake",
            os="memory",
            arch={"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
            kernel=platform.release(),
            cpus=os.cpu_count() or 1,
            memory=1 << 32,
            name="fake",
        )

    def close(self) -> None:
        """Do nothing: what was created stays, for a test to look at."""

    def engine_disk_usage(self) -> EngineDiskUsage:
        with self._changed:
            size = sum(map(len, {tar for image in self._images.values() for tar in image.layers}))
        return EngineDiskUsage(images=size, containers=0, reclaimable=size)

    def login(self, auth: RegistryAuth) -> None:
        raise self._cannot(Capability.REGISTRY, f"logging in to {auth.registry}")

    def stats_container(self, ref: str, *, stream: bool) -> Stream[Stats]:
        raise self._cannot(Capability.STATS, f"measuring container {ref}")

    def top_container(self, ref: str, *, ps_args: str | None) -> Processes:
        raise self._cannot(Capability.TOP, f"listing the processes of container {ref}")
