"""Images as hypothesis makes them up: everything a builder, a shell or an enemy could put into layers."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

from hypothesis import strategies as st

from containerkit.testing.archives import ImageBuilder

NAMES = ("a", "b", "d", "e", "+x", "Ünï", "with space", "w" * 120, "-", "odd\udcff")
SIZES = (0, 1, 7, 511, 512, 513, 1000, 3000)


@st.composite
def paths(draw: st.DrawFn) -> str:
    """A path of one to three parts from few names, so that layers meet."""
    return "/".join(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)))


def _info(name: str, kind: bytes, *, size: int = 0, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname, info.mode = kind, size, target, mode
    return info


@st.composite
def members(draw: st.DrawFn) -> list[tarfile.TarInfo]:
    """The members of one layer, in any order."""
    found: list[tarfile.TarInfo] = []
    for _ in range(draw(st.integers(0, 7))):
        path = draw(paths())
        folder, slash, name = path.rpartition("/")
        make: dict[str, Callable[[], tarfile.TarInfo]] = {
            "file": lambda: _info(path, tarfile.REGTYPE, size=draw(st.sampled_from(SIZES))),
            "dir": lambda: _info(path, tarfile.DIRTYPE, mode=0o755),
            "symlink": lambda: _info(path, tarfile.SYMTYPE, target=draw(paths())),
            "hardlink": lambda: _info(path, tarfile.LNKTYPE, target=draw(paths())),
            "fifo": lambda: _info(path, tarfile.FIFOTYPE),
            "device": lambda: _info(path, tarfile.CHRTYPE),
            "whiteout": lambda: _info(f"{folder}{slash}.wh.{name}", tarfile.REGTYPE),
            "opaque": lambda: _info(f"{path}/.wh..wh..opq", tarfile.REGTYPE),
            "dotted": lambda: _info(f"./{path}", tarfile.REGTYPE, size=draw(st.sampled_from(SIZES))),
            "absolute": lambda: _info(f"/{path}", tarfile.REGTYPE, size=draw(st.sampled_from(SIZES))),
        }
        kinds = ["file", "file", "file", *make]
        found.append(make[draw(st.sampled_from(kinds))]())
    return found


def tar_of(infos: list[tarfile.TarInfo], *, style: int = tarfile.PAX_FORMAT) -> bytes:
    """A layer's tar; each file's bytes are its length in its own pattern."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=style, errors="surrogateescape") as tar:
        for info in infos:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return out.getvalue()


@st.composite
def images(draw: st.DrawFn) -> ImageBuilder:
    """An image of one to four layers."""
    image = ImageBuilder()
    for _ in range(draw(st.integers(1, 4))):
        style = draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
        image = image.raw_layer(tar_of(draw(members()), style=style))
    return image.tag("made:up")
