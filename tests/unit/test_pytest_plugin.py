"""The pytest plugin, in test runs of its own, on an engine that only notes what is asked of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit.pytest_plugin.summary import Summary
from tests.pages import blocks

pytest_plugins = ["pytester"]

NAME = "containerkit.pytest_plugin"
#: Installed, it is loaded by its entry point; from a checkout it has to be named.
PLUGIN = () if [one for one in entry_points(group="pytest11") if one.name == "containerkit.pytest_plugin"] else (
    "-p", "containerkit.pytest_plugin",
)  # fmt: skip

noted: list[str] = []


class Thing:
    """A container or network that notes its removal."""

    def __init__(self, name: str) -> None:
        self.name = self.short_id = name

    def remove(self, **options: object) -> None:
        noted.append(f"remove {self.name} {options}" if options else f"remove {self.name}")
        if self.name.startswith("stuck"):
            raise ck.EngineError("it will not go")
        if self.name.startswith("gone"):
            raise ck.ContainerNotFound("no such container")

    def wait_until(self, strategy: object, timeout: float) -> None:
        noted.append(f"wait {self.name} {strategy} {timeout}")

    def logs(self, *, tail: int) -> str:
        if self.name.startswith("mute"):
            raise ck.EngineError("this log driver cannot be read")
        return f"{self.name} says hello\udcff\n"


def cleanup(engine: object) -> ck.Cleaned:
    return ck.Cleaned(containers=("old",))


class StubEngine:
    """As much of an Engine as the plugin uses."""

    def __init__(self, target: str | None) -> None:
        self.target = target
        self.networks = self

        noted.append(f"open {target}")

    def __enter__(self) -> StubEngine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        noted.append(f"close {self.target}")

    def start(self, image: str, command: Any = None, **options: Any) -> Thing:
        noted.append(f"start {image} {command} {options}")
        return Thing(image)

    def create(self, name: str) -> Thing:
        noted.append("network")
        return Thing(name)


def connect(target: str | None = None, *, reaper: bool = False) -> StubEngine:
    if target == "nobody":
        raise ck.EngineUnavailable("no engine answers. Tried:\n  nobody: no such socket")
    return StubEngine(target)


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    noted.clear()
    monkeypatch.setattr(ck, "connect", connect)
    monkeypatch.setattr(ck, "cleanup", cleanup)
    yield
    noted.clear()


def run(pytester: pytest.Pytester, code: str, *args: str) -> pytest.RunResult:
    pytester.makepyfile(code)
    return pytester.runpytest_inprocess(*PLUGIN, "-W", "error", "-p", "no:cacheprovider", "-v", *args)


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    """Every pytest run of every user loads it: no vendor, no HTTP, no rich, no room of containerkit."""
    code = (
        "import sys, containerkit.pytest_plugin; print(sorted(name for name in sys.modules if "
        "name.partition('.')[0] in "
        "('docker', 'podman', 'requests', 'rich', 'click', 'msgspec') or name.startswith('containerkit.')))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    ours = (
        "_lazy",
        "_version",
        "pytest_plugin",
        *(f"pytest_plugin.{name}" for name in ("engines", "factory", "recorded", "shared", "summary")),
    )
    assert told.strip() == str([f"containerkit.{name}" for name in ours])


@pytest.mark.parametrize("how", ["-p", "conftest", "installed", "twice"])
def test_the_plugin_is_there_however_it_is_loaded(pytester: pytest.Pytester, how: str) -> None:
    """By its entry point, by -p and by a conftest; also when it is asked for twice."""
    if how != "-p":
        name = "conftest.py" if how != "installed" else "unused.py"
        (pytester.path / name).write_text('pytest_plugins = ["containerkit.pytest_plugin"]\n')
    if how in ("installed", "twice"):
        folder = pytester.path / "site" / "plugged-1.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1\n")
        (folder / "entry_points.txt").write_text(f"[pytest11]\n{NAME} = {NAME}\n")
        pytester.syspathinsert(pytester.path / "site")
    pytester.makepyfile("def test_it(fake_engine): assert fake_engine.images.list() == []")
    path = os.pathsep.join([str(pytester.path / "site"), *sys.path])
    given = ["-p", NAME] if how in ("-p", "twice") else []
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *given]
    done = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, env={"PYTHONPATH": path})
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_page_about_tests_without_an_engine_passes_its_own(pytester: pytest.Pytester) -> None:
    """The tests that the page shows, collected and run by pytest, pass."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "test-without-an-engine.md"
    pytester.makepyfile("\n".join(block.text for block in blocks(page) if block.language == "python"))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", NAME]
    path = os.pathsep.join(sys.path)
    done = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, env={"PYTHONPATH": path})
    assert "5 passed" in done.stdout, done.stdout + done.stderr


