"""A lab on the engine in memory: what is started, in which order, and what the containers are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.labs import Host, Lab, Topology, plan
from containerkit.labs.lab import HOST_LABEL, LAB_LABEL
from containerkit.testing import FakeBackend, Reply


class Shell:
    """What `sh` and `tc` answer, and what they were given."""

    def __init__(self) -> None:
        self.lines: list[str] = []  # of `ip`, in the helper
        self.given: list[tuple[str, ...]] = []
        self.alone: list[str] = []  # main processes that configure their host
        self.says = f"{plan.CONFIGURED}\n"  # on stderr
        self.answers: dict[str, Reply] = {}  # a word of the command -> the answer

    def __call__(self, argv: tuple[str, ...], stdin: bytes) -> Reply:
        if plan.CONFIGURED in argv[2]:
            self.alone.append(argv[2])
            return Reply(stderr=self.says.encode(), until_stopped=plan.FAILED not in self.says)
        if argv[2:3] in ((plan.KEEP_ALIVE,), (plan.HELPER,)):
            return Reply(until_stopped=True)
        self.given.append(argv)
        if argv[2:3] == (plan.RUN_LINES,):
            self.lines += stdin.decode().splitlines()
        return next((reply for word, reply in self.answers.items() if any(word in part for part in argv)), Reply())


@pytest.fixture
def shell() -> Shell:
    return Shell()


@pytest.fixture
def engine(shell: Shell) -> Iterator[ck.Engine]:
    backend = FakeBackend(images=["app:1"])
    backend.on(["sh", ...], shell)
    backend.on(["tc", ...], shell)
    with ck.connect(backend) as opened:
        yield opened


@pytest.fixture
def lab(engine: ck.Engine) -> Lab:
    found = Lab(engine, name="two", image="app:1")
    found.add("pc1", {"A": "10.0.0.1/24"}, files={"/etc/motd": "hello"})
    found.add("pc2", {"A": "10.0.0.2/24"}, startup="echo ready", after=["pc1"])
    return found


def test_a_lab_goes_up_and_down(lab: Lab, engine: ck.Engine, shell: Shell) -> None:
    """Each host is a container with its labels and files; cables first, then the hosts' own commands in order."""
    with lab.up():
        found = {each.name: each for each in engine.containers.list()}
        assert set(found) == {"two-pc1", "two-pc2", "two-cables"}
        assert found["two-pc1"].labels[LAB_LABEL] == "two"
        assert found["two-pc1"].labels[HOST_LABEL] == "pc1"
        assert lab["pc1"].read_file("/etc/motd") == b"hello"
        assert shell.lines[0] == "link add ckb0 type bridge"
        booted = [argv for argv in shell.given if argv[2] != plan.RUN_LINES]
        assert "ip address add 10.0.0.1/24 dev eth0" in shell.alone[0]
        assert [argv[4] for argv in booted] == ["echo ready"]
        assert list(lab) == ["pc1", "pc2"]
        assert [each.status for each in lab.status()] == ["running", "running"]
        assert "pc1" in lab._repr_html_()
        with pytest.raises(ck.WrongState, match="is up already"):
            lab.up()
    assert engine.containers.list(all=True) == []
    assert [each.status for each in lab.status()] == ["absent", "absent"]
    with pytest.raises(ck.NotFound, match="is not up: pc1"):
        lab["pc1"]


def test_a_failing_startup_names_the_line_and_leaves_nothing(lab: Lab, engine: ck.Engine, shell: Shell) -> None:
    """The number is that of the line that ran last."""
    shell.answers["echo ready"] = Reply(b"", f"+{plan._MARK}2 false\n".encode(), 3)
    with pytest.raises(ck.LabFailed, match="host pc2, line 2 of its startup commands") as caught:
        lab.up()
    assert (caught.value.host, caught.value.line) == ("pc2", 2)
    assert engine.containers.list(all=True) == []


