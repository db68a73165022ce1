"""Scenarios: options have their effect, or raise before anything is sent."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ... import wait
from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    EngineError,
    InvalidOption,
    InvalidReference,
    NotFound,
    StartFailed,
    Unsupported,
)
from ...options.table import CREATE
from ...resources.container import Container
from .base import (
    SERVER,
    SLEEP,
    Scenarios,
    Untouchable,
    free_port,
    free_ports,
    fresh_name,
    http_get,
    needs,
    require,
    shell,
)
from .read_back import READ_BACK, fill, find
from .tables import BAD_OPTIONS, PUBLISH, READ_ONLY, SHOWN, SHOWN_OR_REFUSED

__all__ = ["OptionScenarios"]


#: Options that a scenario of their own reads back.
ELSEWHERE = {"log_opt"}


class OptionScenarios(Scenarios):
    """Options: read back from a real container, or refused before a request is sent."""

    @pytest.fixture
    def names(self, request: pytest.FixtureRequest, engine: Engine, shell_image: str, tmp_path: Path) -> Iterator[Any]:
        """The names of real objects, for the placeholders of an option; each is made only if it is needed."""
        given = str(READ_BACK[request.getfixturevalue("option")].given)
        info = engine.info()
        file = tmp_path / "env"
        file.write_text("COLOUR=red\n")
        arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(info.arch, info.arch)
        found = {"file": str(file), "port": str(free_port()), "name": fresh_name("read"), "host": info.name}
        found |= {"machine": info.arch, "arch": arch}
        with contextlib.ExitStack() as stack:
            if "{volume}" in given:
                found["volume"] = stack.enter_context(engine.volumes.create(fresh_name("vol"))).name
            for key, address, subnet in (
                ("", "10.{}.{}.67", "10.{}.{}.0/24"),
                ("6", "fd00:{}:{}::67", "fd00:{}:{}::/64"),
            ):
                if f"{{network{key}}}" in given:
                    part = random.randint(100, 250), random.randint(1, 250)
                    net = engine.networks.create(fresh_name("net"), subnet=subnet.format(*part))
                    found[f"network{key}"] = stack.enter_context(net).name
                    found[f"ip{key}"] = address.format(*part)
            if "{other}" in given:
                other = engine.start(shell_image, SLEEP, volumes="/m", ipc="shareable")
                found["other"] = stack.enter_context(other).name
                found["other_ipc"] = shell(other, "readlink /proc/self/ns/ipc")
            if "{runtime}" in given:
                with engine.containers.create(shell_image, ["true"]) as plain:
                    found["runtime"] = find(plain.inspect(), "HostConfig > Runtime").replace("oci", "runc")
            yield found

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("option", READ_BACK)
    def test_option_is_read_back(self, engine: Engine, shell_image: str, option: str, names: dict[str, str]) -> None:
        """Each option, set alone, shows in the container; an engine that cannot apply it refuses it."""
        row = READ_BACK[option]
        if (needed := CREATE[option].capability) and option not in ("add_host", "userns"):  # only for some values
            require(engine, Capability(needed))
        given = fill(row.given, names)
        if option == "devices" and engine.kind == "docker" and engine.info().rootless:  # it cannot rename a device
            with pytest.raises(Unsupported, match="/dev/given"):
                engine.run(shell_image, ["true"], **given)
            return
        try:
            if row.inside:
                evidence: Any = engine.run(shell_image, ["sh", "-c", row.inside], **given).stdout.strip()
            else:
                make = engine.start if row.running else engine.containers.create
                with make(shell_image, SLEEP, **given) as container:
                    evidence = find(container.inspect(), fill(row.inspect, names))
        except (Unsupported, EngineError) as exc:
            if not row.refusable:
                raise
            pytest.skip(f"{option} {row.refusable}: {exc}")
        assert row.holds(evidence, names), evidence

    def test_every_option_is_read_back(self) -> None:
        """A new option needs its evidence in read_back.py."""
        assert set(READ_BACK) | ELSEWHERE == set(CREATE)

    @needs(Capability.PROCESSES)
    def test_log_opt_limits_the_log(self, engine: Engine, shell_image: str) -> None:
        """log_opt={"max-size": …} keeps the log of a container small."""
        options: dict[str, Any] = {"log_driver": "json-file", "log_opt": {"max-size": "10k"}}
        with engine.start(shell_image, ["sh", "-c", "seq 20000"], **options) as container:
            assert container.wait(timeout=30) == 0
            assert len(container.logs().stdout_bytes) < 40_000

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(("options", "line", "expected"), SHOWN.values(), ids=SHOWN.keys())
    def test_option_is_seen_inside(
        self, engine: Engine, shell_image: str, options: dict[str, Any], line: str, expected: str
    ) -> None:
        """An option has its effect inside the container."""
        command = [line] if "entrypoint" in options else ["sh", "-c", line]
        result = engine.run(shell_image, command, **options)
        assert result.stdout.strip() == expected, result

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(("options", "line", "expected"), SHOWN_OR_REFUSED.values(), ids=SHOWN_OR_REFUSED.keys())
    def test_option_is_seen_or_refused(
        self, engine: Engine, shell_image: str, options: dict[str, Any], line: str, expected: str
    ) -> None:
        """An option that the engine would ignore raises Unsupported."""
        try:
            result = engine.run(shell_image, ["sh", "-c", line], **options)
        except (Unsupported, StartFailed):  # StartFailed: rootless Docker may not set a domainname
            return
        assert result.stdout.strip() == expected, result

    @needs(Capability.PROCESSES)
    def test_a_device_with_less_than_all_permissions(self, engine: Engine, shell_image: str) -> None:
        """Device permissions that no cgroup can enforce raise Unsupported."""
        if not engine.info().rootless:
            with engine.containers.create(shell_image, ["true"], devices="/dev/full:/dev/given:r") as container:
                assert container.inspect()["HostConfig"]["Devices"]
            return
        with pytest.raises(Unsupported, match="/dev/full"):
            engine.containers.create(shell_image, ["true"], devices="/dev/full:/dev/given:r")

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("spelling", READ_ONLY)
    @pytest.mark.parametrize("kind", ["bind", "volume"])
    def test_read_only_mount(
        self, engine: Engine, shell_image: str, folder: Path, volume: str, kind: str, spelling: str
    ) -> None:
        """A read-only mount is read-only, in every spelling."""
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
        """A mount is writable by default, and the host sees what is written."""
        source = str(folder) if kind == "bind" else volume
        option = "mounts" if spelling.startswith("type") else "volumes"
        given: Any = {option: [spelling.format(source, kind=kind)]}
        engine.run(shell_image, ["sh", "-c", "echo kept >/m/x; chmod 666 /m/x"], check=True, **given)
        assert engine.run(shell_image, ["cat", "/m/x"], **given).stdout == "kept\n"
        if kind == "bind":
            assert (folder / "x").read_text() == "kept\n"

    @needs(Capability.PROCESSES)
    def test_missing_bind_source(self, engine: Engine, shell_image: str, folder: Path) -> None:
        """A bind mount of a missing path raises NotFound and does not create the path."""
        source = folder / "none"
        with pytest.raises(NotFound, match="none"):
            engine.run(shell_image, ["true"], mounts=f"type=bind,src={source},dst=/m")
        with pytest.raises(NotFound, match="none"):
            engine.run(shell_image, ["true"], volumes={str(source): "/m"})
        assert not source.exists()

    @pytest.mark.parametrize("how", ["run", "remove"])
    def test_anonymous_volume_goes_with_its_container(self, engine: Engine, shell_image: str, how: str) -> None:
        """An anonymous volume is removed with its container."""
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
        """A ulimit applies to the first process, or raises Unsupported."""
        hard = 2048 if given == 2048 else 4096
        options: dict[str, Any] = {"ulimits": {"nofile": given, "nproc": 4096}}  # Podman 4.3 needs both
        line = ["sh", "-c", "ulimit -Sn; ulimit -Hn"]
        if Capability.ULIMITS in engine.capabilities:
            assert engine.run(shell_image, line, **options).stdout.split() == ["2048", str(hard)]
        else:
            with pytest.raises(Unsupported):
                engine.run(shell_image, line, **options)

    @pytest.mark.parametrize("given", [{"a.b": "1", "c": ""}, ["a.b=1", "c"]], ids=["mapping", "list"])
    def test_labels(self, engine: Engine, shell_image: str, given: Any) -> None:
        """Labels are on the container, in every spelling."""
        with engine.containers.create(shell_image, labels=given) as container:
            assert container.labels["a.b"] == "1"
            assert container.labels["c"] == ""

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("spelling", PUBLISH)
    def test_publish(self, engine: Engine, shell_image: str, spelling: str) -> None:
        """A published port answers on the engine's host, in every spelling."""
        port = free_port()
        with engine.start(shell_image, SERVER, publish=PUBLISH[spelling](port)) as container:
            container.wait_until(wait.http("/index.html", 8080), timeout=20)
            address = container.port(8080)
            if not spelling.startswith("free"):
                assert address.port == port
            assert http_get(f"http://{address}/index.html") == "hello\n"

    @needs(Capability.PROCESSES)
    def test_publish_a_range(self, engine: Engine, shell_image: str) -> None:
        """Each container gets a free port of the range; without one, StartFailed."""
        first, last = free_ports()
        given = f"{first}-{last}:8080"
        with (
            engine.start(shell_image, SERVER, publish=given) as one,
            engine.start(shell_image, SERVER, publish=[given]) as two,
        ):
            assert {one.port(8080).port, two.port(8080).port} == {first, last}
            for container in (one, two):
                container.wait_until(wait.http("/index.html", 8080), timeout=20)
            with pytest.raises(StartFailed):
                engine.start(shell_image, SERVER, publish=given)

    def test_port_that_is_not_published(self, box: Container) -> None:
        """port() of an unpublished port raises NotFound."""
        with pytest.raises(NotFound):
            box.port(81)

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("signal", ["SIGUSR1", "USR1", 10])
    def test_stop_signal(self, engine: Engine, shell_image: str, signal: Any) -> None:
        """stop() sends the container's stop signal, by any of its names."""
        line = "trap 'exit 21' USR1; trap 'exit 22' TERM; echo ready; while :; do sleep 0.1; done"
        with engine.start(shell_image, ["sh", "-c", line], stop_signal=signal) as container:
            container.wait_until(wait.log_line("ready"), timeout=20)
            container.stop(timeout=10)
            assert container.exit_code == 21

    @pytest.mark.parametrize("options", BAD_OPTIONS.values(), ids=BAD_OPTIONS.keys())
    def test_bad_option_is_refused_unsent(
        self, engine: Engine, shell_image: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An invalid option raises InvalidOption before anything is sent."""
        monkeypatch.setattr(engine._core, "_backend", Untouchable(engine._core.backend))
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
        """The options of run() are checked as well."""
        monkeypatch.setattr(engine._core, "_backend", Untouchable(engine._core.backend))
        with pytest.raises(InvalidOption):
            engine.run(shell_image, ["true"], **options)

    @pytest.mark.parametrize("ref", ["", "UPPER", "a b", "a:b:c", "-x", "a\0", "x@sha256:12"])
    def test_bad_reference(self, engine: Engine, ref: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """An invalid image name raises InvalidReference before anything is sent."""
        monkeypatch.setattr(engine._core, "_backend", Untouchable(engine._core.backend))
        for call in (engine.run, engine.images.get, engine.images.pull):
            with pytest.raises(InvalidReference):
                call(ref)
