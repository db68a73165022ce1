"""Commands on containers: logs, limits, processes, changes, and the options that reach the engine."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import containerkit as ck
from containerkit.backends.base import Capability
from containerkit.backends.records import Change, Processes
from containerkit.cli import app
from containerkit.spec import ResourceLimits
from containerkit.testing import FakeBackend
from tests.open_engine import Open


class More(FakeBackend):
    """An engine in memory with a table of processes, and with warnings about limits."""

    def __init__(self) -> None:
        super().__init__(
            images=["app:1"], pretend=[Capability.MEMORY_LIMIT, Capability.CPU_LIMIT, Capability.PIDS_LIMIT]
        )
        self.capabilities |= {Capability.TOP}
        self.on("greet", (3, b"one\ntwo\nthree\n", b"oops\n"))
        self.on("serve", stdout="up\n", until_stopped=True)
        self.asked: list[Any] = []
        self.warnings: tuple[str, ...] = ()

    def top_container(self, ref: str, *, ps_args: str | None) -> Processes:
        self.asked.append(ps_args)
        return Processes(("PID", "COMMAND"), (("1", "sh -c serve"), ("12", "serve")))

    def diff_container(self, ref: str) -> tuple[Change, ...]:
        return Change("/new", "added"), Change("/etc", "modified"), Change("/old file", "deleted")

    def update_container(self, ref: str, limits: ResourceLimits, restart: str | None) -> tuple[str, ...]:
        super().update_container(ref, limits, restart)
        self.asked.append(({name: getattr(limits, name) for name in limits.requested()}, restart))
        return self.warnings

    def stop_container(self, ref: str, *, timeout: int | None) -> None:
        self.asked.append(timeout)
        super().stop_container(ref, timeout=timeout)


@pytest.fixture
def backend() -> More:
    return More()


@pytest.fixture
def engine(backend: More, monkeypatch: pytest.MonkeyPatch) -> Iterator[ck.Engine]:
    with ck.connect(backend) as opened:
        monkeypatch.setattr(ck, "connect", lambda target=None, *, timeout: Open(opened))
        yield opened


def call(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


# ---------------------------------------------------------------- logs
def test_logs_keep_the_streams_apart(engine: ck.Engine) -> None:
    """All lines, the last ones, none, or with their times."""
    engine.start("app:1", "greet", name="web")
    result = call("logs", "web")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "one\ntwo\nthree\n", "oops\n")
    assert call("logs", "-f", "-n", "2", "web").output == "three\noops\n"
    assert call("logs", "--tail", "0", "web").output == ""
    for line, word in zip(call("logs", "-t", "web").stdout.splitlines(), ("one", "two", "three"), strict=True):
        at, _, text = line.partition(" ")
        assert (at[:2], text) == ("20", word)


def test_logs_of_a_span(engine: ck.Engine) -> None:
    """Spans before now, and seconds."""
    engine.start("app:1", "greet", name="web")
    assert call("logs", "--since", "1h", "web").stdout == "one\ntwo\nthree\n"
    assert call("logs", "--until", "1h", "web").output == ""
    assert call("logs", "--since", str(time.time() + 3600), "web").output == ""


@pytest.mark.parametrize("args", [("--tail", "some"), ("--tail", "-1"), ("--since", "soon"), ("--until", "later")])
def test_logs_with_wrong_options(args: tuple[str, str], engine: ck.Engine) -> None:
    """125 and the option's name; no output."""
    engine.start("app:1", "greet", name="web")
    result = call("logs", *args, "web")
    assert (result.exit_code, result.stdout) == (125, "")
    assert args[0] in result.stderr


# ---------------------------------------------------------------- limits
def test_update_changes_what_is_given(engine: ck.Engine, backend: More) -> None:
    """Of each container named; numbers are numbers, also negative ones."""
    for name in ("one", "two"):
        engine.start("app:1", name=name)
    result = call("update", "-m", "64m", "--cpus", "0.5", "--pids-limit", "-1", "--cpu-shares", "512", "one", "two")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "one\ntwo\n", "")
    (limits, restart), again = backend.asked
    assert again == (limits, restart)
    assert (limits["memory"], limits["cpus"], limits["cpu_shares"], restart) == (64 << 20, 0.5, 512, None)
    assert limits["pids_limit"] == -1
    assert call("update", "--restart", "on-failure:3", "one").exit_code == 0
    assert backend.asked[-1] == ({}, "on-failure:3")


def test_update_shows_warnings_and_refusals(engine: ck.Engine, backend: More) -> None:
    """A warning is no error; a value that is none is one line and 1, and the other container is still changed."""
    engine.start("app:1", name="web")
    backend.warnings = ("swap is not limited",)
    warned = call("update", "-m", "64m", "missing", "web")
    assert (warned.exit_code, warned.stdout) == (1, "web\n")
    assert "containerkit: swap is not limited\n" in warned.stderr
    count = len(backend.asked)
    refused = call("update", "--pids-limit", "many", "web")
    assert (refused.exit_code, refused.stdout, len(backend.asked)) == (1, "", count)
    assert "many" in refused.stderr


