"""Parse an engine's raw responses: a field of the wrong type is reported, neither trusted nor fatal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from .audited import ContainerFacts, DeviceFacts, MountFacts
from .facts import EngineFacts, IdRange

__all__ = ["parse_container", "parse_engine", "parse_limit_claims", "parse_log"]

T = TypeVar("T")


class _Fields:
    """Fields by path; records those with a wrong type."""

    def __init__(self, raw: object, name: str) -> None:
        self.raw, self.name = raw, name
        self.malformed: list[str] = []

    def get(self, path: str, kind: type[T]) -> T | None:
        value: object = self.raw
        for key in path.split("."):
            if value is None:
                return None
            if not isinstance(value, Mapping):
                self._wrong(path)
                return None
            value = value.get(key)
        if value is None:
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self._wrong(path)
            return None
        return value

    def _wrong(self, path: str) -> None:
        self.malformed.append(f"{self.name}: {path}")

    def strings(self, path: str) -> tuple[str, ...] | None:
        """Return a list of strings; JSON's null in an existing field counts as an empty list."""
        value = self.get(path, list)
        if value is None:
            parent = self.raw
            for key in path.split(".")[:-1]:
                parent = parent.get(key) if isinstance(parent, Mapping) else None
            there = isinstance(parent, Mapping) and path.rsplit(".", 1)[-1] in parent
            return () if there and f"{self.name}: {path}" not in self.malformed else None
        if any(not isinstance(item, str) for item in value):
            self._wrong(path)
            return None
        return tuple(value)


def parse_engine(raw: Mapping[str, object], *, url: str, asked_as: str) -> EngineFacts:
    """Return the facts in the responses to "version", "info" and "libpod_info" and in the "headers"."""
    version, info = _Fields(raw.get("version"), "GET /version"), _Fields(raw.get("info"), "GET /info")
    libpod = _Fields(raw.get("libpod_info"), "GET /libpod/info")
    headers = raw.get("headers")
    header = {str(k).lower(): str(v) for k, v in headers.items()} if isinstance(headers, Mapping) else {}
    components = version.get("Components", list)
    names = None
    if components is not None:
        names = tuple(str(c.get("Name")) for c in components if isinstance(c, Mapping))
    claims = {
        "memory": info.get("MemoryLimit", bool),
        "pids": info.get("PidsLimit", bool),
        "cpu": info.get("CpuCfsQuota", bool),
        "cpuset": info.get("CPUSet", bool),
    }
    facts = EngineFacts(
        url=url,
        asked_as=asked_as,
        version=version.get("Version", str) or "",
        arch=version.get("Arch", str) or info.get("Architecture", str) or "",
        kernel=info.get("KernelVersion", str) or libpod.get("host.kernel", str),
        cpus=info.get("NCPU", int) or libpod.get("host.cpus", int),
        libpod=isinstance(raw.get("libpod_info"), Mapping),
        components=names,
        server_header=header.get("server"),
        security_options=info.strings("SecurityOptions"),
        libpod_rootless=libpod.get("host.security.rootless", bool),
        compat_rootless=info.get("Rootless", bool),
        labels=info.strings("Labels"),
        warnings=info.strings("Warnings"),
        cgroup_version=_cgroup_version(info, libpod),
        cgroup_driver=libpod.get("host.cgroupManager", str) or info.get("CgroupDriver", str),
        controllers=libpod.strings("host.cgroupControllers"),
        limit_claims=claims,
        uid_mappings=_mappings(libpod),
        remote_socket=libpod.get("host.remoteSocket.path", str),
        root_dir=libpod.get("store.graphRoot", str) or info.get("DockerRootDir", str),
        storage_driver=libpod.get("store.graphDriverName", str) or info.get("Driver", str),
        mount_program=_mount_program(libpod.raw),
        network_helper=_network_helper(libpod, components),
        seccomp_profile=_seccomp_profile(info, libpod),
        authorization=info.strings("Plugins.Authorization") or (),
        live_restore=info.get("LiveRestoreEnabled", bool),
        experimental=info.get("ExperimentalBuild", bool),
        insecure_registries=_insecure_registries(info, libpod),
        search_registries=libpod.strings("registries.search"),
        apparmor=libpod.get("host.security.apparmorEnabled", bool),
        selinux=libpod.get("host.security.selinuxEnabled", bool),
        runtimes=_runtimes(components),
    )
    malformed = tuple(dict.fromkeys(version.malformed + info.malformed + libpod.malformed))
    return replace(facts, malformed=malformed)


