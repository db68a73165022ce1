"""The one suite that every engine has to pass: a class of pytest tests, one fact each.

Give it two fixtures and inherit::

    class TestMyEngine(EngineConformance):
        @pytest.fixture(scope="session")
        def engine(self) -> Iterator[Engine]: ...        # open

        @pytest.fixture(scope="session")
        def shell_image(self) -> str: ...                # a local image with busybox, its applets linked

An engine in memory, without Capability.PROCESSES, is asked what needs no process. The commands that the suite then
still runs have to be scripted: true, false, touch, cat, printf, echo, seq; sleep, sh and httpd only have
to be in the image.

Everything it makes carries a unique name and the session's labels, and is removed; nothing else is touched. Published
ports are looked for at 127.0.0.1: run it where the engine's own is.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import random
import shutil
import socket
import stat
import tarfile
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from .. import wait
from ..backends.base import Capability
from ..containers import Container
from ..engine import Engine
from ..errors import (
    BuildFailed,
    CommandFailed,
    ContainerKitError,
    ContainerNotFound,
    EngineError,
    EngineTimeout,
    ImageNotFound,
    InUse,
    InvalidImage,
    InvalidOption,
    InvalidReference,
    LimitNotEnforced,
    NameInUse,
    NetworkNotFound,
    NotFound,
    PullFailed,
    PushFailed,
    StartFailed,
    Unsupported,
    VolumeNotFound,
    WrongState,
)
from ..spec import Mount, PortBinding
from .archives import ImageBuilder

__all__ = ["EngineConformance", "needs"]

SLEEP = ["sleep", "600"]
#: Says "ready", and on TERM "bye" and ends with 7.
POLITE = ["sh", "-c", "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.1; done"]
#: Says "ready", and never ends.
STUBBORN = ["sh", "-c", "trap '' TERM INT HUP; echo ready; while :; do sleep 0.1; done"]
#: Serves "hello" at port 8080.
SERVER = ["sh", "-c", "mkdir -p /tmp/www; echo hello >/tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"]

READ_ONLY: dict[str, Callable[[str], dict[str, Any]]] = {
    "volumes-line": lambda source: {"volumes": [f"{source}:/m:ro"]},
    "volumes-text": lambda source: {"volumes": f"{source}:/m:ro"},
    "volumes-mapping": lambda source: {"volumes": {source: "/m:ro"}},
    "volumes-mapping-of-mode": lambda source: {"volumes": {source: {"bind": "/m", "mode": "ro"}}},
    "volumes-mapping-of-flag": lambda source: {"volumes": {source: {"bind": "/m", "read_only": True}}},
    "volumes-mapping-of-list": lambda source: {"volumes": {source: ["/m:ro"]}},
    "volume-singular": lambda source: {"volume": f"{source}:/m:ro"},
    "volumes-mount": lambda source: {
        "volumes": [Mount(kind=_kind(source), source=source, target="/m", read_only=True)]
    },
    "volumes-z": lambda source: {"volumes": [f"{source}:/m:ro,z"]},
    "mount-readonly": lambda source: {"mounts": f"type={_kind(source)},source={source},target=/m,readonly"},
    "mount-readonly-true": lambda source: {"mounts": f"type={_kind(source)},src={source},dst=/m,readonly=true"},
    "mount-ro": lambda source: {"mount": [f"type={_kind(source)},src={source},destination=/m,ro"]},
    "mount-ro-1": lambda source: {"mounts": [f"type={_kind(source)},src={source},dst=/m,ro=1"]},
    "mount-rw-false": lambda source: {"mounts": [f"type={_kind(source)},src={source},dst=/m,rw=false"]},
    "mount-mapping": lambda source: {
        "mounts": [{"type": _kind(source), "source": source, "target": "/m", "read_only": True}]
    },
    "mount-docker-py": lambda source: {
        "mounts": [{"Type": _kind(source), "Source": source, "Target": "/m", "ReadOnly": True}]
    },
    "mount-value": lambda source: {"mounts": [Mount(kind=_kind(source), source=source, target="/m", read_only=True)]},
}

PUBLISH: dict[str, Callable[[int], Any]] = {
    "int-to-int": lambda port: {8080: port},
    "text-to-int": lambda port: {"8080": port},
    "protocol-to-int": lambda port: {"8080/tcp": port},
    "int-to-text": lambda port: {8080: str(port)},
    "to-address-pair": lambda port: {8080: ("127.0.0.1", port)},
    "to-address-text": lambda port: {"8080/tcp": f"127.0.0.1:{port}"},
    "to-list": lambda port: {8080: [port]},
    "line": lambda port: [f"{port}:8080"],
    "line-protocol": lambda port: f"{port}:8080/tcp",
    "line-address": lambda port: [f"127.0.0.1:{port}:8080"],
    "value": lambda port: [PortBinding(8080, host_port=port)],
    "free-none": lambda port: {8080: None},
    "free-text": lambda port: "8080",
    "free-int": lambda port: 8080,
    "free-address": lambda port: ["127.0.0.1::8080"],
}

#: What a container shows of an option: the options, a shell line, and what it prints.
SHOWN: dict[str, tuple[dict[str, Any], str, str]] = {
    "env-mapping": ({"env": {"A": "1", "B": 2}}, "echo $A$B", "12"),
    "env-list": ({"env": ["A=x y", "B="]}, 'echo "$A:$B:${B-unset}"', "x y::"),
    "env-unicode": ({"env": {"A": "grün=✓"}}, 'echo "$A"', "grün=✓"),
    "env-newline": ({"env": {"A": "1\n2"}}, 'echo "$A"', "1\n2"),
    "user-int": ({"user": 1234}, "id -u", "1234"),
    "user-text": ({"user": "1234"}, "id -u", "1234"),
    "user-and-group": ({"user": "1234:4321"}, "id -u; id -g", "1234\n4321"),
    "user-name": ({"user": "root"}, "id -u", "0"),
    "group-add": ({"group_add": [4321]}, "id -G | tr ' ' '\\n' | grep -x 4321", "4321"),
    "workdir": ({"workdir": "/tmp"}, "pwd", "/tmp"),
    "hostname": ({"hostname": "ck-host"}, "hostname", "ck-host"),
    "tmpfs-text": ({"tmpfs": "/t"}, "grep ' /t ' /proc/mounts | cut -d' ' -f3", "tmpfs"),
    "tmpfs-mapping": ({"tmpfs": {"/t": "size=1m"}}, "df -k /t | tail -n1 | awk '{print $2}'", "1024"),
    "tmpfs-list": ({"tmpfs": ["/t:mode=1777"]}, "stat -c %a /t", "1777"),
    "tmpfs-noexec": ({"tmpfs": {"/t": "noexec"}}, "grep ' /t ' /proc/mounts | grep -o noexec", "noexec"),
    "tmpfs-mount": ({"mounts": "type=tmpfs,dst=/t,tmpfs-size=1m"}, "df -k /t | tail -n1 | awk '{print $2}'", "1024"),
    "read-only-root": ({"read_only": True}, "touch /x 2>/dev/null || echo no", "no"),
    "read-only-root-tmpfs": ({"read_only": True, "tmpfs": "/t"}, "touch /t/x && echo yes", "yes"),
    "no-new-privileges": (
        {"security_opt": ["no-new-privileges"]},
        "awk '/NoNewPrivs/{print $2}' /proc/self/status",
        "1",
    ),
    "no-new-privileges-true": (
        {"security_opt": "no-new-privileges:true"},
        "awk '/NoNewPrivs/{print $2}' /proc/self/status",
        "1",
    ),
    "new-privileges": ({}, "awk '/NoNewPrivs/{print $2}' /proc/self/status", "0"),
    "cap-drop-all": ({"cap_drop": ["ALL"]}, "awk '/CapBnd/{print $2}' /proc/self/status", "0" * 16),
    "cap-drop-all-lower": ({"cap_drop": "all"}, "awk '/CapEff/{print $2}' /proc/self/status", "0" * 16),
    "cap-drop-one": (
        {"cap_drop": ["CAP_CHOWN"]},
        "touch /tmp/x; chown 5 /tmp/x 2>/dev/null || echo no",
        "no",
    ),
    "cap-drop-short-name": ({"cap_drop": "chown"}, "touch /tmp/x; chown 5 /tmp/x 2>/dev/null || echo no", "no"),
    "cap-only-one": (
        {"cap_drop": ["ALL"], "cap_add": ["NET_BIND_SERVICE"]},
        "awk '/CapBnd/{print $2}' /proc/self/status",
        "0000000000000400",
    ),
    "init": ({"init": True}, "readlink /proc/1/exe | grep -q busybox || echo another", "another"),
    "no-init": ({}, "readlink /proc/1/exe | grep -q busybox && echo itself", "itself"),
    "sysctls-int": ({"sysctls": {"net.ipv4.ip_forward": 1}}, "cat /proc/sys/net/ipv4/ip_forward", "1"),
    "sysctls-off": ({"sysctls": {"net.ipv4.ip_forward": "0"}}, "cat /proc/sys/net/ipv4/ip_forward", "0"),
    "sysctl-line": ({"sysctl": "net.ipv4.ip_forward=1"}, "cat /proc/sys/net/ipv4/ip_forward", "1"),
    "shm-size-text": ({"shm_size": "1m"}, "df -k /dev/shm | tail -n1 | awk '{print $2}'", "1024"),
    "shm-size-int": ({"shm_size": 2 << 20}, "df -k /dev/shm | tail -n1 | awk '{print $2}'", "2048"),
    "add-host-mapping": ({"add_host": {"far": "192.0.2.7"}}, "awk '$2==\"far\"{print $1}' /etc/hosts", "192.0.2.7"),
    "add-host-list": ({"add_host": ["far:192.0.2.7"]}, "awk '$2==\"far\"{print $1}' /etc/hosts", "192.0.2.7"),
    "dns": ({"dns": ["192.0.2.53"]}, "awk '/^nameserver/{print $2}' /etc/resolv.conf", "192.0.2.53"),
    "dns-search": ({"dns_search": "example.test"}, "awk '/^search/{print $2}' /etc/resolv.conf", "example.test"),
    "dns-option": ({"dns_option": "ndots:3"}, "grep -o ndots:3 /etc/resolv.conf", "ndots:3"),
    "network-none": ({"network": "none"}, "ls /sys/class/net", "lo"),
    "oom-score-adj": ({"oom_score_adj": 500}, "cat /proc/self/oom_score_adj", "500"),
    "entrypoint-text": ({"entrypoint": "sh -c"}, "echo $0", "sh"),
}

#: Options that no engine would accept.
BAD_OPTIONS: dict[str, dict[str, Any]] = {
    "ports-text": {"publish": {"80": "abc"}},
    "port-zero": {"publish": {0: 8080}},
    "port-huge": {"publish": ["70000:80"]},
    "port-protocol": {"publish": ["80/icmp"]},
    "port-bool": {"publish": {80: True}},
    "env-number": {"env": 5},
    "env-nul": {"env": {"A": "a\0b"}},
    "env-empty-key": {"env": {"": "x"}},
    "name-empty": {"name": ""},
    "name-nul": {"name": "a\0b"},
    "name-slash": {"name": "a/b"},
    "name-unicode": {"name": "größe"},
    "memory-words": {"memory": "lots"},
    "memory-negative": {"memory": -5},
    "memory-zero": {"memory": 0},
    "cpus-zero": {"cpus": 0},
    "cpus-nan": {"cpus": float("nan")},
    "pids-text": {"pids_limit": "many"},
    "unknown-option": {"colour": "red"},
    "docker-py-name": {"environment": {"A": "1"}},
    "volume-relative-target": {"volumes": ["/tmp:data"]},
    "volume-mode": {"volumes": ["/tmp:/m:readonly"]},
    "volume-empty": {"volumes": [""]},
    "two-mounts-one-place": {"volumes": ["/tmp:/m", "/usr:/m"]},
    "mount-unknown-key": {"mounts": "type=bind,source=/a,target=/b,sauce=x"},
    "tmpfs-option": {"tmpfs": {"/t": "crunchy"}},
    "workdir-relative": {"workdir": "tmp"},
    "user-space": {"user": "a b"},
    "signal": {"stop_signal": "SIGNOTHING"},
    "restart": {"restart": "sometimes"},
    "label-nul": {"labels": {"a\0": "b"}},
    "hostname": {"hostname": "a b"},
    "add-host": {"add_host": {"x": "nowhere"}},
    "dns": {"dns": ["one.two"]},
    "shm-size": {"shm_size": "-1m"},
    "security-opt": {"security_opt": ["no-new-privilege"]},
    "capability": {"cap_add": ["CAP_FLY"]},
    "both-spellings": {"label": {"a": "1"}, "labels": {"a": "1"}},
    "read-only-text": {"read_only": "yes"},
    "init-number": {"init": 1},
    "pull-word": {"pull": "sometimes"},
    "limits-word": {"limits": "ignore"},
    "network-alias-alone": {"network_alias": "x"},
    "publish-without-network": {"network": "none", "publish": {80: 8080}},
    "sysctl-words": {"sysctls": ["a b=1"]},
    "ulimit-unknown": {"ulimits": {"patience": 1}},
    "health-interval": {"health_cmd": "true", "health_interval": "soon"},
}


_F = TypeVar("_F", bound=Callable[..., Any])


def needs(*capabilities: Capability) -> Callable[[_F], _F]:
    """Marks a scenario that an engine without these capabilities cannot be asked; there it is skipped, and says so."""

    def mark(function: _F) -> _F:
        function.needs = capabilities  # type: ignore[attr-defined]
        return function

    return mark


def _require(engine: Engine, *capabilities: Capability) -> None:
    missing = [capability.value for capability in capabilities if capability not in engine.capabilities]
    if missing:
        pytest.skip(f"this engine declares no {', '.join(missing)}")


def _kind(source: str) -> str:
    return "bind" if source.startswith("/") else "volume"


def _name(word: str = "t") -> str:
    return f"ck-{word}-{uuid.uuid4().hex[:12]}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return str(answer.read().decode())


def _tiny() -> ImageBuilder:
    """An image like no other, without a program."""
    return ImageBuilder().layer(files={"id.txt": uuid.uuid4().hex}).run_config(Cmd=["/none"])


class _Untouchable:
    """A backend that may be asked what it is, and nothing more."""

    def __init__(self, backend: Any) -> None:
        self.kind, self.url, self.capabilities = backend.kind, backend.url, backend.capabilities

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise AssertionError(f"{name}() was about to be sent")

        return refuse


@contextlib.contextmanager
def _image(engine: Engine, ref: str | None = None) -> Iterator[str]:
    """A name that is no image's before and after."""
    ref = ref or f"docker.io/containerkit/{_name()}:1"
    try:
        yield ref
    finally:
        with contextlib.suppress(ImageNotFound):
            engine.images.remove(ref, force=True)


