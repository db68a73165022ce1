"""Traps that tools of this kind fall into, each seen on a real engine; one test at least for each."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

import containerkit.isolation.probes as probes
from containerkit.isolation.facts import IdRange
from containerkit.isolation.program import build_program
from containerkit.isolation.values import Source, Status

from . import world


def test_t1_an_inside_map_is_relative() -> None:
    """A map in a rootless engine's own namespace: "0 1 1024" is host uid 100000, not 1."""
    found = world.facts("podman-rootless")
    nested = world.with_file(world.answers("podman-rootless"), "/proc/self/uid_map", "0 1 1024\n")
    result = world.result(world.probe(found, nested), "container-root-uid")
    assert "uid 100000 " in result.summary


def test_t1_keep_id() -> None:
    """With keep-id, root inside is the first subordinate id and one's own id is itself; "0" is not root."""
    nested = world.with_file(
        world.answers("podman-rootless"), "/proc/self/uid_map", "0 1 1001\n1001 0 1\n1002 1002 64535\n"
    )
    result = world.result(world.probe(world.facts("podman-rootless"), nested), "container-root-uid")
    assert "uid 100000 " in result.summary


def test_t1_without_the_engines_map_a_nested_one_is_unknown() -> None:
    """A nested map that nothing composes gives no number."""
    nested = world.with_file(world.answers("podman-rootless"), "/proc/self/uid_map", "0 1 1024\n")
    found = world.change(world.probe(world.facts("podman-rootless"), nested), "engine", uid_mappings=None)
    assert world.status(found, "container-root-uid") == "unknown"


def test_t1_the_kernel_has_the_last_word() -> None:
    """Seen from outside, the uid needs no composition; maps that lead elsewhere are a conflict."""
    found = world.facts("podman-rootless")
    assert found.probe is not None
    assert found.probe.outside is not None
    lied = replace(found.probe.outside, uid=0)
    result = world.result(world.change(found, "probe", outside=lied), "container-root-uid")
    assert result.status is Status.FAIL
    assert result.conflicts
    assert any(item.source is Source.KERNEL for item in result.evidence)


def test_t2_compatible_info_without_name_rootless() -> None:
    """Podman before 4.6 does not list name=rootless; its own answer, or the field Rootless, says it."""
    raw = world.raw("podman-rootless")
    assert "name=rootless" not in raw["info"]["SecurityOptions"]
    del raw["libpod_info"]["host"]["security"]["rootless"]
    found = replace(world.facts("podman-rootless"), engine=world.engine_facts("podman-rootless", raw))
    assert world.status(found, "engine-rootless") == "pass"


def test_t3_the_hosts_controllers_are_not_the_engines() -> None:
    """The compatible info says that memory can be limited; for a rootless engine on version 1 it cannot."""
    assert world.raw("podman-rootless")["info"]["MemoryLimit"] is True
    result = world.result(world.facts("podman-rootless"), "limits-honest")
    assert result.status is Status.FAIL
    assert "/info claims that memory" in result.summary


def test_t4_no_new_privileges_is_the_kernels_word() -> None:
    """A daemon with the flag may not list it: the kernel shows it."""
    status = world.answers("docker-remap").files["/proc/self/status"]
    assert isinstance(status, bytes)
    changed = world.with_file(
        world.answers("docker-remap"), "/proc/self/status", status.decode().replace("NoNewPrivs:\t0", "NoNewPrivs:\t1")
    )
    assert world.status(world.probe(world.facts("docker-remap"), changed), "no-new-privileges") == "pass"


def test_t5_inspect_echoes_what_was_asked_for() -> None:
    """Rootless Docker on version 1 shows limits that do not exist, and warns of nothing."""
    result = world.result(world.facts("docker-rootless"), "limits-honest")
    assert "inspect claims memory=67108864" in result.summary


def test_t6_a_label_is_not_an_answer() -> None:
    """A daemon labelled name=rootless is as rootful as before."""
    raw = world.raw("docker-rootful")
    raw["info"]["Labels"] = ["name=rootless"]
    found = replace(world.facts("docker-rootful"), engine=world.engine_facts("docker-rootful", raw))
    assert world.status(found, "engine-rootless") == "fail"
    assert not world.result(found, "engine-rootless").conflicts


