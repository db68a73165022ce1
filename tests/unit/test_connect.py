"""connect() and discover() find engines in the documented order, and say why an address fails."""

from __future__ import annotations

import contextlib
import grp  # noqa: F401  the child below could not read it any more
import json
import os
import pwd  # noqa: F401
import shutil
import socket
import socketserver
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from containerkit.discovery import connect as room
from containerkit.discovery.endpoints import TLS, Endpoint, Unreachable
from containerkit.discovery.probe import probe
from containerkit.errors import EngineUnavailable, InvalidOption
from containerkit.userconfig.environment import Environment

DOCKER = {"Version": "27.0.1", "ApiVersion": "1.46", "Components": [{"Name": "Engine", "Version": "27.0.1"}]}
PODMAN = {"Version": "5.4.2", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine", "Version": "5.4.2"}]}

Serve = Callable[..., str]


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="ck-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    """Start an engine that answers /version, /info and /libpod/info; return its URL."""
    servers: list[_Server] = []

    def start(path: str, version: Any, *, rootless: bool = False, raw: bytes | None = None, status: int = 200) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answers = {
                    "/version": version,
                    "/info": {"SecurityOptions": ["name=seccomp"] + ["name=rootless"] * rootless},
                    "/v4.0.0/libpod/info": {"host": {"security": {"rootless": rootless}}},
                }
                body = raw if raw is not None else json.dumps(answers[self.path]).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self) -> str:
                return "unix"

            def log_message(self, format: str, *args: object) -> None:
                pass

        where = folder / path
        where.parent.mkdir(parents=True, exist_ok=True)
        server = _Server(str(where), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"unix://{where}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def host(folder: Path, **env: str) -> Environment:
    """Return an environment without this machine's variables, home folder and sockets."""
    return Environment({"PATH": "", **env}, folder / "home", 1000, folder, folder / "tmp")


def answering(endpoints: tuple[Endpoint, ...]) -> list[Endpoint]:
    return [e for e in endpoints if e.reachable]


def search(machine: Environment, kind: str | None = None) -> Endpoint:
    route = room._search(machine, kind, 5.0)
    route.close()
    return route.endpoint


def test_the_server_decides_the_kind(folder: Path, serve: Serve) -> None:
    """Podman at docker.sock is used as Podman, and the note says that Docker was expected."""
    serve("run/docker.sock", PODMAN)
    (found,) = answering(room._discover(host(folder)))
    assert (found.kind, found.version) == ("podman", "5.4.2")
    assert "docker was expected" in found.note


@pytest.mark.parametrize(("version", "kind"), [(DOCKER, "docker"), (PODMAN, "podman")])
@pytest.mark.parametrize("rootless", [True, False])
def test_rootless_is_what_the_engine_says(
    folder: Path, serve: Serve, version: object, kind: str, rootless: bool
) -> None:
    """Docker reports it in SecurityOptions, Podman in its libpod info."""
    serve("run/docker.sock", version, rootless=rootless)
    (found,) = answering(room._discover(host(folder)))
    assert (found.kind, found.rootless) == (kind, rootless)


def test_the_users_own_sockets_come_first(folder: Path, serve: Serve) -> None:
    """The order is rootless Podman, rootless Docker, the machine's Podman, the machine's Docker."""
    places = ["run/user/1000/podman/podman.sock", "run/user/1000/docker.sock", "run/podman/podman.sock"]
    urls = [serve(p, PODMAN if "podman" in p else DOCKER) for p in (*places, "run/docker.sock")]
    assert [e.url for e in answering(room._discover(host(folder)))] == urls
    assert search(host(folder)).url == urls[0]
    assert search(host(folder), "docker").url == urls[1]


def test_root_without_a_runtime_folder_finds_the_machines_podman(folder: Path, serve: Serve) -> None:
    """/run/podman/podman.sock needs no XDG_RUNTIME_DIR."""
    url = serve("run/podman/podman.sock", PODMAN)
    machine = Environment({"PATH": ""}, folder / "root", 0, folder, folder / "tmp")
    assert search(machine).url == url


def test_one_socket_under_two_names_is_one_endpoint(folder: Path, serve: Serve) -> None:
    """/var/run is a link to /run."""
    serve("run/docker.sock", DOCKER)
    (folder / "var").mkdir()
    (folder / "var/run").symlink_to(folder / "run")
    assert len(answering(room._discover(host(folder)))) == 1


def test_the_order_of_the_environment(folder: Path, serve: Serve) -> None:
    """The order is CONTAINERKIT_ENGINE, CONTAINER_HOST, DOCKER_HOST, well-known sockets."""
    own, container, docker = (serve(f"{n}.sock", PODMAN) for n in ("own", "container", "docker"))
    serve("run/docker.sock", DOCKER)
    env = {"CONTAINERKIT_ENGINE": own, "CONTAINER_HOST": container, "DOCKER_HOST": docker}
    for name, url in (*env.items(), ("", f"unix://{folder}/run/docker.sock")):
        assert search(host(folder, **env)).url == url
        env.pop(name, None)


@pytest.mark.parametrize("variable", ["CONTAINERKIT_ENGINE", "CONTAINER_HOST", "DOCKER_HOST"])
@pytest.mark.parametrize("value", ["unix:///nonexistent/x.sock", "nonsense", "ftp://host"])
def test_a_variable_that_fails_is_not_replaced(folder: Path, serve: Serve, variable: str, value: str) -> None:
    """connect() never falls back from a chosen engine, and the message names the variable."""
    serve("run/docker.sock", DOCKER)
    with pytest.raises(EngineUnavailable, match=variable) as caught:
        search(host(folder, **{variable: value}))
    assert len(caught.value.tried) == 1


def test_a_dead_docker_host_does_not_forbid_podman(folder: Path, serve: Serve) -> None:
    """connect("podman") tries other addresses after a dead DOCKER_HOST."""
    url = serve("run/podman/podman.sock", PODMAN)
    machine = host(folder, DOCKER_HOST="unix:///nonexistent/x.sock")
    assert search(machine, "podman").url == url
    with pytest.raises(EngineUnavailable, match="DOCKER_HOST"):
        search(machine, "docker")


def test_docker_where_only_podman_answers(folder: Path, serve: Serve) -> None:
    """connect("docker") does not use Podman at docker.sock, and reports it."""
    serve("run/docker.sock", PODMAN)
    with pytest.raises(EngineUnavailable, match=r"podman 5\.4\.2 answers there, not docker"):
        search(host(folder), "docker")


def test_nothing_found_says_what_was_tried_and_what_to_type(folder: Path) -> None:
    """The message lists every address, the reason for each, and commands to type."""
    with pytest.raises(EngineUnavailable) as caught:
        search(host(folder))
    text = str(caught.value)
    assert all(address in text and reason for address, reason in caught.value.tried)
    assert len(caught.value.tried) >= 5
    assert "apt install podman" in text
    assert "no such socket" in text


def test_a_stale_socket(folder: Path) -> None:
    """The socket of a service that has ended is reported as stale."""
    (folder / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "run/docker.sock"))
    found = {e.url: e.reason for e in room._discover(host(folder))}
    assert "stale socket" in found[f"unix://{folder}/run/docker.sock"]