def _runtimes(components: Sequence[object] | None) -> Mapping[str, str]:
    """Return the version of each program below the engine; Podman writes "OCI Runtime (runc)" and a text of lines."""
    found = {}
    for component in components or ():
        if isinstance(component, Mapping):
            name, version = str(component.get("Name")), str(component.get("Version"))
            number = re.search(r"\d+\.\d[^\s,]*", version)
            inner = re.search(r"\((.+)\)", name)
            if number and name not in ("Engine", "Podman Engine"):
                found[inner.group(1) if inner else name.lower()] = number.group()
    return found


def _insecure_registries(info: _Fields, libpod: _Fields) -> tuple[str, ...] | None:
    """Return registries without TLS: Docker lists networks and an index each, libpod an object per configured one."""
    if isinstance(libpod.raw, Mapping):
        listed = libpod.get("registries", dict) or {}
        return tuple(
            str(n) for n, about in listed.items() if isinstance(about, Mapping) and about.get("Insecure") is True
        )
    networks, indexes = (
        info.strings("RegistryConfig.InsecureRegistryCIDRs"),
        info.get("RegistryConfig.IndexConfigs", dict),
    )
    if networks is None and indexes is None:
        return None
    plain = [
        str(n) for n, about in (indexes or {}).items() if isinstance(about, Mapping) and about.get("Secure") is False
    ]
    return (*(networks or ()), *plain)


def _cgroup_version(info: _Fields, libpod: _Fields) -> int | None:
    said = libpod.get("host.cgroupVersion", str) or info.get("CgroupVersion", str)
    return {"v1": 1, "1": 1, "v2": 2, "2": 2}.get(said or "")


def _mappings(libpod: _Fields) -> tuple[IdRange, ...] | None:
    rows = libpod.get("host.idMappings.uidmap", list)
    if rows is None:
        return None
    ranges = []
    for row in rows:
        values = [row.get(key) for key in ("container_id", "host_id", "size")] if isinstance(row, Mapping) else []
        if len(values) != 3 or any(not isinstance(v, int) or isinstance(v, bool) or v < 0 for v in values):
            libpod.malformed.append(f"{libpod.name}: host.idMappings.uidmap")
            return None
        ranges.append(IdRange(*(int(v) for v in values if isinstance(v, int))))
    return tuple(ranges)


def _mount_program(libpod: object) -> str:
    """Return the storage driver's mount program; libpod 4 reports an object with its path, other versions the path."""
    store = libpod.get("store") if isinstance(libpod, Mapping) else None
    options = store.get("graphOptions") if isinstance(store, Mapping) else None
    if not isinstance(options, Mapping):
        return ""
    for key, value in options.items():
        if str(key).endswith("mount_program"):
            return str(value.get("Executable", value)) if isinstance(value, Mapping) else str(value)
    return ""


def _network_helper(libpod: _Fields, components: Sequence[object] | None) -> str | None:
    named = libpod.get("host.rootlessNetworkCmd", str)  # from Podman 5.1
    if named:
        return named
    for component in components or ():  # RootlessKit reports it from Docker 23
        if isinstance(component, Mapping) and component.get("Name") == "rootlesskit":
            details = component.get("Details")
            driver = details.get("NetworkDriver") if isinstance(details, Mapping) else None
            return driver if isinstance(driver, str) else None
    for name in ("slirp4netns", "pasta"):  # before 5.1 only installed helpers are reported; 4.x uses the first of these
        if libpod.get(f"host.{name}.executable", str):
            return name
    return None


def _seccomp_profile(info: _Fields, libpod: _Fields) -> str | None:
    """Return the profile by name or path; "" if the engine reports no seccomp; None if it does not say."""
    if libpod.get("host.security.seccompEnabled", bool) is False:
        return ""
    options = info.strings("SecurityOptions")
    for option in options or ():
        parts = dict(part.partition("=")[::2] for part in option.split(","))
        if parts.get("name") == "seccomp":
            return libpod.get("host.security.seccompProfilePath", str) or parts.get("profile", "default")
    if libpod.get("host.security.seccompEnabled", bool) is True:
        return libpod.get("host.security.seccompProfilePath", str) or "default"
    return None if options is None else ""


def parse_log(raw: object) -> tuple[str, Mapping[str, str]] | None:
    """Return the driver and options of an inspected container's log; None if they are not told."""
    fields = _Fields(raw, "GET /containers/{id}/json")
    driver, options = fields.get("HostConfig.LogConfig.Type", str), fields.get("HostConfig.LogConfig.Config", dict)
    size = fields.get("HostConfig.LogConfig.Size", str)  # Podman's place for the limit
    found = {str(name): str(value) for name, value in (options or {}).items()}
    if size and size not in ("0B", "0"):
        found["size"] = size
    return None if not driver else (driver, found)


