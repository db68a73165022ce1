"""engine.check() on a real engine, held against what the kernel and the engine's own kind of set-up make true."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends.base import Capability
from containerkit.errors import LimitNotEnforced
from containerkit.isolation import IsolationReport, Status, evaluate, statements
from containerkit.isolation.checks.limits import held_limits, kernel_limit
from containerkit.isolation.collect import collect
from containerkit.isolation.facts import Facts, HostFacts, ProbeFacts
from containerkit.isolation.host import collect_host
from containerkit.isolation.probes import Probes
from tests.conformance.oracle import ORACLE

EXAMPLE = Path(__file__).parents[2] / "examples/isolation_report.py"
NAME = os.environ.get("CK_ENGINE", "")
pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no probe for this processor")


@pytest.fixture(scope="module")
def report(engine: Any) -> IsolationReport:
    found = engine.check()
    assert isinstance(found, IsolationReport)
    return found


def left_behind(engine: Any) -> list[str]:
    containers = [c.name for c in engine._core.backend.list_containers(all=True, filters={})]
    images = [ref for image in engine._core.backend.list_images(all=True, filters={}) for ref in image.refs]
    return [name for name in (*containers, *images) if "containerkit-probe" in name]


def test_results_equal_the_oracle(report: IsolationReport) -> None:
    """On an engine whose truth is known, each check says it."""
    if NAME not in ORACLE:
        pytest.skip(f"no oracle for {NAME or 'this engine'}")
    found = {check: str(report.get(check).status) for check in ORACLE[NAME]}
    assert ORACLE[NAME] == found, [r for r in report if ORACLE[NAME].get(r.id, str(r.status)) != str(r.status)]


def test_the_engine_is_recognised(engine: Any, report: IsolationReport) -> None:
    """Kind, version and rootlessness are those that the engine object has."""
    info = engine.info()
    assert report.engine == f"{engine.kind} {info.version}"
    assert report.get("engine-kind").status is Status.PASS
    assert report.get("engine-rootless").status is (Status.PASS if info.rootless else Status.FAIL)
    assert not report.get("engine-rootless").conflicts


def test_nothing_conflicts(report: IsolationReport) -> None:
    """On an honest engine, the kernel and the engine say the same."""
    assert not [(r.id, r.conflicts) for r in report if r.conflicts]


def test_an_engine_that_works_is_probed(report: IsolationReport) -> None:
    """No check of the isolation probe is unknown."""
    probed = (
        "seccomp",
        "userns-active",
        "container-root-uid",
        "keyring",
        "module-loading",
        "clock",
        "root-equivalence",
    )
    assert {check: str(report.get(check).status) for check in probed if report.get(check).reason} == {}


def test_the_report_can_be_handed_in(report: IsolationReport) -> None:
    """Every form of it is made of the same results."""
    assert json.loads(json.dumps(report.to_dict()))["results"]
    assert all(f"| {result.id} |" in report.to_markdown() for result in report)
    assert report._repr_html_().count("<details") == len(report)
    assert all(statement.answer for statement in statements(report))
    assert len(ck.compare_reports(report, report).columns) == 3


def test_two_containers_and_nothing_left(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report makes two containers (a third only where limits are refused), and removes them and their image."""
    made: list[str] = []
    create = engine._core.backend.create_container

    def counted(spec: Any) -> Any:
        made.append(spec.name)
        return create(spec)

    monkeypatch.setattr(engine._core.backend, "create_container", counted)
    before = left_behind(engine)
    engine.check()
    assert len(made) == 2 or (len(made) == 3 and any("declared" in name for name in made)), made
    assert set(left_behind(engine)) <= set(before)


def test_without_a_probe_nothing_is_made(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """probe=False only asks."""

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("nothing may be made")

    for verb in ("create_container", "load_images"):
        monkeypatch.setattr(engine._core.backend, verb, never)
    report = engine.check(probe=False)
    assert report.get("seccomp").status is Status.UNKNOWN
    assert report.get("engine-rootless").status is not Status.UNKNOWN


@pytest.mark.skipif(NAME.startswith("vm"), reason="a machine in software takes seconds for a container")
def test_a_report_is_quick(engine: Any) -> None:
    """At most 1.5 seconds on an idle machine; the best of three."""
    if os.getloadavg()[0] > 0.75 * (os.cpu_count() or 1):
        pytest.skip(f"the machine is busy (load {os.getloadavg()[0]:.1f})")
    assert min(engine.check().duration for _ in range(3)) <= 1.5


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2, 0.3, 0.4])
def test_an_interrupt_leaves_nothing(engine: Any, delay: float) -> None:
    """Ctrl-C at some moment: KeyboardInterrupt comes, or the report was ready; nothing stays either way."""
    before = left_behind(engine)
    timer = threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGINT))
    with contextlib.suppress(KeyboardInterrupt):
        timer.start()
        engine.check()
        timer.cancel()
        time.sleep(0.05)
    assert set(left_behind(engine)) <= set(before)


def test_limits_are_those_that_the_engine_declares(engine: Any) -> None:
    """run(memory=…) refuses what the report finds not to hold, and nothing else: one knowledge, no second guess."""
    facts = collect(engine._core.backend, {}, probe=True)
    assert facts.limits is not None
    declared = {
        str(capability).removesuffix("-limit") for capability in engine.capabilities if "-limit" in str(capability)
    }
    held = held_limits(facts.limits, cpus=facts.engine.cpus if facts.engine else None)
    for controller, holds in held.items():
        if holds is not None:
            assert holds == (controller in declared), (controller, declared, held)
    if facts.limits.refused:
        assert not declared


