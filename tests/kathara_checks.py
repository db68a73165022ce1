"""What each public lab of Kathará is about: `HOST: COMMAND => PATTERN`; without a pattern the command succeeds."""

from __future__ import annotations

__all__ = ["CHECKS", "NEEDS", "REASONS"]

_PING = "ping -c 1 -W 2"


def _both(path: str, *checks: str) -> dict[str, tuple[str, ...]]:
    """Return the checks for the lab with FRR and the one with Quagga."""
    return {f"main-labs/{path.format(which)}": checks for which in ("frr", "quagga")}


def _bgp(name: str, *checks: str) -> dict[str, tuple[str, ...]]:
    return _both(f"interdomain-routing/{{}}/{name}/kathara-lab_{name}", *checks)


_OSPF = "main-labs/intradomain-routing/{}/ospf/kathara-lab_ospf/kathara-lab_ospf{}"
_TRANSIT = "main-labs/interdomain-routing/quagga/bgp-transit-as/kathara-lab_bgp-transit-as-"
_SEVERAL = "main-labs/labs-integrating-several-technologies/"
_PAGES = "for i in $(seq 16); do curl -s -m 5 http://{}/ | md5sum; done | sort | uniq | wc -l => ^[2-9]"


def _rip(service: str) -> tuple[str, ...]:
    """Return the checks of a lab whose routers one starts by hand."""
    return (
        *(f"r{number}: systemctl start {service}" for number in range(1, 5)),
        "r1: ip route => 100\\.1\\.2\\.0/24.*proto rip",
        f"r1: {_PING} 100.1.2.1",
        f"r2: {_PING} 100.1.4.1",
    )


def _ospf(which: str, middle: str) -> dict[str, tuple[str, ...]]:
    neighbours = 'bb1: vtysh -c "show ip ospf neighbor" => Full'
    across = (
        "bb1: ip route => 10\\.0\\.1\\.0/24.*proto ospf",
        f"bb4: {_PING} 10.0.1.1",
    )
    areas = (
        "r2: ip route => (220\\.0\\.0\\.0/30|default).*proto ospf",
        f"r2: {_PING} 10.0.1.2",
        f"r6: {_PING} 10.0.3.1",
    )
    return {
        _OSPF.format(which, f"{middle}-singlearea"): (neighbours, *across),
        _OSPF.format(which, f"{middle}-multiarea"): (neighbours, *across, *areas),
        _OSPF.format(which, f"{middle}-complex"): (neighbours, *across, *areas),
    }