def test_containers_are_removed_last_started_first(pytester: pytest.Pytester) -> None:
    """The factory passes its arguments on, and removes by force and with volumes, in reverse."""
    result = run(
        pytester,
        """
        def test_two(containers):
            assert containers("one", ["sh"], env={"A": "1"}).name == "one"
            containers("two")
        """,
    )
    result.assert_outcomes(passed=1)
    assert noted == [
        "open None",
        "start one ['sh'] {'env': {'A': '1'}}",
        "start two None {}",
        "remove two {'force': True, 'volumes': True}",
        "remove one {'force': True, 'volumes': True}",
        "close None",
    ]


def test_removal_goes_on_after_a_failure_and_reports_it(pytester: pytest.Pytester) -> None:
    """A container that cannot be removed is an error of the test; the others are removed; one that is gone is fine."""
    result = run(
        pytester,
        """
        def test_three(containers):
            for name in ("one", "stuck", "gone"):
                containers(name)
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["could not remove container stuck: it will not go"])
    assert [line.split()[1] for line in noted if line.startswith("remove")] == ["gone", "stuck", "one"]


def test_a_failing_test_shows_the_logs_of_its_containers(pytester: pytest.Pytester) -> None:
    """Read before they are removed; a log that cannot be read says why; other tests' containers are not shown."""
    result = run(
        pytester,
        """
        def test_good(containers):
            containers("quiet")

        def test_bad(containers):
            containers("loud")
            containers("mute")
            assert 0
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Log of container loud*",
            "loud says hello\\udcff",
            "*Log of container mute*",
            "(no log: this log driver cannot be read)",
        ]
    )
    result.stdout.no_fnmatch_line("*quiet says*")


def test_logs_are_shown_where_a_fixture_fails(pytester: pytest.Pytester) -> None:
    """A fixture that started a container and then failed shows that container's log."""
    result = run(
        pytester,
        """
        import pytest

        @pytest.fixture
        def database(containers):
            containers("database")
            raise RuntimeError("not ready")

        def test_it(database): ...
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["database says hello*"])


def test_a_network_is_removed_after_the_containers_on_it(pytester: pytest.Pytester) -> None:
    """Whatever the order of a test's arguments."""
    result = run(
        pytester,
        """
        def test_net(containers, container_network):
            assert container_network.name.startswith("ck-test-")
            containers("one", network=container_network.name)
        """,
    )
    result.assert_outcomes(passed=1)
    removed = [line.split()[1] for line in noted if line.startswith("remove")]
    assert removed[0] == "one"
    assert removed[1].startswith("ck-test-")


TWO = """
def test_one(container_engine):
    assert container_engine.target in ("docker", "podman")

def test_two(containers):
    containers("image")

def test_without(): ...
"""


def test_each_test_runs_on_each_engine_given(pytester: pytest.Pytester) -> None:
    """Once per engine, however often it is named; tests that need none, once. Each engine is opened once."""
    args = [f"--container-engine={target}" for target in ("docker", "podman", "docker")]
    result = run(pytester, TWO, *args)
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["container engines: docker, podman"])
    assert [line for line in noted if line.startswith("open")] == ["open docker", "open podman"]


def test_without_an_engine_tests_are_skipped_with_the_reason(pytester: pytest.Pytester) -> None:
    """One line that says who was asked; tests that need no engine run."""
    result = run(pytester, TWO, "--container-engine=nobody", "-rs")
    result.assert_outcomes(skipped=2, passed=1)
    result.stdout.fnmatch_lines(["  nobody: no such socket", "SKIPPED*no engine answers (see the end of the report)"])


def test_a_required_engine_that_is_missing_is_a_failure(pytester: pytest.Pytester) -> None:
    """With --require-container-engine a missing engine cannot go unnoticed."""
    result = run(pytester, TWO, "--container-engine=nobody", "--require-container-engine")
    result.assert_outcomes(errors=2, passed=1)
    result.stdout.fnmatch_lines(["*nobody: no such socket*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_targets_are_separated_by_commas_and_have_short_ids(pytester: pytest.Pytester) -> None:
    """The ID of an address is its shortest end that no other has."""
    code = "def test_two(container_engine): ..."
    result = run(pytester, code, "--container-engine=unix:///run/a/docker.sock,unix:///run/b/docker.sock,podman")
    result.assert_outcomes(passed=3)
    for name in ("a-docker", "b-docker", "podman"):
        result.stdout.fnmatch_lines([f"*::test_two[[]{name}[]] PASSED*"])


SHARED = """
import pytest

@pytest.fixture(scope="session")
def whole(session_containers):
    return session_containers("whole")

@pytest.fixture(scope="module")
def part(module_containers):
    return module_containers("part")

def test_bad(whole, part):
    assert 0

def test_good(containers):
    containers("single")

def test_other():
    assert 0
"""


def test_containers_of_a_module_and_of_the_run(pytester: pytest.Pytester) -> None:
    """They outlive the test, their logs are in the report of a test that uses them, and the summary counts them."""
    result = run(pytester, SHARED)
    result.assert_outcomes(passed=1, failed=2)
    removed = [line.split()[1] for line in noted if line.startswith("remove")]
    assert removed == ["single", "part", "whole"]
    told = result.stdout.str()
    assert told.count("whole says hello") == told.count("part says hello") == 1
    result.stdout.fnmatch_lines(["containers started: 3 (part, single, whole)"])


def test_what_a_killed_run_left_is_removed_and_told(pytester: pytest.Pytester) -> None:
    """The next run that opens the engine cleans up."""
    result = run(pytester, TWO)
    result.stdout.fnmatch_lines(["removed, left by a run that was killed: old"])


def test_an_error_of_the_package_shows_the_line_of_the_test_only(pytester: pytest.Pytester) -> None:
    """--full-trace shows the package's own lines as well."""
    code = """
    from containerkit.testing import FakeBackend
    from containerkit import Engine

    def test_it():
        Engine(FakeBackend()).run("no-such-image:1", memory="a lot")
    """
    result = run(pytester, code)
    result.stdout.fnmatch_lines(["*.py:5: InvalidOption*"])
    assert "engine.py" not in result.stdout.str()
    assert "engine.py" in run(pytester, code, "--full-trace").stdout.str()


def test_a_strategy_is_waited_for(pytester: pytest.Pytester) -> None:
    """The option `wait` is for the plugin; the engine does not see it."""
    result = run(pytester, "def test_it(containers): containers('one', wait='ready', wait_timeout=5)")
    result.assert_outcomes(passed=1)
    assert "start one None {}" in noted
    assert "wait one ready 5" in noted


def test_the_lines_of_a_summary() -> None:
    """Images are counted, names are sorted, reasons appear once, and several processes add up."""
    first, second = Summary(started=["b:1", "a:1", "b:1"], missing=["no engine"]), Summary(missing=["no engine"])
    assert list(Summary().lines()) == []
    second.reused, second.kept, second.cleaned = ["a:1"], ["y", "x"], ["old"]
    total = Summary()
    for each in (first, second):
        total.add(each.to_dict())
    assert list(total.lines()) == [
        "containers started: 3 (a:1, b:1 ×2); shared or reused: 1 (a:1)",
        "left running (--containers-keep): x y",
        "removed, left by a run that was killed: old",
        "no engine",
    ]
    assert list(Summary(reused=["a:1"]).lines()) == ["containers started: 0; shared or reused: 1 (a:1)"]