def test_a_host_that_cannot_configure_itself(lab: Lab, engine: ck.Engine, shell: Shell) -> None:
    """A main process without root is configured by an exec; one that fails ends the lab with its words."""
    shell.says = f"{plan.NOT_ROOT}\n"
    with lab.up():
        assert any("10.0.0.1/24" in argv[2] for argv in shell.given)
    shell.says = f"RTNETLINK answers: no\n{plan.FAILED}ip link set eth0 up\n"
    with pytest.raises(ck.LabFailed, match=r"(?s)host pc1: .*ip link set eth0 up"):
        lab.up()
    assert engine.containers.list(all=True) == []


def test_failing_cables_are_reported(lab: Lab, engine: ck.Engine, shell: Shell) -> None:
    """With what `ip` said."""
    shell.answers[plan.RUN_LINES] = Reply(b"", b"RTNETLINK answers: no\n", 1)
    with pytest.raises(ck.LabFailed, match="the cables failed: RTNETLINK answers: no"):
        lab.up()
    assert engine.containers.list(all=True) == []


def test_a_missing_image_names_the_host(engine: ck.Engine) -> None:
    """Also that of the container for the cables."""
    lab = Lab(engine, name="two", image="app:1")
    lab.add("pc1", image="missing:1")
    with pytest.raises(ck.LabFailed, match="lab two, host pc1: "):
        lab.up()
    with pytest.raises(ck.LabFailed, match="container for the cables did not start"):
        Lab(engine, name="two", image="app:1", helper_image="missing:1").up()


def test_links_go_down_and_up(lab: Lab, shell: Shell) -> None:
    """The end of a cable in the helper is set; unknown hosts and domains are refused."""
    with lab.up():
        (cable,) = [each for each in plan.cables(lab.topology) if each.host == "pc1"]
        shell.lines.clear()
        lab.link_down("pc1")
        lab.link_up("pc1", "A")
        assert shell.lines == [f"link set {cable.end} down", f"link set {cable.end} up"]
        for wrong in (("pc9", None), ("pc1", "B")):
            with pytest.raises(ck.InvalidLab):
                lab.link_down(*wrong)


def test_a_restart_lays_the_cables_again(lab: Lab, shell: Shell) -> None:
    """The old end is removed, the new one gets the new process, and the startup commands run."""
    with lab.up():
        before = lab["pc2"].inspect()["State"]["Pid"]
        shell.lines.clear()
        shell.given.clear()
        lab.restart("pc2")
        after = lab["pc2"].inspect()["State"]["Pid"]
        assert before != after
        assert shell.lines[0].startswith("link del ")
        assert any(f"netns {after}" in line for line in shell.lines)
        assert shell.given[-1][4] == "echo ready"


def test_impaired_cables(lab: Lab, shell: Shell) -> None:
    """Values become words of tc; none restores the cables; a kernel without netem is Unsupported."""
    with lab.up():
        shell.given.clear()
        lab.impair("A", "pc1", delay=20, loss=0.5, rate=1_000_000)
        (argv,) = shell.given
        assert argv[-7:] == ("netem", "delay", "20ms", "loss", "0.5%", "rate", "1000000bit")
        lab.impair("A")
        assert [argv[2] for argv in shell.given[1:]] == ["del", "del"]
        shell.answers["netem"] = Reply(b"", b"unknown qdisc\n", 2)
        with pytest.raises(ck.Unsupported, match="unknown qdisc"):
            lab.impair("A", delay=1)
        for wrong in (-1, True, "20ms"):
            with pytest.raises(ck.InvalidOption):
                lab.impair("A", delay=wrong)  # type: ignore[arg-type]


def test_ping_all_marks_who_answered(lab: Lab, shell: Shell) -> None:
    """Only addresses that the ping printed count."""
    with lab.up():
        shell.answers["10.0.0.2"] = Reply(b"10.0.0.2\n")
        found = lab.ping_all()
        assert found.answers["pc1"]["pc2"] == {"10.0.0.2": True}
        assert found.answers["pc2"]["pc1"] == {"10.0.0.1": False}