CHECKS: dict[str, tuple[str, ...]] = {
    # ---------------------------------------------------------------- basics
    "main-labs/basic-topics/arp/kathara-lab_arp": (
        f"pc1: {_PING} 200.1.1.7",
        "pc1: ip neigh => 195\\.11\\.14\\.1 .*lladdr fe:fd:c3:0b:0e:01",
    ),
    "main-labs/basic-topics/basic-ipv4/kathara-lab_basic-ipv4": (
        f"pc1: {_PING} 200.1.1.7",
        "r1: ip neigh => 100\\.0\\.0\\.10 .*lladdr 00:00:00:00:00:b2",
    ),
    "main-labs/basic-topics/basic-ipv6/kathara-lab_basic-ipv6": (
        "pc1: ip -6 address show dev eth0 => 2001::1:200:ff:fe00:1/64",
        "pc2: ip -6 address show dev eth0 => 2001::3:200:ff:fe00:2/64",
        "pc1: ping -6 -c 1 -W 2 2001:0:0:3:200:ff:fe00:2",
    ),
    "main-labs/basic-topics/static-routing/kathara-lab_static-routing": (
        f"pc1: {_PING} 195.11.14.1",
        f"pc1: ! {_PING} 200.1.1.7",
        "pc1: ip route replace default via 195.11.14.1",
        "pc2: ip route replace default via 200.1.1.1",
        "r1: ip route replace 200.1.1.0/24 via 100.0.0.10",
        "r2: ip route replace 195.11.14.0/24 via 100.0.0.9",
        f"pc1: {_PING} 200.1.1.7",
    ),
    "main-labs/basic-topics/two-computers/kathara-lab_two-computers": (
        "pc1: ip address replace 10.0.0.1/24 dev eth0",
        "pc2: ip address replace 10.0.0.2/24 dev eth0",
        f"pc1: {_PING} 10.0.0.2",
        "pc1: ip neigh => 10\\.0\\.0\\.2 .*lladdr 00:00:00:00:00:02",
    ),
    "main-labs/switching/one-bridge/kathara-lab_one-bridge": (
        "pc1: ip address replace 10.0.0.1/24 dev eth0",
        "pc3: ip address replace 10.0.0.3/24 dev eth0",
        f"pc1: {_PING} 10.0.0.3",
        "b1: bridge fdb show br mainbridge => 00:00:00:00:00:01 dev eth0",
        "b1: bridge fdb show br mainbridge => 00:00:00:00:00:03 dev eth2",
    ),
    "exercises/01-simple-configuration/lab": ("pc1: ip route get 100.3.0.9 => via 100\\.2\\.0\\.2 dev eth1",),
    "exercises/02-add-one-router/lab": (f"pc1: {_PING} 100.2.0.2",),
    "tutorials/capture-packets/lab": (
        "pc1: ping -i 0.3 -c 40 100.0.0.2 >/dev/null 2>&1 &",
        "wireshark: timeout 20 tcpdump -n -i eth0 -c 2 icmp 2>/dev/null => ICMP echo request",
    ),
    "tutorials/traffic-control/limit-bandwidth/lab": (
        f"pc1: {_PING} 200.0.0.2",
        "r1: tc qdisc show dev eth1 => tbf .*256Kbit",
    ),
    "tutorials/traffic-control/fixed-delay/lab": ("pc2: ping -c 3 100.0.0.2 => time=1[0-9]",),
    "tutorials/traffic-control/variable-delay/lab": ("r1: tc qdisc show dev eth0 => netem .*delay 10ms  5ms",),
    "tutorials/traffic-control/packet-loss/lab": ("r1: tc qdisc show dev eth0 => netem .*loss 10%",),
    # ---------------------------------------------------------------- applications
    "main-labs/application-level/web-server/kathara-lab_web-server": ("client: curl -s http://10.0.0.1/ => (?i)<html",),
    "main-labs/application-level/http-tcp/kathara-lab_http-tcp": ("client: curl -s http://10.0.0.1/ => (?i)<html",),
    "main-labs/application-level/load-balancer-random/kathara-lab_load-balancer-ws-rnd": (
        "client1: " + _PAGES.format("100.0.0.2"),
    ),
    # ---------------------------------------------------------------- routing within a domain
    "main-labs/intradomain-routing/frr/rip/kathara-lab_rip": _rip("frr"),
    "main-labs/intradomain-routing/quagga/rip/kathara-lab_rip": _rip("quagga"),
    "main-labs/intradomain-routing/frr/frrouting-introduction/kathara-lab_frr": (
        "r1: ip route => 220\\.0\\.0\\.0/24.*proto rip",
        f"r1: {_PING} 220.0.0.1",
    ),
    "main-labs/intradomain-routing/quagga/quagga-introduction/kathara-lab_quagga": (
        "r1: ip route => 220\\.0\\.0\\.0/24.*proto rip",
        f"r1: {_PING} 220.0.0.1",
    ),
    **_ospf("frr", "_frr"),
    **_ospf("quagga", ""),
    # ---------------------------------------------------------------- routing between domains
    **_bgp(
        "bgp-simple-peering",
        'router1: vtysh -c "show ip bgp summary" => 193\\.10\\.11\\.2 .*\\d\\d:\\d\\d:\\d\\d +(\\d|.Policy)',
    ),
    **_bgp("bgp-announcement", "router1: ip route => 200\\.1\\.1\\.0/24.*proto bgp", f"router1: {_PING} 200.1.1.1"),
    **_bgp("bgp-prefix-filtering", 'router1: vtysh -c "show ip bgp" => 200\\.1\\.[12]\\.0'),
    **_bgp("bgp-stub-as", "as200r1: ip route => default.*proto bgp", f"as200r1: {_PING} 20.1.1.1"),
    **_bgp("bgp-stub-as-static", f"as200r1: {_PING} 20.1.1.1"),
    **_bgp(
        "bgp-multi-homed-stub",
        "as200r1: ip route => default.*proto bgp",
        f"as100r1: {_PING} -I 100.1.0.1 200.2.0.1",
    ),
    **_bgp(
        "bgp-multi-homed-stub-large",
        "as200r1: ip route => default.*proto bgp",
        f"as100r1: {_PING} -I 100.1.0.1 200.2.0.1",
    ),
    **_bgp("bgp-multi-homed", "as1r1: ip route => 200\\.1\\..*proto bgp", f"as1r1: {_PING} 200.1.0.1"),
    f"{_TRANSIT}redistribute-bgp-deterministic": ("as20r1: ip route => 100\\.0\\.0\\.0/8.*proto bgp",),
    f"{_TRANSIT}redistribute-bgp-nondeterministic": ("as20r1: ip route => 100\\.0\\.0\\.0/8.*proto bgp",),
    f"{_TRANSIT}tunnel-ipip": (
        "as20r1: ip route => 100\\.0\\.0\\.0/8.*proto bgp",
        f"as10rt1: {_PING} -I 13.0.0.5 13.0.0.6",
    ),
    # ---------------------------------------------------------------- data centers
    "main-labs/data-center-routing/data-center-bgp/kathara-lab_data-center-bgp": (
        "leaf_1_0_1: ip route => 202\\.2\\.2\\.0/24.*proto bgp",
        f"server_1_1_1: {_PING} 202.2.2.2",
    ),
    "main-labs/data-center-routing/data-center-vxlan/kathara-lab_vxlan-base": (
        "s1: curl -s -m 5 http://10.0.0.2/ => (?i)<html",
    ),
    # ---------------------------------------------------------------- several technologies
    f"{_SEVERAL}bgp-ospf-rip-interplay/kathara-lab_bgp-ospf-rip": (
        "rc1d1: ip route => 3\\.\\d.*proto",
        f"rc1d1: {_PING} 3.4.0.2",
    ),
    f"{_SEVERAL}dns-load-balancer-with-rip/kathara-lab_dns-load-balancer-with-rip": (
        "client: dig +short +tries=1 server.test => ^30\\.0\\.0\\.[23]",
        "client: curl -s -m 5 http://server.test/ => (?i)<html",
    ),
    f"{_SEVERAL}small-internet-with-dns-and-web-server/kathara-lab_small-internet-with-dns-and-web-server": (
        "client: dig +short +tries=1 www.uniroma3.it => ^100\\.1\\.2\\.2",
        "client: curl -s -m 5 http://www.uniroma3.it/ => (?i)<html",
    ),
    f"{_SEVERAL}two-levels-load-balancing-for-a-web-service/kathara-lab_two-levels-load-balancing": (
        "client: dig +short +tries=1 www.uniroma3.it => 11\\.1\\.1\\.1",
        "client: " + _PAGES.format("11.1.1.1"),
    ),
    # ---------------------------------------------------------------- exams
    "exam-labs/2013-12-20-cloth-cap/lab": ("as10r1: ip route => 20\\.\\d.*proto bgp",),
    "exam-labs/2018-01-17-stairs/lab": ("as1r1: ip route => 4\\.0\\.0\\.0/24.*proto bgp",),
    "exam-labs/2020-11-05-chair/chair-01": ("client: " + _PAGES.format("50.50.50.11"),),
    "exam-labs/2020-11-05-chair/chair-02": ("client: " + _PAGES.format("100.100.100.22"),),
    "exam-labs/2020-11-18-puzzle/lab": (f"b012: {_PING} 100.30.2.32",),
    "exam-labs/2020-11-18-the-thing/lab": (f"b012: {_PING} 100.30.1.3",),
    "exam-labs/2020-12-18-red-baron/lab": ('r1: vtysh -c "show ip route" => (O|R|B)[ >*]+\\d',),
    "exam-labs/2022-01-14-alien/lab": (f"pc1: {_PING} 5.5.2.2",),
}
#: Labs that cannot run: start of the path -> why.
REASONS = {
    "main-labs/p4/": "a P4 compiler and switch (bmv2), not in Debian",
    "main-labs/sdn-openflow/": "the POX controller, not in Debian, and Open vSwitch's kernel module",
    "main-labs/application-level/dns/": "options of BIND 9.11 that Debian's BIND 9.18 refuses",
    "main-labs/data-center-routing/data-center-vxlan/kathara-lab_data-center-vxlan": (
        "VLAN filtering of bridges, and bonding; where the kernel lacks them, its bridges loop and flood the machine"
    ),
    "tutorials/kathara-external/": "lab.ext: interfaces of the engine's machine",
}

#: Labs that run where the kernel of the engine's machine has a feature.
NEEDS = {
    **{
        f"tutorials/traffic-control/{name}/lab": "the kernel lacks netem"
        for name in ("fixed-delay", "packet-loss", "variable-delay")
    },
    "tutorials/traffic-control/limit-bandwidth/lab": "the kernel lacks tbf",
}
