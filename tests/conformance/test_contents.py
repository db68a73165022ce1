"""What we say an image holds, held against what the engine itself exports, by every reader."""

from __future__ import annotations

import io
import os
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.layers import index
from containerkit.store import open_store
from containerkit.testing.archives import ImageBuilder

#: Docker's init layer and the engines' own mounts replace these.
ENGINES_OWN = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv", "/dev/console"}

A, B = os.urandom(5000), os.urandom(700)
BASE = ImageBuilder().layer(dirs=["d", "keep"], files={"d/x": A, "d/y": B, "keep/one": A, "gone": B, "same": B})
CASES = {
    "overwritten": BASE.layer(files={"keep/one": B}),
    "deleted": BASE.layer(whiteouts=["gone", "d/x"]),
    "folder deleted": BASE.layer(whiteouts=["d"]),
    "whiteout of nothing": BASE.layer(whiteouts=["no/such/file", "d/none/x"]),
    "opaque": BASE.layer(dirs=["d"], opaque=["d"], files={"d/n": A}),
    "hardlinks": BASE.layer(files={"h": A}, links={"h2": "h", "keep/h3": "h"}),
    "symlinks": BASE.layer(symlinks={"s": "keep/one", "same": "gone"}),
    "type change": BASE.layer(whiteouts=["d"]).layer(files={"d": A}),
    "copied unchanged": BASE.layer(files={"same": B}, modes={"same": 0o700}),
    "odd names": BASE.layer(files={"a b": B, "ü/ñ": A, "x" * 200: B, "with\nnewline": B}),
}


@pytest.fixture
def load(engine: ck.Engine) -> Iterator[Callable[[ImageBuilder], str]]:
    with ExitStack() as stack:

        def loaded(builder: ImageBuilder) -> str:
            ref = f"docker.io/containerkit/contents:{uuid.uuid4().hex[:12]}"
            engine.images.load(builder.tag(ref).to_docker_archive())
            stack.callback(engine.images.remove, ref, force=True)
            return ref

        yield loaded


def exported(engine: ck.Engine, ref: str) -> dict[str, int]:
    """Path -> size of every regular file (a hardlink with its file's) that a container of the image has."""
    with engine.containers.create(ref, ["/none"]) as container, container.export() as stream:
        data = io.BytesIO(b"".join(stream))
    found: dict[str, int] = {}
    with tarfile.open(fileobj=data) as archive:
        for member in archive:
            path = "/" + member.name.removeprefix("./").strip("/")
            if member.isreg():
                found[path] = member.size
            elif member.islnk():
                found[path] = found["/" + member.linkname.removeprefix("./").strip("/")]
    return {path: size for path, size in found.items() if path not in ENGINES_OWN}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("reader", ["best", "save stream", "archive"])
