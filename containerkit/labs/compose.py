"""Read Compose files: services, networks, volumes. Anything that is not supported raises with its file and line.

`project.py` runs what is read here on an engine; `kubernetes.py` writes it as Kubernetes YAML.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .._text import split_lines
from ..errors import ContainerKitError, InvalidLab
from ..options import container_spec
from ..values import Value
from .yamlfile import Item, read_yaml

__all__ = ["ComposeFile", "Service", "from_compose"]

STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"
_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


@dataclass(frozen=True, slots=True)
class Service(Value):
    """A service of a Compose file.

    Attributes:
        name: also its name on its networks.
        image: to run; that of a build has a name made of the project's and the service's.
        build: context and options of :meth:`Images.build`; empty without one.
        command: of the container; None takes the image's.
        networks: network -> settings of the attachment.
        after: service -> condition that it must meet first.
        options: options of :meth:`Engine.start`.
        line: in the file.
    """

    name: str
    image: str
    build: Mapping[str, Any] = field(default_factory=dict)
    command: Any = None
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class ComposeFile(Value):
    """Services, networks and volumes of a Compose file. Needs no engine.

    Attributes:
        name: of the project, part of the names of its containers.
        services: those of the chosen profiles, in an order in which they can start.
        networks: name -> options of `networks.create`; None for one that exists already.
        volumes: name on the engine -> options of `volumes.create`; None for one that exists already.
    """

    name: str
    services: tuple[Service, ...]
    networks: Mapping[str, Mapping[str, Any] | None]
    volumes: Mapping[str, Mapping[str, Any] | None]

    def service(self, name: str) -> Service:
        """Return a service by name. Raises InvalidLab if there is none."""
        for service in self.services:
            if service.name == name:
                return service
        known = ", ".join(each.name for each in self.services) or "none"
        raise InvalidLab(f"project {self.name} has no service {name!r}; it has {known}")


def from_compose(
    path: str | os.PathLike[str],
    *,
    profiles: Iterable[str] = (),
    name: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> ComposeFile:
    """Read a Compose file.

    Args:
        path: the file, or a folder with compose.yaml.
        profiles: of services that start as well; "*" means all.
        name: of the project; None takes the file's `name`, or the folder's.
        environment: values for ``${NAME}``; None takes this process's variables over those of the file `.env` beside
            the Compose file.

    Raises:
        InvalidLab: a mistake or something that is not supported, with file and line.
        Unsupported: PyYAML is not installed.
        FileNotFoundError: nothing is there.
    """
    given = Path(path)
    if given.is_dir():
        given = next((given / each for each in _NAMES if (given / each).is_file()), given / _NAMES[0])
    if not given.is_file():
        raise FileNotFoundError(f"no Compose file at {path}")
    values = environment
    if values is None:
        beside = given.parent / ".env"
        values = {**(_env_file(beside) if beside.is_file() else {}), **os.environ}
    root = _interpolated(read_yaml(given), values)
    root.only(("version", "name", "services", "networks", "volumes"), _TOP)
    said = root.get("name")
    folder = re.sub(r"[^a-z0-9_-]+", "", given.resolve().parent.name.lower()).lstrip("_-") or "project"
    project = name or (said.text() if said else folder)
    services = dict((root.get("services") or root.fail("services: are missing")).items())
    chosen = set(profiles)
    found = {}
    for key, item in services.items():
        asked = item.get("profiles")
        if asked is None or chosen & {*asked.texts(), "*"}:
            found[key] = _Reader(project, values).service(key, item)
    needed = {network for service in found.values() for network in service.networks}
    networks = {key: _network(item) for key, item in _section(root, "networks") if key in needed}
    for service in found.values():
        for network in service.networks:
            if network != "default" and network not in networks:
                services[service.name].fail(f"network {network!r} is not in networks")
        for other in service.after:
            if other not in found:
                why = "belongs to no chosen profile" if other in services else "is not in services"
                services[service.name].fail(f"depends_on: {other!r} {why}")
    if "default" in needed:
        networks.setdefault("default", {})
    volumes = {}
    for key, item in _section(root, "volumes"):
        volumes[_volume_name(project, key, item)] = _volume(item)
    known = {key: _volume_name(project, key, item) for key, item in _section(root, "volumes")}
    ready = tuple(_with_volumes(service, services[service.name], known) for service in _ordered(found, root))
    return ComposeFile(project, ready, networks, volumes)


_TOP = dict.fromkeys(("secrets", "configs"), "mount a file with volumes") | {"include": "give one file"}
_SERVICE_REASONS = {
    "network_mode": "give networks",
    "links": "services of one network find each other by name",
    "extends": "write the service out",
    "secrets": "mount a file with volumes",
    "configs": "mount a file with volumes",
    "scale": "one container for each service",
    "develop": "only `docker compose watch` uses it",
}
_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)(?:(:?[-?+])([^}]*))?\}|(.?))")


def _interpolated(item: Item, values: Mapping[str, str]) -> Item:
    """Return the value with ``$NAME``, ``${NAME}``, ``${NAME:-default}``, ``${NAME:?error}`` and ``$$`` replaced."""

    def replaced(found: re.Match[str]) -> str:
        dollar, plain, name, sign, word, rest = found.groups()
        if dollar:
            return "$"
        if rest is not None and not (plain or name):
            item.fail(f"{found[0]!r}: expected $NAME or ${{NAME}}; write $$ for a dollar")
        value = values.get(plain or name)
        missing = value is None or (not value and bool(sign) and sign.startswith(":"))
        if sign and sign.endswith("-"):
            return word if missing else str(value)
        if sign and sign.endswith("+"):
            return "" if missing else word
        if sign and missing:
            item.fail(f"variable {name} is not set: {word}")
        return value or ""

    if isinstance(item.value, str):
        return Item(_VARIABLE.sub(replaced, item.value), item.where, item.path, item.line)
    inside = {key: _interpolated(each, values) for key, each in item.inside.items()}
    value: Any = item.value
    if isinstance(value, dict):
        value = {key: each.value for key, each in inside.items()}
    elif isinstance(value, list):
        value = [each.value for each in inside.values()]
    return Item(value, item.where, item.path, item.line, inside)


def _env_file(path: Path) -> dict[str, str]:
    found = {}
    for line in split_lines(path.read_text(encoding="utf-8")):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            value = value.strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            found[name.strip()] = value[1:-1] if quoted else value.partition(" #")[0].rstrip()
    return found


def _section(root: Item, key: str) -> Iterable[tuple[str, Item]]:
    section = root.get(key)
    return section.items() if section else ()


def _flag(item: Item) -> bool:
    if not isinstance(item.value, bool):
        item.fail(f"expected true or false, found {item.value!r}")
    return item.value


def _network(item: Item) -> dict[str, Any] | None:
    """Return the options of a network; None for one that exists already."""
    if item.value is None:
        return {}
    item.only(
        ("driver", "driver_opts", "internal", "enable_ipv6", "ipam", "labels", "external", "name", "attachable"), {}
    )
    if (external := item.get("external")) and _flag(external):
        return None
    options: dict[str, Any] = {}
    if named := item.get("name"):
        named.fail("not supported: containerkit names the networks that it makes")
    for key, option in (("driver", "driver"), ("internal", "internal"), ("enable_ipv6", "ipv6")):
        if found := item.get(key):
            options[option] = found.value
    for key, option in (("driver_opts", "options"), ("labels", "labels")):
        if found := item.get(key):
            options[option] = found.pairs()
    if ipam := item.get("ipam"):
        ipam.only(("config",), {})
        for config in found.each() if (found := ipam.get("config")) else ():
            config.only(("subnet", "gateway", "ip_range"), {})
            if set(options) & {"subnet"}:
                config.fail("not supported: one subnet for each network")
            options |= {key: value.text() for key, value in config.items()}
    return options


def _volume(item: Item) -> dict[str, Any] | None:
    """Return the options of a volume; None for one that exists already."""
    if item.value is None:
        return {}
    item.only(("driver", "driver_opts", "labels", "external", "name"), {})
    if (external := item.get("external")) and _flag(external):
        return None
    options: dict[str, Any] = {}
    if found := item.get("driver"):
        options["driver"] = found.text()
    for key, option in (("driver_opts", "options"), ("labels", "labels")):
        if found := item.get(key):
            options[option] = found.pairs()
    return options


def _volume_name(project: str, key: str, item: Item) -> str:
    if item.value is None:
        return f"{project}_{key}"
    named, external = item.get("name"), item.get("external")
    return named.text() if named else key if external and external.value is True else f"{project}_{key}"


def _with_volumes(service: Service, item: Item, known: Mapping[str, str]) -> Service:
    """Return the service with the engine's names of its volumes, after the engine's own parser has seen it."""
    mounts = []
    for mount in service.options.get("volumes", ()):
        source, colon, rest = mount.partition(":")
        if colon and not source.startswith("/"):
            if source not in known:
                item.fail(f"volume {source!r} is not in volumes")
            mount = f"{known[source]}:{rest}"
        mounts.append(mount)
    options = {**service.options, **({"volumes": mounts} if mounts else {})}
    try:
        container_spec(service.image, service.command, options)
    except ContainerKitError as exc:
        item.fail(str(exc))
    return replace(service, options=options)


def _ordered(services: Mapping[str, Service], root: Item) -> list[Service]:
    """Return the services so that each comes after those it depends on."""
    done: dict[str, Service] = {}
    while len(done) < len(services):
        ready = [each for each in services.values() if each.name not in done and done.keys() >= set(each.after)]
        if not ready:
            root.fail(f"these services wait for one another: {', '.join(sorted(services.keys() - done.keys()))}")
        done |= {each.name: each for each in ready}
    return list(done.values())


class _Reader:
    """Reads services; `_KEYS` says how each key becomes an option of :meth:`Engine.start`."""

    def __init__(self, project: str, values: Mapping[str, str]) -> None:
        self.project = project
        self.values = values

    def service(self, name: str, item: Item) -> Service:
        """Return one service. Raises InvalidLab with the line."""
        special = {"image", "build", "command", "networks", "depends_on", "profiles", "environment", "env_file"}
        item.only({*special, *_KEYS}, _SERVICE_REASONS)
        options: dict[str, Any] = {}
        for key, each in item.items():
            if key in _KEYS and each.value is not None:
                options |= _KEYS[key](each)
        env = self._environment(item)
        if env:
            options["env"] = env
        image, build, command = item.get("image"), item.get("build"), item.get("command")
        if image is None and build is None:
            item.fail("expected image or build")
        title = image.text() if image else f"localhost/{self.project}-{name}:latest".lower()
        return Service(
            name,
            title,
            _build(build) if build else {},
            _words(command) if command else None,
            self._networks(item),
            _after(item),
            options,
            item.line,
        )

    def _environment(self, item: Item) -> dict[str, str]:
        env: dict[str, str] = {}
        if files := item.get("env_file"):
            for each in files.each() if isinstance(files.value, list) else [files]:
                required = True
                if isinstance(each.value, dict):
                    each.only(("path", "required"), {})
                    required = not (said := each.get("required")) or _flag(said)
                    each = each.get("path") or each.fail("path: is missing")
                path = each.path.parent / each.text()
                if path.is_file():
                    env |= _env_file(path)
                elif required:
                    each.fail(f"no file {path}")
        if given := item.get("environment"):
            if isinstance(given.value, list):
                for text in given.texts():
                    key, equals, value = text.partition("=")
                    if equals or key in self.values:
                        env[key] = value if equals else self.values[key]
            else:
                for key, each in given.items():
                    if each.value is not None:
                        env[key] = str(each.value).lower() if isinstance(each.value, bool) else each.text()
                    elif key in self.values:
                        env[key] = self.values[key]
        return env

    def _networks(self, item: Item) -> dict[str, dict[str, Any]]:
        given = item.get("networks")
        if given is None:
            return {"default": {}}
        if isinstance(given.value, list):
            return {name: {} for name in given.texts()}
        found: dict[str, dict[str, Any]] = {}
        for name, each in given.items():
            found[name] = {}
            if each.value is not None:
                each.only(("aliases", "ipv4_address", "ipv6_address", "mac_address"), {})
                for key, value in each.items():
                    found[name][key] = value.texts() if key == "aliases" else value.text()
        return found


def _after(item: Item) -> dict[str, str]:
    given = item.get("depends_on")
    if given is None:
        return {}
    if isinstance(given.value, list):
        return dict.fromkeys(given.texts(), STARTED)
    found = {}
    for name, each in given.items():
        each.only(("condition", "required"), {"restart": "nothing restarts a project's services"})
        condition = each.get("condition")
        found[name] = condition.text() if condition else STARTED
        if condition and found[name] not in (STARTED, HEALTHY, COMPLETED):
            condition.fail(f"expected {STARTED}, {HEALTHY} or {COMPLETED}")
    return found


def _build(item: Item) -> dict[str, Any]:
    if isinstance(item.value, str):
        return {"context": str(item.path.parent / item.value)}
    item.only(("context", "dockerfile", "args", "target", "labels"), {})
    context = item.get("context")
    folder = item.path.parent / (context.text() if context else ".")
    found: dict[str, Any] = {"context": str(folder)}
    for key, option in (("dockerfile", "dockerfile"), ("target", "target")):
        if each := item.get(key):
            found[option] = each.text()
    for key, option in (("args", "build_args"), ("labels", "labels")):
        if each := item.get(key):
            found[option] = each.pairs()
    return found


def _words(item: Item) -> Any:
    return item.texts() if isinstance(item.value, list) else item.text()


def _plain(option: str) -> Callable[[Item], dict[str, Any]]:
    return lambda item: {option: item.value if isinstance(item.value, bool) else _words(item)}


def _paired(option: str) -> Callable[[Item], dict[str, Any]]:
    return lambda item: {option: item.pairs()}


def _listed(option: str) -> Callable[[Item], dict[str, Any]]:
    return lambda item: {option: item.texts() if isinstance(item.value, list) else [item.text()]}


def _ports(item: Item) -> dict[str, Any]:
    found = []
    for each in item.each():
        if not isinstance(each.value, dict):
            found.append(each.text())
            continue
        each.only(("target", "published", "host_ip", "protocol", "mode", "name", "app_protocol"), {})
        target, published, host = each.get("target"), each.get("published"), each.get("host_ip")
        text = target.text() if target else each.fail("target: is missing")
        text = f"{published.text() if published else ''}:{text}" if published or host else text
        protocol = each.get("protocol")
        found.append(f"{host.text()}:{text}" if host else text)
        if protocol:
            found[-1] += f"/{protocol.text()}"
    return {"publish": found}


def _volumes(item: Item) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in item.each():
        if isinstance(each.value, dict):
            each.only(("type", "source", "target", "read_only"), {})
            kind, source, target = each.get("type"), each.get("source"), each.get("target")
            at = target.text() if target else each.fail("target: is missing")
            if kind and kind.value == "tmpfs":
                found.setdefault("tmpfs", []).append(at)
                continue
            if kind and kind.value not in ("volume", "bind"):
                kind.fail("expected volume, bind or tmpfs")
            text = f"{source.text()}:{at}" if source else at
            text += ":ro" if (flag := each.get("read_only")) and _flag(flag) else ""
        else:
            text = each.text()
        name, colon, rest = text.partition(":")
        if colon and name.startswith((".", "~")):
            text = f"{(item.path.parent / Path(name).expanduser()).resolve()}:{rest}"
        found.setdefault("volumes", []).append(text)
    return found


def _healthcheck(item: Item) -> dict[str, Any]:
    item.only(("test", "interval", "timeout", "retries", "start_period", "disable"), {})
    if (disabled := item.get("disable")) and _flag(disabled):
        return {"no_healthcheck": True}
    return {"healthcheck": {key: _words(each) for key, each in item.items() if each.value is not None}}


def _deploy(item: Item) -> dict[str, Any]:
    item.only(("resources",), {"replicas": "one container for each service"})
    resources = item.get("resources")
    if resources is None:
        return {}
    resources.only(("limits",), {})
    limits = resources.get("limits")
    if limits is None:
        return {}
    limits.only(("cpus", "memory", "pids"), {})
    names = {"cpus": "cpus", "memory": "memory", "pids": "pids_limit"}
    return {names[key]: each.text() for key, each in limits.items()}


def _ulimits(item: Item) -> dict[str, Any]:
    found = []
    for name, each in item.items():
        if isinstance(each.value, dict):
            each.only(("soft", "hard"), {})
            found.append(f"{name}={each.value.get('soft')}:{each.value.get('hard')}")
        else:
            found.append(f"{name}={each.text()}")
    return {"ulimits": found}


#: key of a service -> function that returns its options of start()
_KEYS: dict[str, Callable[[Item], dict[str, Any]]] = {
    **{
        key: _plain(option)
        for key, option in {
            "entrypoint": "entrypoint", "user": "user", "working_dir": "workdir", "hostname": "hostname",
            "domainname": "domainname", "restart": "restart", "privileged": "privileged", "read_only": "read_only",
            "init": "init", "tty": "tty", "stdin_open": "interactive", "stop_signal": "stop_signal",
            "shm_size": "shm_size", "mem_limit": "memory", "cpus": "cpus", "pids_limit": "pids_limit",
            "platform": "platform", "container_name": "name", "pid": "pid", "ipc": "ipc", "mac_address": "mac_address",
        }.items()
    },
    **{key: _paired(key) for key in ("labels", "sysctls")},
    **{
        key: _listed(option)
        for key, option in {
            "cap_add": "cap_add", "cap_drop": "cap_drop", "tmpfs": "tmpfs", "dns": "dns", "dns_search": "dns_search",
            "security_opt": "security_opt", "devices": "devices", "group_add": "group_add", "expose": "expose",
            "extra_hosts": "add_host",
        }.items()
    },
    "ports": _ports,
    "volumes": _volumes,
    "healthcheck": _healthcheck,
    "deploy": _deploy,
    "ulimits": _ulimits,
}  # fmt: skip
