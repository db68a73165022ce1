"""What is taken from an engine's own answers, and how this process came to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from containerkit.isolation.answers import parse_container, parse_limit_claims
from containerkit.isolation.exposure import exposures
from containerkit.isolation.facts import ClientFacts
from containerkit.isolation.setting import Setting
from containerkit.isolation.values import Status

from . import world


def test_another_engine_than_asked_for() -> None:
    """A Docker address answered by Podman is told: the server decides the kind."""
    found = world.change(world.facts("podman-rootful"), "engine", asked_as="docker")
    result = world.result(found, "engine-kind")
    assert result.status is Status.WARN
    assert "docker was asked for" in result.summary


def test_a_header_that_contradicts() -> None:
    """Components and Server header that disagree are a conflict."""
    result = world.result(
        world.change(world.facts("docker-rootful"), "engine", server_header="Libpod/4.3.1"), "engine-kind"
    )
    assert result.status is Status.WARN
    assert result.conflicts
    both = world.result(world.change(world.facts("docker-rootful"), "engine", libpod=True), "engine-kind")
    assert both.conflicts


def test_mistyped_answers_are_told() -> None:
    """A field of a wrong type lowers the trust in the engine that sent it."""
    raw = world.raw("docker-rootful")
    raw["info"]["NCPU"] = "two"
    engine = world.engine_facts("docker-rootful", raw)
    assert (engine.cpus, engine.malformed) == (None, ("GET /info: NCPU",))
    assert world.result(replace(world.facts("docker-rootful"), engine=engine), "engine-kind").conflicts


@pytest.mark.parametrize(("kind", "expected"), [("docker", "info"), ("podman", "warn"), (None, "unknown")])
def test_the_docker_command_beside_the_engine(kind: str | None, expected: str) -> None:
    """`docker` that runs something else than this engine is a warning."""
    client = ClientFacts("unix:///x", "unix", docker_path="/usr/bin/docker", docker_is=kind, docker_how="script")
    assert world.status(world.facts("docker-rootful", client=client), "docker-command") == expected


def test_two_engines_of_one_kind() -> None:
    """A rootful and a rootless engine that both answer: which one is meant should be said."""
    sockets = {"/run/docker.sock": True, "/run/user/1001/docker.sock": True, "/run/podman/podman.sock": True}
    found = world.facts("docker-rootful", client=ClientFacts("unix:///run/docker.sock", "unix", sockets=sockets))
    assert world.status(found, "endpoint") == "warn"
    closed = ClientFacts("unix:///run/docker.sock", "unix", "named by DOCKER_HOST", dict.fromkeys(sockets, False))
    result = world.result(world.facts("docker-rootful", client=closed), "endpoint")
    assert result.status is Status.INFO
    assert "DOCKER_HOST" in result.summary


def test_a_loose_container() -> None:
    """Everything that was given beyond the default is named."""
    raw = {
        "HostConfig": {
            "PidMode": "host",
            "NetworkMode": "host",
            "CapAdd": ["CAP_SYS_ADMIN"],
            "SecurityOpt": ["seccomp=unconfined", "no-new-privileges"],
            "Memory": 0,
            "PidsLimit": -1,
            "Devices": [{"PathOnHost": "/dev/kvm"}],
            "PortBindings": {
                "80/tcp": [{"HostIp": "", "HostPort": "8080"}],
                "81/tcp": [{"HostIp": "127.0.0.1"}],
                "82/tcp": None,
            },
        },
        "Mounts": [{"Source": "/run/docker.sock"}, {"Source": "/etc"}, {"Source": "/srv/data"}],
    }
    container = parse_container(raw, container_id="1", name="a")
    assert container.problem is None
    assert container.open_ports == (8080,)
    told = " / ".join(found.summary for found in exposures(container, Setting()))
    for word in (
        *("capability SYS_ADMIN", "host's pid", "host's net", "no filter", "/run/docker.sock", "/etc", "/dev/kvm"),
        *("8080", "no limit on memory", "no limit on processes"),
    ):
        assert word in told
    assert "/srv/data" not in told
    assert "no-new-privileges" not in told


@pytest.mark.parametrize(
    "raw", [None, [], {}, {"HostConfig": 3}, {"HostConfig": {"Privileged": "yes"}}, {"HostConfig": {}, "Mounts": 1}]
)
def test_a_container_that_cannot_be_judged(raw: object) -> None:
    """An answer that is missing or mistyped is a problem, not a clean container."""
    container = parse_container(raw, container_id="1", name="a")
    assert container.problem
    assert world.status(world.facts("docker-rootful", containers=(container,)), "containers-audit") == "unknown"


@pytest.mark.parametrize(
    ("config", "cpu"),
    [
        ({"NanoCpus": 500_000_000}, 0.5),
        ({"CpuQuota": 50_000, "CpuPeriod": 100_000}, 0.5),
        ({"CpuQuota": 50_000}, 0.5),
        ({}, None),
    ],
)
def test_claims_of_processor_time(config: dict[str, int], cpu: float | None) -> None:
    """Engines show a share of the processor in two ways."""
    assert parse_limit_claims({"HostConfig": config})["cpu"] == cpu


def test_claims_of_nothing() -> None:
    """0 and an empty string claim no limit; garbage claims none either."""
    none = {"memory": None, "pids": None, "cpu": None, "cpuset": None}
    assert parse_limit_claims({"HostConfig": {"Memory": 0, "PidsLimit": None, "CpusetCpus": ""}}) == none
    assert parse_limit_claims("garbage") == none


@pytest.mark.parametrize(
    ("parent", "expected"), [("conmon", "pass"), ("containerd-shim", "fail"), ("systemd", "unknown"), (None, "info")]
)
def test_daemonless_goes_by_the_parent(parent: str | None, expected: str) -> None:
    """A container's parent process tells; unseen, the kind of engine is only a fact."""
    found = world.facts("podman-rootful")
    assert found.probe is not None
    assert found.probe.outside is not None
    assert (
        world.status(world.change(found, "probe", outside=replace(found.probe.outside, parent=parent)), "daemonless")
        == expected
    )
