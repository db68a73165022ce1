"""What the program does while it is killed: `python -m tests.kill.operations URL IMAGE OPERATION PREFIX`."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import containerkit as ck
from containerkit.testing.archives import ImageBuilder

__all__ = ["OPERATIONS", "registry"]

#: Name -> what is done with an engine, an image with a shell, a prefix for names, and a folder.
Operation = Callable[[ck.Engine, str, str, Path], object]


def _start(engine: ck.Engine, image: str, prefix: str, folder: Path) -> object:
    return engine.start(image, ["sleep", "600"], name=f"{prefix}-start")


def _everything(engine: ck.Engine, image: str, prefix: str, folder: Path) -> None:
    network = engine.networks.create(f"{prefix}-net")
    volume = engine.volumes.create(f"{prefix}-vol")
    with engine.start(image, ["sleep", "600"], network=network.name, volumes={volume.name: "/v"}) as box:
        box.exec(["true"])


def _streams(engine: ck.Engine, image: str, prefix: str, folder: Path) -> None:
    with engine.start(image, ["sh", "-c", "while :; do echo x; sleep 0.01; done"]) as box:
        for count, _ in enumerate(box.stream_logs(follow=True)):
            if count > 20:
                break


def _files(engine: ck.Engine, image: str, prefix: str, folder: Path) -> None:
    (folder / "data").write_bytes(os.urandom(1 << 20))
    with engine.containers.create(image, ["true"]) as box:
        box.copy_to(folder / "data", "/data")
        box.copy_from("/data", folder / "back")


def _commit(engine: ck.Engine, image: str, prefix: str, folder: Path) -> None:
    with engine.containers.create(image, ["true"]) as box:
        box.write_file("/new", os.urandom(1 << 16))
        box.commit(f"docker.io/containerkit/{prefix}:commit")


def _build(engine: ck.Engine, image: str, prefix: str, folder: Path) -> None:
    steps = "".join(f"RUN echo {index} {os.urandom(4).hex()} > /f{index}\n" for index in range(2))
    engine.images.build({"Dockerfile": f"FROM {image}\n{steps}"}, tag=f"docker.io/containerkit/{prefix}:build")


def _save(engine: ck.Engine, image: str, prefix: str, folder: Path) -> None:
    engine.images.save(image, folder / "saved.tar")


def _load(engine: ck.Engine, image: str, prefix: str, folder: Path) -> None:
    builder = ImageBuilder().layer(files={"data": os.urandom(1 << 20)})
    engine.images.load(builder.tag(f"docker.io/containerkit/{prefix}:load").to_docker_archive())


def _pull(engine: ck.Engine, image: str, prefix: str, folder: Path) -> None:
    engine.images.pull(f"{os.environ['CK_KILL_REGISTRY']}/containerkit/{prefix}:pull")


OPERATIONS: dict[str, Operation] = {
    "connect": lambda engine, image, prefix, folder: engine.info(),
    "run": lambda engine, image, prefix, folder: engine.run(image, ["sleep", "0.1"]),
    "run with input": lambda engine, image, prefix, folder: engine.run(image, ["cat"], input="x" * 100_000),
    "run with timeout": lambda engine, image, prefix, folder: engine.run(image, ["sleep", "0.2"], timeout=5),
    "start": _start,
    "create": lambda engine, image, prefix, folder: engine.containers.create(image, ["true"]),
    "anonymous volume": lambda engine, image, prefix, folder: engine.run(image, ["true"], volumes=["/anonymous"]),
    "network, volume, exec": _everything,
    "stream logs": _streams,
    "files": _files,
    "commit": _commit,
    "build": _build,
    "save": _save,
    "load": _load,
    "pull": _pull,
    "check": lambda engine, image, prefix, folder: engine.check(),
    "layers": lambda engine, image, prefix, folder: engine.layers(image).waste(),
    "savings": lambda engine, image, prefix, folder: engine.savings(),
}


def registry() -> tuple[ThreadingHTTPServer, str]:
    """Serve one image of 4 MiB under every name, slowly; return the server and its address."""
    members = ImageBuilder().layer(files={"data": os.urandom(4 << 20)}).tag("x:1").oci_members()
    index = members["index.json"].decode()
    digest = index.partition('"digest":')[2].partition("sha256:")[2][:64]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            manifest = "/manifests/" in self.path
            body = members.get(f"blobs/sha256/{digest if manifest else name.removeprefix('sha256:')}")
            if self.path == "/v2/":
                body = b"{}"
            self.send_response(404 if body is None else 200)
            if manifest:
                self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
                self.send_header("Docker-Content-Digest", f"sha256:{digest}")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            for start in range(0, len(body or b"") if self.command == "GET" else 0, 1 << 18):
                self.wfile.write((body or b"")[start : start + (1 << 18)])
                threading.Event().wait(0.02)

        do_HEAD = do_GET  # noqa: N815  the names of http.server

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"127.0.0.1:{server.server_address[1]}"


def say(word: str) -> None:
    """Tell the process that kills this one how far it is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(url: str, image: str, name: str, prefix: str) -> None:
    """Connect, and do one operation; the end of the interpreter closes the Engine."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell in the background ignores it
    with tempfile.TemporaryDirectory() as folder:
        if name == "connect":
            say("begin")
        seconds = float(os.environ.get("CK_KILL_TIMEOUT", "30"))
        engine = ck.connect(url, timeout=seconds, reaper=os.environ.get("CK_KILL_REAPER") == "1")
        if name != "connect":
            say("begin")
        OPERATIONS[name](engine, image, prefix, Path(folder))
        say("end")


if __name__ == "__main__":
    main(*sys.argv[1:])