def test_a_file_that_is_no_socket(folder: Path) -> None:
    """A regular file in place of a socket is a reason."""
    (folder / "run").mkdir()
    (folder / "run/docker.sock").write_text("")
    assert "not a socket" in {e.url: e.reason for e in room._discover(host(folder))}[f"unix://{folder}/run/docker.sock"]


def test_permission_denied_names_the_uid_and_what_the_group_means(folder: Path, serve: Serve) -> None:
    """The reason names the uid, and what members of the socket's group can do."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a socket of another owner")
    url = serve("run/docker.sock", DOCKER)
    os.chown(url[len("unix://") :], 0, 2)
    os.chmod(url[len("unix://") :], 0o660)
    os.chmod(folder, 0o755)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            try:
                probe(url, timeout=2)
            except Unreachable as exc:
                os.write(write, str(exc).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        reason = pipe.read()
    assert "uid 65534 may not write" in reason
    assert "can become root" in reason
    assert "rootless" in reason


@pytest.mark.parametrize(
    ("raw", "status"),
    [(b"", 200), (b"[]", 200), (b"not json", 200), (b"\xff\xfe", 200), (b"{}", 404), (b"null", 200), (b"{}", 200)],
)
def test_what_answers_is_no_engine(folder: Path, serve: Serve, raw: bytes, status: int) -> None:
    """Another HTTP server at a socket is a reason, not an exception."""
    serve("run/docker.sock", DOCKER, raw=raw, status=status)
    machine = host(folder)
    assert not answering(room._discover(machine))
    with pytest.raises(EngineUnavailable, match="something answers that is n"):
        search(machine)


@pytest.mark.parametrize("components", [None, "x", [None, 1, "Engine"], [{"Name": None}], [{"Name": "Balena"}], {}])
def test_odd_components_do_not_crash(folder: Path, serve: Serve, components: object) -> None:
    """Any value of Components gives an endpoint that is reachable or has a reason."""
    serve("run/docker.sock", {"ApiVersion": "1.41", "Version": 3, "Components": components})
    found = {e.url: e for e in room._discover(host(folder))}[f"unix://{folder}/run/docker.sock"]
    assert found.reachable != bool(found.reason)


def test_a_listener_that_never_answers_costs_seconds_not_minutes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hung service costs the timeout of one request."""
    monkeypatch.setattr(room, "_PROBE", 0.2)
    (folder / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "run/docker.sock"))
        sock.listen()
        found = {e.url: e.reason for e in room._discover(host(folder))}
    assert "no complete response within 0.2 s" in found[f"unix://{folder}/run/docker.sock"]


