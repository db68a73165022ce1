"""Figures about layers on a real engine, with the disk as the judge: du before and after, and what is really freed."""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import subprocess
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit.layers.index import Index
from containerkit.oci.digest import sha256
from containerkit.store import open_store
from containerkit.testing.archives import ImageBuilder, pack

BASE, ADDED, COUNT = 30_000_000, 1_000_000, 5


def measured(root: Path) -> int:
    """Blocks below a folder, synced, each inode once, mounts not entered: GNU du's own count."""
    os.sync()
    told = subprocess.run(["du", "-sx", "--block-size=1", root], capture_output=True, text=True, check=False).stdout
    return int(told.split()[0])


def named(part: str) -> str:
    return f"docker.io/containerkit/{part}:{uuid.uuid4().hex[:12]}"


def files(count: int, size: int) -> dict[str, Any]:
    return {f"data/{number % 7}/{uuid.uuid4().hex}": os.urandom(size) for number in range(count)}


@pytest.fixture
def store(engine: ck.Engine) -> Any:
    found, why = open_store(engine._core.backend)
    if found is None:
        assert os.geteuid() != 0 or not engine.url.startswith("unix:"), why
        pytest.skip(why)
    return found


@pytest.fixture
def load(engine: ck.Engine) -> Iterator[Callable[..., str]]:
    """Load an image made in memory; it is removed again."""

    def remove(ref: str) -> None:
        if engine.images.exists(ref):
            engine.images.remove(ref, force=True)

    with ExitStack() as stack:

        def loaded(builder: ImageBuilder, part: str = "image") -> str:
            ref = named(part)
            engine.images.load(builder.tag(ref).to_docker_archive())
            stack.callback(remove, ref)
            return ref

        yield loaded


