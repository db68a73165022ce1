"""Imports between rooms, and what importing the package costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import containerkit

PACKAGE = Path(containerkit.__file__).parent

MAP = PACKAGE.parent / "ARCHITECTURE.md"


def walls() -> dict[str, set[str]]:
    """Return room -> the rooms that it may import, from the table in ARCHITECTURE.md. "" stands for public names."""
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|$", MAP.read_text(), re.MULTILINE)
    found = {room: set(re.findall(r"`(\w+)`", allowed)) for room, allowed in rows}
    for room, allowed in rows:
        if "public names" in allowed:
            found[room].add("")
    return found


WALLS = walls()
#: vendor -> the only modules that may import it.
VENDORS = {
    "docker": {"backends/docker.py"},
    "podman": {"backends/podman.py"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (module, name) for what a module imports, anywhere in it; name is "" for `import module`."""
    package = ("containerkit", *path.relative_to(PACKAGE).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


def imported(path: Path) -> Iterator[str]:
    """Yield the absolute names of what a module imports, anywhere in it."""
    for module, name in imports_of(path):
        yield module
        if module == "containerkit" and name:
            yield f"containerkit.{name}"


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_what_its_wall_lets_through(path: Path) -> None:
    """A module imports only what the table in ARCHITECTURE.md allows its room."""
    allowed = WALLS[room_of(path)]
    ours = {
        name.split(".")[1] if "." in name else "" for name in imported(path) if name.partition(".")[0] == "containerkit"
    }
    if "" in allowed:  # public names only
        ours -= set(containerkit.__all__)
    ours -= {"", "_lazy", "_text", room_of(path)}
    assert ours <= allowed, f"{path.name} imports {sorted(ours - allowed)}"


def test_every_room_has_a_wall() -> None:
    """The table lists every room, and no room that does not exist."""
    assert {room_of(path) for path in modules()} == set(WALLS)


def imports_of_rooms() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in modules():
        room = room_of(path)
        names = {name.split(".")[1] for name in imported(path) if name.startswith("containerkit.")}
        found.setdefault(room, set()).update(names & set(WALLS) - {room, "__init__", "_lazy"})
    return found


def test_rooms_import_one_another_in_no_circle() -> None:
    """Following imports from room to room never leads back."""
    edges = imports_of_rooms()

    def visit(room: str, path: tuple[str, ...]) -> None:
        assert room not in path, f"a circle: {' -> '.join((*path, room))}"
        for other in edges.get(room, ()):
            visit(other, (*path, room))

    for room in edges:
        visit(room, ())


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    parts = ("containerkit", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_modules_import_one_another_in_no_circle() -> None:
    """Following imports from module to module never leads back, late imports and imports of types included."""
    names = {name_of(path): path for path in modules()}
    edges: dict[str, set[str]] = {}
    for module, path in names.items():
        if module == "containerkit":  # loads the public names when they are first used
            continue
        found = {f"{base}.{name}" if f"{base}.{name}" in names else base for base, name in imports_of(path)}
        edges[module] = found & set(names) - {module, "containerkit"}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' -> '.join((*path[path.index(module) :], module))}"
        if module not in done:
            for other in sorted(edges.get(module, ())):
                visit(other, (*path, module))
            done.add(module)

    for module in edges:
        visit(module, ())


def test_nothing_below_the_public_names_imports_them() -> None:
    """What `containerkit/__init__.py` imports does not import the package's public names."""
    (root,) = (path for path in modules() if name_of(path) == "containerkit")
    below = {name.split(".")[1] for name in imported(root) if name.startswith("containerkit.")}
    upward = [
        name_of(path)
        for path in modules()
        if room_of(path) in below and any(module == "containerkit" for module, _ in imports_of(path))
    ]
    assert upward == []


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
    """``__all__`` is sorted and complete, and each of its names can be imported."""
    assert list(containerkit.__all__) == sorted(containerkit.__all__)
    for name in containerkit.__all__:
        assert getattr(containerkit, name) is not None
    assert set(containerkit.__all__) <= set(dir(containerkit))


def test_importing_the_package_imports_no_vendor_and_nothing_heavy() -> None:
    """``import containerkit`` loads neither vendor client, nor requests, rich, click or msgspec."""
    heavy = ("docker", "podman", "requests", "urllib3", "rich", "click", "msgspec", "tenacity", "dataclasses")
    code = f"import sys, containerkit; print([m for m in {heavy!r} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"


@pytest.mark.parametrize(
    "first",
    ["containerkit.discovery.connect", "containerkit.leftovers", "containerkit.resources.run", "containerkit.wait"],
)
def test_a_module_never_hides_a_public_function(first: str) -> None:
    """``containerkit.connect`` is the function, whichever module is imported first."""
    code = f"import {first}, containerkit; print(callable(containerkit.connect), callable(containerkit.cleanup))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True", "True"]


def test_every_test_file_has_a_name_of_its_own() -> None:
    """pytest refuses to collect two files of one name from folders that are no packages."""
    folder = Path(__file__).parent
    names = [path.name for path in folder.rglob("test_*.py") if not (path.parent / "__init__.py").exists()]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_lines_end_at_line_feeds_only() -> None:
    """str.splitlines() also ends lines at characters that names and values of files and processes may hold."""
    found = [path for path in modules() if "splitlines" in path.read_text() and path.name != "_text.py"]
    assert not found