def _sh(container: Container, line: str) -> str:
    return container.exec(["sh", "-c", line], check=True).stdout.strip()


def _find(name: str, address: str) -> str:
    """A shell line that succeeds if the name leads to the address; a static busybox resolves nothing by itself."""
    if name == address:
        return "true"
    return f"nslookup {name} 2>/dev/null | grep -q -w {address}"


def _fetch(address: str) -> str:
    """A shell line that prints what the server at that address says; a static busybox's wget looks up too much."""
    return f"printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 10 {address} 8080 | tail -n1"


@functools.cache
def _shares_files(engine: Engine, shell_image: str) -> bool:
    """Whether a folder of this machine can be bound: not on an engine in a machine of its own."""
    with tempfile.TemporaryDirectory(prefix="ck-bind-") as path:
        os.chmod(path, 0o755)  # a rootless engine is another user
        Path(path, "here").touch()
        with contextlib.suppress(NotFound):
            return engine.run(shell_image, ["ls", "/m/here"], volumes=f"{path}:/m").exit_code == 0
    return False


class EngineConformance:
    """What every engine does the same. Inherit, with fixtures `engine` and `shell_image`."""

    # ---------------------------------------------------------------- fixtures of its own
    @pytest.fixture(autouse=True)
    def _as_declared(self, request: pytest.FixtureRequest, engine: Engine) -> None:
        """Skip what needs a capability that the engine does not declare."""
        _require(engine, *getattr(request.function, "needs", ()))

    @pytest.fixture
    def box(self, engine: Engine, shell_image: str) -> Iterator[Container]:
        """A container that sleeps."""
        with engine.start(shell_image, SLEEP) as container:
            yield container

    @pytest.fixture
    def folder(self, engine: Engine, shell_image: str) -> Iterator[Path]:
        """A folder that the engine's host has too, and everybody may write to."""
        if not _shares_files(engine, shell_image):
            pytest.skip("this engine runs on another machine: a bind mount shows that one's files")
        path = Path(tempfile.mkdtemp(prefix="ck-bind-"))
        path.chmod(0o777)
        yield path
        shutil.rmtree(path, ignore_errors=True)

    @pytest.fixture
    def volume(self, engine: Engine) -> Iterator[str]:
        """The name of a new volume."""
        with engine.volumes.create(_name("vol")) as made:
            yield made.name

    @pytest.fixture
    def net(self, engine: Engine) -> Iterator[Any]:
        """A new network."""
        with engine.networks.create(_name("net")) as made:
            yield made

    # ---------------------------------------------------------------- the engine
    def test_info_is_complete(self, engine: Engine) -> None:
        """info() tells version, store, cgroups and the machine, each in one vocabulary."""
        info = engine.info()
        assert info.kind == engine.kind
        assert info.version[0].isdigit()
        assert info.cgroup_version in (1, 2)
        assert info.image_store in ("graphdriver", "containerd")
        assert info.root_dir.startswith("/")
        assert info.cpus >= 1
        assert info.memory > 1 << 20

    def test_capabilities_are_of_one_vocabulary(self, engine: Engine) -> None:
        """What the engine declares are Capability values."""
        assert engine.capabilities <= frozenset(Capability)

    def test_processes_as_declared(self, engine: Engine, shell_image: str) -> None:
        """An engine that runs processes shows the kernel's view of one; one that does not says so."""
        command = ["cat", "/proc/self/comm"]
        if Capability.PROCESSES in engine.capabilities:
            assert engine.run(shell_image, command).stdout == "cat\n"
            return
        name = _name()
        with pytest.raises(Unsupported) as caught:
            engine.run(shell_image, command, name=name)
        assert caught.value.capability == "processes"
        assert not engine.containers.exists(name)

    @pytest.mark.parametrize("what", ["build", "pull", "push", "login"])
    def test_builds_and_registries_as_declared(self, engine: Engine, shell_image: str, what: str) -> None:
        """Without a builder or a way to registries, what needs one is Unsupported and names it."""
        calls: dict[str, Callable[[], object]] = {
            "build": lambda: engine.images.build({"Dockerfile": f"FROM {shell_image}\n"}),
            "pull": lambda: engine.images.pull("127.0.0.1:9/containerkit/none:1"),
            "push": lambda: engine.images.push("127.0.0.1:9/containerkit/none:1"),
            "login": lambda: engine.login("lab", "lab", "127.0.0.1:9"),
        }
        capability = Capability.BUILD if what == "build" else Capability.REGISTRY
        if capability not in engine.capabilities:
            with pytest.raises(Unsupported) as caught:
                calls[what]()
            assert caught.value.capability == capability.value
        elif what == "build":
            assert engine.images.build({"Dockerfile": f"FROM {shell_image}\n"}).id
        else:
            with pytest.raises(EngineError):
                calls[what]()

    # ---------------------------------------------------------------- run
    @needs(Capability.PROCESSES)
    def test_run_gives_both_streams_and_the_code(self, engine: Engine, shell_image: str) -> None:
        """One run gives stdout, stderr and exit code together."""
        result = engine.run(shell_image, ["sh", "-c", "echo out; echo err >&2; exit 3"])
        assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "err\n")

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("code", [0, 1, 2, 42, 125, 126, 127, 128, 137, 255])
    def test_run_exit_codes(self, engine: Engine, shell_image: str, code: int) -> None:
        """The command's own exit code comes back, also those that engines use themselves."""
        assert engine.run(shell_image, ["sh", "-c", f"exit {code}"]).exit_code == code

    @needs(Capability.PROCESSES)
    def test_run_ended_by_a_signal(self, engine: Engine, shell_image: str) -> None:
        """A program that a signal ends has the exit code 128 + n."""
        result = engine.run(shell_image, ["sh", "-c", "sh -c 'kill -TERM $$'; exit $?"])
        assert result.exit_code == 143

    @pytest.mark.parametrize(
        "data", ["text ✓\n", b"\x00\xff\x01", b"", b"x" * 300_000], ids=["text", "bytes", "empty", "long"]
    )
    def test_run_input(self, engine: Engine, shell_image: str, data: str | bytes) -> None:
        """input= is fed to stdin, which then ends, and comes back through cat."""
        result = engine.run(shell_image, ["cat"], input=data, timeout=60)
        assert result.stdout_bytes == (data.encode() if isinstance(data, str) else data)

    def test_run_without_input_has_no_stdin(self, engine: Engine, shell_image: str) -> None:
        """Without input=, stdin is at its end."""
        assert engine.run(shell_image, ["cat"], timeout=30).stdout == ""

    @needs(Capability.PROCESSES)
    def test_run_binary_output(self, engine: Engine, shell_image: str) -> None:
        """256 KiB of random bytes come out as they are."""
        result = engine.run(
            shell_image, ["sh", "-c", "head -c 262144 /dev/urandom >/tmp/x; cat /tmp/x; sha256sum </tmp/x >&2"]
        )
        assert len(result.stdout_bytes) == 262144
        assert hashlib.sha256(result.stdout_bytes).hexdigest() == result.stderr.split()[0]

    def test_run_output_without_newline(self, engine: Engine, shell_image: str) -> None:
        """A last line without its end is not lost."""
        assert engine.run(shell_image, ["printf", "a\\nb"]).stdout == "a\nb"

    def test_run_nothing_printed(self, engine: Engine, shell_image: str) -> None:
        """A command that says nothing gives empty text."""
        result = engine.run(shell_image, ["true"])
        assert (result.exit_code, result.stdout_bytes, result.stderr_bytes) == (0, b"", b"")

    def test_run_invalid_utf8(self, engine: Engine, shell_image: str) -> None:
        """Bytes that are no UTF-8 become U+FFFD in text, and stay in bytes."""
        result = engine.run(shell_image, ["printf", "a\\377b"])
        assert (result.stdout, result.stdout_bytes) == ("a\ufffdb", b"a\xffb")

    @pytest.mark.parametrize(
        "command", ["echo 'a b' c", ["echo", "a b", "c"], ("echo", "a b", "c")], ids=["line", "list", "tuple"]
    )
    def test_run_command_forms(self, engine: Engine, shell_image: str, command: Any) -> None:
        """A command is a list, or a line that is split as a shell does."""
        assert engine.run(shell_image, command).stdout == "a b c\n"

    @needs(Capability.PROCESSES)
    def test_run_check(self, engine: Engine, shell_image: str) -> None:
        """check=True raises CommandFailed with exit code and both streams."""
        with pytest.raises(CommandFailed) as caught:
            engine.run(shell_image, ["sh", "-c", "echo o; echo e >&2; exit 9"], check=True)
        assert (caught.value.exit_code, caught.value.stdout, caught.value.stderr) == (9, "o\n", "e\n")

    @needs(Capability.PROCESSES)
    def test_run_timeout(self, engine: Engine, shell_image: str) -> None:
        """timeout= kills, removes, and raises with what was printed so far."""
        name = _name()
        began = time.monotonic()
        with pytest.raises(EngineTimeout) as caught:
            engine.run(shell_image, ["sh", "-c", "echo so far; sleep 60"], name=name, timeout=2)
        assert time.monotonic() - began < 10
        assert caught.value.stdout == b"so far\n"
        assert not engine.containers.exists(name)

    @needs(Capability.PROCESSES)
    def test_run_on_output(self, engine: Engine, shell_image: str) -> None:
        """on_output= is called with each piece while the command runs."""
        seen: list[tuple[str, bytes, float]] = []
        engine.run(
            shell_image,
            ["sh", "-c", "echo 1; sleep 1; echo 2 >&2"],
            on_output=lambda piece: seen.append((piece.stream, piece.data, time.monotonic())),
        )
        assert [(name, data) for name, data, _ in seen] == [("stdout", b"1\n"), ("stderr", b"2\n")]
        assert seen[1][2] - seen[0][2] > 0.5

    @needs(Capability.PROCESSES)
    def test_run_a_callback_that_raises(self, engine: Engine, shell_image: str) -> None:
        """An exception of on_output= comes out, and the container is removed."""
        name = _name()

        def refuse(_: Any) -> None:
            raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            engine.run(shell_image, ["sh", "-c", "echo 1; sleep 60"], name=name, on_output=refuse)
        assert not engine.containers.exists(name)

    def test_run_removes_its_container(self, engine: Engine, shell_image: str) -> None:
        """After run() there is no container."""
        name = _name()
        engine.run(shell_image, ["true"], name=name)
        assert not engine.containers.exists(name)

    @needs(Capability.PROCESSES)
    def test_run_tty(self, engine: Engine, shell_image: str) -> None:
        """With a terminal, both streams come as stdout."""
        result = engine.run(shell_image, ["sh", "-c", "test -t 1 && echo yes; echo err >&2"], tty=True)
        assert result.stdout.replace("\r", "").split() == ["yes", "err"]

    def test_run_pull_never(self, engine: Engine) -> None:
        """pull="never" with an image that is not there is ImageNotFound."""
        with pytest.raises(ImageNotFound):
            engine.run(f"docker.io/containerkit/{_name()}:1", pull="never")

    @needs(Capability.REGISTRY)
    def test_run_pull_missing_tells_why(self, engine: Engine) -> None:
        """An image that cannot be pulled is PullFailed, with the reason."""
        with pytest.raises(PullFailed) as caught:
            engine.run("127.0.0.1:9/containerkit/none:1", ["true"])
        assert "127.0.0.1:9" in str(caught.value)

    def test_run_missing_program(self, engine: Engine, shell_image: str) -> None:
        """A program that is not in the image is StartFailed, and nothing is left."""
        name = _name()
        with pytest.raises(StartFailed):
            engine.run(shell_image, ["/no/such/program"], name=name)
        assert not engine.containers.exists(name)

    def test_thirty_runs_are_identical(self, engine: Engine, shell_image: str) -> None:
        """30 runs of 2,000 lines are the same to the byte."""
        want = "".join(f"{number}\n" for number in range(1, 2001)).encode()
        for _ in range(30):
            result = engine.run(shell_image, ["seq", "2000"], timeout=60)
            assert result.stdout_bytes == want
            assert result.exit_code == 0

    # ---------------------------------------------------------------- options
    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(("options", "line", "expected"), SHOWN.values(), ids=SHOWN.keys())
    def test_option_is_seen_inside(
        self, engine: Engine, shell_image: str, options: dict[str, Any], line: str, expected: str
    ) -> None:
        """An option shows where it matters: in the container."""
        command = [line] if "entrypoint" in options else ["sh", "-c", line]
        result = engine.run(shell_image, command, **options)
        assert result.stdout.strip() == expected, result

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("spelling", READ_ONLY)
    @pytest.mark.parametrize("kind", ["bind", "volume"])
    def test_read_only_mount(
        self, engine: Engine, shell_image: str, folder: Path, volume: str, kind: str, spelling: str
    ) -> None:
        """A mount that is asked to be read-only, in any spelling, is read-only."""
        options = READ_ONLY[spelling](str(folder) if kind == "bind" else volume)
        line = "touch /m/x 2>/dev/null && echo written; awk '$2==\"/m\"{print $4}' /proc/mounts"
        found = engine.run(shell_image, ["sh", "-c", line], **options).stdout.strip()
        assert "written" not in found
        assert "ro" in found.split(",")

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("spelling", ["{}:/m", "{}:/m:rw", "type={kind},src={},dst=/m"])
    @pytest.mark.parametrize("kind", ["bind", "volume"])
    def test_writable_mount(
        self, engine: Engine, shell_image: str, folder: Path, volume: str, kind: str, spelling: str
    ) -> None:
        """A mount that is not asked to be read-only can be written to, and the host's side has it."""
        source = str(folder) if kind == "bind" else volume
        option = "mounts" if spelling.startswith("type") else "volumes"
        given: Any = {option: [spelling.format(source, kind=kind)]}
        engine.run(shell_image, ["sh", "-c", "echo kept >/m/x; chmod 666 /m/x"], check=True, **given)
        assert engine.run(shell_image, ["cat", "/m/x"], **given).stdout == "kept\n"
        if kind == "bind":
            assert (folder / "x").read_text() == "kept\n"

    @needs(Capability.PROCESSES)
    def test_missing_bind_source(self, engine: Engine, shell_image: str, folder: Path) -> None:
        """A mount of a host path that is not there is NotFound, and the path is not made."""
        source = folder / "none"
        with pytest.raises(NotFound, match="none"):
            engine.run(shell_image, ["true"], mounts=f"type=bind,src={source},dst=/m")
        with pytest.raises(NotFound, match="none"):
            engine.run(shell_image, ["true"], volumes={str(source): "/m"})
        assert not source.exists()

    @pytest.mark.parametrize("how", ["run", "remove"])
    def test_anonymous_volume_goes_with_its_container(self, engine: Engine, shell_image: str, how: str) -> None:
        """A volume without a name is removed with its container."""
        seen = {volume.name for volume in engine.volumes.list()}
        if how == "run":
            assert engine.run(shell_image, ["touch", "/data/x"], volumes="/data").exit_code == 0
        else:
            with engine.start(shell_image, SLEEP, volumes="/data") as container:
                (mount,) = (mount for mount in container.record.mounts if mount.target == "/data")
                assert engine.volumes.exists(mount.name)
            assert not engine.volumes.exists(mount.name)
        assert {volume.name for volume in engine.volumes.list()} <= seen

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("given", [2048, "2048:4096", (2048, 4096)], ids=["number", "line", "pair"])
    def test_ulimits_as_declared(self, engine: Engine, shell_image: str, given: Any) -> None:
        """A ulimit holds for the first process, or is refused where the engine would leave it out."""
        hard = 2048 if given == 2048 else 4096
        options: dict[str, Any] = {"ulimits": {"nofile": given, "nproc": 4096}}  # 4.3 wants both
        line = ["sh", "-c", "ulimit -Sn; ulimit -Hn"]
        if Capability.ULIMITS in engine.capabilities:
            assert engine.run(shell_image, line, **options).stdout.split() == ["2048", str(hard)]
        else:
            with pytest.raises(Unsupported):
                engine.run(shell_image, line, **options)

    @pytest.mark.parametrize("given", [{"a.b": "1", "c": ""}, ["a.b=1", "c"]], ids=["mapping", "list"])
    def test_labels(self, engine: Engine, shell_image: str, given: Any) -> None:
        """Labels are on the container as given, whatever the spelling."""
        with engine.containers.create(shell_image, labels=given) as container:
            assert container.labels["a.b"] == "1"
            assert container.labels["c"] == ""

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("spelling", PUBLISH)
    def test_publish(self, engine: Engine, shell_image: str, spelling: str) -> None:
        """A published port answers on the engine's host, whatever the spelling."""
        port = _free_port()
        with engine.start(shell_image, SERVER, publish=PUBLISH[spelling](port)) as container:
            container.wait_until(wait.http("/index.html", 8080), timeout=20)
            address = container.port(8080)
            if not spelling.startswith("free"):
                assert address.port == port
            assert _get(f"http://{address}/index.html") == "hello\n"

    def test_port_that_is_not_published(self, box: Container) -> None:
        """port() of a port that is not published is NotFound."""
        with pytest.raises(NotFound):
            box.port(81)

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("signal", ["SIGUSR1", "USR1", 10])
    def test_stop_signal(self, engine: Engine, shell_image: str, signal: Any) -> None:
        """stop() sends the container's own stop signal, by any of its names."""
        line = "trap 'exit 21' USR1; trap 'exit 22' TERM; echo ready; while :; do sleep 0.1; done"
        with engine.start(shell_image, ["sh", "-c", line], stop_signal=signal) as container:
            container.wait_until(wait.log_line("ready"), timeout=20)
            container.stop(timeout=10)
            assert container.exit_code == 21

    @pytest.mark.parametrize("options", BAD_OPTIONS.values(), ids=BAD_OPTIONS.keys())
    def test_bad_option_is_refused_unsent(
        self, engine: Engine, shell_image: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What no engine would accept is InvalidOption, before anything is sent."""
        monkeypatch.setattr(engine, "backend", _Untouchable(engine.backend))
        with pytest.raises(InvalidOption) as caught:
            engine.start(shell_image, ["true"], **options)
        assert caught.value.name in str(caught.value)
        assert caught.value.expected

    @pytest.mark.parametrize(
        "options",
        [{"input": 5}, {"timeout": -1}, {"timeout": "x"}, {"on_output": 5}, {"check": "yes"}, {"keep": True}],
        ids=str,
    )  # fmt: skip
    def test_bad_run_option(
        self, engine: Engine, shell_image: str, options: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The options of run() alone are checked as well."""
        monkeypatch.setattr(engine, "backend", _Untouchable(engine.backend))
        with pytest.raises(InvalidOption):
            engine.run(shell_image, ["true"], **options)

    @pytest.mark.parametrize("ref", ["", "UPPER", "a b", "a:b:c", "-x", "a\0", "x@sha256:12"])
    def test_bad_reference(self, engine: Engine, ref: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name that breaks the grammar is InvalidReference, before anything is sent."""
        monkeypatch.setattr(engine, "backend", _Untouchable(engine.backend))
        for call in (engine.run, engine.images.get, engine.images.pull):
            with pytest.raises(InvalidReference):
                call(ref)

    # ---------------------------------------------------------------- exec
    @needs(Capability.PROCESSES)
    def test_exec_keeps_streams_apart(self, box: Container) -> None:
        """exec gives stdout, stderr and exit code together."""
        result = box.exec(["sh", "-c", "echo out; echo err >&2; exit 5"])
        assert (result.exit_code, result.stdout, result.stderr) == (5, "out\n", "err\n")

    @needs(Capability.PROCESSES)
    def test_exec_random_round_trip(self, box: Container) -> None:
        """1 MiB of random bytes goes in and comes back, with a word on stderr and an exit code."""
        data = random.Random(1).randbytes(1 << 20)
        result = box.exec(["sh", "-c", "cat; echo done >&2; exit 4"], input=data, timeout=60)
        assert (result.exit_code, result.stderr) == (4, "done\n")
        assert result.stdout_bytes == data

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(
        ("options", "line", "expected"),
        [
            ({"env": {"A": "x y"}}, "echo $A", "x y"),
            ({"env": ["A=1"]}, "echo $A", "1"),
            ({"user": 1234}, "id -u", "1234"),
            ({"user": "1234:5"}, "id -g", "5"),
            ({"workdir": "/tmp"}, "pwd", "/tmp"),
            ({"tty": True}, "test -t 1 && echo yes", "yes"),
            ({"input": "in"}, "cat", "in"),
            ({"input": ""}, "cat; echo end", "end"),
            ({}, "cat; echo end", "end"),
        ],
        ids=["env", "env-list", "user", "group", "workdir", "tty", "input", "input-empty", "no-input"],
    )
    def test_exec_options(self, box: Container, options: dict[str, Any], line: str, expected: str) -> None:
        """exec takes env, user, workdir, tty and input as run does."""
        assert box.exec(["sh", "-c", line], timeout=30, **options).stdout.strip() == expected

    @needs(Capability.PROCESSES)
    def test_exec_check(self, box: Container) -> None:
        """check=True raises CommandFailed."""
        with pytest.raises(CommandFailed) as caught:
            box.exec(["sh", "-c", "echo no >&2; exit 6"], check=True)
        assert (caught.value.exit_code, caught.value.stderr) == (6, "no\n")

    @needs(Capability.PROCESSES)
    def test_exec_on_output(self, box: Container) -> None:
        """on_output= sees every piece."""
        seen: list[bytes] = []
        box.exec(["sh", "-c", "echo 1; sleep 0.3; echo 2"], on_output=lambda piece: seen.append(piece.data))
        assert b"".join(seen) == b"1\n2\n"

    @needs(Capability.PROCESSES)
    def test_exec_timeout_ends_the_command(self, box: Container) -> None:
        """At a timeout the command is ended, with what it started, and what it wrote is kept."""
        with pytest.raises(EngineTimeout) as caught:
            box.exec(["sh", "-c", "echo a; sleep 4321; true"], timeout=1)
        assert caught.value.stdout == b"a\n"
        assert "4321" not in _sh(
            box, "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null; echo; done | grep -v grep; true"
        )

    @pytest.mark.parametrize(
        "options", [{}, {"workdir": "/none"}, {"user": "nobody-here"}], ids=["program", "workdir", "user"]
    )
    def test_exec_cannot_start(self, box: Container, options: dict[str, Any]) -> None:
        """A program, folder or user that is not there is StartFailed."""
        with pytest.raises(StartFailed):
            box.exec(["/no/such/program"] if not options else ["true"], **options)

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("code", [126, 127])
    def test_exec_exit_code_of_a_shell(self, box: Container, code: int) -> None:
        """126 and 127 from a program that did start are exit codes."""
        assert box.exec(["sh", "-c", f"exit {code}"]).exit_code == code

    @pytest.mark.parametrize("command", ["", [], [""], ["a\0"], 5, None], ids=repr)
    def test_exec_bad_command(self, box: Container, command: Any) -> None:
        """A command that is none is InvalidOption."""
        with pytest.raises(InvalidOption):
            box.exec(command)

    # ---------------------------------------------------------------- life
    def test_create_does_not_start(self, engine: Engine, shell_image: str) -> None:
        """A container that is created is "created"; started, it is "running"."""
        with engine.containers.create(shell_image, SLEEP) as container:
            assert container.status == "created"
            assert container.exit_code is None
            assert container.start().status == "running"

    def test_start_twice_is_no_error(self, box: Container) -> None:
        """Starting what runs changes nothing."""
        box.start()
        assert box.status == "running"

    def test_with_removes(self, engine: Engine, shell_image: str) -> None:
        """`with` removes the container."""
        with engine.start(shell_image, SLEEP) as container:
            pass
        with pytest.raises(ContainerNotFound):
            container.refresh()

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("timeout", [None, 8, 8.4])
    def test_stop_is_graceful(self, engine: Engine, shell_image: str, timeout: float | None) -> None:
        """stop() runs the container's TERM handler, by default too."""
        with engine.start(shell_image, POLITE) as container:
            container.wait_until(wait.log_line("ready"), timeout=20)
            container.stop(timeout=timeout)
            assert (container.status, container.exit_code) == ("exited", 7)
            assert "bye" in container.logs().stdout

    @needs(Capability.PROCESSES)
    def test_stop_kills_at_its_timeout(self, engine: Engine, shell_image: str) -> None:
        """What does not listen is killed after the timeout."""
        with engine.start(shell_image, STUBBORN) as container:
            container.wait_until(wait.log_line("ready"), timeout=20)
            began = time.monotonic()
            container.stop(timeout=1)
            assert 0.8 < time.monotonic() - began < 6
            assert container.exit_code == 137

    def test_stop_twice_is_no_error(self, box: Container) -> None:
        """Stopping what does not run changes nothing."""
        box.stop(timeout=0)
        box.stop(timeout=0)
        assert box.status == "exited"

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(("signal", "code"), [("SIGKILL", 137), ("KILL", 137), (9, 137), ("SIGUSR1", 11)])
    def test_kill(self, engine: Engine, shell_image: str, signal: Any, code: int) -> None:
        """kill() sends that signal, by any of its names."""
        line = "trap 'exit 11' USR1; echo ready; while :; do sleep 0.1; done"
        with engine.start(shell_image, ["sh", "-c", line]) as container:
            container.wait_until(wait.log_line("ready"), timeout=20)
            container.kill(signal)
            assert container.wait(timeout=20) == code

    def test_restart(self, engine: Engine, shell_image: str) -> None:
        """restart() gives a new first process."""
        with engine.start(shell_image, SLEEP) as container:
            before = container.record.pid
            container.restart(timeout=0)
            assert container.status == "running"
            assert container.record.pid != before

    def test_pause_as_declared(self, engine: Engine, box: Container) -> None:
        """An engine that can pause does, and one that cannot is known to, both ways."""
        if Capability.PAUSE in engine.capabilities:
            box.pause()
            assert box.refresh().status == "paused"
            box.unpause()
            assert box.refresh().status == "running"
            return
        for verb in (box.pause, box.unpause):
            with pytest.raises(Unsupported) as caught:
                verb()
            assert caught.value.capability == "pause"
        with pytest.raises(ContainerKitError):
            engine.backend.pause_container(box.id)

    def test_rename(self, engine: Engine, box: Container) -> None:
        """rename() gives a new name, by which it is found."""
        name = _name("new")
        box.rename(name)
        assert box.name == name
        assert engine.containers.get(name) == box

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("command", [SLEEP, STUBBORN], ids=["sleeping", "stubborn"])
    def test_forced_removal_is_quick(self, engine: Engine, shell_image: str, command: list[str]) -> None:
        """remove(force=True) of what runs takes under a second."""
        with engine.start(shell_image, command) as container:
            began = time.monotonic()
            container.remove(force=True)
            assert time.monotonic() - began < 1.0

    def test_remove_missing_ok(self, box: Container) -> None:
        """remove() of what is gone is an error unless it is said to be none."""
        box.remove(force=True)
        with pytest.raises(ContainerNotFound):
            box.remove()
        box.remove(missing_ok=True)

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("code", [0, 3])
    def test_wait_gives_the_code(self, engine: Engine, shell_image: str, code: int) -> None:
        """wait() gives the exit code, again and again."""
        with engine.start(shell_image, ["sh", "-c", f"sleep 0.3; exit {code}"]) as container:
            assert container.wait(timeout=30) == code
            assert container.wait() == code
            assert container.exit_code == code

    def test_wait_timeout_leaves_it_running(self, box: Container) -> None:
        """wait(timeout=) raises, and the container goes on."""
        with pytest.raises(EngineTimeout):
            box.wait(timeout=0.5)
        assert box.refresh().status == "running"

    @pytest.mark.parametrize("how", ["id", "short", "name"])
    def test_get(self, engine: Engine, box: Container, how: str) -> None:
        """A container is found by ID, the start of it, and name."""
        ref = {"id": box.id, "short": box.short_id, "name": box.name}[how]
        assert engine.containers.get(ref) == box
        assert engine.containers.exists(ref)

    @pytest.mark.parametrize("ref", ["", " ", "a\0", None, "a/b"], ids=repr)
    def test_get_bad_ref(self, engine: Engine, ref: Any) -> None:
        """What cannot be a name is InvalidOption."""
        with pytest.raises(InvalidOption):
            engine.containers.get(ref)

    @pytest.mark.parametrize("how", ["label", "label-mapping", "name", "status", "id"])
    def test_list_filters(self, engine: Engine, shell_image: str, how: str) -> None:
        """A filter finds the one and not the other."""
        mark = _name()
        with (
            engine.start(shell_image, SLEEP, labels={"mark": mark}, name=mark) as wanted,
            engine.containers.create(shell_image, SLEEP, labels={"mark": f"{mark}x"}) as other,
        ):
            filters: dict[str, Any] = {
                "label": {"label": [f"mark={mark}"]},
                "label-mapping": {"label": {"mark": mark}},
                "name": {"name": mark},
                "status": {"status": "running"},
                "id": {"id": wanted.id},
            }
            found = engine.containers.list(all=True, filters=filters[how])
            assert wanted in found
            assert other not in found

    def test_list_shows_what_runs(self, engine: Engine, shell_image: str, box: Container) -> None:
        """list() has what runs, list(all=True) the rest too."""
        with engine.containers.create(shell_image, SLEEP) as idle:
            running, everything = engine.containers.list(), engine.containers.list(all=True)
            assert box in running
            assert idle not in running
            assert {box, idle} <= set(everything)
            (entry,) = (item for item in everything if item == idle)
            assert (entry.name, entry.status) == (idle.name, "created")

    def test_container_prune_with_label(self, engine: Engine, shell_image: str) -> None:
        """prune() removes what does not run and matches, and nothing else."""
        mark = _name()
        with (
            engine.start(shell_image, SLEEP, labels={"mark": mark}) as running,
            engine.containers.create(shell_image, SLEEP, labels={"mark": mark}) as idle,
            engine.containers.create(shell_image, SLEEP) as other,
        ):
            assert engine.containers.prune(filters={"label": [f"mark={mark}"]}) == (idle.id,)
            assert running.refresh().status == "running"
            assert other.refresh().status == "created"

    def test_container_tells_of_itself(self, engine: Engine, box: Container, shell_image: str) -> None:
        """Name, image, ID and dict are what they should be."""
        assert len(box.id) == 64
        assert box.image.removeprefix("docker.io/") == shell_image.removeprefix("docker.io/")
        assert box.to_dict()["status"] == "running"
        assert box.inspect()["Id"] == box.id
        assert box.health is None

    def test_status_exited(self, engine: Engine, shell_image: str) -> None:
        """What has ended is "exited", with its exit code."""
        with engine.start(shell_image, ["false"]) as container:
            container.wait(timeout=30)
            assert (container.refresh().status, container.exit_code) == ("exited", 1)

    # ---------------------------------------------------------------- logs
    @needs(Capability.PROCESSES)
    def test_logs_are_complete(self, engine: Engine, shell_image: str) -> None:
        """Logs of both streams are complete and apart."""
        line = "seq 1 3000; seq 3001 6000 >&2"
        with engine.start(shell_image, ["sh", "-c", line]) as container:
            container.wait(timeout=60)
            logs = container.logs()
            assert logs.stdout.split() == [str(number) for number in range(1, 3001)]
            assert logs.stderr.split() == [str(number) for number in range(3001, 6001)]

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(
        ("stream", "out", "err"), [("stdout", "o\n", ""), ("stderr", "", "e\n"), (None, "o\n", "e\n")]
    )
    def test_logs_of_one_stream(self, engine: Engine, shell_image: str, stream: Any, out: str, err: str) -> None:
        """stream= picks one."""
        with engine.start(shell_image, ["sh", "-c", "echo o; echo e >&2"]) as container:
            container.wait(timeout=30)
            logs = container.logs(stream)
            assert (logs.stdout, logs.stderr) == (out, err)

    @pytest.mark.parametrize(
        ("tail", "expected"), [(0, []), (1, ["5"]), (3, ["3", "4", "5"]), (99, ["1", "2", "3", "4", "5"])]
    )
    def test_logs_tail(self, engine: Engine, shell_image: str, tail: int, expected: list[str]) -> None:
        """tail= counts lines, and 0 is none."""
        with engine.start(shell_image, ["seq", "5"]) as container:
            container.wait(timeout=30)
            assert list(container.logs(tail=tail)) == expected

    def test_logs_without_newline(self, engine: Engine, shell_image: str) -> None:
        """A last line without its end is as it was written."""
        with engine.start(shell_image, ["printf", "a\\nb"]) as container:
            container.wait(timeout=30)
            assert container.logs().stdout_bytes == b"a\nb"

    @needs(Capability.PROCESSES)
    def test_logs_long_line(self, engine: Engine, shell_image: str) -> None:
        """A line of 100,000 characters comes back as one."""
        with engine.start(shell_image, ["sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo"]) as container:
            container.wait(timeout=30)
            assert container.logs().stdout_bytes == b"x" * 100000 + b"\n"

    def test_logs_of_nothing(self, box: Container) -> None:
        """What wrote nothing has empty logs."""
        assert str(box.logs()) == ""

    def test_logs_timestamps(self, engine: Engine, shell_image: str) -> None:
        """timestamps=True puts the time before each line."""
        with engine.start(shell_image, ["seq", "2"]) as container:
            container.wait(timeout=30)
            for line, word in zip(container.logs(timestamps=True), ("1", "2"), strict=True):
                moment, _, rest = line.partition(" ")
                assert rest == word
                assert moment.startswith("20")

    @needs(Capability.PROCESSES)
    def test_logs_follow_to_the_end(self, engine: Engine, shell_image: str) -> None:
        """Following ends when the container ends, and has everything."""
        with engine.start(shell_image, ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done"]) as container:
            with container.stream_logs() as stream:
                data = b"".join(output.data for output in stream)
            assert data == b"1\n2\n3\n"

    @needs(Capability.PROCESSES)
    def test_logs_closed_from_another_thread(self, engine: Engine, shell_image: str) -> None:
        """A follower that waits for more can be closed by another thread."""
        with engine.start(shell_image, ["sh", "-c", "echo first; sleep 600"]) as container:
            stream = container.stream_logs()
            seen: list[bytes] = []
            reader = threading.Thread(target=lambda: seen.extend(output.data for output in stream))
            reader.start()
            deadline = time.monotonic() + 20
            while not seen and time.monotonic() < deadline:
                time.sleep(0.05)
            stream.close()
            reader.join(5)
            assert not reader.is_alive()
            assert seen == [b"first\n"]

    @pytest.mark.parametrize("options", [{"tail": -1}, {"tail": "x"}, {"stream": "both"}], ids=str)
    def test_logs_bad_option(self, box: Container, options: Any) -> None:
        """A bad tail or stream is InvalidOption."""
        with pytest.raises(InvalidOption):
            box.logs(**options)

    # ---------------------------------------------------------------- stats and top
    def test_stats_as_declared(self, engine: Engine, box: Container) -> None:
        """Stats are in one schema, or refused, and truly not to be had."""
        if Capability.STATS in engine.capabilities:
            found = box.stats()
            assert found.memory > 0
            assert found.memory_limit >= found.memory
            assert found.pids >= 1
            assert abs(found.time - time.time()) < 60
            return
        with pytest.raises(Unsupported):
            box.stats()
        with (
            contextlib.suppress(ContainerKitError),
            engine.backend.stats_container(box.id, stream=False) as samples,
        ):
            assert next(iter(samples)).pids != 1, "it counts this container's one process: it can, and says it cannot"

    def test_stats_stream_as_declared(self, engine: Engine, box: Container) -> None:
        """A stream of stats gives samples until it is closed, or is refused."""
        if Capability.STATS not in engine.capabilities:
            with pytest.raises(Unsupported):
                box.stream_stats()
            return
        with box.stream_stats() as samples:
            each = iter(samples)
            first, second = next(each), next(each)
        assert second.time > first.time
        assert second.cpu_percent is not None

    def test_top_as_declared(self, engine: Engine, box: Container) -> None:
        """top() lists the processes, or is refused."""
        if Capability.TOP not in engine.capabilities:
            with pytest.raises(Unsupported):
                box.top()
            return
        found = box.top()
        assert "PID" in found.titles
        assert any("sleep" in " ".join(row) for row in found.rows)

    @needs(Capability.PROCESSES)
    def test_update_as_declared(self, engine: Engine, box: Container) -> None:
        """update() changes a limit where that can be, and is refused elsewhere."""
        if Capability.UPDATE not in engine.capabilities:
            with pytest.raises(Unsupported):
                box.update(memory="64m")
            return
        box.update(memory="64m", memory_swap="64m")
        shown = _sh(box, "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true")
        assert str(64 << 20) in shown.split()

    # ---------------------------------------------------------------- limits
    @pytest.mark.parametrize(
        ("option", "value", "capability", "files", "expected"),
        [
            ("memory", "64m", Capability.MEMORY_LIMIT, "memory.max memory/memory.limit_in_bytes", str(64 << 20)),
            ("memory", 64 << 20, Capability.MEMORY_LIMIT, "memory.max memory/memory.limit_in_bytes", str(64 << 20)),
            ("pids_limit", 77, Capability.PIDS_LIMIT, "pids.max pids/pids.max", "77"),
            ("cpus", 0.5, Capability.CPU_LIMIT, "cpu.max cpu/cpu.cfs_quota_us", "50000"),
            ("cpuset_cpus", "0", Capability.CPUSET_LIMIT, "cpuset.cpus cpuset/cpuset.cpus", "0"),
        ],
        ids=["memory", "memory-int", "pids", "cpus", "cpuset"],
    )
    def test_limit_holds_or_is_refused(
        self,
        engine: Engine,
        shell_image: str,
        option: str,
        value: Any,
        capability: Capability,
        files: str,
        expected: str,
    ) -> None:
        """A limit is in the container's cgroup, or LimitNotEnforced, with best-effort a warning."""
        options: Any = {option: value}
        line = f"cd /sys/fs/cgroup; cat {files} 2>/dev/null; true"
        if capability in engine.capabilities:
            result = engine.run(shell_image, ["sh", "-c", line], **options)
            assert expected in result.stdout.split()
            assert result.warnings == ()
            return
        with pytest.raises(LimitNotEnforced) as caught:
            engine.run(shell_image, ["true"], **options)
        assert caught.value.limits == (option,)
        result = engine.run(shell_image, ["true"], limits="best-effort", **options)
        assert option in " ".join(result.warnings)

    @pytest.mark.parametrize(
        ("options", "capability"),
        [
            ({"add_host": {"x": "host-gateway"}}, Capability.HOST_GATEWAY),
            ({"userns": "keep-id"}, Capability.KEEP_ID),
        ],
        ids=["host-gateway", "keep-id"],
    )
    def test_option_by_capability(
        self, engine: Engine, shell_image: str, options: dict[str, Any], capability: Capability
    ) -> None:
        """What the engine declares works, and what it does not is Unsupported."""
        if capability in engine.capabilities:
            assert engine.run(shell_image, ["true"], **options).exit_code == 0
            return
        with pytest.raises(Unsupported) as caught:
            engine.run(shell_image, ["true"], **options)
        assert caught.value.capability == capability.value

    # ---------------------------------------------------------------- files
    def test_copy_file_both_ways(self, box: Container, tmp_path: Path) -> None:
        """A file goes in and comes out as it was."""
        data = random.Random(2).randbytes(200_000)
        (tmp_path / "a").write_bytes(data)
        box.copy_to(tmp_path / "a", "/tmp/b")
        assert box.read_file("/tmp/b") == data
        assert box.copy_from("/tmp/b", tmp_path / "c").read_bytes() == data

    def test_copy_into_folder(self, box: Container, tmp_path: Path) -> None:
        """Into a folder that exists, a file keeps its name."""
        (tmp_path / "a").write_text("x")
        box.copy_to(tmp_path / "a", "/tmp")
        assert box.read_file("/tmp/a") == b"x"

    @needs(Capability.PROCESSES)
    def test_copy_folder_both_ways(self, box: Container, tmp_path: Path) -> None:
        """A folder goes in and comes out with everything in it."""
        source = tmp_path / "src"
        (source / "sub").mkdir(parents=True)
        (source / "sub" / "f").write_text("deep")
        (source / "empty").mkdir()
        (source / "link").symlink_to("sub/f")
        box.copy_to(source, "/tmp/new")
        assert _sh(box, "cat /tmp/new/sub/f; test -d /tmp/new/empty && readlink /tmp/new/link") == "deepsub/f"
        out = box.copy_from("/tmp/new", tmp_path / "back")
        assert (out / "sub" / "f").read_text() == "deep"
        assert (out / "empty").is_dir()
        assert os.readlink(out / "link") == "sub/f"

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("mode", [0o600, 0o755, 0o444])
    def test_copy_keeps_mode(self, box: Container, tmp_path: Path, mode: int) -> None:
        """Permission bits are kept, both ways."""
        (tmp_path / "a").write_text("x")
        (tmp_path / "a").chmod(mode)
        box.copy_to(tmp_path / "a", "/tmp/b")
        assert _sh(box, "stat -c %a /tmp/b") == f"{mode:o}"
        assert stat.S_IMODE(box.copy_from("/tmp/b", tmp_path / "c").stat().st_mode) == mode

    @needs(Capability.PROCESSES)
    def test_copy_sets_owner_and_mode(self, box: Container, tmp_path: Path) -> None:
        """uid, gid and mode are as given."""
        (tmp_path / "a").write_text("x")
        box.copy_to(tmp_path / "a", "/tmp/b", uid=12, gid=34, mode=0o640)
        assert _sh(box, "stat -c '%u %g %a' /tmp/b") == "12 34 640"

    @needs(Capability.PROCESSES)
    def test_write_file(self, box: Container) -> None:
        """write_file makes a file with owner and mode."""
        box.write_file("/tmp/f", "grün\n", mode=0o600, uid=5, gid=6)
        assert _sh(box, "stat -c '%u %g %a' /tmp/f; cat /tmp/f") == "5 6 600\ngrün"

    def test_write_file_replaces(self, box: Container) -> None:
        """write_file replaces what is there."""
        box.write_file("/tmp/f", b"long content")
        box.write_file("/tmp/f", b"")
        assert box.read_file("/tmp/f") == b""

    @pytest.mark.parametrize("what", ["read", "copy-from", "copy-to", "write"])
    def test_missing_path(self, box: Container, tmp_path: Path, what: str) -> None:
        """A path, or folder to copy into, that is not in the container is NotFound."""
        (tmp_path / "a").write_text("x")
        calls: dict[str, Callable[[], object]] = {
            "read": lambda: box.read_file("/none"),
            "copy-from": lambda: box.copy_from("/none", tmp_path / "b"),
            "copy-to": lambda: box.copy_to(tmp_path / "a", "/none/deep/b"),
            "write": lambda: box.write_file("/none/deep/b", "x"),
        }
        with pytest.raises(NotFound):
            calls[what]()

    def test_copy_to_missing_source(self, box: Container, tmp_path: Path) -> None:
        """A source that is not on this machine is FileNotFoundError."""
        with pytest.raises(FileNotFoundError):
            box.copy_to(tmp_path / "none", "/tmp/x")

    @needs(Capability.PROCESSES)
    def test_copy_into_a_stopped_container(self, engine: Engine, shell_image: str) -> None:
        """Copying needs no process."""
        with engine.containers.create(shell_image, ["cat", "/in.txt"]) as container:
            container.write_file("/in.txt", "before\n")
            container.start()
            assert container.wait(timeout=30) == 0
            assert container.logs().stdout == "before\n"
            assert container.read_file("/in.txt") == b"before\n"

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(("kind", "path", "line"), [
        ("added", "/new", "touch /new"),
        ("deleted", "/etc/group", "rm /etc/group"),
        ("modified", "/etc/group", "echo x >>/etc/group"),
    ])  # fmt: skip
    def test_diff(self, box: Container, kind: str, path: str, line: str) -> None:
        """diff() tells what is added, modified and deleted."""
        if path != "/new" and box.exec(["test", "-f", path]).exit_code:
            pytest.skip(f"the image has no {path}")
        _sh(box, line)
        assert (path, kind) in {(change.path, change.kind) for change in box.diff()}

    def test_export(self, box: Container) -> None:
        """export() gives the merged file system as a tar."""
        box.write_file("/tmp/mark", "here")
        with box.export() as stream:
            data = b"".join(stream)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            file = tar.extractfile("tmp/mark")
            assert file is not None
            assert file.read() == b"here"

    def test_commit(self, engine: Engine, box: Container, shell_image: str) -> None:
        """commit() makes an image with one layer more, and the changes asked for."""
        box.write_file("/mark", "here\n")
        with _image(engine) as ref:
            image = box.commit(ref, message="why", author="me", changes=["ENV A=1", 'CMD ["cat", "/mark"]'])
            assert len(image.diff_ids) == len(engine.images.get(shell_image).diff_ids) + 1
            assert engine.images.get(ref) == image
            with engine.containers.create(ref) as made:
                assert made.read_file("/mark") == b"here\n"
            if Capability.PROCESSES in engine.capabilities:
                assert engine.run(ref).stdout == "here\n"
            assert "A=1" in image.config["Env"]

    # ---------------------------------------------------------------- health and waiting
    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("command", ["test -f /tmp/ok", ["test", "-f", "/tmp/ok"]], ids=["line", "list"])
    def test_health(self, engine: Engine, shell_image: str, command: Any) -> None:
        """A health check makes the container healthy, where no timer runs it too."""
        line = "sleep 1; touch /tmp/ok; sleep 600"
        options: Any = {"health_cmd": command, "health_interval": 1, "health_retries": 20}
        with engine.start(shell_image, ["sh", "-c", line], **options) as container:
            container.wait_until(wait.healthy(), timeout=30)
            assert container.health == "healthy"

    def test_health_never(self, engine: Engine, shell_image: str) -> None:
        """What is not healthy in time is EngineTimeout, with what was last seen."""
        options: Any = {"health_cmd": "false", "health_interval": 1, "health_retries": 1}
        with (
            engine.start(shell_image, SLEEP, **options) as container,
            pytest.raises(EngineTimeout, match="health is"),
        ):
            container.wait_until(wait.healthy(), timeout=4)

    def test_healthy_without_a_check(self, box: Container) -> None:
        """Waiting for the health of what has no check is InvalidOption."""
        with pytest.raises(InvalidOption):
            box.wait_until(wait.healthy())

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(
        "strategy",
        [
            wait.log_line("ready"),
            wait.log_line("l[0-9]", times=2),
            wait.command(["test", "-f", "/tmp/ok"]),
            wait.port_open(8080),
            wait.all_of(wait.log_line("ready"), wait.command("test -f /tmp/ok")),
            wait.any_of(wait.log_line("never"), wait.command("test -f /tmp/ok")),
        ],
        ids=["log", "log-times", "command", "port", "all", "any"],
    )
    def test_wait_strategies(self, engine: Engine, shell_image: str, strategy: wait.Strategy) -> None:
        """Each strategy says yes when it is so."""
        line = "sleep 0.3; echo l1; touch /tmp/ok; echo l2; echo ready; exec httpd -f -p 8080 -h /tmp"
        with engine.start(shell_image, ["sh", "-c", line]) as container:
            assert container.wait_until(strategy, timeout=20) is container

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(
        "strategy", [wait.exited(), wait.exited(3), wait.log_line("over")], ids=["any", "code", "log"]
    )
    def test_wait_for_the_end(self, engine: Engine, shell_image: str, strategy: wait.Strategy) -> None:
        """The end, and the log of what has ended, can be waited for."""
        with engine.start(shell_image, ["sh", "-c", "sleep 0.2; echo over; exit 3"]) as container:
            container.wait_until(strategy, timeout=20)

    @needs(Capability.PROCESSES)
    def test_wait_until_it_died(self, engine: Engine, shell_image: str) -> None:
        """What ends while it is waited for is WrongState, with the end of its log."""
        with (
            engine.start(shell_image, ["sh", "-c", "echo broken; exit 1"]) as container,
            pytest.raises(WrongState, match="broken"),
        ):
            container.wait_until(wait.command("test -f /none"), timeout=20)

    def test_wait_until_timeout(self, box: Container) -> None:
        """What does not come is EngineTimeout."""
        with pytest.raises(EngineTimeout):
            box.wait_until(wait.command("false"), timeout=1)

    # ---------------------------------------------------------------- events
    def test_events_of_the_past(self, engine: Engine, shell_image: str) -> None:
        """What happened between since and until is told, in Docker's words."""
        mark = _name()
        began = time.time()
        engine.run(shell_image, ["false"], name=mark)
        time.sleep(0.2)
        with engine.events(since=began - 1, until=time.time(), filters={"type": "container"}) as stream:
            mine = [event for event in stream if event.name == mark]
        actions = [event.action for event in mine]
        assert [word for word in actions if word in ("create", "start", "die", "destroy")] == [
            "create",
            "start",
            "die",
            "destroy",
        ]
        assert [event.exit_code for event in mine if event.action == "die"] == [1]

    def test_events_closed_from_another_thread(self, engine: Engine) -> None:
        """An endless stream of events ends when another thread closes it."""
        stream = engine.events(filters={"label": [f"none={_name()}"]})
        reader = threading.Thread(target=lambda: list(stream))
        reader.start()
        time.sleep(0.3)
        stream.close()
        reader.join(5)
        assert not reader.is_alive()

    # ---------------------------------------------------------------- errors: the status map
    @pytest.mark.parametrize(
        "verb",
        ["refresh", "start", "stop", "kill", "restart", "wait", "rename", "logs", "exec", "diff", "export", "commit",
         "read_file", "remove"],
    )  # fmt: skip
    def test_missing_container(self, engine: Engine, shell_image: str, verb: str) -> None:
        """Every verb of a container that is gone is ContainerNotFound."""
        container = engine.containers.create(shell_image)
        container.record  # noqa: B018  known, so that nothing has to be asked first
        container.remove()
        calls: dict[str, Callable[[], object]] = {
            "rename": lambda: container.rename(_name()),
            "exec": lambda: container.exec(["true"]),
            "read_file": lambda: container.read_file("/etc/passwd"),
            "export": lambda: list(container.export()),
        }
        with pytest.raises(ContainerNotFound):
            calls.get(verb, getattr(container, verb))()

    @pytest.mark.parametrize(
        "what", ["container", "image", "volume", "network", "image-create", "image-remove", "tag", "network-create"]
    )
    def test_missing_things(self, engine: Engine, shell_image: str, what: str) -> None:
        """What is not there is the NotFound of its kind."""
        none = _name("none")
        calls: dict[str, tuple[type[NotFound], Callable[[], object]]] = {
            "container": (ContainerNotFound, lambda: engine.containers.get(none)),
            "image": (ImageNotFound, lambda: engine.images.get(none)),
            "volume": (VolumeNotFound, lambda: engine.volumes.get(none)),
            "network": (NetworkNotFound, lambda: engine.networks.get(none)),
            "image-create": (ImageNotFound, lambda: engine.containers.create(none)),
            "image-remove": (ImageNotFound, lambda: engine.images.remove(none)),
            "tag": (ImageNotFound, lambda: engine.backend.tag_image(none, f"{none}:2")),
            "network-create": (NetworkNotFound, lambda: engine.start(shell_image, SLEEP, network=none)),
        }
        error, call = calls[what]
        with pytest.raises(error):
            call()

    @pytest.mark.parametrize("what", ["volume", "network"])
    def test_remove_missing(self, engine: Engine, what: str) -> None:
        """Removing what is not there is the NotFound of its kind."""
        with pytest.raises(VolumeNotFound if what == "volume" else NetworkNotFound):
            (engine.volumes if what == "volume" else engine.networks).remove(_name("none"))

    @pytest.mark.parametrize("what", ["create", "start", "rename"])
    def test_container_name_in_use(self, engine: Engine, shell_image: str, box: Container, what: str) -> None:
        """A container's name that is taken is NameInUse."""
        with engine.containers.create(shell_image) as other:
            calls: dict[str, Callable[[], object]] = {
                "rename": lambda: other.rename(box.name),
                "start": lambda: engine.start(shell_image, SLEEP, name=box.name),
                "create": lambda: engine.containers.create(shell_image, name=box.name),
            }
            with pytest.raises(NameInUse):
                calls[what]()
        assert box.refresh().status == "running"

    @pytest.mark.parametrize("what", ["kill", "exec", "pause", "top"])
    def test_wrong_state_of_a_stopped_one(self, engine: Engine, shell_image: str, what: str) -> None:
        """What needs a running container is WrongState with one that does not run."""
        capability = {"pause": Capability.PAUSE, "top": Capability.TOP}.get(what)
        error = WrongState if capability is None or capability in engine.capabilities else Unsupported
        with engine.start(shell_image, ["true"]) as container:
            container.wait(timeout=30)
            with pytest.raises(error):
                container.exec(["true"]) if what == "exec" else getattr(container, what)()

    def test_remove_running(self, box: Container) -> None:
        """Removing what runs is WrongState, unless forced."""
        with pytest.raises(WrongState):
            box.remove()
        assert box.refresh().status == "running"

    def test_exec_paused(self, engine: Engine, box: Container) -> None:
        """exec in a paused container is WrongState."""
        if Capability.PAUSE not in engine.capabilities:
            with pytest.raises(Unsupported):
                box.pause()
            return
        box.pause()
        try:
            with pytest.raises(WrongState):
                box.exec(["true"])
        finally:
            box.unpause()

    @pytest.mark.parametrize("command", [["/no/such"], ["no-such"], ["/etc"]], ids=["path", "name", "folder"])
    def test_start_bad_command(self, engine: Engine, shell_image: str, command: list[str]) -> None:
        """What cannot be started is StartFailed, and the container is gone."""
        name = _name()
        with pytest.raises(StartFailed):
            engine.start(shell_image, command, name=name)
        assert not engine.containers.exists(name)

    @pytest.mark.parametrize("by", ["container", "process"])
    def test_host_port_taken(self, engine: Engine, shell_image: str, by: str) -> None:
        """A host port that is taken is one error on every engine, and the container is gone."""
        name, port = _name(), _free_port()
        with contextlib.ExitStack() as stack:
            if by == "container":
                stack.enter_context(engine.start(shell_image, SLEEP, publish={80: port}))
            else:
                _require(engine, Capability.PROCESSES)
                server = stack.enter_context(socket.socket())
                server.bind(("0.0.0.0", port))
                server.listen()
            with pytest.raises(StartFailed):
                engine.start(shell_image, SLEEP, publish={80: port}, name=name)
        assert not engine.containers.exists(name)

    def test_no_vendor_exception_in_a_message(self, engine: Engine) -> None:
        """An error has the vendor's as its cause, and is its own class."""
        with pytest.raises(ContainerNotFound) as caught:
            engine.containers.get(_name("none"))
        assert type(caught.value).__module__ == "containerkit.errors"
        assert caught.value.status == 404

    # ---------------------------------------------------------------- images
    @pytest.mark.parametrize("form", ["bytes", "path", "file", "pieces"])
    def test_load(self, engine: Engine, tmp_path: Path, form: str) -> None:
        """An archive is loaded from bytes, a path, an open file and pieces."""
        with _image(engine) as ref:
            builder = _tiny().tag(ref)
            data = builder.to_docker_archive()
            (tmp_path / "a.tar").write_bytes(data)
            sources: dict[str, Callable[[], Any]] = {
                "bytes": lambda: data,
                "path": lambda: tmp_path / "a.tar",
                "file": lambda: io.BytesIO(data),
                "pieces": lambda: iter([data[:1000], data[1000:]]),
            }
            (image,) = engine.images.load(sources[form]())
            assert image.refs == (ref.removeprefix("docker.io/"),)
            assert image.diff_ids == builder.diff_ids

    @pytest.mark.parametrize("data", [b"", b"not a tar", b"\0" * 10240], ids=["empty", "text", "zeros"])
    def test_load_bad(self, engine: Engine, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is no archive is InvalidImage, before anything is sent."""
        monkeypatch.setattr(engine, "backend", _Untouchable(engine.backend))
        with pytest.raises(InvalidImage):
            engine.images.load(data)

    def test_load_truncated(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """An archive that is cut short is InvalidImage, before anything is sent."""
        data = ImageBuilder().layer(files={"big": 200_000}).tag("containerkit/cut:1").to_docker_archive()
        monkeypatch.setattr(engine, "backend", _Untouchable(engine.backend))
        with pytest.raises(InvalidImage):
            engine.images.load(data[:100_000])

    def test_load_a_folder(self, engine: Engine, tmp_path: Path) -> None:
        """A folder where a file is expected is InvalidOption."""
        with pytest.raises(InvalidOption):
            engine.images.load(tmp_path)

    def test_save_and_load(self, engine: Engine, tmp_path: Path) -> None:
        """What is saved can be loaded again, under its name."""
        with _image(engine) as ref:
            builder = _tiny().tag(ref)
            engine.images.load(builder.to_docker_archive())
            path = engine.images.save(ref, tmp_path / "out.tar")
            engine.images.remove(ref)
            assert not engine.images.exists(ref)
            engine.images.load(path)
            assert engine.images.get(ref).diff_ids == builder.diff_ids

    def test_save_several(self, engine: Engine, tmp_path: Path) -> None:
        """Several images go into one archive."""
        with _image(engine) as one, _image(engine) as two:
            for ref in (one, two):
                engine.images.load(_tiny().tag(ref).to_docker_archive())
            path = engine.images.save([one, two], tmp_path / "out.tar")
            for ref in (one, two):
                engine.images.remove(ref)
            assert len(engine.images.load(path)) == 2
            assert engine.images.exists(one)
            assert engine.images.exists(two)

    def test_save_missing(self, engine: Engine, tmp_path: Path) -> None:
        """Saving what is not there is ImageNotFound, and no file is left."""
        with pytest.raises(ImageNotFound):
            engine.images.save(_name("none"), tmp_path / "out.tar")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("given", "shown"),
        [("{}", "{}:latest"), ("{}:1", "{}:1"), ("docker.io/library/{}:1", "{}:1"), ("docker.io/a/{}:1", "a/{}:1"),
         ("localhost:5000/{}:1", "localhost:5000/{}:1"), ("registry.test/{}", "registry.test/{}:latest")],
    )  # fmt: skip
    def test_tag_and_refs(self, engine: Engine, shell_image: str, given: str, shown: str) -> None:
        """The same short name means the same image on every engine, and shows the same."""
        word = _name("ref")
        with _image(engine, given.format(word)) as ref:
            image = engine.images.get(shell_image)
            image.tag(ref)
            assert shown.format(word) in image.refresh().refs
            assert engine.images.get(shown.format(word)) == image
            assert any(shown.format(word) in entry.refs for entry in engine.images.list())

    def test_remove_one_name_of_two(self, engine: Engine) -> None:
        """Removing a name leaves the image while it has another."""
        with _image(engine) as one, _image(engine) as two:
            engine.images.load(_tiny().tag(one).to_docker_archive())
            engine.images.get(one).tag(two)
            engine.images.remove(one)
            assert not engine.images.exists(one)
            assert engine.images.exists(two)
            engine.images.remove(two)
            assert not engine.images.exists(two)

    def test_remove_image_with_all_names(self, engine: Engine) -> None:
        """Image.remove() removes all of its names."""
        with _image(engine) as one, _image(engine) as two:
            engine.images.load(_tiny().tag(one).to_docker_archive())
            image = engine.images.get(one)
            image.tag(two)
            image.remove()
            assert not engine.images.exists(one)
            assert not engine.images.exists(two)

    @needs(Capability.BUILD)
    @pytest.mark.parametrize("running", [True, False], ids=["running", "created"])
    def test_image_in_use(self, engine: Engine, shell_image: str, running: bool) -> None:
        """An image that a container has is InUse."""
        with _image(engine) as ref:
            built = engine.images.build({"Dockerfile": f"FROM {shell_image}\nLABEL a={_name()}\n"}, tag=ref)
            with engine.containers.create(ref, SLEEP) as container:
                if running:
                    container.start()
                with pytest.raises(InUse):
                    engine.images.remove(ref)
                with pytest.raises(InUse):
                    engine.images.remove(built.id)
                assert engine.images.exists(ref)

    @pytest.mark.parametrize("how", ["id", "short", "name"])
    def test_get_image(self, engine: Engine, shell_image: str, how: str) -> None:
        """An image is found by ID, the start of it, and name."""
        image = engine.images.get(shell_image)
        ref = {"id": image.id, "short": image.short_id, "name": shell_image}[how]
        assert engine.images.get(ref) == image
        assert image.id.startswith("sha256:")
        assert len(image.id) == 71

    @needs(Capability.BUILD)
    def test_image_list_filter(self, engine: Engine, shell_image: str) -> None:
        """A filter by label finds the one image."""
        mark = _name()
        with _image(engine) as ref:
            built = engine.images.build({"Dockerfile": f"FROM {shell_image}\n"}, tag=ref, labels={"mark": mark})
            assert engine.images.list(filters={"label": [f"mark={mark}"]}) == [built]

    @needs(Capability.BUILD)
    def test_image_prune_by_label(self, engine: Engine, shell_image: str) -> None:
        """prune() removes an image without a name that matches, and keeps one with a name."""
        mark = _name()
        with _image(engine) as ref:
            kept = engine.images.build({"Dockerfile": f"FROM {shell_image}\n"}, tag=ref, labels={"mark": mark})
            loose = engine.images.build({"Dockerfile": f"FROM {shell_image}\nENV A=1\n"}, labels={"mark": mark})
            engine.images.prune(filters={"label": [f"mark={mark}"]})
            assert not engine.images.exists(loose.id)
            assert engine.images.exists(kept.id)

    @needs(Capability.BUILD)
    def test_image_history(self, engine: Engine, shell_image: str) -> None:
        """history() is oldest first, and has the instructions."""
        with _image(engine) as ref:
            built = engine.images.build({"Dockerfile": f"FROM {shell_image}\nENV ONE=1\nENV TWO=2\n"}, tag=ref)
            words = [entry.created_by for entry in built.history()]
            assert "ONE=1" in words[-2]
            assert "TWO=2" in words[-1]

    @needs(Capability.REGISTRY)
    def test_pull_failure_has_a_reason(self, engine: Engine) -> None:
        """A failed pull is PullFailed with the reason."""
        with pytest.raises(PullFailed) as caught:
            engine.images.pull("127.0.0.1:9/containerkit/none:1")
        assert "refused" in str(caught.value)

    @needs(Capability.REGISTRY)
    def test_push_failure_has_a_reason(self, engine: Engine, shell_image: str) -> None:
        """A failed push is PushFailed with the reason."""
        with _image(engine, f"127.0.0.1:9/containerkit/{_name()}:1") as ref:
            engine.images.get(shell_image).tag(ref)
            with pytest.raises(PushFailed) as caught:
                engine.images.push(ref)
            assert "refused" in str(caught.value)

    @needs(Capability.REGISTRY)
    def test_push_missing(self, engine: Engine) -> None:
        """Pushing what is not there is ImageNotFound."""
        with pytest.raises(ImageNotFound):
            engine.images.push(f"127.0.0.1:9/containerkit/{_name()}:1")

    # ---------------------------------------------------------------- build
    @needs(Capability.BUILD)
    @pytest.mark.parametrize(
        ("context", "options", "line", "expected"),
        [
            ({"Dockerfile": "FROM {}\nCOPY a.txt /a\n", "a.txt": "A"}, {}, "cat /a", "A"),
            ({"Containerfile": "FROM {}\nCOPY d /d\n", "d/e": b"E"}, {}, "cat /d/e", "E"),
            ({"x/My.file": "FROM {}\nENV A=1\n"}, {"dockerfile": "x/My.file"}, "echo $A", "1"),
            ({"x/My.file": "FROM {}\nENV A=1\n"}, {"file": "x/My.file"}, "echo $A", "1"),
            ({"Dockerfile": "FROM {}\nARG V=0\nENV W=$V\n"}, {"build_args": {"V": 7}}, "echo $W", "7"),
            ({"Dockerfile": "FROM {}\nARG V=0\nENV W=$V\n"}, {"build_arg": ["V=x y"]}, "echo $W", "x y"),
            ({"Dockerfile": "FROM {}\nARG V=0\nENV W=$V\n"}, {}, "echo $W", "0"),
            ({"Dockerfile": "FROM {0} AS one\nENV A=1\nFROM {0} AS two\nENV A=2\n"}, {"target": "one"}, "echo $A", "1"),
            ({"Dockerfile": "FROM {0} AS one\nENV A=1\nFROM {0} AS two\nENV A=2\n"}, {}, "echo $A", "2"),
            ({"Dockerfile": "FROM {}\nRUN echo made >/made\n"}, {}, "cat /made", "made"),
            ({"Dockerfile": "FROM {0} AS one\nRUN echo 1 >/o\nFROM {0}\nCOPY --from=one /o /p\n"}, {}, "cat /p", "1"),
            ({"Dockerfile": "FROM {}\nRUN echo 1 >/o\n"}, {"no_cache": True}, "ls /o", "/o"),
            ({"Dockerfile": "FROM {}\nWORKDIR /w\nUSER 12\n"}, {}, "pwd; id -u", "/w\n12"),
        ],
        ids=["copy", "containerfile", "dockerfile", "file", "build-args", "build-arg-list", "build-arg-default",
             "target", "last-stage", "run", "copy-from-stage", "no-cache", "config"],
    )  # fmt: skip
    def test_build(
        self, engine: Engine, shell_image: str, context: dict[str, Any], options: Any, line: str, expected: str
    ) -> None:
        """A build does what its instructions and options say."""
        files = {path: text.format(shell_image) if "FROM" in str(text) else text for path, text in context.items()}
        with _image(engine) as ref:
            engine.images.build(files, tag=ref, **options)
            assert engine.run(ref, ["sh", "-c", line]).stdout.strip() == expected

    @needs(Capability.BUILD)
    @pytest.mark.parametrize("form", ["folder", "mapping"])
    def test_build_dockerignore(self, engine: Engine, shell_image: str, tmp_path: Path, form: str) -> None:
        """.dockerignore leaves out, and "!" brings back."""
        files = {
            "Dockerfile": f"FROM {shell_image}\nCOPY . /ctx\n",
            ".dockerignore": "# comment\n*.log\n!keep.log\ndeep/**\n!deep/in/this\n",
            "a.log": "1",
            "keep.log": "2",
            "b.txt": "3",
            "deep/no": "4",
            "deep/in/this": "5",
        }
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        with _image(engine) as ref:
            engine.images.build(tmp_path if form == "folder" else files, tag=ref)
            line = "cd /ctx; find . -type f | grep -v -i docker | sort"
            found = engine.run(ref, ["sh", "-c", line]).stdout.split()
        assert found == ["./b.txt", "./deep/in/this", "./keep.log"]

    @needs(Capability.BUILD)
    def test_build_labels(self, engine: Engine, shell_image: str) -> None:
        """labels= are on the image."""
        with _image(engine) as ref:
            built = engine.images.build({"Dockerfile": f"FROM {shell_image}\n"}, tag=ref, labels={"a": "1", "b": "x=y"})
            assert (built.labels["a"], built.labels["b"]) == ("1", "x=y")

    @needs(Capability.BUILD)
    def test_build_several_tags(self, engine: Engine, shell_image: str) -> None:
        """tag= takes several names."""
        with _image(engine) as one, _image(engine) as two:
            built = engine.images.build({"Dockerfile": f"FROM {shell_image}\nENV A={_name()}\n"}, tag=[one, two])
            assert set(built.refs) == {one.removeprefix("docker.io/"), two.removeprefix("docker.io/")}

    @needs(Capability.BUILD)
    def test_build_progress(self, engine: Engine, shell_image: str) -> None:
        """on_progress= is given the builder's words."""
        words: list[str] = []
        mark = _name()
        with _image(engine) as ref:
            engine.images.build(
                {"Dockerfile": f"FROM {shell_image}\nRUN echo {mark}\n"},
                tag=ref,
                no_cache=True,
                on_progress=lambda progress: words.append(progress.stream),
            )
        assert mark in "".join(words)

    @needs(Capability.BUILD)
    def test_build_failure(self, engine: Engine, shell_image: str) -> None:
        """A failed build is BuildFailed with the log and the step that failed."""
        mark = _name()
        text = f"FROM {shell_image}\nENV A=1\nRUN echo {mark}; exit 9\nENV B=2\n"
        with _image(engine) as ref:
            with pytest.raises(BuildFailed) as caught:
                engine.images.build({"Dockerfile": text}, tag=ref, no_cache=True)
            assert not engine.images.exists(ref)
        assert mark in caught.value.log
        assert caught.value.step is not None
        assert "exit 9" in caught.value.step

    @needs(Capability.BUILD)
    @pytest.mark.parametrize(
        "text",
        ["FRUM x\n", "", "FROM {}\nCOPY none /x\n", "FROM 127.0.0.1:9/none:1\n", "FROM {}\nRUN no-such-thing\n"],
        ids=["syntax", "empty", "copy-missing", "base-missing", "run"],
    )  # fmt: skip
    def test_build_failures(self, engine: Engine, shell_image: str, text: str) -> None:
        """Whatever stops a build is BuildFailed."""
        with pytest.raises(BuildFailed):
            engine.images.build({"Dockerfile": text.format(shell_image)}, no_cache=True)

    @needs(Capability.BUILD)
    @pytest.mark.parametrize("good", [True, False], ids=["good", "failed"])
    def test_build_leaves_no_container(self, engine: Engine, shell_image: str, good: bool) -> None:
        """No intermediate container is left, also of a failed build."""
        mark = _name()
        text = f"FROM {shell_image}\nRUN echo {mark} one\nRUN echo {mark} two; {'true' if good else 'false'}\n"
        with _image(engine) as ref:
            with contextlib.nullcontext() if good else pytest.raises(BuildFailed):
                engine.images.build({"Dockerfile": text}, tag=ref, no_cache=True)
            left = [item for item in engine.containers.list(all=True) if mark in " ".join(item._known().command)]
            assert left == []

    @pytest.mark.parametrize(
        ("context", "options"),
        [
            (5, {}), ({}, {}), ("/no/such/folder", {}), ({"Dockerfile": 5}, {}), ({"../x": "1", "Dockerfile": "x"}, {}),
            ({"Dockerfile": "FROM x"}, {"dockerfile": "none"}), ({"Dockerfile": "FROM x"}, {"tag": "BAD"}),
            ({"Dockerfile": "FROM x"}, {"colour": 1}), ({"Dockerfile": "FROM x"}, {"platform": "?"}),
            ({"Dockerfile": "FROM x"}, {"build_args": 5}),
        ],
        ids=["type", "empty", "missing", "content", "escape", "dockerfile", "tag", "unknown", "platform", "build-args"],
    )  # fmt: skip
    def test_build_bad_input(self, engine: Engine, context: Any, options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A context or option that cannot be is InvalidOption, before anything is sent."""
        monkeypatch.setattr(engine, "backend", _Untouchable(engine.backend))
        with pytest.raises(InvalidOption):
            engine.images.build(context, **options)

    @needs(Capability.BUILD)
    def test_build_mounts_as_declared(self, engine: Engine, shell_image: str) -> None:
        """RUN --mount works where it is declared, and fails where it is not."""
        text = f"FROM {shell_image}\nRUN --mount=type=tmpfs,target=/t touch /t/x\n"
        with _image(engine) as ref:
            if Capability.BUILD_MOUNTS in engine.capabilities:
                engine.images.build({"Dockerfile": text}, tag=ref)
                return
            with pytest.raises((BuildFailed, Unsupported)):
                engine.images.build({"Dockerfile": text}, tag=ref)

    # ---------------------------------------------------------------- volumes
    @needs(Capability.PROCESSES)
    def test_volume_keeps_data(self, engine: Engine, shell_image: str, volume: str) -> None:
        """What one container writes another reads."""
        engine.run(shell_image, ["sh", "-c", "echo data >/v/f"], volumes={volume: "/v"}, check=True)
        assert engine.run(shell_image, ["cat", "/v/f"], volumes={volume: "/v"}).stdout == "data\n"

    def test_volume_tells_of_itself(self, engine: Engine) -> None:
        """Name, driver, labels and place are known."""
        with engine.volumes.create(_name("vol"), labels={"a": "1"}) as made:
            found = engine.volumes.get(made.name)
            assert found == made
            assert found.driver == "local"
            assert found.labels["a"] == "1"
            assert found.mountpoint.startswith("/")
            assert abs(found.created - time.time()) < 60

    def test_volume_without_name(self, engine: Engine) -> None:
        """A volume without a name gets one."""
        with engine.volumes.create() as made:
            assert len(made.name) > 8
            assert engine.volumes.exists(made.name)

    def test_volume_name_in_use(self, engine: Engine, volume: str) -> None:
        """A name that is taken is NameInUse, on every engine."""
        with pytest.raises(NameInUse):
            engine.volumes.create(volume)
        assert engine.volumes.exists(volume)

    @pytest.mark.parametrize("running", [True, False], ids=["running", "created"])
    def test_volume_in_use(self, engine: Engine, shell_image: str, volume: str, running: bool) -> None:
        """A volume that a container has is InUse."""
        with engine.containers.create(shell_image, SLEEP, volumes={volume: "/v"}) as container:
            if running:
                container.start()
            with pytest.raises(InUse):
                engine.volumes.remove(volume)
        assert engine.volumes.exists(volume)

    @pytest.mark.parametrize("how", ["label", "name"])
    def test_volume_list_filter(self, engine: Engine, volume: str, how: str) -> None:
        """A filter finds the one and not the other."""
        mark = _name()
        with engine.volumes.create(mark, labels={"mark": mark}) as made:
            filters: Mapping[str, Any] = {"label": [f"mark={mark}"]} if how == "label" else {"name": mark}
            assert engine.volumes.list(filters=filters) == [made]
            assert {volume, mark} <= {item.name for item in engine.volumes.list()}

    def test_volume_prune(self, engine: Engine, shell_image: str) -> None:
        """prune() removes what is unused and matches, named or not."""
        mark = _name()
        filters = {"label": [f"mark={mark}"]}
        with (
            engine.volumes.create(_name("vol"), labels={"mark": mark}) as unused,
            engine.volumes.create(_name("vol"), labels={"mark": mark}) as used,
            engine.containers.create(shell_image, volumes={used.name: "/v"}),
        ):
            assert engine.volumes.prune(filters=filters) == (unused.name,)
            assert engine.volumes.exists(used.name)

    @pytest.mark.parametrize(
        ("name", "options"),
        [("", {}), ("a/b", {}), ("a\0b", {}), (5, {}), ("ok-name", {"labels": 5}), ("ok-name", {"size": 1})], ids=repr,
    )  # fmt: skip
    def test_volume_bad_input(self, engine: Engine, name: Any, options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A bad name or option is InvalidOption, before anything is sent."""
        monkeypatch.setattr(engine, "backend", _Untouchable(engine.backend))
        with pytest.raises(InvalidOption):
            engine.volumes.create(name, **options)

    # ---------------------------------------------------------------- networks
    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("how", ["name", "alias", "second-alias", "address"])
    def test_containers_find_each_other(self, engine: Engine, shell_image: str, how: str) -> None:
        """On a user network a container is reached by name, alias and its static address."""
        number = random.randrange(1, 250)
        subnet = f"10.{random.randrange(100, 250)}.{number}.0/24"
        address = subnet.replace(".0/24", ".77")
        name = _name("peer")
        target = {"name": name, "alias": "web", "second-alias": "www", "address": address}[how]
        with (
            engine.networks.create(_name("net"), subnet=subnet) as network,
            engine.start(
                shell_image, SERVER, name=name, network={network.name: {"aliases": ["web", "www"], "ip": address}}
            ) as peer,
        ):
            peer.wait_until(wait.port_open(8080), timeout=20)
            assert peer.record.networks[network.name].ipv4_address == address
            line = f"{_find(target, address)} && {_fetch(address)}"
            result = engine.run(shell_image, ["sh", "-c", line], network=network.name, timeout=60)
            assert result.stdout == "hello\n", result

    @needs(Capability.PROCESSES)
    def test_network_alias_option(self, engine: Engine, shell_image: str, net: Any) -> None:
        """network_alias= is the short form for one network."""
        with engine.start(shell_image, SERVER, network=net.name, network_alias="short") as peer:
            peer.wait_until(wait.port_open(8080), timeout=20)
            line = _find("short", peer.record.networks[net.name].ipv4_address)
            assert engine.run(shell_image, ["sh", "-c", line], network=net.name, timeout=60).exit_code == 0

    def test_network_tells_of_itself(self, engine: Engine) -> None:
        """Subnet, gateway, labels and driver are as asked."""
        subnet = f"10.{random.randrange(100, 250)}.{random.randrange(250)}.0/24"
        gateway = subnet.replace(".0/24", ".9")
        with engine.networks.create(_name("net"), subnet=subnet, gateway=gateway, labels={"a": "1"}) as made:
            found = engine.networks.get(made.name)
            assert (found.subnet, found.gateway, found.driver) == (subnet, gateway, "bridge")
            assert found.labels["a"] == "1"
            assert not found.internal
            assert engine.networks.get(made.id) == made

    def test_network_internal(self, engine: Engine) -> None:
        """internal=True is told."""
        with engine.networks.create(_name("net"), internal=True) as made:
            assert engine.networks.get(made.name).internal

    def test_network_name_in_use(self, engine: Engine, net: Any) -> None:
        """A name that is taken is NameInUse, on every engine."""
        with pytest.raises(NameInUse):
            engine.networks.create(net.name)

    @pytest.mark.parametrize("running", [True, False], ids=["running", "created"])
    def test_network_in_use(self, engine: Engine, shell_image: str, net: Any, running: bool) -> None:
        """A network that a container is on is InUse, on every engine."""
        with engine.containers.create(shell_image, SLEEP, network=net.name) as container:
            if running:
                container.start()
                with pytest.raises(InUse):
                    net.remove()
                assert engine.networks.exists(net.name)

    def test_network_connect_and_disconnect(self, engine: Engine, shell_image: str, net: Any) -> None:
        """A running container is put on a second network, with an alias, and taken off again."""
        with (
            engine.networks.create(_name("net")) as second,
            engine.start(shell_image, SERVER, network=net.name) as peer,
        ):
            second.connect(peer, aliases=["there"])
            assert second.name in peer.refresh().record.networks
            line = ["sh", "-c", _find("there", peer.record.networks[second.name].ipv4_address)]
            if Capability.PROCESSES in engine.capabilities:
                assert engine.run(shell_image, line, network=second.name, timeout=60).exit_code == 0
            second.disconnect(peer)
            assert second.name not in peer.refresh().record.networks

    def test_network_connect_twice(self, engine: Engine, shell_image: str, net: Any) -> None:
        """Connecting what is on it is InUse."""
        with engine.start(shell_image, SLEEP, network=net.name) as peer, pytest.raises(InUse):
            net.connect(peer)

    def test_network_disconnect_stranger(self, engine: Engine, shell_image: str, net: Any) -> None:
        """Disconnecting what is not on it is NotFound."""
        with (
            engine.networks.create(_name("net")) as second,
            engine.start(shell_image, SLEEP, network=second.name) as peer,
            pytest.raises(NotFound),
        ):
            net.disconnect(peer)

    @pytest.mark.parametrize("what", ["container", "network"])
    def test_network_connect_missing(self, engine: Engine, shell_image: str, net: Any, what: str) -> None:
        """Connecting what is not there is the NotFound of its kind."""
        if what == "container":
            with pytest.raises(ContainerNotFound):
                net.connect(_name("none"))
            return
        with engine.networks.create(_name("net")) as gone, engine.start(shell_image, SLEEP, network=net.name) as peer:
            gone.remove()
            with pytest.raises(NetworkNotFound):
                gone.connect(peer)

    def test_several_networks_at_create(self, engine: Engine, shell_image: str, net: Any) -> None:
        """A container is put on several networks when it is made."""
        with (
            engine.networks.create(_name("net")) as second,
            engine.start(shell_image, SLEEP, network=[net.name, second.name]) as peer,
        ):
            assert set(peer.record.networks) == {net.name, second.name}
            if Capability.PROCESSES in engine.capabilities:
                assert len(_sh(peer, "ls /sys/class/net").split()) == 3

    def test_network_lists_its_containers(self, engine: Engine, shell_image: str, net: Any) -> None:
        """The containers on a network are listed with their addresses."""
        with engine.start(shell_image, SLEEP, network=net.name) as peer:
            (found,) = net.containers
            assert (found.id, found.name) == (peer.id, peer.name)
            assert found.ipv4_address == peer.record.networks[net.name].ipv4_address

    @needs(Capability.PROCESSES)
    def test_mac_address_as_declared(self, engine: Engine, shell_image: str, net: Any) -> None:
        """A MAC address is as asked where that is declared."""
        mac = "02:42:0a:00:00:63"
        if Capability.MAC_ADDRESS not in engine.capabilities:
            with pytest.raises(Unsupported):
                engine.run(shell_image, ["true"], network=net.name, mac_address=mac)
            return
        line = "cat /sys/class/net/eth0/address"
        assert engine.run(shell_image, ["sh", "-c", line], network=net.name, mac_address=mac).stdout.strip() == mac

    @needs(Capability.PROCESSES)
    def test_network_of_another_container(self, engine: Engine, shell_image: str) -> None:
        """network="container:…" shares the network of another."""
        with engine.start(shell_image, SERVER) as peer:
            peer.wait_until(wait.port_open(8080), timeout=20)
            line = _fetch("127.0.0.1")
            mode = f"container:{peer.name}"
            assert engine.run(shell_image, ["sh", "-c", line], network=mode).stdout == "hello\n"

    @needs(Capability.PROCESSES)
    def test_network_publish(self, engine: Engine, shell_image: str, net: Any) -> None:
        """A port is published from a user network too."""
        with engine.start(shell_image, SERVER, network=net.name, publish=["127.0.0.1::8080"]) as peer:
            peer.wait_until(wait.http("/index.html", 8080), timeout=20)
            assert _get(f"http://{peer.port(8080)}/index.html") == "hello\n"

    @pytest.mark.parametrize("how", ["label", "name"])
    def test_network_list_filter(self, engine: Engine, net: Any, how: str) -> None:
        """A filter finds the one and not the other."""
        mark = _name()
        with engine.networks.create(mark, labels={"mark": mark}) as made:
            filters: Mapping[str, Any] = {"label": [f"mark={mark}"]} if how == "label" else {"name": mark}
            assert engine.networks.list(filters=filters) == [made]
            assert {net.name, mark} <= {item.name for item in engine.networks.list()}

    def test_network_prune(self, engine: Engine, shell_image: str) -> None:
        """prune() removes what is unused and matches."""
        mark = _name()
        with (
            engine.networks.create(_name("net"), labels={"mark": mark}) as unused,
            engine.networks.create(_name("net"), labels={"mark": mark}) as used,
            engine.start(shell_image, SLEEP, network=used.name),
        ):
            assert engine.networks.prune(filters={"label": [f"mark={mark}"]}) == (unused.name,)
            assert engine.networks.exists(used.name)

    @pytest.mark.parametrize(
        ("name", "options"),
        [("", {}), ("host", {}), ("a b", {}), ("ok", {"subnet": "10.0.0.1/24"}), ("ok", {"gateway": "10.0.0.1"}),
         ("ok", {"subnet": "10.9.9.0/24", "gateway": "10.8.8.1"}), ("ok", {"internal": "yes"}), ("ok", {"colour": 1})],
        ids=repr,
    )  # fmt: skip
    def test_network_bad_input(self, engine: Engine, name: Any, options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A bad name or option is InvalidOption, before anything is sent."""
        monkeypatch.setattr(engine, "backend", _Untouchable(engine.backend))
        with pytest.raises(InvalidOption):
            engine.networks.create(name, **options)

    # ---------------------------------------------------------------- many at once
    @needs(Capability.PROCESSES)
    def test_forty_containers_from_eight_threads(self, engine: Engine, shell_image: str) -> None:
        """40 containers are started, used and removed from 8 threads of one Engine: nothing lost, nothing left."""
        mark = _name()

        def one(number: int) -> str:
            with engine.start(shell_image, SLEEP, labels={"mark": mark}, env={"N": number}) as container:
                return container.exec(["sh", "-c", "echo $N"], check=True).stdout.strip()

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(one, range(40))) == [str(number) for number in range(40)]
        assert engine.containers.list(all=True, filters={"label": [f"mark={mark}"]}) == []

    def test_nothing_is_left(self, engine: Engine) -> None:
        """After all of these tests nothing of this session is there."""
        filters = {"label": [f"containerkit.session={engine.session.id}"]}
        assert engine.containers.list(all=True, filters=filters) == []
        assert engine.volumes.list(filters=filters) == []
        assert engine.networks.list(filters=filters) == []
