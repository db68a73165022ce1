"""Labs on a real engine: hosts, cables, a router, restart, broken links, errors that leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

import containerkit as ck
from containerkit.labs import BASE_IMAGE, Lab


@pytest.fixture(scope="module")
def lab(engine: ck.Engine, shell_image: str) -> Iterator[Lab]:
    """Two hosts in two collision domains, and a router between them."""
    with Lab(engine, image=shell_image) as lab:
        lab.add("pc1", {"A": ["10.0.1.2/24", "fd00:1::2/64"]}, gateway="10.0.1.1", routes={"fd00:2::/64": "fd00:1::1"})
        lab.add("r1", {"A": ["10.0.1.1/24", "fd00:1::1/64"], "B": ["10.0.2.1/24", "fd00:2::1/64"]}, router=True)
        lab.add(
            "pc2",
            {"B": ["10.0.2.2/24", "fd00:2::2/64"]},
            gateway="10.0.2.1",
            routes={"fd00:1::/64": "fd00:2::1"},
            files={"/srv/page": "hello\n"},
            startup="httpd -p 80 -h /srv\n",
            after=["r1"],
        )
        lab.up()
        yield lab


def converged(lab: Lab) -> None:
    """Wait until every host reaches every other; neighbours that were away take a moment to be found."""
    deadline = time.monotonic() + 30
    while (found := lab.ping_all()).missing and time.monotonic() < deadline:
        time.sleep(0.5)
    assert found.missing == ()


def test_a_lab_routes_between_its_networks(lab: Lab) -> None:
    """Every host answers every other, over IPv4 and IPv6; a server of the startup commands answers."""
    converged(lab)
    assert lab["pc1"].exec("wget -q -O - http://10.0.2.2/page", check=True).stdout == "hello\n"
    assert {each.status for each in lab.status()} == {"running"}


def test_a_broken_link_and_a_restart(lab: Lab) -> None:
    """An unplugged host does not answer; a restarted router has its interfaces and addresses again."""
    lab.link_down("pc2")
    assert {pair[:2] for pair in lab.ping_all().missing} >= {("pc1", "pc2"), ("pc2", "pc1")}
    lab.link_up("pc2")
    lab.restart("r1")
    converged(lab)


def test_a_failing_startup_names_host_and_line_and_leaves_nothing(engine: ck.Engine, shell_image: str) -> None:
    """The error has the line of the startup commands; no container is left."""
    lab = Lab(engine, image=shell_image)
    lab.add("good", {"A": "10.0.0.1/24"})
    lab.add("bad", {"A": "10.0.0.2/24"}, startup="true\nls /nowhere\ntrue\n")
    with pytest.raises(ck.LabFailed, match="host bad, line 2 ") as caught:
        lab.up()
    assert (caught.value.host, caught.value.line) == ("bad", 2)
    assert engine.containers.list(all=True, filters={"label": [f"containerkit.lab={lab.name}"]}) == []


def test_another_process_finds_a_kept_lab(engine: ck.Engine, shell_image: str) -> None:
    """A lab of the same name, made elsewhere, runs commands in the hosts and takes the lab down."""
    first = Lab(engine, image=shell_image, keep=True)
    first.add("pc1", {"A": "10.0.0.1/24"})
    started = time.monotonic()
    first.up()
    assert time.monotonic() - started < 20
    other = Lab(engine, first.topology)
    try:
        assert "10.0.0.1/24" in other["pc1"].exec("ip address show eth0").stdout
        with pytest.raises(ck.WrongState, match="is up already"):
            other.up()
    finally:
        other.down()
    assert [each.status for each in first.status()] == ["absent"]


def test_no_process_outlives_a_lab(engine: ck.Engine, shell_image: str) -> None:
    """The helper sees the engine's processes and leaves none there, also where no cgroup ends them."""
    lab = Lab(engine, image=shell_image)
    lab.add("pc1", {"A": "10.0.0.1/24"})
    lab.up()
    main = str(lab._helper().inspect()["State"]["Pid"])
    rows = [row.split() for row in lab._helper().exec("ps -o pid,ppid", check=True).stdout.splitlines()[1:]]
    family = {main, *(pid for pid, parent in rows if parent == main)}
    lab.down()
    left = engine.run(shell_image, "ps -o pid", pid="host", check=True).stdout.split()
    assert family & set(left) == set()


