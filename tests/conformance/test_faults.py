"""Lost connections, a dead engine, Ctrl-C, a full disk: a typed error each time, and nothing left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from tests.proxy import Proxy, Way

_numbers = itertools.count()
SECONDS = "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); sleep 0.05; done"


def unique(word: str) -> str:
    return f"ck{word}{os.getpid()}x{next(_numbers)}"


@pytest.fixture
def proxy(engine: ck.Engine) -> Iterator[Proxy]:
    """A proxy before the engine that can cut connections."""
    if not engine.url.startswith("unix://"):
        pytest.skip(f"the engine is at {engine.url}, and these tests stand before its socket")
    with Proxy(engine.url) as proxy:
        yield proxy


@pytest.fixture
def far(proxy: Proxy) -> Iterator[ck.Engine]:
    """The engine, reached through the proxy."""
    with ck.connect(proxy.url, timeout=20) as far:
        yield far


@pytest.fixture
def box(engine: ck.Engine, shell_image: str) -> Iterator[ck.Container]:
    """A container that writes a line each 50 ms, reached without the proxy."""
    with engine.start(shell_image, ["sh", "-c", f"{SECONDS}; sleep 600"]) as box:
        yield box


def ours(engine: ck.Engine, session: str) -> list[ck.Container]:
    return engine.containers.list(all=True, filters={"label": [f"containerkit.session={session}"]})


class Cut:
    """A rule that cuts the connection of a request at a byte of its response."""

    def __init__(self, request: bytes, *, after: int = 0, times: int = 1, way: Way = "down") -> None:
        self.request, self.after, self.times, self.way = request, after, times, way
        self.seen = 0
        self._base: dict[int, int | None] = {}  # connection -> what had come back on it before the request

    def __call__(self, way: Way, data: bytes, before: int, line: int) -> int:
        if way == "up":
            if self.request in data:
                self.seen += 1
                if self.seen <= self.times:
                    self._base[line] = None
                    return 0 if self.way == "up" else len(data)
            return len(data)
        if self.way == "up" or line not in self._base:
            return len(data)
        base = self._base[line]
        if base is None:
            base = self._base[line] = before
        return max(0, min(len(data), self.after + base - before))


# ---------------------------------------------------------------- an answer that is lost
CREATES: dict[str, tuple[bytes, Callable[[ck.Engine, str, str], Any]]] = {
    "container": (b"/containers/create", lambda e, image, name: e.containers.create(image, "true", name=name)),
    "container-unnamed": (b"/containers/create", lambda e, image, name: e.containers.create(image, "true")),
    "volume": (b"/volumes/create", lambda e, image, name: e.volumes.create(name)),
    "volume-unnamed": (b"/volumes/create", lambda e, image, name: e.volumes.create()),
    "network": (b"/networks/create", lambda e, image, name: e.networks.create(name)),
}


@pytest.mark.parametrize("way", ["down", "up"])
@pytest.mark.parametrize("what", CREATES)
def test_a_create_whose_answer_is_lost_is_not_made_twice(
    engine: ck.Engine, far: ck.Engine, proxy: Proxy, shell_image: str, what: str, way: Way
) -> None:
    """A create whose response ("down") or request ("up") is lost creates one thing, owned by the session."""
    request, act = CREATES[what]
    proxy.rule = Cut(request, way=way)
    made = act(far, shell_image, unique("lost"))
    assert proxy.cuts == 1
    filters = {"label": [f"containerkit.session={far._core.session.id}"]}
    found: list[Any] = [
        *engine.containers.list(all=True, filters=filters),
        *engine.volumes.list(filters=filters),
        *engine.networks.list(filters=filters),
    ]
    assert [getattr(item, "id", item.name) for item in found] == [getattr(made, "id", made.name)]
    far.close()
    assert not ours(engine, far._core.session.id)
    assert not engine.volumes.list(filters=filters)
    assert not engine.networks.list(filters=filters)


def test_a_question_is_asked_again(far: ck.Engine, proxy: Proxy) -> None:
    """A request that changes nothing is sent again when its answer is cut, and no more than twice."""
    proxy.rule = Cut(b"/containers/json", times=1)
    assert far.containers.list() is not None
    assert proxy.cuts == 1
    always = proxy.rule = Cut(b"/containers/json", times=1000, way="up")
    with pytest.raises(ck.EngineUnavailable):
        far.containers.list()
    assert always.seen == 3


# ---------------------------------------------------------------- a stream that is cut
def _read_logs(far: ck.Engine, box: ck.Container) -> None:
    with far.containers.get(box.id).stream_logs() as stream:
        for _ in stream:
            pass


def _stats(far: ck.Engine, box: ck.Container) -> None:
    far._core.require(ck.Capability.STATS, "stats")
    with far.containers.get(box.id).stream_stats() as stream:
        for _ in stream:
            pass


def _export(far: ck.Engine, box: ck.Container) -> None:
    with far.containers.get(box.id).export() as stream:
        for _ in stream:
            pass


def _exec(far: ck.Engine, box: ck.Container) -> None:
    far.containers.get(box.id).exec(["sh", "-c", SECONDS])


def _events(far: ck.Engine, box: ck.Container) -> None:
    happens = threading.Thread(target=lambda: [box.exec("true") for _ in range(10)])
    happens.start()
    with contextlib.ExitStack() as stack:
        stack.callback(happens.join)
        stream = stack.enter_context(far.events(filters={"type": "container"}))
        for _ in stream:
            pass


def _build(far: ck.Engine, box: ck.Container) -> None:
    far.images.build({"Dockerfile": f"FROM {box.image}\nRUN {SECONDS}\n"}, no_cache=True)


def _run(far: ck.Engine, box: ck.Container) -> None:
    far.run(box.image, ["sh", "-c", SECONDS])


def _wait(far: ck.Engine, box: ck.Container) -> None:
    far.containers.get(box.id).wait()


STREAMS: dict[str, tuple[bytes, int, Callable[[ck.Engine, ck.Container], None]]] = {
    "logs": (b"/logs", 400, _read_logs),
    "stats": (b"/stats", 1500, _stats),
    "export": (b"/export", 100_000, _export),
    "exec": (b"/start", 400, _exec),
    "events": (b"/events", 600, _events),
    "build": (b"/build", 400, _build),
    "run": (b"/attach", 400, _run),
    "wait": (b"/wait", 0, _wait),
}
#: 8 bytes of header and 7 of "line N\n": with the HTTP header of an upgrade before it, a cut falls between two frames
#: for some of these, and inside of one for others.
BYTES = range(300, 315)


@pytest.mark.parametrize("what", STREAMS)
def test_a_cut_is_no_end(far: ck.Engine, proxy: Proxy, box: ck.Container, what: str) -> None:
    """A stream whose connection is lost raises EngineUnavailable; it never ends early."""
    request, after, act = STREAMS[what]
    if what == "wait":
        box.kill()
    proxy.rule = Cut(request, after=after)
    try:
        with pytest.raises(ck.EngineUnavailable):
            act(far, box)
    except ck.Unsupported as exc:
        pytest.skip(str(exc))
    assert proxy.cuts


@pytest.mark.parametrize("after", BYTES)
def test_a_run_that_is_cut_at_any_byte(
    engine: ck.Engine, far: ck.Engine, proxy: Proxy, shell_image: str, after: int
) -> None:
    """run() raises, wherever the connection is cut, and removes the container."""
    script = "i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.05; done"
    proxy.rule = Cut(b"/attach", after=after)
    with pytest.raises(ck.EngineUnavailable):
        far.run(shell_image, ["sh", "-c", script])
    assert ours(engine, far._core.session.id) == []


def test_a_process_that_closes_its_output_is_not_cut(engine: ck.Engine, shell_image: str) -> None:
    """A process may close its output before it ends."""
    result = engine.run(shell_image, ["sh", "-c", "echo all; exec >&- 2>&-; sleep 3; exit 5"])
    assert (result.exit_code, result.stdout) == (5, "all\n")


# ---------------------------------------------------------------- an engine that is gone


@pytest.mark.parametrize("what", ["logs", "exec", "run", "build", "wait"])
def test_an_engine_that_dies(engine: ck.Engine, proxy: Proxy, box: ck.Container, what: str) -> None:
    """An engine that dies raises EngineUnavailable at once; cleanup() finds what the session created."""
    far = ck.connect(proxy.url, timeout=20)
    request, after, act = STREAMS[what]
    if what == "wait":
        box.kill()
    cut = Cut(request, after=after)

    def rule(way: Way, data: bytes, before: int, line: int) -> int:
        passing = cut(way, data, before, line)
        if passing < len(data):
            proxy.stop()
        return passing

    proxy.rule = rule
    with pytest.raises(ck.EngineUnavailable):
        act(far, box)
    with pytest.raises(ck.EngineUnavailable):
        far.info()
    far.close()  # logs what it could not remove, and raises nothing
    left = ours(engine, far._core.session.id)
    assert len(left) == (what == "run")
    cleaned = ck.cleanup(engine)
    assert set(cleaned.containers) >= {item.name for item in left}
    assert ours(engine, far._core.session.id) == []


# ---------------------------------------------------------------- files
def test_a_save_that_is_cut(far: ck.Engine, proxy: Proxy, shell_image: str, tmp_path: Path) -> None:
    """A save that is cut leaves no partial archive and keeps the old file."""
    (tmp_path / "image.tar").write_text("before")
    proxy.rule = Cut(b"/images/get", after=200_000)
    with pytest.raises(ck.EngineUnavailable):
        far.images.save(shell_image, tmp_path / "image.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]
    assert (tmp_path / "image.tar").read_text() == "before"


def test_a_copy_that_is_cut(far: ck.Engine, proxy: Proxy, box: ck.Container, tmp_path: Path) -> None:
    """A copy that is cut leaves no partial file."""
    proxy.rule = Cut(b"/archive", after=200_000)
    there = far.containers.get(box.id)
    there.refresh()
    with pytest.raises(ck.EngineUnavailable):
        there.copy_from("/bin/busybox", tmp_path / "busybox")
    assert list(tmp_path.iterdir()) == []


FULL = """
import errno, pathlib, subprocess, sys
import containerkit as ck
folder = pathlib.Path(sys.argv[3])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], check=True)
(folder / "old").write_text("before")
with ck.connect(sys.argv[1]) as engine, engine.containers.create(sys.argv[2], "true") as box:
    for name, act in (
        ("old", lambda path: engine.images.save(sys.argv[2], path)),
        ("new", lambda path: engine.images.save(sys.argv[2], path)),
        ("old", lambda path: box.copy_from("/bin/busybox", path)),
        ("new", lambda path: box.copy_from("/bin/busybox", path)),
    ):
        try:
            act(folder / name)
        except OSError as exc:
            assert (exc.errno, exc.filename) == (errno.ENOSPC, str(folder / name)), repr(exc)
        else:
            raise AssertionError("it fitted")
        assert [path.name for path in folder.iterdir()] == ["old"], list(folder.iterdir())
        assert (folder / "old").read_text() == "before"
