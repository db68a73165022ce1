"""How an engine is set up: each setting has a fact that passes and one that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from containerkit.isolation.answers import parse_container, parse_engine, parse_log
from containerkit.isolation.audited import ContainerFacts
from containerkit.isolation.configured import collect_podman
from containerkit.isolation.facts import AccountFacts, FolderFacts, PodmanFacts

from . import world

ICC = "com.docker.network.bridge.enable_icc"


@pytest.mark.parametrize(
    ("check", "room", "changes", "status"),
    [
        ("engine-version", "engine", {"version": "28.5.2"}, "warn"),
        ("engine-version", "engine", {"version": "99.0"}, "pass"),
        ("engine-version", "engine", {"version": ""}, "unknown"),
        ("runtime-version", "engine", {"runtimes": {"runc": "1.1.11"}}, "warn"),
        ("runtime-version", "engine", {"runtimes": {"runc": "1.2.7+ds1"}}, "warn"),
        ("runtime-version", "engine", {"runtimes": {"runc": "1.3.3", "containerd": "1.7.2~rc"}}, "warn"),
        ("runtime-version", "engine", {"runtimes": {"runc": "1.3.3", "containerd": "2.1.9+unknown"}}, "pass"),
        ("runtime-version", "engine", {"runtimes": {"conmon": "2.1.6"}}, "unknown"),
        ("short-names", "host", {"podman": PodmanFacts(short_names="permissive")}, "na"),
        ("image-signatures", "client", {"content_trust": True}, "info"),
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


@pytest.mark.parametrize(
    ("check", "found", "status"),
    [
        ("container-defaults", PodmanFacts(), "pass"),
        ("container-defaults", PodmanFacts({"netns": "bridge", "pids_limit": 2048}), "pass"),
        ("container-defaults", PodmanFacts({"netns": "host"}), "fail"),
        ("container-defaults", PodmanFacts({"seccomp_profile": "unconfined"}), "fail"),
        ("container-defaults", PodmanFacts({"default_capabilities": ["CHOWN", "CAP_SYS_ADMIN"]}), "fail"),
        ("container-defaults", PodmanFacts({"volumes": ["/etc:/etc"]}), "fail"),
        ("container-defaults", PodmanFacts(problems=("containers.conf: PermissionError",)), "unknown"),
        ("container-defaults", None, "unknown"),
        ("short-names", PodmanFacts(), "pass"),
        ("short-names", PodmanFacts(short_names="permissive"), "warn"),
        ("short-names", None, "unknown"),
        ("image-signatures", PodmanFacts(policy="insecureAcceptAnything"), "info"),
        ("image-signatures", PodmanFacts(policy="reject"), "pass"),
        ("image-signatures", PodmanFacts(), "unknown"),
    ],
)
def test_podmans_files_decide(check: str, found: PodmanFacts | None, status: str) -> None:
    """One setting of a file, one result."""
    assert world.status(world.change(world.facts("podman-rootless"), "host", podman=found), check) == status


@pytest.mark.parametrize(
    ("check", "good", "loose"),
    [
        ("container-user", {"user": "1000:1000"}, {"user": "0:5"}),
        ("container-read-only", {"read_only": True}, {"read_only": None}),
        ("container-health", {"health": True}, {"health": False}),
        ("container-restart", {"restart": "on-failure", "restarts": 5}, {"restart": "unless-stopped"}),
    ],
)
def test_habits_of_running_containers(check: str, good: dict[str, Any], loose: dict[str, Any]) -> None:
    """A container that lacks it is named; without containers there is nothing to say."""
    one, two = ContainerFacts("1" * 64, "web", **good), ContainerFacts("2" * 64, "db", **loose)
    assert world.status(world.facts("docker-rootful", containers=(one,)), check) == "pass"
    found = world.result(world.facts("docker-rootful", containers=(one, two)), check)
    assert str(found.status) == "warn"
    assert found.summary.startswith("db:")
    assert world.status(world.facts("docker-rootful", containers=()), check) == "na"
    assert world.status(world.facts("docker-rootful", containers=None), check) == "unknown"
    gone = ContainerFacts("3" * 64, "gone", problem="it broke")
    assert world.status(world.facts("docker-rootful", containers=(gone,)), check) == "na"


def test_an_inspected_container_tells_its_habits() -> None:
    """Docker and Podman write a switched-off health check as NONE."""
    raw: dict[str, Any] = {
        "Config": {"User": "7", "Healthcheck": {"Test": ["NONE"]}},
        "HostConfig": {"ReadonlyRootfs": True, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
    }
    found = parse_container(raw, container_id="1", name="a")
    assert (found.user, found.read_only, found.restart, found.restarts, found.health) == (
        "7",
        True,
        "on-failure",
        3,
        False,
    )
    raw["Config"]["Healthcheck"]["Test"] = ["CMD", "true"]
    assert parse_container(raw, container_id="1", name="a").health


def test_versions_of_programs_are_read_from_either_engine() -> None:
    """Docker gives a number, Podman the program's own text under "OCI Runtime (NAME)"."""
    docker = [
        {"Name": "Engine", "Version": "28.5.2"},
        {"Name": "runc", "Version": "1.3.6+ds1"},
        {"Name": "x", "Version": ""},
    ]
    podman = [{"Name": "OCI Runtime (crun)", "Version": "crun version 1.8.1\ncommit: f8a"}]
    assert parse_engine({"version": {"Components": docker}}, url="", asked_as="docker").runtimes == {
        "runc": "1.3.6+ds1"
    }
    assert parse_engine({"version": {"Components": podman}}, url="", asked_as="podman").runtimes == {"crun": "1.8.1"}


def test_podmans_files_are_read_in_its_order(tmp_path: Path) -> None:
    """A later file replaces single settings of containers.conf; an account's registries.conf replaces the host's."""
    for path, content in {
        "usr/share/containers/containers.conf": '[containers]\nnetns = "host"\npidns = "host"\n',
        "etc/containers/containers.conf": '[containers]\nnetns = "private"\n',
        "etc/containers/containers.conf.d/1.conf": "[containers]\nlabel = false\n",
        "etc/containers/containers.conf.d/README": "not one of them",
        "etc/containers/registries.conf": 'short-name-mode = "disabled"\n',
        "etc/containers/policy.json": '{"default": [{"type": "reject"}]}',
        "home/lab/.config/containers/registries.conf": 'short-name-mode = "permissive"\n',
        "home/lab/.config/containers/containers.conf": "[containers",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    root = collect_podman(AccountFacts("root", 0, "/root"), tmp_path)
    assert root.defaults == {"netns": "private", "pidns": "host", "label": False}
    assert (root.short_names, root.policy, root.problems) == ("disabled", "reject", ())
    lab = collect_podman(AccountFacts("lab", 1001, "/home/lab"), tmp_path)
    assert lab.short_names == "permissive"
    assert lab.problems == ("containers.conf: TOMLDecodeError",)
    (tmp_path / "etc/containers/policy.json").write_text("{}")
    assert collect_podman(AccountFacts("root", 0), tmp_path).policy is None
