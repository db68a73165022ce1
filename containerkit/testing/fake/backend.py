"""FakeBackend: the whole interface to an engine, over state in memory."""

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

__all__ = ["FakeBackend"]

#: State is all that these take.
_CAN = frozenset({Capability.MAC_ADDRESS, Capability.PAUSE, Capability.UPDATE})
#: What guards nothing but options, which an engine in memory can keep and show, and hold nothing by.
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

    Images, containers, volumes, networks, files, logs and events behave and refuse as on an engine. There are no
    processes: a command answers what `on()` told; `start()` of any other command makes a container that runs until it
    is stopped, and `run()` or `exec()` of it raises Unsupported. A command that is in no layer of its image is
    StartFailed; an image without layers has every command.

    Args:
        images: names of images to begin with, without any file; `engine.images.load` brings real ones.
        commands: command -> answer, as `on()` takes them.
        kind: what it says it is.
        pretend: capabilities to declare though nothing is held by them, so that limits, ulimits, host-gateway and
            keep-id are accepted.
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
        """Tell what a command answers, in run, start and exec; the last one told counts.

        Args:
            command: a line, or a sequence of arguments; `...` as the last one stands for any that follow.
            answer: instead of what follows: a Reply, or a function of (arguments, stdin) that gives a Reply,
                (exit code, stdout, stderr), text for stdout, or None to leave it to what was told before.
            until_stopped: it writes, and then runs until it is stopped.

        Raises:
            InvalidOption.
        """
        if answer is None:
            told = reply_of((exit_code, stdout, stderr))
            answer = Reply(told.stdout, told.stderr, told.exit_code, until_stopped)
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
        """Nothing is held; what was made stays, for a test to look at."""

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
