"""Files of Kathará and Netkit, and their mistakes."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import containerkit as ck
from containerkit.cli import app
from containerkit.labs import KATHARA_IMAGES, ROUTER_IMAGE, load
from containerkit.labs.images import _make_root
from containerkit.labs.plan import start_options

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


def test_an_image_without_a_tag_stands_for_every_tag(tmp_path: Path) -> None:
    """KATHARA_IMAGES names images without tags, and hosts without an image have Kathará's base image."""
    (tmp_path / "lab.conf").write_text("a[0]=A\nb[0]=A\nb[image]=kathara/bind:9.11\nc[image]=other\n")
    hosts = load(tmp_path, images=KATHARA_IMAGES).hosts
    assert [host.image for host in hosts] == [ROUTER_IMAGE, ROUTER_IMAGE, "other"]


def test_a_sysctl_of_an_interface_becomes_the_default(tmp_path: Path) -> None:
    """The interface does not exist when the container starts; it takes the default's value when the cable is laid."""
    (tmp_path / "lab.conf").write_text("a[0]=A\na[sysctl]=net.ipv6.conf.eth0.accept_ra=2\n")
    sysctls = start_options(load(tmp_path).host("a"))["sysctls"]
    assert sysctls["net.ipv6.conf.default.accept_ra"] == "2"
    assert "net.ipv6.conf.eth0.accept_ra" not in sysctls


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb on this machine")
def test_a_root_of_debian_has_its_programs_in_usr(tmp_path: Path) -> None:
    """/bin is a link into /usr, files of /bin are in /usr/bin, documentation is left out."""
    for path in ("pkg/DEBIAN/control", "pkg/bin/tool", "pkg/usr/share/doc/tool/text"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    control = "Package: tool\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: d\n"
    (tmp_path / "pkg/DEBIAN/control").write_text(control)
    (tmp_path / "debs").mkdir()
    subprocess.run(
        ["dpkg-deb", "--build", tmp_path / "pkg", tmp_path / "debs/tool.deb"], check=True, capture_output=True
    )
    _make_root(tmp_path / "debs", tmp_path / "root.tar")
    with tarfile.open(tmp_path / "root.tar") as root:
        names = root.getnames()
        assert root.getmember("bin").linkname == "usr/bin"
        assert "usr/bin/tool" in names
        assert "bin/tool" not in names
        assert not any("doc/tool" in name for name in names)
        assert len(names) == len(set(names))


def test_only_hosts_with_routing_daemons_get_sys_admin(tmp_path: Path) -> None:
    """FRR's daemons end without the capability."""
    (tmp_path / "lab.conf").write_text("pc[0]=A\nr1[0]=A\n")
    (tmp_path / "r1/etc/frr").mkdir(parents=True)
    (tmp_path / "pc/etc").mkdir(parents=True)
    topology = load(tmp_path)
    assert start_options(topology.host("r1"))["cap_add"] == ["SYS_ADMIN", "NET_ADMIN", "NET_RAW"]
    assert start_options(topology.host("pc"))["cap_add"] == ["NET_ADMIN", "NET_RAW"]
