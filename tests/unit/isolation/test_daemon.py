"""How an engine is set up: each setting has a fact that passes and one that does not."""

from __future__ import annotations

from typing import Any

import pytest

from containerkit.isolation.answers import parse_engine, parse_log
from containerkit.isolation.facts import FolderFacts

from . import world

ICC = "com.docker.network.bridge.enable_icc"


@pytest.mark.parametrize(
    ("check", "room", "changes", "status"),
    [
        ("engine-version", "engine", {"version": "28.5.2"}, "warn"),
        ("engine-version", "engine", {"version": "99.0"}, "pass"),
        ("engine-version", "engine", {"version": ""}, "unknown"),
        ("live-restore", "engine", {"live_restore": True}, "pass"),
        ("live-restore", "engine", {"live_restore": False}, "warn"),
        ("experimental", "engine", {"experimental": True}, "warn"),
        ("experimental", "engine", {"experimental": False}, "pass"),
        ("authorization-plugins", "engine", {"authorization": ("opa",)}, "pass"),
        ("authorization-plugins", "engine", {}, "info"),
        ("insecure-registries", "engine", {"insecure_registries": ("127.0.0.0/8", "127.0.0.1:5000")}, "pass"),
        ("insecure-registries", "engine", {"insecure_registries": ("reg.lab:5000",)}, "fail"),
        ("unqualified-registries", "engine", {"libpod": True, "search_registries": ("a", "b")}, "warn"),
        ("unqualified-registries", "engine", {"libpod": True, "search_registries": ("a",)}, "pass"),
        ("engine-files", "host", {"settings": (FolderFacts("/etc/docker", 0o755, 0, 0),)}, "pass"),
        ("engine-files", "host", {"settings": (FolderFacts("/etc/docker", 0o757, 0, 0),)}, "fail"),
        ("engine-files", "host", {"settings": (FolderFacts("/etc/docker", 0o775, 0, 50),)}, "fail"),
        ("engine-files", "host", {"settings": (FolderFacts("/etc/docker", 0o755, 7, 0),)}, "fail"),
        ("log-limits", "probe", {"log": ("json-file", {})}, "warn"),
        ("log-limits", "probe", {"log": ("json-file", {"max-size": "10m"})}, "pass"),
        ("log-limits", "probe", {"log": ("journald", {})}, "pass"),
    ],
)
def test_a_setting_decides(check: str, room: str, changes: dict[str, Any], status: str) -> None:
    """One setting, one result."""
    assert world.status(world.change(world.facts("docker-rootful"), room, **changes), check) == status


@pytest.mark.parametrize(("options", "status"), [({ICC: "false"}, "pass"), ({ICC: "true"}, "warn"), (None, "unknown")])
def test_traffic_of_the_default_network(options: dict[str, str] | None, status: str) -> None:
    """Docker's own option of the network decides."""
    assert world.status(world.facts("docker-rootful", bridge=options), "container-traffic") == status


def test_registries_are_read_from_either_engine() -> None:
    """Docker lists networks and indexes, libpod one object each; the log's limit has two places."""
    docker = {"RegistryConfig": {"InsecureRegistryCIDRs": ["10.0.0.0/8"], "IndexConfigs": {"a": {"Secure": False}}}}
    podman = {"registries": {"search": ["docker.io"], "r": {"Insecure": True}, "s": {"Insecure": False}}}
    assert parse_engine({"info": docker}, url="", asked_as="docker").insecure_registries == ("10.0.0.0/8", "a")
    found = parse_engine({"libpod_info": podman}, url="", asked_as="podman")
    assert (found.insecure_registries, found.search_registries) == (("r",), ("docker.io",))
    config = {"HostConfig": {"LogConfig": {"Type": "k8s-file", "Config": None, "Size": "10MB"}}}
    assert parse_log(config) == ("k8s-file", {"size": "10MB"})
    assert parse_log({}) is None
