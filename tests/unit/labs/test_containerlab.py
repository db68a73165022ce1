"""Files of Containerlab, and their mistakes with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

import containerkit as ck
from containerkit.labs import Interface, load

pytest.importorskip("yaml")

LAB = """\
name: two sites
topology:
  defaults:
    kind: linux
  kinds:
    linux:
      image: app:1
  nodes:
    pc1:
      exec:
        - ip address add 10.0.0.1/24 dev eth1
      binds:
        - data:/data:ro
      env:
        A: 1
    r1:
      image: router:1
      cmd: serve
      sysctls:
        net.ipv4.ip_forward: 1
      memory: 64m
    sw:
      kind: bridge
  links:
    - endpoints: ["r1:eth2", "sw:p1"]
    - endpoints: ["pc1:eth1", "r1:eth1"]
    - endpoints:
        - node: pc1
          interface: eth10
          mac: "02:00:00:00:00:01"
        - node: sw
          interface: p2
"""


def test_a_file_of_containerlab_is_read(tmp_path: Path) -> None:
    """Defaults, kinds and nodes are merged; a bridge is a collision domain; interfaces are in natural order."""
    (tmp_path / "a.clab.yml").write_text(LAB)
    topology = load(tmp_path / "a.clab.yml", images={"router": "mine:1"})
    assert topology.name == "two-sites"
    pc1, r1 = topology.hosts
    assert pc1.interfaces == (Interface("eth1", "link2"), Interface("eth10", "sw", mac="02:00:00:00:00:01"))
    assert r1.interfaces == (Interface("eth1", "link2"), Interface("eth2", "sw"))
    assert (pc1.image, r1.image, r1.command) == ("app:1", "mine:1", "serve")
    assert pc1.startup == "ip address add 10.0.0.1/24 dev eth1"
    assert pc1.options == {"env": {"A": "1"}, "volumes": [f"{tmp_path}/data:/data:ro"]}
    assert r1.options == {"memory": "64m", "sysctls": {"net.ipv4.ip_forward": "1"}}
    assert pc1.own_command


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("kind: bridge", "kind: srl"), 23, "kind srl is not supported"),
        (("memory: 64m", "ports: [80]"), 21, "nodes.r1.ports: not supported: a lab has no network to the outside"),
        (('"sw:p1"', '"host:p1"'), 25, "no network to the outside"),
        (('"pc1:eth1"', '"pc9:eth1"'), 26, "'pc9' is not in topology.nodes"),
        (('"pc1:eth1"', '"pc1"'), 26, "expected NODE:INTERFACE"),
        (("cmd: serve", "cmd: [serve"), 19, "no YAML"),
        (("nodes:", "mistake:"), 8, "not supported"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_line(tmp_path: Path, change: tuple[str, str], line: int, message: str) -> None:
    """The error names the file and the line of the value."""
    (tmp_path / "a.clab.yml").write_text(LAB.replace(*change, 1))
    with pytest.raises(ck.InvalidLab, match=message.replace("'", ".")) as caught:
        load(tmp_path / "a.clab.yml")
    assert caught.value.path == str(tmp_path / "a.clab.yml")
    assert caught.value.line == line


def test_ports_are_left_out_on_request(tmp_path: Path) -> None:
    """strict=False leaves out what would connect a host to the outside."""
    (tmp_path / "a.clab.yml").write_text(LAB.replace("memory: 64m", "ports: [80]"))
    assert load(tmp_path / "a.clab.yml", strict=False).host("r1").options == {"sysctls": {"net.ipv4.ip_forward": "1"}}