def test_files_are_those_that_the_engine_exports(
    engine: ck.Engine,
    load: Callable[[ImageBuilder], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    reader: str,
) -> None:
    """Every reader gives the files, and their sizes, that a container of the image has."""
    ref = load(CASES[case])
    if reader == "archive":
        stack = ck.open_archive(engine.images.save(ref, tmp_path / "image.tar"))
    else:
        if reader == "save stream":
            monkeypatch.setattr(index, "open_store", lambda *args: (None, "not asked"))
        stack = engine.layers(ref)
    files = {entry.path: entry.size for entry in stack.files() if entry.type == "file"}
    files = {path: size for path, size in files.items() if path not in ENGINES_OWN}
    if reader == "save stream":
        assert stack.reader == "save stream"
    assert files == exported(engine, ref)


@pytest.mark.parametrize("case", CASES)
def test_every_reader_sees_the_same(
    engine: ck.Engine, load: Callable[[ImageBuilder], str], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """The record in the store and the save stream give one tree, one waste and one difference of the layers."""
    ref = load(CASES[case])
    best = engine.layers(ref)
    told = [(entry.path, entry.type, entry.size, entry.mode, entry.link_target) for entry in best.files()]
    waste, diff = best.waste(), [(change.path, change.kind) for change in best.diff(-1)]
    monkeypatch.setattr(index, "open_store", lambda *args: (None, "not asked"))
    other = engine.layers(ref)
    assert [(entry.path, entry.type, entry.size, entry.mode, entry.link_target) for entry in other.files()] == told
    assert other.waste().visible_bytes == waste.visible_bytes
    assert (other.waste().dive_efficiency, other.waste().dive_wasted_bytes) == (
        waste.dive_efficiency,
        waste.dive_wasted_bytes,
    )
    assert [(change.path, change.kind) for change in other.diff(-1)] == diff
    assert best.verify().unchecked == other.verify().unchecked == ()


def test_a_byte_that_changed_in_the_store_is_found(engine: ck.Engine, load: Callable[[ImageBuilder], str]) -> None:
    """verify() reads the bytes, whatever the contents are read from: a file or blob that rotted is InvalidImage."""
    ref = load(ImageBuilder().layer(files={"a": b"x" * 1000, "b": os.urandom(3000)}))
    stack = engine.layers(ref)
    store, why = open_store(engine._core.backend)
    if store is None:
        pytest.skip(why)
    stored = store.layers[stack[0].chain_id]
    place = stored.blob or stored.files / "a"
    place.chmod(0o644)
    place.write_bytes(place.read_bytes().replace(b"x" * 1000, b"y" * 1000))
    with pytest.raises(ck.InvalidImage):
        stack.verify()


def test_files_read_without_a_container_are_those_of_a_container(
    engine: ck.Engine, load: Callable[[ImageBuilder], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """read_file gives the bytes that a container has, from the store and from the save stream."""
    upper = BASE.layer(files={"h": A, "gone": A}, links={"h2": "h"}, symlinks={"keep/s": "../gone"}, opaque=["d"])
    ref = load(upper.layer(files={"d/n": B}))
    expected = {"/h": A, "/h2": A, "/gone": A, "/keep/s": A, "/same": B, "/d/n": B}
    best = engine.layers(ref)
    assert {path: best.read_file(path) for path in expected} == expected
    with engine.containers.create(ref, ["/none"]) as container:
        assert {path: container.read_file(path) for path in expected if path != "/keep/s"}.items() <= expected.items()
    assert [best.blame(path).index for path in ("/same", "/h2", "/d/n")] == [0, 1, 2]
    monkeypatch.setattr(index, "open_store", lambda *args: (None, "not asked"))
    other = engine.layers(ref)
    assert {path: other.read_file(path) for path in expected} == expected


@pytest.mark.parametrize("reader", ["best", "save stream"])
def test_an_image_is_compared_with_its_archive(
    engine: ck.Engine, load: Callable[[ImageBuilder], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    """An image equals its own archive in both directions, and differs from another in the file that is another."""
    ref = load(CASES["hardlinks"])
    saved = ck.open_archive(engine.images.save(ref, tmp_path / "image.tar"))
    again = ImageBuilder().layer(
        dirs=["d", "keep"], files={"d/x": A, "d/y": B, "keep/one": A, "gone": os.urandom(len(B)), "same": B}
    )
    (tmp_path / "other.tar").write_bytes(
        again.layer(files={"h": A}, links={"h2": "h", "keep/h3": "h"}).to_docker_archive()
    )
    other = ck.open_archive(tmp_path / "other.tar")
    if reader == "save stream":
        monkeypatch.setattr(index, "open_store", lambda *args: (None, "not asked"))
    stack = engine.layers(ref)
    for before, after in ((stack, saved), (saved, stack)):
        assert before.compare(after).to_dict() == {"added": [], "modified": [], "removed": []}
    for before, after in ((stack, other), (other, stack)):
        found = before.compare(after)
        assert (found.added, found.removed) == ((), ())
        assert [change.path for change in found.modified] == ["/gone"]
