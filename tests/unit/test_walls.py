"""Who may import whom, and what the package shows to the outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import containerkit

PACKAGE = Path(containerkit.__file__).parent

#: room -> the only rooms of ours it may import. Every room is listed; a room may always import itself.
WALLS = {
    "_lazy": set(),
    "_text": set(),
    "_version": set(),
    "errors": set(),
    "values": set(),
    "userconfig": {"errors", "reference", "spec"},
    "reference": {"errors", "values"},
    "spec": {"values"},
    "streams": {"errors", "values"},
    "oci": {"errors"},
    "display": {"errors", "values"},
    "options": {"errors", "reference", "spec", "values"},
    "backends": {"errors", "options", "reference", "spec", "streams", "values"},
    "store": {"backends", "errors", "oci"},
    "layers": {"backends", "display", "errors", "oci", "options", "reference", "store", "values"},
    "isolation": {"backends", "display", "errors", "oci", "reference", "spec", "streams"},
    "resources": {
        "_version",
        "backends",
        "errors",
        "layers",
        "options",
        "reference",
        "spec",
        "streams",
        "userconfig",
        "values",
    },
    "wait": {"resources"},
    "engine": {"backends", "errors", "isolation", "layers", "options", "resources", "streams"},
    "discovery": {"backends", "engine", "errors", "userconfig"},
    "reaper": {"discovery", "errors", "resources"},
    "leftovers": {"backends", "discovery", "engine", "errors", "options", "resources", "values"},
    "cli": {""},
    "pytest_plugin": {"", "testing"},
    "testing": {
        "",
        "backends",
        "engine",
        "errors",
        "oci",
        "options",
        "reference",
        "resources",
        "spec",
        "streams",
        "wait",
    },
    "__init__": {
        "_version",
        "backends",
        "discovery",
        "engine",
        "errors",
        "isolation",
        "layers",
        "leftovers",
        "resources",
        "spec",
        "streams",
        "wait",
    },
    "__main__": {"cli"},
}
#: vendor -> the only modules that may name it.
VENDORS = {
    "docker": {"backends/docker.py"},
    "podman": {"backends/podman.py"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Absolute names of what a module imports, wherever in it."""
    inside = path.relative_to(PACKAGE).with_suffix("").parts
    package = ("containerkit", *inside[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield name
            if name == "containerkit":
                yield from (f"containerkit.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_what_its_wall_lets_through(path: Path) -> None:
    """The import table of the design holds."""
    allowed = WALLS[room_of(path)]
    ours = {
        name.split(".")[1] if "." in name else "" for name in imported(path) if name.partition(".")[0] == "containerkit"
    }
    if "" in allowed:  # public names only
        ours -= set(containerkit.__all__)
    ours -= {"", "_lazy", "_text", room_of(path)}
    assert ours <= allowed, f"{path.name} imports {sorted(ours - allowed)}"


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_a_vendor_is_named_in_its_own_module_only(vendor: str) -> None:
    """Only a backend imports its vendor's client."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        if any(name.partition(".")[0] == vendor for name in imported(path))
    }
    assert found <= VENDORS[vendor]


def test_all_is_exact() -> None:
    """``__all__`` is sorted, complete, and every name in it can be had."""
    assert list(containerkit.__all__) == sorted(containerkit.__all__)
    for name in containerkit.__all__:
        assert getattr(containerkit, name) is not None
    assert set(containerkit.__all__) <= set(dir(containerkit))


def test_importing_the_package_imports_no_vendor_and_nothing_heavy() -> None:
    """``import containerkit`` costs next to nothing: neither vendor, nor requests, rich, click or msgspec."""
    heavy = ("docker", "podman", "requests", "urllib3", "rich", "click", "msgspec", "tenacity", "dataclasses")
    code = f"import sys, containerkit; print([m for m in {heavy!r} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"


@pytest.mark.parametrize(
    "first",
    ["containerkit.discovery.connect", "containerkit.leftovers", "containerkit.resources.run", "containerkit.wait"],
)
def test_a_module_never_hides_a_public_function(first: str) -> None:
    """Whatever module is imported first, ``containerkit.connect`` is the function."""
    code = f"import {first}, containerkit; print(callable(containerkit.connect), callable(containerkit.cleanup))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True", "True"]
