"""Check how the engine is set up: its registries, its settings files, its logs, its default network."""

from __future__ import annotations

from ..check import (
    Check,
    Finding,
    engine_of,
    engine_says,
    failed,
    host_of,
    host_says,
    inapplicable,
    informed,
    passed,
    unknown,
    warned,
)
from ..facts import Facts
from ..gates import reported_rootless
from ..values import Remediation, Severity

__all__ = ["CHECKS"]

_LOCAL = ("127.", "localhost", "::1", "[::1]")
_RESTART = "systemctl restart docker"


def _daemon_json(text: str) -> Remediation:
    return Remediation(f"{text} in /etc/docker/daemon.json, then restart the daemon.", (_RESTART,), needs_root=True)


def _live_restore(facts: Facts) -> Finding:
    engine = engine_of(facts)
    evidence = engine_says("GET /info LiveRestoreEnabled", engine.live_restore)
    if engine.libpod:
        return inapplicable("Podman's containers do not depend on a daemon", evidence)
    if engine.live_restore is None:
        return unknown("the engine does not tell it", evidence)
    if engine.live_restore:
        return passed("containers go on while the daemon restarts", evidence)
    return warned("containers end when the daemon ends", evidence, fix=_daemon_json('Set "live-restore": true'))


def _experimental(facts: Facts) -> Finding:
    value = engine_of(facts).experimental
    evidence = engine_says("GET /info ExperimentalBuild", value)
    if engine_of(facts).libpod:
        return inapplicable("Podman has no such mode", evidence)
    if value is None:
        return unknown("the engine does not tell it", evidence)
    if value:
        return warned("experimental features are on", evidence, fix=_daemon_json('Remove "experimental": true'))
    return passed("experimental features are off", evidence)


def _authorization(facts: Facts) -> Finding:
    engine = engine_of(facts)
    evidence = engine_says("GET /info Plugins.Authorization", list(engine.authorization))
    if engine.libpod or reported_rootless(facts):
        return inapplicable("every account has an engine of its own, so there is nothing to share out", evidence)
    if engine.authorization:
        return passed(f"{', '.join(engine.authorization)} decides which requests are accepted", evidence)
    return informed("every request of whoever reaches the socket is accepted", evidence)


def _insecure(facts: Facts) -> Finding:
    found = engine_of(facts).insecure_registries
    evidence = engine_says("registries without TLS", None if found is None else list(found))
    if found is None:
        return unknown("the engine does not tell its registries", evidence)
    far = [name for name in found if not name.startswith(_LOCAL)]
    if far:
        fix = Remediation("Give the registry a certificate, and take it out of the list of insecure ones.")
        return failed(f"images come unprotected from: {', '.join(far)}", evidence, fix=fix)
    return passed("no registry but this host's own is used without TLS", evidence)


def _unqualified(facts: Facts) -> Finding:
    engine = engine_of(facts)
    if not engine.libpod:
        return inapplicable("Docker takes a short name from docker.io only")
    found = engine.search_registries
    evidence = engine_says("GET /libpod/info registries.search", None if found is None else list(found))
    if found is None:
        return passed("a short name is searched in no registry", evidence)
    if len(found) > 1:
        fix = Remediation("Name one registry, or none, in unqualified-search-registries of registries.conf.")
        return warned(f"a short name may come from {', '.join(found)}: whoever is first", evidence, fix=fix)
    return passed(f"a short name comes from {', '.join(found) or 'nowhere'}", evidence)


def _files(facts: Facts) -> Finding:
    files = host_of(facts).settings
    evidence = host_says("owner and mode", {f.path: f"{f.uid}:{f.gid} {f.mode:04o}" for f in files})
    if not files:
        return unknown("no file of an engine's settings was found", evidence)
    loose = [f for f in files if f.uid != 0 or f.mode & 0o002 or (f.mode & 0o020 and f.gid != 0)]
    if not loose:
        return passed(f"{len(files)} files of the engine's settings, which only root can change", evidence)
    lines = tuple(f"chown root:root {f.path} && chmod go-w {f.path}" for f in loose)
    fix = Remediation("Let only root change them.", lines, needs_root=True)
    text = ", ".join(f"{f.path} (uid {f.uid}, mode {f.mode:04o})" for f in loose)
    return failed(f"others than root can change {text}", evidence, fix=fix)


def _log_limits(facts: Facts) -> Finding:
    limits = facts.probe.log if facts.probe else None
    if limits is None:
        return unknown("the engine does not tell where a container's log goes")
    driver, options = limits
    evidence = engine_says("HostConfig.LogConfig of the probe", {"driver": driver, **options})
    if driver in ("json-file", "k8s-file") and not ({"max-size", "size"} & set(options)):
        text = f"a container's log ({driver}) may grow until the disk is full"
        if engine_of(facts).libpod:
            fix = Remediation("Set log_size_max in the [containers] part of containers.conf.")
        else:
            fix = _daemon_json('Set "log-driver": "local", or "log-opts" with "max-size" and "max-file",')
        return warned(text, evidence, fix=fix)
    return passed(f"logs go to {driver}, which has a limit of its own or keeps none here", evidence)


def _icc(facts: Facts) -> Finding:
    engine, options = engine_of(facts), facts.bridge
    if engine.libpod:
        return inapplicable("Podman has no such switch; a network with the option isolate is closed to the others")
    if options is None:
        return unknown("there is no default network to look at")
    name = "com.docker.network.bridge.enable_icc"
    evidence = engine_says(f"GET /networks/bridge Options {name}", options.get(name))
    if options.get(name) == "false":
        return passed("containers of the default network cannot reach one another", evidence)
    fix = _daemon_json('Use a network for each application, or set "icc": false')
    return warned("containers of the default network reach one another's ports", evidence, fix=fix)


CHECKS: tuple[Check, ...] = (
    Check("live-restore", "Do containers outlive the daemon's restart", "A", Severity.LOW, "E", _live_restore),
    Check("experimental", "Are experimental features off", "A", Severity.LOW, "E", _experimental),
    Check("authorization-plugins", "Does a plugin decide about requests", "B", Severity.LOW, "E", _authorization),
    Check("insecure-registries", "Are images carried over TLS", "B", Severity.MEDIUM, "E", _insecure),
    Check(
        "unqualified-registries",
        "Where does an image with a short name come from",
        "B",
        Severity.LOW,
        "E",
        _unqualified,
    ),
    Check("engine-files", "Can only root change the engine's settings", "B", Severity.HIGH, "F", _files),
    Check("log-limits", "Is a container's log limited", "E", Severity.LOW, "EP", _log_limits),
    Check("container-traffic", "Are containers of the default network separate", "F", Severity.MEDIUM, "E", _icc),
)
