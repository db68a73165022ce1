"""What the kernel makes true of each engine: engine -> check -> status, without what depends on the host alone.

Each row was held against the engine itself: its process, its socket, `/proc` of a container, the `docker` and `podman`
commands. A row says how an engine differs from the one that it is built on.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ORACLE", "VARIANTS"]

_DOCKER = {
    **dict.fromkeys(("engine-rootless", "daemonless", "root-equivalence", "container-root-uid"), "fail"),
    "userns-active": "fail",
    **dict.fromkeys(("userns-remap", "userns-shared", "default-limits", "default-pids-limit"), "warn"),
    **dict.fromkeys(("no-new-privileges", "default-capabilities", "io-uring", "shared-kernel"), "warn"),
    **dict.fromkeys(("live-restore", "log-limits", "container-traffic"), "warn"),
    **dict.fromkeys(("limits-enforced", "limits-honest", "seccomp", "nested-userns", "keyring"), "pass"),
    **dict.fromkeys(("module-loading", "clock", "tcp-exposed", "storage-driver", "proc-masking", "devices"), "pass"),
    **dict.fromkeys(("network-helper", "short-names", "container-defaults"), "na"),
    "image-signatures": "info",
}
_ROOTLESS = {
    **dict.fromkeys(("engine-rootless", "root-equivalence", "container-root-uid", "userns-active"), "pass"),
    **dict.fromkeys(("socket-permissions", "subid-ranges", "keyring"), "pass"),
    **dict.fromkeys(("userns-remap", "docker-group", "authorization-plugins"), "na"),
    "limits-enforced": "fail",
    "limits-honest": "fail",
    "default-pids-limit": "warn",
    "network-helper": "warn",  # slirp4netns
}
_PODMAN = {
    **_DOCKER,
    **dict.fromkeys(("daemonless", "default-pids-limit", "default-capabilities", "io-uring"), "pass"),
    **dict.fromkeys(("socket-permissions", "short-names", "container-defaults"), "pass"),
    **dict.fromkeys(("userns-remap", "docker-group", "live-restore", "container-traffic"), "na"),
    "nested-userns": "warn",
    "keyring": "fail",
    "tcp-exposed": "unknown",
}
#: Docker closed io_uring to containers in 25.0; pasta, not slirp4netns, is the network of Podman from 5.0 on.
_CLOSED, _PASTA = {"io-uring": "pass"}, {"network-helper": "pass"}
#: Version 2 without controllers: crun refuses a container with limits, so none holds, and there is no second user
#: namespace to compare with; /info of 6.1 claims pids all the same. Its containers.conf switches the default limit off.
_REFUSED = {
    **dict.fromkeys(("limits-enforced", "limits-honest", "container-defaults"), "fail"),
    "userns-shared": "unknown",
    "default-pids-limit": "warn",
}
#: A machine of its own with systemd and version 2, seen from this host: limits hold without root, and what needs this
#: host's view is unknown. One processor: a cpuset cannot be told.
_REMOTE = {
    **dict.fromkeys(("socket-permissions", "docker-group", "subid-ranges", "image-signatures"), "unknown"),
    **dict.fromkeys(("limits-enforced", "limits-honest", "default-pids-limit"), "pass"),
    "daemonless": "info",
}

ORACLE: dict[str, Mapping[str, str]] = {
    "docker20": _DOCKER,
    "docker20r": {**_DOCKER, **_ROOTLESS},
    "docker26": {**_DOCKER, **_CLOSED},
    "docker26r": {**_DOCKER, **_CLOSED, **_ROOTLESS},
    "podman4": _PODMAN,
    "podman4r": {**_PODMAN, **_ROOTLESS},
    "podman54r": {**_PODMAN, **_ROOTLESS, **_PASTA},
}
ORACLE |= dict.fromkeys(("docker26c", "docker28", "docker28c"), ORACLE["docker26"])
ORACLE |= {"docker28r": ORACLE["docker26r"], "podman58r": ORACLE["podman54r"]}
ORACLE |= dict.fromkeys(("podman54", "podman58", "podman58c"), ORACLE["podman4"])
ORACLE |= {"podman6": {**ORACLE["podman58"], **_REFUSED}, "podman6r": {**ORACLE["podman58r"], **_REFUSED}}
ORACLE["vmdocker"] = {**ORACLE["docker28"], **_REMOTE}
ORACLE["vmdockerr"] = {**ORACLE["docker28r"], **_REMOTE}
ORACLE["vmpodmanr"] = {**ORACLE["podman58r"], **_REMOTE, "short-names": "unknown", "container-defaults": "unknown"}

#: Daemons that a test starts beside a rootful Docker: option -> check -> status where it differs from that Docker.
VARIANTS: Mapping[str, Mapping[str, str]] = {
    "--userns-remap": {
        **dict.fromkeys(("container-root-uid", "userns-active", "userns-remap"), "pass"),
        "userns-shared": "info",  # a user namespace each, all with the same range
        "root-equivalence": "fail",  # --userns=host switches it off
    },
    "tcp": {"tcp-exposed": "fail"},
    "--icc=false": {"container-traffic": "pass"},
    "--live-restore": {"live-restore": "pass"},
    "--no-new-privileges": {"no-new-privileges": "pass"},
    "mode 0666": {"socket-permissions": "fail"},
}