def test_another_users_socket_in_the_shared_temporary_folder_is_not_ours(folder: Path, serve: Serve) -> None:
    """A socket below the temporary folder is used only if it belongs to the user or root."""
    url = serve("tmp/podman/x-api.sock", PODMAN)
    theirs = Environment({"PATH": ""}, folder / "home", 1000, folder, folder / "tmp")
    if os.geteuid() == 0:
        os.chown(url[len("unix://") :], 2000, 2000)
        assert not answering(room._discover(theirs))
        os.chown(url[len("unix://") :], 1000, 1000)
        assert [e.url for e in answering(room._discover(theirs))] == [url]


@pytest.mark.parametrize(
    "target",
    ["", " ", "unix://", "ftp://x", "unix:///a\0b", "a\nb", "tcp://", "tcp://h:99999", "tcp://u:p@h:1", "ssh://-oX/p"],
)
def test_a_target_that_could_not_work_anywhere(target: str) -> None:
    """An invalid target raises InvalidOption before anything is sent."""
    with pytest.raises(InvalidOption) as caught:
        room.connect(target)
    assert caught.value.name == "target"


@pytest.mark.parametrize("target", [1, 1.5, b"docker", [], {}, object(), True])
def test_a_target_of_another_type(target: Any) -> None:
    """A target that is no string, Endpoint or Backend raises InvalidOption."""
    with pytest.raises(InvalidOption, match="target"):
        room.connect(target)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "60", None, True])
def test_a_timeout_is_a_number_of_seconds(timeout: Any) -> None:
    """A timeout is a positive, finite number."""
    with pytest.raises(InvalidOption, match="timeout"):
        room.connect("docker", timeout=timeout)


