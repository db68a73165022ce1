"""Five engines whose truth is known: what the checks must say of each, from recorded facts alone."""

from __future__ import annotations

import pytest

from containerkit.isolation.checks import CATALOGUE, GROUPS

from . import world

#: check: Docker rootful, Docker rootless, Docker with userns-remap, Podman rootful, Podman rootless
ORACLE = {
    "engine-reachable": "pass pass pass pass pass",
    "engine-kind": "pass pass pass pass pass",
    "engine-owner": "info info info info info",
    "engine-rootless": "fail pass fail fail pass",
    "daemonless": "fail fail fail pass pass",
    "socket-permissions": "warn pass warn pass pass",
    "docker-group": "pass na pass na na",
    "root-equivalence": "fail pass fail fail pass",  # userns-remap: --userns=host switches it off
    "tcp-exposed": "pass pass fail unknown unknown",  # that daemon was started with -H tcp://
    "client-transport": "pass pass pass pass pass",
    "container-root-uid": "fail pass pass fail pass",
    "userns-active": "fail pass pass fail pass",
    "userns-remap": "warn na pass na na",
    "userns-shared": "warn warn info warn warn",
    "subid-ranges": "na pass na na pass",
    "idmap-helpers": "pass pass pass pass pass",
    "network-helper": "na warn na na warn",
    "unprivileged-ports": "na warn na na warn",
    "storage-driver": "pass pass pass pass pass",
    "cgroup-setup": "info info info info info",
    "limits-enforced": "pass fail pass pass fail",
    "limits-honest": "pass fail pass pass fail",
    "default-limits": "warn warn warn warn warn",
    "default-pids-limit": "warn warn warn pass warn",
    "seccomp": "pass pass pass pass pass",
    "no-new-privileges": "warn warn warn warn warn",
    "mac": "warn warn warn warn warn",
    "default-capabilities": "warn warn warn pass pass",
    "syscall-surface": "info info info info info",
    "nested-userns": "pass pass pass warn warn",
    "io-uring": "warn warn warn pass pass",
    "proc-masking": "pass pass pass pass pass",
    "shared-kernel": "warn warn warn warn warn",
    "module-loading": "pass pass pass pass pass",
    "clock": "pass pass pass pass pass",
    "keyring": "pass pass pass fail pass",
    "devices": "pass pass pass pass pass",
    "host-info": "info info info info info",
    "containers-audit": "na na na na na",
    "container-user": "na na na na na",
    "runtime-version": "warn warn warn warn warn",
    "image-signatures": "info info info unknown unknown",
    "container-defaults": "na na na unknown unknown",
}
UIDS = {
    "docker-rootful": 0,
    "docker-rootless": 1002,
    "docker-remap": 231072,
    "podman-rootful": 0,
    "podman-rootless": 1001,
}


@pytest.mark.parametrize("engine", world.ENGINES)
@pytest.mark.parametrize("check", ORACLE)
def test_recorded_facts_give_the_known_result(engine: str, check: str) -> None:
    """Each check says of each recorded engine what is true of it."""
    expected = ORACLE[check].split()[world.ENGINES.index(engine)]
    assert expected == world.status(world.facts(engine), check), world.result(world.facts(engine), check)


@pytest.mark.parametrize("engine", world.ENGINES)
def test_the_uid_of_a_containers_root_is_in_the_summary(engine: str) -> None:
    """The number is told, not only the verdict."""
    assert f"uid {UIDS[engine]} " in world.result(world.facts(engine), "container-root-uid").summary


@pytest.mark.parametrize("engine", world.ENGINES)
def test_every_result_is_complete(engine: str) -> None:
    """No reason, no unknown; no evidence, no verdict; no check without a group."""
    for result in world.report(world.facts(engine)):
        assert bool(result.reason) == (result.status.value in ("unknown", "na")), result
        assert result.evidence or result.reason, result
        assert result.group in GROUPS
        assert result.summary.strip()


def test_ids_are_unique() -> None:
    """An id names one check."""
    ids = [check.id for check in CATALOGUE]
    assert len(ids) == len(set(ids))
