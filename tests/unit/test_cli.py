"""The command line: what each command asks for, what it prints, and how it ends. No engine answers here but a stub."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

import containerkit as ck
from containerkit.backends.base import ContainerRecord, EngineInfo, ImageRecord
from containerkit.cli import app
from containerkit.cli.flags import without_values
from containerkit.isolation import CheckResult, Severity, Status
from containerkit.layers import SharedLayer
from containerkit.leftovers import Cleaned
from containerkit.testing.archives import ImageBuilder

ENGINE_URL = "unix:///run/stub.sock"


class Stub:
    """As much of an Engine as the commands use; ``asked`` is what they asked."""

    def __init__(self) -> None:
        self.kind = "docker"
        self.url = ENGINE_URL
        self.asked: list[Any] = []
        self.failure: BaseException | None = None
        self.containers = SimpleNamespace(list=self._containers)
        self.images = SimpleNamespace(list=self._images)
        self.report = report()

    def __enter__(self) -> Stub:
        return self

    def __exit__(self, *exc: object) -> None:
        self.asked.append("close")

    def _note(self, *what: Any) -> None:
        self.asked.append(what)
        if self.failure:
            raise self.failure

    def info(self) -> EngineInfo:
        return EngineInfo(
            "docker", "28.5.2", "1.51", True, 2, "systemd", "overlay2", "graphdriver", "/store", "Debian", "x86_64",
            "6.1", 2, 2 * 10**9, raw={"secret": 1},
        )  # fmt: skip

    def start(self, image: str, command: Any, **options: Any) -> SimpleNamespace:
        self._note("start", image, command, options)
        return SimpleNamespace(id="c" * 64)

    def _containers(self, **options: Any) -> list[Any]:
        self._note("ps", options)
        told = {"id": "c" * 64, "name": "web", "image": "app:1", "status": "running", "exit_code": None, "health": None,
                "ports": {"80/tcp": ["127.0.0.1:8080"], "81/tcp": []}}  # fmt: skip

        def gone() -> None:
            raise ck.ContainerNotFound("gone")

        record = ContainerRecord(
            "c" * 64, "web", "app:1", "sha256:a", "running", {}, ("sleep", "a very long argument"),
            {(80, "tcp"): (ck.Address("127.0.0.1", 8080),), (81, "tcp"): ()},
        )  # fmt: skip
        return [SimpleNamespace(to_dict=lambda: told, last_record=record),
                SimpleNamespace(to_dict=gone, last_record=replace(record, name="other"))]  # fmt: skip

    def _images(self, **options: Any) -> list[Any]:
        self._note("images", options)
        record = ImageRecord("sha256:" + "a" * 64, ("app:1", "app:2"), (), 1234, 0.0, {})
        return [SimpleNamespace(last_record=record, to_dict=lambda: {"id": "a"})]

    def layers(self, ref: str, *, platform: str | None = None) -> ck.LayerStack:
        self._note("layers", ref)
        raise ck.ImageNotFound("no image here")

    def savings(self, refs: Any, *, containers: bool) -> ck.Savings:
        self._note("savings", refs, containers)
        return ck.Savings((), (), 200, 100, None, 300)

    def sharing(self, refs: Any) -> ck.Sharing:
        self._note("sharing", refs)
        layers = (
            SharedLayer("sha256:" + "1" * 64, "sha256:d", ("i1",)),
            SharedLayer("sha256:" + "2" * 64, "d", ("i1", "i2")),
        )
        return ck.Sharing(layers, {"i1": ("app:1",), "i2": ()})

    def reclaimable(self, refs: Any) -> ck.Reclaim:
        self._note("reclaimable", refs)
        return ck.Reclaim(1000, None, ("i1",), ("l1",), (("i2", "container web uses it"),))

    def check(self, **options: Any) -> ck.IsolationReport:
        self._note("check", options)
        return self.report


def report(*statuses: Status, severity: Severity = Severity.HIGH) -> ck.IsolationReport:
    results = [
        CheckResult(f"check-{n}", "A question?", "A", status, severity, f"found | {n}")
        for n, status in enumerate(statuses)
    ]
    return ck.IsolationReport("docker 28.5.2", ENGINE_URL, tuple(results))


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    engine = Stub()

    def connect(target: Any = None, *, timeout: float) -> Stub:
        if target == "nobody":
            raise ck.EngineUnavailable("no engine answers at nobody\nStart it", tried=(("nobody", "no such socket"),))
        engine.asked.append(("connect", getattr(target, "url", target), timeout))
        return engine

    monkeypatch.setattr(ck, "connect", connect)
    return engine


@pytest.fixture
def archive(tmp_path: Path) -> str:
    image = ImageBuilder().layer(files={"/etc/a": b"x" * 100, "/etc/b": b"y"}).layer(whiteouts=["/etc/a"])
    path = tmp_path / "image.tar"
    path.write_bytes(image.tag("app:1").to_docker_archive())
    return str(path)


def call(*args: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(args), input=stdin)


def spawn(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "containerkit", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


# ---------------------------------------------------------------- how it begins and ends
def test_help_and_version_load_no_engine() -> None:
    """`--help` imports neither a vendor nor rich, and names every command."""
    code = (
        "import sys\nfrom containerkit.cli import app\ntry: app(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('docker', 'podman', 'requests', 'rich', 'containerkit.engine') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.endswith("[]\n")
    for command in ("run", "layers", "check-host", "cleanup"):
        assert f"\n  {command} " in told
    assert call("--version").output == f"containerkit {ck.__version__}\n"


@pytest.mark.parametrize("name", list(app.commands))
def test_every_command_explains_itself(name: str) -> None:
    """With --help, in a sentence or more."""
    result = call(name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: containerkit {name}")


@pytest.mark.parametrize(
    "args",
    [["--engine"], ["run", "--memory"], ["run", "--no-such-flag", "x"], ["check", "--fail-on", "x"],
     ["ps", "--filter", "x"], ["images", "--json", "--markdown"], ["run", "-d", "--timeout", "1", "x"],
     ["run", "--timeout", "soon", "x"], ["check", "--all", "--engine", "x"], ["layers", "--engine"],
     ["--timeout", "0", "ps"]],
)  # fmt: skip
def test_a_wrong_option_is_one_line_and_125(args: list[str], stub: Stub) -> None:
    """On stderr, with where to look it up; nothing is asked of an engine."""
    _refused(args, 125, stub)


@pytest.mark.parametrize("args", [["frob"], ["layers"], ["ps", "x"], ["run"], ["layers", "--layer", "1", "x"]])
def test_wrong_arguments_are_one_line_and_1(args: list[str], stub: Stub) -> None:
    """As for docker: too many, too few, or an unknown verb."""
    _refused(args, 1, stub)


@pytest.mark.parametrize("args", [[], ["volume"], ["image"]])
def test_no_verb_is_the_help_and_0(args: list[str]) -> None:
    """As for docker."""
    result = call(*args)
    assert result.exit_code == 0
    assert "Usage: containerkit" in result.output


def _refused(args: list[str], code: int, stub: Stub) -> None:
    result = call(*args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert len(result.stderr.splitlines()) == 1
    assert "--help`" in result.stderr
    assert ("run",) not in stub.asked


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ck.EngineError("the engine\nanswered \x1b[31mno"), "the engine answered \\x1b[31mno"),
        (ck.EngineUnavailable("long\nlist", tried=(("a", "x"), ("b", "y"))), "no engine answers. Tried: a: x; b: y."),
        (OSError("disk full"), "disk full"),
        (ZeroDivisionError("a mistake of ours"), "ZeroDivisionError: a mistake of ours"),
    ],
)
def test_an_error_is_one_line_and_1(failure: Exception, words: str, stub: Stub) -> None:
    """Never a traceback, nothing that a terminal would obey, and the engine is closed."""
    stub.failure = failure
    result = call("savings")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"containerkit: {words}")
    assert len(result.stderr.splitlines()) == 1
    assert stub.asked[-1] == "close"


def test_ctrl_c_ends_with_130(stub: Stub) -> None:
    """Silently, and the engine is closed."""
    stub.failure = KeyboardInterrupt()
    result = call("savings")
    assert result.exit_code == 130
    assert result.output.strip() == ""
    assert stub.asked[-1] == "close"


def test_a_reader_that_has_read_enough_is_no_error(archive: str) -> None:
    """`containerkit … | head -1` says nothing on stderr."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "containerkit", "layers", archive]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(write)
    assert done.stderr == b""


