"""Build contexts: a folder or a mapping in memory as a tar stream, without what .dockerignore leaves out."""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidOption
from .copying import Entry, tar_stream, tree_entries

__all__ = ["build_context", "ignored", "parse_ignore"]

_NAMES = ("Dockerfile", "Containerfile")


def build_context(context: Any, dockerfile: str | None) -> tuple[Iterable[bytes], str]:
    """(the context as a tar stream, the path of the Dockerfile in it).

    Args:
        context: a folder; or a mapping from paths in the context to text, bytes or files of this machine.
        dockerfile: its path in the context; None for "Dockerfile", else "Containerfile". In a folder also a path of
            this machine, which then joins the context.

    Raises:
        InvalidOption: no folder, no Dockerfile, a path that leads out of the context.
    """
    if isinstance(context, Mapping):
        return _from_mapping(context, dockerfile)
    if not isinstance(context, (str, os.PathLike)) or not os.fspath(context):
        raise InvalidOption("context", context, "a folder, or a mapping from paths to contents")
    root = Path(context)
    if not root.is_dir():
        raise InvalidOption("context", context, "a folder that exists")
    name, outside = _find_dockerfile(root, dockerfile)
    ignore_file = root / ".dockerignore"
    patterns = parse_ignore(ignore_file.read_text("utf-8", "surrogateescape")) if ignore_file.is_file() else []
    kept = list(_walk(root, ignored(patterns), {name, ".dockerignore"}))
    return tar_stream(_owned_by_root(_folder_entries(root, kept, name, outside))), name


def _find_dockerfile(root: Path, dockerfile: str | None) -> tuple[str, Path | None]:
    """(its path in the context, the file itself if it lies elsewhere)."""
    if dockerfile is None:
        for name in _NAMES:
            if (root / name).is_file():
                return name, None
        raise InvalidOption("context", str(root), "a folder with a Dockerfile (or Containerfile), or dockerfile=")
    inside = root / dockerfile
    if inside.is_file() and inside.resolve().is_relative_to(root.resolve()):
        return inside.resolve().relative_to(root.resolve()).as_posix(), None
    if Path(dockerfile).is_file():
        return ".containerkit.Dockerfile", Path(dockerfile)
    raise InvalidOption("dockerfile", dockerfile, f"a file in {root}, or one of this machine")


def _folder_entries(root: Path, kept: Iterable[str], name: str, outside: Path | None) -> Iterator[Entry]:
    yield from tree_entries(root, "", keep=kept)
    if outside is not None:
        yield from tree_entries(outside, name)


def _owned_by_root(entries: Iterable[Entry]) -> Iterator[Entry]:
    """As the builders do: who owns a file here says nothing there, and the cache must not depend on it."""
    for info, source in entries:
        info.uid = info.gid = 0
        yield info, source


def _walk(root: Path, leave_out: Callable[[str], bool], always: set[str]) -> Iterator[str]:
    """The paths to send, sorted. A folder that is left out is still walked: a "!" may bring back what is in it."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for item in sorted([*files, *folders]):
            path = Path(folder, item).relative_to(root).as_posix()
            if path in always or not leave_out(path):
                yield path


def _from_mapping(context: Mapping[Any, Any], dockerfile: str | None) -> tuple[Iterable[bytes], str]:
    for path in context:
        if not isinstance(path, str) or not path or path.startswith("/") or ".." in path.split("/") or "\0" in path:
            raise InvalidOption("context", path, "relative paths inside the context as keys")
    name = dockerfile or next((name for name in _NAMES if name in context), None)
    if name is None or name not in context:
        raise InvalidOption(
            "dockerfile", dockerfile, f"one of the context's own paths ({', '.join(sorted(context)) or 'none'})"
        )
    entries: list[Callable[[], Iterator[Entry]]] = []
    for path, value in sorted(context.items()):
        if isinstance(value, os.PathLike):
            source = Path(value)
            if not source.exists():
                raise InvalidOption("context", value, "a file or folder that exists")
            entries.append(lambda source=source, path=path: tree_entries(source, path))  # type: ignore[misc]
        elif isinstance(value, (str, bytes)):
            data = value.encode() if isinstance(value, str) else value
            entries.append(lambda data=data, path=path: iter([_memory_entry(path, data)]))  # type: ignore[misc]
        else:
            raise InvalidOption("context", {path: value}, "text, bytes or a path as values")
    all_entries = (entry for make in entries for entry in make())
    kept = _without(all_entries, ignored(parse_ignore(_rules(context))), {name, ".dockerignore"})
    return tar_stream(_owned_by_root(kept)), name


def _rules(context: Mapping[str, Any]) -> str:
    """The text of a mapping's own .dockerignore."""
    rules = context.get(".dockerignore", "")
    if isinstance(rules, os.PathLike):
        rules = Path(rules).read_bytes() if Path(rules).is_file() else b""
    return rules.decode("utf-8", "surrogateescape") if isinstance(rules, bytes) else str(rules)


def _without(entries: Iterable[Entry], leave_out: Callable[[str], bool], always: set[str]) -> Iterator[Entry]:
    for info, source in entries:
        if info.name in always or not leave_out(info.name):
            yield info, source
        elif source is not None:
            source.close()


def _memory_entry(path: str, data: bytes) -> Entry:
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(data), 0o755 if data.startswith(b"#!") else 0o644
    return info, io.BytesIO(data)


# ---------------------------------------------------------------- .dockerignore
def parse_ignore(text: str) -> list[tuple[bool, re.Pattern[str]]]:
    """The patterns of a .dockerignore, in order: (brings back, what it matches).

    As the reference says (https://docs.docker.com/build/concepts/context/#dockerignore-files): Go's filepath.Match per
    component, "**" for any number of them, "!" to bring back, "#" for comments; the last pattern that matches decides.
    """
    found = []
    for line in text.removeprefix("\ufeff").splitlines():
        if line.startswith("#"):
            continue
        pattern = line.strip()
        back = pattern.startswith("!")
        pattern = pattern[1:].strip() if back else pattern
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        clean: list[str] = []
        for part in parts:
            if part == ".." and clean:
                clean.pop()
            elif part != "..":
                clean.append(part)
        if clean:
            found.append((back, re.compile(_regex(clean), re.DOTALL)))
    return found


def _regex(parts: list[str]) -> str:
    """A pattern matches a path, and so everything below it."""
    made = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            made += ".*" if last else "(?:[^/]+/)*"
            continue
        made += _component(part) + ("" if last else "/")
    return f"^{made}(?:/.*)?$"


def _component(part: str) -> str:
    made, index = "", 0
    while index < len(part):
        char = part[index]
        if char == "*":
            while part[index + 1 : index + 2] == "*":
                index += 1
            made += "[^/]*"
        elif char == "?":
            made += "[^/]"
        elif char == "[" and "]" in part[index + 2 :]:
            end = part.index("]", index + 2)
            inside = part[index + 1 : end].replace("\\", r"\\")
            made += f"[{inside}]"
            index = end
        elif char == "\\" and index + 1 < len(part):
            index += 1
            made += re.escape(part[index])
        else:
            made += re.escape(char)
        index += 1
    return made


def ignored(patterns: list[tuple[bool, re.Pattern[str]]]) -> Callable[[str], bool]:
    """A function that says whether a path of the context is left out."""

    def leave_out(path: str) -> bool:
        result = False
        for back, pattern in patterns:
            if result == back and pattern.match(path):
                result = not back
        return result

    return leave_out
