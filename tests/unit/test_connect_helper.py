"""Helper processes (podman, ssh) start, report their failures, and never outlive this process."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from containerkit.discovery import connect as room
from containerkit.discovery import tunnel
from containerkit.discovery.candidates import Candidate
from containerkit.discovery.embedded import program_version, start_service
from containerkit.discovery.endpoints import Endpoint, EngineUrl, parse_url
from containerkit.discovery.helper import Helper, HelperFailed, private_folder
from containerkit.discovery.routes import open_route
from containerkit.errors import EngineUnavailable
from containerkit.userconfig.environment import Environment

# Stands for `podman`: answers --version, and /version on the socket that its last argument names.
PODMAN = """
    import json, os, socketserver, sys
    from http.server import BaseHTTPRequestHandler
    if sys.argv[1:] == ["--version"]:
        print("podman version 5.4.2"); sys.exit()
    assert sys.argv[1:4] == ["system", "service", "--time=0"], sys.argv
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"Version": "5.4.2", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]})
            self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
            self.wfile.write(body.encode())
        def address_string(self): return ""
        def log_message(self, *args): pass
    socketserver.UnixStreamServer(sys.argv[4].removeprefix("unix://"), Handler).serve_forever()
"""

Program = Callable[..., str]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Make an executable from Python source; return its path."""

    def make(source: str, name: str = "podman") -> str:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{sys.executable}\n" + textwrap.dedent(source))
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture(autouse=True)
def no_folder_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Every private folder is removed by the end of a test."""
    with tempfile.TemporaryDirectory(prefix="ck-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield
        assert list(Path(folder).glob("containerkit-*")) == []


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_the_service_is_private_and_ends_on_close(program: Program) -> None:
    """The folder has mode 0700, the service has its own session, and close() removes both."""
    helper = start_service(program(PODMAN), runtime="", timeout=10)
    pid = helper.pid
    assert stat.S_IMODE(os.stat(helper.folder).st_mode) == 0o700
    assert os.getsid(pid) == pid
    assert len(helper.socket) < 108
    helper.close()
    helper.close()
    assert not runs(pid)
    assert not helper.folder.exists()


def test_a_service_that_fails_is_quoted(program: Program) -> None:
    """A service that fails is reported with its output, before the timeout."""
    started = time.monotonic()
    with pytest.raises(HelperFailed, match="cannot set up namespace"):
        start_service(program("import sys; sys.exit('Error: cannot set up namespace')"), runtime="", timeout=30)
    assert time.monotonic() - started < 10


def test_a_service_that_never_gets_ready_is_given_up(program: Program) -> None:
    """A service that is not ready after the timeout raises HelperFailed."""
    with pytest.raises(HelperFailed, match=r"not ready within 0\.5 s"):
        start_service(program("import time; time.sleep(60)"), runtime="", timeout=0.5)


def test_a_service_that_ignores_term_is_killed(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """KILL follows TERM."""
    monkeypatch.setattr("containerkit.discovery.helper._GRACE", 0.3)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + textwrap.dedent(PODMAN)
    helper = start_service(program(deaf), runtime="", timeout=10)
    pid = helper.pid
    helper.close()
    assert not runs(pid)


def test_a_program_that_is_not_there() -> None:
    """A missing program raises HelperFailed with the system's reason."""
    with pytest.raises(HelperFailed, match="No such file"):
        Helper("x", lambda socket: ["/nonexistent/x", socket], folder=private_folder())


def test_a_long_runtime_folder_is_not_used(tmp_path: Path) -> None:
    """A folder whose path is too long for a socket is not used."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    folder = private_folder(str(long))
    assert folder.parent != long
    folder.rmdir()


@pytest.mark.parametrize(
    "ending", ["raise SystemExit", "raise RuntimeError", "os.kill(0, 2)", "os.kill(os.getpid(), 9)"]
)
def test_it_never_outlives_us(program: Program, ending: str) -> None:
    """The helper ends after an exception, after Ctrl-C in the terminal, and after kill -9."""
    code = f"""
        import os, time
        from containerkit.discovery.embedded import start_service
        helper = start_service({program(PODMAN)!r}, runtime="", timeout=10)
        print(helper.pid, helper.folder, flush=True)
        {ending}
        time.sleep(10)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=30,
    )
    pid, folder = done.stdout.split()
    wait_until(lambda: not runs(int(pid)))
    wait_until(lambda: not Path(folder).exists())