def test_an_unknown_name_says_which_there_are(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """An unknown name raises EngineUnavailable, which lists the known names."""
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setenv("CONTAINERS_CONF", os.devnull)  # this machine may have connections of its own
    with pytest.raises(EngineUnavailable, match="no docker context and no podman connection is named 'lab'"):
        room.connect("lab")


def test_an_encrypted_key_asks_nobody(folder: Path) -> None:
    """An encrypted key is a reason; nothing prompts for its passphrase."""
    for name in ("ca.pem", "cert.pem"):
        (folder / name).write_text(ssl.DER_cert_to_PEM_cert(b"x"))
    (folder / "key.pem").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    place = TLS(None, str(folder / "cert.pem"), str(folder / "key.pem"), verify=False)
    with pytest.raises(EngineUnavailable, match="encrypted"):
        room.open_backend(Endpoint("tcp://127.0.0.1:9", "test", tls=place), 1.0)


def test_a_long_path_is_a_reason(folder: Path) -> None:
    """A path longer than sun_path raises EngineUnavailable."""
    with pytest.raises(EngineUnavailable):
        room.open_backend(Endpoint(f"unix://{folder}/{'x' * 200}", "test"), 1.0)


def test_an_endpoint_is_json_ready(folder: Path, serve: Serve) -> None:
    """to_dict() returns JSON-ready values."""
    serve("run/docker.sock", DOCKER)
    for endpoint in room._discover(host(folder)):
        assert json.loads(json.dumps(endpoint.to_dict())) == endpoint.to_dict()
        assert endpoint.source in repr(endpoint)


def test_importing_connect_imports_no_vendor() -> None:
    """The module imports neither docker-py, podman-py nor requests."""
    import subprocess

    look = "[m for m in ('docker', 'podman', 'requests') if m in sys.modules]"
    code = f"import sys, containerkit.discovery.connect; print({look})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_own_variable_may_name_a_kind(folder: Path, serve: Serve) -> None:
    """CONTAINERKIT_ENGINE may be a kind."""
    serve("run/user/1000/podman/podman.sock", PODMAN)
    url = serve("run/docker.sock", DOCKER)
    assert room._connect(host(folder, CONTAINERKIT_ENGINE="docker"), None, 5.0).endpoint.url == url


def test_podman_at_docker_host_is_podman_for_connect_podman(folder: Path, serve: Serve) -> None:
    """connect("podman") uses DOCKER_HOST if Podman answers there."""
    url = serve("x.sock", PODMAN)
    serve("run/podman/podman.sock", PODMAN)
    assert search(host(folder, DOCKER_HOST=url), "podman").url == url


@pytest.mark.parametrize(("programs", "told"), [(("podman",), True), (("podman", "newuidmap"), False)])
def test_what_rootless_podman_lacks_is_told(folder: Path, programs: tuple[str, ...], told: bool) -> None:
    """A podman without newuidmap cannot run rootless, so the message names the package."""
    (folder / "bin").mkdir()
    for name in programs:
        (folder / "bin" / name).write_text("#!/bin/sh\necho cannot >&2; exit 1\n")
        (folder / "bin" / name).chmod(0o755)
    with pytest.raises(EngineUnavailable) as caught:
        search(host(folder, PATH=str(folder / "bin")))
    assert ("apt install uidmap" in str(caught.value)) is told


@pytest.mark.parametrize(
    ("uid", "programs", "kind", "expected"),
    [
        (0, "", None, ["apt install podman", "apt install docker.io"]),
        (1000, "", None, ["sudo apt install podman", "systemctl --user start docker", "sudo apt install docker.io"]),
        (0, "", "podman", ["apt install podman"]),
        (0, "", "docker", ["apt install docker.io"]),
        (0, "podman", "podman", ["systemctl start podman.socket", "podman system service --time=0 &"]),
        (
            1000,
            "podman dockerd",
            None,
            [
                "sudo apt install uidmap",
                "systemctl --user start podman.socket",
                "podman system service --time=0 &",
                "systemctl --user start docker",
                "sudo systemctl start docker",
            ],
        ),
    ],
)
def test_the_commands_fit_the_machine(
    folder: Path, uid: int, programs: str, kind: str | None, expected: list[str]
) -> None:
    """What to type depends on the user, the programs that are installed, and the kind that is wanted."""
    (folder / "bin").mkdir()
    for name in programs.split():
        (folder / "bin" / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / "bin" / name).chmod(0o755)
    machine = Environment({"PATH": str(folder / "bin")}, folder / "home", uid, folder, folder / "tmp")
    assert [command for command, _ in room._commands(machine, kind)] == expected


def test_an_endpoint_is_frozen() -> None:
    """What discover() returned does not change."""
    with pytest.raises(AttributeError):
        Endpoint("u", "x").url = "v"  # type: ignore[misc]
