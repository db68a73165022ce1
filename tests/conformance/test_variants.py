"""engine.check() on daemons that are set up unusually, each started beside a rootful Docker.

Two daemons in one network delete each other's bridge. So each runs in the engine's files and processes, and in a
network namespace that ends with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.backends._peer import engine_peer
from containerkit.isolation import IsolationReport
from tests.conformance.oracle import ORACLE, VARIANTS

NAME = os.environ.get("CK_ENGINE", "")
NOBODY = 65534
READY = 60.0  # seconds until a daemon answers on a busy machine


@dataclass(frozen=True)
class Daemon:
    """A running daemon: its socket as this machine sees it."""

    socket: Path

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"


@contextlib.contextmanager
def started(engine: ck.Engine, *options: str, tcp: bool = False) -> Iterator[Daemon]:
    """A second dockerd with these options; ended with everything that it made."""
    peer = engine_peer(engine.url)
    if engine.kind != "docker" or engine.info().rootless or peer is None or os.geteuid() or not shutil.which("nsenter"):
        pytest.skip("a second daemon needs a rootful Docker of this machine, and root")
    socket = Path(engine.url.removeprefix("unix://"))
    inside = next((p for p in ("/run/ck", "/run") if os.path.exists(f"/proc/{peer.pid}/root{p}/{socket.name}")), None)
    if inside is None:
        pytest.skip("the folder of the engine's socket is not visible in its files")
    tag = f"v{uuid.uuid4().hex[:6]}"
    home = f"/var/tmp/{tag}"
    listen = [f"-H=unix://{inside}/{tag}.sock", *(["-H=tcp://127.0.0.1:2375", "--tls=false"] if tcp else [])]
    command = [
        *("nsenter", "-t", str(peer.pid), "-m", "-p", "-u", "-i", "-C", "-r", "-w", "unshare", "-n", "sh", "-c"),
        'ip link set lo up; exec dockerd "$@"',
        *("dockerd", f"--data-root={home}/data", f"--exec-root={home}/exec", f"--pidfile={home}/pid", *listen),
        *options,
    ]
    log = socket.with_name(f"{tag}.log")
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    daemon = Daemon(socket.with_name(f"{tag}.sock"))
    try:
        deadline = time.monotonic() + READY
        while engine_peer(daemon.url) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"dockerd did not start: {log.read_text('utf-8', 'replace')[-600:]}")
            time.sleep(0.2)
        yield daemon
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        for path in (log, daemon.socket):
            path.unlink(missing_ok=True)
        script = f"grep -o '{home}[^ ]*' /proc/self/mounts | sort -r | xargs -r umount -l; rm -rf {home}"
        clean = ["nsenter", "-t", str(peer.pid), "-m", "-r", "-w", "sh", "-c", script]
        subprocess.run(clean, timeout=60, check=False, capture_output=True)


def expected(*names: str) -> dict[str, str]:
    found = dict(ORACLE.get(NAME, ORACLE["docker28"]))
    found.pop("io-uring")
    for name in names:
        found |= VARIANTS[name]
    return found


def differs(report: IsolationReport, wanted: dict[str, str]) -> list[object]:
    return [report.get(check) for check, status in wanted.items() if report.get(check).status != status]


def test_users_mapped_away_and_an_open_port(engine: ck.Engine) -> None:
    """Root of a container is nobody on the host, and who commands the daemon is root all the same."""
    with started(engine, "--userns-remap=lab:lab", "--bridge=none", "--iptables=false", tcp=True) as daemon:
        daemon.socket.chmod(0o666)
        with ck.connect(daemon.url) as opened:
            report = opened.check()
        wanted = expected("--userns-remap", "tcp", "mode 0666")
        wanted["container-traffic"] = "unknown"  # no bridge
        assert differs(report, wanted) == []
        assert report.get("socket-permissions").severity == "critical"
        assert report.get("container-root-uid").summary.startswith("root in a container is uid 1")


def test_settings_of_a_daemon(engine: ck.Engine) -> None:
    """Containers that cannot reach each other, that outlive the daemon, whose setuid programs give nothing."""
    options = ("--icc=false", "--live-restore", "--no-new-privileges")
    with started(engine, *options) as daemon:
        with ck.connect(daemon.url) as opened:
            report = opened.check()
        assert differs(report, expected(*options)) == []
        for primary in (False, True):
            in_group(daemon, primary=primary)


def in_group(daemon: Daemon, *, primary: bool) -> None:
    """An account that no file lists in the socket's group: this process takes it on, and is told that it is root."""
    gid = 54_321
    os.chown(daemon.socket, 0, gid)
    daemon.socket.chmod(0o660)
    before = os.getgroups()
    try:
        os.setgroups([] if primary else [gid])
        os.setresgid(gid if primary else NOBODY, gid if primary else NOBODY, 0)
        os.setresuid(NOBODY, NOBODY, 0)
        with ck.connect(daemon.url) as opened:
            report = opened.check()
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(before)
    found = report.get("docker-group")
    assert found.status == "warn", found
    assert "this process has the group" in found.summary
    assert report.get("root-equivalence").status == "fail"