print("held")
"""


def test_a_full_disk(engine: ck.Engine, shell_image: str, tmp_path: Path) -> None:
    """A full disk raises OSError that names the file, leaves no partial file and keeps the old one."""
    inside = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no mount namespace to be had here")
    script = [sys.executable, "-c", FULL, engine.url, shell_image, str(tmp_path)]
    done = subprocess.run([*inside, *script], capture_output=True, text=True, timeout=120)
    assert done.stdout == "held\n", done.stderr


def test_a_file_that_cannot_be_read_is_no_fault_of_the_engine(box: ck.Container, tmp_path: Path) -> None:
    """An error of the local disk while something is sent is raised as it is."""
    (tmp_path / "a").write_text("x")
    opened = Path.open

    def refuse(path: Path, *args: Any, **options: Any) -> Any:
        if path.name == "a":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(PermissionError) as caught:
            box.copy_to(tmp_path / "a", "/tmp/a")
    assert caught.value.filename == str(tmp_path / "a")
    assert box.exec(["test", "-e", "/tmp/a"]).exit_code == 1


# ---------------------------------------------------------------- Ctrl-C
INTERRUPTED: dict[str, str] = {
    "run": 'engine.run(image, ["sh", "-c", "echo begun; sleep 600"], on_output=begun)',
    "exec": 'engine.start(image, ["sleep", "600"]).exec(["sh", "-c", "echo begun; sleep 600"], on_output=begun)',
    "exec-timeout": 'engine.start(image, ["sleep", "600"])'
    '.exec(["sh", "-c", "echo begun; sleep 600"], on_output=begun, timeout=90)',
    "logs": '[begun(line) for line in engine.start(image, ["sh", "-c", "echo begun; sleep 600"]).stream_logs()]',
    "wait": 'box = engine.start(image, ["sleep", "600"]); begun(0); box.wait()',
    "build": 'engine.images.build({"Dockerfile": f"FROM {image}\\nRUN echo begun && sleep 3\\n"}, no_cache=True, '
    "on_progress=lambda step: 'begun' in step.stream and 'RUN' not in step.stream.upper() and begun(step))",
    "copy": 'box = engine.start(image, ["sleep", "600"]); box.exec("dd if=/dev/zero of=/big bs=1M count=200"); '
    'begun(0); [box.copy_from("/big", sys.argv[3]) for _ in range(100)]',
    "events": "begun(0); [0 for event in engine.events()]",
}
SCRIPT = """
import sys
import containerkit as ck
def begun(_):
    print("begun", engine._core.session.id, flush=True)
with ck.connect(sys.argv[1]) as engine:
    image = sys.argv[2]
    exec(sys.argv[4])
"""


@pytest.mark.parametrize("what", INTERRUPTED)
def test_ctrl_c(engine: ck.Engine, shell_image: str, tmp_path: Path, what: str) -> None:
    """Ctrl-C raises KeyboardInterrupt, and `with` leaves nothing behind."""
    command = [sys.executable, "-c", SCRIPT, engine.url, shell_image, str(tmp_path / "copy"), INTERRUPTED[what]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        word, _, session = script.stdout.readline().strip().partition(" ")
        if word != "begun":
            pytest.fail(script.communicate()[1])
        time.sleep(0.3)
        script.send_signal(signal.SIGINT)
        try:
            _, errors = script.communicate(timeout=60)
        finally:
            script.kill()  # `with` would wait for one that does not end
    assert "KeyboardInterrupt" in errors.splitlines()[-1], errors
    assert script.returncode == -signal.SIGINT
    assert ours(engine, session) == []
    assert list(tmp_path.glob(".copy*")) == []
