"""The docker command line's verbs, on the engine in memory."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import containerkit as ck
from containerkit.cli import app
from containerkit.cli.container import _split
from containerkit.cli.output import columns_text, moment
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder
from tests.open_engine import Open


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[ck.Engine]:
    with ck.connect(FakeBackend(images=["app:1"])) as opened:
        monkeypatch.setattr(ck, "connect", lambda target=None, *, timeout: Open(opened))
        yield opened


def call(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def test_stop_start_restart_kill_and_rm_print_each_name(engine: ck.Engine) -> None:
    """Each verb changes the state and prints the name that was typed."""
    container = engine.start("app:1", name="web")
    for verb, status in (("pause", "paused"), ("unpause", "running"), ("restart", "running"), ("stop", "exited"),
                         ("start", "running"), ("kill", "exited")):  # fmt: skip
        result = call(verb, "web")
        assert (result.exit_code, result.stdout) == (0, "web\n"), result.output
        assert container.refresh().status == status
    assert call("rm", "web").stdout == "web\n"
    assert not engine.containers.exists("web")


def test_rm_force_removes_a_running_container(engine: ck.Engine) -> None:
    """Without --force the error is one line and the exit code is 1."""
    engine.start("app:1", name="web")
    refused = call("rm", "web")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert len(refused.stderr.splitlines()) == 1
    assert call("rm", "-fv", "web").exit_code == 0


def test_a_missing_name_does_not_stop_the_others(engine: ck.Engine) -> None:
    """The error goes to stderr, the other container is stopped, and the exit code is 1."""
    engine.start("app:1", name="web")
    result = call("stop", "missing", "web")
    assert (result.exit_code, result.stdout) == (1, "web\n")
    assert "missing" in result.stderr
    assert engine.containers.get("web").status == "exited"


def test_rm_force_ignores_a_missing_container(engine: ck.Engine) -> None:
    """The exit code is 0, as with docker rm -f."""
    result = call("rm", "-f", "missing")
    assert (result.exit_code, result.stdout) == (0, "")


def test_rename_and_quiet_lists(engine: ck.Engine) -> None:
    """ps -q and images -q print only IDs of 12 digits."""
    container = engine.start("app:1", name="web")
    assert call("rename", "web", "site").exit_code == 0
    assert container.refresh().name == "site"
    assert call("ps", "-q").stdout == f"{container.short_id}\n"
    assert call("images", "-q").stdout == f"{engine.images.get('app:1').short_id}\n"


def test_tag_and_rmi(engine: ck.Engine) -> None:
    """A tag is a second name; rmi removes one name."""
    assert call("tag", "app:1", "app:2").exit_code == 0
    assert engine.images.exists("app:2")
    assert call("rmi", "app:2").stdout == "Untagged: app:2\n"
    assert engine.images.exists("app:1")
    assert not engine.images.exists("app:2")
    identity = engine.images.get("app:1").id
    assert call("rmi", "app:1").stdout == f"Untagged: app:1\nDeleted: {identity}\n"
    missing = call("rmi", "-f", "app:1")
    assert (missing.exit_code, missing.stdout) == (0, "")


def test_save_and_load(engine: ck.Engine, tmp_path: Path) -> None:
    """load prints the name of what it loaded."""
    path = tmp_path / "in.tar"
    path.write_bytes(ImageBuilder().layer(files={"/a": b"x"}).tag("new:1").to_docker_archive())
    assert call("load", "-i", str(path)).stdout == "Loaded image: new:1\n"
    assert call("save", "-o", str(tmp_path / "out.tar"), "new:1").exit_code == 0
    assert (tmp_path / "out.tar").stat().st_size > 0


def test_save_and_export_write_to_stdout(engine: ck.Engine) -> None:
    """A tar archive, and nothing else."""
    engine.start("app:1", name="web")
    for verb, name in (("save", "app:1"), ("export", "web")):
        result = call(verb, name)
        assert result.exit_code == 0
        with tarfile.open(fileobj=io.BytesIO(result.stdout_bytes)) as archive:
            assert archive.getnames() is not None


def test_version_and_history_take_templates(engine: ck.Engine) -> None:
    """Client and server; the size of each step."""
    assert call("version", "--format", "{{.Client.Version}}").stdout == f"{ck.__version__}\n"
    assert call("version").stdout.startswith("Client: containerkit\n")
    assert call("history", "app:1").stdout.startswith("IMAGE ")


def test_networks_connect_and_disconnect(engine: ck.Engine) -> None:
    """By the names of both."""
    container = engine.start("app:1", name="web")
    assert call("network", "create", "--subnet", "10.9.8.0/24", "--internal", "net").exit_code == 0
    assert engine.networks.get("net").internal
    assert call("network", "connect", "--alias", "db", "net", "web").exit_code == 0
    assert "net" in container.refresh().record.networks
    assert call("network", "disconnect", "net", "web").exit_code == 0
    assert "net" not in container.refresh().record.networks


def test_prune_removes_what_is_unused_and_asks_first(engine: ck.Engine) -> None:
    """Without --force and without an answer nothing is removed."""
    engine.networks.create("net", keep=True)
    assert call("network", "prune").exit_code != 0
    assert engine.networks.exists("net")
    assert call("network", "prune", "-f").stdout == "Deleted Networks:\nnet\n\n"
    assert call("system", "prune", "-f").stdout == "Total reclaimed space: 0B\n"


def test_inspect_of_one_kind_finds_no_other(engine: ck.Engine) -> None:
    """What is missing gives an empty array and exit code 1."""
    engine.start("app:1", name="web")
    assert call("image", "inspect", "-f", "{{.Id}}", "app:1").stdout == f"{engine.images.get('app:1').id}\n"
    result = call("inspect", "--type", "image", "web")
    assert (result.exit_code, result.stdout) == (1, "[]\n")


@pytest.mark.parametrize("group", ["network", "volume"])
def test_networks_and_volumes(group: str, engine: ck.Engine) -> None:
    """create keeps it, ls names it, inspect is a JSON array, rm removes it."""
    assert call(group, "create", "--label", "a=b", "data").exit_code == 0
    assert "data" in call(group, "ls").stdout
    assert call(group, "ls").stdout.startswith("NETWORK ID" if group == "network" else "DRIVER")
    assert isinstance(json.loads(call(group, "inspect", "data").stdout), list)
    assert call(group, "rm", "data").stdout == "data\n"
    assert "data" not in call(group, "ls").stdout


def test_inspect_takes_containers_and_images(engine: ck.Engine) -> None:
    """A name that is no container is an image."""
    engine.start("app:1", name="web")
    assert len(json.loads(call("inspect", "web", "app:1").stdout)) == 2
    assert call("inspect", "missing").exit_code == 1
    assert call("inspect", "-f", "{{.Nonsense}}", "web").exit_code == 1
    assert call("inspect", "-f", "{{nonsense .}}", "web").exit_code == 64
    assert call("inspect", "-f", "{{.Name", "web").exit_code == 64


@pytest.mark.parametrize(
    ("error", "known", "code"),
    [
        (ck.StartFailed("exec: sh"), 127, 127),
        (ck.StartFailed("exec /x"), 126, 126),
        (ck.StartFailed("a mount was not found"), None, 125),
        (ck.ImageNotFound("image not found"), None, 125),
    ],
)
def test_exit_codes_of_run_are_those_of_docker(
    error: ck.ContainerKitError, known: int | None, code: int, monkeypatch: Any
) -> None:
    """127 not found, 126 not executable, 125 everything else that is not the command's own exit code."""
    if isinstance(error, ck.StartFailed):
        error.exit_code = known

    def create(*args: Any, **options: Any) -> None:
        raise error

    broken: Any = SimpleNamespace(containers=SimpleNamespace(create=create))
    monkeypatch.setattr(ck, "connect", lambda target=None, *, timeout: Open(broken))
    result = call("run", "--rm", "app:1", "x")
    assert result.exit_code == code
    assert result.stderr == f"containerkit: {error}\n"


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --debug an error is one line; with it the exception leaves the program."""

    def connect(target: object = None, *, timeout: float) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(ck, "connect", connect)
    assert "--debug" in call("info").stderr
    assert isinstance(call("--debug", "info").exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("path", "found"),
    [("web:/etc", ("web", "/etc")), ("./a:b", None), ("/a:b", None), ("plain", None), (":x", None)],
)
def test_a_path_in_a_container_has_a_name_and_a_colon(path: str, found: object) -> None:
    """A path that starts with . or / is of this machine."""
    assert _split(path) == found


@pytest.mark.parametrize("paths", [("a", "b"), ("x:/a", "y:/b")])
def test_cp_needs_exactly_one_path_in_a_container(paths: tuple[str, str], engine: ck.Engine) -> None:
    """Two paths of this machine, or two of containers, are wrong usage."""
    assert call("cp", *paths).exit_code == 1


def test_columns_are_aligned_and_free_of_control_characters() -> None:
    """Three spaces follow the widest cell, a column has at least 10 characters, and lines end without spaces."""
    rows = [("a longer word", "x"), ("\x1b", "yy")]
    assert columns_text(("A", "B"), rows) == f"{'A':16}B\na longer word   x\n{'':16}yy"
    assert columns_text(("A", "B"), []) == "A         B"


@pytest.mark.parametrize("answer", ["n\n", "y\n", None], ids=["no", "yes", "force"])
def test_prune_asks_first(answer: str | None, engine: ck.Engine) -> None:
    """--force does not ask; only what is unused is removed, and each removed name is printed."""
    container = engine.containers.create("app:1", "greet", name="old")
    engine.start("app:1", name="web")
    arguments = ["container", "prune", *([] if answer else ["--force"])]
    result = CliRunner().invoke(app, arguments, input=answer)
    assert result.exit_code == (130 if answer == "n\n" else 0)
    assert engine.containers.exists("old") == (answer == "n\n")
    assert engine.containers.exists("web")
    assert (container.id in result.stdout) == (answer != "n\n")


def test_files_go_in_and_out(engine: ck.Engine, tmp_path: Path) -> None:
    """cp places a file on either side; exactly one side is a container's."""
    engine.start("app:1", name="web")
    (tmp_path / "in").write_bytes(b"data")
    assert call("cp", str(tmp_path / "in"), "web:/in").exit_code == 0
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert call("cp", "-L", str(tmp_path / "link"), "web:/followed").exit_code == 0
    assert call("cp", "web:/followed", str(tmp_path / "copy")).exit_code == 0
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "in").read_bytes()
    assert not (tmp_path / "copy").is_symlink()
    assert call("cp", "web:/in", str(tmp_path / "out")).exit_code == 0
    assert (tmp_path / "out").read_bytes() == b"data"
    assert call("diff", "web").stdout == "A /followed\nA /in\n"
    assert call("cp", str(tmp_path / "in"), str(tmp_path / "out")).exit_code == 1