@pytest.fixture(scope="module")
def with_tcpdump(engine: ck.Engine) -> str:
    """Image with tcpdump, where `containerkit lab images` was run."""
    if not engine.images.exists(BASE_IMAGE):
        pytest.skip("no image with tcpdump here; `containerkit lab images` builds one")
    return BASE_IMAGE


def test_packets_are_captured_in_a_file_and_as_a_stream(engine: ck.Engine, with_tcpdump: str) -> None:
    """A domain's bridge sees what others say to one another; a cable sees its host only; the stream ends at once."""
    with Lab(engine, image=with_tcpdump) as lab:
        for number in (1, 2, 3):
            lab.add(f"pc{number}", {"A": f"10.0.0.{number}/24"})
        lab.up()
        with lab.capture("A") as packets, lab.capture("A", "pc3") as cable:
            lab["pc1"].exec("ping -c 3 -p 6c6162 10.0.0.2", user="0", check=True)
        assert packets.data[:4] == b"\xd4\xc3\xb2\xa1"
        assert b"lablab" in packets.data
        assert b"lablab" not in cable.data
        lab["pc1"].start_exec("ping -c 60 -p 6c6162 10.0.0.2", user="0")
        stream = lab.stream_capture("A")
        found = b""
        for data in stream:
            found += data
            if b"lablab" in found:
                break
        stream.close()
        deadline = time.monotonic() + 30
        while "tcpdump" in (seen := lab._helper().exec("ps -e -o args", check=True).stdout):
            assert time.monotonic() < deadline, seen
            time.sleep(0.2)


KILLED = """
import sys, time
import containerkit as ck
lab = ck.labs.Lab(ck.connect(sys.argv[1]), name=sys.argv[3], image=sys.argv[2])
lab.add("pc1", {"A": "10.0.1.2/24"}, gateway="10.0.1.1")
lab.add("r1", {"A": "10.0.1.1/24", "B": "10.0.2.1/24"}, router=True)
lab.add("pc2", {"B": "10.0.2.2/24"}, gateway="10.0.2.1")
lab.up()
print("up", flush=True)
time.sleep(600)
"""


def test_a_cleanup_removes_the_lab_of_a_killed_script_and_nothing_else(engine: ck.Engine, shell_image: str) -> None:
    """After kill -9, one cleanup removes hosts and helper; a live lab, and a container that was kept, stay."""
    name = f"cklab{os.getpid()}"
    with Lab(engine, image=shell_image) as alive, engine.start(shell_image, ["sleep", "600"], keep=True) as kept:
        alive.add("pc1", {"A": "10.0.0.1/24"})
        alive.add("pc2", {"A": "10.0.0.2/24"})
        alive.up()
        command = [sys.executable, "-c", KILLED, engine.url, shell_image, name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as script:
            try:
                assert script.stdout is not None
                assert script.stdout.readline() == "up\n"
                ck.cleanup(engine)  # also of what others left here before
                theirs = {"label": [f"containerkit.lab={name}"]}
                assert len(engine.containers.list(filters=theirs)) == 4
            finally:
                script.send_signal(signal.SIGKILL)
                script.wait()
        cleaned = ck.cleanup(engine)
        assert sorted(cleaned.containers) == [f"{name}-{each}" for each in ("cables", "pc1", "pc2", "r1")]
        assert (cleaned.networks, cleaned.volumes, cleaned.failed) == ((), (), ())
        assert engine.containers.list(all=True, filters=theirs) == []
        assert kept.refresh().status == "running"
        converged(alive)
