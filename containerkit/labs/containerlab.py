"""Read labs of Containerlab: nodes of the kinds linux and bridge, and the links between them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from .._text import split_lines
from .topology import DEFAULT_IMAGE, Host, Interface, Topology
from .yamlfile import Item

__all__ = ["read_containerlab"]

_OUTSIDE = "a lab has no network to the outside"
_REASONS = {"ports": _OUTSIDE, "mgmt-ipv4": _OUTSIDE, "mgmt-ipv6": _OUTSIDE, "network-mode": _OUTSIDE}
_NODE = frozenset(
    (
        "kind",
        "image",
        "cmd",
        "exec",
        "binds",
        "env",
        "env-files",
        "memory",
        "cpu",
        "sysctls",
        "user",
        "cap-add",
        "labels",
    )
)
_TOP = frozenset({"name", "topology", "prefix", "mgmt"})


def read_containerlab(root: Item, *, strict: bool) -> Topology:
    """Return the topology of a Containerlab file. Raises InvalidLab with file and line.

    Args:
        root: the file.
        strict: refuse what would connect a host to the outside; False leaves it out.
    """
    root.only(_TOP, {})
    topology = root.get("topology") or root.fail("topology: is missing")
    topology.only(("defaults", "kinds", "nodes", "links", "groups"), {})
    nodes = dict((topology.get("nodes") or topology.fail("nodes: are missing")).items())
    kinds: dict[str, str] = {}
    hosts: dict[str, Host] = {}
    for name, node in nodes.items():
        settings = _merged(topology, node)
        kind = settings["kind"].text() if "kind" in settings else node.fail("kind: is missing")
        kinds[name] = kind
        if kind not in ("linux", "bridge"):
            settings["kind"].fail(f"kind {kind} is not supported: linux or bridge")
        if kind == "linux":
            hosts[name] = _host(name, settings, strict=strict)
    links = topology.get("links")
    for number, link in enumerate(links.each() if links else ()):
        link.only(("endpoints", "type", "mtu", "labels", "vars"), {})
        if (kind_of := link.get("type")) and kind_of.value != "veth":
            kind_of.fail(f"links of type {kind_of.value} are not supported: {_OUTSIDE}")
        ends = list((link.get("endpoints") or link.fail("endpoints: are missing")).each())
        if len(ends) != 2:
            link.fail("expected two endpoints")
        found = [(end, *_endpoint(end)) for end in ends]
        bridge = next((name for _, name, _, _ in found if kinds.get(name) == "bridge"), None)
        domain = bridge or f"link{number + 1}"
        for end, name, interface, mac in found:
            if name in hosts:
                made = Interface(interface, domain, mac=mac)
                hosts[name] = replace(hosts[name], interfaces=(*hosts[name].interfaces, made))
            elif name not in kinds:
                end.fail(f"{name!r} is not in topology.nodes" if name not in ("host", "mgmt-net") else _OUTSIDE)
    ordered = (
        replace(host, interfaces=tuple(sorted(host.interfaces, key=lambda each: _natural(each.name))))
        for host in hosts.values()
    )
    given = root.get("name")
    title = re.sub(r"[^A-Za-z0-9_.-]+", "-", given.text() if given else root.path.name.split(".")[0])
    return Topology(title, tuple(ordered), DEFAULT_IMAGE)


def _merged(topology: Item, node: Item) -> dict[str, Item]:
    """Return the settings of a node: its own over those of its kind over the defaults."""
    own = {} if node.value is None else dict(node.items())
    defaults = dict(found.items()) if (found := topology.get("defaults")) else {}
    kind = own.get("kind") or defaults.get("kind")
    kinds = topology.get("kinds")
    of_kind = kinds.get(kind.text()) if kinds and kind else None
    return {**defaults, **(dict(of_kind.items()) if of_kind else {}), **own}


def _host(name: str, settings: dict[str, Item], *, strict: bool) -> Host:
    for key, item in settings.items():
        if key not in _NODE and (strict or key not in _REASONS):
            item.fail(f"not supported{': ' + _REASONS[key] if key in _REASONS else ''}")
    options: dict[str, Any] = {}
    for key, option in (("memory", "memory"), ("user", "user")):
        if key in settings:
            options[option] = settings[key].text()
    if "cpu" in settings:
        options["cpus"] = float(settings["cpu"].text())
    if "cap-add" in settings:
        options["cap_add"] = settings["cap-add"].texts()
    if "sysctls" in settings:
        options["sysctls"] = settings["sysctls"].pairs()
    env: dict[str, str] = {}
    for item in settings["env-files"].each() if "env-files" in settings else ():
        file = item.path.parent / item.text()
        if not file.is_file():
            item.fail(f"no file {file}")
        lines = (line.strip() for line in split_lines(file.read_text(encoding="utf-8")))
        env |= dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    env |= settings["env"].pairs() if "env" in settings else {}
    if env:
        options["env"] = env
    if "binds" in settings:
        options["volumes"] = [_bind(item) for item in settings["binds"].each()]
    startup = "\n".join(settings["exec"].texts()) if "exec" in settings else ""
    image = settings["image"].text() if "image" in settings else None
    command = settings["cmd"].text() if "cmd" in settings else None
    return Host(name, image=image, command=command, startup=startup, own_command=image is not None, options=options)


def _bind(item: Item) -> str:
    source, colon, rest = item.text().partition(":")
    if not colon:
        item.fail("expected SOURCE:TARGET")
    return f"{(item.path.parent / source).resolve()}:{rest}"


def _endpoint(end: Item) -> tuple[str, str, str | None]:
    """Return node, interface and MAC address of an endpoint."""
    if isinstance(end.value, dict):
        node, interface, mac = end.get("node"), end.get("interface"), end.get("mac")
        if not node or not interface:
            end.fail("expected node and interface")
        return node.text(), interface.text(), mac.text() if mac else None
    node_name, colon, name = end.text().partition(":")
    if not colon:
        end.fail(f"expected NODE:INTERFACE, found {end.value!r}")
    return node_name, name, None


def _natural(name: str) -> list[Any]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