def test_it_outlives_the_thread_that_started_it(program: Program) -> None:
    """The helper outlives the thread that started it."""
    import threading

    found: list[Helper] = []
    path = program(PODMAN)
    thread = threading.Thread(target=lambda: found.append(start_service(path, runtime="", timeout=10)))
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert runs(found[0].pid)
    found[0].close()


def test_a_forked_child_does_not_end_its_parents_helper(program: Program) -> None:
    """close() in a forked child does nothing."""
    helper = start_service(program(PODMAN), runtime="", timeout=10)
    child = os.fork()
    if child == 0:
        helper.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert runs(helper.pid)
    helper.close()


def test_without_a_service_our_own_podman_is_started(program: Program, tmp_path: Path) -> None:
    """If no socket answers, the podman program serves until the route is closed."""
    path = program(PODMAN)
    machine = Environment({"PATH": os.path.dirname(path)}, tmp_path / "home", 1000, tmp_path, tmp_path)
    route = room._search(machine, None, 10.0)
    assert (route.kind, route.endpoint.url) == ("podman", f"embedded://{path}")
    assert route.address.startswith("unix:///")
    route.close()
    (found,) = [e for e in room._discover(machine) if e.reachable]
    assert (found.source, found.version, found.kind) == ("embedded podman", "5.4.2", "podman")
    with pytest.raises(EngineUnavailable):
        room._search(machine, "docker", 10.0)


def test_a_podman_that_cannot_say_its_version(program: Program) -> None:
    """A podman program that fails raises HelperFailed with its output."""
    with pytest.raises(HelperFailed, match="boom"):
        program_version(program("import sys; sys.exit('boom')"), timeout=10)


def test_sshs_own_words(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the error of ssh, and a command to type."""
    ssh = program("import sys; sys.exit('u@h: Permission denied (publickey).')", "ssh")
    monkeypatch.setenv("PATH", os.path.dirname(ssh))
    with pytest.raises(HelperFailed, match=r"Permission denied \(publickey\).*ssh -p 7 u@h"):
        tunnel.open_tunnel(parse_url("ssh://u@h:7/x"), "/x", timeout=5, runtime="")
    with pytest.raises(HelperFailed, match="Permission denied"):
        tunnel.find_remote_socket(EngineUrl("ssh", host="h"), timeout=5)


def test_what_ssh_is_told(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """ssh gets no prompts, no shared connection, and a host that cannot be an option."""
    ssh = program("import sys; sys.exit(' '.join(sys.argv[1:]))", "ssh")
    monkeypatch.setenv("PATH", os.path.dirname(ssh))
    with pytest.raises(HelperFailed) as caught:
        tunnel.open_tunnel(parse_url("ssh://u@h:7/x.sock"), "/x.sock", identity="/k", timeout=5, runtime="")
    words = str(caught.value)
    for option in (
        "BatchMode=yes",
        "ControlPath=none",
        "ExitOnForwardFailure=yes",
        "-i /k",
        "-l u",
        "-p 7",
        ":/x.sock -- h",
    ):
        assert option in words


# Stands for ssh: runs a command here; with -N, answers /version on the near end of the tunnel.
SSH = """
    import json, os, socketserver, subprocess, sys
    from http.server import BaseHTTPRequestHandler
    if "-N" not in sys.argv:
        sys.exit(subprocess.call(["/bin/sh", "-c", sys.argv[-1]]))
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"Version": "27", "ApiVersion": "1.46", "Components": [{"Name": "Engine"}]})
            self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
            self.wfile.write(body.encode())
        def address_string(self): return ""
        def log_message(self, *args): pass
    near = sys.argv[sys.argv.index("-L") + 1].partition(":")[0]
    socketserver.UnixStreamServer(near, Handler).serve_forever()
