"""Check what Podman's settings files say: defaults of every container, short names of images, signatures."""

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
    this_process,
    unknown,
    warned,
)
from ..facts import Facts, PodmanFacts
from ..values import Remediation, Severity

__all__ = ["CHECKS"]

#: Setting of [containers] -> values that weaken every container, and what they do.
_WEAK: tuple[tuple[str, tuple[object, ...], str], ...] = (
    ("netns", ("host",), "every container is in the host's network"),
    ("pidns", ("host",), "every container sees the host's processes"),
    ("ipcns", ("host",), "every container shares memory with the host's programs"),
    ("privileged", (True,), "every container is privileged"),
    ("seccomp_profile", ("unconfined",), "system calls are not filtered"),
    ("apparmor_profile", ("unconfined",), "AppArmor does not confine"),
    ("label", (False,), "SELinux does not confine"),
    ("pids_limit", (0, -1), "no container has a limit on processes"),
)
#: Among default_capabilities or volumes, these words are a way to the host.
_CAPABILITIES = ("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "NET_ADMIN", "BPF")
_NOT_READ = "Podman's settings files cannot be read from here"


def _settings(facts: Facts) -> PodmanFacts | None:
    return host_of(facts).podman


def _defaults(facts: Facts) -> Finding:
    if not engine_of(facts).libpod:
        return inapplicable("Docker has no defaults for containers in a file but those of daemon.json")
    found = _settings(facts)
    if found is None:
        return unknown(_NOT_READ)
    named = (*(name for name, _, _ in _WEAK), "default_capabilities", "volumes", "devices")
    seen = {name: found.defaults[name] for name in named if name in found.defaults}
    evidence = host_says("containers.conf [containers]", seen)
    if found.problems:
        return unknown(f"files that cannot be read: {', '.join(found.problems)}", evidence)
    weak = [f"{name} ({what})" for name, values, what in _WEAK if name in seen and seen[name] in values]
    capabilities = [str(c).upper().removeprefix("CAP_") for c in _listed(seen.get("default_capabilities"))]
    weak += [f"default_capabilities ({name})" for name in capabilities if name in _CAPABILITIES]
    weak += [
        f"{name} ({', '.join(map(str, _listed(seen[name])))})"
        for name in ("volumes", "devices")
        if _listed(seen.get(name))
    ]
    if weak:
        fix = Remediation("Remove these lines from containers.conf; give the option to the container that needs it.")
        return failed(f"containers.conf weakens every container: {'; '.join(weak)}", evidence, fix=fix)
    return passed("containers.conf leaves every container the protection that Podman gives it", evidence)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _short_names(facts: Facts) -> Finding:
    if not engine_of(facts).libpod:
        return inapplicable("Docker takes a short name from docker.io only")
    found = _settings(facts)
    if found is None:
        return unknown(_NOT_READ)
    mode = found.short_names
    evidence = [
        host_says("registries.conf short-name-mode", mode),
        engine_says("GET /libpod/info registries.search", list(engine_of(facts).search_registries or ())),
    ]
    if mode in (None, "enforcing"):
        return passed("a short name that several registries may have is refused, or asked about", *evidence)
    text = f"short-name-mode is {mode}: the first registry that has a short name gives the image"
    line = 'short-name-mode = "enforcing"'
    fix = Remediation(f"Write {line} into registries.conf, or use names with a registry.")
    several = len(engine_of(facts).search_registries or ()) > 1
    return warned(text, *evidence, fix=fix, severity=Severity.MEDIUM if several else None)


def _signatures(facts: Facts) -> Finding:
    if not engine_of(facts).libpod:
        evidence = this_process("DOCKER_CONTENT_TRUST", facts.client.content_trust)
        if facts.client.content_trust:
            return informed("the command docker demands signatures here; requests to the engine do not", evidence)
        return informed("the engine takes images without a signature, as Docker does by default", evidence)
    if facts.host is None or facts.host.podman is None:
        return unknown(_NOT_READ)
    policy = facts.host.podman.policy
    evidence = host_says("policy.json default", policy)
    if policy is None:
        return unknown("there is no policy.json, or it has no default", evidence)
    if policy == "insecureAcceptAnything":
        return informed("policy.json accepts every image, signed or not, as it does by default", evidence)
    return passed(f"policy.json has {policy} for an image that no other rule names", evidence)


CHECKS: tuple[Check, ...] = (
    Check("short-names", "May a short name come from any registry", "B", Severity.LOW, "EF", _short_names),
    Check("image-signatures", "Does an image need a signature", "B", Severity.LOW, "EF", _signatures),
    Check("container-defaults", "Does a settings file weaken every container", "F", Severity.HIGH, "EF", _defaults),
)
