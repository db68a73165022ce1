"""Commands that need more than an engine in memory has: figures, a registry, a builder, events, labs."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import time
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import containerkit as ck
from containerkit.backends.base import Capability, Progress, Stats
from containerkit.cli import app
from containerkit.labs import plan
from containerkit.spec import BuildSpec
from containerkit.streams import Stream
from containerkit.testing import FakeBackend, Reply
from tests.open_engine import Open

SAMPLE = Stats(12.345, 1.0, 3 << 20, 1 << 30, 4, 1500, 2500, 0, 4096, 1.0)


class More(FakeBackend):
    """An engine in memory with figures of usage, a registry that has everything, and a builder."""

    def __init__(self) -> None:
        super().__init__(images=["app:1"])
        self.capabilities |= {Capability.STATS, Capability.REGISTRY, Capability.BUILD}
        self.samples: list[Stats] = [SAMPLE]
        self.built: list[tuple[BuildSpec, int]] = []

    def stats_container(self, ref: str, *, stream: bool) -> Stream[Stats]:
        return Stream(iter(self.samples))

    def pull_image(self, ref: str, **options: Any) -> Iterator[Progress]:
        yield Progress("Pulling", "0123")
        yield Progress("Done")
        self.add_image(ref)

    def push_image(self, ref: str, **options: Any) -> Iterator[Progress]:
        yield Progress("Pushing", "0123")

    def build_image(self, context: Iterable[bytes], spec: BuildSpec) -> Iterator[Progress]:
        self.built.append((spec, sum(map(len, context))))
        yield Progress(stream="Step 1/1 : FROM app:1\n")
        yield Progress(image_id=self.inspect_image("app:1").id)


@pytest.fixture
def backend() -> More:
    return More()


@pytest.fixture
def engine(backend: More, monkeypatch: pytest.MonkeyPatch) -> Iterator[ck.Engine]:
    with ck.connect(backend) as opened:
        monkeypatch.setattr(ck, "connect", lambda target=None, *, timeout: Open(opened))
        yield opened


def call(*args: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(args), input=stdin)


# ---------------------------------------------------------------- figures
def test_stats_prints_one_line_for_each_container(engine: ck.Engine, backend: More) -> None:
    """The figures are in docker's columns and units; --no-stream ends after the first."""
    web = engine.start("app:1", name="web")
    result = call("stats", "--no-stream")
    assert result.exit_code == 0, result.output
    title, row = result.stdout.splitlines()
    assert title.split("  ")[0] == "CONTAINER ID"
    assert re.split(r" {2,}", row) == [
        web.short_id, "web", "12.35%", "3MiB / 1GiB", "0.29%", "1.5kB / 2.5kB", "0B / 4.1kB", "4",
    ]  # fmt: skip
    assert call("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "web").stdout == "web 4\n"


def test_stats_of_a_container_that_does_not_run(engine: ck.Engine, backend: More) -> None:
    """--all shows it with dashes."""
    engine.containers.create("app:1", "true", name="made")
    assert call("stats", "--no-stream", "--format", "{{.Name}}").stdout == ""
    row = call("stats", "--no-stream", "--all").stdout.splitlines()[1]
    assert re.split(r" {2,}", row)[1:] == ["made", "--", "--", "--", "--", "--", "--"]


def test_a_sample_without_limit_or_processor(engine: ck.Engine, backend: More) -> None:
    """An unknown share is 0, not a failure."""
    engine.start("app:1", name="web")
    backend.samples = [Stats(None, 1.0, 1, 0, 1, 0, 0, 0, 0, 1.0)]
    shown = call("stats", "--no-stream", "--format", "{{.CPUPerc}} {{.MemPerc}}").stdout
    assert shown == "0.00% 0.00%\n"


# ---------------------------------------------------------------- events
def test_events_up_to_now(engine: ck.Engine) -> None:
    """A line holds time, type, action, ID and attributes; a template sees docker's names."""
    container = engine.start("app:1", name="web")
    container.kill()
    until = str(time.time())
    lines = call("events", "--since", "1h", "--until", until, "--filter", "type=container").stdout.splitlines()
    assert [line.split()[1:3] for line in lines] == [["container", word] for word in ("create", "start", "kill", "die")]
    assert all(container.id in line for line in lines)
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d container create \w{64} \(.*name=web", lines[0])
    template = "{{.Type}} {{.Action}} {{.Actor.Attributes.name}}"
    shown = call("events", "--since", "1h", "--until", until, "--filter", "event=die", "--format", template).stdout
    assert shown == "container die web\n"


# ---------------------------------------------------------------- images
def test_pull_prints_the_name(engine: ck.Engine) -> None:
    """Progress is for a terminal."""
    result = call("pull", "new:1")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "new:1\n", "")
    assert engine.images.exists("new:1")


@pytest.mark.parametrize("verb", ["pull", "push"])
def test_progress_goes_to_a_terminal(engine: ck.Engine, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """Each step is a line on stderr, unless --quiet."""

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    for flags, seen in (((), "ing"), (("--quiet",), "")):
        screen = Screen()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", screen)
            patch.setattr(sys, "stdout", io.StringIO())
            with pytest.raises(SystemExit) as ended:
                app.main([verb, *flags, "app:1"])
        assert ended.value.code == 0
        assert (f"0123: {verb.capitalize()}{seen}\n" in screen.getvalue()) == bool(seen)


def test_build_from_a_folder(engine: ck.Engine, backend: More, tmp_path: Path) -> None:
    """The log goes to stderr, --quiet prints the ID; further tags name the image."""
    (tmp_path / "Dockerfile").write_text("FROM app:1\n")
    result = call("build", "-t", "one:1", "-t", "two:1", "--build-arg", "A=1", "--no-cache", str(tmp_path))
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    assert result.stderr == "Step 1/1 : FROM app:1\n"
    spec = backend.built[0][0]
    assert (spec.tags, dict(spec.build_args), spec.no_cache) == (("one:1",), {"A": "1"}, True)
    assert engine.images.exists("two:1")
    quiet = call("build", "-q", str(tmp_path))
    assert (quiet.stdout, quiet.stderr) == (engine.images.get("app:1").id + "\n", "")


def test_build_from_stdin(engine: ck.Engine, backend: More, tmp_path: Path) -> None:
    """`-` is a Dockerfile alone; `-f -` adds one to a folder; a missing folder is an error."""
    assert call("build", "-", stdin=b"FROM app:1\n").exit_code == 0
    (tmp_path / "a").write_text("x")
    assert call("build", "-f", "-", str(tmp_path), stdin=b"FROM app:1\n").exit_code == 0
    assert len(backend.built) == 2
    missing = call("build", str(tmp_path / "none"))
    assert missing.exit_code == 1
    assert "no folder" in missing.stderr


# ---------------------------------------------------------------- processes
def test_exec_passes_output_and_exit_code(engine: ck.Engine, backend: More) -> None:
    """Output to the byte; --interactive sends stdin; options reach the command."""
    backend.on("greet", (5, b"out\xff", b"err"))
    backend.on("cat", lambda argv, stdin: stdin)
    engine.start("app:1", name="web")
    result = call("exec", "-e", "A=1", "-u", "1", "-w", "/", "web", "greet")
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (5, b"out\xff", "err")
    assert call("exec", "-i", "web", "cat", stdin=b"typed\n").stdout == "typed\n"
    assert call("exec", "-t", "web", "greet").exit_code in (1, 5)  # 1: stdin is no terminal


def test_attach_to_a_container_that_runs(engine: ck.Engine, backend: More) -> None:
    """The output of its first process, and its exit code."""
    backend.on("serve", stdout="up\n", until_stopped=True)
    engine.start("app:1", "serve", name="web").kill()
    refused = call("attach", "--no-stdin", "web")
    assert refused.exit_code == 1
    assert "exited, not running" in refused.stderr


def test_start_attached_takes_one_container(engine: ck.Engine) -> None:
    """Two would mix their output."""
    for name in ("one", "two"):
        engine.containers.create("app:1", "true", name=name)
    assert call("start", "-a", "one", "two").exit_code == 1


# ---------------------------------------------------------------- labs
@pytest.fixture
def folder(tmp_path: Path) -> str:
    path = tmp_path / "two"
    path.mkdir()
    (path / "lab.conf").write_text("pc1[0]=A\npc1[image]=app:1\npc2[0]=A\npc2[image]=app:1\n")
    (path / "pc1.startup").write_text("ip address add 10.0.0.1/24 dev eth0\n")
    return str(path)


def test_a_lab_on_the_command_line(engine: ck.Engine, backend: More, folder: str) -> None:
    """up, status, exec with the command's exit code, down."""

    def shell(argv: tuple[str, ...], stdin: bytes) -> Reply:
        alone = plan.CONFIGURED if plan.CONFIGURED in argv[2] else ""
        runs = bool(alone) or argv[2:3] in ((plan.KEEP_ALIVE,), (plan.HELPER,))
        return Reply(stderr=alone.encode(), until_stopped=runs)

    backend.on(["sh", ...], shell)
    backend.on("hostname", (3, b"pc1\n"))
    assert call("lab", "check", folder).stdout == "two: 2 hosts, 1 collision domains\n"
    up = call("lab", "up", folder)
    assert (up.exit_code, up.stdout) == (0, "two: 2 hosts are up\n"), up.output
    assert {each.name for each in engine.containers.list()} == {"two-pc1", "two-pc2", "two-cables"}
    status = call("lab", "status", folder)
    assert status.stdout.count("running") == 2
    ran = call("lab", "exec", folder, "pc1", "hostname")
    assert (ran.exit_code, ran.stdout) == (3, "pc1\n")
    assert call("lab", "down", folder).exit_code == 0
    assert engine.containers.list(all=True) == []


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Return a lab of stubs that the verbs open instead of a running one."""
    found = Lab()
    monkeypatch.setattr("containerkit.cli.lab._lab", lambda ctx, topology: contextlib.nullcontext(found))
    return found


class Lab:
    """The calls that the verbs of a running lab make."""

    code: int | None = 3

    def shell(self, host: str) -> int | None:
        self.host = host
        return self.code

    def stream_capture(self, domain: str, host: str | None) -> Iterator[bytes]:
        yield from (f"{domain}/{host}/".encode(), b"packets")


@pytest.mark.parametrize(("code", "expected"), [(3, 3), (None, 0)])
def test_a_shell_in_a_host(lab: Lab, folder: str, code: int | None, expected: int) -> None:
    """The exit code is the shell's; a detached one is a success."""
    lab.code = code
    assert call("lab", "shell", folder, "pc1").exit_code == expected
    assert lab.host == "pc1"


def test_a_capture_goes_to_a_pipe_or_a_file(lab: Lab, folder: str, tmp_path: Path) -> None:
    assert call("lab", "capture", folder, "A").stdout == "A/None/packets"
    assert call("lab", "capture", folder, "A", "--host", "pc1", "-o", str(tmp_path / "x.pcap")).exit_code == 0
    assert (tmp_path / "x.pcap").read_bytes() == b"A/pc1/packets"


def test_a_view_prints_its_address(lab: Lab, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page opens in a browser unless told not to, and ends with Ctrl-C."""
    page = types.SimpleNamespace(url="http://127.0.0.1:1/token/")
    opened: list[str] = []

    def interrupted() -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("containerkit.labs.View", lambda made, port: contextlib.nullcontext(page))
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("containerkit.cli.lab.threading.Event", lambda: types.SimpleNamespace(wait=interrupted))
    assert call("lab", "view", folder).stdout == f"{page.url}\n"
    assert opened == [page.url]
    assert call("lab", "view", "--no-browser", folder).exit_code == 0
    assert opened == [page.url]


def test_images_of_labs_are_built(engine: ck.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    bases: list[str | None] = []
    monkeypatch.setattr("containerkit.labs.build_images", lambda engine, base: bases.append(base))
    result = call("lab", "images", "--base", "debian:13")
    assert (result.exit_code, bases) == (0, ["debian:13"])
    assert result.stdout.split() == [ck.labs.BASE_IMAGE, ck.labs.ROUTER_IMAGE]


def test_a_lab_is_drawn_into_a_file(folder: str, tmp_path: Path) -> None:
    """Every language; the text ends with a line end."""
    for language in ("text", "svg", "mermaid", "graphviz"):
        target = tmp_path / f"lab.{language}"
        shown = call("lab", "draw", "--form", language, folder)
        assert call("lab", "draw", "--form", language, "-o", str(target), folder).exit_code == 0
        assert target.read_text().rstrip("\n") == shown.stdout.rstrip("\n")
        assert "pc1" in shown.stdout


def test_a_map_of_images_needs_two_names(folder: str) -> None:
    """NAME=IMAGE; the error names the word."""
    result = call("lab", "check", "--map", "kathara", folder)
    assert result.exit_code == 125
    assert "expected NAME=IMAGE" in result.stderr