@pytest.fixture
def family(load: Callable[..., str]) -> tuple[ImageBuilder, list[str]]:
    """A base, and images that each add a little to it: real bytes, in files of several sizes."""
    base = ImageBuilder().layer(files={**files(300, 60_000), **files(400, 30_000)})
    return base, [load(base.layer(files=files(20, ADDED // 20)), "derived") for _ in range(COUNT)]


def test_disk_bytes_are_what_the_store_grew_by(engine: ck.Engine, store: Any, load: Callable[..., str]) -> None:
    """Savings.disk_bytes of new images is within 0.5 % of what du finds more in the store."""
    before = measured(store.root)
    base = ImageBuilder().layer(files={**files(300, 60_000), **files(400, 30_000)})
    refs = [load(base.layer(files=files(20, ADDED // 20)), "derived") for _ in range(COUNT)]
    savings = engine.savings(refs, containers=False)
    assert savings.disk_bytes == pytest.approx(measured(store.root) - before, rel=0.005)
    assert savings.logical_bytes == COUNT * (BASE + ADDED)
    assert savings.unique_bytes == BASE + COUNT * ADDED
    assert savings.ratio == pytest.approx(COUNT * (BASE + ADDED) / (BASE + COUNT * ADDED))
    assert {image.shared_bytes for image in savings.images} == {BASE}
    assert {image.unique_bytes for image in savings.images} == {ADDED}


def without_padding(tar: bytes, last: int) -> bytes:
    """Cut a tar behind the payload of its last file, as `umoci insert` writes a layer."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as reader:
        return tar[: reader.getmembers()[-1].offset_data + last]


def test_unusual_tars_are_read_as_the_engine_reads_them(engine: ck.Engine, load: Callable[..., str]) -> None:
    """A layer without padding and one with a pax global header are loaded, read and counted with all images."""
    header = tarfile.TarInfo.create_pax_global_header({"comment": "0" * 40})
    plain = ImageBuilder().layer(files={"a": os.urandom(1000)}).layer(files={"b": os.urandom(700)})
    cut = without_padding(plain.layers[1].tar, 700)
    ref = load(ImageBuilder().raw_layer(header + plain.layers[0].tar).raw_layer(cut))
    stack = engine.layers(ref)
    assert [(entry.path, entry.size) for entry in stack.files() if entry.type == "file"] == [("/a", 1000), ("/b", 700)]
    assert engine.savings(ref, containers=False).logical_bytes == 1700
    assert engine.reclaimable(ref).bytes == 1700
    for question in (engine.savings, engine.reclaimable, engine.duplicates, engine.disk_usage):
        assert not [note for note in question().unknown if ref in note]


def test_full_copies_are_what_copies_take(engine: ck.Engine, load: Callable[..., str], tmp_path: Path) -> None:
    """An exported container, unpacked, takes what full_copy_bytes says within 1 %, whatever was overwritten."""
    base = ImageBuilder().layer(dirs=["a"], files={**files(300, 50_000), "a/big": 5_000_000, "a/gone": 3_000_000})
    ref = load(base.layer(files={"a/big": os.urandom(2_000_000)}, whiteouts=["a/gone"]))
    (cost,) = engine.savings(ref, containers=False).images
    with (
        engine.containers.create(ref, ["/none"]) as container,
        (tmp_path / "all.tar").open("wb") as file,
        container.export() as stream,
    ):
        file.writelines(stream)
    (tmp_path / "tree").mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "all.tar", "-C", tmp_path / "tree"], check=True)
    assert cost.full_copy_bytes == pytest.approx(measured(tmp_path / "tree"), rel=0.01)


def test_reclaim_is_what_removal_frees(
    engine: ck.Engine, store: Any, load: Callable[..., str], family: tuple[ImageBuilder, list[str]]
) -> None:
    """Engine.reclaimable is within 1 % of the blocks that removing the images frees; a base that stays is not freed."""
    base, refs = family
    load(base, "base")
    predicted = engine.reclaimable(refs[:2])
    assert predicted.bytes == 2 * ADDED
    before = measured(store.root)
    for ref in refs[:2]:
        engine.images.remove(ref)
    assert before - measured(store.root) == pytest.approx(predicted.disk_bytes, rel=0.01)


class SocketConnection(http.client.HTTPConnection):
    """An HTTP connection to the socket of the engine, for requests that the SDK has no method for."""

    def __init__(self, path: str) -> None:
        super().__init__("engine")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def post(engine: ck.Engine, target: str, body: bytes = b"") -> str:
    with closing(SocketConnection(engine.url.removeprefix("unix://"))) as connection:
        connection.request("POST", target, body=body, headers={"Content-Type": "application/x-tar"})
        response = connection.getresponse()
        answer = response.read().decode()
    assert response.status == 200, answer
    return answer


@pytest.fixture
def buildkit(engine: ck.Engine, store: Any, load: Callable[..., str]) -> Iterator[str]:
    """An image that BuildKit has built on the engine, with the cache of its layers."""
    if engine.kind != "docker" or int(engine.info().version.partition(".")[0]) < 23:
        pytest.skip("BuildKit is the default builder of Docker since 23")
    base, ref = load(ImageBuilder().layer(files={"base": os.urandom(1_000_000)}), "base"), named("built")
    context = {
        "Dockerfile": f"FROM {base} AS first\nCOPY a /a\nFROM {base}\nCOPY --from=first /a /b\nCOPY c /c\n".encode(),
        "a": os.urandom(3_000_000),
        "c": os.urandom(2_000_000),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in context.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    answer = post(engine, f"/build?version=2&t={ref}", out.getvalue())
    assert engine.images.exists(ref), answer
    yield ref
    if engine.images.exists(ref):
        engine.images.remove(ref, force=True)
    post(engine, "/build/prune?all=1")


def test_the_build_cache_keeps_layers(engine: ck.Engine, store: Any, buildkit: str) -> None:
    """What BuildKit's cache keeps is not promised to be freed, and is named; the cache has a row of its own."""
    predicted = engine.reclaimable(buildkit)
    assert any("build cache keeps" in reason for _, reason in predicted.kept)
    usage = engine.disk_usage().get("build cache")
    assert usage.disk_bytes is not None
    assert usage.disk_bytes > 8_000_000  # the context and the layer of the first stage, which no image has
    assert engine.savings().build_cache_bytes == pytest.approx(usage.disk_bytes, rel=0.01)
    before = measured(store.root)
    engine.images.remove(buildkit)
    freed = before - measured(store.root)
    assert freed == pytest.approx(predicted.disk_bytes, rel=0.01, abs=100_000)  # records: history, databases


def test_layers_outlive_an_image_that_was_removed_by_force(
    engine: ck.Engine, store: Any, load: Callable[..., str], family: tuple[ImageBuilder, list[str]]
) -> None:
    """Docker keeps the layers of a stopped container whose image is gone: no other image's removal frees them."""
    _, refs = family
    for ref in refs[2:]:
        engine.images.remove(ref)
    container = engine.containers.create(refs[0], ["/x"])
    try:
        engine.images.remove(refs[0], force=True)
        predicted = engine.reclaimable(refs[1])
        before = measured(store.root)
        engine.images.remove(refs[1])
        assert before - measured(store.root) == pytest.approx(predicted.disk_bytes, rel=0.01)
    finally:
        if engine.containers.list(all=True, filters={"id": container.id}):
            container.remove(force=True)


def test_answers_go_by_the_names_that_were_asked_for(engine: ck.Engine, load: Callable[..., str]) -> None:
    """Savings repeats the name; who else has a layer is told by name; a name that was not asked for keeps an image."""
    base = ImageBuilder().layer(files={"base": os.urandom(1000)})
    one, two = load(base.layer(files={"x": 1}), "one"), load(base.layer(files={"y": 1}), "two")
    again = named("again")
    engine.images.get(one).tag(again)
    try:
        assert [engine.savings(ref, containers=False).images[0].ref for ref in (one, again)] == [one, again]
        below, top = engine.layers(two)
        assert set(below.shared_with) & set(engine.images.get(one).refs)
        assert top.shared_with == ()
        found = engine.reclaimable(one)
        assert (found.bytes, found.images) == (0, ())
        assert any("also named" in why and "again" in why for _, why in found.kept)
        assert engine.reclaimable([one, again]).bytes == 1
        assert engine.reclaimable(engine.images.get(one).id).bytes == 1
    finally:
        engine.images.remove(again)


def test_an_image_that_is_gone(engine: ck.Engine, load: Callable[..., str]) -> None:
    """What was begun on an image that was removed meanwhile is ImageNotFound, whatever it would be read from."""
    for looked in (False, True):
        ref = load(ImageBuilder().layer(files={"a": os.urandom(100)}))
        stack = engine.layers(ref)
        if looked:
            stack.files()
        engine.images.remove(ref)
        with pytest.raises(ck.ImageNotFound):
            stack.verify()
        if not looked:
            for ask in (stack.files, stack.waste, stack.table):
                with pytest.raises(ck.ImageNotFound):
                    ask()


def test_questions_about_all_images_while_some_come_and_go(engine: ck.Engine) -> None:
    """An image that goes while all of them are looked at is none of them; nothing fails for it."""
    ended = threading.Event()

    def churn() -> None:
        while not ended.is_set():
            ref = named("churn")
            engine.images.load(ImageBuilder().layer(files={"a": os.urandom(100)}).tag(ref).to_docker_archive())
            engine.images.remove(ref)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for ask in (engine.savings, engine.sharing, engine.reclaimable, engine.duplicates, engine.disk_usage) * 3:
            ask()
    finally:
        ended.set()
        thread.join()


def test_what_a_container_has_is_not_reclaimable(engine: ck.Engine, load: Callable[..., str]) -> None:
    """An image with a container, running or not, is kept, and the report says because of whom."""
    ref = load(ImageBuilder().layer(files={"x": 1000}))
    image = engine.images.get(ref)
    with engine.containers.create(ref, ["/x"]) as container:
        found = engine.reclaimable(ref)
        assert (found.bytes, found.images) == (0, ())
        assert any(kept == image.id and container.name in why for kept, why in found.kept)
    assert engine.reclaimable(ref).images == (image.id,)


def test_a_parent_frees_what_its_removal_frees(engine: ck.Engine) -> None:
    """Removing an image that another was built from removes its name, on Podman also its record."""
    base, child = named("parent"), named("child")
    parent = engine.images.build({"Dockerfile": "FROM scratch\nCOPY d /d\n", "d": os.urandom(100_000)}, tag=base)
    engine.images.build({"Dockerfile": f"FROM {base}\nCOPY e /e\n", "e": b"e"}, tag=child)
    try:
        predicted = engine.reclaimable(base)
        engine.images.remove(base)
        there = {image.id for image in engine.images.list(all=True)}
        assert (predicted.bytes, predicted.images) == (0, () if parent.id in there else (parent.id,))
    finally:
        engine.images.remove(child, force=True)


def test_equal_content_in_layers_that_are_not_shared(engine: ck.Engine, load: Callable[..., str]) -> None:
    """Duplicates finds what two unrelated images have in common, by checksum and by SHA-256 alike."""
    same, small = os.urandom(200_000), os.urandom(3_000)
    one = load(ImageBuilder().layer(files={"a/x": same, "own": os.urandom(200_000), "s": small}))
    two = load(ImageBuilder().layer(files={"b/y": same, "b/z": same, "t": small}))
    for verify in (False, True):
        found = engine.duplicates([one, two], verify=verify)
        assert found.bytes == 203_000
        assert [(group.size, len(group.files)) for group in found.groups] == [(200_000, 3), (3_000, 2)]
        assert {path for _, path in found.groups[0].files} == {"/a/x", "/b/y", "/b/z"}
    assert engine.duplicates([one, two], verify=True).verified
    assert engine.duplicates(one).bytes == 0


def test_shared_layers_are_no_duplicates(engine: ck.Engine, family: tuple[ImageBuilder, list[str]]) -> None:
    """A layer that images share lies there once, and counts as no duplicate."""
    _, refs = family
    assert engine.duplicates(refs).bytes == 0
    sharing = engine.sharing(refs)
    assert [len(layer.images) for layer in sharing.shared] == [COUNT]
    assert len(sharing.layers) == 1 + COUNT


def test_layer_usage_of_a_container(engine: ck.Engine, store: Any, shell_image: str) -> None:
    """A container's layer holds what it wrote; blocks, not lengths, are what it takes; logs are counted apart."""
    line = "head -c 1000000 /dev/urandom >/data; truncate -s 50M /hole; seq 100000; sleep 600"
    with engine.start(shell_image, ["sh", "-c", line]) as container:
        container.wait_until(ck.wait.log_line("^100000$"))
        used = container.layer_usage()
        assert used.content_bytes == pytest.approx(1_000_000 + (50 << 20), rel=0.01)
        assert 1_000_000 <= (used.disk_bytes or 0) < 2_000_000
        assert (used.log_bytes or 0) >= 588_895  # what seq wrote
        assert (used.engine_reported or 0) >= 1_000_000
        assert (used.overhead_bytes or 0) > 0


def test_containers_cost_what_the_store_grows_by(engine: ck.Engine, store: Any, shell_image: str) -> None:
    """Savings counts running containers' layers, logs and records: within 5 % and 100 KB of du's difference."""
    before = measured(store.root)
    line = ["sh", "-c", "head -c 1048576 /dev/urandom >/data; echo ready; sleep 600"]
    with ExitStack() as stack:
        started = [stack.enter_context(engine.start(shell_image, line)) for _ in range(4)]
        for container in started:
            container.wait_until(ck.wait.log_line("ready"))
        names = {container.name for container in started}
        costs = [cost for cost in engine.savings(shell_image).containers if cost.name in names]
        assert len(costs) == 4
        assert sum(cost.disk_bytes or 0 for cost in costs) == pytest.approx(
            measured(store.root) - before, rel=0.05, abs=100_000
        )


def test_disk_usage_stands_beside_the_engines_word(engine: ck.Engine, family: tuple[ImageBuilder, list[str]]) -> None:
    """Each claim has the engine's figure and ours; where they are far apart, a reason."""
    usage = engine.disk_usage()
    images = usage.get("images")
    assert images.content_bytes == engine.savings().unique_bytes
    for claim in usage.claims:
        ours = claim.content_bytes if claim.content_bytes is not None else claim.disk_bytes
        if claim.engine_bytes is not None and ours is not None and claim.engine_bytes > 2 * max(ours, 1):
            assert claim.explanation
    assert usage.to_dict()["claims"][0]["what"] == "images"


def test_a_copy_for_a_user_namespace_is_seen(engine: ck.Engine, store: Any, load: Callable[..., str]) -> None:
    """keep-id copies the whole image where the kernel cannot map it: it counts with the image, and goes with it."""
    if ck.Capability.KEEP_ID not in engine.capabilities:
        with pytest.raises(ck.Unsupported):
            engine.containers.create("none:1", userns="keep-id")
        return
    ref = load(ImageBuilder().layer(files=files(100, 50_000)))
    before = measured(store.root)
    engine.containers.create(ref, ["/none"], userns="keep-id").remove()
    grown = measured(store.root) - before
    savings = engine.savings(ref)
    assert savings.disk_bytes == pytest.approx(100 * 53_248 + grown, rel=0.05)
    predicted = engine.reclaimable(ref)
    before = measured(store.root)
    engine.images.remove(ref)
    assert before - measured(store.root) == pytest.approx(predicted.disk_bytes, rel=0.01)


def test_flattening_is_weighed_over_the_store(engine: ck.Engine, load: Callable[..., str]) -> None:
    """Flattening saves what an image wastes alone, and costs what it shares with another."""
    base = ImageBuilder().layer(files={"big": os.urandom(400_000), "gone": os.urandom(300_000)})
    ref = load(base.layer(whiteouts=["gone"]), "alone")
    (cost,) = engine.savings(ref, containers=False).images
    assert (cost.visible_bytes, cost.squash_saves) == (400_000, 300_000)
    other = load(base.layer(files={"x": os.urandom(1000)}), "other")
    first, _ = engine.savings([ref, other], containers=False).images
    assert first.squash_saves == -400_000


def test_a_store_lists_the_images_that_the_engine_lists(
    engine: ck.Engine, store: Any, load: Callable[..., str], tmp_path: Path
) -> None:
    """Names, parents and IDs from the store's records are those of the API, what a build left included."""
    if store.listed is None:
        pytest.skip("this engine lists its images itself: it needs no time for that")
    base, child = load(ImageBuilder().layer(files=files(3, 2000)), "listed-base"), named("listed-child")
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nCOPY Dockerfile /one\nCOPY Dockerfile /two\n")
    engine.images.build(tmp_path, tag=child)
    backend = engine._core.backend
    try:
        for every in (False, True):
            said = {row.id: (set(row.refs), row.parent) for row in backend.list_images(all=every, filters={})}
            index = Index(backend)
            assert {row.id: (set(row.refs), row.parent) for row in index._listed(all=every)} == said
            assert {row.id: row.diff_ids for row in index.records(None, all=every)} == {
                identity: backend.inspect_image(identity).diff_ids for identity in said
            }
    finally:
        engine.images.remove(child, force=True)


def test_every_platform_of_an_image_is_on_the_disk(engine: ck.Engine, store: Any) -> None:
    """With containerd's store, an image of two platforms takes what du finds more, the foreign platform included."""
    if engine.info().image_store != "containerd":
        pytest.skip("this store keeps one platform of an image")
    ref = named("platforms")
    members: dict[str, bytes] = {}
    rows = []
    diff_ids = {}
    for arch in ("amd64", "s390x"):
        built = replace(ImageBuilder().layer(files=files(40, 20_000)), architecture=arch)
        members.update(built.oci_members())
        diff_ids[arch] = built.layers[0].diff_id
        rows += json.loads(members["index.json"])["manifests"]
    index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": rows})
    digest, kind = sha256(index.encode()), "application/vnd.oci.image.index.v1+json"
    members["blobs/sha256/" + digest.removeprefix("sha256:")] = index.encode()
    top = {"mediaType": kind, "digest": digest, "size": len(index), "annotations": {"io.containerd.image.name": ref}}
    members["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [top]}).encode()
    blobs = next(path for path in store.root.parent.rglob("io.containerd.content.v1.content"))
    before = measured(blobs.parent)
    engine.images.load(pack(members))
    try:
        found = engine.savings([ref], containers=False)
        assert found.disk_bytes == pytest.approx(measured(blobs.parent) - before, rel=0.02)
        assert found.disk_bytes is not None
        assert found.disk_bytes > 2 * 40 * 20_000
        assert engine.reclaimable([ref]).disk_bytes == pytest.approx(found.disk_bytes, rel=0.01)
        for arch, diff_id in diff_ids.items():
            stack = engine.layers(ref, platform=f"linux/{arch}")
            assert (stack.ref, [layer.diff_id for layer in stack], len(stack.files())) == (ref, [diff_id], 40 + 8)
            assert stack.verify().unchecked == ()
    finally:
        engine.images.remove(ref, force=True)


def test_layers_of_a_platform(engine: ck.Engine, load: Callable[..., str]) -> None:
    """The engine's own platform is its image; one that it does not have is InvalidOption with those that it has."""
    ref = load(replace(ImageBuilder().layer(files={"a": os.urandom(100)}), architecture="s390x"))
    shown = engine.images.get(ref)
    assert [layer.diff_id for layer in engine.layers(ref, platform="linux/s390x")] == list(shown.diff_ids)
    with pytest.raises(ck.InvalidOption, match="s390x"):
        engine.layers(ref, platform="linux/riscv64")