def test_a_capture_is_stopped_and_saved(lab: Lab, shell: Shell, tmp_path: Path) -> None:
    """The file is read from the helper; without tcpdump the reason is given."""
    with lab.up():
        shell.answers["command -v tcpdump"] = Reply(b"77\n")
        with lab.capture("A") as capture:
            (tmp_path / "tmp").mkdir()
            (tmp_path / "tmp" / Path(capture._path).name).write_bytes(b"pcap")
            lab._helper().copy_to(tmp_path / "tmp", "/")
            assert capture.save(tmp_path / "a.pcap").read_bytes() == b"pcap"
        assert any(argv[-1] == "77" for argv in shell.given)
        shell.answers["command -v tcpdump"] = Reply(exit_code=127)
        with pytest.raises(ck.Unsupported, match="no tcpdump"):
            lab.capture("A")
        with pytest.raises(ck.InvalidLab):
            lab.capture("B")


def test_copies_of_a_lab(lab: Lab, engine: ck.Engine) -> None:
    """Their names are numbered; together they may not want more memory than the machine has."""
    assert [each.name for each in lab.copies(2)] == ["two-1", "two-2"]
    big = Lab(engine, name="big", image="app:1")
    big.add("pc1", memory=max(1, engine.info().memory // 2) or 1 << 40)
    if engine.info().memory:
        with pytest.raises(ck.InvalidOption, match="at most 2"):
            big.copies(3)
    with pytest.raises(ck.InvalidOption):
        lab.copies(0)


def test_a_copy_budget_counts_the_limits(engine: ck.Engine) -> None:
    """With a budget every host needs a limit, and the copies have to fit."""
    lab = Lab(engine, name="two", image="app:1")
    lab.add("pc1", memory="64m")
    assert len(lab.copies(4, memory="256m")) == 4
    with pytest.raises(ck.InvalidOption, match="at most 4"):
        lab.copies(5, memory="256m")
    lab.add("pc2")
    with pytest.raises(ck.InvalidLab, match="host pc2: memory= is missing"):
        lab.copies(1, memory="256m")


def test_a_capture_streams_packets_of_a_bridge_or_a_cable(lab: Lab, shell: Shell) -> None:
    """A domain is captured at its bridge, a host at its end of the cable; both are names in the helper."""
    shell.answers["tcpdump"] = Reply(stdout=b"pcap")
    with lab.up():
        assert b"".join(lab.stream_capture("A")) == b"pcap"
        assert b"".join(lab.stream_capture("eth0", "pc2")) == b"pcap"
        assert [argv[-2] for argv in shell.given if "tcpdump" in argv[2]] == ["ckb0", "ckw1"]
        with pytest.raises(ck.InvalidLab, match="no collision domain 'B'"):
            lab.stream_capture("B")
        shell.answers["tcpdump"] = Reply(exit_code=127)
        with pytest.raises(ck.Unsupported, match="has no tcpdump"):
            list(lab.stream_capture("A"))


def test_a_shell_is_a_terminal_in_a_host(lab: Lab, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is the shell's."""
    shell.answers["exec bash"] = Reply(exit_code=7)
    asked: list[ck.Terminal] = []

    def interact(terminal: ck.Terminal) -> int:
        asked.append(terminal)
        terminal.close_stdin()
        return terminal.wait()

    monkeypatch.setattr(ck.Terminal, "interact", interact)
    with lab.up():
        assert lab.shell("pc1") == 7
        assert asked[0].tty
        with pytest.raises(ck.InvalidLab, match="no host 'pc3'"):
            lab.shell("pc3")


def test_files_that_the_engine_mounts_are_written_in_place(engine: ck.Engine, shell: Shell, tmp_path: Path) -> None:
    """Docker refuses a tar with /etc/resolv.conf; the other files come from the folder and from `files`."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_text("nameserver 10.0.0.1\n")
    (tmp_path / "etc/motd").write_text("hello\n")
    host = Host("pc1", image="app:1", folder=tmp_path, files={"/etc/hosts": "10.0.0.1 r1\n", "/run.sh": "#!/bin/sh\n"})
    with Lab(engine, Topology("one", (host,), "app:1")).up() as lab:
        assert lab["pc1"].read_file("/etc/motd") == b"hello\n"
        assert lab["pc1"].read_file("/run.sh") == b"#!/bin/sh\n"
    written = [argv[2] for argv in shell.given if argv[2].startswith("cat >")]
    assert written == ["cat >/etc/resolv.conf", "cat >/etc/hosts"]
