"""Limits in a project's settings, paths that do not count, annotations, and the comparison of layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import containerkit as ck
from containerkit.cli import app
from containerkit.testing.archives import ImageBuilder

BASE = ImageBuilder().layer(files={"a": 1000, "var/cache/x": 500, "keep": 10})
IMAGE = BASE.layer(files={"a": 900}, whiteouts=["var/cache/x"], created_by="RUN |1 V=1 /bin/sh -c rm /var/cache/x")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    Path("image.tar").write_bytes(IMAGE.to_docker_archive())
    Path("base.tar").write_bytes(BASE.to_docker_archive())


def call(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def test_ignored_paths_do_not_count() -> None:
    """Neither in the wasted bytes nor in all; a folder means what is below, and a star crosses slashes."""
    waste = ck.open_archive("image.tar").waste()
    assert (waste.wasted_bytes, waste.total_bytes) == (1500, 2410)
    for pattern in ("/var", "/var/cache/", "/var/cache/x", "*/x"):
        found = waste.ignoring([pattern])
        assert (found.wasted_bytes, found.total_bytes, found.visible_bytes) == (1000, 1910, 910), pattern
    assert waste.ignoring(["/va"]).wasted_bytes == 1500
    assert waste.ignoring("/*").wasted_bytes == 0
    with pytest.raises(ck.InvalidOption):
        waste.ignoring(["var"])


@pytest.mark.parametrize(
    ("file", "prefix"), [(".containerkit.toml", ""), ("pyproject.toml", "tool.containerkit.")], ids=["own", "pyproject"]
)
def test_limits_of_the_project(file: str, prefix: str) -> None:
    """They hold without an option, and an option replaces them."""
    Path(file).write_text(
        f'[{prefix}waste]\nmax-bytes = 1200\nignore = ["/var/cache"]\n[{prefix}layers]\nmax-layers = 1\n'
    )
    assert call("waste", "image.tar").exit_code == 0
    assert call("waste", "image.tar", "--max-bytes", "999").exit_code == 1
    assert "2 layers, 1 are allowed" in call("layers", "image.tar").stderr
    assert call("layers", "image.tar", "--max-layers", "2").exit_code == 0


@pytest.mark.parametrize(
    "text", ["[waste]\nmost = 1\n", "[run]\nmemory = 1\n", "waste = 1\n", "[waste]\nmax-bytes = 'x'\n", "["]
)
def test_wrong_settings_are_refused(text: str) -> None:
    """An unknown section or limit, a value of the wrong kind and broken TOML are wrong usage."""
    Path(".containerkit.toml").write_text(text)
    found = call("waste", "image.tar")
    assert found.exit_code != 0
    assert ".containerkit.toml" in found.stderr or "max_bytes" in found.stderr or "max-bytes" in found.stderr


def test_annotations_and_junit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under GitHub Actions a broken rule is an error with a title; the JUnit file has each rule."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    found = call("waste", "image.tar", "--max-bytes", "1", "--max-percent", "99", "--junit", "x.xml")
    assert found.exit_code == 1
    assert (
        "::error title=containerkit waste%3A max-bytes::image.tar: 1500 bytes are wasted, 1 are allowed" in found.stderr
    )
    assert found.stderr.count("::error") == 1
    assert 'tests="2" failures="1"' in Path("x.xml").read_text()
    assert call("layers", "image.tar", "--max-layers", "1", "--max-size", "99999", "--junit", "y.xml").exit_code == 1
    assert 'tests="2" failures="1"' in Path("y.xml").read_text()


def test_layers_are_compared() -> None:
    """Shared ones, one of the same content on another base, added and removed ones."""
    other = ImageBuilder().layer(files={"other": 1}).raw_layer(BASE.layers[0].tar)
    Path("other.tar").write_bytes(other.to_docker_archive())
    base, image, moved = (ck.open_archive(f"{name}.tar") for name in ("base", "image", "other"))
    assert [(one.kind, one.before, one.after) for one in base.compare_layers(image)] == [
        ("shared", 0, 0),
        ("added", None, 1),
    ]
    assert [one.kind for one in image.compare_layers(base)] == ["shared", "removed"]
    found = base.compare_layers(moved)
    assert [(one.kind, one.before, one.after) for one in found] == [("added", None, 0), ("same content", 0, 1)]
    assert "same content" in str(found)
    assert json.loads(call("compare-images", "base.tar", "image.tar", "--layers", "--json").output)[1]["content"] == 900


def test_a_comparison_as_a_page() -> None:
    """Layers, settings and files in one page that loads nothing."""
    assert call("compare-images", "base.tar", "image.tar", "--html", "x.html").exit_code == 0
    page = Path("x.html").read_text()
    assert page.startswith("<!doctype html>")
    assert all(word in page for word in ("Layers of", "Settings of", "/var/cache/x", "shared"))
    assert "http" not in page.replace("http://www.w3.org", "")
    found = ck.open_archive("base.tar").compare(ck.open_archive("image.tar"))
    assert repr(found) == "<Diff 0 added, 1 modified, 1 removed>"
    assert "removed" in ck.open_archive("base.tar").compare(ck.open_archive("image.tar"))._repr_html_()


def test_the_stack_is_drawn() -> None:
    """Sheets with instructions as one would write them; the container's own layer is read-write and on top."""
    stack = ck.open_archive("image.tar")
    drawing = stack.picture()
    svg = drawing.to_svg()
    assert svg.count("<polygon") == 2 * 3
    assert "RUN rm /var/cache/x" in svg
    assert "|1 V=1" not in svg
    assert "read-write" in drawing.to_text().splitlines()[3]
    assert len(stack.picture(container=False).sheets) == 2
    assert svg in stack._repr_html_()
