"""Read labs of Kathará and Netkit: lab.conf, startup files, lab.dep, folders of hosts and the shared folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._text import split_lines
from ..errors import InvalidLab
from .topology import Host, Interface, Topology

#: Image of hosts that name none, as Kathará has it.
_IMAGE = "docker.io/kathara/base"
_META = re.compile(r"LAB_[A-Z]+\s*=.*", re.DOTALL)
_LINE = re.compile(r"(?P<host>[\w.-]+)\[(?P<key>\w+)\]\s*=\s*(?P<value>\"[^\"]*\"|'[^']*'|[^\s#\"']+)\s*(#.*)?")
_IGNORED = frozenset({"num_terms", "shell"})  # windows, of the program that shows the lab
_OUTSIDE = frozenset({"bridged", "port"})
#: Folders of FRR and Quagga, whose daemons end without CAP_SYS_ADMIN; Kathará gives it to every host.
_ROUTING = ("frr", "quagga", "zebra")
#: What Kathará sets on every host.
_SYSCTLS = {"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "0", "net.ipv4.conf.default.rp_filter": "0"}
_IPV6 = {f"net.ipv6.conf.{which}.{key}": value for which in ("all", "default")
         for key, value in (("disable_ipv6", "0"), ("forwarding", "1"))}  # fmt: skip


@dataclass
class _Found:
    """Settings of one host in lab.conf."""

    interfaces: dict[int, Interface] = field(default_factory=dict)
    image: str | None = None
    ipv6: bool | None = None
    command: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    sysctls: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)


def read_kathara(path: Path, *, strict: bool) -> Topology:
    """Return the topology of a lab.conf and the files beside it. Raises InvalidLab with file and line.

    Args:
        path: lab.conf.
        strict: refuse what would connect a host to the outside; False leaves it out.
    """
    folder = path.parent.resolve()
    if (folder / "lab.ext").exists():
        raise InvalidLab("labs have no access to the interfaces of the engine's machine", path=str(folder / "lab.ext"))
    found: dict[str, _Found] = {}
    for number, line in _lines(path):
        if _META.fullmatch(line):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise InvalidLab(f'expected HOST[KEY]="VALUE", found {line!r}', path=str(path), line=number)
        if match["key"] in _OUTSIDE and not strict:
            found.setdefault(match["host"], _Found())
            continue
        try:
            _take(found.setdefault(match["host"], _Found()), match["key"], match["value"].strip("\"'"))
        except ValueError as exc:
            raise InvalidLab(f"{match['host']}[{match['key']}]: {exc}", path=str(path), line=number) from exc
    after = _dependencies(folder / "lab.dep", set(found))
    hosts = tuple(_host(name, each, folder, after.get(name, ())) for name, each in found.items())
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.name).strip("-._") or "lab"
    return Topology(name, hosts, _IMAGE)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(split_lines(path.read_text(encoding="utf-8", errors="replace")), 1):
        if (text := line.strip()) and not text.startswith("#"):
            yield number, text


def _take(host: _Found, key: str, value: str) -> None:
    """Take one setting. Raises ValueError for one that labs do not support."""
    if key.isdecimal():
        domain, _, mac = value.partition("/")
        if int(key) in host.interfaces:
            raise ValueError("the interface has a collision domain already")
        host.interfaces[int(key)] = Interface(f"eth{int(key)}", domain, mac=mac or None)
    elif key == "image":
        host.image = value
    elif key == "ipv6":
        host.ipv6 = value.lower() in ("true", "1", "yes", "y")
    elif key in ("mem", "cpus"):
        host.options["memory" if key == "mem" else "cpus"] = value.lower() if key == "mem" else float(value)
    elif key == "exec":
        host.command = value
    elif key in ("sysctl", "env"):
        name, equals, setting = value.partition("=")
        if not equals:
            raise ValueError("expected NAME=VALUE")
        getattr(host, "sysctls" if key == "sysctl" else "env")[name.strip()] = setting.strip()
    elif key not in _IGNORED:
        reason = "a lab has no network to the outside" if key in _OUTSIDE else "an unknown setting"
        raise ValueError(f"not supported: {reason}")


def _host(name: str, found: _Found, folder: Path, after: tuple[str, ...]) -> Host:
    files = [file for file in (folder / "shared.startup", folder / f"{name}.startup") if file.is_file()]
    texts = [file.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n") for file in files]
    startup = "\n".join(text for text in (found.command, *texts) if text)
    ipv6 = "::" in startup if found.ipv6 is None else found.ipv6
    options: dict[str, Any] = {**found.options, "sysctls": {**_SYSCTLS, **(_IPV6 if ipv6 else {}), **found.sysctls}}
    if found.env:
        options["env"] = found.env
    if (folder / "shared").is_dir():
        options["volumes"] = {str(folder / "shared"): "/shared"}
    own = folder / name
    if any((own / "etc" / each).is_dir() for each in _ROUTING):
        options["cap_add"] = ["SYS_ADMIN"]
    interfaces = tuple(found.interfaces[number] for number in sorted(found.interfaces))
    return Host(
        name,
        interfaces,
        found.image,
        startup=startup,
        folder=own if own.is_dir() else None,
        after=after,
        options=options,
    )


def _dependencies(path: Path, hosts: set[str]) -> dict[str, tuple[str, ...]]:
    """Return host -> the hosts that it waits for, from lines like ``pc1: r1 r2``."""
    after: dict[str, tuple[str, ...]] = {}
    for number, line in _lines(path) if path.exists() else ():
        name, colon, others = line.partition(":")
        words = (name.strip(), *others.split())
        if not colon or not words[0]:
            raise InvalidLab(f"expected HOST: HOST …, found {line!r}", path=str(path), line=number)
        if unknown := [word for word in words if word not in hosts]:
            raise InvalidLab(f"{unknown[0]!r} is not in lab.conf", path=str(path), line=number)
        after[words[0]] = words[1:]
    return after
