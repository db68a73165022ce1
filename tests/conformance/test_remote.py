"""Engines behind TLS and ssh work as at the socket, and errors say what to do."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import containerkit as ck
from tests.proxy import Proxy
from tests.tls import Authority, Front

CI = os.environ.get("CI", "").lower() in ("1", "true")
VARIABLES = (
    *("CONTAINERKIT_ENGINE", "CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINER_SSHKEY", "DOCKER_HOST"),
    *("DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "PODMAN_CONNECTIONS_CONF"),
    *("CONTAINERS_CONF", "XDG_CONFIG_HOME"),
)


@pytest.fixture(scope="module")
def socket_path(engine: ck.Engine) -> str:
    """The engine's own socket."""
    if not engine.url.startswith("unix://"):
        pytest.skip(f"the engine is at {engine.url}, and these tests need its socket")
    return engine.url.removeprefix("unix://")


@pytest.fixture(autouse=True)
def home(engine: ck.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and an environment that names no engine."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def program(name: str, package: str) -> str:
    """Return the path of a program; skip the test if it is missing, and fail in CI."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not found:
        (pytest.fail if CI else pytest.skip)(f"no {name} here (apt install {package})")
    return str(found)


def works(url: str | None, image: str) -> None:
    """Check output, input with a half-close, and output after it."""
    with ck.connect(url, timeout=20) as engine:
        data = os.urandom(1 << 20)
        assert engine.run(image, "cat", input=data, timeout=60).stdout_bytes == data
        with engine.start(image, ["sleep", "600"]) as box:
            said = box.exec(["sh", "-c", "cat | wc -c; sleep 1; echo late"], input=b"x" * 100_000, timeout=60)
            assert said.stdout == "100000\nlate\n"
            box.write_file("/tmp/a", "written")
            assert box.read_file("/tmp/a") == b"written"
            with box.stream_logs() as logs:  # a stream that is closed while it waits
                logs.close()


# ---------------------------------------------------------------- TLS
@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    program("openssl", "openssl")
    with tempfile.TemporaryDirectory() as folder:
        yield Authority(Path(folder) / "ca")


@pytest.fixture(scope="module")
def certs(authority: Authority) -> Path:
    """A folder for DOCKER_CERT_PATH."""
    return authority.client_folder("client")


@pytest.fixture(scope="module")
def front(socket_path: str, authority: Authority) -> Iterator[Front]:
    with Front(socket_path, authority) as front:
        yield front


def test_tls_by_the_environment(front: Front, certs: Path, shell_image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With DOCKER_TLS_VERIFY and DOCKER_CERT_PATH everything works over TLS, including half-closed streams."""
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certs))
    works(f"tcp://127.0.0.1:{front.port}", shell_image)


