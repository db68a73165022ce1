"""Audit of running containers on real engines: what an option opens is found, and a default container is clean."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

import containerkit as ck

SLEEP = ["sleep", "300"]


@contextlib.contextmanager
def running(engine: ck.Engine, image: str, **options: Any) -> Iterator[ck.Container]:
    """A container with these options, killed at the end; a skip where the engine cannot start it."""
    try:
        container = engine.start(image, SLEEP, name=f"audit-{uuid.uuid4().hex[:8]}", **options)
    except ck.ContainerKitError as exc:
        pytest.skip(f"this engine does not start it: {exc}")
    try:
        yield container
    finally:
        container.remove(force=True)


def found(container: ck.Container) -> dict[str, str]:
    return {f.id: str(f.severity) for f in container.check().findings if f.id != "limit"}


def root_of_the_host(engine: ck.Engine) -> bool:
    return not engine.info().rootless and "name=userns" not in engine.info().security_options


def test_a_default_container_is_clean(engine: ck.Engine, shell_image: str) -> None:
    """Nothing is found in a default container but missing limits."""
    with running(engine, shell_image) as container:
        assert found(container) == {}
        assert container.check().unknown == ()


@pytest.mark.parametrize(
    ("options", "finding", "rootful", "rootless"),
    [
        ({"volume": ["/etc:/x"]}, "mount", "critical", "low"),
        ({"volume": ["/etc:/x:ro"]}, "mount", "high", "low"),
        ({"volume": ["/usr/bin:/x"]}, "mount", "critical", "low"),
        ({"volume": ["/lib:/x"]}, "mount", "critical", "low"),
        ({"security_opt": ["seccomp=unconfined"]}, "seccomp", "high", "high"),
        ({"security_opt": ["systempaths=unconfined"]}, "system-paths", "critical", "medium"),
        ({"cap_add": ["SYS_ADMIN"]}, "capability", "critical", "low"),
        ({"pid": "host"}, "host-pid", "high", "high"),
        ({"network": "host"}, "host-net", "high", "high"),
        ({"privileged": True}, "privileged", "critical", "high"),
    ],
)
def test_an_option_is_found(
    engine: ck.Engine, shell_image: str, options: dict[str, Any], finding: str, rootful: str, rootless: str
) -> None:
    """Each option is found with its severity, also where the engine's own report hides it."""
    with running(engine, shell_image, **options) as container:
        assert found(container).get(finding) == (rootful if root_of_the_host(engine) else rootless)


def test_the_namespace_of_another_container(engine: ck.Engine, shell_image: str) -> None:
    """Joining a container that has the host's processes is seen."""
    with (
        running(engine, shell_image, pid="host") as first,
        running(engine, shell_image, pid=f"container:{first.id}") as second,
    ):
        assert found(second)["host-pid"] == "high"


def test_all_containers_in_one_report(engine: ck.Engine, shell_image: str) -> None:
    """The audit of an engine has each running container once; a stopped one is refused."""
    with running(engine, shell_image) as one, running(engine, shell_image) as two:
        report = engine.audit()
        assert {one.id, two.id} <= {audit.id for audit in report}
        assert report.get(one.name).id == one.id
        assert [audit.id for audit in engine.audit(two)] == [two.id]
        one.kill()
        one.wait()
        with pytest.raises(ck.WrongState):
            one.check()
