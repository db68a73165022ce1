"""The verbs about layers on archives: from stdin, from a name without ./, compared, and as a rule for CI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from containerkit.cli import app
from containerkit.testing.archives import ImageBuilder

OLD = ImageBuilder().layer(files={"a": 1000, "etc/b": "one"}).tag("old:1")
NEW = OLD.layer(files={"etc/b": "two"}, whiteouts=["a"]).tag("new:1")


@pytest.fixture(autouse=True)
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.tar").write_bytes(OLD.to_docker_archive())
    Path("new.tar").write_bytes(NEW.to_docker_archive())


def call(*args: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(app, list(args), input=stdin)


def test_an_archive_by_its_name_and_from_a_pipe() -> None:
    """`image.tar` needs no ./, and `-` reads stdin."""
    named, piped = call("layers", "old.tar", "--json"), call("layers", "-", "--json", stdin=OLD.to_docker_archive())
    assert (named.exit_code, piped.exit_code) == (0, 0)
    assert json.loads(named.output) == json.loads(piped.output)


def test_compare_lists_what_differs() -> None:
    """Each difference with its kind; --exit-code makes it a rule."""
    found = call("compare-images", "old.tar", "new.tar", "--json")
    assert found.exit_code == 0
    kinds = {kind: [change["path"] for change in changes] for kind, changes in json.loads(found.output).items()}
    assert kinds == {"added": [], "modified": ["/etc/b"], "removed": ["/a"]}
    assert "0 added, 1 modified, 1 removed." in call("compare-images", "old.tar", "new.tar").output
    assert call("compare-images", "old.tar", "new.tar", "--exit-code").exit_code == 1
    assert call("compare-images", "old.tar", "old.tar", "--exit-code").exit_code == 0


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        (("--max-bytes", "1002"), "1003 bytes are wasted"),
        (("--max-bytes", "1003"), ""),
        (("--max-percent", "99"), "% of the bytes are wasted"),
        (("--max-percent", "99.9"), ""),
        (("--min-efficiency", "0.9"), "the efficiency is 0.0030"),
        (("--min-efficiency", "0"), ""),
    ],
)
def test_waste_beyond_a_limit_fails(rule: tuple[str, str], broken: str) -> None:
    """Each rule is broken only beyond its limit; the exit code is 1 and the message says how much."""
    found = call("waste", "new.tar", *rule)
    assert found.exit_code == (1 if broken else 0)
    assert broken in found.output + found.stderr


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        (("--max-size", "1005"), "the files have 1006 bytes, 1005 are allowed"),
        (("--max-size", "1006"), ""),
        (("--max-layers", "1"), "there are 2 layers, 1 are allowed"),
        (("--max-layers", "2"), ""),
    ],
)
def test_layers_beyond_a_limit_fail(rule: tuple[str, str], broken: str) -> None:
    """The rule is broken only beyond its limit."""
    found = call("layers", "new.tar", *rule)
    assert found.exit_code == (1 if broken else 0)
    assert broken in found.output + found.stderr


def test_the_history_as_a_dockerfile() -> None:
    """The verb prints the instructions."""
    Path("built.tar").write_bytes(
        ImageBuilder().layer(files={"a": 1}, created_by="RUN /bin/sh -c make # buildkit").to_docker_archive()
    )
    assert call("dockerfile", "built.tar").output.splitlines()[1:] == ["FROM scratch", "RUN make"]


def test_settings_that_differ() -> None:
    """Variables and labels one by one; what is equal is left out; --exit-code makes it a rule."""
    base = ImageBuilder().layer(files={"a": 1})
    for name, values in (
        ("one.tar", {"Env": ["A=1", "B=2"], "User": "", "Labels": {"v": "1"}}),
        ("two.tar", {"Env": ["A=1", "B=3=4"], "Cmd": ["sh"], "Labels": {"v": "1"}}),
    ):
        Path(name).write_bytes(base.run_config(**values).to_docker_archive())
    found = call("compare-images", "one.tar", "two.tar", "--config", "--json", "--exit-code")
    assert found.exit_code == 1
    assert json.loads(found.output) == [
        {"setting": "Cmd", "before": None, "after": ["sh"]},
        {"setting": "Env B", "before": "2", "after": "3=4"},
    ]
    assert '["sh"]' in call("compare-images", "one.tar", "two.tar", "--config").output
    assert call("compare-images", "one.tar", "one.tar", "--config", "--exit-code").exit_code == 0