def test_the_kernels_word_on_limits_outweighs_the_engines(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that the probe saw not to hold is refused by run() afterwards, whatever the backend declared."""
    declared = engine._core.backend.capabilities
    monkeypatch.setattr(engine._core.backend, "capabilities", declared | Capability.limits())
    report = engine.check(only="limits-enforced")
    assert set(report.limits) >= {"memory", "pids", "cpu"}
    for capability in Capability.limits():
        assert (capability in engine.capabilities) == (report.limits.get(str(capability.controller)) is not False)
    if report.limits["memory"] is False:
        with pytest.raises(LimitNotEnforced):
            engine.run("nowhere.test/none:1", "true", memory="64m", pull="never")


def test_another_kernel_closes_this_host(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this host's boot id were another, no fact of this host would count for the engine."""

    def elsewhere(*args: Any, **options: Any) -> HostFacts:
        return replace(collect_host(*args, **options), boot_id="another")

    monkeypatch.setattr("containerkit.isolation.collect.collect_host", elsewhere)
    report = engine.check()
    for check in ("engine-owner", "socket-permissions", "subid-ranges", "idmap-helpers"):
        assert "another kernel" in (report.get(check).reason or "")
    assert report.get("userns-active").status in (Status.PASS, Status.FAIL)


# ---------------------------------------------------------------- flips: one option of the probe, one result changed
def flipped(engine: Any, **options: Any) -> Facts:
    """The facts, with an isolation probe that was made with further options."""
    facts = collect(engine._core.backend, {}, probe=True)
    assert facts.engine is not None
    probes = Probes(engine._core.backend, facts.engine, {}, None)
    with contextlib.ExitStack() as stack:
        probes.load(stack)
        answers, _ = probes.ask(stack, "isolation", **options)
    return replace(facts, probe=ProbeFacts(answers=answers))


def root_of_the_host(engine: Any) -> bool:
    """Whether root in a container is root on the host: a rootful engine that maps nobody away."""
    return not engine.info().rootless and "name=userns" not in engine.info().security_options


def test_a_container_with_the_clock(engine: Any) -> None:
    """With SYS_TIME a container of root can set the host's clock; in a user namespace it still cannot."""
    result = evaluate(flipped(engine, cap_add=("SYS_TIME",)), "clock").get("clock")
    assert result.status is (Status.FAIL if root_of_the_host(engine) else Status.PASS)


def test_a_container_without_seccomp(engine: Any) -> None:
    """Unfiltered is found by the kernel's word, and opens root's keyring to a rootful engine's containers."""
    report = evaluate(flipped(engine, security_opt=("seccomp=unconfined",)), ["seccomp", "keyring"])
    assert report.get("seccomp").status is Status.FAIL
    assert report.get("keyring").status is (Status.FAIL if root_of_the_host(engine) else Status.PASS)


def test_a_filter_that_lets_everything_through(engine: Any, tmp_path: Path) -> None:
    """The kernel reports a filter; the calls that pass it show that it is none."""
    profile = '{"defaultAction": "SCMP_ACT_ALLOW"}'
    path = tmp_path / "allow.json"
    path.write_text(profile)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    option = profile if engine.kind == "docker" else str(path)
    try:
        found = flipped(engine, security_opt=(f"seccomp={option}",))
    except ck.ContainerKitError as exc:
        pytest.skip(f"the engine does not read the profile from here: {exc}")
    result = evaluate(found, "seccomp").get("seccomp")
    assert result.status is Status.FAIL, result
    assert result.evidence[0].value == "2"


def test_a_container_without_new_privileges(engine: Any) -> None:
    """The option is seen where it works, in the process."""
    report = evaluate(flipped(engine, security_opt=("no-new-privileges",)), "no-new-privileges")
    assert report.get("no-new-privileges").status is Status.PASS


def test_limits_are_read_from_the_kernel(engine: Any) -> None:
    """What the probe without limits has is not what the one with limits was given, where they hold."""
    facts = collect(engine._core.backend, {}, probe=True)
    assert facts.probe is not None
    assert facts.probe.answers is not None
    if evaluate(facts, "limits-enforced").get("limits-enforced").status is Status.PASS:
        assert kernel_limit(facts.probe.answers, "memory") != float(64 << 20)


def test_nested_maps_are_composed(engine: Any) -> None:
    """A rootless engine's container in a namespace of its own: never "uid 1", always a subordinate id."""
    if "keep-id" not in {str(capability) for capability in engine.capabilities}:
        pytest.skip("no nested user namespaces to be had here")
    result = evaluate(flipped(engine, userns="auto"), "container-root-uid").get("container-root-uid")
    assert result.status is Status.PASS
    uid = int(result.summary.split(" uid ")[1].split()[0])
    assert uid >= 1000, result.summary


def test_the_example(engine: Any, tmp_path: Path) -> None:
    """The example runs as a reader would run it, and its hand-in has every check."""
    written = tmp_path / "report.md"
    command = [sys.executable, str(EXAMPLE), engine.url, engine.url, "--host", "--markdown", str(written)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "How is it known who is root?" in done.stdout
    assert "| limits-enforced |" in written.read_text()


def test_a_killed_check_leaves_nothing_after_one_cleanup(engine: Any) -> None:
    """kill -9 in the middle of a check: what it had made is found and removed by one cleanup."""
    before = set(left_behind(engine))
    program = f"import containerkit as ck\nwith ck.connect({engine.url!r}) as e:\n    print(flush=True)\n    e.check()"
    seen: set[str] = set()
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            while process.poll() is None and not (seen := set(left_behind(engine)) - before):
                time.sleep(0.01)
            process.kill()
        if seen:
            break
    ck.cleanup(engine)
    assert set(left_behind(engine)) <= before, seen
