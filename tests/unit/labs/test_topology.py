"""Labs without an engine: validation, the commands that an engine would get, drawings."""

from __future__ import annotations

from typing import Any

import pytest

import containerkit as ck
from containerkit.labs import Host, Interface, Reachability, Topology, plan
from containerkit.labs.topology import make_host


def topology(*hosts: Host) -> Topology:
    return Topology("lab", hosts)


def routed() -> Topology:
    return topology(
        make_host("pc1", {"A": "10.0.1.2/24"}, gateway="10.0.1.1"),
        make_host("r1", {"A": "10.0.1.1/24", "B": "10.0.2.1/24"}, router=True),
        make_host("pc2", {"B": "10.0.2.2/24"}, gateway="10.0.2.1", after=["r1"]),
    )


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (make_host("pc1", {"A": "10.0.0.1"}), "host pc1: address '10.0.0.1': expected a prefix length"),
        (make_host("pc1", {"A": "10.0.0.300/24"}), "host pc1: address '10.0.0.300/24'"),
        (make_host("pc 1"), "host 'pc 1': expected a name"),
        (make_host("pc1", {"A b": None}), "collision domain 'A b'"),
        (make_host("pc1", gateway="router"), "gateway 'router'"),
        (make_host("pc1", routes={"10.0.0.1/24": "10.0.0.1"}), "route to '10.0.0.1/24'"),
        (make_host("pc1", after=["pc9"]), "starts after pc9, which is not in the lab"),
        (make_host("pc1", after=["pc1"]), "wait for one another: pc1"),
        (make_host("pc1", files={"etc/motd": ""}), "file 'etc/motd': expected an absolute path"),
        (make_host("pc1", network="host"), "network= is set by the lab"),
        (make_host("pc1", memory="much"), "host pc1: memory='much'"),
        (make_host("pc1", startup="x" * 200_000), "startup commands of more than"),
        (Host("pc1", (Interface("lo", "A"),)), "interface 'lo'"),
        (Host("pc1", (Interface("eth0", "A"), Interface("eth0", "B"))), "two interfaces eth0"),
        (Host("pc1", (Interface("eth0", "A", mac="01:00:00:00:00:01"),)), "MAC address"),
    ],
)
def test_a_mistake_is_refused_with_the_hosts_name(host: Host, words: str) -> None:
    """Every mistake raises InvalidLab before anything is sent."""
    with pytest.raises(ck.InvalidLab) as caught:
        topology(host).validate()
    assert words in str(caught.value)


def test_cables_are_laid_in_order() -> None:
    """Bridges come first; each far end is named, moved and plugged before the next pair is made."""
    lab = routed()
    lines = list(plan.wire(plan.cables(lab), {"pc1": 11, "r1": 12, "pc2": 13}, bridges=True))
    assert lines[:4] == [
        "link add ckb0 type bridge",
        "link set ckb0 up",
        "link add ckb1 type bridge",
        "link set ckb1 up",
    ]
    assert [line.split()[-1] for line in lines if " netns " in line] == ["11", "12", "12", "13"]
    assert lines[4] == "link add ckw0 type veth"
    again = list(plan.wire(plan.cables(lab), {"r1": 20}, bridges=False))
    assert [line for line in again if "type veth" in line] == ["link add ckw1 type veth", "link add ckw2 type veth"]


def test_mac_addresses_depend_on_names_only() -> None:
    """Two plans of the same lab have the same unicast MAC addresses, all different."""
    first, second = plan.cables(routed()), plan.cables(routed())
    assert first == second
    assert len({cable.mac for cable in first}) == 4
    assert all(cable.mac.startswith("02:") for cable in first)


def test_a_router_forwards_and_ipv6_is_switched_on() -> None:
    """Options of start() have the sysctls that the topology needs, and those of the user win."""
    options: dict[str, Any] = plan.start_options(make_host("r", {"A": "fd00::1/64"}, router=True, cap_add="SYS_TIME"))
    assert options["sysctls"]["net.ipv4.ip_forward"] == "1"
    assert options["sysctls"]["net.ipv6.conf.all.disable_ipv6"] == "0"
    assert options["cap_add"] == ["SYS_TIME", "NET_ADMIN", "NET_RAW"]


def test_waves_follow_dependencies() -> None:
    """Hosts without dependencies start first."""
    assert [[host.name for host in wave] for wave in routed().waves()] == [["pc1", "r1"], ["pc2"]]


def test_the_failed_line_is_read_from_the_trace() -> None:
    """The last mark is the line that failed; the log has no marks."""
    assert plan.failed_line("+lab-line-1 true\n+lab-line-3 ls /x\nls: no\n") == (3, "+ true\n+ ls /x\nls: no\n")


def test_drawings_name_every_host_and_network() -> None:
    """SVG, text, Mermaid and Graphviz show hosts, networks and addresses; hostile names are escaped."""
    picture = routed().draw()
    for text in (picture.to_svg(), picture.to_text(), picture.to_mermaid(), picture.to_graphviz()):
        assert all(word in text for word in ("pc1", "r1", "pc2", "10.0.2.1/24"))
    assert picture.to_text().splitlines()[1] == "A: pc1 (eth0 10.0.1.2/24), r1 (eth0 10.0.1.1/24)"
    assert Topology("empty").draw().to_svg().startswith("<svg")


def test_a_matrix_of_answers() -> None:
    """The matrix names what is missing."""
    found = Reachability({"a": {"b": {"10.0.0.2": True}}, "b": {"a": {"10.0.0.1": False}}})
    assert (found.complete, found.missing) == (False, (("b", "a", "10.0.0.1"),))
    assert "no" in str(found)