def test_output_that_meets_the_end_of_input_is_whole(
    front: Front, certs: Path, shell_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Output that is in transit when TLS is half-closed is not lost."""
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certs))
    data = os.urandom(3_000_000)
    with ck.connect(f"tcp://127.0.0.1:{front.port}") as engine:
        for _ in range(8):
            assert engine.run(shell_image, "cat", input=data, timeout=60).stdout_bytes == data


def test_tls_by_a_docker_context(
    front: Front, certs: Path, shell_image: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A context's certificates are used, by name, by DOCKER_CONTEXT and as the current context."""
    docker = program("docker", "docker.io") if shutil.which("docker") else pytest.skip("no docker command here")
    files = ",".join(f"{key}={certs / name}" for key, name in _FILES)
    where = f"host=tcp://127.0.0.1:{front.port},{files}"
    subprocess.run([docker, "context", "create", "lab", "--docker", where], check=True, capture_output=True)
    works("lab", shell_image)
    monkeypatch.setenv("DOCKER_CONTEXT", "lab")
    works(None, shell_image)
    monkeypatch.delenv("DOCKER_CONTEXT")
    subprocess.run([docker, "context", "use", "lab"], check=True, capture_output=True)
    works(None, shell_image)


_FILES = (("ca", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem"))


def _connections_json(folder: Path, url: str, certs: Path) -> None:
    entry = {"URI": url, "TLSCA": f"{certs}/ca.pem", "TLSCert": f"{certs}/cert.pem", "TLSKey": f"{certs}/key.pem"}
    (folder / "podman-connections.json").write_text(json.dumps({"Connection": {"Connections": {"lab": entry}}}))


def _containers_conf(folder: Path, url: str, certs: Path) -> None:
    keys = "".join(f'tls_{key} = "{certs / name}"\n' for key, name in _FILES)
    (folder / "containers.conf").write_text(f'[engine.service_destinations.lab]\nuri = "{url}"\n{keys}')


@pytest.mark.parametrize("write", [_connections_json, _containers_conf], ids=["json", "conf"])
def test_tls_by_a_podman_connection(
    front: Front, certs: Path, shell_image: str, home: Path, write: Callable[[Path, str, Path], None]
) -> None:
    """A podman connection's certificates are used, from either file."""
    folder = home / ".config/containers"
    folder.mkdir(parents=True)
    write(folder, f"tcp://127.0.0.1:{front.port}", certs)
    works("lab", shell_image)


def refused(url: str, **env: str) -> str:
    """Return the message of the error."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        with pytest.raises(ck.EngineUnavailable) as caught:
            ck.connect(url, timeout=10)
    assert caught.value.tried
    return str(caught.value)


def test_a_wrong_authority(front: Front, tmp_path: Path) -> None:
    """A server whose certificate another authority signed is refused; the message names the authority."""
    other = Authority(tmp_path / "other").client_folder("client")
    said = refused(f"tcp://127.0.0.1:{front.port}", DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(other))
    assert "certificate is not accepted" in said
    assert f"{other}/ca.pem" in said


def test_a_server_of_another_name(socket_path: str, authority: Authority, certs: Path) -> None:
    """A certificate for another host is not accepted."""
    with Front(socket_path, authority, host="elsewhere.test") as front:
        said = refused(f"tcp://127.0.0.1:{front.port}", DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(certs))
    assert "certificate is not accepted" in said
    assert "127.0.0.1" in said


def test_no_client_certificate(front: Front, authority: Authority, tmp_path: Path) -> None:
    """A server that requires a client certificate gives an error that says where it is configured."""
    shutil.copy(authority.ca, tmp_path / "ca.pem")
    said = refused(f"tcp://127.0.0.1:{front.port}", DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path))
    assert "may require a client certificate" in said
    assert "cert.pem and key.pem" in said


def test_files_that_do_not_fit(front: Front, authority: Authority, certs: Path, tmp_path: Path) -> None:
    """The error names files that are no certificate and key."""
    _, key = authority.issue("another")
    shutil.copytree(certs, tmp_path, dirs_exist_ok=True)
    shutil.copy(key, tmp_path / "key.pem")
    where = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    assert f"{tmp_path}/key.pem" in refused(f"tcp://127.0.0.1:{front.port}", **where)
    (tmp_path / "ca.pem").write_text("no certificate")
    assert f"{tmp_path}/ca.pem" in refused(f"tcp://127.0.0.1:{front.port}", **where)
    (tmp_path / "ca.pem").unlink()
    assert f"is missing: {tmp_path}/ca.pem" in refused(f"tcp://127.0.0.1:{front.port}", **where)


def test_plain_http_to_a_tls_port(front: Front) -> None:
    """The error of a request without TLS to a TLS port says what to set."""
    said = refused(f"tcp://127.0.0.1:{front.port}")
    assert "DOCKER_TLS_VERIFY=1" in said
    assert "DOCKER_CERT_PATH" in said


def test_tls_to_a_plain_port(socket_path: str, certs: Path) -> None:
    """The error of a request with TLS to a plain port says what to unset."""
    with Proxy(f"unix://{socket_path}", tcp=True) as plain:
        said = refused(plain.url, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(certs))
    assert "unset DOCKER_TLS_VERIFY" in said


# ---------------------------------------------------------------- ssh
class Sshd:
    """An ssh server on 127.0.0.1 with its own keys, for the user who runs the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ssh = program("ssh", "openssh-client")  # the real one, before ours is on the PATH
        for name in ("host", "user", "stranger"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        shutil.copy(folder / "user.pub", folder / "authorized")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized\nPidFile none\nUsePAM no\nStrictModes no\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
            "AllowStreamLocalForwarding yes\nLogLevel ERROR\n"
        )
        host = (folder / "host.pub").read_text()
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {host}")
        (folder / "unknown").write_text("")
        (folder / "bin").mkdir()
        self.client("user", "known")
        if os.geteuid() == 0:  # compiled in, and made by the service that does not run here; other runs may use it too
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command = [program("sshd", "openssh-server"), "-D", "-e", "-f", str(folder / "sshd_config")]
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        ends = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            if self._process.poll() is not None or time.monotonic() > ends:
                self.stop()
                pytest.fail(f"sshd does not start: {(folder / 'log').read_text()}")
            time.sleep(0.05)

    def client(self, key: str, known: str) -> None:
        """Put an `ssh` on PATH that uses its own key and known hosts, and nothing of the user's."""
        (self.folder / "ssh_config").write_text(
            f"IdentityFile {self.folder}/{key}\nIdentitiesOnly yes\nIdentityAgent none\n"
            f"UserKnownHostsFile {self.folder}/{known}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\n"
        )
        wrapper = self.folder / "bin/ssh"
        wrapper.write_text(f'#!/bin/sh\nexec {self._ssh} -F {self.folder}/ssh_config "$@"\n')
        wrapper.chmod(0o755)

    def url(self, path: str = "") -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def sessions(self) -> list[int]:
        """Return the process IDs of the ssh clients of the tests."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if f"{self.folder}/ssh_config".encode() in entry.read_bytes():
                    found.append(int(entry.parent.name))
        return found

    def remaining(self) -> list[int]:
        """Return the process IDs that are still there after a few seconds, in which a helper's ssh ends."""
        ends = time.monotonic() + 5.0
        while (found := self.sessions()) and time.monotonic() < ends:
            time.sleep(0.05)
        return found

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture(scope="module")
def sshd() -> Iterator[Sshd]:
    for name, package in (("ssh-keygen", "openssh-client"), ("ssh", "openssh-client"), ("sshd", "openssh-server")):
        program(name, package)
    with tempfile.TemporaryDirectory(prefix="cks") as folder:
        server = Sshd(Path(folder))
        yield server
        server.stop()


@pytest.fixture
def by_ssh(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Sshd:
    """The server, and a client with an accepted key."""
    sshd.client("user", "known")
    monkeypatch.setenv("PATH", f"{sshd.folder}/bin:{os.environ['PATH']}")
    return sshd


def test_ssh(by_ssh: Sshd, socket_path: str, shell_image: str) -> None:
    """Everything works through ssh, and the tunnel is gone when the Engine is closed."""
    works(by_ssh.url(socket_path), shell_image)
    assert by_ssh.remaining() == []


def test_a_reaper_through_ssh(by_ssh: Sshd, engine: ck.Engine, socket_path: str, shell_image: str) -> None:
    """After kill -9 the reaper opens a tunnel of its own, removes the container, and closes the tunnel."""
    code = "import sys, time, containerkit as ck\nengine = ck.connect(sys.argv[1], reaper=True)\n"
    code += "print(engine.start(sys.argv[2], ['sleep', '600']).id, flush=True)\ntime.sleep(600)"
    command = [sys.executable, "-c", code, by_ssh.url(socket_path), shell_image]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout
        identity = script.stdout.readline().strip()
        assert engine.containers.exists(identity)
        script.kill()
    ends = time.monotonic() + 30
    while identity in (left := [box.id for box in engine.containers.list(all=True)]) and time.monotonic() < ends:
        time.sleep(0.2)
    assert identity not in left
    while by_ssh.sessions() and time.monotonic() < ends:
        time.sleep(0.2)
    assert by_ssh.remaining() == []


def test_ssh_with_a_key_of_the_connections(by_ssh: Sshd, socket_path: str, shell_image: str, home: Path) -> None:
    """A podman connection's Identity is the key that is shown."""
    by_ssh.client("stranger", "known")
    folder = home / ".config/containers"
    folder.mkdir(parents=True)
    entry = {"URI": by_ssh.url(socket_path), "Identity": str(by_ssh.folder / "user")}
    (folder / "podman-connections.json").write_text(json.dumps({"Connection": {"Connections": {"there": entry}}}))
    works("there", shell_image)


def test_a_host_that_is_not_known(by_ssh: Sshd, socket_path: str) -> None:
    """ssh's refusal of an unknown host comes with what to type."""
    by_ssh.client("user", "unknown")
    said = refused(by_ssh.url(socket_path))
    assert "Host key verification failed" in said
    assert f"ssh -p {by_ssh.port} " in said


def test_a_key_that_is_refused(by_ssh: Sshd, socket_path: str) -> None:
    """A key that the server does not know comes with what to type."""
    by_ssh.client("stranger", "known")
    said = refused(by_ssh.url(socket_path))
    assert "Permission denied" in said
    assert "without a password" in said


def test_a_socket_that_is_not_there(by_ssh: Sshd) -> None:
    """A tunnel to a socket that does not exist is an error that names it, and leaves no ssh behind."""
    said = refused(by_ssh.url("/run/no-such-engine.sock"))
    assert "/run/no-such-engine.sock" in said
    assert by_ssh.remaining() == []


def test_a_port_without_ssh() -> None:
    """Nobody listens: ssh's own words."""
    program("ssh", "openssh-client")
    assert "refused" in refused("ssh://127.0.0.1:9/run/x.sock")


# podman-py leaves a socket that could not connect to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_tunnel_that_dies(by_ssh: Sshd, socket_path: str, shell_image: str) -> None:
    """When ssh is killed in the middle of a log, the reader gets EngineUnavailable, and so does the next call."""
    with ck.connect(by_ssh.url(socket_path), timeout=10) as far:
        box = far.start(shell_image, ["sh", "-c", "while :; do echo tick; sleep 0.1; done"])
        try:
            with pytest.raises(ck.EngineUnavailable), box.stream_logs() as logs:
                for _ in logs:
                    for pid in by_ssh.sessions():
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, 9)
            with pytest.raises(ck.EngineUnavailable):
                box.refresh()
        finally:
            with ck.connect(f"unix://{socket_path}") as near:
                near.containers.get(box.id).remove(force=True)
