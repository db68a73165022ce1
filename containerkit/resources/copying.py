"""Copy files into and out of a container, placed as `docker cp` places them, on every engine."""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import tarfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..backends.base import PathStat
from ..errors import EngineUnavailable, InvalidOption, NotFound, StartFailed, Unsupported
from ..options import parse_bytes, parse_container_path, parse_integer, parse_local_path
from ..streams import ByteStream
from ..unpack.placing import place_copy, put
from .container_state import ContainerState
from .execute import execute
from .packing import Entry, check_readable, tar_stream, tree_entries

_HOPS = 40  # symbolic links followed, as in the kernel
_HIGHEST_ID = 2**32 - 2


# ---------------------------------------------------------------- into a container
def _number(name: str, value: object, highest: int) -> int | None:
    """Return a number, or None; digits in a string are refused, since a mode would be read as decimal."""
    if isinstance(value, str):
        raise InvalidOption(name, value, f"a number from 0 to {highest}")
    return None if value is None else parse_integer(name, value, low=0, high=highest)


def copy_to_container(
    container: ContainerState,
    src: str | os.PathLike[str],
    dst: str,
    *,
    uid: int | None,
    gid: int | None,
    mode: int | None,
) -> None:
    """Copy a local file or folder into a container. See :meth:`Container.copy_to`."""
    target = parse_container_path("dst", dst, root=True)
    uid, gid = _number("uid", uid, _HIGHEST_ID), _number("gid", gid, _HIGHEST_ID)
    bits = _number("mode", mode, 0o7777)
    text = parse_local_path("src", src)
    source = Path(text)
    action = f"copying {text} into {container.label}"
    if not os.path.lexists(source):
        raise FileNotFoundError(f"{action}: no {source} here")
    content_only = source.is_dir() and (text.endswith("/.") or text == ".")
    target, found = _follow(container, target, action)
    if found is not None and found.is_dir:
        folder, name = target, "" if content_only else source.resolve().name if text == ".." else source.name
    elif found is not None and source.is_dir():
        raise InvalidOption("dst", dst, f"a folder, since {source} is one; it is a file in the container")
    elif found is None and dst.endswith("/") and not source.is_dir():
        raise NotFound(f"{action}: no folder {dst} there", status=404)
    else:
        folder, name = posixpath.split(target)
    if name == "" and not content_only:
        name = source.resolve().name
    check_readable(source)

    def entries() -> Iterator[Entry]:
        for info, data in tree_entries(source, name):
            info.uid = info.uid if uid is None else uid
            info.gid = info.gid if gid is None else gid
            if bits is not None and not info.issym():
                # a folder is of no use without x, so it gets x wherever it gets r
                info.mode = bits | (bits & 0o444) >> 2 if info.isdir() else bits
            yield info, data

    container._core.backend.put_archive(container.id, folder, tar_stream(entries()))


def _follow(container: ContainerState, path: str, action: str) -> tuple[str, PathStat | None]:
    """Follow symbolic links in a container as `docker cp` does; return the final path and its stat."""
    for _ in range(_HOPS):
        found = container._core.backend.stat_path(container.id, path)
        if found is None or not found.link_target:
            return path, found
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), found.link_target))
    raise NotFound(f"{action}: {path} is a circle of symbolic links", status=404)


def write_file(container: ContainerState, path: str, data: str | bytes, *, mode: int, uid: int, gid: int) -> None:
    """Write one file in a container. See :meth:`Container.write_file`."""
    target = parse_container_path("path", path)
    if path.endswith("/"):
        raise InvalidOption("path", path, "the path of a file")
    content = parse_bytes("data", data)
    folder, name = posixpath.split(target)
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(content), int(time.time())
    for option, value in (("mode", mode), ("uid", uid), ("gid", gid)):
        if value is None:
            raise InvalidOption(option, value, "a number")
    info.mode = _number("mode", mode, 0o7777) or 0
    info.uid, info.gid = _number("uid", uid, _HIGHEST_ID) or 0, _number("gid", gid, _HIGHEST_ID) or 0
    backend = container._core.backend
    found = backend.stat_path(container.id, target)
    if found is not None and found.is_dir:
        raise InvalidOption("path", path, "the path of a file; a folder of that name exists")
    backend.put_archive(container.id, folder, b"".join(tar_stream([(info, io.BytesIO(content))])))


# ---------------------------------------------------------------- out of a container
class _ChunkFile(io.RawIOBase):
    """A readable file over chunks of bytes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._rest:
            piece = next(self._chunks, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


@contextlib.contextmanager
def _reading(stream: ByteStream, action: str) -> Iterator[tarfile.TarFile]:
    """Open the archive that an engine sends. A damaged or cut archive raises EngineUnavailable."""
    try:
        with stream, tarfile.open(fileobj=io.BufferedReader(_ChunkFile(stream)), mode="r|") as archive:
            yield archive
    except (tarfile.TarError, EOFError) as exc:
        raise EngineUnavailable(f"{action}: the archive from the engine is cut or damaged ({exc})") from exc


def read_file(container: ContainerState, path: str) -> bytes:
    """Read one file of a container. See :meth:`Container.read_file`."""
    target = parse_container_path("path", path)
    action = f"reading {path} in {container.label}"
    if target.startswith(("/proc/", "/sys/")):  # the kernel makes their content at read; archives have it empty
        return _read_with_cat(container, target, action)
    for _ in range(_HOPS):
        found, stream = container._core.backend.get_archive(container.id, target)
        with _reading(stream, action) as archive:
            member = archive.next()
            if member is None:
                raise NotFound(f"{action}: no such file", status=404)
            if not member.issym():
                source = archive.extractfile(member) if member.isreg() else None
                if source is None:
                    raise InvalidOption("path", path, "the path of a file")
                return source.read()
        target = posixpath.normpath(posixpath.join(posixpath.dirname(target), found.link_target or member.linkname))
    raise NotFound(f"{action}: a circle of symbolic links", status=404)


def _read_with_cat(container: ContainerState, path: str, action: str) -> bytes:
    try:
        result = execute(container, ["cat", path], {})
    except StartFailed as exc:
        raise Unsupported(f"{action}: files of the kernel are read with `cat`, which the container lacks") from exc
    if result.exit_code:
        raise NotFound(f"{action}: {result.stderr.strip()}")
    return result.stdout_bytes


def copy_from_container(container: ContainerState, src: str, dst: str | os.PathLike[str]) -> Path:
    """Copy a file or folder out of a container. See :meth:`Container.copy_from`."""
    source = parse_container_path("src", src, root=True)
    text = parse_local_path("dst", dst)
    action = f"copying {src} from {container.label}"
    found, stream = container._core.backend.get_archive(container.id, source)
    with stream:
        place = place_copy(
            text,
            posixpath.basename(source) if found.name.strip("/") else "",
            source=src,
            is_dir=found.is_dir,
            content_only=src.endswith("/."),
            action=action,
        )
        with _reading(stream, action) as archive:
            return put(archive, place, text)