def test_a_term_signal_ends_through_every_finally(tmp_path: Path) -> None:
    """Whatever was started is removed, and the exit code is the signal's."""
    code = (
        "import sys, time, containerkit as ck\nclass E:\n def __enter__(s): return s\n"
        " def __exit__(s, *e): print('closed', flush=True)\n"
        " def sharing(s, r): print('asked', flush=True); time.sleep(30)\n"
        "ck.connect = lambda *a, **k: E()\nfrom containerkit.cli import main\nsys.argv[1:] = ['sharing']\nmain()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "closed\n"
    assert process.returncode == 128 + signal.SIGTERM


def test_a_terminal_without_the_characters_gets_their_codes(archive: str) -> None:
    """No UnicodeEncodeError where the locale is an old one."""
    done = spawn("layers", archive, env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0
    assert "\\u2500" in done.stdout


# ---------------------------------------------------------------- the engine and its things
def test_the_engine_may_be_named_before_or_behind_the_command(stub: Stub) -> None:
    """The one behind counts; --timeout goes along."""
    call("--engine", "podman", "--timeout", "5", "ps")
    call("--engine", "podman", "ps", "--engine", "docker")
    call("ps")
    assert [each[1:] for each in stub.asked if each[0] == "connect"] == [
        ("podman", 5.0),
        ("docker", 60.0),
        (None, 60.0),
    ]


def test_info_shows_the_facts_without_the_raw_answers(stub: Stub) -> None:
    """As a table, and as JSON with numbers."""
    assert "memory             2.00 GB\n" in call("info").output
    told = json.loads(call("info", "--json").output)
    assert told["memory"] == 2 * 10**9
    assert "raw" not in told


def test_engines_lists_every_place_and_why_it_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also as JSON."""
    found = (ck.Endpoint("unix:///a", "DOCKER_HOST", reason="no such socket"),)
    monkeypatch.setattr(ck, "discover", lambda: found)
    assert "unix:///a   no" in call("engines").output
    assert json.loads(call("engines", "--json").output)[0]["reason"] == "no such socket"


def test_run_passes_options_on(stub: Stub) -> None:
    """Options end at the image, what follows is the command's."""
    result = call(
        "run", "-d", "--rm", "-e", "A=1", "-e", "B", "-v", "/a:/b:ro", "-m", "64m", "--read-only", "--cap-drop", "all",
        "busybox:1", "ls", "-l", "--all",
    )  # fmt: skip
    assert result.exit_code == 0
    (_, image, command, options) = stub.asked[1]
    assert (image, command) == ("busybox:1", ["ls", "-l", "--all"])
    assert options == {
        "keep": True, "rm": True, "env": ["A=1", "B"], "volume": ["/a:/b:ro"], "memory": "64m", "read_only": True,
        "cap_drop": ["all"], "pull": "missing", "limits": "enforce",
    }  # fmt: skip


def test_run_detached_keeps_the_container_and_prints_its_id(stub: Stub) -> None:
    """It outlives us: keep=True."""
    assert call("run", "-d", "--name", "web", "app:1").output == "c" * 64 + "\n"
    options = {"keep": True, "name": "web", "pull": "missing", "limits": "enforce"}
    assert stub.asked[1] == ("start", "app:1", None, options)


def test_every_run_option_is_one_that_engines_take(stub: Stub) -> None:
    """No option of the command line is unknown to Engine.run."""
    from containerkit.options import RunOptions

    options = [each for each in app.commands["run"].params if each.param_type_name == "option" and each.expose_value]
    ours = {str(each.name) for each in options}
    assert ours - {"engine", "detach", "cidfile", "detach_keys", "sig_proxy", "streams", "replace"} <= set(
        RunOptions.__annotations__
    )


def test_ps_shows_what_is_still_there(stub: Stub) -> None:
    """A container that is gone since the list was made is left out; filters of one key go together."""
    result = call("ps", "-a", "-f", "label=a", "-f", "label=b=c", "-f", "status=running")
    assert stub.asked[1] == ("ps", {"all": True, "filters": {"label": ["a", "b=c"], "status": ["running"]}})
    assert result.output.startswith("CONTAINER ID   IMAGE")
    assert '"sleep a very long a…"' in result.output
    assert "127.0.0.1:8080->80/tcp, 81/tcp" in result.output
    assert (
        call("ps", "-n", "1", "--format", "table {{.Names}}\\t{{.State}}").output
        == "NAMES     STATE\nweb       running\n"
    )
    assert call("ps", "--format", "{{.ID}} {{upper .Names}}").output.splitlines()[0] == "c" * 12 + " WEB"
    assert len(json.loads(call("ps", "--json").output)) == 1


def test_images_have_a_row_for_each_name(stub: Stub) -> None:
    """A name as argument leaves only the rows of that name."""
    assert [line.split()[:3] for line in call("images").output.splitlines()[1:]] == [
        ["app", "1", "a" * 12], ["app", "2", "a" * 12],
    ]  # fmt: skip
    assert call("images", "--format", "{{.Tag}} {{.Size}}", "app:2").output == "2 1.23kB\n"
    assert call("images", "-q", "--no-trunc").output == "sha256:" + "a" * 64 + "\n"
    assert json.loads(call("images", "--json").output) == [{"id": "a"}]


def test_cleanup_cleans_every_engine_or_the_one_named(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays is listed with the reason, and makes the exit code 1."""
    cleaned = [Cleaned(), Cleaned(containers=("web",), failed=(("net", "in use"),))]
    asked: list[Any] = []

    def cleanup(engine: Any = None, *, older_than: Any) -> Cleaned:
        asked.append((engine, older_than))
        return cleaned.pop(0)

    monkeypatch.setattr(ck, "cleanup", cleanup)
    result = call("cleanup", "--older-than", "1h")
    assert (result.exit_code, result.output) == (0, "Nothing was left behind by dead sessions\n")
    result = call("cleanup", "--engine", "docker")
    assert result.exit_code == 1
    assert "stays: in use" in result.output
    assert asked == [(None, "1h"), (stub, None)]


# ---------------------------------------------------------------- layers
def test_layers_of_an_archive_need_no_engine(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is an archive: layers base first, with instruction and sizes, and the sum."""
    monkeypatch.setattr(ck, "connect", None)
    lines = call("layers", archive).output.splitlines()
    assert lines[1].split() == ["#", "diff_id", "instruction", "content", "tar"]
    assert [line.split()[0] for line in lines[3:6]] == ["0", "1", "all"]
    assert "101 B" in lines[3]
    assert json.loads(call("layers", archive, "--json").output)["layers"][0]["sizes"]["content"] == 101


def test_files_of_the_image_and_of_one_layer(archive: str) -> None:
    """The image shows what a container sees, the layer its whiteouts."""
    assert "/etc/a" not in call("layers", archive, "--files").output
    assert "whiteout" in call("layers", archive, "--files", "--layer", "1").output
    result = call("layers", archive, "--files", "--layer", "9")
    assert result.exit_code == 125
    assert "layers 0 to 1" in result.stderr


def test_waste_shows_causes_and_dives_numbers(archive: str) -> None:
    """Largest files first, as many as asked for."""
    result = call("waste", archive)
    assert ["wasted", "100", "B"] in [line.split() for line in result.output.splitlines()]
    assert "deleted" in result.output
    assert "/etc/a" in result.output
    assert json.loads(call("waste", archive, "--json").output)["wasted_bytes"] == 100


def test_an_image_that_is_not_there_is_an_error(stub: Stub) -> None:
    """In one line."""
    result = call("layers", "nope:1")
    assert (result.exit_code, result.stderr) == (1, "containerkit: no image here\n")


def test_savings_sharing_and_reclaimable_pass_names_on(stub: Stub) -> None:
    """Without names, None: all images, or all unused ones."""
    assert "unknown" in call("savings", "a", "b", "--no-containers").output
    sharing = call("sharing").output.splitlines()
    assert sharing[3].split() == ["222222222222", "2", "app:1,", "i2"]
    reclaim = call("reclaimable", "a").output
    assert ["disk", "freed", "unknown"] in [line.split() for line in reclaim.splitlines()]
    assert "container web uses it" in reclaim
    asked = [each for each in stub.asked if each != "close" and each[0] != "connect"]
    assert asked == [("savings", ("a", "b"), False), ("sharing", None), ("reclaimable", ("a",))]


def test_every_table_has_json_and_markdown(stub: Stub) -> None:
    """Markdown is a table; JSON is JSON."""
    for command in ("info", "ps", "images", "savings", "sharing", "reclaimable"):
        assert json.loads(call(command, "--json").output) is not None
        assert "\n| " in call(command, "--markdown").output


# ---------------------------------------------------------------- isolation
FAIL, WARN, PASS, UNKNOWN, NA = Status.FAIL, Status.WARN, Status.PASS, Status.UNKNOWN, Status.NA


@pytest.mark.parametrize(
    ("statuses", "args", "code"),
    [
        ([PASS, WARN], [], 0), ([PASS, FAIL], [], 1), ([PASS, WARN], ["--fail-on", "warn"], 1),
        ([FAIL], ["--fail-on", "warn"], 1), ([FAIL], ["--fail-on", "never"], 0),
        ([FAIL], ["--min-severity", "critical"], 0), ([FAIL], ["--min-severity", "high"], 1),
        ([UNKNOWN, UNKNOWN], [], 2), ([UNKNOWN, PASS], [], 0), ([UNKNOWN, PASS], ["--fail-on", "unknown"], 1),
        ([], [], 2), ([NA], [], 0),
    ],
)  # fmt: skip
def test_the_exit_code_of_a_check(statuses: list[Status], args: list[str], code: int, stub: Stub,
                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """1 at the threshold, 2 where nothing could be judged; the same for the host."""
    stub.report = report(*statuses)
    monkeypatch.setattr(ck, "check_host", lambda user: stub.report)
    assert call("check", *args).exit_code == code
    assert call("check-host", *args).exit_code == code


def test_check_passes_its_choice_on_and_prints_every_form(stub: Stub) -> None:
    """A table with the counts, the report's own JSON, its own Markdown."""
    stub.report = report(PASS, FAIL)
    text = call("check", "--only", "a", "--only", "b", "--no-probe")
    assert ("check", {"only": ("a", "b"), "probe": False}) in stub.asked
    assert "check-1" in text.output
    assert "1 pass, 1 fail" in text.output
    assert json.loads(call("check", "--json").output)["schema"].startswith("containerkit.isolation/")
    assert call("check", "--markdown").output == stub.report.to_markdown()
    assert "falla" in call("check", "--lang", "es").output


def test_check_writes_a_page_in_the_reader_s_language(stub: Stub, tmp_path: Path) -> None:
    """--html: a file of its own, whatever the terminal shows."""
    stub.report = report(PASS, FAIL)
    page = tmp_path / "report.html"
    call("check", "--html", str(page), "--lang", "es", "--json")
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert "Aislamiento" in page.read_text("utf-8")
    assert call("check-host", "--html", str(page), "--lang", "es").exit_code in (0, 1, 2)
    assert "Qué necesitan aquí los motores sin root" in page.read_text("utf-8")


def test_an_engine_that_cannot_be_checked_is_2_and_does_not_stop_the_others(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--all: every one that answers, a list in JSON, and 2 if one could not be checked."""
    stub.report = report(FAIL)
    places = tuple(ck.Endpoint(url, "test", reachable=url != "down") for url in ("unix:///a", "down", "unix:///b"))
    monkeypatch.setattr(ck, "discover", lambda: places)
    result = call("check", "--all", "--json")
    assert (result.exit_code, len(json.loads(result.stdout))) == (1, 2)
    stub.failure = ck.EngineUnavailable("the connection was cut")
    result = call("check", "--all")
    assert result.exit_code == 2
    assert result.stderr == "containerkit: the connection was cut\n" * 2
    assert call("check", "--engine", "nobody").exit_code == 2


def test_compare_puts_engines_side_by_side(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those named; what one cannot tell is said on stderr, the others are shown, and the exit code is 2."""
    compared: list[int] = []

    def compare_reports(*reports: ck.IsolationReport, **options: Any) -> Any:
        from containerkit.display import Table

        assert options == {"detail": False, "lang": "en"}
        compared.append(len(reports))
        return Table("Compared", ("what",), [("x",)])

    monkeypatch.setattr(ck, "compare_reports", compare_reports)
    assert call("compare", "docker", "podman").output.startswith("Compared\n")
    result = call("compare", "docker", "nobody")
    assert (result.exit_code, compared) == (2, [2, 1])
    assert "no engine answers at nobody" in result.stderr


def test_where_no_engine_answers_check_and_compare_say_who_was_asked(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, and 2."""
    tried = (("unix:///a", "no such socket"), ("unix:///b", "permission denied"))

    def connect(target: Any = None) -> Any:
        raise ck.EngineUnavailable("no engine answers", tried=tried)

    monkeypatch.setattr(ck, "discover", lambda: ())
    monkeypatch.setattr(ck, "connect", connect)
    for command in (["check", "--all"], ["compare"]):
        result = call(*command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "unix:///b: permission denied" in result.stderr


@pytest.mark.parametrize(
    ("args", "code"),
    [((), 1), (("--fail-on", "never"), 0), (("web",), 1), (("--fail-on", "low", "--json"), 1)],
)
def test_audit_exit_codes(monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], code: int) -> None:
    """A critical finding sets exit code 1, unless the threshold is lower or off."""
    from containerkit.isolation import AuditReport, ContainerAudit, Exposure
    from containerkit.testing import FakeBackend

    finding = Exposure("mount", Severity.CRITICAL, "/etc writable")
    found = AuditReport("docker 28", ENGINE_URL, (ContainerAudit("1" * 64, "web", "x", (finding,)),))

    def audit(self: ck.Engine, *containers: str) -> AuditReport:
        assert containers == tuple(a for a in args if a == "web")
        return found

    monkeypatch.setattr(ck.Engine, "audit", audit)
    monkeypatch.setattr(ck, "connect", lambda *a, **k: ck.Engine(FakeBackend()))
    result = call("audit", *args)
    assert result.exit_code == code
    assert "/etc writable" in result.output


def test_known_findings_do_not_count(stub: Stub, tmp_path: Path) -> None:
    """A baseline takes results out of the exit code; SARIF and JUnit are written beside the table."""
    stub.report = report(PASS, FAIL)
    known = tmp_path / "known.json"
    known.write_text('[{"id": "check-1", "reason": "a lab", "expires": "9999-12-31"}]')
    written = ["--sarif", str(tmp_path / "x.sarif"), "--junit", str(tmp_path / "x.xml")]
    assert call("check", *written).exit_code == 1
    assert call("check", "--baseline", str(known)).exit_code == 0
    assert json.loads((tmp_path / "x.sarif").read_text())["runs"][0]["results"][0]["ruleId"] == "check-1"
    assert "<failure" in (tmp_path / "x.xml").read_text()
    known.write_text('[{"id": "check-1", "reason": "a lab", "expires": "2001-12-31"}]')
    late = call("check", "--baseline", str(known))
    assert late.exit_code == 1
    assert "until 2001-12-31" in late.stderr
    assert call("check", "--skip", "a").exit_code == 1
    assert ("check", {"only": None, "probe": True, "skip": ("a",)}) in stub.asked


@pytest.mark.parametrize(
    ("typed", "reached"),
    [
        (("ps", "--all=true"), True),
        (("ps", "--all=false"), False),
        (("ps", "--all=1", "--no-trunc=0"), True),
        (("ps", "-f", "name=x", "--all=T"), True),
        (("ps", "-f", "--all=true", "-a"), True),
    ],
)
def test_a_flag_takes_a_value(stub: Stub, typed: tuple[str, ...], reached: bool) -> None:
    """--all=true is --all, --all=false is nothing; the value of another option stays as it is."""
    call(*typed)
    assert stub.asked[1][1]["all"] is reached


def test_the_command_of_a_container_keeps_its_flags() -> None:
    """After the image, --rm=true belongs to the command."""
    args = ["--rm=true", "-e", "A=1", "--sig-proxy=false", "busybox", "--rm=true"]
    assert list(without_values(app.commands["run"], args)) == [
        "--rm", "-e", "A=1", "--no-sig-proxy", "busybox", "--rm=true",
    ]  # fmt: skip


def test_help_is_a_verb_too() -> None:
    """`help run` is `run --help`; an unknown verb is an error."""
    assert call("help", "run").output.startswith("Usage: containerkit run")
    assert call("help", "image", "rm").output.startswith("Usage: containerkit image rm")
    assert call("help").output.startswith("Usage: containerkit [OPTIONS]")
    assert call("help", "nonsense").exit_code == 1
    assert call("-v").output == call("--version").output