# ---------------------------------------------------------------- ends
def test_times_and_signals_reach_the_engine(engine: ck.Engine, backend: More) -> None:
    """stop and restart wait so long; a signal may be a number."""
    container = engine.start("app:1", name="web")
    assert call("stop", "-t", "0", "web").exit_code == 0
    assert container.refresh().exit_code == 137
    assert call("start", "web").exit_code == 0
    assert call("restart", "--time", "7", "web").exit_code == 0
    assert call("stop", "web").exit_code == 0
    assert backend.asked[:2] == [0, 7]
    assert container.refresh().exit_code == 143
    container.start()
    assert call("kill", "-s", "9", "web").stdout == "web\n"
    assert container.refresh().exit_code == 137
    container.start()
    assert call("kill", "--signal", "HUP", "web").stdout == "web\n"
    assert container.refresh().exit_code == 129


def test_wait_prints_the_exit_codes(engine: ck.Engine) -> None:
    """One a line, in the order of the names; a missing container does not stop it."""
    engine.start("app:1", "greet", name="one")
    engine.start("app:1", name="two").kill()
    result = call("wait", "two", "missing", "one")
    assert (result.exit_code, result.stdout) == (1, "137\n3\n")
    assert "missing" in result.stderr


def test_a_missing_volume_that_is_removed_by_force(engine: ck.Engine) -> None:
    """It is printed like the others, as docker does; without --force it is an error."""
    engine.volumes.create("data", keep=True)
    result = call("volume", "rm", "-f", "missing", "data")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "missing\ndata\n", "")
    refused = call("volume", "rm", "missing")
    assert (refused.exit_code, refused.stdout) == (1, "")


# ---------------------------------------------------------------- what is in it
def test_top_passes_the_options_of_ps_on(engine: ck.Engine, backend: More) -> None:
    """Columns as docker prints them."""
    engine.start("app:1", name="web")
    assert call("top", "web").stdout.splitlines() == ["PID       COMMAND", "1         sh -c serve", "12        serve"]
    assert call("top", "web", "-o", "pid,comm").exit_code == 0
    assert backend.asked == [None, "-o pid,comm"]


def test_diff_marks_each_kind(engine: ck.Engine) -> None:
    """A, C and D, as docker does."""
    engine.start("app:1", name="web")
    assert call("diff", "web").stdout == "A /new\nC /etc\nD /old file\n"


def test_ports_of_one_protocol(engine: ck.Engine) -> None:
    """A port is of TCP unless it says otherwise; a container without ports prints nothing."""
    engine.start("app:1", name="web", publish={"53/udp": 5353})
    engine.start("app:1", name="dark")
    assert call("port", "web").stdout == "53/udp -> 0.0.0.0:5353\n"
    assert call("port", "web", "53/udp").stdout == "0.0.0.0:5353\n"
    missing = call("port", "web", "53")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert missing.stderr == "containerkit: container web publishes no port 53/tcp\n"
    assert (call("port", "dark").exit_code, call("port", "dark").output) == (0, "")


def test_commit_sets_what_is_given(engine: ck.Engine) -> None:
    """Instructions, author and message; a name is not needed."""
    engine.start("app:1", name="web")
    result = call("commit", "-c", "ENV A=1", "-c", 'CMD ["sh"]', "-a", "me", "-m", "why", "--no-pause", "web", "app:2")
    image = engine.images.get("app:2")
    assert (result.exit_code, result.stdout) == (0, image.id + "\n")
    assert ("A=1" in image.config["Env"], image.config["Cmd"]) == (True, ["sh"])
    assert call("history", "--format", "{{.Comment}}", "app:2").stdout.splitlines().count("why") == 1
    nameless = call("commit", "web")
    assert nameless.stdout.strip().startswith("sha256:")


def test_export_into_a_file(engine: ck.Engine, tmp_path: Path) -> None:
    """A tar archive of the files; nothing on stdout."""
    engine.start("app:1", name="web").write_file("/a", "data")
    result = call("export", "-o", str(tmp_path / "x.tar"), "web")
    assert (result.exit_code, result.output) == (0, "")
    with tarfile.open(tmp_path / "x.tar") as archive:
        assert any(name.lstrip("./") == "a" for name in archive.getnames())


@pytest.mark.parametrize(
    "args", [("rename", "missing", "x"), ("logs", "missing"), ("top", "missing"), ("diff", "missing"),
             ("port", "missing"), ("commit", "missing"), ("export", "missing"), ("cp", "missing:/a", "-")],
)  # fmt: skip
def test_a_missing_container_is_one_line_and_1(args: tuple[str, ...], engine: ck.Engine) -> None:
    """With its name, and nothing on stdout."""
    result = call(*args)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "missing" in result.stderr