"""


@pytest.fixture
def remote(program: Program, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine behind ssh; gives its XDG_RUNTIME_DIR."""
    monkeypatch.setenv("PATH", f"{os.path.dirname(program(SSH, 'ssh'))}:/usr/bin:/bin")
    with tempfile.TemporaryDirectory(prefix="ck-r-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def listen(path: Path) -> socket.socket:
    path.parent.mkdir(exist_ok=True)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    return sock


def test_the_remote_socket_is_found(remote: Path) -> None:
    """Podman's first, or that of the kind that is preferred."""
    address = EngineUrl("ssh", host="h")
    with listen(remote / "docker.sock"), listen(remote / "podman/podman.sock"):
        find = tunnel.find_remote_socket
        assert find(address, timeout=5) == f"{remote}/podman/podman.sock"
        assert find(address, prefer="podman", timeout=5) == f"{remote}/podman/podman.sock"
        assert find(address, prefer="docker", timeout=5) == f"{remote}/docker.sock"


def test_a_remote_machine_without_a_socket(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script's own error is in the message."""
    monkeypatch.setattr(tunnel, "_PODMAN", '"$r/none.sock"')
    monkeypatch.setattr(tunnel, "_DOCKER", '"$r/none.sock"')
    with pytest.raises(HelperFailed, match="ssh to h: found no socket of Docker or Podman"):
        tunnel.find_remote_socket(EngineUrl("ssh", host="h"), timeout=5)


def test_ssh_that_does_not_finish(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look for a socket has a time limit."""
    monkeypatch.setenv("PATH", os.path.dirname(program("import time; time.sleep(30)", "ssh")))
    with pytest.raises(HelperFailed, match=r"ssh h did not finish within 0\.3 s"):
        tunnel.find_remote_socket(EngineUrl("ssh", host="h"), timeout=0.3)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("Host key verification failed.", "check its key once by hand: ssh -p 7 u@h"),
        ("Permission denied (publickey).", "without a password"),
        ("Connection refused", "Connection refused"),
        ("", "failed without an error message"),
    ],
)
def test_advice_for_errors_of_ssh(error: str, advice: str) -> None:
    """ssh's own error, and what to do."""
    assert advice in tunnel._explain(error, EngineUrl("ssh", host="h", port=7, user="u"))
    assert tunnel._explain("x", EngineUrl("ssh", host="h")) == "ssh to h: x"


def test_a_route_through_ssh(remote: Path) -> None:
    """The engine is reached through a tunnel, which ends with the route."""
    with listen(remote / "docker.sock"):
        candidate = Candidate(Endpoint("ssh://u@h", "test"), expected="docker")
        route = open_route(candidate, runtime=str(remote), timeout=5)
        assert (route.kind, route.endpoint.url) == ("docker", "ssh://u@h")
        assert route.address.startswith(f"unix://{remote}/containerkit-")
        assert list(remote.glob("containerkit-*"))
        route.close()
        assert list(remote.glob("containerkit-*")) == []


def test_a_helper_that_is_no_engine_is_quoted(program: Program) -> None:
    """Its output is in the message, and it does not stay."""
    silent = """
        import socket, sys, time
        print("starting up", flush=True)
        sock = socket.socket(socket.AF_UNIX); sock.bind(sys.argv[4].removeprefix("unix://")); sock.listen()
        while True: sock.accept()[0].close()
    """
    candidate = Candidate(Endpoint(f"embedded://{program(silent)}", "test"))
    with pytest.raises(EngineUnavailable, match="output of podman system service: starting up"):
        open_route(candidate, runtime="", timeout=5)


def test_without_any_folder_for_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder is writable: a reason."""

    def refuse(**_: object) -> str:
        raise PermissionError

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(HelperFailed, match="no folder for a private socket"):
        private_folder("/nonexistent")


def test_a_program_that_does_not_print_its_version(program: Program) -> None:
    """A hanging or missing program is a reason."""
    with pytest.raises(HelperFailed, match=r"did not finish within 0\.3 s"):
        program_version(program("import time; time.sleep(30)"), timeout=0.3)
    with pytest.raises(HelperFailed, match="cannot be run"):
        program_version("/nonexistent/podman", timeout=1)
    with pytest.raises(HelperFailed, match="--version failed"):
        program_version(program(""), timeout=10)


def test_without_ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing ssh program raises EngineUnavailable."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="ssh could not be started"):
        room.connect("ssh://h/x.sock")
    with pytest.raises(EngineUnavailable, match="the ssh program could not be run"):
        room.connect("ssh://h")


def test_signal_names_are_posix() -> None:
    """The command that ends a helper runs under dash as under bash: `kill -TERM -- -5` is an error in dash."""
    from containerkit.discovery.helper import _END

    with subprocess.Popen(["sleep", "60"], start_new_session=True) as sleeper:
        command = ["/bin/sh", "-c", _END, "x", str(sleeper.pid), "/nonexistent"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as ending:
            assert sleeper.wait(5) == -signal.SIGTERM
            assert ending.wait(10) == 0
