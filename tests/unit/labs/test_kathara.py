"""Files of Kathará and Netkit, and their mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import containerkit as ck
from containerkit.cli import app
from containerkit.labs import load

CONF = """\
LAB_NAME="two"
# a comment
pc1[0]="A"
pc1[image]="kathara/base"
pc1[mem]="64M"
r1[1]=B/00:00:00:00:00:b1   # with a MAC address
r1[0]='A'
r1[sysctl]="net.ipv4.conf.all.arp_ignore=8"
"""


def lab(folder: Path, conf: str = CONF, **files: str) -> Path:
    (folder / "lab.conf").write_text(conf)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_a_lab_is_read(tmp_path: Path) -> None:
    """Interfaces, MAC addresses, options, startup files, folders and dependencies are taken over."""
    (tmp_path / "r1" / "etc").mkdir(parents=True)
    (tmp_path / "shared").mkdir()
    lab(tmp_path, shared__startup="date\n", pc1__startup="ip link\r\n", lab__dep="pc1: r1\n")
    found = load(tmp_path, images={"kathara/base": "mine:1"})
    pc1, r1 = found.hosts
    assert [(each.name, each.domain, each.mac) for each in r1.interfaces] == [
        ("eth0", "A", None),
        ("eth1", "B", "00:00:00:00:00:b1"),
    ]
    assert (pc1.image, pc1.after, pc1.startup) == ("mine:1", ("r1",), "date\n\nip link\n")
    assert pc1.options["memory"] == "64m"
    assert r1.options["sysctls"]["net.ipv4.conf.all.arp_ignore"] == "8"
    assert r1.folder == tmp_path / "r1"
    assert r1.options["volumes"] == {str(tmp_path / "shared"): "/shared"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pc1", 'lab.conf, line 2: expected HOST[KEY]="VALUE"'),
        ('pc1[bridged]="true"', "line 2: pc1[bridged]: not supported: a lab has no network to the outside"),
        ('pc1[colour]="red"', "line 2: pc1[colour]: not supported: an unknown setting"),
        ('pc1[0]="B"', "line 2: pc1[0]: the interface has a collision domain already"),
        ('pc1[sysctl]="x"', "line 2: pc1[sysctl]: expected NAME=VALUE"),
        ('pc2[mem]="much"', "line 2: host pc2: memory='much'"),
    ],
)
def test_a_mistake_has_file_and_line(tmp_path: Path, line: str, words: str) -> None:
    """The error names the file and the line."""
    with pytest.raises(ck.InvalidLab) as caught:
        load(lab(tmp_path, f'pc1[0]="A"\n{line}\n'))
    assert words in str(caught.value)
    assert caught.value.line == 2


def test_a_lenient_lab_has_no_outside(tmp_path: Path) -> None:
    """strict=False leaves out what would connect a host to the outside."""
    found = load(lab(tmp_path, 'pc1[0]="A"\nweb[bridged]=true\nweb[port]="80:80"\n'), strict=False)
    assert [(host.name, host.strict, len(host.interfaces)) for host in found.hosts] == [
        ("pc1", False, 1),
        ("web", False, 0),
    ]


def test_lab_ext_and_unknown_dependencies_are_refused(tmp_path: Path) -> None:
    """lab.ext needs the machine's interfaces; lab.dep may name hosts of the lab only."""
    with pytest.raises(ck.InvalidLab, match=r"lab\.dep, line 1: 'r9' is not in lab\.conf"):
        load(lab(tmp_path, lab__dep="pc1: r9\n"))
    with pytest.raises(ck.InvalidLab, match=r"lab\.ext"):
        load(lab(tmp_path, lab__ext="A eth0\n"))


def test_the_command_line_checks_and_draws(tmp_path: Path) -> None:
    """`lab check` and `lab draw` need no engine."""
    folder = str(lab(tmp_path))
    assert "2 hosts, 2 collision domains" in CliRunner().invoke(app, ["lab", "check", folder]).output
    assert CliRunner().invoke(app, ["lab", "draw", "--form", "svg", folder]).output.startswith("<svg")
