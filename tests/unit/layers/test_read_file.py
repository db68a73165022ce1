"""Files of an image read without a container, and the layer that wrote them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.layers.readers import StreamReader
from containerkit.layers.stack import LayerStack, build_stack, open_archive
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder

IMAGE = (
    ImageBuilder()
    .layer(
        files={"usr/lib/os": "one", "data/x": b"x" * 3000, "empty": ""},
        links={"hard": "usr/lib/os"},
        symlinks={
            "lib": "usr/lib",
            "etc/os": "../lib/os",
            "abs": "/usr/lib/os",
            "loop": "loop",
            "up": "../../usr/lib/os",
        },
        created_by="COPY base /",
    )
    .layer(files={"usr/lib/os": "two"}, whiteouts=["data/x"], created_by="RUN sed")
)


def from_archive(path: Path) -> LayerStack:
    (path / "image.tar").write_bytes(IMAGE.to_docker_archive())
    return open_archive(path / "image.tar")


def from_gzip(path: Path) -> LayerStack:
    (path / "image.tar").write_bytes(IMAGE.to_oci_layout())
    return open_archive(path / "image.tar")


def from_stream(path: Path) -> LayerStack:
    data = IMAGE.to_docker_archive()
    return build_stack(
        "x",
        diff_ids=IMAGE.diff_ids,
        history=(),
        image_id="sha256:x",
        reader=lambda: StreamReader(lambda: iter([data[:700], b"", data[700:]])),
    )


@pytest.mark.parametrize("opened", [from_archive, from_gzip, from_stream])
def test_a_file_as_a_container_sees_it(opened: Callable[[Path], LayerStack], tmp_path: Path) -> None:
    """The upper layer's bytes; links are followed inside the image; a hard link keeps the bytes it named."""
    stack = opened(tmp_path)
    for path in ("/usr/lib/os", "usr/lib/os", "/lib/os", "/etc/os", "/abs", "/up", "/etc/../lib/./os"):
        assert stack.read_file(path) == b"two"
    assert stack.read_file("/hard") == b"one"
    assert stack.read_file("/empty") == b""
    assert stack.read_file("/lib/os", at=0) == b"one"
    assert stack.read_file("/data/x", at=0) == b"x" * 3000
    assert [stack.blame(path).index for path in ("/etc/os", "/hard", "/usr", "/data")] == [1, 0, 0, 0]


@pytest.mark.parametrize("path", ["/data/x", "/nothing", "/loop", "/usr/lib", "/usr/lib/os/below", "/", 7])
def test_what_is_no_file_is_refused(path: str, tmp_path: Path) -> None:
    """A removed file, a folder, a circle of links and another type raise InvalidOption."""
    with pytest.raises(ck.InvalidOption):
        from_archive(tmp_path).read_file(path)


def test_an_engines_image() -> None:
    """The same of an image that an engine has."""
    with ck.Engine(FakeBackend()) as engine:
        engine.images.load(IMAGE.tag("app:1").to_docker_archive())
        stack = engine.layers("app:1")
        assert stack.read_file("/lib/os") == b"two"
        assert stack.blame("/lib/os").created_by == "RUN sed"
