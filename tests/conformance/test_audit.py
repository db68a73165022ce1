"""Audit of running containers on real engines: what an option opens is found, and a default container is clean."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends._render import container_body

SLEEP = ["sleep", "300"]
#: Makes nodes of disks, of the host's memory and of numbers without a driver, and opens them without reading. The
#: device rules answer first, with EPERM; behind them the kernel may refuse for other reasons.
PROBE = """
for numbers in $(tail -n +3 /proc/partitions | while read a b rest; do echo $a:$b; done) 1:1 1:2 1:4 1:6; do
  mknod /dev/ck {kind} ${{numbers%:*}} ${{numbers#*:}} && (: < /dev/ck) && echo opened; rm -f /dev/ck
done 2>&1
"""


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


@pytest.mark.parametrize(
    ("rule", "capabilities", "severity"),
    [("b *:* rwm", [], "critical"), ("c 1:* rwm", [], "medium"), ("c 1:* rwm", ["SYS_RAWIO"], "critical")],
)
def test_device_rules(
    engine: ck.Engine,
    shell_image: str,
    monkeypatch: pytest.MonkeyPatch,
    rule: str,
    capabilities: list[str],
    severity: str,
) -> None:
    """A rule of `--device-cgroup-rule` is found, also where the engine's answer leaves it out."""
    body = container_body

    def with_rule(*args: Any, **options: Any) -> dict[str, Any]:
        made = body(*args, **options)
        made["HostConfig"]["DeviceCgroupRules"] = [rule]
        return made

    monkeypatch.setattr("containerkit.backends._containers.container_body", with_rule)
    with running(engine, shell_image, cap_add=["MKNOD", *capabilities]) as container:
        answers = container.exec(["sh", "-c", PROBE.format(kind=rule.split()[0])], check=False).stdout.splitlines()
        assert answers
        applies = any("not permitted" not in answer for answer in answers)  # Podman 4.3 takes the rule and forgets it
        expected = severity if root_of_the_host(engine) else "low"
        assert found(container).get("device-rule") in ((expected,) if applies else (None, "low")), answers


def test_a_filter_that_allows_everything(engine: ck.Engine, shell_image: str, tmp_path: Path) -> None:
    """The kernel shows a filter; the profile shows that it is none."""
    path = tmp_path / "allow.json"
    path.write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    option = path.read_text() if engine.kind == "docker" else str(path)
    with running(engine, shell_image, security_opt=[f"seccomp={option}"]) as container:
        assert found(container) == {"seccomp": "high"}


def test_mounts_below_a_read_only_one(engine: ck.Engine, shell_image: str) -> None:
    """A control group below a read-only /sys can be written, or cannot: the audit says which, as a write would."""
    with running(engine, shell_image, volume=["/sys:/x:ro"]) as container:
        shown = container.exec(["cat", "/proc/mounts"]).stdout.splitlines()
        rows = [line.split() for line in shown if line.split()[1].startswith("/x/")]
        writable = [row[1] for row in rows if row[2] == "cgroup" and row[3].split(",")[0] == "rw"]
        tried = " ".join(f"{target}/cgroup.procs" for target in writable)
        opened = container.exec(["sh", "-c", f"for f in {tried}; do (: >> $f) && echo $f; done"], check=False).stdout
        if root_of_the_host(engine):
            assert bool(writable) == bool(opened.split()), (writable, opened)
            assert found(container).get("submount") == ("critical" if writable else None)
        else:
            assert found(container).get("submount") in (None, "low")


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