def test_ports_are_listed(engine: ck.Engine) -> None:
    """All, or those of one port; an unpublished port is an error."""
    engine.start("app:1", name="web", publish={80: 8080})
    assert "80/tcp -> " in call("port", "web").stdout
    assert call("port", "web", "80").stdout.rstrip().endswith(":8080")
    assert call("port", "web", "81").exit_code == 1


def test_commit_and_history(engine: ck.Engine) -> None:
    """commit prints the ID of an image whose history has the message."""
    engine.start("app:1", name="web")
    assert call("commit", "-m", "a change", "web", "app:2").stdout.strip() == engine.images.get("app:2").id
    assert "a change" in call("history", "app:2").stdout
    assert len(call("history", "-q", "app:2").stdout.splitlines()) >= 1


def test_moments() -> None:
    """A span before now, seconds, or a date; anything else is refused."""
    assert moment("--since", None) is None
    assert moment("--since", "1700000000") == 1700000000.0
    assert moment("--since", "2024-01-31T12:00:00Z") == 1706702400.0
    now = time.time()
    assert abs((moment("--since", "1h30m10s") or 0) - (now - 5410)) < 60
    with pytest.raises(click.BadParameter, match="is not like"):
        moment("--since", "soon")


def test_cp_takes_an_archive_from_stdin_and_gives_one_on_stdout(engine: ck.Engine) -> None:
    """A - is a tar archive; nothing named - is written."""
    engine.start("app:1", name="web").write_file("/in", "data")
    out = CliRunner().invoke(app, ["cp", "web:/in", "-"])
    assert out.exit_code == 0
    engine.containers.get("web").write_file("/in", "other")
    assert CliRunner().invoke(app, ["cp", "-", "web:/"], input=out.stdout_bytes).exit_code == 0
    assert engine.containers.get("web").read_file("/in") == b"data"
    assert not Path("-").exists()


