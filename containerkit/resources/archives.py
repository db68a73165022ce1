"""Archives: open one for a request, write one from a save stream."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .._text import split_lines
from ..backends.base import Backend
from ..errors import InvalidOption
from ..options import parse_local_path
from ..streams import ByteStream
from ..unpack.staging import whole_file

_CHUNK = 1 << 20


def save_images(backend: Backend, names: Sequence[str], path: str | os.PathLike[str]) -> Path:
    """Write images to one docker-archive. See :meth:`Images.save`."""
    target = Path(parse_local_path("path", path, "a file, in a folder that exists"))
    if target.is_dir() or not target.parent.is_dir():
        raise InvalidOption("path", str(path), "a file, in a folder that exists")
    for name in names:
        backend.inspect_image(name)  # some engines report a missing image only inside the archive
    with whole_file(target, mode=0o666 & ~_umask()) as write, backend.save_images(names) as stream:
        for chunk in stream:
            write(chunk)
    return target


def _umask() -> int:
    """Return the process's umask. os.umask() would have to change it, which other threads would notice."""
    for line in (
        split_lines(Path("/proc/self/status").read_text("utf-8", "replace"))
        if os.path.exists("/proc/self/status")
        else ()
    ):
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o022


@contextlib.contextmanager
def opened_file(source: Any) -> Iterator[Iterable[bytes]]:
    """Yield the chunks of a path, bytes, an open file or an iterable of bytes."""
    if isinstance(source, (str, os.PathLike)):
        path = Path(parse_local_path("source", source))
        if not path.is_file():
            raise InvalidOption("source", str(source), "a file that exists")
        with path.open("rb") as file:
            yield iter(lambda: file.read(_CHUNK), b"")
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield (bytes(source),)
    elif hasattr(source, "read") and not isinstance(source, ByteStream):  # whose read() takes no size
        yield iter(lambda: source.read(_CHUNK), b"")
    elif isinstance(source, Iterable):
        yield source
    else:
        raise InvalidOption("source", type(source).__name__, "a path, bytes, an open file or an iterable of bytes")


@contextlib.contextmanager
def opened_archive(source: Any) -> Iterator[Iterable[bytes]]:
    """Yield the chunks of an image archive, checked first where that is possible without consuming it."""
    from ..layers import check_archive

    if isinstance(source, (bytes, bytearray, memoryview)):
        with tempfile.NamedTemporaryFile(suffix=".tar") as spooled:
            spooled.write(source)
            spooled.flush()
            check_archive(Path(spooled.name))
    elif isinstance(source, (str, os.PathLike)) and (path := Path(parse_local_path("source", source))).is_file():
        check_archive(path)
    with opened_file(source) as chunks:
        yield chunks
