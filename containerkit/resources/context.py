"""Build contexts: a folder, or a mapping in memory, as a tar stream without the ignored files.

Ignore files are applied here, once, for every engine: the rules and file names of Docker and Podman differ. The stream
holds .dockerignore, unless it names itself, as both command lines send it; a .containerignore is not sent.
"""

from __future__ import annotations

import errno
import io
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidOption
from .ignore import is_ignored, parse_ignore
from .packing import Entry, check_readable, tar_stream, tree_entries

_DOCKERFILES = ("Dockerfile", "Containerfile")
_IGNORE_FILES = (".containerignore", ".dockerignore")  # as podman looks for them; docker knows only the second
#: Podman would apply it again, in its own way.
_UNSENT = (".containerignore",)
#: Name in the context of a Dockerfile that lies outside of it. Then .dockerignore is not sent either: it would replace
#: the one that hides this name.
_OUTSIDE = ".containerkit.Dockerfile"


def build_context(context: Any, dockerfile: str | None) -> tuple[Iterable[bytes], str, tuple[str, ...]]:
    """Return the context as a tar stream, the path of the Dockerfile in it, and the paths that COPY does not see.

    An ignored Dockerfile, and one from outside of the context, are sent for the builder only.

    A Dockerfile's own ignore file (``NAME.dockerignore`` beside it) replaces the context's ``.containerignore`` or
    ``.dockerignore``.

    Args:
        context: a folder; or a mapping from paths in the context to text, bytes or local files.
        dockerfile: path in the context; None for "Dockerfile", else "Containerfile". For a folder also a local path
            elsewhere, which then joins the context.

    Raises:
        InvalidOption: the folder or the Dockerfile does not exist, or a path leads out of the context.
        PermissionError: a file that is not ignored cannot be read.
    """
    if isinstance(context, Mapping):
        return _from_mapping(context, dockerfile)
    if not isinstance(context, (str, os.PathLike)) or not os.fspath(context):
        raise InvalidOption("context", context, "a folder, or a mapping from paths to contents")
    root = Path(context)
    if not root.is_dir():
        raise InvalidOption("context", context, "a folder that exists")
    name, outside = _find_dockerfile(root, dockerfile)
    ignored = is_ignored(parse_ignore(_ignore_rules(root, outside or root / name)))
    unsent = _IGNORE_FILES if outside else _UNSENT
    kept = list(_walk(root, lambda path: path != name and (path in unsent or ignored(path))))
    check_readable(root, kept)
    if outside is not None:
        check_readable(outside)
    hidden = (name,) if outside or ignored(name) else ()
    return tar_stream(_owned_by_root(_folder_entries(root, kept, name, outside))), name, hidden


def _find_dockerfile(root: Path, dockerfile: str | None) -> tuple[str, Path | None]:
    """Return its path in the context, and the file itself if it lies elsewhere."""
    if dockerfile is None:
        for name in _DOCKERFILES:
            if (root / name).is_file():
                return name, None
        raise InvalidOption("context", str(root), "a folder with a Dockerfile (or Containerfile), or dockerfile=")
    for path in (root / dockerfile, Path(dockerfile)):
        if path.is_file():
            found, top = path.resolve(), root.resolve()
            return (found.relative_to(top).as_posix(), None) if found.is_relative_to(top) else (_OUTSIDE, path)
    raise InvalidOption("dockerfile", dockerfile, f"a file in {root}, or a local path of a file")


def _ignore_rules(root: Path, dockerfile: Path) -> str:
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    for path in (own, *(root / name for name in _IGNORE_FILES)):
        if path.is_file():
            return path.read_text("utf-8", "surrogateescape")
    return ""


def _folder_entries(root: Path, kept: Iterable[str], name: str, outside: Path | None) -> Iterator[Entry]:
    yield from tree_entries(root, "", keep=kept)
    if outside is not None:
        yield from tree_entries(outside.resolve(), name)


def _owned_by_root(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Set every owner to root, as the builders do: the local owner means nothing in the image and spoils the cache."""
    for info, source in entries:
        info.uid = info.gid = 0
        yield info, source


def _walk(root: Path, ignored: Callable[[str], bool]) -> Iterator[str]:
    """Yield the paths to send, sorted. An ignored folder is walked too, since a "!" pattern may include its files."""
    failed: dict[str, OSError] = {}
    for folder, folders, files in os.walk(root, onerror=lambda error: failed.update({str(error.filename): error})):
        folders.sort()
        for item in sorted([*files, *folders]):
            path = Path(folder, item).relative_to(root).as_posix()
            if not ignored(path):
                yield path
    for name, error in failed.items():
        relative = Path(name).relative_to(root).as_posix()
        if not ignored(relative):
            raise PermissionError(error.errno or errno.EACCES, error.strerror, name)


def _from_mapping(context: Mapping[Any, Any], dockerfile: str | None) -> tuple[Iterable[bytes], str, tuple[str, ...]]:
    for path in context:
        if not isinstance(path, str) or not path or path.startswith("/") or ".." in path.split("/") or "\0" in path:
            raise InvalidOption("context", path, "relative paths inside the context as keys")
    name = dockerfile or next((name for name in _DOCKERFILES if name in context), None)
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
            check_readable(source)
            entries.append(lambda source=source, path=path: tree_entries(source, path))  # type: ignore[misc]
        elif isinstance(value, (str, bytes)):
            data = value.encode() if isinstance(value, str) else value
            entries.append(lambda data=data, path=path: iter([_memory_entry(path, data)]))  # type: ignore[misc]
        else:
            raise InvalidOption("context", {path: value}, "text, bytes or a path as values")
    ignored = is_ignored(parse_ignore(_mapping_rules(context, name)))
    kept = _without(
        (entry for make in entries for entry in make()),
        lambda path: path != name and (path in _UNSENT or ignored(path)),
    )
    return tar_stream(_owned_by_root(kept)), name, (name,) if ignored(name) else ()


def _mapping_rules(context: Mapping[str, Any], dockerfile: str) -> str:
    """Return the text of the ignore file in a mapping."""
    rules = next((context[name] for name in (f"{dockerfile}.dockerignore", *_IGNORE_FILES) if name in context), "")
    if isinstance(rules, os.PathLike):
        rules = Path(rules).read_bytes() if Path(rules).is_file() else b""
    return rules.decode("utf-8", "surrogateescape") if isinstance(rules, bytes) else str(rules)


def _without(entries: Iterable[Entry], ignored: Callable[[str], bool]) -> Iterator[Entry]:
    for info, source in entries:
        if not ignored(info.name):
            yield info, source
        elif source is not None:
            source.close()


def _memory_entry(path: str, data: bytes) -> Entry:
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(data), 0o755 if data.startswith(b"#!") else 0o644
    return info, io.BytesIO(data)