def test_import_makes_an_image_of_an_export(engine: ck.Engine, tmp_path: Path) -> None:
    """The ID is printed; a change is applied. An engine without a build cache says so."""
    with engine.start("app:1", name="web").export() as stream:
        (tmp_path / "tar").write_bytes(stream.read())
    result = call("import", "--change", "ENV A=1", str(tmp_path / "tar"), "made:1")
    assert result.stdout.strip() == engine.images.get("made:1").id
    assert "A=1" in engine.images.get("made:1").config["Env"]
    assert "build cache" in call("builder", "prune", "--force").stderr


# ---------------------------------------------------------------- registries, doctor
@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["login", "--password-stdin"], "needs --username"),
        (["login", "-u", "me"], "no terminal"),
        (["login", "-u", "me", "--password-stdin"], "must not be empty"),
        (["login", "-u", "me", "-p", "x", "--password-stdin"], "one of them"),
    ],
)
def test_login_without_what_it_needs(args: list[str], words: str, engine: ck.Engine) -> None:
    """One line that says what is missing; exit code 1."""
    result = call(*args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr


def test_login_passes_the_account_on(engine: ck.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the line end, and without the scheme of the address; the password is not printed."""
    asked: list[object] = []
    monkeypatch.setattr(ck.Engine, "login", lambda self, *args, **how: asked.append((args, how)))
    result = CliRunner().invoke(app, ["login", "-u", "me", "--password-stdin", "https://r:5000/v2/"], input="word\n")
    assert (result.exit_code, result.output) == (0, "Login Succeeded\n")
    assert asked == [(("me", "word", "r:5000"), {"store": True})]


def test_ps_with_sizes(engine: ck.Engine) -> None:
    """One more column, at the end."""
    engine.start("app:1", name="web")
    title, row = call("ps", "-s").stdout.splitlines()
    assert title.endswith("SIZE")
    assert "(virtual " in row


def test_doctor_says_which_engine_is_taken(engine: ck.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code says whether one answers."""
    places = (
        ck.Endpoint("unix:///down", "test", reason="no such socket"),
        ck.Endpoint(engine.url, "a test", kind="docker", reachable=True),
    )
    monkeypatch.setattr(ck, "discover", lambda: places)
    told = json.loads(call("doctor", "--json").stdout)
    assert (told["taken"], told["why"]) == (engine.url, "a test; 1 places before it do not answer")
    result = call("doctor")
    assert result.exit_code == 0
    assert "unix:///down" in result.stdout


def test_doctor_without_an_engine_says_what_starts_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, and a command."""

    def connect(target: object = None, *, timeout: float) -> None:
        raise ck.EngineUnavailable("nothing answers")

    monkeypatch.setattr(ck, "connect", connect)
    monkeypatch.setattr(ck, "discover", lambda: ())
    result = call("doctor")
    assert result.exit_code == 1
    assert "nothing answers" in result.stdout
    assert "systemctl" in result.stdout or "apt-get" in result.stdout


# ---------------------------------------------------------------- completion
@pytest.mark.parametrize(
    ("typed", "names"),
    [
        (["stop"], ["web", "work"]),
        (["container", "rm", "-f"], ["web", "work"]),
        (["exec"], ["web", "work"]),
        (["network", "rm"], ["wire"]),
        (["volume", "rm"], ["wares"]),
        (["rmi"], ["work/app:1"]),
        (["run", "--rm"], ["work/app:1"]),
        (["network", "create"], []),
    ],
)
def test_names_are_completed(typed: list[str], names: list[str], engine: ck.Engine) -> None:
    """Those of the engine that begin with what was typed."""
    from click.shell_completion import ShellComplete

    engine.start("app:1", name="web")
    engine.start("app:1", name="work")
    engine.networks.create("wire")
    engine.volumes.create("wares")
    engine.images.get("app:1").tag("work/app:1")
    found = ShellComplete(app, {}, "containerkit", "X").get_completions(typed, "w")
    assert [item.value for item in found] == names


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell: str) -> None:
    """It calls the program with the variable that click looks for."""
    assert f"_CONTAINERKIT_COMPLETE={shell}_complete" in call("completion", shell).stdout


def test_stats_of_an_engine_that_cannot_measure_is_an_error(engine: ck.Engine) -> None:
    """No line of dashes stands for figures that no engine gives."""
    engine.start("app:1", name="web")
    result = call("stats", "--no-stream", "web")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "stats" in result.stderr


def test_lists_of_volumes_are_sorted_and_a_second_create_takes_the_first(engine: ck.Engine) -> None:
    """As docker does; a network of that name is an error."""
    assert call("volume", "create", "two").stdout == "two\n"
    assert call("volume", "create", "one").stdout == "one\n"
    again = call("volume", "create", "two")
    assert (again.exit_code, again.stdout) == (0, "two\n")
    assert call("volume", "ls", "-q").stdout == "one\ntwo\n"
    assert call("network", "create", "net").exit_code == 0
    assert call("network", "create", "net").exit_code == 1


def test_a_list_without_titles_and_a_removal_with_time(engine: ck.Engine) -> None:
    """--noheading leaves the titles out, of an empty list too; rm -t stops a running container first."""
    assert call("ps", "--noheading").stdout == ""
    engine.start("app:1", name="web")
    assert call("ps", "--noheading").stdout.count("\n") == 1
    assert call("images", "--noheading").stdout.startswith("app")
    assert call("volume", "ls", "--noheading").stdout == ""
    assert call("rm", "-t", "1", "-f", "web").stdout == "web\n"
    assert not engine.containers.exists("web")