def test_t6_nor_is_a_longer_option() -> None:
    """Whole elements of the list are compared, not pieces of text."""
    raw = world.raw("docker-rootful")
    raw["info"]["SecurityOptions"] = ["name=seccomp,profile=name=rootless", "name=rootless-not"]
    found = replace(world.facts("docker-rootful"), engine=world.engine_facts("docker-rootful", raw))
    assert world.status(found, "engine-rootless") == "fail"


def test_t7_the_engines_id_identifies_nothing() -> None:
    """Two engines can tell one ID, and one engine several: a report goes by its endpoint."""
    report = world.report(world.facts("docker-rootful"))
    assert report.endpoint == "unix:///run/engine.sock"
    assert "ID" not in str(sorted(report.to_dict()))


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_t8_the_probe_needs_no_shell_and_no_writable_folder(arch: str) -> None:
    """The program is the image's one file: nothing is written, and no shell is asked."""
    program = build_program(b"0" * 32, arch=arch)
    assert program.startswith(b"\x7fELF\x02\x01")
    assert b"/bin/sh" not in program


def test_t9_removal_kills_first() -> None:
    """A probe is removed by force, which kills at once: never a stop with its ten seconds of grace."""
    source = inspect.getsource(probes)
    assert "remove_container(name, force=True" in source
    assert "stop_container" not in source


def test_t10_the_endpoint_is_asked_and_not_a_command() -> None:
    """A command line may be set up differently from the service: facts of the engine come through its backend."""
    for line in inspect.getsource(probes).splitlines():
        assert "subprocess" not in line


def test_t11_a_file_is_opened_to_see_whether_it_can_be() -> None:
    """Asking whether a file is readable is answered with yes for uid 0 in every namespace: the probe opens it."""
    found = world.answers("docker-rootless")
    assert found.opened["/root-only"] == 13
    assert world.status(world.facts("docker-rootless"), "root-equivalence") == "pass"


def test_t12_another_engine_on_the_host_changes_nothing() -> None:
    """A remapped daemon beside a rootful one gives the rootful one no better result."""
    assert world.status(world.facts("docker-rootful"), "userns-remap") == "warn"
    assert world.status(world.facts("docker-rootful"), "no-new-privileges") == "warn"
    assert world.status(world.facts("docker-remap"), "userns-remap") == "pass"


def test_t13_a_tcp_service_without_a_warning() -> None:
    """Podman warns of nothing: where its service listens tells, and a local socket proves nothing of others."""
    found = world.facts("podman-rootless")
    assert world.status(found, "tcp-exposed") == "unknown"
    assert world.status(world.change(found, "engine", remote_socket="tcp:127.0.0.1:18899"), "tcp-exposed") == "fail"


def test_t14_probes_have_no_network() -> None:
    """A probe works where the bridge is gone, and needs no network to be made."""
    assert 'network_mode="none"' in inspect.getsource(probes)


def test_a_map_of_the_kernels_outweighs_the_probes() -> None:
    """A probe that says it has a user namespace while the kernel shows the host's: no false pass."""
    found = world.facts("docker-rootful")
    lie = world.with_file(world.answers("docker-rootful"), "/proc/self/uid_map", "0 100000 65536\n")
    result = world.result(world.change(found, "probe", answers=lie), "userns-active")
    assert result.status is Status.FAIL
    assert result.conflicts
    root = world.result(world.change(found, "probe", answers=lie), "container-root-uid")
    assert root.status is Status.FAIL


def test_the_remapped_map_is_taken_as_it_is() -> None:
    """A rootful engine's containers sit in the host's namespace: their map needs no composition."""
    found = world.probe(world.facts("docker-remap"), world.answers("docker-remap"))
    assert "uid 231072 " in world.result(found, "container-root-uid").summary
    assert found.engine is not None
    assert found.engine.uid_mappings is None or found.engine.uid_mappings == (IdRange(0, 231072, 65536),)