def parse_limit_claims(raw: object) -> Mapping[str, float | str | None]:
    """Return the limits in an inspected container's HostConfig, with the names of LimitFacts.requested."""
    fields = _Fields(raw, "GET /containers/{id}/json")
    nano, quota = fields.get("HostConfig.NanoCpus", int), fields.get("HostConfig.CpuQuota", int)
    period = fields.get("HostConfig.CpuPeriod", int) or 100_000
    cpu = nano / 1e9 if nano else quota / period if quota and quota > 0 and period else None
    return {
        "memory": fields.get("HostConfig.Memory", int) or None,
        "pids": fields.get("HostConfig.PidsLimit", int) or None,
        "cpu": cpu,
        "cpuset": fields.get("HostConfig.CpusetCpus", str) or None,
    }


def parse_container(raw: object, *, container_id: str, name: str) -> ContainerFacts:
    """Return what an inspected container was given beyond the default."""
    fields = _Fields(raw, "GET /containers/{id}/json")
    if not isinstance(raw, Mapping) or fields.get("HostConfig", dict) is None:
        return ContainerFacts(container_id, name, problem="the engine's answer has no HostConfig")
    modes = {key.lower(): fields.get(f"HostConfig.{key}Mode", str) or "" for key in _MODES}
    security = fields.strings("HostConfig.SecurityOpt") or ()
    profile = next((s.partition("=")[2] for s in security if s.startswith("seccomp=") and "{" in s), None)
    unmasked = any(s.lower().replace(":", "=") in ("unmask=all", "systempaths=unconfined") for s in security)
    masked = fields.strings("HostConfig.MaskedPaths")
    listed = isinstance(raw["HostConfig"].get("MaskedPaths"), list)
    mounts = [m for m in fields.get("Mounts", list) or [] if isinstance(m, Mapping) and m.get("Source")]
    devices = [d for d in fields.get("HostConfig.Devices", list) or [] if isinstance(d, Mapping)]
    container = ContainerFacts(
        id=container_id,
        name=name,
        image=fields.get("Config.Image", str) or "",
        pid=fields.get("State.Pid", int) or 0,
        user=fields.get("Config.User", str) or "",
        privileged=fields.get("HostConfig.Privileged", bool) is True,
        modes=modes,
        cap_add=tuple(cap.removeprefix("CAP_") for cap in fields.strings("HostConfig.CapAdd") or ()),
        security=tuple("seccomp=(a profile)" if "{" in s else s for s in security),
        masked=False if unmasked else bool(masked) if listed else None,
        seccomp_profile=profile,
        mounts=tuple(_mount(mount) for mount in mounts),
        devices=tuple(DeviceFacts(str(d.get("PathOnHost"))) for d in devices),
        device_rules=fields.strings("HostConfig.DeviceCgroupRules") or (),
        open_ports=_open_ports(fields.get("HostConfig.PortBindings", dict)),
        read_only=fields.get("HostConfig.ReadonlyRootfs", bool),
        restart=fields.get("HostConfig.RestartPolicy.Name", str),
        restarts=fields.get("HostConfig.RestartPolicy.MaximumRetryCount", int) or 0,
        health=_health(fields),
        memory=fields.get("HostConfig.Memory", int),
        pids=fields.get("HostConfig.PidsLimit", int),
    )
    if not fields.malformed:
        return container
    return ContainerFacts(container_id, name, problem="mistyped: " + ", ".join(dict.fromkeys(fields.malformed)))


_MODES = ("Pid", "Ipc", "Network", "UTS", "Userns")


def _health(fields: _Fields) -> bool:
    """Return whether a container has a health check; Docker and Podman write a switched-off one as NONE."""
    test = fields.strings("Config.Healthcheck.Test")
    return bool(test) and test != ("NONE",)


def _mount(raw: Mapping[str, object]) -> MountFacts:
    return MountFacts(
        source=str(raw["Source"]),
        target=str(raw.get("Destination") or ""),
        volume=str(raw.get("Name") or "") if raw.get("Type") == "volume" else "",
        writable=raw.get("RW") is not False,
        propagation=str(raw.get("Propagation") or ""),
    )


def _open_ports(bindings: Mapping[str, object] | None) -> tuple[int, ...]:
    """Return host ports published on every address (0 for one that the engine chooses)."""
    ports = []
    for places in (bindings or {}).values():
        for place in places if isinstance(places, list) else ():
            if isinstance(place, Mapping) and place.get("HostIp") in (None, "", "0.0.0.0", "::"):
                number = str(place.get("HostPort") or "0")
                ports.append(int(number) if number.isdecimal() else 0)
    return tuple(sorted(ports))
